"""What the overdue deletion needs: bare columns, so that no offer, envelope or state is parsed for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.lifecycle.ports import KnownResource, UnfinishedAttempt
from bot.model.attempt import AttemptState, Resource
from store import claims
from store.mapping import add_new, given, model, values
from store.tables import attempts, quotes, rentals, resources

_COLUMNS = (
    rentals.c.owner,
    rentals.c.accepted_at,
    rentals.c.ends_at,
    rentals.c.destroying_since,
    rentals.c.over_at,
    attempts.c.rental_id,
    attempts.c.n,
    attempts.c.offer_id,
    attempts.c.intended_at,
    attempts.c.delete_wanted.label("marked_for_deletion"),
    (attempts.c.n == rentals.c.attempts).label("newest"),
)
_UNSETTLED = (
    select(*_COLUMNS)
    .join(attempts, attempts.c.rental_id == rentals.c.id)
    .where(attempts.c.state.not_in([AttemptState.FAILED, AttemptState.GONE]))
)
_PAST_END = _UNSETTLED.where(rentals.c.ends_from <= given(rentals.c.ends_from, "by"))
_ONE = _UNSETTLED.where(
    attempts.c.rental_id == given(attempts.c.rental_id, "of"), attempts.c.n == given(attempts.c.n, "nth")
)
_RESOURCES = select(
    resources.c.resource_id,
    resources.c.rental_id,
    resources.c.attempt,
    resources.c.status,
    resources.c.read_at,
    resources.c.delete_accepted_at,
).where(resources.c.rental_id.in_(bindparam("ids", expanding=True)), resources.c.gone_at.is_(None))
_TAKEN = select(resources.c.resource_id).where(
    resources.c.resource_id.in_(bindparam("ids", expanding=True)),
    or_(
        resources.c.rental_id != given(resources.c.rental_id, "of"),
        resources.c.attempt != given(resources.c.attempt, "nth"),
    ),
)
_MARK = (
    update(attempts)
    .where(
        attempts.c.rental_id == given(attempts.c.rental_id, "of"),
        attempts.c.n == given(attempts.c.n, "nth"),
        ~attempts.c.delete_wanted,
    )
    .values(delete_wanted=True)
)
_ACCEPTED = (
    update(resources)
    .where(resources.c.resource_id == given(resources.c.resource_id, "which"))
    .values(delete_accepted_at=func.coalesce(resources.c.delete_accepted_at, given(resources.c.read_at, "at")))
)


class Overdue:
    """bot.lifecycle.ports.Overdue."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def oldest_due(self, without: Collection[str]) -> tuple[str, datetime] | None:
        found = [await claims.oldest(self._conn, table, without) for table in (quotes, rentals)]
        return min((one for one in found if one is not None), key=lambda one: one[1], default=None)

    async def past_end(self, by: datetime) -> list[UnfinishedAttempt]:
        found = await self._conn.execute(_PAST_END, {"by": by})
        return await self._with_resources([dict(row._mapping) for row in found])

    async def attempt(self, rental_id: str, n: int) -> UnfinishedAttempt | None:
        found = await self._conn.execute(_ONE, {"of": rental_id, "nth": n})
        rows = await self._with_resources([dict(row._mapping) for row in found])
        return rows[0] if rows else None

    async def _with_resources(self, rows: list[dict[str, Any]]) -> list[UnfinishedAttempt]:
        of: dict[tuple[str, int], list[KnownResource]] = defaultdict(list)
        if rows:
            found = await self._conn.execute(_RESOURCES, {"ids": list({row["rental_id"] for row in rows})})
            for row in found:
                of[row.rental_id, row.attempt].append(model(KnownResource, dict(row._mapping)))
        return [
            UnfinishedAttempt.model_validate({**row, "resources": of[row["rental_id"], row["n"]]}) for row in rows
        ]

    async def owned_by_others(self, attempt: UnfinishedAttempt, resource_ids: Collection[str]) -> set[str]:
        asked = {"ids": list(resource_ids), "of": attempt.rental_id, "nth": attempt.n}
        return set((await self._conn.execute(_TAKEN, asked)).scalars())

    async def mark_for_deletion(
        self, attempt: UnfinishedAttempt, deleted: Collection[KnownResource], at: datetime
    ) -> bool:
        marked = await self._conn.execute(_MARK, {"of": attempt.rental_id, "nth": attempt.n})
        for one in deleted:
            new = Resource(
                resource_id=one.resource_id,
                rental_id=attempt.rental_id,
                attempt=attempt.n,
                status=one.status,
                first_seen=at,
                read_at=at,
            )
            await add_new(self._conn, resources, values(new))
            await self._conn.execute(_ACCEPTED, {"which": one.resource_id, "at": at})
        return marked.rowcount == 1
