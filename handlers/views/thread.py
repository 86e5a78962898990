"""The replies below a card: one for each event that isn't told elsewhere."""

from __future__ import annotations

from datetime import datetime

from bot.model.event import Event, EventKind
from bot.model.story import Story
from bot.policy.rules import Rules
from handlers.views import blocks
from handlers.views.about import times
from handlers.views.blocks import Rendered
from handlers.views.said import said

TOLD_ELSEWHERE = frozenset(
    {EventKind.ASKED, EventKind.STARTED, EventKind.PROGRESS, EventKind.STILL_NEEDED, EventKind.ENDING}
)
"""The card, the first "Renting" or the owner's direct message says it."""


def thread(event: Event, story: Story, *, rules: Rules, now: datetime, zone: str | None = None) -> Rendered | None:
    """The reply for an event; None where the thread is quiet about it. Never edited."""
    words = None if event.kind in TOLD_ELSEWHERE else said(event, story, times(rules, now, zone))
    return None if words is None else blocks.message(words.text)
