"""Columns and indexes that are added before the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("messages", sa.Column("compare_with", sa.Integer))
    op.create_index("rentals_over", "rentals", ["over_at"])
