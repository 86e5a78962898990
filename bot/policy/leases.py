"""When a lease's owner is told, asked, and when it ends. Time rules without I/O; all moments are ours."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.policy.rules import LONGEST_SPAN, Rules

REPEAT_FACTOR = 0.5
"""Each time nobody answered "Still needed?", the next question waits half as long again, LONGEST_SPAN at most."""


def ask_after(asked_times: int, rules: Rules) -> timedelta | None:
    """How long without a sign of life until the next "Still needed?": a little rarer each time. None if the rules
    switch the question off."""
    if rules.check_in.after is None:
        return None
    # The bound keeps the moment within what a datetime holds, however often it was asked under earlier rules.
    often = min(asked_times, 2 * LONGEST_SPAN // rules.check_in.after)
    return min(rules.check_in.after * (1 + REPEAT_FACTOR * often), LONGEST_SPAN)


def ask_at(since: datetime, asked_times: int, rules: Rules) -> datetime | None:
    """When "Still needed?" is asked, with the last sign of life at `since`. None if the rules switch it off."""
    after = ask_after(asked_times, rules)
    return None if after is None else since + after


def notices_past(ends_at: datetime, now: datetime, rules: Rules) -> int:
    """How many of the notices for an end are over (given, or too late for a lease this short)."""
    return sum(1 for ahead in rules.lease.notices if ends_at - ahead <= now)


def next_notice(ends_at: datetime, given: int, rules: Rules) -> datetime | None:
    """When the next notice is due; None after the last."""
    left = rules.lease.notices[given:]
    return ends_at - left[0] if left else None


def may_end(
    ends_at: datetime, told_at: datetime | None, said_at: datetime | None, rules: Rules
) -> datetime | None:
    """From when on a machine may be destroyed at its end, or None while its end was never said.

    `told_at` is when its owner first could read of this end, `said_at` when we first tried to say it. An end
    that nobody could have seen a grace ahead waits one grace; where Slack takes nothing, it still comes.
    """
    known = told_at or said_at
    if known is None:
        return None
    return max(ends_at, known + rules.lease.grace)


OVERDUE_GRACES = 2
"""Of a lease's end. The second is that of an end which nobody could have seen (`may_end`)."""
LEAST_GRACE = timedelta(minutes=5)
"""Shorter ones would let the overdue deletion come before a step that is only slow."""


def overdue_grace(rules: Rules) -> timedelta:
    """How long the overdue deletion waits for a rental's own step, once or for a lease's end twice."""
    return max(rules.lease.grace, LEAST_GRACE)


def overdue_at(ends_at: datetime | None, accepted_at: datetime | None, rules: Rules) -> datetime | None:
    """When a machine is deleted although its rental's step did not end it: two graces after its lease, or one
    grace after the time that it has to get ready. None while it is neither leased nor accepted."""
    if ends_at is not None:
        return ends_at + OVERDUE_GRACES * overdue_grace(rules)
    if accepted_at is not None:
        return accepted_at + rules.procure.provision_timeout + overdue_grace(rules)
    return None
