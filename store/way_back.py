"""The way back to the version from before a migration: a copy of a SQLite database, a command that dumps a
PostgreSQL one. docs/upgrade.md has both ways."""

from __future__ import annotations

import filecmp
import re
import shlex
from itertools import count
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import structlog

from bot.errors import CannotOpen
from store.backup import copy_sqlite
from store.migrations import HEAD

log = structlog.get_logger("gpubot")


def copy(path: Path, found: str) -> None:
    """Copy a database of the revision `found` to `PATH.before-v0200`, and log the two commands that go back.

    An earlier copy stays. If it has the same content, as after a migration that failed, it is used; otherwise the
    new one is `PATH.before-v0200.2`, and so on. Raise CannotOpen if the copy can't be made.
    """
    new = Path(f"{path}.new-copy")
    new.unlink(missing_ok=True)
    copy_sqlite(path, new)
    for n in count(1):
        number = "" if n == 1 else f".{n}"
        kept = Path(f"{path}.before-{HEAD}{number}")
        if not kept.exists():
            new.rename(kept)
            break
        if filecmp.cmp(new, kept, shallow=False):
            new.unlink()
            break
    log.warning("database.copied", schema=found, to_schema=HEAD, copy=str(kept), go_back=list(go_back(path, kept)))


def go_back(path: Path, copied: Path) -> tuple[str, str]:
    """Return the shell commands that put a copy in the place of the database. The first one moves the newer
    database away with its write-ahead log, which would damage the copy; the second one copies the copy."""
    away = Path(str(copied).replace(f".before-{HEAD}", f".after-{HEAD}"))
    here, there = shlex.quote(str(path)), shlex.quote(str(away))
    moves = f'for end in "" -wal -shm; do [ ! -e {here}$end ] || mv {here}$end {there}$end; done'
    return moves, f"cp -p {shlex.quote(str(copied))} {here}"


def name_dump(url: str, found: str, *, live: int) -> None:
    """Log the command that dumps a PostgreSQL database of the revision `found`. Raise CannotOpen if rentals are
    live: a person dumps it first, then migrates it."""
    command = dump_command(url)
    if live:
        are = "1 rental is live" if live == 1 else f"{live} rentals are live"
        raise CannotOpen(
            f"The database is of an older gpubot (schema {found}, mine is {HEAD}), and {are}. Nobody ends their "
            f"machines until I run. Keep a copy, then migrate it:  {command}  &&  gpubot migrate"
        )
    log.warning("database.migrates", schema=found, to_schema=HEAD, dump_first=command)


def dump_command(url: str) -> str:
    """Return the shell command that dumps a PostgreSQL database to the current folder. It has no password: pg_dump
    asks for it, or reads PGPASSWORD or ~/.pgpass."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    query = [(key, value) for key, value in parse_qsl(parts.query) if "password" not in key.lower()]
    known = urlencode(query, quote_via=quote, safe="/")
    address = urlunsplit((parts.scheme, f"{user.partition(':')[0]}{at}{host}", parts.path, known, ""))
    name = re.sub(r"[^\w.-]", "_", parts.path.lstrip("/")) or "gpubot"
    return f"pg_dump --format=custom --file={shlex.quote(f'{name}.before-{HEAD}.dump')} {shlex.quote(address)}"
