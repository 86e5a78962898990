"""Renders the current content of a message in the outbox.

Each kind of message has a writer, a function that composes the message from certain data. The functions here load
the data and call the writer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from bot.lifecycle.actions.admin_questions import view_for_message
from bot.lifecycle.actions.giving import demands_if_taken, to_take
from bot.lifecycle.actions.home import home_for
from bot.lifecycle.actions.offers import quote_view
from bot.lifecycle.actions.queries import (
    details_for_direct_message,
    details_for_message,
    readable_event,
    waiting_for_approver,
)
from bot.lifecycle.actions.spend import file_for
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.budgets import demands_of, if_approved
from bot.lifecycle.money.used_up import alerted_budget_used_up_at, with_used_up_at
from bot.lifecycle.people.deciders import deciders, requesters_of, rules_now
from bot.model.base import EVER, changed
from bot.model.budget import Scope, ScopeKind
from bot.model.event import Event
from bot.model.facts import TokenFacts
from bot.model.message import DestinationKind, Message, MessageKind
from bot.model.person import Person
from bot.model.quote import QuoteState
from bot.policy.buying.budgets import budget_of, demands
from bot.policy.buying.focus import MonthFile
from bot.policy.buying.months import month_of
from handlers.messages import offers, tokens
from handlers.messages.home import home_tab
from handlers.messages.money import month_file_text, no_file
from handlers.messages.render import (
    alert_message,
    card_message,
    direct_message,
    message_to_approvers,
    reply_to_app,
    thread_reply,
)
from handlers.messages.requests import reminder
from handlers.messages.tokens import TokenContext
from handlers.messages.writers import AlertContext, EventContext, Needs, QuestionContext, alert, direct, question
from handlers.phrases.blocks import Rendered
from handlers.phrases.format import Reader
from handlers.phrases.rental_text import mention_deciders
from store.db import Tx


class Answer(Rendered):
    """A response to something that one person did, such as a command or a click."""

    options: dict[str, Any]
    """The fields that are sent to the `response_url` in addition to the text and the blocks."""


class Upload(NamedTuple):
    """A file, with the message that accompanies it."""

    file: MonthFile
    text: str
    """The accompanying message, as escaped mrkdwn."""
    without_file: Rendered
    """The message to post if Slack accepts no files from this app."""


Shown = Rendered | Upload
Load = Callable[[Tx, Deps, Message], Awaitable[Shown | None]]


async def content(deps: Deps, message: Message) -> Shown | None:
    """Render the current content of a message. Return None if there is nothing left to show."""
    if message.kind in _READ_ALONE:
        return await _READ_ALONE[message.kind](deps, message)
    async with deps.store.read() as tx:
        return await _LOADS[message.kind](tx, deps, message)


# --- about a rental


async def _card(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    rental = await tx.rentals.get(message.rental_id or "")
    if rental is None:
        return None
    return card_message(await details_for_message(tx, rental, deps.clock.now()), _readers(deps))


async def _thread(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    rental, event = await tx.rentals.get(message.rental_id or ""), await tx.events.get(message.event_id or 0)
    if rental is None or event is None:
        return None
    details = await details_for_message(tx, rental, deps.clock.now())
    return thread_reply(EventContext(readable_event(event, everything=False), details, _readers(deps)))


async def _program(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    rental, event = await tx.rentals.get(message.rental_id or ""), await tx.events.get(message.event_id or 0)
    if rental is None or event is None:
        return None
    details = await details_for_message(tx, rental, deps.clock.now())
    context = EventContext(readable_event(event, everything=False), details, _readers(deps), named=True)
    channel = await tx.people.channel(message.to.value, EVER)
    return reply_to_app(context, to_outsiders=channel is None or channel.shared)


async def _approval(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    rental, event = await tx.rentals.get(message.rental_id or ""), await tx.events.get(message.event_id or 0)
    if rental is None or event is None:
        return None
    requesters, in_channel = requesters_of(rental), message.to.kind is DestinationKind.CHANNEL
    reader = _readers(deps) if in_channel else (await _reader(tx, deps, message))[1]
    reader, asks = changed(reader, rules=await rules_now(tx, deps.rules, requesters)), None
    if message.shown_version == 0 and in_channel:
        asks = (await deciders(tx, deps.rules, requesters, reader.now)).asked.mentions
    details = await details_for_message(tx, rental, reader.now)
    if rental.undecided_terms is not None:
        demands = await demands_of(tx, deps.rules, if_approved(rental, reader.now), reader.now)
        demands = await with_used_up_at(tx, deps.rules, demands, reader.now)
        details = changed(details, demands=demands)
    event = readable_event(event, everything=False)
    return message_to_approvers(EventContext(event, details, reader, asks=asks))


async def _direct(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    rental, event = await tx.rentals.get(message.rental_id or ""), await tx.events.get(message.event_id or 0)
    if rental is None or event is None:
        return None
    person, reader = await _reader(tx, deps, message)
    details = await details_for_direct_message(tx, deps, person, rental, event)
    if details is None:
        return None
    needs = direct.needs.get(event.kind, Needs.NOTHING)
    if Needs.BUDGET_IF_TAKEN in needs and to_take(event, person, details, reader.now):
        demands = await demands_if_taken(tx, deps.rules, rental, person.id, reader.now)
        details = changed(details, demands=demands)
    newest = not rental.state.over or await _is_newest(tx, message)
    return direct_message(EventContext(event, details, reader, posted_at=message.posted_at, newest=newest))


async def _is_newest(tx: Tx, message: Message) -> bool:
    """Return whether no later direct message to the same person is about the same rental.

    A later message is ignored if the bot will never post it.
    """
    others = [one for one in await tx.messages.direct_of(message.rental_id or "") if one.to == message.to]
    return not any(one.id > message.id and (one.ts is not None or not one.closed) for one in others)


# --- about the account


async def _alert(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    stored = await tx.events.get(message.event_id or 0)
    if stored is None:
        return None
    event: Event[Any] = readable_event(stored, everything=False)
    needs, other, other_alert, used_up_at = alert.needs.get(event.kind, Needs.NOTHING), None, None, None
    _, reader = await _reader(tx, deps, message)
    if Needs.OTHER_END in needs:
        other = await tx.events.other_end_of_pause(event)
        other_alert = await tx.messages.alert_of(other.id, message.to) if other is not None else None
    if Needs.USED_UP in needs:
        used_up_at = await alerted_budget_used_up_at(tx, deps.rules, event.facts, reader.now)
    names = await tx.people.names([one for end in (event, other) if end for one in alert.names(end)])
    return alert_message(AlertContext(event, reader, names, other, other_alert, used_up_at))


async def _question(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    """Render a question to the admins. Return None if the recipient is no longer an admin."""
    event, (person, reader) = await tx.events.get(message.event_id or 0), await _reader(tx, deps, message)
    view = await view_for_message(tx, deps, person, message.question_id or "")
    if event is None or view is None:
        return None
    return question[event.kind](QuestionContext(event, view, reader.times))


async def _token(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    token, event = await tx.tokens.get(message.token_id or ""), await tx.events.get(message.event_id or 0)
    facts: Any = event.facts if event is not None else None
    if token is None or not isinstance(facts, TokenFacts) or facts.version is None:
        return None
    in_channel = message.to.kind is DestinationKind.CHANNEL
    reader = _readers(deps) if in_channel else (await _reader(tx, deps, message))[1]
    people, pings, budget = [token.owner, token.over_by, token.decided.by if token.decided else None], "", None
    asked = None
    if message.shown_version == 0 and in_channel:
        asked = (await deciders(tx, deps.rules, (token.owner,), reader.now)).asked.mentions
        people += asked.people
    names = await tx.people.names([person for person in people if person is not None])
    if asked is not None:
        pings = mention_deciders(asked, named={token.owner, *facts.then}, names=names)
    if token.requested is not None:
        scope = Scope(kind=ScopeKind.PROJECT, name=token.requested.terms.project)
        if budget_of(scope, deps.rules) is not None:
            month = month_of(reader.now, deps.rules.billing_zone)
            budget = demands({}, await tx.budgets.balances(month, [scope]), deps.rules)[0]
    return tokens.approval(
        TokenContext(token, facts.version, names, reader, expires_at=facts.until, budget=budget, pings=pings)
    )


async def _reminder(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    """Render the reminder for an approver. Return None if the person no longer approves requests."""
    person, reader = await _reader(tx, deps, message)
    found = await waiting_for_approver(tx, deps, person, (message.body or {}).get("rentals", ()))
    if found is None:
        return None
    return reminder(found, changed(reader, rules=await rules_now(tx, deps.rules)))


async def _home(deps: Deps, message: Message) -> Rendered:
    async with deps.store.read() as tx:
        person, reader = await _reader(tx, deps, message)
    return home_tab(await home_for(deps, person, (message.body or {}).get("page", 0)), reader)


# --- answers to one person


async def _reply(_: Deps, message: Message) -> Answer | None:
    """Return the content of a reply, which was rendered when the reply was queued."""
    if message.body is None:
        return None
    options = dict(message.body)
    return Answer(text=options.pop("text"), blocks=tuple(options.pop("blocks")), options=options)


async def _quote(tx: Tx, deps: Deps, message: Message) -> Answer | None:
    """Render the answer to `/gpu get`. Return None for a progress message whose search has finished."""
    looking = message.kind is MessageKind.LOOKING
    quote = await tx.quotes.get(message.quote_id or "")
    if quote is None or (looking and quote.state is not QuoteState.LOOKING):
        return None
    if looking:
        rendered = offers.looking(quote)
    else:
        _, reader = await _reader(tx, deps, message, quote.owner)
        view = await quote_view(tx, deps, quote, most=offers.most_shown(everything=False))
        rendered = offers.answer(view, reader)
    options = {"response_type": "ephemeral", "replace_original": quote.replaces and not looking}
    return Answer(text=rendered.text, blocks=rendered.blocks, options=options)


async def _file(tx: Tx, deps: Deps, message: Message) -> Upload | None:
    if message.charges_of is None:
        return None
    person, _ = await _reader(tx, deps, message)
    file = await file_for(tx, deps, person, message.charges_of, as_finance=message.event_id is not None)
    return Upload(file, month_file_text(file, person.id), no_file(file, person.id))


_LOADS: Mapping[MessageKind, Load] = {
    MessageKind.CARD: _card,
    MessageKind.THREAD: _thread,
    MessageKind.PROGRAM: _program,
    MessageKind.APPROVAL: _approval,
    MessageKind.DIRECT: _direct,
    MessageKind.ALERT: _alert,
    MessageKind.REMINDER: _reminder,
    MessageKind.QUESTION: _question,
    MessageKind.TOKEN: _token,
    MessageKind.QUOTE: _quote,
    MessageKind.LOOKING: _quote,
    MessageKind.FILE: _file,
}
_READ_ALONE: Mapping[MessageKind, Callable[[Deps, Message], Awaitable[Shown | None]]] = {
    MessageKind.HOME: _home,
    MessageKind.REPLY: _reply,
}
"""The kinds of messages that are loaded without a shared transaction.

A Home tab opens several transactions of its own. A reply needs no transaction, because its stored message contains
everything that it shows.
"""


# --- shared by several kinds


def _readers(deps: Deps) -> Reader:
    """Return a `Reader` for a message that many people read."""
    return Reader(rules=deps.rules, now=deps.clock.now())


async def _reader(tx: Tx, deps: Deps, message: Message, user_id: str = "") -> tuple[Person, Reader]:
    """Return the data about the person who reads a message.

    This is the person with the ID `user_id`, or by default the message's recipient.
    """
    to = user_id or message.to.value
    person = await tx.people.get(to, EVER) or Person(id=to, name="")
    return person, Reader(id=person.id, rules=deps.rules, now=deps.clock.now(), zone=person.tz)


async def earliest_post(tx: Tx, message: Message) -> datetime | None:
    """Return the earliest time at which a message can have been posted, by the bot's clock.

    For a message about an event, this is the time of the event. For any other message about a rental, it is the
    time at which the rental was created. None if the message has neither an event nor a rental.
    """
    event, rental = await tx.events.get(message.event_id or 0), await tx.rentals.get(message.rental_id or "")
    return event.at if event is not None else rental.created_at if rental is not None else None
