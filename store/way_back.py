"""The way back to the version from before a migration: a copy of a SQLite database, a command that dumps a
PostgreSQL one. docs/upgrade.md has both ways."""

from __future__ import annotations

import filecmp
import re
import shlex
from itertools import chain, count
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import structlog

from store.backup import copy_sqlite
from store.connections import sqlite_path
from store.migrations import HEAD

log = structlog.get_logger("gpubot")


def keep(url: str, found: str) -> None:
    """Copy a SQLite database of the revision `found`, and log the two commands that go back. Log the command that
    dumps a PostgreSQL database. Raise CannotOpen if the copy can't be made."""
    path = sqlite_path(url)
    if path is None:
        log.warning("database.migrates", schema=found, to_schema=HEAD, dump_first=dump_command(url))
        return
    kept = _copy(path)
    log.warning("database.copied", schema=found, to_schema=HEAD, copy=str(kept), go_back=list(go_back(path, kept)))


def _copy(path: Path) -> Path:
    """Copy a database to `PATH.before-v0200`, and return the copy. An earlier copy stays. If it has the same
    content, as after a migration that failed, it is the copy; otherwise the new one is `PATH.before-v0200.2`, and
    so on."""
    new = Path(f"{path}.new-copy")
    new.unlink(missing_ok=True)
    copy_sqlite(path, new)
    names = chain([f"{path}.before-{HEAD}"], (f"{path}.before-{HEAD}.{n}" for n in count(2)))
    kept = next(each for each in map(Path, names) if not each.exists() or filecmp.cmp(new, each, shallow=False))
    new.replace(kept)
    return kept


def go_back(path: Path, copied: Path) -> tuple[str, str]:
    """Return the shell commands that put a copy in the place of the database. The first one moves the newer
    database away with its write-ahead log, which would damage the copy; the second one copies the copy."""
    away = Path(str(copied).replace(f".before-{HEAD}", f".after-{HEAD}"))
    here, there = shlex.quote(str(path)), shlex.quote(str(away))
    moves = f'for end in "" -wal -shm; do [ ! -e {here}$end ] || mv {here}$end {there}$end; done'
    return moves, f"cp -p {shlex.quote(str(copied))} {here}"


def dump_command(url: str, file: str | None = None) -> str:
    """Return the shell command that dumps a PostgreSQL database to a file, or to the current folder before a
    migration. It has no password: pg_dump asks for it, or reads PGPASSWORD or ~/.pgpass."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    query = [(key, value) for key, value in parse_qsl(parts.query) if "password" not in key.lower()]
    known = urlencode(query, quote_via=quote, safe="/")
    address = urlunsplit((parts.scheme, f"{user.partition(':')[0]}{at}{host}", parts.path, known, ""))
    if file is None:
        name = re.sub(r"[^\w.-]", "_", parts.path.lstrip("/")) or "gpubot"
        file = f"{name}.before-{HEAD}.dump"
    return f"pg_dump --format=custom --file={shlex.quote(file)} {shlex.quote(address)}"
