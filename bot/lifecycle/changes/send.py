"""Writes an event that doesn't change a rental, together with its messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.lifecycle.changes.notifications import NOBODY, Scene
from bot.lifecycle.deps import Deps
from bot.model.budget import MonthPart
from bot.model.event import Event, EventKind, To
from bot.model.facts import Facts
from bot.model.message import MessageKind, queued, stored_destination
from store.db import Tx


async def send(
    tx: Tx,
    deps: Deps,
    event: Event,
    owner: str | None = None,
    *,
    known: Mapping[To, Sequence[str]] = NOBODY,
    charges_of: MonthPart | None = None,
    token_id: str | None = None,
) -> None:
    """Write an event that doesn't change a rental, together with its alerts, files and requests to approvers.

    Args:
        owner: The owner of the rental or the token that the event is about, if it is about one.
        known: The recipients that only the caller can determine.
        charges_of: The month and the scope of the charges in the event's files. None if the event sends no files.
        token_id: The ID of the token whose terms the event asks about, if it asks about some.
    """
    event_id = await tx.events.add(event)
    scene = Scene(event, deps.rules, owner=owner, known=known)
    now = deps.clock.real()
    readers = [(MessageKind.ALERT, to) for to in scene.ids(event.effects.alert)]
    readers += [(MessageKind.FILE, to) for to in scene.ids(event.effects.file)]
    readers += [(MessageKind.TOKEN, to) for to in scene.ids(event.effects.token_request)]
    about = {"event_id": event_id, "charges_of": charges_of, "token_id": token_id}
    for kind, to in readers:
        await tx.messages.add(queued(kind, stored_destination(to), now, **about))


async def send_of_account(
    tx: Tx, deps: Deps, kind: EventKind, facts: Facts | None = None, *, by: str | None = None, **more: Any
) -> None:
    """Write an event about the account, with the present time, and send its messages.

    `by` is the person who caused the event, or None for the bot. `more` contains further arguments of `send`.
    """
    event = Event(rental_id=None, kind=kind, at=deps.clock.now(), actor=by, facts=facts or Facts())
    await send(tx, deps, event, **more)
