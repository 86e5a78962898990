"""Rentals: one row each, changed only by compare-and-set on version and state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from sqlalchemy import and_, case, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import Stale
from bot.lifecycle.ports import Change, Usage
from bot.model.event import EventKind
from bot.model.money import micros
from bot.model.rental import Rental
from bot.model.state import State
from store import due
from store.events import Events
from store.facts import Facts
from store.messages import Messages
from store.rows import Values, insert, model, values
from store.tables import rentals

_SPENDING = 0x67707562  # any number that nothing else in this database locks


def _values(rental: Rental) -> Values:
    return {
        **values(rental),
        "live": not rental.state.over,
        "cap_micros": micros(rental.envelope.max_rate),
    }


class Rentals(Facts):
    """bot.lifecycle.ports.Rentals."""

    def __init__(
        self,
        conn: AsyncConnection,
        events: Events,
        messages: Messages,
        *,
        locks: bool,
        lost: Callable[[Change], None],
    ) -> None:
        """`locks`: usage() has to hold off others by itself. `lost` is told of changes that came too late."""
        super().__init__(conn)
        self._events = events
        self._messages = messages
        self._locks = locks
        self._lost = lost

    async def get(self, rental_id: str) -> Rental | None:
        row = (await self._conn.execute(select(rentals).where(rentals.c.id == rental_id))).first()
        return None if row is None else model(Rental, row)

    async def apply(self, change: Change) -> None:
        """The order matters: first whether it may, then what it writes. What an intent would break (its offer is
        taken) undoes the whole change, even where the caller goes on in the same transaction."""
        async with self._conn.begin_nested():
            held = await self._guard(change)
            await self.write(change, with_new=held)
            if held:
                await self._tell(change)
        if not held:
            self._lost(change)
            raise Stale

    async def defer(self, rental: Rental, due_at: datetime | None) -> None:
        """A nudge that came meanwhile is a change too: then it stays due."""
        same = and_(
            rentals.c.version == rental.version,
            rentals.c.state == rental.state,
            rentals.c.due_at.is_not_distinct_from(rental.due_at),
        )
        await self._conn.execute(
            update(rentals)
            .where(rentals.c.id == rental.id)
            .values(claimed_by=None, due_at=case((same, due_at), else_=rentals.c.due_at))
        )

    async def claim(self, now: datetime, claimant: str, limit: int) -> list[Rental]:
        return [model(Rental, row) for row in await due.claim(self._conn, rentals, now, claimant, limit)]

    async def release(self, rental_id: str) -> None:
        await due.release(self._conn, rentals, rental_id)

    async def next_due(self) -> datetime | None:
        return await due.next_due(self._conn, rentals)

    async def nudge(self, rental_id: str, now: datetime) -> None:
        await self._conn.execute(update(rentals).where(rentals.c.id == rental_id).values(due_at=now))

    async def usage(self, owner: str, *, without: str | None = None) -> Usage:
        if self._locks:
            await self._conn.execute(select(func.pg_advisory_xact_lock(_SPENDING)))
        others = rentals.c.live if without is None else and_(rentals.c.live, rentals.c.id != without)
        row = (
            await self._conn.execute(
                select(
                    func.count().filter(rentals.c.owner == owner),
                    func.coalesce(func.sum(rentals.c.cap_micros), 0),
                ).where(others)
            )
        ).one()
        return Usage(person_rentals=row[0], team_rate=Decimal(int(row[1])).scaleb(-6))

    async def live(self, owner: str | None = None) -> list[Rental]:
        # Sorted here: for an order, SQLite would take the index of all that its owner ever had.
        alive = select(rentals).where(rentals.c.live)
        if owner is not None:
            alive = alive.where(rentals.c.owner == owner)
        found = [model(Rental, row) for row in await self._conn.execute(alive)]
        return sorted(found, key=lambda rental: (rental.created_at, rental.id))

    async def recent(self, owner: str, limit: int) -> list[Rental]:
        newest = (
            select(rentals)
            .where(rentals.c.owner == owner)
            .order_by(rentals.c.created_at.desc(), rentals.c.id)
            .limit(limit)
        )
        return [model(Rental, row) for row in await self._conn.execute(newest)]

    async def any_ever(self) -> bool:
        return await self._conn.scalar(select(rentals.c.id).limit(1)) is not None

    async def _guard(self, change: Change) -> bool:
        """Writes the rental if it is still as it was, and says whether it did."""
        before, after = change.before, change.after
        fields = _values(after)
        if before is None:
            # Its quote has made one already, or its id is in use.
            adding = insert(self._conn, rentals).values(fields).on_conflict_do_nothing()
            return (await self._conn.execute(adding)).rowcount == 1
        for name in ("id", "quote_id", "owner", "created_at", "card_channel"):
            del fields[name]
        if after.seen_at is None:
            del fields["seen_at"]
        else:
            newer = or_(rentals.c.seen_at.is_(None), rentals.c.seen_at < after.seen_at)
            fields["seen_at"] = case((newer, after.seen_at), else_=rentals.c.seen_at)
        if change.releases:
            fields["claimed_by"] = None
        # A nudge that came since `before` was read is not forgotten: what is sooner holds.
        nudged = rentals.c.due_at.is_distinct_from(before.due_at)
        sooner = true() if after.due_at is None else rentals.c.due_at < after.due_at
        fields["due_at"] = case((and_(nudged, sooner), rentals.c.due_at), else_=after.due_at)
        same = and_(
            rentals.c.id == before.id,
            rentals.c.version == before.version,
            rentals.c.state == before.state,
        )
        return (await self._conn.execute(update(rentals).where(same).values(fields))).rowcount == 1

    async def _tell(self, change: Change) -> None:
        before, after = change.before, change.after
        ids = [await self._events.add(event) for event in change.events]
        for index, message in change.messages:
            told = message if index is None else message.model_copy(update={"event_id": ids[index]})
            await self._messages.add(told)
        moved = before is None or before.state != after.state
        if moved and after.state is State.READY:
            await self.became_ready(after)
        if before is None or after.version > before.version:
            urgent = moved or any(event.kind is not EventKind.PROGRESS for event in change.events)
            await self._messages.show(after.id, after.version, urgent=urgent)
