"""Turns the text after `/gpu` into a command, or raises the Mistake that says what to type instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from rapidfuzz.distance import OSA

from bot.errors import Mistake, PrivateKey
from bot.model.base import Frozen
from bot.model.offer import Catalog
from bot.model.request import Request
from bot.model.text import say_span, short
from bot.policy.keys import LONGEST_LINE, looks_private
from handlers.parsing.durations import DURATION, parse_duration
from handlers.parsing.normalize import normalize, normalize_within
from handlers.parsing.request_parser import MAX_LENGTH, looks_like_request, parse_request
from handlers.parsing.slack_text import plain_text

MAX_COMMAND_LENGTH = LONGEST_LINE + 1000
"""Characters of a whole command. Only a key comes near that."""
MAX_NAME_LENGTH = 20
"""Characters of a command's name, with the quotation marks or asterisks around it."""


class Get(Frozen):
    """Look for offers. `now`: rent the recommended one at once if nobody has to approve or confirm that."""

    request: Request
    now: bool = False


class GetForm(Frozen):
    """`get` alone: open the form."""


class KeyShow(Frozen):
    pass


class KeySet(Frozen):
    line: str
    """The text after `key`, not yet checked. It may contain line breaks."""


class ListRentals(Frozen):
    all: bool = False
    """List everyone's rentals, not only those of the person who asks."""


class Show(Frozen):
    id: str


class Ssh(Frozen):
    id: str


class Destroy(Frozen):
    id: str


class Extend(Frozen):
    id: str
    duration: timedelta | None = None
    """By how much. None if it wasn't typed."""


class Keep(Frozen):
    id: str
    duration: timedelta | None = None
    """How long not to ask again. None if it wasn't typed."""


class ShowCatalog(Frozen):
    pass


class Pause(Frozen):
    pass


class Resume(Frozen):
    pass


class Help(Frozen):
    pass


class Home(Frozen):
    """`/gpu` alone."""


Command = (
    Get
    | GetForm
    | KeyShow
    | KeySet
    | ListRentals
    | Show
    | Ssh
    | Destroy
    | Extend
    | Keep
    | ShowCatalog
    | Pause
    | Resume
    | Help
    | Home
)

_ALIASES = {
    "get": "get rent find need want search offers",
    "key": "key keys ssh-key sshkey",
    "list": "list ls mine status",
    "show": "show info details history",
    "ssh": "ssh connect login",
    "destroy": "destroy delete kill stop terminate remove rm cancel withdraw end",
    "extend": "extend prolong longer",
    "keep": "keep",
    "catalog": "catalog catalogue vendors regions gpus",
    "pause": "pause",
    "resume": "resume",
    "help": "help ? -h --help",
}
_NAME_OF_ALIAS = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
_ID = re.compile(r"[a-z0-9]{5}")
_FILLER_WORDS = frozenset(
    ["the", "my", "machine", "rental", "gpu", "by", "for", "please", "it", "now", "to", "into", "of"]
)
_KEY_LINE = re.compile(r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d+|sk-[\w.@-]+)(?:@|-cert|\s)", re.IGNORECASE)
_QUOTES = "`'\"“”„‘’«»"
"""People and phones put these around a pasted line."""
_UNTIL = re.compile(r"(?:^| )(?:to|until|till) ")
_MORE = re.compile(r"(?:^|(?<= ))(?:another|more|extra|longer)(?: |$)")
_DURATION = re.compile(rf"(?:^|(?<= )){DURATION}")
_NUMBER_WITHOUT_UNIT = re.compile(r"(?:^|(?<= ))\d{1,4}(?:\.\d{1,3})?(?= |$)")
_BUYING_WORDS = frozenset({"get", "rent"})
"""`now` rents only after one of these. After `find` or `offers`, or with no verb at all, offers are shown."""
_MAX_TYPOS = {
    "destroy": 2,
    "resume": 1,
    "pause": 1,
    "extend": 2,
    "catalog": 2,
    "list": 1,
    "show": 1,
    "keep": 1,
    "help": 1,
}
"""How many letters may be wrong for a command to be suggested. `reuse` and `resize` are two letters from `resume`,
and `use` is two from `pause`: people who type those must not be led to a command that stops something."""


