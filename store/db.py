"""The database: its transactions, and the listeners that are called after each commit."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Clock, SystemClock
from bot.errors import CannotOpen, GpubotError, InUse, StoreBusy
from bot.model.account_facts import WRITES_TRIED_AT
from bot.model.records import Change, Look
from store import claims, migrating
from store.account import Account, Policies
from store.admin_questions import AdminQuestions
from store.budgets import Budgets
from store.connections import (
    HOLD_AT_MOST,
    QUEUE_TIMEOUT,
    WRITTEN,
    Engines,
    postgres_engines,
    sqlite_engines,
    sqlite_path,
)
from store.events import Events
from store.inline_sqlite import DURABLE
from store.messages import Messages
from store.migrations import HEAD
from store.outages import connection_errors, driver_errors, query_errors, return_connection, startup_errors
from store.overdue import Overdue
from store.ownership import CHANNEL, LEAVE_WITHIN, FileOwnership, Ownership, PostgresOwnership
from store.people import People
from store.probe_runs import ProbeRuns
from store.quotes import Quotes
from store.rentals import Rentals
from store.samples import ProbeAnswers, Samples
from store.searches import Searches
from store.tables import jobs, probe_runs, quotes, rentals, shared_searches


class Written(StrEnum):
    """The kinds of rows whose commit may make work due: their table, if any write to it is reported."""

    QUOTES = "quotes"
    SEARCHES = "shared_searches"
    RENTALS = "rentals"
    MESSAGES = "messages"
    KEYS = "person_keys"
    POLICIES = "policy_versions"
    JOBS = "jobs"
    CHANGES = "resources"
    """The commit changed a rental or a resource, and not only when a step is due."""
    PROBE_RUNS = "changed_visits"
    """The commit began or ended visits of a machine, or made one due. One that is put off makes nothing due."""


_TABLES = frozenset(Written)
_NOTIFY = select(func.pg_notify(CHANNEL, bindparam("payload", type_=Text)))
_MIGRATE_EVERY, _MIGRATE_TRIES = 0.2, 50
"""Real seconds between two tries of a start to migrate, and how many it makes."""


class Tx:
    """One transaction. All of it is written, or nothing is."""

    def __init__(self, conn: AsyncConnection, clock: Clock, holder: str, *, writes: bool) -> None:
        """`holder` gets the claims that are made in this transaction."""
        self.quotes = Quotes(conn, holder)
        self.searches = Searches(conn, holder)
        self.events = Events(conn)
        self.messages = Messages(conn, clock.real())
        self.probe_runs = ProbeRuns(conn, holder)
        self.samples = Samples(conn)
        self.probe_answers = ProbeAnswers(conn)
        self.rentals = Rentals(
            conn,
            self.events,
            self.messages,
            self.probe_runs,
            self.searches,
            holder=holder,
            writes=writes,
            pause=partial(clock.pause, 0),
        )
        self.people = People(conn)
        self.account = Account(conn)
        self.overdue = Overdue(conn, self.probe_runs, holder)
        self.questions = AdminQuestions(conn, self.messages)
        self.budgets = Budgets(conn)
        self.policies = Policies(conn)
        self.jobs = claims.Jobs(conn, holder)


async def migrate(url: str, *, leave_within: float = LEAVE_WITHIN) -> None:
    """Bring the schema up to date once older replicas have ended, for which they have `leave_within` real seconds.
    Raise CannotOpen if the database is in use, can't be reached or can't be copied.
    """
    async with owning(url, "gpubot migrate") as (ownership, engines):
        if isinstance(ownership, PostgresOwnership) and await _revision(engines) != HEAD:
            with startup_errors():
                await ownership.ask_to_leave(SystemClock(), leave_within)
        await migrating.upgrade(engines.writer, url, asked=True)


async def _revision(engines: Engines) -> str | None:
    """Return the revision of the schema. Raise CannotOpen if this version can't use it."""
    with startup_errors():
        async with engines.reader.connect() as conn:
            await conn.begin()
            return await conn.run_sync(migrating.revision)


