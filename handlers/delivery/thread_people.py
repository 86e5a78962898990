"""Whether a reply in a card's thread would notify somebody who learns of its event without it.

Slack notifies everyone of a new reply who wrote in the thread or was mentioned there by name
(slack.com/help/articles/115000769927). Nobody is to be notified twice of one fact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.lifecycle.deps import Deps
from bot.lifecycle.notifications import informed_without_thread
from bot.model.message import DestinationKind, Message
from handlers.delivery.read_back import Finder, SearchAgain, Unreadable

TRIES = 5
"""After so many failed calls in a row the reply is posted: a reply that is missing is worse than a second ping."""
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)")


async def notifies_twice(deps: Deps, finder: Finder, reply: Message) -> bool:
    """Return whether `reply` is left out because it would notify somebody who learns of its event without it.

    Raise SearchAgain if the thread can't be read now. Return False if the bot can't read it at all, or if Slack
    answers with an error that we don't know.
    """
    async with deps.store.read() as tx:
        event = await tx.events.get(reply.event_id) if reply.event_id is not None else None
        rental = await tx.rentals.get(reply.rental_id) if reply.rental_id is not None else None
        card = await tx.messages.card(reply.rental_id) if reply.rental_id is not None else None
    if event is None or rental is None or card is None:
        return False
    informed = informed_without_thread(event, rental, deps.rules)
    if card.to.kind is DestinationKind.PERSON:
        return card.to.value in informed
    if not informed or card.channel is None or card.ts is None:
        return False
    try:
        posts = await finder.thread(card.channel, card.ts)
    except Unreadable:
        return False
    except SearchAgain as again:
        if again.unknown_error or (again.until is None and reply.tries >= TRIES):
            return False
        raise
    return any(not informed.isdisjoint(_notified_by(post)) for post in posts)


def _notified_by(post: Mapping[str, Any]) -> set[str]:
    """Return who follows the thread because of this post: its author, and the people whom it mentions."""
    return {str(post.get("user")), *_MENTION.findall(str(post.get("text")))}
