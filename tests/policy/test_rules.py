"""Tests of the policy file: every key is read, and each invalid value gives one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from bot.errors import Mistake, WrongPolicy
from bot.model.base import changed
from bot.model.records import PolicyFile
from bot.policy.team.policy_file import PolicySource
from bot.policy.team.rules import AutoApprove, ProbeKind, ReadyAnnouncement, Rules, WhenFailed, WhenOver

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

EVERY_KEY = """
timezone: Europe/Berlin
admins: [U0CLEO]
approvers: {people: [U0BEN], groups: [S0APPROVE], quiet: [U0DORA]}
approvals_channel: C0APPROVE
use: {channels: [C0GPUS], groups: [S0ML], guests: true}
auto_approve: {per_hour: 12.50, total: "80"}
limits: {per_rental_gpus: 16, per_person_rentals: 2, team_per_hour: 250.75}
self_approval: true
approval: {always: {models: [b200, 4090, "A100 SXM 80GB"], gpus_from: 8}, expires: 1h30m, remind: 30m,
           then: [U0DORA, S0ML], then_after: 2h}
procure: {attempts: 3, dearer: 7.5%, provision_timeout: 20m}
lease: {default: 2h, max: 2d, notices: [10m, 1h], grace: 5m}
on_ending: {failed: keep}
keys: {per_person: 3, github: false}
check_in: {after: 90m}
hours: {time: "09:30-24:00", days: "mon,wed,sat-sun"}
idle: {probe: none, gpu_below: 10%, after: 20m, never_used: 40m, connected: 3h, job_counts: 6h, from: 5.50,
       again: [1h, 3h], urgent_per_hour: 20.00, channel_after: null, approvers_after: 5h}
announce: {ready: thread, address_in_channel: true}
projects:
  vision: {channels: [C0VISION], people: [U0ANA], budget: 3000.00, cost_center: 4711, auto_approve: {total: 50}}
budgets: {team: 9000, person: 500.50, alerts: [100%, 50%], over: refuse, unusual_from: 40}
billing: {account: "acme-1", timezone: Europe/Berlin}
finance: {people: [U0FIN], groups: [S0FIN]}
digest: mon 09:00
retention: {messages: 30d, quotes: 36h, people: 8d}
waiting: {per_person: 5, longest: 3d, every: 90s}
tokens: {longest: 14d}
agents: {A0NIGHTLY: {owner: U0ANA, token: nightly eval}}
webhooks: [{url: "https://hooks.example.com/T0/s3cret", events: [rental.ended], private: true}]
"""


def read(tmp_path: Path, text: str) -> Rules:
    path = tmp_path / "policy.yml"
    path.write_text(text, encoding="utf-8")
    return PolicySource(path, home_channel="C0HOME", admins=("U0ADMIN",)).read().rules


def wrong(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(Mistake) as caught:
        read(tmp_path, text)
    return caught.value.words.splitlines()


def keys(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the keys of a model, each with its nested keys."""
    found: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        part: object = field.annotation
        found[field.alias or name] = keys(part) if isinstance(part, type) and issubclass(part, BaseModel) else None
    return found


def names(value: Any) -> dict[str, Any] | None:
    """Return the keys in a value of the file, each with its nested keys."""
    return {name: names(part) for name, part in value.items()} if isinstance(value, dict) else None


