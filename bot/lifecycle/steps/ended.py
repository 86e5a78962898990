"""A rental that is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.lifecycle.deps import StepDeps
from bot.lifecycle.machine_changes import note_unseen
from bot.lifecycle.ready_machine import last_visits
from bot.lifecycle.snapshot import RentalSnapshot
from bot.model.event import EventKind, Facts
from bot.model.use import Use, Verdict
from bot.policy.verdicts import unseen_since


async def stay_over(_: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Change nothing. The rental is due only while a resource that appeared after its end is being deleted."""
    return snapshot.with_due(None)


async def note_unseen_end(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Note for a rental that has just ended since when nobody saw how its machine was used, if the bot was down
    before the end: the last verdict must not count until the end. The end stays the last event."""
    rental = snapshot.rental
    if rental.use is None:
        return snapshot
    ending, (*earlier, ended) = rental.ending, snapshot.events
    at = (ending.since if ending else None) or ended.at
    async with deps.store.read() as tx:
        visits = await last_visits(tx, rental, at, deps.rules)
    since = unseen_since(rental.use, visits, at, deps.rules)
    if since is None:
        return snapshot
    noted = with_unknown(replace(snapshot, events=tuple(earlier)), since, ended.at)
    return noted.with_rental(noted.rental, ended)


def with_unknown(snapshot: RentalSnapshot, since: datetime, now: datetime) -> RentalSnapshot:
    """Return the snapshot with an unknown verdict in place of a known one."""
    use = snapshot.rental.use
    if use is None or use.verdict is Verdict.UNKNOWN:
        return snapshot
    unknown = Use(verdict=Verdict.UNKNOWN, since=since, worked=use.worked)
    facts = Facts(verdict=unknown.verdict, since=since, use=unknown)
    return snapshot.with_rental(note_unseen(snapshot.rental, unknown)).with_event(
        EventKind.USE_CHANGED, now, facts
    )
