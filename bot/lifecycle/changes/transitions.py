"""The transitions of a rental, with one function for each.

A function sets every field that belongs to its transition, returns the next version of the rental, and doesn't
write to the store. The table of transitions is in bot/model/state.py.

`alter` makes changes that keep the state. More complex changes of this kind are in
bot/lifecycle/changes/lease_changes.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.machine_use import Use
from bot.model.offer import Offer
from bot.model.quote import Quote, WaitlistEntry
from bot.model.rental import Alarm, Blocked, Ending, Lease, PendingDecision, Rental
from bot.model.request import Request, Terms
from bot.model.state import ForbiddenTransition, State, check_change, check_transition
from bot.model.token import Program
from bot.policy.buying.fewer_hours import FewerHours
from bot.policy.buying.waiting import searched_again, waitlist_entry_for
from bot.policy.use.end_notices import approval_notice_at
from bot.policy.use.jobs import lease_for_new_owner
from bot.policy.use.questions import after_asking, for_new_owner

ALARM_AFTER = timedelta(minutes=5)
"""The time that a deletion can take before people are notified that it isn't confirmed."""
ACKNOWLEDGED_SILENCE = timedelta(hours=2)
"""The time without further notices after someone has acknowledged an alarm."""


def _move(rental: Rental, to: State, **fields: Any) -> Rental:
    """Return the next version of a rental, in another state."""
    check_transition(rental.state, to)
    return changed(rental, **fields, state=to, version=rental.version + 1)


def alter(rental: Rental, **fields: Any) -> Rental:
    """Return the next version of a rental, with new values for some fields, but not for the state."""
    return changed(rental, **fields, version=rental.version + 1)


# --- the next step


def schedule(rental: Rental, due_at: datetime | None) -> Rental:
    """Set the due time of the next step. This doesn't create a new version of the rental.

    `due_at` is None if nothing is due until the rental changes.
    """
    return changed(rental, due_at=due_at)


# --- the request


def new_rental(
    quote: Quote,
    offer: Offer | None,
    *,
    rental_id: str,
    card_channel: str,
    terms: Terms,
    decision: PendingDecision | None,
    now: datetime,
    replaces: Rental | None = None,
    waitlist_entry: WaitlistEntry | None = None,
    idempotency_key: str | None = None,
    program: Program | None = None,
) -> Rental:
    """Return a new rental, in its initial state.

    With a `decision`, the rental first waits for that decision. Without a decision but with a `waitlist_entry`,
    the rental waits for an offer. With neither, a machine is bought immediately. A rental that `replaces` another
    rental keeps the approver of that rental, unless it needs a new decision. A quote that a program requested with
    a token comes with an `idempotency_key` and a `program`.
    """
    state, due_at = (State.PROCURING, now) if waitlist_entry is None else (State.QUEUED, waitlist_entry.until)
    return Rental(
        id=rental_id,
        state=state if decision is None else State.AWAITING_APPROVAL,
        quote_id=quote.id,
        owner=quote.owner,
        project=quote.project,
        card_channel=card_channel,
        request=quote.request,
        teammates=quote.request.teammates,
        clicked_offer=offer.offer_id if offer is not None else "",
        terms=terms,
        decision=decision,
        waitlist_entry=waitlist_entry,
        created_at=now,
        approved_by=replaces.approved_by if replaces is not None and decision is None else None,
        replaces=replaces.id if replaces is not None else None,
        procuring_since=now if decision is None and waitlist_entry is None else None,
        token_id=quote.token_id,
        idempotency_key=idempotency_key,
        program=program,
        due_at=due_at if decision is None else decision.expires_at,
    )


def change_request(
    rental: Rental,
    quote: Quote,
    offer: Offer,
    *,
    terms: Terms,
    decision: PendingDecision | None,
    now: datetime,
) -> Rental:
    """Replace a pending request with the new request in `quote`.

    The new request waits for `decision`. If `decision` is None, the machine is bought immediately. The new request
    never waits for an offer, because `offer` is already available.
    """
    fields = {
        "quote_id": quote.id,
        "project": quote.project,
        "request": quote.request,
        "teammates": quote.request.teammates,
        "clicked_offer": offer.offer_id,
        "terms": terms,
        "waitlist_entry": None,
    }
    if decision is None:
        return _procure(rental, now, **fields)
    return _move(rental, State.AWAITING_APPROVAL, **fields, decision=decision, due_at=now)


def add_teammates(rental: Rental, people: Iterable[str]) -> Rental:
    """Share the rental with more people."""
    return alter(rental, teammates=tuple(dict.fromkeys((*rental.teammates, *people))))


