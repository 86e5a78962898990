"""Probe runs of the bot fit the sandbox.

A machine that runs the real startup script reports the values that were set in the sandbox.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.model.gpu_health import GpuFault, GpuFaultKind, GpuHealth
from bot.model.job import JobState, ReportedProgress
from bot.model.machine_use import (
    EndToTell,
    GpuModel,
    GpuUse,
    Missed,
    OnEnding,
    OnEndingRefused,
    OnEndingState,
    ProbeResult,
    SetupProgress,
    SetupState,
)
from bot.policy.access.probe_script import install_lines, probe_line
from bot.policy.access.startup_script import script_text
from bot.probe.key import new_probe_key
from bot.probe.prober import SshProber
from tests.sandbox.compute_world import ComputeWorld

SETUP = "#!/bin/bash\nset -e\npip install torch\n"
H100 = GpuModel(name="NVIDIA H100 80GB HBM3", memory_mib=81559)


class Rented:
    """A machine with two GPUs that runs a startup script with the probe and a setup script."""

    def __init__(self, world: ComputeWorld) -> None:
        self.world = world
        self.key = new_probe_key()
        self.prober = SshProber(self.key)
        self.resource: dict[str, Any] = {}

    async def start(self) -> None:
        script = script_text([], SETUP, probe_line(self.key.public_line))
        self.resource = await self.world.ready_machine(count=2, cloud_init=script)

    async def use(self, *phases: dict[str, Any], **fields: Any) -> None:
        body = {**({"phases": phases} if phases else {}), **fields}
        await self.world.control(f"resources/{self.resource['resource_id']}/use", **body)

    async def run_probe(self, host_key: str | None = None, ending: EndToTell | None = None) -> ProbeResult:
        return await self.prober.run_probe(
            "127.0.0.1", self.resource["access"]["ssh_port"], host_key, None, ending
        )

    async def told(self, end: datetime | None, minutes: int = 15) -> OnEnding | None:
        """Run the probe with this end, or none, and return its report about on-ending.sh."""
        ending = None if end is None else EndToTell(end=end, left=timedelta(minutes=minutes))
        report = (await self.run_probe(ending=ending)).report
        assert report is not None
        return report.on_ending


@pytest.fixture
async def rented() -> AsyncIterator[Rented]:
    world = ComputeWorld()
    await world.start()
    rented = Rented(world)
    await rented.start()
    yield rented
    await world.stop()


async def test_a_probe_run_reads_the_values_set_in_the_sandbox(rented: Rented) -> None:
    await rented.use({"gpus": [98, None], "connections": 2}, setup={"state": "failed", "line": 3})
    run_probe = await rented.run_probe()
    report = run_probe.report
    assert report is not None
    assert report.gpus == (
        GpuUse(index=0, highest=98, memory_mib=61169, watts=688),
        GpuUse(index=1, highest=None, memory_mib=61169, watts=100),
    )
    assert report.models == (H100, H100)
    assert report.setup == SetupProgress(state=SetupState.FAILED, line=3)
    assert len(report.peers) == 2
    details = await rented.world.look(f"resources/{rented.resource['resource_id']}")
    assert run_probe.host_key == details["host_keys"]["ssh-ed25519"]
    again = await rented.run_probe(run_probe.host_key)
    assert again.report == report, "the same connections have the same hashes"


async def test_by_default_a_sandbox_machine_is_idle_and_its_setup_done(rented: Rented) -> None:
    report = (await rented.run_probe()).report
    assert report is not None
    assert ([gpu.highest for gpu in report.gpus], report.peers) == ([0, 0], ())
    assert report.setup == SetupProgress(state=SetupState.DONE)


@pytest.mark.parametrize(
    ("fault", "missed"),
    [
        ("refused", Missed.REFUSED),
        ("garbage", Missed.UNREADABLE),
        ("no_nvidia_smi", Missed.NO_NVIDIA_SMI),
        ("nvidia_smi_hangs", Missed.NVIDIA_SMI_HANGS),
    ],
)
async def test_each_fault_makes_a_probe_run_fail_for_the_right_reason(
    rented: Rented, fault: str, missed: Missed
) -> None:
    await rented.use({"fault": fault})
    run_probe = await rented.run_probe()
    assert missed in (run_probe.missed, run_probe.report and run_probe.report.missed)


async def test_hanging_machines_and_changed_host_keys_make_a_probe_run_fail(rented: Rented) -> None:
    rented.prober = SshProber(rented.key, probe_run_seconds=1)
    for fault, missed in (("silent", Missed.NO_ANSWER), ("hang", Missed.UNREADABLE)):
        await rented.use({"fault": fault})
        assert (await rented.run_probe()).missed is missed
    await rented.use({})
    changed = await rented.run_probe("SHA256:another")
    assert (changed.missed, changed.report) == (Missed.HOST_KEY_CHANGED, None)
    details = await rented.world.look(f"resources/{rented.resource['resource_id']}")
    assert details["visits"] == 1, "only the one that hung"


async def test_a_machine_starts_on_ending_once_for_each_end(rented: Rented) -> None:
    end, later = datetime(2026, 11, 28, 18, 40, tzinfo=UTC), datetime(2026, 11, 28, 19, 40, tzinfo=UTC)
    states = OnEndingState
    assert await rented.told(None) == OnEnding(state=states.NONE)
    await rented.use(on_ending={"refused": "writable"})
    assert await rented.told(end) == OnEnding(state=states.REFUSED, why=OnEndingRefused.WRITABLE)
    await rented.use(on_ending={"lasts": 60, "status": 3})
    assert await rented.told(end, minutes=16) == OnEnding(state=states.THERE)
    assert await rented.told(end) == OnEnding(state=states.RUNNING, end=end)
    assert await rented.told(later) == OnEnding(state=states.RUNNING, end=end), "never two at once"
    rented.world.clock.jump(61)
    assert await rented.told(None) == OnEnding(state=states.THERE), (
        "it was not started for the end that was told last"
    )
    assert await rented.told(end) == OnEnding(state=states.FAILED, end=end, status=3), "it is not started again"
    await rented.use(on_ending={})
    assert await rented.told(later) == OnEnding(state=states.DONE, end=later)
    details = await rented.world.look(f"resources/{rented.resource['resource_id']}")
    assert details["on_ending"]["ends_at"] == later.timestamp()
    assert [run["end"] for run in details["on_ending"]["runs"]] == [end.timestamp(), later.timestamp()]


async def test_jobs_and_the_health_of_the_gpus_follow_the_report(rented: Rented) -> None:
    path = f"resources/{rented.resource['resource_id']}"
    assert (await rented.run_probe()).report is not None
    job = await rented.world.control(f"{path}/jobs", name="python train.py", all=98, lasts=3600, status=137)
    await rented.world.control(f"{path}/jobs/{job['id']}", say="step 1200 of 8000, loss 2.1")
    await rented.world.control(f"{path}/gpus/1", xid=79)
    rented.world.clock.jump(600)
    report = (await rented.run_probe()).report
    assert report is not None
    assert report.jobs is not None
    [running] = report.jobs.jobs
    assert (running.id, running.name, running.state, running.age) == (
        job["id"],
        "python train.py",
        JobState.RUNNING,
        timedelta(minutes=10),
    )
    assert report.jobs.progress == ReportedProgress(text="step 1200 of 8000, loss 2.1", age=timedelta(minutes=10))
    assert [gpu.highest for gpu in report.gpus] == [98], "the other GPU isn't listed any more"
    assert report.health == GpuHealth(faults=(GpuFault(gpu=1, kind=GpuFaultKind.LOST, xid=79),))
    rented.world.clock.jump(3600)
    report = (await rented.run_probe()).report
    assert report is not None
    assert report.jobs is not None
    [ended] = report.jobs.jobs
    assert (ended.state, ended.exit_status, ended.ended_ago) == (JobState.FAILED, 137, timedelta(minutes=10))


async def test_a_machine_without_the_on_ending_part_ignores_the_end(rented: Rented) -> None:
    lines = install_lines(probe_line(rented.key.public_line))
    rented.resource = await rented.world.ready_machine(count=2, cloud_init=f"#!/bin/sh\n{lines}\n")
    assert await rented.told(datetime(2026, 11, 28, 18, 40, tzinfo=UTC)) is None
