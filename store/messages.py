"""Messages: what is to be said in Slack, and what was. Their `due_at` is real time."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import and_, case, false, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.message import Message, MessageKind
from store.due import count_due
from store.rows import insert, model, values
from store.tables import messages, rentals

_SURFACES = [kind for kind in MessageKind if kind.surface]
_FIXED = frozenset({"id", "kind", "rental_id", "event_id", "quote_id", "created_at"})
_UNSAID = and_(messages.c.shown == 0, ~messages.c.closed)
_FIRST = case((messages.c.shown == 0, 0), (messages.c.urgent, 1), else_=2)
"""Posts, then edits that show a transition, then edits that show progress."""


class Messages:
    """bot.lifecycle.ports.Messages."""

    def __init__(self, conn: AsyncConnection, real_now: datetime) -> None:
        self._conn = conn
        self._real_now = real_now

    async def add(self, message: Message) -> None:
        """Due at once where the message doesn't say when. What one event has told to one place in one kind, and
        a rental's second card, are not queued again."""
        fields = values(message, without=frozenset({"id"}))
        if message.due_at is None and not message.closed:
            fields["due_at"] = self._real_now
        await self._conn.execute(insert(self._conn, messages).values(fields).on_conflict_do_nothing())

    async def show(self, rental_id: str, version: int, *, urgent: bool) -> None:
        """Every open surface of a rental is to show this version, from now on."""
        await self._conn.execute(
            update(messages)
            .where(
                messages.c.rental_id == rental_id,
                messages.c.kind.in_(_SURFACES),
                ~messages.c.closed,
            )
            .values(
                wanted=version,
                due_at=self._real_now,
                **({"urgent": True} if urgent else {}),
            )
        )

    async def get(self, message_id: int) -> Message | None:
        return await self._first(messages.c.id == message_id)

    async def due(self, real_now: datetime, limit: int) -> list[Message]:
        waiting = (
            select(messages).where(messages.c.due_at <= real_now).order_by(_FIRST, messages.c.id).limit(limit)
        )
        return [model(Message, row) for row in await self._conn.execute(waiting)]

    async def next_due(self) -> datetime | None:
        first = (
            select(messages.c.due_at).where(messages.c.due_at.is_not(None)).order_by(messages.c.due_at).limit(1)
        )
        return cast(datetime | None, await self._conn.scalar(first))

    async def save(self, message: Message) -> None:
        """Where a newer version became wanted since `message` was read, it stays due and open."""
        newer = messages.c.wanted > message.wanted
        fields = values(message, without=_FIXED | {"wanted", "closed", "due_at"})
        fields["wanted"] = case((newer, messages.c.wanted), else_=message.wanted)
        fields["closed"] = case((newer, false()), else_=message.closed)
        fields["due_at"] = case(
            (newer, func.coalesce(message.due_at, messages.c.due_at, self._real_now)), else_=message.due_at
        )
        fields["urgent"] = messages.c.urgent if message.shown < message.wanted else and_(newer, messages.c.urgent)
        await self._conn.execute(update(messages).where(messages.c.id == message.id).values(fields))

    async def card(self, rental_id: str) -> Message | None:
        return await self._first(and_(messages.c.rental_id == rental_id, messages.c.kind == MessageKind.CARD))

    async def ahead(self, message: Message) -> bool:
        """Only a thread waits for anything. What was closed unsaid is waited for no more."""
        if message.kind is not MessageKind.THREAD or message.rental_id is None:
            return False
        earlier = (
            select(messages.c.id)
            .where(
                messages.c.rental_id == message.rental_id,
                _UNSAID,
                or_(
                    messages.c.kind == MessageKind.CARD,
                    and_(messages.c.kind == MessageKind.THREAD, messages.c.id < message.id),
                ),
            )
            .limit(1)
        )
        return await self._conn.scalar(earlier) is not None

    async def redirect(self, rental_id: str, channel: str) -> None:
        """The card is posted anew in `channel`, and below it what the thread has not said yet. The rental
        keeps `channel` for what comes later."""
        anew: dict[str, Any] = {
            "to": channel,
            "channel": None,
            "ts": None,
            "shown": 0,
            "digest": "",
            "sending": False,
            "tries": 0,
            "closed": False,
            "due_at": self._real_now,
        }
        of_rental = messages.c.rental_id == rental_id
        unsaid = and_(messages.c.kind == MessageKind.THREAD, _UNSAID)
        await self._conn.execute(
            update(messages).where(of_rental, or_(messages.c.kind == MessageKind.CARD, unsaid)).values(anew)
        )
        await self._conn.execute(update(rentals).where(rentals.c.id == rental_id).values(card_channel=channel))

    async def direct_of(self, rental_id: str) -> list[Message]:
        direct = (
            select(messages)
            .where(messages.c.rental_id == rental_id, messages.c.kind == MessageKind.DIRECT)
            .order_by(messages.c.id)
        )
        return [model(Message, row) for row in await self._conn.execute(direct)]

    async def untold(self) -> int:
        return await count_due(self._conn, messages)

    async def _first(self, where: Any) -> Message | None:
        row = (await self._conn.execute(select(messages).where(where))).first()
        return None if row is None else model(Message, row)
