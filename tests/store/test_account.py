"""Facts of the account, each under a name: texts, counters and marks."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from store.db import Database
from tests.databases import START

HOUR = timedelta(hours=1)


async def test_a_fact_is_set_changed_and_removed(database: Database) -> None:
    async with database.write() as tx:
        assert await tx.account.get("paused") is None
        await tx.account.set("paused", "yes")
        await tx.account.set("paused", "by U1")
        assert await tx.account.get("paused") == "by U1"
        await tx.account.set("paused", None)
        assert await tx.account.get("paused") is None


async def test_concurrent_increments_are_all_counted(database: Database) -> None:
    async def increment() -> None:
        async with database.write() as tx:
            await tx.account.increment("count:a")

    await asyncio.gather(*(increment() for _ in range(12)))
    async with database.read() as tx:
        assert (await tx.account.get_count("count:a"), await tx.account.get_count("count:b")) == (12, 0)


async def test_a_mark_is_made_again_only_after_an_hour(database: Database) -> None:
    async def mark(after: timedelta, name: str = "hint:U1") -> bool:
        at = START + after
        async with database.write() as tx:
            return await tx.account.mark(name, at, at - HOUR)

    assert [await mark(HOUR * 0), await mark(HOUR / 2), await mark(HOUR)] == [True, False, False]
    assert await mark(HOUR + timedelta(seconds=1))
    assert await mark(HOUR * 0, "hint:U2")
    async with database.write() as tx:
        await tx.account.set("other", "kept")
        await tx.account.drop_marks("hint:", START + timedelta(seconds=1))
        assert set(await tx.account.with_prefix("hint:")) == {"hint:U1"}
        assert await tx.account.get("other") == "kept"


async def test_one_of_several_concurrent_marks_is_made(database: Database) -> None:
    async def mark() -> bool:
        async with database.write() as tx:
            return await tx.account.mark("hint:U1", START, START - HOUR)

    assert sum(await asyncio.gather(*(mark() for _ in range(5)))) == 1
