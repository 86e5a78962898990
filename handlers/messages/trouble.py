"""The bot's own failures. The text uses the event alone, because the rental may be unreadable."""

from __future__ import annotations

from datetime import timedelta

from bot.model.event import Event, EventKind
from bot.model.text import plural, span
from bot.policy.use.clocks import ClockDifference
from handlers.messages.composition import EventContext, EventText
from handlers.phrases.format import Times, escape, identifier, join


def step_failure_text(event: Event, times: Times) -> EventText | None:
    """Return the text of an event about a step that fails. Return None for other events."""
    facts = event.facts
    rental = escape(facts.name or "a rental", 20)
    number = f"Tell an admin the number {identifier(facts.number, 20)}; it is in my log." if facts.number else None
    match event.kind:
        case EventKind.STEP_FAILED:
            until = f"If it goes on, I delete its machine {times.at_time(facts.until)}." if facts.until else None
            failures = plural(facts.count or 1, "time")
            rest = join(f"that failed {failures} in a row. I keep trying.", until, number)
            return EventText(f"I can't look after {rental}", rest, colon=True)
        case EventKind.STEP_WORKS:
            return EventText(f"I look after {rental} again ({identifier(facts.number or '', 20)})")
        case EventKind.DELETED_OVERDUE:
            end = f"it should have ended {times.at_time(facts.since)}, " if facts.since else ""
            rest = f"{end}and my usual way failed. The vendor has yet to confirm it."
            return EventText(f"Deleted {rental}'s machine", rest, colon=True)
    return None


def _step_failure(context: EventContext) -> EventText:
    return step_failure_text(context.event, context.times) or EventText("")


TEXTS = dict.fromkeys((EventKind.STEP_FAILED, EventKind.STEP_WORKS, EventKind.DELETED_OVERDUE), _step_failure)


def outage_text(event: Event, times: Times) -> str | None:
    """Return the text of an event about a database that doesn't work, or a clock that is wrong. Return None for
    other events."""
    facts = event.facts
    rental = escape(facts.name, 20) if facts.name else None
    match event.kind:
        case EventKind.NO_READS:
            return (
                "I can't read my database, so I delete nothing, and what runs bills on past its end. "
                "Bring it back and I go on. Until then, end machines in Compute Clear."
            )
        case EventKind.NO_WRITES if rental is None:
            late = f", {span(facts.span)} after its end" if facts.span else ""
            return (
                "My database takes no writes, so nothing can be rented, extended or decided. "
                f"What runs is still deleted{late}. Make room on its disk and I go on."
            )
        case EventKind.NO_WRITES:
            ends = f" It ends {times.at_time(facts.since)}" if facts.since else ""
            gone = f" and is deleted {times.at_time(facts.until)}." if facts.until and ends else ""
            return (
                f"Extend can't be written now for {rental}: my database takes no writes.{ends}{gone} "
                "Copy results off: the disk goes too."
            )
        case EventKind.WRONG_CLOCK:
            wrong = ClockDifference(facts.span or timedelta(0), from_database=facts.detail == "database")
            return (
                f"The clock of my machine {escape(facts.name or '', 60)} is {wrong.text}. Until it's set right, "
                "what runs there does nothing but delete machines that are long past their end."
            )
        case EventKind.STORE_BACK:
            return (
                f"Extend works again for {rental}." if rental else "My database works again. I go on where I was."
            )
    return None
