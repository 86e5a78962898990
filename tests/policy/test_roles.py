"""Who may do what."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.base import changed
from bot.model.person import Person
from bot.policy.roles import may_use_in, roles_of
from bot.policy.rules import Approvers, Rules, Use

ADMIN, APPROVER, MEMBER = "U0ADMIN", "U0APPROVER", "U0MEMBER"
RULES = Rules(admins=(ADMIN,), approvers=Approvers(people=(APPROVER,), groups=("S0GPU",)))


def person(user_id: str = MEMBER, **facts: Any) -> Person:
    return Person(id=user_id, name="Somebody", **facts)


def roles(who: Person, rules: Rules = RULES) -> set[str]:
    return {name for name, has in roles_of(who, rules).model_dump().items() if has}


@pytest.mark.parametrize(
    ("who", "has"),
    [
        (person(), {"user"}),
        (person(ADMIN), {"user", "admin"}),
        (person(APPROVER), {"user", "approver"}),
        (person(groups=frozenset({"S0GPU"})), {"user", "approver"}),
        (person(groups=frozenset({"S0OTHER"})), {"user"}),
        (person(guest=True), set()),
    ],
)
def test_roles_are_what_the_rules_name(who: Person, has: set[str]) -> None:
    assert roles(who) == has


@pytest.mark.parametrize("fact", ["outsider", "deactivated", "bot"])
@pytest.mark.parametrize("user_id", [ADMIN, APPROVER, MEMBER])
def test_outsiders_bots_and_people_who_left_have_no_role_whatever_the_rules_name(fact: str, user_id: str) -> None:
    assert roles(person(user_id, groups=frozenset({"S0GPU"}), **{fact: True})) == set()


def test_guests_may_where_the_rules_say_so() -> None:
    assert roles(person(guest=True), Rules(use=Use(guests=True))) == {"user"}


def test_a_named_group_keeps_others_out_but_not_admins_and_approvers() -> None:
    rules = changed(RULES, use=Use(groups=("S0ML",)))
    assert roles(person(), rules) == set()
    assert roles(person(groups=frozenset({"S0ML"})), rules) == {"user"}
    assert "user" in roles(person(ADMIN), rules)
    assert "user" in roles(person(APPROVER), rules)
    assert roles(person(guest=True, groups=frozenset({"S0ML"})), rules) == set()


def test_without_approvers_the_admins_approve() -> None:
    rules = Rules(admins=(ADMIN, "U0OTHER"))
    assert roles(person(ADMIN), rules) == {"user", "admin", "approver"}
    assert roles(person(), rules) == {"user"}


@pytest.mark.parametrize(
    ("rules", "sole"),
    [
        (Rules(admins=(ADMIN,)), True),
        (Rules(admins=(ADMIN,), approvers=Approvers(people=(ADMIN,))), True),
        (Rules(admins=(ADMIN, "U0OTHER")), False),
        (Rules(admins=(ADMIN,), approvers=Approvers(people=(APPROVER,))), False),
        (Rules(admins=(ADMIN,), approvers=Approvers(groups=("S0GPU",))), False),
    ],
)
def test_only_an_admin_without_any_other_approver_is_alone(rules: Rules, sole: bool) -> None:
    assert roles_of(person(ADMIN), rules).sole_admin is sole
    assert not roles_of(person(), rules).sole_admin


def test_named_channels_are_where_it_is_used_and_a_direct_message_always_is() -> None:
    rules = Rules(use=Use(channels=("C0GPUS",)))
    assert may_use_in("C0GPUS", direct=False, rules=rules)
    assert not may_use_in("C0OTHER", direct=False, rules=rules)
    assert may_use_in("D0ANA", direct=True, rules=rules)
    assert may_use_in("C0OTHER", direct=False, rules=Rules())
