"""Tokens, and the rentals of the programs that use them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0602"
down_revision = "v0601"


def _time(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "tokens",
        _text("id", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *(_text(name, nullable=False) for name in ("owner", "name", "state")),
        *(_text(name) for name in ("terms", "requested", "decided", "approved_by")),
        _text("secret_hash", nullable=False),
        _time("created_at", nullable=False),
        _time("last_used_at"),
        _text("refusal", nullable=False),
        _text("crowd"),
        *(_time(name) for name in ("crowded_at", "over_at")),
        _text("over_by"),
        _time("due_at"),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="tokens_pk"),
    )
    op.create_index("tokens_owner", "tokens", ["owner", "created_at"])
    op.create_index("tokens_secret", "tokens", ["secret_hash"], unique=True)
    _partial_index("tokens_name", "tokens", ["owner", "name"], "live", on_sqlite="live = 1", unique=True)
    _partial_index("tokens_due", "tokens", ["due_at"], "due_at IS NOT NULL")
    for table in ("quotes", "rentals", "messages"):
        op.add_column(table, _text("token_id"))
    for column in (
        *(_text("idempotency_key"), _text("program"), _time("heartbeat_at")),
        *(_text("lost_heartbeat"), _text("lease_heartbeat_end")),
    ):
        op.add_column("rentals", column)
    by_program = "token_id IS NOT NULL"
    _partial_index("rentals_key", "rentals", ["token_id", "idempotency_key"], by_program, unique=True)
    _partial_index("rentals_token", "rentals", ["token_id", "created_at"], by_program)
    live, on_sqlite = f"live AND {by_program}", f"live = 1 AND {by_program}"
    _partial_index("rentals_token_live", "rentals", ["token_id", "created_at"], live, on_sqlite=on_sqlite)
    _partial_index("messages_token", "messages", ["token_id"], by_program)


def _partial_index(
    name: str, table: str, columns: list[str], where: str, *, on_sqlite: str | None = None, unique: bool = False
) -> None:
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        postgresql_where=sa.text(where),
        sqlite_where=sa.text(on_sqlite or where),
    )
