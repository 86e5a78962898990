"""The engine: every due step runs once, even if the store fails in the meantime."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from bot.errors import StoreBusy
from bot.lifecycle.actions import ending, quoting
from bot.lifecycle.actions.action import carry_out
from bot.model.attempt import AttemptState
from bot.model.event import EventKind as E
from bot.model.request import Request
from bot.model.state import State
from store.db import Database, Tx
from tests.lifecycle.engine import Engine
from tests.lifecycle.world import ANA, BEN, HOUR, MINUTE, SECOND, TRAINING, World
from tests.store.make import REPLY_TO


async def test_a_purchase_is_not_lost_if_its_answer_cannot_be_stored(here: World, sqlite_url: str) -> None:
    fault = await here.fault("procure_offer", "hold_after")
    rental = await here.rent(await here.ask(), settle=False)
    await here.engine.run_pass()
    await here.until_hit(fault)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await here.release(fault)
    await here.clock.paused.wait()
    other.execute("ROLLBACK")
    other.close()
    await here.engine.drain()
    assert (await here.attempts(rental))[0].state is AttemptState.INTENDED
    rental = await here.until(rental, State.READY)
    assert await here.bought() == ["hyperstack"]


async def test_a_rental_is_not_claimed_again_while_its_step_runs(here: World) -> None:
    fault = await here.fault("procure_offer", "hold_before")
    rental = await here.rent(await here.ask(), settle=False)
    await here.engine.run_pass()
    await here.until_hit(fault)
    for _ in range(5):
        here.jump(MINUTE)
        await here.engine.run_pass()
    assert here.engine.in_flight == 1
    await here.release(fault)
    await here.until(rental, State.READY)
    assert (await here.event_kinds(rental)).count(E.RENTING) == 1


async def test_all_due_steps_run_even_if_only_one_runs_at_once(here: World) -> None:
    here.engine = Engine(here.deps, at_once=1)
    rentals = [await here.rent(await here.ask(), settle=False) for _ in range(3)]
    for rental in rentals:
        await here.until(rental, State.READY)
    assert len(await here.bought()) == 3


async def test_a_claimed_rental_counts_as_in_flight_before_its_step_begins(here: World) -> None:
    """Otherwise, a check whether all work is done could find a rental that is neither due nor in flight."""
    rental = await here.ready()
    here.jump(timedelta(minutes=5))
    seen: list[int] = []
    here.deps.store.on_commit(lambda: seen.append(here.engine.in_flight))
    await here.engine.run_pass()
    assert seen == [1], "the claim's commit, with its step not yet started"
    await here.settle()
    assert here.engine.in_flight == 0
    due_at = (await here.rental(rental.id)).due_at
    assert due_at is not None
    assert due_at > here.now


class UnsureStore:
    """A store that raises StoreBusy after a commit while it is `in_doubt`."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self.in_doubt = False
        self.read = store.read
        self.on_commit = store.on_commit
        self.takes_writes = store.takes_writes

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[Tx]:
        async with self._store.write(durable=durable) as tx:
            yield tx
        if self.in_doubt:
            self.in_doubt = False
            raise StoreBusy("no answer")


async def test_a_claim_with_an_unconfirmed_commit_expires_and_its_step_runs(here: World) -> None:
    """Steps that run in the meantime aren't run twice."""
    store = UnsureStore(here.deps.store)
    here.engine = Engine(replace(here.deps, store=cast(Database, store)), claim_seconds=1)
    fault = await here.fault("procure_offer", "hold_before")
    offers, others = await here.ask(), await here.ask(BEN)
    first = await here.rent(offers, settle=False)
    await here.engine.run_pass()
    await here.until_hit(fault)
    second = await here.rent(others, person=BEN, settle=False)
    store.in_doubt = True
    with pytest.raises(StoreBusy):
        await here.engine.run_pass()
    await here.engine.run_pass()
    assert here.engine.in_flight == 1
    await asyncio.sleep(1.1)
    await here.engine.run_pass()
    assert here.engine.in_flight == 2
    await here.release(fault)
    for rental in (first, second):
        await here.until(rental, State.READY)
        assert (await here.event_kinds(rental)).count(E.RENTING) == 1
    assert len(await here.bought()) == 2


async def test_hanging_searches_do_not_block_the_steps_of_rentals(here: World) -> None:
    rental = await here.ready()
    here.engine = Engine(here.deps, at_once=4)
    fault = await here.fault("get_offers", "hold_before", times=None)
    for gpu in ("H100", "A100", "L4", "L40S", "H200"):
        await carry_out(
            here.deps,
            BEN,
            quoting.Ask(Request(gpu=gpu, lease=HOUR), asked_in=TRAINING, direct=False, reply_to=REPLY_TO),
        )
    await here.engine.run_pass()
    await here.until_hit(fault)
    await carry_out(here.deps, ANA, ending.Destroy(rental.id))
    async with asyncio.timeout(20):
        while not (await here.rental(rental.id)).state.over:
            here.jump(15 * SECOND)
            await here.engine.run_pass()
            while here.engine.in_flight > 2:
                await here.clock.pause(0)
    assert (await here.rental(rental.id)).state is State.DESTROYED
    await here.release(fault)
    await here.settle()
