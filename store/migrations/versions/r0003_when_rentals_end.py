"""Rentals with a machine that should have ended are found through an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_SOMETHING_LEFT = sa.text("ends_from IS NOT NULL")


def upgrade() -> None:
    op.add_column("rentals", sa.Column("ends_from", sa.DateTime(timezone=True)))
    op.execute(
        "UPDATE rentals SET ends_from = coalesce(over_at, destroying_since, ends_at, accepted_at, created_at)"
        " WHERE live OR due_at IS NOT NULL"
    )
    op.create_index(
        "rentals_end", "rentals", ["ends_from"], sqlite_where=_SOMETHING_LEFT, postgresql_where=_SOMETHING_LEFT
    )
