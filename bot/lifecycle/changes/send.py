"""Writes an event that changes no rental, with its messages."""

from __future__ import annotations

from typing import Any

from bot.lifecycle.changes.notifications import alerts_and_files
from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.event import Event
from store.db import Tx


async def send(tx: Tx, deps: Deps, event: Event, owner: str | None = None, **more: Any) -> None:
    """Write an event with its alerts and files. `owner` is set if it is about a rental of theirs. `more` is for
    `alerts_and_files`."""
    event_id = await tx.events.add(event)
    for message in alerts_and_files(event, deps.rules, deps.clock.real(), owner, **more):
        await tx.messages.add(changed(message, event_id=event_id))
