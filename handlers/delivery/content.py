"""What a message of the outbox should say now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.lifecycle.actions.admin_questions import view_for_message
from bot.lifecycle.actions.giving import demands_if_taken, to_take
from bot.lifecycle.actions.home import home_for
from bot.lifecycle.actions.month_files import file_for
from bot.lifecycle.actions.offers import quote_view
from bot.lifecycle.actions.queries import (
    details_for_direct_message,
    details_for_message,
    readable_event,
    waiting_for_approver,
)
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.budgets import demands_of, if_approved
from bot.lifecycle.people.deciders import deciders, requesters_of, rules_now
from bot.lifecycle.ports.store import EVER, Tx
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.message import DestinationKind, Message, MessageKind
from bot.model.person import Person
from bot.model.quote import Quote, QuoteState
from bot.model.rental import Rental
from bot.model.summary import RentalDetails
from handlers.messages.admin_questions import admin_question
from handlers.messages.alerts import alert, pause_over
from handlers.messages.home import home_tab
from handlers.messages.reminder import reminder
from handlers.messages.render import render_message
from handlers.phrases.blocks import Json, Rendered
from handlers.phrases.format import Reader
from handlers.views.answers import offers
from handlers.views.answers.month_files import month_file_words, no_file


async def home_view(deps: Deps, message: Message) -> Json:
    """Return the Home tab of a person as it should be now."""
    async with deps.store.read() as tx:
        person, reader = await _person(tx, message.to.value), await _reader(tx, deps, message.to.value)
    page = (message.body or {}).get("page", 0)
    return home_tab(await home_for(deps, person, page), reader)


async def content(deps: Deps, message: Message) -> Rendered | None:
    """Return what a message other than an answer shows now. Return None if it has nothing to show any more."""
    async with deps.store.read() as tx:
        if message.kind is MessageKind.QUESTION:
            return await _admin_question(tx, deps, message)
        if message.kind is MessageKind.REMINDER:
            return await _reminder(tx, deps, message)
        event = await tx.events.get(message.event_id) if message.event_id is not None else None
        if event is not None and message.kind is not MessageKind.DIRECT:
            event = readable_event(event, everything=False)
        rental = await tx.rentals.get(message.rental_id) if message.rental_id is not None else None
        reader, asks = Reader(rules=deps.rules, now=deps.clock.now()), None
        if message.to.kind is DestinationKind.PERSON and message.kind is MessageKind.APPROVAL:
            reader = await _reader(tx, deps, message.to.value)
        if message.kind is MessageKind.APPROVAL and rental is not None:
            requesters = requesters_of(rental)
            reader = changed(reader, rules=await rules_now(tx, deps.rules, requesters))
            if message.shown_version == 0 and message.to.kind is DestinationKind.CHANNEL:
                asks = (await deciders(tx, deps.rules, requesters, reader.now)).asked.mentions
        if message.kind in {MessageKind.DIRECT, MessageKind.ALERT}:
            reader = await _reader(tx, deps, message.to.value)
        names = await tx.people.names(_people_in(event)) if event is not None else {}
        if event is not None and event.kind in {EventKind.PAUSED, EventKind.RESUMED}:
            return await _pause(tx, message, event, reader, names)
        return render_message(
            message,
            event,
            await _details(tx, deps, message, event, rental) if rental is not None else None,
            reader,
            names=names,
            asks=asks,
            newest=await _is_newest(tx, message) if rental is not None and rental.state.over else True,
        )


async def _pause(
    tx: Tx, message: Message, event: Event, reader: Reader, names: Mapping[str, str]
) -> Rendered | None:
    """Return the alert that buying is paused, or goes on again.

    If the pause was over before its alert was posted, one alert says both: the one about its end, or the one about
    the pause if its reader gets none about the end. Return None for an alert that has nothing left to say.
    """
    other = await tx.events.other_end_of_pause(event)
    if other is None:
        return alert(event, reader, names=names)
    of_other = await tx.messages.alert_of(other.id, message.to)
    names = {**names, **await tx.people.names(_people_in(other))}
    if event.kind is EventKind.PAUSED:
        return pause_over(event, other, reader, names) if of_other is None else None
    said = of_other is None or of_other.ts is not None
    return alert(event, reader, names=names) if said else pause_over(other, event, reader, names)


def _people_in(event: Event) -> list[str]:
    """Return the people whom an alert of an event names."""
    actor = [event.actor] if event.actor is not None else []
    balance = event.facts.balance
    owners = [one.owner for one in event.facts.dearest]
    return [*actor, *([balance.scope.name] if balance is not None else []), *owners]


async def _is_newest(tx: Tx, message: Message) -> bool:
    """Return whether the reader of a direct message got, or still gets, no later one about the same rental."""
    if message.kind is not MessageKind.DIRECT or message.rental_id is None:
        return True
    others = [one for one in await tx.messages.direct_of(message.rental_id) if one.to == message.to]
    return not any(one.id > message.id and (one.ts is not None or not one.closed) for one in others)


async def _reminder(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    """Return what an approver is reminded of. Return None if they approve nothing any more."""
    person = await _person(tx, message.to.value)
    found = await waiting_for_approver(tx, deps, person, (message.body or {}).get("rentals", ()))
    if found is None:
        return None
    reader = await _reader(tx, deps, person.id)
    return reminder(found, changed(reader, rules=await rules_now(tx, deps.rules)))


async def _admin_question(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    """Return the message of a question to the admins. Return None if its reader is no admin any more."""
    event = await tx.events.get(message.event_id or 0)
    reader = await _person(tx, message.to.value)
    view = await view_for_message(tx, deps, reader, message.question_id or "")
    if event is None or view is None:
        return None
    return admin_question(view, event, (await _reader(tx, deps, message.to.value)).times)


async def _person(tx: Tx, user_id: str) -> Person:
    return await tx.people.get(user_id, EVER) or Person(id=user_id, name="")


async def _reader(tx: Tx, deps: Deps, user_id: str) -> Reader:
    person = await _person(tx, user_id)
    return Reader(id=person.id, rules=deps.rules, now=deps.clock.now(), zone=person.tz)


async def _details(
    tx: Tx, deps: Deps, message: Message, event: Event | None, rental: Rental
) -> RentalDetails | None:
    now = deps.clock.now()
    if message.kind is not MessageKind.DIRECT:
        details = await details_for_message(tx, rental, now)
        if message.kind is not MessageKind.APPROVAL or rental.waiting_envelope is None:
            return details
        return changed(details, demands=await demands_of(tx, deps.rules, if_approved(rental, now), now))
    reader = await _person(tx, message.to.value)
    found = await details_for_direct_message(tx, deps, reader, rental, event)
    if found is None or event is None or not to_take(event, reader, found, now):
        return found
    return changed(found, demands=await demands_if_taken(tx, deps.rules, rental, reader.id, now))


@dataclass(frozen=True)
class Upload:
    """A file and what is said beside it."""

    name: str
    content: bytes
    words: str
    """Escaped mrkdwn."""
    without_file: Rendered
    """What is posted if Slack takes no files of ours."""


async def upload(deps: Deps, message: Message) -> Upload | None:
    """Return the file that a message uploads, as it is now. Return None if it names none."""
    if message.charges_of is None:
        return None
    async with deps.store.read() as tx:
        reader = await _person(tx, message.to.value)
        file = await file_for(tx, deps, reader, message.charges_of, as_finance=message.event_id is not None)
    # Writing thousands of rows would hold up the event loop, and Slack waits for acknowledgements.
    written = await asyncio.to_thread(file.written)
    return Upload(file.name, written.encode(), month_file_words(file, reader.id), no_file(file, reader.id))


async def earliest_post(tx: Tx, message: Message) -> datetime | None:
    """Return the earliest time at which the message can have been posted, in our time: that of its event, or of
    its rental's start if it has no event. Return None if it has neither."""
    event = await tx.events.get(message.event_id) if message.event_id is not None else None
    if event is not None:
        return event.at
    rental = await tx.rentals.get(message.rental_id) if message.rental_id is not None else None
    return rental.created_at if rental is not None else None


async def answer_body(deps: Deps, message: Message) -> Json | None:
    """Return what an answer sends: a reply as it was rendered when it was queued, or the answer to a quote as it
    is now. Return None if there is nothing to say any more."""
    if message.kind is MessageKind.REPLY:
        return message.body
    looking = message.kind is MessageKind.LOOKING
    async with deps.store.read() as tx:
        quote = await tx.quotes.get(message.quote_id or "")
        if quote is None:
            return None
        rendered = await _quote_answer(tx, deps, quote, looking=looking)
    if rendered is None:
        return None
    return {
        "text": rendered.text,
        "blocks": list(rendered.blocks),
        "response_type": "ephemeral",
        "replace_original": quote.replaces and not looking,
    }


async def _quote_answer(tx: Tx, deps: Deps, quote: Quote, *, looking: bool) -> Rendered | None:
    """Return the answer to `/gpu get`. With `looking`, return None once the search is over."""
    if looking:
        return offers.looking(quote) if quote.state is QuoteState.LOOKING else None
    view = await quote_view(tx, deps, quote, most=offers.most_shown(everything=False))
    return offers.answer(view, await _reader(tx, deps, quote.owner))
