"""Rentals that an older version stored go on after the upgrade, whatever state they are in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from bot.lifecycle.service import account
from bot.model.attempt import Attempt
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.state import State
from bot.policy.leases import OVERDUE_GRACES, overdue_grace
from bot.policy.rules import Limits
from store.tables import attempts, quotes, resources
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, RULES, SECOND, World, world
from tests.rentals import alarm, waiting
from tests.store.old_databases import at
from tests.store.schemas import contents, engine

RENTED = datetime(2026, 11, 24, 22, 38, tzinfo=UTC)
STARTED = datetime(2026, 11, 24, 22, 43, 37, tzinfo=UTC)
DUMPED = datetime(2026, 11, 24, 22, 44, 22, tzinfo=UTC)
"""When the machines in use were bought at the latest, those that start, and when the database was dumped."""

FOR_APPROVER, FOR_OWNER, CHANGED, AFTER_FAILURES = "5wjp8", "2bns7", "jyv2g", "jcb8n"
"""Requests that wait for a decision; one was changed, one waits again after its attempts failed."""
BLOCKED, UNANSWERED, STARTING = "n4g4r", "thsv4", "2ubud"
"""Purchases: blocked by a pause, with an unknown outcome, accepted."""
IN_USE, KEPT, EXTENSION_WAITS, EXTENDED = "4qa2k", "5sdcs", "jeer3", "we3fk"
"""Leases: KEPT has -1 as `asked_times`, because its owner clicked "Keep"."""
CANCELLED, ALARMED = "b73vr", "3eg42"
"""Deletions: an admin takes care of the second one."""


@asynccontextmanager
async def upgraded(old_url: str) -> AsyncIterator[World]:
    """A world with the upgraded database, at the time of the dump. The marketplace has its machines."""
    rules = changed(RULES, limits=Limits(per_person_rentals=20))
    async with world(old_url, rules=rules) as here:
        starting: list[Attempt] = []
        earlier: list[Attempt] = []
        for rental in await here.rentals():
            starts = rental.state in {State.PROCURING, State.PROVISIONING}
            (starting if starts else earlier).extend(a for a in await here.attempts(rental) if not a.settled)
        here.jump(RENTED - here.now)
        await _buy_again(here, old_url, earlier)
        here.jump(STARTED - here.now)
        await _buy_again(here, old_url, starting)
        here.jump(DUMPED - here.now)
        yield here


async def _buy_again(here: World, url: str, bought: Collection[Attempt]) -> None:
    """Buy what these attempts bought in this world's marketplace, and write the new ids into the database."""
    database = engine(url)
    async with database.begin() as conn:
        # This marketplace doesn't sell the offers that were found in the old one.
        await conn.execute(update(quotes).values(offers=()))
    for attempt in bought:
        offer = await here.outside.offer(attempt.offer.vendor)
        await here.outside.post_procure(offer["offer_id"], attempt.resource_name)
        (machine,) = await here.outside.resources(offer["offer_id"])
        async with database.begin() as conn:
            await conn.execute(
                update(attempts)
                .where(attempts.c.rental_id == attempt.rental_id, attempts.c.n == attempt.n)
                .values(offer=changed(attempt.offer, offer_id=offer["offer_id"]), offer_id=offer["offer_id"])
            )
            await conn.execute(
                update(resources)
                .where(resources.c.rental_id == attempt.rental_id, resources.c.attempt == attempt.n)
                .values(resource_id=machine["resource_id"])
            )
    await database.dispose()


async def count(here: World, rental_id: str, kind: EventKind) -> int:
    return (await here.event_kinds(rental_id)).count(kind)


async def jump_to(here: World, moment: datetime) -> None:
    await here.be_down(moment - here.now)


@pytest.mark.parametrize("schema", ["0003"])
async def test_requests_purchases_and_deletions_of_an_older_version_reach_their_next_states(old_url: str) -> None:
    async with upgraded(old_url) as here:
        over = [rental for rental in await here.rentals() if rental.state.over]
        assert (await here.rental(BLOCKED)).blocked is not None
        assert alarm(await here.rental(ALARMED)).taken_on_by == CLEO.id
        await account.resume(here.deps, CLEO)
        await here.deny(await here.rental(CHANGED))
        await here.approve(await here.rental(FOR_APPROVER), BEN)
        await here.approve(await here.rental(FOR_OWNER), ANA)
        for rental_id in (FOR_APPROVER, FOR_OWNER, BLOCKED, UNANSWERED, STARTING):
            await here.until(rental_id, State.READY)
        assert len(await here.attempts(await here.rental(UNANSWERED))) == 1
        await here.until(CANCELLED, State.CANCELLED)
        await here.until(ALARMED, State.DESTROYED)
        assert (await here.rental(CHANGED)).state is State.DENIED
        await jump_to(here, waiting(await here.rental(AFTER_FAILURES)).expires_at)
        assert (await here.rental(AFTER_FAILURES)).state is State.EXPIRED
        assert [await here.rental(rental.id) for rental in over] == over


@pytest.mark.parametrize("schema", ["0003"])
async def test_leases_of_an_older_version_are_asked_about_extended_and_ended(old_url: str) -> None:
    async with upgraded(old_url) as here:
        promised = (await here.rental(KEPT)).running_lease.question
        assert promised.promised
        assert promised.at is not None
        await jump_to(here, promised.at - SECOND)
        # A sign of life: only the question whose time its owner knows is still asked.
        extended = await here.approve(await here.rental(EXTENSION_WAITS), BEN)
        async with here.deps.store.write() as tx:
            await tx.people.note_seen(ANA.id, here.now)
        asked = {rental_id: await count(here, rental_id, EventKind.STILL_NEEDED) for rental_id in (KEPT, IN_USE)}
        await here.pass_time(10 * MINUTE)
        assert await count(here, KEPT, EventKind.STILL_NEEDED) == asked[KEPT] + 1
        assert await count(here, IN_USE, EventKind.STILL_NEEDED) == asked[IN_USE]
        assert extended.extension is None
        assert extended.running_lease.ends_at == datetime(2026, 11, 27, 12, 20, 59, 687946, tzinfo=UTC)

        await here.destroy(await here.rental(IN_USE))
        ends_at = (await here.rental(EXTENDED)).running_lease.ends_at
        await jump_to(here, ends_at - 30 * MINUTE)
        assert await count(here, EXTENDED, EventKind.ENDING) == 1
        await jump_to(here, ends_at - SECOND)
        await here.until(EXTENDED, State.DESTROYED)
        states = {rental_id: (await here.rental(rental_id)).state for rental_id in (IN_USE, KEPT, EXTENSION_WAITS)}
        assert states == {IN_USE: State.DESTROYED, KEPT: State.DESTROYED, EXTENSION_WAITS: State.READY}


@pytest.mark.parametrize(("kind", "schema"), [("sqlite", "0002"), ("sqlite", "0003")])
async def test_overdue_machines_of_an_older_version_are_deleted(old_url: str) -> None:
    database = engine(old_url)
    before = await at(database, contents)
    await database.dispose()
    async with world(old_url) as here:
        here.jump(3 * 24 * HOUR)  # past the end of each lease
        await here.overdue.delete_overdue()
        here.jump(OVERDUE_GRACES * overdue_grace(here.deps.rules))
        await here.overdue.delete_overdue()
        deleted = {call["path"].rpartition("/")[2] for call in await here.calls("delete_resource")}
    assert deleted == {row["resource_id"] for row in before["resources"] if row["gone_at"] is None}
