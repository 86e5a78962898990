"""Quotes: requests and the offers found for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.quote import Quote, QuoteState
from store import due
from store.rows import model, values
from store.tables import quotes


class Quotes:
    """bot.lifecycle.ports.Quotes."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def get(self, quote_id: str) -> Quote | None:
        row = (await self._conn.execute(select(quotes).where(quotes.c.id == quote_id))).first()
        return None if row is None else model(Quote, row)

    async def add(self, quote: Quote) -> None:
        await self._conn.execute(insert(quotes).values(values(quote)))

    async def save(self, quote: Quote) -> None:
        """Writes all of it, but never takes away the rental that a quote has made."""
        fields = values(quote, without=frozenset({"id"}))
        fields["rental_id"] = func.coalesce(quotes.c.rental_id, quote.rental_id)
        await self._conn.execute(update(quotes).where(quotes.c.id == quote.id).values(fields))

    async def asked_since(self, owner: str, since: datetime) -> int:
        asked = select(func.count()).where(quotes.c.owner == owner, quotes.c.created_at >= since)
        return await self._conn.scalar(asked) or 0

    async def waiting_for_key(self, owner: str, since: datetime) -> list[Quote]:
        waiting = (
            select(quotes)
            .where(
                quotes.c.owner == owner,
                quotes.c.created_at >= since,
                quotes.c.state == QuoteState.WAITING_FOR_KEY,
            )
            .order_by(quotes.c.created_at, quotes.c.id)
        )
        return [model(Quote, row) for row in await self._conn.execute(waiting)]

    async def claim(self, now: datetime, claimant: str, limit: int) -> list[Quote]:
        return [model(Quote, row) for row in await due.claim(self._conn, quotes, now, claimant, limit)]

    async def release(self, quote_id: str) -> None:
        await due.release(self._conn, quotes, quote_id)

    async def next_due(self) -> datetime | None:
        return await due.next_due(self._conn, quotes)
