"""One visit of a ready machine: log in, and write what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from bot.lifecycle.deps import StepDeps, apply, transact
from bot.lifecycle.lease_changes import note_host_key, note_use
from bot.lifecycle.loops.first_report import note_silence, with_report
from bot.lifecycle.loops.visit_faults import VisitFaults
from bot.lifecycle.ports.due import Claimed
from bot.lifecycle.ports.store import Tx
from bot.model.base import Frozen, changed
from bot.model.event import Event, EventKind, Facts
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.use import Missed, Sample, Verdict, Visit
from bot.policy.probing import has_probe
from bot.policy.verdicts import after_visit, differs, window
from bot.policy.visiting import MOST_KEYS_NOTIFIED, asks_vendor, next_visit

log = structlog.get_logger()


class Target(Frozen):
    """Where the bot logs in."""

    host: str
    port: int
    host_key: str | None
    """The fingerprint that the server must show. None before the first contact."""
    vendor: str | None


async def visit(deps: StepDeps, claimed: Claimed, faults: VisitFaults) -> str | None:
    """Visit a machine whose visit is claimed, and end the claim. Return the outcome: `answered`, or why there are
    no readings. Return None if the machine must not be visited."""
    rental_id = claimed.id
    began = deps.clock.now()
    target = await _target(deps, rental_id)
    if target is None:
        async with deps.store.write() as tx:
            await tx.visits.end(rental_id)
        return None
    result = await deps.prober.visit(target.host, target.port, target.host_key, target.vendor)
    sample = _sample(rental_id, result, deps.clock.now())

    async def write(tx: Tx) -> None:
        rental = await tx.rentals.get(rental_id)
        earlier = await tx.samples.reaching_back(rental_id, sample.at - window(deps.rules))
        if rental is None or not await tx.visits.defer(
            claimed, next_visit(rental.request.contract, [*earlier, sample], began)
        ):
            # The machine's visits ended meanwhile, so another machine may have answered at its address. Or another
            # process visits it now.
            faults.forget(rental_id)
            return
        # A machine refuses the login until its start-up script has installed the probe. Such refusals are not
        # logged.
        if result.missed is not None and (result.missed is not Missed.REFUSED or rental.probe_answered_at):
            log.info("visit.missed", rental=rental_id, missed=result.missed.value)
        await tx.samples.add(sample)
        _count(faults, rental, result, sample.at)
        after = _with_host_key(rental, result)
        events = await _changed_key(tx, rental, result, earlier, sample.at)
        if result.report is not None:
            after, compared = await with_report(tx, after, result.report, earlier, sample.at)
            events += compared
        if not faults.are_ours(sample.at):
            after, judged = _judged(deps, after, earlier, sample)
            events += judged
            await note_silence(tx, after, [*earlier, sample], sample.at)
        await _write(tx, deps, rental, after, events)
        if asks_vendor(sample.missed):
            await tx.rentals.make_due([rental_id], sample.at)

    await transact(deps, write)
    return "answered" if sample.missed is None else sample.missed.value


async def _target(deps: StepDeps, rental_id: str) -> Target | None:
    """Return where to log in. Return None if the machine has no probe by design, or is being deleted: another
    machine may get its address."""
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        attempts = [] if rental is None else await tx.rentals.attempts(rental_id)
    if rental is None or rental.state is not State.READY or rental.host is None:
        return None
    attempt = next((attempt for attempt in attempts if attempt.live), None)
    if attempt is None or attempt.marked_for_deletion or not has_probe(rental, attempt, deps.rules):
        return None
    return Target(host=rental.host, port=rental.port or 22, host_key=rental.host_key, vendor=rental.vendor)


def _sample(rental_id: str, result: Visit, at: datetime) -> Sample:
    report = result.report
    if report is None:
        return Sample(rental_id=rental_id, at=at, missed=result.missed)
    return Sample(rental_id=rental_id, at=at, gpus=report.gpus, peers=report.peers, missed=report.missed)


def _count(faults: VisitFaults, rental: Rental, result: Visit, now: datetime) -> None:
    """Count the visit if the use of the machine was known until now."""
    if rental.use is None or rental.use.verdict is Verdict.UNKNOWN:
        faults.forget(rental.id)
    else:
        faults.note(rental.id, now, failed=result.missed is not None)


def _with_host_key(rental: Rental, result: Visit) -> Rental:
    """Return the rental with the host key pinned, if this is the first contact."""
    if rental.host_key is not None or result.host_key is None:
        return rental
    return note_host_key(rental, result.host_key)


async def _changed_key(
    tx: Tx, rental: Rental, result: Visit, earlier: Sequence[Sample], now: datetime
) -> tuple[Event, ...]:
    """Return the event of a host key that is not the pinned one, once for each such key.

    Only the second visit in a row that finds such a key makes the event. If the vendor took the machine and
    another one has its address, people are notified of the loss first: each missed visit makes the bot ask the
    vendor.
    """
    if result.missed is not Missed.HOST_KEY_CHANGED or result.host_key is None:
        return ()
    if not earlier or earlier[-1].missed is not Missed.HOST_KEY_CHANGED:
        return ()
    history = await tx.events.of(rental.id)
    known = {event.facts.host_key for event in history if event.kind is EventKind.HOST_KEY_CHANGED}
    if result.host_key in known or len(known) >= MOST_KEYS_NOTIFIED:
        return ()
    facts = Facts(host_key=result.host_key, before_host_key=rental.host_key)
    return (Event(rental_id=rental.id, kind=EventKind.HOST_KEY_CHANGED, at=now, facts=facts),)


def _judged(
    deps: StepDeps, rental: Rental, earlier: Sequence[Sample], sample: Sample
) -> tuple[Rental, tuple[Event, ...]]:
    """Return the rental with the verdict that now holds, and an event for each change of it."""
    events = []
    ready_at = rental.running_lease.ready_at
    for use in after_visit(earlier, sample, ready_at=ready_at, before=rental.use, rules=deps.rules):
        if differs(rental.use, use):
            rental = note_use(rental, use, sample.at)
            facts = Facts(verdict=use.verdict, since=use.since, use=use)
            events.append(Event(rental_id=rental.id, kind=EventKind.USE_CHANGED, at=sample.at, facts=facts))
    return rental, tuple(events)


async def _write(tx: Tx, deps: StepDeps, before: Rental, after: Rental, events: tuple[Event, ...]) -> None:
    """Write what changed of the rental, if anything did, as one change."""
    if after == before and not events:
        return
    after = changed(after, version=before.version + 1)
    await apply(tx, deps, before, after, *events)
