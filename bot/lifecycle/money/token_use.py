"""Computes the parts of a token's terms that its rentals use up."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from bot.model.rental import Rental
from bot.model.state import UNBOUGHT
from bot.model.token import Token, TokenUse
from bot.policy.team.token_terms import DAY
from store.db import Tx


async def use_of(tx: Tx, token: Token, now: datetime, *, without: Rental | None = None) -> TokenUse:
    """Return the parts of a token's terms that its rentals use up. `without` is a current rental to leave out.

    If the result decides about a rental, the caller must hold the spending lock. Rentals that now belong to
    somebody else are left out, and so is what other people pay for a machine. The cost of earlier purchases of
    `without` is left out as well.
    """
    rentals = [one for one in await rentals_of(tx, token) if without is None or one.id != without.id]
    begun = await tx.rentals.begun_with(token.id, now - DAY)
    charged = await tx.budgets.charged_with(token.id, token.owner)
    if without is not None:
        began_at = without.procuring_since or without.created_at
        if began_at in begun:
            begun.remove(began_at)
        own = await tx.budgets.charges_of(without.id)
        charged -= sum(charge.amount for charge in own if charge.owner == token.owner)
    return TokenUse(
        spent=charged + await _reserved(tx, token, rentals),
        per_hour=sum((one.terms.max_rate for one in rentals if one.state not in UNBOUGHT), Decimal(0)),
        live=tuple(rental.id for rental in rentals),
        begun=tuple(begun),
    )


async def rentals_of(tx: Tx, token: Token) -> list[Rental]:
    """Return the rentals of a token that aren't over and still belong to the token's owner, oldest first."""
    return [one for one in await tx.rentals.of_token(token.id, live=True) if one.owner == token.owner]


async def _reserved(tx: Tx, token: Token, rentals: list[Rental]) -> int:
    """Return the most that these current rentals of a token can still cost.

    Rentals that wait for an offer or a decision don't count. Until their price is known, they reserve as much as
    the terms allow, so two searches at the same time would exclude each other. The terms are checked again when an
    offer is found.

    Before a machine is ready, its whole cost is reserved in each month in which it might run, so that only one of
    these months counts. Once it is ready, each month has its own part of the cost, so the months are added up.
    """
    reserved = await tx.budgets.reserved_with(token.id, token.owner)
    bought = [rental for rental in rentals if rental.state not in UNBOUGHT]
    months = [(rental, list(reserved.get(rental.id, {}).values())) for rental in bought]
    return sum(sum(each) if rental.lease is not None else max(each, default=0) for rental, each in months)
