"""A world for each journey, which must have been added up when the journey ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from tests.journeys.world import World, opened

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or bool(report.failed)
    return report


@pytest.fixture
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The sandbox and a bot that runs; Ana has a key."""
    async with opened(tmp_path) as made:
        await made.start()
        await made.has_key()
        yield made
        assert made.added_up or request.node.stash.get(_FAILED, False), "this journey was not added up"


@pytest.fixture
async def asleep(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """As `world`, with a bot that is not started yet."""
    async with opened(tmp_path) as made:
        yield made
