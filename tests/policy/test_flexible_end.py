"""Tests of flexible ends: when an end moves, and what counts as being in use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.model.base import changed
from bot.model.machine_use import GpuUse, Missed, Sample, UsageStatus, Use
from bot.model.rental import Lease, Question
from bot.policy.team.rules import Lease as LeaseRules
from bot.policy.team.rules import Rules
from bot.policy.use.end_notices import next_notice, notices_of
from bot.policy.use.flexible_end import (
    NightEnd,
    already_allowed,
    are_recent,
    is_unseen,
    kept_until,
    later_end,
    moved_end,
    night_end,
    seen_in_use,
)
from bot.policy.use.usage_status import unseen_since
from tests.databases import START
from tests.store import make

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")
TWO_ENDS = Lease(
    ready_at=START,
    ends_at=START + 6 * HOUR,
    latest_end=START + 12 * HOUR,
    notices_checked_at=START,
    seen_at=START,
    question=Question(),
)
ONE_END = changed(TWO_ENDS, latest_end=None)


@pytest.mark.parametrize(
    ("lease", "hours", "expected"),
    [
        (TWO_ENDS, 6, 7),
        (TWO_ENDS, 6.5, 7),
        (TWO_ENDS, 7, 8),
        (TWO_ENDS, 10.75, 11),
        (TWO_ENDS, 11.5, 12),
        (TWO_ENDS, 12, None),
        (TWO_ENDS, 13, None),
        (changed(TWO_ENDS, ends_at=START + 11.5 * HOUR), 11.5, 12),
        (ONE_END, 6, None),
    ],
)
def test_an_end_moves_by_whole_hours_up_to_the_latest_end(
    lease: Lease, hours: float, expected: float | None
) -> None:
    end = moved_end(lease, START + hours * HOUR)
    assert end == (None if expected is None else START + expected * HOUR)


def test_ends_up_to_the_latest_end_need_no_approval() -> None:
    """An end after the latest end makes the end fixed."""
    for hours, allowed, later in ((8, True, 12), (12, True, None), (12.5, False, None)):
        end = START + hours * HOUR
        assert already_allowed(TWO_ENDS, end) is allowed
        assert later_end(TWO_ENDS, end) == (None if later is None else START + later * HOUR)
    assert not already_allowed(ONE_END, START + 7 * HOUR)


def use(status: UsageStatus, why: Missed | None = None) -> Use:
    return Use(status=status, since=START, why=why)


def probe_runs(every: timedelta, last: datetime) -> list[Sample]:
    """Return the samples of the hour before `last`, in which the GPU was busy."""
    times = [last - n * every for n in range(HOUR // every + 1)]
    return [Sample(rental_id="k7mq2", at=at, gpus=(GpuUse(index=0, highest=98),)) for at in reversed(times)]


NOW = START + 6 * HOUR
LATELY, LONG_AGO = NOW - 6 * MINUTE, NOW - 7 * MINUTE


@pytest.mark.parametrize(
    ("status", "probed_at", "in_use", "unseen"),
    [
        (use(UsageStatus.IN_USE), LATELY, True, False),
        (use(UsageStatus.IN_USE), LONG_AGO, False, False),
        (use(UsageStatus.IN_USE), None, False, False),
        (use(UsageStatus.CONNECTED), LATELY, False, False),
        (use(UsageStatus.IDLE), LATELY, False, False),
        (use(UsageStatus.UNKNOWN, Missed.REFUSED), LATELY, False, True),
        (use(UsageStatus.UNKNOWN), LATELY, False, False),
        (use(UsageStatus.UNKNOWN), LONG_AGO, False, True),
        (None, None, False, True),
    ],
    ids=[
        "in use",
        "last seen in use",
        "never probed",
        "connected",
        "idle",
        "refused",
        "not for long enough",
        "not for long enough, and no longer probed",
        "none",
    ],
)
def test_an_end_moves_only_if_the_machine_was_seen_in_use_recently(
    status: Use | None, probed_at: datetime | None, in_use: bool, unseen: bool
) -> None:
    samples = [] if probed_at is None else probe_runs(2 * MINUTE, probed_at)
    assert (seen_in_use(status, samples, NOW), is_unseen(status, samples, NOW)) == (in_use, unseen)


@pytest.mark.parametrize(
    ("every", "passed", "fresh"),
    [(2, 6, True), (2, 7, False), (17, 18, True), (17, 50, True), (17, 52, False), (25, 61, False)],
)
def test_a_usage_status_stays_valid_longer_if_probe_runs_are_rarer(every: int, passed: int, fresh: bool) -> None:
    status, samples = use(UsageStatus.IN_USE), probe_runs(every * MINUTE, NOW - passed * MINUTE)
    assert seen_in_use(status, samples, NOW) is fresh
    assert are_recent(samples, NOW) is fresh
    assert unseen_since(status, samples, NOW, Rules()) == (None if fresh else samples[-1].at)
    assert unseen_since(status, [], NOW, Rules()) == START


def test_a_flexible_end_has_an_additional_notice_an_hour_before() -> None:
    usual, own = Rules(), Rules(lease=LeaseRules(notices=(10 * MINUTE,)))
    assert notices_of(TWO_ENDS, usual) == (HOUR, 30 * MINUTE)
    assert notices_of(TWO_ENDS, own) == (HOUR, 10 * MINUTE)
    assert notices_of(ONE_END, own) == (10 * MINUTE,)
    assert next_notice(TWO_ENDS, usual) == START + 5 * HOUR


def evening(hour: int, minute: int = 0, day: int = 24, month: int = 11) -> datetime:
    """Return a local time in Berlin."""
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


NIGHTS = [
    # The time of the request, its earliest and latest end in hours after that, the morning, and whether the
    # morning is within the request.
    (evening(20), 2, 14, evening(8, day=25), True),
    (evening(9), 2, 12.5, None, None),
    (evening(9), 2, 12.75, evening(8, day=25), False),  # The machine may be ready half an hour later.
    (evening(9), 2, 14, evening(8, day=25), False),
    (evening(9), 14, 20, evening(8, day=25), False),
    (evening(2), 2, 5, evening(8), False),
    (evening(2), 2, 6, evening(8), True),
    (evening(2), 6, 12, None, None),
    (evening(20), 40, 60, evening(8, day=27), True),
    (evening(20, day=27), 2, 14, evening(8, day=28), True),  # The morning of a Saturday, which is no workday.
    (evening(20, day=28, month=3), 2, 11, evening(8, day=29, month=3), True),  # Clocks change to summer time.
    (evening(20, day=24, month=10), 2, 12, evening(8, day=25, month=10), False),  # Clocks change back.
    (evening(20, day=24, month=10), 2, 13, evening(8, day=25, month=10), True),
]


@pytest.mark.parametrize(("asked_at", "first", "last", "morning", "asked_for"), NIGHTS)
def test_a_machine_may_end_at_night_if_any_possible_end_is_at_night(
    asked_at: datetime, first: float, last: float, morning: datetime | None, asked_for: bool | None
) -> None:
    request = make.request(lease=first * HOUR, up_to=last * HOUR)
    found = night_end(request, asked_at, asked_at, BERLIN, Rules())
    assert found == (
        None if morning is None else NightEnd(morning, morning - asked_at - first * HOUR, bool(asked_for))
    )
    assert night_end(changed(request, up_to=None), asked_at, asked_at, BERLIN, Rules()) is None


def test_keeping_a_machine_until_the_morning_preserves_the_latest_end() -> None:
    asked_at = evening(20)
    morning = evening(8, day=25)
    kept = kept_until(make.request(lease=2 * HOUR, up_to=14 * HOUR), morning, asked_at)
    assert (kept.until, kept.lease, kept.up_to) == (morning, 12 * HOUR, 14 * HOUR)
    assert kept.last_end == evening(10, day=25)
    assert night_end(kept, asked_at, asked_at, BERLIN, Rules()) is None
    later = kept_until(kept, evening(9, day=25), asked_at)
    assert later.last_end == kept.last_end
    both = changed(later, up_to=30 * HOUR)
    night = night_end(both, asked_at, asked_at + HOUR, BERLIN, Rules())
    assert night == NightEnd(evening(8, day=26), 23 * HOUR, False)
