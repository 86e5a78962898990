"""The database tables.

A column has the same name as the model's field that it stores. Some fields of a rental are models themselves, such
as its lease. The columns of these models begin with the name of the rental's field: `lease_ends_at`. Columns that
don't store a field have a comment.

Each frequent query has an index with only the rows that it needs, such as due or live rows. The query therefore
doesn't become slower as the history grows. The migrations create the same schema; a test compares them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ClauseElement,
    Column,
    Connection,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    and_,
    event,
    text,
)

from bot.model.account_facts import Counter
from bot.model.admin_question import Decided, Subject
from bot.model.attempt import AttemptState, Marker, SentScript, Why
from bot.model.budget import UNASSIGNED, MonthPart, ScopeKind
from bot.model.event import EventKind
from bot.model.gpu_health import GpuHealth
from bot.model.job import MachineJobs, Progress, UntilDone
from bot.model.login import SealedSecret
from bot.model.machine_use import GpuUse, Missed, OnEnding, SetupProgress, Use
from bot.model.message import MessageKind, NextCall
from bot.model.offer import Offer
from bot.model.quote import Nearby, QuoteState, WaitlistEntry
from bot.model.records import PolicyFile
from bot.model.rental import Decider, Extension, GracefulDestroy, Question
from bot.model.request import OfferQuery, Request, Terms
from bot.model.state import State
from bot.model.token import (
    Crowd,
    DecidedTerms,
    HeartbeatEnd,
    LostHeartbeat,
    Program,
    RequestedTerms,
    TokenState,
    TokenTerms,
)
from store.columns import BigId, DecimalText, DestinationText, EnumText, JsonText, SafeText, UtcDateTime

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "uq": "%(table_name)s_%(column_0_name)s_key",
    }
)


@event.listens_for(metadata, "before_create")
def _set_conditions(_: MetaData, connection: Connection, **__: object) -> None:
    """Give each partial index its condition, in the form that this kind of database needs.

    Only `create_all` needs the conditions, because migrations contain their own. If the conditions were arguments
    of Index, every start of the bot would have to import SQLAlchemy's dialects for both databases.
    """
    kind = connection.dialect.name
    for index in (index for table in metadata.tables.values() for index in table.indexes if index.info):
        index.dialect_kwargs[f"{kind}_where"] = index.info[kind]


def _partial_index(name: str, *columns: Column[Any], where: ClauseElement, unique: bool = False) -> None:
    """Add an index that contains only the rows that match a condition."""
    # SQLite uses a partial index only if the query contains the condition of the index in exactly the same words.
    # SQLAlchemy writes a Boolean column in a query as `NAME = 1`, so write the condition of the index in the same
    # way.
    on_sqlite = text(f"{where.name} = 1") if isinstance(where, Column) else where
    Index(name, *columns, unique=unique, info={"postgresql": where, "sqlite": on_sqlite})


def _text(name: str) -> Column[str]:
    return Column(name, SafeText, nullable=False)


def _optional_text(name: str, *, key: str | None = None) -> Column[str]:
    return Column(name, SafeText, key=key)


def _bool(name: str, *, key: str | None = None) -> Column[bool]:
    return Column(name, Boolean, nullable=False, key=key)


def _int(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _time(name: str, *, nullable: bool = True, key: str | None = None) -> Column[Any]:
    return Column(name, UtcDateTime, nullable=nullable, key=key)


def _json(name: str, kind: Any, *, nullable: bool = True, key: str | None = None) -> Column[Any]:
    return Column(name, JsonText(kind), nullable=nullable, key=key)


def _project() -> Column[str]:
    return Column("project", SafeText, nullable=False, server_default=UNASSIGNED)


def _claim() -> tuple[Column[Any], Column[Any]]:
    """Create the columns of a claim: its holder, and its expiry by the database server's clock."""
    return _optional_text("claimed_by"), _time("claimed_until")


