"""From renting until the machine is ready."""

from __future__ import annotations

from collections.abc import Callable

from bot.model.attempt import Why
from bot.model.event import EventKind, Facts
from handlers.views.event_text.composition import (
    EventContext,
    EventText,
    cost_nothing_text,
    market_answer,
    sentence_case,
)
from handlers.views.event_text.left_out import left_out_text
from handlers.views.format import about_span, difference, join, per_hour, person, span
from handlers.views.machine_text import vendor
from handlers.views.rental_text import machine, reason

GIVEN_UP = frozenset({Why.TOO_SLOW, Why.VENDOR_FAILED})
"""Reasons to give up an accepted attempt. The event GIVEN_UP has its own reply with the reason, so the reply about
the next offer leaves the reason out."""


def _renting(context: EventContext) -> EventText:
    facts = context.facts
    price = f" at {per_hour(facts.rate)}" if facts.rate is not None else ""
    missing = left_out_text(context)
    if facts.before is None and facts.before_vendor is None:
        return EventText(f"Renting from {context.vendor_name}{price}", missing)
    more = ""
    if facts.before is not None and facts.rate is not None:
        before = f"{vendor(facts.before_vendor)}'s price"
        more = f": {difference(facts.before, facts.rate, before)}"
        more += ", within what was accepted" if facts.rate > facts.before else ""
    now = f"Now {context.vendor_name}{_without_script(facts)}{price}{more}"
    if facts.why is None or (facts.why in GIVEN_UP and facts.paid is not False):
        return EventText(now, missing)
    failed = "; ".join(filter(None, (reason(facts.why, facts.before_vendor), cost_nothing_text(facts.paid))))
    return EventText(sentence_case(failed), join(f"{now}.", missing))


def _without_script(facts: Facts) -> str:
    """Return words after the vendor's name if its purchase goes without the boot script, else an empty text."""
    if facts.left_out is None or not facts.left_out.refused:
        return ""
    return " without it" if facts.why is Why.SCRIPT_REFUSED else " without a start-up script"


def _no_answer(context: EventContext) -> EventText:
    checking = "I'm checking and will say here. Don't rent again."
    match context.facts.why:
        case None | Why.NO_ANSWER:
            return EventText(
                f"I asked {context.vendor_name} and got no answer", f"it may be rented. {checking}", colon=True
            )
        case Why.BOUGHT_BEFORE:
            lead = f"Compute Clear says that {context.vendor_name}'s offer was bought already"
            return EventText(lead, f"it may be rented. {checking}", colon=True)
        case Why.RATE_LIMITED | Why.UNAUTHORIZED as why:
            lead = f"I asked {context.vendor_name}, but {reason(why)}"
            return EventText(lead, f"it may be rented. {checking}", colon=True)
    return EventText(
        f"{sentence_case(context.vendor_name)} says that it failed",
        f"Something may be rented all the same. {checking}",
    )


def _given_up(context: EventContext) -> EventText:
    facts = context.facts
    late = f" in {about_span(facts.span)}" if facts.span else ""
    return EventText(
        f"{sentence_case(context.vendor_name)} did not get it ready{late}",
        join(
            "I'm destroying that machine; it may bill until the vendor confirms its end.",
            "Then I look for the next offer.",
            market_answer(facts),
        ),
    )


def _accepted(context: EventContext) -> EventText:
    usual = f"Usually ready in {about_span(context.facts.span)}." if context.facts.span else ""
    if context.facts.why is not None:
        return EventText(f"It is rented at {context.vendor_name}; the machine is starting", usual)
    return EventText(f"{sentence_case(context.vendor_name)} accepted; the machine is starting", usual)


def _waiting(context: EventContext) -> EventText:
    facts = context.facts
    until = f"I try until {context.times.time(facts.until)}, then ask again." if facts.until else "I go on trying."
    return EventText("Held up", f"{reason(facts.why or Why.OUTAGE, facts.vendor)}. {until}", colon=True)


def _silent(_: EventContext) -> EventText:
    return EventText("It runs and bills, but nothing answers on its SSH port yet", "It may need another minute.")


def _ready(context: EventContext) -> EventText:
    took = f" after {span(context.facts.span)}" if context.facts.span else ""
    word = "Ready" if context.facts.why is None else "Running"
    return EventText(
        f"{word}{took}",
        f"{person(context.details.names, context.owner_id)}'s {machine(context.details)}.",
        colon=True,
    )


TEXTS: dict[EventKind, Callable[[EventContext], EventText]] = {
    EventKind.RENTING: _renting,
    EventKind.NO_ANSWER: _no_answer,
    EventKind.GIVEN_UP: _given_up,
    EventKind.ACCEPTED: _accepted,
    EventKind.WAITING: _waiting,
    EventKind.SILENT: _silent,
    EventKind.READY: _ready,
}
