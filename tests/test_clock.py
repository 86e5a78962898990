"""Tests of how this machine's clock is compared with the clocks of other machines."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from typing_extensions import override

from bot.clock import Reading, SystemClock, Witness

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Machine(SystemClock):
    """A machine that has been running for a while, and whose clock can be set."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.seconds = 1000.0

    @override
    def now(self) -> datetime:
        return self.real()

    @override
    def real(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds - 1000) + self.ahead

    @override
    def monotonic(self) -> float:
        return self.seconds


async def test_a_sleep_ends_in_time_even_if_the_clock_is_set_back() -> None:
    machine = Machine()
    machine.ahead = 10 * HOUR
    sleeping = asyncio.create_task(machine.sleep_until(machine.now() + MINUTE / 1000, asyncio.Event()))
    await asyncio.sleep(0)
    machine.ahead = timedelta(0)
    machine.seconds += 60
    await sleeping


def answers(machine: Machine, headers: dict[str, str], *, takes: float = 0.0) -> Witness:
    """Return a witness for a request that was sent now and answered after `takes` seconds."""
    witness, before = Witness(machine), machine.seconds
    machine.seconds += takes
    witness.note(headers, before)
    return witness


@pytest.mark.parametrize("ahead", [2 * HOUR, -10 * HOUR])
def test_a_reading_shows_immediately_that_this_machines_clock_was_set(ahead: timedelta) -> None:
    machine = Machine()
    reading = Reading(NOON, 1000.0, 1000.0)
    machine.seconds += 300
    assert reading.ahead(machine) == timedelta(0)
    machine.ahead = ahead
    assert reading.ahead(machine) == ahead


def test_a_slow_reading_gives_a_lower_bound_for_the_difference() -> None:
    """The clock may be off by more, but not by less. The difference is zero if the reading isn't exact enough."""
    machine = Machine()
    machine.seconds += 60
    assert Reading(NOON, 1000.0, 1060.0).ahead(machine) == timedelta(0)
    assert Reading(NOON - HOUR, 1000.0, 1060.0).ahead(machine) == HOUR
    assert Reading(NOON + HOUR, 1000.0, 1060.0).ahead(machine) == MINUTE - HOUR


def test_the_date_of_an_answer_is_used_for_ten_minutes() -> None:
    machine = Machine()
    witness = answers(machine, {"Date": "Tue, 24 Nov 2026 10:00:00 GMT"})
    assert witness.ahead() == 2 * HOUR - timedelta(seconds=1)
    machine.seconds += 600
    assert witness.ahead() == 2 * HOUR - timedelta(seconds=1)
    machine.seconds += 1
    assert witness.ahead() is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Date": "soon"},
        {"Date": ""},
        {"Date": format_datetime(NOON - HOUR, usegmt=True), "Age": "3600"},
        {"Date": format_datetime(NOON - HOUR, usegmt=True), "Age": "0"},
    ],
)
def test_an_answer_without_a_date_or_from_a_cache_is_ignored(headers: dict[str, str]) -> None:
    witness = answers(Machine(), headers)
    assert witness.heard.is_set()
    assert witness.ahead() is None


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 01 Jan 0100 00:00:00 GMT"])
def test_even_extreme_dates_can_be_compared(date: str) -> None:
    assert abs(answers(Machine(), {"Date": date}, takes=60).ahead() or timedelta(0)) > 1000 * 365 * timedelta(
        days=1
    )


def test_a_new_answer_without_a_date_keeps_the_earlier_date() -> None:
    machine = Machine()
    witness = answers(machine, {"Date": "Tue, 24 Nov 2026 12:00:00 GMT"})
    witness.note({}, machine.seconds)
    assert witness.ahead() == timedelta(0)
