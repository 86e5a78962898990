"""API tokens, and what the rentals of a token use up."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import Stale
from bot.model.base import changed
from bot.model.budget import Reservation
from bot.model.message import MessageKind
from bot.model.state import State
from bot.model.token import (
    Access,
    BeyondTerms,
    DecidedTerms,
    RequestedTerms,
    Token,
    TokenState,
    TokenTerms,
    WhenLost,
)
from store.db import Database
from tests.databases import START
from tests.store import make

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ID, NAME = "tk7mq2", "nightly eval"
TERMS = TokenTerms(
    access=Access.RENT,
    project="vision",
    models=("H100", "nvidia-l40s-48gb"),
    per_hour=Decimal("5.000001"),
    total=2**50,
    at_once=2,
    per_day=6,
    longest=4 * HOUR,
    until=START + 14 * DAY,
    beyond=BeyondTerms.ASK,
    lost=WhenLost.END,
)


def token(token_id: str = ID, **fields: Any) -> Token:
    return Token(
        **{
            "id": token_id,
            "owner": make.ANA,
            "name": NAME,
            "state": TokenState.LIVE,
            "terms": TERMS,
            "secret_hash": token_id.ljust(64, "0"),
            "created_at": START,
            "due_at": START + DAY,
            **fields,
        }
    )


async def store(database: Database, *tokens: Token) -> None:
    async with database.write() as tx:
        for one in tokens:
            await tx.tokens.add(one)


async def read(database: Database, token_id: str = ID) -> Token | None:
    async with database.read() as tx:
        return await tx.tokens.get(token_id)


async def test_a_token_is_read_back_as_it_was_stored(database: Database) -> None:
    requested = RequestedTerms(terms=TERMS, version=2, asked_at=START, expires_at=START + HOUR)
    decided = DecidedTerms(version=1, approved=False, by=make.BEN, at=START, reason="<!here> \x1b[0m 💸")
    full = token(requested=requested, decided=decided, approved_by=make.BEN, over_by=make.BEN, over_at=START)
    await store(database, full)
    assert await read(database) == full
    async with database.read() as tx:
        assert await tx.tokens.of_secret(full.secret_hash) == full
        assert await tx.tokens.of_secret("f" * 64) is None
        assert await tx.tokens.get_many([ID, "other"]) == {ID: full}


async def test_ids_secrets_and_names_of_live_tokens_are_unique(database: Database) -> None:
    first = token()
    await store(database, first)
    same = {"id": "tother", "secret_hash": "f" * 64, "name": "other"}
    for unique in same:
        with pytest.raises(Stale):
            await store(database, changed(first, **{**same, unique: getattr(first, unique)}))
    await store(database, changed(first, **same), token("tben", owner=make.BEN))
    async with database.write() as tx:
        await tx.tokens.save(first, changed(first, state=TokenState.STOPPED))
    await store(database, token("tnew"))
    async with database.read() as tx:
        assert {one.id for one in await tx.tokens.live(make.ANA)} == {"tother", "tnew"}
        assert {one.id for one in await tx.tokens.live()} == {"tother", "tnew", "tben"}
        assert await tx.tokens.owners() == {make.ANA, make.BEN}


async def test_only_the_first_of_two_changes_to_a_token_is_stored(database: Database) -> None:
    before = token()
    await store(database, before)
    async with database.write() as tx:
        await tx.messages.add(make.message(MessageKind.TOKEN, None, token_id=ID))
        await tx.tokens.note_use(ID, START + HOUR)
        stopped = await tx.tokens.save(before, changed(before, state=TokenState.STOPPED, due_at=None))
        with pytest.raises(Stale):
            await tx.tokens.save(before, changed(before, secret_hash="f" * 64))
    found = await read(database)
    assert found == changed(stopped, last_used_at=START + HOUR), "a change doesn't undo what was noted meanwhile"
    assert found.version == 2
    async with database.read() as tx:
        (message,) = await tx.messages.due(START + 900 * DAY, 9)
    assert message.target_version > make.message(MessageKind.TOKEN).target_version


async def test_after_a_start_only_messages_about_tokens_that_are_not_over_are_shown_again(
    database: Database,
) -> None:
    await store(database, token(), token("tover", name="over", state=TokenState.STOPPED))
    async with database.write() as tx:
        for token_id in (ID, "tover"):
            await tx.messages.add(make.message(MessageKind.TOKEN, None, token_id=token_id))
        for message in await tx.messages.due(START + 900 * DAY, 9):
            shown = changed(message, ts=f"{message.id}.0", shown_version=message.target_version, due_at=None)
            await tx.messages.save(shown)
        assert await tx.messages.due(START + 900 * DAY, 9) == []
        await tx.messages.show_all_again()
        assert [one.token_id for one in await tx.messages.due(START + 900 * DAY, 9)] == [ID]


async def test_the_time_of_the_last_use_never_goes_back(database: Database) -> None:
    await store(database, token())
    for moment in (START + HOUR, START):
        async with database.write() as tx:
            await tx.tokens.note_use(ID, moment)
    found = await read(database)
    assert found is not None
    assert found.last_used_at == START + HOUR


async def test_due_tokens_come_in_the_order_of_their_due_times(database: Database) -> None:
    times = {"tlate": START, "tearly": START - HOUR, "tlater": START + HOUR, "tnever": None}
    await store(database, *(token(name, name=name, due_at=due_at) for name, due_at in times.items()))
    async with database.read() as tx:
        assert [one.id for one in await tx.tokens.due(START)] == ["tearly", "tlate"]


async def test_charges_of_all_months_of_a_tokens_rentals_are_added_up(database: Database) -> None:
    """The charges of another owner for a machine of the token don't count."""
    charges = [
        make.charge("r1", "k7mq1", amount=2**50),
        make.charge("r2", "k7mq2", amount=7, month="2025-02"),
        make.charge("r3", "k7mq3", amount=100, owner=make.BEN),
        make.charge("r4", "k7mq4", amount=1000),
    ]
    await make.store_charged(database, *charges)
    for rental_id in ("k7mq1", "k7mq2", "k7mq3"):
        await of_token(database, rental_id)
    async with database.read() as tx:
        assert await tx.budgets.charged_with(ID, make.ANA) == 2**50 + 7
        assert await tx.budgets.charged_with("tother", make.ANA) == 0


