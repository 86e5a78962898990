"""Ben's machine is idle, and Ana asks for it. The bot is killed before and after she accepts the machine."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from bot.clock import SystemClock
from bot.model.budget import Charge
from bot.model.event import Event, EventKind
from store.db import Database
from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, World, locked, open_world

POLICY = "idle: {after: 10m, never_used: 10m, from: 50.00}\nbudgets: {person: 100.00}\n"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


async def charges(world: World, rental: str) -> tuple[Event, list[Charge]]:
    """Return the event with which Ana accepted a machine, and the charges of its rental."""
    store = await Database.open(world.settings["GPUBOT_DATABASE_URL"], claimant="check", clock=SystemClock())
    try:
        async with store.read() as tx:
            (taken,) = [one for one in await tx.events.of(rental) if one.kind is EventKind.OWNER_CHANGED]
            return taken, await tx.budgets.charges_of(rental)
    finally:
        await store.close()


async def test_ana_accepts_bens_idle_machine_once_despite_kills(
    folder: Path,
) -> None:
    """The bot is killed before and after her click. From the click on, Ana pays for the machine."""
    policy = folder / "policy.yml"
    policy.write_text(POLICY, encoding="utf-8")
    async with open_world(folder, GPUBOT_POLICY=str(policy)) as world:
        await world.start()
        await world.sets_key("Ben")
        await world.sets_key("Ana")
        rental = await world.rents("Ben", "get H100 EU for 6h")
        await world.until_card(rental, "Ready")
        (machine,) = await world.alive()
        await world.sandbox.use(machine.resource_id, {"all": 0})
        await world.play.passes(15 * MINUTE)

        offers = await world.offers()
        assert f"Ben's 1x H100 SXM 80 GB ({rental}) in EU has been idle for " in offers.text
        await world.play.clicks("Ana", offers, "Ask Ben for it")
        world.play.sees("Ana", f"I've asked Ben for 1x H100 SXM 80 GB ({rental}).", only_you=True)
        question = world.play.sees(
            "Ben", f"Ana is asking for your 1x H100 SXM 80 GB ({rental}), which has been idle for ", dm=True
        )
        await world.play.clicks("Ben", question, "Give it to Ana")
        given = world.play.sees("Ana", f"Ben is offering you 1x H100 SXM 80 GB ({rental}) at $2.15/h.", dm=True)
        assert "You have $100.00 left in November" in given.text

        with locked(world.database):
            click = asyncio.create_task(world.clicks("Ana", given, "Take"))
            await world.until_handling()
            await world.kill()
        assert not (await click).ok
        await world.restart()
        assert "Owner\nBen\n" in (await world.card(rental)).reads
        assert (await world.clicks("Ana", given, "Take")).ok
        await world.kill()
        await world.restart()
        assert "Owner\nAna\n" in (await world.card(rental)).reads
        assert "Ana took over this machine, which was Ben's." in await world.thread(rental)

        hers = world.play.sees("Ana", "You took over 1x H100", dm=True)
        assert [button.text for button in hers.buttons] == ["Extend", "SSH config and keys", f"Destroy {rental}"]
        assert (
            "authorized_keys"
            in world.play.sees("Ben", "Paste this on the machine so that Ana can log in:", dm=True).text
        )
        await world.clicks("Ana", given, "Take")
        await world.play.settle()
        world.play.sees("Ana", f"{rental} is already yours.", only_you=True)
        refused = str((await world.commands("Ben", f"ssh {rental}")).payload)
        assert "Only Ana and the teammates on" in refused
        await world.skips(HOUR)
        await world.destroys("Ana", rental)
        await world.until_card(rental, "Ended", within=HOUR)
        await check_consistency(world, bought=["hyperstack"])
        taken, parts = await charges(world, rental)
        assert [(one.owner, one.ended_at == taken.at, one.started_at == taken.at) for one in parts] == [
            (PEOPLE["Ben"], True, False),
            (PEOPLE["Ana"], False, True),
        ]
