"""The record of an episode: the sandbox's account and bill, what people saw and did, and the bot's log.

Nothing here comes from the bot's database. The checks are functions of this data, so that a test can change it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from sandbox.client import SeenMessage
from sandbox.use import Use

RENTAL_ID = r"[a-hjkmnp-z2-9]{5}"
NOT_SUBMITTED = "not_submitted"
"""The kind of an action that closes a modal, or leaves it open."""
GRACEFUL_DESTROY = "script_first"
"""The id of the box that runs an on-ending.sh before a destroy, and the text of an action that left it checked."""
CARD = re.compile(
    rf"^(?P<word>[A-Z][^\n]*?): (?P<what>\d+x [^\n(]+?) \((?P<id>{RENTAL_ID})\)(?P<region> in [\w-]+)?"
    r"(?: \(spot\))? for (?P<owner>\w+)(?: with (?P<teammates>[\w ,]+?))?(?: at up to \S+)?\.(?:\s(?P<rest>.*))?$",
    re.DOTALL,
)
"""The first line of a card."""
MACHINE_NAME = re.compile(rf"^gpubot-(?P<id>{RENTAL_ID})-(?P<n>\d+)(?:-[uw][a-z0-9]+)?$")


@dataclass(frozen=True)
class PerformedAction:
    """Something that a person did, and how Slack answered."""

    at: datetime
    after: int
    """The number of the newest change that anyone could see before the action."""
    who: str
    kind: str
    """A button's action id, a modal's callback id, `command`, or NOT_SUBMITTED."""
    text: str = ""
    """The text that was typed, or GRACEFUL_DESTROY."""
    value: str = ""
    """The value of the button or of the modal."""
    rental: str | None = None
    ok: bool = False
    """Whether it was acknowledged, and not refused in the acknowledgement."""
    answer: str = ""
    """The text of the acknowledgement, or why there was none."""


@dataclass(frozen=True)
class Jump:
    """Sandbox time that passed at once."""

    start: datetime
    end: datetime
    excused: bool
    """Whether the bot couldn't do what was due: it was down, hadn't caught up, or the market failed."""


@dataclass(frozen=True)
class Machine:
    """A resource that was billed."""

    resource_id: str
    offer_id: str | None
    name: str
    vendor: str
    port: int | None
    start: datetime
    end: datetime | None
    micros: int
    probe_runs: int = 0
    """How often the bot's probe logged in."""
    became: str | None = None
    """The id of the rental that an admin made of the machine. None if the machine's name has the rental's id, or
    if no rental has the machine."""

    @property
    def rental(self) -> str | None:
        """The id of its rental."""
        if self.became is not None:
            return self.became
        found = MACHINE_NAME.match(self.name)
        return found["id"] if found else None


@dataclass(frozen=True)
class MachineUse:
    """How a machine was used from `use.since` on, until its next use began."""

    resource_id: str
    use: Use


@dataclass(frozen=True)
class Purchase:
    """An offer that was bought."""

    offer_id: str
    vendor: str
    name: str
    at: datetime
    failed: bool = False
    """Whether the procure call was answered with `failed`, although it made a machine."""


@dataclass(frozen=True)
class MarketRequest:
    """A request of the bot to the market."""

    at: datetime
    endpoint: str
    path: str
    status: int | None


@dataclass(frozen=True)
class Post:
    """A message in Slack, with the id that the bot gave it."""

    channel: str
    ts: str
    message_id: str
    text: str


