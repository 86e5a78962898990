"""Turns an event into its messages, as defined by EFFECTS in bot/model/event.py.

The text of the messages is in handlers/messages/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from bot.model.event import Event, EventKind, To
from bot.model.facts import TeammatesFacts
from bot.model.message import (
    DestinationKind,
    Message,
    MessageKind,
    queued,
    stored_destination,
    to_channel,
    to_webhook,
)
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.webhook import WebhookEvent
from bot.policy.team.rules import ReadyAnnouncement, Rules
from bot.policy.use.end_notices import last_notice_at

NOBODY: Mapping[To, Sequence[str]] = MappingProxyType({})

# --- recipients


def readers_of(event: Event, rental: Rental, rules: Rules) -> tuple[str, ...]:
    """Return the people who get a direct message about an event, each once.

    Nobody is notified of their own action. Empty if the event sends no direct messages.
    """
    return Scene(event, rules, rental).ids(event.effects.direct) if event.effects.direct_if(event) else ()


def alerted(
    event: Event, rules: Rules, owner: str | None = None, *, known: Mapping[To, Sequence[str]] = NOBODY
) -> tuple[str, ...]:
    """Return the IDs of the people and channels that get an alert about an event, each once.

    The person who caused the event is left out.

    Args:
        owner: The owner of the rental that the event is about, if it is about one.
        known: The recipients that only the caller can determine.
    """
    return Scene(event, rules, owner=owner, known=known).ids(event.effects.alert)


class Scene(NamedTuple):
    """An event, and everything that determines who gets its messages."""

    event: Event[Any]
    rules: Rules
    rental: Rental | None = None
    before: Rental | None = None
    owner: str | None = None
    known: Mapping[To, Sequence[str]] = NOBODY
    """The recipients that only the caller can determine."""

    def ids(self, audience: Iterable[To]) -> tuple[str, ...]:
        """Return the IDs of the people and channels in an audience, each once.

        The person who caused the event is left out.
        """
        ids = [one for to in audience for one in (self.known[to] if to in self.known else _WHO[to](self))]
        return tuple(dict.fromkeys(one for one in ids if one != self.event.actor))

    @property
    def owners(self) -> Sequence[str]:
        """The owner of the rental.

        Empty if the event isn't about a rental, or if a program rented the machine and already knows of the event.
        """
        by_program = self.rental is not None and self.rental.program is not None
        if by_program and self.event.effects.program_knows(self.event):
            return []
        owner = self.rental.owner if self.rental is not None else self.owner
        return [owner] if owner is not None else []

    @property
    def teammates(self) -> Sequence[str]:
        """The teammates of the rental. Empty if the event isn't about a rental."""
        return self.rental.teammates if self.rental is not None else []

    def approvers(self, asked: Rental | None = None) -> Sequence[str]:
        """Return the approvals channel if an approver has to decide about the rental after the event.

        Empty if no approver has to decide. Also empty if `asked`, an earlier version of the rental, already
        waited for an approver.
        """
        decides = self.rental is not None and self.rental.approver_decides
        return [self.rules.approvals_to] if decides and not (asked is not None and asked.approver_decides) else []


def _giver(scene: Scene) -> Sequence[str]:
    """Return the former owner if the new owner has accepted the offered machine."""
    giver, taker = scene.event.facts.people
    return [giver] if scene.event.actor == taker else []


def _given_access(scene: Scene) -> Sequence[str]:
    """Return the new teammates who are notified that the rental was shared with them.

    If the machine is ready, all new teammates are notified. Otherwise, only the new teammates who have to add an
    SSH key are notified.
    """
    facts: TeammatesFacts = scene.event.facts
    ready = scene.rental is not None and scene.rental.state is State.READY
    return facts.people if ready else facts.without_key


def _at_last_notice(scene: Scene) -> Sequence[str]:
    """Return the teammates if this is the last notice before the end of the lease, and nobody otherwise."""
    lease = scene.rental.lease if scene.rental is not None else None
    last = lease is None or scene.event.at >= last_notice_at(lease, scene.rules)
    return scene.teammates if last else []


_WHO: Mapping[To, Callable[[Scene], Sequence[str]]] = {
    To.OWNER: lambda scene: scene.owners,
    To.ADMINS: lambda scene: scene.rules.admins,
    To.OWNER_OR_ADMINS: lambda scene: scene.owners or scene.rules.admins,
    To.PEOPLE: lambda scene: scene.event.facts.people,
    To.OTHERS: lambda scene: scene.event.facts.then,
    To.GIVER: _giver,
    To.TEAMMATES: lambda scene: scene.teammates,
    To.TEAMMATES_WITH_KEY: lambda scene: [
        one for one in scene.teammates if one not in scene.event.facts.without_key
    ],
    To.TEAMMATES_WHO_ASKED: lambda scene: [one for one in scene.teammates if one in scene.event.facts.people],
    To.TEAMMATES_LET_IN: _given_access,
    To.TEAMMATES_AT_LAST_NOTICE: _at_last_notice,
    To.HOME_CHANNEL: lambda scene: [scene.rules.home_channel],
    To.APPROVERS_CHANNEL: lambda scene: [scene.rules.approvals_to],
    To.APPROVERS_IF_THEY_DECIDE: lambda scene: scene.approvers(),
    To.APPROVERS_IF_NOT_ASKED_YET: lambda scene: scene.approvers(asked=scene.before),
}


# --- the messages of a change


