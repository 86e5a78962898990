"""The database: transactions that read or write, and who is told when something was written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Clock
from bot.errors import GpubotError, StoreBusy
from bot.lifecycle.ports.records import Change
from bot.lifecycle.ports.store import Store
from store import claims, migrating
from store.account import Account
from store.connections import QUEUE_PATIENCE, Engines, postgres_engines, sqlite_engines, sqlite_path
from store.events import Events
from store.file_lock import FileOwnership, Ownership, PostgresOwnership
from store.messages import Messages
from store.outages import DRIVER_ERRORS, connecting, in_time, let_go
from store.overdue import Overdue
from store.people import People
from store.quotes import Quotes
from store.rentals import Rentals
from store.tables import quotes, rentals

_TRIED = "writes_tried_at"
"""The name of the fact that `takes_writes` writes."""


class Transaction:
    """bot.lifecycle.ports.store.Tx over one connection."""

    def __init__(self, conn: AsyncConnection, clock: Clock, *, writes: bool) -> None:
        self.lost: list[Change] = []
        """Changes that came too late; their facts are kept whatever becomes of this transaction."""
        self.quotes = Quotes(conn)
        self.events = Events(conn)
        self.messages = Messages(conn, clock.real())
        self.rentals = Rentals(
            conn,
            self.events,
            self.messages,
            locks=writes and conn.dialect.name == "postgresql",
            lost=self.lost.append,
        )
        self.people = People(conn)
        self.account = Account(conn)
        self.overdue = Overdue(conn)


async def migrate(url: str) -> None:
    """Brings the schema up to date. Raises CannotOpen where the database is in use or can't be reached."""
    ownership, engines = await own(url, "gpubot migrate")
    try:
        await migrating.upgrade(engines.writer)
    finally:
        await close(engines, ownership)


async def own(url: str, claimant: str) -> tuple[Ownership, Engines]:
    """The ownership of a database and its connections, both to be let go of. Raises CannotOpen, InUse."""
    path = sqlite_path(url)
    if path is None:
        return await PostgresOwnership.take(url, claimant), postgres_engines(url, claimant)
    return FileOwnership.take(path), sqlite_engines(path)


async def close(engines: Engines, ownership: Ownership) -> None:
    """Lets go of every connection, then of the ownership, also where the server is away."""
    try:
        with suppress(SQLAlchemyError, *DRIVER_ERRORS):
            await engines.dispose()
    finally:
        await ownership.release()


class Database:
    """bot.lifecycle.ports.store.Store. One process has a database open at a time."""

    def __init__(self, engines: Engines, ownership: Ownership, clock: Clock) -> None:
        """Use `open`. `engines` are for looking at, such as by doctor and tests."""
        self.engines = engines
        self._ownership = ownership
        self._clock = clock
        # SQLite takes one writer at a time: they queue here, where waiting is cheap and has an end.
        self._turn = asyncio.Lock() if engines.writer.dialect.name == "sqlite" else None
        self._listeners: list[Callable[[], None]] = []
        self._commits = 0
        self.claims_left = False
        """Whether claims of an earlier process may be left, because it took no writes when it was opened."""

    @classmethod
    async def open(cls, url: str, *, claimant: str, clock: Clock) -> Database:
        """Takes the database for this process, brings its schema up to date, and forgets the claims of whoever
        had it before. `url` is `sqlite:///PATH` or `postgresql://..`. Raises CannotOpen."""
        ownership, engines = await own(url, claimant)
        database = cls(engines, ownership, clock)
        try:
            await migrating.upgrade(engines.writer)
            await database.release_claims()
        except BaseException:
            await database.close()
            raise
        return database

    async def release_claims(self) -> None:
        """Forget the claims of a process before this one, if the store takes it."""
        try:
            async with self._connection() as conn:
                for table in (quotes, rentals):
                    await claims.release_all(conn, table)
                await conn.commit()
        except StoreBusy:
            # A bot that can read can still delete what is overdue, so it starts.
            self.claims_left = True

    async def close(self) -> None:
        """Lets go of every connection, then of the ownership."""
        await close(self.engines, self._ownership)

    def on_commit(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def in_background(self) -> Store:
        """The same database for work that nobody waits for. On SQLite its writers line up behind one another
        first, so that however many there are, a person's write waits for one of them at most."""
        return self if self._turn is None else Background(self)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """One moment throughout; writers are neither waited for nor seen. Raises StoreBusy."""
        conn = self.engines.reader.connect()
        async with connecting():
            await conn.start()
        try:
            async with connecting():
                await conn.begin()
            async with in_time():
                yield Transaction(conn, self._clock, writes=False)
        finally:
            await let_go(conn)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        async with self._connection() as conn:
            tx = Transaction(conn, self._clock, writes=True)
            try:
                yield tx
                await self._commit(conn)
            except BaseException:
                if tx.lost:
                    await self._keep_facts(conn, tx.lost)
                raise

    async def takes_writes(self) -> bool:
        commits = self._commits
        try:
            async with self._connection() as conn:
                await Account(conn).set(_TRIED, self._clock.real().isoformat())
                await conn.commit()
        except (GpubotError, DBAPIError):
            return self._commits > commits
        return True

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection with a transaction begun on it, which is rolled back unless it was committed. Raises
        StoreBusy for an outage at any moment of it."""
        async with self._writing():
            await self._ownership.renew()
            conn = self.engines.writer.connect()
            async with connecting():
                await conn.start()
            try:
                async with connecting():
                    await conn.begin()
                async with in_time():
                    yield conn
            finally:
                await let_go(conn)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[None]:
        if self._turn is None:
            yield
            return
        try:
            async with asyncio.timeout(QUEUE_PATIENCE):
                await self._turn.acquire()
        except TimeoutError as error:
            raise StoreBusy("My database is busy. Nothing was changed, try again in a minute.") from error
        try:
            yield
        finally:
            self._turn.release()

    async def _commit(self, conn: AsyncConnection) -> None:
        try:
            await conn.commit()
            self._commits += 1
        finally:
            # Also where nobody knows whether it was written: looking once too often is cheap.
            for listener in self._listeners:
                listener()

    async def _keep_facts(self, conn: AsyncConnection, lost: list[Change]) -> None:
        """Takes back all but the facts of changes that came too late."""
        await conn.rollback()
        await conn.begin()
        tx = Transaction(conn, self._clock, writes=True)
        for change in lost:
            await tx.rentals.write(change, with_new=False)
        await self._commit(conn)


class Background:
    """bot.lifecycle.ports.store.Store; see `Database.in_background`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._line = asyncio.Lock()

    def on_commit(self, listener: Callable[[], None]) -> None:
        self._database.on_commit(listener)

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        return self._database.read()

    async def takes_writes(self) -> bool:
        return await self._database.takes_writes()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        async with self._line, self._database.write() as tx:
            yield tx