def test_every_key_of_the_file_is_read(tmp_path: Path) -> None:
    rules = read(tmp_path, EVERY_KEY)
    written = yaml.safe_load(EVERY_KEY)
    named = {name: names(value) for name, value in written.items()}
    elsewhere = {"home_channel", "setup"}  # See GPUBOT_CHANNEL and test_setups.py.
    named["projects"] = None  # Each key is the name of a project.
    named["agents"] = None  # Each key is the ID of an app.
    assert named == {name: parts for name, parts in keys(Rules).items() if name not in elsewhere}
    assert rules.timezone == "Europe/Berlin"
    assert rules.admins == ("U0ADMIN", "U0CLEO")
    assert (rules.approvers.people, rules.approvers.groups) == (("U0BEN",), ("S0APPROVE",))
    assert rules.approvals_to == "C0APPROVE"
    assert (rules.use.channels, rules.use.groups, rules.use.guests) == (("C0GPUS",), ("S0ML",), True)
    assert (rules.auto_approve.per_hour, rules.auto_approve.total) == (Decimal("12.5"), Decimal(80))
    assert (rules.limits.per_rental_gpus, rules.limits.per_person_rentals) == (16, 2)
    assert rules.limits.team_per_hour == Decimal("250.75")
    assert rules.self_approval
    assert rules.approvers.quiet == ("U0DORA",)
    approval = rules.approval
    assert (approval.expires, approval.remind, approval.then_after) == (90 * MINUTE, 30 * MINUTE, 2 * HOUR)
    assert approval.then == ("U0DORA", "S0ML")
    assert (approval.always.models, approval.always.gpus_from) == (("b200", "4090", "A100 SXM 80GB"), 8)
    vision = rules.projects["vision"]
    assert (vision.channels, vision.people, vision.cost_center) == (("C0VISION",), ("U0ANA",), "4711")
    assert (vision.budget, vision.auto_approve) == (Decimal(3000), AutoApprove(total=Decimal(50)))
    assert (rules.budgets.team, rules.budgets.person) == (Decimal(9000), Decimal("500.5"))
    assert (rules.budgets.alerts, rules.budgets.over) == ((Decimal("0.5"), Decimal(1)), WhenOver.REFUSE)
    assert rules.budgets.unusual_from == Decimal(40)
    assert (rules.billing.account, rules.billing_zone) == ("acme-1", ZoneInfo("Europe/Berlin"))
    assert (rules.finance.people, rules.finance.groups) == (("U0FIN",), ("S0FIN",))
    assert rules.digest == (0, 9 * 60)
    kept = rules.retention
    assert (kept.messages, kept.quotes, kept.people) == (30 * 24 * HOUR, 36 * HOUR, 8 * 24 * HOUR)
    waiting = rules.waiting
    assert (waiting.per_person, waiting.longest, waiting.every) == (5, 72 * HOUR, 1.5 * MINUTE)
    assert rules.tokens.longest == 14 * 24 * HOUR
    assert rules.agents["A0NIGHTLY"].model_dump() == {"owner": "U0ANA", "token": "nightly eval"}
    assert (rules.procure.attempts, rules.procure.dearer) == (3, Decimal("0.075"))
    assert rules.procure.provision_timeout == 20 * MINUTE
    assert (rules.lease.default, rules.lease.max, rules.lease.grace) == (2 * HOUR, 48 * HOUR, 5 * MINUTE)
    assert rules.lease.notices == (HOUR, 10 * MINUTE)
    assert rules.on_ending.failed is WhenFailed.KEEP
    assert (rules.keys.per_person, rules.keys.github) == (3, False)
    assert rules.check_in.after == 90 * MINUTE
    assert (rules.hours.time, rules.hours.days) == ((9 * 60 + 30, 24 * 60), frozenset({0, 2, 5, 6}))
    assert (rules.idle.probe, rules.idle.gpu_below) == (ProbeKind.NONE, Decimal("0.1"))
    assert (rules.idle.after, rules.idle.never_used, rules.idle.connected) == (20 * MINUTE, 40 * MINUTE, 3 * HOUR)
    assert rules.idle.job_counts == 6 * HOUR
    assert (rules.idle.ask_from, rules.idle.again) == (Decimal("5.5"), (HOUR, 3 * HOUR))
    assert (rules.idle.job_counts, rules.idle.urgent_per_hour) == (6 * HOUR, Decimal(20))
    assert (rules.idle.channel_after, rules.idle.approvers_after) == (None, 5 * HOUR)
    assert rules.announce.ready is ReadyAnnouncement.THREAD
    assert rules.announce.address_in_channel
    assert rules.groups == {"S0APPROVE", "S0ML", "S0FIN"}


