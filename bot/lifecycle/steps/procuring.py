"""Buying: one attempt at a time, its intent committed before its one call, and no other until it is proven."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bot.errors import LockedOut, MarketAway, OfferTaken, RateLimited, Refused
from bot.lifecycle.case import Case, save
from bot.lifecycle.desk import Works
from bot.lifecycle.finish import finish
from bot.lifecycle.machine import alter, move
from bot.lifecycle.money import cost_something
from bot.lifecycle.ports import Procured
from bot.lifecycle.service.renting import LOCKED_OUT, PAUSED, check_buying, envelope_facts
from bot.lifecycle.steps.lookup import look, named, of_others
from bot.lifecycle.steps.pace import again_at, poll_at, soonest
from bot.lifecycle.steps.tending import marked_as_overdue
from bot.model.attempt import Attempt, AttemptState, Why
from bot.model.event import Event, EventKind, Facts
from bot.model.offer import Offer
from bot.model.person import Key
from bot.model.rental import Decider, Rental
from bot.model.state import State
from bot.model.story import Spent
from bot.policy.offers import fits
from bot.policy.spending import judge, left_to_get_ready

KEPT_AT_MOST = timedelta(minutes=15)
"""Kept from buying for that long, it asks again instead of surprising anyone later."""
STILL_FRESH = timedelta(seconds=30)
"""An offer that expires sooner is not tried: its price could lapse under the call."""
NOT_KEPT: dict[str, Any] = {"kept_since": None, "kept_why": None}
"""What changes in a rental once nothing keeps it from buying."""
LEAST_TIME = timedelta(minutes=3)
"""An attempt is only begun where the envelope's total leaves it that long to get ready."""
SAYS_FAILED = frozenset({Why.SOLD_OUT, Why.VENDOR_FAILED})
HELD_UP = frozenset({Why.OUTAGE, Why.RATE_LIMITED, Why.UNAUTHORIZED})
"""The market, not the offer, is why these attempts bought nothing: they don't count as tried."""
ASKS_ANEW = HELD_UP | {Why.EXPIRED}
"""After these the same place may still sell it, under a new offer: a new quote before anything dearer."""


async def procure(works: Works, case: Case) -> Case:
    """Settles the attempt under way, or starts the next."""
    due_at = case.rental.due_at
    if due_at is not None and works.clock.now() - due_at >= KEPT_AT_MOST:
        # Nobody was here to do it: that too keeps from buying.
        case = _kept_since(case, due_at)
    if case.attempts and marked_as_overdue(case.attempts[-1]):
        case = note_overdue(works, case, case.attempts[-1])
    attempt = case.live
    now = works.clock.now()
    if attempt is None and any(not a.settled and a.delete_accepted_at is None for a in case.attempts):
        return _later(case, poll_at(now))  # something turned up late, and is still to be accepted for deletion
    if attempt is None:
        return await _buy_next(works, case)
    if attempt.delete_wanted:
        return _later(case, poll_at(now))
    try:
        case, progress = await look(works, case, attempt)
    except MarketAway as away:
        # From now on it is also kept from buying: whatever this proves, it may be too late to go on with.
        return _later(_note_unknown(_kept_since(case, now), attempt, now), again_at(now, away))
    # An answer ends an outage. It doesn't end a rate limit: only the answer to the next purchase does, so that
    # purchases that are turned away again and again are given back to people too.
    kept_since = case.rental.kept_since
    if kept_since is not None and now - kept_since < KEPT_AT_MOST and attempt.why not in HELD_UP:
        case = case.now_is(case.rental.model_copy(update=NOT_KEPT))
    attempt = next(a for a in case.attempts if a.n == attempt.n)
    if attempt.state is AttemptState.BOUGHT:
        if progress.failed or attempt.why in SAYS_FAILED:
            return give_up(case, attempt, Why.VENDOR_FAILED, now)
        return _accepted(case, attempt, now)
    if attempt.settled:
        return await _buy_next(works, case)
    if progress.in_progress and attempt.why not in SAYS_FAILED:
        # Bought, by the status's word, though there is nothing to show yet. From here on it has a time-out.
        return _accepted(case, attempt, now)
    if now - attempt.intended_at >= works.rules.procure.provision_timeout:
        return give_up(case, attempt, Why.VENDOR_FAILED, now)
    return _later(_note_unknown(case, attempt, now), poll_at(now))


