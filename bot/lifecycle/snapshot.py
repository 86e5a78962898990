"""A rental with its facts, as a step loads it, and what a step makes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from bot.errors import Stale
from bot.lifecycle.billing import ledger_row, spent
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.notifications import change
from bot.lifecycle.ports.store import Tx
from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.rental import Rental
from bot.model.summary import AccruedCost


@dataclass(frozen=True)
class RentalSnapshot:
    """What is known of a rental at one moment. Steps return changed copies; `save` writes what is different."""

    rental: Rental
    attempts: tuple[Attempt, ...] = ()
    resources: tuple[Resource, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    events: tuple[Event, ...] = ()
    """New ones, to be written with the change."""
    stored: RentalSnapshot | None = None
    """As the store has it."""

    @property
    def live(self) -> Attempt | None:
        """The one attempt that is bought or perhaps bought, and not yet accepted for deletion."""
        return next((attempt for attempt in self.attempts if attempt.live), None)

    def resources_of(self, attempt: Attempt) -> tuple[Resource, ...]:
        return tuple(resource for resource in self.resources if resource.attempt == attempt.n)

    def spent(self, now: datetime) -> AccruedCost:
        return spent(self.ledger, self.resources, self.attempts, now)

    def with_facts(self, attempt: Attempt, resources: tuple[Resource, ...] = ()) -> RentalSnapshot:
        """The case with an attempt and resources as they are now; what is newly gone gets its ledger row."""
        gone_before = {r.resource_id for r in self.resources if r.gone_at is not None}
        gone = [r for r in resources if r.gone_at is not None and r.resource_id not in gone_before]
        fresh = {resource.resource_id: resource for resource in resources}
        kept = tuple(fresh.pop(r.resource_id, r) for r in self.resources)
        attempts = {**{a.n: a for a in self.attempts}, attempt.n: attempt}
        return replace(
            self,
            attempts=tuple(attempts[n] for n in sorted(attempts)),
            resources=kept + tuple(fresh.values()),
            ledger=self.ledger + tuple(ledger_row(r, attempt, self.rental.owner, self.ledger) for r in gone),
        )

    def with_event(self, kind: EventKind, at: datetime, facts: Facts | None = None) -> RentalSnapshot:
        """The case with one more event to be written, by the bot itself."""
        event = Event(rental_id=self.rental.id, kind=kind, at=at, facts=facts or Facts())
        return replace(self, events=(*self.events, event))

    def with_due(self, due_at: datetime | None) -> RentalSnapshot:
        """Return it with the moment of its next step."""
        return replace(self, rental=changed(self.rental, due_at=due_at))

    def with_rental(self, rental: Rental, *events: Event) -> RentalSnapshot:
        """The case with the rental changed."""
        return replace(self, rental=rental, events=self.events + events)


async def load(deps: StepDeps, rental_id: str) -> RentalSnapshot | None:
    """Reads a rental and its facts."""
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        return None if rental is None else await load_snapshot(tx, rental)


async def load_snapshot(tx: Tx, rental: Rental) -> RentalSnapshot:
    """A rental's facts, within a transaction."""
    stored = RentalSnapshot(
        rental=rental,
        attempts=tuple(await tx.rentals.attempts(rental.id)),
        resources=tuple(await tx.rentals.resources(rental.id)),
        ledger=tuple(await tx.rentals.ledger(rental.id)),
    )
    return replace(stored, stored=stored)


async def save(
    deps: StepDeps,
    snapshot: RentalSnapshot,
    *,
    releases_claim: bool = False,
    unless: Callable[[Tx], Awaitable[None]] | None = None,
) -> RentalSnapshot:
    """Writes what is different from the store, and answers the case as it then is. Raises Stale where the rental
    was changed meanwhile: the facts are written then, and nothing else. Where `unless` raises, in the same
    transaction, nothing at all is written."""
    stored = snapshot.stored
    if stored is None:
        raise ValueError("only a case that was loaded can be saved")
    known = {*stored.attempts, *stored.resources, *stored.ledger}
    attempts = tuple(attempt for attempt in snapshot.attempts if attempt not in known)
    resources = tuple(resource for resource in snapshot.resources if resource not in known)
    ledger = tuple(row for row in snapshot.ledger if row not in known)
    rental = changed(snapshot.rental, version=stored.rental.version + 1)
    due_only = {"version": rental.version, "due_at": rental.due_at}
    states = {attempt.n: attempt.state for attempt in stored.attempts}
    news = [attempt for attempt in attempts if attempt.state is not states.get(attempt.n)]
    try:
        async with deps.store.write() as tx:
            if unless is not None:
                await unless(tx)
            if (
                releases_claim
                and not (attempts or resources or ledger or snapshot.events)
                and (changed(stored.rental, **due_only) == rental)
            ):
                await tx.rentals.defer(stored.rental, rental.due_at)
                return snapshot
            await tx.rentals.apply(
                change(
                    stored.rental,
                    rental,
                    events=snapshot.events,
                    rules=deps.rules,
                    real_now=deps.clock.real(),
                    attempts=attempts,
                    resources=resources,
                    ledger=ledger,
                    releases_claim=releases_claim,
                )
            )
    except Stale:
        _tell_of([attempt for attempt in news if attempt.n in states], deps)
        raise
    _tell_of(news, deps)
    written = replace(snapshot, rental=rental, events=(), stored=None)
    return replace(written, stored=written)


def _tell_of(attempts: Iterable[Attempt], deps: StepDeps) -> None:
    for attempt in attempts:
        deps.on_attempt(attempt)
