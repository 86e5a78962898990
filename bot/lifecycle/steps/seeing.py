"""Notes when the bot stopped seeing how a machine is used, apart from visits."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.lifecycle.deps import Deps, StepDeps
from bot.lifecycle.machine_changes import note_unseen
from bot.lifecycle.snapshot import RentalSnapshot
from bot.model.base import changed
from bot.model.event import EventKind, Facts
from bot.model.rental import Rental
from bot.model.use import Sample, Use, Verdict
from bot.policy import verdicts
from bot.policy.probing import has_probe
from bot.policy.samples import open_connections


async def last_visits(deps: Deps, rental: Rental, at: datetime) -> list[Sample]:
    """Return the samples that a verdict of `at` needs, oldest first."""
    async with deps.store.read() as tx:
        return await tx.samples.reaching_back(rental.id, at - verdicts.window(deps.rules))


async def still_idle(deps: Deps, rental: Rental, use: Use, at: datetime) -> bool:
    """Return whether an idle or connected machine still is, by its last visits. If the bot was down, or if most
    visits fail, the next ones decide."""
    visits = await last_visits(deps, rental, at)
    if verdicts.unseen_since(use, visits, at, deps.rules) is not None:
        return False
    ready_at = rental.running_lease.ready_at
    return use == verdicts.with_later_work(use, visits, ready_at=ready_at, now=at, rules=deps.rules)


async def with_open_connections(deps: Deps, rental: Rental, use: Use, at: datetime) -> Use:
    """Return a verdict with the connections that the newest visit saw. A stored verdict has those of its first."""
    old, new = open_connections(await last_visits(deps, rental, at))
    return changed(use, connections=old, new_connections=new)


async def forget_without_probe(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Drop the verdict of a ready machine that has no probe any more, because the rules switched it off."""
    live = snapshot.live
    if snapshot.rental.use is None or live is None or has_probe(snapshot.rental, live, deps.rules):
        return snapshot
    visits = await last_visits(deps, snapshot.rental, now)
    since = verdicts.unseen_since(snapshot.rental.use, visits, now, deps.rules) or now
    snapshot = _with_unknown(snapshot, since, now)
    return snapshot.with_rental(note_unseen(snapshot.rental, None))


async def note_unseen_end(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Note for a rental that has just ended since when nobody saw how its machine was used, if the bot was down
    before the end: the last verdict must not count until the end. The end stays the last event."""
    if snapshot.rental.use is None:
        return snapshot
    ending, (*earlier, ended) = snapshot.rental.ending, snapshot.events
    at = (ending.since if ending else None) or ended.at
    visits = await last_visits(deps, snapshot.rental, at)
    since = verdicts.unseen_since(snapshot.rental.use, visits, at, deps.rules)
    if since is None:
        return snapshot
    noted = _with_unknown(replace(snapshot, events=tuple(earlier)), since, ended.at)
    return noted.with_rental(noted.rental, ended)


def _with_unknown(snapshot: RentalSnapshot, since: datetime, now: datetime) -> RentalSnapshot:
    """Return the snapshot with an unknown verdict in place of a known one."""
    use = snapshot.rental.use
    if use is None or use.verdict is Verdict.UNKNOWN:
        return snapshot
    unknown = Use(verdict=Verdict.UNKNOWN, since=since, worked=use.worked)
    facts = Facts(verdict=unknown.verdict, since=since, use=unknown)
    snapshot = snapshot.with_event(EventKind.USE_CHANGED, now, facts)
    return snapshot.with_rental(note_unseen(snapshot.rental, unknown))
