"""Runs the probe on ready machines: logs in over SSH, and stores what the probe reports.

Probe runs have a loop of their own, so that the engine's checks never wait for them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from typing_extensions import override

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.lease_changes import note_host_key, note_jobs, note_on_ending, note_use
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import StepDeps, transact, with_newest_rules
from bot.lifecycle.loops.due import DueLoop
from bot.lifecycle.loops.running import ignore
from bot.model.attempt import Attempt
from bot.model.base import Frozen, Instant, changed
from bot.model.event import Event, EventKind, facts_in
from bot.model.facts import GpuFaultFacts, GpuMismatchFacts, HostKeyFacts, StatusFacts
from bot.model.gpu_health import GpuHealth
from bot.model.job import JobReport, MachineJobs
from bot.model.machine_use import EndToTell, GpusSeen, Missed, ProbeResult, Report, Sample, UsageStatus
from bot.model.records import Change, Claimed
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import ProbeKind
from bot.policy.use.flexible_end import can_move
from bot.policy.use.gpu_mismatch import gpu_mismatch
from bot.policy.use.jobs import after_no_report, after_report, progress_of, shown_progress
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
"""The number of probe runs that take place at the same time. Each takes 5 to 6 s."""
LOGINS_PER_SECOND = 10.0
"""The largest number of logins per second of wall-clock time.

This limit and AT_ONCE allow about 1,000 machines to be probed every 2 min. If there are more machines, all of them
are probed less often.
"""
RETRY_FAILED = timedelta(minutes=2)
"""The delay before a machine is probed again if the probe run failed because of a bug or an outage of the store.
"""


# --- probe runs that failed because of the bot itself, and so say nothing about the machines


FEWEST = 3
"""If the latest outcomes of fewer machines than this are known, the bot is never blamed for failures.

Two machines that fail together are no sign of a common cause.
"""
COUNTS_FOR = timedelta(minutes=20)
"""The time for which the outcome of a probe run is used when failures are compared.

With 10,000 machines, it takes 17 min until each of them has been probed once.
"""
OURS_AT_MOST = timedelta(hours=1)
"""The longest time for which usage statuses don't change because the bot itself seems to be at fault.

