"""Facts about the account and this bot: all of them, each with the type of its value."""

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
    """A fact that the store keeps: one value, or one for each key."""

    name: str
    kind: Any


class Pause(Frozen):
    """An admin paused buying."""

    by: str
    """Slack id."""
    at: Instant
    why: str
    """The admin's words. Data, never markup."""


class FailureRun(Frozen):
    """Failed steps of one rental in a row."""

    number: str
    """The number that the log and the alerts show."""
    count: int = 0
    notified_at: Instant | None = None
    """When people were last alerted."""


class PastEnd(Frozen):
    """When an attempt's graces began: at its end, or at the first check after it if the bot was down."""

    end: Instant
    since: Instant


class GroupAnswer(Frozen):
    """Who is in a user group, as Slack answered last."""

    changes: int = 0
    """How often Slack said that the group changed."""
    at: Instant | None = None
    """When Slack was asked, in real time. None: it must be asked again."""
    members: frozenset[str] = frozenset()


ABSENCES = Fact[tuple[Absence, ...]]("absences", tuple[Absence, ...])
"""The last absences of an approver, by Slack id. Only the last one can go on."""
PAUSED = Fact[Pause]("paused", Pause)
UNAUTHORIZED_SINCE = Fact[datetime]("unauthorized_since", datetime)
"""The marketplace refuses our token."""
POLICY_REFUSED = Fact[str]("policy_refused", str)
"""The mistakes in the policy file of which the admins were notified, until a file without mistakes is read."""
CHANNELS_CHARGE_LESS = Fact[bool]("channels_charge_less", bool)
"""The admins were notified of the channels whose projects name people, or there was no need to."""
NO_APPROVER_SINCE = Fact[datetime]("no_approver_since", datetime)
"""People were notified that the admins decide, because no approver is left."""
GROUP_MEMBERS = Fact[frozenset[str]]("group_members", frozenset[str])
"""The last known members of each group, by its Slack id."""
GROUP_ANSWER = Fact[GroupAnswer]("group_answer", GroupAnswer)
"""By the group's Slack id."""
UNKNOWN_RENTAL = Fact[datetime]("unknown_rental", datetime)
"""When the admins were notified of a click about a rental that the store doesn't know, by its id."""
FAILING_STEPS = Fact[FailureRun]("failing_steps", FailureRun)
"""The runs of which people were alerted, by rental."""
PAST_END = Fact[PastEnd]("past_end", PastEnd)
"""By attempt: `k7mq2:1`."""
UNUSUAL_DAY = Fact[str]("unusual_day", str)
"""The last day of which people were notified that it is unusually dear: `2026-11-28`, of `billing.timezone`."""
WRITES_TRIED_AT = Fact[datetime]("writes_tried_at", datetime)

DIGEST_DUE = Fact[datetime]("digest_due", datetime)
"""When the newest digest that is done with was due."""


class Counter(StrEnum):
    """What is counted."""

    POSTED_TWICE = "perhaps_posted_twice"
    """Posts made again in a conversation that could not be read back."""
    GIVEN_UP = "given_up"
    """Messages that Slack never took: refused for good, or answers that came too late."""
