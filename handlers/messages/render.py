"""Renders a message of the outbox with the view of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.message import Message, MessageKind
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.policy.buying.replacing import FIRST_HOUR
from bot.policy.team.asking import Mentions
from handlers.ids import ANSWERS, action_of
from handlers.messages.alerts import alert
from handlers.messages.approval import approval
from handlers.messages.card import card
from handlers.messages.direct_message import direct_message, is_outdated
from handlers.messages.event_text import event_text
from handlers.messages.nobody_answers import nobody_answers
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.format import Reader

REFRESH_ASKED_EVERY = timedelta(minutes=3)
"""How often a message that asks something about a ready machine is rendered again."""


def asks(rendered: Rendered) -> bool:
    """Return whether a message is a question that is still open."""
    rows = [block["elements"] for block in rendered.blocks if block["type"] == "actions"]
    return any(action_of(button["action_id"]) in ANSWERS for row in rows for button in row)


def render_message(
    message: Message,
    event: Event | None,
    details: RentalDetails | None,
    reader: Reader,
    *,
    names: Mapping[str, str] | None = None,
    newest: bool = True,
    asks: Mentions | None = None,
) -> Rendered | None:
    """Return a message as it should look now. Return None if its event has no text there, or if its kind is not
    rendered from a rental: the answer to a search, or a reply, which was rendered when it was queued.

    `names` has the people whom an alert names. `newest` tells whether the reader of a direct message got no later
    one about the rental. `asks` has the people whom the post of a message to the approvers mentions.
    """
    if message.kind is MessageKind.ALERT:
        return alert(event, reader, names=names) if event else None
    if details is None:
        return None
    match message.kind:
        case MessageKind.CARD:
            return card(details, reader)
        case MessageKind.THREAD if event:
            return thread_reply(event, details, reader)
        case MessageKind.DIRECT if event:
            if message.posted_at is None and is_outdated(event, details, reader.now):
                return None
            shown = direct_message(event, details, reader, newest=newest, posted_at=message.posted_at)
            return _refreshed(shown, event, details.rental, reader.now)
        case MessageKind.APPROVAL if event and event.kind is EventKind.NOBODY_ANSWERS:
            return nobody_answers(event, details, reader, asks=asks)
        case MessageKind.APPROVAL if event:
            return _refreshed(approval(details, reader, asked=event, asks=asks), event, details.rental, reader.now)
    return None


def _refreshed(shown: Rendered, event: Event, rental: Rental, now: datetime) -> Rendered:
    """Return an open message about a ready machine with the time after which it is rendered again: while it asks
    something, since the machine costs more and more; and when the first hour ends, in which the machine may be
    replaced."""
    if shown.closed or shown.refresh_after is not None or rental.state is not State.READY:
        return shown
    if event.effects.asks is not None:
        return changed(shown, refresh_after=REFRESH_ASKED_EVERY)
    left = rental.running_lease.ready_at + FIRST_HOUR - now
    return changed(shown, refresh_after=left) if event.kind is EventKind.READY and left > timedelta(0) else shown


# --- the replies below a card


def thread_reply(event: Event, details: RentalDetails, reader: Reader) -> Rendered | None:
    """Return the reply for an event, which is never edited. Return None if the event has no reply."""
    words = event_text(event, details, reader.times) if event.effects.thread(event) else None
    return None if words is None else blocks.message(words.text)
