"""Facts about the account with the types of their values, counters, and messages that were answered."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.model.account_facts import GROUP_MEMBERS, PAUSED, Counter, Pause
from store.db import Database
from tests.databases import START

HOUR = timedelta(hours=1)


async def test_a_fact_is_set_changed_and_removed(database: Database) -> None:
    pause = Pause(by="U1", at=START, why="the bill \ud800")
    async with database.write() as tx:
        assert await tx.account.get(PAUSED) is None
        await tx.account.set(PAUSED, Pause(by="U0", at=START, why=""))
        await tx.account.set(PAUSED, pause)
        stored = await tx.account.get(PAUSED)
        assert stored is not None
        assert (stored.by, stored.at, stored.why) == (pause.by, pause.at, "the bill ?")
        await tx.account.set(PAUSED, None)
        assert await tx.account.get(PAUSED) is None


async def test_a_fact_has_a_value_for_each_key(database: Database) -> None:
    async with database.write() as tx:
        await tx.account.set(GROUP_MEMBERS, frozenset({"U1", "U2"}), "S1")
        await tx.account.set(GROUP_MEMBERS, frozenset(), "S2")
        await tx.account.set(PAUSED, Pause(by="U0", at=START, why=""))
        assert await tx.account.all(GROUP_MEMBERS) == {"S1": frozenset({"U1", "U2"}), "S2": frozenset()}
        await tx.account.set(GROUP_MEMBERS, None, "S1")
        assert (await tx.account.get(GROUP_MEMBERS, "S1"), await tx.account.get(GROUP_MEMBERS, "S2")) == (
            None,
            frozenset(),
        )


async def test_concurrent_increments_are_all_counted(database: Database) -> None:
    async def increment() -> None:
        async with database.write() as tx:
            await tx.account.increment(Counter.GIVEN_UP)

    await asyncio.gather(*(increment() for _ in range(12)))
    async with database.read() as tx:
        counts = [await tx.account.count(one) for one in (Counter.GIVEN_UP, Counter.POSTED_TWICE)]
    assert counts == [12, 0]


async def test_a_message_is_answered_again_only_after_an_hour(database: Database) -> None:
    async def answered(after: timedelta, message: str = "U1:1") -> bool:
        at = START + after
        async with database.write() as tx:
            return await tx.account.note_answered(message, at, at - HOUR)

    assert [await answered(HOUR * 0), await answered(HOUR / 2), await answered(HOUR)] == [True, False, False]
    assert await answered(HOUR, "U2:1")
    assert await answered(HOUR + timedelta(seconds=1))


async def test_only_one_of_several_concurrent_answers_is_recorded(database: Database) -> None:
    async def answered() -> bool:
        async with database.write() as tx:
            return await tx.account.note_answered("U1:1", START, START - HOUR)

    assert sum(await asyncio.gather(*(answered() for _ in range(5)))) == 1
