"""Slack closes connections, slows us down, archives channels and takes tokens back."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from datetime import timedelta

import pytest

from bot.demo.processes import NotRunning
from sandbox.client import SeenMessage
from sandbox.slack.default import GPUS, TRAINING
from tests.journeys.checks import adds_up
from tests.journeys.test_killed_in_a_click import locked
from tests.journeys.world import WAIT, World

LACKS = ("metadata", "history", "usergroups", "guest_flags", "ephemerals")


async def clicks_until_taken(world: World, label: str, offers: SeenMessage) -> None:
    """As people do: where Slack shows that a click didn't get through, they click again."""
    while not (await world.clicks("Ana", offers, label)).ok:
        await world.sandbox.sockets(least=1, wait=WAIT)


@pytest.mark.parametrize(
    "how",
    [{"reason": "warning"}, {"reason": "refresh_requested"}, {"kill": True}],
    ids=lambda how: str(next(iter(how.values()))),
)
async def test_a_connection_goes_at_the_time_of_a_click(world: World, how: dict[str, object]) -> None:
    """The other one carries it, or Slack says at once that it failed. It is done once."""
    offers = await world.offers()
    sockets = await world.sandbox.sockets()
    await world.sandbox.slack.post("sockets/disconnect", {**how, "socket": sockets.names[0]})
    await clicks_until_taken(world, "Rent", offers)
    # The one that went is replaced.
    assert (await world.sandbox.sockets(opened=sockets.opened + 1, least=2, wait=WAIT)).opened > sockets.opened
    await world.play.settle()
    rental = await world.rental()
    await world.destroys("Ana", rental)
    await world.until_any_card(rental, ("Cancelled", "Destroyed"))
    await adds_up(world, bought=["hyperstack"])


async def test_one_connection_is_enough(world: World) -> None:
    """Slack takes no new tickets: the connection that is left carries everything."""
    await world.sandbox.slack.post("sockets/disconnect", {"refuse_tickets": True})
    first = (await world.sandbox.sockets()).names[0]
    await world.sandbox.slack.post("sockets/disconnect", {"kill": True, "socket": first})
    rental = await world.rents()
    await world.destroys("Ana", rental)
    await world.until_any_card(rental, ("Cancelled", "Destroyed"))
    assert len((await world.sandbox.sockets()).names) == 1
    await adds_up(world, bought=["hyperstack"])


async def test_told_to_stop_during_a_click(world: World) -> None:
    """The click is written down and acknowledged before the process leaves."""
    offers = await world.offers()
    with locked(world.database):
        click = asyncio.create_task(world.clicks("Ana", offers, "Rent"))
        await world.handling()
        world.bot.process.send_signal(signal.SIGTERM)
    outcome = await click
    assert outcome.ok, outcome
    assert await world.bot.process.wait() == 0
    await world.restart()
    rental = await world.rental()
    await world.destroys("Ana", rental)
    await world.until_any_card(rental, ("Cancelled", "Destroyed"))
    await adds_up(world, bought=await world.bought())


async def test_slack_asks_to_wait(world: World) -> None:
    slow = await world.sandbox.add_fault("chat.postMessage", "status", status=429, retry_after=1, times=2)
    rental = await world.rents()
    await slow.met()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"], slowed=2)


async def test_the_channel_is_archived_before_the_card_is_there(world: World) -> None:
    """The card and its thread go to the home channel."""
    offers = await world.offers()
    held = await world.hold("chat.postMessage", "before", match="Starting")
    await world.clicks("Ana", offers, "Rent")
    await held.met()
    await world.sandbox.slack.patch(f"channels/{TRAINING}", {"archived": True})
    await held.release()
    await world.play.settle()
    rental = await world.rental()
    assert (await world.until_card(rental, "Ready")).channel == GPUS
    await world.destroys("Ana", rental, channel="#gpus")
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"])


async def test_the_bot_is_taken_out_of_the_channel(world: World) -> None:
    """What is told from then on is told at home, below a new card."""
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.sandbox.slack.patch(f"channels/{TRAINING}", {"bot": False})
    await world.destroys("Ana", rental, channel="dm")
    assert (await world.until_card(rental, "Destroyed")).channel == GPUS
    assert any("Gone" in said for said in await world.thread(rental))
    await adds_up(world, bought=["hyperstack"], moved=True)


async def test_a_revoked_token_stops_the_telling_and_no_lease(world: World) -> None:
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.sandbox.slack.post("tokens", {"bot": "revoked"})
    await world.lets_the_lease_end()
    assert await world.stop() == 0
    await world.sandbox.slack.post("tokens", {"bot": "valid"})
    await world.restart()
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"])


async def test_a_wrong_token_at_the_start_with_nothing_unfinished(asleep: World) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "run",
        env={**asleep.settings, "SLACK_BOT_TOKEN": "xoxb-wrong"},
        cwd=asleep.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 1
    plain = [line for line in said.decode().splitlines() if not _is_log(line)]
    assert plain == ["SLACK_BOT_TOKEN: Slack refuses it (invalid_auth). gpubot doctor says more."]
    with pytest.raises(NotRunning, match="SLACK_APP_TOKEN: Slack refuses it"):
        await asleep.start(SLACK_APP_TOKEN="xapp-wrong")  # noqa: S106 - wrong on purpose


def _is_log(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


async def test_a_wrong_token_at_the_start_with_a_machine_that_runs(world: World) -> None:
    """The engine goes on without Slack: the lease ends. With the right token all of it is told."""
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.kill()
    right = world.settings["SLACK_BOT_TOKEN"]
    world.expected_errors.add("slack.refused")
    await world.start(connections=0, SLACK_BOT_TOKEN="xoxb-wrong")  # noqa: S106 - wrong on purpose
    await world.lets_the_lease_end()
    assert await world.stop() == 0
    await world.start(SLACK_BOT_TOKEN=right)
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"])


async def test_a_server_that_lacks_the_niceties(world: World) -> None:
    """No user groups, guest flags, metadata, history or private messages: the story goes its way. After a crash in
    the gap one post is made twice, as nobody can look, and it is counted, also after the next crash."""
    await world.sandbox.slack.post("lacks", dict.fromkeys(LACKS, True))
    held = await world.hold("chat.postMessage", "after", match="Hyperstack accepted")
    await world.commands("Ana", "get H100 EU for 1h now")
    await held.met()
    await world.kill()
    await world.restart()
    rental = await world.rental()
    await world.until_card(rental, "Ready")
    await world.kill()
    await world.restart()
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"], twice=1)


async def test_a_machine_nobody_answers_for_is_asked_about(world: World) -> None:
    """ "Still needed?", Keep by command, the end told ahead, Extend by button, and the lease's own end."""
    rental = await world.rents(text="get H100 EU for 3h")
    await world.until_card(rental, "Ready")
    await world.play.until_sees("Ana", "Still needed?", timedelta(hours=3), dm=True)
    await world.play.types("Ana", "#training", f"keep {rental} 1h")
    ending = await world.play.until_sees("Ana", "Copy results off", timedelta(hours=3), dm=True)
    await world.play.clicks("Ana", ending, "Extend 2 h")
    await world.until_card(rental, "Destroyed")
    await adds_up(world, bought=["hyperstack"])
