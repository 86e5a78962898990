"""Quotes are counted by owner, and keep a reference to the rental that they became."""

from __future__ import annotations

from datetime import timedelta

from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.quote import QuoteState, SharedSearch, WaitlistEntry
from bot.model.request import OfferQuery
from bot.model.state import State
from store.db import Database
from tests.databases import START
from tests.store import make

MINUTE = timedelta(minutes=1)


async def test_quotes_are_counted_by_person_and_time(database: Database) -> None:
    async with database.write() as tx:
        for n in range(4):
            await tx.quotes.add(make.quote(f"q{n}", created_at=START + n * MINUTE))
        await tx.quotes.add(make.quote("q9", owner=make.BEN, created_at=START + 9 * MINUTE))
        assert len(await tx.quotes.asked_since(make.ANA, START + 2 * MINUTE)) == 2
        assert await tx.quotes.asked_since(make.ANA, START + 5 * MINUTE) == []


async def test_the_newest_quote_is_the_last_one_the_person_requested(database: Database) -> None:
    async with database.write() as tx:
        assert await tx.quotes.newest(make.ANA) is None
        for n, minutes in enumerate([2, 5, 3]):
            await tx.quotes.add(make.quote(f"q{n}", created_at=START + minutes * MINUTE))
        await tx.quotes.add(make.quote("q9", owner=make.BEN, created_at=START + 9 * MINUTE))
        newest = await tx.quotes.newest(make.ANA)
        assert newest is not None
        assert newest.id == "q1"


async def test_quotes_with_a_click_that_needs_a_key_come_newest_first(database: Database) -> None:
    async with database.write() as tx:
        await tx.quotes.add(make.quote("q1", clicked_offer="o", created_at=START + MINUTE))
        await tx.quotes.add(make.quote("q2", clicked_offer="o", created_at=START + 2 * MINUTE))
        await tx.quotes.add(make.quote("q3", clicked_offer="o", created_at=START - MINUTE))
        await tx.quotes.add(make.quote("q4", created_at=START + MINUTE))
        await tx.quotes.add(make.quote("q5", clicked_offer="o", owner=make.BEN, created_at=START + MINUTE))
        assert [quote.id for quote in await tx.quotes.clicked(make.ANA, START)] == ["q2", "q1"]


async def test_waiting_quotes_are_found_by_search_and_person_and_never_dropped(database: Database) -> None:
    waitlist_entry = WaitlistEntry(until=START + MINUTE, since=START, rents=True, gpu="nvidia-h100-sxm5-80gb")
    async with database.write() as tx:
        await tx.quotes.add(
            make.quote("q1", waits_for="s1", waitlist_entry=waitlist_entry, created_at=START + MINUTE)
        )
        await tx.quotes.add(make.quote("q2", waits_for="s1", owner=make.BEN))
        await tx.quotes.add(make.quote("q3", waits_for="s2"))
        await tx.quotes.add(make.quote("q4", waitlist_entry=waitlist_entry))
        assert [quote.id for quote in await tx.quotes.waiting_for("s1")] == ["q2", "q1"]
        assert [quote.id for quote in await tx.quotes.waiting_of(make.ANA)] == ["q3", "q1"]
        assert [quote.id for quote in await tx.quotes.waiting()] == ["q2", "q3", "q1"]
        assert (await tx.quotes.waiting_for("s1"))[1].waitlist_entry == waitlist_entry
        assert await tx.quotes.drop_unused(START + 9 * MINUTE, 9) == 1
        assert len(await tx.quotes.waiting()) == 3


async def test_a_shared_search_becomes_due_when_someone_starts_waiting(database: Database) -> None:
    query = OfferQuery(gpu="H100")
    async with database.write() as tx:
        await tx.searches.open("s1", query, START)
        (row,) = await tx.searches.claim(START, 9, 20)
        search = await tx.searches.get("s1")
        assert search == SharedSearch(id="s1", query=query, due_at=START)
        later = changed(search, asked_at=START, misses=3, due_at=START + 8 * MINUTE)
        await tx.searches.save(later)
        await tx.searches.release(row.id)
        assert await tx.searches.get("s1") == later
        await tx.searches.save(changed(later, misses=9))  # without a claim
        assert await tx.searches.get("s1") == later
        await tx.searches.open("s1", query, START + 9 * MINUTE)
        assert await tx.searches.get("s1") == later, "it is due sooner"
        await tx.searches.open("s1", query, START + MINUTE)
        assert await tx.searches.get("s1") == changed(later, misses=0, due_at=START + MINUTE)
        await tx.searches.claim(START + MINUTE, 9, 20)
        await tx.searches.save(changed(later, due_at=None))
    rental = await make.store_rental(database, make.rental(quote_id="q-k7mq2"))
    async with database.write() as tx:
        await tx.quotes.save(make.quote("q-k7mq2", waits_for="s1"))
    waits = make.next_of(rental, state=State.QUEUED)
    async with database.write() as tx:
        event = make.event(EventKind.QUEUED_AGAIN, at=START + 2 * MINUTE)
        await tx.rentals.apply(make.unchecked(rental, waits, events=(event,)))
    async with database.write() as tx:
        assert await tx.searches.next_due(claimed=True) == START + 2 * MINUTE
        await tx.rentals.lock_spending()
        assert (await tx.rentals.usage(make.ANA)).person_rentals == 0
        await tx.searches.drop("s1")
        assert await tx.searches.get("s1") is None


async def test_a_quote_is_read_as_it_was_saved(database: Database) -> None:
    quote = make.quote(state=QuoteState.LOOKING, offers=(), due_at=START)
    found = changed(quote, state=QuoteState.FOUND, offers=(make.offer(), make.offer("offer-2")), due_at=None)
    async with database.write() as tx:
        await tx.quotes.add(quote)
        await tx.quotes.save(found)
        assert await tx.quotes.get("q1") == found
        assert await tx.quotes.get("q2") is None


async def test_a_quote_keeps_its_rental_when_an_older_copy_is_saved(database: Database) -> None:
    quote = make.quote()
    async with database.write() as tx:
        await tx.quotes.add(quote)
        await tx.quotes.save(changed(quote, rental_id="k7mq2"))
        await tx.quotes.save(quote)
        saved = await tx.quotes.get("q1")
    assert saved is not None
    assert saved.rental_id == "k7mq2"
