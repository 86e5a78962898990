"""Forgetful agents rent machines with `gpubot mcp`, through the REST API of the real process.

No model is involved: each step is one that a model has been seen to do, such as repeating a call or losing an ID.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psutil
import pytest
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client

from bot.clock import SystemClock
from tests.agent.mcp import call_tool, fails
from tests.journeys.checks import check_consistency
from tests.journeys.test_programs import Program, check_secrets, makes_token, new_address, until_no_machine_lives
from tests.journeys.world import World

MINUTE = timedelta(minutes=1)
DEAR = {"gpu": "H100", "count": 8, "region": "EU", "lease": "1h", "note": "nightly eval"}
"""A request beyond the terms of the token, so that an approver has to decide."""


class Agent:
    """An agent that has started `gpubot mcp`."""

    def __init__(self, client: Client, process: psutil.Process) -> None:
        self.client = client
        self.process = process

    async def calls(self, name: str, **arguments: Any) -> Any:
        """Call a tool, and return its structured result."""
        return await call_tool(self.client, name, **arguments)

    async def fails(self, name: str, **arguments: Any) -> str:
        """Call a tool, and return the text of the error."""
        return await fails(self.client, name, **arguments)


@asynccontextmanager
async def an_agent(program: Program, mode: str) -> AsyncIterator[Agent]:
    """Start `gpubot mcp` with the token of a program. Its stderr goes to a file in the folder of the run."""
    world = program.world
    inherited = {name: text for name, text in world.settings.items() if name in {"PATH", "PYTHONPATH"}}
    settings = {"GPUBOT_API_URL": f"http://{program.address}", "GPUBOT_TOKEN": program.secret, **inherited}
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "bot", "mcp"], env=settings, cwd=world.folder
    )
    before = set(psutil.Process().children())
    with (world.folder / "mcp.log").open("a", encoding="utf-8") as log:
        async with Client(stdio_client(command, errlog=log), mode=mode, read_timeout_seconds=60) as client:
            (process,) = (each for each in psutil.Process().children() if each not in before)
            yield Agent(client, process)


async def test_a_forgetful_agent_that_asks_again_and_again_has_one_machine(stopped_world: World) -> None:
    """Two processes ask at once, and are killed while an approver decides. The next one remembers nothing."""
    world = stopped_world
    new_address(world)
    await world.start()
    await world.sets_key()
    program = await makes_token(world, lost="Tell me", beyond="Ask an approver")

    async with an_agent(program, "legacy") as one, an_agent(program, "auto") as other:
        asking = [asyncio.create_task(agent.calls("gpu_rent", **DEAR)) for agent in (one, other)]
        while not (found := (await program.asks("GET", "rentals"))["rentals"]):
            await SystemClock().pause(0.2)
        await program.until(found[0]["id"], "pending")
        first, second = await asyncio.gather(*asking)
        assert (first["id"], first["state"]) == (second["id"], second["state"]) == (found[0]["id"], "pending")
        assert first["next_step"].startswith("Cleo has to decide in Slack until ")
        waiting = asyncio.create_task(one.calls("gpu_status", id=first["id"], wait=20))
        for agent in (one, other):
            agent.process.kill()
        with pytest.raises(MCPError):
            await waiting

    async with an_agent(program, "auto") as agent:
        (remembered,) = (await agent.calls("gpu_status"))["rentals"]
        assert (remembered["id"], remembered["state"]) == (first["id"], "pending")
        waiting = asyncio.create_task(agent.calls("gpu_status", id=first["id"], wait=20))
        await world.play.clicks("Cleo", world.play.sees("Cleo", "Approve up to"), "Approve")
        await program.until(first["id"], "ready")
        assert (await waiting)["rentals"][0]["state"] in {"searching", "buying", "starting", "ready"}
        again = await agent.calls("gpu_rent", **DEAR)
        assert (again["id"], again["state"]) == (first["id"], "ready")
        assert (again["ssh"]["user"], again["ssh"]["host_key"][:7]) == ("root", "SHA256:")

    async with an_agent(program, "legacy") as agent:
        which = await agent.fails("gpu_release")
        named = re.fullmatch(r'Which machine\? Name its "id" or its "key"\. This token has (\w+) \(.*', which)
        assert named is not None, which
        assert len(await world.alive()) == 1
        assert (await agent.calls("gpu_release", id=named[1]))["state"] == "ending"
        await program.until(first["id"], "ended")
        assert (await agent.calls("gpu_release", id=named[1]))["state"] == "ended"
    await until_no_machine_lives(world)
    await check_secrets(world, program)
    await check_consistency(world, bought=["hyperstack"])


async def test_a_call_that_the_bot_did_not_survive_finds_its_machine_later(stopped_world: World) -> None:
    """The bot is killed after it has bought the machine, and before the agent has an answer."""
    world = stopped_world
    new_address(world)
    await world.start()
    await world.sets_key()
    program = await makes_token(world, lost="Tell me")
    wanted = {"gpu": "H100", "region": "EU", "lease": "2h"}
    async with an_agent(program, "legacy") as agent:
        held = await world.hold("procure_offer", "after")
        renting = asyncio.create_task(agent.calls("gpu_rent", **wanted))
        await held.met()
        await world.kill()
        await held.dropped()
        left = await renting
        assert left["state"] in {"searching", "buying"}
        assert left["next_step"].startswith("This is the last known state: ")
        await world.restart()
        again = asyncio.create_task(agent.calls("gpu_rent", **wanted))
        await program.until(left["id"], "ready")
        assert (await again)["id"] == left["id"]
        await agent.calls("gpu_release", id=left["id"])
    await until_no_machine_lives(world)
    await check_secrets(world, program)
    await check_consistency(world, bought=["hyperstack"])
