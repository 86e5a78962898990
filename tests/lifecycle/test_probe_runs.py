"""Probe runs on ready machines: their times, the data that they store, and the reasons for which they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from bot.lifecycle.actions import queries
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.leasing import ProbeNow
from bot.lifecycle.loops.probe_runs import ProbeRuns
from bot.lifecycle.loops.retention import drop_old_samples
from bot.model.event import EventKind as E
from bot.model.machine_use import Missed, UsageStatus
from bot.model.rental import Rental
from bot.model.request import Contract
from bot.model.state import State
from bot.policy.team.rules import Idle, ProbeKind
from tests.lifecycle.checks import check, check_delivered
from tests.lifecycle.world import ANA, BEN, HOUR, MINUTE, PROBE, RULES, SECOND, Clock, World, world


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    """Yield a world whose machines have a probe. After the test, check the invariants."""
    async with world(sqlite_url, probe_line=PROBE) as made:
        yield made
        await check(made)
        await check_delivered(made)


async def usage_status(here: World, rental: Rental) -> list[tuple[UsageStatus | None, datetime | None]]:
    """Return the usage statuses that were stored, in order, each with its start."""
    events = [event for event in await here.events(rental) if event.kind is E.USE_CHANGED]
    return [(event.facts.status, event.facts.since) for event in events]


async def gaps(here: World, rental: Rental) -> list[timedelta]:
    """Return the times between ready and the first sample, and between each sample and the next."""
    ready_at = rental.running_lease.ready_at
    times = [ready_at, *(sample.at for sample in await here.samples(rental))]
    return [after - before for before, after in pairwise(times)]


# --- stored data


async def test_a_changed_usage_status_is_stored_without_a_ping(here: World) -> None:
    rental = await here.ready(lease=8 * HOUR)
    machine = here.machines[rental]
    machine.use(98, peers=["p1"])
    await here.pass_time(20 * MINUTE)
    worked_until = (await here.samples(rental))[-1].at
    machine.use(0)
    await here.pass_time(HOUR)

    found = await usage_status(here, rental)
    assert [status for status, _ in found if status is not UsageStatus.UNKNOWN] == [
        UsageStatus.IN_USE,
        UsageStatus.IDLE,
    ]
    assert found[-1] == (UsageStatus.IDLE, worked_until)
    after = await here.rental(rental.id)
    assert after.use is not None
    assert (after.use.status, after.use.since) == found[-1]
    assert set(await gaps(here, rental)) == {timedelta(0), 2 * MINUTE}
    assert E.USE_CHANGED not in [kind for _, kind in await here.direct(rental)]

    # The next question shows the connections at that time, not those that led to the usage status.
    asked = (await here.last_event(rental, E.STILL_NEEDED)).at
    machine.use(0, peers=["p1", "p2"])
    await here.pass_time(asked + 2 * HOUR - here.now)
    judged, question = [(await here.last_event(rental, kind)).facts for kind in (E.USE_CHANGED, E.STILL_NEEDED)]
    assert (question.status, question.since, question.span) == (
        UsageStatus.CONNECTED,
        worked_until,
        here.now - worked_until,
    )
    assert judged.use is not None
    assert question.use is not None
    assert (judged.use.connections, question.use.connections) == (1, 2)


async def test_questions_and_details_count_a_connection_seen_only_just_now(here: World) -> None:
    rental = await here.ready(lease=12 * HOUR)
    machine = here.machines[rental]

    async def asked() -> bool:
        return E.STILL_NEEDED in await here.event_kinds(rental)

    await here.pass_time(4 * HOUR, asked)
    first = (await here.last_event(rental, E.STILL_NEEDED)).at
    await here.be_down(3 * MINUTE)  # so the last probe run is a minute before the next question
    await here.pass_time(first + 2 * HOUR - 2 * MINUTE - here.now)
    machine.use(0, peers=["p1"])
    await here.pass_time(2 * MINUTE)
    question = await here.last_event(rental, E.STILL_NEEDED)
    seen = [sample.peers for sample in await here.samples(rental) if sample.at <= question.at]
    assert (question.at, seen[-2:]) == (first + 2 * HOUR, [(), ("p1",)])
    assert question.facts.use is not None
    assert (question.facts.use.status, question.facts.use.connections) == (UsageStatus.IDLE, 0)
    assert question.facts.use.new_connections == 1
    recent = (await queries.show(here.deps, ANA, rental.id)).recent_use
    assert recent is not None
    assert (recent.connections, recent.new_connections) == (0, 1)


async def test_spot_machines_are_probed_every_minute(here: World) -> None:
    rental = await here.ready(contract=Contract.SPOT, lease=2 * HOUR)
    await here.pass_time(10 * MINUTE)
    assert set((await gaps(here, rental))[1:]) == {MINUTE}


async def test_a_machine_without_a_probe_is_not_probed(here: World) -> None:
    without = await here.ready(probe=False)
    here.restart(replace(here.deps, probe_line=""))
    older = await here.ready()
    await here.pass_time(20 * MINUTE)
    assert [here.machines[rental].probe_runs for rental in (without, older)] == [0, 0]
    assert await here.probe_runs.next_due() is None


async def test_probing_continues_after_the_rules_switched_it_off_for_a_while(here: World) -> None:
    rental = await here.ready(lease=8 * HOUR)
    deps = here.deps
    here.restart(replace(deps, rules=RULES.model_copy(update={"idle": Idle(probe=ProbeKind.NONE)})))
    probe_runs = here.machines[rental].probe_runs
    await here.pass_time(20 * MINUTE)
    assert here.machines[rental].probe_runs == probe_runs
    here.restart(deps)
    await here.pass_time(MINUTE)
    assert here.machines[rental].probe_runs == probe_runs + 1


async def test_samples_older_than_two_days_are_dropped(here: World) -> None:
    rental = await here.ready(lease=20 * HOUR)
    await here.pass_time(10 * MINUTE)
    await here.be_down(48 * HOUR)
    newest = (await here.samples(rental))[-1]
    await drop_old_samples(here.deps)
    left = await here.samples(rental)
    assert all(here.now - sample.at <= 48 * HOUR for sample in left)
    assert newest in left
    assert len(left) < 7


async def test_a_change_during_a_probe_run_and_its_readings_are_both_kept(url: str) -> None:
    async with world(url, probe_line=PROBE) as here:
        rental = await here.ready(lease=2 * HOUR)
        machine = here.machines[rental]
        machine.use(98)
        machine.hold()
        here.jump(2 * MINUTE)
        await here.probe_runs.run_pass()
        await machine.arrived.wait()
        extended = await here.extend(rental, HOUR, settle=False)
        machine.release()
        await here.settle()
        after = await here.rental(rental.id)
        assert after.running_lease.ends_at == extended.running_lease.ends_at
        assert after.use is not None
        assert after.use.status is UsageStatus.IN_USE


async def test_checks_of_a_machine_continue_while_its_probe_run_hangs(here: World) -> None:
    rental = await here.ready(lease=8 * HOUR)
    machine = here.machines[rental]
    machine.hold()
    here.jump(2 * MINUTE)
    await here.probe_runs.run_pass()
    await machine.arrived.wait()
    asked = len(await here.calls("get_resource"))
    here.jump(5 * MINUTE)
    await here.engine.run_pass()
    await here.engine.drain()
    assert here.probe_runs.in_flight == 1
    assert len(await here.calls("get_resource")) > asked
    machine.release()
    await here.settle()


# --- missed probe runs


async def test_a_missed_probe_run_triggers_an_immediate_lookup(here: World) -> None:
    rental = await here.ready(lease=8 * HOUR)
    await here.pass_time(9 * MINUTE)
    here.machines[rental].misses(Missed.NO_ANSWER)
    probed = here.machines[rental].probe_runs
    asked = len(await here.calls("get_resource"))

    async def was_probed() -> bool:
        return here.machines[rental].probe_runs > probed

    await here.pass_time(2 * MINUTE, was_probed)
    assert (await here.samples(rental))[-1].at == here.now
    assert len(await here.calls("get_resource")) > asked


async def test_refused_logins_are_retried_less_and_less_often(here: World) -> None:
    rental = await here.ready(lease=20 * HOUR)
    here.machines[rental].misses(Missed.REFUSED)
    await here.pass_time(HOUR)
    assert (await gaps(here, rental))[2:] == [seconds * SECOND for seconds in (30, 60, 120, *[300] * 10)]
    use = (await here.rental(rental.id)).use
    assert use is not None
    assert (use.status, use.why) == (UsageStatus.UNKNOWN, Missed.REFUSED)
    # The owner says three times that they installed the probe. OpenSSH blocks an address after three failures in
    # 15 s.
    probe_runs = here.machines[rental].probe_runs
    for _ in range(3):
        await carry_out(here.deps, ANA, ProbeNow(rental.id))
        await here.pass_time(9 * SECOND)
    await here.pass_time(MINUTE)
    assert here.machines[rental].probe_runs == probe_runs + 2
    assert (await gaps(here, rental))[-1] == 30 * SECOND
    # The probe is installed now.
    here.machines[rental].use(50)
    await here.pass_time(8 * MINUTE)
    after = await here.rental(rental.id)
    assert after.use is not None
    assert after.use.status is UsageStatus.IN_USE
    assert (await gaps(here, rental))[-1] == 2 * MINUTE


@pytest.mark.parametrize("contract", Contract)
async def test_an_unanswering_machine_is_probed_every_five_minutes(here: World, contract: Contract) -> None:
    rental = await here.ready(contract=contract, lease=20 * HOUR)
    await here.pass_time(10 * MINUTE)
    here.machines[rental].misses(Missed.NO_ANSWER)
    answered = len(await here.samples(rental))
    usual = MINUTE if contract is Contract.SPOT else 2 * MINUTE
    await here.pass_time(3 * usual + 20 * MINUTE)
    assert (await gaps(here, rental))[answered:] == [usual] * 3 + [5 * MINUTE] * 4
    use = (await here.rental(rental.id)).use
    assert use is not None
    assert use.why is Missed.NO_ANSWER
    # The machine answers again. Probe runs that are five minutes apart aren't a gap, so a usage status follows.
    here.machines[rental].use(98)
    await here.pass_time(5 * MINUTE)
    use = (await here.rental(rental.id)).use
    assert use is not None
    assert use.status is UsageStatus.IN_USE


async def test_if_most_probe_runs_fail_statuses_are_frozen_for_an_hour(here: World) -> None:
    rentals = [await here.ready(person=person, lease=20 * HOUR) for person in (ANA, ANA, BEN)]
    for rental in rentals:
        here.machines[rental].use(98)
    await here.pass_time(10 * MINUTE)
    for rental in rentals:
        here.machines[rental].misses(Missed.NO_ANSWER)
    await here.pass_time(40 * MINUTE)
    assert here.probe_runs.failing()
    for rental in rentals:
        assert (await here.samples(rental))[-1].missed is Missed.NO_ANSWER
        assert [status for status, _ in await usage_status(here, rental)][-1] is UsageStatus.IN_USE
    await here.pass_time(30 * MINUTE)
    for rental in rentals:
        assert [status for status, _ in await usage_status(here, rental)][-1] is UsageStatus.UNKNOWN


async def test_a_busy_machine_runs_on_while_most_probe_runs_fail(here: World) -> None:
    """Its flexible end moves later, and its owner isn't asked about it."""
    one = await here.ready(person=BEN, lease=2 * HOUR, up_to=20 * HOUR)
    ready_at, end = one.running_lease.ready_at, one.running_lease.ends_at
    await here.pass_time(ready_at + 65 * MINUTE - here.now)
    await here.keep(one, HOUR, BEN)
    others = [await here.ready(person=person, lease=20 * HOUR) for person in (ANA, ANA, BEN)]
    for rental in others:
        here.machines[rental].use(98)
    await here.pass_time(ready_at + 80 * MINUTE - here.now)
    for rental in others:
        here.machines[rental].misses(Missed.NO_ANSWER)
    await here.pass_time(6 * MINUTE)
    assert here.probe_runs.failing()
    here.machines[one].use(98)
    await here.pass_time(end + 10 * MINUTE - here.now)
    assert here.probe_runs.failing()
    assert (await usage_status(here, one))[-1] == (UsageStatus.IDLE, ready_at)
    one = await here.rental(one.id)
    assert (one.state, one.running_lease.ends_at) == (State.READY, end + HOUR)
    kinds = await here.event_kinds(one)
    assert (kinds.count(E.STILL_NEEDED), kinds.count(E.ENDING)) == (1, 0)
    evidence = (await here.last_event(one, E.END_MOVED)).facts.use
    assert evidence is not None
    assert evidence.status is UsageStatus.IN_USE


