"""Facts: attempts, resources and what they cost. Written whatever became of the rental."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from sqlalchemy import Row, Select, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import OfferTaken
from bot.lifecycle.ports import Change
from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.rental import Rental
from store import merging
from store.mapping import Values, add_new, by, given, model, models, put, values
from store.tables import attempts, ledger, resources

_LAST = 20
"""How many machines the usual time to ready looks back at."""
_ENOUGH = 3

_ATTEMPTS = by(attempts.c.rental_id, attempts.c.n)
_ATTEMPTS_HELD = _ATTEMPTS.with_for_update()
_BY_OFFER = by(attempts.c.offer_id)
_BY_NAME = by(attempts.c.resource_name)
_RESOURCES = by(resources.c.rental_id, resources.c.attempt, resources.c.first_seen, resources.c.resource_id)
_RESOURCE_HELD = by(resources.c.resource_id).with_for_update()
_LEDGER = by(ledger.c.rental_id, ledger.c.started_at, ledger.c.resource_id, ledger.c.n)
_ALIVE = (
    select(resources)
    .where(resources.c.gone_at.is_(None))
    .order_by(resources.c.rental_id, resources.c.attempt, resources.c.resource_id)
)
_USUAL = (
    select(attempts.c.intended_at, attempts.c.ready_at)
    .where(
        attempts.c.vendor == given(attempts.c.vendor, "at"),
        attempts.c.gpu == given(attempts.c.gpu, "of"),
        attempts.c.ready_at.is_not(None),
    )
    .order_by(attempts.c.ready_at.desc())
    .limit(_LAST)
)
_CHANGE_ATTEMPT = update(attempts).where(
    attempts.c.rental_id == given(attempts.c.rental_id, "of"), attempts.c.n == given(attempts.c.n, "nth")
)
_HAS_LIVE = by(attempts.c.rental_id).where(attempts.c.live).with_only_columns(attempts.c.n)


def _attempt_values(attempt: Attempt, *, live: bool) -> Values:
    offer = attempt.offer
    return {
        **values(attempt, without=frozenset({"marked_for_deletion"})),
        "delete_wanted": attempt.marked_for_deletion,
        "offer_id": offer.offer_id,
        "vendor": offer.vendor,
        "gpu": offer.gpu,
        "rate": offer.rate,
        "live": live,
    }


def _attempt_of(row: Row[Any]) -> Attempt:
    return model(Attempt, {**row._mapping, "marked_for_deletion": row.delete_wanted})


class Facts:
    """The part of bot.lifecycle.ports.Rentals about attempts, resources and the ledger."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    # --- writing

    async def write(self, change: Change, *, with_new: bool) -> None:
        """Writes a change's facts. An attempt that isn't in the store yet is an intent, part of the decision:
        it is written only `with_new`. Raises OfferTaken where its offer has had one."""
        if change.attempts:
            await self._write_attempts(change.attempts, change.after.id, with_new=with_new)
        for resource in change.resources:
            await self._write_resource(resource)
        for row in change.ledger:
            await add_new(self._conn, ledger, values(row))

    async def became_ready(self, rental: Rental) -> None:
        """Notes on its newest attempt when a rental became ready, for `median_time_to_ready`."""
        newest = {"of": rental.id, "nth": rental.attempts, "ready_at": rental.running.ready_at}
        await self._conn.execute(_CHANGE_ATTEMPT, newest)

    async def _write_attempts(self, said: Sequence[Attempt], rental_id: str, *, with_new: bool) -> None:
        known = await self._conn.execute(_ATTEMPTS_HELD, {"of": rental_id})
        rows = {row.n: row for row in known}
        for attempt in said:
            if attempt.n in rows:
                await self._again(rows[attempt.n], attempt)
        for attempt in said:
            if attempt.n not in rows and with_new:
                await self._intend(attempt)

    async def _again(self, row: Any, said: Attempt) -> None:
        merged = merging.attempt(_attempt_of(row), said)
        live = merged.live
        if live and not row.live:
            # It was over and something of it turned up. That must be kept even beside the attempt that
            # followed it, so it counts as the live one only where there is no other.
            live = await self._conn.scalar(_HAS_LIVE, {"of": said.rental_id}) is None
        changed = {**_attempt_values(merged, live=live), "of": said.rental_id, "nth": said.n}
        await self._conn.execute(_CHANGE_ATTEMPT, changed)

    async def _intend(self, attempt: Attempt) -> None:
        fields = _attempt_values(attempt, live=attempt.live)
        if not await add_new(self._conn, attempts, fields, unless="offer_id"):
            raise OfferTaken(attempt.offer.offer_id)

    async def _write_resource(self, said: Resource) -> None:
        known = (await self._conn.execute(_RESOURCE_HELD, {"of": said.resource_id})).first()
        merged = said if known is None else merging.resource(model(Resource, known), said)
        await put(self._conn, resources, values(merged))

    # --- reading

    async def attempts(self, rental_id: str) -> list[Attempt]:
        return [_attempt_of(row) for row in await self._conn.execute(_ATTEMPTS, {"of": rental_id})]

    async def resources(self, rental_id: str) -> list[Resource]:
        return models(Resource, await self._conn.execute(_RESOURCES, {"of": rental_id}))

    async def resources_by_id(self, resource_ids: Sequence[str]) -> dict[str, Resource]:
        ours = select(resources).where(resources.c.resource_id.in_(resource_ids))
        return {row.resource_id: model(Resource, row) for row in await self._conn.execute(ours)}

    async def attempts_of(self, resources: Sequence[Resource]) -> dict[str, Attempt]:
        pairs = {(one.rental_id, one.attempt) for one in resources}
        asked = select(attempts).where(tuple_(attempts.c.rental_id, attempts.c.n).in_(pairs))
        found = [_attempt_of(row) for row in await self._conn.execute(asked)]
        behind = {(attempt.rental_id, attempt.n): attempt for attempt in found}
        return {one.resource_id: behind[one.rental_id, one.attempt] for one in resources}

    async def attempt_by_offer(self, offer_id: str) -> Attempt | None:
        return await self._first_attempt(_BY_OFFER, offer_id)

    async def attempt_by_name(self, resource_name: str) -> Attempt | None:
        return await self._first_attempt(_BY_NAME, resource_name)

    async def _first_attempt(self, statement: Select[Any], of: str) -> Attempt | None:
        row = (await self._conn.execute(statement, {"of": of})).first()
        return None if row is None else _attempt_of(row)

    async def alive_resources(self) -> list[Resource]:
        return models(Resource, await self._conn.execute(_ALIVE))

    async def ledger(self, rental_id: str) -> list[LedgerRow]:
        return models(LedgerRow, await self._conn.execute(_LEDGER, {"of": rental_id}))

    async def whole_ledger(self) -> list[LedgerRow]:
        """Every row, oldest first: for bookkeeping, not for the running bot."""
        rows = select(ledger).order_by(ledger.c.started_at, ledger.c.resource_id, ledger.c.n)
        return [model(LedgerRow, row) for row in await self._conn.execute(rows)]

    async def median_time_to_ready(self, vendor: str, gpu: str) -> float | None:
        last = await self._conn.execute(_USUAL, {"at": vendor, "of": gpu})
        took = [(row.ready_at - row.intended_at).total_seconds() for row in last]
        return median(took) if len(took) >= _ENOUGH else None
