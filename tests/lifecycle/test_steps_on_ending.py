"""The end of a machine that has a `/root/on-ending.sh` of its owner.

Both the end of its lease and a graceful destroy run the script first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.errors import Refused, TooLate
from bot.lifecycle.actions import ending, leasing
from bot.lifecycle.actions.action import carry_out, preview
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.machine_use import Missed, OnEnding, OnEndingState
from bot.model.money import Micros, cost_at_most
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import AutoApprove
from tests.lifecycle.leases import count, direct_messages, end_of, go_to, seen_destroyed_at
from tests.lifecycle.machines import Jobs, Script
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, HOUR, MINUTE, PROBE, RULES, World, world

GRACE = 15 * MINUTE
TEN = 10 * MINUTE
ONE_DOLLAR = AutoApprove(per_hour=Decimal(1), total=Decimal(1))


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    """Yield a world whose machines are probed."""
    async with world(sqlite_url, probe_line=PROBE) as made:
        yield made


async def with_script(
    here: World, lasts: timedelta | None, status: int = 0, **fields: object
) -> tuple[Rental, Script]:
    """Return a ready rental whose machine has this script, after a probe run has seen it."""
    rental = await here.ready(**{"lease": 2 * HOUR, **fields})
    script = here.machines[rental].script = Script(here.clock, lasts, status)
    await here.pass_time(4 * MINUTE)
    return await here.rental(rental.id), script


async def reserved(here: World, rental: Rental) -> Micros:
    """Return the amount that a rental has reserved in this month's budgets."""
    async with here.deps.store.read() as tx:
        return sum(one.amount for one in await tx.budgets.reservations(rental.id))


def named(end: datetime) -> datetime:
    """Return an end with the precision with which a machine knows it."""
    return end.replace(microsecond=0)


# --- before the end


async def test_the_script_runs_once_before_each_end(here: World) -> None:
    rental, script = await with_script(here, 5 * MINUTE)
    first = end_of(rental)
    await go_to(here, first - MINUTE)
    assert script.starts == [(named(first), first - GRACE)]
    rental = await here.extend(rental, HOUR)
    assert await seen_destroyed_at(here, rental) == end_of(rental) == first + HOUR
    assert script.starts == [(named(first), first - GRACE), (named(first + HOUR), first + HOUR - GRACE)]
    over = await here.rental(rental.id)
    assert over.on_ending == OnEnding(state=OnEndingState.DONE, end=named(first + HOUR))
    assert await count(here, rental, E.SCRIPT_FAILED) == 0


async def test_a_running_script_delays_the_end_by_at_most_one_grace_period(
    here: World,
) -> None:
    """The delay is limited even if the machine can't be probed any more.

    The cost stays within the approved total.
    """
    slow, _ = await with_script(here, 20 * MINUTE)
    hangs, script = await with_script(here, None)
    unreachable, _ = await with_script(here, None)
    await go_to(here, end_of(unreachable) - 5 * MINUTE)
    here.machines[unreachable].misses(Missed.REFUSED)
    three = (slow, hangs, unreachable)
    waited = [await seen_destroyed_at(here, rental) - end_of(rental) for rental in three]
    assert 5 * MINUTE <= waited[0] <= 6 * MINUTE  # a probe run every 30 s sees that it is done
    assert waited[1:] == [GRACE, GRACE]
    assert len(script.starts) == 1
    for rental in three:
        ended = await here.last_event(rental, E.ENDED)
        assert 0 < (ended.facts.amount or 0) <= rental.terms.total


async def test_the_owner_gets_one_message_about_a_failed_script(here: World) -> None:
    rental, _ = await with_script(here, MINUTE, 3)
    await go_to(here, end_of(rental) - GRACE)
    pings = await direct_messages(here, rental)
    assert await seen_destroyed_at(here, rental) == end_of(rental)
    failed = await here.last_event(rental, E.SCRIPT_FAILED)
    assert (failed.facts.exit_status, failed.facts.until) == (3, end_of(rental))
    assert await count(here, rental, E.SCRIPT_FAILED) == 1
    assert await direct_messages(here, rental) == pings + 1


