"""A backup from some minutes ago is restored: nothing ends and nothing is bought that people don't expect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.errors import TooLate
from bot.lifecycle.account.sweep import first_sweep
from bot.lifecycle.actions import replacing
from bot.lifecycle.actions.action import preview
from bot.lifecycle.restored import messages
from bot.model.attempt import Why
from bot.model.event import EventKind as E
from bot.model.message import MessageKind, to_person
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.buying.replacing import may_be_replaced
from tests.lifecycle.leases import end_of
from tests.lifecycle.test_steps_restored import back_up, ours, restored
from tests.lifecycle.world import ANA, HOUR, MINUTE, SECOND, World

__all__ = ["ours"]
GRACE = 15 * MINUTE


@asynccontextmanager
async def restore(here: World, copy: Path) -> AsyncIterator[None]:
    """Run the bot on a copy of its database, after its first sweep. Slack hasn't been read yet."""
    here.slack_is_down = True
    async with restored(here, copy):
        await first_sweep(here.deps)
        yield


async def slack_shows_a_later_version(here: World, rental: Rental) -> None:
    """Do what delivery does after it has compared the messages of a rental with Slack. Then deliver."""
    async with here.deps.store.write() as tx:
        await messages.ask_again(tx, here.deps, rental.id)
    here.slack_is_down = False
    await here.settle()


async def ends_after_the_copy(here: World, rental: Rental, how: str) -> None:
    """End a machine five minutes after the backup was taken, and be down for five more minutes."""
    await here.pass_time(5 * MINUTE)
    if how == "destroyed":
        await here.destroy(rental)
    else:
        await here.vanish(rental, how)
    here.jump(5 * MINUTE)


@pytest.mark.parametrize("how", ["destroyed", "deleted", "missing"])
async def test_a_machine_with_an_unknown_end_ended_while_the_bot_was_down(
    ours: World, sqlite_url: str, tmp_path: Path, how: str
) -> None:
    here, copy = ours, tmp_path / "copy.db"
    rental = await here.ready(lease=8 * HOUR)
    back_up(sqlite_url, copy)
    await ends_after_the_copy(here, rental, how)
    async with restored(here, copy):
        await first_sweep(here.deps)
        rental = await here.until(rental, State.LOST)
        facts = (await here.last_event(rental, E.LOST)).facts
        assert facts.why is Why.ENDED_WHILE_AWAY
        assert may_be_replaced(rental, here.now)
        assert (await here.ledger(rental))[0].amount >= await here.bill() > 0


@pytest.mark.parametrize("how", ["destroyed", "deleted", "missing"])
async def test_no_replacement_is_offered_if_slack_shows_a_later_state(
    ours: World, sqlite_url: str, tmp_path: Path, how: str
) -> None:
    here, copy = ours, tmp_path / "copy.db"
    rental = await here.ready(lease=8 * HOUR)
    back_up(sqlite_url, copy)
    await ends_after_the_copy(here, rental, how)
    async with restore(here, copy):
        await here.pass_time(MINUTE)
        assert (await here.rental(rental.id)).state is State.READY, "Slack is asked first"
        await slack_shows_a_later_version(here, rental)
        rental = await here.until(rental, State.LOST)
        assert (await here.last_event(rental, E.LOST)).facts.why is Why.ENDED_SINCE_BACKUP
        assert not may_be_replaced(rental, here.now)
        with pytest.raises(TooLate, match="Somebody probably destroyed"):
            await preview(here.deps, ANA, replacing.Replace(rental.id, to_person(ANA.id)))
        assert E.ENDS_AGAIN not in await here.event_kinds(rental), "nobody reads that it ends again"
        assert (await here.ledger(rental))[0].amount >= await here.bill() > 0


async def test_the_offer_of_a_replacement_ends_once_slack_shows_a_later_state(
    ours: World, sqlite_url: str, tmp_path: Path
) -> None:
    here, copy = ours, tmp_path / "copy.db"
    rental = await here.ready(lease=8 * HOUR)
    back_up(sqlite_url, copy)
    await ends_after_the_copy(here, rental, "destroyed")
    async with restore(here, copy):
        rental = await here.until(rental, State.LOST, within=5 * MINUTE)
        assert may_be_replaced(rental, here.now), "Slack can't be read"
        await slack_shows_a_later_version(here, rental)
        assert not may_be_replaced(await here.rental(rental.id), here.now)


