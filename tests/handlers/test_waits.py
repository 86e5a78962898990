"""`/gpu wait`, `any time` and start times as people type them."""

# ruff: noqa: E501 - a case stands on one line

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Mistake, RequestMistake
from bot.policy.team.rules import Rules
from handlers.ids import Field
from handlers.typed.commands import command_text
from handlers.typed.draft import Get, Wait
from handlers.typed.form import ANY, InvalidForm, read_form
from handlers.typed.requests import request_text
from tests.handlers.parsing_helpers import CATALOG, LEASE, MONDAY_NOON, a_request, command
from tests.handlers.test_until import BERLIN, LORD_HOWE, NEW_YORK, local

ASKED = a_request(gpu="H200", count=8, region="EU", max_gpu_rate=Decimal(3))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("wait h200", Wait(request=a_request(gpu="H200"), until=None)),
        (
            "wait for 8x h200 eu under $3 per gpu until fri",
            Wait(request=ASKED, until=MONDAY_NOON + timedelta(days=4, hours=8)),
        ),
        (
            "await 8x H200 EU any time until wed 9am max $3/gpu",
            Wait(request=ASKED, until=MONDAY_NOON + timedelta(hours=45), any_time=True),
        ),
        ("wait until today 8x h200 eu max $3/gpu", Wait(request=ASKED, until=MONDAY_NOON + timedelta(hours=8))),
        (
            "wait h200 for 2h up to 8h until 18:00",
            Wait(
                request=a_request(gpu="H200", lease=timedelta(hours=2), up_to=timedelta(hours=8)),
                until=MONDAY_NOON + timedelta(hours=6),
            ),
        ),
        ("get h200 anytime", Get(request=a_request(gpu="H200"), any_time=True)),
        ("h200 at any time now", Get(request=a_request(gpu="H200"), any_time=True)),
    ],
)
def test_after_wait_an_end_limits_the_waiting_and_a_length_the_lease(text: str, meant: Wait | Get) -> None:
    assert command(text) == meant
    written = command_text(meant, text, default_lease=LEASE, zone="Europe/London")
    assert command(written) == meant


@pytest.mark.parametrize(
    ("text", "words", "lines"),
    [
        ("wait", "What do you want to wait for? Try: /gpu wait 8x H200 EU under $3 per GPU until fri", []),
        ("wait h10 until fri", 'I don\'t know a GPU called "h10".', ["wait H100 until fri"]),
        ("wait h100 erope for 2h until fri any time", 'I don\'t know "erope".', ["wait H100 EU for 2h any time until fri"]),
        ("wait h100 until 9", 'Is "9" in the morning', ["wait H100 until 9am", "wait H100 until 9pm"]),
        ("wait h100 until 2026-03-20", "is too far in the future. You can wait for at most 168h.", []),
        ("wait h100 until today 9am", '"today 9am" has passed.', ["wait H100 until tomorrow 9am"]),
        ("wait h100 until fri until sat", "Type one end at a time", ["wait H100 until fri", "wait H100 until sat"]),
        ("wait h100 until it works", 'I can\'t read the end "until it"', []),
        ("wait h100 up to 18:00", "type a length instead of an end. Try: for 6h up to 12h", []),
        (
            "wait h100 at 9:00 tomorrow",
            "A request with a start time waits until then anyway. Type get instead of wait.",
            ["get H100 at 9:00 tomorrow"],
        ),
    ],
)  # fmt: skip
def test_an_impossible_wait_is_refused_with_suggestions(text: str, words: str, lines: list[str]) -> None:
    with pytest.raises(Mistake) as caught:
        command(text)
    assert words in caught.value.words
    shown = caught.value.lines if isinstance(caught.value, RequestMistake) else ()
    assert [f"{line.verb} {line.shown}" for line in shown] == lines
    assert all(command(line) for line in lines)


@pytest.mark.parametrize(
    ("zone", "typed_at", "start", "in_utc"),
    [
        (BERLIN, "2026-03-28 20:00", "at 9:00 tomorrow", "2026-03-29T07:00"),
        (BERLIN, "2026-10-24 20:00", "at 9 tomorrow", "2026-10-25T08:00"),
        (BERLIN, "2026-10-24 20:00", "tomorrow at 9am", "2026-10-25T08:00"),
        (BERLIN, "2026-10-24 20:00", "at 3:00", "2026-10-25T02:00"),
        (NEW_YORK, "2026-03-07 20:00", "at sun 9:00", "2026-03-08T13:00"),
        (LORD_HOWE, "2026-10-03 20:00", "at 9:00", "2026-10-03T22:00"),
    ],
)
def test_a_start_is_in_the_persons_zone_across_clock_changes(
    zone: str, typed_at: str, start: str, in_utc: str
) -> None:
    found = command(f"get h100 for 8h {start}", now=local(typed_at, zone).astimezone(UTC), zone=zone)
    assert isinstance(found, Get)
    request = found.request
    assert request.starts_at == datetime.fromisoformat(in_utc).replace(tzinfo=UTC)
    assert (request.lease, request.until) == (timedelta(hours=8), request.starts_at + timedelta(hours=8))


