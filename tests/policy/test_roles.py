"""Tests of people's roles and rights."""

from __future__ import annotations

from typing import Any

import pytest

from bot.errors import Refused
from bot.model.base import changed
from bot.model.person import Person
from bot.policy.team.roles import (
    Team,
    approvers_of,
    check_reads_spend,
    is_admin,
    is_approver_or_admin,
    is_owner,
    is_teammate,
    may_deny,
    may_destroy,
    may_extend,
    may_look,
    may_read_direct_message,
    may_see_ssh_command,
    may_use_in,
    may_withdraw,
    roles_of,
    rules_for,
    sees_money,
    sees_spend_of,
    sees_spend_of_people,
)
from bot.policy.team.rules import Access, Approval, Approvers, Finance, Rules
from tests.store import make

ADMIN, APPROVER, MEMBER = "U0ADMIN", "U0APPROVER", "U0MEMBER"
FINANCE = "U0FINANCE"
RULES = Rules(
    admins=(ADMIN,),
    approvers=Approvers(people=(APPROVER,), groups=("S0GPU",)),
    finance=Finance(people=(FINANCE,), groups=("S0MONEY",)),
)


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
        (person(FINANCE), {"user", "finance"}),
        (person(FINANCE, guest=True), {"finance"}),
        (person(groups=frozenset({"S0MONEY"})), {"user", "finance"}),
        (person(FINANCE, outsider=True), set()),
        (person(FINANCE, deactivated=True), set()),
    ],
)
def test_people_have_the_roles_that_the_rules_give_them(who: Person, has: set[str]) -> None:
    assert roles(who) == has


def test_quiet_approvers_and_the_people_of_then_may_decide_requests() -> None:
    rules = Rules(
        admins=(ADMIN,),
        approvers=Approvers(people=(APPROVER,), quiet=("U0QUIET",)),
        approval=Approval(then=("U0THEN", "S0BOSS")),
    )
    for who in (person("U0QUIET"), person("U0THEN"), person(groups=frozenset({"S0BOSS"}))):
        assert roles(who, rules) == {"user", "approver"}


def test_admins_are_asked_if_only_quiet_approvers_are_left() -> None:
    rules = Rules(admins=(ADMIN,), approvers=Approvers(people=(APPROVER, "U0QUIET"), quiet=("U0QUIET",)))
    left = rules_for(rules, Team(gone=frozenset({APPROVER})))
    assert approvers_of(left).people == (ADMIN,)
    assert {"approver"} <= roles(person("U0QUIET"), left)


@pytest.mark.parametrize("fact", ["outsider", "deactivated", "bot"])
@pytest.mark.parametrize("user_id", [ADMIN, APPROVER, MEMBER])
def test_outsiders_bots_and_people_who_left_have_no_roles(fact: str, user_id: str) -> None:
    assert roles(person(user_id, groups=frozenset({"S0GPU"}), **{fact: True})) == set()


def test_guests_are_users_if_the_rules_allow_guests() -> None:
    assert roles(person(guest=True), Rules(use=Access(guests=True))) == {"user"}


def test_a_group_of_users_excludes_everyone_but_admins_and_approvers() -> None:
    rules = changed(RULES, use=Access(groups=("S0ML",)))
    assert roles(person(), rules) == set()
    assert roles(person(groups=frozenset({"S0ML"})), rules) == {"user"}
    assert "user" in roles(person(ADMIN), rules)
    assert "user" in roles(person(APPROVER), rules)
    assert roles(person(guest=True, groups=frozenset({"S0ML"})), rules) == set()


def test_without_named_approvers_the_admins_approve() -> None:
    rules = Rules(admins=(ADMIN, "U0OTHER"))
    assert roles(person(ADMIN), rules) == {"user", "admin", "approver"}
    assert roles(person(), rules) == {"user"}
    assert approvers_of(rules) == Approvers(people=rules.admins)
    assert approvers_of(RULES) == RULES.approvers


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
def test_an_admin_is_the_sole_admin_only_if_nobody_else_can_approve(rules: Rules, sole: bool) -> None:
    assert roles_of(person(ADMIN), rules).sole_admin is sole
    assert not roles_of(person(), rules).sole_admin


EVERYONE = changed(RULES, admins=(ADMIN, "U0OTHER"), self_approval=False)


@pytest.mark.parametrize(
    ("team", "requesters", "left"),
    [
        (Team(), [], RULES.approvers),
        (Team(gone=frozenset({APPROVER})), [], Approvers(groups=("S0GPU",))),
        (Team(members={"S0GPU": frozenset()}), [], Approvers(people=(APPROVER,))),
        (Team(members={"S0GPU": frozenset()}), [APPROVER], Approvers()),
        (
            Team(gone=frozenset({APPROVER}), members={"S0GPU": frozenset({"U1", "U2"})}),
            ["U1"],
            Approvers(groups=("S0GPU",)),
        ),
        (Team(gone=frozenset({APPROVER, "U2"}), members={"S0GPU": frozenset({"U1", "U2"})}), ["U1"], Approvers()),
        (Team(gone=frozenset({APPROVER, "U2"}), members={"S0GPU": frozenset({"U2"})}), [], Approvers()),
    ],
)
def test_the_admins_decide_a_request_if_no_approver_is_left_for_it(
    team: Team, requesters: list[str], left: Approvers
) -> None:
    assert rules_for(EVERYONE, team, requesters).approvers == left
    decided = rules_for(EVERYONE, team, requesters)
    assert ("approver" in roles(person(ADMIN), decided)) is (left == Approvers())


