"""The text of each event, from its facts, for threads, direct messages and histories.

A sentence leaves out each fact that its event doesn't have. So the text for readers who may not see money is the
text of the event without its amounts and prices (`without_money`).
"""

from __future__ import annotations

from bot.model.base import changed
from bot.model.event import Event, Facts
from bot.model.summary import RentalDetails
from handlers.messages import asking, buying, ending, questions, running, trouble
from handlers.messages.composition import EventContext, EventText, sentence_case
from handlers.messages.ending import short_resource_id
from handlers.messages.questions import ask_again_text
from handlers.phrases.format import Times

TEXTS = {
    **asking.TEXTS,
    **buying.TEXTS,
    **questions.TEXTS,
    **running.TEXTS,
    **ending.TEXTS,
    **trouble.TEXTS,
}


def event_text(
    event: Event, details: RentalDetails, times: Times, *, timed: bool = True, reader: str | None = None
) -> EventText | None:
    """Return the text of a rental's event. Return None for an event of the account. If `timed`, the text says when
    the event happened. `reader` is the text's only reader, None if several people read it."""
    if details.rental.bought_after_backup and not event.facts.amount:
        # By now it is known that more was rented than the event says.
        event = changed(event, facts=changed(event.facts, amount=None, estimated=None))
    write = TEXTS.get(event.kind)
    return write(EventContext(event, details, times, timed, reader)) if write else None


def without_money(facts: Facts) -> Facts:
    """Return the facts without amounts and prices, for a reader who may not see them."""
    nothing = dict.fromkeys(
        ("rate", "before", "clicked", "max_rate", "total", "amount", "estimate", "estimated", "paid", "other")
    )
    return changed(facts, **nothing, passed=())


__all__ = [
    "TEXTS",
    "EventText",
    "ask_again_text",
    "event_text",
    "sentence_case",
    "short_resource_id",
    "without_money",
]