async def test_reservations_of_a_tokens_live_rentals_are_read_by_month(database: Database) -> None:
    reserved = [
        ("k7mq1", "2025-03", 5),
        ("k7mq1", "2025-04", 6),
        ("k7mq2", "2025-03", 2**50),
        ("k7mq3", "2025-03", 9),
    ]
    for rental_id in ("k7mq1", "k7mq2", "k7mq3"):
        await make.store_rental(database, make.rental(rental_id))
    async with database.write() as tx:
        for rental_id, month, amount in reserved:
            one = Reservation(
                rental_id=rental_id, month=month, owner=make.ANA, project="unassigned", amount=amount
            )
            await tx.budgets.replace_reservations((), [one])
    for rental_id in ("k7mq1", "k7mq2"):
        await of_token(database, rental_id)
    async with database.read() as tx:
        found = await tx.budgets.reserved_with(ID, make.ANA)
        assert found == {"k7mq1": {"2025-03": 5, "2025-04": 6}, "k7mq2": {"2025-03": 2**50}}
        assert await tx.budgets.reserved_with(ID, make.BEN) == {}


async def test_rentals_that_began_count_if_they_live_or_bought_something(database: Database) -> None:
    began = {"k7mq1": START, "k7mq2": START + HOUR, "k7mq3": START + 2 * HOUR, "k7mq4": START + 3 * HOUR}
    for rental_id, created_at in began.items():
        sold_out = rental_id == "k7mq3"
        over = {"state": State.FAILED, "due_at": None} if sold_out or rental_id == "k7mq2" else {}
        rental = make.rental(rental_id, created_at=created_at, attempts=0 if sold_out else 1, **over)
        await make.store_rental(database, rental)
        await of_token(database, rental_id)
    async with database.read() as tx:
        assert await tx.rentals.begun_with(ID, START) == [START + HOUR, START + 3 * HOUR]
        live = await tx.rentals.of_token(ID, live=True)
    assert [rental.id for rental in live] == ["k7mq1", "k7mq4"]


async def of_token(database: Database, rental_id: str) -> None:
    """Make a stored rental one that a program requested with the token."""
    async with database.write() as tx:
        before = await tx.rentals.get(rental_id)
        assert before is not None
        after = make.next_of(before, token_id=ID, idempotency_key=rental_id, program=make.program())
        await tx.rentals.apply(make.unchecked(before, after))
