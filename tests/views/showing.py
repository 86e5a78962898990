"""Messages as their readers see them, for tests of their words."""

from __future__ import annotations

from datetime import datetime

from bot.model.event import Event
from bot.model.message import Message, MessageKind, stored_destination
from bot.model.summary import RentalDetails
from handlers.views.blocks import Rendered
from handlers.views.render import render_message
from tests.views.stories import (
    ANA,
    RULES,
    labels,
    read,
    ready,
)


def show(
    kind: MessageKind,
    details: RentalDetails | None,
    now: datetime,
    event: Event | None = None,
    *,
    to: str = ANA,
    shown: int = 0,
) -> Rendered:
    message = Message(
        kind=kind, to=stored_destination(to), rental_id="k7mq2", shown=shown, envelope=1, created_at=now
    )
    rendered = render_message(message, event, details, rules=RULES, now=now)
    assert rendered is not None
    assert not (rendered.closed and labels(rendered.blocks))
    return rendered


def card(details: RentalDetails, now: datetime) -> tuple[str, list[str]]:
    rendered = show(MessageKind.CARD, details, now)
    return read(rendered.text, now), labels(rendered.blocks)


def thread(event: Event, details: RentalDetails | None = None) -> str:
    return read(show(MessageKind.THREAD, details or ready(), event.at, event).text, event.at)


def direct(event: Event, details: RentalDetails, now: datetime, *, to: str = ANA) -> tuple[str, list[str]]:
    rendered = show(MessageKind.DIRECT, details, now, event, to=to)
    return read(rendered.text, now), labels(rendered.blocks)
