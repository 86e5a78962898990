"""Writes a change of a rental: the one way in which a rental changes."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.changes.notifications import change
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.budgets import settle
from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.event import Event
from bot.model.message import Message
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.use.visit_times import soonest_visit
from store.db import Tx


async def apply(
    tx: Tx,
    deps: Deps,
    before: Rental | None,
    after: Rental,
    *events: Event,
    attempts: tuple[Attempt, ...] = (),
    resources: tuple[Resource, ...] = (),
    ledger: tuple[LedgerRow, ...] = (),
    releases_claim: bool = False,
    visited_at: datetime | None = None,
    within_budgets: bool = False,
    more_messages: tuple[Message, ...] = (),
) -> Rental:
    """Write a change of a rental with all messages that it causes, what it holds of budgets, and what it was
    charged. Return the rental. `more_messages` belong to the first event.

    Raise as `Rentals.apply`. Raise Stale too if the rental must stay `within_budgets` and they don't hold it: the
    caller judged older balances.
    """
    settles = bool(attempts or ledger) or _moves_money(before, after)
    if settles:
        await tx.rentals.lock_spending()
    write = change(
        before,
        after,
        events=events,
        rules=deps.rules,
        real_now=deps.clock.real(),
        attempts=attempts,
        resources=resources,
        ledger=ledger,
        under_claim=deps.claimed == after.id,
        releases_claim=releases_claim,
        visited_at=visited_at,
        more_messages=more_messages,
    )
    await tx.rentals.apply(write)
    if _end_changed(before, after):
        # The next visit tells the machine its new end.
        last = (await tx.samples.newest_of([after.id])).get(after.id)
        await tx.visits.make_due(after.id, soonest_visit(last, deps.clock.now()))
    if settles:
        by = next((event.actor for event in events if event.actor is not None), None)
        new_rental = before is None
        await settle_now(tx, deps, after, by=by, new_rental=new_rental, within=within_budgets)
    return after


async def settle_now(
    tx: Tx, deps: Deps, rental: Rental, *, by: str | None = None, new_rental: bool = False, within: bool = False
) -> None:
    """Charge a rental's new ledger rows, and make balances hold what it holds now. Raise as `budgets.settle`."""
    now, real_now = deps.clock.now(), deps.clock.real()
    await settle(tx, deps.rules, rental, now=now, real_now=real_now, by=by, new_rental=new_rental, within=within)


async def settle_stored(tx: Tx, deps: Deps, rental_id: str) -> None:
    """As `settle_now`, for a rental that is read from the store."""
    rental = await tx.rentals.get(rental_id)
    if rental is not None:
        await settle_now(tx, deps, rental)


_MONEY = ("state", "owner", "envelope", "rate", "replaced_by", "attempts")


def _moves_money(before: Rental | None, after: Rental) -> bool:
    """Return whether a change may change what a rental holds of budgets."""
    if before is None or any(getattr(before, name) != getattr(after, name) for name in _MONEY):
        return True
    ends = [(one.lease.ends_at, one.lease.latest_end) if one.lease else None for one in (before, after)]
    return ends[0] != ends[1]


def _end_changed(before: Rental | None, after: Rental) -> bool:
    """Return whether the end of a machine that stays ready changed."""
    if before is None or before.lease is None or after.lease is None or after.state is not State.READY:
        return False
    return before.lease.ends_at != after.lease.ends_at
