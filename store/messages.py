"""The outbox. `due_at` is real time, `refresh_at` is our time (see bot.clock)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    Boolean,
    Row,
    and_,
    bindparam,
    case,
    false,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.lifecycle.ports.records import Unsendable
from bot.lifecycle.ports.store import EVER
from bot.model.message import Destination, Message, MessageKind
from store.columns import SafeText
from store.mapping import Values, insert_new, param, select_by, to_model, values
from store.tables import messages, rentals

_c = messages.c
_COLUMN_OF = {"target_version": "wanted", "shown_version": "shown"}
"""The column of each field whose column has another name."""
_FIXED = frozenset({"id", "kind", "rental_id", "event_id", "quote_id", "purchase_id", "created_at"})
"""Fields that never change."""

_GET = select_by(_c.id)
_CARD = select_by(_c.rental_id).where(_c.kind == MessageKind.CARD)
_DIRECT_OF_RENTAL = select_by(_c.rental_id, _c.id).where(_c.kind == MessageKind.DIRECT)

_UNSENT = and_(_c.shown == 0, ~_c.closed)
_before = messages.alias("before")
_WAITS_FOR_ANOTHER = (
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
"""Another message of the rental must be sent first: the card before its thread, and the thread in its order."""

_POSTS_THEN_TRANSITIONS = case((_c.shown == 0, 0), (_c.urgent, 1), else_=2)
"""Posts and answers, then edits that show a transition, then edits that show progress."""
_DUE = (
    select(messages)
    .where(_c.due_at <= param(_c.due_at, "now"))
    .order_by(_POSTS_THEN_TRANSITIONS, _c.id)
    .limit(bindparam("max_rows"))
)
# The conditions for each call that a message can need next. `Message.next_call` computes the same.
_TO = type_coerce(_c.to, SafeText)
_ANSWERS = _TO.like("http%")
_EDITS = and_(~_ANSWERS, _c.ts.is_not(None))
_FINDS = and_(~_ANSWERS, _c.ts.is_(None), _c.sending)
_POSTS = and_(~_ANSWERS, _c.ts.is_(None), ~_c.sending)
_SENDABLE = _DUE.where(
    _c.id.not_in(bindparam("ids", expanding=True)),
    ~and_(_ANSWERS, bindparam("answers", type_=Boolean)),
    ~and_(_EDITS, bindparam("edits", type_=Boolean)),
    ~and_(_FINDS, bindparam("finds", type_=Boolean)),
    ~and_(_POSTS, or_(bindparam("posts", type_=Boolean), _TO.in_(bindparam("channels", expanding=True)))),
    ~and_(_c.kind == MessageKind.THREAD, _WAITS_FOR_ANOTHER),
)
_NEXT_DUE = select(_c.due_at).where(_c.due_at > param(_c.due_at, "after")).order_by(_c.due_at).limit(1)
_UNDELIVERED = select(func.count()).where(_c.due_at.is_not(None))

_REFRESHES = and_(_c.due_at.is_(None), _c.refresh_at.is_not(None))
_TO_REFRESH = (
    select(messages)
    .where(
        _REFRESHES,
        _c.refresh_at <= param(_c.refresh_at, "now"),
        _c.id.not_in(bindparam("without", expanding=True)),
    )
    .order_by(_c.refresh_at, _c.id)
    .limit(bindparam("max_rows"))
)
_NEXT_REFRESH = select(_c.refresh_at).where(_REFRESHES).order_by(_c.refresh_at).limit(1)

_SHOW_VERSION = (
    update(messages)
    .where(_c.kind.in_([kind for kind in MessageKind if kind.surface]), ~_c.closed)
    .values(
        wanted=param(_c.wanted, "version"),
        due_at=param(_c.due_at, "now"),
        urgent=or_(_c.urgent, param(_c.urgent, "transition")),
    )
)
_SHOW = _SHOW_VERSION.where(_c.rental_id == param(_c.rental_id, "key"))
_OF_PURCHASE = _c.purchase_id == param(_c.purchase_id, "key")
_SHOW_PURCHASE = _SHOW_VERSION.where(_OF_PURCHASE, _c.kind == MessageKind.UNKNOWN)
_NEWEST_QUESTION = (
    select(_c.event_id).where(_OF_PURCHASE, _c.kind == param(_c.kind, "of_kind")).order_by(_c.id.desc()).limit(1)
)
_SHOW_TOGETHER = (
    update(messages)
    .where(_OF_PURCHASE, _c.kind == MessageKind.OLDER_DATABASE, ~_c.closed)
    .values(wanted=_c.wanted + 1, due_at=param(_c.due_at, "now"), urgent=True)
)

_CHANGED_SINCE = _c.wanted > param(_c.wanted, "read_version")
"""The rental changed after this message was read."""
_SAVE = (
    update(messages)
    .where(_c.id == param(_c.id, "key"))
    .values(
        wanted=case((_CHANGED_SINCE, _c.wanted), else_=param(_c.wanted, "read_version")),
        closed=case((_CHANGED_SINCE, false()), else_=param(_c.closed, "close")),
        due_at=case(
            (_CHANGED_SINCE, func.coalesce(param(_c.due_at, "next_due"), _c.due_at, param(_c.due_at, "now"))),
            else_=param(_c.due_at, "next_due"),
        ),
        urgent=and_(_c.urgent, or_(_CHANGED_SINCE, bindparam("still_behind", type_=Boolean))),
    )
)


def _columns(message: Message, *, without: frozenset[str]) -> Values:
    """Return the values of a message by column, except the fields in `without`."""
    return {_COLUMN_OF.get(field, field): value for field, value in values(message, without=without).items()}


def _message(row: Row[Any]) -> Message:
    fields = row._mapping
    return to_model(Message, {**fields, **{field: fields[column] for field, column in _COLUMN_OF.items()}})


def _messages(rows: Iterable[Row[Any]]) -> list[Message]:
    return [_message(row) for row in rows]


class Messages:
    """bot.lifecycle.ports.store.Messages."""

    def __init__(self, conn: AsyncConnection, real_now: datetime) -> None:
        self._conn = conn
        self._real_now = real_now

    async def add(self, message: Message) -> None:
        row = _columns(message, without=frozenset({"id"}))
        if message.due_at is None and not message.closed:
            row["due_at"] = self._real_now
        await insert_new(self._conn, messages, row)

    async def show(self, rental_id: str, version: int, *, transition: bool) -> None:
        """Make every open surface of a rental due, so that it shows this version. Edits that show a `transition`
        go before those that show progress."""
        await self._conn.execute(
            _SHOW, {"key": rental_id, "version": version, "now": self._real_now, "transition": transition}
        )

    async def show_purchase(self, purchase_id: str, version: int) -> None:
        """Make every open surface about unknown machines due, so that it shows this version."""
        await self._conn.execute(
            _SHOW_PURCHASE, {"key": purchase_id, "version": version, "now": self._real_now, "transition": True}
        )

    async def newest_question(self, purchase_id: str, kind: MessageKind) -> int | None:
        return cast(int | None, await self._conn.scalar(_NEWEST_QUESTION, {"key": purchase_id, "of_kind": kind}))

    async def show_together(self, first_purchase_id: str) -> None:
        """Make every open surface due that is about several purchases of unknown machines, of which this is the
        first."""
        await self._conn.execute(_SHOW_TOGETHER, {"key": first_purchase_id, "now": self._real_now})

    async def get(self, message_id: int) -> Message | None:
        row = (await self._conn.execute(_GET, {"key": message_id})).first()
        return None if row is None else _message(row)

    async def due(self, real_now: datetime, limit: int, without: Unsendable | None = None) -> list[Message]:
        given = {"now": real_now, "max_rows": limit}
        if without is None:
            return _messages(await self._conn.execute(_DUE, given))
        given |= {**vars(without), "ids": list(without.ids), "channels": list(without.channels)}
        return _messages(await self._conn.execute(_SENDABLE, given))

    async def next_due(self, after: datetime | None = None) -> datetime | None:
        return cast(datetime | None, await self._conn.scalar(_NEXT_DUE, {"after": after or EVER}))

    async def to_refresh(self, now: datetime, limit: int, without: Collection[int] = ()) -> list[Message]:
        given = {"now": now, "max_rows": limit, "without": list(without)}
        return _messages(await self._conn.execute(_TO_REFRESH, given))

    async def next_refresh(self) -> datetime | None:
        return cast(datetime | None, await self._conn.scalar(_NEXT_REFRESH))

    async def save(self, message: Message) -> None:
        await self._conn.execute(
            _SAVE,
            {
                **_columns(message, without=_FIXED | {"target_version", "closed", "due_at"}),
                "key": message.id,
                "read_version": message.target_version,
                "close": message.closed,
                "next_due": message.due_at,
                "now": self._real_now,
                "still_behind": message.shown_version < message.target_version,
            },
        )

    async def card(self, rental_id: str) -> Message | None:
        row = (await self._conn.execute(_CARD, {"key": rental_id})).first()
        return None if row is None else _message(row)

    async def redirect(self, rental_id: str, to: Destination) -> None:
        unsent: Values = {
            "to": to,
            "channel": None,
            "ts": None,
            "shown": 0,
            "digest": "",
            "sending": False,
            "tries": 0,
            "closed": False,
            "due_at": self._real_now,
            "refresh_at": None,
        }
        moves = or_(_c.kind == MessageKind.CARD, and_(_c.kind == MessageKind.THREAD, _UNSENT))
        await self._conn.execute(update(messages).where(_c.rental_id == rental_id, moves).values(unsent))
        await self._conn.execute(update(rentals).where(rentals.c.id == rental_id).values(card_channel=to.value))

    async def direct_of(self, rental_id: str) -> list[Message]:
        return _messages(await self._conn.execute(_DIRECT_OF_RENTAL, {"key": rental_id}))

    async def undelivered(self) -> int:
        return await self._conn.scalar(_UNDELIVERED) or 0