def _kept_since(case: Case, since: datetime) -> Case:
    """Kept from buying since then, or since earlier."""
    return case.now_is(case.rental.model_copy(update={"kept_since": case.rental.kept_since or since}))


def note_overdue(works: Works, case: Case, attempt: Attempt) -> Case:
    """The case of an attempt that the overdue deletion ended: no step of ours worked since its time was up, so
    nothing is bought after it without asking."""
    return _kept_since(case, attempt.intended_at + works.rules.procure.provision_timeout)


def give_up(case: Case, attempt: Attempt, why: Why, now: datetime, detail: str = "") -> Case:
    """The attempt is to be destroyed; the next one follows once its deletion is accepted."""
    doomed = attempt.model_copy(update={"delete_wanted": True, "why": why, "detail": detail or attempt.detail})
    rental = case.rental
    fresh: dict[str, Any] = {
        "accepted_at": None,
        "progress": "",
        "quiet_since_real": None,
        "host": None,
        "port": None,
    }
    fresh["procuring_since"] = rental.procuring_since or now
    if rental.state is State.PROCURING:
        after = alter(rental, **fresh, due_at=now)
    else:
        after = move(rental, State.PROCURING, **fresh, due_at=now)
    facts = Facts(vendor=attempt.offer.vendor, rate=attempt.offer.rate, why=why, detail=detail or None)
    return case.with_facts(doomed).now_is(after).tell(EventKind.GIVEN_UP, now, facts)


def _later(case: Case, due_at: datetime | None) -> Case:
    return case.now_is(case.rental.model_copy(update={"due_at": due_at}))


def _note_unknown(case: Case, attempt: Attempt, now: datetime) -> Case:
    """From intended to unknown, told once."""
    if attempt.state is not AttemptState.INTENDED:
        return case
    facts = Facts(vendor=attempt.offer.vendor, rate=attempt.offer.rate, why=attempt.why or Why.NO_ANSWER)
    unknown = attempt.model_copy(update={"state": AttemptState.UNKNOWN, "why": attempt.why or Why.NO_ANSWER})
    return case.with_facts(unknown).tell(EventKind.NO_ANSWER, now, facts)


def _accepted(case: Case, attempt: Attempt, now: datetime) -> Case:
    bought = attempt.model_copy(update={"accepted": True, "state": AttemptState.BOUGHT, "why": None})
    after = move(case.rental, State.PROVISIONING, **NOT_KEPT, accepted_at=now, due_at=poll_at(now))
    facts = Facts(vendor=attempt.offer.vendor, vendor_region=attempt.offer.vendor_region, rate=attempt.offer.rate)
    return case.with_facts(bought).now_is(after).tell(EventKind.ACCEPTED, now, facts)


# --- the next attempt


async def _buy_next(works: Works, case: Case) -> Case:
    now, rental = works.clock.now(), case.rental
    tried = [a for a in case.attempts if a.why not in HELD_UP]
    if len(tried) >= works.rules.procure.attempts:
        return _fail(case, Why.TOO_MANY_ATTEMPTS, now)
    if rental.kept_since is not None and now - rental.kept_since >= KEPT_AT_MOST:
        return ask_again(works, case, Why.KEPT_FROM_BUYING, now)
    async with works.store.read() as tx:
        if await tx.account.get(PAUSED) is not None:
            return _kept(works, case, Why.PAUSED, now)
        if await tx.account.get(LOCKED_OUT) is not None:
            return _kept(works, case, Why.UNAUTHORIZED, now)
        quote = await tx.quotes.get(rental.quote_id)
        key = await tx.people.key(rental.owner)
    if quote is None or key is None:
        return _fail(case, Why.NOTHING_LEFT, now)
    last = case.attempts[-1].why if case.attempts else None
    offers = [] if last in ASKS_ANEW else [o for o in quote.offers if o.expires_at - STILL_FRESH > now]
    begun = await _buy_first(works, case, offers, key)
    if begun is not None:
        return begun
    try:
        offers = list(await works.market.offers(rental.request))
    except MarketAway as away:
        return _kept(works, case, _why(away), now, away)
    async with works.store.write() as tx:
        await tx.quotes.save(quote.model_copy(update={"offers": tuple(offers), "found_at": now}))
    begun = await _buy_first(works, case, offers, key)
    if begun is not None:
        return begun
    inside = _inside(works, offers, case, now)
    outside = [offer for offer in _untried(offers, case) if offer not in inside]
    if outside:
        return ask_again(works, case, Why.DEARER, now, outside[0])
    return _fail(case, Why.NOTHING_LEFT, now)


