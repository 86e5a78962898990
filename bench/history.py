"""Creates a database full of finished rentals. The store writes one rental; the others are copies of its rows."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.rentals import LEASE, Bought, change_of, quote_of, rental_of
from bot.clock import Clock
from bot.lifecycle.money.billing import ledger_row
from bot.lifecycle.money.budgets import RentalFacts, charges
from bot.lifecycle.outside import ResourceView
from bot.model.attempt import AttemptState
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.facts import EndedFacts
from bot.model.offer import OFFER_LIFE, Offer
from bot.model.records import Change
from bot.model.rental import Ending
from bot.model.state import State
from bot.policy.team.rules import Rules
from store.db import Database
from store.tables import metadata

ORIGINALS = ("quotes", "rentals", "attempts", "resources", "ledger", "charges", "events", "messages")
"""The tables, ordered so that each row is written after the rows that it refers to."""
COPY_NAMES = frozenset({"quote_id", "rental_id", "resource_id", "offer_id", "resource_name"})
"""The columns in which each copy needs its own value, in addition to the `id` of quotes and rentals."""
GENERATED = frozenset({"id", "event_id"})
"""The columns with numbers that the database generates, or with references to such numbers."""


async def fill(file: Path, clock: Clock, count: int) -> None:
    """Create a database with `count` rentals whose machines were rented, used and destroyed."""
    store = await Database.open(f"sqlite:///{file}", claimant="bench", clock=clock)
    try:
        await _write_one(store, clock)
    finally:
        await store.close()
    await asyncio.to_thread(_copy, file, count - 1)


async def _write_one(store: Database, clock: Clock) -> None:
    now = clock.now() - timedelta(days=30)
    offer = Offer(
        offer_id="offer",
        gpu="nvidia-h100-sxm5-80gb",
        family="H100",
        count=1,
        vendor="hyperstack",
        region="EU",
        contract="ondemand",
        rate=Decimal("2.15"),
        expires_at=now + OFFER_LIFE,
    )
    bought = Bought(offer, ResourceView(resource_id="resource", status="running", rate=offer.rate, valid_from=now))
    rental = rental_of(offer, State.READY, owner="U0ANA0000", channel="C0GPUS000", now=now)
    ended = changed(
        rental,
        state=State.DESTROYED,
        ending=Ending(outcome=State.DESTROYED, since=now + LEASE),
        over_at=now + LEASE,
        due_at=None,
    )
    change = _ended(change_of(ended, bought, "1.1", real_now=now))
    facts = RentalFacts(ended, change.attempts, change.resources, change.ledger)
    async with store.write() as tx:
        await tx.quotes.add(quote_of(rental, bought, now))
        await tx.rentals.apply(change)
        await tx.budgets.add_charges(charges(facts, change.ledger, change.events, Rules()))


def _ended(change: Change) -> Change:
    """Complete a change so that it stores a rental that has ended.

    The rental's machine is terminated and charged. The history contains the end. The rental's card in Slack is
    closed, so that the bot never updates it again.
    """
    (attempt,), (resource,), ((_, card),) = change.attempts, change.resources, change.messages
    at = change.after.over_at
    terminated = changed(resource, status="deleted", valid_to=at, terminated_at=at)
    destroying, end = (
        changed(change.events[-1], kind=kind, at=at, facts=EndedFacts(end=State.DESTROYED))
        for kind in (EventKind.DESTROYING, EventKind.ENDED)
    )
    history: dict[str, Any] = {
        "events": (*change.events, destroying, end),
        "attempts": (changed(attempt, state=AttemptState.TERMINATED, delete_accepted_at=at),),
        "resources": (terminated,),
        "ledger": (ledger_row(terminated, attempt, change.after.owner),),
        "messages": ((None, changed(card, closed=True, due_at=None)),),
    }
    return replace(change, **history)


def _copy(file: Path, count: int) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        number_copies(connection, range(count))
        for name in ORIGINALS:
            named = COPY_NAMES | ({"id"} if name in {"quotes", "rentals"} else set())
            connection.execute(copies_of(name, dict.fromkeys(named, "\"{}\" || '-' || number")))
        connection.execute("ANALYZE")


def number_copies(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Create the temporary table of numbers that the statements of `copies_of` use, one number for each copy."""
    connection.execute("DROP TABLE IF EXISTS copies")
    connection.execute("CREATE TEMP TABLE copies (number INTEGER PRIMARY KEY)")
    connection.executemany("INSERT INTO copies VALUES (?)", ((number,) for number in numbers))


def copies_of(name: str, values: Mapping[str, str], where: str = "1") -> str:
    """Return a SQL statement that copies rows of a table once for each number of `number_copies`.

    Args:
        name: The table.
        values: SQL expressions for the columns in which each copy differs. `{}` stands for the column.
        where: The condition that selects the rows.
    """
    columns = [column.name for column in metadata.tables[name].columns]
    copied = [column for column in columns if column in values or column not in GENERATED]
    each = [values.get(column, '"{}"').format(column) for column in copied]
    into = ", ".join(f'"{column}"' for column in copied)
    return f"INSERT INTO {name} ({into}) SELECT {', '.join(each)} FROM {name}, copies WHERE {where}"  # noqa: S608 - our own names
