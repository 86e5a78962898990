"""What admins decide about all machines that were bought after the database was saved."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import BuyingBlock, Refused, TooLate
from bot.lifecycle.account import is_blocked_by, notify_admins
from bot.lifecycle.adoption import cost_so_far
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.ports.store import EVER, Tx
from bot.lifecycle.service.adopting import adopt_machines, check_admin, longest_lease
from bot.lifecycle.service.unknown_machines import decide_purchase, save_purchase
from bot.lifecycle.unknown import ask_admins
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.summary import OlderDatabaseView
from bot.model.unknown import AccountVerdict, UnknownPurchase
from bot.policy.resource_names import named_owner
from bot.policy.roles import may_use
from bot.policy.unknown_machines import in_batches

PUT_BACK_FOR = timedelta(hours=24)
"""How long machines that are put back run, from the click on."""
_UNKNOWN_RENTAL = "unknown_rental:"
"""The beginning of the account's facts that the admins were notified of an unknown rental."""
ALL_DECIDED = "All of them are decided by now, or have a message of their own. I changed nothing."


async def view_for_message(
    tx: Tx, deps: Deps, reader: str, event: Event, first_id: str
) -> OlderDatabaseView | None:
    """Return the machines of one question for a message to `reader`, a Slack id. Return None if the reader is no
    admin."""
    if reader not in deps.rules.admins:
        return None
    purchases = tuple(await tx.unknown.asked_together(first_id))
    ids = [purchase.rental_id for purchase in purchases if purchase.rental_id is not None]
    people = [named_owner(purchase.machines) for purchase in purchases]
    people += [purchase.decided.by for purchase in purchases if purchase.decided is not None]
    rentals = await tx.rentals.get_many(ids)
    people += [rental.owner for rental in rentals.values()]
    return OlderDatabaseView(
        event=event,
        purchases=purchases,
        restorable=frozenset([one.id for one in purchases if await _restorable(tx, deps, one)]),
        spent={one.id: cost_so_far(one.machines, deps.clock.now()) for one in purchases},
        rentals=rentals,
        names=await tx.people.names([person for person in people if person is not None]),
        put_back_for=longest_lease(deps, PUT_BACK_FOR),
        paused=await is_blocked_by(tx, BuyingBlock.OLDER_DATABASE),
    )


async def owners_to_look_up(deps: Deps, admin: Person, first_id: str) -> list[str]:
    """Return the Slack ids in the names of the machines of one question that are not decided. Raise Refused if the
    person is no admin."""
    check_admin(admin, deps)
    async with deps.store.read() as tx:
        owners = {named_owner(one.machines) for one in await tx.unknown.asked_together(first_id) if one.open}
    return [owner for owner in owners if owner is not None]


async def put_all_back(deps: Deps, admin: Person, first_id: str) -> list[Rental]:
    """Put the machines of one question back that run and whose name has an owner who may use the bot: each under
    its id if that is free, for PUT_BACK_FOR from now or as long as the rules allow. Return the rentals.

    All of them are put back in one transaction. The rest stays as it is. Raise Refused if the person is no admin
    or if none of the machines can be put back, and TooLate if all are decided.
    """

    async def decision(tx: Tx) -> list[Rental]:
        await tx.rentals.lock_spending()  # the second of two admins reads what the first decided
        purchases = await _open(tx, deps, admin, first_id)
        ends_at = deps.clock.now() + longest_lease(deps, PUT_BACK_FOR)
        rentals = []
        for purchase in purchases:
            owner = await _new_owner(tx, deps, purchase)
            if owner is None:
                continue
            rental = await adopt_machines(
                tx, deps, admin, purchase.alive, owner=owner, ends_at=ends_at, put_back=True
            )
            await decide_purchase(tx, deps, admin, purchase, AccountVerdict.ADOPTED, rental=rental)
            rentals.append(rental)
        if not rentals:
            raise Refused(
                "None of them can be put back: they don't run, or their names have no owner who may use me. "
                "I changed nothing. Decide one by one."
            )
        return rentals

    return await transact(deps, decision)


async def one_by_one(deps: Deps, admin: Person, first_id: str) -> None:
    """Ask the admins about each purchase of one question that is not decided, in a message of its own. Raise
    Refused if the person is no admin, and TooLate if all are decided."""

    async def decision(tx: Tx) -> int:
        batches = in_batches(await _open(tx, deps, admin, first_id))
        for purchase in batches[0]:
            alone = changed(purchase, asked_with=None, asked_at=deps.clock.now())
            await save_purchase(tx, purchase, alone)
            await ask_admins(tx, deps, changed(alone, version=purchase.version + 1))
        await tx.people.note_seen(admin.id, deps.clock.now())
        return len(batches) - 1

    while await transact(deps, decision):
        pass


async def _open(tx: Tx, deps: Deps, admin: Person, first_id: str) -> list[UnknownPurchase]:
    check_admin(admin, deps)
    purchases = [one for one in await tx.unknown.asked_together(first_id) if one.open]
    if not purchases:
        raise TooLate(ALL_DECIDED)
    return purchases


async def _new_owner(tx: Tx, deps: Deps, purchase: UnknownPurchase) -> Person | None:
    """Return the person for whom a purchase can be put back now. Return None if it does not run, or if its
    name has no owner who may use the bot."""
    owner = named_owner(purchase.alive)
    if owner is None or not purchase.runs:
        return None
    person = await tx.people.get(owner, EVER)
    return person if person is not None and may_use(person, deps.rules) else None


async def _restorable(tx: Tx, deps: Deps, purchase: UnknownPurchase) -> bool:
    """Return whether it is worth trying to put a purchase back: its owner may be unknown until the click."""
    owner = named_owner(purchase.alive)
    if owner is None or not purchase.open or not purchase.runs:
        return False
    person = await tx.people.get(owner, EVER)
    return person is None or may_use(person, deps.rules)


async def note_unknown_rental(deps: Deps, rental_id: str) -> bool:
    """Return whether a rental that a button names is unknown. If it is, notify the admins, once for each rental:
    the database lost it, so perhaps nobody watches its machine."""
    async with deps.store.read() as tx:
        if await tx.rentals.get(rental_id) is not None:
            return False

    async def decision(tx: Tx) -> None:
        if await tx.account.get(f"{_UNKNOWN_RENTAL}{rental_id}") is None:
            await tx.account.set(f"{_UNKNOWN_RENTAL}{rental_id}", deps.clock.now().isoformat())
            await notify_admins(tx, deps, EventKind.UNKNOWN_RENTAL, Facts(name=rental_id))

    await transact(deps, decision)
    return True
