"""Shared searches: one row for all waitlist entries with the same query, with the time of the next search."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, or_, select, update

from bot.model.quote import SharedSearch
from bot.model.records import Claimed
from bot.model.request import OfferQuery
from store import claims
from store.mapping import insert_new, param, select_by
from store.tables import quotes, shared_searches

_c = shared_searches.c
_GET = select_by(_c.id)
_at = param(_c.due_at, "at")
_MAKE_DUE = (
    update(shared_searches)
    .where(_c.id == bindparam("key"))
    .where(or_(_c.due_at.is_(None), _c.due_at > _at))
    .values(misses=0, due_at=_at)
)
_OF_QUOTE = select(quotes.c.waits_for).where(quotes.c.id == bindparam("key"))
_SAVE = (
    update(shared_searches)
    .where(_c.id == bindparam("key"), claims.held(shared_searches))
    .values(asked_at=bindparam("asked"), misses=bindparam("missed"), due_at=bindparam("next_due"))
)
_DROP = delete(shared_searches).where(_c.id == bindparam("key"))


class Searches(claims.DueTable[Claimed]):
    """The searches that waitlist entries share.

    When a rental changes to the state `queued`, the search that its quote uses becomes due immediately.
    """

    _table, _kind = shared_searches, Claimed

    async def get(self, search_id: str) -> SharedSearch | None:
        return await self._first(SharedSearch, _GET, key=search_id)

    async def open(self, search_id: str, query: OfferQuery, at: datetime) -> None:
        """Store a search that is due at the time `at`.

        If the search is already stored and due by then, nothing changes. If it is stored and due later, it becomes
        due at `at`, and the count of its consecutive queries without a suitable offer is set to zero.

        The search can run later than it is due, because only a few searches run at the same time.
        """
        row = {"id": search_id, "query": query, "asked_at": None, "misses": 0, "due_at": at, **claims.FREE}
        if not await insert_new(self._conn, shared_searches, row):
            await self.make_due(search_id, at)

    async def make_due(self, search_id: str, at: datetime) -> None:
        await self._conn.execute(_MAKE_DUE, {"key": search_id, "at": at})

    async def make_due_for(self, quote_id: str, at: datetime) -> None:
        search_id = await self._conn.scalar(_OF_QUOTE, {"key": quote_id})
        if search_id is not None:
            await self.make_due(search_id, at)

    async def save(self, search: SharedSearch) -> None:
        """Store the time of the last search and the time of the next one.

        Does nothing if another process is working on the search (has the claim on its row).
        """
        values = {"asked": search.asked_at, "missed": search.misses, "next_due": search.due_at}
        await self._conn.execute(_SAVE, {"key": search.id, "holder": self._holder, **values})

    async def drop(self, search_id: str) -> None:
        await self._conn.execute(_DROP, {"key": search_id})
