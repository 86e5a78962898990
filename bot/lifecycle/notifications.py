"""Decides who is notified of what: turns an event into its messages. Their words are in handlers/views/."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.ports.records import Change
from bot.model.attempt import Attempt, LedgerRow, Resource, Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.message import (
    Destination,
    DestinationKind,
    Message,
    MessageKind,
    stored_destination,
    to_channel,
    to_person,
)
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.notices import last_notice_at
from bot.policy.rules import ReadyAnnouncement, Rules

E = EventKind

AS_NOTICE = frozenset({E.STEP_FAILED, E.STEP_WORKS, E.DELETED_OVERDUE})
"""The owner and the admins are notified of these by notices, because the card, thread and direct messages of a
rental whose step fails may be impossible to render."""

NOT_IN_THREAD = (
    frozenset({E.ASKED, E.STARTED, E.STILL_NEEDED, E.ENDING, E.TEAMMATE_ADDED, E.APPROVED_NOT_READY})
    | {E.NOBODY_ANSWERS, E.USE_CHANGED, E.END_MOVED, E.HOST_KEY_CHANGED, E.PROBE_INSTALLED}
    | {E.PUT_BACK, E.NOT_AS_SOLD, E.KEPT_AS_IT_IS, E.OWNER_LEFT, E.OWNER_LEFT_LATER}
    | AS_NOTICE
)
"""The thread doesn't repeat what the card itself, the first "renting", a direct message or a notice says. It
does not say how a machine is used, nor what concerns only those who log in."""

NOTIFIES_APPROVERS = frozenset({E.NOBODY_ANSWERS})
"""The approvals channel always gets a message of these."""

ASKS_APPROVERS = frozenset({E.ASKED, E.ASKED_AGAIN, E.CHANGED, E.EXTENSION_ASKED})
"""The approvals channel gets a message of these if an approver decides."""


def in_thread(event: Event) -> bool:
    """Return whether the card's thread gets a reply for an event."""
    match event.kind:
        case E.ACCEPTED:
            # The card shows it. Only if its outcome was unknown, the thread promised to say what became of it.
            return event.facts.why is not None
        case E.DESTROYING:
            return event.facts.why is not Why.LEASE_ENDED
        case E.READY:
            # Of a machine that doesn't answer, SILENT says what is known.
            return event.facts.why is not Why.SSH_SILENT
    return event.kind not in NOT_IN_THREAD


ONLY_IN_THREAD = frozenset({E.NO_ANSWER, E.ACCEPTED, E.EXTRA_RESOURCE, E.EXTRA_GONE})
"""Of the replies in a thread, those that no other message shows."""


# --- direct messages

OWNER, ADMINS, TEAMMATES = "owner", "admins", "teammates"

DIRECT: dict[EventKind, tuple[str, ...]] = {
    E.READY: (OWNER, TEAMMATES),
    E.ADOPTED: (OWNER,),
    E.OWNER_CHANGED: (OWNER,),
    E.OWNER_LEFT: (ADMINS,),
    E.TEAMMATE_ADDED: (TEAMMATES,),
    E.APPROVED_NOT_READY: (OWNER,),
    E.STILL_NEEDED: (OWNER,),
    E.HOST_KEY_CHANGED: (OWNER, TEAMMATES),
    E.ENDING: (OWNER, TEAMMATES),
    E.PUT_BACK: (OWNER,),
    E.EXTENSION_DENIED: (OWNER, TEAMMATES),
    E.ASKED_AGAIN: (OWNER,),
    E.DECIDERS_CHANGED: (OWNER,),
    E.DENIED: (OWNER,),
    E.EXPIRED: (OWNER,),
    E.WITHDRAWN: (OWNER,),
    E.NOT_AS_SOLD: (OWNER,),
    E.LOST: (OWNER,),
    E.NOT_CONFIRMED: (OWNER, ADMINS),
    E.DESTROYING: (OWNER,),
    E.ENDED: (OWNER,),
}
"""Who gets a direct message of an event, which is a ping. Each is something to do or to know now. All other events
only edit the messages that are there."""


def readers_of(event: Event, rental: Rental, rules: Rules) -> tuple[str, ...]:
    """Return the people who get a direct message of an event, each once. Nobody gets one of what they did."""
    if event.kind in {E.DESTROYING, E.ENDED} and event.actor is None and not _nothing_rented(event):
        # The bot ends what the owner was notified of before, and their newest message becomes the receipt.
        return ()
    if event.kind is E.DECIDERS_CHANGED and not event.facts.admins_decide:
        return ()
    people = {OWNER: (rental.owner,), ADMINS: rules.admins, TEAMMATES: _teammates(event, rental, rules)}
    readers = [reader for group in DIRECT.get(event.kind, ()) for reader in people[group]]
    return tuple(dict.fromkeys(reader for reader in readers if reader != event.actor))


