"""Which clocks are believed if they differ."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.policy.use.clocks import ClockDifference, ahead_of_deletions, clock_difference

NONE, SECOND, MINUTE, HOUR = timedelta(0), timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("database", "witnesses", "corrected_by"),
    [
        (NONE, [], NONE),
        (2 * HOUR, [], 2 * HOUR),
        (-10 * HOUR, [], -10 * HOUR),
        (2 * HOUR, [2 * HOUR, 2 * HOUR], 2 * HOUR),
        # This machine and its database are both ahead, or SQLite has no other clock.
        (NONE, [10 * HOUR], 10 * HOUR),
        (NONE, [10 * HOUR, 9 * HOUR], 9 * HOUR),
        (NONE, [2 * MINUTE], NONE),
        (NONE, [2 * MINUTE + SECOND], 2 * MINUTE + SECOND),
        # The database alone is ahead.
        (-10 * HOUR, [NONE, NONE], NONE),
        # One witness agrees with the database, or all are later: that hastens nothing.
        (NONE, [10 * HOUR, NONE], NONE),
        (NONE, [-10 * HOUR, -10 * HOUR], NONE),
        (2 * HOUR, [-HOUR], 2 * HOUR),
    ],
)
def test_deletions_go_by_the_database_unless_every_witness_is_behind_it(
    database: timedelta, witnesses: list[timedelta], corrected_by: timedelta
) -> None:
    assert ahead_of_deletions(database, witnesses) == corrected_by


@pytest.mark.parametrize(
    ("database", "witnesses", "difference"),
    [
        (NONE, [], None),
        (2 * SECOND, [], None),
        (2.5 * SECOND, [], ClockDifference(2.5 * SECOND, from_database=True)),
        (-HOUR, [NONE, NONE], ClockDifference(-HOUR, from_database=True)),
        (NONE, [HOUR, 3 * MINUTE], ClockDifference(3 * MINUTE, from_database=False)),
        (NONE, [-HOUR, -3 * MINUTE], ClockDifference(-3 * MINUTE, from_database=False)),
        (NONE, [HOUR, 2 * MINUTE], None),
        (NONE, [HOUR, -HOUR], None),
        (NONE, [HOUR], None),
    ],
)
def test_a_clock_is_wrong_if_it_differs_from_the_database_or_from_both_witnesses(
    database: timedelta, witnesses: list[timedelta], difference: ClockDifference | None
) -> None:
    assert clock_difference(database, witnesses, before=None) == difference


def test_a_clock_that_both_witnesses_found_wrong_stays_wrong_until_one_of_them_agrees() -> None:
    """Compute Clear may not be asked for a quarter of an hour, and Slack may be away too."""
    wrong = ClockDifference(HOUR, from_database=False)
    for heard in ([], [HOUR], [-HOUR]):
        assert clock_difference(NONE, heard, before=wrong) == wrong
    for heard in ([NONE], [HOUR, NONE], [HOUR, -HOUR]):
        assert clock_difference(NONE, heard, before=wrong) is None
    assert clock_difference(NONE, [], before=ClockDifference(HOUR, from_database=True)) is None
