"""Projects, budgets and what is charged to them; what finds rows that are no longer needed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0200"
down_revision = "v0100"


def upgrade() -> None:
    # The event of a message says which version of an envelope the message asks about.
    op.drop_column("messages", "envelope")
    reminder = sa.text("kind = 'reminder'")
    op.create_index("messages_reminders", "messages", ["closed"], sqlite_where=reminder, postgresql_where=reminder)
    for name, table, column, where, on_sqlite in (
        ("quotes_unused", "quotes", "created_at", "rental_id IS NULL", None),
        ("quotes_with_offers", "quotes", "created_at", "offers <> '[]'", None),
        ("quotes_reply_to", "quotes", "created_at", "reply_to IS NOT NULL", None),
        ("messages_quote", "messages", "quote_id", "quote_id IS NOT NULL", None),
        ("messages_closed", "messages", "created_at", "closed", "closed = 1"),
        ("messages_answers", "messages", "created_at", "substr(\"to\", 1, 4) = 'http'", None),
    ):
        sqlite_where, postgresql_where = sa.text(on_sqlite or where), sa.text(where)
        op.create_index(name, table, [column], sqlite_where=sqlite_where, postgresql_where=postgresql_where)
    op.add_column("people", sa.Column("left_at", sa.DateTime(timezone=True)))
    op.create_index("people_asked", "people", ["asked_at"])
    left = sa.text("left_at IS NOT NULL")
    op.create_index("people_left", "people", ["left_at"], sqlite_where=left, postgresql_where=left)
    for table in ("quotes", "rentals"):
        op.add_column(table, sa.Column("project", sa.Text(), nullable=False, server_default="unassigned"))
    op.add_column("messages", sa.Column("charges_of", sa.Text()))
    op.create_table(
        "charges",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("gpus", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("connected", sa.BigInteger(), nullable=False),
        sa.Column("idle", sa.BigInteger(), nullable=False),
        sa.Column("unknown", sa.BigInteger(), nullable=False),
        sa.Column("late", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("correction", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_id", "n"], ["ledger.resource_id", "ledger.n"], name="charges_resource_id_fk"
        ),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="charges_rental_id_fk"),
        sa.PrimaryKeyConstraint("resource_id", "n", "started_at", name="charges_pk"),
    )
    op.create_index("charges_month", "charges", ["month"])
    op.create_index("charges_rental", "charges", ["rental_id"])
    op.create_table(
        "balances",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("late", sa.BigInteger(), nullable=False),
        sa.Column("alerted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("month", "kind", "name", name="balances_pk"),
    )
    op.create_table(
        "reservations",
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="reservations_rental_id_fk"),
        sa.PrimaryKeyConstraint("rental_id", "month", name="reservations_pk"),
    )
    op.create_table(
        "filed_months",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("month", name="filed_months_pk"),
    )
    op.create_table(
        "policy_versions",
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=True),
        sa.Column("file", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("n", name="policy_versions_pk"),
    )
