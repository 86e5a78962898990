"""Columns and indexes that are added before the first release."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("messages", sa.Column("compare_with", sa.Integer))
    op.create_index("rentals_over", "rentals", ["over_at"])
    op.add_column("rentals", sa.Column("gpu", sa.Text()))
    op.execute(
        "UPDATE rentals SET gpu = (SELECT gpu FROM attempts WHERE rental_id = rentals.id ORDER BY n DESC LIMIT 1) "
        "WHERE state != 'awaiting_approval'"
    )
    _store_clicked_gpus()


def _store_clicked_gpus() -> None:
    """Envelopes had the GPU as it was asked for, such as a family. Write the one that was clicked into those for
    which a machine may still be bought, if its offer is known: from the quote, or from the first attempt."""
    conn = op.get_bind()
    rows = conn.execute(
        sa.text(
            "SELECT rentals.id, envelope, extension, clicked_offer, quotes.offers, "
            "(SELECT gpu FROM attempts WHERE rental_id = rentals.id ORDER BY n LIMIT 1) AS first_gpu "
            "FROM rentals JOIN quotes ON quotes.id = rentals.quote_id WHERE rentals.live OR rentals.state = 'lost'"
        )
    )
    for row in rows.all():
        clicked = [offer["gpu"] for offer in json.loads(row.offers) if offer["offer_id"] == row.clicked_offer]
        gpu = clicked[0] if clicked else row.first_gpu
        if gpu is None:
            continue
        envelope = json.loads(row.envelope) | {"gpu": gpu}
        extension = None if row.extension is None else json.loads(row.extension)
        if extension is not None:
            extension["envelope"]["gpu"] = gpu
        conn.execute(
            sa.text("UPDATE rentals SET envelope = :envelope, extension = :extension WHERE id = :id"),
            {
                "id": row.id,
                "envelope": _json(envelope),
                "extension": None if extension is None else _json(extension),
            },
        )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
