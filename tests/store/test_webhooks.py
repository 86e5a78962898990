"""Events for webhooks are rows of the outbox that are numbered, wait for each other, and never concern Slack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select

from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.message import Message, MessageKind, lowest_version, queued, to_webhook
from bot.model.records import Change, Unsendable
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.webhook import QueuedEvent, WebhookEvent
from store.db import Database
from store.tables import messages
from tests.databases import START
from tests.outbox import stored_messages
from tests.store import make

ONE, OTHER = "https://one.example.com/s3cret", "https://other.example.com/gpubot?a=b"
REAL = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
"""The wall-clock time at which events are queued. It is later than the present, so it decides the numbers."""
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LATER, FAR = REAL + MINUTE, datetime(2200, 1, 1, tzinfo=UTC)


def for_webhook(rental: Rental, url: str, at: datetime = REAL, name: WebhookEvent = WebhookEvent.READY) -> Message:
    return queued(MessageKind.WEBHOOK, to_webhook(url), at, rental_id=rental.id, body={"name": name.value})


async def happen(
    database: Database,
    rental: Rental,
    *receivers: tuple[str, ...],
    at: datetime = REAL,
) -> Rental:
    """Store a change with one event for each of these groups of receivers, and return the changed rental."""
    after = make.next_of(rental)
    events = tuple(make.event(EventKind.RENTING, rental.id) for _ in receivers)
    sent = tuple((n, for_webhook(rental, url, at)) for n, urls in enumerate(receivers) for url in urls)
    async with database.write() as tx:
        await tx.rentals.apply(make.unchecked(rental, after, events=events, messages=sent))
    return after


async def rows(database: Database) -> list[Message]:
    async with database.engines.reader.connect() as conn:
        return [one for one in await stored_messages(conn) if one.kind is MessageKind.WEBHOOK]


async def numbers(database: Database, url: str = ONE) -> list[int]:
    return [one.target_version for one in await rows(database) if one.to == to_webhook(url)]


async def due(database: Database, url: str = ONE, now: datetime = LATER) -> QueuedEvent | None:
    async with database.read() as tx:
        event = await tx.webhooks.next(url)
    return event if event is not None and event.due_at <= now else None


async def accept(database: Database, url: str = ONE) -> QueuedEvent:
    """Let a receiver accept the event that is due next."""
    event = await due(database, url)
    assert event is not None
    async with database.write() as tx:
        await tx.webhooks.note_accepted(event.message_id)
    return event


async def test_an_event_has_one_number_everywhere_and_a_higher_one_than_earlier_events(database: Database) -> None:
    rental = await make.store_rental(database)
    other = await make.store_rental(database, make.rental("p4wd9"))
    rental = await happen(database, rental, (ONE, OTHER), (OTHER,), (ONE, OTHER))
    await happen(database, other, (ONE,))
    await happen(database, rental, (ONE,), at=REAL - MINUTE)
    first = lowest_version(REAL)
    assert await numbers(database) == [first, first + 2, first, first + 3]
    assert await numbers(database, OTHER) == [first, first + 1, first + 2]


async def test_numbers_rise_even_if_a_restored_backup_lacks_the_last_events(database: Database) -> None:
    rental = await make.store_rental(database)
    rental = await happen(database, rental, (ONE,), (ONE,), (ONE,))
    before = await numbers(database)
    async with database.engines.writer.begin() as conn:
        await conn.execute(delete(messages).where(messages.c.kind == MessageKind.WEBHOOK))
    await happen(database, rental, (ONE,), at=LATER)
    assert (await numbers(database))[0] > max(before)


async def test_the_sender_reads_all_that_it_needs_about_an_event(database: Database) -> None:
    rental = await make.store_rental(database)
    await happen(database, rental, (ONE,))
    event = await due(database)
    (row,) = await rows(database)
    number = lowest_version(REAL)
    assert event == QueuedEvent(
        message_id=row.id,
        url=ONE,
        rental_id="k7mq2",
        number=number,
        name=WebhookEvent.READY,
        at=START,
        due_at=REAL,
        tries=0,
    )
    assert event.public_id == f"k7mq2-{number}"
    assert await due(database, OTHER) is None
    assert await due(database, now=REAL - MINUTE) is None


async def test_events_of_a_rental_wait_for_the_one_that_failed(database: Database) -> None:
    """Events of other rentals, and those for other receivers, don't wait."""
    rental = await make.store_rental(database)
    other = await make.store_rental(database, make.rental("p4wd9"))
    await happen(database, rental, (ONE, OTHER), (ONE, OTHER))
    await happen(database, other, (ONE,))
    first = await due(database)
    assert first is not None
    again = LATER + 5 * MINUTE
    async with database.write() as tx:
        await tx.webhooks.note_failed(first, again)
    assert (await accept(database)).rental_id == other.id
    assert [(await accept(database, OTHER)).number for _ in range(2)] == await numbers(database, OTHER)
    assert await due(database) is None
    assert await due(database, OTHER, FAR) is None
    repeated = await due(database, now=again)
    assert repeated is not None
    assert (repeated.public_id, repeated.due_at, repeated.tries) == (first.public_id, again, 1)
    waiting = [one for one in await rows(database) if one.to == to_webhook(ONE) and not one.closed]
    assert [(one.webhook_due_at, one.tries) for one in waiting] == [(again, 1), (again, 0)]
    async with database.write() as tx:
        await tx.webhooks.note_accepted(first.message_id)
    assert await due(database) is None
    second = await due(database, now=again)
    assert second is not None
    assert second.number == first.number + 1


