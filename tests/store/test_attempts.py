"""Attempts, resources and ledger rows are stored even if the rental has changed; an intent isn't."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from bot.errors import OfferTaken, Stale, TooLate
from bot.model.attempt import Attempt, AttemptState, Marker, Resource, SuccessRate, Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.records import AliveResource, Change
from bot.model.rental import Rental
from bot.model.state import State
from store.db import Database
from tests.databases import START
from tests.store import make
from tests.store.fact import NAME

MINUTE = timedelta(minutes=1)
BOUGHT = make.attempt(state=AttemptState.BOUGHT, accepted=True, answered_at=START)
RESOURCE = make.resource()


async def destroyed_meanwhile(database: Database) -> Rental:
    """Store a rental with one attempt, and destroy it. Returns the rental as it was before."""
    before = await make.store_rental(database, make.rental(attempts=1), make.attempt())
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=before, after=make.next_of(before, state=State.DESTROYING)))
    return before


def bought(before: Rental) -> Change:
    """Return the change for an answer of the market, based on a rental that was read earlier."""
    return Change(
        before=before,
        after=make.next_of(before, state=State.PROVISIONING),
        events=(make.event(EventKind.ACCEPTED),),
        attempts=(BOUGHT,),
        resources=(RESOURCE,),
    )


async def facts(database: Database) -> tuple[list[Attempt], list[Resource]]:
    async with database.read() as tx:
        return await tx.rentals.attempts("k7mq2"), await tx.rentals.resources("k7mq2")


async def test_a_stale_change_stores_only_its_facts(database: Database) -> None:
    before = await destroyed_meanwhile(database)

    async def decide() -> None:
        async with database.write() as tx:
            await tx.account.set(NAME, "not a fact")
            await tx.rentals.apply(bought(before))

    with pytest.raises(Stale):
        await decide()
    assert await facts(database) == ([BOUGHT], [RESOURCE])
    async with database.read() as tx:
        rental = await tx.rentals.get("k7mq2")
        assert rental is not None
        assert rental.state is State.DESTROYING
        assert [event.kind for event in await tx.events.of("k7mq2")] == [EventKind.STARTED]
        assert await tx.account.get(NAME) is None


async def test_a_stale_change_stores_its_facts_despite_another_error(
    database: Database,
) -> None:
    before = await destroyed_meanwhile(database)

    async def decide() -> None:
        async with database.write() as tx:
            try:
                await tx.rentals.apply(bought(before))
            except Stale:
                raise TooLate("It is being destroyed.") from None

    with pytest.raises(TooLate):
        await decide()
    assert await facts(database) == ([BOUGHT], [RESOURCE])


async def test_a_stale_change_stores_its_facts_if_the_transaction_continues(database: Database) -> None:
    before = await destroyed_meanwhile(database)
    async with database.write() as tx:
        with pytest.raises(Stale):
            await tx.rentals.apply(bought(before))
        await tx.account.set(NAME, "also")
    assert await facts(database) == ([BOUGHT], [RESOURCE])
    async with database.read() as tx:
        assert await tx.account.get(NAME) == "also"


async def test_a_stale_change_stores_its_facts_if_the_task_is_cancelled(database: Database) -> None:
    before = await destroyed_meanwhile(database)
    waiting = asyncio.Event()

    async def decide() -> None:
        async with database.write() as tx:
            try:
                await tx.rentals.apply(bought(before))
            except Stale:
                waiting.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(decide())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await facts(database) == ([BOUGHT], [RESOURCE])


async def test_the_intent_of_a_stale_change_is_not_stored(database: Database) -> None:
    before = await destroyed_meanwhile(database)
    failed = make.attempt(state=AttemptState.FAILED, why=Why.SOLD_OUT)
    intent = make.attempt(n=2)
    with pytest.raises(Stale):
        async with database.write() as tx:
            await tx.rentals.apply(
                Change(before=before, after=make.next_of(before, attempts=2), attempts=(failed, intent))
            )
    assert (await facts(database))[0] == [failed]


async def test_an_offer_never_gets_a_second_attempt(database: Database) -> None:
    offer = make.offer("offer-x")
    await make.store_rental(
        database, make.rental("aaaaa"), make.attempt("aaaaa", offer=offer, state=AttemptState.FAILED)
    )
    other = await make.store_rental(database, make.rental("bbbbb"))
    change = Change(
        before=other,
        after=make.next_of(other, attempts=1),
        events=(make.event(EventKind.RENTING, rental_id="bbbbb"),),
        attempts=(make.attempt("bbbbb", offer=offer),),
    )
    async with database.write() as tx:
        with pytest.raises(OfferTaken):
            await tx.rentals.apply(change)
        # The caller can try the next offer in the same transaction.
        await tx.rentals.apply(replace(change, attempts=(make.attempt("bbbbb"),)))
    async with database.read() as tx:
        assert [attempt.called_offer.offer_id for attempt in await tx.rentals.attempts("bbbbb")] == [
            "offer-bbbbb-1"
        ]
        assert [event.kind for event in await tx.events.of("bbbbb")] == [EventKind.STARTED, EventKind.RENTING]
        taken = await tx.rentals.attempt_by_offer("offer-x")
        named = await tx.rentals.attempt_by_name("gpubot-bbbbb-1")
        assert await tx.rentals.attempt_by_offer("offer-y") is None
        assert await tx.rentals.attempt_by_name("someone's") is None
    assert taken is not None
    assert taken.rental_id == "aaaaa"
    assert named is not None
    assert named.rental_id == "bbbbb"


async def test_concurrent_rentals_compete_for_an_offer_and_one_gets_it(database: Database) -> None:
    rentals = [await make.store_rental(database, make.rental(f"rent{n}")) for n in range(8)]

    async def intend(rental: Rental) -> bool:
        intent = make.attempt(rental.id, offer=make.offer("offer-x"))
        try:
            async with database.write() as tx:
                await tx.rentals.apply(
                    Change(before=rental, after=make.next_of(rental, attempts=1), attempts=(intent,))
                )
        except OfferTaken:
            return False
        return True

    won = await asyncio.gather(*map(intend, rentals))
    assert sorted(won) == [False] * 7 + [True]
    async with database.read() as tx:
        assert sum([len(await tx.rentals.attempts(rental.id)) for rental in rentals]) == 1


async def test_the_database_refuses_a_second_live_attempt(database: Database) -> None:
    before = await make.store_rental(database, make.rental(attempts=1), make.attempt())

    async def buy_again() -> None:
        async with database.write() as tx:
            await tx.rentals.apply(
                Change(before=before, after=make.next_of(before, attempts=2), attempts=(make.attempt(n=2),))
            )

    with pytest.raises(IntegrityError):
        await buy_again()
    async with database.read() as tx:
        assert await tx.rentals.get("k7mq2") == before


async def test_a_single_change_can_end_an_attempt_and_add_the_next(database: Database) -> None:
    before = await make.store_rental(database, make.rental(attempts=1), make.attempt())
    failed = make.attempt(state=AttemptState.FAILED, why=Why.SOLD_OUT)
    async with database.write() as tx:
        await tx.rentals.apply(
            Change(before=before, after=make.next_of(before, attempts=2), attempts=(failed, make.attempt(n=2)))
        )
    assert (await facts(database))[0] == [failed, make.attempt(n=2)]


async def test_a_resource_of_a_closed_attempt_is_stored_during_a_later_attempt(database: Database) -> None:
    failed = make.attempt(state=AttemptState.FAILED, why=Why.SOLD_OUT)
    before = await make.store_rental(database, make.rental(attempts=2), failed, make.attempt(n=2))
    late = changed(failed, state=AttemptState.BOUGHT)
    async with database.write() as tx:
        await tx.rentals.apply(
            Change(before=before, after=make.next_of(before), attempts=(late,), resources=(RESOURCE,))
        )
    assert await facts(database) == ([late, make.attempt(n=2)], [RESOURCE])


async def test_an_outdated_copy_that_is_written_later_undoes_nothing(database: Database) -> None:
    known = changed(
        BOUGHT, marked_by=Marker.STEP, delete_accepted_at=START + MINUTE, orphaned=True, detail="accepted"
    )
    terminated = changed(
        RESOURCE,
        rate=Decimal("2.10"),
        valid_from=START,
        valid_to=START + MINUTE,
        host="192.0.2.7",
        port=22,
        status="deleted",
        read_at=START + 2 * MINUTE,
        delete_accepted_at=START + MINUTE,
        terminated_at=START + 2 * MINUTE,
    )
    before = await make.store_rental(database, make.rental(attempts=1), make.attempt())
    for attempt, resource in ((known, terminated), (make.attempt(), RESOURCE)):
        async with database.write() as tx:
            await tx.rentals.apply(Change(before=before, after=before, attempts=(attempt,), resources=(resource,)))
    assert await facts(database) == ([known], [terminated])


async def test_a_later_reading_updates_the_time_and_revives_terminated_resources(database: Database) -> None:
    later = {"read_at": START + MINUTE}
    lost, terminated = make.resource("res-2"), make.resource("res-2", terminated_at=START)
    before = await make.store_rental(database, make.rental(attempts=1), make.attempt())
    async with database.write() as tx:
        stored = (changed(RESOURCE, status="running"), terminated)
        await tx.rentals.apply(Change(before=before, after=before, attempts=(BOUGHT,), resources=stored))
    async with database.write() as tx:
        await tx.rentals.note_read([])
        await tx.rentals.note_read([changed(RESOURCE, **later), changed(lost, **later)])
        await tx.rentals.note_read([RESOURCE, lost])  # an earlier reading changes nothing
    _, resources = await facts(database)
    assert resources == [changed(RESOURCE, status="running", **later), changed(lost, **later)]


async def test_resources_are_found_by_id_and_alive_ones_are_listed(database: Database) -> None:
    terminated = make.resource("res-2", status="deleted", terminated_at=START)
    before = await make.store_rental(database, make.rental(attempts=1), make.attempt())
    async with database.write() as tx:
        await tx.rentals.apply(
            Change(before=before, after=before, attempts=(BOUGHT,), resources=(RESOURCE, terminated))
        )
    async with database.read() as tx:
        assert await tx.rentals.alive_resources() == [AliveResource("res-1", "k7mq2", RESOURCE.rate)]
        assert await tx.rentals.resources_by_id(["res-2", "res-9"]) == {"res-2": terminated}
        assert await tx.rentals.resources_by_id([]) == {}
        [attempt] = await tx.rentals.attempts("k7mq2")
        assert await tx.rentals.attempts_of([RESOURCE, terminated]) == {"res-1": attempt, "res-2": attempt}
        assert await tx.rentals.attempts_of([]) == {}


async def test_a_resource_that_reappeared_gets_a_second_ledger_row(
    database: Database,
) -> None:
    before = await make.store_rental(database, make.rental(attempts=1), make.attempt())
    first = make.ledger_row()
    second = make.ledger_row(n=2, started_at=first.ended_at, ended_at=first.ended_at + MINUTE, amount=35_833)
    for row in (first, changed(first, amount=1), second, changed(second, amount=1)):
        async with database.write() as tx:
            await tx.rentals.apply(
                Change(before=before, after=before, attempts=(BOUGHT,), resources=(RESOURCE,), ledger=(row,))
            )
    async with database.read() as tx:
        assert await tx.rentals.ledger("k7mq2") == [first, second]
        assert await tx.rentals.whole_ledger() == [first, second]


async def test_the_median_time_to_ready_needs_three_machines(database: Database) -> None:
    medians = []
    for n, minutes in enumerate((1, 3, 8)):
        name = f"rent{n}"
        before = await make.store_rental(
            database, make.rental(name, state=State.PROVISIONING, attempts=1), make.attempt(name)
        )
        after = make.next_of(before, state=State.READY, lease=make.lease(ready_at=START + minutes * MINUTE))
        async with database.write() as tx:
            await tx.rentals.apply(Change(before=before, after=after))
        async with database.read() as tx:
            medians.append(await tx.rentals.median_time_to_ready("nebius", "nvidia-h100-sxm5-80gb"))
            assert await tx.rentals.median_time_to_ready("lambda", "nvidia-h100-sxm5-80gb") is None
    assert medians == [None, None, 180.0]


async def test_the_success_rate_counts_the_last_ten_decided_purchases(database: Database) -> None:
    """There are fifteen purchases, the newest last.

    The first two are too old to count, and three were ended by someone other than the vendor.
    """
    ends = (
        None,
        None,
        *[Why.SOLD_OUT] * 4,
        Why.ASKED,
        Why.OUTAGE,
        None,
        None,
        Why.TOO_SLOW,
        "asked",
        None,
        None,
        None,
    )
    for n, why in enumerate(ends):
        name = f"rent{n}"
        tried = make.attempt(name, intended_at=START + n * MINUTE, why=why if isinstance(why, Why) else None)
        before = await make.store_rental(database, make.rental(name, state=State.PROVISIONING, attempts=1), tried)
        if why is None:
            after = make.next_of(before, state=State.READY, lease=make.lease())
            async with database.write() as tx:
                await tx.rentals.apply(Change(before=before, after=after))
    other = make.attempt("other", offer=make.offer("o-other", vendor="hyperstack"), why=Why.SOLD_OUT)
    await make.store_rental(database, make.rental("other", attempts=1), other)
    gpu = "nvidia-h100-sxm5-80gb"
    async with database.read() as tx:
        assert await tx.rentals.success_rates([]) == {}
        assert await tx.rentals.success_rates([("nebius", gpu), ("lambda", gpu), ("nebius", "a100")]) == {
            ("nebius", gpu): SuccessRate(ready=5, of=10)
        }


async def test_a_machine_with_gpu_faults_counts_once_as_no_success(database: Database) -> None:
    """Its time to ready still counts. A machine that isn't ready yet has no faults."""
    gpu = "nvidia-h100-sxm5-80gb"
    for n in range(3):
        name = f"rent{n}"
        before = await make.store_rental(
            database, make.rental(name, state=State.PROVISIONING, attempts=1), make.attempt(name)
        )
        after = make.next_of(before, state=State.READY, lease=make.lease(ready_at=START + 3 * MINUTE))
        async with database.write() as tx:
            await tx.rentals.write_gpu_fault(before, START)
            await tx.rentals.apply(Change(before=before, after=after))
    async with database.write() as tx:
        await tx.rentals.write_gpu_fault(after, START + 4 * MINUTE)
        await tx.rentals.write_gpu_fault(after, START + 5 * MINUTE)
        # A later report about the purchase leaves the fault as it is.
        await tx.rentals.apply(make.unchecked(after, make.next_of(after), attempts=(make.attempt(after.id),)))
    async with database.read() as tx:
        assert await tx.rentals.success_rates([("nebius", gpu)]) == {
            ("nebius", gpu): SuccessRate(ready=2, of=3, faulty=1)
        }
        assert await tx.rentals.median_time_to_ready("nebius", gpu) == 180


