"""What a message of the outbox should say now."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.deciders import requesters_of, rules_now
from bot.lifecycle.deps import Deps
from bot.lifecycle.ports.store import EVER, Tx
from bot.lifecycle.service import older_database as older_database_service
from bot.lifecycle.service import unknown_machines as unknown_machines_service
from bot.lifecycle.service.previews import QuoteView, quote_view
from bot.lifecycle.service.queries import details_for_direct_message, details_for_message
from bot.lifecycle.service.readable_use import readable_event
from bot.model.message import Message, MessageKind
from bot.model.person import Person
from bot.model.quote import Quote, QuoteState
from bot.model.rental import Rental
from bot.model.summary import RentalDetails
from bot.policy.replacing import may_be_replaced
from bot.policy.rules import Rules
from handlers.views import offers, older_database, replies, unknown_machines
from handlers.views.blocks import Json, Rendered
from handlers.views.format import Times
from handlers.views.reader import Reader
from handlers.views.render import render_message


async def content(deps: Deps, message: Message) -> Rendered | None:
    """Return what a message other than an answer shows now. Return None if there is nothing to say any more."""
    async with deps.store.read() as tx:
        if message.kind is MessageKind.UNKNOWN:
            return await _unknown_machines(tx, deps, message)
        if message.kind in {MessageKind.OLDER_DATABASE, MessageKind.UNKNOWN_TOGETHER}:
            return await _asked_together(tx, deps, message)
        event = await tx.events.get(message.event_id) if message.event_id is not None else None
        if event is not None and message.kind is not MessageKind.DIRECT:
            event = readable_event(event, everything=False)
        rental = await tx.rentals.get(message.rental_id) if message.rental_id is not None else None
        rules = deps.rules
        if message.kind is MessageKind.APPROVAL and rental is not None:
            rules = await rules_now(tx, rules, requesters_of(rental))
        has_one_reader = message.kind in {MessageKind.DIRECT, MessageKind.NOTICE}
        person = await tx.people.get(message.to.value, EVER) if has_one_reader else None
        return render_message(
            message,
            event,
            await _details(tx, deps, message, rental, person) if rental is not None else None,
            Reader(
                id=message.to.value if has_one_reader else "",
                rules=rules,
                now=deps.clock.now(),
                zone=person.tz if person is not None else "",
            ),
            names=await tx.people.names([event.actor]) if event is not None and event.actor is not None else {},
            newest=await _is_newest(tx, message) if rental is not None and rental.state.over else True,
        )


async def _is_newest(tx: Tx, message: Message) -> bool:
    """Return whether its reader got, or still gets, no later direct message about the same rental."""
    if message.kind is not MessageKind.DIRECT or message.rental_id is None:
        return True
    others = [one for one in await tx.messages.direct_of(message.rental_id) if one.to == message.to]
    return not any(one.id > message.id and (one.ts is not None or not one.closed) for one in others)


async def _unknown_machines(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    """Return the message about unknown machines. Return None if its reader is no admin any more."""
    event = await tx.events.get(message.event_id or 0)
    reader, purchase_id = message.to.value, message.purchase_id or ""
    view = await unknown_machines_service.view_for_message(tx, deps, reader, purchase_id)
    if event is None or view is None:
        return None
    times = await _times_of_reader(tx, deps, message)
    return unknown_machines.asked(event, view.purchase, view.spent, view.names, times)


async def _asked_together(tx: Tx, deps: Deps, message: Message) -> Rendered | None:
    """Return the message about machines that were bought after the database was saved, or about many unknown ones.
    Return None if its reader is no admin any more."""
    event = await tx.events.get(message.event_id or 0)
    if event is None:
        return None
    reader, first_id = message.to.value, message.purchase_id or ""
    view = await older_database_service.view_for_message(tx, deps, reader, event, first_id)
    if view is None:
        return None
    times = await _times_of_reader(tx, deps, message)
    if message.kind is MessageKind.UNKNOWN_TOGETHER:
        return unknown_machines.asked_together(view, first_id, times)
    return older_database.asked_together(view, first_id, times)


async def _times_of_reader(tx: Tx, deps: Deps, message: Message) -> Times:
    person = await tx.people.get(message.to.value, EVER)
    return Reader(rules=deps.rules, now=deps.clock.now(), zone=person.tz if person is not None else "").times


async def _details(
    tx: Tx, deps: Deps, message: Message, rental: Rental, person: Person | None
) -> RentalDetails | None:
    if message.kind is not MessageKind.DIRECT:
        return await details_for_message(tx, rental, deps.clock.now())
    known = person or Person(id=message.to.value, name="")
    return await details_for_direct_message(tx, deps, known, rental)


async def earliest_post(tx: Tx, message: Message) -> datetime | None:
    """Return our time before which the message can't have been posted: that of its event, or else of its rental's
    start. Return None if it has neither."""
    event = await tx.events.get(message.event_id) if message.event_id is not None else None
    if event is not None:
        return event.at
    rental = await tx.rentals.get(message.rental_id) if message.rental_id is not None else None
    return rental.created_at if rental is not None else None


async def answer_body(deps: Deps, message: Message) -> Json | None:
    """Return what an answer sends: a reply as it was rendered when it was queued, the answer to a quote as it is
    now. Return None if there is nothing to say any more."""
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
    """Return the answer to `/gpu get`. With `looking`, return None unless the search still goes on."""
    if looking:
        return offers.looking(quote) if quote.state is QuoteState.LOOKING else None
    view = await quote_view(tx, deps, quote, most=offers.most_shown(everything=False))
    return quote_answer(view, rules=deps.rules, now=deps.clock.now())


def quote_answer(view: QuoteView, *, rules: Rules, now: datetime, everything: bool = False) -> Rendered:
    """Return the answer to `/gpu get`: the rental that it made, the offers found, or why there are none."""
    quote = view.quote
    if view.rental is not None:
        return replies.rented(view.rental, asked=view.asked, without_key=view.without_key)
    if quote.state is QuoteState.UNANSWERED:
        again = view.to_replace if view.to_replace and may_be_replaced(view.to_replace, now) else None
        return offers.unanswered(quote, now=now, token_refused=view.token_refused, to_replace=again)
    if quote.state is QuoteState.NONE:
        return offers.none_found(quote, to_replace=view.to_replace)
    return offers.found(
        quote,
        view.choices,
        reader=Reader(rules=rules, now=now, zone=view.zone or ""),
        everything=everything,
        asked_in=view.asked_in,
        count=len(quote.offers),
        still_waiting=view.still_waiting,
        to_replace=view.to_replace,
        left=view.left,
        teammates=view.teammates,
        without_key=view.without_key,
    )
