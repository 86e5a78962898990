"""Equal requests of a program arrive at the same moment at two processes: together they are one rental."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.clock import MovedClock
from bot.errors import BeyondTerms, StoreBusy
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.programs import ProgramRented
from bot.lifecycle.deps import Deps
from bot.model.person import Key
from bot.model.state import State
from store.db import Database
from tests.databases import START, beside
from tests.lifecycle.programs import TOKEN, rent, token
from tests.lifecycle.world import ANA, RULES

REQUESTS = 20


@pytest.fixture
async def processes(database: Database, clock: MovedClock) -> tuple[Deps, Deps]:
    """Return the dependencies of two processes on one database, in which Ana has a key and a token."""
    async with database.write() as tx:
        await tx.people.put(ANA, START)
        await tx.people.add_key(ANA.id, Key(line="ssh-ed25519 A", comment="", fingerprint="F"))
        await tx.tokens.add(token(START))
    one = Deps(store=database, clock=clock, rules=RULES)
    return one, replace(one, store=beside(database))


async def at_once(processes: tuple[Deps, Deps], keys: list[str | None], **fields: Any) -> list[object]:
    async def send(n: int, key: str | None) -> object:
        while True:
            try:
                return await carry_out(processes[n % 2], ANA, rent(key, **fields))
            except StoreBusy:  # too many requests wait on a slow machine: the client sends its request again
                continue

    return await asyncio.gather(*(send(n, key) for n, key in enumerate(keys)), return_exceptions=True)


@pytest.mark.parametrize("reuse", [False, True], ids=["key", "reuse"])
async def test_equal_requests_at_once_make_one_rental(processes: tuple[Deps, Deps], reuse: bool) -> None:
    answers = await at_once(processes, [None if reuse else "run-1"] * REQUESTS, reuse=reuse)
    rented = [answer for answer in answers if isinstance(answer, ProgramRented)]
    assert len(rented) == REQUESTS, answers
    assert len({answer.rental.id for answer in rented}) == 1
    assert [answer.made for answer in rented].count(True) == 1
    async with processes[0].store.read() as tx:
        (rental,) = await tx.rentals.of_token(TOKEN, live=False)
    assert rental.state is State.QUEUED


async def test_different_keys_at_once_make_no_more_than_the_terms_allow(processes: tuple[Deps, Deps]) -> None:
    answers = await at_once(processes, [f"run-{n}" for n in range(REQUESTS)])
    assert sum(isinstance(answer, ProgramRented) for answer in answers) == 2
    assert sum(isinstance(answer, BeyondTerms) for answer in answers) == REQUESTS - 2
