"""Creates thousands of live rentals.

Only one rental of each kind is bought and written through the bot's store. The others are copies of its rows, and
of its machine in the sandbox. The same rentals can also be written to the file of the peer (`bench.peer`).
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.history import copies_of, number_copies
from bench.peer import Rental
from bench.probed import run_machine
from bench.rentals import KEY, LEASE, SPREAD, Bought, buy, clock_of, database, seed
from bench.worlds import ADMIN, World
from bot.lifecycle.deps import Deps
from bot.lifecycle.loops.policy_versions import reload, rules_at_start
from bot.model.state import State
from bot.policy.team.policy_file import PolicySource
from bot.policy.use.probe_times import CHECK_EVERY, PROBE_EVERY
from sandbox.compute.market import copy_id

TABLES = ("quotes", "rentals", "attempts", "resources", "events", "messages", "visits")
"""The tables, ordered so that each row is written after the rows that it refers to."""
_ID = "\"{}\" || printf('%05d', number)"
"""The SQL expression for the id of a copied rental or quote (a saved search with its offers).

The id has only letters and digits, as the values of buttons require.
"""
_COPY_ID = "substr({}, 1, 28) || printf('%08x', number)"
_TEXT = "%Y-%m-%d %H:%M:%S.%f"
"""The format in which times are stored in SQLite."""
TEMPLATE = "template.sqlite"
"""The database with one rental of each kind."""
PEER_FILE = "peer.json"


class Live(NamedTuple):
    """The ids of a live rental."""

    rental_id: str
    offer_id: str
    resource_id: str

    def copy(self, number: int) -> Live:
        """Return the ids of this rental's copy with the given number. Number 0 is the rental itself."""
        if not number:
            return self
        return Live(
            f"{self.rental_id}{number:05d}", copy_id(self.offer_id, number), copy_id(self.resource_id, number)
        )


