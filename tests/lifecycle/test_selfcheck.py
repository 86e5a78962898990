"""The self-check: late work, a store that fails, and the people who are notified without the outbox."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import aiohttp
import pytest

from bot.clock import MovedClock, SystemClock
from bot.lifecycle.loops.selfcheck import SelfCheck
from bot.model.event import Event, EventKind
from bot.model.rental import Rental
from bot.ops import health
from bot.policy.use.clocks import ClockDifference
from store.db import Database
from tests.databases import beside
from tests.lifecycle.engine import Engine
from tests.lifecycle.failing import FailingStore
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, SECOND, World


class Slack:
    """A DirectPosts that records the posts, or refuses them if `takes` is False."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, EventKind, str | None]] = []
        self.takes = True

    async def post(self, user: str, event: Event[Any]) -> bool:
        if self.takes:
            self.posts.append((user, event.kind, event.facts.name))
        return self.takes


def check_of(here: World, slack: Slack | None = None) -> SelfCheck:
    return SelfCheck(here.deps, here.engine.loops, slack or Slack())


# --- late work


async def test_due_work_is_late_whether_or_not_it_is_claimed(here: World) -> None:
    await here.ready()
    check = check_of(here)
    here.jump(5 * MINUTE)
    async with here.deps.store.write() as tx:
        await tx.rentals.claim(here.now, 9, 20)
    await check.measure()
    assert check.lateness > MINUTE
    here.jump(59 * SECOND)
    await check.measure()
    assert check.wrong == []
    here.jump(2 * SECOND)
    await check.measure()
    assert check.wrong == ["work is late by 61 s"]
    await here.database.end_claims()
    await here.settle()
    await check.measure()
    assert (check.wrong, check.lateness) == ([], timedelta(0))


async def test_a_bot_that_always_finishes_late_counts_as_late(here: World) -> None:
    rentals = [await here.ready(), await here.ready(person=BEN)]
    check = check_of(here)
    here.jump(5 * MINUTE)
    for rental in rentals:
        await check.measure()
        assert check.wrong == []
        here.jump(40 * SECOND)
        async with here.deps.store.write() as tx:
            await tx.rentals.make_due([rental.id], here.now - MINUTE)
    await check.measure()
    assert check.wrong == ["work is late by 80 s"]


async def test_a_running_step_is_late_only_after_five_minutes(here: World) -> None:
    rental = await here.ready()
    check = check_of(here)
    fault = await here.fault("get_resource", "hold_before")
    here.jump(4 * MINUTE)
    await here.engine.run_pass()
    await here.until_hit(fault)
    assert list(here.engine.under_way()) == [rental.id]
    for span, wrong in ((4 * MINUTE, []), (2 * MINUTE, []), (MINUTE, ["work is late by 60 s"])):
        here.jump(span)
        await check.measure()
        assert check.wrong == wrong
    await here.release(fault)
    await here.settle()


async def test_work_that_another_process_has_claimed_is_not_late(here: World) -> None:
    await here.ready()
    check, other = check_of(here), beside(here.database)
    here.jump(5 * MINUTE)
    async with other.write() as tx:
        assert await tx.rentals.claim(here.now, 9, 20)
    await check.measure()
    assert check.lateness == timedelta(0)
    await here.database.end_claims()
    await check.measure()
    assert check.lateness > MINUTE
    await here.settle()


async def test_moving_the_bots_clock_makes_no_work_late(here: World) -> None:
    """Work that is three hours late in bot time hasn't been late in wall-clock time."""
    await here.ready()
    moved = MovedClock(here.now + 3 * HOUR)
    deps = replace(here.deps, clock=moved)
    check = SelfCheck(deps, Engine(deps).loops, Slack())
    await check.measure()
    assert check.lateness > 2 * HOUR
    assert check.wrong == []


