"""Tests of guessing the owners of unmanaged machines, and of the name that an admin types to destroy them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.model.admin_question import AdminQuestion, Purchase, UnmanagedMachine
from bot.model.person import Person
from bot.policy.buying.unmanaged_machines import Guesses, in_batches, is_name_typed, name_to_type
from bot.policy.team.rules import Rules

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PEOPLE = [
    Person(id="U0ANA", name="Ana Silva"),
    Person(id="U0BEN", name="ben.k"),
    Person(id="U0BENJI", name="Ben Okri"),
    Person(id="U0GUS", name="Gus", guest=True),
    Person(id="U0AL", name="Al"),
    Person(id="U0LEFT", name="Lefteris", deactivated=True),
]


def machine(name: str | None) -> UnmanagedMachine:
    return UnmanagedMachine(resource_id="3c90c3cc-0d44", status="running", runs=True, name=name, since=NOW)


@pytest.mark.parametrize(
    ("names", "owner"),
    [
        (["gpubot-k7mq2-1-u0ana"], "U0ANA"),
        (["gpubot-k7mq2-1-u0ana", "gpubot-k7mq2-1-u0ben"], None),
        (["gpubot-k7mq2-1-u0gone"], None),
        (["gpubot-k7mq2-1"], None),
        (["train-ana-3"], "U0ANA"),
        (["SILVA_2"], "U0ANA"),
        (["banana-1"], None),
        (["ben-test"], None),
        (["okri-test"], "U0BENJI"),
        (["gus-1"], None),
        (["al-1"], None),
        (["lefteris-1"], None),
        (["train-3", None], None),
        (["node-1", "ana"], "U0ANA"),
    ],
)
def test_the_owner_is_guessed_only_if_exactly_one_user_fits(names: list[str | None], owner: str | None) -> None:
    assert Guesses(PEOPLE, Rules()).owner(map(machine, names)) == owner


@pytest.mark.parametrize(
    ("name", "typed", "right"),
    [
        ("train-3", "train-3", True),
        ("train-3", " Train 3 ", True),
        ("train-3\u200b", "train-3", True),
        ("train-3", "train", False),
        ("train-3", "", False),
        (None, "3c90c3cc", True),
        ("<>", "3c90c3cc", True),
        ("<>", "", False),
        ("gpubot-k7mq2-1", "", True),
        ("gpubot-bench", "", True),
    ],
)
def test_destroying_an_unrelated_machine_requires_typing_its_name(
    name: str | None, typed: str, *, right: bool
) -> None:
    purchase = Purchase(machines=(machine(name),))
    assert is_name_typed(purchase, typed) is right
    assert (name_to_type(purchase) is None) is (name or "").startswith("gpubot-")


def test_purchases_are_stored_in_batches_of_fifty_machines() -> None:
    """A purchase is never split."""
    sizes = [1] * 30 + [20, 1, 70, 49, 1, 1]
    questions = [
        AdminQuestion(id=f"u{n}", about=Purchase(machines=(machine(None),) * size), found_at=NOW, asked_at=NOW)
        for n, size in enumerate(sizes)
    ]
    parts = in_batches(questions)
    assert [sum(len(one.purchase.machines) for one in part) for part in parts] == [50, 1, 70, 50, 1]
    assert [one for part in parts for one in part] == questions
    assert in_batches([]) == []
