"""Jobs run at the start and then by the calendar of our clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from typing_extensions import override

from bot.clock import MovedClock
from bot.errors import MarketAway
from bot.lifecycle.loops.jobs import Job, every

START = datetime(2026, 3, 28, 23, 57, 30, tzinfo=UTC)


class Clock(MovedClock):
    """A clock whose pauses are over at once."""

    @override
    async def pause(self, seconds: float) -> None:
        await super().pause(0)


class Work:
    """Work that notes when it was done, so that a test can wait for it."""

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
def clock() -> MovedClock:
    return Clock(START)


@pytest.fixture
async def work(clock: MovedClock) -> AsyncIterator[Work]:
    made = Work(clock)
    job = Job("test", every(minutes=10), made)
    task = asyncio.create_task(job.run(clock))
    yield made
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_job_runs_at_the_start_and_at_full_multiples_of_its_minutes(clock: MovedClock, work: Work) -> None:
    await work.again()
    midnight = datetime(2026, 3, 29, tzinfo=UTC)
    for minutes in (0, 10, 20):
        clock.put(midnight + timedelta(minutes=minutes))
        await work.again()
    assert work.done == [START, *(midnight + timedelta(minutes=m) for m in (0, 10, 20))]


async def test_a_job_runs_once_however_far_time_jumps(clock: MovedClock, work: Work) -> None:
    await work.again()
    clock.jump(timedelta(hours=7))
    await work.again()
    clock.jump(timedelta(minutes=10))
    await work.again()
    assert len(work.done) == 3


async def test_a_job_that_fails_runs_again_at_its_next_time(clock: MovedClock, work: Work) -> None:
    await work.again()
    for error in (MarketAway("Compute Clear didn't answer."), RuntimeError("a bug")):
        work.fails = error
        clock.jump(timedelta(minutes=10))
        await work.again()
    work.fails = None
    clock.jump(timedelta(minutes=10))
    await work.again()
    assert len(work.done) == 4


async def test_a_job_that_has_never_worked_runs_again_soon_if_it_is_waited_for(clock: MovedClock) -> None:
    made = Work(clock)
    made.fails = MarketAway("no answer")
    job = Job("test", every(minutes=10), made, retry=timedelta(seconds=10))
    task = asyncio.create_task(job.run(clock))
    await made.again()
    made.fails = None
    clock.put(START + timedelta(seconds=10))
    await made.again()
    clock.put(START + timedelta(seconds=20))
    clock.put(datetime(2026, 3, 29, tzinfo=UTC))
    await made.again()
    assert made.done == [START, START + timedelta(seconds=10), datetime(2026, 3, 29, tzinfo=UTC)]
    assert job.worked
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
