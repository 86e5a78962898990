"""The times at which the marketplace is polled again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.errors import MarketAway
from bot.lifecycle.steps.polling import (
    JITTER,
    LONGEST_WAIT,
    POLL,
    TOGETHER,
    poll_at,
    retry_at,
    soonest,
    until_polls,
)
from tests.databases import START

SECOND = timedelta(seconds=1)


def test_the_next_poll_is_about_15_seconds_later() -> None:
    polls = {poll_at(START) for _ in range(100)}
    assert len(polls) > 1
    assert all(POLL - JITTER <= poll - START <= POLL + JITTER for poll in polls)


def test_polls_are_aligned_so_that_several_are_due_together() -> None:
    polls = {poll_at(START + timedelta(microseconds=moment)) for moment in range(0, 1_000_000, 999)}
    assert len(polls) <= (2 * JITTER + SECOND) / TOGETHER + 1
    following = START + until_polls(START)
    assert START < following <= START + TOGETHER
    assert {(poll - following) % TOGETHER for poll in polls} == {timedelta(0)}
    assert until_polls(following) == TOGETHER


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        (None, POLL - JITTER, POLL + JITTER),
        (0.0, POLL - JITTER, POLL + JITTER),
        (5.0, POLL - JITTER, POLL + JITTER),
        (60.0, 60 * SECOND, 60 * SECOND),
        (3600.0, LONGEST_WAIT, LONGEST_WAIT),
    ],
)
def test_a_retry_waits_as_the_market_asks_for_up_to_two_minutes(
    retry_after: float | None, least: timedelta, most: timedelta
) -> None:
    retry = retry_at(START, MarketAway("busy", retry_after=retry_after))
    assert least <= retry - START <= most


def test_soonest_ignores_times_that_are_not_set() -> None:
    assert soonest(START + SECOND, None, START) == START
    assert soonest(None, None) is None
    assert soonest() is None