@dataclass(frozen=True)
class Evidence:
    """Everything that the checks look at."""

    now: datetime
    grace: timedelta
    people: dict[str, str]
    """The Slack user id of each person, by name."""
    admin: str
    approvers: tuple[str, ...]
    seen: dict[str, tuple[SeenMessage, ...]]
    """By name, every state of every message that the person saw, in order."""
    modals: tuple[tuple[str, str], ...]
    """The name of the person who saw a modal, and its text."""
    actions: tuple[PerformedAction, ...]
    jumps: tuple[Jump, ...]
    machines: tuple[Machine, ...]
    purchases: tuple[Purchase, ...]
    market: tuple[MarketRequest, ...]
    posts: tuple[Post, ...]
    slow_to_delete: frozenset[str]
    """Vendors that refused, delayed or hid deletions; `*` for all."""
    uses: tuple[MachineUse, ...]
    left: dict[str, datetime]
    """When people left the workspace, by name. Since then they see only direct messages."""
    taken_back: frozenset[str]
    """The ids of the resources that their vendor took back."""
    restored_at: datetime | None
    """When the database was replaced by an older copy. None if it never was."""
    log: tuple[str, ...]
    secrets: tuple[str, ...]
    health: dict[str, Any] = field(default_factory=dict)
    cheapest: dict[str, Decimal] = field(default_factory=dict)
    """The cheapest price of what people can wait for, such as `1x H100 in EU`, in USD per hour."""
    calm_since: datetime | None = None
    """The time since which nothing has been disturbed. None if something is."""
    over: bool = True
    """Whether every rental has ended. False if the bot has only settled."""

    @cached_property
    def newest(self) -> dict[tuple[str, str], SeenMessage]:
        """Return every message of the bot, private ones too, that is not deleted, as it is now, by its place."""
        found: dict[tuple[str, str], SeenMessage] = {}
        for messages in self.seen.values():
            for message in messages:
                place = (message.channel, message.ts)
                older = place not in found or found[place].seq <= message.seq
                if older and message.author not in {*self.people, "Slackbot"}:
                    found[place] = message
        return {place: message for place, message in found.items() if not message.deleted}

    @cached_property
    def cards(self) -> dict[str, SeenMessage]:
        """Return the newest card of each rental."""
        return dict(self.posted_cards())

    @cached_property
    def owners(self) -> dict[str, str]:
        """Return the owner of each rental at the end."""
        matches = {rental: CARD.match(card.text) for rental, card in self.cards.items()}
        return {rental: found["owner"] for rental, found in matches.items() if found}

    @cached_property
    def had(self) -> dict[str, set[str]]:
        """Return everyone who ever owned a rental, by rental."""
        found: dict[str, set[str]] = {}
        for match in self._all_cards():
            found.setdefault(match["id"], set()).add(match["owner"])
        return found

    def _all_cards(self) -> list[re.Match[str]]:
        """Return the first line of each state of each card."""
        texts = (message.text for messages in self.seen.values() for message in messages)
        return [match for text in texts if (match := CARD.match(text))]

    @cached_property
    def let_in(self) -> dict[str, frozenset[str]]:
        """Return the people who might ever open the machine, by rental: each owner and teammate on its card."""
        found: dict[str, frozenset[str]] = {}
        for match in self._all_cards():
            people = {match["owner"], *re.findall(r"\w+", match["teammates"] or "")} - {"and"}
            found[match["id"]] = found.get(match["id"], frozenset()) | people
        return found

    def posted_cards(self) -> list[tuple[str, SeenMessage]]:
        """Return every card with its rental, the oldest first. A rental should have only one."""
        found: list[tuple[str, SeenMessage]] = []
        for message in sorted(self.newest.values(), key=lambda message: message.ts):
            card = CARD.match(message.text)
            if card and not message.only_you and not message.is_dm and message.thread_ts in {None, message.ts}:
                found.append((card["id"], message))
        return found

    def thread(self, rental: str) -> list[SeenMessage]:
        """Return the replies below a rental's card, in order."""
        card = self.cards.get(rental)
        if card is None:
            return []
        replies = [m for m in self.newest.values() if m.thread_ts == card.ts != m.ts and m.channel == card.channel]
        return sorted(replies, key=lambda reply: reply.ts)

    def private(self, name: str) -> list[SeenMessage]:
        """Return every state of the messages that the bot sent only to this person."""
        return [m for m in self.seen.get(name, ()) if m.author not in self.people and (m.only_you or m.is_dm)]

    def excused(self, start: datetime, end: datetime) -> timedelta:
        """Return how much of the time between was excused."""
        parts = (min(end, jump.end) - max(start, jump.start) for jump in self.jumps if jump.excused)
        return sum((part for part in parts if part > timedelta(0)), timedelta(0))

    def knows(self, rental: str) -> bool:
        """Return whether the bot knows a live rental that has a card.

        At its start, the bot edits each card that it knows. So if its database was replaced by an older copy, the
        cards that were not edited since then are those of lost rentals.
        """
        return self.restored_at is None or self.cards[rental].at >= self.restored_at

    def unfinished(self) -> list[str]:
        """Return the machines that still bill, and the known rentals whose card still has buttons."""
        alive = [machine.name for machine in self.machines if machine.end is None]
        cards = {rental: card for rental, card in self.cards.items() if card.buttons and self.knows(rental)}
        return alive + [f"{rental} ({card.text[:40]})" for rental, card in cards.items()]
