"""The buttons that several messages about a machine have: Extend, Take the request back, Destroy."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.money import Micros, cost
from bot.model.rental import Rental
from bot.policy.buying.fewer_hours import lengths_to_choose
from bot.policy.buying.spending import propose_longer_lease
from bot.policy.use.leases import may_extend_by
from handlers.ids import Action, ExtendValue, RentalValue, VersionValue
from handlers.views.phrases.blocks import Json, button
from handlers.views.phrases.format import Reader, dollars, dollars_at_most, span

EXTEND_BY = timedelta(hours=2)


def needs_approver(rental: Rental, reader: Reader, *, spent: Micros, longer: timedelta = EXTEND_BY) -> bool:
    """Return whether an approver decides about a lease that is longer by `longer`. With two ends, the lease
    becomes longer only up to the later one."""
    now = reader.now
    ends_at = max(rental.running_lease.ends_at, now) + (_go_on_by(rental, now, longer) or longer)
    return bool(propose_longer_lease(rental, ends_at, spent=spent, now=now, rules=reader.rules).over)


def extend_button(
    rental: Rental,
    reader: Reader,
    *,
    longer: timedelta = EXTEND_BY,
    again: bool = False,
    spent: Micros | None = None,
    money: bool = True,
) -> Json | None:
    """Return `Extend 2 h, about $4.84`, or `Extend 2 h more, ...` if `again`, since it was extended just now.
    Without `money`, leave out the price. Return None if the rules don't allow a lease that long, or if more time
    is asked for already.

    If an approver would decide, and `spent`, the cost so far, is given, return `Ask for 2 h more, about $36.80`.
    Before the later of two ends, return `Go on 2 h, already approved`, with fewer hours if that end is nearer.
    """
    lease, now = rental.lease, reader.now
    go_on = None if again else _go_on_by(rental, now, longer)
    if lease is not None and go_on is not None:
        value = ExtendValue.of(rental.id, go_on, lease.ends_at)
        return button(f"Go on {span(go_on)}, already approved", Action.EXTEND, value)
    if lease is None or not may_extend_by(longer, rental, now, reader.rules):
        return None
    price = f", about {dollars(cost(rental.rate, longer))}" if money and rental.rate is not None else ""
    value = ExtendValue.of(rental.id, longer, lease.ends_at)
    if spent is not None and needs_approver(rental, reader, spent=spent, longer=longer):
        return button(f"Ask for {span(longer)} more{price}", Action.EXTEND, value)
    return button(f"Extend {span(longer)}{' more' if again else ''}{price}", Action.EXTEND, value)


def _go_on_by(rental: Rental, now: datetime, longer: timedelta) -> timedelta | None:
    """Return by how much a lease becomes longer, at most by `longer`, up to the later of two ends. Return None if
    the lease has no later end."""
    lease = rental.lease
    if lease is None or lease.latest_end is None:
        return None
    left = lease.latest_end - max(lease.ends_at, now)
    by = min(longer, left - left % timedelta(minutes=1))
    return by if by > timedelta(0) else None


def take_back_button(rental: Rental) -> Json | None:
    """Return `Take the request back` while more time is asked for, else None."""
    if rental.extension is None:
        return None
    value = VersionValue(rental_id=rental.id, version=rental.extension.envelope.version)
    return button("Take the request back", Action.WITHDRAW, value)


def destroy_button(rental: Rental) -> Json:
    """Return `Destroy k7mq2`."""
    return button(f"Destroy {rental.id}", Action.DESTROY, RentalValue(rental_id=rental.id), style="danger")


def decision_buttons(rental: Rental, now: datetime) -> tuple[Json | None, ...]:
    """Return the buttons that decide the version of the envelope that waits. Without a shorter lease to choose,
    there is no button for fewer hours."""
    envelope = rental.newest_envelope
    value = VersionValue(rental_id=rental.id, version=envelope.version)
    approve = f"Approve up to {dollars_at_most(envelope.total)}"
    fewer = button("Approve fewer hours", Action.FEWER_HOURS, value) if lengths_to_choose(rental, now) else None
    return (
        button(approve, Action.APPROVE, value, style="primary"),
        fewer,
        button("Deny", Action.DENY, value),
    )
