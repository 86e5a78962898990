"""Machines that were bought after the backup from which the database was restored.

The bot recognizes such a machine by its name, `gpubot-ID-N`: the database lacks either the rental with this ID or
its attempt N. Until an admin has decided about these machines, nothing more is bought for their requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import Deps
from bot.model.admin_question import AdminDecision, AdminQuestion, UnmanagedMachine
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.buying.resource_names import names_of
from store.db import Tx


async def bought_after_backup(tx: Tx, machines: Sequence[UnmanagedMachine]) -> bool:
    """Return whether the name of an unmanaged machine shows that it was bought after the backup."""
    return bool(await _bought_for(tx, machines))


async def _bought_for(tx: Tx, machines: Iterable[UnmanagedMachine]) -> list[Rental | None]:
    """Return the rentals for which these machines were bought after the backup.

    A machine's name contains a rental ID and the number of a purchase. If the database contains this purchase,
    the rental is left out, because the machine might be older than the backup. For a rental that isn't in the
    database, the list contains None.
    """
    named = [(name.n, await tx.rentals.get(name.rental_id)) for name in names_of(machines)]
    return [rental for n, rental in named if rental is None or n > rental.attempts]


async def hold_requests(tx: Tx, deps: Deps, questions: Sequence[AdminQuestion]) -> None:
    """Stop buying for each rental whose ID is part of the name of one of these machines.

    Buying continues or ends once an admin has decided about the machines.
    """
    for question in questions:
        for rental in await _bought_for(tx, question.purchase.machines):
            if rental is not None and rental.lease is None and not rental.bought_after_backup:
                await apply(tx, deps, Change(rental, alter(rental, bought_after_backup=True)))


async def close_request(tx: Tx, deps: Deps, question: AdminQuestion) -> None:
    """End the requests for which these machines were bought, so that no second machine is bought.

    If an admin decided that the bot doesn't manage the machines, the requests continue.

    Call this in the transaction that decides about the purchase, after the purchase has been saved.
    """
    for rental in await _bought_for(tx, question.purchase.machines):
        if rental is not None and rental.bought_after_backup and not rental.state.over and rental.lease is None:
            await _close(tx, deps, rental, question)


async def _close(tx: Tx, deps: Deps, rental: Rental, question: AdminQuestion) -> None:
    decided = question.decided
    events: tuple[Event, ...] = ()
    if decided is not None and decided.decision is AdminDecision.NOT_OURS:
        if await _another_waits(tx, rental, question):
            return
        after = alter(rental, bought_after_backup=False)
    elif rental.state is State.DESTROYING:
        return
    else:
        snapshot, by = await load_snapshot(tx, rental), decided.by if decided is not None else None
        after, event = snapshot.finished(State.CANCELLED, deps.clock.now(), why=Why.BOUGHT_AFTER_BACKUP, by=by)
        events = (changed(event, facts=changed(event.facts, name=question.rental_id)),)
    await apply(tx, deps, Change(rental, after, events))


async def _another_waits(tx: Tx, rental: Rental, question: AdminQuestion) -> bool:
    """Return whether the admins still have to decide about another purchase for this rental.

    There can be two such purchases, because an earlier purchase for the rental may have left a machine behind.
    """
    others = [one for one in await tx.questions.purchases() if one.open and one.id != question.id]
    machines = [machine for one in others for machine in one.purchase.machines]
    return any(one is not None and one.id == rental.id for one in await _bought_for(tx, machines))