quotes = Table(
    "quotes",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("state", EnumText(QuoteState), nullable=False),
    _text("owner"),
    _text("asked_in"),
    _project(),
    _optional_text("card_channel"),
    _json("request", Request, nullable=False),
    _bool("rent_now"),
    _optional_text("changes"),
    _optional_text("replaces_rental"),
    Column("reply_to", DestinationText),
    _bool("replaces"),
    _time("created_at", nullable=False),
    _json("offers", tuple[Offer, ...], nullable=False),
    _json("nearby", tuple[Nearby, ...], nullable=False),
    _optional_text("rental_id"),
    _optional_text("clicked_offer"),
    _bool("clicked_another"),
    _json("wish", WaitlistEntry, key="waitlist_entry"),
    _optional_text("token_id"),
    _optional_text("waits_for"),
    _time("due_at"),
    *_claim(),
)
Index("quotes_owner", quotes.c.owner, quotes.c.created_at)
_partial_index("quotes_unused", quotes.c.created_at, where=quotes.c.rental_id.is_(None))
HAS_OFFERS = text("offers <> '[]'")  # literal SQL: with a parameter, SQLite wouldn't use the index
_partial_index("quotes_with_offers", quotes.c.created_at, where=HAS_OFFERS)
_partial_index("quotes_reply_to", quotes.c.created_at, where=quotes.c.reply_to.is_not(None))
_partial_index("quotes_waits_for", quotes.c.waits_for, where=quotes.c.waits_for.is_not(None))

shared_searches = Table(
    "shared_searches",
    metadata,
    Column("id", SafeText, primary_key=True),  # quotes refer to it in `waits_for`
    _json("query", OfferQuery, nullable=False),
    _time("asked_at"),
    _int("misses"),
    _time("due_at"),
    *_claim(),
)

jobs = Table("jobs", metadata, Column("id", SafeText, primary_key=True), _time("due_at"), *_claim())

tokens = Table(
    "tokens",
    metadata,
    Column("id", SafeText, primary_key=True),
    _int("version"),
    _text("owner"),
    _text("name"),
    Column("state", EnumText(TokenState), nullable=False),
    _json("terms", TokenTerms),
    _json("requested", RequestedTerms),
    _json("decided", DecidedTerms),
    _optional_text("approved_by"),
    _text("secret_hash"),
    _time("created_at", nullable=False),
    _time("last_used_at"),
    _text("refusal"),
    _json("crowd", Crowd),
    _time("crowded_at"),
    _time("over_at"),
    _optional_text("over_by"),
    _time("due_at"),
    _bool("live"),  # true until the token is over, for the unique index
)
Index("tokens_owner", tokens.c.owner, tokens.c.created_at)
Index("tokens_secret", tokens.c.secret_hash, unique=True)
_partial_index("tokens_name", tokens.c.owner, tokens.c.name, where=tokens.c.live, unique=True)
_partial_index("tokens_due", tokens.c.due_at, where=tokens.c.due_at.is_not(None))

logins = Table(
    "logins",
    metadata,
    Column("id", SafeText, primary_key=True),
    *(_text(name) for name in ("code", "public_key", "program", "host", "address")),
    _time("created_at", nullable=False),
    _time("expires_at", nullable=False),
    _optional_text("person"),
    _optional_text("token_id"),
    _json("secret", SealedSecret),
)
Index("logins_code", logins.c.code, unique=True)
Index("logins_expires", logins.c.expires_at)

