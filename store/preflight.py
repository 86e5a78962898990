"""Checks whether the bot's next start will be able to use its database. Nothing is changed."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, text

from bot.errors import CannotOpen
from store import migrating
from store.connections import postgres_connection, sqlite_path
from store.db import owning
from store.migrations import HEAD
from store.outages import startup_errors

CLAIMANT = "gpubot doctor"


class Condition(StrEnum):
    """The state of the database as it is found before the bot starts."""

    MISSING = "missing"
    """The SQLite file does not exist. The start will create it."""
    OLDER = "older"
    """The database is empty or from an older release. The start will migrate it."""
    READY = "ready"


async def check_database(url: str) -> Condition:
    """Open the database, read its schema, and try to write something that is rolled back.

    Returns:
        The condition of the database.

    Raises:
        InUse: A gpubot is using the database.
        CannotOpen: The next start would fail.
        StoreBusy: The database doesn't respond at the moment.
    """
    path = sqlite_path(url)
    if path is not None and not _exists(path):
        _check_creatable(path)
        return Condition.MISSING
    async with owning(url, CLAIMANT) as (_, engines):
        with startup_errors():
            async with engines.writer.connect() as conn:
                await conn.begin()
                found = await conn.run_sync(_try_writing, url)
                await conn.rollback()
    return Condition.READY if found == HEAD else Condition.OLDER


async def is_pooled(url: str) -> bool:
    """Return whether the bot would connect to PostgreSQL through a connection pooler.

    When a connection is opened, PostgreSQL reports the ID of the server process for that connection
    (postgresql.org/docs/current/protocol-message-formats.html, BackendKeyData). A pooler assigns a server process
    only later, so it reports an invented ID instead. Raises the same errors as `postgres_connection`.
    """
    if sqlite_path(url) is not None:
        return False
    connection = await postgres_connection(url, CLAIMANT)
    try:
        return bool(await connection.fetchval("SELECT pg_backend_pid()") != connection.get_server_pid())
    finally:
        await connection.close()


def _try_writing(connection: Connection, url: str) -> str | None:
    found = migrating.revision(connection)
    migrating.check_start(connection, url, found)
    if found is None:
        connection.execute(text("CREATE TABLE gpubot_doctor (tried INTEGER)"))
    else:
        connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
    return found


def _exists(path: Path) -> bool:
    """Return whether the file exists.

    Raises CannotOpen if no file can have this path, for example because the name is too long.
    """
    try:
        os.stat(f"{path}.lock")  # the longest file name that the start will create
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise CannotOpen(f"The database {path} can't be used: {error.strerror}.") from error
    return os.path.exists(path)


def _check_creatable(path: Path) -> None:
    """Raise CannotOpen if the folder, or the nearest existing parent folder, isn't writable."""
    folder = path.absolute().parent
    while not os.path.exists(folder):
        folder = folder.parent
    if not os.path.isdir(folder):
        raise CannotOpen(f"The database {path} can't be made: {folder} is no folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CannotOpen(f"The database {path} can't be made: I have no permission to write in {folder}.")
