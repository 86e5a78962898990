"""Two ends: when the first one moves on, and what counts as in use then."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.model.base import changed
from bot.model.rental import Lease, Question
from bot.model.use import GpuUse, Missed, Sample, Use, Verdict
from bot.policy.idleness import unseen_since
from bot.policy.notices import next_notice, notices_of
from bot.policy.rules import Lease as LeaseRules
from bot.policy.rules import Rules
from bot.policy.two_ends import already_allowed, are_recent, is_unseen, later_end, moved_end, seen_in_use
from tests.databases import START

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
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
def test_an_end_moves_by_whole_hours_past_now_and_never_past_the_later_end(
    lease: Lease, hours: float, expected: float | None
) -> None:
    end = moved_end(lease, START + hours * HOUR)
    assert end == (None if expected is None else START + expected * HOUR)


def test_up_to_the_later_end_all_is_allowed_and_beyond_it_both_ends_are_one() -> None:
    for hours, allowed, later in ((8, True, 12), (12, True, None), (12.5, False, None)):
        end = START + hours * HOUR
        assert already_allowed(TWO_ENDS, end) is allowed
        assert later_end(TWO_ENDS, end) == (None if later is None else START + later * HOUR)
    assert not already_allowed(ONE_END, START + 7 * HOUR)


def use(verdict: Verdict, why: Missed | None = None) -> Use:
    return Use(verdict=verdict, since=START, why=why)


def visits(every: timedelta, last: datetime) -> list[Sample]:
    """Return the visits of the hour before `last`, at which the GPU was busy."""
    times = [last - n * every for n in range(HOUR // every + 1)]
    return [Sample(rental_id="k7mq2", at=at, gpus=(GpuUse(index=0, highest=98),)) for at in reversed(times)]


NOW = START + 6 * HOUR
LATELY, LONG_AGO = NOW - 6 * MINUTE, NOW - 7 * MINUTE


@pytest.mark.parametrize(
    ("verdict", "visited_at", "in_use", "unseen"),
    [
        (use(Verdict.IN_USE), LATELY, True, False),
        (use(Verdict.IN_USE), LONG_AGO, False, False),
        (use(Verdict.IN_USE), None, False, False),
        (use(Verdict.CONNECTED), LATELY, False, False),
        (use(Verdict.IDLE), LATELY, False, False),
        (use(Verdict.UNKNOWN, Missed.REFUSED), LATELY, False, True),
        (use(Verdict.UNKNOWN), LATELY, False, False),
        (use(Verdict.UNKNOWN), LONG_AGO, False, True),
        (None, None, False, True),
    ],
    ids=[
        "in use",
        "last seen in use",
        "never visited",
        "connected",
        "idle",
        "refused",
        "not for long enough",
        "not for long enough, and not visited any more",
        "none",
    ],
)
def test_only_a_fresh_verdict_in_use_moves_an_end(
    verdict: Use | None, visited_at: datetime | None, in_use: bool, unseen: bool
) -> None:
    samples = [] if visited_at is None else visits(2 * MINUTE, visited_at)
    assert (seen_in_use(verdict, samples, NOW), is_unseen(verdict, samples, NOW)) == (in_use, unseen)


@pytest.mark.parametrize(
    ("every", "passed", "fresh"),
    [(2, 6, True), (2, 7, False), (17, 18, True), (17, 50, True), (17, 52, False), (25, 61, False)],
)
def test_a_verdict_stays_fresh_longer_if_visits_are_rarer(every: int, passed: int, fresh: bool) -> None:
    verdict, samples = use(Verdict.IN_USE), visits(every * MINUTE, NOW - passed * MINUTE)
    assert seen_in_use(verdict, samples, NOW) is fresh
    assert are_recent(samples, NOW) is fresh
    assert unseen_since(verdict, samples, NOW, Rules()) == (None if fresh else samples[-1].at)
    assert unseen_since(verdict, [], NOW, Rules()) == START


def test_an_end_that_can_move_has_one_more_notice_an_hour_before_it() -> None:
    usual, own = Rules(), Rules(lease=LeaseRules(notices=(10 * MINUTE,)))
    assert notices_of(TWO_ENDS, usual) == (HOUR, 30 * MINUTE)
    assert notices_of(TWO_ENDS, own) == (HOUR, 10 * MINUTE)
    assert notices_of(ONE_END, own) == (10 * MINUTE,)
    assert next_notice(TWO_ENDS, usual) == START + 5 * HOUR
