"""The charges of a month, and the files that are kept."""

from __future__ import annotations

from datetime import timedelta

from bot.model.attempt import AttemptState
from bot.model.base import changed
from bot.model.budget import ChargedMachine, MonthPart, Scope, ScopeKind
from bot.model.message import MessageKind, to_person
from bot.model.records import Change
from bot.model.state import State
from store.db import Database
from tests.databases import START
from tests.store import make

HOUR = timedelta(hours=1)
H100 = "nvidia-h100-sxm5-80gb"


async def test_months_with_charges_are_unfiled_until_their_file_is_stored(database: Database) -> None:
    march, april = make.charge("r1", "aaaaa"), make.charge("r2", "bbbbb", month="2025-04")
    await make.store_charged(database, april, march)
    async with database.write() as tx:
        assert await tx.budgets.unfiled() == ["2025-03", "2025-04"]
        assert await tx.budgets.filed_file("2025-03") is None
        await tx.budgets.file("2025-03", START, "a,b\r\n")
    async with database.read() as tx:
        assert await tx.budgets.unfiled() == ["2025-04"]
        assert await tx.budgets.filed_file("2025-03") == "a,b\r\n"
        assert await tx.budgets.filed() == {"2025-03": START}


async def test_a_months_machines_include_those_still_billing(
    database: Database,
) -> None:
    offer = make.offer("offer-a", vendor_region="nor-1", contract="spot")
    await make.store_charged(database, make.charge("r1", "aaaaa"), offer=offer)
    await make.store_charged(database, make.charge("r2", "bbbbb", month="2025-04"))
    live = make.rental("ccccc", state=State.READY, attempts=1, vendor_region="eu-1")
    await make.store_rental(database, live, make.attempt("ccccc", state=AttemptState.BOUGHT))
    async with database.write() as tx:
        alive = make.resource("r3", "ccccc")
        await tx.rentals.apply(Change(before=live, after=live, resources=(alive,)))
    async with database.read() as tx:
        machines = await tx.budgets.machines("2025-03")
    assert machines == {
        "r1": ChargedMachine(
            vendor="nebius",
            region="nor-1",
            gpu=H100,
            contract="spot",
            name="gpubot-aaaaa-1",
            channel=make.HOME,
        ),
        "r3": ChargedMachine(
            vendor="nebius", region="", gpu=H100, contract="ondemand", name="gpubot-ccccc-1", channel=make.HOME
        ),
    }


async def test_open_attempts_and_alive_resources_may_have_billed_before_a_time(
    database: Database,
) -> None:
    async def billing(before: timedelta) -> bool:
        async with database.read() as tx:
            return await tx.budgets.billing_before(START + before)

    assert not await billing(9 * HOUR)
    await make.store_charged(database, make.charge("r1", "aaaaa"))
    assert not await billing(9 * HOUR), "it is gone"
    intended = make.attempt("bbbbb", state=AttemptState.UNKNOWN, intended_at=START + 2 * HOUR)
    bought = make.rental("bbbbb", attempts=1)
    await make.store_rental(database, bought, intended)
    assert (await billing(2 * HOUR), await billing(3 * HOUR)) == (False, True)
    failed = changed(intended, state=AttemptState.FAILED)
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=bought, after=bought, attempts=(failed,)))
    assert not await billing(9 * HOUR)
    async with database.write() as tx:  # it bought something after all, and bills since before it was intended
        late = make.resource("r2", "bbbbb", valid_from=START + HOUR)
        await tx.rentals.apply(Change(before=bought, after=bought, resources=(late,)))
    assert (await billing(HOUR), await billing(2 * HOUR)) == (False, True)


async def test_a_file_waits_until_it_is_sent(database: Database) -> None:
    part = MonthPart(month="2025-03", scope=Scope(kind=ScopeKind.PROJECT, name="vision"))
    async with database.write() as tx:
        await tx.messages.add(make.message(MessageKind.FILE, None, to=make.ANA, charges_of=part))
    async with database.write() as tx:
        assert await tx.messages.file_waits(to_person(make.ANA), part)
        assert not await tx.messages.file_waits(to_person(make.BEN), part)
        assert not await tx.messages.file_waits(to_person(make.ANA), MonthPart(month="2025-03"))
        (waiting,) = await tx.messages.due(START.replace(year=2100), 9)
        assert waiting.charges_of == part
        await tx.messages.save(changed(waiting, closed=True, due_at=None))
        assert not await tx.messages.file_waits(to_person(make.ANA), part)
