"""Facts of the whole, by name: numbers that grow, and marks that hold for a while."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from store.db import Database
from tests.databases import START

HOUR = timedelta(hours=1)


async def test_what_is_counted_at_once_is_all_counted(database: Database) -> None:
    async def one() -> None:
        async with database.write() as tx:
            await tx.account.increment("count:a")

    await asyncio.gather(*(one() for _ in range(12)))
    async with database.read() as tx:
        assert (await tx.account.get_count("count:a"), await tx.account.get_count("count:b")) == (12, 0)


async def test_a_mark_is_made_once_in_an_hour(database: Database) -> None:
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


async def test_only_one_of_several_makes_a_mark(database: Database) -> None:
    async def one() -> bool:
        async with database.write() as tx:
            return await tx.account.mark("hint:U1", START, START - HOUR)

    assert sum(await asyncio.gather(*(one() for _ in range(5)))) == 1
