"""Wishes for offers and the searches that they share; what a machine says of its on-ending.sh; what each owner of
a machine holds of budgets; how many purchases got ready; the rental that a thread is about; Home tabs.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0300"
down_revision = "v0200"


def upgrade() -> None:
    op.add_column("quotes", sa.Column("wish", sa.Text()))
    op.add_column("quotes", sa.Column("waits_for", sa.Text()))
    waits = sa.text("waits_for IS NOT NULL")
    op.create_index("quotes_waits_for", "quotes", ["waits_for"], sqlite_where=waits, postgresql_where=waits)
    op.create_table(
        "shared_searches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True)),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="shared_searches_pk"),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index("shared_searches_due", "shared_searches", ["due_at"], sqlite_where=due, postgresql_where=due)
    op.add_column("rentals", sa.Column("wish", sa.Text()))
    op.add_column("rentals", sa.Column("lease_script_first", sa.Text()))
    op.add_column("rentals", sa.Column("on_ending", sa.Text()))
    op.add_column("rentals", sa.Column("on_ending_at", sa.DateTime(timezone=True)))
    with op.batch_alter_table("reservations") as reservations:
        reservations.drop_constraint("reservations_pk", type_="primary")
        reservations.create_primary_key("reservations_pk", ["rental_id", "month", "owner"])
    of_rental = sa.text("ts IS NOT NULL AND rental_id IS NOT NULL")
    op.create_index("messages_ts", "messages", ["ts"], sqlite_where=of_rental, postgresql_where=of_rental)
    op.create_index("attempts_place", "attempts", ["vendor", "gpu", "intended_at"])
    home = sa.text("kind = 'home'")
    op.create_index("messages_home", "messages", ["to"], unique=True, sqlite_where=home, postgresql_where=home)
