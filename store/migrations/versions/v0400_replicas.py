"""Work of which there is one for all replicas."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0400"
down_revision = "v0300"


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="jobs_pk"),
    )
