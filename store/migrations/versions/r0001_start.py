"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    on_sqlite = "live = 1" if where == "live" else where
    op.create_index(
        name, table, columns, unique=unique, sqlite_where=sa.text(on_sqlite), postgresql_where=sa.text(where)
    )


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="account_pk"),
    )
    op.create_table(
        "keys",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="keys_pk"),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tz", sa.Text(), nullable=False),
        sa.Column("guest", sa.Boolean(), nullable=False),
        sa.Column("deactivated", sa.Boolean(), nullable=False),
        sa.Column("outsider", sa.Boolean(), nullable=False),
        sa.Column("bot", sa.Boolean(), nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="people_pk"),
    )
    op.create_table(
        "quotes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("asked_in", sa.Text(), nullable=False),
        sa.Column("card_channel", sa.Text()),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("rent_now", sa.Boolean(), nullable=False),
        sa.Column("changes", sa.Text()),
        sa.Column("reply_url", sa.Text()),
        sa.Column("replaces", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True)),
        sa.Column("offers", sa.Text(), nullable=False),
        sa.Column("nearby", sa.Text(), nullable=False),
        sa.Column("rental_id", sa.Text()),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("claimed_by", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="quotes_pk"),
    )
    _partial_index("quotes_claimed", "quotes", ["claimed_by"], "claimed_by IS NOT NULL")
    _partial_index("quotes_due", "quotes", ["due_at"], "due_at IS NOT NULL")
    op.create_index("quotes_owner", "quotes", ["owner", "created_at"])
    op.create_table(
        "rooms",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("member", sa.Boolean(), nullable=False),
        sa.Column("direct", sa.Boolean(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="rooms_pk"),
    )
    op.create_table(
        "rentals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("quote_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("card_channel", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("clicked_offer", sa.Text(), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("decider", sa.Text()),
        sa.Column("asked_why", sa.Text()),
        sa.Column("approved_by", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lapses_at", sa.DateTime(timezone=True)),
        sa.Column("procuring_since", sa.DateTime(timezone=True)),
        sa.Column("kept_since", sa.DateTime(timezone=True)),
        sa.Column("kept_why", sa.Text()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Text()),
        sa.Column("vendor", sa.Text()),
        sa.Column("vendor_region", sa.Text()),
        sa.Column("accepted_at", sa.DateTime(timezone=True)),
        sa.Column("progress", sa.Text(), nullable=False),
        sa.Column("quiet_since_real", sa.DateTime(timezone=True)),
        sa.Column("host", sa.Text()),
        sa.Column("port", sa.Integer()),
        sa.Column("ready_at", sa.DateTime(timezone=True)),
        sa.Column("ends_at", sa.DateTime(timezone=True)),
        sa.Column("notices_given", sa.Integer(), nullable=False),
        sa.Column("extension", sa.Text()),
        sa.Column("ask_at", sa.DateTime(timezone=True)),
        sa.Column("asked_times", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True)),
        sa.Column("end", sa.Text()),
        sa.Column("end_why", sa.Text()),
        sa.Column("end_by", sa.Text()),
        sa.Column("destroying_since", sa.DateTime(timezone=True)),
        sa.Column("alarm_at", sa.DateTime(timezone=True)),
        sa.Column("alarms", sa.Integer(), nullable=False),
        sa.Column("taken_on_by", sa.Text()),
        sa.Column("over_at", sa.DateTime(timezone=True)),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("cap_micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["quote_id"], ["quotes.id"], name="rentals_quote_id_fk"),
        sa.PrimaryKeyConstraint("id", name="rentals_pk"),
        sa.UniqueConstraint("quote_id", name="rentals_quote_id_key"),
    )
    _partial_index("rentals_claimed", "rentals", ["claimed_by"], "claimed_by IS NOT NULL")
    _partial_index("rentals_due", "rentals", ["due_at"], "due_at IS NOT NULL")
    _partial_index("rentals_live", "rentals", ["live", "owner", "cap_micros", "id"], "live")
    op.create_index("rentals_owner", "rentals", ["owner", "created_at"])
    op.create_table(
        "attempts",
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("offer", sa.Text(), nullable=False),
        sa.Column("resource_name", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("key_comment", sa.Text(), nullable=False),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("why", sa.Text()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=False),
        sa.Column("delete_wanted", sa.Boolean(), nullable=False),
        sa.Column("delete_accepted_at", sa.DateTime(timezone=True)),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("empty_since", sa.DateTime(timezone=True)),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("gpu", sa.Text(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="attempts_rental_id_fk"),
        sa.PrimaryKeyConstraint("rental_id", "n", name="attempts_pk"),
    )
    _partial_index("attempts_live", "attempts", ["rental_id"], "live", unique=True)
    op.create_index("attempts_name", "attempts", ["resource_name"], unique=True)
    op.create_index("attempts_offer", "attempts", ["offer_id"], unique=True)
    _partial_index("attempts_ready", "attempts", ["vendor", "gpu", "ready_at"], "ready_at IS NOT NULL")
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rental_id", sa.Text()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text()),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="events_rental_id_fk"),
        sa.PrimaryKeyConstraint("id", name="events_pk"),
    )
    op.create_index("events_rental", "events", ["rental_id", "id"])
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("rental_id", sa.Text()),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite")),
        sa.Column("quote_id", sa.Text()),
        sa.Column("envelope", sa.Integer()),
        sa.Column("body", sa.Text()),
        sa.Column("broadcast", sa.Boolean(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text()),
        sa.Column("ts", sa.Text()),
        sa.Column("posted_at", sa.DateTime(timezone=True)),
        sa.Column("sending", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("urgent", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="messages_event_id_fk"),
        sa.ForeignKeyConstraint(["quote_id"], ["quotes.id"], name="messages_quote_id_fk"),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="messages_rental_id_fk"),
        sa.PrimaryKeyConstraint("id", name="messages_pk"),
    )
    _partial_index("messages_card", "messages", ["rental_id"], "kind = 'card'", unique=True)
    _partial_index("messages_due", "messages", ["due_at"], "due_at IS NOT NULL")
    op.create_index("messages_once", "messages", ["event_id", "kind", "to"], unique=True)
    op.create_index("messages_rental", "messages", ["rental_id", "id"])
    op.create_table(
        "resources",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rate", sa.Text()),
        sa.Column("valid_from", sa.DateTime(timezone=True)),
        sa.Column("valid_to", sa.DateTime(timezone=True)),
        sa.Column("host", sa.Text()),
        sa.Column("port", sa.Integer()),
        sa.Column("delete_accepted_at", sa.DateTime(timezone=True)),
        sa.Column("missing_since", sa.DateTime(timezone=True)),
        sa.Column("gone_at", sa.DateTime(timezone=True)),
        sa.Column("last_answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rental_id", "attempt"], ["attempts.rental_id", "attempts.n"], name="resources_rental_id_fk"
        ),
        sa.PrimaryKeyConstraint("resource_id", name="resources_pk"),
    )
    _partial_index("resources_alive", "resources", ["rental_id"], "gone_at IS NULL")
    op.create_index("resources_rental", "resources", ["rental_id"])
    op.create_table(
        "ledger",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rate", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="ledger_rental_id_fk"),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.resource_id"], name="ledger_resource_id_fk"),
        sa.PrimaryKeyConstraint("resource_id", name="ledger_pk"),
    )
    op.create_index("ledger_rental", "ledger", ["rental_id"])
