"""A snapshot of a rental: its attempts, resources and ledger at one moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

from bot.errors import Stale
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.transitions import alter, begin_destroying, end_now, schedule
from bot.lifecycle.deps import StepDeps, transact
from bot.lifecycle.money.billing import ledger_row, spent, spent_at_most, spent_on, still_billing
from bot.lifecycle.money.budgets import settle_stored
from bot.model.attempt import Attempt, LedgerRow, Resource, Why
from bot.model.base import changed
from bot.model.budget import UseCosts
from bot.model.event import Event, EventKind
from bot.model.facts import EndedFacts, Facts
from bot.model.machine_use import Sample
from bot.model.money import Micros
from bot.model.records import Change, StoredFacts
from bot.model.rental import Ending, Rental
from bot.model.state import State
from bot.model.summary import AccruedCost
from bot.policy.buying.charges import Billed, Stretch, stretches, use_costs
from store.db import Tx

WriteDue: TypeAlias = Callable[[Rental, datetime | None, Sequence[Resource]], Awaitable[None]]
"""Writes the next due time of a rental and ends its claim, if nothing else about the rental has changed.

A claim is a process's right to work on the rental for a limited time. The times at which the rental's resources
were read are written as well. Raises StoreBusy.
"""


@dataclass(frozen=True)
class RentalSnapshot:
    """Everything known about a rental at one moment.

    A step, the code that advances a rental, returns a changed copy. `save` then writes the differences.
    """

    rental: Rental
    attempts: tuple[Attempt, ...] = ()
    resources: tuple[Resource, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    events: tuple[Event, ...] = ()
    """New events, to be written with the change."""
    last_probe_run: Sample | None = None
    """The most recent probe run of a ready machine, if the snapshot was read by `load` or `load_many`."""
    probed_at: datetime | None = None
    """The time of the latest probe run that the step has used. None if the step used none."""
    stored: RentalSnapshot | None = None
    """The snapshot as it was loaded. None if it wasn't loaded from the store."""

    @property
    def live(self) -> Attempt | None:
        """The rental's live attempt. None if there is none.

        An attempt is one purchase. It is live while the rental uses the purchased machine, or can still get one
        from this purchase.
        """
        return next((attempt for attempt in self.attempts if attempt.live), None)

    def attempt(self, n: int) -> Attempt:
        """Return the attempt with this number, as it is in this snapshot."""
        return next(attempt for attempt in self.attempts if attempt.n == n)

    def resources_of(self, attempt: Attempt) -> tuple[Resource, ...]:
        return tuple(resource for resource in self.resources if resource.attempt == attempt.n)

    def alive_of(self, attempt: Attempt) -> tuple[Resource, ...]:
        """Return the resources of an attempt that haven't been terminated."""
        return tuple(resource for resource in self.resources_of(attempt) if resource.terminated_at is None)

    def reachable(self, attempt: Attempt) -> Resource | None:
        """Return the first resource of an attempt that has an address and hasn't been terminated."""
        return next((resource for resource in self.alive_of(attempt) if resource.host is not None), None)

    def spent(self, now: datetime) -> AccruedCost:
        return spent(self.ledger, self.resources, self.attempts, now)

    def spent_on(self, attempt: Attempt, now: datetime) -> AccruedCost:
        """Return the cost of one attempt by `now`."""
        return spent_on(attempt, self.ledger, self.resources, now)

    def spent_at_most(self, now: datetime) -> Micros:
        """Return the cost of the rental by `now`, including the possible cost of unresolved purchases.

        A purchase is unresolved while it may have created a machine that the rental won't use.
        """
        return spent_at_most(self.ledger, self.resources, self.attempts, now)

    @property
    def unresolved(self) -> tuple[Attempt, ...]:
        """The orphaned attempts that can still cause costs.

        An attempt is one purchase. The rental never uses the machine of an orphaned attempt.
        """
        return tuple(attempt for attempt in self.attempts if attempt.unresolved)

    def with_facts(self, attempt: Attempt, resources: tuple[Resource, ...] = ()) -> RentalSnapshot:
        """Return the snapshot with new versions of an attempt and of resources.

        A ledger row is added for each resource that has just been terminated.
        """
        terminated_before = {r.resource_id for r in self.resources if r.terminated_at is not None}
        terminated = [
            r for r in resources if r.terminated_at is not None and r.resource_id not in terminated_before
        ]
        updates = {resource.resource_id: resource for resource in resources}
        known = tuple(updates.pop(r.resource_id, r) for r in self.resources)
        attempts = {**{a.n: a for a in self.attempts}, attempt.n: attempt}
        return replace(
            self,
            attempts=tuple(attempts[n] for n in sorted(attempts)),
            resources=known + tuple(updates.values()),
            ledger=self.ledger + tuple(ledger_row(r, attempt, self.rental.owner, self.ledger) for r in terminated),
        )

    def with_event(self, kind: EventKind, at: datetime, facts: Facts | None = None) -> RentalSnapshot:
        """Return the snapshot with one more new event, caused by the bot."""
        event = Event(rental_id=self.rental.id, kind=kind, at=at, facts=facts or Facts())
        return replace(self, events=(*self.events, event))

    def with_due(self, due_at: datetime | None) -> RentalSnapshot:
        """Return the snapshot with the due time of its next step.

        `due_at` is None if nothing is due until the rental changes.
        """
        return replace(self, rental=schedule(self.rental, due_at))

    def finished(
        self, end: State, at: datetime, *, why: Why | None = None, by: str | None = None
    ) -> tuple[Rental, Event[EndedFacts]]:
        """Return the rental after its end, and the event of its end.

        The rental's state is final if all of its attempts are closed. Otherwise, it is `destroying`. An attempt
        is one purchase of a machine. The event states the cost of the rental only if the cost is known.
        """
        rental, bill, closed = self.rental, self.spent(at), all(attempt.closed for attempt in self.attempts)
        facts = EndedFacts(end=end, why=why)
        if not rental.bought_after_backup and (bill.amount or closed):
            facts = changed(facts, amount=bill.amount, estimated=bill.estimated)
        ending = Ending(outcome=end, why=why, by=by)
        if closed:
            after, kind = end_now(rental, ending, at), EventKind.ENDED
        else:
            after, kind = begin_destroying(rental, ending, at), EventKind.DESTROYING
        return after, Event(rental_id=rental.id, kind=kind, at=at, actor=by, facts=facts)

    def altered(self, **fields: Any) -> RentalSnapshot:
        """Return the snapshot with new values for some fields of the rental, but not for its state."""
        return replace(self, rental=alter(self.rental, **fields))

    def with_rental(self, rental: Rental, *events: Event) -> RentalSnapshot:
        """Return the snapshot with the changed rental and its new events."""
        return replace(self, rental=rental, events=self.events + events)


