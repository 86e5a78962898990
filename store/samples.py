"""Samples: the measurements of each probe run, kept for two days.

Also stores whether a machine's probe responded soon after the machine became ready.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Text, bindparam, delete, func, select, tuple_, type_coerce

from bot.model.machine_use import ProbeAnswers as Answers
from bot.model.machine_use import Sample
from store.mapping import IDS, MAX_ROWS, Rows, insert_new, listed, param, select_by, upsert, values
from store.tables import probe_answers, rentals, samples

_c = samples.c
_OF_RENTAL = select_by(_c.rental_id, _c.at)
_SINCE = _OF_RENTAL.where(_c.at >= bindparam("moment"))
_GPUS = _SINCE.with_only_columns(_c.at, type_coerce(_c.gpus, Text))
_before = samples.alias()
_LAST_BEFORE = (
    select(func.max(_before.c.at))
    .where(_before.c.rental_id == bindparam("key"), _before.c.at < bindparam("moment"))
    .scalar_subquery()
)
_REACHING_BACK = _OF_RENTAL.where(_c.at >= func.coalesce(_LAST_BEFORE, param(_c.at, "moment")))
_newest = samples.alias()
_NEWEST_AT = (
    select(func.max(_newest.c.at)).where(_newest.c.rental_id == rentals.c.id).correlate(rentals).scalar_subquery()
)
_NEWEST_OF = (
    select(samples)
    .select_from(rentals)
    .join(samples, (_c.rental_id == rentals.c.id) & (_c.at == _NEWEST_AT))
    .where(rentals.c.id.in_(IDS))
)
_OLD = select(_c.rental_id, _c.at).where(_c.at < bindparam("moment")).order_by(_c.at).limit(MAX_ROWS)
_DROP = delete(samples).where(tuple_(_c.rental_id, _c.at).in_(_OLD))


class Samples(Rows):
    async def add(self, sample: Sample) -> None:
        await upsert(self._conn, samples, values(sample))

    async def since(self, rental_id: str, at: datetime) -> list[Sample]:
        """Return a rental's samples at or after `at`, oldest first."""
        return await self._all(Sample, _SINCE, key=rental_id, moment=at)

    async def reaching_back(self, rental_id: str, at: datetime) -> list[Sample]:
        """Return a rental's samples at or after `at`, and the last sample before `at`. The oldest comes first."""
        return await self._all(Sample, _REACHING_BACK, key=rental_id, moment=at)

    async def highest(self, rental_id: str, at: datetime) -> list[tuple[datetime, int]]:
        """Return the time and highest GPU utilization of each sample at or after `at`, oldest first.

        The utilization is in percent. Samples without a reading are left out.
        """
        # Don't create a Sample object for each row. A day has up to 1,440 samples, and creating the objects would
        # block the event loop.
        rows = await self._conn.execute(_GPUS, {"key": rental_id, "moment": at})
        known = ((moment, _highest(text)) for moment, text in rows)
        return [(moment, highest) for moment, highest in known if highest is not None]

    async def newest_of(self, rental_ids: Collection[str]) -> dict[str, Sample]:
        """Return the newest sample of each rental, by rental ID. Rentals without a sample are left out."""
        found = await self._all(Sample, _NEWEST_OF, ids=listed(rental_ids))
        return {sample.rental_id: sample for sample in found}

    async def drop_before(self, at: datetime, limit: int) -> int:
        """Remove samples that were taken before `at`, and return the number of removed samples.

        At most `limit` samples are removed, the oldest ones first.
        """
        return (await self._conn.execute(_DROP, {"moment": at, "max_rows": limit})).rowcount


def _highest(gpus: str) -> int | None:
    """Return the highest reading in a stored value of `Sample.gpus`, or None if it has no readings."""
    readings = [gpu["highest"] for gpu in json.loads(gpus)]
    return max((reading for reading in readings if reading is not None), default=None)


# --- whether a machine's probe answered soon after the machine became ready: one row for each machine

MOST_UNREACHABLE = 10
"""The maximum number of unreachable machines to read for each vendor."""

_a = probe_answers.c
_UNREACHABLE = (
    select(rentals.c.owner, _a.at)
    .join(rentals, rentals.c.id == _a.rental_id)
    .where(_a.vendor == bindparam("key"), _a.answered.is_(False))
    .order_by(_a.at.desc(), _a.rental_id)
    .limit(MOST_UNREACHABLE)
)
_ANSWERED = (
    select(_a.at).where(_a.vendor == bindparam("key"), _a.answered.is_(True)).order_by(_a.at.desc()).limit(1)
)


class ProbeAnswers(Rows):
    async def note(self, rental_id: str, vendor: str, at: datetime, *, answered: bool) -> None:
        """Record whether a machine's probe answered.

        Once an answer has been recorded, a later call with `answered=False` changes nothing.
        """
        row = {"rental_id": rental_id, "vendor": vendor, "at": at, "answered": answered}
        if answered:
            await upsert(self._conn, probe_answers, row)
        else:
            await insert_new(self._conn, probe_answers, row, conflict_on="rental_id")

    async def of_vendors(self, vendors: Collection[str]) -> dict[str, Answers]:
        """Return, by vendor, the last time a machine answered a probe, and the machines unreachable since then.

        Vendors without records are left out.
        """
        # Use two queries that read at most eleven rows for each vendor through the index. A single query for all
        # vendors would read the whole table.
        found = {}
        for vendor in sorted(set(vendors)):
            answered_at = (await self._conn.execute(_ANSWERED, {"key": vendor})).scalar()
            unreachable = (await self._conn.execute(_UNREACHABLE, {"key": vendor})).all()
            since = [row for row in unreachable if answered_at is None or row.at > answered_at]
            if unreachable or answered_at is not None:
                found[vendor] = Answers(
                    unreachable=tuple(row.owner for row in since),
                    unreachable_at=since[0].at if since else None,
                    answered_at=answered_at,
                )
        return found
