"""Both databases, and databases of older schemas, for every test that asks for one."""

from tests.databases import clock, database, postgres, postgres_url, sqlite_url, url
from tests.store.old_databases import kind, old_url, schema

__all__ = [
    "clock",
    "database",
    "kind",
    "old_url",
    "postgres",
    "postgres_url",
    "schema",
    "sqlite_url",
    "url",
]
