"""Quotes: requests and the offers found for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.lifecycle.ports.due import Claimed
from bot.model.quote import Quote
from store import claims
from store.mapping import fetch_first, param, select_by, to_models, values
from store.tables import quotes

_CLAIMED = (quotes.c.id, quotes.c.due_at)
_GET = select_by(quotes.c.id)
_ADD = insert(quotes)
_SAVE = (
    update(quotes)
    .where(quotes.c.id == param(quotes.c.id, "key"))
    .values(rental_id=func.coalesce(quotes.c.rental_id, param(quotes.c.rental_id, "rental")))
)
_ASKED_SINCE = (
    select(quotes.c.created_at)
    .where(
        quotes.c.owner == param(quotes.c.owner, "owner_id"),
        quotes.c.created_at >= param(quotes.c.created_at, "since"),
    )
    .order_by(quotes.c.created_at)
)
_NEWEST = (
    select(quotes)
    .where(quotes.c.owner == param(quotes.c.owner, "owner_id"))
    .order_by(quotes.c.created_at.desc(), quotes.c.id.desc())
    .limit(1)
)
_CLICKED = (
    select(quotes)
    .where(
        quotes.c.owner == param(quotes.c.owner, "owner_id"),
        quotes.c.created_at >= param(quotes.c.created_at, "since"),
        quotes.c.clicked_offer.is_not(None),
    )
    .order_by(quotes.c.created_at.desc(), quotes.c.id)
)


class Quotes(claims.PlainDueTable):
    """bot.lifecycle.ports.store.Quotes."""

    def __init__(self, conn: AsyncConnection, holder: str) -> None:
        super().__init__(conn, holder, quotes, Claimed, _CLAIMED)

    async def get(self, quote_id: str) -> Quote | None:
        return await fetch_first(self._conn, Quote, _GET, quote_id)

    async def add(self, quote: Quote) -> None:
        await self._conn.execute(_ADD, values(quote))

    async def save(self, quote: Quote) -> None:
        """Write every field, but never remove the rental that came from the quote."""
        fields = values(quote, without=frozenset({"id", "rental_id"}))
        await self._conn.execute(_SAVE, {**fields, "rental": quote.rental_id, "key": quote.id})

    async def asked_since(self, owner: str, since: datetime) -> list[datetime]:
        return list(await self._conn.scalars(_ASKED_SINCE, {"owner_id": owner, "since": since}))

    async def newest(self, owner: str) -> Quote | None:
        found = to_models(Quote, await self._conn.execute(_NEWEST, {"owner_id": owner}))
        return found[0] if found else None

    async def clicked(self, owner: str, since: datetime) -> list[Quote]:
        return to_models(Quote, await self._conn.execute(_CLICKED, {"owner_id": owner, "since": since}))
