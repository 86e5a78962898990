"""The outbox: all messages that the bot has sent to Slack, or still has to send.

Events for webhooks are rows of the same table, which `store/webhooks.py` reads. The statements here don't find
them, because their `due_at` and `refresh_at` are always null.

`due_at` is in wall-clock time. `refresh_at` follows the bot's clock, which tests and the sandbox can set.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    Boolean,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.base import EVER
from bot.model.budget import MonthPart
from bot.model.event import EventKind
from bot.model.message import Destination, Message, MessageKind, NextCall, lowest_version, to_person
from bot.model.records import Unsendable
from bot.model.state import State
from store.columns import SafeText
from store.mapping import IDS, MAX_ROWS, Rows, Values, insert_new, param, select_by, values
from store.tables import IS_HOME, IS_REMINDER, TO_RESPONSE_URL, admin_questions, events, messages, rentals, tokens
from store.webhooks import Webhooks

_c = messages.c
_FIXED = frozenset({"id", "kind", "rental_id", "event_id", "quote_id", "question_id", "created_at", "body"})
"""The fields that are never changed after a message was queued."""

_GET = select_by(_c.id)
_CARD = select_by(_c.rental_id).where(_c.kind == MessageKind.CARD)
_ALERT = select(messages).where(
    _c.event_id == bindparam("event"), _c.kind == MessageKind.ALERT, _c.to == bindparam("reader")
)
_RENTAL_AT = select(_c.rental_id).where(
    _c.ts == bindparam("ts"), _c.channel == bindparam("channel"), _c.rental_id.is_not(None)
)
_DIRECT_OF_RENTAL = select_by(_c.rental_id, _c.id).where(_c.kind == MessageKind.DIRECT)

_UNSENT = and_(_c.shown_version == 0, ~_c.closed)
_before = messages.alias("before")
_UNSENT_BEFORE = select(_before.c.id).where(_before.c.shown_version == 0, ~_before.c.closed)
_OF_SAME_RENTAL = _UNSENT_BEFORE.where(_before.c.rental_id == _c.rental_id)
_WAITS_FOR_CARD = and_(
    _c.kind == MessageKind.THREAD, _OF_SAME_RENTAL.where(_before.c.kind == MessageKind.CARD).exists()
)
_TO_SAME = and_(_before.c.to == _c.to, _before.c.id.not_in(bindparam("passed", expanding=True)))
_event, _event_before = events.alias("event"), events.alias("event_before")
_EARLIER_ALERT = _UNSENT_BEFORE.where(
    _TO_SAME,
    _event.c.id == _c.event_id,
    _event_before.c.id < _event.c.id,
    _before.c.event_id == _event_before.c.id,
    _before.c.kind == MessageKind.ALERT,
).correlate(messages)
_PAUSE = (EventKind.PAUSED, EventKind.RESUMED)
_EARLIER_OF_PAUSE = _EARLIER_ALERT.where(
    _event.c.kind.in_(_PAUSE), _event_before.c.rental_id.is_(None), _event_before.c.kind.in_(_PAUSE)
)
_EARLIER_OF_STEP = _EARLIER_ALERT.where(_event_before.c.rental_id == _event.c.rental_id)
_WAITS_FOR_EARLIER = or_(
    and_(_c.kind != MessageKind.CARD, _OF_SAME_RENTAL.where(_TO_SAME, _before.c.id < _c.id).exists()),
    and_(_c.kind == MessageKind.ALERT, or_(_EARLIER_OF_PAUSE.exists(), _EARLIER_OF_STEP.exists())),
)
"""True if an earlier post must be sent first, so that people read posts about one subject in order.

This applies to posts about the same rental, or about the same pause of buying, to the same person or channel.
"""

_SHOWN_AGAIN = and_(_c.ts.is_not(None), _c.digest == "")
"""True if the message must be edited even without changes, because nobody knows what Slack shows for it."""
_NOT_POSTED, _MAY_WAIT = _c.shown_version == 0, and_(_c.kind == MessageKind.CARD, _c.version_at_start.is_(None))
_HOME = _c.kind == MessageKind.HOME
_ORDER = case((_NOT_POSTED, 0), (_c.urgent, 1), (_HOME, 5), (~_SHOWN_AGAIN, 2), (~_MAY_WAIT, 3), else_=4)
"""The priority of a message that is due. Messages with the lowest number come first.

