"""A rental without trouble, from the command in Slack to the end of its lease."""

from __future__ import annotations

import re
import shlex
from datetime import timedelta

from demo.laptop import Laptop
from tests.journeys.checks import check_consistency
from tests.journeys.world import World
from tests.programs import program

COMMAND = re.compile(r"^`?(ssh [^`\n]+)`?$", re.MULTILINE)


async def printed_command(world: World) -> list[str]:
    """Return the words of the command in Ana's direct message."""
    found = COMMAND.search(world.play.sees("Ana", "is ready until", dm=True).text)
    assert found is not None
    return shlex.split(found[1])


async def test_a_machine_is_rented_reached_over_ssh_kept_extended_and_destroyed_at_its_end(world: World) -> None:
    rental = await world.rents(text="get H100 EU for 3h")
    await world.until_card(rental, "Ready")
    await _log_in(world, await printed_command(world))
    await world.play.until_sees("Ana", "Idle for", timedelta(hours=3), dm=True)
    await world.play.types("Ana", "#training", f"keep {rental} 1h")
    await world.skips(timedelta(minutes=75))
    ending = await world.play.until_sees("Ana", "Copy results off", timedelta(hours=3), dm=True)
    await world.play.clicks("Ana", ending, "Extend 2 h")
    await world.skips(timedelta(hours=2, minutes=15))
    await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=["hyperstack"])


async def _log_in(world: World, command: list[str]) -> None:
    """Check that the command works with the owner's key, and with no other."""
    program("ssh")
    words = ["-o", "StrictHostKeyChecking=accept-new", *command[1:], "nvidia-smi"]
    assert "H100" in await world.laptop.ssh(*words)
    login = await Laptop.new(world.folder / "other", "eve@laptop").try_ssh(*words)
    assert (login.status, "Permission denied" in login.errors) == (255, True), login
