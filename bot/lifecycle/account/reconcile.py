"""Compares a stored attempt, that is, one purchase, with what the marketplace reports about it.

The stored attempt doesn't prove what a procure call has bought, or that a machine was terminated. Only the
marketplace's responses prove this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta

import structlog

from bot.errors import MarketAway
from bot.lifecycle.changes.snapshot import RentalSnapshot
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.outside import OfferProgress, ResourceView
from bot.model.attempt import NAMED, UNSEEN, Attempt, AttemptState, Resource
from bot.model.base import changed

log = structlog.get_logger()

LOOK_UP_AGAIN = timedelta(seconds=60)
"""The minimum time between two lookups that together prove that a resource doesn't exist.

A resource is considered terminated if neither lookup finds it. An attempt is considered failed if neither lookup
finds one of its resources.
"""
CALL_SETTLES = timedelta(minutes=2)
"""The time after the start of a procure call in which the call can still create a resource.

This is possible even if the response to the call was lost. A missing resource therefore proves nothing before
this time has passed.
"""


async def look_up(
    deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt
) -> tuple[RentalSnapshot, OfferProgress]:
    """Query the marketplace for the progress and the resources of an attempt, that is, of one purchase.

    Returns the snapshot with the results, and the progress. Raises MarketAway if one of the two queries gets no
    usable response.
    """
    if attempt.offer is None:
        return await _look_up_adopted(deps, snapshot, attempt)
    known = snapshot.resources_of(attempt)
    offer_id = attempt.offer.offer_id
    progress, listed = await asyncio.gather(deps.market.progress(offer_id), deps.market.resources(offer_id))
    views: dict[str, ResourceView | None] = {view.resource_id: view for view in listed}
    for resource in known:
        if resource.terminated_at is None and resource.resource_id not in views:
            try:
                views[resource.resource_id] = await deps.market.resource(resource.resource_id, fresh=True)
            except MarketAway:
                if resource.status != NAMED:
                    raise
    ours = {resource.resource_id for resource in known}
    for resource_id in progress.resource_ids:
        if resource_id not in ours and resource_id not in views:
            views[resource_id] = await _view_of_named(deps, attempt, resource_id)
    for foreign in await owned_by_other_attempts(deps, attempt, views.keys() - ours):
        del views[foreign]
    return with_answer(snapshot, attempt, views, progress, deps.clock.now()), progress


async def _look_up_adopted(
    deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt
) -> tuple[RentalSnapshot, OfferProgress]:
    """Query the marketplace for the resources of an adopted machine, by their IDs only.

    An adopted machine was already running on the account when an admin turned it into a rental.
    """
    views = {
        resource.resource_id: await deps.market.resource(resource.resource_id, fresh=True)
        for resource in snapshot.alive_of(attempt)
    }
    progress = await progress_of(deps, attempt)
    return with_answer(snapshot, attempt, views, progress, deps.clock.now()), progress


async def progress_of(deps: StepDeps, attempt: Attempt) -> OfferProgress:
    """Return the progress of an attempt, that is, of one purchase.

    If an admin gave an existing machine to an owner, there was no purchase. The result is then an empty
    `OfferProgress`.
    """
    return OfferProgress() if attempt.offer is None else await deps.market.progress(attempt.offer.offer_id)


async def _view_of_named(deps: StepDeps, attempt: Attempt, resource_id: str) -> ResourceView | None:
    """Return a resource that is named in the offer's status, but missing from the list of resources.

    None if the resource doesn't exist, was created from another offer, or can't be read.
    """
    try:
        view = await deps.market.resource(resource_id, fresh=True)
    except MarketAway:
        return None
    ours = view is None or not view.offer_ids or attempt.called_offer.offer_id in view.offer_ids
    return view if ours else None


async def owned_by_other_attempts(deps: StepDeps, attempt: Attempt, resource_ids: Collection[str]) -> set[str]:
    """Return the resource IDs that belong to other attempts.

    The caller must not store these resources as resources of this attempt.
    """
    if not resource_ids:
        return set()
    async with deps.store.read() as tx:
        known = await tx.rentals.resources_by_id(list(resource_ids))
    ours = (attempt.rental_id, attempt.n)
    foreign = {one.resource_id for one in known.values() if (one.rental_id, one.attempt) != ours}
    if foreign:
        log.warning("market.of_others", rental=attempt.rental_id, attempt=attempt.n, resources=sorted(foreign))
    return foreign


def with_answer(
    snapshot: RentalSnapshot,
    attempt: Attempt,
    views: dict[str, ResourceView | None],
    progress: OfferProgress,
    now: datetime,
) -> RentalSnapshot:
    """Add the marketplace's response to a snapshot, and return the changed snapshot.

    Args:
        views: The resources in the response, by resource ID. None for a resource that wasn't found.
    """
    known = {resource.resource_id: resource for resource in snapshot.resources_of(attempt)}
    # The call that buys a machine may still be running at the vendor. Until it has ended, the machine can appear
    # at any time. A resource that isn't found, even twice, is therefore no proof that nothing was bought.
    missing_counts = not progress.in_progress and now - attempt.intended_at >= CALL_SETTLES
    answered = tuple(
        updated_resource(known.get(resource_id), view, attempt, now, missing_counts=missing_counts)
        for resource_id, view in views.items()
        if view is not None or resource_id in known
    )
    everything = {**known, **{resource.resource_id: resource for resource in answered}}
    if everything:
        terminated = _all_terminated(everything.values(), attempt, progress, now)
        state = AttemptState.TERMINATED if terminated else AttemptState.BOUGHT
        return snapshot.with_facts(changed(attempt, state=state, empty_since=None), answered)
    empty = _without_resources(attempt, progress, now, missing_counts=missing_counts)
    if empty.closed and (attempt.accepted or progress.ready):
        # The offer was bought, so a machine may have been billed before the bot first looked it up. Estimate its
        # cost instead of assuming that it cost nothing.
        return snapshot.with_facts(changed(empty, state=AttemptState.TERMINATED), (_unseen_resource(empty, now),))
    return snapshot.with_facts(empty)


def _all_terminated(
    resources: Collection[Resource], attempt: Attempt, progress: OfferProgress, now: datetime
) -> bool:
    """Return whether all resources of a purchase are terminated, and no further resource can appear.

    While the offer's status is "in progress", another resource can still appear. The status can stay like this
    forever, so it is ignored after some time.
    """
    read_at = [resource.read_at for resource in resources if resource.terminated_at is not None]
    if len(read_at) < len(resources):
        return False
    quiet = now - max(read_at) >= LOOK_UP_AGAIN and now - attempt.intended_at >= CALL_SETTLES
    return quiet or not progress.in_progress


def named_resource(resource_id: str, attempt: Attempt, now: datetime) -> Resource:
    """Return a resource that the response to a procure call names, but that no lookup has found yet."""
    return Resource(
        resource_id=resource_id,
        rental_id=attempt.rental_id,
        attempt=attempt.n,
        status=NAMED,
        first_seen=now,
        read_at=now,
    )


def _unseen_resource(attempt: Attempt, now: datetime) -> Resource:
    """Return a placeholder for the resource of a purchase, because no lookup has found the real one."""
    resource = named_resource(attempt.called_offer.offer_id, attempt, now)
    return changed(resource, status=UNSEEN, terminated_at=attempt.empty_since or now)


def _without_resources(
    attempt: Attempt, progress: OfferProgress, now: datetime, *, missing_counts: bool
) -> Attempt:
    """Return the updated record of an attempt for which a lookup found no resource.

    An attempt is one purchase. If two lookups in a row, at least LOOK_UP_AGAIN apart, find no resource for it, the
    attempt has failed.
    """
    if progress.in_progress:
        return changed(attempt, empty_since=None)
    if attempt.empty_since is None:
        return changed(attempt, empty_since=now)
    if missing_counts and now - attempt.empty_since >= LOOK_UP_AGAIN:
        return changed(attempt, state=AttemptState.FAILED)
    return attempt


def updated_resource(
    before: Resource | None, view: ResourceView | None, attempt: Attempt, now: datetime, *, missing_counts: bool
) -> Resource:
    """Return the updated record of a resource after a lookup.

    `view` is None if the lookup didn't find the resource. If `missing_counts` is set, the resource is considered
    terminated after two lookups that didn't find it. Raises ValueError if `before` and `view` are both None.
    """
    if view is None:
        if before is None:
            raise ValueError("neither known nor found")
        return _missing(before, now, counts=missing_counts)
    if before is not None and before.terminated_at is not None and view.deleted:
        return before
    base = before or named_resource(view.resource_id, attempt, now)
    came_back = base.terminated_at is not None and not view.deleted
    return changed(
        base,
        status=view.status,
        read_at=now,
        rate=base.rate if view.rate is None else view.rate,
        valid_from=view.valid_from or base.valid_from,
        valid_to=view.valid_to if came_back else view.valid_to or base.valid_to,
        host=view.host or base.host,
        port=view.port or base.port,
        missing_since=None,
        terminated_at=(view.valid_to or now) if view.deleted else None,
    )


def _missing(resource: Resource, now: datetime, *, counts: bool) -> Resource:
    """Return the updated record of a resource that a lookup didn't find."""
    if resource.terminated_at is not None:
        return resource
    if resource.missing_since is None:
        return changed(resource, missing_since=now, read_at=now)
    if counts and now - resource.missing_since >= LOOK_UP_AGAIN:
        return changed(resource, terminated_at=resource.missing_since, read_at=now)
    return resource
