"""People, their keys, and channels, as Slack last described them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.person import Channel, Key, Person
from bot.model.state import State
from store.mapping import param, select_by, to_model, upsert, values
from store.tables import channels, keys, people, rentals

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_PERSON = select_by(people.c.id).where(people.c.asked_at >= param(people.c.asked_at, "not_before"))
_NAMES = select(people.c.id, people.c.name).where(people.c.id.in_(bindparam("ids", expanding=True)))
_CHANNEL = select_by(channels.c.id).where(channels.c.asked_at >= param(channels.c.asked_at, "not_before"))
_KEY = select_by(keys.c.user_id)

_now = param(rentals.c.seen_at, "now")
_SEEN = (
    update(rentals)
    .where(
        rentals.c.owner == param(rentals.c.owner, "owner_id"),
        rentals.c.live,
        rentals.c.state == State.READY,
        or_(rentals.c.seen_at.is_(None), rentals.c.seen_at < _now),
    )
    .values(seen_at=_now)
)


class People:
    """bot.lifecycle.ports.store.People."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def get(self, user_id: str, not_before: datetime) -> Person | None:
        row = (await self._conn.execute(_PERSON, {"key": user_id, "not_before": not_before})).first()
        return None if row is None else to_model(Person, row)

    async def names(self, user_ids: Collection[str]) -> dict[str, str]:
        found = await self._conn.execute(_NAMES, {"ids": list(user_ids)})
        return {row.id: row.name for row in found}

    async def put(self, person: Person, real_now: datetime) -> None:
        await upsert(self._conn, people, {**values(person), "asked_at": real_now})

    async def forget(self, user_id: str | None = None) -> None:
        """Make the stored person count as out of date, or all people if `user_id` is None.

        `names` still returns the names, for texts about them."""
        forget = update(people).values(asked_at=_LONG_AGO)
        await self._conn.execute(forget if user_id is None else forget.where(people.c.id == user_id))

    async def key(self, user_id: str) -> Key | None:
        row = (await self._conn.execute(_KEY, {"key": user_id})).first()
        return None if row is None else to_model(Key, row)

    async def set_key(self, user_id: str, key: Key) -> None:
        await upsert(self._conn, keys, {**values(key), "user_id": user_id})

    async def note_seen(self, user_id: str, now: datetime) -> None:
        # Versions and due times stay: only the step that asks "Still needed?" reads this.
        await self._conn.execute(_SEEN, {"owner_id": user_id, "now": now})

    async def channel(self, channel_id: str, not_before: datetime) -> Channel | None:
        row = (await self._conn.execute(_CHANNEL, {"key": channel_id, "not_before": not_before})).first()
        return None if row is None else to_model(Channel, row)

    async def put_channel(self, channel: Channel, real_now: datetime) -> None:
        await upsert(self._conn, channels, {**values(channel), "asked_at": real_now})

    async def forget_channel(self, channel_id: str) -> None:
        await self._conn.execute(delete(channels).where(channels.c.id == channel_id))