async def test_a_single_failing_machine_is_unknown_after_three_probe_runs(here: World) -> None:
    rentals = [await here.ready(person=person, lease=20 * HOUR) for person in (ANA, ANA, BEN)]
    for rental in rentals:
        here.machines[rental].use(98)
    await here.pass_time(10 * MINUTE)
    alone, *others = rentals
    here.machines[alone].misses(Missed.NO_ANSWER)
    await here.pass_time(8 * MINUTE)
    assert not here.probe_runs.failing()
    assert [status for status, _ in await usage_status(here, alone)][-1] is UsageStatus.UNKNOWN
    for rental in others:
        assert [status for status, _ in await usage_status(here, rental)][-1] is UsageStatus.IN_USE


# --- host keys


async def test_a_changed_host_key_is_not_trusted_and_reported_once(here: World) -> None:
    rental = await here.ready(lease=20 * HOUR, teammates=(BEN.id,))
    await here.pass_time(4 * MINUTE)
    pinned = (await here.rental(rental.id)).host_key
    assert pinned is not None
    for key, times in (("SHA256:new", 1), ("SHA256:new", 1), ("SHA256:newer", 2)):
        here.machines[rental].host_key = key
        await here.pass_time(10 * MINUTE)
        assert (await here.direct(rental)).count((ANA.id, E.HOST_KEY_CHANGED)) == times
    assert (await here.direct(rental)).count((BEN.id, E.HOST_KEY_CHANGED)) == 2
    facts = (await here.last_event(rental, E.HOST_KEY_CHANGED)).facts
    assert (facts.before_host_key, facts.host_key) == (pinned, "SHA256:newer")
    after = await here.rental(rental.id)
    assert after.host_key == pinned
    assert after.use is not None
    assert (after.use.status, after.use.why) == (UsageStatus.UNKNOWN, Missed.HOST_KEY_CHANGED)


