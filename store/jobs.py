"""Work of which there is one for all processes: one row for each job of the calendar, and one for delivery."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.records import Claimed
from store import claims
from store.mapping import insert_new, param
from store.tables import jobs

_c = jobs.c
_CLAIMED = (_c.id, _c.due_at)
_EARLIER = param(_c.due_at, "at")
_BRING_FORWARD = update(jobs).where(_c.id == bindparam("key"), _c.due_at > _EARLIER).values(due_at=_EARLIER)


class Jobs(claims.DueTable[Claimed]):
    """The work of which there is one for all processes, by its name: a job of the calendar, or delivery."""

    def __init__(self, conn: AsyncConnection, holder: str) -> None:
        super().__init__(conn, holder, jobs, Claimed, _CLAIMED)

    async def begin(self, name: str, due_at: datetime) -> None:
        """Write when a job is due first. Do nothing if the store has the job."""
        await insert_new(self._conn, jobs, {"id": name, "due_at": due_at, **claims.FREE})

    async def bring_forward(self, name: str, at: datetime) -> None:
        """Make a job due at this time, unless it is due earlier or the store doesn't have it."""
        await self._conn.execute(_BRING_FORWARD, {"key": name, "at": at})
