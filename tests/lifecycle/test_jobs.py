"""Jobs run at the start and then on their schedule, by the bot's clock, each in one of several processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from typing_extensions import override

from bot.clock import MovedClock
from bot.errors import MarketAway
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.loops.jobs import DELIVERY, Job, Jobs, LocalJob, every
from store.db import Database
from tests.databases import beside

START = datetime(2026, 3, 28, 23, 57, 30, tzinfo=UTC)


class Clock(MovedClock):
    """A clock whose pauses end immediately."""

    @override
    async def pause(self, seconds: float) -> None:
        await super().pause(0)


class Work:
    """Work that records the times at which it was done, so that a test can wait for it."""

    def __init__(self, clock: MovedClock) -> None:
        self.clock = clock
        self.done: list[datetime] = []
        self.fails: Exception | None = None
        self._again = asyncio.Event()

    async def __call__(self) -> None:
        self.done.append(self.clock.now())
        self._again.set()
        if self.fails is not None:
            raise self.fails

    async def again(self) -> None:
        await self._again.wait()
        self._again.clear()


@pytest.fixture
def fast() -> MovedClock:
    return Clock(START)


@pytest.fixture
async def work(fast: MovedClock) -> AsyncIterator[Work]:
    made = Work(fast)
    job = LocalJob("test", made, fast, every(minutes=10))
    task = asyncio.create_task(job.run())
    yield made
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_job_runs_at_the_start_and_then_on_its_schedule(fast: MovedClock, work: Work) -> None:
    await work.again()
    midnight = datetime(2026, 3, 29, tzinfo=UTC)
    for minutes in (0, 10, 20):
        fast.put(midnight + timedelta(minutes=minutes))
        await work.again()
    assert work.done == [START, *(midnight + timedelta(minutes=m) for m in (0, 10, 20))]


async def test_a_job_runs_once_however_far_time_jumps(fast: MovedClock, work: Work) -> None:
    await work.again()
    fast.jump(timedelta(hours=7))
    await work.again()
    fast.jump(timedelta(minutes=10))
    await work.again()
    assert len(work.done) == 3


async def test_a_job_that_fails_runs_again_at_its_next_time(fast: MovedClock, work: Work) -> None:
    await work.again()
    for error in (MarketAway("Compute Clear didn't answer."), RuntimeError("a bug")):
        work.fails = error
        fast.jump(timedelta(minutes=10))
        await work.again()
    work.fails = None
    fast.jump(timedelta(minutes=10))
    await work.again()
    assert len(work.done) == 4


async def test_a_job_with_a_retry_runs_again_soon_until_it_succeeds(fast: MovedClock) -> None:
    made = Work(fast)
    made.fails = MarketAway("no answer")
    job = LocalJob("test", made, fast, every(minutes=10), retry=timedelta(seconds=10))
    task = asyncio.create_task(job.run())
    await made.again()
    made.fails = None
    fast.put(START + timedelta(seconds=10))
    await made.again()
    fast.put(START + timedelta(seconds=20))
    fast.put(datetime(2026, 3, 29, tzinfo=UTC))
    await made.again()
    assert made.done == [START, START + timedelta(seconds=10), datetime(2026, 3, 29, tzinfo=UTC)]
    assert job.worked
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# --- jobs that only one of all processes runs


LASTS = 0.4
"""The duration of a claim in wall-clock seconds."""
DAWN = datetime(2025, 3, 4, 9, 10, tzinfo=UTC)
"""The first scheduled time after the start of the databases' clock."""


