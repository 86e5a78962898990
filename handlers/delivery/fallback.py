"""Where a message goes when its place takes none any more: the home channel, its owner, the admins."""

from __future__ import annotations

import structlog

from bot.lifecycle.ports import Tx
from bot.model.base import changed
from bot.model.message import Destination, Message, MessageKind, to_channel, to_person
from bot.policy.rules import Rules

log = structlog.get_logger("gpubot.delivery")


async def redirect(tx: Tx, message: Message, rules: Rules, *, anew: bool = False) -> bool:
    """Sends it to the next place, or `anew` to the same, within a transaction. Where none is left, it is closed;
    says whether one was."""
    rental = await tx.rentals.get(message.rental_id) if message.rental_id is not None else None
    owner = rental.owner if rental is not None else None
    to = message.to if anew else next_destination(message, owner, rules)
    log.warning("delivery.elsewhere", message=message.id, kind=message.kind, found=to is not None)
    if to is None:
        await tx.messages.save(changed(message, closed=True, due_at=None))
    elif message.kind in {MessageKind.CARD, MessageKind.THREAD} and message.rental_id is not None:
        await tx.messages.redirect(message.rental_id, to)
    else:
        await tx.messages.save(changed(message, to=to, tries=0))
    return to is not None


def next_destination(message: Message, owner: str | None, rules: Rules) -> Destination | None:
    """Return the destination to try after `message.to`, None after the last one.

    A direct message and an answer have no fallback: they may hold what only one person may read.
    """
    if message.kind not in {MessageKind.CARD, MessageKind.THREAD, MessageKind.APPROVAL}:
        return None
    people = [owner] if owner is not None and message.kind is not MessageKind.APPROVAL else []
    people += rules.admins
    chain = [to_channel(rules.home_channel), *map(to_person, dict.fromkeys(people))]
    if message.to not in chain:
        return chain[0]
    return next(iter(chain[chain.index(message.to) + 1 :]), None)
