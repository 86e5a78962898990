"""`/health` with `wait`: how long it waits, for how many, and for whom no longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest

from bot import health
from bot.clock import MovedClock

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FOR_EVER = {"settled": "0", "wait": "60"}


class StoppedClock(MovedClock):
    """Its monotonic time goes on only when it is told to."""

    def __init__(self) -> None:
        super().__init__(NOON)
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Place:
    """A health server over a bot that is never settled unless told so."""

    def __init__(self, session: aiohttp.ClientSession, clock: StoppedClock) -> None:
        self.session = session
        self.clock = clock
        self.url = ""
        self.settled = False
        self.reports = 0
        self.report_takes = 0.0
        self.looked = asyncio.Event()

    async def report(self) -> health.Report:
        self.reports += 1
        self.looked.set()
        self.clock.seconds += self.report_takes
        return {"settled": self.settled, "clock": {"revision": 0}}

    async def ask(self, **params: str) -> health.Report:
        async with self.session.get(self.url, params=params) as answer:
            assert answer.status == 200
            return dict(await answer.json())

    async def asks(self, count: int) -> list[asyncio.Task[health.Report]]:
        """That many wait; returns once all do."""
        asking = []
        for _ in range(count):
            asking.append(asyncio.create_task(self.ask(**FOR_EVER)))
            await self.looks(20)
        return asking

    async def looks(self, times: int) -> None:
        """Returns when the bot has been looked at that many times more."""
        enough = self.reports + times
        async with asyncio.timeout(20):
            while self.reports < enough:
                self.looked.clear()
                await self.looked.wait()

    async def nobody_waits(self) -> None:
        """Returns once each answer costs one look and no other."""
        before = -1
        async with asyncio.timeout(20):
            while self.reports != before + 1:
                before = self.reports
                await self.ask()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with _place() as made:
        yield made


@asynccontextmanager
async def _place() -> AsyncIterator[Place]:
    async with aiohttp.ClientSession() as session:
        made = Place(session, StoppedClock())

        async def figures() -> bytes:
            return b""

        server = await health.serve("127.0.0.1:0", made.clock, made.report, figures)
        made.url = f"http://127.0.0.1:{server.addresses[0][1]}/health"
        yield made
        await server.cleanup()


async def test_a_wait_ends_by_the_clock_however_long_each_look_takes(place: Place) -> None:
    place.report_takes = 7.0
    said = await place.ask(settled="0", wait="20")
    assert not said["settled"]
    assert place.reports == 3, "the one after 21 s is the last"


@pytest.mark.parametrize("wait", ["nan", "-nan", "soon", ""])
async def test_a_wait_that_is_no_number_of_seconds_is_refused_at_once(place: Place, wait: str) -> None:
    async with asyncio.timeout(20), place.session.get(place.url, params={"settled": "0", "wait": wait}) as answer:
        assert answer.status == 400
    assert place.reports == 0


async def test_a_wait_ends_when_all_is_settled(place: Place) -> None:
    [asking] = await place.asks(1)
    place.settled = True
    assert (await asking)["settled"]


async def test_a_fourth_who_waits_is_answered_at_once_until_one_is_done(place: Place) -> None:
    asking = await place.asks(3)
    assert not (await place.ask(**FOR_EVER))["settled"]
    assert not any(task.done() for task in asking)
    place.clock.seconds += 61
    await asyncio.gather(*asking)
    [again] = await place.asks(1)
    place.settled = True
    assert (await again)["settled"]


async def test_nothing_is_read_any_more_for_a_client_that_left(place: Place) -> None:
    for task in await place.asks(3):
        task.cancel()
    before = place.reports
    await place.nobody_waits()
    assert place.reports - before < 1000, "60 s of looking are 3,000 looks each"
    [asking] = await place.asks(1)
    place.settled = True
    assert (await asking)["settled"], "those who left don't count as waiting"
