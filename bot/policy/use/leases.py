"""The time rules, without I/O: when a lease's owner is asked, how long it may become, when it ends.

Every time is of our clock, which the sandbox can move, not real time.
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
"""Each unanswered "Still needed?" makes the next wait longer by this share of the first wait."""
LEAST_TIME = timedelta(minutes=30)
"""If less time is left until the end that a person named, no machine is bought: it first has to start."""


def counted_from(request: Request, now: datetime) -> Request:
    """Return a request with its hours counted from `now` until the ends that the person named. If the first of two
    ends has passed, it becomes an hour from now. Return the request unchanged if the person named no end, or a
    start that is still to come; leave out a start that has passed. Raise Mistake if too little time is left until
    the last end.
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
    """Return a request as `counted_from` does. If too little time is left until its last end, return it without
    ends, for the usual length: no machine is bought for such an end.
    """
    if too_little_time(request, max(now, request.starts_at or now)):
        return changed(request, starts_at=None, until=None, up_to=None, lease=rules.lease.default)
    return counted_from(request, now)


def too_little_time(request: Request, now: datetime) -> bool:
    """Return whether less than LEAST_TIME is left until the last end that the person named, if they named one."""
    return request.last_end is not None and request.last_end - now < LEAST_TIME


def check_time_left(request: Request, now: datetime) -> None:
    """Raise Mistake if too little time is left until the last end that the person named."""
    if too_little_time(request, now):
        raise Mistake(
            f"Less than {span(LEAST_TIME)} is left until the end that you named. Nothing was rented.",
            next_step=NextStep.NAME_LATER_END,
        )


def lease_ends(request: Request, ready_at: datetime, afforded: datetime) -> tuple[datetime, datetime | None]:
    """Return when a lease ends that its envelope affords until `afforded`, never after the last end that was
    named. Return the later of two ends too, or None if there is one end.
    """
    last = afforded if request.last_end is None else min(afforded, request.last_end)
    first = last if request.up_to is None else min(first_end(request, ready_at), last)
    return first, last if first < last else None


def latest_ready(request: Request, rules: Rules) -> datetime | None:
    """Return the latest time at which a machine may become ready for the last end that the person named: one grace
    before that end, at most half of LEAST_TIME. Return None if they named none.

    The owner has one grace after they could read of an end (`may_end`), so a machine that became ready later than
    this would end later than they said.
    """
    return None if request.last_end is None else request.last_end - min(rules.lease.grace, LEAST_TIME / 2)


def longest_lease(request: Request, allowed: timedelta, ready_at: datetime) -> timedelta:
    """Return how long a machine may run that is ready at `ready_at`, if `allowed` is the length in its envelope.
    Its hours count from the start time, so a machine that is ready some minutes before it runs until the same
    end.
    """
    if request.starts_at is None or request.last_end is None:
        return allowed
    return max(allowed, request.last_end - ready_at)


def ask_after(asked_times: int, rules: Rules) -> timedelta | None:
    """Return how long after the last question or sign of life "Still needed?" is asked. The wait grows with each
    unanswered question. Return None if the rules switch the question off.
    """
    if rules.check_in.after is None:
        return None
    # Bounded: a count from earlier rules could lead to a time that a datetime can't hold.
    times = min(asked_times, 2 * LONGEST_SPAN // rules.check_in.after)
    return min(rules.check_in.after * (1 + REPEAT_FACTOR * times), LONGEST_SPAN)


def extension_left(lease: Lease, now: datetime, rules: Rules) -> timedelta:
    """Return by how much a lease may become longer, counted from its end, or from now if the end has passed.

    Zero if that is less than a minute, the shortest span that people can type.
    """
    left = rules.lease.max - (max(lease.ends_at, now) - lease.ready_at)
    return left if left >= timedelta(minutes=1) else timedelta(0)


def may_extend_by(span: timedelta, rental: Rental, now: datetime, rules: Rules) -> bool:
    """Return whether a lease may become longer by `span`. While an extension waits, the lease may only grow up to
    the later of two ends.
    """
    lease = rental.lease
    if lease is None:
        return False
    allowed = already_allowed(lease, max(lease.ends_at, now) + span)
    return allowed or (rental.extension is None and span <= extension_left(lease, now, rules))


def may_end(
    ends_at: datetime, readable_at: datetime | None, first_tried_at: datetime | None, rules: Rules
) -> datetime | None:
    """Return the earliest time at which a machine may be destroyed for its lease's end. Return None if nobody was
    notified of this end and no post about it was tried.

    `readable_at` is when the owner could first read of this end. `first_tried_at` is when the bot, after the end
    had come, first tried to post that one grace is left. The owner has at least one grace from both. If Slack
    takes no posts, only the try counts.
    """
    known_at = [at for at in (readable_at, first_tried_at) if at is not None]
    return max(ends_at, max(known_at) + rules.lease.grace) if known_at else None


OVERDUE_GRACES = 2
"""The overdue deletion comes this many graces after a lease's end: `may_end` can postpone the end by one."""
LEAST_GRACE = timedelta(minutes=5)
"""The shortest grace. With a shorter one, the overdue deletion could come before a step that is only slow."""


def overdue_grace(rules: Rules) -> timedelta:
    """Return the grace before the overdue deletion, in which the rental's own step can act first."""
    return max(rules.lease.grace, LEAST_GRACE)


def overdue_at(ends_at: datetime | None, accepted_at: datetime | None, rules: Rules) -> datetime | None:
    """Return when the overdue deletion deletes a machine that its rental's own step has not ended: two graces
    after the end of its lease, or one grace after its time-out to get ready. Return None if it is neither leased
    nor accepted.
    """
    if ends_at is not None:
        return ends_at + OVERDUE_GRACES * overdue_grace(rules)
    if accepted_at is not None:
        return accepted_at + rules.procure.provision_timeout + overdue_grace(rules)
    return None
