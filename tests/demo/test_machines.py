"""Tests of the lines of `gpubot sandbox` that change machines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.errors import Mistake
from demo.machines import break_gpu, change_use, read_use, reboot, reclaim, run_job
from sandbox.client import Addresses, SandboxClient
from sandbox.clock import SandboxClock
from sandbox.compute import ComputeSandbox
from tests.sandbox.compute_world import ComputeWorld
from tests.sandbox.test_jobs import RUN
from tests.sandbox.test_probe import Probe


@pytest.fixture
async def world() -> AsyncIterator[ComputeWorld]:
    world = ComputeWorld()
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxClient]:
    compute = ComputeSandbox(SandboxClock(speed=0))
    url = await compute.start()
    addresses = Addresses(url, "", "", "", url, "", "", compute.token)
    async with aiohttp.ClientSession() as session:
        yield SandboxClient(addresses, session)
    await compute.stop()


async def test_a_rentals_machine_can_be_put_to_use_and_then_reclaimed(sandbox: SandboxClient) -> None:
    about = {"gpu_type": "H100", "gpus": 2, "rate": "4.40", "vendor": "nebius"}
    for name in ("gpubot-k7mq2-1", "gpubot-k7mq2-2-u0ana0000", "train-3"):
        await sandbox.compute.post("resources", {"name": name, **about})
    name = "gpubot-k7mq2-2-u0ana0000"
    assert await change_use(sandbox, "k7mq2 98") == f"{name}: GPUs at 98 %, 98 %, no connection."
    assert await change_use(sandbox, "k7mq2  0 % connected") == f"{name}: GPUs at 0 %, 0 %, one connection."
    assert await change_use(sandbox, "train-3 hang") == "train-3: hang."
    assert await reclaim(sandbox, "k7mq2") == f"nebius takes {name} back."
    assert [machine.name for machine in (await sandbox.account()).resources if machine.alive] == [
        "gpubot-k7mq2-1",
        "train-3",
    ]
    with pytest.raises(Mistake, match="There is: gpubot-k7mq2-1, train-3"):
        await reclaim(sandbox, "zzzzz")


@pytest.mark.parametrize("text", ["", "101", "fire", "98 hang", "-1", "0 connection"])
def test_text_that_describes_no_use_is_refused(text: str) -> None:
    with pytest.raises(Mistake, match="use k7mq2 98"):
        read_use(text)


async def test_a_job_can_be_run_and_a_gpu_broken(sandbox: SandboxClient) -> None:
    machine = await sandbox.add_machine("train-3")
    with pytest.raises(Mistake, match="train-3: gpubot-run isn't installed on this machine"):
        await run_job(sandbox, "train-3 python train.py")
    with pytest.raises(Mistake, match="train-3 runs no job"):
        await run_job(sandbox, "train-3 exit 0")
    assert await break_gpu(sandbox, "train-3 0  xid 79") == "train-3: GPU 0, xid 79."
    assert await break_gpu(sandbox, "train-3 0 hot") == "train-3: GPU 0, hot."
    with pytest.raises(Mistake, match="the machine has no such GPU; there are: 0 to 0"):
        await break_gpu(sandbox, "train-3 1 hot")
    [broken] = (await sandbox.machine(machine)).broken_gpus
    assert (broken.xids, broken.lost, broken.hot) == ((79,), True, True)
    assert await reboot(sandbox, "train-3") == "train-3 has restarted. Its jobs are gone, and its GPUs work."
    assert (await sandbox.machine(machine)).broken_gpus == ()


async def test_the_newest_running_job_prints_progress_and_ends(world: ComputeWorld) -> None:
    probe = Probe(world)
    machine = await probe.machine(cloud_init=f"{probe.script}{RUN}")
    name = machine["name"]
    async with aiohttp.ClientSession() as session:
        addresses = Addresses(world.url, "", "", "", world.url, "", "", world.sandbox.token)
        sandbox = SandboxClient(addresses, session)
        assert await run_job(sandbox, f"{name} python prepare.py") == (
            f"{name}: python prepare.py runs, GPUs at 98 %."
        )
        await run_job(sandbox, f"{name} python train.py")
        assert await run_job(sandbox, f"{name} say step 5 of 9") == f"{name}: python train.py says: step 5 of 9"
        assert await run_job(sandbox, f"{name} exit 137") == (
            f"{name}: python train.py has ended with exit status 137."
        )
        details = await sandbox.machine(machine["resource_id"])
        assert [(job.runs, job.status) for job in details.jobs or ()] == [(True, None), (False, 137)]
        for text, expected in (("", "Jobs run as"), (" exit 256", "from 0 to 255")):
            with pytest.raises(Mistake, match=expected):
                await run_job(sandbox, f"{name}{text}")


@pytest.mark.parametrize("text", ["", "3", "3 xid", "3 cold", "xid 79"])
async def test_text_that_breaks_no_gpu_is_refused(sandbox: SandboxClient, text: str) -> None:
    with pytest.raises(Mistake, match="break k7mq2 3 xid 79"):
        await break_gpu(sandbox, f"k7mq2 {text}")
