"""What each event says, from its facts alone. Threads, direct messages and histories tell it in these words.

A fact that an event doesn't carry is left out of its sentence, so the same words serve readers who may not see
another's money (`without_money`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bot.model.attempt import Why
from bot.model.event import Event, EventKind, Facts
from bot.model.state import State
from bot.model.story import Spent, Story
from handlers.views.about import computed, machine, owner, so_far
from handlers.views.words import (
    STATES,
    Times,
    about,
    difference,
    dollars,
    dollars_at_most,
    escape,
    per_hour,
    person,
    place,
    reason,
    sentence,
    span,
    vendor,
    what,
)


class Said(NamedTuple):
    """A reply: what leads, and the rest, which follows after a colon or as sentences of its own."""

    lead: str
    rest: str = ""
    colon: bool = False

    @property
    def text(self) -> str:
        """Both as one text."""
        if not self.rest:
            return sentence(self.lead)
        return f"{self.lead}: {self.rest}" if self.colon else f"{sentence(self.lead)} {sentence_case(self.rest)}"

    def of(self, about_what: str) -> str:
        """The same, naming what it is about where the place doesn't say it."""
        return f"{self.lead}: {about_what}. {sentence_case(self.rest)}".rstrip()


class Scene(NamedTuple):
    """What a sentence is made of."""

    event: Event
    story: Story
    at: Times

    @property
    def facts(self) -> Facts:
        """The event's own."""
        return self.event.facts

    @property
    def actor(self) -> str:
        """Who did it."""
        return person(self.story.names, self.event.actor)

    @property
    def source(self) -> str:
        """Where from: `Hyperstack`, or `the vendor`."""
        return vendor(self.facts.vendor)


def sentence_case(text: str) -> str:
    """With a capital first."""
    return text[:1].upper() + text[1:]


def said(event: Event, story: Story, at: Times) -> Said | None:
    """The words of an event of a rental; None for the account's own events."""
    teller = TELLERS.get(event.kind)
    return teller(Scene(event, story, at)) if teller else None


def without_money(facts: Facts) -> Facts:
    """The facts for readers whom the money doesn't concern."""
    nothing = dict.fromkeys(("rate", "before", "max_rate", "total", "amount", "estimate", "estimated", "paid"))
    return facts.model_copy(update=nothing)


def _join(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)


def _allowed(facts: Facts) -> str:
    """`up to $21.16/h for 6 h.`"""
    parts = [
        f"up to {per_hour(facts.max_rate)}" if facts.max_rate is not None else "",
        f"for {span(facts.hours)}" if facts.hours is not None else "",
    ]
    text = _join(*parts)
    return f"{text}." if text else ""


def _in_all(facts: Facts) -> str | None:
    return f"At most {dollars_at_most(facts.total)} in all." if facts.total is not None else None


def _paid(paid: bool | None) -> str:
    return "" if paid is not False else "it cost nothing"


def _bill(facts: Facts) -> Spent | None:
    return None if facts.amount is None else Spent(amount=facts.amount, estimated=bool(facts.estimated))


# --- asking and deciding


def _asked(scene: Scene) -> Said:
    return Said("Approval asked for", _join(_allowed(scene.facts), _in_all(scene.facts)), colon=True)


def _asked_again(scene: Scene) -> Said:
    facts = scene.facts
    why = reason(facts.why, facts.vendor) if facts.why else "it is outside what was allowed"
    now = f"Now {per_hour(facts.rate)}" if facts.rate is not None else None
    if now and facts.vendor:
        now += f" from {place(facts.vendor, facts.vendor_region)}"
    more = (
        f", {difference(facts.before, facts.rate)}" if facts.before is not None and facts.rate is not None else ""
    )
    lapses = f"Lapses {scene.at.on(facts.until)}." if facts.until else None
    return Said("Waiting for a decision", _join(f"{why}.", f"{now}{more}." if now else None, lapses), colon=True)


def _changed(scene: Scene) -> Said:
    envelope = scene.story.rental.envelope
    now = f"now {what(envelope)}." if envelope.version == scene.facts.envelope else None
    return Said(
        f"{scene.actor} changed the request",
        _join(now, sentence_case(_allowed(scene.facts)), _in_all(scene.facts)),
        colon=now is not None,
    )


def _approved(scene: Scene) -> Said:
    when = scene.at.at(scene.event.at)
    own = " (own request)" if scene.facts.self_approved else ""
    return Said(f"Approved by {scene.actor}{own} at {when}", _allowed(scene.facts), colon=True)


def _no_more(word: str) -> Callable[[Scene], Said]:
    """Denied, lapsed, withdrawn. Where something still runs, its destruction is told too."""

    def tell(scene: Scene) -> Said:
        by = f" by {scene.actor}" if scene.event.actor else ""
        bill = _bill(scene.facts)
        rest = ""
        if bill is not None:
            nothing = bill.amount == 0 and not bill.estimated
            rest = "It cost nothing." if nothing else f"{sentence_case(so_far(bill))}."
        return Said(f"{word}{by} at {scene.at.at(scene.event.at)}", rest)

    return tell


