"""Time limits of leases: their length, their end, and the "Still needed?" questions to the owner. No I/O.

All times are bot time, not wall-clock time. The sandbox can move bot time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.errors import Mistake, NextStep
from bot.model.base import changed
from bot.model.rental import Lease, Rental
from bot.model.request import Request
from bot.model.text import span
from bot.policy.team.rule_values import LONGEST_SPAN
from bot.policy.team.rules import Rules
from bot.policy.use.flexible_end import MOVES_BY, already_allowed, first_end

REPEAT_FACTOR = 0.5
"""After each unanswered "Still needed?", the next wait is longer by this share of the first wait."""
LEAST_TIME = timedelta(minutes=30)
"""A machine is only bought if at least this much time is left until the end that the requester named.

A machine first has to start. With less time, nobody could do much with it.
"""


def counted_from(request: Request, now: datetime) -> Request:
    """Return a request whose length is recounted: from `now` until the end that the requester named.

    For example, a request `until 18:00` has a length of four hours at 14:00, and of three hours at 15:00. If the
    requester named no end, the length doesn't change.

    A flexible end has an earliest and a latest time. If the earliest time has passed, the new earliest time is one
    hour from now (MOVES_BY), but no later than the latest time.

    If the start time is still ahead, the request is returned unchanged. If the start time has passed, it is
    removed.

    Raises:
        Mistake: Too little time is left until the end that the requester named. For a flexible end, the latest
            time is used.
    """
    if request.starts_at is not None and request.starts_at > now:
        check_time_left(request, request.starts_at)
        return request
    request = changed(request, starts_at=None)
    first, last = request.until, request.last_end
    if first is None or last is None:
        return request
    check_time_left(request, now)
    if request.up_to is None:
        return changed(request, lease=first - now)
    first = first if first > now else min(now + MOVES_BY, last)
    return changed(request, until=first, lease=first - now, up_to=last - now if last > first else None)


def without_past_end(request: Request, now: datetime, rules: Rules) -> Request:
    """Return a request without its requested end if that end is too soon.

    If too little time is left until the end, the result has no start time and no end time, and it has the default
    length. Otherwise, the result is that of `counted_from`.
    """
    if too_little_time(request, max(now, request.starts_at or now)):
        return changed(request, starts_at=None, until=None, up_to=None, lease=rules.lease.default)
    return counted_from(request, now)


def too_little_time(request: Request, now: datetime) -> bool:
    """Return whether less than LEAST_TIME is left until the end that the requester named.

    If the requester named an earliest and a latest end, the latest end is used. False if they named no end.
    """
    return request.last_end is not None and request.last_end - now < LEAST_TIME


def check_time_left(request: Request, now: datetime) -> None:
    """Refuse a request if too little time is left until the end that the requester named.

    If the requester named an earliest and a latest end, the latest end is used. Raises Mistake.
    """
    if too_little_time(request, now):
        raise Mistake(
            f"Less than {span(LEAST_TIME)} is left until the end that you named. Nothing was rented.",
            next_step=NextStep.NAME_LATER_END,
        )


def lease_ends(request: Request, ready_at: datetime, afforded: datetime) -> tuple[datetime, datetime | None]:
    """Return the earliest and the latest time at which a new lease can end.

    Both are limited to `afforded` and to the latest time that the requester named.

    Args:
        afforded: The time until which the approved terms pay for the machine.

    Returns:
        The earliest time and the latest time. If the end isn't flexible, the latest time is None.
    """
    last = afforded if request.last_end is None else min(afforded, request.last_end)
    first = last if request.up_to is None else min(first_end(request, ready_at), last)
    return first, last if first < last else None


def latest_ready(request: Request, rules: Rules) -> datetime | None:
    """Return the latest time at which a machine can become ready, given the end that the requester named.

    Before a machine is destroyed, its owner always gets one grace period of notice. The machine must therefore be
    ready one grace period before the named end. If the end is flexible, its latest time is used. For example, with
    a grace period of 5 minutes, a machine that must end at 18:00 has to be ready at 17:55. If the grace period is
    longer than half of LEAST_TIME, half of LEAST_TIME is used instead.

    None if the requester named no end.
    """
    return None if request.last_end is None else request.last_end - min(rules.lease.grace, LEAST_TIME / 2)


def longest_lease(request: Request, allowed: timedelta, ready_at: datetime) -> timedelta:
    """Return the longest time that a machine can run if it becomes ready at `ready_at`.

    Usually this is `allowed`, the length in the approved terms. If the request has a start time, the length is
    counted from the start time, even if the machine is ready earlier. For example, a machine that is ready at 8:55
    for a start at 9:00 can run 5 minutes longer than `allowed`.
    """
    if request.starts_at is None or request.last_end is None:
        return allowed
    return max(allowed, request.last_end - ready_at)


def ask_after(asked_times: int, rules: Rules) -> timedelta | None:
    """Return the wait until the bot asks the owner "Still needed?".

    The wait is counted from the last question, or from a later sign that the machine is needed. It grows with each
    unanswered question. None if the rules switch this question off.

    Args:
        asked_times: The number of unanswered questions so far.
    """
    if rules.check_in.after is None:
        return None
    # Limit the number of questions. Many questions may have been asked under earlier rules with a shorter wait.
    # That number multiplied by the present wait could exceed the range of datetime.
    times = min(asked_times, 2 * LONGEST_SPAN // rules.check_in.after)
    return min(rules.check_in.after * (1 + REPEAT_FACTOR * times), LONGEST_SPAN)


def extension_left(lease: Lease, now: datetime, rules: Rules) -> timedelta:
    """Return the largest duration by which a lease can still be extended.

    The extension is counted from the end of the lease, or from now if the end has passed. Zero if less than a
    minute is left, because people can't type a shorter duration.
    """
    left = rules.lease.max - (max(lease.ends_at, now) - lease.ready_at)
    return left if left >= timedelta(minutes=1) else timedelta(0)


def may_extend_by(span: timedelta, rental: Rental, now: datetime, rules: Rules) -> bool:
    """Return whether a lease can be extended by `span`.

    Normally, any extension within the limits is possible. While another extension is waiting for a decision, only
    a lease with a flexible end can be extended: up to the latest time at which it can end.
    """
    lease = rental.lease
    if lease is None:
        return False
    allowed = already_allowed(lease, max(lease.ends_at, now) + span)
    return allowed or (rental.extension is None and span <= extension_left(lease, now, rules))


def may_end(
    ends_at: datetime, readable_at: datetime | None, first_tried_at: datetime | None, rules: Rules
) -> datetime | None:
    """Return the earliest time at which a machine can be destroyed because its lease ends.

    The machine is destroyed at least one grace period after `readable_at`, and at least one after
    `first_tried_at`. If `readable_at` is None because Slack accepts no posts, the machine can still be destroyed
    one grace period after `first_tried_at`.

    Returns None if the owner wasn't notified of the lease's end and the bot hasn't tried to post about it.

    Args:
        ends_at: The end of the lease.
        readable_at: The first time at which the owner could read that the lease ends at `ends_at`.
        first_tried_at: The first time after `ends_at` at which the bot tried to post that the machine will be
            destroyed in one grace period.
    """
    known_at = [at for at in (readable_at, first_tried_at) if at is not None]
    return max(ends_at, max(known_at) + rules.lease.grace) if known_at else None


OVERDUE_GRACES = 2
"""The number of grace periods between the end of a lease and the overdue deletion.

