"""Quotes: requests and the offers found for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, false, func, insert, or_, select, update

from bot.model.quote import Quote
from bot.model.records import Claimed
from store import claims
from store.mapping import IDS, MAX_ROWS, fetch_all, fetch_first, param, select_by, values
from store.messages import NEWEST_ID
from store.tables import HAS_OFFERS, messages, quotes, rentals

_c = quotes.c
_GET = select_by(_c.id)
_ADD = insert(quotes)
_SAVE = (
    update(quotes)
    .where(_c.id == bindparam("key"))
    .values(rental_id=func.coalesce(_c.rental_id, param(_c.rental_id, "rental")))
)
_ASKED_SINCE = (
    select(_c.created_at)
    .where(_c.owner == bindparam("owner_id"), _c.created_at >= bindparam("since"))
    .order_by(_c.created_at)
)
_NEWEST = (
    select(quotes).where(_c.owner == bindparam("owner_id")).order_by(_c.created_at.desc(), _c.id.desc()).limit(1)
)
_CLICKED = (
    select(quotes)
    .where(_c.owner == bindparam("owner_id"), _c.created_at >= bindparam("since"), _c.clicked_offer.is_not(None))
    .order_by(_c.created_at.desc(), _c.id)
)


_WAITING = select(quotes).where(_c.waits_for.is_not(None)).order_by(_c.created_at, _c.id)
_WAITING_FOR = _WAITING.where(_c.waits_for == bindparam("search_id"))
_WAITING_OF = _WAITING.where(_c.owner == bindparam("owner_id"))

_OLD = select(_c.id).where(_c.created_at < bindparam("before"), _c.due_at.is_(None), _c.waits_for.is_(None))
_UNUSED = (
    _OLD.where(
        _c.rental_id.is_(None),
        # Scalar subqueries here, and the newest message stays: see store/messages.py.
        select(func.count())
        .where(messages.c.quote_id == _c.id, or_(~messages.c.closed, messages.c.id == NEWEST_ID))
        .scalar_subquery()
        == 0,
        select(func.count()).where(rentals.c.quote_id == _c.id).scalar_subquery() == 0,
    )
    .order_by(_c.created_at)
    .limit(MAX_ROWS)
)
_RENTAL_LIVES = select(rentals.c.live).where(rentals.c.id == _c.rental_id).scalar_subquery()
_DROP_ANSWERS = delete(messages).where(messages.c.quote_id.in_(IDS))
_DROP = delete(quotes).where(_c.id.in_(IDS))
_DROP_OFFERS = (
    update(quotes)
    .where(_c.id.in_(_OLD.where(HAS_OFFERS, _RENTAL_LIVES.is_(false())).order_by(_c.created_at).limit(MAX_ROWS)))
    .values(offers=(), nearby=())
)
_DROP_REPLY_TO = (
    update(quotes)
    .where(_c.id.in_(_OLD.where(_c.reply_to.is_not(None)).order_by(_c.created_at).limit(MAX_ROWS)))
    .values(reply_to=None)
)


class Quotes(claims.DueTable[Claimed]):
    """What people asked for, with the offers that were found."""

    _table, _kind = quotes, Claimed

    async def get(self, quote_id: str) -> Quote | None:
        return await fetch_first(self._conn, Quote, _GET, key=quote_id)

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
        return await fetch_first(self._conn, Quote, _NEWEST, owner_id=owner)

    async def clicked(self, owner: str, since: datetime) -> list[Quote]:
        """Return the quotes of a person with an offer that waits for a key, asked for since then, newest first."""
        return await fetch_all(self._conn, Quote, _CLICKED, owner_id=owner, since=since)

    async def waiting(self) -> list[Quote]:
        """Return the quotes that wait for an offer, or whose rental did: those with `waits_for`."""
        return await fetch_all(self._conn, Quote, _WAITING)

    async def waiting_for(self, search_id: str) -> list[Quote]:
        """As `waiting`, for one shared search."""
        return await fetch_all(self._conn, Quote, _WAITING_FOR, search_id=search_id)

    async def waiting_of(self, owner: str) -> list[Quote]:
        """As `waiting`, for one person."""
        return await fetch_all(self._conn, Quote, _WAITING_OF, owner_id=owner)

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
