"""Whether the probe of a machine answered soon after ready: one row for each machine of which that is known."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.use import ProbeAnswers as Answers
from store.mapping import insert_new, param
from store.tables import probe_answers

LAST = 10
"""How many of a vendor's machines count."""

_c = probe_answers.c
_LAST = (
    select(_c.answered, _c.at)
    .where(_c.vendor == param(_c.vendor, "key"))
    .order_by(_c.at.desc(), _c.rental_id)
    .limit(LAST)
)
_NOTED = select(_c.rental_id).where(_c.rental_id == param(_c.rental_id, "key"))


class ProbeAnswers:
    """bot.lifecycle.ports.store.ProbeAnswers."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def note(self, rental_id: str, vendor: str, at: datetime, *, answered: bool) -> None:
        row = {"rental_id": rental_id, "vendor": vendor, "at": at, "answered": answered}
        await insert_new(self._conn, probe_answers, row, conflict_on="rental_id")

    async def noted(self, rental_id: str) -> bool:
        return (await self._conn.execute(_NOTED, {"key": rental_id})).first() is not None

    async def of_vendors(self, vendors: Collection[str]) -> dict[str, Answers]:
        # One query for each vendor reads ten rows by the index. One query for all would read every row of each.
        found = {}
        for vendor in sorted(set(vendors)):
            rows = (await self._conn.execute(_LAST, {"key": vendor})).all()
            if rows:
                silent_at = next((row.at for row in rows if not row.answered), None)
                found[vendor] = Answers(answered=tuple(row.answered for row in rows), silent_at=silent_at)
        return found
