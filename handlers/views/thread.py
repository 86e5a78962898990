"""The replies below a card."""

from __future__ import annotations

from datetime import datetime

from bot.model.event import Event
from bot.model.summary import RentalDetails
from bot.policy.rules import Rules
from handlers.views import blocks
from handlers.views.blocks import Rendered
from handlers.views.event_text import event_text
from handlers.views.rental_text import reader_times


def thread_reply(
    event: Event, details: RentalDetails, *, rules: Rules, now: datetime, zone: str | None = None
) -> Rendered | None:
    """Return the reply for an event, which is never edited. Return None if it has none."""
    words = event_text(event, details, reader_times(rules, now, zone)) if event.effects.thread(event) else None
    return None if words is None else blocks.message(words.text)
