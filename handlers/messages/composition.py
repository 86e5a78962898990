"""The parts of an event's text, and what its writers are given."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from bot.model.event import Event, Facts
from bot.model.person import OPERATOR
from bot.model.summary import AccruedCost, RentalDetails
from bot.model.text import about_span, say_at_most, span
from handlers.phrases.budget_text import whose_budget
from handlers.phrases.format import Times, actor, escape, join, limit_per_hour, per_hour, person, sentence
from handlers.phrases.machine_text import vendor


def sentence_case(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


class EventText(NamedTuple):
    """The text of an event: a clause, and a rest that follows a colon or is sentences of its own."""

    lead: str
    rest: str = ""
    colon: bool = False

    @property
    def text(self) -> str:
        """Return both as one text."""
        if not self.rest:
            return sentence(self.lead)
        return (
            f"{sentence_case(self.lead)}: {self.rest}"
            if self.colon
            else f"{sentence(self.lead)} {sentence_case(self.rest)}"
        )

    def about(self, subject: str) -> str:
        """Return both with `subject` between them, if nothing else in the message names the rental."""
        return f"{sentence_case(self.lead)}: {subject}. {sentence_case(self.rest)}".rstrip()


class EventContext(NamedTuple):
    """What the writer of an event's text is given."""

    event: Event
    details: RentalDetails
    times: Times
    timed: bool = True
    """Whether the text says when it happened. A history has the time in front of each line."""
    reader: str | None = None
    """Slack id of the only reader. None if many people read the text."""

    @property
    def facts(self) -> Facts:
        """Return the event's facts."""
        return self.event.facts

    @property
    def actor(self) -> str:
        """Return the name of the person who acted, `gpubot` if nobody did."""
        return actor(self.details.names, self.event)

    @property
    def owner_id(self) -> str:
        """Return the Slack id of the owner at the time of the event."""
        return self.details.owner_at(self.event)

    @property
    def owner(self) -> str:
        """Return the name of the owner at the time of the event, or `you` for that owner."""
        owner = self.owner_id
        return "you" if owner == self.reader else person(self.details.names, owner)

    @property
    def when(self) -> str:
        """Return ` 18:41`, to follow a state. Return an empty text unless `timed`."""
        return f" {self.times.time(self.event.at)}" if self.timed else ""

    @property
    def when_at(self) -> str:
        """Return ` at 18:41`. Return an empty text unless `timed`."""
        return f" {self.times.at_time(self.event.at)}" if self.timed else ""

    @property
    def by_whom_and_when(self) -> str:
        """Return ` by Ben at 14:12`, or ` at 22:05` if nobody acted."""
        by = f" by {self.actor}" if self.event.actor else ""
        return by + (f" {self.times.at_time(self.event.at)}" if self.timed else "")

    @property
    def said(self) -> str:
        """Return the words of the person who acted, in quotes, or an empty text if there are none.

        The operator's words are left out: they follow the operator's name already (`actor`).
        """
        words = "" if self.event.actor == OPERATOR.id else escape(self.facts.detail or "", 200)
        return f'"{words}"' if words else ""

    @property
    def vendor_name(self) -> str:
        """Return `Hyperstack`, or `the vendor` if the event doesn't name it."""
        return vendor(self.facts.vendor)


def allowed_text(facts: Facts) -> str:
    """Return `up to $21.16/h for 6 h.` Return an empty text if the event has neither the rate nor the length."""
    parts = [
        f"up to {_highest(facts.max_rate, facts.rate)}" if facts.max_rate is not None else "",
        f"for {fewer_hours_text(facts) or span(facts.hours)}" if facts.hours is not None else "",
    ]
    text = join(*parts)
    return f"{text}." if text else ""


def _highest(max_rate: Decimal, clicked: Decimal | None) -> str:
    return per_hour(max_rate) if max_rate == clicked else limit_per_hour(max_rate)


def fewer_hours_text(facts: Facts) -> str:
    """Return `4 h, not the 6 h asked for`. Return an empty text unless fewer hours were approved."""
    if facts.span is None or facts.asked_span is None:
        return ""
    return f"{about_span(facts.span)}, not the {about_span(facts.asked_span)} asked for"


def total_text(facts: Facts) -> str | None:
    """Return `At most $137.54 in all.`, or None if the event has no total."""
    return f"At most {say_at_most(facts.total)} in all." if facts.total is not None else None


def cost_nothing_text(paid: bool | None) -> str:
    """Return `it cost nothing` if `paid` is False, which is certain, else an empty text."""
    return "" if paid is not False else "it cost nothing"


def cost_of(facts: Facts) -> AccruedCost | None:
    """Return what the rental has cost, or None if the event doesn't say."""
    return None if facts.amount is None else AccruedCost(amount=facts.amount, estimated=bool(facts.estimated))


def market_answer(facts: Facts) -> str:
    """Return the market's answer in its own words, or an empty text if there was none."""
    return f"Its answer: {sentence(escape(facts.detail, 200))}" if facts.detail and facts.detail.strip() else ""


def over_budget(context: EventContext) -> str:
    """Return ` over vision's budget` if an approval passed a budget, else an empty text."""
    passed = context.facts.passed
    return f" over {whose_budget(passed[0].balance.scope, context.details.names)}" if passed else ""
