"""The queries of the overdue deletion.

They parse no offer, envelope or state, so that a value that can't be parsed doesn't stop the deletion.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

from sqlalchemy import and_, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.attempt import AttemptState, Marker, Resource
from bot.model.records import KnownResource, UnfinishedAttempt, WatchedResource
from store import claims
from store.mapping import insert_new, param, to_model, values
from store.tables import attempts, quotes, rentals, resources, shared_searches
from store.visits import Visits

_DATABASE_TIME = select(func.clock_timestamp())
_COLUMNS = (
    rentals.c.owner,
    rentals.c.accepted_at,
    rentals.c.lease_ends_at.label("ends_at"),
    rentals.c.ending_since.label("destroying_since"),
    rentals.c.over_at,
    attempts.c.rental_id,
    attempts.c.n,
    attempts.c.offer_id,
    attempts.c.intended_at,
    attempts.c.marked_by.is_not(None).label("marked_for_deletion"),
    (attempts.c.n == rentals.c.attempts).label("newest"),
)
_UNSETTLED = (
    select(*_COLUMNS)
    .join(attempts, attempts.c.rental_id == rentals.c.id)
    .where(attempts.c.state.not_in([AttemptState.FAILED, AttemptState.GONE]))
)
_PAST_END = _UNSETTLED.where(rentals.c.ends_from <= param(rentals.c.ends_from, "by"))
_ONE_UNSETTLED = _UNSETTLED.where(
    attempts.c.rental_id == param(attempts.c.rental_id, "key"), attempts.c.n == param(attempts.c.n, "attempt_n")
)
_RESOURCES = select(
    resources.c.resource_id,
    resources.c.rental_id,
    resources.c.attempt,
    resources.c.status,
    resources.c.read_at,
    resources.c.delete_accepted_at,
).where(resources.c.rental_id.in_(bindparam("ids", expanding=True)), resources.c.gone_at.is_(None))
_WATCHED = (
    select(
        resources.c.resource_id,
        resources.c.rate,
        attempts.c.resource_name.label("name"),
        attempts.c.rate.label("offer_rate"),
        attempts.c.extra,
        rentals.c.lease_latest_end.label("latest_end"),
        *(column for column in _COLUMNS if column.name in WatchedResource.model_fields),
    )
    .select_from(
        resources.join(
            attempts, and_(attempts.c.rental_id == resources.c.rental_id, attempts.c.n == resources.c.attempt)
        ).join(rentals, rentals.c.id == resources.c.rental_id)
    )
    .where(resources.c.gone_at.is_(None))
    .order_by(resources.c.resource_id)
)
_OWNED_BY_OTHERS = select(resources.c.resource_id).where(
    resources.c.resource_id.in_(bindparam("ids", expanding=True)),
    or_(
        resources.c.rental_id != param(resources.c.rental_id, "key"),
        resources.c.attempt != param(resources.c.attempt, "attempt_n"),
    ),
)
_MARK = (
    update(attempts)
    .where(
        attempts.c.rental_id == param(attempts.c.rental_id, "key"),
        attempts.c.n == param(attempts.c.n, "attempt_n"),
        attempts.c.marked_by.is_(None),
    )
    .values(marked_by=Marker.OVERDUE)
)
_NOTE_DELETION = (
    update(resources)
    .where(resources.c.resource_id == param(resources.c.resource_id, "key"))
    .values(delete_accepted_at=func.coalesce(resources.c.delete_accepted_at, param(resources.c.read_at, "at")))
)


class Overdue:
    """Attempts and work past their time, read from single columns: this must work if a rental can't be loaded."""

    def __init__(self, conn: AsyncConnection, visits: Visits, holder: str) -> None:
        self._conn = conn
        self._visits = visits
        self._holder = holder

    async def database_time(self) -> datetime | None:
        """Return the database's real time. Return None with SQLite, which uses this machine's clock."""
        if self._conn.dialect.name == "sqlite":
            return None
        return cast(datetime, await self._conn.scalar(_DATABASE_TIME))

    async def oldest_due(self, without: Collection[str]) -> tuple[str, datetime] | None:
        """Return the id of what is due first, and when. Leave out the ids `without`, and what another process has
        claimed."""
        oldest = [
            await claims.oldest_due(self._conn, table, self._holder, without)
            for table in (quotes, shared_searches, rentals)
        ]
        return min((row for row in oldest if row is not None), key=lambda row: row[1], default=None)

    async def past_end(self, by: datetime) -> list[UnfinishedAttempt]:
        """Return the attempts that may still bill of rentals whose end was at or before `by`. The end is when
        their destruction began, else when their lease ends, else when the attempt was accepted or intended."""
        found = await self._conn.execute(_PAST_END, {"by": by})
        return await self._with_resources([dict(row._mapping) for row in found])

    async def watched(self) -> list[WatchedResource]:
        """Return the resources that are not gone, by their ids."""
        return [to_model(WatchedResource, dict(row._mapping)) for row in await self._conn.execute(_WATCHED)]

    async def attempt(self, rental_id: str, n: int) -> UnfinishedAttempt | None:
        """Return an attempt as it is now. Return None if it is settled."""
        found = await self._conn.execute(_ONE_UNSETTLED, {"key": rental_id, "attempt_n": n})
        rows = await self._with_resources([dict(row._mapping) for row in found])
        return rows[0] if rows else None

    async def _with_resources(self, rows: list[dict[str, Any]]) -> list[UnfinishedAttempt]:
        known: dict[tuple[str, int], list[KnownResource]] = defaultdict(list)
        if rows:
            found = await self._conn.execute(_RESOURCES, {"ids": list({row["rental_id"] for row in rows})})
            for row in found:
                known[row.rental_id, row.attempt].append(to_model(KnownResource, dict(row._mapping)))
        return [
            UnfinishedAttempt.model_validate({**row, "resources": known[row["rental_id"], row["n"]]})
            for row in rows
        ]

    async def owned_by_others(self, attempt: UnfinishedAttempt, resource_ids: Collection[str]) -> set[str]:
        """Return which of the ids belong to other attempts."""
        given = {"ids": list(resource_ids), "key": attempt.rental_id, "attempt_n": attempt.n}
        return set((await self._conn.execute(_OWNED_BY_OTHERS, given)).scalars())

    async def mark_for_deletion(
        self, attempt: UnfinishedAttempt, deleted: Collection[KnownResource], at: datetime
    ) -> bool:
        """Mark the attempt for deletion, and note that the deletion of these resources was accepted. Its
        machine is visited no more. Return False if it was marked already."""
        if attempt.newest:
            await self._visits.end(attempt.rental_id)
        marked = await self._conn.execute(_MARK, {"key": attempt.rental_id, "attempt_n": attempt.n})
        for known in deleted:
            new = Resource(
                resource_id=known.resource_id,
                rental_id=attempt.rental_id,
                attempt=attempt.n,
                status=known.status,
                first_seen=at,
                read_at=at,
            )
            await insert_new(self._conn, resources, values(new))
            await self._conn.execute(_NOTE_DELETION, {"key": known.resource_id, "at": at})
        return marked.rowcount == 1
