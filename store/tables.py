"""The tables. A column has the name of the model's field that it keeps; the few that no model has say why.

Each query that runs again and again has an index over just the rows that it is about (what is due, live, open),
so that its cost follows these and not all that ever was. migrations/ makes the same schema; a test compares.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    false,
    text,
)

from bot.model.attempt import AttemptState, Why
from bot.model.event import EventKind, Facts
from bot.model.message import MessageKind
from bot.model.offer import Offer
from bot.model.quote import Nearby, QuoteState
from bot.model.rental import Decider, Extension
from bot.model.request import Envelope, Request
from bot.model.state import State
from store.columns import BigId, DecimalText, DestinationText, EnumText, JsonText, SafeText, UtcDateTime

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "uq": "%(table_name)s_%(column_0_name)s_key",
    }
)

# Written as SQLAlchemy writes the condition in a query: SQLite uses the index for that very expression only.
_LIVE = text("live = 1")


def _text(name: str) -> Column[str]:
    return Column(name, SafeText, nullable=False)


def _maybe(name: str) -> Column[str]:
    return Column(name, SafeText)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _moment(name: str, *, nullable: bool = True) -> Column[Any]:
    return Column(name, UtcDateTime, nullable=nullable)


quotes = Table(
    "quotes",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("state", EnumText(QuoteState), nullable=False),
    _text("owner"),
    _text("asked_in"),
    _maybe("card_channel"),
    Column("request", JsonText[Request](Request), nullable=False),
    _flag("rent_now"),
    _maybe("changes"),
    _maybe("reply_url"),
    _flag("replaces"),
    _moment("created_at", nullable=False),
    _moment("found_at"),
    Column("offers", JsonText[tuple[Offer, ...]](tuple[Offer, ...]), nullable=False),
    Column("nearby", JsonText[tuple[Nearby, ...]](tuple[Nearby, ...]), nullable=False),
    _maybe("rental_id"),
    _moment("due_at"),
    _maybe("claimed_by"),  # which engine is at work on it
)
Index("quotes_owner", quotes.c.owner, quotes.c.created_at)

rentals = Table(
    "rentals",
    metadata,
    Column("id", SafeText, primary_key=True),
    _count("version"),
    Column("state", EnumText(State), nullable=False),
    Column("quote_id", SafeText, ForeignKey("quotes.id"), nullable=False, unique=True),
    _text("owner"),
    _text("card_channel"),
    Column("request", JsonText[Request](Request), nullable=False),
    _text("clicked_offer"),
    Column("envelope", JsonText[Envelope](Envelope), nullable=False),
    Column("decider", EnumText(Decider)),
    Column("asked_why", EnumText(Why)),
    _maybe("approved_by"),
    _moment("created_at", nullable=False),
    _moment("lapses_at"),
    _moment("procuring_since"),
    _moment("kept_since"),
    Column("kept_why", EnumText(Why)),
    _count("attempts"),
    Column("rate", DecimalText),
    _maybe("vendor"),
    _maybe("vendor_region"),
    _moment("accepted_at"),
    _text("progress"),
    _moment("quiet_since_real"),
    _maybe("host"),
    Column("port", Integer),
    _moment("ready_at"),
    _moment("ends_at"),
    _count("notices_given"),
    Column("extension", JsonText[Extension](Extension)),
    _moment("ask_at"),
    _count("asked_times"),
    _moment("seen_at"),
    Column("end", EnumText(State)),
    Column("end_why", EnumText(Why)),
    _maybe("end_by"),
    _moment("destroying_since"),
    _moment("alarm_at"),
    _count("alarms"),
    _maybe("taken_on_by"),
    _moment("over_at"),
    _moment("due_at"),
    _maybe("claimed_by"),  # which engine is at work on it
    _flag("live"),  # whether its state is not over, for the index below
    _moment("ends_from"),  # the moment from which its machine's end is counted; none once nothing is left to do
    Column("cap_micros", BigInteger, nullable=False),  # envelope.max_rate an hour, rounded up: SQL adds these up
)
Index("rentals_owner", rentals.c.owner, rentals.c.created_at)
Index(
    "rentals_live",
    rentals.c.live,  # the same in all: it only makes SQLite prefer this index to the one above
    rentals.c.owner,
    rentals.c.cap_micros,
    rentals.c.id,
    sqlite_where=_LIVE,
    postgresql_where=rentals.c.live,
)
_unfinished = rentals.c.ends_from.is_not(None)
Index("rentals_end", rentals.c.ends_from, sqlite_where=_unfinished, postgresql_where=_unfinished)

for _table in (quotes, rentals):
    _due = _table.c.due_at.is_not(None)
    Index(f"{_table.name}_due", _table.c.due_at, sqlite_where=_due, postgresql_where=_due)
    _claimed = _table.c.claimed_by.is_not(None)
    Index(f"{_table.name}_claimed", _table.c.claimed_by, sqlite_where=_claimed, postgresql_where=_claimed)

attempts = Table(
    "attempts",
    metadata,
    Column("rental_id", SafeText, ForeignKey("rentals.id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("state", EnumText(AttemptState), nullable=False),
    Column("offer", JsonText[Offer](Offer), nullable=False),
    _text("resource_name"),
    _text("public_key"),
    _text("key_comment"),
    _moment("intended_at", nullable=False),
    _moment("answered_at"),
    Column("why", EnumText(Why)),
    _text("detail"),
    _flag("accepted"),
    _text("progress"),
    _flag("delete_wanted"),
    _moment("delete_accepted_at"),
    _flag("late"),
    _moment("empty_since"),
    _text("offer_id"),  # the offer's, for the index that gives each offer one attempt
    _text("vendor"),  # the offer's, as gpu: for how long machines there usually take
    _text("gpu"),
    Column("rate", DecimalText, nullable=False),  # the offer's: for what is alive, where the API says no price
    _flag("live"),  # Attempt.live, for the index that gives each rental one live attempt
    _moment("ready_at"),  # when its rental became ready
)
Index("attempts_offer", attempts.c.offer_id, unique=True)
Index("attempts_name", attempts.c.resource_name, unique=True)
Index(
    "attempts_live",
    attempts.c.rental_id,
    unique=True,
    sqlite_where=_LIVE,
    postgresql_where=attempts.c.live,
)
_ready = attempts.c.ready_at.is_not(None)
Index(
    "attempts_ready",
    attempts.c.vendor,
    attempts.c.gpu,
    attempts.c.ready_at,
    sqlite_where=_ready,
    postgresql_where=_ready,
)

resources = Table(
    "resources",
    metadata,
    Column("resource_id", SafeText, primary_key=True),
    _text("rental_id"),
    _count("attempt"),
    _text("status"),
    _moment("first_seen", nullable=False),
    _moment("read_at", nullable=False),
    Column("rate", DecimalText),
    _moment("valid_from"),
    _moment("valid_to"),
    _maybe("host"),
    Column("port", Integer),
    _moment("delete_accepted_at"),
    _moment("missing_since"),
    _moment("gone_at"),
    _text("last_answer"),
    ForeignKeyConstraint(["rental_id", "attempt"], ["attempts.rental_id", "attempts.n"]),
)
Index("resources_rental", resources.c.rental_id)
_alive = resources.c.gone_at.is_(None)
Index("resources_alive", resources.c.rental_id, sqlite_where=_alive, postgresql_where=_alive)

ledger = Table(
    "ledger",
    metadata,
    Column("resource_id", SafeText, ForeignKey("resources.resource_id"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("rental_id", SafeText, ForeignKey("rentals.id"), nullable=False),
    _text("owner"),
    _moment("started_at", nullable=False),
    _moment("ended_at", nullable=False),
    Column("rate", DecimalText, nullable=False),
    Column("amount", BigInteger, nullable=False),
    _flag("estimated"),
)
Index("ledger_rental", ledger.c.rental_id)

events = Table(
    "events",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("rental_id", SafeText, ForeignKey("rentals.id")),
    Column("kind", EnumText(EventKind), nullable=False),
    _moment("at", nullable=False),
    _maybe("actor"),
    Column("facts", JsonText[Facts](Facts), nullable=False),
)
Index("events_rental", events.c.rental_id, events.c.id)

messages = Table(
    "messages",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("kind", EnumText(MessageKind), nullable=False),
    Column("to", DestinationText, nullable=False),
    Column("rental_id", SafeText, ForeignKey("rentals.id")),
    Column("event_id", BigId, ForeignKey("events.id")),
    Column("quote_id", SafeText, ForeignKey("quotes.id")),
    Column("envelope", Integer),
    Column("body", JsonText[dict[str, Any]](dict[str, Any])),
    _flag("broadcast"),
    _count("wanted"),
    _count("shown"),
    _text("digest"),
    _maybe("channel"),
    _maybe("ts"),
    _moment("posted_at"),
    _flag("sending"),
    _count("tries"),
    _flag("closed"),
    _moment("created_at", nullable=False),
    _moment("due_at"),
    Column("urgent", Boolean, nullable=False, server_default=false()),  # its next edit shows a transition
    _moment("refresh_at"),
)
Index("messages_rental", messages.c.rental_id, messages.c.id)
Index("messages_once", messages.c.event_id, messages.c.kind, messages.c.to, unique=True)
_card = messages.c.kind == MessageKind.CARD
Index("messages_card", messages.c.rental_id, unique=True, sqlite_where=_card, postgresql_where=_card)
_open = messages.c.due_at.is_not(None)
Index("messages_due", messages.c.due_at, sqlite_where=_open, postgresql_where=_open)
_moves = messages.c.refresh_at.is_not(None)
Index("messages_refresh", messages.c.refresh_at, sqlite_where=_moves, postgresql_where=_moves)

people = Table(
    "people",
    metadata,
    Column("id", SafeText, primary_key=True),
    _text("name"),
    _text("tz"),
    _flag("guest"),
    _flag("deactivated"),
    _flag("outsider"),
    _flag("bot"),
    Column("groups", JsonText[frozenset[str]](frozenset[str]), nullable=False),
    _moment("asked_at", nullable=False),  # real time at which Slack said so
)

keys = Table(
    "keys",
    metadata,
    Column("user_id", SafeText, primary_key=True),
    _text("line"),
    _text("comment"),
    _text("fingerprint"),
    _moment("set_at", nullable=False),
)

channels = Table(
    "rooms",
    metadata,
    Column("id", SafeText, primary_key=True),
    _flag("member"),
    _flag("direct"),
    _flag("shared"),
    _moment("asked_at", nullable=False),  # real time at which Slack said so
)

account = Table(
    "account",
    metadata,
    Column("name", SafeText, primary_key=True),
    _text("value"),
)
