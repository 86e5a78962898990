"""Tests of the soak itself: an episode whose bot doesn't start, revoked tokens, and copies of a database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from soak.databases import Databases, Sqlite, Store
from soak.disturbances import TOKENS, Disturbance, System
from soak.episode import run
from soak.plan import plan
from soak.report import episode_line, last_lines
from soak.world import open_world


class NoFolder(Databases):
    """Returns databases that can't be created, because their path leads through a file."""

    async def new(self, kind: str, folder: Path) -> Store:
        return Sqlite(folder / "policy.yml" / f"{kind}.sqlite")


async def test_a_bot_that_does_not_start_is_a_finding(tmp_path: Path) -> None:
    outcome = await run(plan(5, 2, 1, "sqlite"), NoFolder(None), tmp_path)
    assert len(outcome.findings) == 1
    assert outcome.findings[0].startswith("the opening: gpubot run did not start")
    report = episode_line(outcome, tmp_path)
    assert "seed 5, episode 2, the opening: " in report
    assert "SEED=5" in report
    assert "EPISODE=2" in report
    assert last_lines(outcome.counts, 1).endswith("1 finding.")


async def test_tokens_are_revoked_only_after_the_bot_has_connected(tmp_path: Path) -> None:
    """A bot whose token is refused before it has connected exits, as it should."""
    revoked = Disturbance(0, System.SLACK, "slack token revoked", TOKENS, {"bot": "revoked"}, {"bot": "valid"})
    async with open_world(tmp_path, Sqlite(tmp_path / "gpubot.sqlite")) as world:
        assert not await world.start_disturbance(revoked)
        await world.start()
        assert await world.connected(20)
        await world.settle()
        assert await world.start_disturbance(revoked)
        await world.settle()
        await world.kill(graceful=True)


def test_restoring_a_sqlite_database_brings_back_the_contents_of_the_copy(tmp_path: Path) -> None:
    store = Sqlite(tmp_path / "gpubot.sqlite")
    assert not store.restored()
    with closing(sqlite3.connect(store.path, isolation_level=None)) as bot:
        bot.execute("PRAGMA journal_mode = WAL")
        bot.execute("CREATE TABLE rentals (id)")
        bot.execute("INSERT INTO rentals VALUES ('k7mq2')")
        assert store.copy()
        bot.execute("INSERT INTO rentals VALUES ('x9y8z')")
    assert store.restored()
    with closing(sqlite3.connect(store.path)) as bot:
        assert bot.execute("SELECT id FROM rentals").fetchall() == [("k7mq2",)]
