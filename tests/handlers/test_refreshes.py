"""The card shows the elapsed time while a machine is provisioned, although nothing else changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.model.account_facts import Counter
from bot.model.base import changed
from bot.model.message import Message
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from handlers.delivery.loop import Delivery
from handlers.delivery.pace import A_MINUTE, EDIT, EDITS_FOR_CHANGES, Pace
from handlers.messages.card import REFRESH_EVERY
from sandbox.slack.default import ANA, TRAINING
from tests.handlers.team import Team, team
from tests.store import make

SECOND = timedelta(seconds=1)


@asynccontextmanager
async def being_made(folder: Path) -> AsyncIterator[tuple[Team, Rental]]:
    """Yield a team with one rental whose machine is being provisioned since now, and whose card is posted."""
    async with team(folder) as ours:
        ours.delivery = delivery(ours, Pace(post_every=timedelta()))
        before = await ours.rented()
        attempt = make.attempt(before.id, intended_at=ours.clock.now())
        after = make.next_of(before, state=State.PROVISIONING, attempts=1, vendor="hyperstack")
        async with ours.deps.store.write() as tx:
            await tx.rentals.apply(Change(before=before, after=after, attempts=(attempt,)))
        await ours.deliver()
        yield ours, after


def delivery(ours: Team, pace: Pace) -> Delivery:
    return Delivery(ours.deps, ours.world.client, ours.world.session, pace=pace, save_retry=timedelta())


async def card(ours: Team, rental: Rental) -> Message:
    async with ours.deps.store.read() as tx:
        found = await tx.messages.card(rental.id)
    assert found is not None
    return found


async def reads(ours: Team) -> str:
    """Return the text of the card in Slack."""
    (shown,) = (m for m in await ours.world.see(ANA, channel=TRAINING) if ") in EU for Ana." in m["text"])
    return str(shown["text"])


async def edits(ours: Team) -> int:
    return len((await ours.world.get("traffic", endpoint="chat.update"))["requests"])


async def undelivered(ours: Team) -> int:
    async with ours.deps.store.read() as tx:
        return await tx.messages.undelivered()


async def becomes_ready(ours: Team, rental: Rental) -> None:
    after = make.next_of(rental, state=State.READY, lease=make.lease(ready_at=ours.clock.now()))
    async with ours.deps.store.write() as tx:
        await tx.rentals.apply(Change(before=rental, after=after))


async def test_the_card_shows_the_elapsed_time_every_30_s(tmp_path: Path) -> None:
    async with being_made(tmp_path) as (ours, rental):
        for seconds in ("30 s have", "1 min have"):
            assert await undelivered(ours) == 0
            ours.clock.jump(REFRESH_EVERY - SECOND)
            await ours.deliver()
            assert seconds not in await reads(ours)
            ours.clock.jump(SECOND)
            assert await undelivered(ours) == 0
            await ours.deliver()
            assert seconds in await reads(ours)
        assert await ours.rental(rental.id) == rental


async def test_a_refresh_wakes_the_sleeping_delivery_loop(tmp_path: Path) -> None:
    async with being_made(tmp_path) as (ours, _):
        running = asyncio.create_task(ours.delivery.run())
        try:
            last = (await ours.world.get("see", user=ANA, channel=TRAINING))["last"]
            ours.clock.jump(REFRESH_EVERY)
            seen = await ours.world.get("see", user=ANA, channel=TRAINING, after=last, wait=10)
            assert ["30 s have" in message["text"] for message in seen["messages"]] == [True]
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await ours.delivery.drain()


async def test_refreshes_continue_after_a_restart(tmp_path: Path) -> None:
    async with being_made(tmp_path) as (ours, _):
        ours.delivery = delivery(ours, Pace())
        ours.clock.jump(REFRESH_EVERY)
        await ours.deliver()
        assert "30 s have" in await reads(ours)


async def test_refreshes_end_when_the_machine_is_ready(tmp_path: Path) -> None:
    async with being_made(tmp_path) as (ours, rental):
        await becomes_ready(ours, rental)
        await ours.deliver()
        assert (await card(ours, rental)).refresh_at is None
        made = await edits(ours)
        ours.clock.jump(10 * REFRESH_EVERY)
        await ours.deliver()
        assert await edits(ours) == made


async def test_a_refresh_without_changes_is_not_sent(tmp_path: Path) -> None:
    async with being_made(tmp_path) as (ours, rental):
        made = await edits(ours)
        async with ours.deps.store.write() as tx:
            await tx.messages.save(changed(await card(ours, rental), refresh_at=ours.clock.now()))
        await ours.deliver()
        assert await edits(ours) == made
        assert (await card(ours, rental)).refresh_at == ours.clock.now() + REFRESH_EVERY


@pytest.mark.parametrize(
    "failure",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 429, "retry_after": 30},
        {"kind": "cut_before"},
        {"kind": "garbage", "body": json.dumps({"ok": False, "error": "fatal_error"})},
    ],
    ids=lambda failure: str(failure.get("status") or failure["kind"]),
)
async def test_a_refresh_that_fails_temporarily_is_skipped(tmp_path: Path, failure: dict[str, Any]) -> None:
    async with being_made(tmp_path) as (ours, rental):
        await ours.fault("chat.update", **failure)
        ours.clock.jump(REFRESH_EVERY)
        await ours.deliver()
        assert (await card(ours, rental)).refresh_at == ours.clock.now() + REFRESH_EVERY
        assert await undelivered(ours) == 0


async def test_a_refused_refresh_stops_refreshes_but_not_later_changes(
    tmp_path: Path,
) -> None:
    async with being_made(tmp_path) as (ours, rental):
        await ours.refuse("chat.update", "cant_update_message")
        ours.clock.jump(REFRESH_EVERY)
        await ours.deliver()
        refused = await card(ours, rental)
        assert (refused.refresh_at, refused.closed) == (None, False)
        await becomes_ready(ours, rental)
        await ours.deliver()
        assert (await reads(ours)).startswith("Ready")
        async with ours.deps.store.read() as tx:
            assert await tx.account.count(Counter.GIVEN_UP) == 0


async def test_refreshes_leave_capacity_for_changes(tmp_path: Path) -> None:
    async with being_made(tmp_path) as (ours, rental):
        pace = Pace()
        for _ in range(A_MINUTE[EDIT] - EDITS_FOR_CHANGES):
            pace.count(EDIT, ours.clock.real())
        ours.delivery = delivery(ours, pace)
        made = await edits(ours)
        ours.clock.jump(REFRESH_EVERY)
        await ours.deliver()
        assert await edits(ours) == made
        assert not ours.delivery.may_refresh(ours.clock.real())
        await becomes_ready(ours, rental)
        await ours.deliver()
        assert await edits(ours) == made + 1