async def test_events_are_dropped_after_a_day_or_without_their_receiver(database: Database) -> None:
    rental = await make.store_rental(database)
    rental = await happen(database, rental, (ONE, OTHER))
    await happen(database, rental, (ONE,), at=REAL + DAY)
    old = await due(database)
    assert old is not None
    async with database.write() as tx:
        assert await tx.webhooks.drop(REAL, [ONE, OTHER], 99) == 0
        assert await tx.webhooks.drop(REAL, [ONE], 99) == 1
        assert await tx.webhooks.drop(REAL + MINUTE, [ONE], 99) == 1
        await tx.webhooks.note_failed(old, LATER)
    assert await due(database, OTHER, FAR) is None
    last = await due(database, now=FAR)
    assert last is not None
    assert last.number > old.number
    async with database.write() as tx:
        assert await tx.webhooks.drop(REAL, [], 99) == 1
    assert all(one.closed and one.shown_version == 0 for one in await rows(database))


async def test_slack_is_never_asked_to_show_an_event_for_a_webhook(database: Database) -> None:
    """The other messages of the rental are sent as if there were no events for webhooks."""
    rental = await make.store_rental(database)
    after = make.next_of(rental)
    events = (make.event(EventKind.RENTING), make.event(EventKind.RENTING))
    thread, sent = make.message(MessageKind.THREAD), for_webhook(rental, ONE)
    async with database.write() as tx:
        change = Change(before=rental, after=after, events=events, messages=((0, sent), (1, thread), (1, sent)))
        await tx.rentals.apply(change)
        await tx.messages.show(rental.id, transition=True)
        await tx.messages.show_all_again()
        await tx.messages.end_back_off()
        found = await tx.messages.due(FAR, 99)
        assert [one.kind for one in found] == [MessageKind.CARD, MessageKind.THREAD]
        assert [one.kind for one in await tx.messages.due(FAR, 99, Unsendable())] == [MessageKind.CARD]
        assert await tx.messages.undelivered() == 2
        card, reply = found
        await tx.messages.save(changed(card, due_at=None, closed=True, shown_version=1))
        assert await tx.messages.due(FAR, 99, Unsendable()) == [reply]
        await tx.messages.save(changed(reply, due_at=None, closed=True, shown_version=1))
        assert await tx.messages.due(FAR, 99) == []
        assert await tx.messages.next_due() is None
        assert await tx.messages.next_refresh() is None
        assert await tx.messages.undelivered() == 0
    first = lowest_version(REAL)
    assert await numbers(database) == [first, first + 1]


async def test_accepted_and_dropped_events_are_deleted_like_other_closed_messages(database: Database) -> None:
    rental = await make.store_rental(database)
    rental = await happen(database, rental, (ONE, OTHER))
    await accept(database)
    async with database.write() as tx:
        await tx.webhooks.drop(REAL, [ONE], 99)
        assert await tx.messages.drop_closed(FAR, FAR, 99) == 0
    over = make.next_of(rental, state=State.DESTROYED, over_at=START, due_at=None)
    async with database.write() as tx:
        await tx.rentals.apply(make.unchecked(rental, over))
        await tx.messages.add(make.message(MessageKind.REPLY, None))  # the newest message is kept
        assert await tx.messages.drop_closed(FAR, FAR, 99) == 2
    async with database.engines.reader.connect() as conn:
        kinds = (await conn.execute(select(messages.c.kind))).scalars().all()
    assert MessageKind.WEBHOOK not in kinds
