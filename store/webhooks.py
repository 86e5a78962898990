"""The events that still have to be sent to webhooks. They are rows of the outbox.

All times are in wall-clock time, except for those of the events themselves.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, bindparam, case, exists, func, or_, select, update

from bot.model.message import Message, MessageKind, to_webhook
from bot.model.webhook import QueuedEvent
from store.mapping import MAX_ROWS, Rows, to_model
from store.tables import events, messages

_c = messages.c
_before = messages.alias("before")
_NUMBER = select(
    func.max(case((_c.event_id == bindparam("event"), _c.target_version), else_=_c.target_version + 1))
).where(_c.rental_id == bindparam("key"), _c.kind == MessageKind.WEBHOOK)
"""The number for a new row, which is about the newest event of its rental.

If another receiver already has a row about this event, both rows get the same number. Otherwise, the number is the
rental's highest one plus 1. The newest event has the highest number, so `max` is right in both cases.
"""
_WAITS = _c.webhook_due_at.is_not(None)
_earlier = and_(
    _before.c.rental_id == _c.rental_id,
    _before.c.to == _c.to,
    _before.c.webhook_due_at.is_not(None),
    _before.c.id < _c.id,
)
_FIRST_OF_RENTAL = ~exists(select(_before.c.id).where(_earlier))
"""True if the receiver has all earlier events of the same rental, or they were dropped."""
_NEXT = (
    select(
        _c.id.label("message_id"),
        *(_c.to, _c.rental_id, _c.target_version.label("number"), _c.body, _c.tries),
        _c.webhook_due_at.label("due_at"),
        events.c.at,
    )
    .join(events, events.c.id == _c.event_id)
    .where(_c.to == bindparam("receiver"), _WAITS, _FIRST_OF_RENTAL)
    .order_by(_c.webhook_due_at, _c.id)
    .limit(1)
)
"""The event that is due first for a receiver. It is read in the order of the index, however many are waiting."""
_CLOSE = update(messages).values(webhook_due_at=None, closed=True)
_ACCEPTED = _CLOSE.where(_c.id == bindparam("key")).values(shown_version=_c.target_version)
_FAILED = (
    update(messages)
    .where(
        _c.rental_id == bindparam("key"),
        _c.id >= bindparam("first"),
        _c.to == bindparam("receiver"),
        _WAITS,
    )
    .values(webhook_due_at=bindparam("next_due"), tries=_c.tries + case((_c.id == bindparam("first"), 1), else_=0))
)
"""The later events of the rental wait as long, so that `_NEXT` doesn't have to read past them."""
_DROP = _CLOSE.where(
    _c.id.in_(
        select(_before.c.id)
        .where(
            _before.c.webhook_due_at.is_not(None),
            or_(
                _before.c.created_at < bindparam("before"),
                _before.c.to.not_in(bindparam("receivers", expanding=True)),
            ),
        )
        .limit(MAX_ROWS)
    )
)


class Webhooks(Rows):
    async def number_of(self, message: Message, lowest: int) -> int:
        """Return the number of an event that is about to be stored. It is at least `lowest`.

        If a row for another receiver of the same event is stored already, the number is the same. Otherwise, it is
        higher than the numbers of all events of the rental.
        """
        given = {"key": message.rental_id, "event": message.event_id}
        return max(lowest, await self._conn.scalar(_NUMBER, given) or 0)

    async def next(self, url: str) -> QueuedEvent | None:
        """Return the event that is due first for a receiver, now or later. None if no event is waiting.

        An event waits until the receiver has the earlier events of the same rental.
        """
        row = (await self._conn.execute(_NEXT, {"receiver": to_webhook(url)})).mappings().first()
        return None if row is None else to_model(QueuedEvent, row, url=url, name=row["body"]["name"])

    async def note_accepted(self, message_id: int) -> None:
        """Store that a receiver has accepted an event, so that it isn't sent again."""
        await self._conn.execute(_ACCEPTED, {"key": message_id})

    async def note_failed(self, event: QueuedEvent, next_due: datetime) -> None:
        """Store that a receiver hasn't accepted an event, and the time of the next try.

        An event that was dropped in the meantime stays dropped.
        """
        given = {"key": event.rental_id, "first": event.message_id, "receiver": to_webhook(event.url)}
        await self._conn.execute(_FAILED, {**given, "next_due": next_due})

    async def drop(self, before: datetime, urls: Collection[str], limit: int) -> int:
        """Drop events that nobody will receive, and return how many were dropped.

        Args:
            before: Events are dropped if they were queued before this time.
            urls: The receivers that the policy names. Events for all other receivers are dropped.
            limit: The maximum number to drop.
        """
        given = {"before": before, "receivers": [to_webhook(url) for url in urls], "max_rows": limit}
        return (await self._conn.execute(_DROP, given)).rowcount
