"""What a rental holds of budgets depends on the fields that `moves_money` compares, and on no other."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

from bot.lifecycle.money.budgets import RentalFacts, held, moves_money
from bot.model.attempt import AttemptState
from bot.model.base import changed
from bot.model.rental import Rental
from bot.policy.team.rules import Rules
from tests.databases import START
from tests.store import make

PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    NoneType: st.none(),
    bool: st.booleans(),
    str: st.sampled_from(["one", "other"]),
    int: st.integers(1, 3),
    Decimal: st.decimals(1, 3, places=1),
    datetime: st.integers(-800, 800).map(lambda hours: START + timedelta(hours=hours)),
    timedelta: st.integers(1, 800).map(lambda hours: timedelta(hours=hours)),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return the values of a field's type: all kinds of them, whether or not they fit each other."""
    origin, inside = get_origin(kind), get_args(kind)
    if kind is AwareDatetime:
        return PLAIN[datetime]
    if origin is Annotated:
        return values(inside[0])
    if origin in (Union, UnionType):
        return st.one_of(*map(values, inside))
    if origin is tuple:
        return st.lists(values(inside[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(values(inside[0]), values(inside[1]), max_size=2)
    if issubclass(kind, BaseModel):
        return st.fixed_dictionaries(fields_of(kind)).map(kind.model_validate)
    return st.sampled_from(kind) if issubclass(kind, Enum) else PLAIN[kind]


@cache
def fields_of(kind: type[BaseModel]) -> dict[str, st.SearchStrategy[Any]]:
    return {name: values(field.annotation) for name, field in kind.model_fields.items()}


@st.composite
def changes(draw: st.DrawFn) -> tuple[Rental, Rental]:
    """Return a rental before and after a change of one field, or of one field of a value that it has."""
    before: Rental = draw(values(Rental))
    name = draw(st.sampled_from(list(Rental.model_fields)))
    value = getattr(before, name)
    if isinstance(value, BaseModel) and draw(st.booleans()):
        part = draw(st.sampled_from(list(type(value).model_fields)))
        return before, changed(before, **{name: changed(value, **{part: draw(fields_of(type(value))[part])})})
    return before, changed(before, **{name: draw(fields_of(Rental)[name])})


@settings(max_examples=500)
@given(changes())
def test_a_change_of_a_field_that_moves_no_money_leaves_what_is_held_equal(change: tuple[Rental, Rental]) -> None:
    before, after = change
    attempts = (make.attempt(), make.attempt(n=2, state=AttemptState.BOUGHT, accepted=True))
    resources = (make.resource(), make.resource("res-2", n=2, rate=Decimal("2.15"), valid_from=START))
    at, rules = START + timedelta(hours=3), Rules()

    def held_by(rental: Rental) -> dict[str, int]:
        return held(RentalFacts(rental, attempts, resources, (make.ledger_row(),)), at, rules)

    assert moves_money(before, after) or held_by(before) == held_by(after)
