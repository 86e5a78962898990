"""The spending that `/gpu spend` reports agrees with receipts, the ledger and budgets."""

from __future__ import annotations

from bot.lifecycle.actions import queries, spend
from bot.model.budget import TEAM, Scope, ScopeKind
from bot.model.money import Micros
from bot.model.spend import SpendReport
from bot.model.state import State
from tests.lifecycle.checks import check, check_delivered
from tests.lifecycle.world import ANA, BEN, HOUR, MINUTE, PROBE, World, world

ANAS = Scope(kind=ScopeKind.PERSON, name=ANA.id)


async def of_team(here: World) -> SpendReport:
    return await spend.report(here.deps, ANA, TEAM, "month")


async def receipt(here: World, rental_id: str) -> Micros:
    return (await queries.show(here.deps, ANA, rental_id)).spent.amount


async def test_spending_agrees_with_receipts_the_ledger_and_budgets(url: str) -> None:
    async with world(url, probe_line=PROBE) as here:
        first = await here.ready(lease=12 * HOUR)
        here.machines[first].use(98, peers=["p1"])
        await here.pass_time(10 * MINUTE)
        here.machines[first].use(0)
        await here.pass_time(35 * MINUTE)
        await here.be_down(15 * MINUTE)
        running = await of_team(here)
        assert running.whole.amount == await receipt(here, first.id)
        assert running.own == running.whole
        assert min(running.whole.use.used, running.whole.use.idle) > 0
        assert running.whole.gpu_time > HOUR * first.request.count

        second = await here.ready(lease=2 * HOUR)
        await here.destroy(first)
        await here.until(first, State.DESTROYED)
        both = await of_team(here)
        assert both.whole.amount == await receipt(here, first.id) + await receipt(here, second.id)
        assert sum(point.amount for point in both.points) == both.whole.amount
        rentals = await spend.report(here.deps, ANA, ANAS, "month")
        assert {row.key for row in rentals.rows} == {first.id, second.id}
        assert rentals.whole == both.whole

        await here.destroy(second)
        await here.until(second, State.DESTROYED)
        ended = await of_team(here)
        async with here.deps.store.read() as tx:
            (balance,) = await tx.budgets.balances(ended.period.month, [TEAM])
            ledger = [row for one in (first, second) for row in await tx.rentals.ledger(one.id)]
        assert ended.whole.amount == balance.spent == sum(row.amount for row in ledger)
        assert ended.whole.late == balance.late
        assert (await spend.report(here.deps, BEN, TEAM, "month")).own.amount == 0
        await check(here)
        await check_delivered(here)
