"""A resource's rows in the ledger are numbered, and each attempt has its offer's rate in a column of its own."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_attempts = sa.table(
    "attempts",
    sa.column("rental_id", sa.Text()),
    sa.column("n", sa.Integer()),
    sa.column("offer", sa.Text()),
    sa.column("rate", sa.Text()),
)


def upgrade() -> None:
    op.add_column("ledger", sa.Column("n", sa.Integer()))
    op.execute("UPDATE ledger SET n = 1")
    with op.batch_alter_table("ledger") as ledger:
        ledger.alter_column("n", existing_type=sa.Integer(), nullable=False)
        ledger.drop_constraint("ledger_pk", type_="primary")
        ledger.create_primary_key("ledger_pk", ["resource_id", "n"])

    op.add_column("attempts", sa.Column("rate", sa.Text()))
    _fill_rates()
    with op.batch_alter_table("attempts") as attempts:
        attempts.alter_column("rate", existing_type=sa.Text(), nullable=False)


def _fill_rates() -> None:
    """Copies each offer's rate as it is written there: a text, so that no digit is lost.

    Read here, as PostgreSQL reads no JSON with a NUL in some text of the market's.
    """
    connection = op.get_bind()
    column = _attempts.c
    rows = connection.execute(sa.select(column.rental_id, column.n, column.offer)).all()
    if rows:
        connection.execute(
            sa.update(_attempts)
            .where(column.rental_id == sa.bindparam("of"), column.n == sa.bindparam("nth"))
            .values(rate=sa.bindparam("said")),
            [{"of": row.rental_id, "nth": row.n, "said": json.loads(row.offer)["rate"]} for row in rows],
        )