def _started(scene: Scene) -> Said:
    return Said(f"{scene.actor} rented within the limits", _allowed(scene.facts), colon=True)


# --- buying and making


def _renting(scene: Scene) -> Said:
    facts = scene.facts
    price = f" at {per_hour(facts.rate)}" if facts.rate is not None else ""
    failed = None
    if facts.before_vendor and facts.why:
        nothing = f"; {_paid(facts.paid)}" if _paid(facts.paid) else ""
        failed = f"{reason(facts.why, facts.before_vendor)}{nothing}."
    if facts.before is None and failed is None:
        return Said(f"Renting from {scene.source}{price}")
    more = [f", {difference(facts.before, facts.rate)}" if facts.before is not None and facts.rate else ""]
    if facts.rate is not None and facts.max_rate is not None and facts.rate <= facts.max_rate:
        more.append(", within what you accepted")
    now = f"Now {scene.source}{price}{''.join(more)}"
    return Said(sentence_case(failed), f"{now}.") if failed else Said(now)


def _no_answer(scene: Scene) -> Said:
    return Said(
        f"I asked {scene.source} and got no answer",
        "it may be rented. I'm checking and will say here. Don't rent again.",
        colon=True,
    )


def _attempt_failed(scene: Scene) -> Said:
    facts = scene.facts
    why = reason(facts.why or Why.VENDOR_FAILED, facts.vendor)
    cost = _paid(facts.paid)
    if facts.paid:
        cost = "it may have cost something" if facts.amount is None else f"it cost {dollars(facts.amount)}"
    return Said(sentence_case(why) + (f"; {cost}" if cost else ""), _detail(facts))


def _detail(facts: Facts) -> str:
    return f"Its answer: {escape(facts.detail, 200)}." if facts.detail and facts.detail.strip() else ""


def _given_up(scene: Scene) -> Said:
    facts = scene.facts
    late = f" in {about(facts.span)}" if facts.span else ""
    return Said(
        f"{sentence_case(scene.source)} did not get it ready{late}",
        _join("I'm destroying that machine; it bills until it is gone. The next offer follows.", _detail(facts)),
    )


def _accepted(scene: Scene) -> Said:
    usual = f"Usually ready in {about(scene.facts.span)}." if scene.facts.span else ""
    return Said(f"{sentence_case(scene.source)} accepted; the machine is being made", usual)


def _waiting(scene: Scene) -> Said:
    facts = scene.facts
    until = f"I try until {scene.at.at(facts.until)}, then ask again." if facts.until else "I go on trying."
    return Said("Held up", f"{reason(facts.why or Why.OUTAGE, facts.vendor)}. {until}", colon=True)


def _progress(scene: Scene) -> Said:
    return Said("Being made", f"{escape(scene.facts.progress or 'on its way')}.", colon=True)


def _silent(_: Scene) -> Said:
    return Said("It runs, but nothing answers on its SSH port yet", "It may need another minute.")


def _ready(scene: Scene) -> Said:
    took = f" after {span(scene.facts.span)}" if scene.facts.span else ""
    return Said(f"Ready{took}", f"{owner(scene.story)}'s {machine(scene.story)}.", colon=True)


# --- while it runs


def _kept(scene: Scene) -> Said:
    facts, ends = scene.facts, scene.story.rental.ends_at
    again = f"I ask again at {scene.at.at(facts.until)}" if facts.until else "I ask again later"
    either = f"; it ends {scene.at.at(ends)} either way" if ends else ""
    return Said(f"{scene.actor} keeps it", f"{again}{either}.")


def _still_needed(scene: Scene) -> Said:
    quiet = f", nothing here for {span(scene.facts.span)}" if scene.facts.span else ""
    return Said(f"Asked whether it is still needed{quiet}")


def _ending(scene: Scene) -> Said:
    end = f" {scene.at.at(scene.facts.until)}" if scene.facts.until else ""
    return Said(f"Told that it ends{end}")


def _end_word(scene: Scene) -> str:
    return scene.at.at(scene.facts.until) if scene.facts.until else "as before"


def _extended(scene: Scene) -> Said:
    by = f" by {span(scene.facts.span)}" if scene.facts.span else ""
    return Said(f"{scene.actor} extended it{by}", f"it ends {_end_word(scene)}.", colon=True)


def _extension_asked(scene: Scene) -> Said:
    until = f", until {_end_word(scene)}" if scene.facts.until else ""
    stands = f" Its end, {scene.at.at(scene.facts.since)}, stands until then." if scene.facts.since else ""
    more = f"{span(scene.facts.span)} more" if scene.facts.span else "more time"
    return Said(f"{scene.actor} asks for {more}{until}", f"An approver decides.{stands}")


def _extension_approved(scene: Scene) -> Said:
    own = " (own request)" if scene.facts.self_approved else ""
    return Said(f"More time approved by {scene.actor}{own}", f"it ends {_end_word(scene)}.", colon=True)