async def load(deps: StepDeps, rental_id: str) -> RentalSnapshot | None:
    """Return the snapshot of a rental, or None if there is no such rental.

    For a ready rental, the snapshot includes the most recent probe run.
    """
    async with deps.store.read() as tx:
        return (await load_many(tx, [rental_id])).get(rental_id)


async def load_snapshot(tx: Tx, rental: Rental) -> RentalSnapshot:
    """Return the snapshot of a rental, read in the caller's transaction."""
    return _snapshot(rental, (await tx.rentals.facts_of([rental.id]))[rental.id])


async def load_many(tx: Tx, rental_ids: Collection[str]) -> dict[str, RentalSnapshot]:
    """Return the snapshots of several rentals, by rental ID.

    The number of database queries is the same as for a single rental. The snapshot of a ready rental includes the
    most recent probe run.
    """
    if not rental_ids:
        return {}
    rentals = await tx.rentals.get_many(rental_ids)
    facts = await tx.rentals.facts_of(rental_ids)
    ready = [rental.id for rental in rentals.values() if rental.state is State.READY]
    probe_runs = await tx.samples.newest_of(ready) if ready else {}
    return {key: _snapshot(rental, facts[key], probe_runs.get(key)) for key, rental in rentals.items()}


def _snapshot(rental: Rental, facts: StoredFacts, last_probe_run: Sample | None = None) -> RentalSnapshot:
    stored = RentalSnapshot(
        rental, tuple(facts.attempts), tuple(facts.resources), tuple(facts.ledger), last_probe_run=last_probe_run
    )
    return replace(stored, stored=stored)


