"""Logins of programs that ask for a token, and the events that are sent to webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0603"
down_revision = "v0602"


def upgrade() -> None:
    op.create_table(
        "logins",
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("id", "code", "public_key", "program", "host", "address")
        ),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("created_at", "expires_at")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("person", "token_id", "secret")),
        sa.PrimaryKeyConstraint("id", name="logins_pk"),
    )
    op.create_index("logins_code", "logins", ["code"], unique=True)
    op.create_index("logins_expires", "logins", ["expires_at"])
    op.add_column("messages", sa.Column("webhook_due_at", sa.DateTime(timezone=True)))
    due = sa.text("webhook_due_at IS NOT NULL")
    columns = ["to", "webhook_due_at", "id"]
    op.create_index("messages_webhooks", "messages", columns, sqlite_where=due, postgresql_where=due)
