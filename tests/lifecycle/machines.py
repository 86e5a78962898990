"""Simulated machines for probe runs: a prober that logs in nowhere. Tests decide how each machine is used."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.lifecycle.outside import Prober
from bot.model.base import changed
from bot.model.job import ROOT, Job, JobReport, JobState, Progress, ReportedJob, ReportedProgress
from bot.model.machine_use import (
    EndToTell,
    GpuModel,
    GpuUse,
    Missed,
    OnEnding,
    OnEndingState,
    ProbeResult,
    Report,
    SetupProgress,
)
from bot.model.rental import Rental
from bot.policy.use.on_ending import STARTS_BEFORE

DEFAULT_KEY = "SHA256:first"
"""The host key of a machine that didn't present one before."""


class Script:
    """A simulated `/root/on-ending.sh`.

    Each run takes `lasts`, or never ends if that is None, and exits with `status`.
    """

    def __init__(self, clock: Clock, lasts: timedelta | None, status: int = 0) -> None:
        self._clock = clock
        self._lasts = lasts
        self._status = status
        self.starts: list[tuple[datetime, datetime]] = []
        """For each start of the script: the end that it was started for, and the time of the start."""

    def report(self, ending: EndToTell | None) -> OnEnding:
        """Start the script if it is due for this end, and return the machine's report about it."""
        now, last = self._clock.now(), self.starts[-1] if self.starts else None
        runs = last is not None and (self._lasts is None or now < last[1] + self._lasts)
        if ending is not None and not runs and ending.left <= STARTS_BEFORE:
            end = ending.end.replace(microsecond=0)
            if end not in [known for known, _ in self.starts]:
                self.starts.append((end, now))
                last, runs = self.starts[-1], True
        if last is None:
            return OnEnding(state=OnEndingState.THERE)
        if runs:
            return OnEnding(state=OnEndingState.RUNNING, end=last[0])
        state = OnEndingState.FAILED if self._status else OnEndingState.DONE
        return OnEnding(state=state, end=last[0], status=self._status or None)


class Jobs:
    """The simulated jobs of a machine with gpubot-run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: list[Job] = []
        self._progress: Progress | None = None
        self._started = 0

    def start(
        self, name: str = "python train.py", lasts: timedelta | None = None, status: int = 0, *, uid: int = ROOT
    ) -> str:
        """Start a job now, and return its ID.

        It ends after `lasts` with this exit status. If `lasts` is None, it runs until a test ends it.
        """
        self._started += 1
        now = self._clock.now()
        job = Job(id=f"{uid}.{self._started}", uid=uid, name=name, state=JobState.RUNNING, began_at=now)
        self._jobs.append(job)
        if lasts is not None:
            self._end(job.id, status, now + lasts)
        return job.id

    def end(self, job_id: str, status: int | None = 0) -> None:
        """Let a job end with an exit status. None: nobody knows how it ended."""
        self._end(job_id, status, self._clock.now())

    def _end(self, job_id: str, status: int | None, at: datetime) -> None:
        state = JobState.UNKNOWN if status is None else JobState.FAILED if status else JobState.DONE
        ended = {"state": state, "exit_status": status, "ended_at": at}
        self._jobs = [changed(job, **ended) if job.id == job_id else job for job in self._jobs]

    def say(self, text: str) -> None:
        """Print a line of progress now."""
        self._progress = Progress(text=text, at=self._clock.now())

    def vanish(self) -> None:
        """Remove all files, as a reboot does."""
        self._jobs, self._progress = [], None

    def report(self) -> JobReport:
        """Return the machine's report about its jobs, running ones first."""
        now, said = self._clock.now(), self._progress
        jobs = sorted((_reported(job, now) for job in self._jobs), key=lambda job: job.ended_ago or timedelta(0))
        progress = None if said is None else ReportedProgress(text=said.text, age=now - said.at)
        return JobReport(jobs=tuple(jobs), progress=progress)


def _reported(job: Job, now: datetime) -> ReportedJob:
    ended = job.ended_at is not None and job.ended_at <= now
    return ReportedJob(
        id=job.id,
        uid=job.uid,
        name=job.name,
        state=job.state if ended else JobState.RUNNING,
        exit_status=job.exit_status if ended else None,
        age=now - job.began_at,
        ended_ago=now - job.ended_at if ended and job.ended_at is not None else None,
    )


