"""A database can be read while a bot uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.clock import MovedClock
from bot.errors import CannotOpen, StoreBusy
from store.db import Database, reading
from store.migrations import HEAD
from tests.store import make
from tests.store.schemas import at, engine, running


async def test_a_database_can_be_read_while_a_bot_uses_it(url: str, database: Database, clock: MovedClock) -> None:
    await make.store_rental(database)
    async with reading(url, "test", clock) as tx:
        assert [rental.id for rental in await tx.rentals.live()] == ["k7mq2"]
        await make.store_rental(database, make.rental("later"))
        assert [rental.id for rental in await tx.rentals.live()] == ["k7mq2"], "it reads one moment"


async def test_a_database_opened_for_reading_cannot_be_written(
    url: str, database: Database, clock: MovedClock
) -> None:
    async with reading(url, "test", clock) as tx:
        with pytest.raises(Exception, match=r"(?i)read.?only"):
            await tx.events.add(make.event(rental_id=None))
    assert database


async def test_a_missing_database_is_not_created_by_reading(tmp_path: Path, clock: MovedClock) -> None:
    path = tmp_path / "none.sqlite"
    with pytest.raises(CannotOpen, match="There is no database"):
        async with reading(f"sqlite:///{path}", "test", clock):
            pass
    assert not path.exists()
    with pytest.raises(StoreBusy):
        async with reading("postgresql://127.0.0.1:1/none", "test", clock):
            pass


async def test_a_database_of_another_version_is_not_read(url: str, clock: MovedClock) -> None:
    opened = engine(url)
    try:
        for statement, words in (
            ("UPDATE alembic_version SET version_num = 'v0100'", "older version"),
            ("UPDATE alembic_version SET version_num = 'v9999'", "newer gpubot"),
        ):
            await at(opened, running(statement))
            with pytest.raises(CannotOpen, match=words):
                async with reading(url, "test", clock):
                    pass
    finally:  # other tests use the same database
        await at(opened, running(f"UPDATE alembic_version SET version_num = '{HEAD}'"))  # noqa: S608 - ours
        await opened.dispose()
