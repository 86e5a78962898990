"""A rental without trouble, from the command in Slack to the end of its lease."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
from datetime import timedelta

import asyncssh
import pytest

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

COMMAND = re.compile(r"^`?(ssh [^`\n]+)`?$", re.MULTILINE)
OPTIONS = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]


async def printed_command(world: World) -> list[str]:
    """Return the words of the command in Ana's direct message."""
    found = COMMAND.search(world.play.sees("Ana", "is ready until", dm=True).text)
    assert found is not None
    return shlex.split(found[1])


async def test_a_machine_is_rented_reached_over_ssh_kept_extended_and_destroyed_at_its_end(world: World) -> None:
    rental = await world.rents(text="get H100 EU for 3h")
    await world.until_card(rental, "Ready")
    await _log_in(world, await printed_command(world))
    await world.play.until_sees("Ana", "Still needed?", timedelta(hours=3), dm=True)
    await world.play.types("Ana", "#training", f"keep {rental} 1h")
    ending = await world.play.until_sees("Ana", "Copy results off", timedelta(hours=3), dm=True)
    await world.play.clicks("Ana", ending, "Extend 2 h")
    await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=["hyperstack"])


async def _log_in(world: World, command: list[str]) -> None:
    """Check that the command works with the owner's key, and with no other."""
    _, _, port, destination = command
    user, host = destination.split("@")
    async with asyncssh.connect(
        host, int(port), username=user, client_keys=[world.key], known_hosts=None, config=None
    ) as machine:
        assert "H100" in str((await machine.run("nvidia-smi", check=True)).stdout)
    other = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(host, int(port), username=user, client_keys=[other], known_hosts=None, config=None)
    if shutil.which("ssh"):
        assert b"H100" in await _openssh(world, command)


async def _openssh(world: World, command: list[str]) -> bytes:
    """Run nvidia-smi on the machine with OpenSSH's own client. Return its output."""
    key = world.folder / "key"
    key.write_bytes(world.key.export_private_key())
    key.chmod(0o600)
    ssh, *rest = command
    process = await asyncio.create_subprocess_exec(
        ssh, "-i", str(key), *OPTIONS, *rest, "nvidia-smi", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output
