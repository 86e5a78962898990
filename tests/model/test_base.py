"""Tests that a changed copy of a model is validated like a new one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.person import Channel

CHANNEL = Channel(id="C1", member=True)
EVENT = Event(rental_id=None, kind=EventKind.PAUSED, at=datetime(2025, 1, 1, tzinfo=UTC))


def test_a_changed_copy_has_the_new_values_and_keeps_the_others() -> None:
    copy = changed(CHANNEL, member=False)
    assert copy == Channel(id="C1", member=False)
    assert CHANNEL.member


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        changed(CHANNEL, membr=False)


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_a_value_of_the_wrong_type_is_refused_and_not_converted(value: object) -> None:
    with pytest.raises(ValidationError):
        changed(CHANNEL, member=value)


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        changed(EVENT, at=datetime(2025, 1, 1))  # noqa: DTZ001 - what is refused
