"""A process with a wrong clock claims nothing and steps aside, and a process that has to leave ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typing_extensions import override

from bot.clock import MovedClock
from bot.errors import CannotOpen, StoreBusy
from bot.lifecycle.loops.jobs import DELIVERY
from bot.lifecycle.loops.replica import Replica
from bot.model.records import Look
from store.db import Database
from tests.databases import START


class Clock(MovedClock):
    """A clock whose pauses end immediately, and whose monotonic time stands still."""

    seconds = 0.0

    @override
    def monotonic(self) -> float:
        return self.seconds

    @override
    def real(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    @override
    async def pause(self, seconds: float) -> None:
        return


class OtherClock:
    """A database whose clock is `ahead` of this machine's. It raises the errors in `fails`, one per call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead = timedelta(0)
        self.another_delivers = False
        self.fails: list[Exception] = []

    async def look(self) -> Look:
        if self.fails:
            raise self.fails.pop(0)
        return Look(database_time=self._clock.real() + self.ahead, replicas=3)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        yield SimpleNamespace(jobs=self)

    async def held_by_another(self, name: str) -> bool:
        assert name == DELIVERY
        return self.another_delivers


@pytest.mark.parametrize(
    ("ahead", "claims"), [(0.0, True), (1.9, True), (-1.9, True), (2.5, False), (-2.5, False), (3600.0, False)]
)
async def test_a_process_claims_only_while_its_clock_is_within_two_seconds(ahead: float, *, claims: bool) -> None:
    clock = Clock(START)
    database = OtherClock(clock)
    replica = Replica(cast(Database, database), clock)
    database.ahead = timedelta(seconds=ahead)
    await replica.look()
    assert (replica.may_claim(), replica.replicas) == (claims, 3)
    database.ahead = timedelta(0)
    await replica.look()
    assert replica.may_claim()


async def test_a_process_claims_nothing_once_both_witnesses_disagree() -> None:
    clock, witnesses = Clock(START), [timedelta(0), timedelta(0)]
    replica = Replica(cast(Database, OtherClock(clock)), clock, ahead_of_witnesses=lambda: witnesses)
    await replica.look()
    assert replica.may_claim()
    witnesses[:] = [timedelta(hours=2), timedelta(hours=2)]
    assert not replica.may_claim()
    witnesses.pop()
    assert not replica.may_claim()
    witnesses[:] = [timedelta(0)]
    assert replica.may_claim()


async def test_a_process_with_a_wrong_clock_steps_aside_after_a_minute() -> None:
    """The process steps aside only while another one works."""
    clock = Clock(START)
    database = OtherClock(clock)
    replica = Replica(cast(Database, database), clock)
    steps = [
        # seconds, ahead, another delivers, stands aside
        (0, 7200, True, False),
        (59, 7200, True, False),
        (60, 7200, True, True),
        (65, 7200, False, False),
        (70, 7200, True, True),
        (75, 0, True, False),
        (80, 7200, True, False),
        (140, 7200, True, True),
    ]
    for seconds, ahead, another_delivers, aside in steps:
        clock.seconds = seconds
        database.ahead, database.another_delivers = timedelta(seconds=ahead), another_delivers
        await replica.look()
        assert replica.stands_aside() is aside, seconds


async def test_a_process_survives_an_outage_but_ends_after_a_migration() -> None:
    clock = Clock(START)
    database = OtherClock(clock)
    database.fails = [StoreBusy("away"), StoreBusy("away"), CannotOpen("gpubot migrate migrates the database.")]
    with pytest.raises(CannotOpen, match="migrates"):
        await Replica(cast(Database, database), clock).run()
