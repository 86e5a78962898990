"""The database: transactions, and listeners that are called after each commit."""

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
from store.logins import Logins
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
from store.tokens import Tokens
from store.webhooks import Webhooks


class Written(StrEnum):
    """The kinds of writes of which `Database.on_commit` can notify a listener.

    Most values are the name of a table. A listener for a table is called after every write to the table.
    """

    QUOTES = "quotes"
    SEARCHES = "shared_searches"
    RENTALS = "rentals"
    MESSAGES = "messages"
    KEYS = "person_keys"
    POLICIES = "policy_versions"
    JOBS = "jobs"
    CHANGES = "resources"
    """A rental or a resource has changed. A new due time of a rental alone isn't a change."""
    PROBE_RUNS = "changed_visits"
    """The bot began or stopped checking a machine with its probe, or scheduled a probe run for an earlier time.

    Listeners aren't called if a probe run is only postponed, because that makes no work due.
    """
    TOKENS = "changed_tokens"
    """A token was added or has changed. The time at which it was last used isn't a change."""


_TABLES = frozenset(Written)
_NOTIFY = select(func.pg_notify(CHANNEL, bindparam("payload", type_=Text)))
_MIGRATE_EVERY, _MIGRATE_TRIES = 0.2, 50
"""The time in seconds (wall clock) between two attempts to migrate at the start, and the number of attempts."""


class Tx:
    """One transaction: either everything in it is written, or nothing."""

    def __init__(self, conn: AsyncConnection, clock: Clock, holder: str, *, writes: bool) -> None:
        """Create the objects that read and write the tables.

        Rows that they reserve (claim) are reserved for `holder`.
        """
        self.quotes = Quotes(conn, holder)
        self.searches = Searches(conn, holder)
        self.events = Events(conn)
        self.webhooks = Webhooks(conn)
        self.messages = Messages(conn, self.webhooks, clock.real())
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
        self.tokens = Tokens(conn, self.messages)
        self.logins = Logins(conn)
        self.budgets = Budgets(conn)
        self.policies = Policies(conn)
        self.jobs = claims.Jobs(conn, holder)


async def migrate(url: str, *, leave_within: float = LEAVE_WITHIN) -> None:
    """Migrate a database to the newest schema, for `gpubot migrate`.

    First, replicas of an older version are asked to stop. They have `leave_within` seconds (wall clock) to do so.
    Raises CannotOpen if the database is still in use after this time, can't be reached or can't be backed up.
    """
    async with owning(url, "gpubot migrate") as (ownership, engines):
        if isinstance(ownership, PostgresOwnership) and await _revision(engines) != HEAD:
            with startup_errors():
                await ownership.ask_to_leave(SystemClock(), leave_within)
        await migrating.upgrade(engines.writer, url, asked=True)


async def _revision(engines: Engines) -> str | None:
    """Return the revision of the schema. Raises CannotOpen if this version of gpubot can't use the database."""
    with startup_errors():
        async with engines.reader.connect() as conn:
            await conn.begin()
            return await conn.run_sync(migrating.revision)


@asynccontextmanager
async def reading(url: str, name: str, clock: Clock) -> AsyncIterator[Tx]:
    """Read a consistent snapshot of a database that another process may be using.

    Args:
        url: The database URL.
        name: The application name that PostgreSQL shows for the connection.
        clock: The clock of the transaction.

    Raises:
        CannotOpen: The database doesn't exist, or `gpubot migrate` has to update it first.
        StoreBusy: The database doesn't respond.
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
    """Take ownership of a database for the duration of the block. Raises the errors of `_take_ownership`."""
    ownership, engines = await _take_ownership(url, claimant)
    try:
        yield ownership, engines
    finally:
        await _close(engines, ownership)


async def _take_ownership(
    url: str, claimant: str, *, hold_at_most: float = HOLD_AT_MOST
) -> tuple[Ownership, Engines]:
    """Take ownership of a database, and create its connection pools.

    The caller must pass the returned ownership and pools to `_close`.

    With PostgreSQL, the ownership is shared with other replicas. Raises InUse if another process has exclusive
    ownership, and CannotOpen if the database can't be used.
    """
    path = sqlite_path(url)
    if path is None:
        ownership = await PostgresOwnership.take(url, claimant, hold_at_most=hold_at_most)
        return ownership, postgres_engines(url, claimant, hold_at_most=hold_at_most)
    return FileOwnership.take(path), sqlite_engines(path)


async def _close(engines: Engines, ownership: Ownership) -> None:
    """Close all connections, then give up the right to use the database.

    No error is raised if the server is unreachable.
    """
    try:
        with suppress(SQLAlchemyError, *driver_errors()):
            await engines.dispose()
    finally:
        await ownership.release()


@dataclass
class _Noticed:
    """Values that a `Database` shares with its copies from `in_background` and `beginning_with`."""

    commits: int = 0
    """The number of transactions that this process has committed."""
    beside_others: bool = False
    """True if there are other replicas, which need to be notified of this process's commits."""


