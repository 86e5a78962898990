"""The values in the bodies of the REST API: those that are read, and those that are refused with an example."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from bot.model.api import RentalRequest, say_duration


def read(field: str, value: str) -> object:
    body = f'{{"{field}": {value}}}'
    return getattr(RentalRequest.model_validate_json(body, strict=True), field)


def test_amounts_durations_and_times_are_read_exactly() -> None:
    assert [read("max_total", each) for each in ('"2.50"', "20", "2.5")] == [
        Decimal("2.50"),
        Decimal(20),
        Decimal("2.5"),
    ]
    assert read("lease", '"1h30m"') == timedelta(minutes=90)
    assert read("until", '"2026-12-01T15:00:00+01:00"') == datetime(2026, 12, 1, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        *(("max_total", value, "such as 20 or 2.50") for value in ('"1e3"', '"-1"', '"2.12345"', "1e300", "true")),
        *(("lease", value, "such as 4h, 90m or 1h30m") for value in ('"4"', '""', '"PT4H"')),
        *(
            ("until", value, "such as 2026-12-01T14:00:00Z")
            for value in ('"2026-12-01"', '"2026-12-01T10:00:00"', '"1760000000"', '"9999-12-31T23:59:59-23:00"')
        ),
    ],
)
def test_other_values_are_refused_with_an_example(field: str, value: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        read(field, value)


def test_a_duration_is_written_as_it_is_read() -> None:
    assert [say_duration(timedelta(minutes=each)) for each in (0, 90, 1500)] == ["0s", "1h30m", "1d1h"]
