"""Writes a change of a rental: the one way in which a rental changes."""

from __future__ import annotations

from dataclasses import replace

from bot.lifecycle.changes.notifications import messages_of
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.budgets import moves_money, settle
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.use.probe_times import soonest_probe_run
from store.db import Tx


async def apply(tx: Tx, deps: Deps, change: Change) -> Rental:
    """Write a change with all messages that follow from it, what the rental holds of budgets now, and what it was
    charged. Return the rental.

    Raise as `Rentals.apply`. Raise Stale too if the rental must stay within budgets and they don't hold it: the
    caller judged older balances.
    """
    before, after = change.before, change.after
    resolves = bool(change.attempts or change.ledger) or before is None or moves_money(before, after)
    if resolves:
        await tx.rentals.lock_spending()
    messages = (*messages_of(change, deps.rules, deps.clock.real()), *change.messages)
    await tx.rentals.apply(replace(change, messages=messages, under_claim=deps.claimed == after.id))
    if _end_changed(before, after):
        # The next visit tells the machine its new end.
        last = (await tx.samples.newest_of([after.id])).get(after.id)
        await tx.probe_runs.make_due(after.id, soonest_probe_run(last, deps.clock.now()))
    if resolves:
        by = next((event.actor for event in change.events if event.actor is not None), None)
        await settle(tx, deps, after, by=by, new_rental=before is None, within=change.within_budgets)
    return after


def _end_changed(before: Rental | None, after: Rental) -> bool:
    """Return whether the end of a machine that stays ready changed."""
    if before is None or before.lease is None or after.lease is None or after.state is not State.READY:
        return False
    return before.lease.ends_at != after.lease.ends_at