After this time, usage statuses change again even if the bot is at fault. By then, nobody has known for an hour
whether the machines are in use.
"""


class ProbeFaults:
    """Finds out whether probe runs fail because of the bot or because of the machines.

    If the latest probe runs of more than half of the machines failed, the bot is probably at fault. Machines
    whose usage status was unknown before their latest probe run are left out. The outcomes aren't stored, so they
    are collected again after each start.
    """

    def __init__(self) -> None:
        self._outcomes: dict[str, tuple[datetime, bool]] = {}
        """The time of each machine's latest probe run, and whether it failed."""
        self._since: datetime | None = None
        """The time since which more than half of the machines have been failing. None if at most half are."""

    @property
    def machines(self) -> Collection[str]:
        """The rental IDs of the machines whose latest outcome is known."""
        return self._outcomes.keys()

    def note(self, rental_id: str, now: datetime, *, failed: bool) -> None:
        """Record whether a probe run failed. Call this only for machines with a known usage status."""
        self._outcomes[rental_id] = now, failed

    def forget(self, rental_id: str) -> None:
        """Forget the last probe run of a machine that is no longer probed, or whose usage status is unknown."""
        self._outcomes.pop(rental_id, None)

    def are_ours(self, now: datetime) -> bool:
        """Return whether the bot seems to be the reason why probe runs are failing.

        While this is the case, no usage status changes. It is the case for at most OURS_AT_MOST.
        """
        return self.most_fail(now) and self._since is not None and now - self._since < OURS_AT_MOST

    def most_fail(self, now: datetime) -> bool:
        """Return whether more than half of the machines are failing. Log each change of the result."""
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
    """The loop that logs in to each ready machine when the machine's next probe run is due.

    The loop wakes up early if a transaction starts or stops the probing of a machine, or reschedules a probe run.
    """

    name = "visits"
    counted_as = "visits_in_flight"
    logged_as = "visit", "rental"
    written = Written.PROBE_RUNS
    retry = RETRY_FAILED

    at_once: int = field(default=AT_ONCE, kw_only=True)
    logins_per_second: float = field(default=LOGINS_PER_SECOND, kw_only=True)
    on_probe_run: Callable[[str], None] = field(default=ignore, kw_only=True)
    """Called with the outcome of each probe run."""
    faults: ProbeFaults = field(default_factory=ProbeFaults, init=False)
    _next_login: float = field(default=0.0, init=False)
    """The earliest time of the next login, by `Clock.monotonic`."""
    _changed: bool = field(default=False, init=False)
    """True if probing of a machine has started, stopped or been rescheduled since `before_pass` last ran."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.deps.store.on_commit(self._note_change, Written.PROBE_RUNS)

    def _switched_on(self) -> bool:
        return with_newest_rules(self.deps).rules.idle.probe is ProbeKind.SSH

    def _note_change(self) -> None:
        self._changed = True

    def failing(self) -> bool:
        """Return whether more than half of the machines with a known usage status are failing their probe runs."""
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
        """Run until cancelled. Then cancel the probe runs in progress as well.

        If a probe run was cancelled, its machine is probed again once the claim on the probe run has expired.
        """
        try:
            await super().run()
        finally:
            await self.cancel(self.under_way())

    @override
    async def before_pass(self) -> None:
        """Cancel the probe runs of machines that are no longer ready.

        Their addresses may be assigned to other machines, which the bot must not log in to.
        """
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
        """Wait until this probe run can log in without exceeding `logins_per_second`."""
        now = self.deps.clock.monotonic()
        turn = max(now, self._next_login)
        self._next_login = turn + 1 / self.logins_per_second
        if turn > now:
            await self.deps.clock.pause(turn - now)


# --- a single probe run


class Target(Frozen):
    """The SSH server of a machine, and the end of the lease that a probe run announces to the machine."""

    host: str
    port: int
    host_key: str | None
    """The fingerprint of the host key that the server has to present. None before the first contact."""
    vendor: str | None
    ends_at: Instant
    """The end of the lease when the probe run started."""
    ending: EndToTell | None
    """The end of the lease to announce to the machine. None if no end is announced in this probe run."""


async def run_probe(deps: StepDeps, claimed: Claimed, faults: ProbeFaults) -> str | None:
    """Run the probe on a machine, and end this process's claim on the probe run.

    Returns:
        The outcome: `answered`, or the reason why there are no readings. None if the machine must not be probed.
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
            # Discard the result of this probe run. Either another process has taken over the probe run. Or probing
            # of this machine has stopped in the meantime, and its address may already belong to another machine,
            # which answered.
            faults.forget(rental_id)
            return
        # A new machine refuses the bot's SSH login until its startup script has installed the bot's key. Such
        # refusals are expected, so don't log them.
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
            after = await with_jobs(tx, after, result.report.jobs, sample.at)
            events += compared
            events += await with_health(tx, rental, result.report.health, sample.at)
        if not faults.are_ours(sample.at):
            after, status_changes = _with_new_status(deps, after, earlier, sample)
            events += status_changes
            await note_unreachable(tx, after, [*earlier, sample], sample.at)
        await _write(tx, deps, rental, after, events)
        if asks_vendor(sample.missed):
            await tx.rentals.make_due([rental_id], sample.at)

    await transact(deps, write)
    return "answered" if sample.missed is None else sample.missed.value


def _next(rental: Rental, target: Target, samples: Sequence[Sample], began: datetime) -> datetime:
    """Return the time of the machine's next probe run.

    If the end of the lease changed during this run, the next run takes place as soon as possible, because it
    tells the machine about the change. While the machine's on-ending.sh is running, the next run also takes place
    soon.
    """
    if rental.lease is None or rental.lease.ends_at == target.ends_at:
        if samples[-1].missed is None and is_awaited(rental, samples[-1].at):
            return began + WHILE_AWAITED
        return next_probe_run(rental.request.contract, samples, began, target.ends_at)
    return soonest_probe_run(samples[-1], samples[-1].at)


async def _target(deps: StepDeps, rental_id: str) -> Target | None:
    """Return the server to log in to. None if the machine has no probe, or is being deleted."""
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
    if rental.use is None or rental.use.status is UsageStatus.UNKNOWN:
        faults.forget(rental.id)
    else:
        faults.note(rental.id, now, failed=result.missed is not None)


async def _changed_key(
    tx: Tx, rental: Rental, result: ProbeResult, earlier: Sequence[Sample], now: datetime
) -> tuple[Event, ...]:
    """Return an event if the machine's host key has changed.

    Each changed key is reported once, and only after two probe runs in a row have found a changed key. Between the
    two, the bot asks the vendor whether the machine still exists. If it doesn't, its address may belong to another
    machine, and people are notified of the loss instead.
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


def _with_new_status(
    deps: StepDeps, rental: Rental, earlier: Sequence[Sample], sample: Sample
) -> tuple[Rental, tuple[Event, ...]]:
    """Return the rental with its new usage status, and one event for each change of the status."""
    events = []
    ready_at = rental.running_lease.ready_at
    for use in after_probe_run(earlier, sample, ready_at=ready_at, before=rental.use, rules=deps.rules):
        if differs(rental.use, use):
            rental = note_use(rental, use, sample.at)
            facts = StatusFacts(status=use.status, since=use.since, use=use)
            events.append(Event(rental_id=rental.id, kind=EventKind.USE_CHANGED, at=sample.at, facts=facts))
    return rental, tuple(events)


async def _write(tx: Tx, deps: StepDeps, before: Rental, after: Rental, events: tuple[Event, ...]) -> None:
    if after == before and not events:
        return
    after = changed(after, version=before.version + 1)
    await apply(tx, deps, Change(before, after, events))


# --- the first report of a new machine's probe, and the case that no report arrives


COMPARED_WITHIN = timedelta(minutes=30)
"""The time after the first report within which a machine's GPUs are compared with those of the offer.

