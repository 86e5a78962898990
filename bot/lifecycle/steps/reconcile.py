"""What the marketplace knows of an attempt: the only proof of what a procure bought, and of what is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta

import structlog

from bot.errors import MarketAway
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.ports.outside import OfferProgress, ResourceView
from bot.lifecycle.snapshot import RentalSnapshot
from bot.model.attempt import NAMED, UNSEEN, Attempt, AttemptState, Resource
from bot.model.base import changed

log = structlog.get_logger()

SECOND_LOOK = timedelta(seconds=60)
"""Nothing found counts only when found twice, this far apart."""
SETTLING = timedelta(minutes=2)
"""The second look is at least this long after the procure call began: a lost call may still make a resource."""


async def look(deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt) -> tuple[RentalSnapshot, OfferProgress]:
    """Asks for an attempt's status and resources. Raises MarketAway where either has no usable answer."""
    known = snapshot.resources_of(attempt)
    offer_id = attempt.offer.offer_id
    progress, listed = await asyncio.gather(deps.market.progress(offer_id), deps.market.resources(offer_id))
    views: dict[str, ResourceView | None] = {view.resource_id: view for view in listed}
    for resource in known:
        if resource.gone_at is None and resource.resource_id not in views:
            try:
                views[resource.resource_id] = await deps.market.resource(resource.resource_id, fresh=True)
            except MarketAway:
                if resource.status != NAMED:
                    raise
    ours = {resource.resource_id for resource in known}
    for resource_id in progress.resource_ids:
        if resource_id not in ours and resource_id not in views:
            views[resource_id] = await _named_by_status(deps, attempt, resource_id)
    for taken in await of_others(deps, attempt, views.keys() - ours):
        del views[taken]
    return read(snapshot, attempt, views, progress, deps.clock.now()), progress


async def _named_by_status(deps: StepDeps, attempt: Attempt, resource_id: str) -> ResourceView | None:
    """What an offer's status names and the list doesn't show, if it is there and was not made from something else.
    It adds to what is known and proves nothing, so that it has no answer is no outage."""
    try:
        view = await deps.market.resource(resource_id, fresh=True)
    except MarketAway:
        return None
    ours = view is None or not view.offer_ids or attempt.offer.offer_id in view.offer_ids
    return view if ours else None


async def of_others(deps: StepDeps, attempt: Attempt, resource_ids: Collection[str]) -> set[str]:
    """Which of the ids belong to other attempts: whatever an answer says, those are not taken over."""
    if not resource_ids:
        return set()
    async with deps.store.read() as tx:
        known = await tx.rentals.resources_by_id(list(resource_ids))
    ours = (attempt.rental_id, attempt.n)
    taken = {one.resource_id for one in known.values() if (one.rental_id, one.attempt) != ours}
    if taken:
        log.warning("market.of_others", rental=attempt.rental_id, attempt=attempt.n, resources=sorted(taken))
    return taken


def read(
    snapshot: RentalSnapshot,
    attempt: Attempt,
    views: dict[str, ResourceView | None],
    progress: OfferProgress,
    now: datetime,
) -> RentalSnapshot:
    """The case after the marketplace's answer. `views` holds None for a known resource that was not found."""
    known = {resource.resource_id: resource for resource in snapshot.resources_of(attempt)}
    proven = _second_look_counts(attempt, progress, now)
    resources = tuple(
        see(known.get(resource_id), view, attempt, now, missing_counts=proven)
        if view is not None or resource_id in known
        else None
        for resource_id, view in views.items()
    )
    seen = tuple(resource for resource in resources if resource is not None)
    everything = {**known, **{resource.resource_id: resource for resource in seen}}
    if everything:
        gone = _all_gone(everything.values(), attempt, progress, now)
        state = AttemptState.GONE if gone else AttemptState.BOUGHT
        return snapshot.with_facts(changed(attempt, state=state, empty_since=None), seen)
    empty = _empty(attempt, progress, now, proven=proven)
    if empty.settled and (attempt.accepted or progress.ready):
        # It was bought, so something may have billed until the first look: it isn't known to have cost nothing.
        return snapshot.with_facts(changed(empty, state=AttemptState.GONE), (_unseen(empty, now),))
    return snapshot.with_facts(empty)


def _all_gone(resources: Collection[Resource], attempt: Attempt, progress: OfferProgress, now: datetime) -> bool:
    """Whether nothing of an attempt is left. Where its offer's status goes on to say "in progress" after the last
    was confirmed gone, that is believed when nothing else has shown for as long as a second look takes."""
    seen = [resource.read_at for resource in resources if resource.gone_at is not None]
    if len(seen) < len(resources):
        return False
    quiet = now - max(seen) >= SECOND_LOOK and now - attempt.intended_at >= SETTLING
    return quiet or not progress.in_progress


def named(resource_id: str, attempt: Attempt, now: datetime) -> Resource:
    """A resource that the answer to a purchase names, before anybody has seen it."""
    return Resource(
        resource_id=resource_id,
        rental_id=attempt.rental_id,
        attempt=attempt.n,
        status=NAMED,
        first_seen=now,
        read_at=now,
    )


def _unseen(attempt: Attempt, now: datetime) -> Resource:
    """Stands in for the resource of a purchase that never showed one: gone when a look first found nothing."""
    resource = named(attempt.offer.offer_id, attempt, now)
    return changed(resource, status=UNSEEN, gone_at=attempt.empty_since or now)


def _second_look_counts(attempt: Attempt, progress: OfferProgress, now: datetime) -> bool:
    return not progress.in_progress and now - attempt.intended_at >= SETTLING


def _empty(attempt: Attempt, progress: OfferProgress, now: datetime, *, proven: bool) -> Attempt:
    """An attempt for which nothing was found."""
    if progress.in_progress:
        return changed(attempt, empty_since=None)
    if attempt.empty_since is None:
        return changed(attempt, empty_since=now)
    if proven and now - attempt.empty_since >= SECOND_LOOK:
        return changed(attempt, state=AttemptState.FAILED)
    return attempt


def see(
    before: Resource | None, view: ResourceView | None, attempt: Attempt, now: datetime, *, missing_counts: bool
) -> Resource:
    """A resource after one look at it; `view` is None where it was not found.

    Raises ValueError where it is neither known nor found.
    """
    if view is None:
        if before is None:
            raise ValueError("neither known nor found")
        return _missing(before, now, counts=missing_counts)
    if before is not None and before.gone_at is not None and view.deleted:
        return before
    base = before or Resource(
        resource_id=view.resource_id,
        rental_id=attempt.rental_id,
        attempt=attempt.n,
        status=view.status,
        first_seen=now,
        read_at=now,
    )
    came_back = base.gone_at is not None and not view.deleted
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
        gone_at=(view.valid_to or now) if view.deleted else None,
    )


def _missing(resource: Resource, now: datetime, *, counts: bool) -> Resource:
    if resource.gone_at is not None:
        return resource
    if resource.missing_since is None:
        return changed(resource, missing_since=now, read_at=now)
    if counts and now - resource.missing_since >= SECOND_LOOK:
        return changed(resource, gone_at=resource.missing_since, read_at=now)
    return resource
