"""Notes what the probe of a machine reports first, or that nothing answered soon after ready."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.lifecycle.lease_changes import note_probe_answer
from bot.lifecycle.ports.store import Tx
from bot.model.attempt import Attempt
from bot.model.event import Event, EventKind, Facts
from bot.model.rental import Rental
from bot.model.use import GpusSeen, Missed, Report, Sample
from bot.policy.as_sold import not_as_sold
from bot.policy.probing import ANSWERS_WITHIN, LEAST_VISITS, boot_script_ran

COMPARED_WITHIN = timedelta(minutes=30)
"""For how long after its first report a machine that showed no GPUs yet is compared once it shows some: their
driver may still be being installed."""


async def with_report(
    tx: Tx, rental: Rental, report: Report, earlier: Sequence[Sample], now: datetime
) -> tuple[Rental, tuple[Event, ...]]:
    """Return a ready rental with what its probe reports of the set-up, and an event if its first GPUs are not
    those that were sold. Note for its vendor that the probe answered. `earlier` has the last samples before the
    report."""
    after, first = rental, rental.probe_answered_at is None
    answered_at = rental.probe_answered_at or now
    setup = report.setup or rental.setup_progress
    if (answered_at, setup) != (rental.probe_answered_at, rental.setup_progress):
        after = note_probe_answer(rental, answered_at, setup)
    if first and rental.vendor is not None and boot_script_ran(after):
        await tx.probe_answers.note(rental.id, rental.vendor, now, answered=True)
    compared_before = any(sample.missed is None for sample in earlier)
    if report.missed is not None or compared_before or now - answered_at > COMPARED_WITHIN:
        return after, ()
    attempt = next((attempt for attempt in await tx.rentals.attempts(rental.id) if attempt.live), None)
    return after, () if attempt is None else _compared(attempt, report, now)


async def note_silence(tx: Tx, rental: Rental, visits: Sequence[Sample], now: datetime) -> None:
    """Note for the vendor of a ready rental that nothing answered on its SSH port soon after ready.

    `visits` are the last ones until now. Note it only if at least LEAST_VISITS of that time got no answer. A
    refused login does not count: everyone with root on the machine can cause one.
    """
    ready_at = rental.running_lease.ready_at
    if rental.vendor is None or rental.probe_answered_at is not None or now - ready_at < ANSWERS_WITHIN:
        return
    soon = [visit.missed for visit in visits if visit.at - ready_at <= ANSWERS_WITHIN]
    if soon.count(Missed.NO_ANSWER) >= LEAST_VISITS:
        await tx.probe_answers.note(rental.id, rental.vendor, now, answered=False)


def _compared(attempt: Attempt, report: Report, now: datetime) -> tuple[Event, ...]:
    """Return an event if the GPUs of a report are certainly not those of the attempt's offer. Return none for an
    adopted machine, which has no offer."""
    offer = attempt.offer
    if offer is None or not not_as_sold(offer.gpu, offer.count, report):
        return ()
    seen = GpusSeen(count=len(report.gpus), models=report.models)
    facts = Facts(gpu=offer.gpu, count=offer.count, gpus_seen=seen)
    return (Event(rental_id=attempt.rental_id, kind=EventKind.NOT_AS_SOLD, at=now, facts=facts),)
