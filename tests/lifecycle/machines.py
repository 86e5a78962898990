"""Machines as visits find them: a Prober that logs in nowhere. A test says how each machine is used."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.lifecycle.outside import Prober
from bot.model.base import changed
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
"""The host key of a machine that gave none before."""


class Script:
    """A `/root/on-ending.sh`: each run takes `lasts`, or for ever if that is None, and ends with `status`."""

    def __init__(self, clock: Clock, lasts: timedelta | None, status: int = 0) -> None:
        self._clock = clock
        self._lasts = lasts
        self._status = status
        self.starts: list[tuple[datetime, datetime]] = []
        """The end for which it was started, and when, for each start."""

    def report(self, ending: EndToTell | None) -> OnEnding:
        """Start it if it is due for this end, and return what the machine reports."""
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


class Machine:
    """One machine. At first its probe answers, its one GPU is idle and nobody is connected."""

    def __init__(self) -> None:
        self.report = Report(gpus=(GpuUse(index=0, highest=0),))
        self.missed: Missed | None = None
        self.host_key: str | None = None
        """The host key that it shows. None: the one that is expected."""
        self.bug: Exception | None = None
        """What a visit raises."""
        self.probe_runs = 0
        """How often it was visited."""
        self.told: list[EndToTell | None] = []
        """The end that each visit told it."""
        self.script: Script | None = None
        """Its `/root/on-ending.sh`. None: its report is what a test says."""
        self.arrived = asyncio.Event()
        """Set by each visit."""
        self._may_answer = asyncio.Event()
        self._may_answer.set()

    def use(self, *percent: int | None, peers: Iterable[str] = ()) -> None:
        """From now on each GPU shows this highest reading (None: N/A), and these peers are connected."""
        gpus = tuple(GpuUse(index=index, highest=highest) for index, highest in enumerate(percent))
        self.report, self.missed = Report(gpus=gpus, peers=tuple(peers)), None

    def answers(
        self,
        *,
        models: tuple[GpuModel, ...] = (),
        setup: SetupProgress | None = None,
        on_ending: OnEnding | None = None,
    ) -> None:
        """From now on its report also has these."""
        more = Report(models=models, setup=setup, on_ending=on_ending)
        self.report = changed(more, gpus=self.report.gpus, peers=self.report.peers)
        self.missed = None

    def misses(self, why: Missed) -> None:
        """From now on each visit is missed. If only `nvidia-smi` fails there is a report, without readings."""
        if why in {Missed.NO_NVIDIA_SMI, Missed.NVIDIA_SMI_HANGS, Missed.NO_GPU}:
            self.report, self.missed = Report(missed=why), None
        else:
            self.missed = why

    def hold(self) -> None:
        """Let visits wait until `release`."""
        self.arrived.clear()
        self._may_answer.clear()

    def release(self) -> None:
        self._may_answer.set()

    async def run_probe(self, expected: str | None, ending: EndToTell | None) -> ProbeResult:
        """Answer a visit that expects this host key and tells the machine this end."""
        self.probe_runs += 1
        self.told.append(ending)
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
        return ProbeResult(report=report, host_key=shown)


class Machines:
    """A Prober whose visits go to `Machine`. All else goes to another Prober."""

    def __init__(self, other: Prober) -> None:
        self._other = other
        self._machines: dict[tuple[str, int], Machine] = defaultdict(self._new)
        self.new_ones_miss: Missed | None = None
        """Why each visit of a machine is missed that is made from now on. None: it answers."""

    def _new(self) -> Machine:
        machine = Machine()
        machine.missed = self.new_ones_miss
        return machine

    def __getitem__(self, rental: Rental) -> Machine:
        """Return the machine of a rental that is ready or was."""
        assert rental.host is not None
        return self._machines[rental.host, rental.port or 22]

    def values(self) -> Iterable[Machine]:
        """Return the machines that were visited or named."""
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
