"""Visits the ready machines that have a probe: logs in, and writes what was seen.

The visits have a loop of their own: the engine's checks never wait for them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from typing_extensions import override

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.lease_changes import note_host_key, note_on_ending, note_use
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import StepDeps, transact, with_newest_rules
from bot.lifecycle.loops.due import DueLoop
from bot.lifecycle.loops.running import ignore
from bot.model.attempt import Attempt
from bot.model.base import Frozen, Instant, changed
from bot.model.event import Event, EventKind, facts_in
from bot.model.facts import GpuMismatchFacts, HostKeyFacts, StatusFacts
from bot.model.machine_use import EndToTell, GpusSeen, Missed, ProbeResult, Report, Sample, UsageStatus
from bot.model.records import Change, Claimed
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import ProbeKind
from bot.policy.use.flexible_end import can_move
from bot.policy.use.gpu_mismatch import gpu_mismatch
from bot.policy.use.on_ending import end_to_tell, is_awaited
from bot.policy.use.probe_times import (
    MOST_KEYS_NOTIFIED,
    WHILE_AWAITED,
    asks_vendor,
    next_probe_run,
    soonest_probe_run,
)
from bot.policy.use.probing import ANSWERS_WITHIN, LEAST_PROBE_RUNS, has_probe, startup_script_ran
from bot.policy.use.usage_status import after_probe_run, differs, window
from store.claims import DueTable
from store.db import Tx, Written

log = structlog.get_logger()

AT_ONCE = 64
"""The number of visits that run at the same time. One takes 5 to 6 s."""
LOGINS_PER_SECOND = 10.0
"""In real time. Within AT_ONCE and this limit, about 1,000 machines are visited every 2 minutes. If there are
more, visits wait in the order in which they are due, so the period grows for all of them."""
RETRY_FAILED = timedelta(minutes=2)
"""The delay before the next visit if one fails because of a bug or an outage of the store."""


# --- visits that fail because of the bot, and so say nothing about the machines


FEWEST = 3
"""With fewer machines, two that fail together are no sign of a common cause."""
COUNTS_FOR = timedelta(minutes=20)
"""The time for which the outcome of a visit counts. With 10,000 machines, a round takes 17 minutes."""
OURS_AT_MOST = timedelta(hours=1)
"""After this time, verdicts change in any case: nobody has seen for so long whether the machines are used."""


class ProbeFaults:
    """The last outcome for each machine whose use was known before. The outcomes are kept in memory: after a
    start, the first round of visits fills them.
    """

    def __init__(self) -> None:
        self._outcomes: dict[str, tuple[datetime, bool]] = {}
        """When each machine was visited last, and whether that failed."""
        self._since: datetime | None = None
        """The time from which on more than half of the machines fail. None if they don't."""

    @property
    def machines(self) -> Collection[str]:
        """Return the machines that count, by rental."""
        return self._outcomes.keys()

    def note(self, rental_id: str, now: datetime, *, failed: bool) -> None:
        """Count a visit of a machine whose use was known until then."""
        self._outcomes[rental_id] = now, failed

    def forget(self, rental_id: str) -> None:
        """Stop counting a machine: its visits ended, or nothing is known of its use."""
        self._outcomes.pop(rental_id, None)

    def are_ours(self, now: datetime) -> bool:
        """Return whether the visits fail because of the bot, so that no verdict may change now."""
        return self.most_fail(now) and self._since is not None and now - self._since < OURS_AT_MOST

    def most_fail(self, now: datetime) -> bool:
        """Return whether more than half of the machines fail. Log when that begins and when it ends."""
        self._outcomes = {key: one for key, one in self._outcomes.items() if now - one[0] <= COUNTS_FOR}
        failed = sum(failed for _, failed in self._outcomes.values())
        most = len(self._outcomes) >= FEWEST and 2 * failed > len(self._outcomes)
        if most and self._since is None:
            self._since = now
            log.warning("visits.most_fail", machines=len(self._outcomes), failed=failed)
        elif not most and self._since is not None:
            log.info("visits.work_again", seconds=(now - self._since).total_seconds())
            self._since = None
        return most


