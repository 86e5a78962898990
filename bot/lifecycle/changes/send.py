"""Writes an event that changes no rental, with its messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.lifecycle.changes.notifications import alerts_and_files
from bot.model.base import changed
from bot.model.event import Event
from bot.policy.team.rules import Rules
from store.db import Tx


async def send(
    tx: Tx, event: Event, rules: Rules, real_now: datetime, owner: str | None = None, **more: Any
) -> None:
    """Write an event with its alerts and files. `owner` is set if it is about a rental of theirs. `more` is for
    `alerts_and_files`."""
    event_id = await tx.events.add(event)
    for message in alerts_and_files(event, rules, real_now, owner, **more):
        await tx.messages.add(changed(message, event_id=event_id))
