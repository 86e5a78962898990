"""Turns an event into its messages, as the table in bot/model/event.py says. handlers/views/ has their words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.model.base import changed
from bot.model.event import Approvers, Event, EventKind, To
from bot.model.message import (
    Destination,
    DestinationKind,
    Message,
    MessageKind,
    stored_destination,
    to_channel,
    to_person,
)
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import ReadyAnnouncement, Rules
from bot.policy.use.end_notices import last_notice_at

# --- people


def readers_of(event: Event, rental: Rental, rules: Rules) -> tuple[str, ...]:
    """Return the people who get a direct message of an event, each once. Nobody gets one of their own action."""
    if not event.effects.direct_if(event):
        return ()
    readers = [reader for to in event.effects.direct for reader in _people(to, event, rental, rules)]
    return tuple(dict.fromkeys(reader for reader in readers if reader != event.actor))


def _people(to: To, event: Event, rental: Rental, rules: Rules) -> tuple[str, ...]:
    match to:
        case To.OWNER:
            return (rental.owner,)
        case To.ADMINS:
            return rules.admins
        case To.TEAMMATES:
            return rental.teammates
        case To.TEAMMATES_WITH_KEY:
            return tuple(one for one in rental.teammates if one not in (event.facts.without_key or ()))
        case To.TEAMMATES_LET_IN:
            return (event.facts.people if rental.state is State.READY else event.facts.without_key) or ()
        case To.TEAMMATES_WHO_ASKED:
            return tuple(one for one in rental.teammates if one in (event.facts.people or ()))
        case To.PEOPLE:
            return event.facts.people or ()
        case To.GIVER:
            before, after = event.facts.people or (None, None)
            return (before,) if before is not None and event.actor == after else ()
        case To.TEAMMATES_AT_LAST_NOTICE:
            lease = rental.lease
            return rental.teammates if lease is None or event.at >= last_notice_at(lease, rules) else ()
    raise ValueError(f"{to} gets no direct messages")


def alerted(event: Event, rules: Rules, owner: str | None = None) -> tuple[str, ...]:
    """Return the people who get an alert of an event, each once. `owner` is set if it is about a rental of theirs.
    The person who made the event gets none."""
    owners = [] if owner is None else [owner]
    people: dict[To, Sequence[str]] = {
        To.OWNER: owners,
        To.ADMINS: rules.admins,
        To.OWNER_OR_ADMINS: owners or rules.admins,
        To.PEOPLE: event.facts.people or (),
    }
    readers = [reader for to in event.effects.alert for reader in people.get(to, ())]
    return tuple(dict.fromkeys(reader for reader in readers if reader != event.actor))


# --- the messages of a change


def messages_of(change: Change, rules: Rules, real_now: datetime) -> list[tuple[int | None, Message]]:
    """Return the messages that follow from a change, each with the index of its event. A new rental gets its
    card."""
    before, after = change.before, change.after
    messages: list[tuple[int | None, Message]] = []
    if before is None:
        card = _message(MessageKind.CARD, stored_destination(after.card_channel), after, real_now)
        messages.append((None, card))
    for index, event in enumerate(change.events):
        messages.extend((index, message) for message in _of_event(event, before, after, rules, real_now))
    return messages


def _of_event(
    event: Event, before: Rental | None, rental: Rental, rules: Rules, real_now: datetime
) -> list[Message]:
    messages = []
    if event.effects.thread(event) and not _notifies_reader_twice(event, rental, rules):
        broadcast = event.kind is EventKind.READY and rules.announce.ready is ReadyAnnouncement.THREAD_BROADCAST
        thread = _message(MessageKind.THREAD, stored_destination(rental.card_channel), rental, real_now)
        messages.append(changed(thread, broadcast=broadcast))
    if _asks_approvers(event, before, rental):
        messages.append(_message(MessageKind.APPROVAL, to_channel(rules.approvals_to), rental, real_now))
    messages += [
        _message(MessageKind.APPROVAL, to_person(one), rental, real_now) for one in event.facts.then or ()
    ]
    messages.extend(direct_messages(event, rental, rules, real_now))
    return messages


def _notifies_reader_twice(event: Event, rental: Rental, rules: Rules) -> bool:
    """Return whether a reply to the card would tell its reader what they learn anyway. It would if the card is in
    somebody's direct messages, where a reply pings them, and they did it, get a direct message of it, or are the
    owner and see the card edited."""
    card = stored_destination(rental.card_channel)
    if card.kind is not DestinationKind.PERSON:
        return False
    informed = {event.actor, *readers_of(event, rental, rules)}
    return card.value in informed or (card.value == rental.owner and not event.effects.only_in_thread)


def direct_messages(event: Event, rental: Rental, rules: Rules, real_now: datetime) -> list[Message]:
    """Return the direct messages of an event, without its id."""
    return [
        _message(MessageKind.DIRECT, to_person(reader), rental, real_now)
        for reader in readers_of(event, rental, rules)
    ]


def _asks_approvers(event: Event, before: Rental | None, rental: Rental) -> bool:
    match event.effects.approvers:
        case Approvers.IF_THEY_DECIDE:
            return rental.approver_decides
        case Approvers.IF_NOT_ASKED_YET:
            return rental.approver_decides and not (before is not None and before.approver_decides)
    return event.effects.approvers is Approvers.YES


def _message(kind: MessageKind, to: Destination, rental: Rental, real_now: datetime) -> Message:
    return Message(kind=kind, to=to, rental_id=rental.id, created_at=real_now, due_at=real_now)


def alerts(event: Event, rules: Rules, real_now: datetime, owner: str | None = None) -> list[Message]:
    """Return the alerts of an event, without its id. `owner` is set if it is about a rental of theirs."""
    places = [*map(to_person, alerted(event, rules, owner))]
    if To.HOME_CHANNEL in event.effects.alert:
        places.append(to_channel(rules.home_channel))
    if To.APPROVERS_CHANNEL in event.effects.alert:
        places.append(to_channel(rules.approvals_to))
    return [Message(kind=MessageKind.ALERT, to=place, created_at=real_now, due_at=real_now) for place in places]
