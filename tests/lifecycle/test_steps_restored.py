"""A backup from an hour ago is restored while machines bought since then are running.

Each of these machines is re-adopted, and nothing is bought a second time.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import BuyingBlock, BuyingBlocked, Refused, TooLate
from bot.lifecycle.account.sweep import first_sweep
from bot.lifecycle.actions import account, admin_questions
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.deps import Opened
from bot.model.admin_question import AdminQuestion, Purchase, Purchases
from bot.model.attempt import Why
from bot.model.event import EventKind as E
from bot.model.message import Message
from bot.model.state import State
from store.db import Database
from tests.lifecycle.adopting import add_machine
from tests.lifecycle.checks import check_delivered
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, KnownPeople, World, world


@pytest.fixture
async def ours(sqlite_url: str) -> AsyncIterator[World]:
    """Yield a world whose account has purchases that no store knows. It isn't checked at its end."""
    async with world(sqlite_url) as made:
        yield made


def back_up(url: str, copy: Path) -> None:
    """Copy the database like an operator does."""
    with (
        closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


@asynccontextmanager
async def restored(here: World, copy: Path) -> AsyncIterator[None]:
    """Run the bot on a copy of its database, before its first sweep."""
    store = await Database.open(f"sqlite:///{copy}", claimant="world", clock=here.clock)
    people, opened = KnownPeople(store), Opened()
    here.people, here.database = people, store
    opened.again(here.clock)
    here.restart(replace(here.deps, store=store, directory=people, opened=opened))
    async with store.write() as tx:
        await tx.messages.show_all_again()
    try:
        yield
    finally:
        await store.close()


async def open_purchases(here: World) -> list[AdminQuestion]:
    async with here.deps.store.read() as tx:
        return await tx.questions.purchases()


async def questions(here: World) -> list[Message]:
    """Return the messages about machines that were bought after the backup was taken."""
    return await here.questions(Purchases, bought_after_backup=True)


async def last_question(here: World) -> str:
    """Return the ID of the last question about several purchases."""
    return (await questions(here))[-1].question_id or ""


async def test_machines_bought_after_the_backup_are_readopted_with_one_click(
    ours: World, sqlite_url: str, tmp_path: Path
) -> None:
    """Nothing is bought again."""
    here, copy = ours, tmp_path / "backup.db"
    before = await here.ready(lease=8 * HOUR)
    asked = await here.get(count=8, lease=8 * HOUR)
    assert asked.state is State.AWAITING_APPROVAL
    back_up(sqlite_url, copy)
    await here.until(await here.approve(asked), State.READY)
    since = [await here.ready(person=person, lease=8 * HOUR) for person in (BEN, CLEO)]
    await here.be_down(HOUR)
    bought, alive = await here.bought(), await here.alive()
    assert len(alive) == 4
    async with restored(here, copy):
        lie = await here.fault("list_resources", "status", status=503, times=None)
        await here.settle()
        assert await here.bought() == bought, "nothing is bought before the account was read"
        await here.release(lie)
        await first_sweep(here.deps)
        await here.settle()
        await here.sweep()
        assert [message.to.value for message in await questions(here)] == [CLEO.id]
        assert await here.account_event_kinds() == [E.BOUGHT_AFTER_BACKUP]
        assert (await here.account_event(E.BOUGHT_AFTER_BACKUP)).facts.count == 3
        assert await here.questions(Purchase) == []

        with pytest.raises(BuyingBlocked) as blocked:
            await here.get(person=BEN)
        assert blocked.value.block is BuyingBlock.BOUGHT_AFTER_BACKUP
        with pytest.raises(TooLate, match="already has a machine"):
            await here.approve(asked)
        for person in (ANA, BEN):
            with pytest.raises(Refused, match="Only admins"):
                await carry_out(here.deps, person, admin_questions.ReadoptAll(await last_question(here)))

        await carry_out(here.deps, CLEO, admin_questions.ReadoptAll(await last_question(here)))
        with pytest.raises(TooLate, match="have decided about"):
            await carry_out(here.deps, CLEO, admin_questions.ReadoptAll(await last_question(here)))
        await here.settle()
        back = {rental.owner: rental for rental in await here.rentals() if rental.approved_by == CLEO.id}
        assert {owner: rental.state for owner, rental in back.items()} == dict.fromkeys(
            (ANA.id, BEN.id, CLEO.id), State.READY
        )
        assert {back[BEN.id].id, back[CLEO.id].id} == {rental.id for rental in since}
        for rental in back.values():
            assert rental.running_lease.ends_at == here.now + 24 * HOUR
            (attempt,) = await here.attempts(rental)
            (resource,) = await here.resources(rental)
            assert attempt.intended_at == resource.valid_from
        assert [await here.direct(back[person.id]) for person in (ANA, BEN)] == [
            [(ANA.id, E.ADOPTED)],
            [(BEN.id, E.ADOPTED)],
        ]

        request = await here.rental(asked.id)
        assert request.state is State.CANCELLED
        ended = await here.last_event(request, E.ENDED)
        assert (ended.facts.why, ended.facts.name, ended.facts.amount) == (
            Why.BOUGHT_AFTER_BACKUP,
            back[ANA.id].id,
            None,
        )

        await carry_out(here.deps, CLEO, account.Resume())
        await here.sweep()
        assert await here.bought() == bought
        assert len(await questions(here)) == 1
        for rental in (before, *back.values()):
            await here.until(await here.destroy(rental, CLEO), State.DESTROYED)
        assert await here.alive() == []
        rows = [row for rental in await here.rentals() for row in await here.ledger(rental)]
        assert abs(sum(row.amount for row in rows) - await here.bill()) < len(rows)
        await check_delivered(here)


async def test_a_purchase_made_after_the_backup_is_not_repeated(
    ours: World, sqlite_url: str, tmp_path: Path
) -> None:
    """The backup contains a first attempt, which has failed since.

    The account has the machine of the second attempt.
    """
    here, copy = ours, tmp_path / "backup.db"
    await here.behaves("hyperstack", "fails_later")
    rental = await here.get(lease=8 * HOUR)
    assert (rental.state, rental.attempts) == (State.PROVISIONING, 1)
    back_up(sqlite_url, copy)
    rental = await here.until(rental, State.READY)
    assert rental.attempts == 2
    bought = await here.bought()
    async with restored(here, copy):
        await here.settle()
        await first_sweep(here.deps)
        await carry_out(here.deps, CLEO, account.Resume())
        await here.pass_time(30 * MINUTE)
        assert await here.bought() == bought, "not even after buying goes on"
        waits = await here.rental(rental.id)
        assert waits.bought_after_backup
        asked_again = await here.last_event(waits, E.ASKED_AGAIN)
        assert asked_again.facts.amount is None, "nobody reads that nothing is rented"
        (purchase,) = await open_purchases(here)
        await admin_questions.one_by_one(here.deps, CLEO, await last_question(here))
        await here.settle()
        assert len(await here.questions(Purchase)) == 1
        (purchase,) = await open_purchases(here)
        await carry_out(here.deps, CLEO, admin_questions.DestroyUnmanaged(purchase.id, purchase.version, typed=""))
        await here.pass_time(2 * MINUTE)
        assert (await here.rental(rental.id)).state is State.CANCELLED
        assert await here.alive() == []
        assert await here.bought() == bought


async def test_an_empty_database_is_reported_and_ownerless_machines_stay(here: World) -> None:
    """Machines whose names contain no known owner aren't re-adopted."""
    for n, owner in enumerate(("", f"-{ANA.id.lower()}", "-u0gone")):
        await add_machine(here, f"gpubot-abcd{n + 2}-1{owner}")
    await here.sweep()
    await here.sweep()
    assert await here.account_event_kinds() == [E.BOUGHT_AFTER_BACKUP]
    assert (await here.account_event(E.BOUGHT_AFTER_BACKUP)).facts.detail == "empty"
    question = await last_question(here)
    both = await asyncio.gather(
        *(carry_out(here.deps, CLEO, admin_questions.ReadoptAll(question)) for _ in range(2)),
        return_exceptions=True,
    )
    ((rental,),) = [done for done in both if isinstance(done, list)]
    assert sum(isinstance(done, Refused) for done in both) == 1
    assert (rental.id, rental.owner) == ("abcd3", ANA.id)
    await admin_questions.one_by_one(here.deps, CLEO, await last_question(here))
    await here.settle()
    assert len(await here.questions(Purchase)) == 2
    await carry_out(here.deps, CLEO, account.Resume())
    assert (await here.get()).state is State.PROVISIONING
    await add_machine(here, "gpubot-abcd9-1")
    await here.sweep()
    assert len(await questions(here)) == 2
    with pytest.raises(BuyingBlocked):
        await here.get(person=BEN)
    await here.settle()
    await add_machine(here, "gpubot-abcd8-1")
    await here.sweep()
    shown = [message.target_version for message in await questions(here)]
    await carry_out(here.deps, CLEO, account.Resume())
    assert [message.target_version for message in await questions(here)] == [
        shown[0],
        *(version + 1 for version in shown[1:]),
    ], "each message that says that buying is paused"
    await here.settle()


async def test_a_request_continues_once_none_of_its_machines_is_ours(here: World) -> None:
    asked = await here.get(count=8)
    for n in (1, 2):
        await add_machine(here, f"gpubot-{asked.id}-{n}")
    await here.sweep()
    await admin_questions.one_by_one(here.deps, CLEO, await last_question(here))
    for still in (True, False):
        purchase = (await open_purchases(here))[-1 if still else 0]
        await carry_out(here.deps, CLEO, admin_questions.NotOurs(purchase.id, purchase.version, reason="not ours"))
        assert (await here.rental(asked.id)).bought_after_backup is still
    await carry_out(here.deps, CLEO, account.Resume())
    await here.until(await here.approve(asked), State.READY)


async def test_the_owner_is_notified_while_the_account_cannot_be_read(
    here: World,
) -> None:
    """Nothing is bought during that time."""
    deps = here.deps
    here.restart(replace(deps, opened=Opened(swept=False)))
    rental = await here.get()
    await here.pass_time(MINUTE)
    assert await here.event_kinds(rental) == [E.STARTED, E.BLOCKED]
    assert (await here.last_event(rental, E.BLOCKED)).facts.why is Why.OUTAGE
    here.restart(deps)
    await here.until(rental, State.READY)
