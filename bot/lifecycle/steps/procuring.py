"""Buying: one attempt at a time, its intent committed before its one call, and no other until it is proven."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from bot.errors import BuyingBlock, BuyingBlocked, LockedOut, MarketAway, OfferTaken, RateLimited
from bot.lifecycle.account import buying_block, check_buying
from bot.lifecycle.billing import cost_something
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.ports.outside import Procured
from bot.lifecycle.service.renting import envelope_facts
from bot.lifecycle.snapshot import RentalSnapshot, save
from bot.lifecycle.steps.deletion import marked_as_overdue
from bot.lifecycle.steps.polling import again_at, poll_at, soonest
from bot.lifecycle.steps.reconcile import look, named, of_others
from bot.lifecycle.transitions import (
    accept,
    await_decision,
    begin_attempt,
    block_buying,
    finish,
    give_up_attempt,
    unblock_buying,
)
from bot.model.attempt import Attempt, AttemptState, Why
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.offer import Offer
from bot.model.person import Key
from bot.model.rental import Blocked, Decider, Waiting
from bot.model.state import State
from bot.model.summary import AccruedCost
from bot.policy.offers import fits
from bot.policy.spending import propose, provisioning_budget

BLOCKED_AT_MOST = timedelta(minutes=15)
"""Kept from buying for that long, it asks again instead of surprising anyone later."""
STILL_FRESH = timedelta(seconds=30)
"""An offer that expires sooner is not tried: its price could lapse under the call."""
LEAST_TIME = timedelta(minutes=3)
"""An attempt is only begun where the envelope's total leaves it that long to get ready."""
WHY_BLOCKED = {BuyingBlock.PAUSED: Why.PAUSED, BuyingBlock.TOKEN_REFUSED: Why.UNAUTHORIZED}
SAYS_FAILED = frozenset({Why.SOLD_OUT, Why.VENDOR_FAILED})
HELD_UP = frozenset({Why.OUTAGE, Why.RATE_LIMITED, Why.UNAUTHORIZED})
"""The market, not the offer, is why these attempts bought nothing: they don't count as tried."""
NEEDS_NEW_QUOTE = HELD_UP | {Why.EXPIRED}
"""After these the same place may still sell it, under a new offer: a new quote before anything dearer."""


