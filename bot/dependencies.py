"""Private parts of other packages that the bot uses, and the check that they are still there.

pyproject.toml has an upper bound for each of these packages. Raise it once the parts were looked at in the new
version; without them a write would wait on a thread for each step, or a call could be made twice unseen.
"""

from __future__ import annotations

import inspect
import threading
from importlib.metadata import PackageNotFoundError, version
from types import FunctionType, ModuleType

import aiohttp
import aiosqlite

from bot.errors import Unusable

PRIVATE = {
    "aiohttp": ("ClientSession._retry_connection",),
    "aiosqlite": ("Connection._execute", "Connection._connection", "Connection._thread"),
}
"""By package. `bot/market/transport.py` and `store/inline_sqlite.py` use them."""


def check_dependencies(http: ModuleType = aiohttp, sqlite: ModuleType = aiosqlite) -> None:
    """Raise Unusable, with one line for each package, if a part is not there."""
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
    """Return the parts of aiohttp that are missing. Its session must read the switch when it makes a request."""
    request = getattr(package.ClientSession, "_request", None)
    reads = isinstance(request, FunctionType) and "_retry_connection" in request.__code__.co_names
    return [] if reads else list(PRIVATE["aiohttp"])


def _missing_of_aiosqlite(package: ModuleType) -> list[str]:
    """Return the parts of aiosqlite that are missing. Nothing is opened, and no thread is started."""
    connection = package.Connection(_never, iter_chunk_size=64)
    there = {
        "Connection._execute": inspect.iscoroutinefunction(getattr(package.Connection, "_execute", None)),
        "Connection._connection": getattr(connection, "_connection", connection) is None,
        "Connection._thread": isinstance(getattr(connection, "_thread", None), threading.Thread),
    }
    return [part for part in PRIVATE["aiosqlite"] if not there[part]]


def _never() -> None:
    """Opens nothing."""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(of unknown version)"
