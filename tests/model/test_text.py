"""Plain text: times as programs read them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from bot.model.text import say_utc

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 12, 31, 0, 30, tzinfo=BERLIN)
"""A time that is still 30 December in UTC."""


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (datetime(2026, 12, 31, 0, 45, tzinfo=BERLIN), "23:45 UTC"),
        (datetime(2026, 12, 31, 11, 5, tzinfo=BERLIN), "tomorrow at 10:05 UTC"),
        (datetime(2027, 1, 1, 11, 5, tzinfo=BERLIN), "1 Jan at 10:05 UTC"),
        (datetime(2026, 12, 29, 11, 5, tzinfo=BERLIN), "29 Dec at 10:05 UTC"),
    ],
)
def test_times_for_programs_are_in_utc_and_name_another_day(moment: datetime, shown: str) -> None:
    assert say_utc(moment, NOW) == shown
