"""Tests of the contents of the startup script for one purchase, and of what it leaves out."""

from __future__ import annotations

import pytest

from bot.model.attempt import Attempt, ScriptPart, SentScript
from bot.model.base import changed
from bot.model.facts import LeftOut
from bot.model.person import Key
from bot.model.rental import Rental
from bot.policy.access.probe_script import INSTALLED_PROBE_SCRIPT
from bot.policy.access.startup_script import (
    GIVES_WAY,
    LARGEST_SCRIPT,
    SCRIPT_VERSION,
    StartupScriptPlan,
    compacted,
    plan_startup_script,
)
from bot.policy.team.policy_file import LARGEST_SETUP
from bot.policy.team.rules import Idle, ProbeKind, Rules
from bot.policy.use.probing import has_probe
from tests.policy.test_startup_script import ANA, BEN, CLEO, PROBE_LINE, SETUP, key
from tests.store import make

RULES = Rules(setup={"torch": SETUP})
KEYS = {ANA: [key("laptop"), key("desk")], BEN: [key("ben")]}


def rental(*teammates: str, setup: str | None = None, probe: bool = True) -> Rental:
    made = make.rental(owner=ANA, teammates=teammates)
    return changed(made, request=changed(made.request, setup=setup, probe=probe))


def test_a_purchase_sends_all_further_keys_and_the_setup() -> None:
    plan = plan_startup_script(rental(BEN, setup="torch"), KEYS, RULES)
    assert plan.left_out is None
    assert plan.sent is not None
    assert (plan.sent.version, plan.sent.setup) == (SCRIPT_VERSION, "torch")
    assert [(sent.person, sent.comment, sent.fingerprint) for sent in plan.sent.keys] == [
        (ANA, "desk", "SHA256:desk"),
        (BEN, "ben", "SHA256:ben"),
    ]
    assert all(sent.line in plan.text for sent in plan.sent.keys)
    assert SETUP in plan.text


def attempt(script: SentScript | None) -> Attempt:
    """Return an attempt that sent this script."""
    return make.attempt(script=script)


@pytest.mark.parametrize("takes_script", [True, False])
def test_a_purchase_with_one_key_and_no_setup_sends_no_script(takes_script: bool) -> None:
    assert (
        plan_startup_script(rental(), {ANA: [key("laptop")]}, RULES, takes_script=takes_script)
        == StartupScriptPlan()
    )


def test_a_place_that_accepts_no_script_gets_none() -> None:
    """The parts that are missing are reported."""
    keys = {**KEYS, CLEO: []}
    plan = plan_startup_script(rental(BEN, CLEO, setup="torch"), keys, RULES, takes_script=False)
    left_out = LeftOut(refused=True, setup="torch", key_count=2, people=(CLEO,))
    refused = SentScript(version=SCRIPT_VERSION, refused=True)
    assert (plan.text, plan.sent, plan.left_out) == ("", refused, left_out)


# --- probe


def test_a_purchase_with_one_key_and_no_setup_sends_the_probe() -> None:
    plan = plan_startup_script(rental(), {ANA: [key("laptop")]}, RULES, probe_line=PROBE_LINE)
    assert plan.sent == SentScript(version=SCRIPT_VERSION, probe=True, parts=GIVES_WAY)
    assert compacted(INSTALLED_PROBE_SCRIPT) in plan.text
    assert f"\n{PROBE_LINE}\n" in plan.text
    assert plan.left_out is None


@pytest.mark.parametrize(
    ("said_no", "rules"),
    [(True, RULES), (False, changed(RULES, idle=Idle(probe=ProbeKind.NONE)))],
    ids=["no-probe", "idle.probe: none"],
)
def test_no_probe_is_sent_if_the_request_or_rules_exclude_it(said_no: bool, rules: Rules) -> None:
    one = rental(probe=not said_no)
    assert plan_startup_script(one, {ANA: [key("laptop")]}, rules, probe_line=PROBE_LINE) == StartupScriptPlan()
    plan = plan_startup_script(one, KEYS, rules, probe_line=PROBE_LINE)
    assert plan.sent is not None
    assert not plan.sent.probe
    assert not has_probe(one, attempt(plan.sent), rules)


def test_a_machine_should_have_a_probe_if_it_can_be_installed() -> None:
    sent = plan_startup_script(rental(), KEYS, RULES, probe_line=PROBE_LINE).sent
    refused = plan_startup_script(rental(), KEYS, RULES, probe_line=PROBE_LINE, takes_script=False).sent
    assert has_probe(rental(), attempt(sent), RULES)
    assert has_probe(rental(), attempt(refused), RULES)
    for before_there_was_a_probe in (None, SentScript(version=1), SentScript(version=1, setup="torch")):
        assert not has_probe(rental(), attempt(before_there_was_a_probe), RULES)
    assert not has_probe(rental(), None, RULES)


def test_keys_that_do_not_fit_next_to_the_probe_are_left_out() -> None:
    huge = Key(line="ssh-rsa " + "A" * (LARGEST_SCRIPT - 1800), comment="huge", fingerprint="SHA256:huge")
    plan = plan_startup_script(rental(), {ANA: [key("laptop"), huge]}, RULES, probe_line=PROBE_LINE)
    assert plan.sent == SentScript(version=SCRIPT_VERSION, probe=True, parts=GIVES_WAY)
    assert plan.left_out == LeftOut(key_count=1)


def test_the_parts_without_room_are_recorded_and_reported() -> None:
    rules = changed(RULES, setup={"torch": "#!/bin/sh\n".ljust(LARGEST_SETUP, "#")})
    plan = plan_startup_script(rental(setup="torch"), {ANA: [key("laptop")]}, rules, probe_line=PROBE_LINE)
    assert plan.sent is not None
    assert plan.left_out is not None
    assert plan.left_out == LeftOut(parts=plan.left_out.parts)
    assert (*plan.left_out.parts, *plan.sent.parts) == GIVES_WAY
    assert ScriptPart.RUN in plan.left_out.parts


def test_a_setup_that_is_no_longer_in_the_rules_is_left_out() -> None:
    plan = plan_startup_script(rental(setup="torch"), {ANA: [key("laptop")]}, Rules())
    assert plan == StartupScriptPlan(left_out=LeftOut(setup="torch"))
    with_keys = plan_startup_script(rental(setup="torch"), KEYS, Rules())
    assert with_keys.sent is not None
    assert (with_keys.sent.setup, len(with_keys.sent.keys)) == (None, 1)
    assert with_keys.left_out == LeftOut(setup="torch")


def test_a_teammate_without_keys_is_reported_as_left_out() -> None:
    plan = plan_startup_script(rental(BEN, CLEO), {**KEYS, CLEO: []}, RULES)
    assert plan.left_out == LeftOut(people=(CLEO,))


def test_a_teammate_who_may_no_longer_have_access_is_left_out_silently() -> None:
    plan = plan_startup_script(rental(BEN, CLEO), KEYS, RULES)
    assert plan.left_out is None


def test_keys_that_no_longer_fit_are_left_out_and_counted() -> None:
    huge = Key(line="ssh-rsa " + "A" * LARGEST_SCRIPT, comment="huge", fingerprint="SHA256:huge")
    plan = plan_startup_script(rental(BEN), {**KEYS, BEN: [huge, *KEYS[BEN]]}, RULES)
    assert isinstance(plan.sent, SentScript)
    assert [sent.comment for sent in plan.sent.keys] == ["desk", "ben"]
    assert plan.left_out == LeftOut(key_count=1)
