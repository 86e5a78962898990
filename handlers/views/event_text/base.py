"""What a reply is made of."""

from __future__ import annotations

from typing import NamedTuple

from bot.model.event import Event, Facts
from bot.model.summary import AccruedCost, RentalDetails
from handlers.views.format import Times, dollars_at_most, escape, per_hour, person, sentence, span, vendor


def sentence_case(text: str) -> str:
    """With a capital first."""
    return text[:1].upper() + text[1:]


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
    details: RentalDetails
    at: Times
    timed: bool = True
    """Whether it says when it happened; a history has the time before each line."""

    @property
    def facts(self) -> Facts:
        """The event's own."""
        return self.event.facts

    @property
    def actor(self) -> str:
        """Who did it."""
        return person(self.details.names, self.event.actor)

    @property
    def moment(self) -> str:
        """` 18:41`, after a state."""
        return f" {self.at.at(self.event.at)}" if self.timed else ""

    @property
    def by_at(self) -> str:
        """` by Ben at 14:12`, after what someone did; by itself ` at 22:05`."""
        by = f" by {self.actor}" if self.event.actor else ""
        return by + (f" {self.at.when(self.event.at)}" if self.timed else "")

    @property
    def source(self) -> str:
        """Where from: `Hyperstack`, or `the vendor`."""
        return vendor(self.facts.vendor)


def join(*parts: str | None) -> str:
    """The parts that there are, as one text."""
    return " ".join(part for part in parts if part)


def allowed(facts: Facts) -> str:
    """`up to $21.16/h for 6 h.`"""
    parts = [
        f"up to {per_hour(facts.max_rate)}" if facts.max_rate is not None else "",
        f"for {span(facts.hours)}" if facts.hours is not None else "",
    ]
    text = join(*parts)
    return f"{text}." if text else ""


def in_all(facts: Facts) -> str | None:
    """`At most $137.54 in all.`"""
    return f"At most {dollars_at_most(facts.total)} in all." if facts.total is not None else None


def nothing(paid: bool | None) -> str:
    """`it cost nothing`, where the store knows it."""
    return "" if paid is not False else "it cost nothing"


def billed(facts: Facts) -> AccruedCost | None:
    """What it cost, where that is known."""
    return None if facts.amount is None else AccruedCost(amount=facts.amount, estimated=bool(facts.estimated))


def detail(facts: Facts) -> str:
    """The market's own words."""
    return f"Its answer: {sentence(escape(facts.detail, 200))}" if facts.detail and facts.detail.strip() else ""