@pytest.mark.parametrize("text", [None, "", "# nothing\n", "{}"])
def test_defaults_apply_without_a_file_or_with_an_empty_one(tmp_path: Path, text: str | None) -> None:
    without = PolicySource(None, home_channel="C0HOME", admins=("U0ADMIN",)).read().rules
    rules = without if text is None else read(tmp_path, text)
    assert rules == Rules(admins=("U0ADMIN",), home_channel="C0HOME")
    assert (rules.auto_approve.per_hour, rules.auto_approve.total) == (Decimal("10.00"), Decimal("100.00"))
    assert (rules.limits.per_rental_gpus, rules.limits.per_person_rentals) == (8, 4)
    assert rules.limits.team_per_hour == Decimal("100.00")
    assert rules.approvals_to == "C0HOME"
    assert rules.approval.expires == 8 * HOUR
    assert (rules.procure.attempts, rules.procure.dearer) == (10, Decimal("0.15"))
    assert rules.procure.provision_timeout == 15 * MINUTE
    assert (rules.lease.default, rules.lease.max) == (4 * HOUR, 72 * HOUR)
    assert (rules.lease.notices, rules.lease.grace) == (None, 15 * MINUTE)
    assert (rules.keys.per_person, rules.keys.github) == (10, True)
    assert rules.check_in.after == 2 * HOUR
    assert (rules.hours.time, rules.hours.days) == ((8 * 60, 20 * 60), frozenset(range(5)))
    assert (rules.idle.probe, rules.idle.gpu_below) == (ProbeKind.SSH, Decimal("0.05"))
    assert (rules.idle.after, rules.idle.never_used, rules.idle.connected) == (30 * MINUTE, HOUR, 2 * HOUR)
    assert (rules.idle.ask_from, rules.idle.again) == (Decimal("2.00"), (2 * HOUR, 4 * HOUR, 8 * HOUR))
    assert rules.idle.urgent_per_hour == Decimal("10.00")
    assert (rules.idle.channel_after, rules.idle.approvers_after) == (2 * HOUR, 4 * HOUR)
    assert rules.announce.ready is ReadyAnnouncement.THREAD_BROADCAST
    assert (rules.self_approval, rules.announce.address_in_channel, rules.use.guests) == (False, False, False)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("timezone: Mars/Olympus", "timezone"),
        ("timezone: ../UTC", "timezone"),
        ("admins: [ana]", "admins.0"),
        ("admins: U0ANA", "admins"),
        ("approvers: {people: [C0GPUS]}", "approvers.people.0"),
        ("approvers: {groups: [U0ANA]}", "approvers.groups.0"),
        ("approvals_channel: '#approvals'", "approvals_channel"),
        ("use: {channels: [gpus]}", "use.channels.0"),
        ("use: {guests: perhaps}", "use.guests"),
        ("auto_approve: {per_hour: 0}", "auto_approve.per_hour"),
        ("auto_approve: {per_hour: -1}", "auto_approve.per_hour"),
        ("auto_approve: {total: .inf}", "auto_approve.total"),
        ("auto_approve: {total: .nan}", "auto_approve.total"),
        ("auto_approve: {total: lots}", "auto_approve.total"),
        ("limits: {per_rental_gpus: 0}", "limits.per_rental_gpus"),
        ("limits: {per_person_rentals: 1.5}", "limits.per_person_rentals"),
        ("limits: {team_per_hour: null}", "limits.team_per_hour"),
        ("approval: {expires: 8}", "approval.expires"),
        ("approval: {expires: 0h}", "approval.expires"),
        ("approval: {expires: soon}", "approval.expires"),
        ("procure: {attempts: 0}", "procure.attempts"),
        ("procure: {dearer: -5%}", "procure.dearer"),
        ("procure: {dearer: a%}", "procure.dearer"),
        ("procure: {dearer: nan%}", "procure.dearer"),
        ("procure: {provision_timeout: 15 minutes}", "procure.provision_timeout"),
        ("lease: {notices: [2h, 0m]}", "lease.notices.1"),
        ("approvers: {quiet: [S0ML]}", "approvers.quiet.0"),
        ("approval: {then: [C0GPUS]}", "approval.then.0"),
        ("approval: {always: [H200]}", "approval.always"),
        ("approval: {always: {models: H200}}", "approval.always.models"),
        ("approval: {always: {models: [nvidia]}}", "approval.always.models.0"),
        ("approval: {always: {models: ['']}}", "approval.always.models.0"),
        ("approval: {always: {models: ['<!channel>']}}", "approval.always.models.0"),
        ("approval: {always: {models: [H100, {H200: 8}]}}", "approval.always.models.1"),
        ("approval: {always: {models: [true]}}", "approval.always.models.0"),
        (f"approval: {{always: {{models: [{'H' * 41}]}}}}", "approval.always.models.0"),
        ("approval: {always: {gpus_from: 0}}", "approval.always.gpus_from"),
        ("approval: {always: {gpus_from: many}}", "approval.always.gpus_from"),
        ("approval: {always: {gpus: 8}}", "approval.always.gpus"),
        ("projects: {unassigned: {}}", "projects.unassigned"),
        ("projects: {a b: {}}", "projects.a b"),
        ("projects: {vision: {budget: 0}}", "projects.vision.budget"),
        ("projects: {vision: {cost_center: [1]}}", "projects.vision.cost_center"),
        ("projects: {a: {channels: [C0GPUS]}, b: {channels: [C0GPUS]}}", "projects.b.channels.0"),
        ("budgets: {alerts: [0%]}", "budgets.alerts"),
        ("budgets: {over: nobody}", "budgets.over"),
        ("billing: {timezone: Mars}", "billing.timezone"),
        ("billing: {account: true}", "billing.account"),
        ("digest: monday", "digest"),
        ("retention: {messages: 6d}", "retention.messages"),
        ("retention: {quotes: 23h}", "retention.quotes"),
        ("retention: {people: 6d}", "retention.people"),
        ("retention: {people: null}", "retention.people"),
        ("digest: mon 24:00", "digest"),
        ("lease: {max: 4h30}", "lease.max"),
        ("lease: {default: 5h, max: 4h}", "lease"),
        ("lease: {default: 1s, max: 1s, grace: 1s}", "lease"),
        ("lease: {max: 1s}", "lease"),
        ("lease: {max: 8h, grace: 9h}", "lease"),
        ("lease: {default: 10m, max: 10m}", "lease"),
        ("check_in: {after: -1h}", "check_in.after"),
        ("idle: {after: 25h}", "idle.after"),
        ("idle: {gpu_below: 0%}", "idle.gpu_below"),
        ("announce: {ready: shout}", "announce.ready"),
        ("self_aproval: true", "self_aproval"),
        ("lease: {grave: 5m}", "lease.grave"),
        ("lease: 4h", "lease"),
        # Values that YAML 1.1 would have read as a number, a boolean or a date.
        ("approval: {expires: 1:30}", "approval.expires"),
        ("limits: {per_rental_gpus: yes}", "limits.per_rental_gpus"),
        ("limits: {per_rental_gpus: true}", "limits.per_rental_gpus"),
        ("limits: {per_rental_gpus: 1_000}", "limits.per_rental_gpus"),
        ("limits: {per_rental_gpus: 0x10}", "limits.per_rental_gpus"),
        ("limits: {per_rental_gpus: '08'}", "limits.per_rental_gpus"),
        ("auto_approve: {per_hour: on}", "auto_approve.per_hour"),
        ("auto_approve: {per_hour: 1:30}", "auto_approve.per_hour"),
        ("auto_approve: {total: 1e999999999}", "auto_approve.total"),
        ("auto_approve: {total: 2026-11-24}", "auto_approve.total"),
        ("auto_approve: {total: 10000000}", "auto_approve.total"),
        ("auto_approve: {total: 0.1234567}", "auto_approve.total"),
        ("self_approval: 1", "self_approval"),
        ("timezone: 2026-11-24", "timezone"),
        ("timezone: Europe", "timezone"),
        (f"timezone: {'a' * 5000}", "timezone"),
        ("lease: {max: 999999999999999d}", "lease.max"),
        (f"lease: {{max: {'9' * 5000}d}}", "lease.max"),
        ("lease: {max: 367d}", "lease.max"),
        ("lease: {grace: 9999h}", "lease.grace"),
        ("lease: {notices: [9000h]}", "lease.notices.0"),
        ("lease: {max: 1h1h}", "lease.max"),
        ("lease: {max: ٤h}", "lease.max"),
        ("check_in: {after: 9999999d}", "check_in.after"),
        ("approval: {expires: 367d}", "approval.expires"),
        ("procure: {provision_timeout: 367d}", "procure.provision_timeout"),
        ("webhooks: https://a.example.com", "webhooks"),
        ("webhooks: [https://a.example.com]", "webhooks.0"),
        ("webhooks: [{events: [rental.ready]}]", "webhooks.0.url"),
        ("webhooks: [{url: 'https://a.example.com', events: rental.ready}]", "webhooks.0.events"),
        ("procure: {dearer: 101%}", "procure.dearer"),
        ("procure: {dearer: 15}", "procure.dearer"),
        (f"procure: {{dearer: {'9' * 5000}%}}", "procure.dearer"),
    ],
)
def test_an_invalid_value_gives_one_line_that_names_its_key(tmp_path: Path, text: str, key: str) -> None:
    (line,) = wrong(tmp_path, text)
    assert line.startswith(f"GPUBOT_POLICY: line 1, {key}: ")
    assert not re.search("Input|should|valid|tuple|dictionary|timedelta|pattern", line)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "approvers: {people: [ben]}",
            "approvers.people.0: 'ben' isn't the ID of a Slack user; write it such as U0123ABCD.",
        ),
        (
            "use: {channels: ['#gpus']}",
            "use.channels.0: '#gpus' isn't the ID of a Slack channel; write it such as C0123ABCD.",
        ),
        ("admins: U0BEN", "admins: write a list, such as [A, B]."),
        (
            "approvers: {people: [U0BEN], quiet: [U0BEN, U0DORA]}",
            "approvers.quiet: all approvers have `quiet` set, so nobody would be asked; name another approver.",
        ),
        ("lease: 4h", "lease: it must have keys below it; docs/policy.md shows them."),
        ("check_in: {after: 0m}", "check_in.after: it must be more than 0."),
        ("procure: {attempts: 200}", "procure.attempts: it must be at most 100."),
        ("announce: {ready: shout}", "announce.ready: write 'thread_broadcast' or 'thread'."),
        ("self_approval: maybe", "self_approval: write true or false."),
        (
            "agents: {B0: {owner: U0ANA, token: nightly eval}}",
            "agents.B0: 'B0' isn't the ID of a Slack app; write it such as A0123ABCD.",
        ),
        (
            "agents: {A0: {owner: U0ANA}}",
            "agents.A0.token: it is missing; docs/policy.md shows how to write it.",
        ),
        (
            "agents: {A0: {owner: U0ANA, token: ''}}",
            "agents.A0.token: write the name of one of the owner's tokens, such as nightly eval.",
        ),
        (
            "approval: {always: {models: [nvidia]}}",
            "approval.always.models.0: write a GPU as people type it in a request, such as H200.",
        ),
    ],
)
def test_the_line_for_an_invalid_value_shows_the_correct_form(tmp_path: Path, text: str, words: str) -> None:
    assert wrong(tmp_path, text) == [f"GPUBOT_POLICY: line 1, {words}"]