class Machine:
    """One machine. Initially, its probe answers, its only GPU is idle and nobody is connected."""

    def __init__(self) -> None:
        self.report = Report(gpus=(GpuUse(index=0, highest=0),))
        self.missed: Missed | None = None
        self.host_key: str | None = None
        """The host key that the machine presents. None: the expected one."""
        self.bug: Exception | None = None
        """An error that each probe run raises."""
        self.probe_runs = 0
        """The number of probe runs so far."""
        self.announced: list[EndToTell | None] = []
        """The end that each probe run announced to the machine."""
        self.jobs: Jobs | None = None
        """The machine's jobs. None: it has no gpubot-run, so it reports none."""
        self.script: Script | None = None
        """The machine's `/root/on-ending.sh`. None: a test decides what the machine reports about it."""
        self.arrived = asyncio.Event()
        """Set by each probe run."""
        self._may_answer = asyncio.Event()
        self._may_answer.set()

    def use(self, *percent: int | None, peers: Iterable[str] = ()) -> None:
        """Make each GPU show this highest reading (None: N/A), and these peers be connected."""
        gpus = tuple(GpuUse(index=index, highest=highest) for index, highest in enumerate(percent))
        self.report, self.missed = Report(gpus=gpus, peers=tuple(peers)), None

    def answers(
        self,
        *,
        models: tuple[GpuModel, ...] = (),
        setup: SetupProgress | None = None,
        on_ending: OnEnding | None = None,
    ) -> None:
        """Add these details to the machine's reports."""
        more = Report(models=models, setup=setup, on_ending=on_ending)
        self.report = changed(more, gpus=self.report.gpus, peers=self.report.peers)
        self.missed = None

    def misses(self, why: Missed) -> None:
        """Make every probe run fail. If only `nvidia-smi` fails, there is a report without readings."""
        if why in {Missed.NO_NVIDIA_SMI, Missed.NVIDIA_SMI_HANGS, Missed.NO_GPU}:
            self.report, self.missed = Report(missed=why), None
        else:
            self.missed = why

    def hold(self) -> None:
        """Let probe runs wait until `release`."""
        self.arrived.clear()
        self._may_answer.clear()

    def release(self) -> None:
        self._may_answer.set()

    async def run_probe(self, expected: str | None, ending: EndToTell | None) -> ProbeResult:
        """Answer a probe run that expects this host key and announces this end."""
        self.probe_runs += 1
        self.announced.append(ending)
        self.arrived.set()
        await self._may_answer.wait()
        if self.bug is not None:
            raise self.bug
        if self.missed is Missed.NO_ANSWER:
            return ProbeResult(missed=self.missed)
        shown = self.host_key or expected or DEFAULT_KEY
        if expected not in {None, shown}:
            return ProbeResult(missed=Missed.HOST_KEY_CHANGED, host_key=shown)
        if self.missed is not None:
            return ProbeResult(missed=self.missed, host_key=shown)
        report = self.report
        if self.script is not None:
            report = changed(report, on_ending=self.script.report(ending))
        if self.jobs is not None:
            report = changed(report, jobs=self.jobs.report())
        return ProbeResult(report=report, host_key=shown)


class Machines:
    """A prober whose probe runs go to `Machine`. Everything else goes to another prober."""

    def __init__(self, other: Prober) -> None:
        self._other = other
        self._machines: dict[tuple[str, int], Machine] = defaultdict(self._new)
        self.new_ones_miss: Missed | None = None
        """The reason why all probe runs on new machines fail. None: they succeed."""

    def _new(self) -> Machine:
        machine = Machine()
        machine.missed = self.new_ones_miss
        return machine

    def __getitem__(self, rental: Rental) -> Machine:
        """Return the machine of a rental that is or was ready."""
        assert rental.host is not None
        return self._machines[rental.host, rental.port or 22]

    def values(self) -> Iterable[Machine]:
        """Return the machines that were probed or named."""
        return self._machines.values()

    async def banner(self, host: str, port: int, vendor: str | None = None) -> bool:
        return await self._other.banner(host, port, vendor)

    async def host_key(self, host: str, port: int, vendor: str | None = None) -> str | None:
        return await self._other.host_key(host, port, vendor)

    async def run_probe(
        self,
        host: str,
        port: int,
        host_key: str | None,
        vendor: str | None = None,
        ending: EndToTell | None = None,
    ) -> ProbeResult:
        assert vendor is not None
        return await self._machines[host, port].run_probe(host_key, ending)