# --- the end of probe runs


async def test_a_probe_run_is_cancelled_when_its_machine_is_deleted(here: World) -> None:
    rental = await here.ready()
    machine = here.machines[rental]
    before = len(await here.samples(rental))
    machine.hold()
    here.jump(2 * MINUTE)
    await here.probe_runs.run_pass()
    await machine.arrived.wait()
    assert here.probe_runs.in_flight == 1
    await here.destroy(rental, settle=False)
    await here.probe_runs.run_pass()
    assert here.probe_runs.in_flight == 0
    machine.release()
    await here.pass_time(HOUR)
    assert machine.probe_runs == before + 1
    assert len(await here.samples(rental)) == before


async def test_a_probe_run_interrupted_by_a_crash_is_repeated(here: World) -> None:
    rental = await here.ready()
    machine = here.machines[rental]
    machine.hold()
    here.jump(2 * MINUTE)
    await here.probe_runs.run_pass()
    await machine.arrived.wait()
    # The process dies, so nothing releases the claim. The next process ends the claims of earlier ones when it
    # starts.
    here.restart(here.deps)
    await here.database.end_claims()
    machine.release()
    before = len(await here.samples(rental))
    await here.settle()
    assert len(await here.samples(rental)) == before + 1


@pytest.mark.usefixtures("logs")
async def test_a_probe_run_with_a_bug_is_retried_and_stops_no_other(here: World) -> None:
    broken, other = [await here.ready(lease=20 * HOUR) for _ in range(2)]
    here.machines[broken].bug = OverflowError()
    before = len(await here.samples(broken)), len(await here.samples(other))
    await here.pass_time(6 * MINUTE)
    assert len(await here.samples(broken)) == before[0]
    assert len(await here.samples(other)) > before[1]
    here.machines[broken].bug = None
    await here.pass_time(2 * MINUTE)
    assert len(await here.samples(broken)) == before[0] + 1