@pytest.mark.parametrize(("well", "status"), [(True, 200), (False, 503)])
async def test_health_answers_503_with_the_report_if_the_bot_is_not_well(status: int, *, well: bool) -> None:
    async def report() -> health.Report:
        return {
            "well": well,
            "wrong": ["the database can't be written"],
            "settled": True,
            "clock": {"revision": 1},
        }

    async def figures() -> bytes:
        return b""

    server = await health.serve("127.0.0.1:0", SystemClock(), report, figures, lambda: False)
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{server.addresses[0][1]}/health") as answer,
        ):
            assert (answer.status, await answer.json()) == (status, await report())
    finally:
        await server.close()


# --- notifications


async def outage(here: World, *, away: bool = False) -> tuple[FailingStore, SelfCheck, Slack]:
    store, slack = FailingStore(here.deps.store), Slack()
    store.refuses_reads = away
    deps = replace(here.deps, store=cast(Database, store))
    return store, SelfCheck(deps, Engine(deps).loops, slack), slack


async def soon_and_later(here: World) -> Rental:
    """Return Ana's rental, which ends within the hour. Ben has one that doesn't."""
    rental = await here.ready()
    await here.ready(person=BEN, lease=6 * HOUR)
    await here.be_down(rental.running_lease.ends_at - HOUR - here.now)
    return rental


async def test_people_are_notified_once_that_the_store_accepts_no_writes(
    here: World,
) -> None:
    """The admins are notified, and the owners of leases that end soon."""
    rental = await soon_and_later(here)
    store, check, slack = await outage(here)
    slack.takes = False
    assert not await check.check()
    assert check.wrong == ["the database can't be written"]
    await check.notify()
    slack.takes = True
    for _ in range(3):
        await check.notify()
    assert slack.posts == [(CLEO.id, EventKind.NO_WRITES, None), (ANA.id, EventKind.NO_WRITES, rental.id)]
    slack.posts.clear()
    store.refuses_writes = False
    assert await check.check()
    assert check.wrong == []
    for _ in range(2):
        await check.notify_recovery()
    assert sorted(slack.posts, key=str) == [
        (ANA.id, EventKind.STORE_BACK, rental.id),
        (CLEO.id, EventKind.STORE_BACK, None),
    ]


async def test_a_process_that_does_not_deliver_notifies_nobody(here: World) -> None:
    _, check, slack = await outage(here)
    delivers = False
    check.notifies = lambda: delivers
    assert not await check.check()
    await check.notify()
    assert slack.posts == []
    delivers = True
    await check.notify()
    assert slack.posts == [(CLEO.id, EventKind.NO_WRITES, None)]


async def test_admins_are_notified_that_the_store_cannot_be_read(here: World) -> None:
    await soon_and_later(here)
    _, check, slack = await outage(here, away=True)
    assert not await check.check()
    assert "the database can't be read" in check.wrong
    for _ in range(2):
        await check.notify()
    assert slack.posts == [(CLEO.id, EventKind.NO_READS, None)]


async def test_a_single_failed_check_notifies_nobody(here: World) -> None:
    store, check, slack = await outage(here)
    looks = asyncio.Semaphore(0)
    tries = 0

    async def takes_writes() -> bool:
        nonlocal tries
        tries += 1
        looks.release()
        return tries != 2

    store.takes_writes = takes_writes  # type: ignore[method-assign]  # a double of this test's own
    running = asyncio.create_task(check.run())
    try:
        for _ in range(6):
            await looks.acquire()
    finally:
        running.cancel()
    assert slack.posts == []


async def test_admins_are_notified_once_of_a_wrong_clock(here: World) -> None:
    """Two checks in a row have to find it wrong."""
    slack, wrong = Slack(), ClockDifference(2 * HOUR, from_database=True)
    check = check_of(here, slack)
    for difference, posts in ((wrong, 0), (None, 0), (wrong, 0), (wrong, 1), (wrong, 1), (None, 1), (wrong, 1)):
        check.clock_difference = lambda: difference  # noqa: B023 - called in this turn
        await check.check_clock()
        assert slack.posts == [(CLEO.id, EventKind.WRONG_CLOCK, "")] * posts
    await check.check_clock()
    assert len(slack.posts) == 2, "it was right in between"