class Database:
    """The database as this process has opened it.

    A SQLite database can be open in only one process at a time; several processes can share a PostgreSQL database.

    `in_background` and `beginning_with` return copies of this object for some kinds of work. The copies use the
    same database and differ only in the way in which a write begins.
    """

    def __init__(self, engines: Engines, ownership: Ownership, clock: Clock, claimant: str) -> None:
        """Create the object. Use `open` instead."""
        self._holder = f"{claimant}-{secrets.token_hex(4)}"
        self.engines = engines
        self._ownership = ownership
        self._clock = clock
        # SQLite allows only one writer at a time. If a writer waited inside SQLite, it would block the event loop
        # or a thread. Writers therefore wait for this asyncio lock instead, with a timeout.
        self._writer_lock = asyncio.Lock() if engines.writer.dialect.name == "sqlite" else None
        self._listeners: list[tuple[Callable[[], None], Written | None]] = []
        self._change_listeners: list[Callable[[Change], None]] = []
        self._reopen_listeners: list[Callable[[], None]] = []
        self._noticed = _Noticed()
        self.queue: AbstractAsyncContextManager[Any] = nullcontext()
        """A lock that is used only in the copy for background work (see `in_background`).

        Each write of that copy holds the lock, so that its writes run one at a time.
        """
        self.note: Callable[[Tx], Awaitable[None]] | None = None
        """The function that is called at the beginning of the next write (see `beginning_with`)."""
        self.shared = ownership.shared
        """True if other processes can use the database at the same time."""
        self.joined = False
        """True if another process was already using the database when this one opened it."""

    @classmethod
    async def open(cls, url: str, *, claimant: str, clock: Clock, hold_at_most: float = HOLD_AT_MOST) -> Database:
        """Take ownership of the database, and migrate it to the newest schema.

        Args:
            url: `sqlite:///PATH` or `postgresql://..`.
            claimant: The name of this process. The process claims rows (reserves them to work on) under this name
                with a random suffix.
            clock: The clock of all transactions.
            hold_at_most: On PostgreSQL, the server ends a transaction if this process sends nothing for this many
                seconds (wall clock).

        Raises:
            CannotOpen: The database can't be used, or it is a PostgreSQL database of an older version with live
                rentals.
            StoreBusy: The database doesn't respond.
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
        """Listen for commits of other replicas, and find out whether any other replica is running."""
        with startup_errors():
            await ownership.watch(self._notified, self._reopened)
        self.joined = (await self.look()).replicas > 1

    async def end_claims(self) -> None:
        """End the claims of an earlier process on a SQLite database, so that its work can continue immediately.

        A claim is a process's exclusive right to work on a row. No other process can be working now, because this
        one has the lock on the database file.

        If the database can't be written, no error is raised and the claims expire later. This is deliberate: the
        bot must start in any case, because it can still delete overdue machines.
        """
        with suppress(StoreBusy):
            # The database needn't wait until this commit is on the disk. If a power cut undoes it, the next start
            # ends the claims again.
            async with self._connection(durable=False) as conn:
                for table in (quotes, shared_searches, rentals, probe_runs, jobs):
                    await claims.end_all(conn, table)
                await conn.commit()

    async def close(self) -> None:
        await _close(self.engines, self._ownership)

    def on_commit(self, listener: Callable[[], None], written: Written | None = None) -> None:
        """Call `listener` after commits that may have made work due.

        Args:
            listener: The function to call.
            written: If given, `listener` is called if a commit of this process or of another replica included a
                write of this kind. If None, `listener` is called after every commit of this process.
        """
        self._listeners.append((listener, written))

    def on_change(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` with each change of a rental, after the change has been committed."""
        self._change_listeners.append(listener)

    def on_reopen(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the database is available again after the connection was lost.

        The database may have been restored from a backup in the meantime.
        """
        self._reopen_listeners.append(listener)

    async def look(self) -> Look:
        """Return the number of replicas that share the database, and the database's time.

        Raises:
            CannotOpen: This process has to stop, because the database is being migrated.
            StoreBusy: The database doesn't respond.
        """
        if not isinstance(self._ownership, PostgresOwnership):
            return Look(database_time=None, replicas=1)
        look = await self._ownership.look()
        self._noticed.beside_others = look.replicas > 1
        return look

    def _notified(self, payload: str) -> None:
        """Call this process's listeners after another replica has committed a transaction."""
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
        """Return a copy of this object for work that no person is waiting for.

        On SQLite, the copy makes its writes one at a time. If a person is waiting for a write, at most one write
        of the copy comes before it.
        """
        other = copy(self)
        if self._writer_lock is not None:
            other.queue = asyncio.Lock()
        return other

    def beginning_with(self, note: Callable[[Tx], Awaitable[None]]) -> Database:
        """Return a copy of this object that calls `note` at the beginning of its next write.

        It is used to record something exactly once. `note` runs in the transaction of the write. If `note` raises
        an error, the write raises the same error. If the transaction isn't committed, the next write calls `note`
        again.
        """
        other = copy(self)
        other.note = note
        return other

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """Read a consistent snapshot, without waiting for writers.

        Raises StoreBusy if the database doesn't respond.
        """
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
        """Begin a short transaction that is committed at the end of the block.

        Args:
            durable: Whether the commit waits until the data is on the disk. A commit that isn't durable survives a
                crash of the process, but a power cut can undo it. A power cut never undoes a durable commit, or
                anything that was committed before one. Use False only for work that is repeated if it is lost,
                such as a claim, a due time or the result of a call to Slack. Never use False for data that is
                shown in Slack.

        Raises:
            StoreBusy: The database can't be written in time.
            Stale: A rental has changed in the meantime. In that case, only purchases, resources and ledger rows
                were written.
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
        """Return whether the database can be written now, by trying to write to it.

        Listeners of `on_commit` aren't called. Returns True as well if this write fails but another write was
        committed in the meantime, because the database was then only busy.
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
        """Begin a transaction that writes. If it hasn't been committed at the end of the block, it is rolled back.

        Raises StoreBusy if an outage begins during the transaction.
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
        """Commit, and call the listeners for the kinds of rows that were written."""
        written = {Written(table.name) for table in conn.info[WRITTEN] if table.name in _TABLES}
        if tx.probe_runs.changed:
            written.add(Written.PROBE_RUNS)
        if tx.rentals.applied:
            written.add(Written.CHANGES)
        if tx.tokens.changed:
            written.add(Written.TOKENS)
        if self._noticed.beside_others:
            await self._notify(conn, written)
        try:
            await conn.commit()
            self._noticed.commits += 1
        finally:
            # Call the listeners even if the commit failed. If the connection broke during the commit, the server
            # may have committed all the same. A call for which there is no new work does no harm.
            for listener, waits_for in self._listeners:
                if waits_for is None or waits_for in written:
                    listener()

    async def _notify(self, conn: AsyncConnection, written: Collection[Written]) -> None:
        """Notify other replicas of a commit that may have made work due.

        With `durable=False`, a power cut can undo the commit. Replicas are then notified only of new messages.
        """
        kinds = sorted(written if conn.info[DURABLE] else {Written.MESSAGES}.intersection(written))
        if kinds:
            await conn.execute(_NOTIFY, {"payload": " ".join([self._holder, *kinds])})

    async def _write_facts_of(self, conn: AsyncConnection, stale_changes: list[Change]) -> None:
        """Roll the transaction back. Then store only the purchases, resources and ledger rows of these changes."""
        await conn.rollback()
        await conn.begin()
        tx = Tx(conn, self._clock, self._holder, writes=True)
        for change in stale_changes:
            await tx.rentals.write_facts(change, with_intents=False)
        await self._commit(conn, tx)


async def _migrate_alone(ownership: PostgresOwnership, engines: Engines, url: str, clock: Clock) -> None:
    """Migrate a shared database while no other process uses it.

    If several replicas start at once, one of them migrates and the others wait. Raises InUse if replicas of
    another version are using the database.
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
