"""claimed_until: when the claim on a row ends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    for table in ("quotes", "rentals", "visits"):
        op.add_column(table, sa.Column("claimed_until", sa.DateTime(timezone=True)))
        op.drop_index(f"{table}_claimed", table)
