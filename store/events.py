"""Events: a rental's history. They are added and read, never changed."""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.event import Event
from store.rows import model, values
from store.tables import events


class Events:
    """bot.lifecycle.ports.Events."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def add(self, event: Event) -> int:
        """Writes it and returns the id that it was given."""
        adding = insert(events).values(values(event, without=frozenset({"id"}))).returning(events.c.id)
        return int((await self._conn.execute(adding)).scalar_one())

    async def of(self, rental_id: str) -> list[Event]:
        """A rental's events in the order in which they happened."""
        history = select(events).where(events.c.rental_id == rental_id).order_by(events.c.id)
        return [model(Event, row) for row in await self._conn.execute(history)]

    async def get(self, event_id: int) -> Event | None:
        row = (await self._conn.execute(select(events).where(events.c.id == event_id))).first()
        return None if row is None else model(Event, row)
