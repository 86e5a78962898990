"""Reservations depend on the fields that `moves_money` compares, and on no others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import AwareDatetime, BaseModel

from bot.lifecycle.money.budgets import RentalFacts, held, moves_money
from bot.model.attempt import AttemptState
from bot.model.base import changed
from bot.model.budget import Month
from bot.model.money import Micros
from bot.model.rental import Rental
from bot.model.request import Terms
from bot.model.state import UNBOUGHT, State
from bot.policy.team.rules import Rules
from tests.any_model import any_of
from tests.databases import START
from tests.store import make

# Only few values. They are far enough apart to reach another month, with amounts below and above the cost of a
# machine.
BASICS: dict[Any, SearchStrategy[Any]] = {
    bool: st.booleans(),
    str: st.sampled_from(["one", "other"]),
    int: st.integers(1, 3),
    Decimal: st.decimals(1, 3, places=1),
    AwareDatetime: st.sampled_from([START + timedelta(days=days) for days in (-35, 1, 20, 40, 70, 100)]),
    timedelta: st.sampled_from([timedelta(days=days) for days in (1, 10, 40, 80)]),
}
TOTALS = st.sampled_from([9_000_000, 900_000_000_000])
LIVE = st.sampled_from([state for state in State if not state.over])
BASICS[Terms] = st.builds(lambda one, total: changed(one, total=total), any_of(Terms, BASICS), TOTALS)
RENTALS = st.builds(
    lambda one, state: changed(one, state=state, lease=None if state in UNBOUGHT else one.lease),
    any_of(Rental, BASICS),
    LIVE,
)


def changes(before: Rental, other: Rental) -> Iterator[Rental]:
    """Yield `before` with each field of `other`, and with each field of a value of `other`, one at a time."""
    for name in Rental.model_fields:
        value, new = getattr(before, name), getattr(other, name)
        yield changed(before, **{name: new})
        if isinstance(value, BaseModel) and isinstance(new, BaseModel):
            for part in type(value).model_fields:
                yield changed(before, **{name: changed(value, **{part: getattr(new, part)})})


@settings(max_examples=200)
@given(RENTALS, RENTALS)
def test_fields_that_move_no_money_do_not_change_reservations(before: Rental, other: Rental) -> None:
    attempts = (make.attempt(), *(make.attempt(n=n, state=AttemptState.BOUGHT, accepted=True) for n in (2, 3)))
    resources = tuple(make.resource(f"res-{n}", n=n, rate=Decimal("2.15"), valid_from=START) for n in (2, 3))

    def held_by(rental: Rental) -> dict[Month, Micros]:
        facts = RentalFacts(rental, attempts, resources, (make.ledger_row(),))
        return held(facts, START + timedelta(hours=3), Rules())

    for after in changes(before, other):
        assert moves_money(before, after) or held_by(before) == held_by(after)
