"""Visits: one row for each machine that is ready, with the time of its next visit.

The row is written with the change that makes a rental ready, and removed with the change by which it stops being
ready. Nobody may connect to the address of a machine that is being deleted, since another machine may get it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update

from bot.model.records import Claimed
from store import claims
from store.mapping import IDS, insert_new
from store.tables import probe_runs

_c = probe_runs.c
_MAKE_DUE = update(probe_runs).where(_c.rental_id == bindparam("key")).values(due_at=bindparam("moment"))
_END = delete(probe_runs).where(_c.rental_id == bindparam("key"))
_ONGOING = select(_c.rental_id).where(_c.rental_id.in_(IDS))


class ProbeRuns(claims.DueTable[Claimed]):
    _table, _kind = probe_runs, Claimed
    changed = False
    """Whether visits of a machine began, ended or were made due in this transaction."""

    async def begin(self, rental_id: str, due_at: datetime) -> None:
        """Plan the first visit of a machine that became ready."""
        self.changed = True
        await insert_new(self._conn, probe_runs, {"rental_id": rental_id, "due_at": due_at, **claims.FREE})

    async def end(self, rental_id: str) -> None:
        """Visit this machine no more."""
        self.changed = True
        await self._conn.execute(_END, {"key": rental_id})

    async def make_due(self, rental_id: str, at: datetime) -> None:
        """Visit this machine at this time. Do nothing if it is not visited."""
        self.changed = True
        await self._conn.execute(_MAKE_DUE, {"key": rental_id, "moment": at})

    async def ongoing(self, rental_ids: Collection[str]) -> set[str]:
        """Return those of these rentals whose visits have not ended."""
        return set((await self._conn.execute(_ONGOING, {"ids": list(rental_ids)})).scalars())
