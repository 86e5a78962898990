"""A card that shows how much time has passed is edited again at a time of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_MOVES = sa.text("refresh_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("messages", sa.Column("refresh_at", sa.DateTime(timezone=True)))
    op.create_index("messages_refresh", "messages", ["refresh_at"], sqlite_where=_MOVES, postgresql_where=_MOVES)
