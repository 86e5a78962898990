"""How a database is, without changing it: for whoever asks before the bot is started."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, text

from bot.errors import CannotOpen
from store import migrating
from store.connections import sqlite_path
from store.db import close, own
from store.migrations import HEAD
from store.outages import opening

ASKER = "gpubot doctor"


class Condition(StrEnum):
    """What the next start will find."""

    MISSING = "missing"
    """SQLite's file is not there yet; the start makes it."""
    OLDER = "older"
    """Empty, or of an older schema; the start brings it up to date."""
    READY = "ready"


async def condition(url: str) -> Condition:
    """Opens the database, looks at its schema, writes something and takes it back.

    Raises InUse where a gpubot has it open, CannotOpen where the next start would fail, and StoreBusy.
    """
    path = sqlite_path(url)
    if path is not None and not _is_there(path):
        _check_makeable(path)
        return Condition.MISSING
    ownership, engines = await own(url, ASKER)
    try:
        async with opening(), engines.writer.connect() as conn:
            await conn.begin()
            found = await conn.run_sync(_try)
            await conn.rollback()
    finally:
        await close(engines, ownership)
    return Condition.READY if found == HEAD else Condition.OLDER


def _try(connection: Connection) -> str | None:
    found = migrating.revision(connection)
    migrating.check_known(found)
    if found is None:
        connection.execute(text("CREATE TABLE gpubot_doctor (tried INTEGER)"))
    else:
        connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
    return found


def _is_there(path: Path) -> bool:
    """Whether there is such a file. Raises CannotOpen where there can be none, as where its name is too long."""
    try:
        os.stat(f"{path}.lock")  # the longest of the names beside it
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise CannotOpen(f"The database {path} can't be used: {error.strerror}.") from error
    return os.path.exists(path)


def _check_makeable(path: Path) -> None:
    """Raises CannotOpen where the folder, or the nearest one above it that is there, can't be written."""
    folder = path.absolute().parent
    while not os.path.exists(folder):
        folder = folder.parent
    if not os.path.isdir(folder):
        raise CannotOpen(f"The database {path} can't be made: {folder} is no folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CannotOpen(f"The database {path} can't be made: I may not write in {folder}.")