async def test_an_end_is_announced_only_once_the_machine_was_looked_up(
    ours: World, sqlite_url: str, tmp_path: Path
) -> None:
    here, copy = ours, tmp_path / "copy.db"
    rental = await here.ready(lease=2 * HOUR)
    back_up(sqlite_url, copy)
    await here.extend(rental, 2 * HOUR)
    await here.be_down(MINUTE)
    async with restore(here, copy):
        away = await here.fault("get_resource", "status", status=503, times=None)
        await slack_shows_a_later_version(here, rental)
        await here.pass_time(10 * MINUTE)
        assert E.ENDS_AGAIN not in await here.event_kinds(rental)
        await here.release(away)
        await here.until_event(rental, E.ENDS_AGAIN, within=MINUTE)
        facts = (await here.last_event(rental, E.ENDS_AGAIN)).facts
        assert facts.until == end_of(rental)
        await slack_shows_a_later_version(here, rental)
        assert (await here.event_kinds(rental)).count(E.ENDS_AGAIN) == 1


async def test_a_machine_taken_away_after_the_restore_is_lost_as_usual(
    ours: World, sqlite_url: str, tmp_path: Path
) -> None:
    here, copy = ours, tmp_path / "copy.db"
    rental = await here.ready(lease=8 * HOUR)
    back_up(sqlite_url, copy)
    async with restored(here, copy):
        await first_sweep(here.deps)
        await here.pass_time(10 * MINUTE)
        await here.vanish(rental, "missing")
        rental = await here.until(rental, State.LOST)
        assert (await here.last_event(rental, E.LOST)).facts.why is Why.VENDOR_TOOK_IT


async def test_a_lost_extension_gives_one_grace_period_after_the_notice(
    ours: World, sqlite_url: str, tmp_path: Path
) -> None:
    here, copy = ours, tmp_path / "copy.db"
    rental = await here.ready(lease=2 * HOUR)
    await here.be_down(80 * MINUTE)
    await here.pass_time(30 * MINUTE)
    back_up(sqlite_url, copy)
    await here.extend(rental, 2 * HOUR)
    here.jump(15 * MINUTE)
    async with restore(here, copy):
        await here.settle()
        assert (await here.rental(rental.id)).state is State.READY, "Slack may state another end"
        await slack_shows_a_later_version(here, rental)
        notice = [m for m in await here.messages(MessageKind.DIRECT) if m.rental_id == rental.id][-1]
        assert (await here.last_event(rental, E.ENDS_AGAIN)).id == notice.event_id
        assert notice.posted_at is not None
        await here.pass_time(GRACE - SECOND)
        assert (await here.rental(rental.id)).state is State.READY
        await here.until(rental, State.DESTROYED, within=5 * MINUTE)
        assert (await here.event_kinds(rental)).count(E.ENDING) == 1


async def test_without_slack_an_end_comes_a_grace_period_after_a_notice(
    ours: World, sqlite_url: str, tmp_path: Path
) -> None:
    """Slack can't be read after the start."""
    here, copy = ours, tmp_path / "copy.db"
    rental = await here.ready(lease=2 * HOUR)
    await here.be_down(80 * MINUTE)
    await here.pass_time(30 * MINUTE)
    back_up(sqlite_url, copy)
    here.jump(15 * MINUTE)
    async with restore(here, copy):
        await here.pass_time(MINUTE)
        assert (await here.event_kinds(rental)).count(E.ENDING) == 1
        await here.until(rental, State.DESTROYED, within=GRACE + 5 * MINUTE)
        assert (await here.event_kinds(rental)).count(E.ENDING) == 2


async def test_a_restart_at_the_end_delays_it_only_until_slack_was_read(
    ours: World, sqlite_url: str, tmp_path: Path
) -> None:
    here, copy = ours, tmp_path / "copy.db"
    rental = await here.ready(lease=2 * HOUR)
    await here.be_down(80 * MINUTE)
    await here.pass_time(30 * MINUTE)
    back_up(sqlite_url, copy)
    here.jump(end_of(rental) - here.now)
    async with restore(here, copy):
        await here.settle()
        assert (await here.rental(rental.id)).state is State.READY
        here.slack_is_down = False
        await here.until(rental, State.DESTROYED, within=5 * MINUTE)
        assert (await here.event_kinds(rental)).count(E.ENDING) == 1


async def test_nothing_is_bought_if_the_backup_lacks_a_cancellation(
    ours: World, sqlite_url: str, tmp_path: Path
) -> None:
    here, copy = ours, tmp_path / "copy.db"
    rental = await here.rent(await here.ask(), settle=False)
    await here.deliver_all()
    back_up(sqlite_url, copy)
    await here.destroy(rental)
    here.jump(5 * MINUTE)
    async with restore(here, copy):
        await here.settle()
        assert (await here.rental(rental.id)).state is State.PROCURING
        await slack_shows_a_later_version(here, rental)
        await here.pass_time(MINUTE)
        rental = await here.rental(rental.id)
        assert rental.decision is not None
        assert rental.decision.why is Why.SHOWN_LATER
        assert rental.owner_decides
        assert await here.bought() == []
