"""A ready machine that the vendor takes away: the time until its owner is notified."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.model.attempt import Resource, Why
from bot.model.event import EventKind as E
from bot.model.machine_use import Missed
from bot.model.message import MessageKind
from bot.model.rental import Rental
from bot.model.request import Contract
from bot.model.state import State
from bot.policy.use.probe_times import LONGEST_PROBE_RUN
from tests.lifecycle.checks import ends_as
from tests.lifecycle.world import HOUR, MINUTE, PROBE, SECOND, World

AFTER_A_CHECK = pytest.mark.parametrize(
    ("contract", "how", "within"),
    [
        (Contract.SPOT, "deleted", 3 * MINUTE),
        (Contract.SPOT, "missing", 3 * MINUTE),
        (Contract.ONDEMAND, "deleted", 3 * MINUTE + 90 * SECOND),
        (Contract.ONDEMAND, "missing", 4 * MINUTE + 90 * SECOND),
    ],
)
"""The longest time until a loss is reported if probe runs don't see the machine.

On demand, it takes 90 s longer than with probe runs.
"""


async def ready_behind_a_stale_cache(here: World, contract: Contract) -> Rental:
    """Return a ready rental whose machine stays in the market's cache for ten minutes after it is gone."""
    rental = await here.ready(contract=contract)
    await here.be_down(11 * MINUTE)
    await here.behaves("*", "stale_cache", seconds=600)
    return rental


async def checked(here: World) -> None:
    """Let time pass until the market has just been queried for a machine, the worst moment to lose it."""
    before = len(await here.calls("get_resource"))

    async def asked() -> bool:
        return len(await here.calls("get_resource")) > before

    await here.pass_time(HOUR, asked)
    assert await asked()


async def test_a_check_without_news_only_updates_the_read_time(here: World) -> None:
    rental = await here.ready()
    await here.pass_time(MINUTE)

    async def stored() -> tuple[Rental, Resource, list[int]]:
        (resource,) = await here.resources(rental)
        shown = [one.target_version for one in await here.messages()]
        return await here.rental(rental.id), resource, shown

    before, read, shown = await stored()
    await checked(here)
    await here.pass_time(SECOND)
    after, read_again, shown_now = await stored()
    assert (after.version, shown_now) == (before.version, shown)
    assert read_again.read_at > read.read_at
    assert after.due_at is not None
    assert after.due_at > here.now


async def reports_of_loss(here: World, rental: Rental) -> list[MessageKind]:
    """Return the kinds of the messages that report a loss to the rental's owner and in its thread."""
    event = await here.last_event(rental, E.LOST)
    return [m.kind for m in await here.messages() if m.event_id == event.id and m.posted_at == event.at]


@AFTER_A_CHECK
async def test_a_loss_is_reported_in_time_despite_the_markets_cache(
    here: World, contract: Contract, how: str, within: timedelta
) -> None:
    rental = await ready_behind_a_stale_cache(here, contract)
    await checked(here)
    taken_at = here.now
    await here.vanish(rental, how)
    rental = await here.until(rental, State.LOST)
    assert here.now - taken_at <= within
    assert sorted(await reports_of_loss(here, rental)) == [MessageKind.DIRECT, MessageKind.THREAD]
    assert await here.alive() == []
    assert (await here.event_kinds(rental))[-1] is E.LOST
    (row,) = await here.ledger(rental)
    assert row.estimated is (how == "missing")
    assert 0 <= row.amount - await here.bill() <= (0 if how == "deleted" else 200_000)
    facts = (await here.last_event(rental, E.LOST)).facts
    assert (facts.why, facts.amount) == (Why.VENDOR_TOOK_IT, row.amount)


@pytest.mark.parametrize(
    ("contract", "how", "within"),
    [
        (Contract.SPOT, "deleted", 3 * MINUTE),
        (Contract.SPOT, "missing", 3 * MINUTE),
        (Contract.ONDEMAND, "deleted", 3 * MINUTE),
        (Contract.ONDEMAND, "missing", 4 * MINUTE),
    ],
)
async def test_a_missed_probe_run_makes_the_bot_query_the_vendor(
    here: World, contract: Contract, how: str, within: timedelta
) -> None:
    """The machine vanishes right after a probe run."""
    here.deps = replace(here.deps, probe_line=PROBE)
    here.restart(here.deps)
    rental = await ready_behind_a_stale_cache(here, contract)
    before = len(await fresh_reads(here))
    await here.pass_time(50 * SECOND)
    async with here.deps.store.write() as tx:
        # A check between two probe runs. On a clock that stands still, they would have the same microsecond.
        await tx.rentals.make_due([rental.id], here.now)
    await here.pass_time(15 * MINUTE)
    # While probe runs succeed, the vendor itself isn't queried.
    assert len(await fresh_reads(here)) == before
    machine = here.machines[rental]
    probe_runs = machine.probe_runs

    async def probed() -> bool:
        return machine.probe_runs > probe_runs

    await here.pass_time(5 * MINUTE, probed)
    taken_at = here.now
    await here.vanish(rental, how)
    machine.misses(Missed.NO_ANSWER)
    rental = await here.until(rental, State.LOST)
    # A probe run in the sandbox takes no time. A real one waits for an answer for up to 15 s.
    assert here.now - taken_at <= within - LONGEST_PROBE_RUN


async def fresh_reads(here: World) -> list[dict[str, Any]]:
    """Return the calls that queried the vendor itself for a machine."""
    return [call for call in await here.calls("get_resource") if "force_refresh" in str(call["query"])]


async def test_a_machine_missing_for_less_than_a_minute_is_not_lost(here: World) -> None:
    rental = await here.ready()
    await here.pass_time(5 * MINUTE)
    fault = await here.fault("get_resource", "status", status=404, times=3)
    await here.pass_time(10 * MINUTE)
    await here.release(fault)
    assert (await here.rental(rental.id)).state is State.READY
    assert [r.missing_since for r in await here.resources(rental)] == [None]
    await ends_as(here, await here.destroy(rental), State.DESTROYED)


async def test_a_check_waits_as_long_as_the_market_asks(here: World) -> None:
    await here.ready(contract=Contract.SPOT)
    await here.fault("get_resource", "status", status=429, retry_after=100)
    await checked(here)
    refused_at = here.now
    await checked(here)
    assert here.now - refused_at >= 100 * SECOND
