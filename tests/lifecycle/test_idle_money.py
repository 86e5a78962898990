"""What the money of a rental went for, through visits, verdicts and the ledger."""

from __future__ import annotations

from bot.lifecycle.service import queries
from bot.model.money import cost
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.use import Verdict
from tests.lifecycle.checks import check, check_delivered
from tests.lifecycle.world import ANA, HOUR, MINUTE, PROBE, World, world


async def shown(here: World, rental_id: str) -> RentalDetails:
    return await queries.show(here.deps, ANA, rental_id)


async def test_the_receipt_of_a_machine_says_what_it_cost_idle_and_not_seen(sqlite_url: str) -> None:
    async with world(sqlite_url, probe_line=PROBE) as here:
        rental = await here.ready(lease=12 * HOUR)
        machine = here.machines[rental]
        machine.use(98, peers=["p1"])
        await here.pass_time(HOUR)
        machine.use(0, 3)
        await here.pass_time(HOUR)
        idle = await shown(here, rental.id)
        assert idle.rental.use is not None
        assert idle.recent_use is not None
        assert idle.rental.use.verdict is Verdict.IDLE
        assert [gpu.highest for gpu in idle.recent_use.gpus] == [0, 3]
        assert [hour for hour in idle.recent_use.hours if hour is not None][-1] in {3, 4}

        down_since = (await here.samples(rental))[-1].at
        await here.be_down(2 * HOUR)
        machine.use(98)
        await here.pass_time(HOUR)
        works = await here.rental(rental.id)
        assert works.use is not None
        assert works.use.verdict is Verdict.IN_USE
        await here.destroy(rental)
        over = await here.until(rental, State.DESTROYED)
        assert over.ending is not None
        assert over.ending.since is not None
        assert over.rate is not None

        details = await shown(here, rental.id)
        costs, rate = details.use_costs, over.rate
        assert sum(costs.model_dump().values()) == details.spent.amount == sum(r.amount for r in details.ledger)
        worked_until = idle.rental.use.since
        assert abs(costs.idle - cost(rate, down_since - worked_until)) <= 1
        used = (worked_until - rental.running_lease.ready_at) + (over.ending.since - works.use.since)
        assert 0 <= cost(rate, used) - costs.used <= cost(rate, 3 * MINUTE)
        assert costs.unknown >= cost(rate, 2 * HOUR)
        assert costs.connected == 0
        await check(here)
        await check_delivered(here)
