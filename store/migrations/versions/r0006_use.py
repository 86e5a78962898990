"""Visits, samples and verdicts of use; a second end; replacements; rentals without a quote and an offer; unknown
machines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for name in ("use", "setup_progress", "replaces", "replaced_by"):
        op.add_column("rentals", sa.Column(name, sa.Text()))
    op.add_column("quotes", sa.Column("replaces_rental", sa.Text()))
    for name in ("latest_end", "probe_answered_at"):
        op.add_column("rentals", sa.Column(name, sa.DateTime(timezone=True)))
    op.add_column("rentals", sa.Column("asked", sa.Text()))
    for name in ("promised", "bought_later"):
        op.add_column("rentals", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    # -1 was the number of questions if an answer had named the time of the next one.
    op.execute("UPDATE rentals SET promised = (asked_times = -1)")
    with op.batch_alter_table("rentals") as rentals:
        rentals.alter_column("quote_id", existing_type=sa.Text(), nullable=True)
        for name in ("promised", "bought_later"):
            rentals.alter_column(name, existing_type=sa.Boolean(), server_default=None)
        # The time of the next question becomes the time before which none is asked.
        rentals.alter_column("ask_at", existing_type=sa.DateTime(timezone=True), new_column_name="silent_until")
        rentals.drop_column("asked_times")
    with op.batch_alter_table("attempts") as attempts:
        for name in ("offer", "resource_name", "offer_id"):
            attempts.alter_column(name, existing_type=sa.Text(), nullable=True)
    op.create_table(
        "visits",
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("claimed_by", sa.Text()),
        sa.PrimaryKeyConstraint("rental_id", name="visits_pk"),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="visits_rental_id_fk"),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index("visits_due", "visits", ["due_at"], sqlite_where=due, postgresql_where=due)
    claimed = sa.text("claimed_by IS NOT NULL")
    op.create_index("visits_claimed", "visits", ["claimed_by"], sqlite_where=claimed, postgresql_where=claimed)
    op.create_table(
        "samples",
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gpus", sa.Text(), nullable=False),
        sa.Column("peers", sa.Text(), nullable=False),
        sa.Column("missed", sa.Text()),
        sa.PrimaryKeyConstraint("rental_id", "at", name="samples_pk"),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="samples_rental_id_fk"),
    )
    op.create_index("samples_at", "samples", ["at"])
    op.create_table(
        "probe_answers",
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("rental_id", name="probe_answers_pk"),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="probe_answers_rental_id_fk"),
    )
    op.create_index("probe_answers_vendor", "probe_answers", ["vendor", "at"])
    op.create_table(
        "unknown_purchases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("machines", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("guess", sa.Text()),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ask_again_at", sa.DateTime(timezone=True)),
        sa.Column("put_off_by", sa.Text()),
        sa.Column("decided", sa.Text()),
        sa.Column("rental_id", sa.Text()),
        sa.Column("over_at", sa.DateTime(timezone=True)),
        sa.Column("asked_with", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="unknown_purchases_pk"),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="unknown_purchases_rental_id_fk"),
    )
    not_over = sa.text("over_at IS NULL")
    op.create_index(
        "unknown_purchases_open",
        "unknown_purchases",
        ["found_at"],
        sqlite_where=not_over,
        postgresql_where=not_over,
    )
    together = sa.text("asked_with IS NOT NULL")
    op.create_index(
        "unknown_together",
        "unknown_purchases",
        ["asked_with"],
        sqlite_where=together,
        postgresql_where=together,
    )
    with op.batch_alter_table("messages") as messages:
        messages.add_column(sa.Column("purchase_id", sa.Text()))
        messages.create_foreign_key("messages_purchase_id_fk", "unknown_purchases", ["purchase_id"], ["id"])
    op.create_index("messages_purchase", "messages", ["purchase_id"])
    # The machines that the admins were told of once. Now they can decide about them, so they are asked.
    op.execute("DELETE FROM account WHERE name LIKE 'unknown:%'")
