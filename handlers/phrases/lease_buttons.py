"""The buttons that several messages about a machine share, such as Show, Extend, Withdraw and Destroy."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.money import Micros, cost, cost_at_most
from bot.model.rental import Rental
from bot.model.text import say_at_most, span
from bot.policy.buying.fewer_hours import lengths_to_choose
from bot.policy.buying.spending import billed_span, propose_longer_lease
from bot.policy.team.hours import zone_of
from bot.policy.use.flexible_end import already_allowed
from bot.policy.use.heartbeats import KEEP_FOR
from bot.policy.use.keeping import kept_for_longer_lease
from bot.policy.use.leases import may_extend_by
from handlers.ids import Action, ExtendValue, QuoteValue, RentalValue, UntilDoneValue, UntilValue, VersionValue
from handlers.phrases.blocks import Json, button
from handlers.phrases.format import Reader, dollars

EXTEND_BY = timedelta(hours=2)


def needs_approver(rental: Rental, reader: Reader, *, spent: Micros, longer: timedelta = EXTEND_BY) -> bool:
    """Return whether extending the lease by `longer` needs an approver."""
    now = reader.now
    ends_at = max(rental.running_lease.ends_at, now) + (_go_on_by(rental, now, longer) or longer)
    kept = _kept(rental, ends_at, reader)
    proposal = propose_longer_lease(rental, ends_at, kept=kept, spent=spent, now=now, rules=reader.rules)
    return bool(proposal.over)


def extend_button(
    rental: Rental,
    reader: Reader,
    *,
    longer: timedelta = EXTEND_BY,
    again: bool = False,
    spent: Micros | None = None,
    money: bool = True,
) -> Json | None:
    """Return the button that gives a machine more time.

    None if the rules don't allow more time, or if a request for more time is pending.

    The label depends on the rental:

    - `Extend 2 h, about $4.84`, in the normal case (see `longer_cost`);
    - `Extend 2 h more, about $4.84`, with `again`, if the lease has just been extended;
    - `Ask for 2 h more, about $36.80`, if the extension needs an approver;
    - `Keep k7mq2`, if the machine is being destroyed gracefully, or ends because its jobs are done;
    - `Keep k7mq2 for 1 h`, if the machine ends because its heartbeat is lost;
    - `Keep it 2 h more in any case`, if the lease would otherwise continue only while the GPUs are busy.

    `spent` is the cost of the rental so far. Without it, the label never says `Ask for`. Without `money`, the
    price is left out.
    """
    lease, now = rental.lease, reader.now
    keep = keep_button(rental)
    if keep is not None:
        return keep
    go_on = None if again else _go_on_by(rental, now, longer)
    if lease is not None and go_on is not None:
        value = ExtendValue(rental_id=rental.id, by=go_on, shown_end=lease.ends_at)
        return button(f"Keep it {span(go_on)} more in any case", Action.EXTEND, value)
    if lease is None or not may_extend_by(longer, rental, now, reader.rules):
        return None
    price = longer_cost(rental, longer, reader) if money else ""
    value = ExtendValue(rental_id=rental.id, by=longer, shown_end=lease.ends_at)
    if spent is not None and needs_approver(rental, reader, spent=spent, longer=longer):
        return button(f"Ask for {span(longer)} more{price}", Action.EXTEND, value)
    return button(f"Extend {span(longer)}{' more' if again else ''}{price}", Action.EXTEND, value)


def longer_cost(rental: Rental, longer: timedelta, reader: Reader) -> str:
    """Return the additional cost of extending the lease by `longer`: `, about $4.84`.

    Empty if the price is unknown. If the machine would then be kept for longer after a failure of its
    `/root/on-ending.sh`, the highest additional cost follows: `, up to $32.10 if saving fails`. If the rental may
    then cost more than the total that the person typed, the text ends with `, over the request's $8.00` instead.
    """
    typed, rate, lease = rental.request.max_total, rental.rate, rental.running_lease
    if rate is None:
        return ""
    ends_at = max(lease.ends_at, reader.now) + longer
    kept = _kept(rental, ends_at, reader)
    about, if_failed = f", about {dollars(cost(rate, longer))}", ""
    more = ends_at + kept - lease.paid_until
    if kept and more > longer and not already_allowed(lease, ends_at):
        about, if_failed = f"{about}, up to {say_at_most(cost_at_most(rate, more))}", " if saving fails"
    billed = billed_span(ends_at - lease.ready_at, kept, reader.rules)
    if typed is None or cost_at_most(rate, billed) <= typed:
        return f"{about}{if_failed}"
    return f"{about}, over the request's {dollars(typed)}"


def _kept(rental: Rental, ends_at: datetime, reader: Reader) -> timedelta:
    return kept_for_longer_lease(rental, ends_at, zone_of(reader.zone, reader.rules), reader.rules)


def _go_on_by(rental: Rental, now: datetime, longer: timedelta) -> timedelta | None:
    """Return the time to add to a flexible lease: `longer`, or less if the latest end of the lease comes sooner.

    None if no time is left before the latest end, or if the lease isn't flexible.
    """
    lease = rental.lease
    if lease is None or lease.latest_end is None:
        return None
    left = lease.latest_end - max(lease.ends_at, now)
    by = min(longer, left - left % timedelta(minutes=1))
    return by if by > timedelta(0) else None


def take_back_button(rental: Rental) -> Json | None:
    """Return the button that withdraws a pending request for more time, or keeps a machine that ends soon.

    The label is `Withdraw the request` or `Keep k7mq2`. None if there is nothing to withdraw or cancel.
    """
    if rental.extension is None:
        return keep_button(rental)
    value = VersionValue(rental_id=rental.id, version=rental.extension.terms.version)
    return button("Withdraw the request", Action.WITHDRAW, value)


def extend_form_button(rental: Rental) -> Json:
    """Return the button `Extend`, which opens a dialog.

    If a request for more time is pending, the button withdraws this request instead. If the machine ends soon
    because it is being destroyed gracefully or its jobs are done, the button keeps the machine.
    """
    return take_back_button(rental) or button("Extend", Action.EXTEND_FORM, RentalValue(rental_id=rental.id))


def extend_by_button(rental: Rental, longer: timedelta) -> Json:
    value = ExtendValue(rental_id=rental.id, by=longer, shown_end=rental.running_lease.ends_at)
    return button(f"Extend {rental.id} by {span(longer)}", Action.EXTEND, value)


def extend_until_button(rental: Rental, until: datetime) -> Json:
    return button(f"Extend {rental.id}", Action.EXTEND_UNTIL, UntilValue(rental_id=rental.id, by=until))


def end_when_done_button(
    rental: Rental, now: datetime, *, longer: timedelta = timedelta(0), until: datetime | None = None
) -> Json:
    """Return the button `End k7mq2 when its job is done`.

    The machine then ends at `until` at the latest. Without `until`, the latest time is the end of the lease plus
    `longer`. The button never makes a lease shorter than it is now.
    """
    lease = rental.running_lease
    latest = max(until or max(lease.ends_at, now) + longer, lease.last_end)
    value = UntilDoneValue(rental_id=rental.id, by=latest)
    return button(f"End {rental.id} when its job is done", Action.END_WHEN_DONE, value)


def keep_button(rental: Rental) -> Json | None:
    """Return the button `Keep k7mq2`, for a machine that would otherwise be destroyed early.

    A machine is destroyed early if somebody asked to destroy it gracefully, or if its jobs are done. None if
    neither is the case, or if the lease wouldn't get longer. If a machine is destroyed early because its heartbeat
    is lost, the button is `Keep k7mq2 for 1 h`.
    """
    lease = rental.lease
    if lease is not None and lease.heartbeat_end is not None:
        return keep_without_heartbeat_button(rental)
    if lease is not None and lease.ends_when_done:
        return button(f"Keep {rental.id}", Action.KEEP_WHEN_DONE, RentalValue(rental_id=rental.id))
    first = lease.graceful_destroy if lease is not None else None
    if lease is None or first is None or first.ends_at <= lease.ends_at:
        return None
    return button(f"Keep {rental.id}", Action.EXTEND_UNTIL, UntilValue(rental_id=rental.id, by=first.ends_at))


def keep_without_heartbeat_button(rental: Rental) -> Json:
    """Return the button `Keep k7mq2 for 1 h`, for a machine whose heartbeat is lost."""
    label = f"Keep {rental.id} for {span(KEEP_FOR)}"
    return button(label, Action.KEEP_WITHOUT_HEARTBEAT, RentalValue(rental_id=rental.id))


def end_button(rental: Rental) -> Json:
    """Return the button `End k7mq2`, for a machine whose heartbeat is lost. It opens a dialog, as Destroy does."""
    return button(f"End {rental.id}", Action.DESTROY, RentalValue(rental_id=rental.id), style="danger")


def show_button(rental_id: str) -> Json:
    return button(f"Show {rental_id}", Action.SHOW_RENTAL, RentalValue(rental_id=rental_id))


def destroy_button(rental: Rental) -> Json:
    """Return the button `Destroy k7mq2`, or `Destroy k7mq2 now` if the machine ends soon anyway.

    It ends soon if somebody is destroying it gracefully, if its jobs are done, or if its heartbeat is lost.
    """
    lease = rental.lease
    now = " now" if lease is not None and (lease.graceful_destroy is not None or lease.ends_early) else ""
    return button(f"Destroy {rental.id}{now}", Action.DESTROY, RentalValue(rental_id=rental.id), style="danger")


def withdraw_button(rental: Rental) -> Json:
    version = VersionValue(rental_id=rental.id, version=rental.terms.version)
    return button("Withdraw", Action.WITHDRAW, version)


def stop_button(quote_id: str, about: str) -> Json:
    """Return the button [Stop waiting].

    `about` is a description for screen readers: the rental or the request on the waitlist.
    """
    return button("Stop waiting", Action.STOP_WAITING, QuoteValue(quote_id=quote_id), about=about)


def decision_buttons(rental: Rental, now: datetime) -> tuple[Json | None, ...]:
    """Return the buttons with which an approver approves or denies the newest version of a request.

    The button [Approve fewer hours] is left out if no shorter lease is possible.
    """
    terms = rental.newest_terms
    value = VersionValue(rental_id=rental.id, version=terms.version)
    approve = f"Approve up to {say_at_most(terms.total)}"
    fewer = button("Approve fewer hours", Action.FEWER_HOURS, value) if lengths_to_choose(rental, now) else None
    return (
        button(approve, Action.APPROVE, value, style="primary"),
        fewer,
        button("Deny", Action.DENY, value),
    )
