"""Fixtures: both databases for the tests that need one, and a world on SQLite that is checked after each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.databases import clock, database, postgres, postgres_url, sqlite_url, url
from tests.lifecycle.checks import check, check_delivered
from tests.lifecycle.world import World, world

__all__ = ["clock", "database", "here", "postgres", "postgres_url", "sqlite_url", "url"]


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    """Yield a world with the usual rules. After the test, check the invariants."""
    async with world(sqlite_url) as made:
        yield made
        await check(made)
        await check_delivered(made)


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    """Yield the log lines without printing them.

    Printing would take most of the time of tests in which steps fail.
    """
    with capture_logs() as lines:
        yield lines
