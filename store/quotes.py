"""Quotes: requests and the offers found for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Integer, bindparam, delete, false, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.quote import Quote
from bot.model.records import Claimed
from store import claims
from store.mapping import fetch_first, param, select_by, to_models, values
from store.messages import NEWEST_ID
from store.tables import HAS_OFFERS, messages, quotes, rentals

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


_WAITING = select(quotes).where(quotes.c.waits_for.is_not(None)).order_by(quotes.c.created_at, quotes.c.id)
_WAITING_FOR = _WAITING.where(quotes.c.waits_for == param(quotes.c.waits_for, "search_id"))
_WAITING_OF = _WAITING.where(quotes.c.owner == param(quotes.c.owner, "owner_id"))

_OLD = select(quotes.c.id).where(
    quotes.c.created_at < param(quotes.c.created_at, "before"),
    quotes.c.due_at.is_(None),
    quotes.c.waits_for.is_(None),
)
_OLDEST = bindparam("max_rows", type_=Integer)
_UNUSED = (
    _OLD.where(
        quotes.c.rental_id.is_(None),
        # Scalar subqueries here, and the newest message stays: see store/messages.py.
        select(func.count())
        .where(messages.c.quote_id == quotes.c.id, or_(~messages.c.closed, messages.c.id == NEWEST_ID))
        .scalar_subquery()
        == 0,
        select(func.count()).where(rentals.c.quote_id == quotes.c.id).scalar_subquery() == 0,
    )
    .order_by(quotes.c.created_at)
    .limit(_OLDEST)
)
_RENTAL_LIVES = select(rentals.c.live).where(rentals.c.id == quotes.c.rental_id).scalar_subquery()
_these: Any = bindparam("ids", expanding=True)
_DROP_ANSWERS = delete(messages).where(messages.c.quote_id.in_(_these))
_DROP = delete(quotes).where(quotes.c.id.in_(_these))
_DROP_OFFERS = (
    update(quotes)
    .where(
        quotes.c.id.in_(
            _OLD.where(HAS_OFFERS, _RENTAL_LIVES.is_(false())).order_by(quotes.c.created_at).limit(_OLDEST)
        )
    )
    .values(offers=(), nearby=())
)
_DROP_REPLY_TO = (
    update(quotes)
    .where(
        quotes.c.id.in_(_OLD.where(quotes.c.reply_to.is_not(None)).order_by(quotes.c.created_at).limit(_OLDEST))
    )
    .values(reply_to=None)
)


class Quotes(claims.DueTable[Claimed]):
    """What people asked for, with the offers that were found."""

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
        """Return when a person asked for quotes since then, oldest first."""
        return list(await self._conn.scalars(_ASKED_SINCE, {"owner_id": owner, "since": since}))

    async def newest(self, owner: str) -> Quote | None:
        """Return the last quote that a person asked for. Return None if the store has none."""
        found = to_models(Quote, await self._conn.execute(_NEWEST, {"owner_id": owner}))
        return found[0] if found else None

    async def clicked(self, owner: str, since: datetime) -> list[Quote]:
        """Return the quotes of a person with an offer that waits for a key, asked for since then, newest first."""
        return to_models(Quote, await self._conn.execute(_CLICKED, {"owner_id": owner, "since": since}))

    async def waiting(self) -> list[Quote]:
        """Return the quotes that wait for an offer, or whose rental did: those with `waits_for`."""
        return to_models(Quote, await self._conn.execute(_WAITING))

    async def waiting_for(self, search_id: str) -> list[Quote]:
        """As `waiting`, for one shared search."""
        return to_models(Quote, await self._conn.execute(_WAITING_FOR, {"search_id": search_id}))

    async def waiting_of(self, owner: str) -> list[Quote]:
        """As `waiting`, for one person."""
        return to_models(Quote, await self._conn.execute(_WAITING_OF, {"owner_id": owner}))

    async def drop_unused(self, before: datetime, limit: int) -> int:
        """Remove the oldest quotes from before that time that made no rental and are answered, with their answers,
        `limit` at most. Return how many were removed."""
        ids = list(await self._conn.scalars(_UNUSED, {"before": before, "max_rows": limit}))
        if ids:
            await self._conn.execute(_DROP_ANSWERS, {"ids": ids})
            await self._conn.execute(_DROP, {"ids": ids})
        return len(ids)

    async def drop_offers(self, before: datetime, limit: int) -> int:
        """As `drop_unused`, but remove only the offers of quotes whose rental is over."""
        return (await self._conn.execute(_DROP_OFFERS, {"before": before, "max_rows": limit})).rowcount

    async def drop_reply_to(self, before: datetime, limit: int) -> int:
        """As `drop_unused`, but remove only where the answer went."""
        return (await self._conn.execute(_DROP_REPLY_TO, {"before": before, "max_rows": limit})).rowcount