@pytest.mark.parametrize(
    ("zone", "typed_at", "start", "words"),
    [
        (BERLIN, "2026-03-28 20:00", "2:30", "Clocks go forward on 2026-03-29, past 2:30. Name another time, such as 3:30."),
        (BERLIN, "2026-10-24 20:00", "2:30", "Clocks go back on 2026-10-25, and 2:30 comes twice. Name another time, such as 3:00."),
        (LORD_HOWE, "2026-10-03 20:00", "2:15", "Clocks go forward on 2026-10-04, past 2:15. Name another time, such as 2:45."),
        (LORD_HOWE, "2026-04-04 20:00", "1:45", "Clocks go back on 2026-04-05, and 1:45 comes twice. Name another time, such as 2:00."),
    ],
)  # fmt: skip
def test_a_start_that_clocks_skip_or_repeat_is_refused(zone: str, typed_at: str, start: str, words: str) -> None:
    with pytest.raises(Mistake) as caught:
        command(f"get h100 at {start}", now=local(typed_at, zone).astimezone(UTC), zone=zone)
    assert caught.value.words == words


FILLED: dict[str, str] = {
    Field.GPU: "H100",
    Field.COUNT: "1",
    Field.CONTRACT: "ondemand",
    Field.REGION: ANY,
    Field.VENDOR: ANY,
}


@pytest.mark.parametrize(
    ("inputs", "start", "lease", "up_to"),
    [
        ({"start": "9:00 tomorrow", "lease": "8h"}, 21, 8, None),
        ({"start": "at 9 on wed", "lease": "until 17:00", "up_to": "until 20:00"}, 45, 8, 11),
        ({"start": "tomorrow at 9am", "lease": "2h", "up_to": "8h"}, 21, 2, 8),
        ({"start": "", "lease": "8h"}, None, 8, None),
    ],
)
def test_the_form_accepts_a_start(
    inputs: dict[str, str], start: int | None, lease: int, up_to: int | None
) -> None:
    request = read_form({**FILLED, **inputs}, CATALOG, Rules(), now=MONDAY_NOON, zone="Europe/London").request
    starts_at = None if start is None else MONDAY_NOON + timedelta(hours=start)
    assert request.starts_at == starts_at
    assert request.until == (None if starts_at is None else starts_at + timedelta(hours=lease))
    assert (request.lease, request.up_to) == (timedelta(hours=lease), up_to and timedelta(hours=up_to))


@pytest.mark.parametrize("typed", ["20 in all", "$20.00 total", "usd 20 in total"])
def test_the_form_accepts_a_total(typed: str) -> None:
    inputs = {**FILLED, "lease": "8h", "cap": typed}
    request = read_form(inputs, CATALOG, Rules(), now=MONDAY_NOON, zone="Europe/London").request
    assert (request.max_total, request.max_gpu_rate, request.cap_said_per_gpu) == (20_000_000, None, False)


def test_the_form_refuses_an_impossible_total() -> None:
    inputs = {**FILLED, "lease": "1h", "cap": "5000 in all"}
    with pytest.raises(InvalidForm) as caught:
        read_form(inputs, CATALOG, Rules(), now=MONDAY_NOON, zone="Europe/London")
    assert caught.value.errors == {"cap": "$5000.00 in all can't be right for this many GPUs and hours."}


@pytest.mark.parametrize(
    ("inputs", "field", "words"),
    [
        ({"start": "9", "lease": "8h"}, "start", "Type a time such as 9:00, 9am or fri 9:00, or leave this empty."),
        ({"start": "tomorrow", "lease": "8h"}, "start", "At what time tomorrow? Try: tomorrow 9:00"),
        ({"start": "2026-03-29 1:30", "lease": "8h"}, "start", "Clocks go forward on 2026-03-29, past 1:30. Name another time, such as 2:30."),
        ({"start": "9:00 2026-03-20", "lease": "8h"}, "start", "That's too far in the future. A start is at most 168h from now."),
        ({"start": "9:00", "lease": "20m"}, "lease", "With a start time, a lease is at least 30m."),
        ({"start": "9:00 tomorrow", "lease": "until today 18:00"}, "lease", "That's not after the start."),
    ],
)  # fmt: skip
def test_the_form_explains_an_invalid_start(inputs: dict[str, str], field: str, words: str) -> None:
    with pytest.raises(InvalidForm) as caught:
        read_form({**FILLED, **inputs}, CATALOG, Rules(), now=MONDAY_NOON, zone="Europe/London")
    assert caught.value.errors == {field: words}


@given(
    minutes=st.integers(1, 7 * 24 * 60),
    lease=st.integers(60, 72 * 3600).map(lambda seconds: timedelta(seconds=seconds)),
    longer=st.none() | st.integers(1, 3600).map(lambda seconds: timedelta(seconds=seconds)),
)
def test_the_text_of_a_request_with_a_start_parses_as_the_same(
    minutes: int, lease: timedelta, longer: timedelta | None
) -> None:
    start = MONDAY_NOON + timedelta(minutes=minutes)
    up_to = lease + longer if longer and lease + longer <= timedelta(hours=72) else None
    request = a_request(starts_at=start, until=start + lease, lease=lease, up_to=up_to)
    text = request_text(request, default_lease=LEASE, zone="Europe/London")
    assert command(f"get {text}") == Get(request=request)
    assert command(f"get {text} now") == Get(request=request)
