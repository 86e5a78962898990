"""Alembic runs this module for each command. store/migrating.py gives it a connection with an open transaction."""

from __future__ import annotations

from alembic import context

from store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # Both databases roll DDL back; the caller's transaction is the only one.
    transactional_ddl=True,
    # SQLite can't alter most columns in place, so its tables are copied.
    render_as_batch=True,
)
context.run_migrations()