# --- the loop


@dataclass(eq=False, repr=False)
class ProbeRuns(DueLoop[Claimed]):
    """Runs the visits that are due. A commit that begins, ends or hastens visits of a machine wakes the loop."""

    name = "visits"
    counted_as = "visits_in_flight"
    logged_as = "visit", "rental"
    written = Written.PROBE_RUNS
    retry = RETRY_FAILED

    at_once: int = field(default=AT_ONCE, kw_only=True)
    logins_per_second: float = field(default=LOGINS_PER_SECOND, kw_only=True)
    on_probe_run: Callable[[str], None] = field(default=ignore, kw_only=True)
    """Called with the outcome of each visit."""
    faults: ProbeFaults = field(default_factory=ProbeFaults, init=False)
    _next_login: float = field(default=0.0, init=False)
    """The time of `clock.monotonic` from which on the next login may begin."""
    _changed: bool = field(default=False, init=False)
    """Whether visits of a machine began, ended or were made due since the last pass."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.deps.store.on_commit(self._note_change, Written.PROBE_RUNS)

    def _switched_on(self) -> bool:
        return with_newest_rules(self.deps).rules.idle.probe is ProbeKind.SSH

    def _note_change(self) -> None:
        self._changed = True

    def failing(self) -> bool:
        """Return whether more than half of the machines whose use was known miss their visits now."""
        return self.faults.most_fail(self.deps.clock.now())

    @override
    def rows(self, tx: Tx) -> DueTable[Claimed]:
        return tx.probe_runs

    @override
    async def next_due(self) -> datetime | None:
        return await super().next_due() if self._switched_on() else None

    @override
    async def first_due(self, tx: Tx) -> datetime | None:
        return await super().first_due(tx) if self._switched_on() else None

    @override
    async def figures(self) -> Mapping[str, Any]:
        return {**await super().figures(), "visits_fail": self.failing()}

    @override
    async def run(self) -> None:
        """Run until cancelled. Visits that are under way at that moment are cancelled too: each is due again once
        its claim ends.
        """
        try:
            await super().run()
        finally:
            await self.cancel(self.under_way())

    @override
    async def before_pass(self) -> None:
        """Cancel the visits of machines that are no longer ready: other machines may get their addresses."""
        news, self._changed = self._changed, False
        known = {*self.under_way(), *self.faults.machines} if news else set()
        if not known:
            return
        async with self.deps.store.read() as tx:
            ended = known - await tx.probe_runs.ongoing(known)
        for rental_id in ended:
            self.faults.forget(rental_id)
        await self.cancel(ended)

    @override
    async def work(self, row: Claimed, claim_lasts: Callable[[], bool]) -> None:
        await self._wait_for_login()
        outcome = await run_probe(self.deps, row, self.faults)
        if outcome is not None:
            self.on_probe_run(outcome)

    async def _wait_for_login(self) -> None:
        """Wait for this visit's turn."""
        now = self.deps.clock.monotonic()
        turn = max(now, self._next_login)
        self._next_login = turn + 1 / self.logins_per_second
        if turn > now:
            await self.deps.clock.pause(turn - now)


# --- one visit


class Target(Frozen):
    """Where the bot logs in."""

    host: str
    port: int
    host_key: str | None
    """The fingerprint that the server must show. None before the first contact."""
    vendor: str | None
    ends_at: Instant
    """The end of the lease."""
    ending: EndToTell | None
    """The end that the machine is told, if any."""


