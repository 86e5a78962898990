"""Tests of which clock is trusted if clocks differ."""

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
        # Both this machine and its database are ahead, or SQLite is used, which has no clock of its own.
        (NONE, [10 * HOUR], 10 * HOUR),
        (NONE, [10 * HOUR, 9 * HOUR], 9 * HOUR),
        (NONE, [2 * MINUTE], NONE),
        (NONE, [2 * MINUTE + SECOND], 2 * MINUTE + SECOND),
        # Only the database is ahead.
        (-10 * HOUR, [NONE, NONE], NONE),
        # A witness agrees with the database, or all witnesses are ahead of it. Deletions must not come earlier.
        (NONE, [10 * HOUR, NONE], NONE),
        (NONE, [-10 * HOUR, -10 * HOUR], NONE),
        (2 * HOUR, [-HOUR], 2 * HOUR),
    ],
)
def test_deletions_follow_the_database_clock_unless_every_witness_is_behind_it(
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
def test_a_clock_is_wrong_if_the_database_or_both_witnesses_disagree(
    database: timedelta, witnesses: list[timedelta], difference: ClockDifference | None
) -> None:
    assert clock_difference(database, witnesses, before=None) == difference


def test_a_wrong_clock_stays_wrong_until_one_witness_agrees() -> None:
    """Both witnesses may be silent for a while.

    Compute Clear may not be queried for a quarter of an hour, and Slack may be down.
    """
    wrong = ClockDifference(HOUR, from_database=False)
    for heard in ([], [HOUR], [-HOUR]):
        assert clock_difference(NONE, heard, before=wrong) == wrong
    for heard in ([NONE], [HOUR, NONE], [HOUR, -HOUR]):
        assert clock_difference(NONE, heard, before=wrong) is None
    assert clock_difference(NONE, [], before=ClockDifference(HOUR, from_database=True)) is None
