"""One person's keys that are added, removed and used for a rental at the same moment."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncssh
import pytest

from bot.clock import MovedClock
from bot.errors import GpubotError, Mistake, NeedsKey, Refused
from bot.lifecycle.actions import keys
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.renting import NotRented, Rent, Rented
from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.person import Key, Person
from bot.policy.team.rules import Keys, Rules
from store.db import Database
from tests.databases import ON_SQLITE, START
from tests.store import make

ANA = Person(id=make.ANA, name="Ana")
KEY = Key(line="ssh-ed25519 AAAA", comment="", fingerprint="SHA256:first")
AT_ONCE = 8


@pytest.fixture
def deps(database: Database, clock: MovedClock) -> Deps:
    return Deps(store=database, clock=clock, rules=Rules(keys=Keys(per_person=3)))


def a_line() -> str:
    return asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()


async def add(deps: Deps) -> keys.KeysSaved:
    return await keys.add_key(deps, ANA, a_line(), reply_to=make.REPLY_TO)


async def owned(database: Database) -> list[str]:
    async with database.read() as tx:
        return [key.fingerprint for key in await tx.people.keys(ANA.id)]


async def all_of(*calls: Any) -> list[Any]:
    """Run the calls at the same time. Return their results, including errors with a message for people.

    Any other exception is raised.
    """
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, GpubotError):
            raise result
    return results


async def test_keys_added_at_once_rent_the_clicked_offer_once(database: Database, deps: Deps) -> None:
    async with database.write() as tx:
        await tx.quotes.add(make.quote(clicked_offer="offer-1"))
    results = await all_of(*(add(deps) for _ in range(3)))
    assert sum(isinstance(saved.clicked, Rented) for saved in results) == 1
    assert sum(saved.clicked is None for saved in results) == 2
    async with database.read() as tx:
        assert [rental.clicked_offer for rental in await tx.rentals.live(ANA.id)] == ["offer-1"]
        assert await tx.quotes.clicked(ANA.id, START) == []


async def test_keys_added_at_once_stay_within_the_limit(database: Database, deps: Deps) -> None:
    results = await all_of(*(add(deps) for _ in range(AT_ONCE)))
    assert sum(isinstance(result, Mistake) for result in results) == AT_ONCE - 3
    assert len(await owned(database)) == 3


async def test_either_the_last_key_is_removed_or_the_offer_is_rented(database: Database, deps: Deps) -> None:
    async with database.write() as tx:
        await tx.people.add_key(ANA.id, KEY)
        await tx.quotes.add(make.quote())
    rented, removed = await all_of(
        carry_out(deps, ANA, Rent("q1", "offer-1")), carry_out(deps, ANA, keys.RemoveKey(KEY.fingerprint))
    )
    async with database.read() as tx:
        rentals = await tx.rentals.live(ANA.id)
    if isinstance(rented, Rented):
        assert isinstance(removed, Refused)
        assert (len(rentals), await owned(database)) == (1, [KEY.fingerprint])
    else:
        assert isinstance(rented, NeedsKey)
        assert (rentals, await owned(database)) == ([], [])


@ON_SQLITE
async def test_a_key_is_stored_even_if_the_clicked_offer_is_too_late(
    database: Database, deps: Deps, clock: MovedClock
) -> None:
    until = START + timedelta(minutes=60)
    request = changed(make.request(), until=until, lease=until - START)
    async with database.write() as tx:
        await tx.quotes.add(make.quote(clicked_offer="offer-1", request=request))
    clock.put(START + timedelta(minutes=45))
    saved = await add(deps)
    assert isinstance(saved.clicked, NotRented)
    assert saved.clicked.problem.words.startswith("Less than 30 min is left")
    assert len(await owned(database)) == 1
