"""What follows if the database was put back from an older copy, or is empty.

A machine with a name of ours, `gpubot-ID-N`, proves it if the store does not know rental ID, or lacks its attempt
N. A message proves it if Slack has a later version of the message than the store (handlers/delivery).
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.lease_changes import note_shown_later
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.changes.transitions import (
    finish,
    hold_purchase,
    note_bought_later,
    note_ended_since_copy,
)
from bot.lifecycle.deps import Deps, may_compare
from bot.lifecycle.people import back_to_approval
from bot.model.admin_question import AdminQuestion, AdminVerdict, UnknownMachine
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.buying.resource_names import names_of
from bot.policy.buying.spending import BLOCKED_AT_MOST
from store.db import Tx


async def bought_later(tx: Tx, machines: Sequence[UnknownMachine]) -> bool:
    """Return whether machines that no attempt has were bought after the database was saved, as their names say."""
    for name in names_of(machines):
        rental = await tx.rentals.get(name.rental_id)
        if rental is None or name.n > rental.attempts:
            return True
    return False


async def hold_requests(tx: Tx, deps: Deps, questions: Sequence[AdminQuestion]) -> None:
    """Buy nothing more for the rentals in the names of these machines, until an admin decides about the
    machines."""
    for question in questions:
        for rental in await _named_rentals(tx, question):
            if rental.lease is None and not rental.bought_later:
                await apply(tx, deps, Change(rental, note_bought_later(rental, found=True)))


async def close_request(tx: Tx, deps: Deps, question: AdminQuestion) -> None:
    """End the requests whose machines were found, once it is decided what happens to the machines, so that nothing
    is bought a second time. If the machines are not ours to manage, the requests go on instead.

    Call this in the transaction that decides about the purchase, after the purchase was saved.
    """
    for rental in await _named_rentals(tx, question):
        if rental.bought_later and not rental.state.over and rental.lease is None:
            await _close(tx, deps, rental, question)


async def _close(tx: Tx, deps: Deps, rental: Rental, question: AdminQuestion) -> None:
    decided, now = question.decided, deps.clock.now()
    events: tuple[Event, ...] = ()
    if decided is not None and decided.verdict is AdminVerdict.NOT_OURS:
        if await _another_waits(tx, rental, question):
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
        events = (changed(event, facts=changed(event.facts, name=question.rental_id)),)
    await apply(tx, deps, Change(rental, after, events))


async def _another_waits(tx: Tx, rental: Rental, question: AdminQuestion) -> bool:
    """Return whether the admins have yet to decide about another purchase that names the rental. The rental's
    first attempt may have left a machine beside the machine of the second."""
    others = [one for one in await tx.questions.purchases() if one.open and one.id != question.id]
    names = names_of(machine for one in others for machine in one.purchase.machines)
    return any(name.rental_id == rental.id and name.n > rental.attempts for name in names)


async def _named_rentals(tx: Tx, question: AdminQuestion) -> list[Rental]:
    """Return the rentals that the names of a purchase's machines give, if they lack the attempt of that number."""
    found = []
    for name in names_of(question.purchase.machines):
        rental = await tx.rentals.get(name.rental_id)
        if rental is not None and name.n > rental.attempts:
            found.append(rental)
    return found


# --- what Slack shows


async def ask_again(tx: Tx, deps: Deps, rental_id: str) -> None:
    """Make sure that a rental does nothing that its owner doesn't expect, after Slack showed a later state of it.

    People are asked before anything is bought. A machine that should run is looked up first: only if it does, its
    owner is told when it ends.
    """
    rental, now = await tx.rentals.get(rental_id), deps.clock.now()
    if rental is None:
        return
    if rental.state is State.READY:
        if not await _looks_again(tx, deps, rental):
            await apply(tx, deps, Change(rental, note_shown_later(rental, now)))
    elif rental.ending is not None and rental.ending.why is Why.ENDED_WHILE_AWAY:
        await apply(tx, deps, Change(rental, note_ended_since_copy(rental)))
    elif rental.state is State.QUEUED:
        snapshot = await load_snapshot(tx, rental)
        asked = await back_to_approval.ask_again(tx, snapshot, Why.PUT_BACK, now=now, rules=deps.rules)
        await apply(tx, deps, Change(rental, asked.rental, asked.events))
    elif rental.state in {State.PROCURING, State.PROVISIONING}:
        after = hold_purchase(rental, now - BLOCKED_AT_MOST)
        await apply(tx, deps, Change(rental, after))


async def _looks_again(tx: Tx, deps: Deps, rental: Rental) -> bool:
    """Return whether a ready machine is going to be looked up, or was looked up since the database was opened, so
    that its owner was told of its end. Several messages about it may be later in Slack."""
    if rental.running_lease.shown_later_at is not None:
        return True
    events = await tx.events.of(rental.id)
    return any(event.kind is EventKind.PUT_BACK and event.at >= deps.opened.at for event in events)


async def waits_for_slack(tx: Tx, deps: Deps, rental_id: str) -> bool:
    """Return whether nothing may be bought for a rental yet, because its card is not compared with Slack since the
    start. If the database was put back from an older copy, the owner may have cancelled the request."""
    if not may_compare(deps):
        return False
    card = await tx.messages.card(rental_id)
    return card is not None and card.compare_with is not None
