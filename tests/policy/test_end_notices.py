"""Tests of when an owner is notified of the end of a lease, and of the times without questions around notices."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.base import changed
from bot.model.rental import Lease
from bot.policy.team import rules
from bot.policy.team.rules import Rules
from bot.policy.use.end_notices import (
    QUIET,
    last_notice_at,
    may_ask_at,
    next_notice,
    notices_of,
    skips_notice,
)
from tests.databases import START
from tests.store import make

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
RULES = Rules()
TWO = Rules(lease=rules.Lease(notices=(2 * HOUR, 30 * MINUTE)))
NONE = Rules(lease=rules.Lease(notices=()))


def lease(length: timedelta = 6 * HOUR, checked: datetime = START) -> Lease:
    return changed(make.lease(), ready_at=START, ends_at=START + length, notices_checked_at=checked)


@pytest.mark.parametrize(
    ("length", "notices"),
    [
        (20 * MINUTE, (30 * MINUTE,)),
        (12 * HOUR - SECOND, (30 * MINUTE,)),
        (12 * HOUR, (2 * HOUR, 30 * MINUTE)),
        (72 * HOUR, (2 * HOUR, 30 * MINUTE)),
    ],
)
def test_a_lease_of_12_hours_has_a_second_notice_by_default(
    length: timedelta, notices: tuple[timedelta, ...]
) -> None:
    """Shorter leases have one. Notices in the rules replace these defaults."""
    assert notices_of(lease(length), RULES) == notices
    assert notices_of(lease(length), TWO) == (2 * HOUR, 30 * MINUTE)
    assert notices_of(lease(length), NONE) == ()


def test_the_next_notice_is_the_first_one_not_yet_checked() -> None:
    assert next_notice(lease(), TWO) == START + 4 * HOUR
    assert next_notice(lease(checked=START + 4 * HOUR), TWO) == START + 5 * HOUR + 30 * MINUTE
    assert next_notice(lease(checked=START + 5 * HOUR + 30 * MINUTE), TWO) is None
    assert next_notice(lease(20 * MINUTE), TWO) is None


def test_the_unmonitored_notice_is_the_last_only_if_there_is_no_other() -> None:
    """That notice is UNSEEN_NOTICE, which is sent only if the bot can't monitor the machine."""
    flexible_end = changed(lease(), latest_end=START + 12 * HOUR)
    early = Rules(lease=rules.Lease(notices=(2 * HOUR,)))
    last = [flexible_end.ends_at - last_notice_at(flexible_end, each) for each in (RULES, early, NONE)]
    assert last == [30 * MINUTE, 2 * HOUR, HOUR]
    at = flexible_end.ends_at - 2 * HOUR
    assert [skips_notice(flexible_end, at - MINUTE, at, each) for each in (TWO, early)] == [True, False]


@given(st.integers(0, 72 * 3600), st.lists(st.integers(1, 72 * 60), max_size=5))
def test_each_notice_is_due_once_even_if_the_rules_have_changed(checked: int, minutes: list[int]) -> None:
    now_rules = Rules(lease=rules.Lease(notices=tuple(MINUTE * m for m in minutes)))
    running, given_at = lease(72 * HOUR, START + checked * SECOND), []
    while (notice := next_notice(running, now_rules)) is not None:
        given_at.append(notice)
        running = changed(running, notices_checked_at=notice)
    moments = sorted({running.ends_at - MINUTE * m for m in minutes})
    assert given_at == [moment for moment in moments if moment > START + checked * SECOND]
    assert last_notice_at(running, now_rules) == (moments[-1] if moments else running.ends_at)


@pytest.mark.parametrize(
    ("ahead", "notified", "skipped"),
    [
        (2 * HOUR, MINUTE, True),
        (2 * HOUR, HOUR, True),
        (2 * HOUR, HOUR + SECOND, False),
        (2 * HOUR, None, False),
        (30 * MINUTE, MINUTE, False),
    ],
)
def test_a_notice_is_skipped_if_the_owner_was_notified_recently(
    ahead: timedelta, notified: timedelta | None, skipped: bool
) -> None:
    """The last notice is never skipped."""
    now = START + 6 * HOUR - ahead
    notified_at = None if notified is None else now - notified
    assert skips_notice(lease(checked=now), notified_at, now, TWO) is skipped


def test_no_question_is_asked_within_a_minute_of_a_notice() -> None:
    notice = START + 5 * HOUR + 30 * MINUTE
    asked = {
        seconds: may_ask_at(lease(checked=START + HOUR), notice + seconds * SECOND, RULES) - notice
        for seconds in (-60, -59, -1)
    }
    assert asked == {-60: -QUIET, -59: QUIET, -1: QUIET}
    late = notice + 5 * MINUTE
    given_late = lease(checked=late)
    assert may_ask_at(given_late, late, RULES) == late + QUIET
    assert may_ask_at(given_late, late + HOUR, RULES) == late + HOUR
