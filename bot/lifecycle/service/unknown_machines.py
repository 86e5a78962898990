"""What admins decide about machines that run on the account and that no attempt has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.errors import AlreadyDecided, Decision, Mistake, TooLate
from bot.lifecycle.adoption import cost_so_far
from bot.lifecycle.deps import Deps, apply, transact
from bot.lifecycle.older_database import close_request
from bot.lifecycle.ports.store import Tx
from bot.lifecycle.service.adopting import adopt_machines, check_admin
from bot.lifecycle.snapshot import load_snapshot
from bot.lifecycle.transitions import finish
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import AccruedCost
from bot.model.unknown import AccountVerdict, Decided, UnknownPurchase
from bot.policy.unknown_machines import ASK_AGAIN_AFTER, is_name_typed, name_to_type

DESTROYED_WITHIN = timedelta(hours=1)
"""The lease of machines that are destroyed at once: an end that the overdue deletion knows."""
V = AccountVerdict
_DECISIONS = {V.ADOPTED: Decision.GAVE_OWNER, V.DESTROYED: Decision.DESTROYED, V.NOT_OURS: Decision.NOT_OURS}


@dataclass(frozen=True)
class PurchaseView:
    """Unknown machines of one purchase at one moment."""

    purchase: UnknownPurchase
    spent: AccruedCost
    names: dict[str, str]
    """The display names of the people in it, by user id."""


async def view_for_message(tx: Tx, deps: Deps, reader: str, purchase_id: str) -> PurchaseView | None:
    """Return unknown machines for a message to `reader`, a Slack id. Return None if the reader is no admin, or if
    the store doesn't know the machines."""
    purchase = await tx.unknown.get(purchase_id) if reader in deps.rules.admins else None
    return None if purchase is None else await _view_of(tx, deps, purchase)


async def _view_of(tx: Tx, deps: Deps, purchase: UnknownPurchase) -> PurchaseView:
    rental = await tx.rentals.get(purchase.rental_id) if purchase.rental_id else None
    people = {
        purchase.guess,
        purchase.put_off_by,
        purchase.decided.by if purchase.decided else None,
        rental.owner if rental else None,
    }
    names = await tx.people.names([person for person in people if person is not None])
    return PurchaseView(purchase, cost_so_far(purchase.machines, deps.clock.now()), names)


async def preview(deps: Deps, admin: Person, purchase_id: str, version: int) -> PurchaseView:
    """Return unknown machines for a dialog in which an admin decides.

    Raise Refused if the person is no admin, and TooLate if somebody decided before or if they changed since the
    reader saw version `version`.
    """
    async with deps.store.read() as tx:
        return await _view_of(tx, deps, await _open(tx, deps, admin, purchase_id, version))


async def preview_adoption(deps: Deps, admin: Person, purchase_id: str, version: int) -> PurchaseView:
    """Return unknown machines for a dialog in which an admin gives them an owner. Raise as `preview`, and
    TooLate if none of the machines runs."""
    async with deps.store.read() as tx:
        return await _view_of(tx, deps, await _open_and_running(tx, deps, admin, purchase_id, version))


async def give_owner(
    deps: Deps, admin: Person, purchase_id: str, version: int, *, owner: Person, span: timedelta
) -> Rental:
    """Make a rental of machines that run, for `owner` and for `span` from now, and return it.

    Raise as `preview_adoption` and `adopting.adopt_machines`.
    """

    async def decision(tx: Tx) -> Rental:
        await tx.rentals.lock_spending()  # the second of two admins reads what the first decided
        purchase = await _open_and_running(tx, deps, admin, purchase_id, version)
        ends_at = deps.clock.now() + span
        rental = await adopt_machines(tx, deps, admin, purchase.alive, owner=owner, ends_at=ends_at)
        await decide_purchase(tx, deps, admin, purchase, V.ADOPTED, rental=rental)
        return rental

    return await transact(deps, decision)


