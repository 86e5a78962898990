"""Tests of the lines of `gpubot sandbox` that change machines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.errors import Mistake
from demo.console import change_use, read_use, reclaim
from sandbox.client import Addresses, SandboxClient
from sandbox.clock import SandboxClock
from sandbox.compute import ComputeSandbox


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
