"""messages.refresh_at: when to edit a card again because it shows how much time has passed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_IS_SET = sa.text("refresh_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("messages", sa.Column("refresh_at", sa.DateTime(timezone=True)))
    op.create_index("messages_refresh", "messages", ["refresh_at"], sqlite_where=_IS_SET, postgresql_where=_IS_SET)
