"""Buys a machine for a rental, with one unfinished purchase at a time.

Each attempt is committed before its single procure call. The next attempt begins once the current attempt is
closed and so can't be billed any more. It can also begin once the market has accepted the deletion of the current
attempt's machine. If the market answered the call with `failed` and named no resource, the next attempt begins
immediately.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.errors import BuyingBlock, BuyingBlocked, MarketAway, OfferTaken
from bot.lifecycle.account.reconcile import look_up, named_resource, owned_by_other_attempts
from bot.lifecycle.changes.snapshot import RentalSnapshot, save
from bot.lifecycle.changes.transitions import accept, begin_attempt, give_up_attempt
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.money.billing import cost_something
from bot.lifecycle.money.buying_blocks import buying_block, check_buying, waits_for_slack
from bot.lifecycle.outside import Procured
from bot.lifecycle.people.teammates import keys_that_get_in, with_startup_script
from bot.lifecycle.steps.blocked_buying import (
    WHY_BLOCKED,
    asked_again,
    block_since_overdue,
    blocked_since,
    end_waitlist_entry,
    own_message,
    reason,
    wait_blocked,
    wait_for_lookups,
    wait_on,
)
from bot.lifecycle.steps.polling import poll_at, retry_at
from bot.model.attempt import REPORTED_FAILED, Attempt, AttemptState, Marker, Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.facts import AttemptFacts, RentingFacts
from bot.model.offer import Offer
from bot.model.person import Key
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.access.startup_script import StartupScriptPlan, plan_startup_script
from bot.policy.buying.offers import (
    MARKET_UNAVAILABLE,
    NEEDS_NEW_QUOTE,
    UNCOUNTED,
    likeliest_first,
    takes_script,
    to_ask_about,
    untried,
    within_terms,
)
from bot.policy.buying.resource_names import make_name
from bot.policy.buying.spending import BLOCKED_AT_MOST
from bot.policy.use.leases import too_little_time
from store.db import Tx

STILL_FRESH = timedelta(seconds=30)
"""An offer that expires sooner than this isn't tried, because it could expire during the call."""
MOST_UNRESOLVED = 3
"""The number of unresolved purchases at which a rental stops buying.

A purchase is unresolved while it may have created a machine that the rental won't use. Later lookups show whether
this is the case. Buying then continues.
"""


class NoHeadroom(Exception):
    """The team's limit leaves no headroom for another purchase.

    Purchases with an unknown outcome count toward the limit.
    """


