"""Whether the probe of a machine answered soon after ready: one row for each machine of which that is known."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.use import ProbeAnswers as Answers
from store.mapping import insert_new, param, upsert
from store.tables import probe_answers, rentals

MOST_SILENT = 10
"""How many of a vendor's silent machines are read."""

_c = probe_answers.c
_SILENT = (
    select(rentals.c.owner, _c.at)
    .join(rentals, rentals.c.id == _c.rental_id)
    .where(_c.vendor == param(_c.vendor, "key"), _c.answered.is_(False))
    .order_by(_c.at.desc(), _c.rental_id)
    .limit(MOST_SILENT)
)
_ANSWERED = (
    select(_c.at)
    .where(_c.vendor == param(_c.vendor, "key"), _c.answered.is_(True))
    .order_by(_c.at.desc())
    .limit(1)
)


class ProbeAnswers:
    """bot.lifecycle.ports.store.ProbeAnswers."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def note(self, rental_id: str, vendor: str, at: datetime, *, answered: bool) -> None:
        row = {"rental_id": rental_id, "vendor": vendor, "at": at, "answered": answered}
        if answered:
            await upsert(self._conn, probe_answers, row)
        else:
            await insert_new(self._conn, probe_answers, row, conflict_on="rental_id")

    async def of_vendors(self, vendors: Collection[str]) -> dict[str, Answers]:
        # Two queries for each vendor read eleven rows by the index. One for all would read every row of each.
        found = {}
        for vendor in sorted(set(vendors)):
            answered_at = (await self._conn.execute(_ANSWERED, {"key": vendor})).scalar()
            silent = (await self._conn.execute(_SILENT, {"key": vendor})).all()
            since = [row for row in silent if answered_at is None or row.at > answered_at]
            if silent or answered_at is not None:
                found[vendor] = Answers(
                    silent=tuple(row.owner for row in since),
                    silent_at=since[0].at if since else None,
                    answered_at=answered_at,
                )
        return found
