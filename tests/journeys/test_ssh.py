"""The machine is reached with the printed command."""

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
QUIETLY = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]


async def printed_command(world: World) -> list[str]:
    """What Ana's direct message tells her to type."""
    found = COMMAND.search(world.play.sees("Ana", "is ready until", dm=True).text)
    assert found is not None
    return shlex.split(found[1])


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs OpenSSH's ssh")
async def test_by_openssh(world: World) -> None:
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    key = world.folder / "key"
    key.write_bytes(world.key.export_private_key())
    key.chmod(0o600)
    ssh, *where = await printed_command(world)
    process = await asyncio.create_subprocess_exec(
        ssh, "-i", str(key), *QUIETLY, *where, "nvidia-smi", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert b"H100" in said
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"])


async def test_by_asyncssh_and_by_nobody_else(world: World) -> None:
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    _, _, port, place = await printed_command(world)
    user, host = place.split("@")
    async with asyncssh.connect(
        host, int(port), username=user, client_keys=[world.key], known_hosts=None, config=None
    ) as machine:
        assert "H100" in str((await machine.run("nvidia-smi", check=True)).stdout)
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            host, int(port), username=user, client_keys=[stranger], known_hosts=None, config=None
        )
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"])
