"""What each event says, from its facts alone. Threads, direct messages and histories tell it in these words.

A fact that an event doesn't carry is left out of its sentence, so the same words serve readers who may not see
another's money (`without_money`).
"""

from __future__ import annotations

from bot.model.base import changed
from bot.model.event import Event, Facts
from bot.model.summary import RentalDetails
from handlers.views.event_text import asking, buying, ending, running, trouble
from handlers.views.event_text.base import Said, Scene, sentence_case
from handlers.views.event_text.ending import short
from handlers.views.event_text.running import asks_again
from handlers.views.format import Times

TELLERS = {**asking.TELLERS, **buying.TELLERS, **running.TELLERS, **ending.TELLERS, **trouble.TELLERS}


def said(event: Event, details: RentalDetails, at: Times, *, timed: bool = True) -> Said | None:
    """The words of an event of a rental; None for the account's own events. Without when it happened unless
    `timed`."""
    teller = TELLERS.get(event.kind)
    return teller(Scene(event, details, at, timed)) if teller else None


def without_money(facts: Facts) -> Facts:
    """The facts for readers whom the money doesn't concern."""
    nothing = dict.fromkeys(("rate", "before", "max_rate", "total", "amount", "estimate", "estimated", "paid"))
    return changed(facts, **nothing)


__all__ = ["TELLERS", "Said", "Scene", "asks_again", "said", "sentence_case", "short", "without_money"]
