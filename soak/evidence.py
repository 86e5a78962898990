"""What an episode leaves behind: the sandbox's truth, what people saw and did, the bill and the log.

Nothing here comes from the bot's database. The checks are functions of it, so that a test can doctor it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from bot.demo.outside import Seen

RENTAL_ID = r"[a-hjkmnp-z2-9]{5}"
CARD = re.compile(
    rf"^(?P<word>[A-Z][\w ]+?): (?P<what>\d+x [^,]+), (?P<owner>\w+), (?P<id>{RENTAL_ID})\.(?: (?P<rest>.*))?$",
    re.DOTALL,
)
"""How a card begins."""
NAMED = re.compile(rf"^gpubot-(?P<id>{RENTAL_ID})-(?P<n>\d+)$")
"""How the bot names a machine."""


@dataclass(frozen=True)
class Deed:
    """Something that somebody did, and how Slack answered."""

    at: datetime
    after: int
    """The number of the newest change that anyone could see before."""
    who: str
    kind: str
    """An action's id, a dialog's callback id, or `command`, `say`."""
    words: str = ""
    """What was typed."""
    value: str = ""
    """What the button or the dialog carried."""
    rental: str | None = None
    ok: bool = False
    """Whether it was acknowledged, and not refused in the acknowledgement."""
    answer: str = ""
    """What the acknowledgement itself said, or why there was none."""


@dataclass(frozen=True)
class Span:
    """Sandbox time that passed at once."""

    start: datetime
    end: datetime
    excused: bool
    """Whether the bot couldn't do what was due: it wasn't there, hadn't caught up, or the market was off."""


@dataclass(frozen=True)
class Life:
    """How a process ended."""

    gently: bool


@dataclass(frozen=True)
class Machine:
    """What billed."""

    resource_id: str
    offer_id: str | None
    name: str
    vendor: str
    port: int | None
    start: datetime
    end: datetime | None
    micros: int

    @property
    def rental(self) -> str | None:
        """The id of the rental that it was bought for, by its name."""
        found = NAMED.match(self.name)
        return found["id"] if found else None


@dataclass(frozen=True)
class Bought:
    """An offer that was bought."""

    offer_id: str
    vendor: str
    name: str
    at: datetime


@dataclass(frozen=True)
class Request:
    """A request that the bot made to the market."""

    at: datetime
    endpoint: str
    path: str
    status: int | None


@dataclass(frozen=True)
class Post:
    """A message as Slack keeps it, by the id that the bot gave it."""

    channel: str
    ts: str
    message_id: str
    text: str


@dataclass(frozen=True)
class Evidence:
    """All of it."""

    now: datetime
    grace: timedelta
    people: dict[str, str]
    """Name to Slack user id."""
    admin: str
    approvers: tuple[str, ...]
    seen: dict[str, tuple[Seen, ...]]
    """By name, every state of every message that someone saw, in order."""
    modals: tuple[tuple[str, str], ...]
    deeds: tuple[Deed, ...]
    spans: tuple[Span, ...]
    machines: tuple[Machine, ...]
    bought: tuple[Bought, ...]
    market: tuple[Request, ...]
    posts: tuple[Post, ...]
    stubborn: frozenset[str]
    """Vendors that refused or delayed deletions, or told of them late; `*` for all."""
    taken_back: frozenset[str]
    """The ids of the resources that their vendor took back."""
    log: tuple[str, ...]
    secrets: tuple[str, ...]
    health: dict[str, Any] = field(default_factory=dict)
    over: bool = True
    """Whether everything has come to its end; else it is only calm."""

    @cached_property
    def newest(self) -> dict[tuple[str, str], Seen]:
        """Every message of the bot's that stands, as it is now, by its place; private ones too."""
        found: dict[tuple[str, str], Seen] = {}
        for messages in self.seen.values():
            for message in messages:
                if message.author not in {*self.people, "Slackbot"}:
                    found[message.channel, message.ts] = message
        return {place: message for place, message in found.items() if not message.deleted}

    @cached_property
    def cards(self) -> dict[str, Seen]:
        """The newest card of each rental, by its id."""
        found: dict[str, Seen] = {}
        for message in sorted(self.newest.values(), key=lambda one: one.ts):
            card = CARD.match(message.text)
            if card and not message.only_you and not message.is_dm and message.thread_ts in {None, message.ts}:
                found[card["id"]] = message
        return found

    @cached_property
    def owners(self) -> dict[str, str]:
        """Whose each rental is."""
        matches = {rental: CARD.match(card.text) for rental, card in self.cards.items()}
        return {rental: found["owner"] for rental, found in matches.items() if found}

    def thread(self, rental: str) -> list[Seen]:
        """The replies below a rental's card, in order."""
        card = self.cards.get(rental)
        if card is None:
            return []
        replies = [m for m in self.newest.values() if m.thread_ts == card.ts != m.ts and m.channel == card.channel]
        return sorted(replies, key=lambda one: one.ts)

    def private(self, name: str) -> list[Seen]:
        """What the bot told someone alone, every state of it."""
        return [m for m in self.seen.get(name, ()) if m.author not in self.people and (m.only_you or m.is_dm)]

    def excused(self, start: datetime, end: datetime) -> timedelta:
        """How much of the time between was excused."""
        parts = (min(end, span.end) - max(start, span.start) for span in self.spans if span.excused)
        return sum((part for part in parts if part > timedelta(0)), timedelta(0))

    def unfinished(self) -> list[str]:
        """What isn't over: machines that bill, and rentals whose card says no end."""
        alive = [machine.name for machine in self.machines if machine.end is None]
        return alive + [f"{rental} ({card.text[:40]})" for rental, card in self.cards.items() if card.buttons]