@asynccontextmanager
async def reading(url: str, name: str, clock: Clock) -> AsyncIterator[Tx]:
    """Read one moment of a database, which another process may have open. `name` is what PostgreSQL shows of the
    connection.

    Raise CannotOpen if there is no database of this version, and StoreBusy if it doesn't answer.
    """
    path = sqlite_path(url)
    if path is not None and not path.exists():
        raise CannotOpen(f"There is no database {path}. gpubot run creates it.")
    engines = postgres_engines(url, name) if path is None else sqlite_engines(path)
    try:
        with startup_errors():
            async with engines.reader.connect() as conn:
                await conn.begin()
                found = await conn.run_sync(migrating.revision)
                if found != HEAD:
                    raise CannotOpen("The database was made by an older version. To update it: gpubot migrate")
                yield Tx(conn, clock, name, writes=False)
    finally:
        await engines.dispose()


@asynccontextmanager
async def owning(url: str, claimant: str) -> AsyncIterator[tuple[Ownership, Engines]]:
    """As `_take_ownership`, until the end of the block."""
    ownership, engines = await _take_ownership(url, claimant)
    try:
        yield ownership, engines
    finally:
        await _close(engines, ownership)


async def _take_ownership(
    url: str, claimant: str, *, hold_at_most: float = HOLD_AT_MOST
) -> tuple[Ownership, Engines]:
    """Take a database for this process; other replicas may share a PostgreSQL. Return its ownership and its
    connections, which `_close` ends.

    Raise InUse if another process has it alone, and CannotOpen if it can't be used.
    """
    path = sqlite_path(url)
    if path is None:
        ownership = await PostgresOwnership.take(url, claimant, hold_at_most=hold_at_most)
        return ownership, postgres_engines(url, claimant, hold_at_most=hold_at_most)
    return FileOwnership.take(path), sqlite_engines(path)


async def _close(engines: Engines, ownership: Ownership) -> None:
    """Close every connection, then release the ownership. Raise nothing if the server is away."""
    try:
        with suppress(SQLAlchemyError, *driver_errors()):
            await engines.dispose()
    finally:
        await ownership.release()


@dataclass
class _Noticed:
    """What a process notices of its database while it works with it."""

    commits: int = 0
    beside_others: bool = False
    """Whether other replicas want to know what this one commits."""


