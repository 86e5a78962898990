"""The text after `/gpu` to what it asks for. Pure; what makes no sense raises Mistake, which says what to type."""

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
from handlers.parsing.durations import SPAN, read_span
from handlers.parsing.normalize import flat, flat_within
from handlers.parsing.request_parser import LONGEST, read_request, reads_like_a_request
from handlers.parsing.request_text import spell
from handlers.parsing.slack_text import plain

__all__ = [
    "Command",
    "Destroy",
    "Extend",
    "Get",
    "GetForm",
    "Help",
    "Home",
    "Keep",
    "KeySet",
    "KeyShow",
    "ListRentals",
    "Pause",
    "Resume",
    "Show",
    "ShowCatalog",
    "Ssh",
    "parse",
    "spell",
]

LONGEST_TYPED = LONGEST_LINE + 1000
"""Characters of a whole command. Only a key may be anything near that long."""
LONGEST_NAME = 20
"""Characters of a command's name, with what people put round it."""


class Get(Frozen):
    """Look for offers; `now` rents the recommended one at once if that needs no one's decision."""

    request: Request
    now: bool = False


class GetForm(Frozen):
    """`get` alone: open the form."""


class KeyShow(Frozen):
    pass


class KeySet(Frozen):
    """`line` is whatever stood after `key`, unchecked; it may hold line breaks."""

    line: str


class ListRentals(Frozen):
    all: bool = False
    """Everyone's, not only mine."""


class Show(Frozen):
    id: str


class Ssh(Frozen):
    id: str


class Destroy(Frozen):
    id: str


class Extend(Frozen):
    id: str
    hours: timedelta | None = None
    """By how much; None where it wasn't said."""


class Keep(Frozen):
    id: str
    hours: timedelta | None = None
    """For how long not to ask; None where it wasn't said."""


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

