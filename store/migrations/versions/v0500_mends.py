"""What version 0.5 stores in addition."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0500"
down_revision = "v0400"


def upgrade() -> None:
    op.add_column("channels", sa.Column("name", sa.Text()))
    op.add_column("rentals", sa.Column("lease_shown_later_at", sa.DateTime(timezone=True)))
    op.add_column("balances", sa.Column("alert_due_at", sa.DateTime(timezone=True)))
    op.add_column("balances", sa.Column("alert_to", sa.Text()))
