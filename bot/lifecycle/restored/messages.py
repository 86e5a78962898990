"""Handles Slack messages that show changes or rentals that a restored database lacks."""

from __future__ import annotations

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.send import send_of_account
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.people import back_to_approval
from bot.model.account_facts import UNKNOWN_RENTAL
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.facts import AlertFacts
from bot.model.records import Change
from bot.model.rental import Blocked, Rental
from bot.model.state import State
from bot.policy.buying.spending import BLOCKED_AT_MOST
from store.db import Tx


async def ask_again(tx: Tx, deps: Deps, rental_id: str) -> None:
    """Make a rental wait for a decision, because Slack shows a newer state of the rental than the database.

    This happens after the database was restored from a backup. People are asked before more is bought, because
    somebody may have cancelled the request after the backup was taken.

    If the rental is ready according to the database, the bot first checks whether its machine is still running.
    If so, the owner is notified of the end of the lease, which may have been changed after the backup was taken.
    """
    rental, now = await tx.rentals.get(rental_id), deps.clock.now()
    if rental is None:
        return
    if rental.state is State.READY:
        if not await _looks_again(tx, deps, rental):
            lease = changed(rental.running_lease, shown_later_at=now)
            await apply(tx, deps, Change(rental, alter(rental, lease=lease, due_at=now)))
    elif rental.ending is not None and rental.ending.why is Why.ENDED_WHILE_AWAY:
        ending = changed(rental.ending, why=Why.ENDED_SINCE_BACKUP)
        await apply(tx, deps, Change(rental, alter(rental, ending=ending)))
    elif rental.state is State.QUEUED:
        snapshot = await load_snapshot(tx, rental)
        asked = await back_to_approval.ask_again(tx, snapshot, Why.SHOWN_LATER, now=now, rules=deps.rules)
        await apply(tx, deps, Change(rental, asked.rental, asked.events))
    elif rental.state in {State.PROCURING, State.PROVISIONING}:
        # The next step must ask people whether to continue. A step does so if buying has been blocked for the
        # longest allowed time, so store a block that began that long ago.
        blocked = Blocked(since=now - BLOCKED_AT_MOST, why=Why.SHOWN_LATER)
        await apply(tx, deps, Change(rental, alter(rental, blocked=blocked)))


async def _looks_again(tx: Tx, deps: Deps, rental: Rental) -> bool:
    """Return whether the vendor has been queried about the machine since the database was opened.

    Also True if this query is already scheduled.
    """
    if rental.running_lease.shown_later_at is not None:
        return True
    events = await tx.events.of(rental.id)
    return any(event.kind is EventKind.ENDS_AGAIN and event.at >= deps.opened.at for event in events)


async def note_unknown_rental(deps: Deps, rental_id: str) -> bool:
    """Return whether the database lacks the rental that a clicked button names.

    If the rental is missing, the admins are notified once, because its machine may be running although the
    database doesn't contain it.
    """
    async with deps.store.read() as tx:
        if await tx.rentals.get(rental_id) is not None:
            return False

    async def decision(tx: Tx) -> None:
        if await tx.account.get(UNKNOWN_RENTAL, rental_id) is None:
            await tx.account.set(UNKNOWN_RENTAL, deps.clock.now(), rental_id)
            await send_of_account(tx, deps, EventKind.UNKNOWN_RENTAL, AlertFacts(name=rental_id))

    await transact(deps, decision)
    return True
