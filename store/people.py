"""People, their keys and rooms: what Slack said of them and when, and signs of life."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.person import Key, Person, Room
from bot.model.state import State
from store.rows import insert, model, values
from store.tables import keys, people, rentals, rooms


class People:
    """bot.lifecycle.ports.People."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def get(self, user_id: str, not_before: datetime) -> Person | None:
        known = select(people).where(people.c.id == user_id, people.c.asked_at >= not_before)
        row = (await self._conn.execute(known)).first()
        return None if row is None else model(Person, row)

    async def put(self, person: Person, real_now: datetime) -> None:
        await self._put(people, "id", {**values(person), "asked_at": real_now})

    async def forget(self, user_id: str | None = None) -> None:
        """The name stays known, for what was said of them; the rest counts as asked long ago."""
        forgetting = update(people).values(asked_at=datetime.min.replace(tzinfo=UTC, year=1970))
        await self._conn.execute(forgetting if user_id is None else forgetting.where(people.c.id == user_id))

    async def key(self, user_id: str) -> Key | None:
        row = (await self._conn.execute(select(keys).where(keys.c.user_id == user_id))).first()
        return None if row is None else model(Key, row)

    async def set_key(self, user_id: str, key: Key) -> None:
        await self._put(keys, "user_id", {**values(key), "user_id": user_id})

    async def seen(self, user_id: str, now: datetime) -> None:
        """Leaves their rentals' versions and due times alone: the step that asks "Still needed?" reads it."""
        await self._conn.execute(
            update(rentals)
            .where(
                rentals.c.owner == user_id,
                rentals.c.live,
                rentals.c.state == State.READY,
                or_(rentals.c.seen_at.is_(None), rentals.c.seen_at < now),
            )
            .values(seen_at=now)
        )

    async def room(self, channel: str, not_before: datetime) -> Room | None:
        known = select(rooms).where(rooms.c.id == channel, rooms.c.asked_at >= not_before)
        row = (await self._conn.execute(known)).first()
        return None if row is None else model(Room, row)

    async def put_room(self, room: Room, real_now: datetime) -> None:
        await self._put(rooms, "id", {**values(room), "asked_at": real_now})

    async def forget_room(self, channel: str) -> None:
        await self._conn.execute(delete(rooms).where(rooms.c.id == channel))

    async def _put(self, table: Table, key: str, fields: dict[str, Any]) -> None:
        changed = {name: value for name, value in fields.items() if name != key}
        await self._conn.execute(
            insert(self._conn, table).values(fields).on_conflict_do_update(index_elements=[key], set_=changed)
        )
