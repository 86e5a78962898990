"""Adoption: an unmanaged machine gets an owner, and is then like any other rental."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import Mistake, Refused, TooLate
from bot.lifecycle.account import adoption
from bot.lifecycle.money import billing
from bot.model.admin_question import UnmanagedMachine
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import AccruedCost
from tests.lifecycle.adopting import add_machine, adopt, change_owner
from tests.lifecycle.checks import check, check_delivered, ends_as
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, RULES, World, world


async def adopt_all(here: World, *, span: timedelta = 3 * HOUR, **more: Any) -> Rental:
    """Adopt every machine of the account for an owner, as one purchase."""
    machines = [machine["resource_id"] for machine in await here.alive()]
    return await adopt(here, *machines, ends_at=here.now + span, **more)


async def test_an_adopted_machine_is_charged_from_its_start_until_its_lease_ends(
    sqlite_url: str,
) -> None:
    async with world(sqlite_url) as here:
        resource_id = await add_machine(here)
        here.jump(2 * HOUR)
        rental = await adopt_all(here)
        assert (rental.state, rental.owner, rental.rate) == (State.READY, ANA.id, Decimal("2.10"))
        assert (rental.quote_id, rental.approved_by, rental.card_channel) == (None, CLEO.id, "C0HOME")
        assert rental.running_lease.ends_at == here.now + 3 * HOUR
        assert await here.direct(rental) == [(ANA.id, E.ADOPTED)]
        (attempt,) = await here.attempts(rental)
        assert (attempt.offer, attempt.resource_name, attempt.live) == (None, None, True)
        await here.sweep()
        await here.be_down(2 * HOUR)
        await here.pass_time(10 * MINUTE)
        assert await here.calls("offer_status") == []
        assert [resource.resource_id for resource in await here.resources(rental)] == [resource_id]
        await ends_as(here, rental, State.DESTROYED, within=3 * HOUR)
        (row,) = await here.ledger(rental)
        assert (row.owner, row.estimated) == (ANA.id, False)
        assert (await here.last_event(rental, E.ENDED)).facts.estimate is None
        assert (await here.direct(rental))[-1] == (ANA.id, E.ENDING)
        await check(here)
        await check_delivered(here)


async def test_an_adopted_machine_gets_back_the_id_in_its_name(
    here: World,
) -> None:
    """If that ID is taken, the machine gets another one."""
    await add_machine(here, "gpubot-k7mq2-1-u0ana")
    assert (await adopt_all(here)).id == "k7mq2"
    await here.destroy(await here.rental("k7mq2"))
    await here.until("k7mq2", State.DESTROYED)
    await add_machine(here, "gpubot-k7mq2-2-u0ana")
    assert (await adopt_all(here)).id != "k7mq2"


async def test_limits_do_not_prevent_the_adoption_of_a_running_machine(sqlite_url: str) -> None:
    nothing = changed(RULES.limits, per_person_rentals=1, team_per_hour=Decimal("0.01"))
    async with world(sqlite_url, rules=changed(RULES, limits=nothing)) as here:
        await add_machine(here)
        assert (await adopt_all(here)).state is State.READY


async def test_an_adopted_machine_without_a_price_is_free_until_it_has_one(sqlite_url: str) -> None:
    """Other machines of the same purchase may have a price."""
    async with world(sqlite_url) as here:
        now = here.now
        machines = [
            UnmanagedMachine(
                resource_id=f"r{n}", status="running", runs=True, since=now, valid_from=now, rate=rate
            )
            for n, rate in enumerate((Decimal("2.10"), None))
        ]
        async with here.deps.store.write() as tx:
            rental = await adoption.adopt_machines(tx, here.deps, CLEO, machines, owner=ANA, ends_at=now + HOUR)
        resources, attempts = await here.resources(rental), await here.attempts(rental)
        spent = billing.spent((), resources, attempts, now + HOUR)
        assert (rental.rate, spent) == (Decimal("2.10"), AccruedCost(amount=2_100_000, estimated=True))
        assert spent == adoption.cost_so_far(machines, now + HOUR)


async def test_an_adopted_machine_gets_its_address_once_the_vendor_reports_it(here: World) -> None:
    body = {"resource_id": await add_machine(here), "status": "running"}
    lie = await here.list_resources_as([body])
    shown = await here.fault("get_resource", "garbage", times=None, body=json.dumps(body))
    rental = await adopt_all(here)
    assert rental.host is None
    for one in (lie, shown):
        await here.release(one)
    await here.pass_time(5 * MINUTE)
    rental = await here.rental(rental.id)
    (resource,) = await here.resources(rental)
    assert resource.host is not None
    assert (rental.host, rental.port) == (resource.host, resource.port)


async def test_an_adopted_machine_that_the_vendor_takes_away_is_lost(here: World) -> None:
    resource_id = await add_machine(here)
    rental = await adopt_all(here)
    await here.outside.control(f"resources/{resource_id}/vanish", how="missing")
    rental = await here.until(rental, State.LOST)
    assert (ANA.id, E.LOST) in await here.direct(rental)


async def test_only_admins_adopt_machines_for_allowed_people_and_times(
    here: World,
) -> None:
    await add_machine(here)
    with pytest.raises(Refused):
        await adopt_all(here, admin=BEN)
    with pytest.raises(Mistake):
        await adopt_all(here, owner=changed(ANA, guest=True))
    with pytest.raises(Mistake):
        await adopt_all(here, span=RULES.lease.max + MINUTE)
    assert await here.rentals() == []


async def test_a_machine_with_an_owner_cannot_be_adopted_again(here: World) -> None:
    await add_machine(here)
    rental = await adopt_all(here)
    with pytest.raises(TooLate, match=rental.id):
        await adopt_all(here, owner=BEN)
    assert len(await here.rentals()) == 1


async def test_a_new_owner_does_not_split_the_rentals_ledger_row(sqlite_url: str) -> None:
    async with world(sqlite_url) as here:
        rental = await here.ready(teammates=(BEN.id,))
        await here.be_down(HOUR)
        with pytest.raises(Refused):
            await change_owner(here, ANA, rental, BEN)
        with pytest.raises(Mistake):
            await change_owner(here, CLEO, rental, changed(BEN, deactivated=True))
        await change_owner(here, CLEO, rental, BEN)
        await here.settle()
        rental = await here.rental(rental.id)
        assert (rental.owner, rental.teammates, rental.running_lease.seen_at) == (BEN.id, (), here.now)
        event = await here.last_event(rental, E.OWNER_CHANGED)
        assert (event.at, event.actor, event.facts.people) == (here.now, CLEO.id, (ANA.id, BEN.id))
        assert (await here.direct(rental))[-1] == (BEN.id, E.OWNER_CHANGED)
        await ends_as(here, rental, State.DESTROYED, within=2 * HOUR)
        assert [row.owner for row in await here.ledger(rental)] == [BEN.id]
        assert (await here.direct(rental))[-1] == (BEN.id, E.ENDING)
        with pytest.raises(TooLate):
            await change_owner(here, CLEO, rental, ANA)
        await check(here)