def test_invalid_yaml_is_refused_with_its_line_and_column(tmp_path: Path) -> None:
    assert wrong(tmp_path, "use:\n  channels: [C0A\n") == [
        "GPUBOT_POLICY: line 2: this is no valid YAML, from column 13 on: "
        "a [ or { that opens here is not closed, or a comma is missing in it."
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "lease:\n  max: 2d\n  grace: 5m\n  max: 3d\n",
            "line 4, lease.max: this key is also in line 2; keep one.",
        ),
        ("admins: []\n'admins': [U0BEN]\n", "line 2, admins: this key is also in line 1; keep one."),
        (
            "limits:\n  per_rental_gpus: 010\n",
            "line 2, limits.per_rental_gpus: 010 can be read as two numbers: leave out the first 0, or quote it.",
        ),
        ("limits: {per_rental_gpus: 0_8}", "line 1, limits.per_rental_gpus: 0_8 can be read as two numbers: "),
        (
            f"limits: {{per_rental_gpus: {'9' * 5000}}}",
            "line 1, limits.per_rental_gpus: a number of 5000 digits is too long.",
        ),
        (
            "use: &all {}\n",
            "line 1, use: & and * are not understood here: write the value out, or quote the text.",
        ),
        ("admins: *all\n", "line 1, admins: & and * are not understood here: write the value out"),
        ("use:\n  <<: {guests: true}\n", "line 2, use.<<: a merge key (<<) is not understood here: "),
        (
            "timezone: !!python/name:os.system\n",
            "line 1, timezone: a tag (!) is not understood here: leave it out",
        ),
        ("--- {}\n--- {}\n", "line 2: a second document starts here; keep one."),
        ("[" * 100_000, "line 1: this is nested too deep."),
        ("- " * 100_000, "line 1: this is nested too deep."),
        ("a:\n" + "".join(" " * n + "a:\n" for n in range(1, 400)), "line 21: this is nested too deep."),
        ("? [a, b]\n: c\n", "line 1: the key is no word; if it is a text, quote it."),
        ("use: {}\nadmins: \x07\n", "line 2: this is no valid YAML: it has a sign that YAML doesn't allow."),
        ("lease:\n\tmax: 2d\n", "line 2: this is no valid YAML, from column 1 on: "),
        ("lease:\n  max: 2d\n grace: 5m\n", "line 3: this is no valid YAML, from column 2 on: this is indented"),
        ("timezone: 'UTC\nadmins: []\n", "line 1: this is no valid YAML, from column 11 on: the quotation mark"),
        ("lease\nadmins: []\n", "line 2: this is no valid YAML, from column 7 on: there is one colon too many"),
    ],
)
def test_ambiguous_yaml_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    (line,) = wrong(tmp_path, text)
    assert line.startswith(f"GPUBOT_POLICY: {words}")


