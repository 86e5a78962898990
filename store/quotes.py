"""Quotes: requests, and the offers that were found for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, false, func, insert, or_, select, update

from bot.model.quote import Quote
from bot.model.records import Claimed
from store import claims
from store.mapping import IDS, MAX_ROWS, param, select_by, values
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
_BY_PERSON = _c.token_id.is_(None)
_NEWEST = select_by(_c.owner, _c.created_at.desc(), _c.id.desc()).where(_BY_PERSON).limit(1)
_SINCE = _c.created_at >= bindparam("since")
_ASKED_SINCE = select_by(_c.owner, _c.created_at).where(_SINCE, _BY_PERSON).with_only_columns(_c.created_at)
_CLICKED = select_by(_c.owner, _c.created_at.desc(), _c.id).where(_SINCE, _c.clicked_offer.is_not(None))
_WAITING = select(quotes).where(_c.waits_for.is_not(None)).order_by(_c.created_at, _c.id)
_WAITING_FOR = _WAITING.where(_c.waits_for == bindparam("key"))
_WAITING_OF = _WAITING.where(_c.owner == bindparam("key"))

_OLDEST = (
    select(_c.id)
    .where(_c.created_at < bindparam("before"), _c.due_at.is_(None), _c.waits_for.is_(None))
    .order_by(_c.created_at)
    .limit(MAX_ROWS)
)
# The newest message must never be deleted, and PostgreSQL is faster with scalar subqueries. store/messages.py
# gives the reasons for both.
_KEPT_MESSAGES = (
    select(func.count())
    .where(messages.c.quote_id == _c.id, or_(~messages.c.closed, messages.c.id == NEWEST_ID))
    .scalar_subquery()
)
_RENTALS = select(func.count()).where(rentals.c.quote_id == _c.id).scalar_subquery()
_UNUSED = _OLDEST.where(_c.rental_id.is_(None), _KEPT_MESSAGES == 0, _RENTALS == 0)
_DROP_ANSWERS = delete(messages).where(messages.c.quote_id.in_(IDS))
_DROP = delete(quotes).where(_c.id.in_(IDS))
_RENTAL_LIVES = select(rentals.c.live).where(rentals.c.id == _c.rental_id).scalar_subquery()
_WITH_OFFERS = _OLDEST.where(HAS_OFFERS, _RENTAL_LIVES.is_(false()))
_DROP_OFFERS = update(quotes).where(_c.id.in_(_WITH_OFFERS)).values(offers=(), nearby=())
_ANSWERED = _OLDEST.where(_c.reply_to.is_not(None))
_DROP_REPLY_TO = update(quotes).where(_c.id.in_(_ANSWERED)).values(reply_to=None)


class Quotes(claims.DueTable[Claimed]):
    _table, _kind = quotes, Claimed

    async def get(self, quote_id: str) -> Quote | None:
        return await self._first(Quote, _GET, key=quote_id)

    async def add(self, quote: Quote) -> None:
        await self._conn.execute(_ADD, values(quote))

    async def save(self, quote: Quote) -> None:
        """Store all fields of a quote. A `rental_id` that is already stored is never overwritten."""
        fields = values(quote, without=frozenset({"id", "rental_id"}))
        await self._conn.execute(_SAVE, {**fields, "rental": quote.rental_id, "key": quote.id})

    async def asked_since(self, owner: str, since: datetime) -> list[datetime]:
        """Return the times at which a person has requested quotes since `since`, oldest first.

        Quotes that programs requested for this person are left out.
        """
        return list(await self._conn.scalars(_ASKED_SINCE, {"key": owner, "since": since}))

    async def newest(self, owner: str) -> Quote | None:
        """Return the last quote that a person requested, or None if there is none.

        Quotes that programs requested for this person are left out.
        """
        return await self._first(Quote, _NEWEST, key=owner)

    async def clicked(self, owner: str, since: datetime) -> list[Quote]:
        """Return a person's quotes that wait until the person adds an SSH key, newest first.

        The person has already clicked an offer in each of these quotes. Only quotes that were requested at `since`
        or later are returned.
        """
        return await self._all(Quote, _CLICKED, key=owner, since=since)

    async def waiting(self) -> list[Quote]:
        """Return the quotes that wait for an offer, oldest first.

        If a quote has become a rental that waits for an offer, the quote is included.
        """
        return await self._all(Quote, _WAITING)

    async def waiting_for(self, search_id: str) -> list[Quote]:
        """Return the quotes from `waiting` that use this shared search, oldest first."""
        return await self._all(Quote, _WAITING_FOR, key=search_id)

    async def waiting_of(self, owner: str) -> list[Quote]:
        """Return the quotes from `waiting` that this person requested, oldest first."""
        return await self._all(Quote, _WAITING_OF, key=owner)

    async def drop_unused(self, before: datetime, limit: int) -> int:
        """Remove old quotes that didn't become rentals, oldest first, and return the number of quotes removed.

        The messages that show these quotes are removed too. A quote is kept while one of its messages can still be
        posted or edited.

        Args:
            before: The time before which a quote must have been requested.
            limit: The maximum number to remove.
        """
        ids = list(await self._conn.scalars(_UNUSED, {"before": before, "max_rows": limit}))
        if ids:
            await self._conn.execute(_DROP_ANSWERS, {"ids": ids})
            await self._conn.execute(_DROP, {"ids": ids})
        return len(ids)

    async def drop_offers(self, before: datetime, limit: int) -> int:
        """Remove the offers from old quotes whose rental is over, and return the number of quotes changed.

        Only quotes that were requested before `before` are changed, and at most `limit` of them.
        """
        return (await self._conn.execute(_DROP_OFFERS, {"before": before, "max_rows": limit})).rowcount

    async def drop_reply_to(self, before: datetime, limit: int) -> int:
        """Remove the destination `reply_to` from old quotes, and return the number of quotes changed.

        Only quotes that were requested before `before` are changed, and at most `limit` of them.
        """
        return (await self._conn.execute(_DROP_REPLY_TO, {"before": before, "max_rows": limit})).rowcount