class Process:
    """One of several processes over one database, with a scheduled job and a continuous one."""

    def __init__(self, store: Database, clock: MovedClock) -> None:
        self.ran, self.may = 0, True
        self.fails: Exception | None = None
        self.delivers = asyncio.Event()
        self.stopped = asyncio.Event()
        deps = cast(StepDeps, SimpleNamespace(store=store, clock=clock, in_force=None, may_claim=lambda: self.may))
        self.jobs = Jobs(
            deps,
            [
                Job(DELIVERY, lambda _: self.deliver(), None),
                Job("count", lambda _: self.count(), every(minutes=10)),
            ],
            claim_seconds=LASTS,
            drain_cancelled=lambda: asyncio.sleep(0),
        )
        self.task = asyncio.create_task(self.jobs.run())

    async def count(self) -> None:
        self.ran += 1
        if self.fails is not None:
            raise self.fails

    async def deliver(self) -> None:
        self.delivers.set()
        self.stopped.clear()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()
            self.delivers.clear()

    async def end(self) -> None:
        """End like a process that got SIGTERM."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.jobs.end()

    async def hang(self) -> None:
        """Stop claiming and renewing, like a process that was paused."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not reached():  # noqa: ASYNC110 - a loop of the bot has no event for each of its turns
            await asyncio.sleep(0.01)


async def test_each_job_runs_in_one_process_at_its_times(database: Database) -> None:
    moved = MovedClock(DAWN - timedelta(minutes=7))
    both = [Process(database, moved), Process(beside(database), moved)]
    await until(lambda: sum(one.ran for one in both) == 1 and sum(one.delivers.is_set() for one in both) == 1)
    for jumps in range(1, 4):
        moved.put(DAWN + timedelta(minutes=10 * jumps))
        await until(lambda: sum(one.ran for one in both) == 1 + jumps)  # noqa: B023 - awaited in this turn
    for one in both:
        one.fails = RuntimeError("a bug")
    moved.put(DAWN + timedelta(hours=1))
    await until(lambda: sum(one.ran for one in both) == 5)
    await until(lambda: not any("count" in one.jobs.under_way() for one in both))  # its next time is written
    for one in both:
        one.fails = None
    moved.jump(timedelta(minutes=1))
    await until(lambda: sum(one.ran for one in both) == 6)
    for one in both:
        await one.end()


async def test_a_process_that_ends_hands_its_jobs_over_immediately(database: Database, clock: MovedClock) -> None:
    first = Process(database, clock)
    await first.delivers.wait()
    second = Process(beside(database), clock)
    await first.end()
    assert first.stopped.is_set()
    await second.delivers.wait()
    await second.end()


async def test_a_process_that_lost_its_claim_stops_its_job(database: Database, clock: MovedClock) -> None:
    first = Process(database, clock)
    await first.delivers.wait()
    assert first.jobs.may_act(DELIVERY)
    await first.hang()
    second = Process(beside(database), clock)
    await second.delivers.wait()
    assert first.jobs.does(DELIVERY), "it doesn't know better"
    assert not first.jobs.may_act(DELIVERY)
    first.task = asyncio.create_task(first.jobs.run())
    await first.stopped.wait()
    assert first.jobs.claims_lost == 1
    assert second.jobs.may_act(DELIVERY)
    for one in (first, second):
        await one.end()


async def test_a_process_whose_clock_goes_wrong_hands_its_jobs_over(database: Database, clock: MovedClock) -> None:
    first = Process(database, clock)
    await first.delivers.wait()
    first.may = False
    assert not first.jobs.may_act(DELIVERY), "it sends nothing from that moment on"
    second = Process(beside(database), clock)
    await second.delivers.wait()
    assert first.stopped.is_set()
    assert not first.jobs.does(DELIVERY)
    for one in (first, second):
        await one.end()


async def test_a_process_whose_clock_is_wrong_claims_nothing(database: Database, clock: MovedClock) -> None:
    wrong = Process(database, clock)
    wrong.may = False
    right = Process(beside(database), clock)
    await right.delivers.wait()
    await until(lambda: right.ran == 1)
    await right.end()
    await until(lambda: wrong.jobs.passes > 3)
    assert not wrong.delivers.is_set()
    wrong.may = True
    await wrong.delivers.wait()
    await wrong.end()