The overdue deletion destroys a machine that should have ended but is still running. The number is more than one
because `may_end` can already delay the regular end by one grace period.
"""
LEAST_GRACE = timedelta(minutes=5)
"""The shortest grace period before the overdue deletion.

If it were shorter, the overdue deletion could come before a regular end that is merely late.
"""


def overdue_grace(rules: Rules) -> timedelta:
    """Return the grace period before a machine that should have ended is deleted as overdue.

    During this time, the bot can still end the machine in the regular way.
    """
    return max(rules.lease.grace, LEAST_GRACE)


def overdue_at(ends_at: datetime | None, accepted_at: datetime | None, rules: Rules) -> datetime | None:
    """Return the time at which a machine is deleted as overdue, because the bot failed to end it regularly.

    A ready machine is deleted two grace periods after the end of its lease. A machine that never became ready is
    deleted one grace period after its provisioning timeout. None if the machine has no lease and the market hasn't
    accepted its purchase.

    Args:
        ends_at: The end of the lease. None if the machine isn't ready.
        accepted_at: The time at which the market accepted the purchase.
    """
    if ends_at is not None:
        return ends_at + OVERDUE_GRACES * overdue_grace(rules)
    if accepted_at is not None:
        return accepted_at + rules.procure.provision_timeout + overdue_grace(rules)
    return None
