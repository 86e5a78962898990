"""What people may do, as data: drawn for the plan here, done by `people`."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

TEAM = ("Ana", "Ben", "Cleo")
GUEST, OUTSIDER = "Gus", "Olga"
ADMIN = "Cleo"
CHANNELS = {
    "Ana": ("#training", "#gpus", "#shared", "dm"),
    "Ben": ("#training", "#gpus", "#shared", "dm"),
    "Cleo": ("#training", "#gpus", "#shared", "dm"),
    "Gus": ("#gpus", "dm"),
    "Olga": ("#shared",),
}
"""Where each may be found."""


class Does(StrEnum):
    """The kinds of acts."""

    TYPES = "types"
    """A command; `{own}` and `{any}` in it stand for a rental's id."""
    CLICKS = "clicks"
    """A button whose text begins with one of `labels`, and then goes on as `then` says."""
    SAYS = "says"
    """A direct message to the bot."""
    KEY = "key"
    """Sets a public key."""


class Then(StrEnum):
    """What someone does with a dialog that opens."""

    SUBMIT = "submit"
    TWICE = "twice"
    """Sends it off twice at once."""
    CLOSE = "close"
    LEAVE = "leave"


@dataclass(frozen=True)
class Act:
    """One thing that one person does."""

    after: float
    """Real seconds from the beginning of the round."""
    who: str
    does: Does
    where: str = "dm"
    words: str = ""
    labels: tuple[str, ...] = ()
    pick: float = 0.0
    """Which of what there is: 0 is the newest, near 1 the oldest."""
    twice: bool = False
    """A double click."""
    stale: bool = False
    """Clicks on a screen that is behind: the message as it was before."""
    then: Then = Then.SUBMIT


GPUS = ("H100 EU", "H100 US", "A100", "L40S", "4090", "H100 EU under $3", "2xH100", "H100 spot")
MANY = ("8xH100 EU", "8xH100 US", "8xA100")
LEASES = ("30m", "45m", "1h", "90m")
LOOKS = ("list", "list all", "show {any}", "show {own}", "ssh {own}", "ssh {any}", "help", "catalog", "key", "")

_OWNERS = (
    (14, "get", ()),
    (20, "clicks", ("Rent from", "Ask for")),
    (6, "clicks", ("Ask for",)),
    (3, "clicks", ("Rent another",)),
    (9, "clicks", ("Extend",)),
    (5, "types", ("extend {own} 1h",)),
    (4, "clicks", ("Still needed",)),
    (2, "types", ("keep {own} 1h",)),
    (6, "clicks", ("Destroy", "Cancel")),
    (4, "types", ("destroy {own}",)),
    (4, "clicks", ("Withdraw", "Take the request back", "Go on")),
    (2, "clicks", ("Refresh", "All", "Try again", "Ask again", "Change", "Show", "Details", "Choose")),
    (6, "looks", ()),
    (2, "says", ()),
    (1, "key", ()),
)
"""Weight, what, and of what."""
_APPROVER = ((60, "clicks", ("Approve",)), (8, "clicks", ("Deny",)), (4, "clicks", ("I'm on it",)))
_ADMIN = ((3, "types", ("pause",)), (5, "types", ("resume",)), (4, "types", ("destroy {any}",)))
_STRANGER = (
    (6, "looks", ()),
    (5, "get", ()),
    (8, "clicks", ("Approve", "Extend", "Destroy", "Withdraw", "Details", "Cancel", "Go on", "Deny")),
    (3, "types", ("destroy {any}", "extend {any} 2h", "ssh {any}", "show {any}")),
    (2, "says", ()),
)


def first_acts(source: random.Random) -> tuple[Act, ...]:
    """What happens before anything goes wrong: everyone has a key, two rent, and one asks for much."""
    keys = [Act(after=0, who=name, does=Does.KEY) for name in TEAM]
    rents = [_get(source, 0, name, GPUS[:3], " now") for name in ("Ana", "Cleo")]
    asks = [_get(source, 0, "Ana", MANY, ""), Act(after=0, who="Ana", does=Does.CLICKS, labels=("Ask for",))]
    return (*keys, *rents, *asks)


def draw_act(source: random.Random, lasts: float) -> Act:
    """Something that someone does within a round of so many seconds."""
    who = source.choices(("Ana", "Ben", "Cleo", GUEST, OUTSIDER), (10, 8, 5, 2, 1))[0]
    after = source.uniform(0, lasts)
    if who == OUTSIDER:
        return _clicks(source, after, who, _STRANGER[2][2])
    menu = _STRANGER if who == GUEST else _OWNERS + (_APPROVER if who == "Ben" else ())
    if who == ADMIN:
        menu = _OWNERS + _ADMIN + _APPROVER[2:]
    _, kind, of = source.choices(menu, [row[0] for row in menu])[0]
    match kind:
        case "get":
            return _asks(source, after, who)
        case "clicks":
            return _clicks(source, after, who, of)
        case "types":
            return _types(source, after, who, source.choice(of))
        case "looks":
            return _types(source, after, who, source.choice(LOOKS))
        case "says":
            return Act(after=after, who=who, does=Does.SAYS, words="are you there?")
    return Act(after=after, who=who, does=Does.KEY)


def _asks(source: random.Random, after: float, who: str) -> Act:
    wanted = MANY if source.random() < 0.25 else GPUS
    return _get(source, after, who, wanted, " now" if source.random() < 0.35 else "")


def _get(source: random.Random, after: float, who: str, among: tuple[str, ...], now: str) -> Act:
    note = f" -- {NOTE}{source.randrange(10**6):06d}"
    words = f"get {source.choice(among)} for {source.choice(LEASES)}{now}{note}"
    return Act(after=after, who=who, does=Does.TYPES, where=source.choice(CHANNELS[who]), words=words)


NOTE = "soaknote"
"""How every note begins: no note may be logged."""


def _types(source: random.Random, after: float, who: str, words: str) -> Act:
    return Act(
        after=after,
        who=who,
        does=Does.TYPES,
        where=source.choice(CHANNELS[who]),
        words=words,
        pick=source.random() ** 2,
        then=source.choices(tuple(Then), (8, 2, 1, 1))[0],
        twice=source.random() < 0.15,
    )


def _clicks(source: random.Random, after: float, who: str, labels: tuple[str, ...]) -> Act:
    return Act(
        after=after,
        who=who,
        does=Does.CLICKS,
        labels=labels,
        pick=source.random() ** 2,
        twice=source.random() < 0.2,
        stale=source.random() < 0.15,
        then=source.choices(tuple(Then), (8, 2, 1, 1))[0],
    )
