"""Both databases for the tests that ask for one, and a world on SQLite that is checked at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.databases import clock, database, fresh_sqlite, postgres, templates, url
from tests.lifecycle.checks import check, check_told
from tests.lifecycle.world import World, world

__all__ = ["clock", "database", "here", "postgres", "templates", "there", "url"]


@pytest.fixture
async def there(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, templates: dict[str, Any]) -> str:
    """The URL of a new SQLite database, for a test that makes a world of its own."""
    return await fresh_sqlite(tmp_path, templates, tmp_path_factory)


@pytest.fixture
async def here(there: str) -> AsyncIterator[World]:
    """A world with the usual rules. What must always hold is looked at when the test is over."""
    async with world(there) as made:
        yield made
        await check(made)
        await check_told(made)
