"""HTTP mode: Slack sends signed requests, and the bot answers them."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import aiohttp
import pytest

from bot.demo.processes import free_port, http_mode, install_http_app
from sandbox.client import Json
from sandbox.slack.default import ANA
from tests.journeys.checks import check_consistency
from tests.journeys.world import World, locked


@pytest.fixture
async def http_world(stopped_world: World) -> World:
    """A sandbox with a running bot in HTTP mode. Its signing secret is in a file."""
    world = stopped_world
    address = f"127.0.0.1:{free_port()}"
    secret = world.folder / "signing-secret"
    secret.write_text(f"{world.slack.http.signing_secret}\n")
    world.settings |= http_mode(world.sandbox.addresses, address)
    for named in ("SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"):
        del world.settings[named]
    await world.start(SLACK_SIGNING_SECRET_FILE=str(secret))
    await install_http_app(world.sandbox, address)
    return world


async def health(world: World) -> Json:
    async with world.session.get(world.bot.health) as answer:
        return dict(await answer.json())


async def metric(world: World, name: str) -> str:
    """Return the value of a metric."""
    async with world.session.get(world.bot.health.replace("/health", "/metrics")) as answer:
        lines = (await answer.text()).splitlines()
    return next((line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")), "none")


async def ready(world: World) -> int:
    """Return the status with which a load balancer is answered."""
    async with world.session.get(world.bot.health.replace("/health", "/ready")) as answer:
        return answer.status


async def test_a_rental_over_signed_requests_from_the_first_key_to_the_last_event(http_world: World) -> None:
    """A command, a dialog that refuses a field, a click, a mention; each repeated request is done once."""
    world = http_world
    assert await ready(world) == 200
    sent: list[tuple[str, Json]] = []

    def keep(direction: str, request: Json) -> None:
        if direction == "sent":
            sent.append((request["type"], request["payload"]))

    world.slack.http.on_request = keep
    await world.commands("Ana", "key")
    await world.clicks("Ana", await world.reads("Ana", "SSH key"), "Add SSH key")
    dialog = await world.sandbox.open_modal(ANA)
    (line,) = [one for one in dialog.inputs if one.block_id == "key_line"]
    refused = await world.sandbox.submit(ANA, dialog, {line.block_id: {line.action_id: "ssh-nonsense"}})
    assert (refused.error, list(refused.errors)) == ("refused", ["key_line"])
    key = world.laptop.public_key
    assert (await world.sandbox.submit(ANA, dialog, {line.block_id: {line.action_id: key}})).ok

    rental = await world.rents()
    await world.until_card(rental, "Ready")
    await world.writes("Ana", "@gpubot extend 1h", channel="#training", thread_ts=(await world.card(rental)).ts)
    await world.play.settle()
    extended = [text for text in await world.thread(rental) if "Extended" in text or "extended" in text]
    assert len(extended) == 1
    kind, event = next((kind, body) for kind, body in sent if "extend 1h" in str(body))
    _, click = next((kind, body) for kind, body in sent if "Rent from" in str(body.get("actions")))
    for n in (1, 2, 3):
        again = await world.slack.http.deliver(kind, event, answers=False, retry=n, reason="http_timeout")
        assert again.error is None
    assert (await world.slack.http.deliver("interactive", click, answers=True)).error is None
    await world.play.settle()
    assert [text for text in await world.thread(rental) if "xtended" in text] == extended
    assert await world.bought() == ["hyperstack"]

    report = await health(world)
    assert (report["slack_mode"], report["connections"], report["draining"]) == ("http", 1, False)
    assert report["seconds_since_slack_request"] >= 0
    assert await metric(world, 'gpubot_slack_mode{mode="http"}') == "1.0"
    assert await metric(world, 'gpubot_slack_requests_total{outcome="answered"}') == f"{len(sent) + 1:.1f}"

    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=["hyperstack"])


async def test_a_new_signing_secret_is_read_at_sighup(http_world: World) -> None:
    world = http_world
    await world.sandbox.slack.post("tokens", {"signing": "new"})
    assert (await world.commands("Ana", "list")).error == "dispatch_failed"
    assert await metric(world, 'gpubot_slack_requests_total{outcome="unsigned"}') == "1.0"
    (world.folder / "signing-secret").write_text(world.slack.http.signing_secret)
    world.bot.process.send_signal(signal.SIGHUP)
    await world.until_logged("settings.tokens_read")
    assert (await world.commands("Ana", "list")).ok
    assert world.slack.http.signing_secret not in world.log.read_text()


async def test_a_bot_that_stops_is_not_ready_first_and_answers_what_still_comes(http_world: World) -> None:
    """A load balancer looks at /ready, and sends requests for a moment longer. None of them fails."""
    world = http_world
    assert await world.stop() == 0
    await world.start(GPUBOT_SLACK_HANDOVER="2")
    await world.sets_key()
    offers = await world.offers()
    with locked(world.database):
        click = asyncio.create_task(world.clicks("Ana", offers, "Rent"))
        await world.until_handling()
        world.bot.process.send_signal(signal.SIGTERM)
        while await ready(world) == 200:
            pass
        assert (await health(world))["draining"]
    outcomes: list[Any] = [await world.commands("Ben", "list") for _ in range(20)]
    outcomes.append(await click)
    assert [outcome.error for outcome in outcomes] == [None] * 21
    assert await world.bot.process.wait() == 0
    assert (await world.commands("Ben", "list")).error == "dispatch_failed"
    with pytest.raises(aiohttp.ClientConnectorError):
        await ready(world)
    await world.restart()
    rental = await world.rental()
    await world.destroys("Ana", rental)
    await world.until_any_card(rental, ("Cancelled", "Destroyed"))
    await check_consistency(world, bought=await world.bought())
