"""Waits while nothing can be bought, because buying is blocked or because earlier purchases are unresolved.

A purchase is unresolved while nobody knows whether its call bought a machine. Lookups at the market show this
later.
"""

from __future__ import annotations

from datetime import datetime

from bot.errors import BuyingBlock, MarketAway, RateLimited, TokenRefused
from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.snapshot import RentalSnapshot
from bot.lifecycle.changes.transitions import block_buying
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.people.back_to_approval import ask_again
from bot.lifecycle.steps.polling import poll_at, retry_at, soonest
from bot.model.attempt import Attempt, Why
from bot.model.base import changed
from bot.model.event import EventKind, facts_in
from bot.model.facts import HeldUpFacts
from bot.model.offer import Offer
from bot.model.quote import WaitlistEntry
from bot.model.rental import Blocked
from bot.model.state import State
from bot.policy.buying.spending import BLOCKED_AT_MOST

WHY_BLOCKED = {
    BuyingBlock.PAUSED: Why.PAUSED,
    BuyingBlock.BOUGHT_AFTER_BACKUP: Why.PAUSED,
    BuyingBlock.UNAUTHORIZED: Why.UNAUTHORIZED,
}


def blocked_since(snapshot: RentalSnapshot, since: datetime) -> RentalSnapshot:
    return snapshot.with_rental(block_buying(snapshot.rental, since))


def block_since_overdue(deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt) -> RentalSnapshot:
    """Mark buying as blocked since the time at which a purchase timed out.

    This is used if the code that advances the rental has been failing since then. People have to be asked before
    more is bought.
    """
    return blocked_since(snapshot, attempt.intended_at + deps.rules.procure.provision_timeout)


async def asked_again(
    deps: StepDeps, snapshot: RentalSnapshot, why: Why, now: datetime, offer: Offer | None = None
) -> RentalSnapshot:
    """Make a rental wait for a decision again (see `ask_again`).

    If the rental has a waitlist entry, it is put back on the waitlist instead, unless the reason is SHOWN_LATER.
    If a single search decides about the entry, the rental ends.
    """
    entry = snapshot.rental.waits_again_in
    if entry is not None and why is not Why.SHOWN_LATER:
        return await wait_on(deps, snapshot, entry, why, now)
    if snapshot.rental.waitlist_entry is not None and why is not Why.SHOWN_LATER:
        return snapshot.with_rental(*snapshot.finished(State.FAILED, now, why=why))
    async with deps.store.read() as tx:
        return await ask_again(tx, snapshot, why, now=now, rules=deps.rules, offer=offer)


async def wait_on(
    deps: StepDeps, snapshot: RentalSnapshot, waitlist_entry: WaitlistEntry, why: Why, now: datetime
) -> RentalSnapshot:
    """Put a rental back on the waitlist because of `why`, or end it if its time on the waitlist is over.

    The reason is posted in the thread of the message that shows the rental in Slack. Each reason is posted only
    once, because purchases can fail for the same reason hundreds of times.
    """
    if now >= waitlist_entry.until:
        return end_waitlist_entry(snapshot, now)
    last = snapshot.attempts[-1].vendor if snapshot.attempts else None
    async with deps.store.read() as tx:
        rental_id = snapshot.rental.id
        earlier = (await tx.events.of_many([rental_id], (EventKind.QUEUED_AGAIN,)))[rental_id]
    reported_before = any((one.why, one.vendor) == (why, last) for one in facts_in(earlier, HeldUpFacts))
    facts = HeldUpFacts(why=why, vendor=last, until=waitlist_entry.until, told_before=reported_before or None)
    return snapshot.with_rental(transitions.wait_on(snapshot.rental, waitlist_entry)).with_event(
        EventKind.QUEUED_AGAIN, now, facts
    )


def end_waitlist_entry(snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """End a rental because no offer fitted before its time on the waitlist was over."""
    return snapshot.with_rental(*snapshot.finished(State.EXPIRED, now, why=Why.NOTHING_FITTED))


async def wait_blocked(
    deps: StepDeps,
    snapshot: RentalSnapshot,
    why: Why,
    now: datetime,
    away: MarketAway | None = None,
    *,
    facts: HeldUpFacts | None = None,
) -> RentalSnapshot:
    """Mark buying as blocked, and try to buy again at the next poll of the market.

    If buying wasn't blocked before, an event is added. Once buying has been blocked for BLOCKED_AT_MOST, somebody
    has to decide about the rental again.
    """
    before = snapshot.rental.blocked or Blocked(since=now)
    until = before.since + BLOCKED_AT_MOST
    if until <= now:
        return await asked_again(deps, snapshot, Why.BUYING_BLOCKED, now)
    snapshot = snapshot.with_rental(block_buying(snapshot.rental, before.since, why))
    snapshot = snapshot.with_due(soonest(retry_at(now, away) if away else poll_at(now), until))
    if before.why is not None:
        return snapshot
    facts = facts or HeldUpFacts(why=why, detail=away.words if away else None)
    return snapshot.with_event(EventKind.BLOCKED, now, changed(facts, until=until))


async def wait_for_lookups(
    deps: StepDeps, snapshot: RentalSnapshot, now: datetime, *, nothing_fits: bool = False
) -> RentalSnapshot:
    """Mark buying as blocked until lookups have shown the outcome of earlier purchases. See `wait_blocked`."""
    last = snapshot.attempts[-1]
    facts = HeldUpFacts(
        why=Why.UNRESOLVED,
        vendor=last.vendor if last.unresolved else None,
        detail=own_message(last) if last.unresolved else None,
        count=len(snapshot.unresolved),
        end=State.FAILED if nothing_fits else None,
    )
    return await wait_blocked(deps, snapshot, Why.UNRESOLVED, now, facts=facts)


def reason(away: MarketAway) -> Why:
    match away:
        case TokenRefused():
            return Why.UNAUTHORIZED
        case RateLimited():
            return Why.RATE_LIMITED
    return Why.OUTAGE


def own_message(attempt: Attempt | None) -> str | None:
    """Return the market's message about a purchase.

    None if there is no message, or if the purchase failed with SOLD_OUT, which needs no further explanation.
    """
    return (attempt.detail or None) if attempt is not None and attempt.why is not Why.SOLD_OUT else None