async def test_facts_of_several_rentals_are_read_together_without_duplicates(database: Database) -> None:
    failed = make.attempt(state=AttemptState.FAILED, answered_at=START)
    second = make.attempt(
        n=2, state=AttemptState.BOUGHT, offer=make.offer("offer-2"), resource_name="gpubot-k7mq2-2"
    )
    seen = [
        make.resource("res-0", n=2, first_seen=START + MINUTE),
        make.resource("res-1", n=2),
        make.resource("res-2", n=2, first_seen=START + MINUTE),
    ]
    first = make.ledger_row()
    again = make.ledger_row(n=2, started_at=first.ended_at, ended_at=first.ended_at + MINUTE)
    other = make.ledger_row("res-0", started_at=first.started_at + MINUTE)
    before = await make.store_rental(database, make.rental(attempts=2), failed)
    await make.store_rental(database, make.rental("p4wd9"))
    async with database.write() as tx:
        after = make.next_of(before)
        change = Change(
            before=before, after=after, attempts=(second,), resources=tuple(seen), ledger=(again, other, first)
        )
        await tx.rentals.apply(change)
    async with database.read() as tx:
        found = await tx.rentals.facts_of(["k7mq2", "p4wd9", "zzzzz"])
        alone = await tx.rentals.attempts("k7mq2"), await tx.rentals.resources("k7mq2")
        assert found["k7mq2"] == (*alone, await tx.rentals.ledger("k7mq2"))
    assert found["k7mq2"] == ([failed, second], [seen[1], seen[0], seen[2]], [first, other, again])
    assert found["p4wd9"] == found["zzzzz"] == ([], [], [])
