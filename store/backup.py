"""Copies a SQLite database, even while it is in use, and generates the commands that dump and restore PostgreSQL.

A copy or dump that was made before a migration is the only way to return to the previous version. docs/upgrade.md
describes how to migrate and how to return.
"""

from __future__ import annotations

import filecmp
import os
import re
import shlex
import shutil
import sqlite3
from contextlib import closing
from itertools import chain, count
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import structlog

from bot.errors import CannotOpen
from store.connections import sqlite_path
from store.migrations import HEAD

log = structlog.get_logger("gpubot")


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database to a new file that only this user can read (mode 0600).

    The copy is a consistent snapshot, even if other processes write to the database in the meantime. If the
    process crashes while copying, no file `target` exists, but a file `target.part` can be left over.

    Raises CannotOpen if the source is missing or can't be read, if `target` already exists or can't be written, or
    if the disk doesn't have enough space.
    """
    if not source.exists():
        raise CannotOpen(f"There is no database {source}.")
    if os.path.lexists(target):
        raise CannotOpen(
            f"{target} exists already. I won't overwrite it. Name another file, or move that one away."
        )
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
    """Raise OSError if the disk has no space for a copy of the database and its write-ahead log."""
    log = Path(f"{source}-wal")
    needed = source.stat().st_size + (log.stat().st_size if log.exists() else 0)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(0, f"it needs {_megabytes(needed)} MB, and the disk has {_megabytes(free)} MB left")


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f}"


def _write_through(folder: Path) -> None:
    """Flush the folder to disk, so that the new file's name survives a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- the backup before a migration, with which one can return to the earlier version of gpubot


def keep(url: str, found: str) -> None:
    """Back up a database before it is migrated, and log the commands that return to the backup.

    A SQLite database is copied. A PostgreSQL database is not: instead, the command that dumps the database and the
    commands that restore the dump are logged. Raises CannotOpen if the copy can't be made.

    Args:
        url: The database URL.
        found: The revision of the schema before the migration.
    """
    path = sqlite_path(url)
    if path is None:
        commands = {"dump_first": dump_command(url), "go_back": list(restore(url))}
        log.warning("database.migrates", schema=found, to_schema=HEAD, **commands)
        return
    kept = _copy(path)
    log.warning("database.copied", schema=found, to_schema=HEAD, copy=str(kept), go_back=list(go_back(path, kept)))


def _copy(path: Path) -> Path:
    """Copy a database to `PATH.before-v0200`, and return the path of the copy.

    An existing copy with different content is never overwritten: the new copy then gets the first free name of
    `PATH.before-v0200.2`, `PATH.before-v0200.3` and so on. A copy with equal content is reused, for example if the
    previous migration failed.
    """
    new = Path(f"{path}.new-copy")
    new.unlink(missing_ok=True)
    copy_sqlite(path, new)
    if os.geteuid() == 0:
        # The database belongs to the bot's user, but root is migrating it. Give the copy to the bot's user as
        # well. Otherwise, the bot couldn't open the copy after somebody has restored it.
        owner = path.stat()
        os.chown(new, owner.st_uid, owner.st_gid)
    names = chain([f"{path}.before-{HEAD}"], (f"{path}.before-{HEAD}.{n}" for n in count(2)))
    kept = next(each for each in map(Path, names) if not each.exists() or filecmp.cmp(new, each, shallow=False))
    new.replace(kept)
    return kept


def go_back(path: Path, copied: Path) -> tuple[str, str]:
    """Return the two shell commands that replace the database with its backup copy.

    The first command moves the migrated database away, together with its write-ahead log, because SQLite would
    otherwise apply that log to the copy. The second command copies the backup copy to the path of the database.
    """
    away = Path(str(copied).replace(f".before-{HEAD}", f".after-{HEAD}"))
    here, there = shlex.quote(str(path)), shlex.quote(str(away))
    moves = f'for end in "" -wal -shm; do [ ! -e {here}$end ] || mv {here}$end {there}$end; done'
    return moves, f"cp -p {shlex.quote(str(copied))} {here}"


def dump_command(url: str, file: str | None = None) -> str:
    """Return the shell command that dumps a PostgreSQL database, by default into the current folder.

    The command contains no password: PostgreSQL's programs prompt for it, or read PGPASSWORD or ~/.pgpass.
    """
    return f"pg_dump --format=custom --file={shlex.quote(file or _dump_of(url))} {shlex.quote(_address(url))}"


def restore(url: str) -> tuple[str, str]:
    """Return the shell commands that restore a dump that was made before a migration.

    The dump is restored into a new database, `NAME_before_v0200`. The migrated database stays as it is.
    """
    name = f"{re.sub(r'[^a-z0-9_]', '_', _name(url).lower())}_before_{HEAD}"
    into = shlex.quote(_address(url, name))
    return (
        f"createdb --maintenance-db={shlex.quote(_address(url))} {name}",
        f"pg_restore --no-owner --exit-on-error --dbname={into} {_dump_of(url)}",
    )


def _name(url: str) -> str:
    return unquote(urlsplit(url).path.lstrip("/")) or "gpubot"


def _dump_of(url: str) -> str:
    return re.sub(r"[^\w.-]", "_", f"{_name(url)}.before-{HEAD}.dump")


def _address(url: str, name: str | None = None) -> str:
    """Return the URL without its password.

    If `name` is given, the URL points to the database of that name on the same server.
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    query = [(key, value) for key, value in parse_qsl(parts.query) if "password" not in key.lower()]
    known = urlencode(query, quote_via=quote, safe="/")
    path = parts.path if name is None else f"/{name}"
    return urlunsplit((parts.scheme, f"{user.partition(':')[0]}{at}{host}", path, known, ""))