class Database:
    """The database as the process has opened it. One process has a SQLite database open at a time; several share a
    PostgreSQL.

    `in_background` and `beginning_with` return the same database for some of the work. They share everything but
    how a write begins.
    """

    def __init__(self, engines: Engines, ownership: Ownership, clock: Clock, claimant: str) -> None:
        """Call `open` instead."""
        self._holder = f"{claimant}-{secrets.token_hex(4)}"
        self.engines = engines
        self._ownership = ownership
        self._clock = clock
        # SQLite takes one writer at a time. Writers queue at this lock, where waiting blocks no thread and times
        # out.
        self._writer_lock = asyncio.Lock() if engines.writer.dialect.name == "sqlite" else None
        self._listeners: list[tuple[Callable[[], None], Written | None]] = []
        self._change_listeners: list[Callable[[Change], None]] = []
        self._reopen_listeners: list[Callable[[], None]] = []
        self._noticed = _Noticed()
        self.queue: AbstractAsyncContextManager[Any] = nullcontext()
        """Held during each write: see `in_background`."""
        self.note: Callable[[Tx], Awaitable[None]] | None = None
        """What the next write begins with: see `beginning_with`."""
        self.shared = ownership.shared
        """Whether other processes may use it at the same time."""
        self.joined = False
        """Whether another process used it when this one opened it."""

    @classmethod
    async def open(cls, url: str, *, claimant: str, clock: Clock, hold_at_most: float = HOLD_AT_MOST) -> Database:
        """Take the database for this process and migrate it. The holder of its claims is `claimant` with a random
        number.

        On PostgreSQL, a transaction of a process that does nothing is ended after `hold_at_most` real seconds.
        `url` is `sqlite:///PATH` or `postgresql://..`. Raise CannotOpen if it can't be used, or if it is a
        PostgreSQL of an older version with live rentals. Raise StoreBusy if it doesn't answer.
        """
        ownership, engines = await _take_ownership(url, claimant, hold_at_most=hold_at_most)
        database = cls(engines, ownership, clock, claimant)
        try:
            if isinstance(ownership, PostgresOwnership):
                with startup_errors():
                    await _migrate_alone(ownership, engines, url, clock)
                await database.join(ownership)
            else:
                await migrating.upgrade(engines.writer, url, asked=False)
                await database.end_claims()
        except BaseException:
            await database.close()
            raise
        return database

    async def join(self, ownership: PostgresOwnership) -> None:
        """Listen for what other replicas commit, and see whether there are any."""
        with startup_errors():
            await ownership.watch(self._notified, self._reopened)
        self.joined = (await self.look()).replicas > 1

    async def end_claims(self) -> None:
        """End the claims of an earlier process: the file's lock proves that no other works.

        If the database takes no writes, go on without. The claims run out on their own, and a bot that can only
        read can still delete overdue machines.
        """
        with suppress(StoreBusy):
            # Not durable: after a power cut, the next start ends them again.
            async with self._connection(durable=False) as conn:
                for table in (quotes, shared_searches, rentals, probe_runs, jobs):
                    await claims.end_all(conn, table)
                await conn.commit()

    async def close(self) -> None:
        await _close(self.engines, self._ownership)

    def on_commit(self, listener: Callable[[], None], written: Written | None = None) -> None:
        """Call `listener` after each commit that wrote such a row, by any process, or after every commit of this
        process if `written` is None. Work may be due then.
        """
        self._listeners.append((listener, written))

    def on_change(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` with each change of a rental after the change was committed."""
        self._change_listeners.append(listener)

    def on_reopen(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the database is there again after it was lost. It may be a backup."""
        self._reopen_listeners.append(listener)

    async def look(self) -> Look:
        """Return how this process stands among those that share the database. Raise CannotOpen if this one has to
        end, because the database is being migrated. Raise StoreBusy if it doesn't answer.
        """
        if not isinstance(self._ownership, PostgresOwnership):
            return Look(database_time=None, replicas=1)
        look = await self._ownership.look()
        self._noticed.beside_others = look.replicas > 1
        return look

    def _notified(self, payload: str) -> None:
        """Call the listeners of what another replica committed."""
        holder, *kinds = payload.split()
        if holder == self._holder:
            return
        self._noticed.beside_others = True
        for listener, waits_for in self._listeners:
            if waits_for in kinds:
                listener()

    def _reopened(self) -> None:
        for listener in self._reopen_listeners:
            listener()

    def in_background(self) -> Database:
        """Return the same database for work that nobody waits for. On SQLite the writers of this work queue among
        themselves first, so that a person's write waits for at most one of them.
        """
        other = copy(self)
        if self._writer_lock is not None:
            other.queue = asyncio.Lock()
        return other

    def beginning_with(self, note: Callable[[Tx], Awaitable[None]]) -> Database:
        """Return the same database for work that is noted once: its writes begin with `note`, in the same
        transaction, until one of them was committed. They raise what `note` raises.
        """
        other = copy(self)
        other.note = note
        return other

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """Read one snapshot, without waiting for a writer. Raise StoreBusy if the database doesn't answer."""
        conn = self.engines.reader.connect()
        with connection_errors():
            await conn.start()
        try:
            with connection_errors():
                await conn.begin()
            with query_errors():
                yield Tx(conn, self._clock, self._holder, writes=False)
        finally:
            await return_connection(conn)

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[Tx]:
        """Begin a short transaction that writes and is committed at its end. Raise StoreBusy if the database
        doesn't take it in time, and Stale if a rental changed meanwhile (then only facts were written).

        If `durable` is false, the commit does not wait for the disk. A crash of the process loses nothing. A power
        cut may lose it, but never a durable commit and not what was committed before that one. Use it for what is
        done again then: a claim, a due time, the result of a call to Slack; never for what a surface shows.
        """
        async with self.queue, self._connection(durable=durable) as conn:
            tx = Tx(conn, self._clock, self._holder, writes=True)
            try:
                if self.note is not None:
                    await self.note(tx)
                yield tx
                await self._commit(conn, tx)
                self.note = None
            except BaseException:
                if tx.rentals.stale:
                    await self._write_facts_of(conn, tx.rentals.stale)
                raise
            for change in tx.rentals.applied:
                for listener in self._change_listeners:
                    listener(change)

    async def takes_writes(self) -> bool:
        """Return whether something can be written now, by trying it. No listener of `on_commit` is called. A write
        that only waited too long for its turn counts as taken if another one was committed meanwhile.
        """
        commits = self._noticed.commits
        try:
            async with self._connection() as conn:
                await Account(conn).set(WRITES_TRIED_AT, self._clock.real())
                await conn.commit()
        except (GpubotError, DBAPIError):
            return self._noticed.commits > commits
        return True

    @asynccontextmanager
    async def _connection(self, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that writes, and roll it back at the end unless it was committed. Raise StoreBusy if
        an outage begins during the transaction.
        """
        async with self._writer_turn():
            await self._ownership.renew()
            conn = self.engines.writer.connect()
            with connection_errors():
                await conn.start()
            try:
                conn.info[DURABLE] = durable
                conn.info[WRITTEN] = set()
                with connection_errors():
                    await conn.begin()
                with query_errors():
                    yield conn
            finally:
                await return_connection(conn)

    @asynccontextmanager
    async def _writer_turn(self) -> AsyncIterator[None]:
        if self._writer_lock is None:
            yield
            return
        try:
            async with asyncio.timeout(QUEUE_TIMEOUT):
                await self._writer_lock.acquire()
        except TimeoutError as error:
            raise StoreBusy("My database is busy. Nothing was changed. Try again in a minute.") from error
        try:
            yield
        finally:
            self._writer_lock.release()

    async def _commit(self, conn: AsyncConnection, tx: Tx) -> None:
        """Commit, and call the listeners of what was written."""
        written = {Written(table.name) for table in conn.info[WRITTEN] if table.name in _TABLES}
        if tx.probe_runs.changed:
            written.add(Written.PROBE_RUNS)
        if tx.rentals.applied:
            written.add(Written.CHANGES)
        if self._noticed.beside_others:
            await self._notify(conn, written)
        try:
            await conn.commit()
            self._noticed.commits += 1
        finally:
            # A commit that failed may have been written, so call the listeners in any case. A call that finds
            # nothing new does no harm.
            for listener, waits_for in self._listeners:
                if waits_for is None or waits_for in written:
                    listener()

    async def _notify(self, conn: AsyncConnection, written: Collection[Written]) -> None:
        """Notify other replicas of a commit, if it may make something due now. Of what need not reach the disk,
        such as claims and due times, only messages are for others.
        """
        kinds = sorted(written if conn.info[DURABLE] else {Written.MESSAGES}.intersection(written))
        if kinds:
            await conn.execute(_NOTIFY, {"payload": " ".join([self._holder, *kinds])})

    async def _write_facts_of(self, conn: AsyncConnection, stale_changes: list[Change]) -> None:
        """Roll the transaction back, then write the facts of these changes."""
        await conn.rollback()
        await conn.begin()
        tx = Tx(conn, self._clock, self._holder, writes=True)
        for change in stale_changes:
            await tx.rentals.write_facts(change, with_intents=False)
        await self._commit(conn, tx)


async def _migrate_alone(ownership: PostgresOwnership, engines: Engines, url: str, clock: Clock) -> None:
    """Migrate a shared database, alone. Of replicas that start at once, one migrates and the others wait. Raise
    InUse if replicas of another version use it.
    """
    for _ in range(_MIGRATE_TRIES):
        if await _revision(engines) == HEAD:
            return
        if await ownership.take_alone():
            await migrating.upgrade(engines.writer, url, asked=False)
            await ownership.share()
            return
        await clock.pause(_MIGRATE_EVERY)
        await ownership.share()
    raise InUse(
        "The database is in use by a gpubot of an older version. Call gpubot migrate: it has the older ones end, "
        "and brings the database up to date."
    )