async def test_a_claim_with_an_unconfirmed_commit_expires(here: World) -> None:
    rental = await here.ready()
    async with here.database.write() as tx:
        assert [one.id for one in await tx.probe_runs.claim(here.now + HOUR, 9, 0.2)] == [rental.id]
    before = len(await here.samples(rental))
    here.jump(2 * MINUTE)
    await here.settle()
    assert len(await here.samples(rental)) == before
    await asyncio.sleep(0.25)
    here.look_again()
    await here.settle()
    assert len(await here.samples(rental)) == before + 1


async def test_terminated_machines_do_not_count_as_failing_probe_runs(here: World) -> None:
    rentals = [await here.ready(person=person, lease=20 * HOUR) for person in (ANA, ANA, BEN, BEN)]
    for rental in rentals:
        here.machines[rental].use(98)
    await here.pass_time(10 * MINUTE)
    *terminated, left = rentals
    for rental in terminated:
        here.machines[rental].misses(Missed.NO_ANSWER)
    await here.pass_time(3 * MINUTE)
    assert here.probe_runs.failing()
    for rental in terminated:
        await here.vanish(rental, "deleted")
    await here.pass_time(5 * MINUTE)
    assert not here.probe_runs.failing()
    here.machines[left].misses(Missed.NO_ANSWER)
    await here.pass_time(8 * MINUTE)
    assert (await usage_status(here, left))[-1][0] is UsageStatus.UNKNOWN


