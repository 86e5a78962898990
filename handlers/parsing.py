"""The text after `/gpu` to what it asks for. Pure; what makes no sense raises Mistake, which says what to type."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from bot.errors import Mistake, PrivateKey
from bot.model.base import Frozen
from bot.model.offer import Catalog
from bot.model.request import Request
from bot.model.text import say_span, short
from bot.policy.keys import LONGEST_LINE, looks_private
from handlers.durations import SPAN, read_span
from handlers.gpu_words import nearest
from handlers.plain import plain
from handlers.reading import flat
from handlers.wanted import read_request, reads_like_a_request, spell

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

LONGEST = LONGEST_LINE + 1000


class Get(Frozen):
    """Look for offers; `now` rents the recommended one at once where that needs no one's decision."""

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
    "catalog": "catalog catalogue",
    "pause": "pause",
    "resume": "resume",
    "help": "help ? -h --help",
}
_COMMANDS = {alias: name for name, aliases in _NAMES.items() for alias in aliases.split()}
_ID = re.compile(r"[a-z0-9]{5}")
_ID_FLUFF = frozenset(
    {"the", "my", "machine", "rental", "gpu", "by", "for", "please", "another", "more", "it", "now", "to", "of"}
)
_KEY_LINE = re.compile(r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d+|sk-[\w.@-]+)(?:@|-cert|\s)", re.IGNORECASE)
_SPAN = re.compile(rf"(?:^|(?<= )){SPAN}")
_BARE_HOURS = re.compile(r"(?:^|(?<= ))(\d{1,4}(?:\.\d{1,3})?)(?= |$)")


def parse(text: str, catalog: Catalog, *, default_lease: timedelta, max_lease: timedelta) -> Command:
    """What a person asks for with this text, as Slack sent it.

    Raises Mistake (PrivateKey where the text holds one), whose words are plain text to be escaped when shown.
    """
    if looks_private(text):
        raise PrivateKey
    if len(text) > LONGEST:
        raise Mistake("That is too long. /gpu help shows what I understand.")
    said = plain(text).strip()
    while said[:4].lower() == "/gpu" and not said[4:5].strip():
        said = said[4:].strip()
    if not said:
        return Home()
    if _KEY_LINE.match(said):
        return KeySet(line=said)
    first, rest = [*said.split(maxsplit=1), ""][:2]
    name = _COMMANDS.get(first.lower().strip("`'\""))
    if name is None:
        if not reads_like_a_request(said, catalog):
            raise _unknown_command(first)
        name, rest = "get", said
    if name == "get":
        if not rest.strip():
            return GetForm()
        request, now = read_request(rest, catalog, default_lease=default_lease, max_lease=max_lease)
        return Get(request=request, now=now)
    return _READERS[name](rest, max_lease)


def _unknown_command(word: str) -> Mistake:
    near = nearest(word, _COMMANDS, 3, cutoff=55)
    hint = f"Nearest: {', '.join(near)}. Try: /gpu {near[0]}" if near else "Try: /gpu get H100 EU, or /gpu help"
    return Mistake(f'I don\'t know the command "{short(word)}". {hint}', near)


def _key(rest: str, _: timedelta) -> Command:
    line = re.sub(r"^(?:set|add|is|=)\s+", "", rest.strip(), flags=re.IGNORECASE)
    return KeyShow() if line.lower() in {"", "show", "set", "add"} else KeySet(line=line)


def _list(rest: str, _: timedelta) -> Command:
    words = flat(rest).lower().split()
    everyone = {"all", "everyone", "everybody", "team", "--all", "-a"}
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
        said = flat(rest).lower()
        span = None
        for pattern, unit in ((_SPAN, ""), (_BARE_HOURS, "h")):
            match = pattern.search(said)
            # An id may read as a time, such as 2222h. It is the id where there is no other.
            if match is not None and (match.group() != said or not _ID.fullmatch(said)):
                span = read_span(match.group().strip() + unit)
                said = f"{said[: match.start()]} {said[match.end() :]}"
                break
        rental_id = _one_id(said, name)
        if span is not None and not timedelta(0) < span <= max_lease:
            raise Mistake(
                f"{say_span(span)} is not possible: a lease is at most {say_span(max_lease)}. "
                f"Try: /gpu {name} {rental_id} 2h"
            )
        return made(rental_id, span)

    return read


def _one_id(said: str, name: str) -> str:
    words = [word.lower().strip("#") for word in said.split()]
    words = [word for word in words if word and word not in _ID_FLUFF]
    if not words:
        raise Mistake(f"Which one? Try: /gpu {name} k7mq2. Ids are in /gpu list")
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