class Counts(NamedTuple):
    """The number of live rentals of each kind."""

    provisioning: int
    probed: int
    ready: int
    """Ready rentals that aren't probed, because their machines have no probe."""

    @classmethod
    def of(cls, live: int, most_probed: int) -> Counts:
        """Divide a number of live rentals into kinds.

        5% are in provisioning, and up to `most_probed` of the others are probed. There is at least one of each
        kind.
        """
        provisioning = max(live // 20, 1)
        probed = min(live - provisioning - 1, most_probed)
        return cls(provisioning, probed, live - provisioning - probed)


@dataclass(frozen=True)
class Crowd:
    """Many rentals in the sandbox, all copied from the first rental of each kind."""

    world: World
    owners: Sequence[str]
    first: Mapping[str, Live]
    """The first rental of each kind, by the name of the kind."""

    def live(self, kind: str, counts: Counts) -> list[Live]:
        """Return all rentals of one kind."""
        return [self.first[kind].copy(number) for number in range(getattr(counts, kind))]

    async def grow(self, counts: Counts) -> None:
        """Add machines to the account until there is one for each rental. Machines are never removed."""
        for kind, first in self.first.items():
            path = f"resources/{first.resource_id}/copies"
            await self.world.sandbox.compute.post(path, {"count": getattr(counts, kind) - 1})

    async def write(self, counts: Counts) -> None:
        """Write a new database for the bot. Call `plan` afterwards to set the times."""
        await asyncio.to_thread(self._write, counts)

    def _write(self, counts: Counts) -> None:
        restored(self.world.folder / TEMPLATE, self.world.file)
        with closing(sqlite3.connect(self.world.file)) as connection, connection:
            for kind in self.first:
                self._copy(connection, kind, getattr(counts, kind))
            connection.execute("ANALYZE")

    def _copy(self, connection: sqlite3.Connection, kind: str, count: int) -> None:
        first = self.first[kind]
        number_copies(connection, range(1, count))
        connection.execute("CREATE TEMP TABLE IF NOT EXISTS owners (n INTEGER PRIMARY KEY, id)")
        connection.executemany("INSERT OR REPLACE INTO owners VALUES (?, ?)", enumerate(self.owners))
        offer = f"'{first.offer_id}'"
        values = {
            **dict.fromkeys(("quote_id", "rental_id"), _ID),
            "resource_name": "\"{}\" || '-' || number",
            **dict.fromkeys(("resource_id", "offer_id", "clicked_offer"), _COPY_ID.format('"{}"')),
            **dict.fromkeys(("offer", "offers"), f'replace("{{}}", {offer}, {_COPY_ID.format(offer)})'),
            "owner": "(SELECT owners.id FROM owners WHERE n = number % (SELECT count(*) FROM owners))",
        }
        for name in TABLES:
            key = "id" if name == "rentals" else "rental_id"
            named = values | ({"id": _ID} if name in {"quotes", "rentals"} else {})
            connection.execute(copies_of(name, named, f"{name}.{key} = '{first.rental_id}'"))

    async def plan(self, counts: Counts, start: datetime) -> None:
        """Schedule the first poll and the first probe run of each of the bot's rentals, at or after `start`."""
        await asyncio.to_thread(self._plan, counts, start)

    def _plan(self, counts: Counts, start: datetime) -> None:
        with closing(sqlite3.connect(self.world.file)) as connection, connection:
            self._set_times(connection, counts, start)

    def _set_times(self, connection: sqlite3.Connection, counts: Counts, start: datetime) -> None:
        began = start.strftime(_TEXT)
        connection.execute(
            "UPDATE rentals SET accepted_at = :at, procuring_since = :at, created_at = :at, ends_from = :at"
            " WHERE state = 'provisioning'",
            {"at": began},
        )
        for kind in self.first:
            due = self.planned(kind, counts, start)
            connection.executemany(
                "UPDATE rentals SET due_at = ? WHERE id = ?",
                [(at.strftime(_TEXT), live.rental_id) for live, at in due.items()],
            )
            connection.executemany(
                "UPDATE resources SET read_at = ? WHERE rental_id = ?",
                [((at - CHECK_EVERY).strftime(_TEXT), live.rental_id) for live, at in due.items()],
            )
        probe_runs = spread(self.live("probed", counts), start, min(PROBE_EVERY.values()) * 2)
        connection.executemany(
            "UPDATE visits SET due_at = ? WHERE rental_id = ?",
            [(at.strftime(_TEXT), live.rental_id) for live, at in probe_runs.items()],
        )

    def planned(self, kind: str, counts: Counts, start: datetime) -> dict[Live, datetime]:
        """Return the time at which the first poll of each rental of a kind is due."""
        return spread(self.live(kind, counts), start, SPREAD if kind == "provisioning" else CHECK_EVERY)

    async def write_for_peer(self, counts: Counts, start: datetime) -> None:
        """Write the same rentals to the peer's file, with the same times of the first polls."""
        rentals = {}
        for kind in self.first:
            state = "provisioning" if kind == "provisioning" else "ready"
            for number, (live, at) in enumerate(self.planned(kind, counts, start).items()):
                rentals[live.rental_id] = Rental(
                    offer_id=live.offer_id,
                    owner=self.owners[number % len(self.owners)],
                    state=state,
                    resources=[live.resource_id],
                    bought_at=start.timestamp(),
                    lasts=LEASE.total_seconds(),
                    due=at.timestamp(),
                    ends_at=(start + LEASE).timestamp(),
                )
        keys = dict.fromkeys(self.owners, KEY)
        text = json.dumps({"keys": keys, "rentals": rentals}, default=vars)
        await asyncio.to_thread((self.world.folder / PEER_FILE).write_text, text)


async def gather(world: World, owners: Sequence[str], channel: str) -> Crowd:
    """Buy a machine of each kind, write its rental, and keep the database as a template for copies.

    The policy is stored as well, as if the bot had run with it before. Otherwise, the bot would compute the
    budgets of all rentals again at its start.
    """
    clock = await clock_of(world)
    policy = Path(world.settings(channel)["GPUBOT_POLICY"])
    source = PolicySource(path=policy, home_channel=channel, admins=(ADMIN,))
    async with database(world, clock) as store:
        in_force = await rules_at_start(store, source)
        await reload(Deps(store, clock, in_force.rules, in_force=in_force))
    machine, probed = await run_machine(world, clock)
    provisioning, ready = await buy(world, clock, 2)
    write = partial(seed, world, clock, owners=owners, channel=channel)
    await write([machine], state=State.READY, probed=probed)
    await write([provisioning], state=State.PROVISIONING)
    await write([ready], state=State.READY, quiet=True)
    restored(world.file, world.folder / TEMPLATE)
    bought = {"provisioning": provisioning, "probed": machine, "ready": ready}
    return Crowd(world, owners, {kind: _live(world.file, one) for kind, one in bought.items()})


def _live(file: Path, one: Bought) -> Live:
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT rental_id FROM resources WHERE resource_id = ?"
        (rental_id,) = connection.execute(query, (one.resource.resource_id,)).fetchone()
    return Live(rental_id, one.offer.offer_id, one.resource.resource_id)


def restored(source: Path, target: Path) -> None:
    """Replace a SQLite database with a copy of another one."""
    for ending in ("", "-wal", "-shm"):
        target.with_name(target.name + ending).unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as before, closing(sqlite3.connect(target)) as after:
        before.backup(after)


def spread(live: Sequence[Live], start: datetime, span: timedelta) -> dict[Live, datetime]:
    """Assign a time to each rental. The times are spread evenly over `span`."""
    return {one: start + span * number / len(live) for number, one in enumerate(live)}
