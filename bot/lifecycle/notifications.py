"""Decides who is notified of what: turns an event into its messages. Their words are in handlers/views/."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.ports.records import Change
from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.message import Destination, Message, MessageKind, stored_destination, to_channel, to_person
from bot.model.rental import Rental
from bot.policy.rules import ReadyAnnouncement, Rules

E = EventKind

AS_NOTICE = frozenset({E.STEP_FAILED, E.STEP_WORKS, E.DELETED_OVERDUE})
"""The owner and the admins are notified of these by notices, because the card, thread and direct messages of a
rental whose step fails may be impossible to render."""

NOT_IN_THREAD = frozenset({E.ASKED, E.STARTED, E.STILL_NEEDED, E.ENDING, E.TEAMMATE_ADDED}) | AS_NOTICE
"""The thread doesn't repeat what the card itself, the first "renting", a direct message or a notice says."""

TO_OWNER = frozenset(
    {
        E.READY,
        E.STILL_NEEDED,
        E.ENDING,
        E.ASKED_AGAIN,
        E.APPROVED,
        E.DENIED,
        E.EXPIRED,
        E.EXTENSION_APPROVED,
        E.EXTENSION_DENIED,
        E.EXTENSION_EXPIRED,
        E.NOT_CONFIRMED,
        E.EXTRA_RESOURCE,
        E.ENDED,
        E.LOST,
    }
)
"""The owner gets a direct message of these, unless they did it themselves."""

TO_OWNER_FROM_OTHERS = frozenset({E.DESTROYING, E.KEPT, E.EXTENDED})
"""The owner gets a direct message of these only if another person did it. If the bot did it, the owner was
notified before."""

ASKS_APPROVERS = frozenset({E.ASKED, E.ASKED_AGAIN, E.CHANGED, E.EXTENSION_ASKED})
"""The approvals channel gets a message of these if an approver decides."""


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
    if event.kind not in NOT_IN_THREAD:
        broadcast = event.kind is E.READY and rules.announce.ready is ReadyAnnouncement.THREAD_BROADCAST
        thread = _message(MessageKind.THREAD, stored_destination(rental.card_channel), rental, real_now)
        messages.append(changed(thread, broadcast=broadcast))
    if _asks_approvers(event, rental):
        approval = _message(MessageKind.APPROVAL, to_channel(rules.approvals_to), rental, real_now)
        messages.append(changed(approval, envelope=event.facts.envelope))
    readers = []
    from_bot = event.kind in TO_OWNER and event.actor is None
    from_others = event.kind in TO_OWNER | TO_OWNER_FROM_OTHERS and event.actor not in {None, rental.owner}
    if from_bot or from_others:
        readers.append(rental.owner)
    if event.kind is E.NOT_CONFIRMED:
        readers.extend(rules.admins)
    messages.extend(
        _message(MessageKind.DIRECT, to_person(reader), rental, real_now) for reader in dict.fromkeys(readers)
    )
    return messages


def _asks_approvers(event: Event, rental: Rental) -> bool:
    waits = rental.waiting is not None and not rental.owner_decides
    return event.kind in ASKS_APPROVERS and (waits or event.kind is E.EXTENSION_ASKED)


def _message(kind: MessageKind, to: Destination, rental: Rental, real_now: datetime) -> Message:
    return Message(
        kind=kind, to=to, rental_id=rental.id, target_version=rental.version, created_at=real_now, due_at=real_now
    )


def notices(rules: Rules, real_now: datetime, owner: str | None = None) -> list[Message]:
    """Return a notice to each admin, and to `owner` if the event is about a rental of theirs."""
    readers = dict.fromkeys([*([owner] if owner is not None else []), *rules.admins])
    return [
        Message(kind=MessageKind.NOTICE, to=to_person(reader), created_at=real_now, due_at=real_now)
        for reader in readers
    ]
