"""How fast Slack may be called, without calling it."""

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
def test_refreshes_stop_at_half_of_the_edits_of_a_minute_and_changes_at_all_of_them(
    edits: int, under_way: int, edit_at: datetime, refresh_at: datetime
) -> None:
    pace = Pace()
    for _ in range(edits):
        pace.count(EDIT, NOON)
    assert pace.open_at(EDIT, NOON, under_way) == edit_at
    assert pace.refresh_at(NOON, under_way) == refresh_at


def test_after_a_full_minute_each_old_call_makes_room_for_one_new_call() -> None:
    pace = Pace()
    for second in range(A_MINUTE[EDIT]):
        pace.count(EDIT, NOON + second * SECOND)
    now = NOON + A_MINUTE[EDIT] * SECOND
    assert pace.open_at(EDIT, now) == NOON + MINUTE
    assert pace.open_at(EDIT, now, 3) == NOON + 3 * SECOND + MINUTE
    assert pace.refresh_at(now) == NOON + EDITS_FOR_CHANGES * SECOND + MINUTE
    assert pace.open_at(EDIT, NOON + MINUTE) == NOON + MINUTE


def test_a_channel_takes_one_post_a_second_and_another_channel_takes_one_at_once() -> None:
    pace = Pace()
    pace.count(POST, NOON, "C1")
    assert pace.post_at("C1", NOON) == NOON + POST_EVERY
    assert pace.post_at("C2", NOON) == NOON
    assert pace.closed(POST, NOON) == {"C1": NOON + POST_EVERY}
    assert pace.closed(POST, NOON + POST_EVERY) == {}


def test_what_was_counted_while_the_clock_was_ahead_delays_nothing_once_it_is_set_back() -> None:
    pace, ahead = Pace(), NOON + timedelta(hours=10)
    for _ in range(A_MINUTE[EDIT]):
        pace.count(EDIT, ahead)
    pace.count(POST, ahead, "C1")
    pace.count(PUBLISH, ahead, "U1")
    assert pace.open_at(EDIT, NOON) == pace.post_at("C1", NOON) == NOON
    assert pace.closed(PUBLISH, NOON) == {}


def test_posts_and_reads_of_a_minute_are_limited_for_the_whole_workspace() -> None:
    pace = Pace()
    for number in range(A_MINUTE[POST]):
        assert pace.open_at(POST, NOON) == NOON
        pace.count(POST, NOON, f"C{number}")
    assert pace.open_at(POST, NOON) == NOON + MINUTE
    for _ in range(A_MINUTE[READ]):
        assert pace.open_at(READ, NOON) == NOON
        pace.count(READ, NOON)
    assert pace.open_at(READ, NOON) == NOON + MINUTE


def test_a_wait_that_slack_asks_for_holds_for_its_method_alone_and_is_never_shortened() -> None:
    pace = Pace()
    pace.block(EDIT, NOON + 9 * SECOND)
    pace.block(EDIT, NOON + 5 * SECOND)
    assert (pace.open_at(EDIT, NOON), pace.refresh_at(NOON)) == (NOON + 9 * SECOND, NOON + 9 * SECOND)
    assert (pace.open_at(POST, NOON), pace.open_at(ANSWER, NOON), pace.open_at(READ, NOON)) == (NOON, NOON, NOON)
    pace.block(POST, NOON + SECOND)
    pace.block(ANSWER, NOON + 2 * SECOND)
    assert (pace.open_at(POST, NOON), pace.open_at(ANSWER, NOON)) == (NOON + SECOND, NOON + 2 * SECOND)


def test_an_outage_is_over_with_the_first_answer_after_some_seconds_without_any() -> None:
    pace = Pace()
    pace.unanswered(NOON)
    pace.answered(NOON + SECOND)  # one call failed, and others didn't
    assert not pace.outage_over
    pace.unanswered(NOON + 9 * SECOND)
    pace.unanswered(NOON + 2 * SECOND)  # this one began first, and took long to fail
    pace.answered(NOON + 10 * SECOND)
    assert (pace.outage_over, pace.answered_at) == (True, NOON + 10 * SECOND)


def test_a_refused_token_blocks_every_method_until_a_good_one_is_there() -> None:
    pace = Pace()
    pace.block_all(NOON + MINUTE)

    def opens() -> set[datetime]:
        methods = (POST, EDIT, READ, ANSWER, PUBLISH)
        return {pace.refresh_at(NOON), *(pace.open_at(method, NOON) for method in methods)}

    assert opens() == {NOON + MINUTE}
    pace.unblock_all()
    assert opens() == {NOON}
