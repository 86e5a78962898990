"""Reads the whole outbox."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.message import Message
from store.mapping import to_model
from store.tables import messages


async def stored_messages(conn: AsyncConnection) -> list[Message]:
    """Return all messages, oldest first.

    Also checks that the column `next_call` of each message agrees with the message.
    """
    rows = (await conn.execute(select(messages).order_by(messages.c.id))).all()
    found = [to_model(Message, row) for row in rows]
    assert [row.next_call for row in rows] == [message.next_call for message in found]
    return found