def test_the_last_remaining_admin_may_approve_their_own_requests() -> None:
    team = Team(gone=frozenset({APPROVER, "U0OTHER"}), members={"S0GPU": frozenset()})
    assert "sole_admin" in roles(person(ADMIN), rules_for(EVERYONE, team, [ADMIN]))
    assert "sole_admin" not in roles(person(ADMIN), rules_for(EVERYONE, Team(), [ADMIN]))
    assert rules_for(EVERYONE, Team(gone=frozenset({ADMIN, "U0OTHER"}))).admins == EVERYONE.admins


def test_people_who_may_approve_their_own_requests_can_decide_them() -> None:
    own = changed(EVERYONE, self_approval=True, approvers=Approvers(people=(APPROVER,)))
    assert rules_for(own, Team(), [APPROVER]).approvers == own.approvers


def test_the_bot_may_be_used_in_named_channels_and_direct_messages() -> None:
    rules = Rules(use=Access(channels=("C0GPUS",)))
    assert may_use_in("C0GPUS", direct=False, rules=rules)
    assert not may_use_in("C0OTHER", direct=False, rules=rules)
    assert may_use_in("D0ANA", direct=True, rules=rules)
    assert may_use_in("C0OTHER", direct=False, rules=Rules())


ANA, BEN, LEFT = person("U0ANA"), person("U0BEN"), person("U0ANA", deactivated=True)
GUEST = person("U0GUS", guest=True)


CARL = person("U0CARL")
RENTAL = changed(make.rental(), owner=ANA.id, teammates=(CARL.id,))
"""Ana's rental, which she shares with Carl."""


@pytest.mark.parametrize(
    ("who", "looks", "money", "command", "extends", "destroys"),
    [
        (ANA, True, True, True, True, True),
        (LEFT, True, True, True, True, False),
        (CARL, True, False, True, True, False),
        (BEN, True, False, False, False, False),
        (GUEST, False, False, False, False, False),
        (person(APPROVER), True, True, False, False, True),
        (person(ADMIN), True, True, False, True, True),
        (person(ADMIN, deactivated=True), False, False, False, False, False),
    ],
)
def test_the_rights_of_each_person_to_anas_rental(
    who: Person, *, looks: bool, money: bool, command: bool, extends: bool, destroys: bool
) -> None:
    assert may_look(who, ANA.id, RULES) is looks
    assert sees_money(who, ANA.id, RULES) is money
    assert may_see_ssh_command(who, RENTAL, RULES) is command
    assert may_extend(who, RENTAL, RULES) is extends
    assert may_destroy(who, ANA.id, RULES) is destroys
    assert may_read_direct_message(who, RENTAL, RULES) is (command or who.id == ADMIN)


@pytest.mark.parametrize("fact", ["guest", "deactivated", "outsider", "bot"])
@pytest.mark.parametrize("rules", [RULES, changed(RULES, use=Access(guests=True))], ids=["members", "guests too"])
def test_a_teammate_who_is_no_longer_a_member_may_do_nothing(fact: str, rules: Rules) -> None:
    gone = changed(CARL, **{fact: True})
    assert not is_teammate(gone, RENTAL, rules)
    assert not may_see_ssh_command(gone, RENTAL, rules)
    assert not may_extend(gone, RENTAL, rules)
    assert not may_read_direct_message(gone, RENTAL, rules)


def test_a_teammate_who_may_no_longer_use_the_bot_may_do_nothing() -> None:
    rules = changed(RULES, use=Access(groups=("S0ML",)))
    assert not is_teammate(CARL, RENTAL, rules)
    assert is_teammate(changed(CARL, groups=frozenset({"S0ML"})), RENTAL, rules)


@pytest.mark.parametrize(
    ("who", "own", "withdraws", "denies", "pauses"),
    [
        (ANA, True, True, False, False),
        (BEN, False, False, False, False),
        (GUEST, False, False, False, False),
        (person(APPROVER), False, False, True, False),
        (person(ADMIN), False, True, False, True),
        (person(ADMIN, deactivated=True), False, False, False, False),
    ],
)
def test_the_rights_of_each_person_to_anas_quote_and_request(
    who: Person, *, own: bool, withdraws: bool, denies: bool, pauses: bool
) -> None:
    assert is_owner(who.id, ANA.id) is own
    assert may_withdraw(who, ANA.id, RULES) is withdraws
    assert may_deny(who, RULES) is denies
    assert is_admin(who, RULES) is pauses


@pytest.mark.parametrize(
    ("who", "reads", "people", "use"),
    [
        (person(), True, False, False),
        (person(guest=True), False, False, False),
        (person(APPROVER), True, True, True),
        (person(ADMIN), True, True, True),
        (person(FINANCE), True, True, False),
        (person(FINANCE, guest=True), True, True, False),
        (person(FINANCE, outsider=True), False, False, False),
    ],
)
def test_finance_may_read_spending_but_not_usage(who: Person, reads: bool, people: bool, use: bool) -> None:
    assert (sees_spend_of_people(who, RULES), is_approver_or_admin(who, RULES)) == (people, use)
    assert sees_spend_of(who, "U0OTHER", RULES) is people
    assert sees_spend_of(who, who.id, RULES)
    if reads:
        check_reads_spend(who, RULES)
    else:
        with pytest.raises(Refused):
            check_reads_spend(who, RULES)
