"""Tests of the destinations of messages, and of the calls to Slack that messages need next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.model.base import changed
from bot.model.message import (
    Destination,
    Message,
    MessageKind,
    NextCall,
    stored_destination,
    to_channel,
    to_ephemeral,
    to_person,
    to_response_url,
    to_webhook,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://hooks.slack.com/commands/T1/2/3"


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("C0TRAINING", to_channel("C0TRAINING")),
        ("G0PRIVATE", to_channel("G0PRIVATE")),
        ("D0DIRECT", to_channel("D0DIRECT")),
        ("U0ANA", to_person("U0ANA")),
        ("W0ANA", to_person("W0ANA")),
        (URL, to_response_url(URL)),
        ("C0TRAINING/U0ANA", to_ephemeral("C0TRAINING", "U0ANA")),
        ("C0TRAINING/U0ANA/1700000000.1", to_ephemeral("C0TRAINING", "U0ANA", "1700000000.1")),
        ("http://127.0.0.1:8080/answer", to_response_url("http://127.0.0.1:8080/answer")),
        (f"hook:{URL}", to_webhook(URL)),
    ],
)
def test_the_kind_of_a_destination_follows_from_its_stored_text(text: str, destination: Destination) -> None:
    assert stored_destination(text) == destination
    assert destination.value == text


@pytest.mark.parametrize(
    ("to", "fields", "call"),
    [
        (to_response_url(URL), {}, NextCall.ANSWER),
        (to_ephemeral("C1", "U0ANA"), {}, NextCall.ANSWER),
        (to_person("U0ANA"), {}, NextCall.POST),
        (to_channel("C1"), {}, NextCall.POST),
        (to_channel("C1"), {"sending": True}, NextCall.FIND),
        (to_channel("C1"), {"ts": "1.0"}, NextCall.EDIT),
        (to_channel("C1"), {"ts": "1.0", "sending": True}, NextCall.EDIT),
    ],
)
def test_the_next_call_depends_on_the_destination_and_the_state_of_the_post(
    to: Destination, fields: dict[str, Any], call: NextCall
) -> None:
    message = Message(kind=MessageKind.REPLY, to=to, created_at=NOON, **fields)
    assert message.next_call is call
    assert changed(message, kind=MessageKind.HOME).next_call is NextCall.PUBLISH
