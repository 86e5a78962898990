"""OpenSSH's own client logs in as described by the ready message and `/gpu ssh`."""

from __future__ import annotations

import re

from demo.laptop import Laptop
from sandbox.client import Machine
from tests.journeys.checks import check_consistency
from tests.journeys.world import World
from tests.programs import program
from tests.ssh_server import run

ALARM = "REMOTE HOST IDENTIFICATION HAS CHANGED"


async def stored_host_key(laptop: Laptop, name: str) -> str:
    """Return the fingerprint of the host key that ssh has stored under a name."""
    _, output = await run(program("ssh-keygen"), "-l", "-F", name, "-f", str(laptop.known_hosts))
    found = re.search(r"SHA256:\S+", output)
    assert found is not None, output
    return found[0]


async def rented_machine(world: World) -> tuple[str, Machine]:
    """Let Ana rent a machine. Return the rental's ID, and the machine once it is ready."""
    rental = await world.rents(text="get H100 EU for 3h")
    await world.until_card(rental, "Ready")
    (machine,) = await world.alive()
    return rental, machine


async def printed_by_ssh(world: World, rental: str) -> tuple[str, str]:
    """Return the block that `/gpu ssh` prints, as copied from Slack, and the whole text of the answer."""
    outcome = await world.play.types("Ana", "dm", f"ssh {rental}")
    assert outcome.payload is not None
    blocks = outcome.payload["blocks"]
    codes = [block["elements"][0]["elements"][0]["text"] for block in blocks if block["type"] == "rich_text"]
    (block,) = [code for code in codes if code.startswith("Host ")]
    return block, outcome.payload["text"]


async def test_ssh_logs_in_with_the_printed_block(
    world: World,
) -> None:
    """The ssh client gives an alarm only if the machine's host key changes."""
    program("ssh")
    laptop = world.laptop
    first, machine = await rented_machine(world)
    block, answer = await printed_by_ssh(world, first)
    laptop.paste(block)
    assert "NVIDIA H100" in await laptop.ssh(f"gpu-{first}", "nvidia-smi")
    assert f"Host key: {await stored_host_key(laptop, f'gpu-{first}')}." in answer

    await world.destroys("Ana", first)
    await world.until_card(first, "Ended")
    assert machine.port is not None
    await world.sandbox.use_ssh_port(machine.port)
    second, later = await rented_machine(world)
    assert (later.port, later.resource_id == machine.resource_id) == (machine.port, False)
    laptop.paste((await printed_by_ssh(world, second))[0])
    login = await laptop.try_ssh(f"gpu-{second}", "nvidia-smi")
    assert (login.status, "NVIDIA H100" in login.output, "WARNING" in login.errors) == (0, True, False), login

    await world.sandbox.change_host_keys(later.resource_id)
    login = await laptop.try_ssh(f"gpu-{second}", "nvidia-smi")
    assert (login.status, login.output, ALARM in login.errors) == (255, "", True), login
    await world.destroys("Ana", second)
    await world.until_card(second, "Ended")
    await check_consistency(world, bought=["hyperstack", "hyperstack"])