async def _buy_first(works: Works, case: Case, offers: list[Offer], key: Key) -> Case | None:
    """Tries to buy the first of the offers that is allowed and that nobody has had; None where there is none."""
    for offer in _inside(works, offers, case, works.clock.now()):
        try:
            intended, attempt = await _intend(works, case, offer, key)
        except OfferTaken:
            continue
        except Refused:  # since this step began
            return _later(case, works.clock.now())
        return await _call(works, intended, attempt, key)
    return None


def _untried(offers: list[Offer], case: Case) -> list[Offer]:
    """What fits and isn't from where this rental failed before, the clicked one first."""
    rental = case.rental
    ids = {attempt.offer.offer_id for attempt in case.attempts}
    failed = {_place(a.offer) for a in case.attempts if a.why not in ASKS_ANEW}
    fitting = [o for o in offers if fits(o, rental.request) and o.offer_id not in ids and _place(o) not in failed]
    return sorted(fitting, key=lambda offer: (offer.offer_id != rental.clicked_offer, offer.rate))


def _inside(works: Works, offers: list[Offer], case: Case, now: datetime) -> list[Offer]:
    """What the envelope allows: its rate, and its total together with what earlier attempts billed."""
    envelope, billed = case.rental.envelope, case.spent(now).amount
    least = min(LEAST_TIME, works.rules.procure.provision_timeout)
    return [
        offer
        for offer in _untried(offers, case)
        if offer.rate <= envelope.max_rate
        and left_to_get_ready(envelope.total, billed, offer.rate, envelope.lease, works.rules) >= least
    ]


def _place(offer: Offer) -> tuple[str, str | None, str]:
    return offer.vendor, offer.vendor_region, offer.gpu


async def _intend(works: Works, case: Case, offer: Offer, key: Key) -> tuple[Case, Attempt]:
    """Commits the attempt before anything is called. Raises OfferTaken, Refused while buying is stopped, and Stale
    where someone else decided."""
    now, rental = works.clock.now(), case.rental
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
    before = case.attempts[-1] if case.attempts else None
    facts = Facts(
        vendor=offer.vendor,
        vendor_region=offer.vendor_region,
        rate=offer.rate,
        before=before.offer.rate if before else None,
        before_vendor=before.offer.vendor if before else None,
        why=before.why if before else None,
        detail=before.detail or None if before else None,
        paid=_paid(case, before) if before else None,
    )
    after = alter(
        rental,
        attempts=n,
        rate=offer.rate,
        vendor=offer.vendor,
        vendor_region=offer.vendor_region,
        progress="",
        due_at=now,
    )
    told = case.with_facts(attempt).now_is(after).tell(EventKind.RENTING, now, facts)
    return await save(works, told, unless=check_buying), attempt


def _paid(case: Case, attempt: Attempt) -> bool | None:
    """Whether an attempt cost something; None if that is not known, or not yet."""
    if not attempt.settled:
        return None
    ids = {resource.resource_id for resource in case.resources_of(attempt)}
    rows = [row for row in case.ledger if row.resource_id in ids]
    amount, estimated = sum(row.amount for row in rows), any(row.estimated for row in rows)
    return cost_something(Spent(amount=amount, estimated=estimated))


async def _call(works: Works, case: Case, attempt: Attempt, key: Key) -> Case:
    """The one procure call of an attempt, and what its answer means."""
    comment = f" {key.comment}" if key.comment else ""
    try:
        answer = await works.market.procure(attempt.offer.offer_id, key.line + comment, attempt.resource_name)
    except MarketAway as away:
        now = works.clock.now()
        if away.acted:
            return _unclear(case, attempt, away, now)
        failed = attempt.model_copy(
            update={"state": AttemptState.FAILED, "why": Why.OUTAGE, "detail": away.words, "answered_at": now}
        )
        return _kept(works, case.with_facts(failed), _why(away), now, away)
    theirs = await of_others(works, attempt, answer.resource_ids)
    now = works.clock.now()
    case = case.with_facts(attempt, tuple(named(i, attempt, now) for i in answer.resource_ids if i not in theirs))
    return _answered(case, attempt, answer, now)


