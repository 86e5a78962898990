"""The data that Slack last reported about people and channels, and people's SSH keys."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import bindparam, delete, exists, func, or_, select, update

from bot.model.person import OPERATOR, Channel, Key, Person
from bot.model.state import State
from store.mapping import IDS, MAX_ROWS, Rows, param, select_by, to_model, upsert, values
from store.tables import channels, people, person_keys, rentals

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_c, _k = people.c, person_keys.c
_PERSON = select_by(_c.id).where(_c.asked_at >= bindparam("not_before"))
_LEFT_AT = select(_c.left_at).where(_c.id == bindparam("key"))
_NAMES = select(_c.id, _c.name).where(_c.id.in_(IDS))
_EVERYBODY = select(people).order_by(_c.id)
_THESE = select(people).where(_c.id.in_(IDS))
_CHANNEL = select_by(channels.c.id).where(channels.c.asked_at >= bindparam("not_before"))
_IN_ORDER = (_k.position, _k.fingerprint)
_KEYS = select_by(_k.user_id, *_IN_ORDER)
_KEYS_OF = select(person_keys).where(_k.user_id.in_(IDS)).order_by(_k.user_id, *_IN_ORDER)
_user = _k.user_id == bindparam("of_user")
_POSITIONS = select(func.min(_k.position), func.max(_k.position)).where(_user)
_this_key = (_user, _k.fingerprint == bindparam("of_key"))
_POSITION = select(_k.position).where(*_this_key)
_REMOVE_KEY = delete(person_keys).where(*_this_key)
_MOVE_KEY = update(person_keys).where(*_this_key).values(position=bindparam("to"))

_now = param(rentals.c.lease_seen_at, "now")
_SEEN = (
    update(rentals)
    .where(
        rentals.c.owner == bindparam("owner_id"),
        rentals.c.live,
        rentals.c.state == State.READY,
        or_(rentals.c.lease_seen_at.is_(None), rentals.c.lease_seen_at < _now),
    )
    .values(lease_seen_at=_now)
)


_LEFT = (
    select(_c.id)
    .where(_c.left_at < bindparam("before"), ~exists().where(rentals.c.owner == _c.id, rentals.c.live))
    .order_by(_c.left_at)
    .limit(MAX_ROWS)
)
_DROP_KEYS = delete(person_keys).where(_k.user_id.in_(IDS))
_DROP = delete(people).where(_c.id.in_(IDS))
_NOT_ASKED_SINCE = (
    select(_c.id)
    .where(_c.asked_at < bindparam("before"), _c.left_at.is_(None))
    .order_by(_c.asked_at)
    .limit(MAX_ROWS)
)


class People(Rows):
    async def get(self, user_id: str, not_before: datetime) -> Person | None:
        """Return a person, or None if their data was read from Slack before `not_before` (wall-clock time)."""
        return await self._first(Person, _PERSON, key=user_id, not_before=not_before)

    async def names(self, user_ids: Collection[str]) -> dict[str, str]:
        """Return the last known display names of people, by ID.

        The operator, who isn't a Slack user, has a name too. People who aren't stored are left out.
        """
        found = await self._conn.execute(_NAMES, {"ids": list(user_ids)})
        operator = {OPERATOR.id: OPERATOR.name} if OPERATOR.id in user_ids else {}
        return operator | {row.id: row.name for row in found}

    async def known(self, user_ids: Collection[str] | None = None) -> list[Person]:
        """Return the last known data of these people, or of everyone. People who aren't stored are left out."""
        if user_ids is None:
            return await self._all(Person, _EVERYBODY)
        return await self._all(Person, _THESE, ids=list(user_ids))

    async def put(self, person: Person, real_now: datetime) -> None:
        left_at = None
        if person.deactivated:
            left_at = await self._conn.scalar(_LEFT_AT, {"key": person.id}) or real_now
        await upsert(self._conn, people, {**values(person), "asked_at": real_now, "left_at": left_at})

    async def forget(self, user_id: str | None = None) -> None:
        """Mark the stored data of a person, or of everyone, as out of date. `names` still returns their names."""
        forget = update(people).values(asked_at=_LONG_AGO)
        await self._conn.execute(forget if user_id is None else forget.where(_c.id == user_id))

    async def not_asked_since(self, before: datetime, limit: int) -> list[str]:
        """Return the IDs of people who were last looked up in Slack before a wall-clock time, longest ago first.

        At most `limit` IDs are returned. People who left the workspace are left out.
        """
        return list(await self._conn.scalars(_NOT_ASKED_SINCE, {"before": before, "max_rows": limit}))

    async def drop_left(self, before: datetime, limit: int) -> int:
        """Remove the data and keys of people who left the workspace, and return how many people were removed.

        Those who left first are removed first. Owners of rentals that aren't over are kept.

        Args:
            before: The wall-clock time before which a person must have left.
            limit: The maximum number of people to remove.
        """
        ids = list(await self._conn.scalars(_LEFT, {"before": before, "max_rows": limit}))
        if ids:
            await self._conn.execute(_DROP_KEYS, {"ids": ids})
            await self._conn.execute(_DROP, {"ids": ids})
        return len(ids)

    async def keys(self, user_id: str) -> list[Key]:
        """Return a person's SSH keys in order.

        The first key is the default key. It is sent with the purchase, so that the vendor installs it on the
        machine. The startup script installs the other keys.
        """
        return await self._all(Key, _KEYS, key=user_id)

    async def keys_of(self, user_ids: Collection[str]) -> dict[str, list[Key]]:
        """Return the SSH keys of several people, by person ID. Each person's default key comes first.

        People without a key are left out.
        """
        found: dict[str, list[Key]] = {}
        for row in await self._conn.execute(_KEYS_OF, {"ids": list(user_ids)}):
            found.setdefault(row.user_id, []).append(to_model(Key, row))
        return found

    async def add_key(self, user_id: str, key: Key) -> bool:
        """Add a key at the end of a person's list of keys.

        If they already have the key, only its comment is updated, and False is returned.
        """
        position = await self._conn.scalar(_POSITION, {"of_user": user_id, "of_key": key.fingerprint})
        _, last = await self._first_and_last(user_id)
        new_position = last + 1 if position is None else position
        await upsert(self._conn, person_keys, {**values(key), "user_id": user_id, "position": new_position})
        return position is None

    async def remove_key(self, user_id: str, fingerprint: str) -> bool:
        """Remove a person's key. Returns False if they have no such key."""
        removed = await self._conn.execute(_REMOVE_KEY, {"of_user": user_id, "of_key": fingerprint})
        return removed.rowcount == 1

    async def make_key_first(self, user_id: str, fingerprint: str) -> bool:
        """Make a key the person's default key. Returns False if they have no such key."""
        first, _ = await self._first_and_last(user_id)
        moved = await self._conn.execute(_MOVE_KEY, {"of_user": user_id, "of_key": fingerprint, "to": first - 1})
        return moved.rowcount == 1

    async def _first_and_last(self, user_id: str) -> tuple[int, int]:
        """Return the lowest and highest position of a person's keys, or zeros if they have no keys."""
        lowest, highest = (await self._conn.execute(_POSITIONS, {"of_user": user_id})).one()
        return lowest or 0, highest or 0

    async def note_seen(self, user_id: str, now: datetime) -> None:
        """Record that a person has just used the bot.

        The bot then assumes for some time that the person still needs their machines.
        """
        # Don't change the version or the due time of the person's rentals. Only the work that asks "Still needed?"
        # reads the time that is stored here, and this work has a due time of its own.
        await self._conn.execute(_SEEN, {"owner_id": user_id, "now": now})

    async def channel(self, channel_id: str, not_before: datetime) -> Channel | None:
        return await self._first(Channel, _CHANNEL, key=channel_id, not_before=not_before)

    async def put_channel(self, channel: Channel, real_now: datetime) -> None:
        await upsert(self._conn, channels, {**values(channel), "asked_at": real_now})

    async def forget_channel(self, channel_id: str) -> None:
        await self._conn.execute(delete(channels).where(channels.c.id == channel_id))
