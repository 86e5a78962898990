"""A rental that takes the place of another one."""

from __future__ import annotations

from collections.abc import Callable

from bot.model.event import EventKind
from handlers.views.event_text.composition import EventContext, EventText
from handlers.views.format import escape, with_full_stop


def _not_working(context: EventContext) -> EventText:
    said = with_full_stop(escape(context.facts.detail, 200)) if context.facts.detail else ""
    return EventText(f"{context.actor} says that it doesn't work", said, colon=bool(said))


def _replaced(context: EventContext) -> EventText:
    name = escape(context.facts.name or "another one", 20)
    if context.facts.why is not None:
        return EventText(f"The new one is {name}")
    return EventText(f"The new one will be {name}", "This one runs until that is bought.")


def _not_replaced(context: EventContext) -> EventText:
    name = f", {escape(context.facts.name, 20)}," if context.facts.name else ""
    return EventText("Not replaced", f"the other one{name} got no machine, so this one stays.", colon=True)


TEXTS: dict[EventKind, Callable[[EventContext], EventText]] = {
    EventKind.NOT_WORKING: _not_working,
    EventKind.REPLACED: _replaced,
    EventKind.NOT_REPLACED: _not_replaced,
}
