"""The limits for the rate of calls to Slack, computed without calling Slack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from handlers.delivery.pace import (
    A_MINUTE,
    ANSWER,
    EDIT,
    EDITS_FOR_CHANGES,
    MINUTE,
    POST,
    POST_EVERY,
    PUBLISH,
    READ,
    Pace,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
REFRESHES_A_MINUTE = A_MINUTE[EDIT] - EDITS_FOR_CHANGES


@pytest.mark.parametrize(
    ("edits", "under_way", "edit_at", "refresh_at"),
    [
        (0, 0, NOON, NOON),
        (REFRESHES_A_MINUTE - 1, 0, NOON, NOON),
        (REFRESHES_A_MINUTE - 1, 1, NOON, NOON + MINUTE),
        (REFRESHES_A_MINUTE, 0, NOON, NOON + MINUTE),
        (A_MINUTE[EDIT] - 1, 0, NOON, NOON + MINUTE),
        (A_MINUTE[EDIT] - 1, 1, NOON + MINUTE, NOON + MINUTE),
        (A_MINUTE[EDIT], 0, NOON + MINUTE, NOON + MINUTE),
        (0, A_MINUTE[EDIT], NOON + MINUTE, NOON + MINUTE),
    ],
)
def test_refreshes_use_at_most_half_of_the_edits_per_minute(
    edits: int, under_way: int, edit_at: datetime, refresh_at: datetime
) -> None:
    pace = Pace()
    for _ in range(edits):
        pace.count(EDIT, NOON)
    assert pace.open_at(EDIT, NOON, under_way) == edit_at
    assert pace.refresh_at(NOON, under_way) == refresh_at


def test_after_a_full_minute_each_expired_call_allows_a_new_one() -> None:
    pace = Pace()
    for second in range(A_MINUTE[EDIT]):
        pace.count(EDIT, NOON + second * SECOND)
    now = NOON + A_MINUTE[EDIT] * SECOND
    assert pace.open_at(EDIT, now) == NOON + MINUTE
    assert pace.open_at(EDIT, now, 3) == NOON + 3 * SECOND + MINUTE
    assert pace.refresh_at(now) == NOON + EDITS_FOR_CHANGES * SECOND + MINUTE
    assert pace.open_at(EDIT, NOON + MINUTE) == NOON + MINUTE


def test_each_channel_gets_one_post_per_second_independently() -> None:
    pace = Pace()
    pace.count(POST, NOON, "C1")
    assert pace.post_at("C1", NOON) == NOON + POST_EVERY
    assert pace.post_at("C2", NOON) == NOON
    assert pace.closed(POST, NOON) == {"C1": NOON + POST_EVERY}
    assert pace.closed(POST, NOON + POST_EVERY) == {}


def test_calls_counted_by_a_fast_clock_delay_nothing_after_its_correction() -> None:
    pace, ahead = Pace(), NOON + timedelta(hours=10)
    for _ in range(A_MINUTE[EDIT]):
        pace.count(EDIT, ahead)
    pace.count(POST, ahead, "C1")
    pace.count(PUBLISH, ahead, "U1")
    assert pace.open_at(EDIT, NOON) == pace.post_at("C1", NOON) == NOON
    assert pace.closed(PUBLISH, NOON) == {}


def test_posts_and_reads_per_minute_are_limited_for_the_whole_workspace() -> None:
    pace = Pace()
    for number in range(A_MINUTE[POST]):
        assert pace.open_at(POST, NOON) == NOON
        pace.count(POST, NOON, f"C{number}")
    assert pace.open_at(POST, NOON) == NOON + MINUTE
    for _ in range(A_MINUTE[READ]):
        assert pace.open_at(READ, NOON) == NOON
        pace.count(READ, NOON)
    assert pace.open_at(READ, NOON) == NOON + MINUTE


def test_a_wait_requested_by_slack_applies_to_its_method_only() -> None:
    pace = Pace()
    pace.block(EDIT, NOON + 9 * SECOND)
    pace.block(EDIT, NOON + 5 * SECOND)
    assert (pace.open_at(EDIT, NOON), pace.refresh_at(NOON)) == (NOON + 9 * SECOND, NOON + 9 * SECOND)
    assert (pace.open_at(POST, NOON), pace.open_at(ANSWER, NOON), pace.open_at(READ, NOON)) == (NOON, NOON, NOON)
    pace.block(POST, NOON + SECOND)
    pace.block(ANSWER, NOON + 2 * SECOND)
    assert (pace.open_at(POST, NOON), pace.open_at(ANSWER, NOON)) == (NOON + SECOND, NOON + 2 * SECOND)


def test_an_outage_ends_with_the_first_answer_after_some_silent_seconds() -> None:
    pace = Pace()
    pace.unanswered(NOON)
    pace.answered(NOON + SECOND)  # a single call failed while others succeeded
    assert not pace.outage_over
    pace.unanswered(NOON + 9 * SECOND)
    pace.unanswered(NOON + 2 * SECOND)  # this call began earlier and took long to fail
    pace.answered(NOON + 10 * SECOND)
    assert (pace.outage_over, pace.answered_at) == (True, NOON + 10 * SECOND)


def test_a_refused_token_blocks_all_methods_until_it_is_replaced() -> None:
    pace = Pace()
    pace.block_all(NOON + MINUTE)

    def opens() -> set[datetime]:
        methods = (POST, EDIT, READ, ANSWER, PUBLISH)
        return {pace.refresh_at(NOON), *(pace.open_at(method, NOON) for method in methods)}

    assert opens() == {NOON + MINUTE}
    pace.unblock_all()
    assert opens() == {NOON}
