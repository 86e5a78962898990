"""The record of an episode: the sandbox's account and bill, what people saw and did, and the bot's log.

Nothing in the record comes from the bot's database, because the bot could be wrong there as well. The checks are
functions of this record, so a test can pass them a record of its own.
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
"""The ID of the checkbox that lets on-ending.sh run before a destroy.

It is also the `text` of an action that left the box checked.
"""
CARD = re.compile(
    rf"^(?P<word>[A-Z][^\n]*?): (?P<what>\d+x [^\n(]+?) \((?P<id>{RENTAL_ID})\)(?P<region> in [\w-]+)?"
    r"(?: \(spot\))? for (?P<owner>\w+)(?: with (?P<teammates>[\w ,]+?))?(?: at up to \S+)?\.(?:\s(?P<rest>.*))?$",
    re.DOTALL,
)
"""Matches a card, which is the message that shows a rental's current state.

The first line of a card names the machine, the rental and the people; `rest` is everything below.
"""
MACHINE_NAME = re.compile(rf"^gpubot-(?P<id>{RENTAL_ID})-(?P<n>\d+)(?:-[uw][a-z0-9]+)?$")


@dataclass(frozen=True)
class PerformedAction:
    """Something that a person did, and Slack's answer."""

    at: datetime
    after: int
    """The number of the last change in Slack that anyone could see before the action."""
    who: str
    kind: str
    """The action ID of a button, the callback ID of a modal, `command`, or NOT_SUBMITTED."""
    text: str = ""
    """The text that was typed, or GRACEFUL_DESTROY."""
    value: str = ""
    """The value of the button or of the modal."""
    rental: str | None = None
    ok: bool = False
    """True if the action was acknowledged, and the acknowledgement didn't refuse it."""
    answer: str = ""
    """The text of the acknowledgement, or the reason why there was none."""


@dataclass(frozen=True)
class Jump:
    """Sandbox time that passed in a single step."""

    start: datetime
    end: datetime
    excused: bool
    """True if the bot couldn't do what was due.

    The reason is that it was down, that it hadn't caught up with an earlier jump, or that the market failed.
    """


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
    """The number of times that the bot's probe logged in."""
    became: str | None = None
    """The ID of the rental that an admin turned this machine into.

    None if the machine's name contains the ID of its rental, or if it belongs to no rental.
    """

    @property
    def rental(self) -> str | None:
        """The ID of the machine's rental, or None if it belongs to no rental."""
        if self.became is not None:
            return self.became
        found = MACHINE_NAME.match(self.name)
        return found["id"] if found else None


@dataclass(frozen=True)
class MachineUse:
    """The use of a machine from `use.since` until its next use began."""

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
    """True if the procure call was answered with `failed`, although it created a machine."""


@dataclass(frozen=True)
class MarketRequest:
    """A request that the bot sent to the market."""

    at: datetime
    endpoint: str
    path: str
    status: int | None


@dataclass(frozen=True)
class Post:
    """A message in Slack, with the ID that the bot gave it."""

    channel: str
    ts: str
    message_id: str
    text: str


