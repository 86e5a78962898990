"""Provides the socket of a bot to tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.clock import MovedClock
from bot.lifecycle.deps import Deps
from bot.operator import server
from bot.policy.team.rules import Rules
from store.db import Database
from tests.databases import START, fresh_sqlite


@pytest.fixture
async def deps(tmp_path: Path) -> AsyncIterator[Deps]:
    """Yield the dependencies of the services, with an empty store."""
    clock = MovedClock(START)
    store = await Database.open(await fresh_sqlite(tmp_path / "gpubot.db"), claimant="test", clock=clock)
    yield Deps(store=store, clock=clock, rules=Rules(admins=("U0CLEO",), home_channel="C0HOME"))
    await store.close()


@pytest.fixture
async def path(tmp_path: Path, deps: Deps, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """Return the path of the socket, as the settings of a bot name it."""
    socket = tmp_path / "data" / "gpubot.sock"
    monkeypatch.setenv("GPUBOT_SOCKET", str(socket))
    monkeypatch.chdir(tmp_path)
    async with server.serve(socket, deps):
        yield socket
