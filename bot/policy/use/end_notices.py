"""Decides when to notify owners of the end of a lease, and of an approval of their request.

All times are bot time, not wall-clock time. The sandbox can move bot time.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from bot.model.rental import Lease, Rental
from bot.policy.team.hours import Availability, last_available
from bot.policy.team.rules import Rules
from bot.policy.use.flexible_end import UNSEEN_NOTICE, can_move

NOTICES = (timedelta(minutes=30),)
"""The lead times of the notices to the owner before the end of a short lease, unless the rules say otherwise."""
NOTICES_OF_LONG_LEASE = (timedelta(hours=2), timedelta(minutes=30))
"""The lead times of the notices to the owner before the end of a long lease, unless the rules say otherwise.

Longest first.
"""
LONG_LEASE = timedelta(hours=12)
RECENTLY = timedelta(hours=1)
"""If the owner was notified of the lease's end within this time, the next notice is skipped.

The last notice is never skipped.
"""
ASK_IN_TIME = timedelta(hours=1)
"""The time before the end of the approvers' working hours at which the owner is warned.

The warning is only sent if the machine ends before the approvers' next working hours begin, because nobody could
then approve an extension.
"""
QUIET = timedelta(minutes=1)
"""The time before and after a notice of the lease's end in which the bot asks the owner no question.

Two messages within such a short time would read as one.
"""
APPROVAL_NOTICE_AFTER = timedelta(minutes=15)
"""The delay between an approval and notifying the owner of it.

If the machine becomes ready within this time, the notification is skipped. The owner then learns of the approval
from the message saying that the machine is ready.
"""


# --- the end of a lease


def notices_of(lease: Lease, rules: Rules) -> tuple[timedelta, ...]:
    """Return the lead times of the notices to the owner before the end of a lease, longest first.

    If the end is flexible and can still move to a later time, UNSEEN_NOTICE is included. That notice is only sent
    if the bot can't monitor the machine.
    """
    usual = _usual_notices(lease, rules)
    return tuple(sorted({*usual, UNSEEN_NOTICE}, reverse=True)) if can_move(lease) else usual


def _usual_notices(lease: Lease, rules: Rules) -> tuple[timedelta, ...]:
    if rules.lease.notices is not None:
        return rules.lease.notices
    return NOTICES_OF_LONG_LEASE if lease.ends_at - lease.ready_at >= LONG_LEASE else NOTICES


def next_notice(lease: Lease, rules: Rules) -> datetime | None:
    """Return the time at which the next notice is due. None after the last one."""
    moments = (lease.ends_at - ahead for ahead in notices_of(lease, rules))
    return next((moment for moment in moments if moment > lease.notices_checked_at), None)


def notice_is_due(lease: Lease, rules: Rules, now: datetime) -> bool:
    """Return whether a notice is due and the lease hasn't ended yet."""
    at = next_notice(lease, rules)
    return at is not None and at <= now < lease.ends_at


def ask_before(lease: Lease, approvers: Collection[Availability], rules: Rules) -> datetime | None:
    """Return the last time at which an approver can be asked for an extension before the lease ends.

    If the end is flexible, `latest_end` is used as the lease's end. The result is None in two cases: an approver
    can be asked right up to the lease's end, or no approver can be asked before it.
    """
    end = lease.latest_end or lease.ends_at
    last = last_available(end, approvers, rules.hours)
    return None if last == end else last


def usual_notice_is_due(lease: Lease, now: datetime, rules: Rules) -> bool:
    """Return whether a regular notice is due.

    UNSEEN_NOTICE isn't regular: it is only sent if the bot can't monitor the machine.
    """
    return any(lease.notices_checked_at < lease.ends_at - ahead <= now for ahead in _usual_notices(lease, rules))


def last_notice_at(lease: Lease, rules: Rules) -> datetime:
    """Return the time of the last notice of the lease's end, or the lease's end if there are no notices.

    UNSEEN_NOTICE is only sent if the bot can't monitor the machine. It is ignored here if there are other notices.
    """
    return lease.ends_at - min(_usual_notices(lease, rules) or notices_of(lease, rules), default=timedelta(0))


def skips_notice(lease: Lease, notified_at: datetime | None, now: datetime, rules: Rules) -> bool:
    """Return whether to skip the notice that is due, because the owner was recently notified of the lease's end.

    The last notice is never skipped.

    Args:
        notified_at: The time at which the owner was last notified of the current end of the lease. None if the
            owner hasn't been notified of it.
    """
    if now >= last_notice_at(lease, rules):
        return False
    return notified_at is not None and now - notified_at <= RECENTLY


def may_ask_at(lease: Lease, now: datetime, rules: Rules) -> datetime:
    """Return the earliest time, `now` or later, at which the bot can ask the owner a question.

    A question and a notice of the lease's end are always at least QUIET apart. A question that would come less
    than QUIET before or after a notice waits until QUIET after that notice.
    """
    at = max(now, lease.notices_checked_at + QUIET)
    notice = next_notice(lease, rules)
    return notice + QUIET if notice is not None and notice - at < QUIET else at


# --- an approval


def approval_notice_at(rental: Rental, approver: str | None, now: datetime) -> datetime | None:
    """Return the time at which to notify the owner that `approver` has just approved the request.

    None if the owner decided without an approver, and therefore knows about the approval.
    """
    return None if approver in {None, rental.owner} else now + APPROVAL_NOTICE_AFTER
