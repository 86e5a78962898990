"""Copies a SQLite database, which may be in use; has the commands that dump and restore a PostgreSQL one.

Before a migration, these are the way back to the earlier version. docs/upgrade.md has both ways.
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
    """Copy a database to a new file, which only this user can read (0600). Other processes may write to the
    database meanwhile; the copy has one moment of it. After a crash there is no file `target`, but perhaps a
    `target.part`.

    Raise CannotOpen if the source is not there or can't be read, if `target` exists or can't be written, or if the
    disk has too little space.
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


# --- the way back to the version from before a migration


def keep(url: str, found: str) -> None:
    """Copy a SQLite database of the revision `found`, and log the two commands that go back. Log the command that
    dumps a PostgreSQL database and those that restore the dump. Raise CannotOpen if the copy can't be made.
    """
    path = sqlite_path(url)
    if path is None:
        commands = {"dump_first": dump_command(url), "go_back": list(restore(url))}
        log.warning("database.migrates", schema=found, to_schema=HEAD, **commands)
        return
    kept = _copy(path)
    log.warning("database.copied", schema=found, to_schema=HEAD, copy=str(kept), go_back=list(go_back(path, kept)))


def _copy(path: Path) -> Path:
    """Copy a database to `PATH.before-v0200`, and return the copy. An earlier copy stays: it is returned if it has
    the same content, as after a migration that failed, else the new one is `PATH.before-v0200.2` and so on.
    """
    new = Path(f"{path}.new-copy")
    new.unlink(missing_ok=True)
    copy_sqlite(path, new)
    if os.geteuid() == 0:
        # The bot's user must be able to read what root puts back.
        owner = path.stat()
        os.chown(new, owner.st_uid, owner.st_gid)
    names = chain([f"{path}.before-{HEAD}"], (f"{path}.before-{HEAD}.{n}" for n in count(2)))
    kept = next(each for each in map(Path, names) if not each.exists() or filecmp.cmp(new, each, shallow=False))
    new.replace(kept)
    return kept


def go_back(path: Path, copied: Path) -> tuple[str, str]:
    """Return the shell commands that put a copy in the place of the database. The first one moves the newer
    database away with its write-ahead log, which would damage the copy; the second one copies the copy.
    """
    away = Path(str(copied).replace(f".before-{HEAD}", f".after-{HEAD}"))
    here, there = shlex.quote(str(path)), shlex.quote(str(away))
    moves = f'for end in "" -wal -shm; do [ ! -e {here}$end ] || mv {here}$end {there}$end; done'
    return moves, f"cp -p {shlex.quote(str(copied))} {here}"


def dump_command(url: str, file: str | None = None) -> str:
    """Return the shell command that dumps a PostgreSQL database, by default to the current folder. It has no
    password: PostgreSQL's programs ask for it, or read PGPASSWORD or ~/.pgpass.
    """
    return f"pg_dump --format=custom --file={shlex.quote(file or _dump_of(url))} {shlex.quote(_address(url))}"


def restore(url: str) -> tuple[str, str]:
    """Return the shell commands that restore a dump from before a migration into a database of its own,
    `NAME_before_v0200`. The newer database stays as it is.
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
    """Return the URL without its password; with `name`, that of another database of the same server."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    query = [(key, value) for key, value in parse_qsl(parts.query) if "password" not in key.lower()]
    known = urlencode(query, quote_via=quote, safe="/")
    path = parts.path if name is None else f"/{name}"
    return urlunsplit((parts.scheme, f"{user.partition(':')[0]}{at}{host}", path, known, ""))
