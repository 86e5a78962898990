"""Decides which rentals can be replaced, and the time and cost limits of their replacements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.errors import TooLate
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, OpenQuestion, open_question
from bot.model.money import Micros, cost_at_most, whole_cents
from bot.model.offer import Offer
from bot.model.rental import Rental
from bot.model.request import Request, Terms
from bot.model.state import State
from bot.model.summary import Remainder
from bot.policy.buying.spending import affordable_lease, billed_span, provisioning_budget
from bot.policy.team.rules import Rules

FIRST_HOUR = timedelta(hours=1)
"""The time during which an owner can report that a newly ready machine doesn't work."""
LEAST_LEASE = timedelta(hours=1)
"""The shortest lease of a replacement, because its machine first has to start."""


def may_be_replaced(rental: Rental, now: datetime, *, gpu_mismatch: bool = False) -> bool:
    """Return whether a rental can be replaced.

    A program's rental can't be replaced. Any other rental can be replaced once, before its lease ends, if one of
    these is true:

    - The machine was lost. A machine that somebody probably destroyed on purpose isn't replaced.
    - Nothing answers on the machine's SSH port.
    - The machine doesn't have the GPUs that were sold, or one of its GPUs is faulty (`gpu_mismatch`).
    - The machine has been ready for less than FIRST_HOUR.
    """
    return _why_not(rental, now, gpu_mismatch) is None


def check_replaceable(rental: Rental, now: datetime, *, gpu_mismatch: bool) -> None:
    """Check that a rental can be replaced.

    Raises TooLate with the reason if it can't.
    """
    why_not = _why_not(rental, now, gpu_mismatch)
    if why_not is not None:
        raise TooLate(why_not, rental.replaced_by or rental.id)


def _why_not(rental: Rental, now: datetime, gpu_mismatch: bool) -> str | None:
    """Return the reason why a rental can't be replaced, or None if it can."""
    if rental.replaced_by is not None:
        return f"{rental.replaced_by} already replaces {rental.id}. Nothing was changed."
    if rental.lease is None or rental.quote_id is None:
        return f"{rental.id} can't be replaced. Nothing was changed."
    if rental.program is not None:
        return f"A program rented {rental.id}. It can rent another machine itself. Nothing was changed."
    if now >= _last_end(rental):
        return f"{rental.id} would have ended by now, so nothing was rented."
    if rental.state is State.READY:
        early = now - rental.lease.ready_at < FIRST_HOUR
        allowed = rental.unreachable or gpu_mismatch or early
        return (
            None
            if allowed
            else f"{rental.id} has run for more than an hour, so it can't be replaced. Nothing was changed."
        )
    if _was_destroyed(rental):
        return f"Somebody probably destroyed {rental.id}, so nothing was rented."
    return None if rental.lost else f"{rental.id} wasn't lost, so nothing was rented."


def _was_destroyed(rental: Rental) -> bool:
    """Return whether a lost machine was probably destroyed by somebody after the backup was taken."""
    return rental.ending is not None and rental.ending.why is Why.ENDED_SINCE_BACKUP


def _last_end(rental: Rental) -> datetime:
    return rental.running_lease.latest_end or rental.running_lease.ends_at


def had_gpu_mismatch(events: Sequence[Event]) -> bool:
    """Return whether a probe run found GPUs other than those that were sold, or a faulty GPU.

    False once the owner has decided to keep the machine.
    """
    return open_question(events, OpenQuestion.GPU_MISMATCH_OPEN) is not None


def remainder_of(rental: Rental, spent: Micros, now: datetime, rules: Rules) -> Remainder:
    """Return the remaining time and budget of a rental, for its replacement.

    The replacement gets these limits:

    - The lease lasts until the old lease would end, but at least LEAST_LEASE, and at most the longest lease in the
      rules.
    - If the owner's `/root/on-ending.sh` fails, the replacement is kept for as long as the old machine would have
      been.
    - The highest price stays the same.
    - The total is reduced by `spent`. If the old machine is still running, the total is also reduced by the cost
      of one grace period, because the old machine costs money until the new one has been bought.

    Args:
        spent: The cost by `now` of this rental and of the rentals that it replaces.
    """
    lease = min(max(_last_end(rental) - now, LEAST_LEASE), rules.lease.max)
    rate, until = rental.rate_at_most, rental.running_lease.kept_until
    more = cost_at_most(rate, rules.lease.grace) if rental.state is State.READY else 0
    return Remainder(
        gpu=rental.terms.gpu,
        lease=lease,
        kept=timedelta(0) if until is None else max(until - _last_end(rental), timedelta(0)),
        max_rate=rental.terms.max_rate,
        total=max(rental.terms.total - spent - more, 0),
    )


def replacing_request(rental: Rental, left: Remainder, now: datetime) -> Request:
    """Return the request for the replacement of a rental: the same request, for the remaining time.

    The old machine might still be running although it doesn't work. In this case, the request no longer names a
    vendor, and the caller looks for offers of all other vendors.
    """
    request, old = rental.request, rental.running_lease
    first, flexible_end = old.ends_at, old.latest_end is not None and not old.ends_when_done
    lease = min(max(first - now, LEAST_LEASE), left.lease) if flexible_end else left.lease
    return changed(
        request,
        lease=lease,
        until=now + lease if request.until is not None else None,
        up_to=left.lease if flexible_end and lease < left.lease else None,
        kept=left.kept,
        until_done=old.until_done is not None,
        vendor=None if rental.state is State.READY else request.vendor,
        teammates=rental.teammates,
        max_total=None if request.max_total is None else whole_cents(left.total),
    )


def shortened(request: Request, terms: Terms) -> Request:
    """Return a copy of a request that asks for no more time than the terms of its replacement allow.

    More time would cost more than the rental's remaining budget.
    """
    up_to = terms.lease if request.up_to is not None and request.lease < terms.lease else None
    return changed(request, lease=min(request.lease, terms.lease), up_to=up_to, kept=terms.kept)


def propose_replacement(
    offer: Offer, request: Request, left: Remainder, team_rate_left: Decimal, rules: Rules
) -> Terms | None:
    """Return the terms for buying an offer as a replacement, or None if that isn't possible.

    The terms stay within the remaining time and budget of the replaced rental, and within the team's limit. If the
    remaining budget doesn't pay for all of the remaining time, less time is granted: first, the time for which the
    machine is kept if the owner's `/root/on-ending.sh` fails becomes shorter, and then the lease.

    Returns None if the remaining budget doesn't even pay for LEAST_LEASE, or if the offer costs more per hour than
    is allowed.

    Args:
        team_rate_left: What is left of the team's limit, in USD per hour.
    """
    max_rate = min(left.max_rate, team_rate_left)
    starts = cost_at_most(offer.rate, rules.procure.provision_timeout)
    lease = affordable_lease(left.total, starts, offer.rate, left.lease, rules)
    pays = provisioning_budget(left.total, 0, offer.rate, lease, rules) >= rules.procure.provision_timeout
    if offer.rate > max_rate or lease < min(LEAST_LEASE, left.lease) or not pays:
        return None
    kept = affordable_lease(left.total, starts, offer.rate, lease + request.kept, rules) - lease
    total = min(left.total, cost_at_most(max_rate, billed_span(lease, kept, rules)))
    terms = Terms.of(request, left.gpu, price=offer.rate, max_rate=max_rate, total=total, lease=lease)
    return changed(terms, kept=kept)
