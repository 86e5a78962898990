"""Checks of budgets that must be true at any time: balances are sums, and charges equal the ledger."""

from __future__ import annotations

from bot.model.base import changed
from bot.model.budget import TEAM
from bot.policy.buying.charges import owners_of
from store.db import Database


async def check_budgets(store: Database) -> None:
    """Check that budgets, reservations and charges are consistent.

    Each balance must be the sum of what rentals have reserved and been charged. A rental that is over must have no
    reservations. The charges must add up to the ledger.
    """
    async with store.read() as tx:
        balances = [
            changed(balance, alerted=0, alert_due_at=None, alert_to=None)
            for balance in await tx.budgets.all_balances()
        ]
        sums = [balance for balance in await tx.budgets.sums() if balance.reserved or balance.spent]
        assert sorted(balances, key=str) == sorted(sums, key=str)
        for rental in (await tx.rentals.get_many([one async for one in tx.rentals.all_ids()])).values():
            charges = await tx.budgets.charges_of(rental.id)
            assert sum(one.amount for one in charges) == sum(
                row.amount for row in await tx.rentals.ledger(rental.id)
            )
            reserved = await tx.budgets.reservations(rental.id)
            assert not (rental.state.over and reserved), rental.id
            if reserved:
                owners = {one.owner for one in owners_of(rental.owner, await tx.events.of(rental.id))}
                assert all(one.owner in owners and one.project == rental.project for one in reserved)


async def check_settled(store: Database) -> None:
    """Check that nothing is reserved any more, and that the team has spent the total of the ledger."""
    await check_budgets(store)
    async with store.read() as tx:
        team = await tx.budgets.of_team()
        assert sum(balance.reserved for balance in team) == 0
        ids = [one async for one in tx.rentals.all_ids()]
        billed = [row.amount for one in ids for row in await tx.rentals.ledger(one)]
        assert sum(balance.spent for balance in team) == sum(billed)
    assert all(balance.scope == TEAM for balance in team)
