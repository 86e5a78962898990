"""The real process sends events of rentals to a receiver, and is killed before it knows that one was accepted."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import psutil

from bot.clock import SystemClock
from demo.processes import Bot
from sandbox.slack.timing import Timing
from tests.api.test_webhooks import SECRET, documented
from tests.certificates import certificate_for
from tests.databases import Postgres, fresh_postgres, postgres
from tests.journeys.checks import check_consistency
from tests.journeys.world import WAIT, World, open_world
from tests.webhook_receiver import receiver

__all__ = ["postgres"]

ADDRESS = "127.0.0.1"


async def test_an_event_whose_acceptance_was_not_stored_comes_again_with_the_same_number(
    stopped_world: World,
) -> None:
    world = stopped_world
    certificate, policy = certificate_for(world.folder, ADDRESS), world.folder / "policy.yml"
    async with receiver(certificate, ADDRESS) as hook, asyncio.timeout(4 * WAIT):
        policy.write_text(f"webhooks: [{{url: '{hook.url}', private: true}}]\n", encoding="utf-8")
        world.settings |= {"GPUBOT_WEBHOOK_SECRET": SECRET, "SSL_CERT_FILE": str(certificate)}
        await world.start(GPUBOT_POLICY=str(policy))
        await world.sets_key()
        hook.open.clear()
        rental = await world.rents()
        await hook.called.wait()
        await world.kill()
        hook.open.set()
        await world.restart()
        await world.until_card(rental, "Ready")
        ready = await hook.until("rental.ready")
        await world.destroys("Ana", rental)
        await world.until_card(rental, "Ended")
        await hook.until("rental.ended")
    first, again, *later = hook.calls
    assert (again.payload["id"], again.payload["number"]) == (first.payload["id"], first.payload["number"])
    numbers = [call.payload["number"] for call in (again, *later)]
    assert numbers == sorted(set(numbers))
    lives = ["rental.requested", "rental.starting", "rental.ready", "rental.ending", "rental.ended"]
    assert hook.names[1:] == lives
    assert (ready["rental"]["state"], ready["rental"]["ssh"]) == ("ready", None)
    verified = documented(SystemClock().real())
    for call in hook.calls:
        assert verified(SECRET, call.headers, call.body) == call.payload
    await check_consistency(world, bought=["hyperstack"])
    log = world.log.read_text(encoding="utf-8")
    assert SECRET.removeprefix("whsec_") not in log
    assert hook.url not in log


async def test_sighup_brings_a_webhook_and_its_secret_into_force(stopped_world: World) -> None:
    """Until then, the bot hasn't imported the code that sends webhooks."""
    world = stopped_world
    certificate, policy = certificate_for(world.folder, ADDRESS), world.folder / "policy.yml"
    policy.write_text("", encoding="utf-8")
    await world.start(GPUBOT_POLICY=str(policy), SSL_CERT_FILE=str(certificate))
    await world.sets_key()
    async with receiver(certificate, ADDRESS) as hook, asyncio.timeout(4 * WAIT):
        policy.write_text(f"webhooks: [{{url: '{hook.url}', events: [rental.ended], private: true}}]\n")
        world.bot.process.send_signal(signal.SIGHUP)
        await world.until_logged("policy.changed")
        rental = await world.rents()
        await world.until_card(rental, "Ready")
        await world.destroys("Ana", rental)
        await world.until_card(rental, "Ended")
        await world.until_logged("webhooks.not_accepted")
        assert hook.calls == []
        (world.folder / ".env").write_text(f"GPUBOT_WEBHOOK_SECRET={SECRET}\n", encoding="utf-8")
        world.bot.process.send_signal(signal.SIGHUP)
        ended = await hook.until("rental.ended")
    assert (ended["rental"]["id"], hook.names) == (rental, ["rental.ended"])
    await check_consistency(world, bought=["hyperstack"])


async def test_only_one_replica_sends_and_the_other_one_takes_over(folder: Path, postgres: Postgres) -> None:
    """The replica is killed while the receiver holds its call. The other one sends the same event again."""
    certificate, policy = certificate_for(folder, ADDRESS), folder / "policy.yml"
    async with receiver(certificate, ADDRESS) as hook, asyncio.timeout(6 * WAIT):
        policy.write_text(f"webhooks: [{{url: '{hook.url}', private: true}}]\n", encoding="utf-8")
        settings = {
            "GPUBOT_DATABASE_URL": await fresh_postgres(postgres),
            "GPUBOT_POLICY": str(policy),
            "GPUBOT_WEBHOOK_SECRET": SECRET,
            "SSL_CERT_FILE": str(certificate),
        }
        async with open_world(folder, timing=Timing(ack=WAIT, trigger=WAIT), **settings) as world:
            await world.start()
            await world.start_beside()
            await world.sets_key()
            rental = await world.rents()
            await world.until_card(rental, "Ready")
            await hook.until("rental.ready")
            assert len({call.payload["id"] for call in hook.calls}) == len(hook.calls)
            hook.open.clear()
            await world.destroys("Ana", rental)
            await hook.until("rental.ending")
            sender = next(bot for bot in world.running if hook.calls[-1].port in ports_of(bot))
            sender.kill()
            await sender.process.wait()
            world.play.bot = world.running[0]
            hook.open.set()
            await world.until_card(rental, "Ended")
            await hook.until("rental.ended")
            await check_consistency(world, bought=["hyperstack"])
    assert hook.names.count("rental.ending") == 2
    again = [call.payload for call in hook.calls if call.payload["name"] == "rental.ending"]
    assert again[0]["id"] == again[1]["id"]


def ports_of(bot: Bot) -> set[int]:
    """Return the ports of a process's connections."""
    return {one.laddr.port for one in psutil.Process(bot.process.pid).net_connections("tcp") if one.laddr}