def test_each_mistake_in_a_file_gives_one_line_in_order(tmp_path: Path) -> None:
    text = """\
timezone: Nowhere
lease:
  max: 010
  default: 2h
  grace: 5
  max: 3h
limits: &limits {per_rental_gpus: 0}
use: {guest: true}
setup: {torch: missing.sh}
"""
    assert [line.removeprefix("GPUBOT_POLICY: ").split(": ")[0] for line in wrong(tmp_path, text)] == [
        "line 1, timezone",
        "line 3, lease.max",
        "line 5, lease.grace",
        "line 7, limits",
        "line 7, limits.per_rental_gpus",
        "line 8, use.guest",
        "line 9, setup.torch",
    ]


def test_a_channel_of_several_projects_gives_a_line_for_each_duplicate(tmp_path: Path) -> None:
    text = "projects:\n  a: {channels: [C1, C2]}\n  b:\n    channels:\n    - C3\n    - C1\n  c: {channels: [C2]}\n"
    assert wrong(tmp_path, text) == [
        "GPUBOT_POLICY: line 6, projects.b.channels.1: C1 is in a too; leave it in one project.",
        "GPUBOT_POLICY: line 7, projects.c.channels.0: C2 is in a too; leave it in one project.",
    ]


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("self_aproval: true", "self_approval"),
        ("lease: {grave: 5m}", "lease.grace"),
        ("idle: {form: 2}", "idle.from"),
        ("per_hour: 10", "auto_approve.per_hour"),
        ("projects: {vision: {budgt: 5}}", "projects.vision.budget"),
        ("projects: {vision: {auto_approve: {totl: 5}}}", "projects.vision.auto_approve.total"),
        ("projekts: {}", "projects"),
        ("lease: {provision_timeout: 10m}", "procure.provision_timeout"),
        ("approver: [U0BEN]", "approvers"),
        ("timeZone: UTC", "timezone"),
    ],
)
def test_the_line_for_an_unknown_key_suggests_the_nearest_key(tmp_path: Path, text: str, nearest: str) -> None:
    (line,) = wrong(tmp_path, text)
    assert line.endswith(f": there is no such key. The most similar one is {nearest}.")