_NAMES = {
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
_COMMANDS = {alias: name for name, aliases in _NAMES.items() for alias in aliases.split()}
_ID = re.compile(r"[a-z0-9]{5}")
_ID_FLUFF = frozenset(
    {
        "the",
        "my",
        "machine",
        "rental",
        "gpu",
        "by",
        "for",
        "please",
        "it",
        "now",
        "to",
        "into",
        "of",
    }
)
_KEY_LINE = re.compile(r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d+|sk-[\w.@-]+)(?:@|-cert|\s)", re.IGNORECASE)
_QUOTES = "`'\"“”„‘’«»"
"""What people and phones put round a pasted line."""
_TO = re.compile(r"(?:^| )(?:to|until|till) ")
_MORE = re.compile(r"(?:^|(?<= ))(?:another|more|extra|longer)(?: |$)")
_SPAN = re.compile(rf"(?:^|(?<= )){SPAN}")
_BARE_NUMBER = re.compile(r"(?:^|(?<= ))\d{1,4}(?:\.\d{1,3})?(?= |$)")
_BUYING_WORDS = frozenset({"get", "rent"})
"""`now` buys after one of these. After `find` or `offers`, or without any, it shows."""
_SLIPS = {
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
"""How many letters may be wrong in a mistyped command. `reuse` and `resize` are two letters from `resume`, and
`use` is two from `pause`: people who mean those must not be led to a command that stops things."""


def parse(text: str, catalog: Catalog, *, default_lease: timedelta, max_lease: timedelta) -> Command:
    """What a person asks for with this text, as Slack sent it.

    Raises Mistake (PrivateKey where the text holds one), whose words are plain text to be escaped when shown.
    """
    if len(text) > LONGEST_TYPED:  # before anything that takes time in proportion to the length
        raise PrivateKey if looks_private(text[:LONGEST_TYPED]) else _too_long()
    said = plain(text).strip()
    if looks_private(text) or looks_private(said):
        raise PrivateKey
    while said[:4].lower() == "/gpu" and not said[4:5].strip():
        said = said[4:].strip()
    if not said:
        return Home()
    if _KEY_LINE.match(said.lstrip(_QUOTES)):
        return KeySet(line=said.strip(_QUOTES))
    first, rest = [*said.split(maxsplit=1), ""][:2]
    word = flat(first).lower() if len(first) <= LONGEST_NAME else ""
    name = _COMMANDS.get(first.lower()) or _COMMANDS.get(word)
    if name is None:
        if not reads_like_a_request(said, catalog):
            raise _unknown_command(first, rest)
        wanted = read_request(said, catalog, default_lease=default_lease, max_lease=max_lease, after_verb=False)
        return Get(request=wanted.request)
    if name == "get":
        if not rest.strip():
            return GetForm()
        wanted = read_request(rest, catalog, default_lease=default_lease, max_lease=max_lease)
        return Get(request=wanted.request, now=wanted.now and first.lower() in _BUYING_WORDS)
    if name != "key" and flat_within(rest, LONGEST) is None:
        raise _too_long()
    return _READERS[name](rest, max_lease)


def _too_long() -> Mistake:
    return Mistake("That is too long. /gpu help shows what I understand.")


def _unknown_command(typed: str, rest: str) -> Mistake:
    word = flat(typed[:LONGEST_NAME]).lower()
    near = tuple(name for name, wrong in _SLIPS.items() if OSA.distance(word, name) <= wrong)
    tried = " ".join(near[:1])
    if tried in {"destroy", "extend", "show", "keep"}:
        rental_id = rest.strip().lower()
        tried += f" {rental_id if _ID.fullmatch(rental_id) else 'k7mq2'}"
    hint = f"Nearest: {', '.join(near)}. Try: /gpu {tried}, or /gpu help" if near else "Try: /gpu help"
    return Mistake(f'I don\'t know the command "{short(typed)}". {hint}', near)


def _key(rest: str, _: timedelta) -> Command:
    line = re.sub(r"^(?:set|add|is|=)\s+", "", rest.strip(), flags=re.IGNORECASE).strip(_QUOTES)
    return KeyShow() if line.lower() in {"", "show", "set", "add"} else KeySet(line=line)


def _list(rest: str, _: timedelta) -> Command:
    words = flat(rest).lower().split()
    everyone = {"all", "everyone", "everybody", "everything", "team", "--all", "-a"}
    for word in words:
        if word not in everyone | {"mine", "my", "me", "rentals", "gpus", "of", "the"}:
            raise Mistake(
                f'I don\'t know "{short(word)}" here. Try: /gpu list, or /gpu list all', ("list", "list all")
            )
    return ListRentals(all=any(word in everyone for word in words))


def _of_one(made: Callable[[str], Command], name: str) -> Callable[[str, timedelta], Command]:
    def read(rest: str, _: timedelta) -> Command:
        return made(_one_id(flat(rest), name))

    return read


def _with_time(made: Callable[[str, timedelta | None], Command], name: str) -> Callable[[str, timedelta], Command]:
    def read(rest: str, max_lease: timedelta) -> Command:
        said = flat(rest.replace("+", " ")).lower()
        if name == "extend" and _TO.search(said):
            raise Mistake("By how much longer? Try: /gpu extend k7mq2 2h")
        said = _MORE.sub("", said).strip()
        span = None
        match = _SPAN.search(said)
        # An id may read as a time, such as 2222h. It is the id if there is no other.
        if match is not None and (match.group() != said or not _ID.fullmatch(said)):
            span = read_span(match.group())
            said = f"{said[: match.start()]} {said[match.end() :]}"
        number = _BARE_NUMBER.search(said)
        if number is not None and not _ID.fullmatch(number.group()):
            typed, said = number.group(), f"{said[: number.start()]} {said[number.end() :]}"
            tried = f"/gpu {name} {_one_id(said, name)} "
            both = [
                f"{tried}{typed}{unit}" for unit in "hm" if timedelta(0) < read_span(typed + unit) <= max_lease
            ]
            raise Mistake(f"{typed} hours or {typed} minutes? Try: {', or '.join(both) or f'{tried}2h'}")
        rental_id = _one_id(said, name, flat(rest))
        if span is not None and not timedelta(0) < span <= max_lease:
            raise Mistake(
                f"{say_span(span)} is not possible: a lease is at most {say_span(max_lease)}. "
                f"Try: /gpu {name} {rental_id} 2h"
            )
        return made(rental_id, span)

    return read


def _one_id(said: str, name: str, typed: str = "") -> str:
    """Return the one id in `said`. Raise Mistake otherwise, which names what is left over of `typed`."""
    words = [word.lower().strip("#") for word in said.split()]
    words = [word for word in words if word and word not in _ID_FLUFF]
    if not words:
        raise Mistake(f"Which one? Try: /gpu {name} k7mq2. Ids are in /gpu list")
    ids = {word for word in words if _ID.fullmatch(word) and not word.isalpha()}
    if len(ids) == 1 < len(set(words)):
        left = " ".join(word for word in (typed or said).split() if word.lower().strip("#") not in ids)
        if name == "destroy":
            raise Mistake(f'I don\'t know "{short(left)}" here: /gpu destroy takes an id alone. Try: /gpu list')
        after = " 2h" if name in {"extend", "keep"} else ""
        raise Mistake(f'I don\'t know "{short(left)}" here. Try: /gpu {name} {ids.pop()}{after}')
    if len(set(words)) > 1:
        raise Mistake(f"One at a time, by its id. Try: /gpu {name} k7mq2. Ids are in /gpu list")
    if not _ID.fullmatch(words[0]):
        raise Mistake(
            f'"{short(words[0])}" is no id: those have 5 letters and digits, such as k7mq2. Ids are in /gpu list'
        )
    return words[0]


def _alone(command: Command, name: str) -> Callable[[str, timedelta], Command]:
    def read(rest: str, _: timedelta) -> Command:
        if rest.strip():
            raise Mistake(f"/gpu {name} takes nothing more: it is about all buying. Try: /gpu {name}")
        return command

    return read


_READERS: dict[str, Callable[[str, timedelta], Command]] = {
    "key": _key,
    "list": _list,
    "show": _of_one(lambda rental_id: Show(id=rental_id), "show"),
    "ssh": _of_one(lambda rental_id: Ssh(id=rental_id), "ssh"),
    "destroy": _of_one(lambda rental_id: Destroy(id=rental_id), "destroy"),
    "extend": _with_time(lambda rental_id, hours: Extend(id=rental_id, hours=hours), "extend"),
    "keep": _with_time(lambda rental_id, hours: Keep(id=rental_id, hours=hours), "keep"),
    "catalog": lambda _rest, _max: ShowCatalog(),
    "pause": _alone(Pause(), "pause"),
    "resume": _alone(Resume(), "resume"),
    "help": lambda _rest, _max: Help(),
}
