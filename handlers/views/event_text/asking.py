"""Asking and deciding."""

from __future__ import annotations

from collections.abc import Callable

from bot.model.event import EventKind, Facts
from handlers.views.event_text.base import Said, Scene, allowed, billed, in_all, join, sentence_case
from handlers.views.format import difference, per_hour, place, reason, what
from handlers.views.rental_text import so_far


def _asked(scene: Scene) -> Said:
    return Said("Approval asked for", join(allowed(scene.facts), in_all(scene.facts)), colon=True)


def _asked_again(scene: Scene) -> Said:
    facts = scene.facts
    why = reason(facts.why, facts.vendor) if facts.why else "it is outside what was allowed"
    now = f"Now {per_hour(facts.rate)}" if facts.rate is not None else None
    if now and facts.vendor:
        now += f" from {place(facts.vendor, facts.vendor_region)}"
    more = ""
    if facts.before is not None and facts.rate is not None and facts.rate > facts.before:
        more = f", {difference(facts.before, facts.rate)}"
    expires = f"Expires {scene.at.on(facts.until)}." if facts.until else None
    return Said(
        "Waiting for a decision",
        join(f"{why}.", _by_then(facts), f"{now}{more}." if now else None, expires),
        colon=True,
    )


def _by_then(facts: Facts) -> str | None:
    """What it has cost, where nothing of it is alive: whoever read that it may be rented learns that it isn't."""
    bill = billed(facts)
    if bill is None:
        return None
    return "Nothing is rented." if bill.amount == 0 and not bill.estimated else f"{so_far(bill)}."


def _changed(scene: Scene) -> Said:
    envelope = scene.details.rental.envelope
    now = f"now {what(envelope)}." if envelope.version == scene.facts.envelope else None
    return Said(
        f"{scene.actor} changed the request",
        join(now, sentence_case(allowed(scene.facts)), in_all(scene.facts)),
        colon=now is not None,
    )


def _approved(scene: Scene) -> Said:
    if scene.event.actor == scene.details.rental.owner and scene.facts.self_approved is False:
        return Said(f"{scene.actor} goes on", allowed(scene.facts), colon=True)
    own = " (own request)" if scene.facts.self_approved else ""
    return Said(f"Approved{scene.by_at}{own}", allowed(scene.facts), colon=True)


def _no_more(word: str) -> Callable[[Scene], Said]:
    """Denied, expired, withdrawn. Where something still runs, its destruction is told too."""

    def tell(scene: Scene) -> Said:
        bill = billed(scene.facts)
        rest = ""
        if bill is not None and bill.amount == 0 and not bill.estimated:
            rest = "It cost nothing." if scene.details.attempts else "Nothing was rented."
        elif bill is not None:
            rest = f"{sentence_case(so_far(bill))}."
        return Said(f"{word}{scene.by_at}", rest)

    return tell


def _started(scene: Scene) -> Said:
    return Said(f"{scene.actor} rented within the limits", allowed(scene.facts), colon=True)


TELLERS: dict[EventKind, Callable[[Scene], Said]] = {
    EventKind.ASKED: _asked,
    EventKind.ASKED_AGAIN: _asked_again,
    EventKind.CHANGED: _changed,
    EventKind.APPROVED: _approved,
    EventKind.DENIED: _no_more("Denied"),
    EventKind.EXPIRED: _no_more("Expired"),
    EventKind.WITHDRAWN: _no_more("Withdrawn"),
    EventKind.STARTED: _started,
}
