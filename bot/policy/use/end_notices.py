"""When a rental's owner is notified of the end of the lease, and of an approval that has no machine yet.

Every time is of our clock, which the sandbox can move, not real time.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from bot.model.rental import Lease, Rental
from bot.policy.team.hours import Availability, last_available
from bot.policy.team.rules import Rules
from bot.policy.use.flexible_end import UNSEEN_NOTICE, can_move

NOTICES = (timedelta(minutes=30),)
NOTICES_OF_LONG_LEASE = (timedelta(hours=2), timedelta(minutes=30))
"""How long before the end of a long lease its owner is notified if the rules don't say, longest first."""
LONG_LEASE = timedelta(hours=12)
RECENTLY = timedelta(hours=1)
"""An owner who was notified of an end this recently needs no notice of it, except the last notice."""
ASK_IN_TIME = timedelta(hours=1)
"""How long before the approvers' hours end the owner is notified that they can't be asked for more time later."""
QUIET = timedelta(minutes=1)
"""No question is asked within this time of a notice: two pings in one minute read as one."""
APPROVAL_NOTICE_AFTER = timedelta(minutes=15)
"""How long after an approval its owner is notified of it, if the machine is not ready by then."""


# --- the end of a lease


def notices_of(lease: Lease, rules: Rules) -> tuple[timedelta, ...]:
    """Return how long before the end of a lease its owner is notified, longest first. UNSEEN_NOTICE is among them
    if the end can move; that notice is given only if nobody sees whether the machine is in use.
    """
    usual = _usual_notices(lease, rules)
    return tuple(sorted({*usual, UNSEEN_NOTICE}, reverse=True)) if can_move(lease) else usual


def _usual_notices(lease: Lease, rules: Rules) -> tuple[timedelta, ...]:
    if rules.lease.notices is not None:
        return rules.lease.notices
    return NOTICES_OF_LONG_LEASE if lease.ends_at - lease.ready_at >= LONG_LEASE else NOTICES


def next_notice(lease: Lease, rules: Rules) -> datetime | None:
    """Return when the next notice is due. Return None after the last."""
    moments = (lease.ends_at - ahead for ahead in notices_of(lease, rules))
    return next((moment for moment in moments if moment > lease.notices_checked_at), None)


def notice_is_due(lease: Lease, rules: Rules, now: datetime) -> bool:
    """Return whether a notice is due, and the end has not come yet."""
    at = next_notice(lease, rules)
    return at is not None and at <= now < lease.ends_at


def ask_before(lease: Lease, approvers: Collection[Availability], rules: Rules) -> datetime | None:
    """Return until when these approvers can be asked for more time, if their hours end before the lease does: the
    later one of two ends. Return None if somebody can be asked at the end, or if nobody can before it.
    """
    end = lease.latest_end or lease.ends_at
    last = last_available(end, approvers, rules.hours)
    return None if last == end else last


def usual_notice_is_due(lease: Lease, now: datetime, rules: Rules) -> bool:
    """Return whether a notice is due that does not depend on whether somebody sees the use of the machine."""
    return any(lease.notices_checked_at < lease.ends_at - ahead <= now for ahead in _usual_notices(lease, rules))


def last_notice_at(lease: Lease, rules: Rules) -> datetime:
    """Return when the last notice of the end that does not depend on the use is due, or the end itself if there
    are no notices. UNSEEN_NOTICE is the last only if there is no other.
    """
    return lease.ends_at - min(_usual_notices(lease, rules) or notices_of(lease, rules), default=timedelta(0))


def skips_notice(lease: Lease, notified_at: datetime | None, now: datetime, rules: Rules) -> bool:
    """Return whether the notice that is due now is skipped because the owner was notified of the same end within
    the last hour, at `notified_at`. The last notice is never skipped.
    """
    if now >= last_notice_at(lease, rules):
        return False
    return notified_at is not None and now - notified_at <= RECENTLY


def may_ask_at(lease: Lease, now: datetime, rules: Rules) -> datetime:
    """Return the first time from `now` on at which the owner may be asked: not within QUIET of a notice."""
    at = max(now, lease.notices_checked_at + QUIET)
    notice = next_notice(lease, rules)
    return notice + QUIET if notice is not None and notice - at < QUIET else at


# --- an approval


def approval_notice_at(rental: Rental, approver: str | None, now: datetime) -> datetime | None:
    """Return when the owner is notified that `approver` approves now. Return None if the owner decided."""
    return None if approver in {None, rental.owner} else now + APPROVAL_NOTICE_AFTER