async def test_a_machine_whose_script_failed_is_kept_once_until_its_owners_hours(here: World) -> None:
    """The owner is told once what that costs, and the approved total and the budgets have contained it."""
    rental, script = await with_script(here, MINUTE, 3, lease=9 * HOUR, keep_if_failed=True)
    end, hours = end_of(rental), datetime(2026, 11, 25, 8, tzinfo=UTC)
    assert rental.running_lease.kept_until == hours
    assert await reserved(here, rental) >= cost_at_most(rental.rate_at_most, hours + GRACE - here.now)
    await go_to(here, end - GRACE)
    pings = await direct_messages(here, rental)
    await here.pass_time(5 * MINUTE)
    kept = await here.last_event(rental, E.KEPT_AFTER_FAILURE)
    assert (kept.facts.since, kept.facts.until, kept.facts.exit_status) == (end, hours, 3)
    assert kept.facts.estimate == cost_at_most(rental.rate_at_most, hours + GRACE - end)
    assert await direct_messages(here, rental) == pings + 1
    assert end_of(await here.rental(rental.id)) == hours
    assert await seen_destroyed_at(here, rental) == hours
    assert [one for one, _ in script.starts] == [named(end), hours]
    counts = [await count(here, rental, kind) for kind in (E.KEPT_AFTER_FAILURE, E.SCRIPT_FAILED)]
    assert counts == [1, 1]
    ended = (await here.last_event(rental, E.ENDED)).facts
    assert 0 < (ended.amount or 0) <= rental.terms.total
    assert ended.estimate is None


async def test_a_later_end_within_the_paid_time_still_keeps_the_machine_if_saving_fails(here: World) -> None:
    rental, _ = await with_script(here, MINUTE, 3, lease=9 * HOUR, keep_if_failed=True)
    longer = await here.extend(rental, HOUR)
    assert longer.running_lease.kept_until == rental.running_lease.kept_until
    assert longer.terms.total <= rental.terms.total
    await go_to(here, end_of(longer) - 5 * MINUTE)
    assert end_of(await here.rental(rental.id)) == longer.running_lease.kept_until


async def test_a_machine_that_ends_when_its_job_is_done_is_kept_too_and_its_jobs_no_longer_count(
    here: World,
) -> None:
    rental, script = await with_script(here, MINUTE, 3, lease=9 * HOUR, until_done=True, keep_if_failed=True)
    machine = here.machines[rental]
    machine.jobs = Jobs(here.clock)
    await here.pass_time(4 * MINUTE)
    machine.jobs.start(lasts=20 * MINUTE)
    await here.pass_time(30 * MINUTE)
    kept = await here.last_event(rental, E.KEPT_AFTER_FAILURE)
    lease = (await here.rental(rental.id)).running_lease
    assert [end for end, _ in script.starts] == [kept.facts.since]
    assert (kept.facts.until, lease.ends_at) == (datetime(2026, 11, 25, 8, tzinfo=UTC),) * 2
    assert (lease.latest_end, lease.until_done, lease.kept_until) == (None, None, None)


@pytest.mark.parametrize("down", [30 * MINUTE, 2 * HOUR])
async def test_a_machine_whose_script_failed_while_the_bot_was_down_is_kept(here: World, down: timedelta) -> None:
    """Before the outage, the bot has seen that the script was running."""
    rental, script = await with_script(here, 3 * MINUTE, 3, lease=9 * HOUR, keep_if_failed=True)
    await go_to(here, end_of(rental) - 13 * MINUTE)
    seen = (await here.rental(rental.id)).on_ending
    assert seen is not None
    assert seen.runs_for(end_of(rental))
    await here.be_down(down)
    await here.pass_time(5 * MINUTE)
    rental = await here.rental(rental.id)
    assert (rental.state, end_of(rental)) == (State.READY, datetime(2026, 11, 25, 8, tzinfo=UTC))
    assert await count(here, rental, E.KEPT_AFTER_FAILURE) == 1
    assert len(script.starts) == 1


async def test_keeping_a_machine_ends_a_request_for_less_time_than_that(here: World) -> None:
    """If an approver could still approve it, the machine would end earlier."""
    rental, _ = await with_script(here, MINUTE, 3, lease=9 * HOUR, keep_if_failed=True)
    end, hours = end_of(rental), datetime(2026, 11, 25, 8, tzinfo=UTC)
    await go_to(here, end - 30 * MINUTE)
    here.deps = replace(here.deps, rules=changed(here.deps.rules, auto_approve=ONE_DOLLAR))
    longer = await here.extend(rental, 2 * HOUR)
    assert longer.extension is not None
    await here.pass_time(20 * MINUTE)
    kept = await here.rental(rental.id)
    assert (end_of(kept), kept.extension) == (hours, None)
    expired = await here.last_event(rental, E.EXTENSION_EXPIRED)
    assert (expired.facts.until, expired.at) == (hours, (await here.last_event(rental, E.KEPT_AFTER_FAILURE)).at)
    with pytest.raises(TooLate):
        await here.approve(longer)
    assert end_of(await here.rental(rental.id)) == hours


