"""Watching over the account: everything on it belongs to an attempt that is watched, or the admins are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.lifecycle.account import PAUSED, tell_admins
from bot.lifecycle.deps import StepDeps, transact
from bot.lifecycle.notifications import change
from bot.lifecycle.ports import ResourceView, Tx
from bot.lifecycle.snapshot import load_snapshot
from bot.lifecycle.steps.reconcile import see
from bot.model.attempt import Attempt, AttemptState, Resource
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.rental import Rental

AT_ONCE = 100
"""How many machines are looked up before others have their turn."""
OURS = "gpubot-"
"""What the names of our machines begin with."""


@dataclass(frozen=True)
class Found:
    """A live resource and what we know of it."""

    view: ResourceView
    resource: Resource | None
    attempt: Attempt | None


async def sweep(deps: StepDeps) -> None:
    """Compares the account with the store. Raises MarketAway where the account can't be read.

    Nothing is ended by the list alone: what is known and seems gone is made due, and its own step asks the
    vendor for it, live, before it is believed.
    """
    views = [view for view in await deps.market.resources() if not view.deleted]
    async with deps.store.read() as tx:
        ours = await tx.rentals.any_ever()
        alive = await tx.rentals.alive_resources()
    found = []
    for first in range(0, len(views), AT_ONCE):
        async with deps.store.read() as tx:
            found += await _match(tx, views[first : first + AT_ONCE])
        await deps.clock.pause(0)  # what people do comes between
    if not ours and any((view.name or "").startswith(OURS) for view in views):
        await _pause_for_empty_store(deps, views)
        return
    for one in found:
        if one.attempt is None:
            await _tell_unknown(deps, one.view)
        elif one.attempt.settled:
            await _take_back(deps, one, one.attempt)
        elif one.resource is None or one.resource.gone_at is not None:
            await _write_down(deps, one, one.attempt)
    listed = {view.resource_id for view in views}
    await _nudge(deps, [r.rental_id for r in alive if r.resource_id not in listed])


async def _match(tx: Tx, views: Sequence[ResourceView]) -> list[Found]:
    known = await tx.rentals.known_resources([view.resource_id for view in views])
    attempts = await tx.rentals.attempts_behind(list(known.values()))
    return [
        Found(
            view=view,
            resource=known.get(view.resource_id),
            attempt=attempts.get(view.resource_id) or await _attempt_named_by(tx, view),
        )
        for view in views
    ]


async def _attempt_named_by(tx: Tx, view: ResourceView) -> Attempt | None:
    """Of a resource that we don't know: by what it was made from, else by its name. Anyone can give a name, so
    it doesn't count where the machine was made from something else."""
    for offer_id in view.offer_ids:
        attempt = await tx.rentals.attempt_of_offer(offer_id)
        if attempt is not None:
            return attempt
    return await tx.rentals.attempt_named(view.name) if view.name and not view.offer_ids else None


async def _pause_for_empty_store(deps: StepDeps, views: Sequence[ResourceView]) -> None:
    """An empty store beside machines of ours is most likely the wrong database: buying waits for an admin."""
    count = sum(1 for view in views if (view.name or "").startswith(OURS))

    async def decision(tx: Tx) -> None:
        if await tx.account.get("empty_store_told") is None:
            await tx.account.set(PAUSED, "empty_store")
            await tx.account.set("empty_store_told", "yes")
            await tell_admins(tx, deps, EventKind.EMPTY_STORE, Facts(count=count))

    await transact(deps, decision)


async def _tell_unknown(deps: StepDeps, view: ResourceView) -> None:
    """A machine that nobody here asked for is told once, and never touched."""
    told = f"unknown:{view.resource_id}"
    facts = Facts(
        resource_id=view.resource_id,
        name=view.name,
        gpu=view.gpu,
        vendor=view.vendor,
        rate=view.rate,
        since=view.valid_from or view.created_at,
    )

    async def decision(tx: Tx) -> None:
        if await tx.account.get(told) is None:
            await tx.account.set(told, "told")
            await tell_admins(tx, deps, EventKind.UNKNOWN_MACHINE, facts)

    await transact(deps, decision)


async def _write_down(deps: StepDeps, found: Found, attempt: Attempt) -> None:
    """A resource of an attempt under way that its own step has not seen yet, or that it holds for gone."""
    view = found.view if found.resource is None else await _seen_alive(deps, found.view.resource_id)
    if view is None:
        return

    async def decision(tx: Tx) -> None:
        rental = await tx.rentals.get(attempt.rental_id)
        known = await tx.rentals.known_resources([view.resource_id])
        if rental is None or known.get(view.resource_id) != found.resource:
            return
        now = deps.clock.now()
        after = changed(rental, version=rental.version + 1, due_at=now)
        resource = see(found.resource, view, attempt, now, missing_counts=False)
        await tx.rentals.apply(
            change(rental, after, rules=deps.rules, real_now=deps.clock.real(), resources=(resource,))
        )

    await transact(deps, decision)


async def _seen_alive(deps: StepDeps, resource_id: str) -> ResourceView | None:
    """What was proven gone, if it lives. The list alone may be older than the proof, so the vendor is asked for
    it, live, before it is believed."""
    view = await deps.market.resource(resource_id, fresh=True)
    return None if view is None or view.deleted else view


async def _take_back(deps: StepDeps, found: Found, attempt: Attempt) -> None:
    """Something lives that was proven gone or never bought: held for gone and told; its rental's end stands."""
    view = await _seen_alive(deps, found.view.resource_id)
    if view is None:
        return

    async def decision(tx: Tx) -> None:
        rental: Rental | None = await tx.rentals.get(attempt.rental_id)
        if rental is None:
            return
        snapshot = await load_snapshot(tx, rental)
        current = next((a for a in snapshot.attempts if a.n == attempt.n), None)
        if current is None or not current.settled:
            return
        now = deps.clock.now()
        held = changed(current, state=AttemptState.BOUGHT, late=True, marked_for_deletion=True)
        resource = see(found.resource, view, held, now, missing_counts=False)
        facts = Facts(resource_id=resource.resource_id, vendor=attempt.offer.vendor, rate=resource.rate)
        event = Event(rental_id=rental.id, kind=EventKind.EXTRA_RESOURCE, at=now, facts=facts)
        after = changed(rental, version=rental.version + 1, due_at=now)
        await tx.rentals.apply(
            change(
                rental,
                after,
                events=(event,),
                rules=deps.rules,
                real_now=deps.clock.real(),
                attempts=(held,),
                resources=(resource,),
            )
        )

    await transact(deps, decision)


async def _nudge(deps: StepDeps, rental_ids: Sequence[str]) -> None:
    once = list(dict.fromkeys(rental_ids))
    for first in range(0, len(once), AT_ONCE):
        async with deps.store.write() as tx:
            await tx.rentals.nudge(once[first : first + AT_ONCE], deps.clock.now())
