"""Handles rentals whose owner has left the workspace. The admins are asked once about each of these rentals."""

from __future__ import annotations

from datetime import datetime

import structlog

from bot.errors import GpubotError
from bot.lifecycle.account.admin_questions import ask, ask_again, new_question
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.lease_changes import drop_extension
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import Deps, StepDeps, transact
from bot.lifecycle.people.token_ends import stop_tokens_of
from bot.lifecycle.people.undecided import end_request
from bot.model.admin_question import OwnerLeft
from bot.model.base import EVER, changed
from bot.model.event import Event, EventKind
from bot.model.facts import DecisionFacts
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import UNBOUGHT, State
from store.db import Tx

log = structlog.get_logger()


async def check_owners(deps: StepDeps) -> None:
    """Look up the owners of rentals and tokens, and ask the admins about the rentals of owners who have left.

    Raises StoreBusy if the store doesn't accept the changes.
    """
    async with deps.store.read() as tx:
        owners = await tx.rentals.owners() | await tx.tokens.owners()
    for owner in sorted(owners):
        # Look up the owners in Slack one by one, because Slack allows only a few requests per minute.
        await deps.directory.refresh([owner])
        async with deps.store.read() as tx:
            person = await tx.people.get(owner, EVER)
        if person is None or not person.deactivated:
            continue
        try:
            await ask_about_rentals_of(deps, owner)
        except GpubotError:
            raise
        except Exception:
            # An error with one owner must not stop this loop. For example, the database may contain a rental of
            # this owner that can't be loaded because of a bug.
            log.exception("owners_left.failed", owner=owner)
    await ask_again(deps)


async def ask_about_rentals_of(deps: Deps, owner: str) -> None:
    """Ask the admins about each rental of a person who has left, unless they have already been asked.

    The person's tokens are stopped. Their pending requests for more time and their waitlist entries are withdrawn.
    Raises StoreBusy if the store doesn't accept the changes.
    """

    async def decision(tx: Tx) -> None:
        now = deps.clock.now()
        await stop_tokens_of(tx, deps, owner)
        for rental in await tx.rentals.undecided():
            if rental.extension is not None and rental.extension.asked_by == owner:
                await _drop_extension(tx, deps, rental, owner, now)
        for rental in await tx.rentals.live(owner):
            if rental.waitlist_entry is not None and rental.state in UNBOUGHT:
                await end_request(tx, deps, rental, State.WITHDRAWN)
                continue
            asked = any(one.open for one in await tx.questions.of_rental(rental.id))
            if not asked and rental.state is not State.DESTROYING:
                question = changed(new_question(deps, OwnerLeft(owner=owner)), rental_id=rental.id)
                await ask(tx, deps, question, new=True)
                # The rental now has an open question to the admins. Until they answer it, approvers aren't asked
                # to decide anything about the rental. Store the rental again without changes, so that its messages
                # are edited and no longer ask the approvers.
                await apply(tx, deps, Change(rental, alter(rental)))

    await transact(deps, decision)


async def _drop_extension(tx: Tx, deps: Deps, rental: Rental, asked_by: str, now: datetime) -> None:
    facts = DecisionFacts(people=(asked_by,), until=rental.running_lease.ends_at)
    event = Event(rental_id=rental.id, kind=EventKind.EXTENSION_WITHDRAWN, at=now, facts=facts)
    after = drop_extension(rental, now)
    await apply(tx, deps, Change(rental, after, (event,)))
