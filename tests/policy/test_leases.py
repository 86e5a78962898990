"""Tests of when owners are asked, how far a lease may be extended, and when it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Mistake
from bot.model.base import changed
from bot.model.rental import Extension
from bot.model.request import Request
from bot.model.state import State
from bot.policy.team.rule_values import LONGEST_SPAN
from bot.policy.team.rules import CheckIn, Lease, Rules
from bot.policy.use.leases import (
    ask_after,
    counted_from,
    extension_left,
    latest_ready,
    lease_ends,
    may_end,
    may_extend_by,
    too_little_time,
    without_past_end,
)
from tests.databases import START
from tests.store import make

RULES = Rules()
END = datetime(2026, 11, 24, 18, 40, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def test_hours_count_from_the_start_time_until_it_has_passed() -> None:
    request = Request(gpu="H100", lease=8 * HOUR, starts_at=START + HOUR, until=START + 9 * HOUR)
    assert counted_from(request, START) == request
    assert counted_from(request, START + 2 * HOUR) == changed(request, starts_at=None, lease=7 * HOUR)
    usual = changed(request, starts_at=None, until=None, lease=RULES.lease.default)
    assert without_past_end(request, START + 9 * HOUR, RULES) == usual
    with pytest.raises(Mistake):
        counted_from(changed(request, lease=20 * MINUTE, until=START + HOUR + 20 * MINUTE), START)


def test_each_unanswered_question_delays_the_next_one() -> None:
    assert [ask_after(times, RULES) for times in range(4)] == [2 * HOUR, 3 * HOUR, 4 * HOUR, 5 * HOUR]
    assert ask_after(1, Rules(check_in=CheckIn(after=20 * MINUTE))) == 30 * MINUTE


@pytest.mark.parametrize("after", [timedelta(microseconds=1), 2 * HOUR, LONGEST_SPAN])
def test_the_wait_for_the_next_question_never_exceeds_a_datetime(
    after: timedelta,
) -> None:
    rules = Rules(check_in=CheckIn(after=after))
    assert ask_after(10**30, rules) == LONGEST_SPAN


def test_no_question_is_asked_if_the_rules_switch_it_off() -> None:
    rules = Rules(check_in=CheckIn(after=None))
    assert ask_after(3, rules) is None


def test_an_end_posted_a_grace_period_ahead_is_on_time() -> None:
    assert may_end(END, END - 6 * HOUR, None, RULES) == END
    assert may_end(END, END - RULES.lease.grace, None, RULES) == END


def test_an_end_posted_late_is_delayed_by_one_grace_period() -> None:
    assert may_end(END, END - 5 * MINUTE, None, RULES) == END + 10 * MINUTE
    assert may_end(END, END + MINUTE, END, RULES) == END + 16 * MINUTE


def test_a_machine_does_not_end_before_a_post_was_attempted() -> None:
    assert may_end(END, None, None, RULES) is None


def test_if_slack_refuses_posts_the_first_attempt_counts() -> None:
    assert may_end(END, None, END + MINUTE, RULES) == END + 16 * MINUTE


MOMENTS = st.integers(-72 * 3600, 72 * 3600).map(lambda s: END + timedelta(seconds=s))


@given(MOMENTS, st.none() | MOMENTS)
def test_a_machine_never_ends_before_its_owner_had_a_grace_period(
    readable_at: datetime, first_tried_at: datetime | None
) -> None:
    """The grace period is counted from the time at which the owner could read about the end."""
    ends = may_end(END, readable_at, first_tried_at, RULES)
    assert ends is not None
    assert ends >= END
    assert ends - readable_at >= RULES.lease.grace


# --- a longer lease


@pytest.mark.parametrize(
    ("ends_after", "now_after", "left"),
    [
        (4 * HOUR, HOUR, 20 * HOUR),
        (4 * HOUR, 4 * HOUR + 10 * MINUTE, 20 * HOUR - 10 * MINUTE),
        (24 * HOUR - MINUTE, HOUR, MINUTE),
        (24 * HOUR - MINUTE / 2, HOUR, 0 * HOUR),
        (24 * HOUR, HOUR, 0 * HOUR),
        (30 * HOUR, HOUR, 0 * HOUR),
    ],
)
def test_a_lease_may_be_extended_up_to_the_longest_length(
    ends_after: timedelta, now_after: timedelta, left: timedelta
) -> None:
    rules = Rules(lease=Lease(max=24 * HOUR))
    assert extension_left(make.lease(START + ends_after, ready_at=START), START + now_after, rules) == left


def test_a_rental_may_be_extended_unless_an_extension_is_pending() -> None:
    rules = Rules(lease=Lease(max=24 * HOUR))
    rental = make.rental("k7mq2", state=State.READY, lease=make.lease(START + 4 * HOUR, ready_at=START))
    waiting = Extension(terms=rental.terms, ends_at=END, asked_by=rental.owner, asked_at=START)
    assert may_extend_by(20 * HOUR, rental, START, rules)
    assert not may_extend_by(20 * HOUR + MINUTE, rental, START, rules)
    assert not may_extend_by(HOUR, changed(rental, extension=waiting), START, rules)
    flexible_end = changed(
        rental, lease=changed(rental.running_lease, latest_end=START + 6 * HOUR), extension=waiting
    )
    assert may_extend_by(2 * HOUR, flexible_end, START, rules)
    assert not may_extend_by(3 * HOUR, flexible_end, START, rules)
    assert not may_extend_by(HOUR, changed(rental, lease=None), START, rules)


# --- an end that its owner named


def until(left: timedelta) -> Request:
    """Return a request made 6 hours before its end, with the end `left` after START."""
    return make.request(until=START + left, lease=6 * HOUR)


def test_hours_are_counted_until_the_named_end() -> None:
    """A request without a named end keeps its hours."""
    assert counted_from(until(5 * HOUR), START).lease == 5 * HOUR
    assert counted_from(make.request(), START) == make.request()


@pytest.mark.parametrize(
    ("left", "too_little"), [(30 * MINUTE, False), (30 * MINUTE - timedelta(seconds=1), True), (-HOUR, True)]
)
def test_less_than_half_an_hour_until_the_named_end_is_refused(left: timedelta, too_little: bool) -> None:
    assert too_little_time(until(left), START) is too_little
    if too_little:
        with pytest.raises(Mistake, match="Less than 30 min"):
            counted_from(until(left), START)
    assert too_little_time(make.request(), START) is False


def until_up_to(first: timedelta, last: timedelta) -> Request:
    """Return a request made 6 hours before its earliest end, with both ends the given times after START."""
    return make.request(until=START + first, lease=6 * HOUR, up_to=6 * HOUR + last - first)


@pytest.mark.parametrize(
    ("first", "counted"),
    [(5 * HOUR, 5 * HOUR), (MINUTE, MINUTE), (timedelta(0), HOUR), (-HOUR, HOUR)],
)
def test_an_earliest_end_that_has_passed_becomes_an_hour_from_now(first: timedelta, counted: timedelta) -> None:
    request = counted_from(until_up_to(first, 7 * HOUR), START)
    assert (request.until, request.lease, request.up_to) == (START + counted, counted, 7 * HOUR)
    assert request.last_end == START + 7 * HOUR


def test_the_end_becomes_fixed_if_the_latest_end_is_within_an_hour() -> None:
    request = counted_from(until_up_to(-HOUR, 45 * MINUTE), START)
    assert (request.until, request.lease, request.up_to) == (START + 45 * MINUTE, 45 * MINUTE, None)


def test_the_required_time_is_counted_until_the_latest_end() -> None:
    near = until_up_to(MINUTE, HOUR)
    assert not too_little_time(near, START)
    assert too_little_time(near, START + 31 * MINUTE)
    assert latest_ready(near, Rules()) == START + 45 * MINUTE
    assert without_past_end(near, START + 31 * MINUTE, Rules()) == make.request(lease=Rules().lease.default)


def test_a_lease_ends_by_the_named_ends_and_within_the_terms() -> None:
    flexible_end = make.request(lease=3 * HOUR, up_to=12 * HOUR)
    for request, afforded, ends, later in (
        (until(5 * HOUR), 6, 5, None),
        (until(5 * HOUR), 4, 4, None),
        (make.request(), 4, 4, None),
        (flexible_end, 12, 3, 12),
        (flexible_end, 11, 3, 11),
        (flexible_end, 2, 2, None),
        (until_up_to(5 * HOUR, 9 * HOUR), 10, 5, 9),
        (until_up_to(5 * HOUR, 9 * HOUR), 8, 5, 8),
        (until_up_to(5 * HOUR, 9 * HOUR), 4, 4, None),
        (until_up_to(timedelta(0), 9 * HOUR), 10, 1, 9),
        (until_up_to(-2 * HOUR, 9 * HOUR), 10, 1, 9),
        (until_up_to(-2 * HOUR, HOUR), 10, 1, None),
    ):
        latest = None if later is None else START + later * HOUR
        assert lease_ends(request, START, START + afforded * HOUR) == (START + ends * HOUR, latest)


@pytest.mark.parametrize(
    ("grace", "before"), [(5 * MINUTE, 5 * MINUTE), (15 * MINUTE, 15 * MINUTE), (HOUR, 15 * MINUTE)]
)
def test_a_machine_must_be_ready_one_grace_period_before_the_named_end(
    grace: timedelta, before: timedelta
) -> None:
    rules = Rules(lease=Lease(grace=grace))
    assert latest_ready(until(5 * HOUR), rules) == START + 5 * HOUR - before
    assert latest_ready(make.request(), rules) is None
