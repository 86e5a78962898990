"""The writers of messages. A writer is a function that composes the message about one kind of event.

The same event can lead to several messages: a reply in a thread, a question to the approvers, or a direct message
to a person. Each of these has its own writer. EFFECTS lists the messages for each kind of event.

Each writer is defined in the module for its subject, where a decorator registers it. For example, the decorator
`@direct(EventKind.GIVEN)` registers the writer of direct messages about GIVEN. `render.py` calls the writers.

If an event lacks a fact, the writers leave the fact out of their sentences. Some readers may not see money. For
them, the writers get a copy of the event without amounts and prices (`Facts.without_money`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Flag, auto
from typing import Any, Generic, NamedTuple, TypeVar

from bot.model.base import changed
from bot.model.event import Event, EventKind, F_co, resolved_by
from bot.model.facts import AllowedFacts, BillFacts, DecisionFacts, SaidFacts, UntilFacts
from bot.model.message import Message
from bot.model.person import OPERATOR
from bot.model.rental import Rental
from bot.model.summary import AccruedCost, AdminQuestionView, RentalDetails
from bot.model.text import about_span, say_at_most, span
from bot.policy.team.asking import Mentions
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.budget_text import whose_budget
from handlers.phrases.format import Reader, Times, actor, escape, join, limit_per_hour, per_hour, person, sentence
from handlers.phrases.rental_text import first_runs_on, how_it_ended, machine, machine_in, possessive, renter


def sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


class EventContext(NamedTuple, Generic[F_co]):
    """The data that a message about an event of a rental is composed from."""

    event: Event[F_co]
    details: RentalDetails
    reader: Reader
    """The reader. The reader's ID is empty if many people read the message."""
    timed: bool = True
    """True if the text says when the event happened.

    False in a history, because each line of a history already begins with the time.
    """
    posted_at: datetime | None = None
    """The time at which Slack accepted the message. None if it hasn't been posted yet."""
    named: bool = False
    """True if the text contains the name of the machine.

    False in a thread and in a history, because each of them is about a single machine.
    """
    newest: bool = True
    """True if this is the newest direct message to the reader about the rental."""
    asks: Mentions | None = None
    """The approvers to mention when the message is posted.

    None when the message is edited, because edits mention nobody.
    """

    @property
    def facts(self) -> F_co:
        return self.event.facts

    @property
    def rental(self) -> Rental:
        return self.details.rental

    @property
    def times(self) -> Times:
        return self.reader.times

    @property
    def by_owner(self) -> bool:
        """True if the reader owns the rental now."""
        return self.reader.id == self.rental.owner

    @property
    def machine(self) -> str:
        """The machine with its owner: `your 1x H100 (k7mq2)`, or `Ana's 1x H100 (k7mq2)` for other readers."""
        return f"{possessive(self.details, self.reader)} {machine(self.rental)}"

    @property
    def request(self) -> str:
        """The requested machine with its owner: `your 1x H100 SXM 80 GB (k7mq2) in EU`.

        For other readers, it is `Ana's 1x H100 SXM 80 GB (k7mq2) in EU`.
        """
        return f"{possessive(self.details, self.reader)} {machine_in(self.rental)}"

    @property
    def this_machine(self) -> str:
        """The name of the machine if `named` is set. Otherwise `this machine`.

        The name includes the owner, unless the sentence mentions the owner anyway.
        """
        if not self.named:
            return "this machine"
        return machine(self.rental) if self._owner_acted else self.machine

    @property
    def _owner_acted(self) -> bool:
        """True if the owner caused the event, and somebody else reads about it."""
        return self.event.actor == self.rental.owner and not self.by_owner

    @property
    def this_request(self) -> str:
        """The name of the request if `named` is set: `Ana's request for ..`. Otherwise `this request`.

        The name includes the owner, unless the sentence mentions the owner anyway.
        """
        if not self.named:
            return "this request"
        whose = "the" if self._owner_acted else possessive(self.details, self.reader)
        return f"{whose} request for {machine_in(self.rental)}"

    @property
    def outcome(self) -> Event[Any] | None:
        """The later event that resolves the question in this event. None if the question is open."""
        return resolved_by(self.event, self.details.events)

    @property
    def text(self) -> str:
        """The reply in the thread about this event."""
        event = self.event
        if self.rental.bought_after_backup and isinstance(event.facts, BillFacts) and not event.facts.amount:
            # According to this event, nothing was billed. After the event, a machine of the rental was found that
            # isn't in the restored database, so this may be wrong. Leave the amount out.
            event = changed(event, facts=changed(event.facts, amount=None, estimated=None))
        return sentence(thread[event.kind](self.of(event)))

    @property
    def named_text(self) -> str:
        """The reply in the thread about this event, with the name of the machine or request."""
        return self._replace(named=True).text

    def of(self, event: Event[Any]) -> EventContext[Any]:
        """Return a copy of this context for another event about the same rental."""
        return self._replace(event=event)

    @property
    def actor(self) -> str:
        """The name of the person who caused the event, or `gpubot` if no person did.

        For the operator, the reason that they gave is added.
        """
        return actor(self.details.names, self.event)

    @property
    def requester(self) -> str:
        """The name of the person who made the request. If a program did, `nightly eval (Ana)`."""
        by_program = self.rental.program is not None and self.event.actor == self.rental.owner
        return renter(self.details) if by_program else self.actor

    def name(self, user_id: str | None) -> str:
        return person(self.details.names, user_id)

    @property
    def owner_id(self) -> str:
        """The Slack ID of the person who owned the rental at the time of the event."""
        return self.details.owner_at(self.event)

    @property
    def owner(self) -> str:
        """The name of the owner at the time of the event. It is `you` if the reader was the owner then."""
        owner = self.owner_id
        return "you" if owner == self.reader.id else self.name(owner)

    @property
    def when(self) -> str:
        """The time of the event, such as ` 18:41`, to append to the name of a state. Empty unless `timed`."""
        return f" {self.times.time(self.event.at)}" if self.timed else ""

    @property
    def when_at(self) -> str:
        """The time of the event, such as ` at 18:41`, to append to a verb. Empty unless `timed`."""
        return f" {self.times.at_time(self.event.at)}" if self.timed else ""

    @property
    def by_whom_and_when(self) -> str:
        """The person and the time of the event: ` by Ben at 14:12`. If no person caused it, only ` at 22:05`."""
        return (f" by {self.actor}" if self.event.actor else "") + self.when_at

    @property
    def said(self) -> str:
        """The comment of the person who caused the event, in quotation marks. Empty if there is none.

        Also empty for the operator, because `actor` contains the reason that the operator gave.
        """
        said = self.facts.detail if isinstance(self.facts, SaidFacts) and self.event.actor != OPERATOR.id else None
        comment = escape(said or "", 200)
        return f'"{comment}"' if comment else ""


