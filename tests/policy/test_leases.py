"""When a lease's owner is asked, how long a lease may become, and when it ends."""

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


def test_a_start_keeps_its_hours_until_it_has_passed() -> None:
    request = Request(gpu="H100", lease=8 * HOUR, starts_at=START + HOUR, until=START + 9 * HOUR)
    assert counted_from(request, START) == request
    assert counted_from(request, START + 2 * HOUR) == changed(request, starts_at=None, lease=7 * HOUR)
    usual = changed(request, starts_at=None, until=None, lease=RULES.lease.default)
    assert without_past_end(request, START + 9 * HOUR, RULES) == usual
    with pytest.raises(Mistake):
        counted_from(changed(request, lease=20 * MINUTE, until=START + HOUR + 20 * MINUTE), START)


def test_after_each_unanswered_question_the_next_one_comes_later() -> None:
    assert [ask_after(times, RULES) for times in range(4)] == [2 * HOUR, 3 * HOUR, 4 * HOUR, 5 * HOUR]
    assert ask_after(1, Rules(check_in=CheckIn(after=20 * MINUTE))) == 30 * MINUTE


@pytest.mark.parametrize("after", [timedelta(microseconds=1), 2 * HOUR, LONGEST_SPAN])
def test_the_next_question_is_at_a_time_that_a_datetime_can_hold_however_often_it_was_asked(
    after: timedelta,
) -> None:
    rules = Rules(check_in=CheckIn(after=after))
    assert ask_after(10**30, rules) == LONGEST_SPAN


def test_there_is_no_next_question_if_the_rules_switch_it_off() -> None:
    rules = Rules(check_in=CheckIn(after=None))
    assert ask_after(3, rules) is None


def test_an_end_that_was_posted_a_grace_ahead_comes_on_time() -> None:
    assert may_end(END, END - 6 * HOUR, None, RULES) == END
    assert may_end(END, END - RULES.lease.grace, None, RULES) == END


def test_an_end_that_was_posted_late_comes_one_grace_after_the_post() -> None:
    assert may_end(END, END - 5 * MINUTE, None, RULES) == END + 10 * MINUTE
    assert may_end(END, END + MINUTE, END, RULES) == END + 16 * MINUTE


def test_an_end_that_nobody_tried_to_post_does_not_come_yet() -> None:
    assert may_end(END, None, None, RULES) is None


def test_an_end_that_slack_did_not_take_comes_one_grace_after_the_first_try() -> None:
    assert may_end(END, None, END + MINUTE, RULES) == END + 16 * MINUTE


MOMENTS = st.integers(-72 * 3600, 72 * 3600).map(lambda s: END + timedelta(seconds=s))


@given(MOMENTS, st.none() | MOMENTS)
def test_a_machine_never_ends_early_or_less_than_one_grace_after_its_owner_could_read_of_it(
    readable_at: datetime, first_tried_at: datetime | None
) -> None:
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
def test_a_lease_may_become_longer_until_it_has_the_longest_length(
    ends_after: timedelta, now_after: timedelta, left: timedelta
) -> None:
    rules = Rules(lease=Lease(max=24 * HOUR))
    assert extension_left(make.lease(START + ends_after, ready_at=START), START + now_after, rules) == left


def test_a_rental_may_be_extended_by_what_is_left_unless_it_has_no_lease_or_waits_for_more() -> None:
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
    """Return a request that was made 6 hours before its end, with `left` until it at START."""
    return make.request(until=START + left, lease=6 * HOUR)


def test_hours_count_until_the_named_end_and_others_stay() -> None:
    assert counted_from(until(5 * HOUR), START).lease == 5 * HOUR
    assert counted_from(make.request(), START) == make.request()


@pytest.mark.parametrize(
    ("left", "too_little"), [(30 * MINUTE, False), (30 * MINUTE - timedelta(seconds=1), True), (-HOUR, True)]
)
def test_less_than_half_an_hour_until_the_named_end_is_too_little(left: timedelta, too_little: bool) -> None:
    assert too_little_time(until(left), START) is too_little
    if too_little:
        with pytest.raises(Mistake, match="Less than 30 min"):
            counted_from(until(left), START)
    assert too_little_time(make.request(), START) is False


def until_up_to(first: timedelta, last: timedelta) -> Request:
    """Return a request that was made 6 hours before its first end, with both ends that long after START."""
    return make.request(until=START + first, lease=6 * HOUR, up_to=6 * HOUR + last - first)


@pytest.mark.parametrize(
    ("first", "counted"),
    [(5 * HOUR, 5 * HOUR), (MINUTE, MINUTE), (timedelta(0), HOUR), (-HOUR, HOUR)],
)
def test_hours_count_until_both_named_ends_and_a_first_one_that_has_passed_is_an_hour_away(
    first: timedelta, counted: timedelta
) -> None:
    request = counted_from(until_up_to(first, 7 * HOUR), START)
    assert (request.until, request.lease, request.up_to) == (START + counted, counted, 7 * HOUR)
    assert request.last_end == START + 7 * HOUR


def test_both_named_ends_are_one_if_an_hour_from_now_is_the_later_one() -> None:
    request = counted_from(until_up_to(-HOUR, 45 * MINUTE), START)
    assert (request.until, request.lease, request.up_to) == (START + 45 * MINUTE, 45 * MINUTE, None)


def test_what_is_required_of_a_named_end_holds_for_the_later_one() -> None:
    near = until_up_to(MINUTE, HOUR)
    assert not too_little_time(near, START)
    assert too_little_time(near, START + 31 * MINUTE)
    assert latest_ready(near, Rules()) == START + 45 * MINUTE
    assert without_past_end(near, START + 31 * MINUTE, Rules()) == make.request(lease=Rules().lease.default)


def test_a_lease_ends_no_later_than_the_named_ends_and_no_later_than_is_afforded() -> None:
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
def test_a_machine_is_ready_one_grace_before_the_named_end_or_too_late(
    grace: timedelta, before: timedelta
) -> None:
    rules = Rules(lease=Lease(grace=grace))
    assert latest_ready(until(5 * HOUR), rules) == START + 5 * HOUR - before
    assert latest_ready(make.request(), rules) is None
