"""A world for each journey. The journey must end with `checks.check_consistency`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from tests.databases import fresh_sqlite
from tests.journeys.world import World, open_world

_NOT_PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_NOT_PASSED] = item.stash.get(_NOT_PASSED, False) or not report.passed
    return report


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """The folder of a world, with an empty database."""
    await fresh_sqlite(tmp_path / "gpubot.sqlite")
    return tmp_path


@pytest.fixture
async def world(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A sandbox with a running bot, in which Ana has set a key."""
    async with open_world(folder) as made:
        await made.start()
        await made.sets_key()
        yield made
        assert made.checked or request.node.stash.get(_NOT_PASSED, False), (
            "this journey did not call check_consistency"
        )


@pytest.fixture
async def stopped_world(folder: Path) -> AsyncIterator[World]:
    """A sandbox with a bot that is not started yet."""
    async with open_world(folder) as made:
        yield made
