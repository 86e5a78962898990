"""Events: a rental's history. They are added and read, never changed."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.event import Event
from store.mapping import by, first, models, values
from store.tables import events

_ADD = insert(events).returning(events.c.id)
_GET = by(events.c.id)
_OF = by(events.c.rental_id, events.c.id)


class Events:
    """bot.lifecycle.ports.store.Events."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def add(self, event: Event) -> int:
        """Writes it and returns the id that it was given."""
        added = await self._conn.execute(_ADD, values(event, without=frozenset({"id"})))
        return int(added.scalar_one())

    async def of(self, rental_id: str) -> list[Event]:
        """A rental's events in the order in which they happened."""
        return models(Event, await self._conn.execute(_OF, {"of": rental_id}))

    async def get(self, event_id: int) -> Event | None:
        return await first(self._conn, Event, _GET, event_id)
