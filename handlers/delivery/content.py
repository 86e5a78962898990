"""What a message of the outbox should say now."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.lifecycle.desk import Desk
from bot.lifecycle.ports import Tx
from bot.lifecycle.service.looking import EVER, names, story
from bot.model.message import Message, MessageKind
from bot.model.quote import Quote, QuoteState
from handlers.rows import rows
from handlers.views import offers
from handlers.views.blocks import Rendered
from handlers.views.blocks import message as rendered
from handlers.views.render import render_message


async def content(desk: Desk, message: Message) -> Rendered | None:
    """The message as it should look now, None where there is nothing to say any more."""
    async with desk.store.read() as tx:
        now = desk.clock.now()
        if message.kind in {MessageKind.QUOTE, MessageKind.LOOKING}:
            quote = await tx.quotes.get(message.quote_id or "")
            if quote is None:
                return None
            return await quote_answer(tx, desk, quote, now, looking=message.kind is MessageKind.LOOKING)
        event = await tx.events.get(message.event_id) if message.event_id is not None else None
        rental = await tx.rentals.get(message.rental_id) if message.rental_id is not None else None
        told = await story(tx, rental, now) if rental is not None else None
        alone = message.kind in {MessageKind.DIRECT, MessageKind.NOTICE}
        reader = await tx.people.get(message.to, EVER) if alone else None
        return render_message(
            message,
            event,
            told,
            rules=desk.rules,
            now=now,
            zone=reader.tz if reader is not None else None,
            names=await names(tx, {event.actor}) if event is not None and event.actor is not None else {},
        )


async def quote_answer(
    tx: Tx, desk: Desk, quote: Quote, now: datetime, *, looking: bool = False, everything: bool = False
) -> Rendered | None:
    """The answer to `/gpu get`, within a transaction."""
    if looking:
        return offers.looking(quote) if quote.state is QuoteState.LOOKING else None
    if quote.rental_id is not None:
        where = f"<#{quote.card_channel or desk.rules.home_channel}>"
        return rendered(f"Renting {quote.rental_id}: its card is in {where}.")
    if quote.state is QuoteState.WAITING_FOR_KEY:
        return offers.waiting_for_key()
    if quote.state is QuoteState.UNANSWERED:
        return offers.unanswered(quote, now=now)
    if quote.state is QuoteState.NONE:
        return offers.none_found(quote)
    usage = await tx.rentals.usage(quote.owner, without=quote.changes)
    usuals = {}
    for vendor in dict.fromkeys(offer.vendor for offer in quote.offers):
        seconds = await tx.rentals.usual_ready(vendor, quote.offers[0].gpu)
        if seconds is not None:
            usuals[vendor] = timedelta(seconds=round(seconds))
    reader = await tx.people.get(quote.owner, EVER)
    return offers.found(
        quote,
        rows(quote, usage, desk.rules, usuals),
        rules=desk.rules,
        now=now,
        zone=reader.tz if reader is not None else None,
        everything=everything,
        asked_in=await tx.people.room(quote.asked_in, EVER),
    )