def parse_command(text: str, catalog: Catalog, *, default_lease: timedelta, max_lease: timedelta) -> Command:
    """Return the command in a text as Slack sent it.

    Raise PrivateKey if the text contains a private key. Raise Mistake if it is no command; escape its words before
    showing them.
    """
    if len(text) > MAX_COMMAND_LENGTH:  # checked first: every other check takes time in proportion to the length
        raise PrivateKey if looks_private(text[:MAX_COMMAND_LENGTH]) else _too_long()
    typed = plain_text(text).strip()
    if looks_private(text) or looks_private(typed):
        raise PrivateKey
    while typed[:4].lower() == "/gpu" and not typed[4:5].strip():
        typed = typed[4:].strip()
    if not typed:
        return Home()
    if _KEY_LINE.match(typed.lstrip(_QUOTES)):
        return KeySet(line=typed.strip(_QUOTES))
    first_word, rest = [*typed.split(maxsplit=1), ""][:2]
    normalized = normalize(first_word).lower() if len(first_word) <= MAX_NAME_LENGTH else ""
    name = _NAME_OF_ALIAS.get(first_word.lower()) or _NAME_OF_ALIAS.get(normalized)
    if name is None:
        if not looks_like_request(typed, catalog):
            raise _unknown_command(first_word, rest)
        parsed = parse_request(typed, catalog, default_lease=default_lease, max_lease=max_lease, after_verb=False)
        return Get(request=parsed.request)
    if name == "get":
        if not rest.strip():
            return GetForm()
        parsed = parse_request(rest, catalog, default_lease=default_lease, max_lease=max_lease)
        return Get(request=parsed.request, now=parsed.now and first_word.lower() in _BUYING_WORDS)
    if name != "key" and normalize_within(rest, MAX_LENGTH) is None:
        raise _too_long()
    return _PARSERS[name](rest, max_lease)


def _too_long() -> Mistake:
    return Mistake("That is too long. /gpu help shows what I understand.")


def _unknown_command(first_word: str, rest: str) -> Mistake:
    word = normalize(first_word[:MAX_NAME_LENGTH]).lower()
    nearest = tuple(name for name, typos in _MAX_TYPOS.items() if OSA.distance(word, name) <= typos)
    suggestion = " ".join(nearest[:1])
    if suggestion in {"destroy", "extend", "show", "keep"}:
        rental_id = rest.strip().lower()
        suggestion += f" {rental_id if _ID.fullmatch(rental_id) else 'k7mq2'}"
    hint = f"Nearest: {', '.join(nearest)}. Try: /gpu {suggestion}, or /gpu help" if nearest else "Try: /gpu help"
    return Mistake(f'I don\'t know the command "{short(first_word)}". {hint}', nearest)


# --- the arguments of each command


def _parse_key(rest: str, _: timedelta) -> Command:
    line = re.sub(r"^(?:set|add|is|=)\s+", "", rest.strip(), flags=re.IGNORECASE).strip(_QUOTES)
    return KeyShow() if line.lower() in {"", "show", "set", "add"} else KeySet(line=line)


def _parse_list(rest: str, _: timedelta) -> Command:
    words = normalize(rest).lower().split()
    everyone = {"all", "everyone", "everybody", "everything", "team", "--all", "-a"}
    for word in words:
        if word not in everyone | {"mine", "my", "me", "rentals", "gpus", "of", "the"}:
            raise Mistake(
                f'I don\'t know "{short(word)}" here. Try: /gpu list, or /gpu list all', ("list", "list all")
            )
    return ListRentals(all=any(word in everyone for word in words))


Parser = Callable[[str, timedelta], Command]
"""Takes the text after a command's name, and the longest lease."""


def _id_parser(make: Callable[[str], Command], name: str) -> Parser:
    """Return the parser of a command that takes one id."""

    def parse(rest: str, _: timedelta) -> Command:
        return make(_parse_id(normalize(rest), name))

    return parse


