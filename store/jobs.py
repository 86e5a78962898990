"""Work of which there is one for all processes: one row for each job of the calendar, and one for delivery."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.lifecycle.ports.due import Claimed
from store import claims
from store.mapping import insert_new
from store.tables import jobs

_CLAIMED = (jobs.c.id, jobs.c.due_at)


class Jobs(claims.PlainDueTable):
    """bot.lifecycle.ports.store.Jobs."""

    def __init__(self, conn: AsyncConnection, holder: str) -> None:
        super().__init__(conn, holder, jobs, Claimed, _CLAIMED)

    async def begin(self, name: str, due_at: datetime) -> None:
        await insert_new(self._conn, jobs, {"id": name, "due_at": due_at, **claims.FREE})
