"""A report about an attempt or a resource is merged with the stored one, and undoes nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.model.attempt import AttemptState, Marker, Why
from store.attempts import merge_attempt, merge_resource
from tests.databases import START
from tests.store import make

NOW, LATER = START + timedelta(minutes=1), START + timedelta(minutes=2)
UNKNOWN = {"state": AttemptState.UNKNOWN, "why": Why.NO_ANSWER}
BOUGHT = {"state": AttemptState.BOUGHT, "accepted": True, "answered_at": NOW, "detail": "accepted"}
FAILED = {"state": AttemptState.FAILED, "why": Why.SOLD_OUT, "answered_at": NOW}
TERMINATED = {"state": AttemptState.TERMINATED}


@pytest.mark.parametrize(
    ("stored", "reported", "merged"),
    [
        ({}, UNKNOWN, UNKNOWN),
        (UNKNOWN, {}, UNKNOWN),
        (UNKNOWN, BOUGHT, BOUGHT),
        (BOUGHT, {}, BOUGHT),
        (BOUGHT, UNKNOWN, BOUGHT),
        (FAILED, UNKNOWN, FAILED),
        (FAILED, BOUGHT, BOUGHT),
        (BOUGHT, TERMINATED, {**BOUGHT, **TERMINATED, "detail": ""}),
        ({"orphaned": True}, {}, {"orphaned": True}),
        ({"marked_by": Marker.OVERDUE}, BOUGHT, {**BOUGHT, "marked_by": Marker.OVERDUE}),
        ({"marked_by": Marker.OVERDUE}, {"marked_by": Marker.STEP}, {"marked_by": Marker.STEP}),
        ({"delete_accepted_at": NOW}, {"delete_accepted_at": LATER}, {"delete_accepted_at": NOW}),
    ],
)
def test_an_attempt_never_goes_back_to_an_earlier_state(
    stored: dict[str, Any], reported: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert merge_attempt(make.attempt(**stored), make.attempt(**reported)) == make.attempt(**merged)


FULL = {"rate": Decimal("2.10"), "valid_from": START, "valid_to": LATER, "host": "192.0.2.7", "port": 22}
ENDED = {"status": "deleted", "read_at": NOW, "terminated_at": NOW, "valid_to": NOW}
AT_START, AT_NOW, AT_LATER = ({"read_at": at, "first_seen": at} for at in (START, NOW, LATER))


@pytest.mark.parametrize(
    ("stored", "reported", "merged"),
    [
        # Fields that the API leaves out are kept, and new values replace old ones.
        (FULL, {"read_at": NOW}, {**FULL, "read_at": NOW}),
        (FULL, {"read_at": NOW, "rate": Decimal("2.20")}, {**FULL, "read_at": NOW, "rate": Decimal("2.20")}),
        # An older reading changes neither the status nor a time.
        (AT_NOW | {"status": "running"}, AT_START | {"status": "active"}, {"status": "running", "read_at": NOW}),
        (AT_START, AT_NOW | {"status": "running"}, {"status": "running", "read_at": NOW}),
        # Only a newer reading can find that a resource is alive again. Its end is then unknown.
        (ENDED, AT_START, ENDED),
        (ENDED, {"read_at": NOW}, ENDED | {"status": "active"}),
        (ENDED, {"read_at": LATER}, {"read_at": LATER}),
        (
            ENDED,
            ENDED | {"read_at": LATER, "terminated_at": LATER},
            ENDED | {"read_at": LATER, "terminated_at": LATER},
        ),
        ({"delete_accepted_at": NOW}, {"delete_accepted_at": LATER}, {"delete_accepted_at": NOW}),
        ({"delete_accepted_at": NOW}, {}, {"delete_accepted_at": NOW}),
    ],
)
def test_only_a_newer_reading_revives_a_terminated_resource(
    stored: dict[str, Any], reported: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert merge_resource(make.resource(**stored), make.resource(**reported)) == make.resource(**merged)