class Needs(Flag):
    """Additional data that the bot loads before it composes the message about an event."""

    NOTHING = 0
    BUDGET_IF_TAKEN = auto()
    """The effect on the reader's budget if the reader accepts the offered machine.

    See `details.demands`.
    """
    OTHER_END = auto()
    """The event that began or ended a pause of buying.

    An alert about the beginning of a pause needs the event that ended the pause. An alert about the end of a pause
    needs the event that began the pause. The reader's alert about that event is loaded too.
    """
    USED_UP = auto()
    """The time at which the budget in an alert will be used up at today's rate."""


class AlertContext(NamedTuple, Generic[F_co]):
    """The data that an alert is composed from.

    It contains the event without its rental, because an alert can be about a rental that can't be loaded.
    """

    event: Event[F_co]
    reader: Reader
    names: Mapping[str, str]
    """The display names of the people whom the alert mentions, by Slack ID."""
    other_end: Event[Any] | None = None
    """In an alert about a pause of buying, the event that resumed buying.

    In an alert about the end of a pause, the event that paused buying. None if buying is still paused.
    """
    other_alert: Message | None = None
    """The reader's alert about the event `other_end`. None if the reader got no such alert."""
    used_up_at: datetime | None = None
    """The time at which the alert's budget will be used up at today's rate. None if the month ends first."""

    @property
    def facts(self) -> F_co:
        return self.event.facts

    @property
    def times(self) -> Times:
        return self.reader.times

    @property
    def actor(self) -> str:
        return actor(self.names, self.event)


class QuestionContext(NamedTuple):
    """The data that a question to the admins is composed from."""

    event: Event
    """The event that created the message. The bot may have repeated the question since then."""
    view: AdminQuestionView
    times: Times


C = TypeVar("C")
R = TypeVar("R")
W = TypeVar("W", bound=Callable[..., Any])


def _actor(event: Event) -> tuple[str, ...]:
    return (event.actor,) if event.actor is not None else ()


