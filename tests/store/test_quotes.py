"""Quotes are counted by owner, and keep the rental that they became."""

from __future__ import annotations

from datetime import timedelta

from bot.model.base import changed
from bot.model.quote import QuoteState
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


async def test_the_newest_quote_is_the_one_that_the_person_asked_for_last(database: Database) -> None:
    async with database.write() as tx:
        assert await tx.quotes.newest(make.ANA) is None
        for n, minutes in enumerate([2, 5, 3]):
            await tx.quotes.add(make.quote(f"q{n}", created_at=START + minutes * MINUTE))
        await tx.quotes.add(make.quote("q9", owner=make.BEN, created_at=START + 9 * MINUTE))
        newest = await tx.quotes.newest(make.ANA)
        assert newest is not None
        assert newest.id == "q1"


async def test_quotes_of_one_person_whose_click_waits_for_a_key_are_read_newest_first(database: Database) -> None:
    async with database.write() as tx:
        await tx.quotes.add(make.quote("q1", clicked_offer="o", created_at=START + MINUTE))
        await tx.quotes.add(make.quote("q2", clicked_offer="o", created_at=START + 2 * MINUTE))
        await tx.quotes.add(make.quote("q3", clicked_offer="o", created_at=START - MINUTE))
        await tx.quotes.add(make.quote("q4", created_at=START + MINUTE))
        await tx.quotes.add(make.quote("q5", clicked_offer="o", owner=make.BEN, created_at=START + MINUTE))
        assert [quote.id for quote in await tx.quotes.clicked(make.ANA, START)] == ["q2", "q1"]


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
