"""Renders a card, or a message about an event by calling the writer for the kind of event.

A writer is a function that composes a message. Import the functions of this module instead of the writers. This
module imports all modules with writers, so that all writers are registered.
"""

from __future__ import annotations

from datetime import timedelta

from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.policy.buying.replacing import FIRST_HOUR
from handlers.ids import ANSWERS, action_of
from handlers.messages import (
    account,
    admin_questions,
    apps,
    backups,
    buying,
    ended,
    ends,
    heartbeats,
    jobs,
    money,
    needed,
    owners,
    ready,
    requests,
    tokens,
)
from handlers.messages.card import card
from handlers.messages.ended import ended_receipt
from handlers.messages.ends import is_outdated
from handlers.messages.owners import no_longer_yours
from handlers.messages.program_card import program_card
from handlers.messages.writers import AlertContext, EventContext, alert, approvers, direct, said_once, thread
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.format import Reader

SUBJECTS = (
    account,
    admin_questions,
    backups,
    buying,
    ended,
    ends,
    heartbeats,
    jobs,
    money,
    needed,
    owners,
    ready,
    requests,
    tokens,
)
"""The modules with the functions that compose messages. Importing a module registers its functions."""

REFRESH_ASKED_EVERY = timedelta(minutes=3)
"""The time after which an open question about a ready machine is rendered again."""


def asks(rendered: Rendered) -> bool:
    rows = [block["elements"] for block in rendered.blocks if block["type"] == "actions"]
    return any(action_of(button["action_id"]) in ANSWERS for row in rows for button in row)


def thread_reply(context: EventContext) -> Rendered | None:
    """Render the reply in the thread about an event. None if the event has no reply. A reply is never edited."""
    return blocks.message(context.text) if context.event.effects.thread(context.event) else None


def reply_to_app(context: EventContext, *, to_outsiders: bool) -> Rendered:
    """Render the reply about an event in the thread in which a Slack app asked for the rental.

    `to_outsiders` is True if people of other organizations may read it.
    """
    return apps.reply(context, to_outsiders=to_outsiders)


def history_text(event: Event, details: RentalDetails, reader: Reader, *, money: bool) -> str:
    """Return the text about an event in a rental's history. Empty if the event has no text.

    The text contains no time, because each line of a history begins with the time. It contains the reader's name
    instead of `you`. Without `money`, it contains no amounts and prices.
    """
    readable = event if money else changed(event, facts=event.facts.without_money())
    context = EventContext(readable, details, changed(reader, id=""), timed=False)
    return context.text if event.kind in thread else ""


def card_message(details: RentalDetails, reader: Reader) -> Rendered:
    """Render the card of a rental: a single line if a program rented the machine."""
    return (card if details.rental.program is None else program_card)(details, reader)


def message_to_approvers(context: EventContext) -> Rendered:
    """Render the message that asks the approvers. Once they have decided, it shows the decision."""
    shown = approvers.get(context.event.kind, requests.approval)(context)
    return shown if context.event.kind is EventKind.NOBODY_ANSWERS else _refreshed(shown, context)


def direct_message(context: EventContext) -> Rendered | None:
    """Render the direct message to one person about an event.

    Returns None if the message hasn't been posted yet and a newer message has made it outdated.

    A former owner gets a text that only says who owns the machine now. Once a rental is over, its owner gets the
    receipt.
    """
    event, rental, reader = context.event, context.rental, context.reader
    if context.posted_at is None and is_outdated(context):
        return None
    if reader.id in context.details.former_owners and not rental.lets_in(reader.id) and not _is_for_them(context):
        return no_longer_yours(context)
    if rental.state.over and context.by_owner and not event.effects.tells_end:
        return ended_receipt(context)
    # An earlier release may have sent direct messages about some kinds of events for which this release only
    # writes a reply in the card's thread. Such a direct message gets the text of that reply.
    return _refreshed(direct.get(event.kind, said_once)(context), context)


def _is_for_them(context: EventContext) -> bool:
    """Return whether a former owner gets the full message about an event.

    They get it in three cases. Somebody took over the machine from them. The machine is offered to them. Or they
    requested the machine, and its current owner still needs it.
    """
    if context.event.kind is EventKind.OWNER_CHANGED:
        return context.event.actor == context.rental.owner
    return context.event.kind in {EventKind.GIVEN, EventKind.KEPT}


def _refreshed(shown: Rendered, context: EventContext) -> Rendered:
    """Set the time after which a message about a ready machine is rendered again.

    An open question shows the growing cost, so it is rendered again every few minutes. The first message about a
    ready machine has a button for a replacement, but only for an hour. It is rendered again after that hour.
    """
    event, rental = context.event, context.rental
    if shown.closed or shown.refresh_after is not None or rental.state is not State.READY:
        return shown
    if event.effects.asks is not None:
        return changed(shown, refresh_after=REFRESH_ASKED_EVERY)
    left = rental.running_lease.ready_at + FIRST_HOUR - context.reader.now
    return changed(shown, refresh_after=left) if event.kind is EventKind.READY and left > timedelta(0) else shown


def alert_message(context: AlertContext) -> Rendered | None:
    """Render the alert about an event. None if there is nothing left to say. An alert is never edited."""
    return alert[context.event.kind](context) if context.event.kind in alert else None
