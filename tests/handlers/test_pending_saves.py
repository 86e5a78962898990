"""The result of a call to Slack stays in memory until the store has saved it. Only the write is repeated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from bot.errors import StoreBusy
from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.message import Message
from handlers.delivery.pending_saves import FIRST_RETRY, LONGEST_RETRY, PendingSaves, Result
from store.db import Database, Tx
from tests.databases import START, sqlite_url
from tests.lifecycle.world import RULES, Clock
from tests.store import make

__all__ = ["sqlite_url"]


class FailingStore:
    """A database whose next transactions raise `errors`, one after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.errors: list[Exception] = []
        self.writes = 0

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[Tx]:
        self.writes += 1
        if self.errors:
            raise self.errors.pop(0)
        async with self._database.write(durable=durable) as tx:
            yield tx


class Outbox:
    """An outbox with one posted card, and the pending saves."""

    def __init__(self, database: Database, clock: Clock, card: Message) -> None:
        self.database, self.clock = database, clock
        self.store = FailingStore(database)
        deps = Deps(store=self.store, clock=clock, rules=RULES)  # type: ignore[arg-type]  # only `write` is called
        self.pending = PendingSaves(deps)
        self.result = Result(changed(card, channel=make.HOME, ts="1.0", shown_version=1, due_at=None))

    async def ts(self) -> str | None:
        async with self.database.read() as tx:
            card = await tx.messages.card("k7mq2")
        assert card is not None
        return card.ts


@pytest.fixture
async def outbox(sqlite_url: str) -> AsyncIterator[Outbox]:
    clock = Clock(START)
    database = await Database.open(sqlite_url, claimant="test", clock=clock)
    await make.store_rental(database)
    async with database.read() as tx:
        card = await tx.messages.card("k7mq2")
    assert card is not None
    yield Outbox(database, clock, card)
    await database.close()


async def test_a_result_is_saved_immediately(outbox: Outbox) -> None:
    await outbox.pending.save(outbox.result)
    assert await outbox.ts() == "1.0"
    assert (outbox.pending.ids, outbox.pending.next_at()) == (frozenset(), None)


async def test_during_an_outage_saves_wait_twice_as_long_each_time(outbox: Outbox) -> None:
    outbox.store.errors = [StoreBusy("The database is busy.") for _ in range(9)]
    await outbox.pending.save(outbox.result)
    waits = []
    while outbox.pending.ids:
        now = outbox.clock.real()
        next_at = outbox.pending.next_at()
        assert next_at is not None
        assert outbox.pending.open_at(now) == next_at
        writes = outbox.store.writes
        await outbox.pending.retry()
        assert outbox.store.writes == writes, "its wait is not over"
        waits.append(next_at - now)
        outbox.clock.put(next_at)
        await outbox.pending.retry()
    assert waits == [min(FIRST_RETRY * 2**number, LONGEST_RETRY) for number in range(9)]
    assert await outbox.ts() == "1.0"
    assert outbox.pending.open_at(outbox.clock.real()) == outbox.clock.real()


async def test_a_bug_in_one_save_is_retried_without_delaying_others(outbox: Outbox) -> None:
    outbox.store.errors = [ZeroDivisionError()]
    await outbox.pending.save(outbox.result)
    now = outbox.clock.real()
    assert outbox.pending.ids == {outbox.result.message.id}
    assert (outbox.pending.open_at(now), outbox.pending.next_at()) == (now, now + FIRST_RETRY)
    outbox.clock.put(now + FIRST_RETRY)
    await outbox.pending.retry()
    assert (outbox.pending.ids, await outbox.ts()) == (frozenset(), "1.0")


async def test_at_shutdown_all_pending_results_are_saved_without_waiting(outbox: Outbox) -> None:
    outbox.store.errors = [StoreBusy("The database is busy.")]
    await outbox.pending.save(outbox.result)
    outbox.clock.put(outbox.clock.now() + timedelta(milliseconds=1))
    await outbox.pending.retry(at_once=True)
    assert await outbox.ts() == "1.0"
