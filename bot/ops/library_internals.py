"""The private attributes of other packages that the bot uses, and a check that they still exist.

pyproject.toml has an upper bound for the version of each of these packages. Before you raise a bound, check in the
new version that the attributes still exist and have the same effect:

- aiosqlite: `Connection._thread` is made a daemon thread. Otherwise, a process that exits without closing its
  database would wait forever.
- aiohttp: `ClientSession._retry_connection` is switched off. Otherwise, aiohttp could repeat a call unnoticed.
"""

from __future__ import annotations

import threading
from importlib.metadata import PackageNotFoundError, version
from types import FunctionType, ModuleType

import aiohttp
import aiosqlite

from bot.errors import Unusable

PRIVATE = {
    "aiohttp": ("ClientSession._retry_connection",),
    "aiosqlite": ("Connection._thread",),
}
"""The private attributes that the bot uses, by package.

The code that uses them is in `bot/market/transport.py` and `store/inline_sqlite.py`.
"""


def check_dependencies(http: ModuleType = aiohttp, sqlite: ModuleType = aiosqlite) -> None:
    """Raise Unusable if a package lacks a private attribute that the bot uses.

    The error has one line for each of these packages.
    """
    missing = {"aiohttp": _missing_of_aiohttp(http), "aiosqlite": _missing_of_aiosqlite(sqlite)}
    lines = [
        f"{package} {_version(package)} lacks {', '.join(parts)}, which I need. "
        "Install the versions that constraints.txt names: make setup."
        for package, parts in missing.items()
        if parts
    ]
    if lines:
        raise Unusable("\n".join(lines))


def _missing_of_aiohttp(package: ModuleType) -> list[str]:
    """Return the private attributes that aiohttp lacks.

    `_retry_connection` is treated as present only if ClientSession's code for requests reads it. The attribute
    alone isn't enough, because a future aiohttp could keep it but ignore it.
    """
    request = getattr(package.ClientSession, "_request", None)
    reads = isinstance(request, FunctionType) and "_retry_connection" in request.__code__.co_names
    return [] if reads else list(PRIVATE["aiohttp"])


def _missing_of_aiosqlite(package: ModuleType) -> list[str]:
    """Return the private attributes that aiosqlite lacks, without opening a database or starting a thread."""
    connection = package.Connection(_open_nothing, iter_chunk_size=64)
    present = isinstance(getattr(connection, "_thread", None), threading.Thread)
    return [] if present else list(PRIVATE["aiosqlite"])


def _open_nothing() -> None:
    """Stand in for the function that opens a database. aiosqlite never calls this, because nothing is opened."""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(of unknown version)"
