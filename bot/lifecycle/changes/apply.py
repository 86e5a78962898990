"""Writes changes to rentals. A rental changes only in this way."""

from __future__ import annotations

from dataclasses import replace

from bot.lifecycle.changes.notifications import messages_of
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.budgets import moves_money, settle
from bot.model.records import Change
from bot.model.rental import Rental
from bot.policy.use.probe_times import soonest_probe_run
from store.db import Tx


async def apply(tx: Tx, deps: Deps, change: Change) -> Rental:
    """Write a change to a rental with everything that follows from it, and return the changed rental.

    The messages of the change's events are written, and the rental's reservations and charges are updated. If the
    lease of a running machine now ends at another time, the next probe run is scheduled as soon as possible. The
    probe run tells the machine when the lease ends.

    Raises:
        Stale: The rental has changed in the meantime, or the change has to stay within budgets but would exceed
            one. In both cases, the caller's data was outdated. If the rental has changed, the attempts, resources
            and ledger rows of the change are written anyway.
        OfferTaken: The offer of a new attempt was already used by another attempt.
    """
    before, after = change.before, change.after
    resolves = bool(change.attempts or change.ledger) or before is None or moves_money(before, after)
    if resolves:
        await tx.rentals.lock_spending()
    messages = (*messages_of(change, deps.rules, deps.clock.real()), *change.messages)
    await tx.rentals.apply(replace(change, messages=messages, under_claim=deps.claimed == after.id))
    if change.moves_end:
        # The end of the lease has changed. The machine learns its end only from the bot's probe runs, its regular
        # connections over SSH. So schedule a probe run as soon as possible.
        last = (await tx.samples.newest_of([after.id])).get(after.id)
        await tx.probe_runs.make_due(after.id, soonest_probe_run(last, deps.clock.now()))
    if resolves:
        by = next((event.actor for event in change.events if event.actor is not None), None)
        await settle(tx, deps, after, by=by, new_rental=before is None, within=change.within_budgets)
    return after
