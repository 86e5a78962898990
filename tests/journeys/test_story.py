"""A rental without problems, from the command in Slack to the end of its lease."""

from __future__ import annotations

import re
import shlex
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from demo.laptop import Laptop
from tests.journeys.checks import check_consistency
from tests.journeys.world import World
from tests.programs import program

COMMAND = re.compile(r"^`?(ssh [^`\n]+)`?$", re.MULTILINE)
CONFIG_BLOCK = re.compile(r"^Host gpu-\S+$(?:\n +\S.*$)+", re.MULTILINE)
REFRESH = timedelta(seconds=30)


async def test_a_machine_is_rented_used_over_ssh_kept_extended_and_destroyed(world: World) -> None:
    program("ssh")
    bens = Laptop.new(world.folder / "ben", "ben@laptop")
    await world.play.types("Ben", "dm", f"key {bens.public_key}")
    rental = await world.rents(text="get H100 EU with @ben for 3h")
    await _shows_the_passed_time(world, rental)
    await world.until_card(rental, "Ready")
    assert ") in EU for Ana with Ben" in (await world.card(rental)).text
    await _log_in(world, await printed_command(world))
    await _teammate_logs_in(world, rental, bens)
    await world.play.until_sees("Ana", "Still using your", timedelta(hours=3), dm=True)
    await world.play.types("Ana", "#training", f"keep {rental} 1h")
    await world.skips(timedelta(minutes=75))
    await world.play.until_sees("Ana", "Copy your results off", timedelta(hours=3), dm=True)
    await world.play.clicks("Ben", world.play.sees("Ben", "in 30 min", dm=True), "Extend 2 h")
    assert "Ben extended this machine by 2 h" in " ".join(await world.thread(rental))
    await _another_teammate_is_asked_for_a_key(world, rental)
    await world.skips(timedelta(hours=2, minutes=15))
    await world.until_card(rental, "Ended")
    assert world.play.sees("Ben", "Ended", dm=True).text.endswith(f"({rental}).")
    await check_consistency(world, bought=["hyperstack"])


async def _shows_the_passed_time(world: World, rental: str) -> None:
    """Check that the card is refreshed every 30 s without news from the vendor, and also after a kill."""
    await world.skips(REFRESH)
    assert "1 min have passed" not in (await world.card(rental)).text
    until = await world.now() + REFRESH
    while await world.now() < until:
        # The report says that everything is settled, and it names the refresh if nothing is due before that.
        health = await world.play.settle()
        assert (health["settled"], health["undelivered"]) == (True, 0)
        assert datetime.fromisoformat(health["next_due"]) <= _next_refresh(world)
        await world.next_due_time()
    assert "1 min have passed" in (await world.card(rental)).text
    await world.kill()
    await world.restart()
    await world.skips(REFRESH)
    assert "1 min 30 s have passed" in (await world.card(rental)).text


def _next_refresh(world: World) -> datetime:
    with closing(sqlite3.connect(world.database)) as store:
        (stored,) = store.execute("SELECT min(refresh_at) FROM messages").fetchone()
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)


async def printed_command(world: World) -> list[str]:
    """Return the words of the command in Ana's direct message."""
    found = COMMAND.search(world.play.sees("Ana", "is ready", dm=True).reads)
    assert found is not None
    return shlex.split(found[1])


async def _log_in(world: World, command: list[str]) -> None:
    """Check that the command works with the owner's key, and with no other."""
    words = ["-o", "StrictHostKeyChecking=accept-new", *command[1:], "nvidia-smi"]
    assert "H100" in await world.laptop.ssh(*words)
    login = await Laptop.new(world.folder / "other", "eve@laptop").try_ssh(*words)
    assert (login.status, "Permission denied" in login.errors) == (255, True), login


async def _teammate_logs_in(world: World, rental: str, laptop: Laptop) -> None:
    """Check that Ben's key, which the startup script installs, opens the machine as described by `/gpu ssh`."""
    ready = world.play.sees("Ben", "with you", dm=True)
    assert '"ben@laptop" will work in about a minute' in ready.reads
    assert [button.text for button in ready.buttons] == ["Extend", "SSH config"]
    await world.play.types("Ben", "dm", "ssh")
    block = CONFIG_BLOCK.search(world.play.sees("Ben", f"Host gpu-{rental}", only_you=True).reads)
    assert block is not None
    laptop.paste(block[0])
    assert "H100" in await laptop.ssh(f"gpu-{rental}", "nvidia-smi")


async def _another_teammate_is_asked_for_a_key(world: World, rental: str) -> None:
    card = await world.card(rental)
    await world.writes("Ana", "@gpubot share @cleo", channel=card.channel, thread_ts=card.ts)
    request = await world.reads("Cleo", "Once you've saved one, Ana can add it")
    assert (await world.reads("Ana", "Cleo has no SSH key yet")).only_you
    assert [button.text for button in request.buttons] == ["Add SSH key", "Use my GitHub keys"]