def change_owner(
    rental: Rental,
    owner: str,
    now: datetime,
    *,
    asked_about: Use | None = None,
    quiet_until: datetime | None = None,
) -> Rental:
    """Transfer the rental to a new owner. A new owner who was a teammate stops being one.

    The former owner's last activity and the questions that the former owner was asked are no longer taken into
    account. If the machine was about to end because its jobs are done or its heartbeat is lost, the previous end
    of the lease is restored. Jobs that ended before don't end it any more. If a program rented the machine, the
    rental is no longer the program's: it needs no heartbeats, and the new owner gets the usual messages.

    Args:
        asked_about: The usage status that the message to the new owner asks about. None if the message asks
            nothing.
        quiet_until: The time before which the new owner is asked nothing. Set if the new owner accepted the
            machine. None if an admin transferred it.
    """
    lease = rental.lease
    if lease is not None:
        question = for_new_owner(lease.question)
        question = question if asked_about is None else after_asking(question, asked_about, now)
        question = changed(question, quiet_until=quiet_until)
        lease = changed(lease_for_new_owner(rental, now), seen_at=now, question=question)
    teammates = tuple(one for one in rental.teammates if one != owner)
    return alter(
        rental,
        owner=owner,
        teammates=teammates,
        lease=lease,
        program=None,
        lost_heartbeat=None,
        due_at=rental.due_at if lease is None else now,
    )


def approve(rental: Rental, now: datetime, *, approver: str | None, fewer: FewerHours | None = None) -> Rental:
    """Start to buy the machine of an approved request.

    If the request is for the waitlist, the rental starts to wait for an offer instead.

    The owner is notified immediately if fewer hours were approved than requested. If all hours were approved, they
    are notified only if the machine isn't ready after a while.

    Args:
        approver: The person who approved the request. None if the owner decided alone.
        fewer: The shorter lease that was approved. None if the request was approved in full.
    """
    fields: dict[str, Any] = {} if fewer is None else {"request": fewer.request, "terms": fewer.terms}
    fields["approved_by"] = approver or rental.approved_by
    fields["approval_notice_at"] = approval_notice_at(rental, approver, now) if fewer is None else None
    entry = rental.waitlist_entry
    if entry is not None:
        if rental.program is not None:
            entry = searched_again(entry, now)
            if rental.decision is not None and rental.decision.why is Why.BEYOND_TERMS:
                fields["program"] = changed(rental.program, beyond_terms=True)
        return _queue(
            rental,
            **fields,
            waitlist_entry=waitlist_entry_for(entry, fields.get("request", rental.request)),
        )
    return _procure(rental, now, **fields)


def _procure(rental: Rental, now: datetime, **fields: Any) -> Rental:
    return _move(rental, State.PROCURING, **fields, decision=None, procuring_since=now, blocked=None, due_at=now)


# --- waiting for an offer


def _queue(rental: Rental, *, waitlist_entry: WaitlistEntry, **fields: Any) -> Rental:
    none = dict.fromkeys(("decision", "procuring_since", "blocked", "accepted_at"))
    notice_at = fields.get("approval_notice_at", rental.approval_notice_at)
    due_at = waitlist_entry.until if notice_at is None else min(waitlist_entry.until, notice_at)
    return _move(rental, State.QUEUED, **none, **fields, waitlist_entry=waitlist_entry, due_at=due_at)


def buy_for_waitlist_entry(rental: Rental, offer: Offer, now: datetime) -> Rental:
    """Buy an offer that fits the rental's waitlist entry."""
    terms = changed(rental.terms, gpu=offer.gpu, price=offer.rate)
    return _procure(rental, now, clicked_offer=offer.offer_id, terms=terms)


def buy_for_program(rental: Rental, offer: Offer, terms: Terms, ends_by: datetime, now: datetime) -> Rental:
    """Buy an offer that was found for the request of a program, on the terms for this offer.

    `ends_by` is the time by which the lease has to end.
    """
    program = None if rental.program is None else changed(rental.program, ends_by=ends_by)
    return _procure(rental, now, clicked_offer=offer.offer_id, terms=terms, program=program)


def rent_dearer(
    rental: Rental,
    request: Request,
    offer: Offer,
    *,
    terms: Terms,
    decision: PendingDecision | None,
    now: datetime,
) -> Rental:
    """Buy an offer that costs more than the owner had allowed for their waitlist entry.

    If `decision` is given, an approver has to make this decision before the purchase.
    """
    fields = {"request": request, "terms": terms, "clicked_offer": offer.offer_id}
    if decision is None:
        return _procure(rental, now, **fields)
    return _move(rental, State.AWAITING_APPROVAL, **fields, decision=decision, due_at=now)


