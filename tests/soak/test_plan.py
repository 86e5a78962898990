"""A plan is a function of its seed, and has in it what a soak is for."""

from __future__ import annotations

from dataclasses import fields

from soak.databases import KINDS
from soak.deeds import Does
from soak.plan import plan, plans
from soak.weather import Side


def test_the_same_seed_makes_the_same_plan() -> None:
    first, second = plans(7, 40, KINDS), plans(7, 40, KINDS)
    assert first == second
    assert [one.database for one in first] == ["sqlite", "postgres", "sqlite", "postgres"]
    assert plans(7, 10, KINDS, only=3) == [first[2]]


def test_another_seed_or_another_episode_makes_another_plan() -> None:
    made = [plan(seed, episode, 10, "sqlite").rounds for seed in (1, 2) for episode in (1, 2)]
    assert all(one != other for n, one in enumerate(made) for other in made[n + 1 :])


def test_it_kills_as_often_as_asked() -> None:
    for kills in (1, 9, 10, 20, 100):
        assert sum(one.kills for one in plans(3, kills, KINDS)) >= kills


def test_everyone_acts_and_everything_goes_wrong_at_some_time() -> None:
    rounds = [one for each in plans(1, 300, KINDS) for one in each.rounds]
    acts = [act for one in rounds for act in one.acts]
    assert {act.who for act in acts} == {"Ana", "Ben", "Cleo", "Gus", "Olga"}
    assert {act.does for act in acts} == set(Does)
    assert {trouble.side for one in rounds for trouble in one.weather} == set(Side)
    kills = [one.kill for one in rounds]
    assert {kill.gently for kill in kills} == {kill.acted for kill in kills} == {True, False}
    assert any(kill.at for kill in kills)
    assert any(kill.again_after for kill in kills)
    assert any(one.calm for one in rounds)
    assert all(field.name for field in fields(rounds[0]))
