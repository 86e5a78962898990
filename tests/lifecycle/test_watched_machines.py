"""The data that the watchdog reads about each machine: its owner, its price, and its latest possible end."""

from __future__ import annotations

from decimal import Decimal

from bot.model.state import State
from bot.model.watched_machine import WatchedMachine
from bot.ops.health_report import watched_machines
from tests.lifecycle.adopting import add_machine, adopt
from tests.lifecycle.leases import end_of
from tests.lifecycle.world import BEN, HOUR, MINUTE, World

GRACE = 15 * MINUTE


async def watched(here: World) -> dict[str, WatchedMachine]:
    """Return the machines by rental ID."""
    async with here.deps.store.read() as tx:
        return {machine.rental_id: machine for machine in await watched_machines(tx, here.deps.rules)}


async def test_a_ready_machine_ends_a_grace_period_after_its_lease(
    here: World,
) -> None:
    """The same applies after an extension."""
    rental = await here.ready()
    (machine,) = (await watched(here)).values()
    (alive,) = await here.alive()
    assert machine == WatchedMachine(
        resource_id=alive["resource_id"],
        name=alive["name"],
        rental_id=rental.id,
        owner="U0ANA",
        owner_name="Ana",
        rate=Decimal("2.15"),
        ends_at=end_of(rental) + GRACE,
    )
    await here.extend(rental, 3 * HOUR)
    assert (await watched(here))[rental.id].ends_at == end_of(rental) + 3 * HOUR + GRACE


async def test_the_latest_end_of_a_flexible_end_counts(here: World) -> None:
    rental = await here.ready(lease=2 * HOUR, up_to=4 * HOUR)
    assert (await watched(here))[rental.id].ends_at == rental.running_lease.ready_at + 4 * HOUR + GRACE


async def test_a_starting_machine_ends_after_its_timeout_and_lease(
    here: World,
) -> None:
    rental = await here.until(await here.get(person=BEN, lease=3 * HOUR), State.PROVISIONING)
    assert rental.accepted_at is not None
    longest = here.deps.rules.procure.provision_timeout + 3 * HOUR + GRACE
    assert (await watched(here))[rental.id].ends_at == rental.accepted_at + longest


async def test_a_machine_being_destroyed_ends_a_grace_period_later(here: World) -> None:
    rental = await here.ready(lease=9 * HOUR)
    await here.destroy(rental, settle=False)
    assert (await watched(here))[rental.id].ends_at == here.now + GRACE
    await here.until(rental, State.DESTROYED)
    assert await watched(here) == {}


async def test_a_failed_purchases_machine_ends_after_the_timeout(here: World) -> None:
    await here.behaves("hyperstack", "fails_with_resource")
    await here.fault("delete_resource", "status", status=500, times=None)
    rental = await here.get()
    await here.pass_time(2 * MINUTE)
    async with here.deps.store.read() as tx:
        found = await watched_machines(tx, here.deps.rules)
        attempt = (await tx.rentals.attempts(rental.id))[0]
    failed = next(machine for machine in found if machine.name == attempt.resource_name)
    assert failed.ends_at == attempt.intended_at + here.deps.rules.procure.provision_timeout + GRACE


async def test_an_adopted_machine_ends_as_the_admin_decided(
    here: World,
) -> None:
    """The age of the machine doesn't matter. A machine that nobody adopted isn't watched."""
    old, _ = await add_machine(here), await add_machine(here, "gpubot-x")
    here.jump(90 * 24 * HOUR)
    rental = await adopt(here, old, ends_at=here.now + 5 * HOUR)
    (machine,) = (await watched(here)).values()
    assert (machine.resource_id, machine.rental_id, machine.name) == (old, rental.id, None)
    assert machine.ends_at == here.now + 5 * HOUR + GRACE