async def test_logins_start_at_a_limited_rate(here: World) -> None:
    pauses: list[float] = []

    class StoppedClock(Clock):
        def monotonic(self) -> float:
            return 1000.0

        async def pause(self, seconds: float) -> None:
            pauses.append(seconds)

    for person in (ANA, ANA, BEN, BEN):
        await here.ready(person=person, lease=20 * HOUR)
    here.jump(5 * MINUTE)
    here.probe_runs = ProbeRuns(replace(here.deps, clock=StoppedClock(here.now)), logins_per_second=4)
    await here.probe_runs.run_pass()
    await here.probe_runs.drain()
    assert sorted(pauses) == [0.25, 0.5, 0.75]
    await here.deliver_all()


async def test_the_number_of_simultaneous_probe_runs_is_limited(here: World) -> None:
    rentals = [await here.ready(person=person, lease=20 * HOUR) for person in (ANA, ANA, BEN)]
    here.probe_runs = ProbeRuns(here.deps, at_once=2)
    for rental in rentals:
        here.machines[rental].hold()
    here.jump(5 * MINUTE)
    await here.probe_runs.run_pass()
    await here.probe_runs.run_pass()
    assert here.probe_runs.in_flight == 2
    for rental in rentals:
        here.machines[rental].release()
    await asyncio.sleep(0)
    await here.settle()
    assert {(await here.samples(rental))[-1].at for rental in rentals} == {here.now}
