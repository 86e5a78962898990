"""When a lease's owner is told and asked, and when it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy.leases import ask_after, ask_at, may_end, next_notice, notices_past
from bot.policy.rules import LONGEST_SPAN, CheckIn, Lease, Rules

RULES = Rules()
END = datetime(2026, 11, 24, 18, 40, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("left", "past"),
    [(3 * HOUR, 0), (2 * HOUR + MINUTE, 0), (2 * HOUR, 1), (31 * MINUTE, 1), (30 * MINUTE, 2), (MINUTE, 2)],
)
def test_two_notices_come_two_hours_and_half_an_hour_ahead(left: timedelta, past: int) -> None:
    assert notices_past(END, END - left, RULES) == past


def test_the_next_notice_is_the_longest_not_given() -> None:
    assert next_notice(END, 0, RULES) == END - 2 * HOUR
    assert next_notice(END, 1, RULES) == END - 30 * MINUTE
    assert next_notice(END, 2, RULES) is None


def test_without_notices_there_is_none() -> None:
    rules = Rules(lease=Lease(notices=()))
    assert next_notice(END, 0, rules) is None
    assert notices_past(END, END, rules) == 0


def test_an_unanswered_question_comes_a_little_rarer_each_time() -> None:
    assert [ask_after(times, RULES) for times in range(4)] == [2 * HOUR, 3 * HOUR, 4 * HOUR, 5 * HOUR]
    assert ask_after(1, Rules(check_in=CheckIn(after=20 * MINUTE))) == 30 * MINUTE


@pytest.mark.parametrize("after", [timedelta(microseconds=1), 2 * HOUR, LONGEST_SPAN])
def test_however_often_it_was_asked_the_next_question_is_at_a_moment_that_a_clock_can_show(
    after: timedelta,
) -> None:
    rules = Rules(check_in=CheckIn(after=after))
    assert ask_after(10**30, rules) == LONGEST_SPAN
    assert ask_at(END, 10**30, rules) == END + LONGEST_SPAN


def test_where_the_rules_switch_it_off_there_is_no_next_question() -> None:
    rules = Rules(check_in=CheckIn(after=None))
    assert (ask_after(3, rules), ask_at(END, 3, rules)) == (None, None)


def test_an_end_that_was_said_early_comes_on_time() -> None:
    assert may_end(END, END - 6 * HOUR, None, RULES) == END
    assert may_end(END, END - RULES.lease.grace, None, RULES) == END


def test_an_end_that_was_said_late_waits_one_grace_from_then() -> None:
    assert may_end(END, END - 5 * MINUTE, None, RULES) == END + 10 * MINUTE
    assert may_end(END, END + MINUTE, END, RULES) == END + 16 * MINUTE


def test_an_end_that_was_never_said_does_not_come_yet() -> None:
    assert may_end(END, None, None, RULES) is None


def test_an_end_that_slack_never_took_comes_one_grace_after_it_was_tried() -> None:
    assert may_end(END, None, END + MINUTE, RULES) == END + 16 * MINUTE


MOMENTS = st.integers(-72 * 3600, 72 * 3600).map(lambda s: END + timedelta(seconds=s))


@given(MOMENTS, st.none() | MOMENTS)
def test_nobody_loses_a_machine_before_its_end_or_less_than_one_grace_after_they_could_know(
    told: datetime, said: datetime | None
) -> None:
    ends = may_end(END, told, said, RULES)
    assert ends is not None
    assert ends >= END
    assert ends - told >= RULES.lease.grace


@given(MOMENTS, st.lists(st.integers(1, 72 * 60), max_size=5))
def test_a_notice_is_due_exactly_when_one_more_is_past(now: datetime, minutes: list[int]) -> None:
    rules = Rules(lease=Lease(notices=tuple(MINUTE * m for m in minutes)))
    past = notices_past(END, now, rules)
    following = next_notice(END, past, rules)
    if following is None:
        assert past == len(set(minutes))
    else:
        assert following > now
        assert notices_past(END, following, rules) == past + 1
