"""The end of a rental, and machines that may still bill."""

from __future__ import annotations

from collections.abc import Callable

from bot.model.attempt import REPORTED_FAILED, Why
from bot.model.event import EventKind, Facts
from bot.model.state import State
from bot.model.text import listed, span
from handlers.messages.composition import EventContext, EventText, cost_of, sentence_case
from handlers.phrases.format import dollars, escape, identifier, join, per_hour, with_full_stop
from handlers.phrases.rental_text import STATES, WHILE_AWAY, computed, in_all, reason, so_far
from handlers.phrases.use_text import idle_part

RESOURCES_NAMED = 8
"""How many machines an alarm names: the most that one rental has. Further ones are only counted."""


def _lost(context: EventContext) -> EventText:
    facts = context.facts
    why = reason(facts.why or Why.VENDOR_TOOK_IT, facts.vendor or context.details.rental.vendor)
    lead = f"Lost{context.when}"
    if facts.why in WHILE_AWAY:
        lead = f"Ended before{context.when}, while I was away" if context.timed else "Ended while I was away"
    return EventText(lead, join(f"{why}.", _cost(context)), colon=True)


def _destroying(context: EventContext) -> EventText:
    facts = context.facts
    why = reason(facts.why, facts.vendor) if facts.why else "it is no longer wanted"
    if facts.why in {None, Why.ASKED} and context.event.actor is not None:
        why = f"{context.actor} asked for it"
    if facts.why is Why.REPLACED and context.details.rental.replaced_by is not None:
        why = f"its place goes to {context.details.rental.replaced_by}"
    spent = cost_of(facts)
    return EventText(
        "Being destroyed", join(f"{why}.", f"{so_far(spent)}." if spent and spent.amount else None), colon=True
    )


def _not_confirmed(context: EventContext) -> EventText:
    facts = context.facts
    bills = f" {per_hour(facts.rate)}" if facts.rate is not None else ""
    last = (
        f"Last answer: {with_full_stop(escape(facts.detail, 200))}"
        if facts.detail and facts.detail.strip()
        else None
    )
    what = context.details.rental.id
    if facts.why in REPORTED_FAILED:
        made = "made" if facts.resource_id else "may have made"
        what = f"what {context.vendor_name} {made} for {what} after a failed purchase"
    rest = join(f"{what} may still bill{bills}{_which(facts)}. I keep trying.", last)
    return EventText("Not confirmed gone", rest, colon=True)


def _which(facts: Facts) -> str:
    """Return ` (resource 3c90c3cc)`, or several if they may still bill. Return an empty text if none is known."""
    ids = [facts.resource_id, *facts.more_resources] if facts.resource_id else []
    named = [short_resource_id(one) for one in ids[:RESOURCES_NAMED]]
    more = [f"{len(ids) - RESOURCES_NAMED} more"] if len(ids) > RESOURCES_NAMED else []
    return f" (resource{'s' if len(ids) > 1 else ''} {listed([*named, *more])})" if ids else ""


def short_resource_id(resource_id: str) -> str:
    """Return the first part of a UUID, which is enough to find the resource. Return any other id unchanged."""
    known = identifier(resource_id, 60)
    return known.split("-")[0] if len(known) == 36 and known.count("-") == 4 else known


def _taken_on(context: EventContext) -> EventText:
    return EventText(f"{context.actor} is on it", "I keep trying too.")


def _extra_resource(context: EventContext) -> EventText:
    facts = context.facts
    which = f" (resource {short_resource_id(facts.resource_id)})" if facts.resource_id else ""
    bills = (
        f"; it may bill {per_hour(facts.rate)} until the vendor confirms its end" if facts.rate is not None else ""
    )
    if facts.why in REPORTED_FAILED:
        return EventText(
            f"{sentence_case(context.vendor_name)} made a machine although it said that it failed{which}",
            f"I'm deleting it{bills}.",
        )
    return EventText(
        f"{sentence_case(context.vendor_name)} made a machine that nobody wants any more{which}",
        f"I'm deleting it{bills}.",
    )


def _extra_resource_gone(context: EventContext) -> EventText:
    """Return the text with the amount of the machine after a failed purchase, else with that of the whole
    rental."""
    spent = cost_of(context.facts)
    whose = "It cost" if context.facts.why in REPORTED_FAILED else "In all"
    return EventText(
        f"The extra machine at {context.vendor_name} ended{context.when}; the vendor confirms it",
        f"{whose} {computed(spent)}." if spent else "",
    )


def _cost(context: EventContext) -> str:
    """Return `$14.68, of which $3.10 idle: 6 h 4 min at $2.42/h. Estimate was $12.10.`"""
    facts = context.facts
    spent = cost_of(facts)
    if spent is None:
        return ""
    if spent.amount == 0 and not spent.estimated:
        return "It cost nothing." if context.details.attempts else "Nothing was rented."
    ran = span(facts.span) if facts.span else ""
    rate = f" at {per_hour(facts.rate)}" if facts.rate is not None else ""
    amount = in_all(spent) if ran else computed(spent)
    amount += f"{_idle_part(context)}{f': {ran}{rate}' if ran else ''}."
    guess = f"Estimate was {dollars(facts.estimate)}." if facts.estimate is not None else None
    return join(amount, guess)


def _idle_part(context: EventContext) -> str:
    """Return the share of the event's amount that was idle. Return an empty text if the amount has changed since,
    because something billed after this event."""
    details = context.details
    return idle_part(details.use_costs) if context.facts.amount == details.spent.amount else ""


def _ended(context: EventContext) -> EventText:
    facts = context.facts
    end = facts.end or State.DESTROYED
    cost = _cost(context)
    billed = bool(facts.amount or facts.estimated)
    if end is State.DESTROYED:
        return EventText(f"Ended{context.when}; the vendor confirms it", cost)
    confirmed = "Nothing of it bills any more; the vendor confirms it." if billed else None
    if facts.why is Why.BOUGHT_AFTER_BACKUP:
        now_is = f"It is {escape(facts.name, 20)} now." if facts.name else "It has ended."
        return EventText(
            f"{STATES[end]}{context.by_whom_and_when}", f"Its machine was found on the account. {now_is}"
        )
    if facts.why is Why.NOTHING_FITTED:
        lead = "Nothing could be rented" if context.details.attempts else "Nothing fitted"
        return EventText(f"{lead}{f' by{context.when}' if context.when else ''}", cost)
    if end in {State.FAILED, State.LOST}:
        why = reason(facts.why, facts.vendor or context.details.rental.vendor) if facts.why else None
        return EventText(
            f"{STATES[end]}{context.when}", join(f"{why}." if why else None, cost), colon=bool(why or cost)
        )
    if context.event.actor is not None:
        return EventText(f"{STATES[end]}{context.by_whom_and_when}", join(confirmed, cost))
    return EventText(f"{STATES[end]}{context.when}", join(confirmed, cost))


TEXTS: dict[EventKind, Callable[[EventContext], EventText]] = {
    EventKind.LOST: _lost,
    EventKind.DESTROYING: _destroying,
    EventKind.NOT_CONFIRMED: _not_confirmed,
    EventKind.TAKEN_ON: _taken_on,
    EventKind.EXTRA_RESOURCE: _extra_resource,
    EventKind.EXTRA_GONE: _extra_resource_gone,
    EventKind.ENDED: _ended,
}
