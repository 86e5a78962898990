"""Both databases for the tests that ask for one, and a world on SQLite that is checked after the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.databases import clock, database, fresh_sqlite, postgres, templates, url
from tests.lifecycle.checks import check, check_delivered
from tests.lifecycle.world import World, world

__all__ = ["clock", "database", "here", "postgres", "sqlite_url", "templates", "url"]


@pytest.fixture
async def sqlite_url(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, templates: dict[str, Any]) -> str:
    """Return the URL of a new SQLite database, for a test that makes a world of its own."""
    return await fresh_sqlite(tmp_path, templates, tmp_path_factory)


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    """Yield a world with the usual rules. After the test, check what must always hold."""
    async with world(sqlite_url) as made:
        yield made
        await check(made)
        await check_delivered(made)


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    """Yield what is logged. It is not printed: that would take most of the time of tests in which steps fail."""
    with capture_logs() as lines:
        yield lines