class Audience(dict[EventKind, Callable[[C], R]]):
    """The writers of the messages for one audience, such as the people who read a thread.

    A writer is a function that composes the message about one kind of event. It takes a context of type `C`, and
    returns the message as type `R`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.needs: dict[EventKind, Needs] = {}
        self._names: dict[EventKind, Callable[[Event[Any]], Iterable[str]]] = {}

    def __call__(
        self,
        *kinds: EventKind,
        needs: Needs = Needs.NOTHING,
        names: Callable[[Event[Any]], Iterable[str]] = _actor,
    ) -> Callable[[W], W]:
        """Register the decorated function as the writer for the given kinds of events.

        Two things are loaded before the bot calls the writer:

        - the additional data in `needs`;
        - the display names of some people. `names` returns the Slack IDs of these people.
        """

        def register(write: W) -> W:
            self.update(dict.fromkeys(kinds, write))
            self.needs.update(dict.fromkeys(kinds, needs))
            self._names.update(dict.fromkeys(kinds, names))
            return write

        return register

    def names(self, event: Event) -> tuple[str, ...]:
        """Return the Slack IDs of the people whom the message about an event mentions."""
        return tuple(self._names.get(event.kind, _actor)(event))


thread = Audience[EventContext[Any], str]()
"""The writers of replies in the thread below a card. Each returns complete sentences.

Histories and other messages about an event use the same text. If `named` is set, the text names the machine.
"""
direct = Audience[EventContext[Any], Rendered]()
approvers = Audience[EventContext[Any], Rendered]()
question = Audience[QuestionContext, Rendered]()
alert = Audience[AlertContext[Any], Rendered | None]()
"""The functions that compose alerts. Such a function returns None if there is nothing left to say."""


def said_once(context: EventContext) -> Rendered:
    """Render a direct message that repeats the thread reply about the event. The reader needn't respond."""
    return blocks.message(join(context.named_text, first_runs_on(context.details)))


def no_longer_ready(context: EventContext) -> Rendered:
    """Render a message about a machine that was ready, and is now being destroyed or no longer exists."""
    text = how_it_ended(context.details, context.machine, context.times)
    return blocks.message(text, closed=context.rental.state.over)


# --- phrases that several texts share


def until_text(context: EventContext[UntilFacts]) -> str:
    """Return the time that the event contains, such as `18:40`. If it contains none, return `as before`.

    Usually, this is the time at which the lease now ends.
    """
    return context.times.time(context.facts.until) if context.facts.until else "as before"


def terms_text(facts: AllowedFacts) -> str:
    """Return the length and the price that the event contains.

    Examples are `for 6 h at up to $21.16/h` and `for 4 h instead of 6 h, at up to $21.16/h`.

    Empty if the event contains neither.
    """
    fewer = fewer_hours_text(facts)
    return join(
        f"for {fewer or span(facts.hours)}" if facts.hours is not None else "",
        f"at up to {_highest(facts.max_rate, facts.rate)}" if facts.max_rate is not None else "",
        by=", " if fewer else " ",
    )


def _highest(max_rate: Decimal, clicked: Decimal | None) -> str:
    return per_hour(max_rate) if max_rate == clicked else limit_per_hour(max_rate)


def fewer_hours_text(facts: AllowedFacts) -> str:
    """Return `4 h instead of 6 h`. Empty unless fewer hours than requested were approved."""
    if not isinstance(facts, DecisionFacts) or facts.span is None or facts.asked_span is None:
        return ""
    return f"{about_span(facts.span)} instead of {about_span(facts.asked_span)}"


def total_text(facts: AllowedFacts) -> str | None:
    """Return the highest total cost: `at most $137.54 in all`. None if the event doesn't contain it."""
    return f"at most {say_at_most(facts.total)} in all" if facts.total is not None else None


def cost_of(facts: BillFacts) -> AccruedCost | None:
    """Return the cost of the rental at the time of the event. None if the event doesn't contain it."""
    return None if facts.amount is None else AccruedCost(amount=facts.amount, estimated=bool(facts.estimated))


def over_budget(context: EventContext[DecisionFacts]) -> str:
    """Return `The approved cost exceeds the budget of project vision`. Empty if no budget is exceeded."""
    passed = context.facts.passed
    if not passed:
        return ""
    return f"The approved cost exceeds {whose_budget(passed[0].balance.scope, context.details.names)}."
