"""A copy of the database from some minutes ago is put back: nothing ends or is bought that people don't expect."""

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
    """Run the bot on a copy of its database, after its first sweep. Slack has not been read yet."""
    here.slack_is_down = True
    async with restored(here, copy):
        await first_sweep(here.deps)
        yield


async def slack_shows_a_later_version(here: World, rental: Rental) -> None:
    """Do what delivery does once it has compared the messages of a rental with Slack, then deliver."""
    async with here.deps.store.write() as tx:
        await messages.ask_again(tx, here.deps, rental.id)
    here.slack_is_down = False
    await here.settle()


async def ends_after_the_copy(here: World, rental: Rental, how: str) -> None:
    """End a machine five minutes after the copy was made, and be down for five more."""
    await here.pass_time(5 * MINUTE)
    if how == "destroyed":
        await here.destroy(rental)
    else:
        await here.vanish(rental, how)
    here.jump(5 * MINUTE)


@pytest.mark.parametrize("how", ["destroyed", "deleted", "missing"])
async def test_a_machine_whose_end_is_not_known_is_told_as_ended_while_the_bot_was_away(
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
async def test_a_machine_that_is_gone_and_later_in_slack_is_not_offered_for_replacement(
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


async def test_a_machine_that_is_gone_is_no_longer_offered_for_replacement_once_slack_shows_a_later_state(
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


async def test_nobody_is_told_when_a_machine_ends_before_it_was_looked_up(
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


async def test_a_machine_that_the_vendor_takes_later_is_lost_as_ever(
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


async def test_an_end_whose_extension_was_lost_comes_one_grace_after_its_owner_reads_it(
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
        told = [m for m in await here.messages(MessageKind.DIRECT) if m.rental_id == rental.id][-1]
        assert (await here.last_event(rental, E.ENDS_AGAIN)).id == told.event_id
        assert told.posted_at is not None
        await here.pass_time(GRACE - SECOND)
        assert (await here.rental(rental.id)).state is State.READY
        await here.until(rental, State.DESTROYED, within=5 * MINUTE)
        assert (await here.event_kinds(rental)).count(E.ENDING) == 1


async def test_an_end_comes_one_grace_after_a_notice_if_slack_can_not_be_read_after_the_start(
    ours: World, sqlite_url: str, tmp_path: Path
) -> None:
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


async def test_a_plain_restart_at_the_end_delays_it_only_until_slack_was_read(
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


async def test_nothing_is_bought_for_a_request_whose_cancellation_was_lost(
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
