"""What the words of an event are made of."""

from __future__ import annotations

from typing import NamedTuple

from bot.model.event import Event, Facts
from bot.model.summary import AccruedCost, RentalDetails
from handlers.views.format import Times, dollars_at_most, escape, per_hour, person, sentence, span
from handlers.views.machine_text import vendor


def sentence_case(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


class EventText(NamedTuple):
    """The words of an event: the lead, and the rest, which follows a colon or is sentences of its own."""

    lead: str
    rest: str = ""
    colon: bool = False

    @property
    def text(self) -> str:
        """Return both as one text."""
        if not self.rest:
            return sentence(self.lead)
        return f"{self.lead}: {self.rest}" if self.colon else f"{sentence(self.lead)} {sentence_case(self.rest)}"

    def about(self, subject: str) -> str:
        """Return both with `subject` between them, for a place that doesn't show which rental it is."""
        return f"{self.lead}: {subject}. {sentence_case(self.rest)}".rstrip()


class EventContext(NamedTuple):
    """An event, and what its words need besides it."""

    event: Event
    details: RentalDetails
    times: Times
    timed: bool = True
    """Whether the words say when it happened. A history has the time before each line."""

    @property
    def facts(self) -> Facts:
        """Return the event's facts."""
        return self.event.facts

    @property
    def actor(self) -> str:
        """Return the name of the person who did it."""
        return person(self.details.names, self.event.actor)

    @property
    def moment(self) -> str:
        """Return ` 18:41`, to follow a state, or an empty text unless `timed`."""
        return f" {self.times.time(self.event.at)}" if self.timed else ""

    @property
    def by_at(self) -> str:
        """Return ` by Ben at 14:12`, or ` at 22:05` if the bot did it on its own."""
        by = f" by {self.actor}" if self.event.actor else ""
        return by + (f" {self.times.at_time(self.event.at)}" if self.timed else "")

    @property
    def source(self) -> str:
        """Return `Hyperstack`, or `the vendor` if the event doesn't name it."""
        return vendor(self.facts.vendor)


def join(*parts: str | None) -> str:
    """Return the parts that aren't empty as one text."""
    return " ".join(part for part in parts if part)


def allowed(facts: Facts) -> str:
    """Return `up to $21.16/h for 6 h.`"""
    parts = [
        f"up to {per_hour(facts.max_rate)}" if facts.max_rate is not None else "",
        f"for {span(facts.hours)}" if facts.hours is not None else "",
    ]
    text = join(*parts)
    return f"{text}." if text else ""


def total_text(facts: Facts) -> str | None:
    """Return `At most $137.54 in all.`"""
    return f"At most {dollars_at_most(facts.total)} in all." if facts.total is not None else None


def free_text(paid: bool | None) -> str:
    """Return `it cost nothing` if the store knows that, else an empty text."""
    return "" if paid is not False else "it cost nothing"


def cost_of(facts: Facts) -> AccruedCost | None:
    """Return what the rental has cost, or None if the event doesn't say."""
    return None if facts.amount is None else AccruedCost(amount=facts.amount, estimated=bool(facts.estimated))


def market_answer(facts: Facts) -> str:
    """Return what the market answered, in its own words."""
    return f"Its answer: {sentence(escape(facts.detail, 200))}" if facts.detail and facts.detail.strip() else ""
