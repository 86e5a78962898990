"""Probe runs: one row for each ready machine, with the time of its next probe run.

The transaction in which a rental becomes ready inserts the row. The transaction in which the rental stops being
ready removes the row. After that, the bot must not connect to the machine any more: it is being deleted, and its
address may be assigned to another machine.
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
    """True if this transaction started or stopped probing a machine, or brought a probe run forward."""

    async def begin(self, rental_id: str, due_at: datetime) -> None:
        """Start probing a machine that became ready, with the first probe run at `due_at`."""
        self.changed = True
        await insert_new(self._conn, probe_runs, {"rental_id": rental_id, "due_at": due_at, **claims.FREE})

    async def end(self, rental_id: str) -> None:
        """Stop probing a machine."""
        self.changed = True
        await self._conn.execute(_END, {"key": rental_id})

    async def make_due(self, rental_id: str, at: datetime) -> None:
        """Schedule the next probe run of a machine for the time `at`. Does nothing if the machine isn't probed."""
        self.changed = True
        await self._conn.execute(_MAKE_DUE, {"key": rental_id, "moment": at})

    async def ongoing(self, rental_ids: Collection[str]) -> set[str]:
        """Return the IDs of the given rentals whose machines are still probed."""
        return set((await self._conn.execute(_ONGOING, {"ids": list(rental_ids)})).scalars())
