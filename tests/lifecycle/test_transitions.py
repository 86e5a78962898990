"""The transition table, its diagram, and the changes that it forbids."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.lifecycle.changes import lease_changes, transitions
from bot.lifecycle.changes.snapshot import RentalSnapshot
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.records import Change
from bot.model.rental import Alarm, Blocked, Decider, Ending, Extension, Question, Rental
from bot.model.state import ENDS, STARTS, TRANSITIONS, ForbiddenTransition, State, check_transition
from bot.policy.team.rules import Rules
from tests.databases import START
from tests.store import make

RULES = Rules()
HOUR = timedelta(hours=1)
PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"
PAIRS = [(before, after) for before in State for after in State]
BEFORE_AN_END = sorted(state for state in State if not state.over)


def drawn_transitions() -> set[tuple[str, str]]:
    """Return the transitions that the diagram draws."""
    page = PAGE.read_text(encoding="utf-8")
    diagrams = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", page, re.DOTALL)
    assert len(diagrams) == 1
    arrows = [line.strip() for line in diagrams[0].splitlines() if line.strip()]
    pairs = [tuple(arrow.split(" --> ")) for arrow in arrows]
    assert len(set(pairs)) == len(pairs), "an arrow is drawn twice"
    return {(before, after) for before, after in pairs}


def rental_in(state: State, **changes: Any) -> Rental:
    return make.rental(state=state, version=7, **changes)


def test_the_diagram_matches_the_transition_table() -> None:
    table = {("[*]", start.value) for start in STARTS}
    table |= {(before.value, after.value) for before, follows in TRANSITIONS.items() for after in follows}
    table |= {(end.value, "[*]") for end in ENDS}
    assert drawn_transitions() == table


def test_every_arrow_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    explained = set()
    for befores, afters in re.findall(r"^- \*\*(.+?) → (.+?)\*\*:", page, re.MULTILINE):
        explained |= {(before, after) for before in befores.split(", ") for after in afters.split(", ")}
    arrows = {("start" if a == "[*]" else a, b) for a, b in drawn_transitions() if b != "[*]"}
    assert explained == arrows


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=lambda state: state.value)
def test_only_transitions_in_the_table_are_allowed(before: State, after: State) -> None:
    if after in TRANSITIONS[before] or after == before:
        check_transition(before, after)
    else:
        with pytest.raises(ForbiddenTransition, match=f"{before} -> {after}"):
            check_transition(before, after)


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=lambda state: state.value)
def test_a_change_missing_from_the_table_cannot_be_built(before: State, after: State) -> None:
    ends_at_once = after.over and State.DESTROYING in TRANSITIONS[before]
    by_hand = make.next_of(rental_in(before), state=after)
    if after == before or after in TRANSITIONS[before] or ends_at_once:
        assert Change(rental_in(before), by_hand).after == by_hand
    else:
        with pytest.raises(ForbiddenTransition, match=f"{before} -> {after}|{before} -> destroying"):
            Change(rental_in(before), by_hand)


@pytest.mark.parametrize("state", State)
def test_a_rental_can_only_begin_in_a_starting_state(state: State) -> None:
    if state in STARTS:
        assert Change(None, rental_in(state)).after == rental_in(state)
    else:
        with pytest.raises(ForbiddenTransition, match=f"None -> {state}"):
            Change(None, rental_in(state))


@pytest.mark.parametrize("state", State)
def test_a_rental_starts_waiting_queued_buying_or_ready(state: State) -> None:
    if state in STARTS:
        check_transition(None, state)
    else:
        with pytest.raises(ForbiddenTransition):
            check_transition(None, state)


def test_no_state_follows_an_end_and_every_state_is_reachable() -> None:
    assert {state for state, follows in TRANSITIONS.items() if not follows} == ENDS
    reached: set[State] = set(STARTS)
    while more := {after for state in reached for after in TRANSITIONS[state]} - reached:
        reached |= more
    assert reached == set(State)


def test_every_state_that_can_hold_a_machine_can_be_destroyed() -> None:
    holding = {State.AWAITING_APPROVAL, State.PROCURING, State.PROVISIONING, State.READY}
    assert all(State.DESTROYING in TRANSITIONS[state] for state in holding)


# --- the fields that each transition sets


@pytest.mark.parametrize("before", BEFORE_AN_END)
@pytest.mark.parametrize("end", sorted(ENDS))
def test_a_rental_without_a_live_resource_ends_immediately(before: State, end: State) -> None:
    ended = transitions.end_now(rental_in(before, due_at=START), Ending(outcome=end), START)
    assert (ended.state, ended.version, ended.due_at, ended.over_at) == (end, 8, None, START)


@pytest.mark.parametrize("before", sorted(ENDS))
@pytest.mark.parametrize("end", sorted(ENDS))
def test_a_rental_that_is_over_does_not_end_again(before: State, end: State) -> None:
    with pytest.raises(ForbiddenTransition):
        transitions.end_now(rental_in(before), Ending(outcome=end), START)


@pytest.mark.parametrize("state", sorted(set(State) - ENDS))
def test_a_rental_ends_only_in_a_state_that_is_an_end(state: State) -> None:
    with pytest.raises(ForbiddenTransition):
        transitions.end_now(rental_in(State.DESTROYING), Ending(outcome=state), START)


def test_an_approved_request_no_longer_waits_and_is_not_blocked() -> None:
    waits = rental_in(State.AWAITING_APPROVAL, decision=make.decision(), approved_by=make.BEN)
    after = transitions.approve(waits, START + HOUR, approver=make.ANA)
    assert after == make.next_of(
        waits,
        state=State.PROCURING,
        decision=None,
        approved_by=make.ANA,
        procuring_since=START + HOUR,
        due_at=START + HOUR,
    )


def test_the_owners_own_decision_does_not_count_as_an_approval() -> None:
    waits = rental_in(State.AWAITING_APPROVAL, decision=make.decision(decider=Decider.OWNER), approved_by=make.BEN)
    assert transitions.approve(waits, START, approver=None).approved_by == make.BEN


def test_a_request_that_waits_for_a_decision_again_is_not_blocked() -> None:
    buying = rental_in(State.PROCURING, procuring_since=START, blocked=Blocked(since=START, why=Why.PAUSED))
    after = transitions.await_decision(
        buying, make.decision(), terms=make.terms(version=2), clicked_offer="offer-2", now=START + HOUR
    )
    assert after == make.next_of(
        buying,
        state=State.AWAITING_APPROVAL,
        terms=make.terms(version=2),
        clicked_offer="offer-2",
        decision=make.decision(),
        procuring_since=None,
        blocked=None,
        due_at=START + HOUR,
    )


def test_a_block_keeps_its_start_and_gets_the_newest_reason() -> None:
    once = transitions.block_buying(rental_in(State.PROCURING), START)
    twice = transitions.block_buying(once, START + HOUR, Why.PAUSED)
    assert (once.blocked, twice.blocked) == (Blocked(since=START), Blocked(since=START, why=Why.PAUSED))
    assert transitions.block_buying(twice, START + HOUR).blocked == twice.blocked


def test_giving_up_an_attempt_clears_every_field_about_its_machine() -> None:
    making = rental_in(
        State.PROVISIONING,
        procuring_since=START,
        accepted_at=START,
        quiet_since_real=START,
    )
    after = transitions.give_up_attempt(making, START + HOUR)
    assert after == make.next_of(
        making,
        state=State.PROCURING,
        accepted_at=None,
        quiet_since_real=None,
        due_at=START + HOUR,
    )


def test_destroying_drops_pending_requests_and_postpones_an_alarm() -> None:
    extension = Extension(terms=make.terms(version=2), ends_at=START + 9 * HOUR, asked_by=make.ANA, asked_at=START)
    running = rental_in(
        State.READY,
        lease=make.lease(),
        extension=extension,
        alarm=Alarm(at=START, count=2, acknowledged_by=make.BEN),
    )
    ending = Ending(outcome=State.DESTROYED, why=Why.ASKED, by=make.ANA)
    after = transitions.begin_destroying(running, ending, START + HOUR)
    assert after == make.next_of(
        running,
        state=State.DESTROYING,
        extension=None,
        ending=changed(ending, since=START + HOUR),
        alarm=Alarm(at=START + HOUR + transitions.ALARM_AFTER, count=2, acknowledged_by=make.BEN),
        due_at=START + HOUR,
    )
    over = transitions.confirm_destroyed(after, START + 2 * HOUR)
    assert (over.state, over.ending, over.over_at, over.due_at) == (
        State.DESTROYED,
        after.ending,
        START + 2 * HOUR,
        None,
    )


def test_a_dropped_extension_keeps_the_end_and_uses_up_its_version() -> None:
    extension = Extension(
        terms=make.terms(version=2, total=99), ends_at=START + 9 * HOUR, asked_by=make.ANA, asked_at=START
    )
    running = rental_in(State.READY, lease=make.lease(), extension=extension)
    after = lease_changes.drop_extension(running, START + HOUR)
    assert (after.lease, after.extension, after.terms) == (running.lease, None, make.terms(version=2))


def test_an_approved_extension_is_no_sign_of_life() -> None:
    extension = Extension(terms=make.terms(version=2), ends_at=START + 9 * HOUR, asked_by=make.ANA, asked_at=START)
    running = rental_in(State.READY, lease=make.lease(), extension=extension)
    after = lease_changes.approve_extension(running, extension, approver=make.BEN, now=START + HOUR)
    assert after == make.next_of(
        running,
        terms=extension.terms,
        extension=None,
        lease=changed(make.lease(), ends_at=START + 9 * HOUR, notices_checked_at=START + HOUR),
        approved_by=make.BEN,
        due_at=START + HOUR,
    )


def test_keeping_and_extending_are_signs_of_life_that_replace_the_question() -> None:
    question = Question(quiet_until=START + 4 * HOUR, promised=True)
    running = rental_in(State.READY, lease=make.lease())
    seen = changed(make.lease(), seen_at=START + HOUR, question=question)
    assert lease_changes.keep(running, question, START + HOUR).lease == seen
    extended = lease_changes.extend(
        running,
        terms=make.terms(version=2),
        ends_at=START + 9 * HOUR,
        question=question,
        now=START + HOUR,
    )
    assert extended.lease == changed(seen, ends_at=START + 9 * HOUR, notices_checked_at=START + HOUR)


@pytest.mark.parametrize("end", [State.DENIED, State.EXPIRED, State.WITHDRAWN, State.CANCELLED])
def test_the_end_of_a_request_states_its_cost(end: State) -> None:
    """The exception is a request whose machine was bought after the backup."""
    for bought_after_backup, amount in ((False, 0), (True, None)):
        rental = rental_in(State.AWAITING_APPROVAL, bought_after_backup=bought_after_backup)
        _, event = RentalSnapshot(rental).finished(end, START)
        assert event.facts.amount == amount
