"""The rules as sentences, for `/gpu policy` and `gpubot policy check`."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bot.__main__ import cli
from bot.model.records import PolicyFile
from bot.model.summary import PolicyView
from bot.policy.team.policy_file import PolicySource
from bot.policy.team.rules import Project, Rules
from handlers.actions.policy import shown, terminal_text
from handlers.phrases.format import Reader
from tests.policy.test_rules import keys
from tests.slack_limits import problems_of_message

BASE: dict[str, Any] = {
    "approvers": {"people": ["U0CLEO"]},
    "approval": {"then": ["U0ELI"]},
    "projects": {"vision": {}},
}
OTHERS = {
    "timezone": "Europe/Berlin",
    "admins": "[U0CLEO]",
    "approvers.people": "[U0BEN]",
    "approvers.groups": "[S0APPROVE]",
    "approvers.quiet": "[U0DORA]",
    "approvals_channel": "C0APPROVE",
    "use.channels": "[C0GPUS]",
    "use.groups": "[S0ML]",
    "use.guests": "true",
    "auto_approve.per_hour": "12.50",
    "auto_approve.total": "80",
    "limits.per_rental_gpus": "16",
    "limits.per_person_rentals": "2",
    "limits.team_per_hour": "250.75",
    "self_approval": "true",
    "approval.always.models": "[B200]",
    "approval.always.gpus_from": "8",
    "approval.expires": "9h",
    "approval.remind": "30m",
    "approval.then": "[U0DORA, S0ML]",
    "approval.then_after": "2h",
    "procure.attempts": "3",
    "procure.dearer": "7.5%",
    "procure.provision_timeout": "20m",
    "lease.default": "2h",
    "lease.max": "2d",
    "lease.notices": "[10m, 1h]",
    "lease.grace": "5m",
    "keys.per_person": "3",
    "keys.github": "false",
    "check_in.after": "null",
    "hours.time": "'09:30-24:00'",
    "hours.days": "'mon,wed,sat-sun'",
    "idle.probe": "none",
    "idle.gpu_below": "10%",
    "idle.after": "20m",
    "idle.never_used": "40m",
    "idle.connected": "3h",
    "idle.from": "5.50",
    "idle.job_counts": "6h",
    "idle.again": "[1h, 3h]",
    "idle.urgent_per_hour": "20.00",
    "idle.channel_after": "null",
    "idle.approvers_after": "5h",
    "announce.ready": "thread",
    "announce.address_in_channel": "true",
    "projects": "{audio: {}}",
    "projects.vision.channels": "[C0VISION]",
    "projects.vision.people": "[U0ANA]",
    "projects.vision.budget": "3000",
    "projects.vision.cost_center": "4711",
    "projects.vision.auto_approve": "{total: 50}",
    "budgets.team": "9000",
    "budgets.person": "500.50",
    "budgets.alerts": "[50%]",
    "on_ending.failed": "keep",
    "budgets.over": "refuse",
    "budgets.unusual_from": "40",
    "billing.account": "acme-1",
    "billing.timezone": "Europe/Berlin",
    "finance.people": "[U0FIN]",
    "finance.groups": "[S0FIN]",
    "digest": "mon 09:00",
    "retention.messages": "30d",
    "retention.quotes": "36h",
    "retention.people": "8d",
    "waiting.per_person": "5",
    "waiting.longest": "3d",
    "waiting.every": "90s",
    "tokens.longest": "3d",
    "agents": "{A0NIGHTLY: {owner: U0ANA, token: nightly eval}}",
    "webhooks": "[{url: 'https://hooks.example.com'}]",
}
"""For each key, a value that differs from BASE and from the default."""


def words(content: dict[str, Any]) -> str:
    file = PolicyFile(text=yaml.safe_dump(content))
    return terminal_text(PolicySource(None, home_channel="C0HOME", admins=()).rules_in(file))


def with_key(key: str, value: str) -> dict[str, Any]:
    """Return BASE with a different value for a key."""
    content = deepcopy(BASE)
    *around, last = key.split(".")
    part: dict[str, Any] = content
    for name in around:
        part = part.setdefault(name, {})
    part[last] = yaml.safe_load(value)
    return content


def leaves(of: dict[str, object], above: str = "") -> set[str]:
    found: set[str] = set()
    for name, parts in of.items():
        found |= leaves(parts, f"{above}{name}.") if isinstance(parts, dict) else {above + name}
    return found


def test_every_key_is_tried() -> None:
    projects = {f"projects.vision.{name}" for name in Project.model_fields}
    assert OTHERS.keys() == leaves(keys(Rules)) - {"setup", "home_channel"} | projects


@pytest.mark.parametrize("key", OTHERS)
def test_changing_any_key_changes_the_text(key: str) -> None:
    assert words(with_key(key, OTHERS[key])) != words(BASE)


def test_the_rules_begin_with_the_five_most_important_ones() -> None:
    lines = words({"admins": ["U0CARL"], "budgets": {"person": 500}}).splitlines()
    assert lines[:7] == [
        "In short",
        "  People can rent on their own up to $10.00/h and $100.00 per rental.",
        "  Anything above that needs an admin's approval. Admins: U0CARL. Requests go to the home channel.",
        "  A rental lasts 4 h if nobody names a length, and 3 days at most.",
        "  Nobody can approve more than 8 GPUs per rental, 4 rentals per person at a time, "
        "or $100.00/h for the whole team.",
        "  The team has no budget, and each person has a budget of $500.00 a month. A rental that would exceed a "
        "budget needs approval.",
        "Who",
    ]


def test_the_gpus_that_always_need_approval_are_named_next_to_the_limits() -> None:
    lines = words({"approval": {"always": {"models": ["b200", "H200"], "gpus_from": 8}}}).splitlines()
    assert lines[1:3] == [
        "  People can rent on their own up to $10.00/h and $100.00 per rental.",
        "  Requests for B200, H200 or 8 GPUs always need approval, whatever they cost. "
        "More time for a running machine doesn't, up to the limits above.",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, ", the machine still ends, unless its request said keep-if-failed."),
        ({"on_ending": {"failed": "keep"}}, ", the machine keeps running until its owner's next hours begin."),
        (
            {"on_ending": {"failed": "keep"}, "hours": {"days": "mon-sun", "time": "00:00-24:00"}},
            ", the machine keeps running until the next morning, in its owner's time zone.",
        ),
        ({"on_ending": {"failed": "keep"}, "idle": {"probe": "none"}}, None),
    ],
)
def test_what_happens_after_a_failed_script_is_said_if_scripts_run(
    content: dict[str, Any], said: str | None
) -> None:
    failed = "If a machine's /root/on-ending.sh fails before the end"
    lines = [line.strip() for line in words(content).splitlines() if "/root/on-ending.sh" in line]
    assert lines == ([] if said is None else [failed + said])


def test_setup_scripts_are_named() -> None:
    file = PolicyFile(text="setup: {torch: torch.sh}", scripts={"torch.sh": "#!/bin/sh\ntrue\n"})
    assert "Setup scripts: torch." in terminal_text(
        PolicySource(None, home_channel="C0HOME", admins=()).rules_in(file)
    )


def test_policy_check_prints_the_rules_as_sentences(tmp_path: Path) -> None:
    path = tmp_path / "policy.yml"
    path.write_text(
        "auto_approve: {per_hour: 12.5}\nprojects:\n  vision: {channels: [C0V], budget: 3000, cost_center: R&D}\n",
        encoding="utf-8",
    )
    done = CliRunner().invoke(cli, ["policy", "check", str(path)])
    assert done.exit_code == 0
    assert "  People can rent on their own up to $12.50/h and $100.00 per rental.\n" in done.stdout
    project = (
        "  vision is charged for requests in C0V and for those that name it. "
        "It has a budget of $3,000.00 a month. Its cost center is R&D.\n"
    )
    assert project in done.stdout


def test_policy_check_names_channels_that_charge_projects_for_fewer_people(tmp_path: Path) -> None:
    path = tmp_path / "policy.yml"
    path.write_text(
        "projects: {vision: {channels: [C0V, C0W], people: [U0ANA]}, open: {channels: [C0O]}}\n", encoding="utf-8"
    )
    printed = CliRunner().invoke(cli, ["policy", "check", str(path)]).stdout
    charged = "  vision is charged for requests in C0V and C0W and for those that name it, "
    assert f"{charged}but only those of U0ANA and approvers. It has no budget.\n" in printed
    title, changes = "Changed since earlier versions\n", printed.partition("Changed since earlier versions\n")[2]
    assert title in printed
    assert [line.split()[0] for line in changes.splitlines()] == ["C0V", "C0W"]
    assert changes.startswith("  C0V now charges vision only for its people and approvers.")


def test_policy_check_prints_every_mistake_with_its_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "policy.yml"
    path.write_text(
        "lease:\n  max: 010\n  grave: 5m\n" + "".join(f"k{n}: 1\n" for n in range(50)), encoding="utf-8"
    )
    done = CliRunner().invoke(cli, ["policy", "check", str(path)])
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        "line 2, lease.max: 010 can be read as two numbers: leave out the first 0, or quote it.",
        "line 3, lease.grave: there is no such key. The most similar one is lease.grace.",
    ]
    assert len(lines) == 52


def test_the_answer_to_gpu_policy_is_escaped_and_within_slacks_limits() -> None:
    projects = {f"project-{n}": {"cost_center": "<!channel> *R&D* " + "x" * 50} for n in range(300)}
    rules = Rules.model_validate({"projects": projects, "approvers": {"people": ["U0BEN"]}})
    view = PolicyView(
        since=datetime(2026, 11, 24, tzinfo=UTC), by="U0BEN", names={"U0BEN": "<@U1> `x`"}, may_reload=True
    )
    rendered = shown(view, Reader(id="U0ANA", rules=rules, now=datetime(2026, 11, 24, tzinfo=UTC)))
    assert problems_of_message(rendered.text, rendered.blocks) == []
    assert "<!channel>" not in str(rendered)
    assert "<@U1>" not in str(rendered)
    assert "Read the file again" in str(rendered.blocks[-1])
