"""The clocks of other machines, as this one reads them."""

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
    """A machine that has run for some seconds, and whose clock somebody can set."""

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


async def test_a_sleep_ends_in_time_although_somebody_sets_the_clock_back() -> None:
    machine = Machine()
    machine.ahead = 10 * HOUR
    sleeping = asyncio.create_task(machine.sleep_until(machine.now() + MINUTE / 1000, asyncio.Event()))
    await asyncio.sleep(0)
    machine.ahead = timedelta(0)
    machine.seconds += 60
    await sleeping


def answers(machine: Machine, headers: dict[str, str], *, takes: float = 0.0) -> Witness:
    """Return a witness that was asked now and answers after some seconds."""
    witness, before = Witness(machine), machine.seconds
    machine.seconds += takes
    witness.note(headers, before)
    return witness


@pytest.mark.parametrize("ahead", [2 * HOUR, -10 * HOUR])
def test_a_reading_shows_at_once_that_somebody_set_this_machines_clock(ahead: timedelta) -> None:
    machine = Machine()
    reading = Reading(NOON, 1000.0, 1000.0)
    machine.seconds += 300
    assert reading.ahead(machine) == timedelta(0)
    machine.ahead = ahead
    assert reading.ahead(machine) == ahead


def test_a_reading_that_took_long_says_how_far_ahead_this_machine_is_at_least() -> None:
    machine = Machine()
    machine.seconds += 60
    assert Reading(NOON, 1000.0, 1060.0).ahead(machine) == timedelta(0)
    assert Reading(NOON - HOUR, 1000.0, 1060.0).ahead(machine) == HOUR
    assert Reading(NOON + HOUR, 1000.0, 1060.0).ahead(machine) == MINUTE - HOUR


def test_the_date_of_an_answer_counts_for_ten_minutes() -> None:
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
def test_an_answer_without_a_date_or_from_a_cache_says_nothing(headers: dict[str, str]) -> None:
    witness = answers(Machine(), headers)
    assert witness.heard.is_set()
    assert witness.ahead() is None


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 01 Jan 0100 00:00:00 GMT"])
def test_even_the_strangest_date_can_be_compared(date: str) -> None:
    assert abs(answers(Machine(), {"Date": date}, takes=60).ahead() or timedelta(0)) > 1000 * 365 * timedelta(
        days=1
    )


def test_a_new_answer_without_a_date_leaves_the_earlier_one() -> None:
    machine = Machine()
    witness = answers(machine, {"Date": "Tue, 24 Nov 2026 12:00:00 GMT"})
    witness.note({}, machine.seconds)
    assert witness.ahead() == timedelta(0)
