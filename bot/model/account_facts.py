"""Small facts about the marketplace account and this bot. They survive a restart.

The store keeps all of these facts in one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from bot.model.base import Frozen, Instant
from bot.model.person import Absence

T = TypeVar("T")


@dataclass(frozen=True)
class Fact(Generic[T]):
    """A kind of fact that the store keeps: either a single value, or several values that each have a key."""

    name: str
    kind: Any


class Pause(Frozen):
    """A pause of all buying, made by an admin."""

    by: str
    """Slack ID of the admin."""
    at: Instant
    why: str
    """The reason that the admin typed. Untrusted text: escape it for display."""


class FailureRun(Frozen):
    """A series of failures: the bot tried to advance one rental, and failed each time."""

    number: str
    """The number by which the log and the alerts refer to this series."""
    count: int = 0
    notified_at: Instant | None = None
    """The time at which people were last alerted. None before the first alert."""


class WebhookOutage(Frozen):
    """The time since which a receiver of webhooks doesn't accept events."""

    since: Instant
    refused: int | None = None
    """The message ID of the event that the receiver refused. It may accept other events.

    None if the receiver was unavailable.
    """
    notified: bool = False
    """True if the admins were alerted about the outage."""


class PastEnd(Frozen):
    """The start of the extra time that a machine gets if it runs longer than its lease.

    The machine is deleted after the extra time, which normally starts when the lease ends. If the bot was down at
    that time, the extra time starts at the bot's first check after that.
    """

    end: Instant
    since: Instant


class GroupAnswer(Frozen):
    """The members of a Slack user group, according to Slack's latest answer."""

    changes: int = 0
    """The number of times that Slack has reported a change of the group."""
    at: Instant | None = None
    """The wall-clock time at which Slack was last queried. None if the group must be queried again."""
    members: frozenset[str] = frozenset()


ABSENCES = Fact[tuple[Absence, ...]]("absences", tuple[Absence, ...])
"""The most recent absences of an approver, by the approver's Slack ID. Only the last absence can be unfinished.
"""
PAUSED = Fact[Pause]("paused", Pause)
UNAUTHORIZED_SINCE = Fact[datetime]("unauthorized_since", datetime)
"""The time at which the marketplace began to refuse the bot's token."""
POLICY_REFUSED = Fact[str]("policy_refused", str)
"""The mistakes in the policy file that were reported to the admins.

The bot removes this fact as soon as it reads a file without mistakes.
"""
CHANNELS_CHARGE_LESS = Fact[bool]("channels_charge_less", bool)
"""True once the admins have been notified that an upgrade changed what channels charge to projects.

Before the upgrade, every request in a project's channel was charged to the project. Now it is charged to the
project only if the person who made it may charge the project. If the team has no project channel, nobody is
notified, but the fact is set. The check therefore runs only once.
"""
NO_APPROVER_SINCE = Fact[datetime]("no_approver_since", datetime)
"""The time at which people were notified that the admins decide, because no approver is left."""
GROUP_MEMBERS = Fact[frozenset[str]]("group_members", frozenset[str])
"""The last known members of each user group, by the group's Slack ID."""
GROUP_ANSWER = Fact[GroupAnswer]("group_answer", GroupAnswer)
"""Slack's latest answer about each user group, by the group's Slack ID."""
UNKNOWN_RENTAL = Fact[datetime]("unknown_rental", datetime)
"""The time at which the admins were notified that somebody clicked a button of an unknown rental, by rental ID."""
FAILING_STEPS = Fact[FailureRun]("failing_steps", FailureRun)
"""The series of failures that people were alerted about, by rental ID."""
WEBHOOK_OUTAGES = Fact[WebhookOutage]("webhook_outages", WebhookOutage)
"""The receivers of webhooks that don't accept events, by URL."""
PAST_END = Fact[PastEnd]("past_end", PastEnd)
"""The start of the extra time of each overdue purchase, by rental and number: `k7mq2:1`."""
UNUSUAL_DAY = Fact[str]("unusual_day", str)
"""The last unusually expensive day that people were notified of.

Written as `2026-11-28`, in `billing.timezone`.
"""
WRITES_TRIED_AT = Fact[datetime]("writes_tried_at", datetime)

DIGEST_DUE = Fact[datetime]("digest_due", datetime)
"""The scheduled time of the newest weekly digest that was sent or deliberately skipped.

If several digests were missed, only the newest is sent. A digest is skipped if there were no rentals in its week.
"""


class Counter(StrEnum):
    """The events that are counted for `/health`."""

    POSTED_TWICE = "perhaps_posted_twice"
    """Posts that were sent twice because the bot couldn't check whether Slack has the first one."""
    GIVEN_UP = "given_up"
    """Messages that Slack never accepted, because it refused them for good or because they were sent too late."""