async def test_keeping_a_machine_leaves_a_request_for_more_time_than_that(here: World) -> None:
    rental, _ = await with_script(here, MINUTE, 3, lease=9 * HOUR, keep_if_failed=True)
    end = end_of(rental)
    await go_to(here, end - 30 * MINUTE)
    here.deps = replace(here.deps, rules=changed(here.deps.rules, auto_approve=ONE_DOLLAR))
    longer = await here.extend(rental, 15 * HOUR)
    await here.pass_time(20 * MINUTE)
    assert await count(here, rental, E.KEPT_AFTER_FAILURE) == 1
    approved = await here.approve(longer)
    assert end_of(approved) == end + 15 * HOUR
    assert approved.running_lease.kept_until == datetime(2026, 11, 26, 8, tzinfo=UTC)


async def test_keeping_a_machine_whose_job_is_done_takes_no_approved_time_away(here: World) -> None:
    """Its approved latest end is after its owner's next hours, and stays reserved."""
    rental, _ = await with_script(here, MINUTE, 3, lease=32 * HOUR, until_done=True, keep_if_failed=True)
    machine, latest, hours = here.machines[rental], end_of(rental), datetime(2026, 11, 25, 8, tzinfo=UTC)
    machine.jobs = Jobs(here.clock)
    await here.pass_time(4 * MINUTE)
    machine.jobs.start(lasts=20 * MINUTE)
    await here.pass_time(32 * MINUTE)
    kept = await here.rental(rental.id)
    assert await count(here, rental, E.KEPT_AFTER_FAILURE) == 1
    assert (end_of(kept), kept.running_lease.latest_end, kept.running_lease.until_done) == (hours, latest, None)
    assert await reserved(here, rental) >= cost_at_most(rental.rate_at_most, latest + GRACE - here.now)
    here.deps = replace(here.deps, rules=changed(here.deps.rules, auto_approve=ONE_DOLLAR))
    longer = await here.extend(rental, latest - hours)
    assert (longer.extension, end_of(longer)) == (None, latest)


async def test_a_graceful_destroy_does_not_keep_a_machine_whose_script_fails(here: World) -> None:
    rental, _ = await with_script(here, MINUTE, 3, keep_if_failed=True)
    rental = await destroyed_gracefully(here, rental)
    assert await seen_destroyed_at(here, rental) == end_of(rental)
    assert await count(here, rental, E.KEPT_AFTER_FAILURE) == 0


async def test_the_script_does_not_run_before_an_end_that_moves(
    here: World,
) -> None:
    """Once the work stops, the script runs within the grace period."""
    rental, script = await with_script(here, 5 * MINUTE, up_to=4 * HOUR)
    here.machines[rental].use(98)
    first = end_of(rental)
    await go_to(here, first + 10 * MINUTE)
    rental = await here.rental(rental.id)
    assert (end_of(rental), script.starts) == (first + HOUR, [])
    # The work stops 31 min before the end, so the machine still counts as "in use" when the script would start.
    await here.pass_time(end_of(rental) - 31 * MINUTE - here.now)
    here.machines[rental].use(0)
    at = await seen_destroyed_at(here, rental)
    ((end, started),) = script.starts
    assert end == named(first + HOUR)
    assert first + HOUR - 2 * MINUTE < started < at == first + HOUR + GRACE


async def test_after_a_downtime_the_script_gets_a_grace_period(here: World) -> None:
    rental, script = await with_script(here, 5 * MINUTE)
    end = end_of(rental)
    await go_to(here, end - 20 * MINUTE)
    await here.be_down(25 * MINUTE)
    assert (await here.rental(rental.id)).state is State.READY
    back = here.now
    assert await seen_destroyed_at(here, rental) == back + GRACE
    assert script.starts == [(named(end), back)]
    assert (await here.last_event(rental, E.ENDING)).facts.until == back + GRACE


# --- a graceful destroy


async def destroyed_gracefully(here: World, rental: Rental, person: Person = ANA) -> Rental:
    await carry_out(here.deps, person, ending.Destroy(rental.id, graceful_destroy=True))
    await here.settle()
    return await here.rental(rental.id)


async def test_a_graceful_destroy_waits_for_the_script_up_to_ten_minutes(
    here: World,
) -> None:
    quick, script = await with_script(here, 3 * MINUTE)
    hangs, _ = await with_script(here, None)
    ends_at = (await preview(here.deps, ANA, ending.Destroy(quick.id))).plan.end_after_script
    assert ends_at is not None
    assert timedelta(0) <= TEN - (ends_at - here.now) < timedelta(seconds=1)
    pings = await direct_messages(here, quick)
    began = here.now
    quick, hangs = await destroyed_gracefully(here, quick, BEN), await destroyed_gracefully(here, hangs)
    latest = end_of(quick)
    assert timedelta(0) <= began + TEN - latest < timedelta(seconds=1)
    assert (quick.state, script.starts) == (State.READY, [(latest, began)])
    assert await direct_messages(here, quick) == pings + 1
    assert await seen_destroyed_at(here, hangs) == end_of(hangs)
    done = await here.rental(quick.id)
    assert done.ending is not None
    assert (done.ending.why, done.ending.by) == (Why.ASKED, BEN.id)
    assert 3 * MINUTE <= (await here.last_event(quick, E.DESTROYING)).at - began <= 4 * MINUTE


