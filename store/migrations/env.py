"""The module that Alembic runs for each command.

store/migrating.py passes a connection with an open transaction.
"""

from __future__ import annotations

from alembic import context

from store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # Both databases can roll back DDL, so everything runs in the caller's transaction.
    transactional_ddl=True,
    # SQLite can't alter most columns in place, so Alembic copies its tables.
    render_as_batch=True,
)
context.run_migrations()
