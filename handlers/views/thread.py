"""The replies below a card."""

from __future__ import annotations

from bot.model.event import Event
from bot.model.summary import RentalDetails
from handlers.views import blocks
from handlers.views.blocks import Rendered
from handlers.views.event_text import event_text
from handlers.views.reader import Reader


def thread_reply(event: Event, details: RentalDetails, reader: Reader) -> Rendered | None:
    """Return the reply for an event, which is never edited. Return None if the event has no reply."""
    words = event_text(event, details, reader.times) if event.effects.thread(event) else None
    return None if words is None else blocks.message(words.text)
