"""Tests of how the cost of a machine is divided into time in use, connected, idle and unknown."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.attempt import LedgerRow
from bot.model.budget import UseCosts
from bot.model.event import Event, EventKind
from bot.model.facts import StatusFacts
from bot.model.machine_use import UsageStatus, Use
from bot.model.money import cost
from bot.policy.buying.charges import Stretch, stretches, use_costs
from bot.policy.team.rules import Rules
from tests.policy.use_stories import READY, history, samples_of
from tests.store import make

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RATE = Decimal("6.00")
"""USD per hour: ten cents a minute."""


class Story(NamedTuple):
    """The probe runs since ready, and the resulting costs.

    The probe runs use the notation of `use_stories`. The costs are the dollars used, connected, idle and unknown.
    """

    what: str
    probe_runs: str
    dollars: str


STORIES = [
    Story("it works, then it rests", "1h 98, 1h 0", "5.80 used, 0 connected, 6.00 idle, 0.20 unknown"),
    Story("it rests for 28 min only", "1h 98, 28m 0", "8.60 used, 0 connected, 0 idle, 0.20 unknown"),
    Story("it is never used", "2h 0", "0 used, 0 connected, 12.00 idle, 0 unknown"),
    Story("never used for 58 min", "58m 0", "0 used, 0 connected, 0 idle, 5.80 unknown"),
    Story("a burst", "1h 98, 1h 0, 2m 98, 1h 0", "5.80 used, 0 connected, 12.20 idle, 0.20 unknown"),
    Story("somebody is connected", "1h 98, 1h 0 +ana", "5.80 used, 6.00 connected, 0 idle, 0.20 unknown"),
    Story("and leaves", "1h 98, 1h 0 +ana, 1h 0", "5.80 used, 9.00 connected, 3.00 idle, 0.20 unknown"),
    Story("and comes", "1h 98, 1h 0, 1h 0 +ana", "5.80 used, 5.40 connected, 6.60 idle, 0.20 unknown"),
    Story("the bot is down", "1h 98, 1h 0, 1h down, 32m 0", "5.80 used, 0 connected, 9.00 idle, 6.40 unknown"),
    Story("and it works after", "1h 98, 1h down, 1h 98", "11.60 used, 0 connected, 0 idle, 6.40 unknown"),
    Story("the probe fails", "1h 98, 1h 0, 1h refused", "5.80 used, 0 connected, 6.20 idle, 6.00 unknown"),
    Story("it fails from the start", "1h refused", "0 used, 0 connected, 0 idle, 6.00 unknown"),
]


def events_of(probe_runs: str) -> list[Event]:
    return [changes(at, use) for at, use in history(samples_of(probe_runs), Rules())]


def changes(at: datetime, use: Use) -> Event:
    facts = StatusFacts(status=use.status, since=use.since, use=use)
    return make.event(EventKind.USE_CHANGED, at=at, facts=facts)


def row(length: timedelta, *, begin: timedelta = timedelta(0), rate: Decimal = RATE) -> LedgerRow:
    started, ended = READY + begin, READY + begin + length
    return make.ledger_row(started_at=started, ended_at=ended, rate=rate, amount=cost(rate, length))


def dollars(costs: UseCosts) -> str:
    def text(amount: int) -> str:
        return f"{Decimal(amount) / 1_000_000:.2f}" if amount else "0"

    return ", ".join(f"{text(amount)} {name}" for name, amount in costs.model_dump().items())


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.what)
def test_story(story: Story) -> None:
    end = samples_of(story.probe_runs)[-1].at
    known = stretches(events_of(story.probe_runs), ready_at=READY, until=end)
    assert dollars(use_costs(row(end - READY), known)) == story.dollars


def test_time_before_ready_and_after_the_deletion_began_is_unknown() -> None:
    known = stretches(events_of("3h 0"), ready_at=READY, until=READY + 2 * HOUR)
    whole = use_costs(row(4 * HOUR, begin=-HOUR), known)
    assert dollars(whole) == "0 used, 0 connected, 12.00 idle, 12.00 unknown"


def test_a_row_without_any_usage_status_is_unknown() -> None:
    assert use_costs(row(HOUR), stretches([], ready_at=READY, until=READY + HOUR)) == UseCosts(unknown=6_000_000)
    assert use_costs(row(timedelta(0)), ()) == UseCosts()


moments = st.integers(min_value=-(10**9), max_value=10**11).map(
    lambda micros: READY + timedelta(microseconds=micros)
)


@given(st.lists(moments, min_size=2, max_size=8, unique=True), st.lists(moments, max_size=5), st.data())
def test_the_shares_of_any_division_add_up_to_the_amount(
    bounds: list[datetime], cuts: list[datetime], data: st.DataObject
) -> None:
    times = sorted(bounds)
    known = [
        Stretch(status=data.draw(st.sampled_from(list(UsageStatus)[:3])), since=since, until=until)
        for since, until in zip(times[::2], times[1::2], strict=False)
    ]
    rate = data.draw(st.decimals(min_value=0, max_value=1000, places=6))
    billed = row(timedelta(microseconds=data.draw(st.integers(0, 10**11))), begin=-HOUR, rate=rate)
    whole = use_costs(billed, known)
    assert sum(whole.model_dump().values()) == billed.amount
    assert all(share >= 0 for share in whole.model_dump().values())
    edges = [None, *sorted(cuts), None]
    parts = UseCosts()
    for since, until in itertools.pairwise(edges):
        parts += use_costs(billed, known, since=since, until=until)
    assert sum(parts.model_dump().values()) == billed.amount
    assert billed.amount == 0 or parts == whole
