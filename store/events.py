"""Events: the history of rentals and of the account at Compute Clear. Events are added and read, never changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, insert, select

from bot.model.event import Event, EventKind
from store.mapping import IDS, MAX_ROWS, Rows, select_by, values
from store.tables import events

_c = events.c
_ADD = insert(events).returning(_c.id)
_GET = select_by(_c.id)
_OF_RENTAL = select_by(_c.rental_id, _c.id)
_PAUSE_OR_END = select(events).where(_c.rental_id.is_(None), _c.kind.in_([EventKind.PAUSED, EventKind.RESUMED]))
_AFTER_PAUSE = _PAUSE_OR_END.where(_c.id > bindparam("key")).order_by(_c.id).limit(1)
_BEFORE_END = _PAUSE_OR_END.where(_c.id < bindparam("key")).order_by(_c.id.desc()).limit(1)
_BETWEEN = (
    select(events)
    .where(_c.at >= bindparam("since"), _c.at < bindparam("until"), _c.id > bindparam("after"))
    .order_by(_c.id)
    .limit(MAX_ROWS)
)
_OF_RENTALS = (
    select(events)
    .where(_c.rental_id.in_(IDS), _c.kind.in_(bindparam("kinds", expanding=True, type_=_c.kind.type)))
    .order_by(_c.id)
)


class Events(Rows):
    async def add(self, event: Event) -> int:
        """Store an event, and return its ID.

        The events of a rental are stored by `Rentals.apply`, together with the change.
        """
        added = await self._conn.execute(_ADD, values(event, without=frozenset({"id"})))
        return int(added.scalar_one())

    async def of(self, rental_id: str) -> list[Event]:
        """Return the events of a rental in the order in which they happened."""
        return await self._all(Event, _OF_RENTAL, key=rental_id)

    async def of_many(
        self, rental_ids: Collection[str], kinds: Collection[EventKind]
    ) -> Mapping[str, Sequence[Event]]:
        """Return each rental's events of these kinds, oldest first.

        A rental without such events has an empty list.
        """
        found: defaultdict[str, list[Event]] = defaultdict(list)
        for event in await self._all(Event, _OF_RENTALS, ids=list(rental_ids), kinds=list(kinds)):
            found[event.rental_id or ""].append(event)
        return found

    async def get(self, event_id: int) -> Event | None:
        return await self._first(Event, _GET, key=event_id)

    async def other_end_of_pause(self, event: Event) -> Event | None:
        """Return the counterpart of an event that began or ended a pause of buying.

        If the given event began the pause, the result is the event that ended it, or None while the pause lasts.
        If the given event ended the pause, the result is the event that began it.
        """
        statement = _AFTER_PAUSE if event.kind is EventKind.PAUSED else _BEFORE_END
        other = await self._first(Event, statement, key=event.id)
        return None if other is None or other.kind is event.kind else other

    async def between(self, since: datetime, until: datetime, *, after: int, limit: int) -> list[Event]:
        """Return the events of a time range, in the order in which they were stored.

        Args:
            since: The start of the range, inclusive.
            until: The end of the range, exclusive.
            after: Only events with higher IDs are returned, for reading in pages.
            limit: The maximum number of events.
        """
        return await self._all(Event, _BETWEEN, since=since, until=until, after=after, max_rows=limit)
