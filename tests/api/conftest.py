"""Fixtures: the API in front of a world on SQLite, and a PostgreSQL database for tests with two replicas."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.api.world import Api, api_world
from tests.databases import postgres, postgres_url, sqlite_url

__all__ = ["postgres", "postgres_url", "sqlite_url"]


@pytest.fixture
async def api(sqlite_url: str) -> AsyncIterator[Api]:
    async with api_world(sqlite_url) as made:
        yield made
