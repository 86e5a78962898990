"""Tests that a plan depends only on its seed, and covers everything that a soak is for."""

from __future__ import annotations

import ast
from pathlib import Path

from soak.actions import ActionKind
from soak.databases import KINDS, REPLICAS
from soak.disturbances import System
from soak.plan import LONG_STOP, plan, plans


def test_the_same_seed_makes_the_same_plan() -> None:
    first, second = plans(7, 40), plans(7, 40)
    assert first == second
    assert [each.database for each in first] == ["sqlite", "postgres", "sqlite", "postgres"]
    assert plans(7, 10, only=3) == [first[2]]
    assert plans(7, 40, (REPLICAS,)) == plans(7, 40, (REPLICAS,))


def test_another_seed_or_another_episode_makes_another_plan() -> None:
    made = [plan(seed, episode, 10, "sqlite").rounds for seed in (1, 2) for episode in (1, 2)]
    assert all(rounds != other for n, rounds in enumerate(made) for other in made[n + 1 :])


def test_a_run_has_at_least_the_requested_number_of_kills() -> None:
    for kills in (1, 9, 10, 20, 100):
        for kind in KINDS:
            assert sum(each.kills for each in plans(3, kills, (kind,))) >= kills


def test_everyone_acts_and_every_system_fails_in_some_round() -> None:
    rounds = [each for episode in plans(1, 300) for each in episode.rounds]
    actions = [action for each in rounds for action in each.actions]
    assert {action.who for action in actions} == {"Ana", "Ben", "Cleo", "Dan", "Gus", "Olga"}
    assert {action.kind for action in actions} == set(ActionKind)
    disturbances = [disturbance for each in rounds for disturbance in each.disturbances]
    assert {disturbance.system for disturbance in disturbances} == set(System)
    assert {"Dan leaves", "unknown machine", "machine used"} <= {disturbance.name for disturbance in disturbances}
    kills = [each.kill for each in rounds]
    assert {kill.graceful for kill in kills} == {kill.after_acting for kill in kills} == {True, False}
    assert any(kill.held for kill in kills)
    assert any(kill.again_after for kill in kills)
    assert any(kill.restores for kill in kills)
    assert any(each.checked for each in rounds)


def test_the_database_is_restored_at_most_once_in_an_episode() -> None:
    counts = {sum(each.kill.restores for each in plan.rounds) for plan in plans(1, 300)}
    assert counts == {0, 1}


def test_people_begin_to_wait_before_the_copy_and_stop_after_it() -> None:
    rounds = [each for plan in plans(1, 300) for each in plan.rounds]
    assert any(each.kill.restores for each in rounds)
    for each in rounds:
        waiting = {action.who for action in each.waits}
        assert waiting == ({"Ana", "Ben"} if each.kill.restores else set())
        stops = (action for action in each.actions if action.labels == ("Stop waiting",))
        assert waiting <= {action.who for action in stops if action.after < each.kill.after}


def test_either_of_two_replicas_is_killed_and_restarted_immediately() -> None:
    made = plans(1, 200, (REPLICAS,))
    kills = [each.kill for plan in made for each in plan.rounds]
    assert {plan.replicas for plan in made} == {2}
    assert {int(kill.pick * 2) for kill in kills} == {0, 1}
    assert {kill.down for kill in kills} == {0}
    assert not any(kill.restores for kill in kills)
    assert {kill.graceful for kill in kills} == {True, False}
    assert any(kill.stopped == LONG_STOP for kill in kills)


def test_every_button_label_of_a_plan_exists_in_the_bots_messages() -> None:
    handlers = Path(__file__).parents[2] / "handlers"
    packages = ("actions", "messages", "phrases")
    views = [view for package in packages for view in sorted((handlers / package).rglob("*.py"))]
    nodes = [node for view in views for node in ast.walk(ast.parse(view.read_text(encoding="utf-8")))]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    rounds = [each for episode in plans(1, 300) for each in episode.rounds]
    labels = {label for each in rounds for action in each.actions for label in action.labels}
    assert labels
    assert {label for label in labels if not any(text.startswith(label) for text in texts)} == set()
