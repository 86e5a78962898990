"""Whether buying is blocked, and why; and what the admins are notified of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.errors import BuyingBlock, BuyingBlocked
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.notifications import notices
from bot.lifecycle.ports.store import Tx
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.message import Message, MessageKind, to_person
from bot.model.unknown import UnknownPurchase


async def buying_block(tx: Tx) -> BuyingBlock | None:
    """Return why nothing is bought for anyone now. Return None if buying goes on.

    The store has each block as a fact of the account whose name is the block's value.
    """
    for block in BuyingBlock:
        if await is_blocked_by(tx, block):
            return block
    return None


async def check_buying(tx: Tx) -> None:
    """Raise BuyingBlocked if nothing is bought for anyone now."""
    blocked = await buying_blocked(tx)
    if blocked is not None:
        raise blocked


async def buying_blocked(tx: Tx) -> BuyingBlocked | None:
    """Return the error that says why nothing is bought for anyone now. Return None if buying goes on."""
    block = await buying_block(tx)
    if block is not BuyingBlock.PAUSED:
        return None if block is None else BuyingBlocked(block)
    by, at, why = (await tx.account.get(block.value) or "").split(" ", 2)
    name = (await tx.people.names([by])).get(by)
    return BuyingBlocked(block, by=name, at=datetime.fromisoformat(at), why=why)


async def is_blocked_by(tx: Tx, block: BuyingBlock) -> bool:
    """Return whether buying is blocked for this reason. It may be blocked for another reason too."""
    return await tx.account.get(block.value) is not None


async def set_block(tx: Tx, block: BuyingBlock, why: str | None) -> None:
    """Block buying. `why` is a word, for admins who read the database, the id of the admin who paused it with the
    time and their words, or the ids of the questions about an older database. None ends the block."""
    await tx.account.set(block.value, why)


async def note_token(deps: Deps, refused: bool) -> None:
    """Store whether the marketplace refuses our token, and notify the admins if that changed. The client calls it
    when one answer refuses the token and the next accepts it, or the other way round."""

    async def decision(tx: Tx) -> None:
        if await is_blocked_by(tx, BuyingBlock.UNAUTHORIZED) == refused:
            return
        await set_block(tx, BuyingBlock.UNAUTHORIZED, "yes" if refused else None)
        await notify_admins(tx, deps, EventKind.UNAUTHORIZED if refused else EventKind.AUTHORIZED_AGAIN)

    await transact(deps, decision)


async def notify_admins(
    tx: Tx, deps: Deps, kind: EventKind, facts: Facts | None = None, actor: str | None = None
) -> None:
    """Write an event of the account, with a notice for every admin except the `actor`."""
    event = Event(rental_id=None, kind=kind, at=deps.clock.now(), actor=actor, facts=facts or Facts())
    await send_notices(tx, deps, event)


async def send_notices(
    tx: Tx, deps: Deps, event: Event, owner: str | None = None, *, in_home_channel: bool = False
) -> None:
    """Write an event with its notices: to the admins, to `owner` if it is about a rental of theirs, and one
    `in_home_channel`. The person who made the event gets none."""
    event_id = await tx.events.add(event)
    for message in notices(deps.rules, deps.clock.real(), owner, in_home_channel=in_home_channel):
        if message.to.value != event.actor:
            await tx.messages.add(changed(message, event_id=event_id))


async def add_together(
    tx: Tx,
    deps: Deps,
    purchases: Sequence[UnknownPurchase],
    kind: MessageKind,
    event: Event,
    *,
    first_id: str | None,
) -> str:
    """Store unknown purchases about which each admin is asked in one message. Return the id of the first of these.

    `first_id` is None for the first part of a question, which `event` asks. Otherwise the purchases join the
    question whose first purchase it is, and its messages show them.
    """
    first = first_id or purchases[0].id
    for purchase in purchases:
        await tx.unknown.add(changed(purchase, asked_with=first))
    if first_id is not None:
        await tx.messages.show_together(first)
        return first
    known = event.facts.count or sum(len(purchase.machines) for purchase in purchases)
    event = changed(event, facts=changed(event.facts, count=known))
    await ask_each_admin(tx, deps, kind, await tx.events.add(event), first)
    return first


async def ask_each_admin(tx: Tx, deps: Deps, kind: MessageKind, event_id: int, purchase_id: str) -> None:
    """Ask each admin, by a direct message, what becomes of unknown machines. An admin who got the message of this
    event before gets none."""
    real_now = deps.clock.real()
    for admin in deps.rules.admins:
        await tx.messages.add(
            Message(
                kind=kind,
                to=to_person(admin),
                event_id=event_id,
                purchase_id=purchase_id,
                created_at=real_now,
                due_at=real_now,
            )
        )
