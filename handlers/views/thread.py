"""The replies below a card: one for each event that isn't told elsewhere."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.notifications import QUIET
from bot.model.event import Event
from bot.model.summary import RentalDetails
from bot.policy.rules import Rules
from handlers.views import blocks
from handlers.views.blocks import Rendered
from handlers.views.event_text import said
from handlers.views.rental_text import times


def thread(
    event: Event, details: RentalDetails, *, rules: Rules, now: datetime, zone: str | None = None
) -> Rendered | None:
    """The reply for an event; None where the thread is quiet about it, as the card, the first "Renting" or the
    owner's direct message says it. Never edited."""
    words = None if event.kind in QUIET else said(event, details, times(rules, now, zone))
    return None if words is None else blocks.message(words.text)
