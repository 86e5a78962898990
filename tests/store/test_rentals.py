"""A rental can only be changed from its newest version."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import Stale
from bot.model.attempt import AttemptState, Marker
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.machine_use import Sample
from bot.model.message import MessageKind
from bot.model.records import Change
from bot.model.rental import Decider, Extension, Rental
from bot.model.state import State
from store.db import Database
from tests.databases import START
from tests.store import make

HOUR = timedelta(hours=1)


async def stored(database: Database, rental_id: str = "k7mq2") -> Rental:
    async with database.read() as tx:
        rental = await tx.rentals.get(rental_id)
    assert rental is not None
    return rental


async def applied(database: Database, before: Rental, after: Rental, **written: Any) -> Rental:
    async with database.write() as tx:
        await tx.rentals.apply(Change(before, after, **written))
    return after


async def test_a_new_rental_is_read_back_with_its_event_and_card(database: Database) -> None:
    rental = await make.store_rental(database)
    assert await stored(database) == rental
    async with database.read() as tx:
        events = await tx.events.of("k7mq2")
        card = await tx.messages.card("k7mq2")
        assert await tx.events.get(events[0].id) == events[0]
        assert await tx.rentals.get("other") is None
    assert [event.kind for event in events] == [EventKind.STARTED]
    assert card is not None
    assert (card.shown_version, card.due_at is not None) == (0, True)


async def test_only_the_first_of_two_changes_to_a_version_is_stored(database: Database) -> None:
    before = await make.store_rental(database)
    first = await applied(database, before, make.next_of(before, state=State.PROVISIONING))
    second = Change(
        before=before,
        after=make.next_of(before, state=State.DESTROYING),
        events=(make.event(EventKind.DESTROYING),),
        messages=((0, make.message(MessageKind.THREAD)),),
    )
    with pytest.raises(Stale):
        async with database.write() as tx:
            await tx.rentals.apply(second)
    assert await stored(database) == first
    async with database.read() as tx:
        assert [event.kind for event in await tx.events.of("k7mq2")] == [EventKind.STARTED]
        assert [m.kind for m in await tx.messages.due(START.replace(year=2100), 9)] == [MessageKind.CARD]


async def test_a_change_unaware_of_the_newest_probe_run_stores_only_facts(database: Database) -> None:
    before = await make.store_rental(database, make.rental(state=State.READY), make.attempt())
    async with database.write() as tx:
        await tx.samples.add(Sample(rental_id=before.id, at=START + HOUR))
    after = make.next_of(before, owner=make.BEN)
    with pytest.raises(Stale):
        await applied(database, before, after, resources=(make.resource(),), probed_at=START)
    assert await stored(database) == before
    async with database.read() as tx:
        assert [resource.resource_id for resource in await tx.rentals.resources(before.id)] == ["res-1"]
    await applied(database, before, after, probed_at=START + HOUR)
    assert await stored(database) == after


async def test_a_quote_becomes_at_most_one_rental(database: Database) -> None:
    await make.store_rental(database, make.rental("aaaaa", quote_id="q1"))
    second = make.rental("bbbbb", quote_id="q1")
    with pytest.raises(Stale):
        async with database.write() as tx:
            await tx.rentals.apply(Change(before=None, after=second, attempts=(make.attempt("bbbbb"),)))
    async with database.read() as tx:
        assert await tx.rentals.get("bbbbb") is None
        assert await tx.rentals.attempts("bbbbb") == []


async def test_a_key_of_a_token_becomes_at_most_one_rental(database: Database) -> None:
    """Other tokens can use the same key."""
    key = {"token_id": "t1", "idempotency_key": "run-1"}
    first = await make.store_rental(database, make.rental("aaaaa", **key))
    await make.store_rental(database, make.rental("ccccc", **{**key, "token_id": "t2"}))
    async with database.write() as tx:
        await tx.quotes.add(make.quote("q-bbbbb"))
    with pytest.raises(Stale):
        async with database.write() as tx:
            await tx.rentals.apply(Change(before=None, after=make.rental("bbbbb", **key)))
    async with database.read() as tx:
        assert await tx.rentals.of_key("t1", "run-1") == first


async def test_a_new_rental_never_replaces_one_with_the_same_id(database: Database) -> None:
    first = await make.store_rental(database)
    async with database.write() as tx:
        await tx.quotes.add(make.quote("q2", owner=make.BEN))
    with pytest.raises(Stale):
        async with database.write() as tx:
            await tx.rentals.apply(Change(before=None, after=make.rental(quote_id="q2", owner=make.BEN)))
    assert await stored(database) == first


async def test_a_change_releases_the_claim_only_if_requested(database: Database) -> None:
    before = await make.store_rental(database)
    async with database.write() as tx:
        await tx.rentals.claim(START, 1, 20)
    kept = await applied(database, before, make.next_of(before))
    async with database.read() as tx:
        assert await tx.rentals.next_due() is None
    await applied(database, kept, make.next_of(kept, due_at=START + HOUR), releases_claim=True)
    async with database.read() as tx:
        assert await tx.rentals.next_due() == START + HOUR


async def test_deferring_sets_the_due_time_and_releases_the_claim(database: Database) -> None:
    rental = await make.store_rental(database)
    async with database.write() as tx:
        await tx.rentals.claim(START, 1, 20)
        await tx.rentals.defer_all([(rental, START + HOUR)])
    async with database.read() as tx:
        assert await tx.rentals.next_due() == START + HOUR
    assert (await stored(database)).version == rental.version


@pytest.mark.parametrize("writer", ["change", "make_due"])
async def test_deferring_keeps_a_due_time_written_in_the_meantime(database: Database, writer: str) -> None:
    rental = await make.store_rental(database)
    soon = START + timedelta(seconds=1)
    if writer == "change":
        await applied(database, rental, make.next_of(rental, due_at=soon))
    else:
        async with database.write() as tx:
            await tx.rentals.make_due([rental.id], soon)
    async with database.write() as tx:
        await tx.rentals.claim(soon, 1, 20)
        await tx.rentals.defer_all([(rental, START + HOUR)])
    assert (await stored(database)).due_at == soon


async def test_a_change_keeps_an_earlier_due_time_written_during_its_step(database: Database) -> None:
    before = await make.store_rental(database)
    soon = START + timedelta(seconds=1)
    async with database.write() as tx:
        await tx.rentals.make_due([before.id], soon)
    stepped = await applied(database, before, make.next_of(before, due_at=START + HOUR))
    assert (await stored(database)).due_at == soon
    again = changed(stepped, due_at=soon)
    await applied(database, again, make.next_of(again, due_at=None))
    assert (await stored(database)).due_at is None


async def test_a_change_keeps_a_sign_of_life_written_in_the_meantime(database: Database) -> None:
    before = await make.store_rental(database, make.rental(state=State.READY, lease=make.lease()))
    async with database.write() as tx:
        await tx.people.note_seen(make.ANA, START + HOUR)
    await applied(database, before, make.next_of(before, lease=make.lease(notices_checked_at=START + HOUR)))
    now = await stored(database)
    assert (now.running_lease.seen_at, now.running_lease.notices_checked_at) == (START + HOUR, START + HOUR)


async def test_a_sign_of_life_applies_only_to_that_persons_ready_rentals(database: Database) -> None:
    for name, owner, state in (
        ("mine1", make.ANA, State.READY),
        ("mine2", make.ANA, State.PROVISIONING),
        ("other", make.BEN, State.READY),
    ):
        await make.store_rental(database, make.rental(name, owner=owner, state=state, lease=make.lease()))
    async with database.write() as tx:
        await tx.people.note_seen(make.ANA, START + HOUR)
        await tx.people.note_seen(make.ANA, START)
    seen = {name: (await stored(database, name)).running_lease.seen_at for name in ("mine1", "mine2", "other")}
    assert seen == {"mine1": START + HOUR, "mine2": START, "other": START}
    assert (await stored(database, "mine1")).version == 1


async def test_live_rentals_of_all_or_of_one_person_are_listed_oldest_first(database: Database) -> None:
    for index, (name, owner, state) in enumerate(
        (
            ("aaaaa", make.ANA, State.READY),
            ("bbbbb", make.ANA, State.DESTROYED),
            ("ccccc", make.BEN, State.PROCURING),
            ("ddddd", make.ANA, State.DESTROYING),
        )
    ):
        await make.store_rental(
            database, make.rental(name, owner=owner, state=state, created_at=START + index * HOUR)
        )
    async with database.read() as tx:
        assert [r.id for r in await tx.rentals.live()] == ["aaaaa", "ccccc", "ddddd"]
        assert [r.id for r in await tx.rentals.live(make.ANA)] == ["aaaaa", "ddddd"]


async def test_live_rentals_are_found_by_their_teammates(database: Database) -> None:
    for rental_id, teammates, state in (
        ("aaaaa", ("U0CLEO", make.BEN), State.READY),
        ("bbbbb", (f"{make.BEN}X",), State.READY),
        ("ccccc", (make.BEN,), State.DESTROYED),
        ("ddddd", (make.BEN,), State.PROCURING),
        ("eeeee", (), State.READY),
    ):
        await make.store_rental(database, make.rental(rental_id, teammates=teammates, state=state))
    async with database.read() as tx:
        assert [r.id for r in await tx.rentals.shared_with(make.BEN)] == ["aaaaa", "ddddd"]


async def test_undecided_rentals_are_listed_oldest_first(
    database: Database,
) -> None:
    longer = Extension(
        terms=changed(make.terms(), version=2), ends_at=START + HOUR, asked_by=make.BEN, asked_at=START
    )
    asks, by_owner = State.AWAITING_APPROVAL, make.decision(decider=Decider.OWNER)
    for rental in (
        make.rental("aaaaa", state=asks, decision=make.decision(), created_at=START + HOUR),
        make.rental("bbbbb", state=State.READY, extension=longer, created_at=START),
        make.rental("ccccc", state=asks, decision=by_owner),
        make.rental("ddddd", state=State.READY),
    ):
        await make.store_rental(database, rental)
    async with database.read() as tx:
        assert [rental.id for rental in await tx.rentals.undecided()] == ["bbbbb", "aaaaa"]


async def test_live_rentals_are_counted_by_state(database: Database) -> None:
    states = [State.READY, State.READY, State.PROCURING, State.DESTROYED]
    for n, state in enumerate(states):
        await make.store_rental(database, make.rental(f"r{n}", state=state))
    async with database.read() as tx:
        assert await tx.rentals.states() == {State.READY: 2, State.PROCURING: 1}


async def test_several_rentals_are_read_and_scheduled_together(database: Database) -> None:
    first, second, third = [
        await make.store_rental(database, make.rental(name)) for name in ("aaaaa", "bbbbb", "ccccc")
    ]
    async with database.write() as tx:
        await tx.rentals.make_due(["aaaaa", "ccccc", "zzzzz"], START + HOUR)
        found = await tx.rentals.get_many(["aaaaa", "bbbbb", "zzzzz"])
        assert await tx.rentals.get_many([]) == {}
    assert found == {"aaaaa": changed(first, due_at=START + HOUR), "bbbbb": second}
    assert (await stored(database, "ccccc")).due_at == START + HOUR
    assert third.due_at == START


async def test_usage_is_the_exact_sum_of_the_maximum_rates_of_live_rentals(database: Database) -> None:
    rates = {"aaaaa": "2.47", "bbbbb": "0.1", "ccccc": "0.0000001"}
    for name, rate in rates.items():
        owner = make.BEN if name == "bbbbb" else make.ANA
        terms = make.terms(max_rate=Decimal(rate))
        await make.store_rental(database, make.rental(name, owner=owner, terms=terms))
    over = make.rental("ddddd", state=State.DESTROYED, terms=make.terms(max_rate=Decimal(50)))
    await make.store_rental(database, over)
    async with database.read() as tx:
        usage = await tx.rentals.usage(make.ANA)
        other = await tx.rentals.usage(make.ANA, without="aaaaa")
    # A fraction of a micro-dollar is rounded up, so that the sum is never lower than the amount that may be spent.
    assert (usage.person_rentals, usage.team_rate) == (2, Decimal("2.570001"))
    assert (other.person_rentals, other.team_rate) == (1, Decimal("0.100001"))


async def test_the_price_of_an_unresolved_attempt_counts_in_the_teams_rate(database: Database) -> None:
    """The price doesn't count for the rental itself, which adds it when it buys.

    It doesn't count after the attempt was closed, either.
    """
    attempt = make.attempt("aaaaa", state=AttemptState.UNKNOWN, orphaned=True, marked_by=Marker.STEP)
    before = await make.store_rental(database, make.rental("aaaaa", attempts=1), attempt)
    cap = before.terms.max_rate
    async with database.write() as tx:
        await tx.rentals.lock_spending()
        assert (await tx.rentals.usage(make.ANA)).team_rate == cap + attempt.rate
        assert (await tx.rentals.usage(make.ANA, without="aaaaa")).team_rate == 0
        proven = changed(attempt, state=AttemptState.FAILED)
        await tx.rentals.apply(Change(before=before, after=make.next_of(before), attempts=(proven,)))
        assert (await tx.rentals.usage(make.ANA)).team_rate == cap


async def test_a_writing_transaction_needs_the_spending_lock_to_read_usage(database: Database) -> None:
    with pytest.raises(RuntimeError, match="spending lock"):
        async with database.write() as tx:
            await tx.rentals.usage(make.ANA)


async def test_a_rental_that_is_over_does_not_count_as_usage(database: Database) -> None:
    before = await make.store_rental(database)
    await applied(database, before, make.next_of(before, state=State.DESTROYED, due_at=None))
    async with database.read() as tx:
        usage = await tx.rentals.usage(make.ANA)
        assert await tx.rentals.live() == []
        assert await tx.rentals.next_due() is None
        assert await tx.rentals.any_ever()
    assert (usage.person_rentals, usage.team_rate) == (0, Decimal(0))


async def test_an_empty_database_has_never_had_a_rental(database: Database) -> None:
    async with database.read() as tx:
        assert not await tx.rentals.any_ever()
        assert (await tx.rentals.usage(make.ANA)).team_rate == 0


async def test_events_of_some_kinds_are_read_for_several_rentals_together(database: Database) -> None:
    kinds = (EventKind.USE_CHANGED, EventKind.KEPT, EventKind.USE_CHANGED)
    async with database.write() as tx:
        for name in ("k7mq2", "p4wd9", "f6rat"):
            await tx.quotes.add(make.quote(f"q-{name}"))
            history = tuple(make.event(kind, name) for kind in kinds)
            await tx.rentals.apply(make.unchecked(None, make.rental(name), events=history))
    async with database.read() as tx:
        found = await tx.events.of_many(["k7mq2", "p4wd9", "zzzzz"], [EventKind.USE_CHANGED])
        assert {name: [event.kind for event in events] for name, events in found.items()} == {
            "k7mq2": [EventKind.USE_CHANGED] * 2,
            "p4wd9": [EventKind.USE_CHANGED] * 2,
        }
        assert [event.id for event in found["k7mq2"]] == sorted(event.id for event in found["k7mq2"])
        assert found["zzzzz"] == []