async def procure(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Settles the attempt under way, or starts the next."""
    due_at = snapshot.rental.due_at
    if due_at is not None and deps.clock.now() - due_at >= BLOCKED_AT_MOST:
        # Nobody was here to do it: that too keeps from buying.
        snapshot = _kept_since(snapshot, due_at)
    if snapshot.attempts and marked_as_overdue(snapshot.attempts[-1]):
        snapshot = note_overdue(deps, snapshot, snapshot.attempts[-1])
    attempt = snapshot.live
    now = deps.clock.now()
    if attempt is None and any(not a.settled and a.delete_accepted_at is None for a in snapshot.attempts):
        return _later(snapshot, poll_at(now))  # something turned up late, and is still to be accepted for deletion
    if attempt is None:
        return await _buy_next(deps, snapshot)
    if attempt.marked_for_deletion:
        return _later(snapshot, poll_at(now))
    try:
        snapshot, progress = await look(deps, snapshot, attempt)
    except MarketAway as away:
        # From now on it is also kept from buying: whatever this proves, it may be too late to go on with.
        return _later(_note_unknown(_kept_since(snapshot, now), attempt, now), again_at(now, away))
    # An answer ends an outage. It doesn't end a rate limit: only the answer to the next purchase does, so that
    # purchases that are turned away again and again are given back to people too.
    blocked = snapshot.rental.blocked
    if blocked is not None and now - blocked.since < BLOCKED_AT_MOST and attempt.why not in HELD_UP:
        snapshot = snapshot.with_rental(unblock_buying(snapshot.rental))
    attempt = next(a for a in snapshot.attempts if a.n == attempt.n)
    if attempt.state is AttemptState.BOUGHT:
        if progress.failed or attempt.why in SAYS_FAILED:
            return give_up(snapshot, attempt, Why.VENDOR_FAILED, now)
        return _accepted(snapshot, attempt, now)
    if attempt.settled:
        return await _buy_next(deps, snapshot)
    if progress.in_progress and attempt.why not in SAYS_FAILED:
        # Bought, by the status's word, though there is nothing to show yet. From here on it has a time-out.
        return _accepted(snapshot, attempt, now)
    if now - attempt.intended_at >= deps.rules.procure.provision_timeout:
        return give_up(snapshot, attempt, Why.VENDOR_FAILED, now)
    return _later(_note_unknown(snapshot, attempt, now), poll_at(now))


def _kept_since(snapshot: RentalSnapshot, since: datetime) -> RentalSnapshot:
    """Kept from buying since then, or since earlier."""
    return snapshot.with_rental(block_buying(snapshot.rental, since))


def note_overdue(deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt) -> RentalSnapshot:
    """The case of an attempt that the overdue deletion ended: no step of ours worked since its time was up, so
    nothing is bought after it without asking."""
    return _kept_since(snapshot, attempt.intended_at + deps.rules.procure.provision_timeout)


def give_up(
    snapshot: RentalSnapshot, attempt: Attempt, why: Why, now: datetime, detail: str = ""
) -> RentalSnapshot:
    """The attempt is to be destroyed; the next one follows once its deletion is accepted."""
    doomed = changed(attempt, marked_for_deletion=True, why=why, detail=detail or attempt.detail)
    after = give_up_attempt(snapshot.rental, now)
    facts = Facts(vendor=attempt.offer.vendor, rate=attempt.offer.rate, why=why, detail=detail or None)
    return snapshot.with_facts(doomed).with_rental(after).with_event(EventKind.GIVEN_UP, now, facts)


def _later(snapshot: RentalSnapshot, due_at: datetime | None) -> RentalSnapshot:
    return snapshot.with_due(due_at)


def _note_unknown(snapshot: RentalSnapshot, attempt: Attempt, now: datetime) -> RentalSnapshot:
    """From intended to unknown, told once."""
    if attempt.state is not AttemptState.INTENDED:
        return snapshot
    facts = Facts(vendor=attempt.offer.vendor, rate=attempt.offer.rate, why=attempt.why or Why.NO_ANSWER)
    unknown = changed(attempt, state=AttemptState.UNKNOWN, why=attempt.why or Why.NO_ANSWER)
    return snapshot.with_facts(unknown).with_event(EventKind.NO_ANSWER, now, facts)


def _accepted(snapshot: RentalSnapshot, attempt: Attempt, now: datetime) -> RentalSnapshot:
    bought = changed(attempt, accepted=True, state=AttemptState.BOUGHT, why=None)
    after = accept(snapshot.rental, now=now, due_at=poll_at(now))
    facts = Facts(vendor=attempt.offer.vendor, vendor_region=attempt.offer.vendor_region, rate=attempt.offer.rate)
    return snapshot.with_facts(bought).with_rental(after).with_event(EventKind.ACCEPTED, now, facts)


# --- the next attempt


async def _buy_next(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    now, rental = deps.clock.now(), snapshot.rental
    tried = [a for a in snapshot.attempts if a.why not in HELD_UP]
    if len(tried) >= deps.rules.procure.attempts:
        return _fail(snapshot, Why.TOO_MANY_ATTEMPTS, now)
    if rental.blocked is not None and now - rental.blocked.since >= BLOCKED_AT_MOST:
        return ask_again(deps, snapshot, Why.BUYING_BLOCKED, now)
    async with deps.store.read() as tx:
        block = await buying_block(tx)
        if block is not None:
            return _kept(deps, snapshot, WHY_BLOCKED[block], now)
        quote = await tx.quotes.get(rental.quote_id)
        key = await tx.people.key(rental.owner)
    if quote is None or key is None:
        return _fail(snapshot, Why.NOTHING_LEFT, now)
    last = snapshot.attempts[-1].why if snapshot.attempts else None
    offers = [] if last in NEEDS_NEW_QUOTE else [o for o in quote.offers if o.expires_at - STILL_FRESH > now]
    begun = await _buy_first(deps, snapshot, offers, key)
    if begun is not None:
        return begun
    try:
        offers = list(await deps.market.offers(rental.request))
    except MarketAway as away:
        return _kept(deps, snapshot, _why(away), now, away)
    async with deps.store.write() as tx:
        await tx.quotes.save(changed(quote, offers=tuple(offers), found_at=now))
    begun = await _buy_first(deps, snapshot, offers, key)
    if begun is not None:
        return begun
    inside = _inside(deps, offers, snapshot, now)
    outside = [offer for offer in _untried(offers, snapshot) if offer not in inside]
    if outside:
        return ask_again(deps, snapshot, Why.DEARER, now, outside[0])
    return _fail(snapshot, Why.NOTHING_LEFT, now)


async def _buy_first(
    deps: StepDeps, snapshot: RentalSnapshot, offers: list[Offer], key: Key
) -> RentalSnapshot | None:
    """Tries to buy the first of the offers that is allowed and that nobody has had; None where there is none."""
    for offer in _inside(deps, offers, snapshot, deps.clock.now()):
        try:
            intended, attempt = await _intend(deps, snapshot, offer, key)
        except OfferTaken:
            continue
        except BuyingBlocked:  # since this step began
            return _later(snapshot, deps.clock.now())
        return await _call(deps, intended, attempt, key)
    return None


def _untried(offers: list[Offer], snapshot: RentalSnapshot) -> list[Offer]:
    """What fits and isn't from where this rental failed before, the clicked one first."""
    rental = snapshot.rental
    ids = {attempt.offer.offer_id for attempt in snapshot.attempts}
    failed = {_place(a.offer) for a in snapshot.attempts if a.why not in NEEDS_NEW_QUOTE}
    fitting = [o for o in offers if fits(o, rental.request) and o.offer_id not in ids and _place(o) not in failed]
    return sorted(fitting, key=lambda offer: (offer.offer_id != rental.clicked_offer, offer.rate))


def _inside(deps: StepDeps, offers: list[Offer], snapshot: RentalSnapshot, now: datetime) -> list[Offer]:
    """What the envelope allows: its rate, and its total together with what earlier attempts billed."""
    envelope, billed = snapshot.rental.envelope, snapshot.spent(now).amount
    least = min(LEAST_TIME, deps.rules.procure.provision_timeout)
    return [
        offer
        for offer in _untried(offers, snapshot)
        if offer.rate <= envelope.max_rate
        and provisioning_budget(envelope.total, billed, offer.rate, envelope.lease, deps.rules) >= least
    ]


def _place(offer: Offer) -> tuple[str, str | None, str]:
    return offer.vendor, offer.vendor_region, offer.gpu


async def _intend(
    deps: StepDeps, snapshot: RentalSnapshot, offer: Offer, key: Key
) -> tuple[RentalSnapshot, Attempt]:
    """Commit the attempt before anything is called. Raise OfferTaken, BuyingBlocked if buying is blocked by now,
    and Stale if someone else changed the rental."""
    now, rental = deps.clock.now(), snapshot.rental
    n = rental.attempts + 1
    attempt = Attempt(
        rental_id=rental.id,
        n=n,
        state=AttemptState.INTENDED,
        offer=offer,
        resource_name=f"gpubot-{rental.id}-{n}",
        public_key=key.line,
        key_comment=key.comment,
        intended_at=now,
    )
    before = snapshot.attempts[-1] if snapshot.attempts else None
    facts = Facts(
        vendor=offer.vendor,
        vendor_region=offer.vendor_region,
        rate=offer.rate,
        before=before.offer.rate if before else None,
        before_vendor=before.offer.vendor if before else None,
        why=before.why if before else None,
        detail=before.detail or None if before else None,
        paid=_paid(snapshot, before) if before else None,
    )
    after = begin_attempt(rental, offer, now)
    told = snapshot.with_facts(attempt).with_rental(after).with_event(EventKind.RENTING, now, facts)
    return await save(deps, told, unless=check_buying), attempt


def _paid(snapshot: RentalSnapshot, attempt: Attempt) -> bool | None:
    """Whether an attempt cost something; None if that is not known, or not yet."""
    if not attempt.settled:
        return None
    ids = {resource.resource_id for resource in snapshot.resources_of(attempt)}
    rows = [row for row in snapshot.ledger if row.resource_id in ids]
    amount, estimated = sum(row.amount for row in rows), any(row.estimated for row in rows)
    return cost_something(AccruedCost(amount=amount, estimated=estimated))


async def _call(deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt, key: Key) -> RentalSnapshot:
    """The one procure call of an attempt, and what its answer means."""
    comment = f" {key.comment}" if key.comment else ""
    try:
        answer = await deps.market.procure(attempt.offer.offer_id, key.line + comment, attempt.resource_name)
    except MarketAway as away:
        now = deps.clock.now()
        if away.acted:
            return _unclear(snapshot, attempt, away, now)
        failed = changed(attempt, state=AttemptState.FAILED, why=Why.OUTAGE, detail=away.words, answered_at=now)
        return _kept(deps, snapshot.with_facts(failed), _why(away), now, away)
    theirs = await of_others(deps, attempt, answer.resource_ids)
    now = deps.clock.now()
    snapshot = snapshot.with_facts(
        attempt, tuple(named(i, attempt, now) for i in answer.resource_ids if i not in theirs)
    )
    return _answered(snapshot, attempt, answer, now)


def _unclear(snapshot: RentalSnapshot, attempt: Attempt, away: MarketAway, now: datetime) -> RentalSnapshot:
    """The call may have bought: it is looked up, later if the market asks to wait. If it turns out to have bought
    nothing, buying counts as blocked since then, unless the market only gave no answer."""
    why = _why(away)
    if why is Why.OUTAGE:
        why = Why.NO_ANSWER
    else:
        snapshot = _kept_since(snapshot, now)
    asked = changed(attempt, why=why)
    return _later(_note_unknown(snapshot.with_facts(asked), asked, now), again_at(now, away))


def _answered(snapshot: RentalSnapshot, attempt: Attempt, answer: Procured, now: datetime) -> RentalSnapshot:
    said = changed(attempt, answered_at=now, detail=answer.detail)
    snapshot = snapshot.with_rental(unblock_buying(snapshot.rental))
    if answer.accepted:
        return _accepted(snapshot, said, now)
    if answer.expired or answer.refused:
        why = Why.EXPIRED if answer.expired else Why.REFUSED
        return _later(snapshot.with_facts(changed(said, state=AttemptState.FAILED, why=why)), now)
    unclear = changed(said, why=Why.BOUGHT_BEFORE if answer.bought_before else Why.SOLD_OUT)
    return _later(_note_unknown(snapshot.with_facts(unclear), unclear, now), poll_at(now))


# --- when it does not go on


def _kept(
    deps: StepDeps, snapshot: RentalSnapshot, why: Why, now: datetime, away: MarketAway | None = None
) -> RentalSnapshot:
    """Something keeps us from buying: told once, tried again, and given back to people after a while."""
    before = snapshot.rental.blocked or Blocked(since=now)
    until = before.since + BLOCKED_AT_MOST
    if until <= now:
        return ask_again(deps, snapshot, Why.BUYING_BLOCKED, now)
    snapshot = snapshot.with_rental(block_buying(snapshot.rental, before.since, why))
    snapshot = snapshot.with_due(soonest(again_at(now, away) if away else poll_at(now), until))
    if before.why is not None:
        return snapshot
    facts = Facts(why=why, detail=away.words if away else None, until=until)
    return snapshot.with_event(EventKind.WAITING, now, facts)


def _why(away: MarketAway) -> Why:
    match away:
        case LockedOut():
            return Why.UNAUTHORIZED
        case RateLimited():
            return Why.RATE_LIMITED
    return Why.OUTAGE


def ask_again(
    deps: StepDeps, snapshot: RentalSnapshot, why: Why, now: datetime, offer: Offer | None = None
) -> RentalSnapshot:
    """Outside the envelope, or too late: the owner decides where policy lets them alone, else an approver."""
    rental = snapshot.rental
    price: Decimal = offer.rate if offer else rental.envelope.price
    proposal = propose(
        rental.request,
        price,
        deps.rules,
        version=rental.envelope.version + 1,
        spent=snapshot.spent(now).amount,
    )
    waiting = Waiting(
        decider=Decider.APPROVER if proposal.over else Decider.OWNER,
        why=why,
        expires_at=now + deps.rules.approval.expires,
    )
    after = await_decision(
        rental,
        waiting,
        envelope=proposal.envelope,
        clicked_offer=offer.offer_id if offer else rental.clicked_offer,
        now=now,
    )
    bill, settled = snapshot.spent(now), all(attempt.settled for attempt in snapshot.attempts)
    facts = changed(
        envelope_facts(after),
        before=rental.envelope.max_rate,
        vendor=offer.vendor if offer else None,
        amount=bill.amount if settled else None,
        estimated=bill.estimated if settled else None,
    )
    return snapshot.with_rental(after, Event(rental_id=rental.id, kind=EventKind.ASKED_AGAIN, at=now, facts=facts))


def _fail(snapshot: RentalSnapshot, why: Why, now: datetime) -> RentalSnapshot:
    after, events = finish(
        snapshot.rental, State.FAILED, attempts=snapshot.attempts, at=now, bill=snapshot.spent(now), why=why
    )
    return snapshot.with_rental(after, *events)
