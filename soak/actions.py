"""The actions of people, as data: plans are drawn from them, and `soak.people` carries them out."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import StrEnum

TEAM = ("Ana", "Ben", "Cleo", "Dan")
GUEST, OUTSIDER = "Gus", "Olga"
APPROVER, ADMIN = "Ben", "Cleo"
STOPPERS = ("Ana", "Ben")
"""The people who stop waiting for a machine before the database is restored."""
LEAVER = "Dan"
"""The person who leaves the workspace in some episodes."""
CHANNELS = {
    "Ana": ("#training", "#gpus", "#shared", "dm"),
    "Ben": ("#training", "#gpus", "#shared", "dm"),
    "Cleo": ("#training", "#gpus", "#shared", "dm"),
    "Dan": ("#training", "#gpus", "dm"),
    "Gus": ("#gpus", "dm"),
    "Olga": ("#shared",),
}
"""The channels in which each person can type."""
ZONES = {
    "Ana": "Europe/Berlin",
    "Ben": "Europe/London",
    "Cleo": "America/New_York",
    "Dan": "Europe/Berlin",
    "Gus": "Europe/Berlin",
}
"""The time zone in which each person types times."""
GITHUB_NAME = "soak-team"
"""The GitHub user whose keys people import."""
NOTE = "soaknote"
"""The prefix of every note, by which a check recognizes notes in the log."""


class ActionKind(StrEnum):
    """The kinds of actions."""

    COMMAND = "command"
    """Type a command.

    In the text, `{own}` and `{any}` stand for the ID of a rental, and `{+90}` for the time in 90 minutes.
    """
    CLICK = "click"
    """Click a button whose text begins with one of `labels`. If a modal opens, handle it according to `dialog`."""
    SAY = "say"
    """Write a direct message to the bot."""
    KEY = "key"
    """Set a public key."""
    HOME = "home"
    """Open the Home tab, and click one of `labels` there if it has one."""


class Dialog(StrEnum):
    """The ways in which a person handles a modal that opens."""

    SUBMIT = "submit"
    SUBMIT_TWICE = "submit_twice"
    CLOSE = "close"
    LEAVE_OPEN = "leave_open"


@dataclass(frozen=True)
class Action:
    """A single action of one person."""

    after: float
    """Wall-clock seconds since the beginning of the round."""
    who: str
    kind: ActionKind
    channel: str = "dm"
    text: str = ""
    labels: tuple[str, ...] = ()
    pick: float = 0.0
    """Selects one of the buttons or rentals that the person sees: 0 is the newest, and values near 1 are the
    oldest."""
    twice: bool = False
    """True if the person double-clicks, or sends the command twice."""
    stale: bool = False
    """True if the person may click an outdated version of the message, as it was before later edits."""
    dialog: Dialog = Dialog.SUBMIT


GPUS = ("H100 EU", "H100 US", "A100", "L40S", "4090", "H100 EU under $3", "2xH100", "H100 spot")
OVER_THE_LIMIT = ("8xH100 EU", "8xH100 US", "8xA100")
LEASES = ("for 30m", "for 45m", "for 1h", "for 90m", "until {+45}", "until {+80}")
FLEXIBLE_ENDS = ("for 30m up to 90m", "for 45m up to 2h", "until {+50} up to {+100}")
WAITLIST_COMMANDS = (
    "wait H100 EU under $1.50 until {+40} for 30m",
    "wait H100 EU until {+60} for 30m",
    "wait 8xH100 US until {+50} for 30m",
    "wait A100 until {+30} for 45m any time",
    "wait H100 EU under $4 until {+110} for 30m",
)
STARTS = ("get H100 EU at {+25} for 30m", "get A100 at {+15} for 45m", "get 8xH100 EU at {+20} for 30m")
ON_HOME = (
    "Extend",
    "Destroy",
    "Cancel",
    "Withdraw",
    "Details",
    "Approve",
    "Deny",
    "Stop waiting",
    "Get GPUs",
    "Show all",
)
READS = ("list", "list all", "show {any}", "show {own}", "ssh {own}", "ssh {any}", "help", "catalog", "key", "")

_MEMBER = (
    (14, "get", ()),
    (20, "click", ("Rent from", "Ask for")),
    (6, "click", ("Ask for",)),
    (3, "click", ("Rent another",)),
    (9, "click", ("Extend",)),
    (5, "command", ("extend {own} 1h",)),
    (4, "click", ("Yes, ask again", "Keep ", "I need it")),
    (2, "command", ("keep {own} 1h",)),
    (6, "click", ("Destroy", "Cancel")),
    (4, "command", ("destroy {own}",)),
    (3, "command", ("share {own} @ana", "share {own} @ben", "share {own} @cleo", "share {own}")),
    (4, "click", ("Withdraw", "Accept up to")),
    (3, "click", ("Replace", "It doesn't work")),
    (2, "click", ("Refresh", "All", "Try again", "Ask again", "Change", "Show", "Details", "Choose")),
    (3, "command", WAITLIST_COMMANDS),
    (3, "command", STARTS),
    (
        6,
        "click",
        ("Tell me when", "Rent it for me", "Rent at the start time", "Ask for approval", "Rent at"),
    ),
    (2, "click", ("Stop waiting", "Wait again", "Any time")),
    (3, "command", ("give {own} @ana", "give {own} @ben", "give {own} @cleo")),
    (4, "click", ("Take ", "Ask ", "Share with", "Give it to")),
    (3, "home", ON_HOME),
    (6, "read", ()),
    (2, "say", ()),
    (1, "key", ()),
    (1, "command", (f"key github {GITHUB_NAME}", "key github nobody-there")),
    (1, "click", ("Use ", "Choose")),
)
"""The actions of a member: weight, kind, and the button labels or commands to choose from."""
_ACKNOWLEDGE = (4, "click", ("I'm on it",))
_APPROVER = ((60, "click", ("Approve",)), (8, "click", ("Deny",)), _ACKNOWLEDGE)
_ADMIN = (
    (3, "command", ("pause",)),
    (5, "command", ("resume",)),
    (4, "command", ("destroy {any}",)),
    (12, "click", ("Assign an owner", "Destroy ", "Ask again tomorrow", "One by one")),
)
_STRANGERS_LABELS = ("Approve", "Extend", "Destroy", "Withdraw", "Details", "Cancel", "Accept up to", "Deny")
_STRANGER = (
    (6, "read", ()),
    (5, "get", ()),
    (8, "click", _STRANGERS_LABELS),
    (3, "command", ("destroy {any}", "extend {any} 2h", "ssh {any}", "show {any}")),
    (2, "say", ()),
    (2, "home", ON_HOME),
)


def opening_actions(rng: random.Random) -> tuple[Action, ...]:
    """Return the actions with which an episode opens, before anything fails.

    Everyone sets a key, three people rent with a flexible end, one asks for approval, one joins the waitlist, one
    names a start time, and one opens the Home tab. From then on, the bot keeps that Home tab up to date.
    """
    keys = [Action(after=0, who=name, kind=ActionKind.KEY) for name in TEAM]
    rents = [_get(rng, 0, name, GPUS[:3], " now", leases=FLEXIBLE_ENDS) for name in ("Ana", "Cleo", LEAVER)]
    asks = [
        _get(rng, 0, "Ana", OVER_THE_LIMIT, ""),
        Action(after=0, who="Ana", kind=ActionKind.CLICK, labels=("Ask for",)),
    ]
    waits = [
        Action(after=0, who="Ben", kind=ActionKind.COMMAND, text=rng.choice(WAITLIST_COMMANDS)),
        Action(after=0, who="Ben", kind=ActionKind.CLICK, labels=("Rent it for me", "Ask for approval")),
        Action(after=0, who="Cleo", kind=ActionKind.COMMAND, text=rng.choice(STARTS)),
        Action(after=0, who="Cleo", kind=ActionKind.CLICK, labels=("Rent at the start time", "Ask for approval")),
    ]
    home = Action(after=0, who="Ana", kind=ActionKind.HOME)
    return (*keys, *rents, *asks, *waits, home)


def waiting_actions(rng: random.Random) -> tuple[Action, ...]:
    """Return the actions with which two people start to wait for a start time.

    They take place before the database is copied. Later, the database is replaced by this copy.
    """
    return tuple(
        action
        for who, command in zip(STOPPERS, rng.sample(STARTS[:2], len(STOPPERS)), strict=True)
        for action in (
            Action(after=0, who=who, kind=ActionKind.COMMAND, text=command),
            Action(after=0, who=who, kind=ActionKind.CLICK, labels=("Rent at the start time",)),
        )
    )


def stopping_actions(rng: random.Random, seconds: float) -> tuple[Action, ...]:
    """Return the actions with which the two people of `waiting_actions` stop waiting, after the copy was made.

    The actions lie in the first quarter of a round that lasts `seconds`.
    """
    return tuple(
        Action(after=rng.uniform(0, seconds / 4), who=who, kind=ActionKind.CLICK, labels=("Stop waiting",))
        for who in STOPPERS
    )


def draw_action(rng: random.Random, seconds: float) -> Action:
    """Draw an action of a random person within a round that lasts `seconds`."""
    who = rng.choices((*TEAM, GUEST, OUTSIDER), (10, 8, 7, 4, 2, 1))[0]
    after = rng.uniform(0, seconds)
    # An outsider belongs to another workspace. In Slack, such a person can click buttons but can't run commands.
    if who == OUTSIDER:
        return _click(rng, after, who, _STRANGERS_LABELS)
    menu = _STRANGER if who == GUEST else _MEMBER + (_APPROVER if who == APPROVER else ())
    if who == ADMIN:
        menu = _MEMBER + _ADMIN + (_ACKNOWLEDGE,)
    _, kind, choices = rng.choices(menu, [row[0] for row in menu])[0]
    match kind:
        case "get":
            gpus = OVER_THE_LIMIT if rng.random() < 0.25 else GPUS
            return _get(rng, after, who, gpus, " now" if rng.random() < 0.35 else "")
        case "click":
            return _click(rng, after, who, choices)
        case "command":
            return _command(rng, after, who, rng.choice(choices))
        case "home":
            return replace(_click(rng, after, who, choices), kind=ActionKind.HOME, stale=False)
        case "read":
            return _command(rng, after, who, rng.choice(READS))
        case "say":
            return Action(after=after, who=who, kind=ActionKind.SAY, text="are you there?")
    return Action(after=after, who=who, kind=ActionKind.KEY)


def _get(
    rng: random.Random,
    after: float,
    who: str,
    gpus: tuple[str, ...],
    now: str,
    *,
    leases: tuple[str, ...] = LEASES + FLEXIBLE_ENDS,
) -> Action:
    note = f" -- {NOTE}{rng.randrange(10**6):06d}"
    setup = rng.choice(("", " setup tools"))
    teammate = rng.choice(("", "", "", " with @ana", " with @ben", " with @cleo"))
    # A flexible end makes a request more expensive. Requests for many GPUs would then cost so much that each click
    # on an offer opens a dialog, so use fixed ends for them.
    leases = LEASES if gpus is OVER_THE_LIMIT else leases
    text = f"get {rng.choice(gpus)} {rng.choice(leases)}{setup}{teammate}{now}{note}"
    channel = rng.choice(CHANNELS[who])
    return Action(after=after, who=who, kind=ActionKind.COMMAND, channel=channel, text=text)


def _command(rng: random.Random, after: float, who: str, text: str) -> Action:
    return Action(
        after=after,
        who=who,
        kind=ActionKind.COMMAND,
        channel=rng.choice(CHANNELS[who]),
        text=text,
        pick=rng.random() ** 2,
        dialog=_draw_dialog(rng),
        twice=rng.random() < 0.15,
    )


def _click(rng: random.Random, after: float, who: str, labels: tuple[str, ...]) -> Action:
    return Action(
        after=after,
        who=who,
        kind=ActionKind.CLICK,
        labels=labels,
        pick=rng.random() ** 2,
        twice=rng.random() < 0.2,
        stale=rng.random() < 0.15,
        dialog=_draw_dialog(rng),
    )


def _draw_dialog(rng: random.Random) -> Dialog:
    return rng.choices(tuple(Dialog), (8, 2, 1, 1))[0]
