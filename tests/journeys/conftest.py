"""A world for each journey. The journey must end with `checks.check_consistency`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from sandbox.slack.timing import Timing
from tests.databases import Postgres, fresh_postgres, fresh_sqlite, postgres
from tests.journeys.world import PEOPLE, WAIT, World, open_world

__all__ = ["postgres"]

_NOT_PASSED = pytest.StashKey[bool]()
_TAIL = 12_000
"""The number of characters of the bot's log that the report of a failed journey contains."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_NOT_PASSED] = item.stash.get(_NOT_PASSED, False) or not report.passed
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and folder is not None and (log := folder / "bot.log").exists():
        report.sections.append(("The end of the bot's log", log.read_text(encoding="utf-8")[-_TAIL:]))
    return report


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Return the folder of a world, with an empty database."""
    await fresh_sqlite(tmp_path / "gpubot.sqlite")
    return tmp_path


@pytest.fixture
async def world(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Yield a sandbox with a running bot, in which Ana has set a key."""
    async with open_world(folder) as made:
        await made.start()
        await made.sets_key()
        yield made
        assert made.checked or request.node.stash.get(_NOT_PASSED, False), (
            "this journey did not call check_consistency"
        )


@pytest.fixture
async def stopped_world(folder: Path) -> AsyncIterator[World]:
    """Yield a sandbox with a bot that isn't started yet."""
    async with open_world(folder) as made:
        yield made


@pytest.fixture
async def replicas(folder: Path, postgres: Postgres) -> AsyncIterator[World]:
    """Yield a sandbox with two processes of the bot on one PostgreSQL database, in which everyone has set a key.

    Slack waits for a long time for acknowledgements, because simultaneous actions take several seconds on a busy
    machine.
    """
    policy = folder / "policy.yml"
    policy.write_text("limits: {per_person_rentals: 50, team_per_hour: 2000.00}\n", encoding="utf-8")
    settings = {"GPUBOT_DATABASE_URL": await fresh_postgres(postgres), "GPUBOT_POLICY": str(policy)}
    await postgres.run(
        "ALTER DATABASE gpubot SET synchronous_commit = on"
    )  # a crash of the server must lose nothing
    async with open_world(folder, timing=Timing(ack=WAIT, trigger=WAIT), **settings) as made:
        await made.start()
        await made.start_beside()
        for name in PEOPLE:
            await made.sets_key(name)
        yield made
    await postgres.start()
