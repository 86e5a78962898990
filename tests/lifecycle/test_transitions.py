"""The transition table, its picture, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bot.lifecycle import transitions
from bot.lifecycle.transitions import STARTS, TRANSITIONS, ForbiddenTransition
from bot.model.rental import Rental
from bot.model.state import ENDS, State
from tests.databases import START
from tests.store import make

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"
PAIRS = [(before, after) for before in State for after in State]
BEFORE_AN_END = sorted(state for state in State if not state.over)


def drawn() -> set[tuple[str, str]]:
    """The arrows of the diagram."""
    page = PAGE.read_text(encoding="utf-8")
    diagrams = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", page, re.DOTALL)
    assert len(diagrams) == 1
    arrows = [line.strip() for line in diagrams[0].splitlines() if line.strip()]
    pairs = [tuple(arrow.split(" --> ")) for arrow in arrows]
    assert len(set(pairs)) == len(pairs), "an arrow is drawn twice"
    return {(before, after) for before, after in pairs}


def of(state: State, **changes: Any) -> Rental:
    return make.rental(state=state, version=7, **changes)


def test_the_diagram_is_the_table() -> None:
    table = {("[*]", start.value) for start in STARTS}
    table |= {(before.value, after.value) for before, follows in TRANSITIONS.items() for after in follows}
    table |= {(end.value, "[*]") for end in ENDS}
    assert drawn() == table


def test_every_arrow_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    explained = set()
    for befores, afters in re.findall(r"^- \*\*(.+?) → (.+?)\*\*:", page, re.MULTILINE):
        explained |= {(before, after) for before in befores.split(", ") for after in afters.split(", ")}
    arrows = {("start" if a == "[*]" else a, b) for a, b in drawn() if b != "[*]"}
    assert explained == arrows


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=lambda state: state.value)
def test_every_pair_is_allowed_or_refused(before: State, after: State) -> None:
    rental = of(before)
    if after in TRANSITIONS[before] or after == before:
        moved = transitions.move(rental, after, progress="on")
        assert (moved.state, moved.version, moved.progress) == (after, 8, "on")
    else:
        with pytest.raises(ForbiddenTransition, match=f"{before} -> {after}"):
            transitions.move(rental, after)


@pytest.mark.parametrize("state", State)
def test_a_rental_starts_waiting_or_buying(state: State) -> None:
    if state in {State.AWAITING_APPROVAL, State.PROCURING}:
        transitions.check(None, state)
    else:
        with pytest.raises(ForbiddenTransition):
            transitions.check(None, state)


def test_nothing_follows_an_end_and_every_end_can_be_reached() -> None:
    assert {state for state, follows in TRANSITIONS.items() if not follows} == ENDS
    reached: set[State] = set(STARTS)
    while more := {after for state in reached for after in TRANSITIONS[state]} - reached:
        reached |= more
    assert reached == set(State)


def test_every_state_that_can_hold_a_machine_can_be_destroyed() -> None:
    holding = {State.AWAITING_APPROVAL, State.PROCURING, State.PROVISIONING, State.READY}
    assert all(State.DESTROYING in TRANSITIONS[state] for state in holding)


@pytest.mark.parametrize("before", BEFORE_AN_END)
@pytest.mark.parametrize("end", sorted(ENDS))
def test_a_rental_of_which_nothing_lives_ends_at_once(before: State, end: State) -> None:
    ended = transitions.end_now(of(before, due_at=START), end, over_at=START)
    assert (ended.state, ended.version, ended.due_at, ended.over_at) == (end, 8, None, START)


@pytest.mark.parametrize("before", sorted(ENDS))
@pytest.mark.parametrize("end", sorted(ENDS))
def test_an_end_is_not_ended_again(before: State, end: State) -> None:
    with pytest.raises(ForbiddenTransition):
        transitions.end_now(of(before), end)


@pytest.mark.parametrize("state", sorted(set(State) - ENDS - {State.DESTROYING}))
def test_only_an_end_ends_a_rental(state: State) -> None:
    with pytest.raises(ForbiddenTransition):
        transitions.end_now(of(State.DESTROYING), state)


def test_altering_keeps_the_state_and_counts_on() -> None:
    altered = transitions.alter(of(State.READY), progress="x")
    assert (altered.state, altered.version, altered.progress) == (State.READY, 8, "x")
