"""The SSH command that the owner gets works, and only with the owner's key."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil

import asyncssh
import pytest

from tests.journeys.checks import adds_up
from tests.journeys.world import World

COMMAND = re.compile(r"^`?(ssh [^`\n]+)`?$", re.MULTILINE)
OPTIONS = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]


async def printed_command(world: World) -> list[str]:
    """Return the words of the command in Ana's direct message."""
    found = COMMAND.search(world.play.sees("Ana", "is ready until", dm=True).text)
    assert found is not None
    return shlex.split(found[1])


async def test_the_printed_command_logs_in_with_the_owners_key_and_with_no_other(world: World) -> None:
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    command = await printed_command(world)
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
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"])


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
