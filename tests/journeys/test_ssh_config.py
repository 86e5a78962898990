"""OpenSSH's own client gets in as the ready message and `/gpu ssh` say."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from bot.policy.key_lines import add_line
from sandbox.client import Machine
from tests.journeys.checks import check_consistency
from tests.journeys.world import World
from tests.ssh_server import program, run

ALARM = "REMOTE HOST IDENTIFICATION HAS CHANGED"


@dataclass
class Computer:
    """A computer of Ana's: its key, its `~/.ssh/config`, and the host keys that its ssh has stored."""

    folder: Path
    key_pair: asyncssh.SSHKey
    config: str = ""
    options: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        key = self.folder / "id_ed25519"
        key.touch(mode=0o600)
        key.write_bytes(self.key_pair.export_private_key("openssh"))
        settings = {
            "BatchMode": "yes",
            "GlobalKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "IdentityFile": key,
            "UserKnownHostsFile": self.known_hosts,
        }
        self.options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]

    @property
    def known_hosts(self) -> Path:
        """The file in which ssh stores host keys."""
        return self.folder / "known_hosts"

    def pastes(self, block: str) -> None:
        """Add a block to `~/.ssh/config`."""
        self.config += f"{block}\n\n"
        (self.folder / "config").write_text(self.config)

    async def ssh(self, *words: str) -> tuple[int, str]:
        """Return the exit status of ssh, which is 255 if there is no login, and what it wrote."""
        return await run(program("ssh"), "-F", str(self.folder / "config"), *self.options, *words)

    async def stored_host_key(self, name: str) -> str:
        """Return the fingerprint of the host key that ssh has stored for a name."""
        _, output = await run(program("ssh-keygen"), "-l", "-F", name, "-f", str(self.known_hosts))
        found = re.search(r"SHA256:\S+", output)
        assert found is not None, output
        return found[0]


async def rented_machine(world: World) -> tuple[str, Machine]:
    """Let Ana rent a machine. Return the rental's id, and the machine when it is ready."""
    rental = await world.rents(text="get H100 EU for 3h")
    await world.until_card(rental, "Ready")
    (machine,) = await world.alive()
    return rental, machine


async def printed_by_ssh(world: World, rental: str) -> tuple[str, str]:
    """Return the block that `/gpu ssh` prints, as it is copied from Slack, and the answer's whole text."""
    outcome = await world.play.types("Ana", "dm", f"ssh {rental}")
    assert outcome.payload is not None
    texts = [html.unescape(block["text"]["text"]) for block in outcome.payload["blocks"]]
    (block,) = [found[1] for text in texts if (found := re.search(r"```(.*)```", text, re.DOTALL))]
    return block, "\n".join(texts)


async def test_ssh_logs_in_with_the_printed_block_and_gives_an_alarm_only_if_the_machines_key_changes(
    world: World,
) -> None:
    laptop = Computer(world.folder / "laptop", world.key)
    first, machine = await rented_machine(world)
    block, answer = await printed_by_ssh(world, first)
    laptop.pastes(block)
    status, output = await laptop.ssh(f"gpu-{first}", "nvidia-smi")
    assert (status, "NVIDIA H100" in output) == (0, True), output
    assert f"it must be {await laptop.stored_host_key(f'gpu-{first}')}." in answer

    await world.destroys("Ana", first)
    await world.until_card(first, "Destroyed")
    assert machine.port is not None
    await world.sandbox.use_ssh_port(machine.port)
    second, later = await rented_machine(world)
    assert (later.port, later.resource_id == machine.resource_id) == (machine.port, False)
    laptop.pastes((await printed_by_ssh(world, second))[0])
    status, output = await laptop.ssh(f"gpu-{second}", "nvidia-smi")
    assert (status, "NVIDIA H100" in output, "WARNING" in output) == (0, True, False), output

    await world.sandbox.change_host_keys(later.resource_id)
    status, output = await laptop.ssh(f"gpu-{second}", "nvidia-smi")
    assert (status, ALARM in output, "NVIDIA H100" in output) == (255, True, False), output
    await world.destroys("Ana", second)
    await world.until_card(second, "Destroyed")
    await check_consistency(world, bought=["hyperstack", "hyperstack"])


async def test_the_first_key_opens_each_machine_and_another_key_opens_those_that_run_the_script(
    world: World,
) -> None:
    pair = asyncssh.generate_private_key("ssh-ed25519", comment="ana@desk")
    laptop, desk = Computer(world.folder / "laptop", world.key), Computer(world.folder / "desk", pair)
    await world.play.types("Ana", "dm", f"key {pair.export_public_key().decode().strip()}")
    line = " ".join(pair.export_public_key().decode().split()[:2])
    for behaviour, status_at_desk in (("normal", 0), ("ignores_cloud_init", 255)):
        await world.sandbox.vendor("hyperstack", behaviour)
        rental, _ = await rented_machine(world)
        told = world.play.sees("Ana", f"({rental}) is ready until", dm=True).reads
        assert 'Opens with "ana@laptop"; with "ana@desk" too if its set-up runs.' in told
        assert f"If it doesn't, paste on the machine: {add_line([line])}" in told
        block, _ = await printed_by_ssh(world, rental)
        for computer, expected in ((laptop, 0), (desk, status_at_desk)):
            computer.pastes(block)
            status, output = await computer.ssh(f"gpu-{rental}", "uptime")
            assert (status, "Permission denied" in output) == (expected, expected != 0), output
        await world.destroys("Ana", rental)
        await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=["hyperstack", "hyperstack"])