- 0: new posts, answers, and Home tabs that were just opened.
- 1: edits that show a transition of a rental.
- 2: edits that only show progress.
- 3: messages that are shown again after a restart, except those of priority 4.
- 4: the main messages of rentals (cards) after a restart, if no purchase waits for them.
- 5: Home tabs with changed content, in the order in which they became due.
"""
_DUE = (
    select(messages)
    .where(_c.due_at <= bindparam("now"))
    .order_by(_ORDER, case((_HOME, _c.due_at)), _c.id)
    .limit(MAX_ROWS)
)
_TO = type_coerce(_c.to, SafeText)
_POSTS = _c.next_call == NextCall.POST
_SENDABLE = _DUE.where(
    _c.id.not_in(IDS),
    *(~and_(_c.next_call == call, bindparam(call.value, type_=Boolean)) for call in NextCall),
    ~and_(_c.next_call == NextCall.EDIT, _SHOWN_AGAIN, bindparam("edits_again", type_=Boolean)),
    ~and_(_POSTS, _TO.in_(bindparam("channels", expanding=True))),
    ~and_(_HOME, ~_c.urgent, _TO.in_(bindparam("homes", expanding=True))),
    ~_WAITS_FOR_CARD,
    ~and_(_POSTS, _WAITS_FOR_EARLIER),
)
_END_BACK_OFF = update(messages).where(_c.due_at > bindparam("now"), _c.tries > 0).values(due_at=bindparam("now"))
_NEXT_DUE = select(_c.due_at).where(_c.due_at > bindparam("after")).order_by(_c.due_at).limit(1)
NEWEST_ID = select(func.max(messages.alias("all_messages").c.id)).scalar_subquery()
"""The ID of the newest message, which is never removed.

