"""Tests of the parts of the demo and of `gpubot sandbox` without I/O: due times, typed lines and dialog fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.errors import Mistake
from demo.console import read_place, read_span
from demo.dialogs import field_line, field_value
from demo.play import next_due
from sandbox.client import Input, Option

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (LATER.isoformat(), LATER),
        (NOON.isoformat(), NOON + timedelta(seconds=1)),
        (None, NOON + timedelta(hours=1)),
    ],
)
def test_the_next_due_time_is_at_least_a_second_away(due: str | None, expected: datetime) -> None:
    assert next_due({"next_due": due}, NOON, otherwise=NOON + timedelta(hours=1)) == expected


@pytest.mark.parametrize(
    ("typed", "place", "text"),
    [
        ("get H100 EU", "training", "get H100 EU"),
        ("@gpus list all", "gpus", "list all"),
        ("@dm /gpu list", "dm", "list"),
        ("@#gpus", "gpus", ""),
    ],
)
def test_a_command_is_typed_in_the_named_channel_or_else_in_training(typed: str, place: str, text: str) -> None:
    assert read_place(typed) == (place, text)


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("+30s", 30),
        ("+10m", 600),
        ("+ 2h", 7200),
        ("+1h30m", 5400),
        ("+1d 2h 3m 4s", 93_784),
        ("+90m", 5400),
        ("+60d", 5_184_000),
    ],
)
def test_a_time_span_lists_its_units_from_the_longest_to_the_shortest(typed: str, seconds: int) -> None:
    assert read_span(typed) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "typed", ["+", "+2x", "+h", "+1.5h", "+30", "+30m1h", "+1h1h", "+1h30", "+60d1s", "+61d", "+99999999s"]
)
def test_an_invalid_time_span_is_refused(typed: str) -> None:
    with pytest.raises(Mistake):
        read_span(typed)


MENU = Input(
    block_id="region",
    action_id="region",
    type="static_select",
    label="Region",
    hint="",
    optional=False,
    value={"type": "static_select", "selected_option": {"text": {"text": "EU"}, "value": "eu"}},
    options=(Option(text="EU", value="eu"), Option(text="United States", value="us")),
)
NOTE = Input(
    block_id="note",
    action_id="note",
    type="plain_text_input",
    label="Note",
    hint="public",
    optional=True,
    value=None,
    options=(),
)
KEYS = Input(
    block_id="keys",
    action_id="keys",
    type="checkboxes",
    label="Keys",
    hint="",
    optional=True,
    value={"type": "checkboxes", "selected_options": [{"text": {"text": "SHA256:Qk3"}, "value": "0"}]},
    options=(Option(text="SHA256:Qk3", value="0"), Option(text="SHA256:9fA", value="1")),
)
PEOPLE = Input(
    block_id="with",
    action_id="with",
    type="multi_users_select",
    label="With",
    hint="",
    optional=True,
    value={"type": "multi_users_select", "selected_users": ["U0BEN0000", "U0CLEO000"]},
    options=(Option(text="Ben", value="U0BEN0000"), Option(text="Cleo", value="U0CLEO000")),
)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (MENU, "Region: EU   of EU, United States"),
        (NOTE, "Note (may be left empty):   (public)"),
        (KEYS, "Keys (may be left empty): SHA256:Qk3   of SHA256:Qk3, SHA256:9fA"),
        (PEOPLE, "With (may be left empty): Ben, Cleo   of Ben, Cleo"),
    ],
)
def test_a_field_is_shown_with_its_value_and_its_choices_or_its_hint(entry: Input, line: str) -> None:
    assert field_line(entry) == line


@pytest.mark.parametrize(
    ("entry", "typed", "value"),
    [
        (MENU, "eu", "eu"),
        (MENU, "united states", "us"),
        (NOTE, "run 7", "run 7"),
        (NOTE, "", None),
        (KEYS, "sha256:9fa", ["1"]),
        (PEOPLE, "cleo, ben", ["U0CLEO000", "U0BEN0000"]),
        (PEOPLE, "", []),
    ],
)
def test_a_menu_accepts_the_text_or_the_value_of_each_choice(
    entry: Input, typed: str, value: str | list[str] | None
) -> None:
    assert field_value(entry, typed) == value


def test_an_unknown_choice_is_refused_with_a_list_of_the_valid_choices() -> None:
    with pytest.raises(Mistake, match=r'Region has no "moon"\. There are: EU, United States'):
        field_value(MENU, "moon")
    with pytest.raises(Mistake, match=r'With has no "dan"\. There are: Ben, Cleo'):
        field_value(PEOPLE, "ben, dan")
