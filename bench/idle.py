"""Measures the CPU time of an engine pass in which nothing is due.

The database has many finished rentals. The baseline is an empty database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from bench.figures import Figure, figure
from bench.history import fill
from bench.sizes import Size
from bench.timing import cpu_ms
from bot.clock import Clock, SystemClock
from bot.lifecycle.deps import Deps, StepDeps
from bot.lifecycle.loops.due import DueLoop
from bot.lifecycle.loops.engine import Searches, Steps
from bot.lifecycle.loops.waitlist import Waitlist
from bot.market.client import ComputeClear
from bot.policy.team.rules import Rules
from bot.probe.prober import SshProber
from handlers.directory import People, SlackChannels
from store.db import Database

ROUNDS = 10
"""The two engines take turns this many times, so that a change in the machine's speed favours neither."""
CLAIMANT = "bench"

Loops: TypeAlias = tuple[DueLoop[Any], ...]
"""The loops of an engine: for quotes, waitlist entries and rentals."""


async def measure(size: Size, folder: Path) -> Figure:
    """Measure `idle_engine`: the CPU milliseconds of each pass."""
    clock = SystemClock()
    file = folder / "full.sqlite"
    await fill(file, clock, size.finished)
    async with _engine(file, clock) as full, _engine(folder / "empty.sqlite", clock) as empty:
        return await _compare(full, empty, size.passes)


@asynccontextmanager
async def _engine(file: Path, clock: Clock) -> AsyncIterator[Loops]:
    """Yield an engine for a database. It has a market client and a Slack client, but never uses them."""
    store = await Database.open(f"sqlite:///{file}", claimant=CLAIMANT, clock=clock)
    deps = Deps(store, clock, Rules())
    market = ComputeClear("http://127.0.0.1", SecretStr("none"), clock)
    try:
        client = AsyncWebClient()
        step_deps = StepDeps(
            **vars(deps),
            market=market,
            prober=SshProber(),
            channels=SlackChannels(deps, client),
            directory=People(deps, client),
        )
        yield Searches(step_deps), Waitlist(step_deps), Steps(step_deps)
    finally:
        await market.aclose()
        await store.close()


async def _compare(full: Loops, empty: Loops, passes: int) -> Figure:
    engines = [full, empty]
    took = [0.0, 0.0]
    each = max(passes // ROUNDS, 1)
    for loop in (*full, *empty):
        await loop.run_pass()
    for _ in range(ROUNDS):
        for index, engine in enumerate(engines):
            began = cpu_ms()
            for _ in range(each):
                if any([await loop.run_pass() is not None for loop in engine]):
                    raise AssertionError("something is due in a database with nothing to do")
            took[index] += cpu_ms() - began
    return figure("idle_engine", took[0] / (each * ROUNDS), "ms", took[1] / (each * ROUNDS))
