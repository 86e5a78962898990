"""People have several keys; rentals have teammates, a boot script, a host key and a named end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "person_keys",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "fingerprint", name="person_keys_pk"),
    )
    op.execute(
        "INSERT INTO person_keys (user_id, fingerprint, position, line, comment, set_at)"
        " SELECT user_id, fingerprint, 1, line, comment, set_at FROM keys"
    )
    op.drop_table("keys")
    op.add_column("quotes", sa.Column("wanted_offer", sa.Text()))
    op.add_column("quotes", sa.Column("wanted_another", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("rentals", sa.Column("teammates", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("rentals", sa.Column("approval_notice_at", sa.DateTime(timezone=True)))
    op.add_column("rentals", sa.Column("host_key", sa.Text()))
    op.add_column("attempts", sa.Column("script", sa.Text()))