def _id_and_duration_parser(make: Callable[[str, timedelta | None], Command], name: str) -> Parser:
    """Return the parser of a command that takes one id and, if typed, a duration, in either order."""

    def parse(rest: str, max_lease: timedelta) -> Command:
        text = normalize(rest.replace("+", " ")).lower()
        if name == "extend" and _UNTIL.search(text):
            raise Mistake("By how much longer? Try: /gpu extend k7mq2 2h")
        text = _MORE.sub("", text).strip()
        duration = None
        match = _DURATION.search(text)
        # An id can look like a duration: 2222h. It is the id if there is no other.
        if match is not None and (match.group() != text or not _ID.fullmatch(text)):
            duration = parse_duration(match.group())
            text = _without(text, match)
        number = _NUMBER_WITHOUT_UNIT.search(text)
        if number is not None and not _ID.fullmatch(number.group()):
            rental_id = _parse_id(_without(text, number), name)
            raise _hours_or_minutes(f"/gpu {name} {rental_id}", number.group(), max_lease)
        rental_id = _parse_id(text, name, normalize(rest))
        if duration is not None and not timedelta(0) < duration <= max_lease:
            raise Mistake(
                f"{say_span(duration)} is not possible: a lease is at most {say_span(max_lease)}. "
                f"Try: /gpu {name} {rental_id} 2h"
            )
        return make(rental_id, duration)

    return parse


def _without(text: str, match: re.Match[str]) -> str:
    return f"{text[: match.start()]} {text[match.end() :]}"


def _hours_or_minutes(command: str, number: str, max_lease: timedelta) -> Mistake:
    possible = [
        f"{command} {number}{unit}" for unit in "hm" if timedelta(0) < parse_duration(number + unit) <= max_lease
    ]
    return Mistake(f"{number} hours or {number} minutes? Try: {', or '.join(possible) or f'{command} 2h'}")


def _parse_id(text: str, name: str, typed: str = "") -> str:
    """Return the only id in `text`. Raise Mistake otherwise; it shows the part of `typed` that is no id."""
    words = [word.lower().strip("#") for word in text.split()]
    words = [word for word in words if word and word not in _FILLER_WORDS]
    if not words:
        raise Mistake(f"Which one? Try: /gpu {name} k7mq2. Ids are in /gpu list")
    ids = {word for word in words if _ID.fullmatch(word) and not word.isalpha()}
    if len(ids) == 1 < len(set(words)):
        unknown = " ".join(word for word in (typed or text).split() if word.lower().strip("#") not in ids)
        if name == "destroy":
            raise Mistake(f'I don\'t know "{short(unknown)}" here: /gpu destroy takes an id alone. Try: /gpu list')
        duration = " 2h" if name in {"extend", "keep"} else ""
        raise Mistake(f'I don\'t know "{short(unknown)}" here. Try: /gpu {name} {ids.pop()}{duration}')
    if len(set(words)) > 1:
        raise Mistake(f"One at a time, by its id. Try: /gpu {name} k7mq2. Ids are in /gpu list")
    if not _ID.fullmatch(words[0]):
        raise Mistake(
            f'"{short(words[0])}" is no id: those have 5 letters and digits, such as k7mq2. Ids are in /gpu list'
        )
    return words[0]


def _no_argument_parser(command: Command, name: str) -> Parser:
    """Return the parser of a command that refuses arguments."""

    def parse(rest: str, _: timedelta) -> Command:
        if rest.strip():
            raise Mistake(f"/gpu {name} takes nothing more: it is about all buying. Try: /gpu {name}")
        return command

    return parse


_PARSERS: dict[str, Parser] = {
    "key": _parse_key,
    "list": _parse_list,
    "show": _id_parser(lambda rental_id: Show(id=rental_id), "show"),
    "ssh": _id_parser(lambda rental_id: Ssh(id=rental_id), "ssh"),
    "destroy": _id_parser(lambda rental_id: Destroy(id=rental_id), "destroy"),
    "extend": _id_and_duration_parser(
        lambda rental_id, duration: Extend(id=rental_id, duration=duration), "extend"
    ),
    "keep": _id_and_duration_parser(lambda rental_id, duration: Keep(id=rental_id, duration=duration), "keep"),
    "catalog": lambda _rest, _max_lease: ShowCatalog(),
    "pause": _no_argument_parser(Pause(), "pause"),
    "resume": _no_argument_parser(Resume(), "resume"),
    "help": lambda _rest, _max_lease: Help(),
}
