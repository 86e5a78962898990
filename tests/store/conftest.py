"""Provides both kinds of database, and databases of earlier releases, to tests."""

from tests.databases import clock, database, postgres, postgres_url, sqlite_url, url
from tests.store.released import kind, release, released_url, stored

__all__ = [
    "clock",
    "database",
    "kind",
    "postgres",
    "postgres_url",
    "release",
    "released_url",
    "sqlite_url",
    "stored",
    "url",
]
