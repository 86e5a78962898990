"""Programs whose heartbeat is lost: the owner is told, the end moves, and it moves back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.errors import Refused, Stale
from bot.lifecycle.actions import ending, leasing
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.callers import Caller
from bot.lifecycle.actions.programs import note_heartbeat
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load
from bot.lifecycle.changes.transitions import alter, change_owner
from bot.lifecycle.deps import Door, Opened
from bot.lifecycle.steps.ready import run
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.facts import HeartbeatReturn
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.token import Access, Token, TokenState, TokenTerms, WhenLost
from tests.databases import beside
from tests.lifecycle.engine import Engine
from tests.lifecycle.leases import HIGH_LIMIT, count, direct_messages, end_of
from tests.lifecycle.machines import Jobs, Script
from tests.lifecycle.world import ANA, BEN, HOUR, MINUTE, PROBE, World, world
from tests.store import make

GRACE = 15 * MINUTE
BEAT = 5 * MINUTE
TOLD, MOVED = 20 * MINUTE, 35 * MINUTE
"""The times after the last heartbeat at which the owner is told, and at which the end moves."""


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    """Yield a world whose machines are probed, and whose programs can reach the bot."""
    async with world(sqlite_url, rules=HIGH_LIMIT, probe_line=PROBE) as made:
        made.restart(replace(made.deps, door=Door(open_since=made.now)))
        yield made


def token(here: World) -> Token:
    terms = TokenTerms(access=Access.RENT, models=("H100",), until=here.now + 14 * 24 * HOUR, lost=WhenLost.END)
    return Token(
        id="tok7a",
        owner=ANA.id,
        name="nightly eval",
        state=TokenState.LIVE,
        terms=terms,
        secret_hash="0" * 64,
        created_at=here.now,
        due_at=terms.until,
    )


async def of_program(here: World, when: WhenLost | None = WhenLost.END, **fields: object) -> Rental:
    """Return a ready machine that a program rented for 12 hours. The program has just sent its first heartbeat."""
    before = await here.ready(**{"lease": 12 * HOUR, **fields})
    after = alter(before, token_id="tok7a", program=make.program(lost=when))  # noqa: S106  an ID, not a secret

    async with here.deps.store.write() as tx:
        await tx.tokens.add(token(here))
        await apply(tx, here.deps, Change(before, after, ()))
    await beat(here, after)
    return await here.rental(before.id)


async def beat(here: World, rental: Rental) -> Rental:
    """Send a heartbeat, as the REST API does."""
    async with here.deps.store.read() as tx:
        owned = await tx.tokens.get("tok7a")
    assert owned is not None
    return await note_heartbeat(here.deps, Caller(token=owned, person=ANA), rental.id)


async def lose(here: World, rental: Rental, span: timedelta = TOLD) -> Rental:
    """Let time pass without a heartbeat, until `span` after the last one."""
    assert rental.heartbeat_at is not None
    await here.pass_time(rental.heartbeat_at + span - here.now)
    return await here.rental(rental.id)


def jobs_of(here: World, rental: Rental) -> Jobs:
    """Let a machine report its jobs from now on."""
    jobs = here.machines[rental].jobs = Jobs(here.clock)
    return jobs


async def restart(here: World, *, after: timedelta, door: bool = True) -> None:
    """Let the bot be down for a while, and start it again. Without `door`, it serves no REST API any more."""
    here.jump(after)
    opened = Opened(at=here.now, real=here.clock.real())
    here.restart(replace(here.deps, opened=opened, door=Door(here.now if door else None)))
    await here.settle()


async def destroyed_at(here: World, rental: Rental) -> datetime:
    """Let time pass, with probe runs, until the rental is destroyed. Return the start of its destruction."""
    await here.until(rental, State.DESTROYED, within=16 * HOUR)
    event = await here.last_event(rental, E.DESTROYING)
    assert event.facts.why is Why.LEASE_ENDED
    return event.at


# --- losing it


async def test_a_machine_ends_one_grace_period_after_its_owner_was_told_in_vain(here: World) -> None:
    """The owner gets two messages. Its script runs first, and all its hours stay reserved until then."""

    async def reserved() -> int:
        async with here.deps.store.read() as tx:
            return sum(one.amount for one in await tx.budgets.reservations(rental.id))

    rental = await of_program(here)
    usual, last, pings = end_of(rental), here.now, await direct_messages(here, rental)
    script = here.machines[rental].script = Script(here.clock, 5 * MINUTE)
    money = await reserved()
    await lose(here, rental)
    lost = await here.last_event(rental, E.HEARTBEAT_LOST)
    assert (lost.at, lost.facts.since, lost.facts.back_by) == (last + TOLD, last, last + MOVED)
    assert await direct_messages(here, rental) == pings + 1
    rental = await lose(here, rental, MOVED + MINUTE)
    ends = await here.last_event(rental, E.HEARTBEAT_ENDS)
    assert ends.at == last + MOVED
    assert end_of(rental) == ends.facts.until == ends.at + GRACE
    assert rental.running_lease.last_end == usual
    assert await reserved() == money
    assert await destroyed_at(here, rental) == end_of(rental)
    assert [end for end, _ in script.starts] == [end_of(rental).replace(microsecond=0)]
    assert await direct_messages(here, rental) == pings + 2
    assert await count(here, rental, E.ENDING) == 0


async def test_heartbeats_extend_nothing_and_cause_no_work(here: World) -> None:
    rental = await of_program(here, lease=2 * HOUR)
    for _ in range(23):
        await here.pass_time(BEAT)
        before = await here.rental(rental.id)
        await beat(here, rental)
        after = await here.rental(rental.id)
        assert after.heartbeat_at == here.now
        assert (after.version, after.due_at, end_of(after)) == (before.version, before.due_at, end_of(rental))
    assert await count(here, rental, E.HEARTBEAT_LOST) == 0
    assert await destroyed_at(here, rental) == end_of(rental)


@pytest.mark.parametrize("when", [None, WhenLost.TELL])
async def test_without_the_terms_a_lost_heartbeat_ends_nothing(here: World, when: WhenLost | None) -> None:
    rental = await of_program(here, when)
    usual = end_of(rental)
    rental = await lose(here, rental, 3 * HOUR)
    assert end_of(rental) == usual
    assert await count(here, rental, E.HEARTBEAT_LOST) == (0 if when is None else 1)


async def test_while_its_gpus_work_only_the_owner_is_told(here: World) -> None:
    """Once the GPUs have been idle for half an hour, the owner is told again, and has another 15 minutes."""
    rental = await of_program(here)
    usual = end_of(rental)
    here.machines[rental].use(98)
    rental = await lose(here, rental, 2 * HOUR)
    told = await here.last_event(rental, E.HEARTBEAT_LOST)
    assert (end_of(rental), told.facts.works, told.facts.until) == (usual, True, usual)
    here.machines[rental].use(0)
    stopped = here.now
    rental = await here.until_event(rental, E.HEARTBEAT_LOST)
    again = await here.last_event(rental, E.HEARTBEAT_LOST)
    assert stopped + 28 * MINUTE <= again.at <= stopped + 30 * MINUTE
    rental = await here.until_event(rental, E.HEARTBEAT_ENDS)
    assert await destroyed_at(here, rental) == again.at + 15 * MINUTE + GRACE
    assert await count(here, rental, E.HEARTBEAT_LOST) == 2


async def test_a_machine_ends_even_if_busy_if_the_terms_say_so(here: World) -> None:
    rental = await of_program(here, WhenLost.END_IF_BUSY)
    here.machines[rental].use(98)
    last = here.now
    assert await destroyed_at(here, rental) == last + MOVED + GRACE


async def test_work_that_begins_before_the_end_keeps_the_machine(here: World) -> None:
    rental = await of_program(here)
    usual = end_of(rental)
    await lose(here, rental, MOVED + MINUTE)
    here.machines[rental].use(98)
    await here.pass_time(HOUR)
    rental = await here.rental(rental.id)
    assert (rental.state, end_of(rental)) == (State.READY, usual)
    assert (await here.last_event(rental, E.HEARTBEAT_BACK)).facts.how is HeartbeatReturn.WORK


async def test_a_running_job_counts_as_a_heartbeat(here: World) -> None:
    """The job counts even if its program has died. Without GPU work, it counts for 4 hours only."""
    rental = await of_program(here)
    jobs_of(here, rental).start()
    rental = await lose(here, rental, 3 * HOUR)
    assert await count(here, rental, E.HEARTBEAT_LOST) == 0
    rental = await here.until_event(rental, E.HEARTBEAT_LOST, within=2 * HOUR)
    told = await here.last_event(rental, E.HEARTBEAT_LOST)
    assert told.at == rental.running_lease.ready_at + 4 * HOUR + TOLD


async def test_a_job_that_starts_before_the_end_keeps_the_machine(here: World) -> None:
    rental = await of_program(here)
    usual = end_of(rental)
    await lose(here, rental, MOVED + MINUTE)
    jobs_of(here, rental).start()
    await here.pass_time(HOUR)
    rental = await here.rental(rental.id)
    assert (rental.state, end_of(rental), rental.lost_heartbeat) == (State.READY, usual, None)
    assert (await here.last_event(rental, E.HEARTBEAT_BACK)).facts.how is HeartbeatReturn.JOB


async def test_a_job_that_is_done_ends_the_machine_if_that_is_earlier(here: World) -> None:
    """The heartbeat comes back before the end. The machine then ends because its job has ended by then."""
    rental = await of_program(here, until_done=True)
    usual, jobs = end_of(rental), jobs_of(here, rental)
    await lose(here, rental, MOVED + MINUTE)
    early = end_of(await here.rental(rental.id))
    jobs.start(lasts=MINUTE)
    await here.pass_time(6 * MINUTE)
    rental = await here.rental(rental.id)
    assert end_of(rental) <= early + 6 * MINUTE
    assert rental.running_lease.last_end == usual
    await beat(here, rental)
    await here.pass_time(2 * MINUTE)
    rental = await here.rental(rental.id)
    assert rental.running_lease.ends_when_done
    assert end_of(rental) < usual


# --- the bot was away


async def test_after_a_restart_every_heartbeat_has_its_full_time(here: World) -> None:
    rental = await of_program(here)
    await restart(here, after=2 * HOUR)
    back = here.now
    rental = await lose(here, rental, 2 * HOUR + TOLD - MINUTE)
    assert await count(here, rental, E.HEARTBEAT_LOST) == 0
    await here.pass_time(2 * MINUTE)
    assert (await here.last_event(rental, E.HEARTBEAT_LOST)).at == back + TOLD


async def test_after_a_restart_the_end_waits_until_the_program_could_be_heard(here: World) -> None:
    """The bot is down from before the end until after it. The program then has 20 minutes to come back."""
    rental = await of_program(here)
    usual = end_of(rental)
    await lose(here, rental, MOVED + MINUTE)
    await restart(here, after=HOUR)
    back = here.now
    rental = await here.rental(rental.id)
    assert (rental.state, end_of(rental)) == (State.READY, usual)
    away = await here.last_event(rental, E.HEARTBEAT_BACK)
    assert (away.facts.how, away.facts.back_by) == (HeartbeatReturn.AWAY, back + TOLD)
    assert await destroyed_at(here, rental) == back + TOLD + GRACE


async def test_a_program_that_comes_back_after_the_downtime_keeps_its_machine(here: World) -> None:
    rental = await of_program(here)
    usual = end_of(rental)
    await lose(here, rental, MOVED + MINUTE)
    await restart(here, after=HOUR)
    for _ in range(12):
        await here.pass_time(BEAT)
        await beat(here, rental)
    rental = await here.rental(rental.id)
    assert (rental.state, end_of(rental), rental.lost_heartbeat) == (State.READY, usual, None)


async def test_without_the_api_no_heartbeat_is_lost(here: World) -> None:
    first = await of_program(here)
    await lose(here, first, MOVED + MINUTE)
    usual = (await here.rental(first.id)).running_lease.last_end
    await restart(here, after=MINUTE, door=False)
    await here.pass_time(3 * HOUR)
    rental = await here.rental(first.id)
    assert (rental.state, end_of(rental)) == (State.READY, usual)
    assert (await here.last_event(rental, E.HEARTBEAT_BACK)).facts.how is HeartbeatReturn.NOT_EXPECTED
    assert await count(here, rental, E.HEARTBEAT_LOST) == 1


async def test_restarts_in_quick_succession_repeat_no_message(here: World) -> None:
    """A process that starts again and again never sees a heartbeat missing for long enough."""
    rental = await of_program(here)
    for _ in range(12):
        await restart(here, after=10 * MINUTE)
    assert await count(here, rental, E.HEARTBEAT_LOST) == 0


@pytest.mark.parametrize("after", [MINUTE, TOLD + MINUTE, MOVED + MINUTE])
async def test_a_stopped_token_no_longer_has_to_send_heartbeats(here: World, after: timedelta) -> None:
    """Its program couldn't send any. The machine keeps running until its usual end, unless somebody ends it."""
    rental = await of_program(here)
    usual = end_of(rental)
    await lose(here, rental, after)
    async with here.deps.store.write() as tx:
        live = await tx.tokens.get("tok7a")
        assert live is not None
        await tx.tokens.save(live, changed(live, state=TokenState.STOPPED, over_at=here.now, due_at=None))
    rental = await lose(here, rental, 3 * HOUR)
    assert (rental.state, end_of(rental), rental.lost_heartbeat) == (State.READY, usual, None)
    told = 1 if after > TOLD else 0
    assert await count(here, rental, E.HEARTBEAT_LOST) == await count(here, rental, E.HEARTBEAT_BACK) == told


