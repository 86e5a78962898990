"""Finds out whether buying is blocked at the moment, and why."""

from __future__ import annotations

from bot.errors import BuyingBlock, BuyingBlocked
from bot.lifecycle.changes.send import send_of_account
from bot.lifecycle.deps import Deps, transact, with_newest_rules
from bot.model.account_facts import PAUSED, UNAUTHORIZED_SINCE
from bot.model.event import EventKind
from store.db import Tx


async def buying_block(tx: Tx) -> BuyingBlock | None:
    """Return the reason why buying is blocked for everyone. None if buying isn't blocked."""
    for block in BuyingBlock:
        if await is_blocked_by(tx, block):
            return block
    return None


async def check_buying(tx: Tx) -> None:
    """Raise BuyingBlocked if buying is blocked for everyone."""
    blocked = await buying_blocked(tx)
    if blocked is not None:
        raise blocked


async def buying_blocked(tx: Tx) -> BuyingBlocked | None:
    """Return the error that explains why buying is blocked for everyone. None if buying isn't blocked."""
    block = await buying_block(tx)
    if block is not BuyingBlock.PAUSED:
        return None if block is None else BuyingBlocked(block)
    pause = await tx.account.get(PAUSED)
    if pause is None:
        return None
    name = (await tx.people.names([pause.by])).get(pause.by)
    return BuyingBlocked(block, by=name, at=pause.at, why=pause.why)


async def is_blocked_by(tx: Tx, block: BuyingBlock) -> bool:
    """Return whether `block` is one of the reasons why buying is blocked now."""
    match block:
        case BuyingBlock.PAUSED:
            return await tx.account.get(PAUSED) is not None
        case BuyingBlock.BOUGHT_AFTER_BACKUP:
            return bool(await tx.questions.pausing())
        case BuyingBlock.UNAUTHORIZED:
            return await tx.account.get(UNAUTHORIZED_SINCE) is not None


async def waits_for_slack(tx: Tx, deps: Deps, rental_id: str) -> bool:
    """Return whether a rental must wait before it buys, because its card hasn't been compared with Slack yet.

    The card is the message in Slack that shows the rental. Cards are compared after each start, because the
    database may be a backup. The owner may have cancelled the request after the backup was taken.
    """
    card = await tx.messages.card(rental_id) if deps.just_opened else None
    return card is not None and card.uncompared


async def note_token(deps: Deps, refused: bool) -> None:
    """Store whether the marketplace refuses the bot's token, and notify the admins of a change.

    The marketplace client calls this after the first response, and when the token becomes invalid or valid.
    """
    deps = with_newest_rules(deps)

    async def decision(tx: Tx) -> None:
        if await is_blocked_by(tx, BuyingBlock.UNAUTHORIZED) == refused:
            return
        await tx.account.set(UNAUTHORIZED_SINCE, deps.clock.now() if refused else None)
        await send_of_account(tx, deps, EventKind.UNAUTHORIZED if refused else EventKind.AUTHORIZED_AGAIN)

    await transact(deps, decision)