async def save(
    deps: StepDeps,
    snapshot: RentalSnapshot,
    *,
    write_due: WriteDue | None = None,
    check_first: Callable[[Tx], Awaitable[None]] | None = None,
) -> RentalSnapshot:
    """Write the differences from the loaded snapshot, and return the snapshot as it is stored now.

    Raises Stale if the rental has changed in the meantime, or if its machine was probed after `probed_at`. If
    Stale is raised, the changed attempts, resources and ledger rows are written, but nothing else is.

    Args:
        write_due: Writes only the due time, and the times at which resources were read. If nothing else has
            changed, it replaces the usual write. Pass it only when the work on a due rental is finished.
        check_first: A function that runs in the same transaction before the change is written. If it raises an
            error, nothing at all is written.
    """
    stored = snapshot.stored
    if stored is None:
        raise ValueError("only a snapshot that was loaded can be saved")
    # Index the attempts by their number. A rental from the waitlist can have a thousand attempts, so searching
    # through them again and again would be slow.
    before_by_n = {attempt.n: attempt for attempt in stored.attempts}
    attempts = tuple(attempt for attempt in snapshot.attempts if attempt != before_by_n.get(attempt.n))
    # `in` on these tuples is faster than building sets. An unchanged resource or row is the same object as the
    # stored one, so `in` finds it by identity. A set would have to hash all fields of every object.
    resources = tuple(resource for resource in snapshot.resources if resource not in stored.resources)
    ledger = tuple(row for row in snapshot.ledger if row not in stored.ledger)
    same_facts = not attempts and not ledger and all(_only_read_again(one, stored) for one in resources)
    if write_due is not None and same_facts and not snapshot.events:
        before = dict(stored.rental)
        if {**dict(snapshot.rental), "due_at": before["due_at"], "version": before["version"]} == before:
            await write_due(stored.rental, snapshot.rental.due_at, resources)
            return snapshot
    rental = changed(snapshot.rental, version=stored.rental.version + 1)
    change = Change(
        stored.rental,
        rental,
        snapshot.events,
        attempts=attempts,
        resources=resources,
        ledger=ledger,
        releases_claim=write_due is not None,
        probed_at=snapshot.probed_at,
    )
    states = {n: attempt.state for n, attempt in before_by_n.items()}
    new_states = [attempt for attempt in attempts if attempt.state is not states.get(attempt.n)]
    try:
        async with deps.store.write() as tx:
            if check_first is not None:
                await check_first(tx)
            await apply(tx, deps, change)
    except Stale:
        _report_attempts([attempt for attempt in new_states if attempt.n in states], deps)
        # The change itself was rejected, because another process had changed the rental in the meantime. Its final
        # costs were written to the ledger all the same, so they have to be charged now.
        if ledger:
            await transact(deps, settle_stored, deps, rental.id)
        raise
    _report_attempts(new_states, deps)
    written = replace(snapshot, rental=rental, events=(), stored=None)
    return replace(written, stored=written)


def _only_read_again(resource: Resource, stored: RentalSnapshot) -> bool:
    """Return whether nothing about a resource has changed except for the time at which it was read."""
    before = next((one for one in stored.resources if one.resource_id == resource.resource_id), None)
    return before is not None and {**dict(resource), "read_at": before.read_at} == dict(before)


def _report_attempts(attempts: Iterable[Attempt], deps: StepDeps) -> None:
    for attempt in attempts:
        deps.on_attempt(attempt)


def cost_by_use(snapshot: RentalSnapshot, events: Iterable[Event], now: datetime) -> UseCosts:
    """Return the cost of a rental by `now`, split by how its machine was used. `events` are all of its events.

    The parts add up to `snapshot.spent(now)`. The use is treated as unknown before the machine was ready, after
    its deletion began, and for all earlier attempts.
    """
    known = _known_use(snapshot, events, now)
    last = max((attempt.n for attempt in snapshot.attempts), default=0)
    of_machine = {resource.resource_id for resource in snapshot.resources if resource.attempt == last}
    alive = still_billing(snapshot.ledger, snapshot.resources, snapshot.attempts, now)
    billed: list[tuple[str, Billed]] = [*((row.resource_id, row) for row in snapshot.ledger), *alive.items()]
    costs = UseCosts()
    for resource_id, one in billed:
        costs += use_costs(one, known if resource_id in of_machine else ())
    return costs


def _known_use(snapshot: RentalSnapshot, events: Iterable[Event], now: datetime) -> tuple[Stretch, ...]:
    """Return the stretches of time in which the machine's use is known."""
    rental = snapshot.rental
    if rental.lease is None:
        return ()
    deletion_began = rental.ending.since if rental.ending else None
    return stretches(events, ready_at=rental.lease.ready_at, until=deletion_began or rental.over_at or now)