If this message were removed, SQLite would give its ID to the next message. The removed message's post in Slack has
the same ID in its metadata, so it would be mistaken for the next message.
"""
_DROP_ANSWERS = delete(messages).where(
    _c.id.in_(
        select(_c.id)
        .where(TO_RESPONSE_URL, _c.closed, _c.created_at < bindparam("before"), _c.id < NEWEST_ID)
        .order_by(_c.created_at)
        .limit(MAX_ROWS)
    )
)
# Use scalar subqueries, with which PostgreSQL looks up one rental by its key for each message. With EXISTS, it
# might read the whole table of rentals instead.
_RENTAL_OVER_AT = select(rentals.c.over_at).where(rentals.c.id == _c.rental_id, ~rentals.c.live).scalar_subquery()
_QUESTION_OVER_AT = (
    select(admin_questions.c.over_at).where(admin_questions.c.id == _c.question_id).scalar_subquery()
)
_DROP_CLOSED = delete(messages).where(
    _c.id.in_(
        select(_c.id)
        .where(
            _c.closed,
            _c.created_at < bindparam("before"),
            _c.id < NEWEST_ID,
            or_(_c.rental_id.is_(None), param(rentals.c.over_at, "over_before") > _RENTAL_OVER_AT),
            or_(_c.question_id.is_(None), _QUESTION_OVER_AT.is_not(None)),
        )
        .order_by(_c.created_at)
        .limit(MAX_ROWS)
    )
)
_UNDELIVERED = select(func.count()).where(_c.due_at.is_not(None), ~_HOME)

_FILE_WAITS = select(
    exists().where(
        _c.due_at.is_not(None),
        _c.kind == MessageKind.FILE,
        _c.to == bindparam("reader"),
        _c.charges_of == bindparam("part"),
    )
)

_REFRESHES = and_(_c.due_at.is_(None), _c.refresh_at.is_not(None))
_TO_REFRESH = (
    select(messages)
    .where(_REFRESHES, _c.refresh_at <= bindparam("now"), _c.id.not_in(bindparam("without", expanding=True)))
    .order_by(_c.refresh_at, _c.id)
    .limit(MAX_ROWS)
)
_NEXT_REFRESH = select(_c.refresh_at).where(_REFRESHES).order_by(_c.refresh_at).limit(1)

_OPEN_LIVE_MESSAGE = and_(_c.kind.in_([kind for kind in MessageKind if kind.surface]), ~_c.closed)
_LOWEST = param(_c.target_version, "lowest_version")
_NEXT_VERSION = case((_c.target_version >= _LOWEST, _c.target_version + 1), else_=_LOWEST)
_SHOW_NEXT = update(messages).values(target_version=_NEXT_VERSION, due_at=bindparam("now"))
_SHOW_CHANGE = _SHOW_NEXT.where(_OPEN_LIVE_MESSAGE).values(urgent=or_(_c.urgent, param(_c.urgent, "transition")))
_SHOW = _SHOW_CHANGE.where(_c.rental_id == bindparam("key"))
_newest = messages.alias("newest")
_REOPEN_NEWEST = (
    update(messages)
    .where(
        _c.id
        == select(func.max(_newest.c.id))
        .where(
            _newest.c.rental_id == bindparam("key"),
            _newest.c.kind == MessageKind.DIRECT,
            _newest.c.to == bindparam("reader"),
            _newest.c.ts.is_not(None),
        )
        .scalar_subquery()
    )
    .values(closed=False)
)
_SHOW_REMINDERS = _SHOW_CHANGE.where(IS_REMINDER)
_SHOW_QUESTION = _SHOW_CHANGE.where(_c.question_id == bindparam("key"))
_SHOW_TOKEN = _SHOW_CHANGE.where(_c.token_id == bindparam("key"))
_SHOW_QUOTE = _SHOW_NEXT.where(
    _c.quote_id == bindparam("key"), _c.kind == MessageKind.QUOTE, _c.ts.is_not(None)
).values(urgent=True, closed=False)
_SHOW_HOME = _SHOW_NEXT.where(IS_HOME, _c.to == bindparam("reader")).values(body=bindparam("page"))
_TURN_HOME = _SHOW_HOME.values(urgent=True)
_OPEN_HOME = _SHOW_HOME.values(shown_version=0, digest=bindparam("shown"), closed=False, tries=0)
_SHOW_HOMES = _SHOW_NEXT.where(IS_HOME, ~_c.closed).values(
    due_at=func.coalesce(_c.due_at, param(_c.due_at, "now"))
)
_ANY_HOME = select(exists(select(_c.id).where(IS_HOME, ~_c.closed)))
_FIRST_KNOWN = func.coalesce(_c.version_at_start, _c.target_version)
_SHOW_AGAIN = _SHOW_NEXT.where(_OPEN_LIVE_MESSAGE, _c.ts.is_not(None)).values(
    digest="",
    version_at_start=case((_c.kind != MessageKind.CARD, _FIRST_KNOWN), else_=_c.version_at_start),
    next_call=case((_c.kind != MessageKind.CARD, NextCall.FIND), else_=_c.next_call),
)
_COMPARE_CARDS = (
    update(messages)
    .where(
        _OPEN_LIVE_MESSAGE,
        _c.ts.is_not(None),
        _c.rental_id.in_(
            select(rentals.c.id).where(
                rentals.c.live,
                or_(
                    rentals.c.state.in_([State.QUEUED, State.PROCURING, State.PROVISIONING]),
                    and_(rentals.c.state == State.READY, rentals.c.token_id.is_not(None)),
                ),
            )
        ),
    )
    .values(version_at_start=_FIRST_KNOWN, next_call=NextCall.FIND)
)
"""Makes the delivery of messages compare cards with what Slack shows. A card is the main message of a rental.

A card is compared only in two cases:

- The bot might still buy a machine for the rental. The bot buys nothing for the rental before the comparison. If
  Slack shows a newer version of the card, the database is an old backup, and the machine may have been bought
  already.
- A program rented the machine, and it is ready. No direct message shows the end of its lease, so only the card can
  show that the program has extended the lease since the backup.
