"""Compares the Compute Clear account with the store, and notifies the admins of unmanaged machines.

An unmanaged machine is a machine that belongs to no rental in the store.
"""

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
"""The number of machines that are handled before the event loop runs other tasks."""


@dataclass(frozen=True)
class Found:
    """A running resource on the account, with the stored resource and the stored attempt that match it, if any."""

    view: ResourceView
    resource: Resource | None
    attempt: Attempt | None


async def first_sweep(deps: StepDeps) -> None:
    """Compare the account with the store for the first time since the database was opened.

    Nothing is bought before this is done: if the database was restored from a backup, the machine for a request
    may already be running. Raises the same errors as `sweep`.
    """
    opened_at = deps.opened.at
    await sweep(deps)
    deps.opened.swept = deps.opened.at == opened_at


async def sweep(deps: StepDeps) -> None:
    """Compare the account with the store. Raises MarketAway if the account can't be read.

    If a known resource is missing from the account's list, it can still be running. The bot therefore queries the
    vendor about the resource. In each process, only one comparison runs at a time.
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
        # Let other asyncio tasks run between two batches. Otherwise, a long sweep of the account would delay
        # acknowledgements to Slack.
        await deps.clock.pause(0)
    ours = [(machine, machine.attempt) for machine in found if machine.attempt is not None]
    for first in range(0, len(ours), ASKED_AT_ONCE):
        await asyncio.gather(*(_watch(deps, *pair) for pair in ours[first : first + ASKED_AT_ONCE]))
    rental_of = {machine.view.resource_id: attempt.rental_id for machine, attempt in ours}
    await note_unmanaged(deps, [one.view for one in found if one.attempt is None], rental_of)
    await ask_again(deps)
    listed = {view.resource_id for view in views}
    await _schedule_now(deps, [r.rental_id for r in alive if r.resource_id not in listed])


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
    """Return the attempt that created an unstored resource, or None if there is none.

    An attempt is one purchase of a machine. If the API states the offers from which the resource was created,
    these offers identify the attempt. Otherwise, the name of the resource does. The name is only the second
    choice, because anyone can choose a name.
    """
    for offer_id in view.offer_ids:
        attempt = await tx.rentals.attempt_by_offer(offer_id)
        if attempt is not None:
            return attempt
    return await tx.rentals.attempt_by_name(view.name) if view.name and not view.offer_ids else None


async def _watch(deps: StepDeps, machine: Found, attempt: Attempt) -> None:
    """Make sure that the store has this machine as a running machine of its rental. Failures are logged."""
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
        # An error with one machine must not stop the check of the others. For example, the machine's rental may be
        # impossible to load because of a bug.
        log.exception("sweep.not_watched", resource=machine.view.resource_id)


async def _add_to_store(deps: StepDeps, found: Found, attempt: Attempt) -> None:
    """Store a resource of an open purchase, because the store lacks it or has recorded it as terminated."""
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
    """Return the vendor's current data about a resource, or None if the vendor no longer has it.

    The account's list of resources can be outdated, so the vendor is queried again.
    """
    view = await deps.market.resource(resource_id, fresh=True)
    return None if view is None or view.deleted else view


async def _mark_for_deletion(deps: StepDeps, found: Found, attempt: Attempt) -> None:
    """Schedule the deletion of a resource that a closed attempt still has.

    An attempt is one purchase of a machine. The attempt's rental is processed again now. The resource is then
    deleted, and people are notified.
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


async def _schedule_now(deps: StepDeps, rental_ids: Sequence[str]) -> None:
    unique = list(dict.fromkeys(rental_ids))
    for first in range(0, len(unique), BATCH):
        async with deps.store.write() as tx:
            await tx.rentals.make_due(unique[first : first + BATCH], deps.clock.now())
