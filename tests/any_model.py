"""Draws models with Hypothesis according to their annotations.

This way, tests also cover fields that are added later.
"""

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
    """Return a strategy for the values that an annotation allows.

    `basics` contains the strategies of plain types, and of models whose fields must be consistent with each other.
    A value that may be None is None in about a third of the cases.
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
    """Return a strategy for instances of a model, with the `fixed` fields set to the given values."""
    free = {n: anything(field.annotation, basics) for n, field in kind.model_fields.items() if n not in fixed}
    # `builds` can't be used here, because it would also draw a required field by its alias.
    return st.fixed_dictionaries(free).map(lambda fields: kind(**fields, **fixed))