def _unclear(case: Case, attempt: Attempt, away: MarketAway, now: datetime) -> Case:
    """The call may have bought: it is looked up, later if the market asks to wait. If it turns out to have bought
    nothing, buying counts as blocked since then, unless the market only gave no answer."""
    why = _why(away)
    if why is Why.OUTAGE:
        why = Why.NO_ANSWER
    else:
        case = _kept_since(case, now)
    asked = attempt.model_copy(update={"why": why})
    return _later(_note_unknown(case.with_facts(asked), asked, now), again_at(now, away))


def _answered(case: Case, attempt: Attempt, answer: Procured, now: datetime) -> Case:
    said = attempt.model_copy(update={"answered_at": now, "detail": answer.detail})
    case = case.now_is(case.rental.model_copy(update=NOT_KEPT))
    if answer.accepted:
        return _accepted(case, said, now)
    if answer.expired or answer.refused:
        why = Why.EXPIRED if answer.expired else Why.REFUSED
        return _later(case.with_facts(said.model_copy(update={"state": AttemptState.FAILED, "why": why})), now)
    unclear = said.model_copy(update={"why": Why.BOUGHT_BEFORE if answer.bought_before else Why.SOLD_OUT})
    return _later(_note_unknown(case.with_facts(unclear), unclear, now), poll_at(now))


# --- when it does not go on


def _kept(works: Works, case: Case, why: Why, now: datetime, away: MarketAway | None = None) -> Case:
    """Something keeps us from buying: told once, tried again, and given back to people after a while."""
    since = case.rental.kept_since or now
    if now - since >= KEPT_AT_MOST:
        return ask_again(works, case, Why.KEPT_FROM_BUYING, now)
    first = case.rental.kept_why is None
    due_at = soonest(again_at(now, away) if away else poll_at(now), since + KEPT_AT_MOST)
    case = case.now_is(case.rental.model_copy(update={"kept_since": since, "kept_why": why, "due_at": due_at}))
    facts = Facts(why=why, detail=away.words if away else None, until=since + KEPT_AT_MOST)
    return case.tell(EventKind.WAITING, now, facts) if first else case


def _why(away: MarketAway) -> Why:
    match away:
        case LockedOut():
            return Why.UNAUTHORIZED
        case RateLimited():
            return Why.RATE_LIMITED
    return Why.OUTAGE


def ask_again(works: Works, case: Case, why: Why, now: datetime, offer: Offer | None = None) -> Case:
    """Outside the envelope, or too late: the owner decides where policy lets them alone, else an approver."""
    rental = case.rental
    price: Decimal = offer.rate if offer else rental.envelope.price
    verdict = judge(
        rental.request,
        price,
        works.rules,
        version=rental.envelope.version + 1,
        spent=case.spent(now).amount,
    )
    lapses_at = now + works.rules.approval.expires
    after = move(
        rental,
        State.AWAITING_APPROVAL,
        envelope=verdict.envelope,
        clicked_offer=offer.offer_id if offer else rental.clicked_offer,
        decider=Decider.APPROVER if verdict.over else Decider.OWNER,
        asked_why=why,
        **NOT_KEPT,
        procuring_since=None,
        lapses_at=lapses_at,
        due_at=now,
    )
    bill, settled = case.spent(now), all(attempt.settled for attempt in case.attempts)
    facts = envelope_facts(after).model_copy(
        update={
            "before": rental.envelope.max_rate,
            "vendor": offer.vendor if offer else None,
            "amount": bill.amount if settled else None,
            "estimated": bill.estimated if settled else None,
        }
    )
    return case.now_is(after, Event(rental_id=rental.id, kind=EventKind.ASKED_AGAIN, at=now, facts=facts))


def _fail(case: Case, why: Why, now: datetime) -> Case:
    rental: Rental
    rental, events = finish(
        case.rental, State.FAILED, attempts=case.attempts, at=now, bill=case.spent(now), why=why
    )
    return case.now_is(rental, *events)
