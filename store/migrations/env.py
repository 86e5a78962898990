"""Alembic runs this for every command. The connection comes from store/migrating.py, with a transaction begun."""

from __future__ import annotations

from alembic import context

from store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # Both databases take DDL in a transaction; the caller's is the only one.
    transactional_ddl=True,
    # SQLite can't alter most things in place: its tables are copied.
    render_as_batch=True,
)
context.run_migrations()
