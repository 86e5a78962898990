"""Whether a machine is needed: the questions, their answers, and the notification that nobody answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.model.event import EventKind
from bot.model.machine_use import NOT_COMPUTING, Verdict
from bot.model.text import about_span
from handlers.messages.composition import EventContext, EventText
from handlers.phrases.ends import end_moves
from handlers.phrases.format import Times, dollars, person
from handlers.phrases.use_text import without_work

BUSY_THEN = "unless its GPUs are busy then"


def _kept(context: EventContext) -> EventText:
    facts, rental = context.facts, context.details.rental
    own = context.event.actor == context.owner_id
    lead = f"{context.actor} still needs it" if own else f"{context.actor} says that it is still needed"
    ends_at = facts.since or (rental.lease.ends_at if rental.lease else None)
    return EventText(lead, ask_again_text(facts.until, ends_at, context.times, moves=end_moves(rental)))


def ask_again_text(until: datetime | None, ends: datetime | None, times: Times, *, moves: bool) -> str:
    """Return when the bot asks again, and that the end stands. `until` is None if the bot never asks again.
    `moves` tells whether the end moves on if the machine is in use then."""
    if ends and (until is None or until >= ends):
        busy = f" {BUSY_THEN}" if moves else ""
        return f"It still ends {times.time(ends)}{busy}; I don't ask again before."
    if until is None:
        return "I don't ask again."
    either = f"; it ends {times.time(ends)} {BUSY_THEN if moves else 'either way'}" if ends else ""
    return f"I ask again {times.at_time(until)}{either}."


def _still_needed(context: EventContext) -> EventText:
    verdict = context.facts.verdict
    if verdict is Verdict.UNKNOWN:
        return EventText("Asked whether it is still needed, I can't see inside")
    if verdict in NOT_COMPUTING:
        words = without_work(verdict, context.facts.span)
        return EventText(f"Asked whether it is still needed, {words[:1].lower()}{words[1:]}")
    quiet = f", nothing here for {about_span(context.facts.span)}" if context.facts.span else ""
    return EventText(f"Asked whether it is still needed{quiet}")


def _nobody_answers(context: EventContext) -> EventText:
    facts = context.facts
    cost = f", {dollars(facts.amount)}" if facts.amount is not None else ""
    idle = f", {without_work(facts.verdict, facts.span).lower()}{cost}" if facts.verdict else ""
    return EventText(f"Told the approvers that nobody answers{idle}")


def _left_alone(context: EventContext) -> EventText:
    end = f", {context.times.time(context.facts.until)}" if context.facts.until else ""
    return EventText(f"{context.actor} leaves it until its end{end}", "I don't ask about it before.")


def _owner_asked_again(context: EventContext) -> EventText:
    rental = context.details.rental
    owner = person(context.details.names, context.owner_id)
    when, lease = context.facts.until, rental.lease
    asks = f"I ask {context.times.at_time(when)}." if when else ""
    if when and lease and when >= lease.ends_at:
        asks = f"it ends {context.times.time(lease.ends_at)}; I don't ask before."
    return EventText(f"{context.actor} wants {owner} to be asked again", asks, colon=True)


TEXTS: dict[EventKind, Callable[[EventContext], EventText]] = {
    EventKind.KEPT: _kept,
    EventKind.STILL_NEEDED: _still_needed,
    EventKind.NOBODY_ANSWERS: _nobody_answers,
    EventKind.LEFT_ALONE: _left_alone,
    EventKind.OWNER_ASKED_AGAIN: _owner_asked_again,
}
