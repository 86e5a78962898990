"""Creates many rentals whose machines are probed. All probe runs go to a single machine of the sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bench.rentals import KEY, WANTED, Bought, Probed, buy, database, market_of, name_of, seed
from bench.worlds import World
from bot.clock import MovedClock
from bot.lifecycle.deps import Deps
from bot.model.state import State
from bot.policy.access.probe_script import probe_line
from bot.policy.access.startup_script import script_text
from bot.policy.team.rules import Rules
from bot.probe.key import stored_probe_key
from demo.processes import NotRunning

READY_WITHIN = timedelta(minutes=10)
BUSY = 98
"""The utilization of the machine's GPUs in percent."""


async def seed_probed(world: World, clock: MovedClock, count: int, *, owners: Sequence[str], channel: str) -> None:
    """Write ready rentals whose machines are in use and have been probed before.

    The account has a machine for each rental, but all probe runs go to one additional machine. Raises NotRunning
    if that machine doesn't run.
    """
    _, probed = await run_machine(world, clock)
    bought = await buy(world, clock, count)
    await seed(world, clock, bought, state=State.READY, owners=owners, channel=channel, probed=probed)


async def run_machine(world: World, clock: MovedClock) -> tuple[Bought, Probed]:
    """Buy and run a machine that accepts the bot's probe key. Raise NotRunning if it doesn't run."""
    async with database(world, clock) as store:
        key = await stored_probe_key(Deps(store, clock, Rules()))
    await world.sandbox.vendor("*", "normal")
    async with market_of(world, clock) as market:
        offer = (await market.offers(WANTED))[0]
        await market.procure(
            offer.offer_id, KEY, name_of(offer), script_text([], None, probe_line(key.public_line))
        )
        await world.sandbox.jump_to(clock.now() + READY_WITHIN)
        clock.jump(READY_WITHIN)
        (view,) = await market.resources(offer.offer_id)
    for machine in (await world.sandbox.account()).resources:
        if machine.offer_id == offer.offer_id and machine.port is not None:
            details = await world.sandbox.use(machine.resource_id, {"all": BUSY})
            return Bought(offer, view), Probed(machine.port, details.host_keys["ssh-ed25519"])
    raise NotRunning("The machine to be probed doesn't run.")
