"""Draws models with Hypothesis by their annotations, so that tests also cover a field that is added later."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)
Basics = Mapping[Any, SearchStrategy[Any]]


def anything(kind: Any, basics: Basics) -> SearchStrategy[Any]:
    """Return a strategy for the values that an annotation allows. `basics` has the strategies of plain types, and
    of models whose fields must fit each other. What may be None is None in every third value.
    """
    if kind in basics:
        return basics[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return anything(inner[0], basics)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in {Union, UnionType}:
        kinds = [anything(one, basics) for one in inner if one is not type(None)]
        return st.one_of(*kinds, *kinds, st.none()) if type(None) in inner else st.one_of(kinds)
    if origin is tuple and inner[-1] is not Ellipsis:
        return st.tuples(*(anything(one, basics) for one in inner))
    if origin is tuple:
        return st.lists(anything(inner[0], basics), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(anything(inner[0], basics), max_size=3)
    if origin is dict:
        return st.dictionaries(anything(inner[0], basics), anything(inner[1], basics), max_size=3)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    return any_of(kind, basics)


def any_of(kind: type[M], basics: Basics, /, **fixed: Any) -> SearchStrategy[M]:
    """Return a strategy for the values of a model with these `fixed` fields."""
    free = {n: anything(field.annotation, basics) for n, field in kind.model_fields.items() if n not in fixed}
    # Not by `builds`: it would also draw a required field by its alias.
    return st.fixed_dictionaries(free).map(lambda fields: kind(**fields, **fixed))