"""
_not_over = admin_questions.c.over_at.is_(None)
_SHOW_ALL_AGAIN = (
    _COMPARE_CARDS,
    _SHOW_HOMES.values(digest=""),
    _SHOW_AGAIN.where(
        or_(
            _c.rental_id.in_(select(rentals.c.id).where(rentals.c.live)),
            _c.question_id.in_(select(admin_questions.c.id).where(_not_over)),
            _c.question_id.in_(select(admin_questions.c.part_of).where(_not_over)),
            _c.token_id.in_(select(tokens.c.id).where(tokens.c.live)),
            _c.kind == MessageKind.REMINDER,
        )
    ),
)
"""Schedules an edit of all messages that the bot keeps up to date.

A message is left out if the rental, question or token that it is about is over.
"""

_CHANGED_SINCE = _c.target_version > bindparam("read_version")
"""True if the content of the message has changed since delivery read the message."""
_SAVE = (
    update(messages)
    .where(_c.id == bindparam("key"))
    .values(
        target_version=case((_CHANGED_SINCE, _c.target_version), else_=param(_c.target_version, "read_version")),
        closed=case((_CHANGED_SINCE, false()), else_=param(_c.closed, "close")),
        due_at=case(
            (_CHANGED_SINCE, func.coalesce(param(_c.due_at, "next_due"), _c.due_at, param(_c.due_at, "now"))),
            else_=param(_c.due_at, "next_due"),
        ),
        urgent=and_(_c.urgent, or_(_CHANGED_SINCE, bindparam("still_behind", type_=Boolean))),
    )
)


def _stored(message: Message, *, without: frozenset[str]) -> Values:
    return {**values(message, without=without), "next_call": message.next_call}


class Messages(Rows):
    def __init__(self, conn: AsyncConnection, webhooks: Webhooks, real_now: datetime) -> None:
        super().__init__(conn)
        self._webhooks = webhooks
        self._real_now = real_now

    async def add(self, message: Message) -> None:
        """Queue a message. If `due_at` isn't set, the message is due now.

        Nothing is added if the event already has a message of this kind to this destination, or if the message is
        a card and the rental already has a card.
        """
        row = {**_stored(message, without=frozenset({"id"})), "urgent": False}
        # `_real_now` is the time at which this transaction began, and the message may have been created seconds
        # later. Compute the lowest version from the later of these times, because versions must never decrease.
        lowest = lowest_version(max(self._real_now, message.created_at))
        row["target_version"] = max(message.target_version, lowest)
        if message.kind is MessageKind.WEBHOOK:
            row["target_version"] = await self._webhooks.number_of(message, lowest)
        elif message.due_at is None and not message.closed:
            row["due_at"] = self._real_now
        await insert_new(self._conn, messages, row)

    async def show(self, rental_id: str, *, transition: bool) -> None:
        """Schedule an edit of a rental's messages, because the rental changed.

        Messages that are marked as `closed` are left out. Edits that show a `transition` are sent before edits
        that only show progress.
        """
        await self._conn.execute(_SHOW, self._change(key=rental_id, transition=transition))

    async def reopen_newest(self, rental_id: str, reader: str) -> None:
        """Allow a person's newest direct message about a rental to be edited again, although it was closed.

        This is called when the rental is over, so that the next edit turns the message into the receipt.
        """
        await self._conn.execute(_REOPEN_NEWEST, {"key": rental_id, "reader": to_person(reader)})

    async def show_question(self, question_id: str) -> None:
        """Schedule an edit of the messages that show this question to the admins.

        Messages that are marked as `closed` are left out.
        """
        await self._conn.execute(_SHOW_QUESTION, self._change(key=question_id, transition=True))

    async def show_token(self, token_id: str) -> None:
        """Schedule an edit of the messages that ask the approvers about the terms of this token."""
        await self._conn.execute(_SHOW_TOKEN, self._change(key=token_id, transition=True))

    async def show_quote(self, quote_id: str) -> None:
        """Schedule an edit of the message with the offers of a search.

        This is called when the buttons in the message no longer work. If the offers weren't sent as a direct
        message, nothing happens, because other answers can't be edited.
        """
        await self._conn.execute(_SHOW_QUOTE, self._change(key=quote_id))

    async def show_reminders(self) -> None:
        """Schedule an edit of all reminders to approvers."""
        await self._conn.execute(_SHOW_REMINDERS, self._change(transition=True))

    async def open_home(self, reader: str, shown: str) -> None:
        """Schedule an update of the Home tab that a person has just opened, ahead of all edits.

        The update shows the first page.

        Args:
            reader: The person's ID.
            shown: The digest of the content that the tab shows now.
        """
        given = self._change(reader=to_person(reader), page={"page": 0}, shown=shown)
        if not (await self._conn.execute(_OPEN_HOME, given)).rowcount:
            now = self._real_now
            home = Message(kind=MessageKind.HOME, to=to_person(reader), created_at=now, due_at=now, digest=shown)
            await self.add(home)

    async def turn_home(self, reader: str, page: int) -> None:
        """Schedule an update that shows another page of a person's Home tab. Pages are counted from 0.

        Does nothing if the person has never opened the tab.
        """
        await self._conn.execute(_TURN_HOME, self._change(reader=to_person(reader), page={"page": page}))

    async def show_homes(self) -> None:
        """Schedule an update of the Home tab of each person who has ever opened it."""
        await self._conn.execute(_SHOW_HOMES, self._change())

    async def any_home(self) -> bool:
        return bool(await self._conn.scalar(_ANY_HOME))

    async def show_all_again(self) -> None:
        """Schedule an edit of every message that the bot keeps up to date, even if the content seems unchanged.

        This is called when nobody knows what Slack shows, such as after a restart. A message is left out if the
        rental or question that it is about is over. A message that asks a question, or that shows the end of a
        lease, is compared with Slack before it is edited (`Message.uncompared`).
        """
        for statement in _SHOW_ALL_AGAIN:
            await self._conn.execute(statement, self._change())

    def _change(self, **more: Any) -> Values:
        return {"now": self._real_now, "lowest_version": lowest_version(self._real_now), **more}

    async def get(self, message_id: int) -> Message | None:
        return await self._first(Message, _GET, key=message_id)

    async def alert_of(self, event_id: int, to: Destination) -> Message | None:
        """Return the alert that this person or channel gets about an event. None if there is none."""
        return await self._first(Message, _ALERT, event=event_id, reader=to)

    async def due(self, real_now: datetime, limit: int, without: Unsendable | None = None) -> list[Message]:
        """Return the messages that are due, most urgent first.

        New posts and answers come first, followed by edits and then by Home tabs (`_ORDER` has the details).
        Messages of the same priority are in the order in which they were queued.

        If `without` is None, all due messages are returned. Otherwise, messages that `without` excludes are left
        out. Messages that have to wait for another message are then left out too:

        - A reply in a thread waits for the rental's card (its main message).
        - Any other post, except a card, waits for earlier posts about the same rental to the same person or
          channel.
        - An alert about a pause of buying waits for earlier alerts about that pause.
        """
        given: Values = {"now": real_now, "max_rows": limit}
        if without is None:
            return await self._all(Message, _DUE, **given)
        lists = {name: list(getattr(without, name)) for name in ("ids", "channels", "passed", "homes")}
        calls = {call.value: call in without.calls for call in NextCall}
        given |= {**calls, **lists, "edits_again": without.edits_again}
        return await self._all(Message, _SENDABLE, **given)

    async def end_back_off(self) -> None:
        """Make all messages due that wait because Slack didn't answer the last call."""
        await self._conn.execute(_END_BACK_OFF, {"now": self._real_now})

    async def next_due(self, after: datetime | None = None) -> datetime | None:
        """Return the earliest wall-clock time at which a message is due.

        If `after` is given, return the earliest time after it.
        """
        return cast(datetime | None, await self._conn.scalar(_NEXT_DUE, {"after": after or EVER}))

    async def to_refresh(self, now: datetime, limit: int, without: Collection[int] = ()) -> list[Message]:
        """Return the messages that show an elapsed time and have to be updated now.

        Messages that have been due longest come first. A message that also has a `due_at` is left out, because its
        next edit updates the elapsed time as well.

        Args:
            now: The current time of the bot's clock.
            limit: The maximum number of messages.
            without: IDs of messages to ignore.
        """
        return await self._all(Message, _TO_REFRESH, now=now, max_rows=limit, without=list(without))

    async def next_refresh(self) -> datetime | None:
        """Return the next time at which a message that shows an elapsed time has to be updated, or None.

        The time follows the bot's clock, which tests and the sandbox can set.
        """
        return cast(datetime | None, await self._conn.scalar(_NEXT_REFRESH))

    async def save(self, message: Message) -> None:
        """Store the outcome of a delivery: what Slack shows now, and when the message is due again.

        If the message's content has changed since `message` was read, the message stays due, so that the new
        content will be shown. The message is then not marked as `closed`, even if `message.closed` is set.
        """
        await self._conn.execute(
            _SAVE,
            {
                **_stored(message, without=_FIXED | {"target_version", "closed", "due_at"}),
                "key": message.id,
                "read_version": message.target_version,
                "close": message.closed,
                "next_due": message.due_at,
                "now": self._real_now,
                "still_behind": message.shown_version < message.target_version,
            },
        )

    async def card(self, rental_id: str) -> Message | None:
        return await self._first(Message, _CARD, key=rental_id)

    async def rental_at(self, channel: str, ts: str) -> str | None:
        """Return the ID of the rental that a posted message is about, or None if it isn't about a rental."""
        return cast(str | None, await self._conn.scalar(_RENTAL_AT, {"channel": channel, "ts": ts}))

    async def redirect(self, rental_id: str, to: Destination) -> None:
        """Move a rental's card (its main message) and future thread replies to another destination.

        A new card is posted there, and replies that haven't been sent yet are posted in its thread. Later messages
        go there too, because the destination is stored as the rental's `card_channel`.
        """
        unsent: Values = {
            "to": to,
            "channel": None,
            "ts": None,
            "shown_version": 0,
            "digest": "",
            "version_at_start": None,
            "sending": False,
            "next_call": NextCall.POST,
            "tries": 0,
            "closed": False,
            "due_at": self._real_now,
            "refresh_at": None,
        }
        moves = or_(_c.kind == MessageKind.CARD, and_(_c.kind == MessageKind.THREAD, _UNSENT))
        await self._conn.execute(update(messages).where(_c.rental_id == rental_id, moves).values(unsent))
        await self._conn.execute(update(rentals).where(rentals.c.id == rental_id).values(card_channel=to.value))

    async def direct_of(self, rental_id: str) -> list[Message]:
        """Return the direct messages about a rental, oldest first."""
        return await self._all(Message, _DIRECT_OF_RENTAL, key=rental_id)

    async def file_waits(self, to: Destination, part: MonthPart) -> bool:
        """Return whether a CSV file of charges still has to be sent to a person.

        The file contains the charges of a person, a project or the team in one month, as named by `part`.
        """
        return bool(await self._conn.scalar(_FILE_WAITS, {"reader": to, "part": part}))

    async def drop_answers(self, before: datetime, limit: int) -> int:
        """Remove old answers that were sent to a `response_url`, oldest first, and return how many were removed.

        The newest of all messages is kept, so that its ID isn't used again.

        Args:
            before: The wall-clock time before which an answer must have been created.
            limit: The maximum number to remove.
        """
        return (await self._conn.execute(_DROP_ANSWERS, {"before": before, "max_rows": limit})).rowcount

    async def drop_closed(self, before: datetime, over_before: datetime, limit: int) -> int:
        """Remove old messages that will never be edited again, oldest first, and return how many were removed.

        Messages about a rental are kept until the rental has been over for some time. Messages about a question
        are kept until the question is over. The newest of all messages is also kept, so that its ID isn't used
        again.

        Args:
            before: The wall-clock time before which a message must have been created.
            over_before: The time before which the rental of a message must have ended, on the bot's clock. A
                sandbox can set this clock, so it can differ from the wall clock.
            limit: The maximum number to remove.
        """
        given = {"before": before, "over_before": over_before, "max_rows": limit}
        return (await self._conn.execute(_DROP_CLOSED, given)).rowcount

    async def undelivered(self) -> int:
        """Return the number of messages that still have to be posted or edited.

        Home tabs and messages that only need an update of their elapsed time are left out.
        """
        return await self._conn.scalar(_UNDELIVERED) or 0
