"""People have several keys; rentals have teammates, a boot script, a host key and a time of their last notice."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_rentals = sa.table(
    "rentals",
    sa.column("id", sa.Text()),
    sa.column("ready_at", sa.DateTime(timezone=True)),
    sa.column("ends_at", sa.DateTime(timezone=True)),
    sa.column("notices_given", sa.Integer()),
    sa.column("notices_checked_at", sa.DateTime(timezone=True)),
)


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
    op.add_column("rentals", sa.Column("notices_checked_at", sa.DateTime(timezone=True)))
    _fill_notices_checked_at()
    op.drop_column("rentals", "notices_given")


def _fill_notices_checked_at() -> None:
    """Fill the time up to which notices were given from their number: none, that of two hours, or all."""
    connection, column = op.get_bind(), _rentals.c
    rows = connection.execute(sa.select(_rentals).where(column.ready_at.is_not(None))).all()
    checked = {
        row.id: row.ready_at
        if row.notices_given == 0
        else max(row.ready_at, row.ends_at - timedelta(hours=2))
        if row.notices_given == 1
        else row.ends_at
        for row in rows
    }
    if checked:
        connection.execute(
            sa.update(_rentals)
            .where(column.id == sa.bindparam("of"))
            .values(notices_checked_at=sa.bindparam("at", type_=sa.DateTime(timezone=True))),
            [{"of": rental_id, "at": at} for rental_id, at in checked.items()],
        )
