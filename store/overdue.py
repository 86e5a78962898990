"""The queries for deleting overdue machines.

They don't parse offers, approved terms or states, so that a machine can be deleted even if one of these values is
invalid.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.attempt import AttemptState, Marker, Resource
from bot.model.records import KnownResource, UnfinishedAttempt, WatchedResource
from store import claims
from store.mapping import IDS, Rows, insert_new, param, to_model, values
from store.probe_runs import ProbeRuns
from store.tables import attempts, quotes, rentals, resources, shared_searches

_c, _a, _r = rentals.c, attempts.c, resources.c
_DATABASE_TIME = select(func.clock_timestamp())
_COLUMNS = (
    _c.owner,
    _c.accepted_at,
    _c.lease_ends_at.label("ends_at"),
    _c.ending_since.label("destroying_since"),
    _c.over_at,
    _a.rental_id,
    _a.n,
    _a.offer_id,
    _a.intended_at,
    _a.marked_by.is_not(None).label("marked_for_deletion"),
    (_a.n == _c.attempts).label("newest"),
)
_UNFINISHED = (
    select(*_COLUMNS)
    .select_from(attempts.join(rentals))
    .where(_a.state.not_in([AttemptState.FAILED, AttemptState.TERMINATED]))
)
_PAST_END = _UNFINISHED.where(_c.ends_from <= bindparam("by"))
_ONE_UNFINISHED = _UNFINISHED.where(_a.rental_id == bindparam("key"), _a.n == bindparam("attempt_n"))
_RESOURCES = select(_r.resource_id, _r.rental_id, _r.attempt, _r.status, _r.read_at, _r.delete_accepted_at).where(
    _r.rental_id.in_(IDS), _r.terminated_at.is_(None)
)
_WATCHED = (
    select(
        _r.resource_id,
        _r.rate,
        _a.resource_name.label("name"),
        _a.rate.label("offer_rate"),
        _a.orphaned,
        _c.lease_latest_end.label("latest_end"),
        *(column for column in _COLUMNS if column.key in WatchedResource.model_fields),
    )
    .select_from(resources.join(attempts).join(rentals))
    .where(_r.terminated_at.is_(None))
    .order_by(_r.resource_id)
)
_OWNED_BY_OTHERS = select(_r.resource_id).where(
    _r.resource_id.in_(IDS), or_(_r.rental_id != bindparam("key"), _r.attempt != bindparam("attempt_n"))
)
_MARK = (
    update(attempts)
    .where(_a.rental_id == bindparam("key"), _a.n == bindparam("attempt_n"), _a.marked_by.is_(None))
    .values(marked_by=Marker.OVERDUE)
)
_NOTE_DELETION = (
    update(resources)
    .where(_r.resource_id == bindparam("key"))
    .values(delete_accepted_at=func.coalesce(_r.delete_accepted_at, param(_r.read_at, "at")))
)


class Overdue(Rows):
    """Queries for machines that may still cost money after the end of their rental, and for work that is late.

    The queries read single columns instead of whole rentals, because they have to work even if a rental can't be
    loaded.
    """

    def __init__(self, conn: AsyncConnection, probe_runs: ProbeRuns, holder: str) -> None:
        super().__init__(conn)
        self._probe_runs = probe_runs
        self._holder = holder

    async def database_time(self) -> datetime | None:
        """Return the database server's time, or None with SQLite, which uses this machine's clock."""
        if self._conn.dialect.name == "sqlite":
            return None
        return cast(datetime, await self._conn.scalar(_DATABASE_TIME))

    async def oldest_due(self, without: Collection[str]) -> tuple[str, datetime] | None:
        """Return the ID and due time of the row that has been due longest, or None if nothing is due.

        Rows in `without` and rows that other processes have claimed are ignored.
        """
        oldest = [
            await claims.oldest_due(self._conn, table, self._holder, without)
            for table in (quotes, shared_searches, rentals)
        ]
        return min((row for row in oldest if row is not None), key=lambda row: row[1], default=None)

    async def past_end(self, by: datetime) -> list[UnfinishedAttempt]:
        """Return the purchases that may still cost money although their rental ended at `by` or earlier.

        The end of a rental is the first of these times that is known:

        1. the time at which the rental was over,
        2. the time at which its destruction began,
        3. the end of its lease,
        4. the time at which Compute Clear accepted the purchase,
        5. the time at which the rental was created.
        """
        return await self._unfinished(_PAST_END, by=by)

    async def watched(self) -> list[WatchedResource]:
        """Return the resources that haven't been terminated, sorted by ID."""
        return await self._all(WatchedResource, _WATCHED)

    async def attempt(self, rental_id: str, n: int) -> UnfinishedAttempt | None:
        """Read a purchase again, with its resources. None if nothing of it can cost money any more."""
        return next(iter(await self._unfinished(_ONE_UNFINISHED, key=rental_id, attempt_n=n)), None)

    async def _unfinished(self, statement: Select[Any], **given: Any) -> list[UnfinishedAttempt]:
        """Run a statement that selects purchases, and return the purchases with their resources."""
        rows = [row._mapping for row in await self._conn.execute(statement, given)]
        known: dict[tuple[str, int], list[KnownResource]] = defaultdict(list)
        if rows:
            found = await self._conn.execute(_RESOURCES, {"ids": list({row["rental_id"] for row in rows})})
            for row in found:
                known[row.rental_id, row.attempt].append(to_model(KnownResource, row._mapping))
        return [
            UnfinishedAttempt.model_validate({**row, "resources": known[row["rental_id"], row["n"]]})
            for row in rows
        ]

    async def owned_by_others(self, attempt: UnfinishedAttempt, resource_ids: Collection[str]) -> set[str]:
        """Return those of the given resource IDs that belong to a purchase other than `attempt`."""
        given = {"ids": list(resource_ids), "key": attempt.rental_id, "attempt_n": attempt.n}
        return set((await self._conn.execute(_OWNED_BY_OTHERS, given)).scalars())

    async def mark_for_deletion(
        self, attempt: UnfinishedAttempt, deleted: Collection[KnownResource], at: datetime
    ) -> bool:
        """Mark a purchase for deletion, and record the deletions that the vendor accepted (`deleted`).

        The machine is no longer probed. Returns False if the purchase was already marked.
        """
        if attempt.newest:
            await self._probe_runs.end(attempt.rental_id)
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