async def test_an_extension_cancels_a_graceful_destroy(
    sqlite_url: str,
) -> None:
    """No approval is needed, and the previous ends apply again."""
    rules = changed(RULES, auto_approve=AutoApprove(per_hour=Decimal(1), total=Decimal(1)))
    async with world(sqlite_url, rules=rules, probe_line=PROBE) as here:
        rental = await here.get(lease=6 * HOUR, up_to=8 * HOUR)
        rental = await here.until(await here.approve(rental, DORA), State.READY)
        here.machines[rental].script = Script(here.clock, None)
        await here.pass_time(4 * MINUTE)
        before = (await here.rental(rental.id)).running_lease
        for by in (before.ends_at, 2 * HOUR):
            held = await destroyed_gracefully(here, rental)
            assert held.running_lease.last_end == before.latest_end
            await carry_out(here.deps, ANA, leasing.Extend(rental.id, by))
            await here.settle()
            kept = await here.rental(rental.id)
            lease = kept.running_lease
            assert (lease.ends_at, lease.latest_end) == (before.ends_at, before.latest_end)
            assert lease.graceful_destroy is None
            assert (kept.extension, kept.terms) == (None, rental.terms)
            await here.pass_time(12 * MINUTE)
        assert (await here.rental(rental.id)).state is State.READY
        # The same applies to /gpu keep, and to a request for more time than before, which an approver decides.
        await destroyed_gracefully(here, rental)
        assert (await here.keep(rental, HOUR)).running_lease.ends_at == before.ends_at
        await destroyed_gracefully(here, rental)
        asked = await here.extend(rental, 12 * HOUR)
        assert asked.extension is not None
        assert (end_of(asked), asked.running_lease.latest_end) == (before.ends_at, before.latest_end)
        # The request stays pending until somebody destroys the machine.
        assert (await destroyed_gracefully(here, rental)).extension is None


async def test_an_immediate_destroy_overrides_a_graceful_one(here: World) -> None:
    """A second graceful destroy changes nothing."""
    rental, _ = await with_script(here, None)
    rental = await destroyed_gracefully(here, rental)
    with pytest.raises(TooLate):
        await destroyed_gracefully(here, rental, BEN)
    assert (await preview(here.deps, ANA, ending.Destroy(rental.id))).plan.end_after_script is None
    assert (await here.rental(rental.id)) == rental
    clicked = here.now
    await here.destroy(rental)
    assert await seen_destroyed_at(here, rental) == clicked
    with pytest.raises(TooLate):
        await destroyed_gracefully(here, rental)


async def test_a_graceful_destroy_needs_the_right_and_a_startable_script(here: World) -> None:
    rental, _ = await with_script(here, None, teammates=(CLEO.id,))
    other = await here.ready(person=BEN)
    with pytest.raises(Refused):
        await destroyed_gracefully(here, other, ANA)
    machine = here.machines[rental]
    machine.script = None
    for state in (OnEndingState.NONE, OnEndingState.REFUSED):
        machine.answers(on_ending=OnEnding(state=state))
        await here.pass_time(3 * MINUTE)
        await check_no_graceful_destroy(here, rental)
    machine.answers(on_ending=OnEnding(state=OnEndingState.THERE))
    await here.pass_time(3 * MINUTE)
    assert (await preview(here.deps, ANA, ending.Destroy(rental.id))).plan.end_after_script is not None
    machine.misses(Missed.REFUSED)
    await here.pass_time(3 * MINUTE)
    await check_no_graceful_destroy(here, rental)


async def check_no_graceful_destroy(here: World, rental: Rental) -> None:
    """Check that a graceful destroy isn't offered, and that requesting it nevertheless changes nothing."""
    assert (await preview(here.deps, ANA, ending.Destroy(rental.id))).plan.end_after_script is None
    before = await here.rental(rental.id)
    with pytest.raises(TooLate):
        await destroyed_gracefully(here, rental)
    assert (await here.rental(rental.id)).running_lease == before.running_lease


async def test_near_the_end_a_graceful_destroy_stays_within_the_approved_terms(here: World) -> None:
    rental, _ = await with_script(here, None)
    end = end_of(rental)
    await go_to(here, end + 8 * MINUTE)  # it waits for the script
    rental = await destroyed_gracefully(here, rental)
    assert end_of(rental) == named(end + GRACE)
    assert await seen_destroyed_at(here, rental) == end_of(rental)
