"""Ends as people type them, in their own time zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.errors import Mistake
from bot.policy.team.rules import Hours
from handlers.typed.commands import Extend
from handlers.typed.draft import Get
from handlers.typed.until import UnclearEnd, parse_end
from tests.handlers.parsing_helpers import command

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"

# In 2026, clocks go forward and back in Berlin on 29 March and 25 October by 1 h, in New York on 8 March and
# 1 November by 1 h, on Lord Howe on 4 October and 5 April by 30 min (iana.org/time-zones).
TABLE = [
    # zone, local time of typing, what follows `until`, the local time that it means, the same in UTC
    (BERLIN, "2026-11-24 12:05", "18:00", "2026-11-24 18:00", "2026-11-24T17:00"),
    (BERLIN, "2026-11-24 12:05", "9am", "2026-11-25 09:00", "2026-11-25T08:00"),
    (BERLIN, "2026-03-28 20:00", "18:00", "2026-03-29 18:00", "2026-03-29T16:00"),
    (BERLIN, "2026-03-28 20:00", "tomorrow 9am", "2026-03-29 09:00", "2026-03-29T07:00"),
    (BERLIN, "2026-03-28 20:00", "1:59", "2026-03-29 01:59", "2026-03-29T00:59"),
    (BERLIN, "2026-03-28 20:00", "2:30", "2026-03-29 03:30", "2026-03-29T01:30"),
    (BERLIN, "2026-03-28 20:00", "3:00", "2026-03-29 03:00", "2026-03-29T01:00"),
    (BERLIN, "2026-03-28 20:00", "mon 2:30", "2026-03-30 02:30", "2026-03-30T00:30"),
    (BERLIN, "2026-10-24 20:00", "2:30", "2026-10-25 02:30", "2026-10-25T00:30"),
    (BERLIN, "2026-10-24 20:00", "3:00", "2026-10-25 03:00", "2026-10-25T02:00"),
    (BERLIN, "2026-10-24 20:00", "midnight", "2026-10-25 00:00", "2026-10-24T22:00"),
    (BERLIN, "2026-10-25 01:00", "sun 18:00", "2026-10-25 18:00", "2026-10-25T17:00"),
    (NEW_YORK, "2026-11-24 12:05", "6pm", "2026-11-24 18:00", "2026-11-24T23:00"),
    (NEW_YORK, "2026-03-07 20:00", "2:30", "2026-03-08 03:30", "2026-03-08T07:30"),
    (NEW_YORK, "2026-03-07 20:00", "tomorrow 9am", "2026-03-08 09:00", "2026-03-08T13:00"),
    (NEW_YORK, "2026-03-06 12:00", "sun 2:00", "2026-03-08 03:00", "2026-03-08T07:00"),
    (NEW_YORK, "2026-10-31 20:00", "1:30am", "2026-11-01 01:30", "2026-11-01T05:30"),
    (NEW_YORK, "2026-10-31 20:00", "2:00", "2026-11-01 02:00", "2026-11-01T07:00"),
    (NEW_YORK, "2026-10-31 20:00", "sunday 18:00", "2026-11-01 18:00", "2026-11-01T23:00"),
    (LORD_HOWE, "2026-11-24 12:05", "18:00", "2026-11-24 18:00", "2026-11-24T07:00"),
    (LORD_HOWE, "2026-10-03 20:00", "2:15", "2026-10-04 02:45", "2026-10-03T15:45"),
    (LORD_HOWE, "2026-10-03 20:00", "tomorrow 2:30", "2026-10-04 02:30", "2026-10-03T15:30"),
    (LORD_HOWE, "2026-10-03 20:00", "9am", "2026-10-04 09:00", "2026-10-03T22:00"),
    (LORD_HOWE, "2026-04-04 20:00", "1:45", "2026-04-05 01:45", "2026-04-04T14:45"),
    (LORD_HOWE, "2026-04-04 20:00", "2:00", "2026-04-05 02:00", "2026-04-04T15:30"),
    (LORD_HOWE, "2026-04-04 20:00", "sun at 9am", "2026-04-05 09:00", "2026-04-04T22:30"),
]


def local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(("zone", "typed_at", "end", "means", "in_utc"), TABLE)
@pytest.mark.parametrize("typed", ["get h100 until {end}", "extend k7mq2 until {end}", "extend until {end}"])
def test_an_end_is_in_the_persons_zone_across_clock_changes(
    typed: str, *, zone: str, typed_at: str, end: str, means: str, in_utc: str
) -> None:
    now = local(typed_at, zone)
    found = command(typed.format(end=end), now=now.astimezone(UTC), zone=zone)
    assert isinstance(found, Get | Extend)
    until = found.request.until if isinstance(found, Get) else found.until
    assert until is not None
    assert f"{until:%Y-%m-%dT%H:%M}" == in_utc
    assert f"{until.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" == means
    if isinstance(found, Get):
        assert found.request.lease == until - now.astimezone(UTC)


def test_an_ambiguous_time_means_the_second_occurrence_after_the_first_passed() -> None:
    second_2_05 = datetime(2026, 10, 25, 1, 5, tzinfo=UTC)
    assert f"{second_2_05.astimezone(ZoneInfo(BERLIN)):%H:%M}" == "02:05"
    assert parse_end("2:50", second_2_05, BERLIN).at == second_2_05 + timedelta(minutes=45)


@pytest.mark.parametrize(
    ("end", "means"),
    [
        ("fri 18:00", "2026-11-27 18:00"),
        ("18:00 on friday", "2026-11-27 18:00"),
        ("tue 18:00", "2026-11-24 18:00"),
        ("tues 11:00", "2026-12-01 11:00"),
        ("noon tomorrow", "2026-11-25 12:00"),
        ("12am", "2026-11-25 00:00"),
        ("12pm", "2026-11-25 12:00"),
        ("12:30 am", "2026-11-25 00:30"),
        ("0:00", "2026-11-25 00:00"),
        ("fri midnight", "2026-11-28 00:00"),
        ("today 24:00", "2026-11-25 00:00"),
        ("2026-12-31 18:00", "2026-12-31 18:00"),
        ("18 uhr", "2026-11-24 18:00"),
    ],
)
def test_a_day_and_a_time_are_understood_in_many_spellings(end: str, means: str) -> None:
    """It is Tuesday, 12:05 in Berlin."""
    at = parse_end(end, local("2026-11-24 12:05", BERLIN), BERLIN).at
    assert f"{at.astimezone(ZoneInfo(BERLIN)):%Y-%m-%d %H:%M}" == means


@pytest.mark.parametrize(
    ("end", "words", "ends"),
    [
        ("6", 'Is "6" in the morning or in the afternoon?', ("6am", "6pm")),
        ("fri 9", 'Is "9" in the morning or in the afternoon?', ("fri 9am", "fri 9pm")),
        ("fri", "At what time on fri?", ("fri 18:00",)),
        ("tomorrow", "At what time tomorrow?", ("tomorrow 18:00",)),
        ("today", "At what time today?", ("18:00",)),
        ("18", 'Is "18" a time? Type it with minutes.', ("18:00",)),
        ("today 9am", '"today 9am" has passed.', ("tomorrow 9am",)),
        ("2026-11-23 18:00", '"2026-11-23 18:00" has passed.', ("tomorrow 18:00",)),
        ("2026-02-30 18:00", '"2026-02-30" isn\'t a date.', ("18:00",)),
        ("25:00", '"25:00" isn\'t a time.', ("18:00",)),
        ("18:60", '"18:60" isn\'t a time.', ("18:00",)),
        ("0am", '"0am" isn\'t a time.', ("18:00",)),
    ],
)
def test_an_unclear_end_is_refused_with_suggestions(end: str, words: str, ends: tuple[str, ...]) -> None:
    now = local("2026-11-24 12:05", BERLIN)
    with pytest.raises(UnclearEnd) as caught:
        parse_end(end, now, BERLIN)
    assert (caught.value.words, caught.value.ends) == (words, ends)
    assert all(parse_end(possible, now, BERLIN).at > now for possible in ends)


def test_late_in_the_day_the_suggested_end_is_tomorrow() -> None:
    with pytest.raises(Mistake, match="Try: /gpu extend until tomorrow 18:00"):
        command("extend until", now=local("2026-11-24 17:00", BERLIN).astimezone(UTC), zone=BERLIN)


@pytest.mark.parametrize(
    ("typed_at", "until"),
    [("22:58", "tomorrow 8:00"), ("23:43", "tomorrow 8:00"), ("03:00", "today 8:00"), ("07:43", "tomorrow 8:00")],
)
@pytest.mark.parametrize("hours", [Hours(), Hours(time=(0, 24 * 60), days=frozenset(range(7)))])
def test_overnight_means_the_morning_even_without_limited_hours(hours: Hours, typed_at: str, until: str) -> None:
    now = local(f"2026-11-24 {typed_at}", BERLIN).astimezone(UTC)
    with pytest.raises(Mistake, match=f"Try: /gpu get H100 until {until} up to 10:00"):
        command("get h100 overnight", now=now, zone=BERLIN, hours=hours)


def test_now_only_shows_offers_if_the_end_was_read_as_utc() -> None:
    read = [command("get h100 until 18:00 now", zone=zone) for zone in (BERLIN, "UTC", "")]
    assert [isinstance(each, Get) and each.now for each in read] == [True, True, False]


def test_a_zone_unknown_to_this_machine_is_read_as_utc() -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert parse_end("18:00", now, "Mars/Olympus").at == datetime(2026, 11, 24, 18, tzinfo=UTC)
