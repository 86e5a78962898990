"""Rentals whose owner left the workspace: the admins are asked once what becomes of each."""

from __future__ import annotations

from datetime import datetime

import structlog

from bot.errors import GpubotError
from bot.lifecycle.deps import Deps, StepDeps, apply, transact
from bot.lifecycle.lease_changes import drop_extension
from bot.lifecycle.notifications import direct_messages
from bot.lifecycle.ports.store import EVER, Tx
from bot.lifecycle.transitions import alter
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts, OpenQuestion, events_after, open_question
from bot.model.rental import Rental
from bot.model.state import State

log = structlog.get_logger()


async def check_owners(deps: StepDeps) -> None:
    """Look up the owners of the rentals that are not over, and ask the admins about the rentals of those who left.
    Raise StoreBusy."""
    async with deps.store.read() as tx:
        owners = {cost.owner for cost in await tx.rentals.live_costs()}
    for owner in sorted(owners):
        await deps.directory.refresh([owner])  # one by one: Slack allows few look-ups a minute
        async with deps.store.read() as tx:
            person = await tx.people.get(owner, EVER)
        if person is None or not person.deactivated:
            continue
        try:
            await ask_about_rentals_of(deps, owner)
        except GpubotError:
            raise
        except Exception:
            # A rental of this owner can't be loaded, for example. Go on with the others.
            log.exception("owners_left.failed", owner=owner)


async def ask_about_rentals_of(deps: Deps, owner: str) -> None:
    """Ask the admins what becomes of each rental of a person who left, unless they were asked already. What the
    person asked more time for, they don't need any more. Raise StoreBusy."""

    async def decision(tx: Tx) -> None:
        now = deps.clock.now()
        for rental in await tx.rentals.waiting():
            if rental.extension is not None and rental.extension.asked_by == owner:
                await _drop_extension(tx, deps, rental, owner, now)
        for rental in await tx.rentals.live(owner):
            if rental.state is not State.DESTROYING:
                await _ask(tx, deps, rental, now)

    await transact(deps, decision)


async def _ask(tx: Tx, deps: Deps, rental: Rental, now: datetime) -> None:
    """Ask the admins. Once asked, they are asked again only if one of them said so, or if the rental got another
    owner since."""
    events = await tx.events.of(rental.id)
    asked = open_question(events, OpenQuestion.OWNER)
    later = events_after(asked, events) if asked is not None else ()
    put_off = [event.facts.until for event in later if event.kind is EventKind.OWNER_LEFT_LATER]
    if asked is not None and not put_off:
        await _ask_new_admins(tx, deps, rental, asked)
    elif not put_off or (put_off[-1] is not None and put_off[-1] <= now):
        facts = Facts(people=(rental.owner,))
        event = Event(rental_id=rental.id, kind=EventKind.OWNER_LEFT, at=now, facts=facts)
        await apply(tx, deps, rental, alter(rental), event)


async def _drop_extension(tx: Tx, deps: Deps, rental: Rental, asked_by: str, now: datetime) -> None:
    facts = Facts(people=(asked_by,), until=rental.running_lease.ends_at)
    event = Event(rental_id=rental.id, kind=EventKind.EXTENSION_WITHDRAWN, at=now, facts=facts)
    after = drop_extension(rental, now)
    await apply(tx, deps, rental, after, event)


async def _ask_new_admins(tx: Tx, deps: Deps, rental: Rental, question: Event) -> None:
    """Ask those who became admins since. Otherwise perhaps nobody who may decide has the buttons. An admin who has
    the message gets no second one."""
    for message in direct_messages(question, rental, deps.rules, deps.clock.real()):
        await tx.messages.add(changed(message, event_id=question.id))
