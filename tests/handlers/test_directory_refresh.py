"""The stored information about teammates is refreshed before steps act on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bot.model.base import EVER
from bot.model.person import Person
from handlers.directory import CACHED_FOR, People
from sandbox.slack.default import BEN, CLEO
from tests.handlers.team import Team, team


async def known(ours: Team, user: str) -> Person:
    async with ours.deps.store.read() as tx:
        found = await tx.people.get(user, EVER)
    assert found is not None
    return found


async def outdate(ours: Team, *users: str) -> None:
    """Make the stored information about these people count as outdated."""
    async with ours.deps.store.write() as tx:
        for user in users:
            await tx.people.forget(user)


async def test_people_who_changed_while_the_bot_was_offline_are_looked_up(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        directory = People(ours.deps, ours.world.client)
        await directory.refresh([BEN, CLEO])
        assert not (await known(ours, BEN)).guest
        people = ours.world.sandbox.workspace.people
        people[BEN] = replace(people[BEN], guest="restricted")
        await directory.refresh([BEN])
        assert not (await known(ours, BEN)).guest, f"it is less than {CACHED_FOR} old"
        await outdate(ours, BEN)
        await directory.refresh([BEN])
        assert (await known(ours, BEN)).guest


async def test_stored_information_is_kept_while_slack_does_not_answer(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.context.people.look_up([BEN, CLEO])
        await outdate(ours, BEN, CLEO)
        directory = People(ours.deps, ours.world.client)
        await ours.refuse("auth.test", "internal_error")
        await directory.refresh([BEN])
        await ours.refuse("users.info", "internal_error", times=None)
        await directory.refresh([BEN, CLEO, "U0NOBODY"])
        assert [(await known(ours, user)).name for user in (BEN, CLEO)] == ["Ben", "Cleo"]


async def test_a_step_does_not_wait_for_slack(tmp_path: Path) -> None:
    """Slack accepts the first call but doesn't answer it."""
    async with team(tmp_path) as ours:
        held = await ours.fault("auth.test", "hold_before")
        await People(ours.deps, ours.world.client).refresh([BEN])
        fault = await ours.world.get(f"faults/{held}", **{"for": "dropped", "wait": 5})
        assert fault["dropped"] == 1