async def test_no_heartbeats_are_expected_while_the_owner_may_not_use_the_bot(here: World) -> None:
    """The bot refuses all requests of the program."""
    rental = await of_program(here)
    usual, rules = end_of(rental), here.deps.rules
    here.deps = replace(here.deps, rules=changed(rules, use=changed(rules.use, groups=("S0ML",))))
    here.restart(here.deps)
    rental = await lose(here, rental, MOVED + GRACE + MINUTE)
    assert (rental.state, end_of(rental)) == (State.READY, usual)
    assert await count(here, rental, E.HEARTBEAT_LOST) == 0


async def test_heartbeats_in_a_loop_are_stored_every_ten_seconds(here: World) -> None:
    rental = await of_program(here)
    first, seconds = here.now, timedelta(seconds=1)
    for after, stored in ((1, 0), (8, 0), (1, 10), (9, 10), (3, 22)):
        here.jump(after * seconds)
        await beat(here, rental)
        assert (await here.rental(rental.id)).heartbeat_at == first + stored * seconds


# --- it comes back, or somebody answers


@pytest.mark.parametrize("after", [TOLD + MINUTE, MOVED + MINUTE, MOVED + GRACE - timedelta(seconds=1)])
async def test_a_heartbeat_that_comes_back_in_time_restores_the_end(here: World, after: timedelta) -> None:
    rental = await of_program(here)
    usual = end_of(rental)
    await lose(here, rental, after)
    rental = await beat(here, rental)
    assert (end_of(rental), rental.running_lease.heartbeat_end, rental.lost_heartbeat) == (usual, None, None)
    back = await here.last_event(rental, E.HEARTBEAT_BACK)
    assert (back.facts.how, back.facts.since) == (HeartbeatReturn.HEARTBEAT, here.now)
    assert back.facts.until == (usual if after > MOVED else None)
    await here.pass_time(19 * MINUTE)
    assert await count(here, rental, E.HEARTBEAT_LOST) == 1
    await here.pass_time(2 * MINUTE)
    assert await count(here, rental, E.HEARTBEAT_LOST) == 2