async def destroy(deps: Deps, admin: Person, purchase_id: str, version: int, *, typed: str) -> Rental:
    """Make a rental of the machines for the admin and destroy it at once, so that its deletion is watched and its
    cost is in the ledger. Return the rental.

    Raise as `preview`, and Mistake if the admin did not type the name that `name_to_type` wants.
    """

    async def decision(tx: Tx) -> Rental:
        await tx.rentals.lock_spending()
        purchase = await _open(tx, deps, admin, purchase_id, version)
        if not is_name_typed(purchase, typed):
            raise Mistake(f"That is not its name. Type {name_to_type(purchase)} to destroy it.")
        now = deps.clock.now()
        ends_at = now + min(DESTROYED_WITHIN, deps.rules.lease.max)
        rental = await adopt_machines(tx, deps, admin, purchase.alive, owner=admin, ends_at=ends_at)
        snapshot = await load_snapshot(tx, rental)
        after, events = finish(
            rental,
            State.DESTROYED,
            attempts=snapshot.attempts,
            at=now,
            bill=snapshot.spent(now),
            why=Why.ASKED,
            by=admin.id,
        )
        await apply(tx, deps, rental, after, *events)
        await decide_purchase(tx, deps, admin, purchase, V.DESTROYED, rental=rental)
        return after

    return await transact(deps, decision)


async def not_ours(deps: Deps, admin: Person, purchase_id: str, version: int, *, reason: str) -> None:
    """Note that machines are not ours to manage: nobody is asked about them again. Raise as `preview`."""

    async def decision(tx: Tx) -> None:
        purchase = await _open(tx, deps, admin, purchase_id, version)
        await decide_purchase(tx, deps, admin, purchase, V.NOT_OURS, reason=reason)

    await transact(deps, decision)


async def ask_again(deps: Deps, admin: Person, purchase_id: str, version: int) -> None:
    """Ask the admins again in a day. Until then they can still decide. Raise as `preview`."""

    async def decision(tx: Tx) -> None:
        purchase = await _open(tx, deps, admin, purchase_id, version)
        at = deps.clock.now() + ASK_AGAIN_AFTER
        await save_purchase(tx, purchase, changed(purchase, ask_again_at=at, put_off_by=admin.id))

    await transact(deps, decision)


async def _open(tx: Tx, deps: Deps, admin: Person, purchase_id: str, version: int) -> UnknownPurchase:
    """Return unknown machines that wait for a decision. Raise as `preview`."""
    check_admin(admin, deps)
    purchase = await tx.unknown.get(purchase_id)
    if purchase is None:
        raise TooLate("I don't know these machines any more. I changed nothing.")
    if purchase.decided is not None:
        raise await _decided_before(tx, deps, admin, purchase.decided, purchase.rental_id)
    if purchase.rental_id is not None:
        raise TooLate(f"It belongs to {purchase.rental_id} by now. I changed nothing.", purchase.rental_id)
    if purchase.over_at is not None:
        raise TooLate("It has ended. I changed nothing.")
    if purchase.version != version:
        raise TooLate("Its message changed just now. I changed nothing: read it again.")
    return purchase


async def _open_and_running(tx: Tx, deps: Deps, admin: Person, purchase_id: str, version: int) -> UnknownPurchase:
    """Return unknown machines that can get an owner. Raise as `preview_adoption`."""
    purchase = await _open(tx, deps, admin, purchase_id, version)
    if not purchase.runs:
        raise TooLate("It doesn't run, so it can't get an owner now. I changed nothing.")
    return purchase


async def _decided_before(
    tx: Tx, deps: Deps, admin: Person, decided: Decided, rental_id: str | None
) -> AlreadyDecided:
    return AlreadyDecided(
        rental_id,
        _DECISIONS[decided.verdict],
        name=(await tx.people.names([decided.by])).get(decided.by),
        own=decided.by == admin.id,
        ago=deps.clock.now() - decided.at,
    )


async def decide_purchase(
    tx: Tx,
    deps: Deps,
    admin: Person,
    purchase: UnknownPurchase,
    verdict: AccountVerdict,
    *,
    rental: Rental | None = None,
    reason: str = "",
) -> None:
    """Store what an admin decided about a purchase, in the caller's transaction."""
    now = deps.clock.now()
    after = changed(
        purchase,
        decided=Decided(verdict=verdict, by=admin.id, at=now, reason=reason),
        ask_again_at=None,
        put_off_by=None,
        rental_id=rental.id if rental else None,
        over_at=now if rental else None,
    )
    await save_purchase(tx, purchase, after)
    await close_request(tx, deps, after)
    await tx.people.note_seen(admin.id, now)


async def save_purchase(tx: Tx, before: UnknownPurchase, after: UnknownPurchase) -> None:
    """Store a change of a purchase as its next version."""
    await tx.unknown.save(before, changed(after, version=before.version + 1))
