"""The cost of a rental by use, based on probe runs, usage statuses and the ledger."""

from __future__ import annotations

from dataclasses import replace

from bot.lifecycle.actions import queries
from bot.model.base import changed
from bot.model.machine_use import UsageStatus
from bot.model.money import cost
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.policy.team.rules import Idle, ProbeKind
from tests.lifecycle.checks import check, check_delivered
from tests.lifecycle.world import ANA, HOUR, MINUTE, PROBE, World, world


async def shown(here: World, rental_id: str) -> RentalDetails:
    return await queries.show(here.deps, ANA, rental_id)


async def test_a_receipt_shows_the_cost_of_idle_and_unseen_time(sqlite_url: str) -> None:
    async with world(sqlite_url, probe_line=PROBE) as here:
        rental = await here.ready(lease=12 * HOUR)
        machine = here.machines[rental]
        machine.use(98, peers=["p1"])
        await here.pass_time(HOUR / 2)
        machine.use(0, 3)
        await here.pass_time(HOUR)
        idle = await shown(here, rental.id)
        assert idle.rental.use is not None
        assert idle.recent_use is not None
        assert idle.rental.use.status is UsageStatus.IDLE
        assert [gpu.highest for gpu in idle.recent_use.gpus] == [0, 3]
        assert [hour for hour in idle.recent_use.hours if hour is not None][-1] in {3, 4}

        down_since = (await here.samples(rental))[-1].at
        await here.be_down(2 * HOUR)
        machine.use(98)
        await here.pass_time(HOUR / 2)
        works = await here.rental(rental.id)
        assert works.use is not None
        assert works.use.status is UsageStatus.IN_USE
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


async def test_a_downtime_before_the_end_counts_as_unknown_use(sqlite_url: str) -> None:
    async with world(sqlite_url, probe_line=PROBE) as here:
        rental = await here.ready(lease=6 * HOUR)
        here.machines[rental].use(0)
        await here.pass_time(HOUR)
        down_since = (await here.samples(rental))[-1].at
        here.jump(HOUR)
        await here.destroy(rental, settle=False)
        over = await here.until(rental, State.DESTROYED)
        assert over.rate is not None
        costs = (await shown(here, rental.id)).use_costs
        assert abs(costs.idle - cost(over.rate, down_since - rental.running_lease.ready_at)) <= 1
        assert costs.unknown >= cost(over.rate, HOUR)
        await check(here)


async def test_a_usage_status_is_dropped_once_the_probe_is_switched_off(sqlite_url: str) -> None:
    async with world(sqlite_url, probe_line=PROBE) as here:
        rental = await here.ready(lease=6 * HOUR)
        here.machines[rental].use(0)
        await here.pass_time(HOUR)
        before = (await shown(here, rental.id)).use_costs
        assert before.idle > 0
        here.restart(replace(here.deps, rules=changed(here.deps.rules, idle=Idle(probe=ProbeKind.NONE))))
        await here.pass_time(HOUR / 2)
        assert (await here.rental(rental.id)).use is None
        after = (await shown(here, rental.id)).use_costs
        assert rental.rate is not None
        assert after.idle - before.idle <= cost(rental.rate, 3 * MINUTE)
        assert after.unknown >= cost(rental.rate, 27 * MINUTE)
        await check(here)