def test_a_stored_policy_is_read_like_its_file(tmp_path: Path) -> None:
    (tmp_path / "torch.sh").write_text("#!/bin/sh\ntrue\n", encoding="utf-8")
    path = tmp_path / "policy.yml"
    path.write_text(EVERY_KEY + "setup: {torch: torch.sh}\n", encoding="utf-8")
    policy = PolicySource(path, home_channel="C0HOME", admins=("U0ADMIN",)).read()
    kept = PolicyFile.model_validate_json(policy.file.model_dump_json())
    (tmp_path / "torch.sh").unlink()
    assert PolicySource(None, home_channel="C0HOME", admins=("U0ADMIN",)).rules_in(kept) == policy.rules
    lost = changed(kept, scripts={})
    with pytest.raises(
        WrongPolicy, match=r"setup.torch: I can't read torch.sh: it wasn't read together with the file"
    ):
        PolicySource(None, home_channel="C0HOME", admins=()).rules_in(lost)


def test_nested_yaml_aliases_do_not_fill_the_memory(tmp_path: Path) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
    line = wrong(tmp_path, "l0: &l0 [lol]\n" + levels)[0]
    assert re.match(r"GPUBOT_POLICY: line \d+, l\d+: & and \* are not understood here", line)


def test_a_policy_of_a_hundred_megabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.yml"
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    with pytest.raises(Mistake, match="it is larger than 256 KiB"):
        PolicySource(path, home_channel="C0HOME", admins=()).read()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "Is a directory."),
        (lambda path: path.write_bytes(b"timezone: \xff\xfe"), "it isn't UTF-8 text."),
        (lambda path: path.symlink_to("/dev/zero"), "it is larger than 256 KiB."),
    ],
)
def test_a_path_without_a_text_file_gives_one_line(
    tmp_path: Path, make: Callable[[Path], Any], words: str
) -> None:
    path = tmp_path / "policy.yml"
    make(path)
    with pytest.raises(Mistake) as caught:
        PolicySource(path, home_channel="C0HOME", admins=()).read()
    assert caught.value.words == f"GPUBOT_POLICY: I can't read {path}: {words}"


