"""Both databases, and databases of older schemas, for every test that asks for one."""

from tests.databases import clock, database, postgres, templates, url
from tests.store.old_databases import kind, old, schema

__all__ = ["clock", "database", "kind", "old", "postgres", "schema", "templates", "url"]