rentals = Table(
    "rentals",
    metadata,
    Column("id", SafeText, primary_key=True),
    _int("version"),
    Column("state", EnumText(State), nullable=False),
    Column("quote_id", SafeText, ForeignKey("quotes.id"), unique=True),  # null for an adopted machine
    _text("owner"),
    _project(),
    _text("card_channel"),
    _json("request", Request, nullable=False),
    _json("teammates", tuple[str, ...], nullable=False),
    _text("clicked_offer"),
    _json("envelope", Terms, nullable=False, key="terms"),
    Column("waiting_decider", EnumText(Decider), key="decision_decider"),
    Column("waiting_why", EnumText(Why), key="decision_why"),
    Column("waiting_expires_at", UtcDateTime, key="decision_expires_at"),
    _json("wish", WaitlistEntry, key="waitlist_entry"),
    _optional_text("approved_by"),
    _time("approval_notice_at"),
    _time("created_at", nullable=False),
    _time("procuring_since"),
    _time("blocked_since"),
    Column("blocked_why", EnumText(Why)),
    _int("attempts"),
    _optional_text("gpu"),
    Column("rate", DecimalText),
    _optional_text("vendor"),
    _optional_text("vendor_region"),
    _time("accepted_at"),
    _time("quiet_since_real"),
    _optional_text("host"),
    Column("port", Integer),
    _optional_text("host_key"),
    _time("lease_ready_at"),
    _time("lease_ends_at"),
    _time("lease_latest_end"),
    _time("lease_kept_until"),
    _json("lease_until_done", UntilDone),
    _time("lease_notices_checked_at"),
    _time("lease_seen_at"),
    _json("lease_question", Question),
    _json("lease_script_first", GracefulDestroy, key="lease_graceful_destroy"),
    _json("lease_heartbeat_end", HeartbeatEnd),
    _time("lease_shown_later_at"),
    _json("use", Use),
    _time("probe_answered_at"),
    _json("setup_progress", SetupProgress),
    _json("on_ending", OnEnding),
    _time("on_ending_at"),
    _json("jobs", MachineJobs),
    _json("progress", Progress),
    _json("gpu_health", GpuHealth),
    _optional_text("token_id"),
    _optional_text("idempotency_key"),
    _json("program", Program),
    _time("heartbeat_at"),
    _json("lost_heartbeat", LostHeartbeat),
    _optional_text("replaces"),
    _optional_text("replaced_by"),
    _bool("bought_later", key="bought_after_backup"),
    _json("extension", Extension),
    Column("ending_outcome", EnumText(State)),
    Column("ending_why", EnumText(Why)),
    _optional_text("ending_by"),
    _time("ending_since"),
    _time("alarm_at"),
    Column("alarm_count", Integer),
    _optional_text("alarm_taken_on_by", key="alarm_acknowledged_by"),
    _time("over_at"),
    _time("due_at"),
    *_claim(),
    _bool("live"),  # true until the rental is over, for the index below
    _time("ends_from"),  # the end that overdue deletion uses, from store.rentals._ends_from
    Column("cap_micros", BigInteger, nullable=False),  # terms.max_rate, rounded up, so that SQL can add it
)
Index("rentals_owner", rentals.c.owner, rentals.c.created_at)
# The column `live` seems superfluous in this index, because the index contains only rows in which it is true.
# Without this column, however, SQLite would use the index `rentals_owner`, which also contains past rentals.
_live = (rentals.c.live, rentals.c.owner, rentals.c.cap_micros, rentals.c.id)
_partial_index("rentals_live", *_live, where=rentals.c.live)
Index("rentals_over", rentals.c.over_at)
_partial_index("rentals_end", rentals.c.ends_from, where=rentals.c.ends_from.is_not(None))
_by_program = rentals.c.token_id.is_not(None)
_partial_index("rentals_key", rentals.c.token_id, rentals.c.idempotency_key, where=_by_program, unique=True)
_partial_index("rentals_token", rentals.c.token_id, rentals.c.created_at, where=_by_program)
_live_by_program = and_(rentals.c.live, _by_program)
_partial_index("rentals_token_live", rentals.c.token_id, rentals.c.created_at, where=_live_by_program)

