"""Both databases, for the tests that ask for one."""

from tests.databases import clock, database, postgres, url

__all__ = ["clock", "database", "postgres", "url"]
