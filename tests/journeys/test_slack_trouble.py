"""Slack closes connections and revokes tokens."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from datetime import timedelta

import pytest

from demo.processes import NotRunning
from sandbox.client import SeenMessage
from tests.journeys.checks import check_consistency
from tests.journeys.world import WAIT, World, locked

KILL = {"kill": True}
LACKS = ("metadata", "history", "usergroups", "guest_flags", "ephemerals")


async def click_until_acknowledged(world: World, label: str, offers: SeenMessage) -> None:
    """Click again and again while Slack shows that the click failed, like people do."""
    while not (await world.clicks("Ana", offers, label)).ok:
        await world.sandbox.sockets(least=1, wait=WAIT)


async def test_clicks_during_lost_connections_are_done_once(world: World) -> None:
    """Either the other connection delivers a click, or the person clicks again.

    In the second case, Slack shows immediately that the click failed.
    """
    opened = (await world.sandbox.sockets()).opened
    rentals = []
    for gpu, how in (("H100", {"reason": "warning"}), ("A100", {"reason": "refresh_requested"}), ("L4", KILL)):
        offers = await world.offers(text=f"get {gpu} EU for 1h")
        name = (await world.sandbox.sockets(least=2, wait=WAIT)).names[0]
        await world.sandbox.slack.post("sockets/disconnect", {**how, "socket": name})
        await click_until_acknowledged(world, "Rent", offers)
        await world.play.settle()
        rentals.append(await world.rental())
    for rental in rentals:
        await world.destroys("Ana", rental)
        await world.until_any_card(rental, ("Cancelled", "Ended"))
    replaced = await world.sandbox.sockets(opened=opened + 3, least=2, wait=WAIT)
    assert replaced.opened >= opened + 3
    bought = await world.bought()
    assert len(bought) == 3
    await check_consistency(world, bought=bought)


async def test_one_connection_is_enough_if_slack_gives_no_new_one(world: World) -> None:
    await world.sandbox.slack.post("sockets/disconnect", {"refuse_tickets": True})
    first = (await world.sandbox.sockets()).names[0]
    await world.sandbox.slack.post("sockets/disconnect", {"kill": True, "socket": first})
    rental = await world.rents()
    await world.destroys("Ana", rental)
    await world.until_any_card(rental, ("Cancelled", "Ended"))
    assert len((await world.sandbox.sockets()).names) == 1
    await check_consistency(world, bought=["hyperstack"])


async def test_a_click_during_a_stop_is_committed_and_acknowledged(world: World) -> None:
    offers = await world.offers()
    with locked(world.database):
        click = asyncio.create_task(world.clicks("Ana", offers, "Rent"))
        await world.until_handling()
        world.bot.process.send_signal(signal.SIGTERM)
    outcome = await click
    assert outcome.ok, outcome
    assert await world.bot.process.wait() == 0
    await world.restart()
    rental = await world.rental()
    await world.destroys("Ana", rental)
    await world.until_any_card(rental, ("Cancelled", "Ended"))
    await check_consistency(world, bought=await world.bought())


async def test_while_slack_refuses_the_token_leases_still_end(world: World) -> None:
    """People are notified later."""
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.sandbox.slack.post("tokens", {"bot": "revoked"})
    before = (await world.sandbox.slack.traffic())[-1].n
    await world.lets_the_lease_end()
    await world.sandbox.slack.traffic(endpoint="auth.test", after=before, answered="true", wait=WAIT)
    async with world.session.get(world.bot.health) as answer:
        health = await answer.json()
        assert (answer.status, health["well"], health["slack_refuses_token"]) == (200, True, True)
    (wrong,) = health["wrong"]
    assert wrong.startswith("Slack refuses SLACK_BOT_TOKEN since 2026-11-24 1")
    world.expected_errors.add("slack.refused")
    assert await world.stop() == 0
    await world.sandbox.slack.post("tokens", {"bot": "valid"})
    await world.restart()
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=["hyperstack"])


async def test_without_unfinished_work_a_wrong_token_fails_the_start(
    stopped_world: World,
) -> None:
    """The error message is a single line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "run",
        env={**stopped_world.settings, "SLACK_BOT_TOKEN": "xoxb-wrong"},
        cwd=stopped_world.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 1
    plain = [line for line in output.decode().splitlines() if not _is_log(line)]
    assert plain == ["SLACK_BOT_TOKEN: Slack refuses it (invalid_auth). gpubot doctor says more."]
    with pytest.raises(NotRunning, match="SLACK_APP_TOKEN: Slack refuses it"):
        await stopped_world.start(SLACK_APP_TOKEN="xapp-wrong")  # noqa: S106 - wrong on purpose


def _is_log(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


async def test_with_a_running_machine_the_bot_starts_despite_a_wrong_token(world: World) -> None:
    """The lease ends. After a start with the right token, everything that happened is posted."""
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.kill()
    right = world.settings["SLACK_BOT_TOKEN"]
    world.expected_errors.add("slack.refused")
    await world.start(connections=0, SLACK_BOT_TOKEN="xoxb-wrong")  # noqa: S106 - wrong on purpose
    # Slack can't be asked whether the owner has read about the end, so the machine runs for another grace period.
    world.clock.jump(timedelta(hours=2).total_seconds())
    await world.until_logged("rental.ending")
    await world.lets_the_lease_end()
    assert await world.stop() == 0
    await world.start(SLACK_BOT_TOKEN=right)
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=["hyperstack"])


async def test_a_slack_without_metadata_history_and_groups_is_enough(
    world: World,
) -> None:
    """A crash between a post and its commit repeats the post, because the history can't be read.

    The number of such posts survives the next crash.
    """
    await world.sandbox.slack.post("lacks", dict.fromkeys(LACKS, True))
    held = await world.hold("chat.postMessage", "after", match="Renting from")
    await world.commands("Ana", "get H100 EU for 1h now")
    await held.met()
    await world.kill()
    await world.restart()
    rental = await world.rental()
    await world.until_card(rental, "Ready")
    await world.kill()
    await world.restart()
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=["hyperstack"], twice=1)
