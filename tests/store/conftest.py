"""Both databases, for every test that asks for one."""

from tests.databases import clock, database, postgres, postgres_url, sqlite_url, url

__all__ = [
    "clock",
    "database",
    "postgres",
    "postgres_url",
    "sqlite_url",
    "url",
]