def _extension_over(words: str) -> Callable[[Scene], Said]:
    def tell(scene: Scene) -> Said:
        by = f" by {scene.actor}" if scene.event.actor else ""
        return Said(f"{words}{by}", f"it ends {_end_word(scene)}.", colon=True)

    return tell


# --- ending


def _lost(scene: Scene) -> Said:
    facts = scene.facts
    why = reason(facts.why or Why.VENDOR_TOOK_IT, facts.vendor or scene.story.rental.vendor)
    return Said(f"Lost {scene.at.at(scene.event.at)}", _join(f"{why}.", _cost(facts)), colon=True)


def _destroying(scene: Scene) -> Said:
    facts = scene.facts
    why = reason(facts.why, facts.vendor) if facts.why else "it is no longer wanted"
    if facts.why in {None, Why.ASKED} and scene.event.actor is not None:
        why = f"{scene.actor} asked for it"
    bill = _bill(facts)
    return Said(
        "Being destroyed", _join(f"{why}.", f"{so_far(bill)}." if bill and bill.amount else None), colon=True
    )


def _not_confirmed(scene: Scene) -> Said:
    facts = scene.facts
    bills = f" {per_hour(facts.rate)}" if facts.rate is not None else ""
    which = f" (resource {short(facts.resource_id)})" if facts.resource_id else ""
    last = f"Last answer: {escape(facts.detail, 200)}." if facts.detail and facts.detail.strip() else None
    rest = _join(f"{scene.story.rental.id} may still bill{bills}{which}. I keep trying.", last)
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
    bills = f", and may bill {per_hour(facts.rate)} until it is gone" if facts.rate is not None else ""
    return Said(
        f"{sentence_case(scene.source)} made a machine that nobody wants any more{which}",
        f"I'm deleting it{bills}.",
    )


def _cost(facts: Facts) -> str:
    """`6 h 4 min at $2.42/h: $14.68 computed. Estimate was $14.52.`"""
    bill = _bill(facts)
    if bill is None:
        return ""
    if bill.amount == 0 and not bill.estimated:
        return "It cost nothing."
    ran = span(facts.span) if facts.span else ""
    rate = f" at {per_hour(facts.rate)}" if facts.rate is not None and ran else ""
    amount = f"{ran}{rate}: {computed(bill)}." if ran else f"{sentence_case(computed(bill))}."
    guess = f"Estimate was {dollars(facts.estimate)}." if facts.estimate is not None else None
    return _join(amount, guess)


def _ended(scene: Scene) -> Said:
    facts = scene.facts
    end = facts.end or State.DESTROYED
    when = scene.at.at(scene.event.at)
    cost = _cost(facts)
    existed = bool(facts.amount or facts.estimated)
    if end is State.DESTROYED:
        return Said(f"Gone {when}, confirmed by the vendor", cost)
    by = f" by {scene.actor}" if scene.event.actor else ""
    gone = "Everything is gone, confirmed by the vendor." if existed else None
    if end in {State.FAILED, State.LOST}:
        why = reason(facts.why, facts.vendor or scene.story.rental.vendor) if facts.why else None
        return Said(f"{STATES[end]} {when}", _join(f"{why}." if why else None, cost), colon=bool(why or cost))
    return Said(f"{STATES[end]} {when}{by}", _join(gone, cost))


TELLERS: dict[EventKind, Callable[[Scene], Said]] = {
    EventKind.ASKED: _asked,
    EventKind.ASKED_AGAIN: _asked_again,
    EventKind.CHANGED: _changed,
    EventKind.APPROVED: _approved,
    EventKind.DENIED: _no_more("Denied"),
    EventKind.LAPSED: _no_more("Lapsed"),
    EventKind.WITHDRAWN: _no_more("Withdrawn"),
    EventKind.STARTED: _started,
    EventKind.RENTING: _renting,
    EventKind.NO_ANSWER: _no_answer,
    EventKind.ATTEMPT_FAILED: _attempt_failed,
    EventKind.GIVEN_UP: _given_up,
    EventKind.ACCEPTED: _accepted,
    EventKind.WAITING: _waiting,
    EventKind.PROGRESS: _progress,
    EventKind.SILENT: _silent,
    EventKind.READY: _ready,
    EventKind.KEPT: _kept,
    EventKind.STILL_NEEDED: _still_needed,
    EventKind.ENDING: _ending,
    EventKind.EXTENDED: _extended,
    EventKind.EXTENSION_ASKED: _extension_asked,
    EventKind.EXTENSION_APPROVED: _extension_approved,
    EventKind.EXTENSION_DENIED: _extension_over("More time denied"),
    EventKind.EXTENSION_WITHDRAWN: _extension_over("More time no longer asked for"),
    EventKind.EXTENSION_LAPSED: _extension_over("Nobody decided on more time"),
    EventKind.LOST: _lost,
    EventKind.DESTROYING: _destroying,
    EventKind.NOT_CONFIRMED: _not_confirmed,
    EventKind.TAKEN_ON: _taken_on,
    EventKind.EXTRA_RESOURCE: _extra,
    EventKind.ENDED: _ended,
}
