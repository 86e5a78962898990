"""The rules in force: a good file becomes the next version, and a bad one changes nothing, even at a start."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.clock import MovedClock
from bot.errors import StoreBusy, WrongPolicy
from bot.lifecycle.deps import Deps, RulesInForce, with_newest_rules
from bot.lifecycle.loops.policy_versions import changed_keys, follow, reload, rules_at_start
from bot.lifecycle.loops.probe_runs import ProbeRuns
from bot.model.account_facts import CHANNELS_CHARGE_LESS, POLICY_REFUSED
from bot.model.event import Event, EventKind
from bot.model.records import PolicyFile, PolicyVersion
from bot.policy.team.policy_file import PolicySource
from bot.policy.team.rules import Rules
from store.db import Database
from tests.databases import ON_SQLITE, START
from tests.lifecycle.world import CLEO, HOME, HOUR, PROBE, world
from tests.policy.test_mutated_policies import mutated
from tests.policy.test_rules import EVERY_KEY

LEASE = "lease: {max: 2d}\n"


class Team:
    """A policy file, and the process that reads it."""

    def __init__(self, store: Database, clock: MovedClock, folder: Path) -> None:
        self.store, self.clock = store, clock
        self.path = folder / "policy.yml"
        self.source = PolicySource(self.path, home_channel="C0HOME", admins=("U0CLEO",))

    def write(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")

    async def start(self) -> Deps:
        in_force = await rules_at_start(self.store, self.source)
        return Deps(store=self.store, clock=self.clock, rules=in_force.rules, in_force=in_force)

    async def stored(self) -> PolicyVersion | None:
        async with self.store.read() as tx:
            return await tx.policies.newest()

    async def alerts(self) -> list[tuple[EventKind, str]]:
        """Return the kinds of events that people were alerted about, with the people, oldest first."""
        async with self.store.read() as tx:
            messages = await tx.messages.due(self.clock.real() + timedelta(days=1), 100)
            events = [await tx.events.get(message.event_id or 0) for message in messages]
        pairs = zip(messages, events, strict=True)
        return [(event.kind, message.to.value) for message, event in pairs if event is not None]

    async def newest_event(self) -> Event[Any]:
        async with self.store.read() as tx:
            year, now = timedelta(days=365), self.clock.now()
            return (await tx.events.between(now - year, now + year, after=0, limit=100))[-1]

    async def until(self, read: Callable[[], Awaitable[object]]) -> None:
        """Wait until `read` returns something, trying again after each commit."""
        committed = asyncio.Event()
        self.store.on_commit(committed.set)
        async with asyncio.timeout(20):
            while not await read():
                await committed.wait()
                committed.clear()


@pytest.fixture
def ours(database: Database, clock: MovedClock, tmp_path: Path) -> Team:
    return Team(database, clock, tmp_path)


@ON_SQLITE
async def test_the_first_rules_become_version_one_without_an_alert(ours: Team) -> None:
    ours.write(LEASE)
    deps = await ours.start()
    assert deps.rules.lease.max == timedelta(days=2)
    assert await ours.stored() is None
    await reload(deps)
    stored = await ours.stored()
    assert stored is not None
    assert (stored.n, stored.by, stored.file) == (1, None, PolicyFile(text=LEASE))
    assert await ours.alerts() == []
    event = await ours.newest_event()
    assert (event.kind, event.facts.detail) == (EventKind.POLICY_CHANGED, "admins, lease.max")


@ON_SQLITE
async def test_a_changed_file_at_a_start_becomes_the_next_version(ours: Team) -> None:
    """The admins are alerted."""
    ours.write(LEASE)
    await reload(await ours.start())
    ours.write(LEASE + "admins: [U0BEN]\n")
    deps = await ours.start()
    assert "U0BEN" in deps.rules.admins
    await reload(deps)
    await reload(deps)
    stored = await ours.stored()
    assert stored is not None
    assert stored.n == 2
    assert sorted(await ours.alerts()) == [(EventKind.POLICY_CHANGED, one) for one in ("U0BEN", "U0CLEO")]


@ON_SQLITE
async def test_the_first_start_after_the_upgrade_reports_affected_channels(
    ours: Team,
) -> None:
    """The channels used to charge their project for everybody, and now charge it for fewer people.

    A new database has nothing to report, and an older one reports the channels once.
    """
    ours.write("projects: {vision: {channels: [C0V, C0W], people: [U0ANA]}, open: {channels: [C0O]}}\n")
    await reload(await ours.start())
    assert await ours.alerts() == []
    async with ours.store.write() as tx:
        await tx.account.set(CHANNELS_CHARGE_LESS, None)
    for _ in range(2):
        await reload(await ours.start())
    assert await ours.alerts() == [(EventKind.CHANNELS_CHARGE_LESS, "U0CLEO")]
    event = await ours.newest_event()
    assert event.facts.detail == "C0V vision\nC0W vision"


@ON_SQLITE
async def test_a_file_with_the_same_rules_is_no_new_version(ours: Team) -> None:
    ours.write(LEASE)
    deps = await ours.start()
    await reload(deps)
    ours.write("# the same in other words\nlease:\n  max: 48h\n")
    assert (await reload(deps)).keys == ()
    stored = await ours.stored()
    assert stored is not None
    assert stored.n == 1


@ON_SQLITE
async def test_a_start_with_a_bad_file_uses_the_stored_rules_and_scripts(
    ours: Team, tmp_path: Path, logs: list[Any]
) -> None:
    script = tmp_path / "torch.sh"
    script.write_text("#!/bin/sh\ntrue\n", encoding="utf-8")
    ours.write(LEASE + "setup: {torch: torch.sh}\n")
    await reload(await ours.start())
    script.unlink()
    for _ in range(2):
        deps = await ours.start()
        assert deps.rules.lease.max == timedelta(days=2)
        assert deps.rules.setup == {"torch": "#!/bin/sh\ntrue\n"}
        with pytest.raises(WrongPolicy):
            await reload(deps)
    assert await ours.alerts() == [(EventKind.POLICY_REFUSED, "U0CLEO")]
    script.write_text("#!/bin/sh\ntrue\n", encoding="utf-8")
    assert (await reload(deps)).keys == ()
    async with ours.store.read() as tx:
        assert await tx.account.get(POLICY_REFUSED) is None
    assert {line["event"] for line in logs} == {"policy.refused"}


@ON_SQLITE
async def test_a_bad_file_prevents_the_start_only_without_stored_rules(ours: Team) -> None:
    ours.write("lease: {max: soon}\n")
    with pytest.raises(WrongPolicy, match=r"line 1, lease\.max: 'soon' is no duration"):
        await ours.start()
    async with ours.store.write() as tx:
        await tx.policies.add(PolicyVersion(n=1, at=START, file=PolicyFile(text="no_longer_a_key: 1")))
    with pytest.raises(WrongPolicy, match=r"line 1, lease\.max: 'soon' is no duration"):
        await ours.start()


async def test_simultaneous_readers_store_one_version_per_change(ours: Team) -> None:
    ours.write("")
    deps = await ours.start()
    await reload(deps)
    ours.write(LEASE)
    done = await asyncio.gather(*(reload(deps, f"U{n}") for n in range(8)))
    assert sorted(len(one.keys) for one in done) == [0] * 7 + [1]
    assert {one.version.n for one in done} == {2}


@ON_SQLITE
async def test_a_step_keeps_its_rules_and_the_next_step_gets_new_ones(ours: Team) -> None:
    ours.write("")
    deps = await ours.start()
    step = with_newest_rules(deps)
    ours.write(LEASE)
    await reload(step)
    assert step.rules.lease.max == timedelta(days=3)
    assert with_newest_rules(step).rules.lease.max == with_newest_rules(deps).rules.lease.max == timedelta(days=2)


@pytest.mark.usefixtures("logs")
@ON_SQLITE
async def test_a_mutated_file_brings_all_of_its_rules_into_force_or_none(ours: Team) -> None:
    ours.write(EVERY_KEY)
    deps = await ours.start()
    await reload(deps)
    chance = random.Random(18)  # noqa: S311 - repeatable, and guards nothing
    refused = 0
    for _ in range(150):
        before, stored = with_newest_rules(deps).rules, await ours.stored()
        ours.write(mutated(EVERY_KEY, chance))
        try:
            await reload(deps)
        except WrongPolicy:
            refused += 1
            assert (with_newest_rules(deps).rules, await ours.stored()) == (before, stored)
        else:
            newest = await ours.stored()
            assert newest is not None
            assert with_newest_rules(deps).rules == ours.source.read().rules == ours.source.rules_in(newest.file)
    assert 75 < refused < 150


@ON_SQLITE
async def test_the_file_is_read_on_request_and_a_change_triggers_the_callback(ours: Team) -> None:
    ours.write("")
    deps = await ours.start()
    asked, followed = asyncio.Event(), asyncio.Queue[Rules]()

    async def then(changed: Deps) -> None:
        await followed.put(changed.rules)

    running = asyncio.create_task(follow(deps, asked, then))
    try:
        await ours.until(ours.stored)
        ours.write("lease: {max: soon}\n")
        asked.set()
        await ours.until(ours.alerts)
        assert followed.empty()
        ours.write(LEASE)
        asked.set()
        async with asyncio.timeout(20):
            assert (await followed.get()).lease.max == timedelta(days=2)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@ON_SQLITE
async def test_a_good_file_allows_a_start_while_the_store_is_down(
    ours: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy() -> None:
        raise StoreBusy("away")

    monkeypatch.setattr(ours.store, "read", busy)
    ours.write(LEASE)
    assert (await ours.start()).rules.lease.max == timedelta(days=2)
    ours.write("lease: {max: soon}\n")
    with pytest.raises(WrongPolicy):
        await ours.start()


async def test_a_process_that_joins_others_uses_and_follows_their_rules(
    postgres_url: str, clock: MovedClock, tmp_path: Path
) -> None:
    """The file of the second process is an old one that was forgotten on its machine."""
    folders = [tmp_path / "first", tmp_path / "second"]
    async with AsyncExitStack() as stack:
        both = []
        for folder, text in zip(folders, (LEASE, "lease: {max: 1d}\n"), strict=True):
            folder.mkdir()
            database = await Database.open(postgres_url, claimant=folder.name, clock=clock)
            stack.push_async_callback(database.close)
            team = Team(database, clock, folder)
            team.write(text)
            deps = await team.start()
            if not database.joined:
                await reload(deps)
            both.append((team, deps))
        (first, ours), (second, theirs) = both
        assert theirs.rules.lease.max == timedelta(days=2)
        followed = asyncio.Event()

        async def then(_: Deps) -> None:
            followed.set()

        following = asyncio.create_task(follow(theirs, asyncio.Event(), then, joined=True, look_again=0.1))
        first.write("lease: {max: 3d}\n")
        await reload(ours)
        await followed.wait()
        assert with_newest_rules(theirs).rules.lease.max == timedelta(days=3)
        stored = await second.stored()
        assert stored is not None
        assert stored.n == 2, "the old file was not stored"
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def test_changed_keys_are_named_as_in_the_policy_file() -> None:
    assert changed_keys(Rules(), Rules()) == ()
    after = Rules.model_validate(
        {"idle": {"from": 5}, "projects": {"vision": {"budget": 9}}, "setup": {"torch": "#!/bin/sh\n"}}
    )
    assert changed_keys(Rules(), after) == ("idle.from", "projects.vision", "setup.torch")
    more = Rules.model_validate({"projects": {"vision": {"budget": 10}}, "setup": {"torch": "#!/bin/bash\n"}})
    assert changed_keys(after, more) == ("idle.from", "projects.vision.budget", "setup.torch")


async def test_a_new_billing_time_zone_recalculates_the_budgets(sqlite_url: str, tmp_path: Path) -> None:
    async with world(sqlite_url) as here:
        path = tmp_path / "policy.yml"
        path.write_text("")
        in_force = RulesInForce(here.deps.rules, PolicySource(path, home_channel=HOME, admins=(CLEO.id,)))
        deps = replace(here.deps, in_force=in_force)
        await reload(deps)
        here.jump(datetime(2026, 11, 30, 11, 45, tzinfo=UTC) - here.clock.now())
        await here.ready(lease=4 * HOUR)

        async def held(month: str) -> set[int]:
            async with here.deps.store.read() as tx:
                return {one.reserved for one in await tx.budgets.all_balances() if one.month == month} - {0}

        (before,) = await held("2026-11")
        path.write_text("billing: {timezone: Pacific/Kiritimati}\n")  # where December begins at 10:00 UTC
        assert (await reload(deps)).keys == ("billing.timezone",)
        assert (await held("2026-11"), await held("2026-12")) == (set(), {before})


async def test_machines_are_probed_once_the_rules_switch_the_probe_on(sqlite_url: str, tmp_path: Path) -> None:
    async with world(sqlite_url, probe_line=PROBE) as here:
        await here.ready()
        path = tmp_path / "policy.yml"
        path.write_text("idle: {probe: none}\n")
        in_force = RulesInForce(here.deps.rules, PolicySource(path, home_channel=HOME, admins=(CLEO.id,)))
        deps = replace(here.deps, in_force=in_force)
        probe_runs = ProbeRuns(deps)
        assert await probe_runs.next_due() is not None
        await reload(deps)
        assert await probe_runs.next_due() is None
        path.write_text("")
        await reload(deps)
        assert await probe_runs.next_due() is not None
