"""The next destination if Slack refuses the present one: the home channel, then the owner, then the admins."""

from __future__ import annotations

import structlog

from bot.lifecycle.ports.store import Tx
from bot.model.base import changed
from bot.model.message import Destination, Message, MessageKind, to_channel, to_person
from bot.policy.team.rules import Rules

log = structlog.get_logger("gpubot.delivery")


async def fall_back(tx: Tx, message: Message, rules: Rules) -> bool:
    """Send a message to its next destination and return True. If there is none, close the message and return
    False."""
    rental = await tx.rentals.get(message.rental_id) if message.rental_id is not None else None
    to = next_destination(message, rental.owner if rental is not None else None, rules)
    log.warning("delivery.fallback", message=message.id, kind=message.kind, found=to is not None)
    if to is None:
        await tx.messages.save(changed(message, closed=True, due_at=None, refresh_at=None))
    elif message.kind in {MessageKind.CARD, MessageKind.THREAD} and message.rental_id is not None:
        await tx.messages.redirect(message.rental_id, to)
    else:
        await tx.messages.save(changed(message, to=to, tries=0))
    return to is not None


def next_destination(message: Message, owner: str | None, rules: Rules) -> Destination | None:
    """Return the destination to try after `message.to`. Return None after the last one.

    A direct message and an answer have no fallback: they may hold what only one person may read.
    """
    if message.kind not in {MessageKind.CARD, MessageKind.THREAD, MessageKind.APPROVAL}:
        return None
    people = [owner] if owner is not None and message.kind is not MessageKind.APPROVAL else []
    chain = [to_channel(rules.home_channel), *map(to_person, dict.fromkeys([*people, *rules.admins]))]
    following = chain[chain.index(message.to) + 1 :] if message.to in chain else chain
    return following[0] if following else None