The comparison uses the first report that shows any GPUs. Earlier reports may show none because the GPU driver
isn't installed yet.
"""


async def with_report(
    tx: Tx, rental: Rental, report: Report, earlier: Sequence[Sample], now: datetime
) -> tuple[Rental, tuple[Event, ...]]:
    """Apply a probe report to a ready rental: the progress of its setup script, and the state of its on-ending.sh.

    Also stores, for the statistics of the vendor, that the probe has answered.

    Args:
        earlier: The latest samples before this report, oldest first.

    Returns:
        The changed rental, and an event if the machine's GPUs differ from those of the offer.
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


async def with_jobs(tx: Tx, rental: Rental, report: JobReport | None, now: datetime) -> Rental:
    """Apply what a probe run reported about the jobs on a ready machine.

    `report` is None if the probe run reported nothing. The newest progress is stored at once, and the card shows
    it with its next refresh. If the card shows no progress yet, a new version of the rental is returned, so that
    the card is edited now.
    """
    if report is None:
        return rental if rental.jobs is None else _with_changed_jobs(rental, after_no_report(rental.jobs), now)
    progress = progress_of(report, rental.progress, now)
    if progress != rental.progress:
        await tx.rentals.note_progress(rental.id, progress)
        if shown_progress(rental, now) is None:
            rental = alter(rental, progress=progress)
    jobs = after_report(rental.jobs, report, now)
    return _with_changed_jobs(rental, jobs, now)


def _with_changed_jobs(rental: Rental, jobs: MachineJobs, now: datetime) -> Rental:
    unchanged = jobs == (rental.jobs or MachineJobs(quiet_since=jobs.quiet_since))
    return rental if unchanged else note_jobs(rental, jobs, now)


async def with_health(tx: Tx, rental: Rental, reported: GpuHealth | None, now: datetime) -> tuple[Event[Any], ...]:
    """Store what a probe run reported about the health of a machine's GPUs.

    `reported` is None if the probe run reported nothing. The first fault of a machine lowers the vendor's success
    rate.

    Returns:
        An event with the faults that haven't been reported before, or nothing if there are none.
    """
    if reported is None:
        return ()
    known = rental.gpu_health or GpuHealth()
    found, health = known.new_faults(reported), known.after(reported)
    if health != known:
        await tx.rentals.note_gpu_health(rental.id, health)
    if not found:
        return ()
    await tx.rentals.write_gpu_fault(rental, now)
    return (Event(rental_id=rental.id, kind=EventKind.GPU_FAULT, at=now, facts=GpuFaultFacts(faults=found)),)


async def note_unreachable(tx: Tx, rental: Rental, probe_runs: Sequence[Sample], now: datetime) -> None:
    """Record, for the vendor's statistics, that the SSH port of a new machine doesn't answer.

    This is recorded if at least LEAST_PROBE_RUNS probe runs got no answer in the first minutes after the machine
    became ready. ANSWERS_WITHIN is the length of this period. A refused login isn't counted, because anyone with
    root access to the machine can cause it.

    Args:
        probe_runs: The samples of the latest probe runs, including this one.
    """
    ready_at = rental.running_lease.ready_at
    if rental.vendor is None or rental.probe_answered_at is not None or now - ready_at < ANSWERS_WITHIN:
        return
    soon = [run_probe.missed for run_probe in probe_runs if run_probe.at - ready_at <= ANSWERS_WITHIN]
    if soon.count(Missed.NO_ANSWER) >= LEAST_PROBE_RUNS:
        await tx.probe_answers.note(rental.id, rental.vendor, now, answered=False)


def _compared(attempt: Attempt, report: Report, now: datetime) -> tuple[Event, ...]:
    """Return an event if the reported GPUs certainly differ from those of the attempt's offer.

    If an admin turned an existing machine into this rental, the attempt has no offer. There is no event then.
    """
    offer = attempt.offer
    if offer is None or not gpu_mismatch(offer.gpu, offer.count, report):
        return ()
    seen = GpusSeen(count=len(report.gpus), models=report.models)
    facts = GpuMismatchFacts(gpu=offer.gpu, count=offer.count, gpus_seen=seen)
    return (Event(rental_id=attempt.rental_id, kind=EventKind.GPU_MISMATCH, at=now, facts=facts),)
