"""Sends a request back to wait for another decision."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.errors import Refused
from bot.lifecycle.changes.snapshot import RentalSnapshot
from bot.lifecycle.changes.transitions import await_decision
from bot.lifecycle.money.budgets import passed_by
from bot.lifecycle.people.deciders import Deciders, deciders
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.budget import Demand
from bot.model.event import Event, EventKind
from bot.model.facts import RequestFacts
from bot.model.offer import Offer
from bot.model.rental import Decider, PendingDecision, Rental
from bot.model.request import Terms
from bot.model.summary import Proposal
from bot.policy.buying.budgets import is_lowered, rules_of_project, say_passed
from bot.policy.buying.spending import needs_approver, propose
from bot.policy.team.hours import after_hours
from bot.policy.team.rules import Rules, WhenOver
from store.db import Tx


async def ask_again(
    tx: Tx, snapshot: RentalSnapshot, why: Why, *, now: datetime, rules: Rules, offer: Offer | None = None
) -> RentalSnapshot:
    """Make a request wait for another decision.

    If an offer is outside the approved terms, `offer` is that offer, and the decision is about its price.

    If the rules allow the owner to decide alone, the owner decides. Otherwise, an approver decides. There is one
    exception: if too little time is left until the requested end of the lease, the owner has to choose another
    end first. After that, an approver decides as usual. If the request of a program exceeds the terms of its
    token, an approver always decides.
    """
    rental = snapshot.rental
    rules = rules_of_project(rules, rental.project)
    proposal = propose(
        rental.request,
        offer.gpu if offer else rental.terms.gpu,
        offer.rate if offer else rental.terms.price,
        rules,
        version=rental.terms.version + 1,
        spent=snapshot.spent_at_most(now),
    )
    if rental.waitlist_entry is not None and offer is None:
        # A waitlist entry keeps its price, because this price isn't that of an offer: it is the highest price that
        # the owner accepts.
        terms = changed(rental.terms, version=rental.terms.version + 1)
        over = needs_approver(terms.gpu, terms.count, terms.price, terms.total, rules)
        proposal = Proposal(terms=terms, over=over)
    after = changed(rental, terms=proposal.terms)
    passed = await passed_by(tx, rules, after, now, whole=why is Why.OVER_BUDGET)
    by_approver = (proposal.over or passed or why is Why.BEYOND_TERMS) and why is not Why.TOO_LITTLE_TIME
    asked = await deciders(tx, rules, [rental.owner], now) if by_approver else None
    if asked is None:
        decision = PendingDecision(decider=Decider.OWNER, why=why, expires_at=now + rules.approval.expires)
    else:
        decision = pending_decision(asked, now, rules, why)
    after = await_decision(
        rental,
        decision,
        terms=proposal.terms,
        clicked_offer=offer.offer_id if offer else rental.clicked_offer,
        now=now,
    )
    bill = snapshot.spent(now)
    known = not rental.bought_after_backup and all(attempt.closed for attempt in snapshot.attempts)
    facts = changed(
        terms_facts(after, asked),
        before=rental.terms.max_rate,
        vendor=offer.vendor if offer else None,
        gpu=after.terms.gpu,
        before_gpu=rental.terms.gpu if why is Why.OTHER_GPU else None,
        amount=bill.amount if known else None,
        estimated=bill.estimated if known else None,
        read_at=offer.read_at if offer else await _read_at(tx, rental),
    )
    return snapshot.with_rental(after, Event(rental_id=rental.id, kind=EventKind.ASKED_AGAIN, at=now, facts=facts))


async def budgets_to_ask_about(
    tx: Tx, rental: Rental, after: Rental, now: datetime, rules: Rules, *, owner: str | None = None
) -> tuple[Demand, ...]:
    """Return the budgets that a waiting rental would exceed if it were bought now. An approver has to allow this.

    Args:
        rental: The rental, which waits for an offer.
        after: The rental, as it would be bought.
        owner: The name of the owner, if somebody else reads the error message.

    Raises Refused if the policy refuses such rentals instead.
    """
    passed = await passed_by(tx, rules, after, now, whole=True)
    if passed and rules.budgets.over is WhenOver.REFUSE:
        raise Refused(say_passed(passed[0], owner))
    # This rental reserved its share of the budgets when it joined the waitlist. Since then, an approver may have
    # allowed other rentals to exceed a budget. This rental must not suffer from that, so check only the budgets
    # that an admin has lowered since then.
    before = rental.waitlist_entry.budgets if rental.waitlist_entry is not None else None
    added = () if rental.approved_by is not None else await passed_by(tx, rules, after, now)
    return tuple(demand for demand in passed if is_lowered(demand, before)) or added


async def _read_at(tx: Tx, rental: Rental) -> datetime | None:
    """Return the time at which the price in the rental's terms was read.

    The time is taken from the newest event that records one. None if no event does.
    """
    read = [getattr(event.facts, "read_at", None) for event in await tx.events.of(rental.id)]
    return next((one for one in reversed(read) if one is not None), None)


def pending_decision(asked: Deciders, now: datetime, rules: Rules, why: Why | None = None) -> PendingDecision:
    """Return a new pending decision about a request. `asked` are the people who are asked about it.

    The time limit is `approval.expires`. It runs only while at least one of these people can be asked.
    """
    expires_at = after_hours(now, rules.approval.expires, asked.hours, rules.hours)
    return PendingDecision(decider=Decider.APPROVER, why=why, expires_at=expires_at)


def others_facts(asked: Deciders) -> dict[str, Any]:
    """Return the approvers who are away, and the people who are asked instead.

    The returned facts are stored in an event. If at least one approver can be asked, there are no facts to store.
    If all approvers are away, `away` contains them, and `then` contains the people who are asked instead. If
    nobody at all can be asked, only `away` is set.
    """
    who = asked.asked
    if who.others_instead:
        return {"then": who.others, "away": who.away}
    return {} if who.people else {"away": who.away}


def allowed_by(terms: Terms) -> dict[str, Any]:
    """Return the price, total and length that an approval of these terms allows.

    The result is stored in an event.
    """
    return {
        "terms": terms.version,
        "max_rate": terms.max_rate,
        "total": terms.total,
        "hours": terms.lease,
    }


def terms_facts(rental: Rental, asked: Deciders | None = None) -> RequestFacts:
    """Return the approved terms of a rental, and the people who have to decide.

    The result is stored in an event.
    """
    terms, decision = rental.terms, rental.decision
    return RequestFacts(
        **allowed_by(terms),
        rate=terms.price,
        until=decision.expires_at if decision else None,
        why=decision.why if decision else None,
        people=asked.people if asked else (),
        admins_decide=asked.admins_decide if asked else None,
        **(others_facts(asked) if asked else {}),
    )
