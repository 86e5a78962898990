"""The call to Slack that each message needs next."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0600"
down_revision = "v0500"

_FILL = """
UPDATE messages SET next_call = CASE
  WHEN kind = 'home' THEN 'publish'
  WHEN "to" LIKE '%/%' THEN 'answer'
  WHEN compare_with IS NOT NULL THEN 'find'
  WHEN ts IS NOT NULL THEN 'edit'
  WHEN sending THEN 'find'
  ELSE 'post'
END
"""


def upgrade() -> None:
    op.add_column("messages", sa.Column("next_call", sa.Text(), nullable=False, server_default="post"))
    op.execute(_FILL)