async def run_probe(deps: StepDeps, claimed: Claimed, faults: ProbeFaults) -> str | None:
    """Visit a machine whose visit is claimed, and end the claim. Return the outcome: `answered`, or why there are
    no readings. Return None if the machine must not be visited.
    """
    rental_id = claimed.id
    began = deps.clock.now()
    target = await _target(deps, rental_id)
    if target is None:
        async with deps.store.write() as tx:
            await tx.probe_runs.end(rental_id)
        return None
    result = await deps.prober.run_probe(target.host, target.port, target.host_key, target.vendor, target.ending)
    sample = _sample(rental_id, result, deps.clock.now())

    async def write(tx: Tx) -> None:
        rental = await tx.rentals.get(rental_id)
        earlier = await tx.samples.reaching_back(rental_id, sample.at - window(deps.rules))
        if rental is None or not await tx.probe_runs.defer(
            claimed, _next(rental, target, [*earlier, sample], began)
        ):
            # The machine's visits ended meanwhile, so another machine may have answered at its address. Or another
            # process visits it now.
            faults.forget(rental_id)
            return
        # A machine refuses the login until its startup script has installed the probe. Such refusals are not
        # logged.
        if result.missed is not None and (result.missed is not Missed.REFUSED or rental.probe_answered_at):
            log.info("visit.missed", rental=rental_id, missed=result.missed.value)
        await tx.samples.add(sample)
        _count(faults, rental, result, sample.at)
        after = rental
        if rental.host_key is None and result.host_key is not None:  # the first contact
            after = note_host_key(rental, result.host_key)
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


def _next(rental: Rental, target: Target, samples: Sequence[Sample], began: datetime) -> datetime:
    """Return when the machine is visited again: at once if its end changed while it was visited, and soon if an
    end waits for its on-ending.sh.
    """
    if rental.lease is None or rental.lease.ends_at == target.ends_at:
        if samples[-1].missed is None and is_awaited(rental, samples[-1].at):
            return began + WHILE_AWAITED
        return next_probe_run(rental.request.contract, samples, began, target.ends_at)
    return soonest_probe_run(samples[-1], samples[-1].at)


async def _target(deps: StepDeps, rental_id: str) -> Target | None:
    """Return where to log in. Return None if the machine has no probe by design, or is being deleted: another
    machine may get its address.
    """
    now = deps.clock.now()
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        if rental is None or rental.state is not State.READY or rental.host is None:
            return None
        attempts = await tx.rentals.attempts(rental_id)
        probe_runs: Sequence[Sample] = ()
        if can_move(rental.running_lease):
            probe_runs = await tx.samples.reaching_back(rental_id, now - window(deps.rules))
    attempt = next((attempt for attempt in attempts if attempt.live), None)
    if attempt is None or attempt.marked_for_deletion or not has_probe(rental, attempt, deps.rules):
        return None
    return Target(
        host=rental.host,
        port=rental.port or 22,
        host_key=rental.host_key,
        vendor=rental.vendor,
        ends_at=rental.running_lease.ends_at,
        ending=end_to_tell(rental, probe_runs, deps.rules, now),
    )


def _sample(rental_id: str, result: ProbeResult, at: datetime) -> Sample:
    report = result.report
    if report is None:
        return Sample(rental_id=rental_id, at=at, missed=result.missed)
    return Sample(rental_id=rental_id, at=at, gpus=report.gpus, peers=report.peers, missed=report.missed)


def _count(faults: ProbeFaults, rental: Rental, result: ProbeResult, now: datetime) -> None:
    """Count the visit if the use of the machine was known until now."""
    if rental.use is None or rental.use.status is UsageStatus.UNKNOWN:
        faults.forget(rental.id)
    else:
        faults.note(rental.id, now, failed=result.missed is not None)