@dataclass(frozen=True)
class Evidence:
    """Everything that the checks examine."""

    now: datetime
    grace: timedelta
    people: dict[str, str]
    """The Slack user ID of each person, by name."""
    admin: str
    approvers: tuple[str, ...]
    seen: dict[str, tuple[SeenMessage, ...]]
    """Every version of every message that a person saw, oldest first, by the person's name."""
    modals: tuple[tuple[str, str], ...]
    """The modals that people saw: the person's name, and the text."""
    actions: tuple[PerformedAction, ...]
    jumps: tuple[Jump, ...]
    machines: tuple[Machine, ...]
    purchases: tuple[Purchase, ...]
    market: tuple[MarketRequest, ...]
    posts: tuple[Post, ...]
    slow_to_delete: frozenset[str]
    """The vendors that refused, delayed or hid deletions; `*` stands for all vendors."""
    uses: tuple[MachineUse, ...]
    left: dict[str, datetime]
    """The times at which people left the workspace, by name. Since then, they see only direct messages."""
    reclaimed: frozenset[str]
    """The IDs of the resources that their vendor reclaimed."""
    restored_at: datetime | None
    """The time at which the database was replaced by an older copy, or None if it never was."""
    log: tuple[str, ...]
    secrets: tuple[str, ...]
    health: dict[str, Any] = field(default_factory=dict)
    cheapest: dict[str, Decimal] = field(default_factory=dict)
    """The lowest prices of what people can wait for, in USD per hour, by names such as `1x H100 in EU`."""
    calm_since: datetime | None = None
    """The time since which nothing has been disturbed, or None while there is a disturbance."""
    over: bool = True
    """True if every rental has ended, False if the bot is idle but some rentals may still run."""

    @cached_property
    def newest(self) -> dict[tuple[str, str], SeenMessage]:
        """The current version of every message of the bot that isn't deleted, by channel and timestamp.

        Private messages are included.
        """
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
        """The newest card of each rental."""
        return dict(self.posted_cards())

    @cached_property
    def owners(self) -> dict[str, str]:
        """The owner of each rental at the end."""
        matches = {rental: CARD.match(card.text) for rental, card in self.cards.items()}
        return {rental: found["owner"] for rental, found in matches.items() if found}

    @cached_property
    def had(self) -> dict[str, set[str]]:
        """Everyone who ever owned a rental, by rental."""
        found: dict[str, set[str]] = {}
        for match in self._all_cards():
            found.setdefault(match["id"], set()).add(match["owner"])
        return found

    def _all_cards(self) -> list[re.Match[str]]:
        """Return a match for each version of each card."""
        texts = (message.text for messages in self.seen.values() for message in messages)
        return [match for text in texts if (match := CARD.match(text))]

    @cached_property
    def with_access(self) -> dict[str, frozenset[str]]:
        """The people who may have had access to a rental's machine, by rental.

        These are all owners and teammates that its card ever named.
        """
        found: dict[str, frozenset[str]] = {}
        for match in self._all_cards():
            people = {match["owner"], *re.findall(r"\w+", match["teammates"] or "")} - {"and"}
            found[match["id"]] = found.get(match["id"], frozenset()) | people
        return found

    def posted_cards(self) -> list[tuple[str, SeenMessage]]:
        """Return every card with its rental, oldest first. A rental should have only one card."""
        found: list[tuple[str, SeenMessage]] = []
        for message in sorted(self.newest.values(), key=lambda message: message.ts):
            card = CARD.match(message.text)
            if card and not message.only_you and not message.is_dm and message.thread_ts in {None, message.ts}:
                found.append((card["id"], message))
        return found

    def thread(self, rental: str) -> list[SeenMessage]:
        """Return the replies below a rental's card, oldest first."""
        card = self.cards.get(rental)
        if card is None:
            return []
        replies = [m for m in self.newest.values() if m.thread_ts == card.ts != m.ts and m.channel == card.channel]
        return sorted(replies, key=lambda reply: reply.ts)

    def private(self, name: str) -> list[SeenMessage]:
        """Return every version of the messages that the bot sent only to this person."""
        return [m for m in self.seen.get(name, ()) if m.author not in self.people and (m.only_you or m.is_dm)]

    def excused(self, start: datetime, end: datetime) -> timedelta:
        """Return the part of the time between `start` and `end` that was excused."""
        parts = (min(end, jump.end) - max(start, jump.start) for jump in self.jumps if jump.excused)
        return sum((part for part in parts if part > timedelta(0)), timedelta(0))

    def knows(self, rental: str) -> bool:
        """Return whether the bot knows a rental that has a card.

        After a start, the bot edits each card that it knows. If a card wasn't edited after an older copy of the
        database was restored, this copy doesn't contain the card's rental.
        """
        return self.restored_at is None or self.cards[rental].at >= self.restored_at

    def unfinished(self) -> list[str]:
        """Return the machines that still bill, and the known rentals whose card still has buttons."""
        alive = [machine.name for machine in self.machines if machine.end is None]
        cards = {rental: card for rental, card in self.cards.items() if card.buttons and self.knows(rental)}
        return alive + [f"{rental} ({card.text[:40]})" for rental, card in cards.items()]
