"""A backup of a database in which people were on the waitlist is restored.

Nothing is rented for those who stopped waiting after the backup, in whatever order the bot sweeps, compares,
searches for offers and lets time pass.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from bot.lifecycle.account.sweep import first_sweep
from bot.lifecycle.actions import waiting
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.restored import messages
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.rental import Rental
from bot.model.state import State
from tests.lifecycle.test_steps_restored import back_up, ours, restored
from tests.lifecycle.test_waiting import free, sold_out, waits
from tests.lifecycle.world import ANA, HOUR, MINUTE, SECOND, World

__all__ = ["ours"]
RESTORES = 20


async def rent_when_found(here: World) -> Rental:
    """Put Ana on the waitlist for a machine at a given price."""
    await sold_out(here)
    _, rental = await waits(here, lease=8 * HOUR)
    return rental


async def approved(here: World) -> Rental:
    """Put Ana on the waitlist for machines that an approver has allowed."""
    await sold_out(here)
    _, rental = await waits(here, "5", count=8)
    return await here.approve(rental)


async def start_time(here: World) -> Rental:
    """Let Ana wait for a start time that has come by the time the bot is back."""
    starts_at = here.now + 15 * MINUTE
    _, rental = await waits(here, None, starts_at=starts_at, until=starts_at + 2 * HOUR)
    return rental


KINDS = (rent_when_found, approved, start_time)


async def stops(here: World, rental: Rental) -> None:
    await carry_out(here.deps, ANA, waiting.StopWaiting(rental.id))
    await here.settle()


async def rents_and_destroys(here: World, rental: Rental) -> None:
    await free(here, "*")
    await here.destroy(await here.until(rental, State.READY))
    await here.until(rental, State.DESTROYED)


async def compare(here: World, rental: Rental, *, later: bool) -> None:
    """Do what delivery does after it has read back the rental's card.

    Args:
        later: True if Slack shows a later state than the database.
    """
    async with here.deps.store.write() as tx:
        card = await tx.messages.card(rental.id)
        assert card is not None
        await tx.messages.save(changed(card, version_at_start=None))
        if later:
            await messages.ask_again(tx, here.deps, rental.id)


@pytest.mark.parametrize("seed", range(RESTORES))
async def test_nothing_is_rented_for_an_entry_stopped_after_the_backup(
    ours: World, sqlite_url: str, tmp_path: Path, seed: int
) -> None:
    here, copy, pick = ours, tmp_path / "copy.db", Random(seed)  # noqa: S311 - repeatable, and guards nothing
    rental = await KINDS[seed % len(KINDS)](here)
    assert rental.state is State.QUEUED
    back_up(sqlite_url, copy)
    await pick.choice([stops, stops, rents_and_destroys])(here, rental)
    bought = await here.bought()
    await free(here, "*")
    here.jump(pick.choice([MINUTE, 10 * MINUTE]))
    here.slack_is_down = True
    async with restored(here, copy):
        steps: list[Callable[[], Awaitable[object]]] = [
            lambda: first_sweep(here.deps),
            lambda: compare(here, rental, later=True),
            *[lambda: here.pass_time(pick.choice([SECOND, 15 * SECOND]))] * 4,
            *[here.sweep] * 2,
        ]
        pick.shuffle(steps)
        for step in steps:
            await step()
            await here.settle()
        here.slack_is_down = False
        await here.pass_time(30 * MINUTE)
        assert await here.bought() == bought
        rental = await here.rental(rental.id)
        assert rental.state is State.AWAITING_APPROVAL
        assert rental.decision is not None
        assert rental.decision.why is Why.SHOWN_LATER
        assert E.OFFER_FITS not in await here.event_kinds(rental), "nobody reads that it is being rented"


@pytest.mark.parametrize("waitlist_entry", KINDS)
async def test_a_waitlist_entry_is_rented_once_its_card_is_compared(
    ours: World, sqlite_url: str, tmp_path: Path, waitlist_entry: Callable[[World], Awaitable[Rental]]
) -> None:
    here, copy = ours, tmp_path / "copy.db"
    rental = await waitlist_entry(here)
    back_up(sqlite_url, copy)
    await free(here, "*")
    here.jump(10 * MINUTE)
    here.slack_is_down = True
    async with restored(here, copy):
        await first_sweep(here.deps)
        await here.pass_time(MINUTE)
        assert (await here.rental(rental.id)).state is State.QUEUED
        await compare(here, rental, later=False)
        await here.until(rental, State.READY, within=5 * MINUTE)


async def test_without_slack_an_entry_is_rented_two_minutes_after_the_start(
    ours: World, sqlite_url: str, tmp_path: Path
) -> None:
    here, copy = ours, tmp_path / "copy.db"
    rental = await rent_when_found(here)
    back_up(sqlite_url, copy)
    await free(here, "*")
    here.jump(10 * MINUTE)
    here.slack_is_down = True
    async with restored(here, copy):
        await first_sweep(here.deps)
        await here.until(rental, State.READY, within=10 * MINUTE)
