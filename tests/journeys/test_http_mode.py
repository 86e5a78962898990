"""HTTP mode: Slack sends signed requests, and the bot answers them."""

from __future__ import annotations

import asyncio
import signal
from functools import partial
from urllib.parse import urlsplit

import aiohttp
import pytest

from demo.processes import free_port, http_mode, install_http_app, start_bot
from sandbox.client import Json
from sandbox.slack.default import ANA
from tests.databases import Postgres, fresh_postgres, postgres
from tests.journeys.checks import check_consistency
from tests.journeys.world import World, locked
from tests.load_balancer import Backend, load_balancer

__all__ = ["postgres"]


@pytest.fixture
async def http_world(stopped_world: World) -> World:
    """Return a sandbox with a running bot in HTTP mode. Its signing secret is in a file."""
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
    """Return the status that a load balancer gets."""
    async with world.session.get(world.bot.health.replace("/health", "/ready")) as answer:
        return answer.status


async def test_a_whole_rental_works_over_signed_requests(http_world: World) -> None:
    """The rental includes a command, a dialog that refuses a field, a click, and a mention.

    Each repeated request is carried out only once.
    """
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
    extended = [text for text in await world.thread(rental) if "extended" in text]
    assert [text.split(" extended ")[0] for text in extended] == ["You", "Ana"]
    kind, event = next((kind, body) for kind, body in sent if "extend 1h" in str(body))
    _, click = next((kind, body) for kind, body in sent if "Rent from" in str(body.get("actions")))
    for n in (1, 2, 3):
        again = await world.slack.http.deliver(kind, event, answers=False, retry=n, reason="http_timeout")
        assert again.error is None
    assert (await world.slack.http.deliver("interactive", click, answers=True)).error is None
    await world.play.settle()
    assert [text for text in await world.thread(rental) if "extended" in text] == extended
    assert await world.bought() == ["hyperstack"]

    report = await health(world)
    assert (report["slack_mode"], report["connections"], report["draining"]) == ("http", 1, False)
    assert report["seconds_since_slack_request"] >= 0
    assert not report["many_slow_slack_requests"]
    assert await metric(world, 'gpubot_slack_mode{mode="http"}') == "1.0"
    assert await metric(world, 'gpubot_slack_requests_total{outcome="answered"}') == f"{len(sent) + 1:.1f}"

    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=["hyperstack"])


async def test_sighup_reads_a_new_signing_secret_and_a_stop_drains_requests(
    http_world: World,
) -> None:
    """The stopping bot first reports that it isn't ready.

    A load balancer polls /ready, and still sends requests for a moment. None of these requests fails.
    """
    world = http_world
    await world.sandbox.slack.post("tokens", {"signing": "new"})
    assert (await world.commands("Ana", "list")).error == "dispatch_failed"
    assert await metric(world, 'gpubot_slack_requests_total{outcome="unsigned"}') == "1.0"
    (world.folder / "signing-secret").write_text(world.slack.http.signing_secret)
    world.bot.process.send_signal(signal.SIGHUP)
    await world.until_logged("settings.tokens_read")
    assert (await world.commands("Ana", "list")).ok
    assert world.slack.http.signing_secret not in world.log.read_text()

    assert await world.stop() == 0
    await world.start(GPUBOT_SLACK_HANDOVER="5")
    await world.sets_key()
    offers = await world.offers()
    with locked(world.database):
        click = asyncio.create_task(world.clicks("Ana", offers, "Rent"))
        await world.until_handling()
        world.bot.process.send_signal(signal.SIGTERM)
        while await ready(world) == 200:
            pass
        assert (await health(world))["draining"]
    assert (await world.commands("Ben", "list")).error is None
    assert (await click).error is None
    assert await world.bot.process.wait() == 0
    assert (await world.commands("Ben", "list")).error == "dispatch_failed"
    with pytest.raises(aiohttp.ClientConnectorError):
        await ready(world)
    await world.restart()
    rental = await world.rental()
    await world.destroys("Ana", rental)
    await world.until_any_card(rental, ("Cancelled", "Ended"))
    await check_consistency(world, bought=await world.bought())


async def test_no_click_fails_while_one_of_two_load_balanced_bots_restarts(
    stopped_world: World, postgres: Postgres
) -> None:
    world = stopped_world
    del world.settings["SLACK_APP_TOKEN"]
    world.settings["GPUBOT_DATABASE_URL"] = await fresh_postgres(postgres)
    backends = []
    for name in ("one", "two"):
        address = f"127.0.0.1:{free_port()}"
        world.settings |= http_mode(world.sandbox.addresses, address)
        await world.start(GPUBOT_SLACK_HANDOVER="1", GPUBOT_SOCKET=str(world.folder / f"{name}.sock"))
        backends.append(Backend(address, partial(is_ready, world, world.bot.health)))
    one = world.processes[0]
    restarted = dict(world.settings) | {
        "GPUBOT_HTTP": urlsplit(one.health).netloc,
        "GPUBOT_SLACK_HTTP": backends[0].address,
        "GPUBOT_SOCKET": str(world.folder / "one.sock"),
    }
    async with load_balancer(*backends) as balancer:
        await install_http_app(world.sandbox, balancer.url.removeprefix("http://"))
        await world.sets_key()
        await world.commands("Ana", "get H100 EU for 1h")
        offers = await world.reads("Ana", "Prices are valid")
        done = asyncio.Event()

        async def looks(name: str) -> list[str | None]:
            """Type the same command until `one` is back. Return the outcome of each."""
            ended = []
            while not done.is_set():
                ended.append((await world.commands(name, "list")).error)
            return ended

        looking = [asyncio.create_task(looks(name)) for name in ("Ana", "Ben", "Cleo", "Ben")]
        one.process.send_signal(signal.SIGTERM)
        ended = [(await world.clicks("Ana", offers, "Rent")).error]
        assert await one.process.wait() == 0
        world.processes.append(await start_bot(restarted, world.log))
        await balancer.until_answers(backends[0].address)
        done.set()
        for errors in await asyncio.gather(*looking):
            ended += errors
        assert ended == [None] * len(ended)
        assert balancer.sent.total() >= len(ended) > 20
        assert len(await world.bought()) <= 1


async def is_ready(world: World, health: str) -> bool:
    try:
        async with world.session.get(health.replace("/health", "/ready")) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