def wait_on(rental: Rental, waitlist_entry: WaitlistEntry) -> Rental:
    """Wait for the next suitable offer, because the last offer has sold out.

    If the owner has seen the price of a GPU model, only that model is suitable. If they haven't, every model in
    their request is suitable. If an approver has approved the request of a program, only the approved model is.
    """
    gpu = waitlist_entry.gpu or rental.request.gpu
    if rental.program is not None and rental.approved_by is not None:
        gpu = rental.terms.gpu
    terms = changed(rental.terms, gpu=gpu, price=rental.terms.max_rate)
    no_machine = dict.fromkeys(("gpu", "rate", "vendor", "vendor_region"))
    return _queue(rental, **no_machine, waitlist_entry=waitlist_entry, terms=terms)


def await_decision(
    rental: Rental, decision: PendingDecision, *, terms: Terms, clicked_offer: str, now: datetime
) -> Rental:
    """Make a request wait for another decision.

    This is necessary if the available offer is outside the approved terms, or if too little time is left.
    """
    return _move(
        rental,
        State.AWAITING_APPROVAL,
        terms=terms,
        clicked_offer=clicked_offer,
        gpu=None,
        decision=decision,
        approval_notice_at=None,
        procuring_since=None,
        blocked=None,
        due_at=now,
    )


# --- buying


def begin_attempt(rental: Rental, offer: Offer, now: datetime) -> Rental:
    """Begin an attempt to buy `offer`."""
    return alter(
        rental,
        attempts=rental.attempts + 1,
        gpu=offer.gpu,
        rate=offer.rate,
        vendor=offer.vendor,
        vendor_region=offer.vendor_region,
        due_at=now,
    )


def block_buying(rental: Rental, since: datetime, why: Why | None = None) -> Rental:
    """Record that buying has been blocked since `since`.

    If buying was already blocked, the earlier time is kept.
    """
    before = rental.blocked or Blocked(since=since)
    return alter(rental, blocked=changed(before, why=why or before.why))


def accept(rental: Rental, *, now: datetime, due_at: datetime) -> Rental:
    """Move to `provisioning`, because the market has accepted the attempt."""
    return _move(rental, State.PROVISIONING, blocked=None, accepted_at=now, due_at=due_at)


def give_up_attempt(rental: Rental, now: datetime) -> Rental:
    """Start the next purchase of a machine, because the present one has failed or took too long.

    If people have been notified that the vendor hasn't confirmed a deletion, the next notice is postponed.
    """
    return _move(
        rental,
        State.PROCURING,
        procuring_since=rental.procuring_since or now,
        accepted_at=None,
        quiet_since_real=None,
        host=None,
        port=None,
        alarm=_postponed(rental, now),
        due_at=now,
    )


def become_ready(
    rental: Rental,
    *,
    host: str | None,
    port: int,
    host_key: str | None = None,
    rate: Decimal,
    lease: Lease,
    unreachable: bool = False,
) -> Rental:
    """Move to `ready`. The machine can be used starting at `lease.ready_at`.

    `unreachable` says that no SSH server has responded on the machine yet.
    """
    return _move(
        rental,
        State.READY,
        host=host,
        port=port,
        host_key=host_key,
        rate=rate,
        lease=lease,
        approval_notice_at=None,
        blocked=None,
        quiet_since_real=rental.quiet_since_real if unreachable else None,
        due_at=lease.ready_at,
    )


# --- the end


def begin_destroying(rental: Rental, ending: Ending, at: datetime) -> Rental:
    """Begin to destroy all machines of the rental.

    If people have been notified of an unconfirmed deletion, the next notice about it is postponed.
    """
    return _move(
        rental, State.DESTROYING, **_ended(changed(ending, since=at)), alarm=_postponed(rental, at), due_at=at
    )


def _postponed(rental: Rental, now: datetime) -> Alarm | None:
    return None if rental.alarm is None else changed(rental.alarm, at=now + ALARM_AFTER)


def end_now(rental: Rental, ending: Ending, at: datetime) -> Rental:
    """End a rental immediately, because none of its machines is still running.

    In a single change, the rental moves to `destroying` and then to its final state, so that people get only one
    notification.
    """
    if not ending.outcome.over or rental.state.over:
        raise ForbiddenTransition(f"{rental.state} -> {ending.outcome}")
    check_change(rental.state, ending.outcome)
    fields = _ended(ending)
    return changed(rental, **fields, state=ending.outcome, over_at=at, due_at=None, version=rental.version + 1)


def confirm_destroyed(rental: Rental, at: datetime) -> Rental:
    """End a rental in state `destroying`, because the termination of all its machines is confirmed."""
    ending = rental.ending or Ending(outcome=State.DESTROYED)
    return _move(rental, ending.outcome, ending=ending, over_at=at, due_at=None)


def _ended(ending: Ending) -> dict[str, Any]:
    none = ("decision", "approval_notice_at", "extension", "blocked", "quiet_since_real")
    return {"ending": ending, **dict.fromkeys(none)}
