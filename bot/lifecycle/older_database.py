"""Machines that show that the database is older than the account: it was restored, or it is empty.

Such a machine has a name of ours, `gpubot-ID-N`, and the store does not know rental ID, or not its attempt N.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.errors import BuyingBlock
from bot.lifecycle.account import ask_each_admin, set_block
from bot.lifecycle.deps import Deps
from bot.lifecycle.notifications import change
from bot.lifecycle.ports.store import Tx
from bot.lifecycle.snapshot import load_snapshot
from bot.lifecycle.transitions import finish, note_bought_later
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.message import MessageKind
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.unknown import AccountVerdict, UnknownMachine, UnknownPurchase
from bot.policy.resource_names import names_of


async def bought_later(tx: Tx, machines: Sequence[UnknownMachine]) -> bool:
    """Return whether machines that no attempt has were bought after the database was saved, as their names say."""
    for name in names_of(machines):
        rental = await tx.rentals.get(name.rental_id)
        if rental is None or name.n > rental.attempts:
            return True
    return False


async def ask_together(tx: Tx, deps: Deps, purchases: Sequence[UnknownPurchase]) -> None:
    """Store purchases that were made after the database was saved, pause buying, and ask each admin about all of
    them in one message. Nothing more is bought for the rentals that they name."""
    first, now, real_now = purchases[0], deps.clock.now(), deps.clock.real()
    count = sum(len(purchase.machines) for purchase in purchases)
    empty = not await tx.rentals.any_ever()
    for purchase in purchases:
        await tx.unknown.add(changed(purchase, asked_with=first.id))
        for rental in await _named_rentals(tx, purchase):
            if rental.lease is None and not rental.bought_later:
                after = note_bought_later(rental, found=True)
                await tx.rentals.apply(change(rental, after, rules=deps.rules, real_now=real_now))
    # The block names its questions: their messages say whether buying is still paused, so they change with it.
    first_ids = filter(None, [await tx.account.get(BuyingBlock.OLDER_DATABASE.value), first.id])
    await set_block(tx, BuyingBlock.OLDER_DATABASE, " ".join(first_ids))
    facts = Facts(count=count, detail="empty" if empty else None)
    event_id = await tx.events.add(Event(rental_id=None, kind=EventKind.OLDER_DATABASE, at=now, facts=facts))
    await ask_each_admin(tx, deps, MessageKind.OLDER_DATABASE, event_id, first.id)


async def close_request(tx: Tx, deps: Deps, purchase: UnknownPurchase) -> None:
    """End the requests whose machines were found, now that it is known what becomes of the machines: nothing is
    bought for them a second time. If the machines are not ours to manage, the requests go on instead.

    Call it in the transaction that decides about the purchase, after it was saved.
    """
    for rental in await _named_rentals(tx, purchase):
        if rental.bought_later and not rental.state.over and rental.lease is None:
            await _close(tx, deps, rental, purchase)


async def _close(tx: Tx, deps: Deps, rental: Rental, purchase: UnknownPurchase) -> None:
    decided, now = purchase.decided, deps.clock.now()
    events: tuple[Event, ...] = ()
    if decided is not None and decided.verdict is AccountVerdict.NOT_OURS:
        if await _another_waits(tx, rental, purchase):
            return
        after = note_bought_later(rental, found=False)
    elif rental.state is State.DESTROYING:
        return
    else:
        snapshot = await load_snapshot(tx, rental)
        after, (event,) = finish(
            rental,
            State.CANCELLED,
            attempts=snapshot.attempts,
            at=now,
            bill=snapshot.spent(now),
            why=Why.BOUGHT_LATER,
            by=decided.by if decided is not None else None,
        )
        events = (changed(event, facts=changed(event.facts, name=purchase.rental_id)),)
    await tx.rentals.apply(change(rental, after, events=events, rules=deps.rules, real_now=deps.clock.real()))


async def _another_waits(tx: Tx, rental: Rental, purchase: UnknownPurchase) -> bool:
    """Return whether the admins have yet to decide about another purchase that names the rental: its first attempt
    may have left a machine beside that of the second."""
    others = [one for one in await tx.unknown.not_over() if one.open and one.id != purchase.id]
    names = names_of(machine for one in others for machine in one.machines)
    return any(name.rental_id == rental.id and name.n > rental.attempts for name in names)


async def _named_rentals(tx: Tx, purchase: UnknownPurchase) -> list[Rental]:
    """Return the rentals in the names of a purchase's machines that have no attempt of that number."""
    found = []
    for name in names_of(purchase.machines):
        rental = await tx.rentals.get(name.rental_id)
        if rental is not None and name.n > rental.attempts:
            found.append(rental)
    return found