def messages_of(change: Change, rules: Rules, real_now: datetime) -> list[tuple[int | None, Message]]:
    """Return the messages that a change causes.

    Most messages are about an event of the change. They are returned with the position of this event in
    `change.events`. A new rental also gets a card, the message in Slack that shows its current state. The card is
    returned with None, because it isn't about an event. The store ignores a second card of the same rental.
    """
    before, after = change.before, change.after
    messages: list[tuple[int | None, Message]] = []
    if _gets_card(before, after):
        card = queued(MessageKind.CARD, stored_destination(after.card_channel), real_now, rental_id=after.id)
        messages.append((None, card))
    for index, event in enumerate(change.events):
        messages.extend((index, message) for message in _of_event(event, before, after, rules, real_now))
    if rules.webhooks:
        messages.extend(_for_webhooks(change, rules, real_now))
    return messages


def _for_webhooks(change: Change, rules: Rules, real_now: datetime) -> Iterator[tuple[int, Message]]:
    for index, name in enumerate(webhook_names(change)):
        for webhook in rules.webhooks:
            if name is not None and name in webhook.events:
                about = {"rental_id": change.after.id, "body": {"name": name.value}}
                yield index, queued(MessageKind.WEBHOOK, to_webhook(webhook.url), real_now, **about)


def webhook_names(change: Change) -> list[WebhookEvent | None]:
    """Return the name under which webhooks receive each event of a change. None if they don't receive it.

    Most rentals end in two steps: first their machine is deleted, and then they are over. If nothing has to be
    deleted, an event of the same kind can end them in one step. Only the event after which the rental is over is
    called ENDED, so that each rental has exactly one. Earlier events of these kinds are called ENDING.

    If a changed request needs no approval, the event is called REQUESTED instead of APPROVAL_REQUESTED.

    If the change moves the end of the lease, the first event that has no name of its own becomes END_CHANGED.
    Events of many kinds can move the end, and each of them also occurs without doing so.
    """
    instead: dict[WebhookEvent, WebhookEvent] = {}
    if not change.after.state.over:
        instead[WebhookEvent.ENDED] = WebhookEvent.ENDING
    if change.after.state is not State.AWAITING_APPROVAL:
        instead[WebhookEvent.APPROVAL_REQUESTED] = WebhookEvent.REQUESTED
    named = [each.effects.webhook if each.effects.webhook_if(each) else None for each in change.events]
    names = [None if name is None else instead.get(name, name) for name in named]
    if change.moves_end and None in names:
        names[names.index(None)] = WebhookEvent.END_CHANGED
    return names


def _gets_card(before: Rental | None, after: Rental) -> bool:
    """Return whether a change makes a rental visible in its channel.

    Usually, a rental is visible from the start. If a single search decides about the request of a program, the
    rental becomes visible only once the search has led to something. A program that asks again and again for a
    machine that nobody sells, or that its token doesn't allow, must not fill the channel.
    """
    if before is None:
        return not _is_decided_at_once(after)
    return _is_decided_at_once(before) and not _is_decided_at_once(after) and not after.state.over


def _is_decided_at_once(rental: Rental) -> bool:
    """Return whether a single search decides about the request of a program."""
    entry = rental.waitlist_entry
    return rental.program is not None and rental.state is State.QUEUED and entry is not None and entry.once


def _of_event(
    event: Event, before: Rental | None, rental: Rental, rules: Rules, real_now: datetime
) -> list[Message]:
    messages: list[tuple[MessageKind, str, bool]] = []
    if _has_reply(event, rental) and not _notifies_reader_twice(event, rental, rules):
        broadcast = event.kind is EventKind.READY and rules.announce.ready is ReadyAnnouncement.THREAD_BROADCAST
        messages.append((MessageKind.THREAD, rental.card_channel, broadcast))
    scene = Scene(event, rules, rental, before)
    messages += [(MessageKind.APPROVAL, to, False) for to in scene.ids(event.effects.approvers)]
    messages += [(MessageKind.DIRECT, to, False) for to in readers_of(event, rental, rules)]
    return [
        *(
            queued(kind, stored_destination(to), real_now, rental_id=rental.id, broadcast=broadcast)
            for kind, to, broadcast in messages
        ),
        *_to_app(event, before, rental, real_now),
    ]


def has_reply_to_app(event: Event) -> bool:
    """Return whether the thread in which a Slack app asked for the rental gets a reply about an event."""
    return event.effects.answers_app or event.effects.thread(event)


def _to_app(event: Event, before: Rental | None, rental: Rental, real_now: datetime) -> list[Message]:
    """Return the reply in the thread in which a Slack app asked for the rental. Empty if there is none.

    If the rental gets another owner, it is no longer the program's. The reply about this is the last one.
    """
    program = rental.program or (before.program if before is not None else None)
    thread = program.thread if program is not None else None
    if thread is None or not has_reply_to_app(event):
        return []
    to, body = to_channel(thread.channel), {"thread_ts": thread.ts}
    return [queued(MessageKind.PROGRAM, to, real_now, rental_id=rental.id, body=body)]


def _has_reply(event: Event, rental: Rental) -> bool:
    """Return whether the thread of a rental's card gets a reply about an event."""
    effects = event.effects
    return effects.thread(event) and (rental.program is None or effects.only_in_thread)


def _notifies_reader_twice(event: Event, rental: Rental, rules: Rules) -> bool:
    """Return whether a reply in the thread of a rental's card would tell its reader nothing new."""
    card = stored_destination(rental.card_channel)
    if card.kind is not DestinationKind.PERSON:
        return False
    informed = {event.actor, *readers_of(event, rental, rules)}
    return card.value in informed or (card.value == rental.owner and not event.effects.only_in_thread)
