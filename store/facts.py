"""Facts: attempts, resources and what they cost. Written whatever became of the rental."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import OfferTaken
from bot.lifecycle.ports import Change
from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.rental import Rental
from store import merging
from store.rows import Values, insert, model, values
from store.tables import attempts, ledger, resources

_LAST = 20
"""How many machines the usual time to ready looks back at."""
_ENOUGH = 3


def _attempt_values(attempt: Attempt, *, live: bool) -> Values:
    offer = attempt.offer
    return {
        **values(attempt),
        "offer_id": offer.offer_id,
        "vendor": offer.vendor,
        "gpu": offer.gpu,
        "live": live,
    }


class Facts:
    """The part of bot.lifecycle.ports.Rentals about attempts, resources and the ledger."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    # --- writing

    async def write(self, change: Change, *, with_new: bool) -> None:
        """Writes a change's facts. An attempt that isn't in the store yet is an intent, part of the decision:
        it is written only `with_new`. Raises OfferTaken where its offer has had one."""
        rows = await self._known_attempts(change.attempts)
        for said in change.attempts:
            row = rows.get((said.rental_id, said.n))
            if row is not None:
                await self._again(row, said)
        if with_new:
            for said in change.attempts:
                if (said.rental_id, said.n) not in rows:
                    await self._intend(said)
        await self._write_resources(change.resources)
        for entry in change.ledger:
            await self._conn.execute(insert(self._conn, ledger).values(values(entry)).on_conflict_do_nothing())

    async def became_ready(self, rental: Rental) -> None:
        """Notes on its newest attempt when a rental became ready, for `usual_ready`."""
        await self._conn.execute(
            update(attempts)
            .where(attempts.c.rental_id == rental.id, attempts.c.n == rental.attempts)
            .values(ready_at=rental.ready_at)
        )

    async def _known_attempts(self, said: Sequence[Attempt]) -> dict[tuple[str, int], Any]:
        if not said:
            return {}
        known = (
            select(attempts)
            .where(tuple_(attempts.c.rental_id, attempts.c.n).in_([(one.rental_id, one.n) for one in said]))
            .order_by(attempts.c.rental_id, attempts.c.n)
            .with_for_update()
        )
        return {(row.rental_id, row.n): row for row in await self._conn.execute(known)}

    async def _again(self, row: Any, said: Attempt) -> None:
        merged = merging.attempt(model(Attempt, row), said)
        live = merged.live
        if live and not row.live:
            # It was over and something of it turned up. That must be kept even beside the attempt that
            # followed it, so it counts as the live one only where there is no other.
            live = not await self._has_live(said.rental_id)
        await self._conn.execute(
            update(attempts)
            .where(attempts.c.rental_id == said.rental_id, attempts.c.n == said.n)
            .values(_attempt_values(merged, live=live))
        )

    async def _has_live(self, rental_id: str) -> bool:
        live = select(attempts.c.n).where(attempts.c.rental_id == rental_id, attempts.c.live)
        return await self._conn.scalar(live) is not None

    async def _intend(self, attempt: Attempt) -> None:
        written = await self._conn.execute(
            insert(self._conn, attempts)
            .values(_attempt_values(attempt, live=attempt.live))
            .on_conflict_do_nothing(index_elements=["offer_id"])
        )
        if written.rowcount == 0:
            raise OfferTaken(attempt.offer.offer_id)

    async def _write_resources(self, said: Sequence[Resource]) -> None:
        if not said:
            return
        known = {
            row.resource_id: model(Resource, row)
            for row in await self._conn.execute(
                select(resources)
                .where(resources.c.resource_id.in_([one.resource_id for one in said]))
                .order_by(resources.c.resource_id)
                .with_for_update()
            )
        }
        for one in said:
            before = known.get(one.resource_id)
            fields = values(one if before is None else merging.resource(before, one))
            await self._conn.execute(
                insert(self._conn, resources)
                .values(fields)
                .on_conflict_do_update(index_elements=["resource_id"], set_=fields)
            )

    # --- reading

    async def attempts(self, rental_id: str) -> list[Attempt]:
        of_rental = select(attempts).where(attempts.c.rental_id == rental_id).order_by(attempts.c.n)
        return [model(Attempt, row) for row in await self._conn.execute(of_rental)]

    async def resources(self, rental_id: str) -> list[Resource]:
        of_rental = (
            select(resources)
            .where(resources.c.rental_id == rental_id)
            .order_by(resources.c.attempt, resources.c.first_seen, resources.c.resource_id)
        )
        return [model(Resource, row) for row in await self._conn.execute(of_rental)]

    async def known_resources(self, resource_ids: Sequence[str]) -> dict[str, Resource]:
        ours = select(resources).where(resources.c.resource_id.in_(resource_ids))
        return {row.resource_id: model(Resource, row) for row in await self._conn.execute(ours)}

    async def attempt_of_offer(self, offer_id: str) -> Attempt | None:
        return await self._one(attempts.c.offer_id == offer_id)

    async def attempt_named(self, resource_name: str) -> Attempt | None:
        return await self._one(attempts.c.resource_name == resource_name)

    async def alive_resources(self) -> list[Resource]:
        alive = (
            select(resources)
            .where(resources.c.gone_at.is_(None))
            .order_by(resources.c.rental_id, resources.c.attempt, resources.c.resource_id)
        )
        return [model(Resource, row) for row in await self._conn.execute(alive)]

    async def ledger(self, rental_id: str) -> list[LedgerRow]:
        of_rental = (
            select(ledger)
            .where(ledger.c.rental_id == rental_id)
            .order_by(ledger.c.started_at, ledger.c.resource_id)
        )
        return [model(LedgerRow, row) for row in await self._conn.execute(of_rental)]

    async def whole_ledger(self) -> list[LedgerRow]:
        """Every row, oldest first: for bookkeeping, not for the running bot."""
        rows = select(ledger).order_by(ledger.c.started_at, ledger.c.resource_id)
        return [model(LedgerRow, row) for row in await self._conn.execute(rows)]

    async def usual_ready(self, vendor: str, gpu: str) -> float | None:
        last = (
            select(attempts.c.intended_at, attempts.c.ready_at)
            .where(attempts.c.vendor == vendor, attempts.c.gpu == gpu, attempts.c.ready_at.is_not(None))
            .order_by(attempts.c.ready_at.desc())
            .limit(_LAST)
        )
        took = [(row.ready_at - row.intended_at).total_seconds() for row in await self._conn.execute(last)]
        return median(took) if len(took) >= _ENOUGH else None

    async def _one(self, where: Any) -> Attempt | None:
        row = (await self._conn.execute(select(attempts).where(where))).first()
        return None if row is None else model(Attempt, row)
