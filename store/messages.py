"""Messages: what is to be said in Slack, and what was. Their `due_at` is real time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Boolean, and_, bindparam, case, false, func, or_, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.lifecycle.ports import Held
from bot.model.message import Destination, Message, MessageKind
from store.columns import SafeText
from store.mapping import add_new, by, first, given, models, values
from store.tables import messages, rentals

_c = messages.c
_FIXED = frozenset({"id", "kind", "rental_id", "event_id", "quote_id", "created_at"})

_GET = by(_c.id)
_CARD = by(_c.rental_id).where(_c.kind == MessageKind.CARD)
_DIRECT = by(_c.rental_id, _c.id).where(_c.kind == MessageKind.DIRECT)

_UNSAID = and_(_c.shown == 0, ~_c.closed)
_before = messages.alias("before")
_AHEAD = (
    select(_before.c.id)
    .where(
        _before.c.rental_id == _c.rental_id,
        _before.c.shown == 0,
        ~_before.c.closed,
        or_(
            _before.c.kind == MessageKind.CARD,
            and_(_before.c.kind == MessageKind.THREAD, _before.c.id < _c.id),
        ),
    )
    .exists()
)
"""Something of the same rental must be said first: the card before its thread, and a thread in its order."""

_FIRST = case((_c.shown == 0, 0), (_c.urgent, 1), else_=2)
"""Posts, then edits that show a transition, then edits that show progress."""
_DUE = (
    select(messages).where(_c.due_at <= given(_c.due_at, "now")).order_by(_FIRST, _c.id).limit(bindparam("most"))
)
_TO = type_coerce(_c.to, SafeText)
_ANSWERS = _TO.like("http%")
_EDITS = and_(~_ANSWERS, _c.ts.is_not(None))
_FINDS = and_(~_ANSWERS, _c.ts.is_(None), _c.sending)
_POSTS = and_(~_ANSWERS, _c.ts.is_(None), ~_c.sending)
"""By the call that a message needs next, as `Message.next_call` says it."""
_SENDABLE = _DUE.where(
    _c.id.not_in(bindparam("ids", expanding=True)),
    ~and_(_ANSWERS, bindparam("answers", type_=Boolean)),
    ~and_(_EDITS, bindparam("edits", type_=Boolean)),
    ~and_(_FINDS, bindparam("finds", type_=Boolean)),
    ~and_(_POSTS, or_(bindparam("posts", type_=Boolean), _TO.in_(bindparam("places", expanding=True)))),
    ~and_(_c.kind == MessageKind.THREAD, _AHEAD),
)
_NEXT = select(_c.due_at).where(_c.due_at > given(_c.due_at, "after")).order_by(_c.due_at).limit(1)
_EVER = datetime.min.replace(tzinfo=UTC)
_UNTOLD = select(func.count()).where(_c.due_at.is_not(None))

_SHOW = (
    update(messages)
    .where(
        _c.rental_id == given(_c.rental_id, "of"),
        _c.kind.in_([kind for kind in MessageKind if kind.surface]),
        ~_c.closed,
    )
    .values(
        wanted=given(_c.wanted, "version"),
        due_at=given(_c.due_at, "now"),
        urgent=or_(_c.urgent, given(_c.urgent, "moved")),
    )
)

_newer = _c.wanted > given(_c.wanted, "knew")
_SAVE = (
    update(messages)
    .where(_c.id == given(_c.id, "of"))
    .values(
        wanted=case((_newer, _c.wanted), else_=given(_c.wanted, "knew")),
        closed=case((_newer, false()), else_=given(_c.closed, "closes")),
        due_at=case(
            (_newer, func.coalesce(given(_c.due_at, "later"), _c.due_at, given(_c.due_at, "now"))),
            else_=given(_c.due_at, "later"),
        ),
        urgent=and_(_c.urgent, or_(_newer, bindparam("behind", type_=Boolean))),
    )
)


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
        await add_new(self._conn, messages, fields)

    async def show(self, rental_id: str, version: int, *, moved: bool) -> None:
        """Every open surface of a rental is to show this version, from now on. `moved`: it is a transition."""
        given_now = {"of": rental_id, "version": version, "now": self._real_now, "moved": moved}
        await self._conn.execute(_SHOW, given_now)

    async def get(self, message_id: int) -> Message | None:
        return await first(self._conn, Message, _GET, message_id)

    async def due(self, real_now: datetime, limit: int, held: Held | None = None) -> list[Message]:
        asked = {"now": real_now, "most": limit}
        if held is None:
            return models(Message, await self._conn.execute(_DUE, asked))
        asked |= {**vars(held), "ids": list(held.ids), "places": list(held.places)}
        return models(Message, await self._conn.execute(_SENDABLE, asked))

    async def next_due(self, after: datetime | None = None) -> datetime | None:
        return cast(datetime | None, await self._conn.scalar(_NEXT, {"after": after or _EVER}))

    async def save(self, message: Message) -> None:
        """Where a newer version became wanted since `message` was read, it stays due and open."""
        await self._conn.execute(
            _SAVE,
            {
                **values(message, without=_FIXED | {"wanted", "closed", "due_at"}),
                "of": message.id,
                "knew": message.wanted,
                "closes": message.closed,
                "later": message.due_at,
                "now": self._real_now,
                "behind": message.shown < message.wanted,
            },
        )

    async def card(self, rental_id: str) -> Message | None:
        return await first(self._conn, Message, _CARD, rental_id)

    async def redirect(self, rental_id: str, to: Destination) -> None:
        """Post the card again in `to`, and below it what the thread has not said yet. The rental stores `to` as
        its `card_channel`, for what comes later."""
        anew: dict[str, Any] = {
            "to": to,
            "channel": None,
            "ts": None,
            "shown": 0,
            "digest": "",
            "sending": False,
            "tries": 0,
            "closed": False,
            "due_at": self._real_now,
        }
        moves = or_(_c.kind == MessageKind.CARD, and_(_c.kind == MessageKind.THREAD, _UNSAID))
        await self._conn.execute(update(messages).where(_c.rental_id == rental_id, moves).values(anew))
        await self._conn.execute(update(rentals).where(rentals.c.id == rental_id).values(card_channel=to.value))

    async def direct_of(self, rental_id: str) -> list[Message]:
        return models(Message, await self._conn.execute(_DIRECT, {"of": rental_id}))

    async def undelivered(self) -> int:
        return await self._conn.scalar(_UNTOLD) or 0
