"""Requests and decisions."""

from __future__ import annotations

from collections.abc import Callable

from bot.model.attempt import Why
from bot.model.event import EventKind, Facts
from handlers.messages.composition import (
    EventContext,
    EventText,
    allowed_text,
    cost_of,
    over_budget,
    sentence_case,
    total_text,
)
from handlers.phrases.asked_text import asked_by_event, away_text
from handlers.phrases.format import (
    difference,
    escape,
    join,
    limit_per_hour,
    per_hour,
)
from handlers.phrases.machine_text import describe, place
from handlers.phrases.rental_text import people_text, so_far, why_asked_again, without_key_text


def _asked(context: EventContext) -> EventText:
    return EventText(
        "Approval asked for",
        join(
            allowed_text(context.facts), total_text(context.facts), asked_by_event(context.facts, context.details)
        ),
        colon=True,
    )


def _asked_again(context: EventContext) -> EventText:
    facts = context.facts
    why = why_asked_again(context.event)
    expires = f"Expires {context.times.date_and_time(facts.until)}." if facts.until else None
    if facts.why is Why.TOO_LITTLE_TIME:
        later = "It needs a later end."
        return EventText(
            "Waiting for a decision", join(f"{why}.", _cost_by_then(facts), later, expires), colon=True
        )
    now = f"{per_hour(facts.rate)} now" if facts.rate is not None else None
    if now and facts.vendor:
        now += f" from {place(facts.vendor, facts.vendor_region)}"
    if now and facts.before is not None and facts.rate is not None and facts.rate > facts.before:
        allowed = f"the {limit_per_hour(facts.before)} that {context.owner} allowed"
        over = difference(facts.before, facts.rate, allowed)
        why, now = f"it costs {now}, {over}", None
    return EventText(
        "Waiting for a decision",
        join(
            f"{why}.",
            _cost_by_then(facts),
            f"{now}." if now else None,
            asked_by_event(facts, context.details),
            expires,
        ),
        colon=True,
    )


def _cost_by_then(facts: Facts) -> str | None:
    """Return what the rental has cost. Return None if the event doesn't say: an attempt may still bill, or a
    machine of the rental was bought after the database was saved.

    Without these words, people would still believe an earlier "it may be rented".
    """
    cost = cost_of(facts)
    if cost is None:
        return None
    return "Nothing is rented." if cost.amount == 0 and not cost.estimated else f"{so_far(cost)}."


def _changed(context: EventContext) -> EventText:
    envelope = context.details.rental.envelope
    now = f"now {describe(envelope)}." if envelope.version == context.facts.envelope else None
    return EventText(
        f"{context.actor} changed the request",
        join(
            now,
            sentence_case(allowed_text(context.facts)),
            total_text(context.facts),
            asked_by_event(context.facts, context.details),
        ),
        colon=now is not None,
    )


def _approved(context: EventContext) -> EventText:
    if context.event.actor == context.owner_id and context.facts.self_approved is False:
        return EventText(f"{context.actor} goes on", allowed_text(context.facts), colon=True)
    own = " (own request)" if context.facts.self_approved else ""
    over = over_budget(context)
    return EventText(f"Approved{context.by_whom_and_when}{own}{over}", allowed_text(context.facts), colon=True)


def _approved_not_ready(context: EventContext) -> EventText:
    """Return who approved the request and when. The approval is the last one before this event."""
    approvals = [
        event
        for event in context.details.events
        if event.kind is EventKind.APPROVED and event.at <= context.event.at
    ]
    if not approvals:
        return EventText("Approved")
    return EventText(f"Approved{context._replace(event=approvals[-1]).by_whom_and_when}")


def _request_over(word: str) -> Callable[[EventContext], EventText]:
    """Return the writer for a request that ended without a machine: denied, expired or withdrawn."""

    def write(context: EventContext) -> EventText:
        cost = cost_of(context.facts)
        rest = ""
        if cost is not None and cost.amount == 0 and not cost.estimated:
            rest = "It cost nothing." if context.details.attempts else "Nothing was rented."
        elif cost is not None:
            rest = f"{sentence_case(so_far(cost))}."
        why = context.said
        return EventText(
            f"{word}{context.by_whom_and_when}", join(f"{why}." if why else "", rest), colon=bool(why)
        )

    return write


def _deciders_changed(context: EventContext) -> EventText:
    people = people_text([context.details.names.get(one, one) for one in context.facts.people or ()])
    if context.facts.admins_decide:
        return EventText("No approver is left", f"Admins are asked: {people}." if people else "Admins decide.")
    return EventText("Approvers decide again", f"Asked: {people}." if people else "")


def _approvers_reminded(context: EventContext) -> EventText:
    names = [context.details.names.get(one, one) for one in context.facts.people or ()]
    return EventText(f"{people_text(names) or 'Nobody'} {'was' if len(names) == 1 else 'were'} reminded")


def _others_asked(context: EventContext) -> EventText:
    names = context.details.names
    asked = [names.get(one, one) for one in context.facts.then or ()]
    away = [names.get(one, one) for one in context.facts.away or ()]
    lead = away_text(away) if away else "Nobody has decided yet"
    return EventText(f"{lead}, so {people_text(asked)} {'is' if len(asked) == 1 else 'are'} asked")


def _started(context: EventContext) -> EventText:
    allowed, replaced = allowed_text(context.facts), context.facts.name
    if replaced is not None:
        return EventText(f"{context.actor} rented it in the place of {escape(replaced, 20)}", allowed, colon=True)
    return EventText(f"{context.actor} rented within the limits", allowed, colon=True)


def _teammate_added(context: EventContext) -> EventText:
    def names(people: tuple[str, ...] | None) -> list[str]:
        return [context.details.names.get(person, person) for person in people or ()]

    added = people_text(names(context.facts.people))
    return EventText(
        f"{context.actor} lets in {added or 'someone'}", without_key_text(names(context.facts.without_key))
    )


TEXTS: dict[EventKind, Callable[[EventContext], EventText]] = {
    EventKind.ASKED: _asked,
    EventKind.ASKED_AGAIN: _asked_again,
    EventKind.CHANGED: _changed,
    EventKind.APPROVED: _approved,
    EventKind.APPROVED_NOT_READY: _approved_not_ready,
    EventKind.DECIDERS_CHANGED: _deciders_changed,
    EventKind.APPROVERS_REMINDED: _approvers_reminded,
    EventKind.OTHERS_ASKED: _others_asked,
    EventKind.DENIED: _request_over("Denied"),
    EventKind.EXPIRED: _request_over("Expired"),
    EventKind.WITHDRAWN: _request_over("Withdrawn"),
    EventKind.STARTED: _started,
    EventKind.TEAMMATE_ADDED: _teammate_added,
}