async def procure(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Look up the result of the current attempt, or begin the next attempt."""
    due_at = snapshot.rental.due_at
    if due_at is not None and deps.clock.now() - due_at >= BLOCKED_AT_MOST:
        # This step should have run long ago, so the bot was down. Nothing could be bought in that time, so count
        # it as time in which buying was blocked.
        snapshot = blocked_since(snapshot, due_at)
    if snapshot.attempts and _ended_as_overdue(snapshot.rental, snapshot.attempts[-1]):
        snapshot = block_since_overdue(deps, snapshot, snapshot.attempts[-1])
    attempt = snapshot.live
    now = deps.clock.now()
    if attempt is None and any(_blocks_next(a) for a in snapshot.attempts):
        return snapshot.with_due(poll_at(now))
    if attempt is None:
        return await _buy_next(deps, snapshot)
    if attempt.marked_for_deletion:
        return snapshot.with_due(poll_at(now))
    try:
        snapshot, progress = await look_up(deps, snapshot, attempt)
    except MarketAway as away:
        # The market didn't answer. Count buying as blocked from now until the market answers. If this takes too
        # long, people are asked again before anything is bought.
        return _note_unknown(blocked_since(snapshot, now), attempt, now).with_due(retry_at(now, away))
    # The market answered a status query. This ends an outage of the market, but not a rate limit: only an answer
    # to the next purchase shows whether purchases are accepted again. Without this distinction, a rental whose
    # purchases are refused again and again would never ask people for a decision.
    blocked = snapshot.rental.blocked
    if blocked is not None and now - blocked.since < BLOCKED_AT_MOST and attempt.why not in MARKET_UNAVAILABLE:
        snapshot = snapshot.altered(blocked=None)
    attempt = snapshot.attempt(attempt.n)
    if attempt.state is AttemptState.BOUGHT:
        if progress.failed or attempt.why in REPORTED_FAILED:
            return give_up(snapshot, attempt, Why.VENDOR_FAILED, now)
        return _accepted(snapshot, attempt, now)
    if attempt.closed:
        return await _buy_next(deps, snapshot)
    if progress.in_progress and attempt.why not in REPORTED_FAILED:
        # The market reports that the offer was bought, although no machine has appeared yet. From now on, the
        # machine has to become ready within the provisioning timeout.
        return _accepted(snapshot, attempt, now)
    if now - attempt.intended_at >= deps.rules.procure.provision_timeout:
        return give_up(snapshot, attempt, Why.VENDOR_FAILED, now)
    return _note_unknown(snapshot, attempt, now).with_due(poll_at(now))


def _ended_as_overdue(rental: Rental, attempt: Attempt) -> bool:
    """Return whether a purchase was ended because its machine was overdue.

    False if somebody has decided about the rental since then.
    """
    decided_since = rental.procuring_since is not None and attempt.intended_at < rental.procuring_since
    return attempt.marked_by is Marker.OVERDUE and not decided_since


def _blocks_next(attempt: Attempt) -> bool:
    """Return whether the next purchase has to wait for this attempt, which is an earlier purchase.

    The next purchase waits while a machine of the attempt can still cost money. It no longer waits once the market
    has accepted the deletion of this machine. If the market reported that the attempt failed, the next purchase
    doesn't wait for it.
    """
    return not attempt.closed and attempt.delete_accepted_at is None and attempt.why not in REPORTED_FAILED


def give_up(
    snapshot: RentalSnapshot, attempt: Attempt, why: Why, now: datetime, detail: str = ""
) -> RentalSnapshot:
    """Mark a purchased machine for deletion. The next purchase begins once the deletion has been accepted."""
    marked = changed(attempt, marked_by=Marker.STEP, why=why, detail=detail or attempt.detail)
    after = give_up_attempt(snapshot.rental, now)
    facts = AttemptFacts(vendor=attempt.vendor, rate=attempt.rate, why=why, detail=detail or None)
    return snapshot.with_facts(marked).with_rental(after).with_event(EventKind.GIVEN_UP, now, facts)


def _note_unknown(snapshot: RentalSnapshot, attempt: Attempt, now: datetime) -> RentalSnapshot:
    """Record that nobody knows whether a procure call bought a machine, and add an event.

    Nothing changes if the outcome of the call has already been recorded.
    """
    if attempt.state is not AttemptState.INTENDED:
        return snapshot
    unknown = changed(attempt, state=AttemptState.UNKNOWN, why=attempt.why or Why.NO_ANSWER)
    reported_before = snapshot.rental.waitlist_entry is not None and any(
        (earlier.vendor, earlier.why) == (unknown.vendor, unknown.why) for earlier in snapshot.attempts[:-1]
    )
    facts = AttemptFacts(
        vendor=unknown.vendor, rate=unknown.rate, why=unknown.why, told_before=reported_before or None
    )
    return snapshot.with_facts(unknown).with_event(EventKind.NO_ANSWER, now, facts)


def _accepted(snapshot: RentalSnapshot, attempt: Attempt, now: datetime) -> RentalSnapshot:
    bought = changed(attempt, accepted=True, state=AttemptState.BOUGHT, why=None)
    after = accept(snapshot.rental, now=now, due_at=poll_at(now))
    # An owner whose request waited for a cheaper offer gets a direct message when an offer is bought. A request
    # with a start time needs no such message, because its owner expects the machine at that time. That owner sees
    # the purchase on the card, and is notified when the machine is ready. For the request of a program, the
    # program expects the machine.
    expected = snapshot.rental.request.starts_at is not None or snapshot.rental.program is not None
    waitlist_entry = None if expected else snapshot.rental.waitlist_entry
    facts = AttemptFacts(
        vendor=attempt.vendor,
        vendor_region=attempt.called_offer.vendor_region,
        rate=attempt.rate,
        why=attempt.why,
        since=waitlist_entry.since if waitlist_entry is not None else None,
        total=snapshot.rental.terms.total if waitlist_entry is not None else None,
    )
    return snapshot.with_facts(bought).with_rental(after).with_event(EventKind.ACCEPTED, now, facts)


# --- the next attempt


async def _buy_next(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    now, rental = deps.clock.now(), snapshot.rental
    tried = [a for a in snapshot.attempts if a.why not in UNCOUNTED]
    if rental.waits_again_in is None and len(tried) >= deps.rules.procure.attempts:
        return await _fail(deps, snapshot, Why.TOO_MANY_ATTEMPTS, now)
    if too_little_time(rental.request, now):
        return await asked_again(deps, snapshot, Why.TOO_LITTLE_TIME, now)
    if rental.blocked is not None and now - rental.blocked.since >= BLOCKED_AT_MOST:
        shown_later = rental.blocked.why is Why.SHOWN_LATER
        return await asked_again(deps, snapshot, Why.SHOWN_LATER if shown_later else Why.BUYING_BLOCKED, now)
    if not deps.opened.swept:
        # The database may be an older backup, and the rental's machine may be running already. The first
        # comparison with the account shows whether it is. This comparison has usually ended by the next poll, so
        # wait for that.
        if rental.blocked is None:
            return blocked_since(snapshot, now).with_due(poll_at(now))
        async with deps.store.read() as tx:
            block = await buying_block(tx)
        return await wait_blocked(deps, snapshot, Why.OUTAGE if block is None else WHY_BLOCKED[block], now)
    async with deps.store.read() as tx:
        if await waits_for_slack(tx, deps, rental.id):
            return snapshot.with_due(poll_at(now))
    await deps.directory.refresh(rental.teammates)
    async with deps.store.read() as tx:
        block = BuyingBlock.BOUGHT_AFTER_BACKUP if rental.bought_after_backup else await buying_block(tx)
        if block is not None:
            return await wait_blocked(deps, snapshot, WHY_BLOCKED[block], now)
        quote = None if rental.quote_id is None else await tx.quotes.get(rental.quote_id)
    if quote is None:
        return await _fail(deps, snapshot, Why.NOTHING_LEFT, now)
    if len(snapshot.unresolved) >= MOST_UNRESOLVED:
        return await wait_for_lookups(deps, snapshot, now)
    return await _buy_from(deps, snapshot, quote)


async def _buy_from(deps: StepDeps, snapshot: RentalSnapshot, quote: Quote) -> RentalSnapshot:
    """Buy an allowed offer of the quote or, if there is none, of a new search.

    If there is no allowed offer at all, people are asked about an offer outside the terms, or the rental fails.

    If a rental has a waitlist entry, it is put back on the waitlist after a failed purchase, unless a single
    search decides about the entry.
    """
    now, rental = deps.clock.now(), snapshot.rental
    tried, entry = _tried(snapshot), rental.waits_again_in
    last = tried[-1].why if tried else None
    if entry is not None and tried:
        return await wait_on(deps, snapshot, entry, last or Why.NOTHING_LEFT, now)
    offers = () if last in NEEDS_NEW_QUOTE else tuple(o for o in quote.offers if o.expires_at - STILL_FRESH > now)
    chosen = _chosen_vendor(snapshot, quote)
    begun = await _buy_first(deps, snapshot, await _usable(deps, rental, offers, chosen))
    if begun is not None:
        return begun
    if snapshot.unresolved and rental.blocked is not None and rental.blocked.why is Why.UNRESOLVED:
        return await wait_for_lookups(deps, snapshot, now)
    if entry is not None:
        return await wait_on(deps, snapshot, entry, Why.NOTHING_LEFT, now)
    try:
        offers = await deps.market.offers(rental.request)
    except MarketAway as away:
        return await wait_blocked(deps, snapshot, reason(away), now, away)
    async with deps.store.write() as tx:
        await tx.quotes.save(changed(quote, offers=offers))
    offers = await _usable(deps, rental, offers, chosen)
    begun = await _buy_first(deps, snapshot, offers)
    if begun is not None:
        return begun
    if rental.waitlist_entry is not None:
        return await _fail(deps, snapshot, Why.NOTHING_LEFT, now)
    allowed = _allowed(deps, snapshot, offers)
    outside = [offer for offer in _untried(snapshot, offers) if offer not in allowed]
    question = to_ask_about(outside, rental.terms, deps.rules)
    if question is not None:
        return await asked_again(deps, snapshot, question[0], now, question[1])
    return await _fail(deps, snapshot, Why.NOTHING_LEFT, now)


def _chosen_vendor(snapshot: RentalSnapshot, quote: Quote) -> str | None:
    """Return the vendor of the offer that the person chose. None if the vendor isn't known."""
    clicked = [offer.vendor for offer in quote.offers if offer.offer_id == snapshot.rental.clicked_offer]
    return next(iter([*clicked, *(attempt.vendor for attempt in snapshot.attempts[:1])]), None)


async def _usable(
    deps: StepDeps, rental: Rental, offers: Sequence[Offer], chosen: str | None
) -> tuple[Offer, ...]:
    """Return the offers that can be bought. Those with equal prices are sorted by success rate, best first."""
    async with deps.store.read() as tx:
        usable = await with_startup_script(tx, offers, rental.request, rental.teammates, chosen)
        success_rates = await tx.rentals.success_rates({(offer.vendor, offer.gpu) for offer in usable})
    return likeliest_first(usable, success_rates)


async def _buy_first(deps: StepDeps, snapshot: RentalSnapshot, offers: Sequence[Offer]) -> RentalSnapshot | None:
    """Buy the first offer that is allowed and hasn't been tried yet.

    If the owner has no SSH key, the rental ends as failed. Purchases with an unknown outcome count toward the
    approved total. If an offer is too expensive only for this reason, the rental waits until the outcomes are
    known. Returns None if no offer can be bought, now or later.
    """
    rental = snapshot.rental
    async with deps.store.read() as tx:
        keys = await keys_that_get_in(tx, rental, deps.rules)
    key = _default_key(rental, keys[rental.owner])
    if key is None:
        return await _fail(deps, snapshot, Why.NO_KEY, deps.clock.now())
    for offer in _allowed(deps, snapshot, offers):
        if not deps.claim_lasts():
            return snapshot.with_due(deps.clock.now())
        takes = takes_script(offer, snapshot.attempts)
        plan = plan_startup_script(rental, keys, deps.rules, probe_line=deps.probe_line, takes_script=takes)
        try:
            intended, attempt = await _intend(deps, snapshot, offer, key, plan)
        except OfferTaken:
            continue
        except NoHeadroom:
            return await wait_for_lookups(deps, snapshot, deps.clock.now())
        except BuyingBlocked:  # Somebody has blocked buying since this step began.
            return snapshot.with_due(deps.clock.now())
        return await _call(deps, intended, attempt, plan.text)
    return (
        await wait_for_lookups(deps, snapshot, deps.clock.now()) if _fits_later(deps, snapshot, offers) else None
    )


def _default_key(rental: Rental, keys: Sequence[Key]) -> Key | None:
    """Return the key that the market installs on the machine: the program's, or else the owner's first one."""
    line = rental.program.ssh_public_key if rental.program is not None else None
    if rental.program is None or line is None:
        return next(iter(keys), None)
    return Key(line=line, comment=rental.program.token_name, fingerprint="")


def _untried(snapshot: RentalSnapshot, offers: Sequence[Offer]) -> list[Offer]:
    return untried(offers, snapshot.rental.request, snapshot.rental.clicked_offer, _tried(snapshot))


def _tried(snapshot: RentalSnapshot) -> tuple[Attempt, ...]:
    """Return the attempts whose offers aren't tried again.

    Usually, these are all attempts of the rental. If the rental has a waitlist entry, they are only the attempts
    since the rental last left the waitlist.
    """
    rental = snapshot.rental
    if rental.waitlist_entry is None or rental.procuring_since is None:
        return snapshot.attempts
    return tuple(attempt for attempt in snapshot.attempts if attempt.intended_at >= rental.procuring_since)


def _allowed(deps: StepDeps, snapshot: RentalSnapshot, offers: Sequence[Offer]) -> list[Offer]:
    billed = snapshot.spent_at_most(deps.clock.now())
    return within_terms(_untried(snapshot, offers), snapshot.rental.terms, billed, deps.rules)


def _fits_later(deps: StepDeps, snapshot: RentalSnapshot, offers: Sequence[Offer]) -> bool:
    """Return whether an offer would be allowed if the purchases with an unknown outcome had cost nothing."""
    billed = snapshot.spent(deps.clock.now()).amount
    fitting = within_terms(_untried(snapshot, offers), snapshot.rental.terms, billed, deps.rules)
    return len(fitting) > len(_allowed(deps, snapshot, offers))


async def _intend(
    deps: StepDeps, snapshot: RentalSnapshot, offer: Offer, key: Key, plan: StartupScriptPlan
) -> tuple[RentalSnapshot, Attempt]:
    """Store a new attempt to buy a machine, in a transaction that is committed before its procure call.

    Raises:
        OfferTaken: The offer has already been tried.
        BuyingBlocked: Buying has been blocked in the meantime.
        NoHeadroom: The team's limit has no headroom for this offer in addition to the purchases with an unknown
            outcome.
        Stale: The rental has changed in the meantime.
    """

    async def check_first(tx: Tx) -> None:
        if snapshot.unresolved:
            # Some purchases of this rental have an unknown outcome, and each may turn out to be a running machine.
            # The earlier check of the team's hourly limit didn't include the prices of these purchases, so check
            # the limit again including them.
            await tx.rentals.lock_spending()
            usage = await tx.rentals.usage(snapshot.rental.owner, without=snapshot.rental.id)
            own = offer.rate + sum(attempt.rate for attempt in snapshot.unresolved)
            if own > deps.rules.limits.team_per_hour - usage.team_rate:
                raise NoHeadroom
        await check_buying(tx)

    now, rental = deps.clock.now(), snapshot.rental
    n = rental.attempts + 1
    attempt = Attempt(
        rental_id=rental.id,
        n=n,
        state=AttemptState.INTENDED,
        offer=offer,
        resource_name=make_name(rental.id, n, rental.owner),
        public_key=key.line,
        key_comment=key.comment,
        script=plan.sent,
        intended_at=now,
    )
    before = next(iter(_tried(snapshot)[-1:]), None)
    reported_before = rental.waitlist_entry is not None and any(
        (earlier.vendor, earlier.script) == (attempt.vendor, attempt.script) for earlier in snapshot.attempts
    )
    facts = RentingFacts(
        vendor=offer.vendor,
        vendor_region=offer.vendor_region,
        rate=offer.rate,
        gpu=offer.gpu if offer.gpu != rental.terms.gpu else None,
        clicked=rental.terms.price if before else None,
        before_vendor=before.vendor if before else None,
        why=before.why if before else None,
        detail=own_message(before),
        paid=cost_something(snapshot.spent_on(before, now)) if before and before.closed else None,
        left_out=plan.left_out,
        told_before=reported_before or None,
    )
    after = begin_attempt(rental, offer, now)
    intended = snapshot.with_facts(attempt).with_rental(after).with_event(EventKind.RENTING, now, facts)
    return await save(deps, intended, check_first=check_first), attempt


async def _call(deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt, script: str) -> RentalSnapshot:
    """Make the single procure call of an attempt, and return the snapshot with the answer.

    The claim is this process's right to work on the rental. If the claim might end during the call, no call is
    made.
    """
    if not deps.claim_lasts():
        return snapshot.with_due(poll_at(deps.clock.now()))
    offer_id, name = attempt.called_offer.offer_id, attempt.resource_name or ""
    try:
        answer = await deps.market.procure(offer_id, attempt.public_key, name, script)
    except MarketAway as away:
        now = deps.clock.now()
        if away.may_have_bought:
            return _unclear(snapshot, attempt, away, now)
        failed = changed(attempt, state=AttemptState.FAILED, why=Why.OUTAGE, detail=away.words, answered_at=now)
        return await wait_blocked(deps, snapshot.with_facts(failed), reason(away), now, away)
    foreign = await owned_by_other_attempts(deps, attempt, answer.resource_ids)
    now = deps.clock.now()
    named = tuple(named_resource(i, attempt, now) for i in answer.resource_ids if i not in foreign)
    return _answered(snapshot.with_facts(attempt, named), attempt, answer, now)


def _unclear(snapshot: RentalSnapshot, attempt: Attempt, away: MarketAway, now: datetime) -> RentalSnapshot:
    """Record that the outcome of a purchase is unknown, so that the next poll looks it up.

    If the market refused the token or limits the rate of calls, also record that buying is blocked.
    """
    why = reason(away)
    if why is Why.OUTAGE:
        why = Why.NO_ANSWER
    else:
        snapshot = blocked_since(snapshot, now)
    unclear = changed(attempt, why=why)
    return _note_unknown(snapshot.with_facts(unclear), unclear, now).with_due(retry_at(now, away))


def _answered(snapshot: RentalSnapshot, attempt: Attempt, answer: Procured, now: datetime) -> RentalSnapshot:
    answered = changed(attempt, answered_at=now, why=answer.why, detail=answer.detail)
    snapshot = snapshot.altered(blocked=None)
    if answer.why is None:
        return _accepted(snapshot, answered, now)
    if answer.bought_nothing:
        return snapshot.with_facts(changed(answered, state=AttemptState.FAILED)).with_due(now)
    if answer.why in REPORTED_FAILED and not answer.resource_ids:
        # After such an answer, the vendor has usually created no machine. So don't wait, and buy the next offer
        # immediately. If a machine does appear later, the bot deletes it as an orphan.
        orphaned = changed(answered, state=AttemptState.UNKNOWN, orphaned=True, marked_by=Marker.STEP)
        return snapshot.with_facts(orphaned).with_due(now)
    return _note_unknown(snapshot.with_facts(answered), answered, now).with_due(poll_at(now))


async def _fail(deps: StepDeps, snapshot: RentalSnapshot, why: Why, now: datetime) -> RentalSnapshot:
    """End a rental for which no machine could be bought.

    A rental with a waitlist entry is put back on the waitlist instead, unless a single search decides about it.
    While the outcome of an earlier purchase is unknown, the rental waits.
    """
    entry = snapshot.rental.waits_again_in
    if entry is not None:
        return await wait_on(deps, snapshot, entry, why, now)
    if snapshot.unresolved:
        return await wait_for_lookups(deps, snapshot, now, nothing_fits=True)
    if snapshot.rental.waitlist_entry is not None and why in {Why.NOTHING_LEFT, Why.TOO_MANY_ATTEMPTS}:
        return end_waitlist_entry(snapshot, now)
    return snapshot.with_rental(*snapshot.finished(State.FAILED, now, why=why))