async def _changed_key(
    tx: Tx, rental: Rental, result: ProbeResult, earlier: Sequence[Sample], now: datetime
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
    known = {facts.host_key for facts in facts_in(history, HostKeyFacts)}
    if result.host_key in known or len(known) >= MOST_KEYS_NOTIFIED:
        return ()
    facts = HostKeyFacts(host_key=result.host_key, before_host_key=rental.host_key)
    return (Event(rental_id=rental.id, kind=EventKind.HOST_KEY_CHANGED, at=now, facts=facts),)


def _judged(
    deps: StepDeps, rental: Rental, earlier: Sequence[Sample], sample: Sample
) -> tuple[Rental, tuple[Event, ...]]:
    """Return the rental with the verdict that now holds, and an event for each change of it."""
    events = []
    ready_at = rental.running_lease.ready_at
    for use in after_probe_run(earlier, sample, ready_at=ready_at, before=rental.use, rules=deps.rules):
        if differs(rental.use, use):
            rental = note_use(rental, use, sample.at)
            facts = StatusFacts(status=use.status, since=use.since, use=use)
            events.append(Event(rental_id=rental.id, kind=EventKind.USE_CHANGED, at=sample.at, facts=facts))
    return rental, tuple(events)


async def _write(tx: Tx, deps: StepDeps, before: Rental, after: Rental, events: tuple[Event, ...]) -> None:
    """Write what changed of the rental, if anything did, as one change."""
    if after == before and not events:
        return
    after = changed(after, version=before.version + 1)
    await apply(tx, deps, Change(before, after, events))


# --- the first report of a machine's probe, or its silence soon after ready


COMPARED_WITHIN = timedelta(minutes=30)
"""For how long after its first report a machine that showed no GPUs yet is compared once it shows some: their
driver may still be being installed."""


async def with_report(
    tx: Tx, rental: Rental, report: Report, earlier: Sequence[Sample], now: datetime
) -> tuple[Rental, tuple[Event, ...]]:
    """Return a ready rental with what its probe reports of the setup and of on-ending.sh, and an event if its
    first GPUs are not those that were sold. Note for its vendor that the probe answered. `earlier` has the last
    samples before the report.
    """
    after, first = rental, rental.probe_answered_at is None
    answered_at = rental.probe_answered_at or now
    setup = report.setup or rental.setup_progress
    if (answered_at, setup) != (rental.probe_answered_at, rental.setup_progress):
        after = alter(rental, probe_answered_at=answered_at, setup_progress=setup)
    if report.on_ending != rental.on_ending:
        after = note_on_ending(after, report.on_ending, now)
    if first and rental.vendor is not None and startup_script_ran(after):
        await tx.probe_answers.note(rental.id, rental.vendor, now, answered=True)
    compared_before = any(sample.missed is None for sample in earlier)
    if report.missed is not None or compared_before or now - answered_at > COMPARED_WITHIN:
        return after, ()
    attempt = next((attempt for attempt in await tx.rentals.attempts(rental.id) if attempt.live), None)
    return after, () if attempt is None else _compared(attempt, report, now)


async def note_silence(tx: Tx, rental: Rental, probe_runs: Sequence[Sample], now: datetime) -> None:
    """Note for the vendor of a ready rental that nothing answered on its SSH port soon after ready.

    `probe_runs` are the last ones until now. Note it only if at least LEAST_PROBE_RUNS of that time got no
    answer. A
    refused login does not count: everyone with root on the machine can cause one.
    """
    ready_at = rental.running_lease.ready_at
    if rental.vendor is None or rental.probe_answered_at is not None or now - ready_at < ANSWERS_WITHIN:
        return
    soon = [run_probe.missed for run_probe in probe_runs if run_probe.at - ready_at <= ANSWERS_WITHIN]
    if soon.count(Missed.NO_ANSWER) >= LEAST_PROBE_RUNS:
        await tx.probe_answers.note(rental.id, rental.vendor, now, answered=False)


def _compared(attempt: Attempt, report: Report, now: datetime) -> tuple[Event, ...]:
    """Return an event if the GPUs of a report are certainly not those of the attempt's offer. Return none for an
    adopted machine, which has no offer.
    """
    offer = attempt.offer
    if offer is None or not gpu_mismatch(offer.gpu, offer.count, report):
        return ()
    seen = GpusSeen(count=len(report.gpus), models=report.models)
    facts = GpuMismatchFacts(gpu=offer.gpu, count=offer.count, gpus_seen=seen)
    return (Event(rental_id=attempt.rental_id, kind=EventKind.GPU_MISMATCH, at=now, facts=facts),)