def test_only_the_first_of_very_many_invalid_values_are_listed(tmp_path: Path) -> None:
    lines = wrong(tmp_path, "".join(f"key{n}: 1\n" for n in range(500)))
    assert len(lines) == 21
    assert lines[-1] == "GPUBOT_POLICY: to see all 500 mistakes, run gpubot policy check."


SCALARS = st.sampled_from(
    [
        "1:30",
        "010",
        "yes",
        ".inf",
        "1e9",
        "366d",
        "9" * 400,
        "2026-11-24",
        "~",
        "15%",
        "U0BEN",
        "C0A",
        "true",
        "0.5",
    ]
) | st.text(max_size=12)
FLOW = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
        | st.dictionaries(
            st.sampled_from(["after", "max", "people", "per_hour", "<<", "&a", "x"]), inner, max_size=3
        ).map(lambda parts: "{" + ", ".join(f"{key}: {value}" for key, value in parts.items()) + "}")
    ),
    max_leaves=8,
)
POLICIES = st.text(max_size=60) | st.lists(
    st.tuples(st.sampled_from([*keys(Rules), "unknown"]), FLOW), max_size=4
).map(lambda pairs: "".join(f"{key}: {value}\n" for key, value in pairs))


@given(POLICIES)
def test_any_policy_is_accepted_or_refused_with_clear_lines(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.yml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        rules = PolicySource(path, home_channel="C0HOME", admins=()).read().rules
    except Mistake as mistake:
        for line in mistake.words.splitlines():
            assert re.fullmatch(r"GPUBOT_POLICY: .*[^ :]\.", line)
            assert len(line) < 400
            assert line.isprintable()
    else:
        assert rules.lease.max <= timedelta(days=366)


def test_a_span_may_be_366_days_and_check_in_null(tmp_path: Path) -> None:
    rules = read(tmp_path, "lease: {max: 366d}\ncheck_in: {after: null}\n")
    assert rules.lease.max == timedelta(days=366)
    assert rules.check_in.after is None


def test_each_invalid_value_has_a_line_of_its_own(tmp_path: Path) -> None:
    lines = wrong(tmp_path, "timezone: Nowhere\nlease: {grace: 5}\nadmins: [x]\n")
    assert [line.split(": ")[1] for line in lines] == [
        "line 1, timezone",
        "line 2, lease.grace",
        "line 3, admins.0",
    ]


def test_the_home_channel_is_not_a_key_of_the_file(tmp_path: Path) -> None:
    (line,) = wrong(tmp_path, "home_channel: C0OTHER")
    assert "GPUBOT_CHANNEL" in line


@pytest.mark.parametrize("text", ["[1, 2]", "lease: [", "just words", "a: b: c", "\x00"])
def test_a_file_without_keys_gives_one_line(tmp_path: Path, text: str) -> None:
    (line,) = wrong(tmp_path, text)
    assert line.startswith("GPUBOT_POLICY: ")


def test_a_file_that_cannot_be_read_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="can't read") as caught:
        PolicySource(tmp_path / "none.yml", home_channel="C0HOME", admins=()).read()
    assert len(caught.value.words.splitlines()) == 1


def test_an_admin_named_twice_is_listed_once(tmp_path: Path) -> None:
    assert read(tmp_path, "admins: [U0ADMIN, U0CLEO]").admins == ("U0ADMIN", "U0CLEO")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("90s", timedelta(seconds=90)), ("1h 30m", 90 * MINUTE), ("2d", 48 * HOUR), ("1h30m15s", timedelta(0, 5415))],
)
def test_a_duration_is_read_with_its_unit(tmp_path: Path, written: str, meant: timedelta) -> None:
    assert read(tmp_path, f"approval: {{expires: {written}}}").approval.expires == meant


@pytest.mark.parametrize(
    ("written", "meant"), [("15%", "0.15"), ("0.15", "0.15"), ("0%", "0"), ("12.5 %", "0.125"), ("100%", "1")]
)
def test_a_share_can_be_a_percentage_or_a_number(tmp_path: Path, written: str, meant: str) -> None:
    assert read(tmp_path, f"procure: {{dearer: {written}}}").procure.dearer == Decimal(meant)


def test_an_amount_keeps_its_written_digits(tmp_path: Path) -> None:
    assert str(read(tmp_path, "auto_approve: {per_hour: 0.1}").auto_approve.per_hour) == "0.1"
