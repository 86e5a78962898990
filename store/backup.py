"""Copies of a SQLite database, made while it may be in use."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from bot.errors import CannotOpen


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database to a new file, which only this user can read (0600). Other processes may write to the
    database meanwhile; the copy has one moment of it. After a crash there is no file `target`, but perhaps a
    `target.part`.

    Raise CannotOpen if the source is not there or can't be read, if `target` exists or can't be written, or if the
    disk has too little space.
    """
    if not source.exists():
        raise CannotOpen(f"There is no database {source}.")
    if os.path.lexists(target):
        raise CannotOpen(f"{target} exists already. I don't overwrite it: name another file, or move it away.")
    part = target.with_name(f"{target.name}.part")
    try:
        _check_space(source, target.parent)
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as of,
            closing(sqlite3.connect(part)) as to,
        ):
            of.backup(to)
        part.rename(target)
        _write_through(target.parent)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        why = getattr(error, "strerror", None) or str(error)
        raise CannotOpen(f"The database {source} can't be copied to {target}: {why}.") from error


def _check_space(source: Path, folder: Path) -> None:
    """Raise OSError if the folder's disk has no space for a copy of the database and its write-ahead log."""
    log = Path(f"{source}-wal")
    needed = source.stat().st_size + (log.stat().st_size if log.exists() else 0)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(0, f"it needs {_megabytes(needed)} MB, and the disk has {_megabytes(free)} MB left")


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f}"


def _write_through(folder: Path) -> None:
    """Wait until the names of the folder's files are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