attempts = Table(
    "attempts",
    metadata,
    Column("rental_id", SafeText, ForeignKey("rentals.id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("state", EnumText(AttemptState), nullable=False),
    _json("offer", Offer),  # null for an adopted machine, as are `resource_name` and `offer_id`
    _optional_text("resource_name"),
    _text("public_key"),
    _text("key_comment"),
    _json("script", SentScript),
    _time("intended_at", nullable=False),
    _time("answered_at"),
    Column("why", EnumText(Why)),
    _text("detail"),
    _bool("accepted"),
    Column("marked_by", EnumText(Marker)),
    _time("delete_accepted_at"),
    _bool("extra", key="orphaned"),
    _time("empty_since"),
    _optional_text("offer_id"),  # for the unique index: only one attempt can use an offer
    _text("vendor"),  # vendor and `gpu` of the offer or adopted machine, for the median time to ready
    _text("gpu"),
    Column("rate", DecimalText, nullable=False),  # used for resources whose rate the API doesn't report
    _bool("live"),  # for the unique index: a rental has at most one live attempt
    _time("ready_at"),  # the time at which the rental became ready
    _time("gpu_fault_at"),  # the time at which a GPU of the machine was first found to be faulty
)
Index("attempts_offer", attempts.c.offer_id, unique=True)
Index("attempts_name", attempts.c.resource_name, unique=True)
_partial_index("attempts_live", attempts.c.rental_id, where=attempts.c.live, unique=True)
_ready = (attempts.c.vendor, attempts.c.gpu, attempts.c.ready_at)
_partial_index("attempts_ready", *_ready, where=attempts.c.ready_at.is_not(None))
Index("attempts_place", attempts.c.vendor, attempts.c.gpu, attempts.c.intended_at)  # for success rates

resources = Table(
    "resources",
    metadata,
    Column("resource_id", SafeText, primary_key=True),
    _text("rental_id"),
    _int("attempt"),
    _text("status"),
    _time("first_seen", nullable=False),
    _time("read_at", nullable=False),
    Column("rate", DecimalText),
    _time("valid_from"),
    _time("valid_to"),
    _optional_text("host"),
    Column("port", Integer),
    _time("delete_accepted_at"),
    _time("missing_since"),
    _time("gone_at", key="terminated_at"),
    _text("last_answer"),
    ForeignKeyConstraint(["rental_id", "attempt"], ["attempts.rental_id", "attempts.n"]),
)
Index("resources_rental", resources.c.rental_id)
_partial_index("resources_alive", resources.c.rental_id, where=resources.c.terminated_at.is_(None))

ledger = Table(
    "ledger",
    metadata,
    Column("resource_id", SafeText, ForeignKey("resources.resource_id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("rental_id", SafeText, ForeignKey("rentals.id"), nullable=False),
    _text("owner"),
    _time("started_at", nullable=False),
    _time("ended_at", nullable=False),
    Column("rate", DecimalText, nullable=False),
    Column("amount", BigInteger, nullable=False),
    _bool("estimated"),
)
Index("ledger_rental", ledger.c.rental_id)

charges = Table(
    "charges",
    metadata,
    Column("resource_id", SafeText, primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("started_at", UtcDateTime, primary_key=True),
    _time("ended_at", nullable=False),
    Column("rental_id", SafeText, ForeignKey("rentals.id"), nullable=False),
    _text("month"),
    _text("owner"),
    _text("project"),
    _int("gpus"),
    Column("rate", DecimalText, nullable=False),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ("amount", "used", "connected", "idle", "unknown", "late")
    ),
    _bool("estimated"),
    _bool("correction"),
    ForeignKeyConstraint(["resource_id", "n"], ["ledger.resource_id", "ledger.n"]),
)
Index("charges_month", charges.c.month)
Index("charges_rental", charges.c.rental_id)

balances = Table(
    "balances",
    metadata,
    Column("month", SafeText, primary_key=True),
    Column("kind", EnumText(ScopeKind), primary_key=True),
    Column("name", SafeText, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in ("reserved", "spent", "late")),
    _int("alerted"),
    _time("alert_due_at"),
    _optional_text("alert_to"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("rental_id", SafeText, ForeignKey("rentals.id"), primary_key=True),
    Column("month", SafeText, primary_key=True),
    Column("owner", SafeText, primary_key=True),
    _text("project"),
    Column("amount", BigInteger, nullable=False),
)

filed_months = Table(
    "filed_months",
    metadata,
    Column("month", SafeText, primary_key=True),
    _time("filed_at", nullable=False),
    _text("file"),  # the content of the file, exactly as it was sent
)

probe_runs = Table(
    "visits",
    metadata,
    Column("rental_id", SafeText, ForeignKey("rentals.id"), primary_key=True),
    _time("due_at"),
    *_claim(),
)

for _table in (quotes, shared_searches, rentals, probe_runs):
    _partial_index(f"{_table.name}_due", _table.c.due_at, where=_table.c.due_at.is_not(None))

samples = Table(
    "samples",
    metadata,
    Column("rental_id", SafeText, ForeignKey("rentals.id"), primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    _json("gpus", tuple[GpuUse, ...], nullable=False),
    _json("peers", tuple[str, ...], nullable=False),
    Column("missed", EnumText(Missed)),
)
Index("samples_at", samples.c.at)

probe_answers = Table(
    "probe_answers",
    metadata,
    Column("rental_id", SafeText, ForeignKey("rentals.id"), primary_key=True),
    _text("vendor"),
    _time("at", nullable=False),
    _bool("answered"),
)
Index("probe_answers_vendor", probe_answers.c.vendor, probe_answers.c.at)

events = Table(
    "events",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("rental_id", SafeText, ForeignKey("rentals.id")),
    Column("kind", EnumText(EventKind), nullable=False),
    _time("at", nullable=False),
    _optional_text("actor"),
    _json("facts", Any, nullable=False),  # those fields of Facts that this kind of event uses
)
Index("events_rental", events.c.rental_id, events.c.id)
OWNER_CHANGED = text("kind = 'owner_changed'")  # literal SQL: with a parameter, SQLite wouldn't use the index
_partial_index("events_owner_changed", events.c.rental_id, where=OWNER_CHANGED)

admin_questions = Table(
    "admin_questions",
    metadata,
    Column("id", SafeText, primary_key=True),
    _int("version"),
    _json("about", Subject, nullable=False),
    Column("rental_id", SafeText, ForeignKey("rentals.id")),
    _optional_text("part_of"),
    Column("event_id", BigId),
    _json("asked", tuple[str, ...], nullable=False),
    _time("found_at", nullable=False),
    _time("asked_at", nullable=False),
    _time("ask_again_at"),
    _optional_text("put_off_by"),
    _json("decided", Decided),
    _time("over_at"),
    _bool("pauses_buying"),
)
_q = admin_questions.c
Index("admin_questions_rental", _q.rental_id)
_partial_index("admin_questions_parts", _q.part_of, where=_q.part_of.is_not(None))
_partial_index("admin_questions_not_over", _q.found_at, where=_q.over_at.is_(None))
_partial_index("admin_questions_pausing", _q.pauses_buying, where=_q.pauses_buying)

messages = Table(
    "messages",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("kind", EnumText(MessageKind), nullable=False),
    Column("to", DestinationText, nullable=False),
    Column("rental_id", SafeText, ForeignKey("rentals.id")),
    Column("event_id", BigId, ForeignKey("events.id")),
    Column("quote_id", SafeText, ForeignKey("quotes.id")),
    Column("question_id", SafeText, ForeignKey("admin_questions.id")),
    _optional_text("token_id"),
    _json("body", dict[str, Any]),
    _json("charges_of", MonthPart),
    _bool("broadcast"),
    _int("target_version"),
    _int("shown_version"),
    _text("digest"),
    _optional_text("channel"),
    _optional_text("ts"),
    _time("posted_at"),
    _bool("sending"),
    Column("next_call", EnumText(NextCall), nullable=False, server_default=NextCall.POST),
    _int("tries"),
    _bool("closed"),
    _time("created_at", nullable=False),
    _time("due_at"),
    _bool("urgent"),  # whether the next edit shows a transition
    Column("compare_with", Integer, key="version_at_start"),
    _time("refresh_at"),
    _time("webhook_due_at"),
)
_m = messages.c
Index("messages_rental", _m.rental_id, _m.id)
Index("messages_question", _m.question_id)
_partial_index("messages_quote", _m.quote_id, where=_m.quote_id.is_not(None))
_partial_index("messages_token", _m.token_id, where=_m.token_id.is_not(None))
_partial_index("messages_closed", _m.created_at, where=_m.closed)
TO_RESPONSE_URL = text("""substr("to", 1, 4) = 'http'""")
_partial_index("messages_answers", _m.created_at, where=TO_RESPONSE_URL)
Index("messages_once", _m.event_id, _m.kind, _m.to, unique=True)
_partial_index("messages_card", _m.rental_id, where=_m.kind == MessageKind.CARD, unique=True)
_partial_index("messages_ts", _m.ts, where=text("ts IS NOT NULL AND rental_id IS NOT NULL"))
IS_HOME = text("kind = 'home'")
_partial_index("messages_home", _m.to, where=IS_HOME, unique=True)
IS_REMINDER = text("kind = 'reminder'")  # literal SQL: with a parameter, SQLite wouldn't use the index
_partial_index("messages_reminders", _m.closed, where=IS_REMINDER)
_partial_index("messages_due", _m.due_at, where=_m.due_at.is_not(None))
_partial_index("messages_refresh", _m.refresh_at, where=_m.refresh_at.is_not(None))
_partial_index("messages_webhooks", _m.to, _m.webhook_due_at, _m.id, where=_m.webhook_due_at.is_not(None))

people = Table(
    "people",
    metadata,
    Column("id", SafeText, primary_key=True),
    _text("name"),
    _text("tz"),
    _bool("guest"),
    _bool("deactivated"),
    _bool("outsider"),
    _bool("bot"),
    _json("groups", frozenset[str], nullable=False),
    _time("asked_at", nullable=False),  # wall-clock time of the query to Slack
    _time("left_at"),  # wall-clock time at which Slack first reported them as deactivated
)
Index("people_asked", people.c.asked_at)
_partial_index("people_left", people.c.left_at, where=people.c.left_at.is_not(None))

person_keys = Table(
    "person_keys",
    metadata,
    Column("user_id", SafeText, primary_key=True),
    Column("fingerprint", SafeText, primary_key=True),
    _int("position"),  # the order of a person's keys, lowest first
    _text("line"),
    _text("comment"),
)

channels = Table(
    "channels",
    metadata,
    Column("id", SafeText, primary_key=True),
    _bool("member"),
    _bool("direct"),
    _bool("shared"),
    _optional_text("name"),
    _time("asked_at", nullable=False),  # wall-clock time of the query to Slack
)

account = Table(
    "account",
    metadata,
    Column("name", SafeText, primary_key=True),
    Column("key", SafeText, primary_key=True),
    _text("value"),  # JSON of the type that bot/model/account_facts.py names
)

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=False),
    _time("at", nullable=False),
    _optional_text("by"),
    _json("file", PolicyFile, nullable=False),
)

counters = Table("counters", metadata, Column("name", EnumText(Counter), primary_key=True), _int("count"))

probe_key = Table("probe_key", metadata, Column("private_key", SafeText, primary_key=True))

answered_messages = Table(
    "answered_messages",
    metadata,
    Column("message", SafeText, primary_key=True),  # channel and time of the message: `C0GPUS:1700000000.1`
    _time("at", nullable=False),  # wall-clock time
)
