"""Every value that a model allows is read back unchanged, on both kinds of database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import AwareDatetime, BaseModel

from bot.clock import MovedClock
from bot.model.admin_question import AdminQuestion
from bot.model.attempt import AdoptedMachine, Attempt, AttemptState, LedgerRow, Resource
from bot.model.base import changed
from bot.model.event import EFFECTS, Event, EventKind
from bot.model.gpu_health import MOST_GPUS, GpuFault, GpuFaultKind, GpuNote, GpuNoteKind
from bot.model.job import Job, JobState
from bot.model.machine_use import GpuUse, OnEnding, OnEndingRefused, OnEndingState
from bot.model.message import Destination, Message, MessageKind, stored_destination, to_person
from bot.model.offer import Offer
from bot.model.person import Channel, Key, Person
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.model.state import State
from store.db import Database
from tests import any_model
from tests.databases import fresh_sqlite
from tests.store import make

M = TypeVar("M", bound=BaseModel)

FAR = datetime(9999, 1, 1, tzinfo=UTC)

# The store replaces NUL and lone surrogates, as the last test shows.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(1, 2**31 - 2)
FIRST = datetime(1970, 1, 2, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# Draw a single number for each, which takes half the time of `datetimes` and `timedeltas`.
MOMENTS = st.integers(0, (datetime(9998, 1, 1, tzinfo=UTC) - FIRST) // MICROSECOND).map(
    lambda after: FIRST + after * MICROSECOND
)
SPANS = st.integers(0, timedelta(days=400) // MICROSECOND).map(lambda long: long * MICROSECOND)
BASICS: dict[Any, SearchStrategy[Any]] = {
    str: TEXT,
    int: NUMBERS,
    bool: st.booleans(),
    Decimal: st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False),
    datetime: MOMENTS,
    date: st.dates(),
    AwareDatetime: MOMENTS,
    timedelta: SPANS,
    GpuUse: st.builds(
        GpuUse,
        index=NUMBERS,
        highest=st.none() | st.integers(0, 100),
        memory_mib=st.none() | NUMBERS,
        watts=st.none() | NUMBERS,
    ),
    OnEnding: st.builds(
        OnEnding,
        state=st.sampled_from(OnEndingState),
        end=st.none() | MOMENTS,
        status=st.none() | st.integers(0, 255),
        why=st.none() | st.sampled_from(OnEndingRefused),
    ),
    Destination: TEXT.map(stored_destination),
    GpuFault: st.builds(
        GpuFault,
        gpu=st.none() | st.integers(0, MOST_GPUS - 1),
        kind=st.sampled_from(GpuFaultKind),
        xid=st.none() | st.integers(1, 200),
    ),
    GpuNote: st.builds(
        GpuNote,
        gpu=st.none() | st.integers(0, MOST_GPUS - 1),
        kind=st.sampled_from(GpuNoteKind),
        value=st.integers(1, 10**9),
    ),
    Job: st.builds(
        Job,
        id=TEXT,
        uid=NUMBERS,
        name=TEXT,
        state=st.sampled_from(JobState),
        exit_status=st.none() | st.integers(0, 255),
        began_at=MOMENTS,
        ended_at=st.none() | MOMENTS,
    ),
    Any: st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXT,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
        max_leaves=4,
    ),
}


def any_of(kind: type[M], /, **fixed: Any) -> SearchStrategy[M]:
    return any_model.any_of(kind, BASICS, **fixed)


CALLED = any_of(Offer).flatmap(lambda offer: any_of(Attempt, offer=offer, adopted=None))
ADOPTED = any_of(AdoptedMachine).flatmap(
    lambda machine: any_of(Attempt, offer=None, adopted=machine, resource_name=None)
)

EVENTS = st.sampled_from(EventKind).flatmap(
    lambda kind: any_of(EFFECTS[kind].facts).flatmap(lambda facts: any_of(Event, kind=kind, facts=facts))
)

numbers = count(1)


def fresh() -> str:
    """Return a name that no earlier example has used."""
    return f"x{next(numbers)}"


Both: TypeAlias = tuple[Database, Database]


@pytest.fixture
async def both(tmp_path: Path, postgres_url: str, clock: MovedClock) -> AsyncIterator[Both]:
    """Yield a database of each kind.

    Both get the same examples, because drawing an example takes longer than storing it.
    """
    sqlite = await Database.open(await fresh_sqlite(tmp_path / "gpubot.db"), claimant="test", clock=clock)
    postgresql = await Database.open(postgres_url, claimant="test", clock=clock)
    yield sqlite, postgresql
    await sqlite.close()
    await postgresql.close()


def examples(n: int) -> settings:
    return settings(
        max_examples=n,
        derandomize=True,
        phases=[Phase.generate],  # shrinking a failing example takes minutes with a database
        # All examples of a test share the databases, so each uses new names.
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


@examples(40)
@given(quote=any_of(Quote))
async def test_a_quote_is_read_as_it_was_written(both: Both, quote: Quote) -> None:
    quote = changed(quote, id=fresh())
    for database in both:
        async with database.write() as tx:
            await tx.quotes.add(quote)
        async with database.read() as tx:
            assert await tx.quotes.get(quote.id) == quote


def _with_lease(rental: Rental) -> Rental:
    return changed(rental, lease=rental.lease or make.lease()) if rental.state is State.READY else rental


@examples(30)
@given(
    question=any_of(AdminQuestion, rental_id=None, event_id=None),
    later=any_of(AdminQuestion, rental_id=None, event_id=None),
)
async def test_a_question_to_the_admins_is_read_as_it_was_written(
    both: Both, *, question: AdminQuestion, later: AdminQuestion
) -> None:
    question = changed(question, id=fresh())
    later = changed(later, id=question.id, version=question.version + 1)
    for database in both:
        async with database.write() as tx:
            await tx.questions.add(question)
        async with database.read() as tx:
            assert await tx.questions.get(question.id) == question
        async with database.write() as tx:
            await tx.questions.save(question, later)
        async with database.read() as tx:
            assert await tx.questions.get(question.id) == later


@examples(30)
@given(
    rental=any_of(Rental),
    later=any_of(Rental),
    attempt=CALLED | ADOPTED,
    resource=any_of(Resource),
    row=any_of(LedgerRow),
    event=EVENTS,
)
async def test_a_rental_and_its_rows_are_read_as_they_were_written(
    both: Both,
    *,
    rental: Rental,
    later: Rental,
    attempt: Attempt,
    resource: Resource,
    row: LedgerRow,
    event: Event,
) -> None:
    name = fresh()
    ours = {"rental_id": name}
    quote_id = name if attempt.offer else None
    rental = changed(rental, id=name, quote_id=quote_id, token_id=name)
    constant = (
        *("id", "quote_id", "created_at", "card_channel", "token_id"),
        *("progress", "gpu_health", "heartbeat_at"),
    )
    fixed = {field: getattr(rental, field) for field in constant}
    later = changed(later, **fixed, version=rental.version + 1)
    rental, later = _with_lease(rental), _with_lease(later)
    if later.lease is not None and rental.lease is not None:
        # A change never makes `seen_at` earlier.
        later = changed(later, lease=changed(later.lease, seen_at=rental.lease.seen_at))
    if attempt.offer is not None:
        attempt = changed(attempt, offer=changed(attempt.offer, offer_id=name), resource_name=name)
    attempt = changed(attempt, **ours, n=1)
    resource = changed(resource, **ours, resource_id=name, attempt=1)
    row = changed(row, **ours, resource_id=name, amount=row.amount * 2**31)
    event = changed(event, **ours)
    change = make.unchecked(
        None, rental, events=(event,), attempts=(attempt,), resources=(resource,), ledger=(row,)
    )
    for database in both:
        async with database.write() as tx:
            await tx.quotes.add(make.quote(name))
            await tx.rentals.apply(change)
        async with database.read() as tx:
            assert await tx.rentals.get(name) == rental
            assert await tx.rentals.attempts(name) == [attempt]
            assert await tx.rentals.resources(name) == [resource]
            assert await tx.rentals.ledger(name) == [row]
            assert [changed(e, id=event.id) for e in await tx.events.of(name)] == [event]
        async with database.write() as tx:
            await tx.rentals.apply(make.unchecked(rental, later))
        async with database.read() as tx:
            assert await tx.rentals.get(name) == later


@examples(40)
@given(message=any_of(Message, rental_id=None, event_id=None, quote_id=None, question_id=None))
async def test_a_message_is_read_as_it_was_written(both: Both, message: Message) -> None:
    # A message's version grows by the second and must fit into a column of 32 bits.
    created_at = min(message.created_at, datetime(2080, 1, 1, tzinfo=UTC))
    message = changed(message, created_at=created_at, due_at=FAR - timedelta(days=400 * 365))
    if message.kind is MessageKind.HOME:  # each person has one
        message = changed(message, to=to_person(f"U{fresh()}"))
    for database in both:
        async with database.write() as tx:
            await tx.messages.add(message)
            [added] = await tx.messages.due(FAR, 9)
            await tx.messages.save(changed(added, due_at=None, shown_version=added.target_version))
            saved = await tx.messages.get(added.id)
        assert changed(added, id=message.id, target_version=message.target_version) == message
        assert added.target_version >= message.target_version
        assert saved == changed(added, due_at=None, shown_version=added.target_version)


@examples(30)
@given(person=any_of(Person), key=any_of(Key), channel=any_of(Channel), asked=MOMENTS)
async def test_people_keys_and_channels_are_read_as_they_were_written(
    both: Both, person: Person, key: Key, channel: Channel, asked: datetime
) -> None:
    for database in both:
        async with database.write() as tx:
            await tx.people.put(person, asked)
            await tx.people.add_key(person.id, key)
            await tx.people.put_channel(channel, asked)
            assert await tx.people.get(person.id, asked) == person
            assert key in await tx.people.keys(person.id)
            assert await tx.people.channel(channel.id, asked) == channel


@examples(40)
@given(moments=st.lists(MOMENTS, min_size=2, max_size=6, unique=True))
async def test_stored_times_sort_chronologically(both: Both, moments: list[datetime]) -> None:
    owner = fresh()
    for database in both:
        async with database.write() as tx:
            for moment in moments:
                await tx.quotes.add(make.quote(fresh(), owner=owner, created_at=moment, due_at=None))
            asked = [len(await tx.quotes.asked_since(owner, moment)) for moment in sorted(moments)]
        assert asked == list(range(len(moments), 0, -1))


async def test_characters_that_databases_reject_are_replaced(database: Database) -> None:
    strange = "a\0b\ud800c"
    attempt = make.attempt(
        state=AttemptState.UNKNOWN, detail=strange, offer=make.offer("strange", vendor_region="eu\ud800")
    )
    await make.store_rental(database, make.rental(attempts=1), attempt)
    async with database.read() as tx:
        [kept] = await tx.rentals.attempts("k7mq2")
    assert (kept.detail, kept.called_offer.vendor_region) == ("a\ufffdb?c", "eu?")
