"""Flexible ends, `for 6h up to 12h`: the end moves while the machine is in use, up to the latest end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.errors import TooLate
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.machine_use import GpuUse, Missed, Sample, UsageStatus
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import AutoApprove
from tests.lifecycle.leases import count, direct_messages, end_of, go_to, seen_destroyed_at
from tests.lifecycle.world import ANA, BEN, DORA, HOUR, MINUTE, PROBE, RULES, SECOND, World, world

GRACE = 15 * MINUTE


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    """Yield a world whose machines are probed."""
    async with world(sqlite_url, probe_line=PROBE) as made:
        yield made


async def flexible_end(here: World, hours: float, latest: float, busy: int | None = 98) -> Rental:
    """Return a ready rental with a flexible end, whose GPU is `busy` percent.

    None: its probe refuses the login.
    """
    rental = await here.ready(lease=hours * HOUR, up_to=latest * HOUR)
    if busy is None:
        here.machines[rental].misses(Missed.REFUSED)
    else:
        here.machines[rental].use(busy)
    return rental


async def test_a_flexible_end_moves_by_an_hour_up_to_the_latest_end(
    here: World,
) -> None:
    """The end moves while the machine is in use. The overdue deletion counts from the end that has moved."""
    rental = await flexible_end(here, 2, 4.25)
    lease = rental.running_lease
    first, latest = lease.ready_at + 2 * HOUR, lease.ready_at + 4.25 * HOUR
    assert (lease.ends_at, lease.latest_end, rental.terms.lease) == (first, latest, 4.25 * HOUR)
    pings = await direct_messages(here, rental)
    for end in (first + HOUR, first + 2 * HOUR, latest):
        await here.pass_time(end_of(rental) - here.now)
        rental = await here.rental(rental.id)
        assert (rental.state, end_of(rental)) == (State.READY, end)
        assert (await here.last_event(rental, E.END_MOVED)).facts.until == end
        assert await direct_messages(here, rental) == pings + (end == latest)
        async with here.deps.store.read() as tx:
            assert await tx.overdue.past_end(end - SECOND) == []
            assert [one.rental_id for one in await tx.overdue.past_end(end)] == [rental.id]
    # The latest end can't move. It is announced immediately, because it is near, and it comes even if the machine
    # is in use.
    assert await seen_destroyed_at(here, rental) == latest
    assert await count(here, rental, E.ENDING) == 1
    assert (await here.last_event(rental, E.ENDING)).at == latest - 15 * MINUTE


async def test_an_idle_machine_ends_at_the_announced_earliest_end(here: World) -> None:
    rental = await flexible_end(here, 2, 12, busy=0)
    await go_to(here, end_of(rental) - SECOND)
    assert await seen_destroyed_at(here, rental) == end_of(rental)
    notice = await here.last_event(rental, E.ENDING)
    assert (notice.at, notice.facts.status) == (end_of(rental) - 30 * MINUTE, None)
    assert await count(here, rental, E.END_MOVED) == 0


async def test_a_machine_busy_again_after_its_notice_is_kept(
    here: World,
) -> None:
    """The machine is kept even if the bot was down at the end."""
    rental = await flexible_end(here, 2, 12, busy=0)
    end = end_of(rental)
    await go_to(here, end - 20 * MINUTE, seen_for=HOUR)
    assert (await here.last_event(rental, E.ENDING)).facts.until == end
    here.machines[rental].use(98)
    await here.be_down(end + 10 * MINUTE - here.now)
    rental = await here.rental(rental.id)
    assert (rental.state, end_of(rental)) == (State.READY, end + HOUR)
    # The machine is idle again, and the bot is down at the next end as well. That adds one grace period, in which
    # a probe run shows nothing new.
    here.machines[rental].use(0)
    await go_to(here, end + 50 * MINUTE)
    await here.be_down(20 * MINUTE)
    assert GRACE <= await seen_destroyed_at(here, rental) - (end + 70 * MINUTE) <= GRACE + 20 * SECOND


async def test_the_notice_names_a_vendor_that_runs_no_startup_scripts(here: World) -> None:
    others = [await here.withdraw(await here.get(count=8)) for _ in range(3)]
    async with here.deps.store.write() as tx:
        for other in others:
            await tx.probe_answers.note(other.id, "hyperstack", here.now, answered=False)
    here.machines.new_ones_miss = Missed.REFUSED
    rental = await here.ready(lease=2 * HOUR, up_to=4 * HOUR)
    await go_to(here, end_of(rental) - HOUR)
    notice = await here.last_event(rental, E.ENDING)
    assert (notice.at, notice.facts.until) == (here.now, end_of(rental))
    assert (notice.facts.status, notice.facts.vendor) == (UsageStatus.UNKNOWN, "hyperstack")
    assert await seen_destroyed_at(here, rental) == end_of(rental)


async def test_more_time_up_to_the_latest_end_needs_no_approval(sqlite_url: str) -> None:
    """Beyond the latest end, an extension makes the end fixed."""
    rules = changed(RULES, auto_approve=AutoApprove(per_hour=Decimal(1), total=Decimal(1)))
    async with world(sqlite_url, rules=rules, probe_line=PROBE) as here:
        rental = await here.get(lease=6 * HOUR, up_to=12 * HOUR, teammates=(BEN.id,))
        assert (rental.state, rental.terms.lease) == (State.AWAITING_APPROVAL, 12 * HOUR)
        rental = await here.until(await here.approve(rental, DORA), State.READY)
        allowed, end = rental.terms, end_of(rental)
        for more, person in ((2 * HOUR, BEN), (3 * HOUR, ANA)):
            rental = await here.extend(rental, more, person)
            end += more
            lease = rental.running_lease
            assert (rental.state, rental.extension, rental.terms) == (State.READY, None, allowed)
            assert (lease.ends_at, lease.latest_end) == (end, lease.ready_at + 12 * HOUR)

        rental = await here.extend(rental, 4 * HOUR)
        assert rental.extension is not None
        assert (end_of(rental), rental.extension.ends_at) == (end, end + 4 * HOUR)
        rental = await here.approve(rental, DORA)
        lease = rental.running_lease
        assert (lease.ends_at, lease.latest_end, rental.terms.lease) == (end + 4 * HOUR, None, 15 * HOUR)


async def test_a_requested_extension_stays_pending_when_the_end_moves(sqlite_url: str) -> None:
    rules = changed(RULES, auto_approve=AutoApprove(per_hour=Decimal(1), total=Decimal(1)))
    async with world(sqlite_url, rules=rules, probe_line=PROBE) as here:
        rental = await here.until(await here.approve(await here.get(lease=HOUR, up_to=3 * HOUR)), State.READY)
        here.machines[rental].use(98)
        end = end_of(rental)
        rental = await here.extend(rental, 4 * HOUR)
        await go_to(here, end)
        rental = await here.rental(rental.id)
        assert (end_of(rental), rental.extension is not None) == (end + HOUR, True)
        rental = await here.approve(rental)
        assert (end_of(rental), rental.running_lease.latest_end) == (end + 4 * HOUR, None)


async def test_allowed_extensions_work_while_a_longer_one_is_pending(sqlite_url: str) -> None:
    rules = changed(RULES, auto_approve=AutoApprove(per_hour=Decimal(1), total=Decimal(1)))
    async with world(sqlite_url, rules=rules, probe_line=PROBE) as here:
        rental = await here.until(await here.approve(await here.get(lease=2 * HOUR, up_to=6 * HOUR)), State.READY)
        end, latest = end_of(rental), rental.running_lease.latest_end
        rental = await here.extend(rental, 20 * HOUR)
        waits = rental.extension
        assert waits is not None
        rental = await here.extend(rental, HOUR)
        assert (end_of(rental), rental.running_lease.latest_end) == (end + HOUR, latest)
        assert rental.extension == waits
        with pytest.raises(TooLate, match="already waiting for approval"):
            await here.extend(rental, 8 * HOUR)
        rental = await here.approve(rental, DORA)
        assert (end_of(rental), rental.extension) == (end + 20 * HOUR, None)
        assert rental.terms == waits.terms


async def test_a_latest_end_that_the_total_does_not_cover_comes_sooner(here: World) -> None:
    rental = await here.until(await here.get(lease=2 * HOUR, up_to=6 * HOUR), State.PROVISIONING)
    await here.be_down(3 * HOUR)
    rental = await here.until(rental, State.READY)
    here.machines[rental].use(98)
    lease = rental.running_lease
    assert lease.latest_end is not None
    assert lease.ends_at - lease.ready_at == 2 * HOUR
    assert 4 * HOUR < lease.latest_end - lease.ready_at < 5 * HOUR
    await go_to(here, lease.ends_at)
    await go_to(here, lease.ends_at + HOUR)
    await go_to(here, lease.latest_end - MINUTE)
    late = await seen_destroyed_at(here, rental) - lease.latest_end
    assert timedelta(0) <= late <= GRACE + 20 * SECOND
    assert await here.bill() <= rental.terms.total


async def test_a_named_earliest_end_moves_up_to_the_latest_end(here: World) -> None:
    asked_at = here.now
    rental = await here.ready(until=asked_at + 2 * HOUR, lease=2 * HOUR, up_to=3.5 * HOUR)
    here.machines[rental].use(98)
    lease = rental.running_lease
    assert (lease.ends_at, lease.latest_end) == (asked_at + 2 * HOUR, asked_at + 3.5 * HOUR)
    assert rental.terms.lease == 3.5 * HOUR
    await go_to(here, end_of(rental) + MINUTE)
    assert end_of(await here.rental(rental.id)) == asked_at + 3 * HOUR
    assert await seen_destroyed_at(here, rental) == asked_at + 3.5 * HOUR
    assert await here.bill() <= rental.terms.total


async def test_a_named_earliest_end_before_ready_becomes_an_hour_after_ready(here: World) -> None:
    asked_at = here.now
    rental = await here.get(count=8, until=asked_at + 20 * MINUTE, lease=20 * MINUTE, up_to=4 * HOUR)
    here.jump(2 * HOUR)
    rental = await here.until(await here.approve(rental), State.READY)
    lease = rental.running_lease
    assert (lease.ends_at, lease.latest_end) == (lease.ready_at + HOUR, asked_at + 4 * HOUR)
    here.machines[rental].use(0)
    assert await seen_destroyed_at(here, rental) == lease.ends_at


async def test_too_little_time_until_the_latest_end_asks_the_owner(here: World) -> None:
    until = here.now + 20 * MINUTE
    rental = await here.rent(await here.ask(until=until, lease=20 * MINUTE, up_to=40 * MINUTE), settle=False)
    await here.be_down(10 * MINUTE + SECOND)
    rental = await here.rental(rental.id)
    assert (rental.state, rental.needs_later_end) == (State.AWAITING_APPROVAL, True)
    assert await here.calls("procure_offer") == []


@pytest.mark.parametrize(("latest", "rented"), [(8, True), (14, False)])
async def test_now_rents_no_machine_that_may_end_at_night(here: World, latest: int, rented: bool) -> None:
    """It is noon in UTC."""
    quote = await here.ask(now=True, lease=2 * HOUR, up_to=latest * HOUR)
    assert (quote.rental_id is not None, len(await here.rentals())) == (rented, rented)


async def test_a_probe_run_during_the_decision_about_the_end_counts(here: World) -> None:
    rental = await flexible_end(here, 2, 12, busy=0)
    end = end_of(rental)
    await go_to(here, end - 3 * MINUTE, seen_for=HOUR)
    here.jump(3 * MINUTE)  # so the step asks the market first
    await here.engine.run_pass()
    here.machines[rental].use(98)
    async with here.database.write() as tx:
        # By now, the step has read the earlier probe runs, and waits for its turn to write.
        await asyncio.sleep(0.3)
        await tx.samples.add(Sample(rental_id=rental.id, at=here.now, gpus=(GpuUse(index=0, highest=98),)))
    await here.engine.drain()
    await here.settle()
    assert end_of(await here.rental(rental.id)) == end + HOUR
