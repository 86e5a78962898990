"""Compares the account with the store: every machine belongs to an attempt, or the admins are notified."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from bot.errors import GpubotError, MarketAway
from bot.lifecycle.account.admin_questions import ask_again
from bot.lifecycle.account.reconcile import updated_resource
from bot.lifecycle.account.unmanaged_machines import ASKED_AT_ONCE, note_unmanaged
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import StepDeps, transact
from bot.lifecycle.outside import ResourceView
from bot.model.attempt import Attempt, AttemptState, Marker, Resource
from bot.model.base import changed
from bot.model.records import Change
from store.db import Tx

log = structlog.get_logger()

BATCH = 100
"""How many machines are handled before the event loop runs other tasks."""


@dataclass(frozen=True)
class Found:
    """A live resource of the account, with its resource and attempt in the store."""

    view: ResourceView
    resource: Resource | None
    attempt: Attempt | None


async def first_sweep(deps: StepDeps) -> None:
    """Compare the account with the store, and note that this was done since the database was opened. Nothing is
    bought before that: if the database is a backup, the machine that a request wants may run already. Raise as
    `sweep`.
    """
    opened_at = deps.opened.at
    await sweep(deps)
    deps.opened.swept = deps.opened.at == opened_at


async def sweep(deps: StepDeps) -> None:
    """Compare the account with the store. Raise MarketAway if the account can't be read.

    A known resource that the list lacks may still run: its rental is made due, and its step asks the vendor.

    A process runs one sweep at a time: after an absence, the sweep by the calendar is due together with the first
    one.
    """
    async with deps.sweeping:
        await _sweep(deps)


async def _sweep(deps: StepDeps) -> None:
    views = [view for view in await deps.market.resources() if not view.deleted]
    async with deps.store.read() as tx:
        alive = await tx.rentals.alive_resources()
    found = []
    for first in range(0, len(views), BATCH):
        async with deps.store.read() as tx:
            found += await _match(tx, views[first : first + BATCH])
        await deps.clock.pause(0)  # let listeners run
    ours = [(machine, machine.attempt) for machine in found if machine.attempt is not None]
    for first in range(0, len(ours), ASKED_AT_ONCE):
        await asyncio.gather(*(_watch(deps, *pair) for pair in ours[first : first + ASKED_AT_ONCE]))
    rental_of = {machine.view.resource_id: attempt.rental_id for machine, attempt in ours}
    await note_unmanaged(deps, [one.view for one in found if one.attempt is None], rental_of)
    await ask_again(deps)
    listed = {view.resource_id for view in views}
    await _make_due(deps, [r.rental_id for r in alive if r.resource_id not in listed])


async def _match(tx: Tx, views: Sequence[ResourceView]) -> list[Found]:
    known = await tx.rentals.resources_by_id([view.resource_id for view in views])
    attempts = await tx.rentals.attempts_of(list(known.values()))
    return [
        Found(
            view=view,
            resource=known.get(view.resource_id),
            attempt=attempts.get(view.resource_id) or await _attempt_named_by(tx, view),
        )
        for view in views
    ]


async def _attempt_named_by(tx: Tx, view: ResourceView) -> Attempt | None:
    """Return the attempt that an unknown resource belongs to. Return None if there is none.

    The offers that the resource was made from decide. Anyone can choose a name, so the name counts only if the API
    states no offers.
    """
    for offer_id in view.offer_ids:
        attempt = await tx.rentals.attempt_by_offer(offer_id)
        if attempt is not None:
            return attempt
    return await tx.rentals.attempt_by_name(view.name) if view.name and not view.offer_ids else None


async def _watch(deps: StepDeps, machine: Found, attempt: Attempt) -> None:
    """Make sure that a machine of an attempt is watched. Log a failure, and leave the machine to the next sweep:
    this sweep must go on to the other machines, since nothing is bought before the first sweep is done.
    """
    try:
        if attempt.closed:
            await _mark_for_deletion(deps, machine, attempt)
        elif machine.resource is None or machine.resource.terminated_at is not None:
            await _add_to_store(deps, machine, attempt)
    except MarketAway as away:
        log.warning("sweep.no_answer", resource=machine.view.resource_id, error=type(away).__name__)
    except GpubotError:
        raise
    except Exception:
        # A rental that can't be loaded, for example.
        log.exception("sweep.not_watched", resource=machine.view.resource_id)


async def _add_to_store(deps: StepDeps, found: Found, attempt: Attempt) -> None:
    """Store a resource that belongs to an open attempt and that the store does not have, or has as gone."""
    view = found.view if found.resource is None else await _live_view(deps, found.view.resource_id)
    if view is None:
        return

    async def decision(tx: Tx) -> None:
        rental = await tx.rentals.get(attempt.rental_id)
        known = await tx.rentals.resources_by_id([view.resource_id])
        if rental is None or known.get(view.resource_id) != found.resource:
            return
        now = deps.clock.now()
        after = alter(rental, due_at=now)
        resource = updated_resource(found.resource, view, attempt, now, missing_counts=False)
        await apply(tx, deps, Change(rental, after, resources=(resource,)))

    await transact(deps, decision)


async def _live_view(deps: StepDeps, resource_id: str) -> ResourceView | None:
    """Return a resource that the store has as gone, if the vendor still has it. Return None if not.

    The vendor is asked, because the list may be older than the proof that the resource is gone.
    """
    view = await deps.market.resource(resource_id, fresh=True)
    return None if view is None or view.deleted else view


async def _mark_for_deletion(deps: StepDeps, found: Found, attempt: Attempt) -> None:
    """Mark a settled attempt for deletion because it still has a resource, and make its rental due. The rental's
    step notifies people. The rental's end stands.
    """
    view = await _live_view(deps, found.view.resource_id)
    if view is None:
        return

    async def decision(tx: Tx) -> None:
        rental = await tx.rentals.get(attempt.rental_id)
        if rental is None:
            return
        current = next((a for a in await tx.rentals.attempts(rental.id) if a.n == attempt.n), None)
        if current is None or not current.closed:
            return
        now = deps.clock.now()
        orphaned = changed(current, state=AttemptState.BOUGHT, orphaned=True, marked_by=Marker.SWEEP)
        resource = updated_resource(found.resource, view, orphaned, now, missing_counts=False)
        after = alter(rental, due_at=now)
        await apply(tx, deps, Change(rental, after, attempts=(orphaned,), resources=(resource,)))

    await transact(deps, decision)


async def _make_due(deps: StepDeps, rental_ids: Sequence[str]) -> None:
    unique = list(dict.fromkeys(rental_ids))
    for first in range(0, len(unique), BATCH):
        async with deps.store.write() as tx:
            await tx.rentals.make_due(unique[first : first + BATCH], deps.clock.now())
