"""Rentals: one row each, changed only by compare-and-set on version and state."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Boolean, Text, and_, bindparam, case, func, or_, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import Stale
from bot.lifecycle.ports import Change, Claimed, LiveCost, Usage
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.rental import Rental
from bot.model.state import State
from store import claims, costs
from store.events import Events
from store.facts import Facts
from store.mapping import Values, add_new, by, given, models
from store.messages import Messages
from store.rental_rows import rental_of, rental_values, rentals_of
from store.tables import rentals

_SPENDING = 0x67707562
"""The number of an advisory lock; any that nothing else in this database takes."""

_c = rentals.c
_GET = by(_c.id)
_RECENT = by(_c.owner, _c.created_at.desc(), _c.id).limit(bindparam("most"))
# Sorted in Python: for an order, SQLite would take the index of all that an owner ever had.
_LIVE = select(rentals).where(_c.live)
_LIVE_OF = _LIVE.where(_c.owner == given(_c.owner, "who"))
_STATES = select(_c.state, func.count().label("many")).where(_c.live).group_by(_c.state)
_KNOWN = select(rentals).where(_c.id.in_(bindparam("ids", expanding=True)))
_ANY = select(_c.id).limit(1)
_NUDGE = update(rentals).where(_c.id.in_(bindparam("ids", expanding=True))).values(due_at=given(_c.due_at, "now"))
_HOLD_OFF = select(func.pg_advisory_xact_lock(_SPENDING))
_USAGE = select(
    func.count().filter(_c.owner == given(_c.owner, "who")),
    func.coalesce(func.sum(_c.cap_micros), 0),
).where(_c.live, _c.id.is_distinct_from(given(_c.id, "without")))

_AS_IT_WAS = and_(_c.version == given(_c.version, "was_version"), _c.state == bindparam("was_state", type_=Text))
_NUDGED = _c.due_at.is_distinct_from(given(_c.due_at, "was_due"))
_DEFER = (
    update(rentals)
    .where(_c.id == given(_c.id, "of"))
    .values(
        claimed_by=None,
        due_at=case((and_(_AS_IT_WAS, ~_NUDGED), given(_c.due_at, "next_due")), else_=_c.due_at),
    )
)

_CLAIMED = (
    _c.id,
    _c.version,
    type_coerce(_c.state, Text).label("state"),
    _c.owner,
    _c.accepted_at,
    _c.ends_at,
    _c.due_at,
)

_BORN_WITH = frozenset({"id", "owner", "created_at", "card_channel"})
"""What no change changes; where the card is, is Messages.redirect's."""
_next = given(_c.due_at, "next_due")
_seen = given(_c.seen_at, "seen")
_APPLY = (
    update(rentals)
    .where(_c.id == given(_c.id, "of"), _AS_IT_WAS)
    .values(
        # A nudge that came since the rental was read is not forgotten: what is sooner holds.
        due_at=case((and_(_NUDGED, or_(_next.is_(None), _c.due_at < _next)), _c.due_at), else_=_next),
        # Nor is a sign of life.
        seen_at=case((or_(_c.seen_at.is_(None), _c.seen_at < _seen), _seen), else_=_c.seen_at),
        claimed_by=case((bindparam("releases", type_=Boolean), None), else_=_c.claimed_by),
    )
)


def _was(rental: Rental | Claimed) -> Values:
    return {
        "of": rental.id,
        "was_version": rental.version,
        "was_state": str(rental.state),
        "was_due": rental.due_at,
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
        row = (await self._conn.execute(_GET, {"of": rental_id})).first()
        return None if row is None else rental_of(row)

    async def apply(self, change: Change) -> None:
        """What an intent would break (its offer is taken) undoes the whole change, even where the caller goes on
        in the same transaction."""
        if change.attempts:
            async with self._conn.begin_nested():
                held = await self._apply(change)
        else:
            held = await self._apply(change)
        if not held:
            self._lost(change)
            raise Stale

    async def _apply(self, change: Change) -> bool:
        held = await self._guard(change)
        await self.write(change, with_new=held)
        if held:
            await self._tell(change)
        return held

    async def defer(self, rental: Rental | Claimed, due_at: datetime | None) -> None:
        """A nudge that came meanwhile is a change too: then it stays due."""
        await self._conn.execute(_DEFER, {**_was(rental), "next_due": due_at})

    async def claim(self, now: datetime, claimant: str, limit: int) -> list[Claimed]:
        return models(
            Claimed, await claims.claim(self._conn, rentals, _CLAIMED, now, claimant=claimant, limit=limit)
        )

    async def release(self, rental_id: str) -> None:
        await claims.release(self._conn, rentals, rental_id)

    async def release_all(self, *, without: Collection[str] = ()) -> None:
        await claims.release_all(self._conn, rentals, without)

    async def next_due(self) -> datetime | None:
        return await claims.next_due(self._conn, rentals)

    async def make_due(self, rental_ids: Collection[str], now: datetime) -> None:
        await self._conn.execute(_NUDGE, {"ids": list(rental_ids), "now": now})

    async def states(self) -> dict[State, int]:
        return {State(row.state): row.many for row in await self._conn.execute(_STATES)}

    async def usage(self, owner: str, *, without: str | None = None) -> Usage:
        if self._locks:
            await self._conn.execute(_HOLD_OFF)
        row = (await self._conn.execute(_USAGE, {"who": owner, "without": without})).one()
        return Usage(person_rentals=row[0], team_rate=Decimal(int(row[1])).scaleb(-6))

    async def live(self, owner: str | None = None) -> list[Rental]:
        if owner is None:
            rows = await self._conn.execute(_LIVE)
        else:
            rows = await self._conn.execute(_LIVE_OF, {"who": owner})
        return sorted(rentals_of(rows), key=lambda rental: (rental.created_at, rental.id))

    async def live_costs(self) -> list[LiveCost]:
        return await costs.live_costs(self._conn)

    async def get_many(self, rental_ids: Collection[str]) -> dict[str, Rental]:
        found = await self._conn.execute(_KNOWN, {"ids": list(rental_ids)})
        return {rental.id: rental for rental in rentals_of(found)}

    async def recent(self, owner: str, limit: int) -> list[Rental]:
        return rentals_of(await self._conn.execute(_RECENT, {"of": owner, "most": limit}))

    async def any_ever(self) -> bool:
        return await self._conn.scalar(_ANY) is not None

    async def _guard(self, change: Change) -> bool:
        """Writes the rental if it is still as it was, and says whether it did."""
        before, after = change.before, change.after
        fields = rental_values(after)
        if before is None:
            # False where its quote has made one already, or its id is in use.
            return await add_new(self._conn, rentals, fields)
        for name in _BORN_WITH | {"due_at"}:
            del fields[name]
        given_now = {"next_due": after.due_at, "seen": fields.pop("seen_at"), "releases": change.releases_claim}
        updated = await self._conn.execute(_APPLY, {**fields, **_was(before), **given_now})
        return updated.rowcount == 1

    async def _tell(self, change: Change) -> None:
        before, after = change.before, change.after
        ids = [await self._events.add(event) for event in change.events]
        for index, message in change.messages:
            told = message if index is None else changed(message, event_id=ids[index])
            await self._messages.add(told)
        changes = before is None or before.state != after.state
        if changes and after.state is State.READY:
            await self.became_ready(after)
        if before is None or after.version > before.version:
            transition = changes or any(event.kind is not EventKind.PROGRESS for event in change.events)
            await self._messages.show(after.id, after.version, transition=transition)