@pytest.mark.parametrize(
    ("after", "lost"),
    [
        pytest.param(TOLD, 0, id="before the step finds it lost"),
        pytest.param(MOVED + GRACE, 1, id="before the step destroys the machine"),
    ],
)
async def test_a_heartbeat_that_arrives_during_a_step_counts(here: World, after: timedelta, lost: int) -> None:
    """The heartbeat arrives after the step has read the rental, while the step waits for the market's answer."""
    rental = await of_program(here)
    usual = end_of(rental)
    await lose(here, rental, after - MINUTE)
    market, resource, heard = here.deps.market, here.deps.market.resource, []

    async def answer(*args: Any, **more: Any) -> Any:
        heard.append(await beat(here, rental))
        return await resource(*args, **more)

    here.jump(MINUTE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(market, "resource", answer)
        await here.settle()
    assert heard
    await here.pass_time(10 * MINUTE)
    rental = await here.rental(rental.id)
    assert (rental.state, end_of(rental)) == (State.READY, usual)
    assert await count(here, rental, E.HEARTBEAT_LOST) == lost


async def test_a_step_that_has_decided_to_end_the_machine_yields_to_a_heartbeat(here: World) -> None:
    rental = await of_program(here)
    await lose(here, rental, MOVED + GRACE - MINUTE)
    here.jump(MINUTE)
    before = await load(here.deps, rental.id)
    assert before is not None
    after = await run(here.deps, before)
    assert after.rental.state is State.DESTROYING
    await beat(here, rental)
    with pytest.raises(Stale):
        async with here.deps.store.write() as tx:
            await apply(tx, here.deps, Change(before.rental, after.rental, after.events))
    await here.settle()
    assert (await here.rental(rental.id)).state is State.READY


@pytest.mark.parametrize("after", [TOLD + MINUTE, MOVED + MINUTE])
async def test_a_machine_that_is_kept_neither_ends_nor_causes_questions_for_an_hour(
    here: World, after: timedelta
) -> None:
    """A second click changes nothing. After the hour, the owner is told again and has another 15 minutes."""
    rental = await of_program(here)
    usual = end_of(rental)
    await lose(here, rental, after)
    pings, kept = await direct_messages(here, rental), here.now
    for _ in range(2):
        rental = await carry_out(here.deps, ANA, leasing.KeepDespiteLostHeartbeat(rental.id))
    assert (end_of(rental), rental.running_lease.heartbeat_end) == (usual, None)
    await here.pass_time(HOUR - MINUTE)
    assert await direct_messages(here, rental) == pings
    assert await count(here, rental, E.KEPT_WITHOUT_HEARTBEAT) == 1
    rental = await here.until_event(rental, E.HEARTBEAT_LOST)
    assert (await here.last_event(rental, E.HEARTBEAT_LOST)).at == kept + HOUR
    assert await destroyed_at(here, rental) == kept + HOUR + 15 * MINUTE + GRACE


async def test_only_those_who_may_extend_the_machine_can_keep_it(here: World) -> None:
    rental = await lose(here, await of_program(here))
    with pytest.raises(Refused):
        await carry_out(here.deps, BEN, leasing.KeepDespiteLostHeartbeat(rental.id))
    assert await count(here, rental, E.KEPT_WITHOUT_HEARTBEAT) == 0


async def test_keeping_it_after_the_heartbeat_is_back_changes_nothing(here: World) -> None:
    rental = await lose(here, await of_program(here))
    rental = await beat(here, rental)
    assert await carry_out(here.deps, ANA, leasing.KeepDespiteLostHeartbeat(rental.id)) == rental


async def test_an_extension_restores_the_usual_end_and_stops_questions_for_an_hour(here: World) -> None:
    rental = await of_program(here)
    usual = end_of(rental)
    await lose(here, rental, MOVED + MINUTE)
    rental = await here.extend(rental, HOUR)
    assert end_of(rental) == usual
    await here.pass_time(HOUR - MINUTE)
    rental = await here.rental(rental.id)
    assert (rental.state, end_of(rental)) == (State.READY, usual)
    await here.until_event(rental, E.HEARTBEAT_LOST)


async def test_a_graceful_destroy_goes_on_and_keeping_the_machine_restores_the_usual_end(here: World) -> None:
    rental = await of_program(here)
    usual = end_of(rental)
    here.machines[rental].script = Script(here.clock, 30 * MINUTE)
    await lose(here, rental, MOVED + MINUTE)
    await carry_out(here.deps, ANA, ending.Destroy(rental.id, graceful_destroy=True))
    rental = await here.rental(rental.id)
    graceful = rental.running_lease.graceful_destroy
    assert graceful is not None
    assert (graceful.ends_at, rental.running_lease.heartbeat_end) == (usual, None)
    rental = await beat(here, rental)
    assert rental.running_lease.graceful_destroy == graceful
    rental = await here.keep(rental, HOUR)
    assert end_of(rental) == usual


async def test_a_new_owner_gets_the_usual_end(here: World) -> None:
    rental = await of_program(here)
    usual = end_of(rental)
    rental = await lose(here, rental, MOVED + MINUTE)
    async with here.deps.store.write() as tx:
        await apply(tx, here.deps, Change(rental, change_owner(rental, BEN.id, here.now), ()))
    await here.pass_time(3 * HOUR)
    rental = await here.rental(rental.id)
    assert (rental.owner, rental.state, end_of(rental)) == (BEN.id, State.READY, usual)


async def test_a_failed_script_keeps_the_machine_once(here: World) -> None:
    """The lost heartbeat doesn't move the end again before the machine's owner had time to react."""
    rental = await of_program(here, keep_if_failed=True)
    here.machines[rental].script = Script(here.clock, MINUTE, status=1)
    await lose(here, rental, MOVED + GRACE - MINUTE)
    rental = await here.rental(rental.id)
    kept = await here.last_event(rental, E.KEPT_AFTER_FAILURE)
    assert end_of(rental) == kept.facts.until
    await here.pass_time(2 * HOUR)
    rental = await here.rental(rental.id)
    assert (rental.state, end_of(rental)) == (State.READY, kept.facts.until)


async def test_a_restart_at_any_moment_repeats_nothing(here: World) -> None:
    """The processes restart within seconds, so that each of them has nearly been listening all the time."""
    rental = await of_program(here)
    deps = here.deps
    for _ in range(25):
        here.restart(deps)
        await here.pass_time(MINUTE)
        here.jump(MINUTE)
        await here._run_pass(here.probe_runs)  # what it saw is stored, and no step has run
    here.restart(deps)
    await here.until(rental, State.DESTROYED)
    kinds = await here.event_kinds(rental)
    once = (E.HEARTBEAT_LOST, E.HEARTBEAT_ENDS, E.DESTROYING, E.ENDED)
    assert [kinds.count(kind) for kind in once] == [1, 1, 1, 1]
    assert await here.alive() == []


@pytest.mark.parametrize(("after", "kind"), [(TOLD, E.HEARTBEAT_LOST), (MOVED, E.HEARTBEAT_ENDS)])
async def test_one_of_two_processes_tells_the_owner_and_moves_the_end(
    here: World, after: timedelta, kind: E
) -> None:
    rental = await of_program(here)
    await lose(here, rental, after - MINUTE)
    here.jump(MINUTE)
    second = Engine(replace(here.deps, store=beside(here.database)))
    loops = (*here.engine.loops, *second.loops)
    await asyncio.gather(*(loop.run_pass() for loop in loops))
    await asyncio.gather(*(loop.drain() for loop in loops))
    await here.pass_time(MINUTE)
    assert await count(here, rental, kind) == 1
