"""Probe runs and samples of ready machines.

Probing begins when a machine becomes ready, and ends when it stops being ready.
"""

from __future__ import annotations

from datetime import timedelta

from bot.model.attempt import AttemptState
from bot.model.machine_use import GpuUse, Missed, Sample
from bot.model.rental import Rental
from bot.model.state import State
from store.db import Database, Written
from tests.databases import START
from tests.store import make

MINUTE = timedelta(minutes=1)


async def store_starting(database: Database, rental_id: str = "k7mq2") -> Rental:
    return await make.store_rental(database, make.rental(rental_id, state=State.PROVISIONING))


async def change(database: Database, before: Rental, **fields: object) -> Rental:
    after = make.next_of(before, **fields)
    async with database.write() as tx:
        await tx.rentals.apply(make.unchecked(before, after))
    return after


async def become_ready(database: Database, rental_id: str = "k7mq2") -> Rental:
    starting = await store_starting(database, rental_id)
    return await change(database, starting, state=State.READY, lease=make.lease())


async def test_a_machine_is_probed_while_it_is_ready(database: Database) -> None:
    starting = await store_starting(database)
    async with database.read() as tx:
        assert await tx.probe_runs.next_due() is None

    ready = await change(database, starting, state=State.READY, lease=make.lease())
    async with database.read() as tx:
        assert await tx.probe_runs.next_due() == START
        assert await tx.probe_runs.ongoing(["k7mq2", "other"]) == {"k7mq2"}

    async with database.write() as tx:
        (first,) = await tx.probe_runs.claim(START, 9, 20)
        assert await tx.probe_runs.defer(first, START + MINUTE)
    extended = await change(database, ready, lease=make.lease(ends_at=START + timedelta(hours=9)))
    async with database.read() as tx:
        # A change of a ready rental doesn't affect its next probe run.
        assert await tx.probe_runs.next_due() == START + MINUTE

    await change(database, extended, state=State.DESTROYING)
    async with database.write() as tx:
        assert await tx.probe_runs.next_due() is None
        assert await tx.probe_runs.ongoing(["k7mq2"]) == set()
        assert not await tx.probe_runs.defer(first, START + MINUTE)
        assert await tx.probe_runs.claim(START + timedelta(days=1), 9, 20) == []


async def test_the_overdue_deletion_of_a_machine_ends_its_probe_runs(database: Database) -> None:
    starting = make.rental(state=State.PROVISIONING, attempts=1)
    await make.store_rental(database, starting, make.attempt(state=AttemptState.BOUGHT))
    await change(database, starting, state=State.READY, lease=make.lease())
    async with database.write() as tx:
        attempt = await tx.overdue.attempt("k7mq2", 1)
        assert attempt is not None
        assert await tx.overdue.mark_for_deletion(attempt, [], START)
        assert await tx.probe_runs.ongoing(["k7mq2"]) == set()


async def test_the_probing_loop_wakes_when_probe_runs_begin_end_or_become_due(
    database: Database,
) -> None:
    calls: list[None] = []
    database.on_commit(lambda: calls.append(None), Written.PROBE_RUNS)
    starting = await store_starting(database)
    assert len(calls) == 0
    ready = await change(database, starting, state=State.READY, lease=make.lease())
    assert len(calls) == 1
    async with database.write() as tx:
        (one,) = await tx.probe_runs.claim(START, 9, 20)
        assert await tx.probe_runs.defer(one, START + 5 * MINUTE)
    assert len(calls) == 1
    async with database.write() as tx:
        await tx.probe_runs.make_due("k7mq2", START + MINUTE)
        await tx.probe_runs.make_due("other", START + MINUTE)
        assert await tx.probe_runs.next_due() == START + MINUTE
    assert len(calls) == 2
    await change(database, ready, state=State.LOST)
    assert len(calls) == 3


async def test_samples_are_read_as_they_were_written_oldest_first(database: Database) -> None:
    await store_starting(database)
    await store_starting(database, "other")
    gpus = (GpuUse(index=0, highest=98, memory_mib=70_000, watts=650), GpuUse(index=1))
    busy = Sample(rental_id="k7mq2", at=START + 2 * MINUTE, gpus=gpus, peers=("a1", "b2"))
    missed = Sample(rental_id="k7mq2", at=START, missed=Missed.NO_ANSWER)
    async with database.write() as tx:
        await tx.samples.add(busy)
        await tx.samples.add(missed)
        await tx.samples.add(Sample(rental_id="other", at=START + MINUTE))
    async with database.read() as tx:
        assert await tx.samples.since("k7mq2", START) == [missed, busy]
        assert await tx.samples.since("k7mq2", START + MINUTE) == [busy]
        assert await tx.samples.reaching_back("k7mq2", START + MINUTE) == [missed, busy]
        assert await tx.samples.reaching_back("k7mq2", START) == [missed, busy]
        assert await tx.samples.highest("k7mq2", START) == [(START + 2 * MINUTE, 98)]
        assert await tx.samples.highest("k7mq2", START + 3 * MINUTE) == []
        assert await tx.samples.newest_of(["k7mq2", "none"]) == {"k7mq2": busy}


async def test_old_samples_are_dropped_oldest_first_in_small_batches(database: Database) -> None:
    await store_starting(database)
    async with database.write() as tx:
        for minute in range(5):
            await tx.samples.add(Sample(rental_id="k7mq2", at=START + minute * MINUTE))
        assert await tx.samples.drop_before(START + 3 * MINUTE, 2) == 2
        assert (await tx.samples.since("k7mq2", START))[0].at == START + 2 * MINUTE
        assert await tx.samples.drop_before(START + 3 * MINUTE, 2) == 1
        assert await tx.samples.drop_before(START + 3 * MINUTE, 2) == 0
        assert len(await tx.samples.since("k7mq2", START)) == 2
