"""Ending, and what may still bill."""

from __future__ import annotations

from collections.abc import Callable

from bot.model.attempt import Why
from bot.model.event import EventKind
from bot.model.state import State
from handlers.views.event_text.base import Said, Scene, billed, join, sentence_case
from handlers.views.format import STATES, dollars, ended, escape, per_hour, reason, span
from handlers.views.rental_text import computed, so_far


def _lost(scene: Scene) -> Said:
    facts = scene.facts
    why = reason(facts.why or Why.VENDOR_TOOK_IT, facts.vendor or scene.details.rental.vendor)
    return Said(f"Lost{scene.moment}", join(f"{why}.", _cost(scene)), colon=True)


def _destroying(scene: Scene) -> Said:
    facts = scene.facts
    why = reason(facts.why, facts.vendor) if facts.why else "it is no longer wanted"
    if facts.why in {None, Why.ASKED} and scene.event.actor is not None:
        why = f"{scene.actor} asked for it"
    bill = billed(facts)
    return Said(
        "Being destroyed", join(f"{why}.", f"{so_far(bill)}." if bill and bill.amount else None), colon=True
    )


def _not_confirmed(scene: Scene) -> Said:
    facts = scene.facts
    bills = f" {per_hour(facts.rate)}" if facts.rate is not None else ""
    which = f" (resource {short(facts.resource_id)})" if facts.resource_id else ""
    last = f"Last answer: {ended(escape(facts.detail, 200))}" if facts.detail and facts.detail.strip() else None
    rest = join(f"{scene.details.rental.id} may still bill{bills}{which}. I keep trying.", last)
    return Said("Not confirmed gone", rest, colon=True)


def short(resource_id: str) -> str:
    """The first part of a long id, enough to find it by."""
    known = escape(resource_id, 60)
    return known.split("-")[0] if len(known) == 36 and known.count("-") == 4 else known


def _taken_on(scene: Scene) -> Said:
    return Said(f"{scene.actor} is on it", "I keep trying too.")


def _extra(scene: Scene) -> Said:
    facts = scene.facts
    which = f" (resource {short(facts.resource_id)})" if facts.resource_id else ""
    bills = f"; it may bill {per_hour(facts.rate)} until it is gone" if facts.rate is not None else ""
    return Said(
        f"{sentence_case(scene.source)} made a machine that nobody wants any more{which}",
        f"I'm deleting it{bills}.",
    )


def _extra_gone(scene: Scene) -> Said:
    bill = billed(scene.facts)
    return Said(
        f"Gone{scene.moment} too, confirmed by the vendor",
        f"In all {computed(bill)}." if bill else "",
    )


def _cost(scene: Scene) -> str:
    """`6 h 4 min at $2.42/h: $14.68 computed. Estimate was $14.52.`"""
    facts = scene.facts
    bill = billed(facts)
    if bill is None:
        return ""
    if bill.amount == 0 and not bill.estimated:
        return "It cost nothing." if scene.details.attempts else "Nothing was rented."
    ran = span(facts.span) if facts.span else ""
    rate = f" at {per_hour(facts.rate)}" if facts.rate is not None and ran else ""
    amount = f"{ran}{rate}: {computed(bill)}." if ran else f"{sentence_case(computed(bill))}."
    guess = f"Estimate was {dollars(facts.estimate)}." if facts.estimate is not None else None
    return join(amount, guess)


def _ended(scene: Scene) -> Said:
    facts = scene.facts
    end = facts.end or State.DESTROYED
    cost = _cost(scene)
    existed = bool(facts.amount or facts.estimated)
    if end is State.DESTROYED:
        return Said(f"Gone{scene.moment}, confirmed by the vendor", cost)
    gone = "Everything is gone, confirmed by the vendor." if existed else None
    if end in {State.FAILED, State.LOST}:
        why = reason(facts.why, facts.vendor or scene.details.rental.vendor) if facts.why else None
        return Said(
            f"{STATES[end]}{scene.moment}", join(f"{why}." if why else None, cost), colon=bool(why or cost)
        )
    if scene.event.actor is not None:
        return Said(f"{STATES[end]}{scene.by_at}", join(gone, cost))
    return Said(f"{STATES[end]}{scene.moment}", join(gone, cost))


TELLERS: dict[EventKind, Callable[[Scene], Said]] = {
    EventKind.LOST: _lost,
    EventKind.DESTROYING: _destroying,
    EventKind.NOT_CONFIRMED: _not_confirmed,
    EventKind.TAKEN_ON: _taken_on,
    EventKind.EXTRA_RESOURCE: _extra,
    EventKind.EXTRA_GONE: _extra_gone,
    EventKind.ENDED: _ended,
}