def _teammates(event: Event, rental: Rental, rules: Rules) -> tuple[str, ...]:
    """Return the teammates whom an event concerns. Those who are let in now read it if the machine is ready, or if
    they have no key yet. Who was asked for a key and has none is not notified that it is ready. Of the notices of
    an end they get the last. That more time is denied is for the one who asked for it."""
    if event.kind is E.EXTENSION_DENIED:
        return tuple(one for one in rental.teammates if one in (event.facts.people or ()))
    if event.kind is E.TEAMMATE_ADDED:
        return (event.facts.people if rental.state is State.READY else event.facts.without_key) or ()
    if event.kind is E.READY:
        return tuple(one for one in rental.teammates if one not in (event.facts.without_key or ()))
    lease = rental.lease
    earlier_notice = event.kind is E.ENDING and lease is not None and event.at < last_notice_at(lease, rules)
    return () if earlier_notice else rental.teammates


def _nothing_rented(event: Event) -> bool:
    return event.kind is E.ENDED and event.facts.end is State.FAILED


# --- the messages of a change


def change(
    before: Rental | None,
    after: Rental,
    *,
    events: tuple[Event, ...] = (),
    rules: Rules,
    real_now: datetime,
    attempts: tuple[Attempt, ...] = (),
    resources: tuple[Resource, ...] = (),
    ledger: tuple[LedgerRow, ...] = (),
    releases_claim: bool = False,
) -> Change:
    """Return a change with all messages that it causes."""
    messages: list[tuple[int | None, Message]] = []
    if before is None:
        messages.append(
            (None, _message(MessageKind.CARD, stored_destination(after.card_channel), after, real_now))
        )
    for index, event in enumerate(events):
        messages.extend((index, message) for message in _messages_of(event, after, rules, real_now))
    return Change(
        before=before,
        after=after,
        events=events,
        messages=tuple(messages),
        attempts=attempts,
        resources=resources,
        ledger=ledger,
        releases_claim=releases_claim,
    )


def _messages_of(event: Event, rental: Rental, rules: Rules, real_now: datetime) -> list[Message]:
    messages = []
    if in_thread(event) and not _tells_reader_again(event, rental, rules):
        broadcast = event.kind is E.READY and rules.announce.ready is ReadyAnnouncement.THREAD_BROADCAST
        thread = _message(MessageKind.THREAD, stored_destination(rental.card_channel), rental, real_now)
        messages.append(changed(thread, broadcast=broadcast))
    if _asks_approvers(event, rental):
        approval = _message(MessageKind.APPROVAL, to_channel(rules.approvals_to), rental, real_now)
        messages.append(changed(approval, envelope=event.facts.envelope))
    messages.extend(direct_messages(event, rental, rules, real_now))
    return messages


def _tells_reader_again(event: Event, rental: Rental, rules: Rules) -> bool:
    """Return whether the card is in somebody's direct messages, where a reply is a ping, and they learn of the
    event without it: they did it, they get a direct message of it, or they are the owner and an edit shows it."""
    card = stored_destination(rental.card_channel)
    if card.kind is not DestinationKind.PERSON:
        return False
    informed = {event.actor, *readers_of(event, rental, rules)}
    return card.value in informed or (card.value == rental.owner and event.kind not in ONLY_IN_THREAD)


def direct_messages(event: Event, rental: Rental, rules: Rules, real_now: datetime) -> list[Message]:
    """Return the direct messages of an event, without its id."""
    return [
        _message(MessageKind.DIRECT, to_person(reader), rental, real_now)
        for reader in readers_of(event, rental, rules)
    ]


def _asks_approvers(event: Event, rental: Rental) -> bool:
    waits = rental.waiting is not None and not rental.owner_decides
    if event.kind in NOTIFIES_APPROVERS:
        return True
    return event.kind in ASKS_APPROVERS and (waits or event.kind is E.EXTENSION_ASKED)


def _message(kind: MessageKind, to: Destination, rental: Rental, real_now: datetime) -> Message:
    return Message(kind=kind, to=to, rental_id=rental.id, created_at=real_now, due_at=real_now)


def notices(
    rules: Rules, real_now: datetime, owner: str | None = None, *, in_home_channel: bool = False
) -> list[Message]:
    """Return a notice to each admin, to `owner` if the event is about a rental of theirs, and one
    `in_home_channel`."""
    readers = dict.fromkeys([*([owner] if owner is not None else []), *rules.admins])
    places = [*map(to_person, readers), *([to_channel(rules.home_channel)] if in_home_channel else [])]
    return [Message(kind=MessageKind.NOTICE, to=place, created_at=real_now, due_at=real_now) for place in places]
