"""Visits: one row for each machine that is ready, with the time of its next visit.

The row is written with the change that makes a rental ready, and removed with the change by which it stops being
ready: nobody may connect to the address of a machine that is being deleted, since addresses are given to others.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import claims
from store.mapping import insert_new, param
from store.tables import visits

_c = visits.c
_CLAIMED = (_c.rental_id, _c.due_at)
_DEFER = (
    update(visits)
    .where(_c.rental_id == param(_c.rental_id, "key"))
    .values(due_at=param(_c.due_at, "next_due"), claimed_by=None)
)
_MAKE_DUE = (
    update(visits).where(_c.rental_id == param(_c.rental_id, "key")).values(due_at=param(_c.due_at, "moment"))
)
_END = delete(visits).where(_c.rental_id == param(_c.rental_id, "key"))
_ONGOING = select(_c.rental_id).where(_c.rental_id.in_(bindparam("ids", expanding=True)))


class Visits:
    """bot.lifecycle.ports.store.Visits."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn
        self.changed = False
        """Whether visits of a machine began, ended or were made due in this transaction."""

    async def begin(self, rental_id: str, due_at: datetime) -> None:
        """Plan the first visit of a machine that became ready."""
        self.changed = True
        await insert_new(self._conn, visits, {"rental_id": rental_id, "due_at": due_at, "claimed_by": None})

    async def end(self, rental_id: str) -> None:
        self.changed = True
        await self._conn.execute(_END, {"key": rental_id})

    async def make_due(self, rental_id: str, at: datetime) -> None:
        self.changed = True
        await self._conn.execute(_MAKE_DUE, {"key": rental_id, "moment": at})

    async def claim(self, now: datetime, claimant: str, limit: int) -> list[str]:
        rows = await claims.claim(self._conn, visits, _CLAIMED, now, claimant=claimant, limit=limit)
        return [row.rental_id for row in rows]

    async def defer(self, rental_id: str, due_at: datetime) -> bool:
        deferred = await self._conn.execute(_DEFER, {"key": rental_id, "next_due": due_at})
        return deferred.rowcount == 1

    async def release_all(self, *, without: Collection[str] = ()) -> None:
        await claims.release_all(self._conn, visits, without)

    async def next_due(self) -> datetime | None:
        return await claims.next_due(self._conn, visits)

    async def ongoing(self, rental_ids: Collection[str]) -> set[str]:
        return set((await self._conn.execute(_ONGOING, {"ids": list(rental_ids)})).scalars())
