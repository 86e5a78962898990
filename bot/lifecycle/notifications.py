"""Who is told what: from an event to the messages that it makes. The words are in handlers/views/."""

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
"""Told to the owner and the admins as notices: what keeps a step from working may also keep its rental's card,
thread and direct messages from being rendered."""

QUIET = frozenset({E.ASKED, E.STARTED, E.STILL_NEEDED, E.ENDING}) | AS_NOTICE
"""Not in the thread: the card itself, the first "renting", or a direct message says it."""

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
"""One ping each, by DM, unless the owner did it."""

TO_OWNER_FROM_OTHERS = frozenset({E.DESTROYING, E.KEPT, E.EXTENDED})
"""By DM where another person did it. What the bot does by itself was announced, and its end is told."""

ASKS_APPROVERS = frozenset({E.ASKED, E.ASKED_AGAIN, E.CHANGED, E.EXTENSION_ASKED})


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
    """A change with all that it tells."""
    messages: list[tuple[int | None, Message]] = []
    if before is None:
        messages.append(
            (None, _message(MessageKind.CARD, stored_destination(after.card_channel), after, real_now))
        )
    for index, event in enumerate(events):
        messages.extend((index, message) for message in _told_by(event, after, rules, real_now))
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


def _told_by(event: Event, rental: Rental, rules: Rules, real_now: datetime) -> list[Message]:
    told = []
    if event.kind not in QUIET:
        broadcast = event.kind is E.READY and rules.announce.ready is ReadyAnnouncement.THREAD_BROADCAST
        thread = _message(MessageKind.THREAD, stored_destination(rental.card_channel), rental, real_now)
        told.append(changed(thread, broadcast=broadcast))
    if _asks_approvers(event, rental):
        asked = _message(MessageKind.APPROVAL, to_channel(rules.approvals_to), rental, real_now)
        told.append(changed(asked, envelope=event.facts.envelope))
    readers = []
    from_bot = event.kind in TO_OWNER and event.actor is None
    from_others = event.kind in TO_OWNER | TO_OWNER_FROM_OTHERS and event.actor not in {None, rental.owner}
    if from_bot or from_others:
        readers.append(rental.owner)
    if event.kind is E.NOT_CONFIRMED:
        readers.extend(rules.admins)
    told.extend(
        _message(MessageKind.DIRECT, to_person(reader), rental, real_now) for reader in dict.fromkeys(readers)
    )
    return told


def _asks_approvers(event: Event, rental: Rental) -> bool:
    waits = rental.waiting is not None and not rental.owner_decides
    return event.kind in ASKS_APPROVERS and (waits or event.kind is E.EXTENSION_ASKED)


def _message(kind: MessageKind, to: Destination, rental: Rental, real_now: datetime) -> Message:
    return Message(
        kind=kind, to=to, rental_id=rental.id, target_version=rental.version, created_at=real_now, due_at=real_now
    )


def notices(rules: Rules, real_now: datetime, owner: str | None = None) -> list[Message]:
    """A notice to each admin, and to `owner` if the event is about a rental of theirs."""
    readers = dict.fromkeys([*([owner] if owner is not None else []), *rules.admins])
    return [
        Message(kind=MessageKind.NOTICE, to=to_person(reader), created_at=real_now, due_at=real_now)
        for reader in readers
    ]
