"""Both databases, for every test that asks for one."""

from tests.databases import clock, database, postgres, templates, url

__all__ = ["clock", "database", "postgres", "templates", "url"]
