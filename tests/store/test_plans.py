"""Frequent statements read only the rows that they need, as the query plans show."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import event

from bot.model.account_facts import PAUSED
from bot.model.base import EVER
from bot.model.budget import MonthPart
from bot.model.event import EventKind
from bot.model.message import MessageKind, to_channel
from bot.model.person import Channel, Key, Person
from bot.model.records import Change, Claimed, UnfinishedAttempt, Unsendable
from bot.model.request import OfferQuery
from bot.model.token import Crowd, SlackThread
from bot.model.webhook import QueuedEvent, WebhookEvent
from store.db import Database, Tx
from tests.databases import START
from tests.store import make

Statements = list[tuple[str, Any]]

EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}
FULL_SCAN = {"sqlite": r"SCAN (?!due$|CONSTANT ROW$)(?!.* INDEX )", "postgresql": r".*Seq Scan"}
"""Matches a line of a plan that reads a whole table. `due` is the small set of rows that a claim has selected."""


@contextmanager
def watched(database: Database) -> Iterator[Statements]:
    """Collect the statements that run on the writing connection."""
    seen: Statements = []

    def running(_conn: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
        seen.append((sql, values))

    writer = database.engines.writer.sync_engine
    event.listen(writer, "before_cursor_execute", running)
    yield seen
    event.remove(writer, "before_cursor_execute", running)


async def plan(database: Database, statements: Statements) -> list[str]:
    """Return the lines of the query plans of these statements."""
    lines = []
    async with database.engines.writer.connect() as conn:
        kind = conn.dialect.name
        if kind == "postgresql":
            # Without this, PostgreSQL ignores all indexes, because these tables are small.
            await conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for sql, values in statements:
            if sql.startswith(("SELECT", "UPDATE", "WITH", "DELETE", "INSERT")):
                lines += [row[-1] for row in await conn.exec_driver_sql(f"{EXPLAIN[kind]} {sql}", values)]
        await conn.rollback()
    return lines


def full_scans(database: Database, lines: list[str]) -> list[str]:
    """Return the lines that read a whole table.

    The result of another part of the same query doesn't count as a table.
    """
    pattern = re.compile(FULL_SCAN[database.engines.writer.dialect.name])
    parts = {f"SCAN {line.removeprefix('CO-ROUTINE ')}" for line in lines if line.startswith("CO-ROUTINE ")}
    return [line for line in lines if pattern.match(line) and line not in parts]


UNSENDABLE = Unsendable(ids=frozenset({7}), channels=frozenset({"C0HOME"}))
RENTAL, MESSAGE = make.rental(), make.message(id=1)
UNFINISHED = UnfinishedAttempt(
    rental_id="k7mq2",
    n=1,
    newest=True,
    owner=make.ANA,
    offer_id="offer-1",
    intended_at=START,
    marked_for_deletion=False,
    accepted_at=None,
    ends_at=None,
    destroying_since=None,
    over_at=None,
)
CLAIMED = Claimed(id="k7mq2", due_at=START)
HOOK = "https://a.example.com"
EVENT = QueuedEvent(
    message_id=1,
    url=HOOK,
    rental_id="k7mq2",
    number=1,
    name=WebhookEvent.READY,
    at=START,
    due_at=START,
    tries=0,
)
KEY = Key(line="ssh-ed25519 AAAA", comment="", fingerprint="F")
THREAD = SlackThread(channel="C0GPUS", ts="1795532700.000100")
OF_ONE_PERSON = "rentals_live|rentals_owner"
"""SQLite uses the first index. PostgreSQL chooses by the number of rentals that the person has had."""
Query = Callable[[Tx], Awaitable[object]]


async def usage(tx: Tx, without: str | None = None) -> None:
    await tx.rentals.lock_spending()
    await tx.rentals.usage(make.ANA, without=without)


def with_one(query: Query) -> Query:
    """Return the query for a store that has a rental, because it would read nothing more in an empty one."""

    async def run(tx: Tx) -> None:
        await tx.quotes.add(make.quote(str(RENTAL.quote_id)))
        await tx.rentals.apply(Change(before=None, after=RENTAL))
        await query(tx)

    return run


async def accruing(tx: Tx, person: str | None) -> None:
    async for _ in tx.rentals.accruing(person):
        pass


async def drop_unused(tx: Tx) -> None:
    await tx.quotes.add(make.quote(created_at=START - timedelta(days=9)))
    assert await tx.quotes.drop_unused(START, 9) == 1


THROUGH_AN_INDEX: list[tuple[str, Query]] = [
    ("messages_home", lambda tx: tx.messages.any_home()),
    ("messages_home", lambda tx: tx.messages.show_homes()),
    ("messages_home", lambda tx: tx.messages.open_home(make.ANA, "")),
    ("messages_home", lambda tx: tx.messages.turn_home(make.ANA, 1)),
    ("rentals_due", lambda tx: tx.rentals.claim(START, 9, 20)),
    ("rentals_due", lambda tx: tx.rentals.next_due()),
    ("rentals_due", lambda tx: tx.rentals.claim(START, 9, 20, without=["a", "b"])),
    ("rentals_due", lambda tx: tx.rentals.next_due(without=["a", "b"])),
    ("quotes_due", lambda tx: tx.quotes.claim(START, 9, 20)),
    ("quotes_due", lambda tx: tx.quotes.next_due()),
    ("shared_searches_due", lambda tx: tx.searches.claim(START, 9, 20)),
    ("shared_searches_due", lambda tx: tx.searches.next_due()),
    ("quotes_waits_for", lambda tx: tx.quotes.waiting()),
    ("quotes_waits_for", lambda tx: tx.quotes.waiting_for("s1")),
    ("visits_due", lambda tx: tx.probe_runs.claim(START, 9, 20)),
    ("visits_due", lambda tx: tx.probe_runs.next_due()),
    ("samples_at", lambda tx: tx.samples.drop_before(START, 9)),
    ("probe_answers_vendor", lambda tx: tx.probe_answers.of_vendors(["hyperstack", "nebius"])),
    ("rentals_live", usage),
    ("rentals_live", partial(usage, without="x")),
    ("rentals_live", lambda tx: tx.rentals.live()),
    (OF_ONE_PERSON, lambda tx: tx.rentals.live(make.ANA)),
    ("rentals_live", lambda tx: tx.rentals.shared_with(make.ANA)),
    ("rentals_live", lambda tx: tx.rentals.idle()),
    ("rentals_live", lambda tx: tx.rentals.undecided()),
    ("rentals_live|rentals_token_live", lambda tx: tx.rentals.asked_in(THREAD)),
    ("rentals_live", lambda tx: tx.rentals.live_costs()),
    ("rentals_live", lambda tx: tx.rentals.states()),
    ("rentals_due", lambda tx: tx.rentals.unconfirmed()),
    ("rentals_live", lambda tx: tx.rentals.owners()),
    ("rentals_live", lambda tx: tx.rentals.running()),
    ("ledger_rental", with_one(lambda tx: tx.rentals.live_costs())),
    ("resources_rental|resources_alive", with_one(lambda tx: tx.rentals.live_costs())),
    ("resources_alive", partial(accruing, person=None)),
    ("events_owner_changed", partial(accruing, person=make.ANA)),
    (OF_ONE_PERSON, lambda tx: tx.people.note_seen(make.ANA, START)),
    ("resources_alive", lambda tx: tx.rentals.alive_resources()),
    ("resources_rental", lambda tx: tx.rentals.resources("k7mq2")),
    ("ledger_rental", lambda tx: tx.rentals.ledger("k7mq2")),
    ("attempts_ready", lambda tx: tx.rentals.median_time_to_ready("nebius", "h100")),
    ("attempts_place", lambda tx: tx.rentals.success_rates([("nebius", "h100"), ("hyperstack", "h100")])),
    ("attempts_offer", lambda tx: tx.rentals.attempt_by_offer("o1")),
    ("attempts_name", lambda tx: tx.rentals.attempt_by_name("gpubot-k7mq2-1")),
    ("admin_questions_not_over", lambda tx: tx.questions.not_over()),
    ("messages_reminders", lambda tx: tx.messages.show_reminders()),
    ("messages_quote", lambda tx: tx.messages.show_quote("q1")),
    ("messages_question", lambda tx: tx.messages.show_question("u7mq2")),
    ("admin_questions_parts", lambda tx: tx.questions.parts("u7mq2")),
    ("admin_questions_parts", lambda tx: tx.questions.has_open_part("u7mq2")),
    ("admin_questions_rental", lambda tx: tx.questions.of_rental("k7mq2")),
    ("admin_questions_pausing", lambda tx: tx.questions.pausing()),
    ("events_rental", lambda tx: tx.events.of("k7mq2")),
    ("events_rental", lambda tx: tx.events.of_many(["k7mq2", "p4wd9"], [EventKind.READY, EventKind.KEPT])),
    ("rentals_end", lambda tx: tx.overdue.past_end(START)),
    ("rentals_due", lambda tx: tx.overdue.oldest_due(without=())),
    ("quotes_due", lambda tx: tx.overdue.oldest_due(without=("a", "b"))),
    ("messages_due", lambda tx: tx.messages.due(START, 9)),
    ("messages_due", lambda tx: tx.messages.next_due()),
    ("messages_due", lambda tx: tx.messages.end_back_off()),
    ("messages_once", lambda tx: tx.messages.alert_of(7, to_channel("C1"))),
    ("events_rental", lambda tx: tx.events.other_end_of_pause(make.event(EventKind.PAUSED, None, id=7))),
    ("events_rental", lambda tx: tx.events.other_end_of_pause(make.event(EventKind.RESUMED, None, id=7))),
    ("messages_due", lambda tx: tx.messages.undelivered()),
    ("messages_refresh", lambda tx: tx.messages.to_refresh(START, 9, [7])),
    ("messages_refresh", lambda tx: tx.messages.next_refresh()),
    ("messages_webhooks", lambda tx: tx.webhooks.next(HOOK)),
    ("messages_webhooks", lambda tx: tx.webhooks.drop(START, [HOOK], 9)),
    ("messages_rental", with_one(lambda tx: tx.messages.add(make.message(MessageKind.WEBHOOK)))),
    ("messages_rental|messages_webhooks", lambda tx: tx.webhooks.note_failed(EVENT, START)),
    ("messages_answers", lambda tx: tx.messages.drop_answers(START, 9)),
    ("messages_closed", lambda tx: tx.messages.drop_closed(START, START, 9)),
    ("quotes_unused", drop_unused),
    ("messages_quote", drop_unused),
    ("quotes_with_offers", lambda tx: tx.quotes.drop_offers(START, 9)),
    ("quotes_reply_to", lambda tx: tx.quotes.drop_reply_to(START, 9)),
    ("people_left", lambda tx: tx.people.drop_left(START, 9)),
    ("people_asked", lambda tx: tx.people.not_asked_since(START, 9)),
    ("messages_card", lambda tx: tx.messages.card("k7mq2")),
    ("messages_ts", lambda tx: tx.messages.rental_at("C1", "1.0")),
    ("messages_due", lambda tx: tx.messages.due(START, 9, UNSENDABLE)),
    ("messages_rental", lambda tx: tx.messages.due(START, 9, UNSENDABLE)),
    ("messages_once|messages_due", lambda tx: tx.messages.due(START, 9, UNSENDABLE)),
    ("events_rental|events_pkey", lambda tx: tx.messages.due(START, 9, UNSENDABLE)),
    ("messages_rental", lambda tx: tx.messages.direct_of("k7mq2")),
    ("messages_rental", lambda tx: tx.messages.redirect("k7mq2", to_channel("C1"))),
    ("rentals_over", lambda tx: tx.rentals.ended_costs(START)),
    ("charges_month", lambda tx: tx.budgets.machines("2026-11")),
    ("resources_alive", lambda tx: tx.budgets.machines("2026-11")),
    ("rentals_live|resources_alive", lambda tx: tx.budgets.billing_before(START)),
    (
        "messages_due|messages_once",
        lambda tx: tx.messages.file_waits(to_channel("U0ANA"), MonthPart(month="2026-11")),
    ),
    ("charges_month", lambda tx: tx.budgets.charges_in("2026-11")),
    ("charges_month", lambda tx: tx.budgets.charges_in("2026-11", make.ANA)),
    ("charges_rental", lambda tx: tx.budgets.charges_of("k7mq2")),
    ("rentals_token_live", lambda tx: tx.rentals.of_token("tk7mq2", live=True)),
    ("rentals_token", lambda tx: tx.rentals.begun_with("tk7mq2", START)),
    ("rentals_token", lambda tx: tx.rentals.made_with("tk7mq2", START)),
    ("rentals_token", lambda tx: tx.budgets.charged_with("tk7mq2", make.ANA)),
    ("charges_rental", lambda tx: tx.budgets.charged_with("tk7mq2", make.ANA)),
    ("rentals_token_live|reservations_pkey", lambda tx: tx.budgets.reserved_with("tk7mq2", make.ANA)),
    ("rentals_key|rentals_token", lambda tx: tx.rentals.of_key("tk7mq2", "run-812")),
    ("tokens_secret", lambda tx: tx.tokens.of_secret("0" * 64)),
    ("tokens_owner|tokens_name", lambda tx: tx.tokens.live(make.ANA)),
    ("tokens_name", lambda tx: tx.tokens.live()),
    ("tokens_name", lambda tx: tx.tokens.owners()),
    ("tokens_due", lambda tx: tx.tokens.due(START)),
    ("logins_code", lambda tx: tx.logins.of_code("KTRWXQMB")),
    ("logins_expires", lambda tx: tx.logins.pending(START)),
    ("logins_expires", lambda tx: tx.logins.drop_expired(START, 9)),
    ("quotes_owner", lambda tx: tx.quotes.asked_since(make.ANA, START)),
    ("quotes_owner", lambda tx: tx.quotes.newest(make.ANA)),
    ("quotes_owner", lambda tx: tx.quotes.clicked(make.ANA, START)),
]

BY_KEY: list[Query] = [
    lambda tx: tx.questions.get("u7mq2"),
    lambda tx: tx.rentals.get("k7mq2"),
    lambda tx: tx.rentals.get_many(["k7mq2", "p4wd9"]),
    lambda tx: tx.rentals.any_ever(),
    lambda tx: tx.rentals.make_due(["k7mq2", "p4wd9"], START),
    lambda tx: tx.rentals.defer_all([(RENTAL, START)]),
    lambda tx: tx.rentals.release("k7mq2"),
    lambda tx: tx.rentals.renew(["k7mq2", "p4wd9"], 20),
    lambda tx: tx.rentals.attempts("k7mq2"),
    lambda tx: tx.rentals.resources_by_id(["r1", "r2"]),
    lambda tx: tx.rentals.note_read([make.resource("r1")]),
    lambda tx: tx.rentals.attempts_of([make.resource("r1"), make.resource("r2")]),
    lambda tx: tx.probe_runs.defer(CLAIMED, START),
    lambda tx: tx.probe_runs.renew(["k7mq2", "p4wd9"], 20),
    lambda tx: tx.probe_runs.make_due("k7mq2", START),
    lambda tx: tx.probe_runs.end("k7mq2"),
    lambda tx: tx.probe_runs.ongoing(["k7mq2", "p4wd9"]),
    lambda tx: tx.samples.since("k7mq2", START),
    lambda tx: tx.samples.reaching_back("k7mq2", START),
    lambda tx: tx.samples.highest("k7mq2", START),
    lambda tx: tx.samples.newest_of(["k7mq2", "p4wd9"]),
    lambda tx: tx.quotes.get("q1"),
    lambda tx: tx.quotes.save(make.quote()),
    lambda tx: tx.searches.get("s1"),
    lambda tx: tx.searches.open("s1", OfferQuery(gpu="H100"), START),
    lambda tx: tx.quotes.release("q1"),
    lambda tx: tx.quotes.defer(CLAIMED, START),
    lambda tx: tx.quotes.renew(["q1", "q2"], 20),
    lambda tx: tx.events.get(1),
    lambda tx: tx.messages.get(1),
    lambda tx: tx.messages.save(MESSAGE),
    lambda tx: tx.webhooks.note_accepted(1),
    lambda tx: tx.people.get(make.ANA, EVER),
    lambda tx: tx.people.names([make.ANA, make.BEN]),
    lambda tx: tx.people.put(Person(id=make.ANA, name="Ana"), START),
    lambda tx: tx.people.forget(make.ANA),
    lambda tx: tx.people.keys(make.ANA),
    lambda tx: tx.people.keys_of([make.ANA, make.BEN]),
    lambda tx: tx.people.add_key(make.ANA, KEY),
    lambda tx: tx.people.make_key_first(make.ANA, KEY.fingerprint),
    lambda tx: tx.people.remove_key(make.ANA, KEY.fingerprint),
    lambda tx: tx.people.channel("C1", EVER),
    lambda tx: tx.people.put_channel(Channel(id="C1", member=True), START),
    lambda tx: tx.people.forget_channel("C1"),
    lambda tx: tx.overdue.attempt("k7mq2", 1),
    lambda tx: tx.overdue.owned_by_others(UNFINISHED, ["r1", "r2"]),
    lambda tx: tx.overdue.mark_for_deletion(UNFINISHED, [], START),
    lambda tx: tx.tokens.get("tk7mq2"),
    lambda tx: tx.logins.get("login-1"),
    lambda tx: tx.tokens.note_use("tk7mq2", START),
    lambda tx: tx.tokens.note_crowd("tk7mq2", Crowd(since=START, count=1)),
    lambda tx: tx.account.get(PAUSED),
    lambda tx: tx.account.all(PAUSED),
    lambda tx: tx.account.set(PAUSED, None),
]


async def plan_of(database: Database, query: Query) -> list[str]:
    """Run a query, roll back its writes, and return the lines of its plans."""
    with watched(database) as statements, suppress(_TakenBack):
        async with database.write() as tx:
            await query(tx)
            raise _TakenBack
    return await plan(database, statements)


class _TakenBack(Exception):
    """Rolls back a transaction."""


async def test_each_frequent_query_uses_its_index_and_reads_no_whole_table(database: Database) -> None:
    wrong = []
    for indexes, query in THROUGH_AN_INDEX:
        index = indexes.split("|")[0] if database.engines.writer.dialect.name == "sqlite" else indexes
        lines = await plan_of(database, query)
        if full_scans(database, lines) or not any(re.search(rf"\b({index})\b", line) for line in lines):
            wrong.append((index, lines))
    assert wrong == []


async def test_no_query_by_key_reads_a_whole_table(database: Database) -> None:
    await make.store_rental(database, make.rental(attempts=1), make.attempt())
    plans = [await plan_of(database, query) for query in BY_KEY]
    assert [lines for lines in plans if full_scans(database, lines)] == []


async def test_a_change_reads_no_whole_table(database: Database) -> None:
    before = await make.store_rental(database, make.rental(attempts=1), make.attempt())
    change = Change(
        before=before,
        after=make.next_of(before),
        events=(make.event(EventKind.ACCEPTED),),
        messages=((0, make.message(MessageKind.THREAD)),),
        attempts=(make.attempt(accepted=True),),
        resources=(make.resource(),),
        ledger=(make.ledger_row(),),
    )
    lines = await plan_of(database, lambda tx: tx.rentals.apply(change))
    assert lines
    assert full_scans(database, lines) == []


async def test_ending_claims_at_the_start_reads_only_what_is_due(database: Database) -> None:
    with watched(database) as statements:
        await database.end_claims()
    lines = await plan(database, statements)
    for table in ("rentals", "quotes", "shared_searches", "visits"):
        assert any(f"{table}_due" in line for line in lines), lines


async def test_the_next_event_for_a_webhook_is_found_without_sorting_those_that_wait(database: Database) -> None:
    """A receiver that was down for a day can have thousands."""
    lines = await plan_of(database, lambda tx: tx.webhooks.next(HOOK))
    assert not [line for line in lines if "TEMP B-TREE" in line or "Sort" in line], lines
