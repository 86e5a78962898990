"""From renting until it is ready."""

from __future__ import annotations

from collections.abc import Callable

from bot.model.attempt import Why
from bot.model.event import EventKind
from handlers.views.event_text.base import Said, Scene, detail, join, nothing, sentence_case
from handlers.views.format import about, difference, dollars, escape, per_hour, reason, span
from handlers.views.rental_text import machine, owner

GIVEN_UP = frozenset({Why.TOO_SLOW, Why.VENDOR_FAILED})
"""Why an accepted attempt is given up, which its own reply tells."""


def _renting(scene: Scene) -> Said:
    facts = scene.facts
    price = f" at {per_hour(facts.rate)}" if facts.rate is not None else ""
    if facts.before is None and facts.before_vendor is None:
        return Said(f"Renting from {scene.source}{price}")
    more = ""
    if facts.before is not None and facts.rate is not None:
        more = f", {difference(facts.before, facts.rate)}"
        more += ", within what you accepted" if facts.rate > facts.before else ""
    now = f"Now {scene.source}{price}{more}"
    if facts.why is None or (facts.why in GIVEN_UP and facts.paid is not False):
        return Said(now)
    failed = "; ".join(filter(None, (reason(facts.why, facts.before_vendor), nothing(facts.paid))))
    return Said(sentence_case(failed), f"{now}.")


def _no_answer(scene: Scene) -> Said:
    checking = "I'm checking and will say here. Don't rent again."
    match scene.facts.why:
        case None | Why.NO_ANSWER:
            return Said(f"I asked {scene.source} and got no answer", f"it may be rented. {checking}", colon=True)
        case Why.BOUGHT_BEFORE:
            lead = f"Compute Clear says that {scene.source}'s offer was bought already"
            return Said(lead, f"it may be rented. {checking}", colon=True)
        case Why.RATE_LIMITED | Why.UNAUTHORIZED as why:
            lead = f"I asked {scene.source}, but {reason(why)}"
            return Said(lead, f"it may be rented. {checking}", colon=True)
    return Said(
        f"{sentence_case(scene.source)} says that it failed", f"Something may be rented all the same. {checking}"
    )


def _attempt_failed(scene: Scene) -> Said:
    facts = scene.facts
    why = reason(facts.why or Why.VENDOR_FAILED, facts.vendor)
    cost = nothing(facts.paid)
    if facts.paid:
        cost = "it may have cost something" if facts.amount is None else f"it cost {dollars(facts.amount)}"
    return Said(sentence_case(why) + (f"; {cost}" if cost else ""), detail(facts))


def _given_up(scene: Scene) -> Said:
    facts = scene.facts
    late = f" in {about(facts.span)}" if facts.span else ""
    return Said(
        f"{sentence_case(scene.source)} did not get it ready{late}",
        join(
            "I'm destroying that machine; it may bill until it is gone. Then I look for the next offer.",
            detail(facts),
        ),
    )


def _accepted(scene: Scene) -> Said:
    usual = f"Usually ready in {about(scene.facts.span)}." if scene.facts.span else ""
    return Said(f"{sentence_case(scene.source)} accepted; the machine is starting", usual)


def _waiting(scene: Scene) -> Said:
    facts = scene.facts
    until = f"I try until {scene.at.at(facts.until)}, then ask again." if facts.until else "I go on trying."
    return Said("Held up", f"{reason(facts.why or Why.OUTAGE, facts.vendor)}. {until}", colon=True)


def _progress(scene: Scene) -> Said:
    return Said("Starting", f"{escape(scene.facts.progress or 'on its way')}.", colon=True)


def _silent(_: Scene) -> Said:
    return Said("It runs, but nothing answers on its SSH port yet", "It may need another minute.")


def _ready(scene: Scene) -> Said:
    took = f" after {span(scene.facts.span)}" if scene.facts.span else ""
    return Said(f"Ready{took}", f"{owner(scene.details)}'s {machine(scene.details)}.", colon=True)


TELLERS: dict[EventKind, Callable[[Scene], Said]] = {
    EventKind.RENTING: _renting,
    EventKind.NO_ANSWER: _no_answer,
    EventKind.ATTEMPT_FAILED: _attempt_failed,
    EventKind.GIVEN_UP: _given_up,
    EventKind.ACCEPTED: _accepted,
    EventKind.WAITING: _waiting,
    EventKind.PROGRESS: _progress,
    EventKind.SILENT: _silent,
    EventKind.READY: _ready,
}
