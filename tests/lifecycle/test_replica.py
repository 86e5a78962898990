"""A process whose clock differs from the database's claims nothing, and one that must leave ends."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest
from typing_extensions import override

from bot.clock import MovedClock
from bot.errors import CannotOpen, StoreBusy
from bot.lifecycle.loops.replica import Replica
from bot.lifecycle.ports.records import Look
from bot.lifecycle.ports.store import OpenedStore
from tests.databases import START


class Clock(MovedClock):
    """A clock whose pauses are over at once."""

    @override
    async def pause(self, seconds: float) -> None:
        return


class Database:
    """A database whose clock is `ahead` of this machine's, and which fails with `fails`, the first one first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead = timedelta(0)
        self.fails: list[Exception] = []

    async def look(self) -> Look:
        if self.fails:
            raise self.fails.pop(0)
        return Look(database_time=self._clock.real() + self.ahead, replicas=3)


@pytest.mark.parametrize(
    ("ahead", "claims"), [(0.0, True), (1.9, True), (-1.9, True), (2.5, False), (-2.5, False), (3600.0, False)]
)
async def test_a_process_claims_only_while_its_clock_is_within_two_seconds(ahead: float, *, claims: bool) -> None:
    clock = Clock(START)
    database = Database(clock)
    replica = Replica(cast(OpenedStore, database), clock)
    database.ahead = timedelta(seconds=ahead)
    await replica.look()
    assert (replica.may_claim(), replica.replicas) == (claims, 3)
    assert abs(replica.skew + database.ahead) < timedelta(seconds=0.1)
    database.ahead = timedelta(0)
    await replica.look()
    assert replica.may_claim()


async def test_a_process_ends_if_the_database_is_migrated_and_goes_on_after_an_outage() -> None:
    clock = Clock(START)
    database = Database(clock)
    database.fails = [StoreBusy("away"), StoreBusy("away"), CannotOpen("gpubot migrate migrates the database.")]
    with pytest.raises(CannotOpen, match="migrates"):
        await Replica(cast(OpenedStore, database), clock).run()
