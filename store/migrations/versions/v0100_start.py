"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0100"
down_revision = None


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    on_sqlite = f"{where} = 1" if where in {"live", "pauses_buying"} else where
    op.create_index(
        name, table, columns, unique=unique, sqlite_where=sa.text(on_sqlite), postgresql_where=sa.text(where)
    )


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "key", name="account_pk"),
    )
    op.create_table(
        "answered_messages",
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message", name="answered_messages_pk"),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="counters_pk"),
    )
    op.create_table(
        "probe_key",
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("private_key", name="probe_key_pk"),
    )
    op.create_table(
        "channels",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("member", sa.Boolean(), nullable=False),
        sa.Column("direct", sa.Boolean(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="channels_pk"),
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
        "person_keys",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "fingerprint", name="person_keys_pk"),
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
        sa.Column("replaces_rental", sa.Text()),
        sa.Column("reply_to", sa.Text()),
        sa.Column("replaces", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offers", sa.Text(), nullable=False),
        sa.Column("nearby", sa.Text(), nullable=False),
        sa.Column("rental_id", sa.Text()),
        sa.Column("clicked_offer", sa.Text()),
        sa.Column("clicked_another", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="quotes_pk"),
    )
    _partial_index("quotes_due", "quotes", ["due_at"], "due_at IS NOT NULL")
    op.create_index("quotes_owner", "quotes", ["owner", "created_at"])
    op.create_table(
        "rentals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("quote_id", sa.Text()),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("card_channel", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("teammates", sa.Text(), nullable=False),
        sa.Column("clicked_offer", sa.Text(), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("waiting_decider", sa.Text()),
        sa.Column("waiting_why", sa.Text()),
        sa.Column("waiting_expires_at", sa.DateTime(timezone=True)),
        sa.Column("approved_by", sa.Text()),
        sa.Column("approval_notice_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("procuring_since", sa.DateTime(timezone=True)),
        sa.Column("blocked_since", sa.DateTime(timezone=True)),
        sa.Column("blocked_why", sa.Text()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("gpu", sa.Text()),
        sa.Column("rate", sa.Text()),
        sa.Column("vendor", sa.Text()),
        sa.Column("vendor_region", sa.Text()),
        sa.Column("accepted_at", sa.DateTime(timezone=True)),
        sa.Column("quiet_since_real", sa.DateTime(timezone=True)),
        sa.Column("host", sa.Text()),
        sa.Column("port", sa.Integer()),
        sa.Column("host_key", sa.Text()),
        sa.Column("lease_ready_at", sa.DateTime(timezone=True)),
        sa.Column("lease_ends_at", sa.DateTime(timezone=True)),
        sa.Column("lease_latest_end", sa.DateTime(timezone=True)),
        sa.Column("lease_notices_checked_at", sa.DateTime(timezone=True)),
        sa.Column("lease_seen_at", sa.DateTime(timezone=True)),
        sa.Column("lease_question", sa.Text()),
        sa.Column("use", sa.Text()),
        sa.Column("probe_answered_at", sa.DateTime(timezone=True)),
        sa.Column("setup_progress", sa.Text()),
        sa.Column("replaces", sa.Text()),
        sa.Column("replaced_by", sa.Text()),
        sa.Column("bought_later", sa.Boolean(), nullable=False),
        sa.Column("extension", sa.Text()),
        sa.Column("ending_outcome", sa.Text()),
        sa.Column("ending_why", sa.Text()),
        sa.Column("ending_by", sa.Text()),
        sa.Column("ending_since", sa.DateTime(timezone=True)),
        sa.Column("alarm_at", sa.DateTime(timezone=True)),
        sa.Column("alarm_count", sa.Integer()),
        sa.Column("alarm_taken_on_by", sa.Text()),
        sa.Column("over_at", sa.DateTime(timezone=True)),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("ends_from", sa.DateTime(timezone=True)),
        sa.Column("cap_micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["quote_id"], ["quotes.id"], name="rentals_quote_id_fk"),
        sa.PrimaryKeyConstraint("id", name="rentals_pk"),
        sa.UniqueConstraint("quote_id", name="rentals_quote_id_key"),
    )
    _partial_index("rentals_due", "rentals", ["due_at"], "due_at IS NOT NULL")
    _partial_index("rentals_end", "rentals", ["ends_from"], "ends_from IS NOT NULL")
    _partial_index("rentals_live", "rentals", ["live", "owner", "cap_micros", "id"], "live")
    op.create_index("rentals_over", "rentals", ["over_at"])
    op.create_index("rentals_owner", "rentals", ["owner", "created_at"])
    op.create_table(
        "attempts",
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("offer", sa.Text()),
        sa.Column("resource_name", sa.Text()),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("key_comment", sa.Text(), nullable=False),
        sa.Column("script", sa.Text()),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("why", sa.Text()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("marked_by", sa.Text()),
        sa.Column("delete_accepted_at", sa.DateTime(timezone=True)),
        sa.Column("extra", sa.Boolean(), nullable=False),
        sa.Column("empty_since", sa.DateTime(timezone=True)),
        sa.Column("offer_id", sa.Text()),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("gpu", sa.Text(), nullable=False),
        sa.Column("rate", sa.Text(), nullable=False),
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
        "probe_answers",
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="probe_answers_rental_id_fk"),
        sa.PrimaryKeyConstraint("rental_id", name="probe_answers_pk"),
    )
    op.create_index("probe_answers_vendor", "probe_answers", ["vendor", "at"])
    op.create_table(
        "samples",
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gpus", sa.Text(), nullable=False),
        sa.Column("peers", sa.Text(), nullable=False),
        sa.Column("missed", sa.Text()),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="samples_rental_id_fk"),
        sa.PrimaryKeyConstraint("rental_id", "at", name="samples_pk"),
    )
    op.create_index("samples_at", "samples", ["at"])
    op.create_table(
        "visits",
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="visits_rental_id_fk"),
        sa.PrimaryKeyConstraint("rental_id", name="visits_pk"),
    )
    _partial_index("visits_due", "visits", ["due_at"], "due_at IS NOT NULL")
    op.create_table(
        "admin_questions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("rental_id", sa.Text()),
        sa.Column("part_of", sa.Text()),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite")),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ask_again_at", sa.DateTime(timezone=True)),
        sa.Column("put_off_by", sa.Text()),
        sa.Column("decided", sa.Text()),
        sa.Column("over_at", sa.DateTime(timezone=True)),
        sa.Column("pauses_buying", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="admin_questions_rental_id_fk"),
        sa.PrimaryKeyConstraint("id", name="admin_questions_pk"),
    )
    _partial_index("admin_questions_not_over", "admin_questions", ["found_at"], "over_at IS NULL")
    _partial_index("admin_questions_parts", "admin_questions", ["part_of"], "part_of IS NOT NULL")
    _partial_index("admin_questions_pausing", "admin_questions", ["pauses_buying"], "pauses_buying")
    op.create_index("admin_questions_rental", "admin_questions", ["rental_id"])
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("rental_id", sa.Text()),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite")),
        sa.Column("quote_id", sa.Text()),
        sa.Column("question_id", sa.Text()),
        sa.Column("envelope", sa.Integer()),
        sa.Column("body", sa.Text()),
        sa.Column("broadcast", sa.Boolean(), nullable=False),
        sa.Column("target_version", sa.Integer(), nullable=False),
        sa.Column("shown_version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text()),
        sa.Column("ts", sa.Text()),
        sa.Column("posted_at", sa.DateTime(timezone=True)),
        sa.Column("sending", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("compare_with", sa.Integer()),
        sa.Column("refresh_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="messages_event_id_fk"),
        sa.ForeignKeyConstraint(["question_id"], ["admin_questions.id"], name="messages_question_id_fk"),
        sa.ForeignKeyConstraint(["quote_id"], ["quotes.id"], name="messages_quote_id_fk"),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="messages_rental_id_fk"),
        sa.PrimaryKeyConstraint("id", name="messages_pk"),
    )
    _partial_index("messages_card", "messages", ["rental_id"], "kind = 'card'", unique=True)
    _partial_index("messages_due", "messages", ["due_at"], "due_at IS NOT NULL")
    op.create_index("messages_once", "messages", ["event_id", "kind", "to"], unique=True)
    op.create_index("messages_question", "messages", ["question_id"])
    _partial_index("messages_refresh", "messages", ["refresh_at"], "refresh_at IS NOT NULL")
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
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rental_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rate", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["rental_id"], ["rentals.id"], name="ledger_rental_id_fk"),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.resource_id"], name="ledger_resource_id_fk"),
        sa.PrimaryKeyConstraint("resource_id", "n", name="ledger_pk"),
    )
    op.create_index("ledger_rental", "ledger", ["rental_id"])
