"""Makes a request wait for a decision again."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.transitions import await_decision
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.offer import Offer
from bot.model.rental import Decider, Rental, Waiting
from bot.policy.rules import Rules
from bot.policy.spending import propose


def ask_again(
    snapshot: RentalSnapshot, why: Why, now: datetime, rules: Rules, offer: Offer | None = None
) -> RentalSnapshot:
    """Make the request wait for a decision again, on `offer` if it is outside the envelope.

    The owner decides if the rules allow that, else an approver. If too little time is left until its end, it waits
    for the owner: only they can name another end, and that is asked of an approver as usual.
    """
    rental = snapshot.rental
    proposal = propose(
        rental.request,
        offer.rate if offer else rental.envelope.price,
        rules,
        version=rental.envelope.version + 1,
        spent=snapshot.spent(now).amount,
    )
    by_approver = proposal.over and why is not Why.TOO_LITTLE_TIME
    waiting = Waiting(
        decider=Decider.APPROVER if by_approver else Decider.OWNER,
        why=why,
        expires_at=now + rules.approval.expires,
    )
    after = await_decision(
        rental,
        waiting,
        envelope=proposal.envelope,
        clicked_offer=offer.offer_id if offer else rental.clicked_offer,
        now=now,
    )
    bill = snapshot.spent(now)
    known = not rental.bought_later and all(attempt.settled for attempt in snapshot.attempts)
    facts = changed(
        envelope_facts(after),
        before=rental.envelope.max_rate,
        vendor=offer.vendor if offer else None,
        amount=bill.amount if known else None,
        estimated=bill.estimated if known else None,
    )
    return snapshot.with_rental(after, Event(rental_id=rental.id, kind=EventKind.ASKED_AGAIN, at=now, facts=facts))


def envelope_facts(rental: Rental) -> Facts:
    """Return what the rental's envelope allows, for an event."""
    envelope, waiting = rental.envelope, rental.waiting
    return Facts(
        envelope=envelope.version,
        rate=envelope.price,
        max_rate=envelope.max_rate,
        total=envelope.total,
        hours=envelope.lease,
        until=waiting.expires_at if waiting else None,
        why=waiting.why if waiting else None,
    )
