"""Machines that reappear after their deletion was confirmed.

Such a machine is watched again, and it has a ledger row for each period in which it existed.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.lifecycle.account.sweep import sweep
from bot.lifecycle.actions import queries
from bot.model.attempt import LedgerRow
from bot.model.event import EventKind as E
from bot.model.rental import Rental
from bot.model.state import State
from tests.lifecycle.world import ANA, MINUTE, SECOND, World


async def spent(here: World, rental: Rental) -> int:
    """Return the cost of a rental that its details show."""
    return (await queries.show(here.deps, ANA, rental.id)).spent.amount


async def report_deleted(here: World, *, ended: bool) -> list[str]:
    """Make Compute Clear report every running machine as deleted. Return the faults that do so.

    Args:
        ended: True if the time of the end is reported as well.
    """
    dead = {"status": "deleted", "valid_to": here.now.isoformat() if ended else None}
    faults = [await here.list_resources_as([{**one, **dead} for one in await here.outside.resources()])]
    for one in await here.alive():
        body = json.dumps({**await here.outside.resource(one["resource_id"]), **dead})
        match = one["resource_id"]
        faults.append(await here.fault("get_resource", "garbage", times=None, body=body, match=match))
    return faults


def rows_of(rows: list[LedgerRow], resource_id: str) -> list[LedgerRow]:
    return [row for row in rows if row.resource_id == resource_id]


@pytest.mark.parametrize("ended", [True, False])
async def test_a_machine_that_reappears_is_deleted_again_and_charged_again(here: World, ended: bool) -> None:
    """The machine gets a second ledger row."""
    rental = await here.ready()
    await here.pass_time(10 * MINUTE)
    faults = await report_deleted(here, ended=ended)
    rental = await here.until(rental, State.LOST)
    (first,) = await here.ledger(rental)
    assert await spent(here, rental) == first.amount
    for fault in faults:
        await here.release(fault)
    here.jump(7 * MINUTE)
    await sweep(here.deps)
    # Both are computed for the same moment, but each ledger row is rounded once.
    assert abs(await spent(here, rental) - await here.bill()) <= 1
    await here.settle()
    await here.pass_time(5 * MINUTE)
    assert await here.alive() == []
    rows = await here.ledger(rental)
    assert [row.n for row in rows] == [1, 2]
    assert rows[0] == first
    assert rows[1].started_at == first.ended_at
    total = sum(row.amount for row in rows)
    assert abs(total - await here.bill()) <= 1
    assert await spent(here, rental) == total
    terminated = (await here.last_event(rental, E.ORPHAN_TERMINATED)).facts
    assert terminated.amount == total


async def four_being_deleted(here: World) -> tuple[Rental, list[dict[str, Any]]]:
    """Return a rental whose four machines are being deleted slowly, and the account's list of them."""
    await here.behaves("hyperstack", "partial", times=1)
    rental = await here.get()
    await here.pass_time(20 * SECOND)
    await here.behaves("hyperstack", "not_deleting", seconds=300)
    rental = await here.destroy(rental)
    listed = await here.outside.resources()
    assert len(listed) == 4
    return rental, listed


async def test_one_of_several_machines_that_reappears_is_watched_again(here: World) -> None:
    rental, listed = await four_being_deleted(here)
    back, *others = listed
    fault = await here.list_resources_as(
        [{**back, "status": "deleted", "valid_to": here.now.isoformat()}, *others]
    )
    await here.pass_time(20 * SECOND)
    assert len(await here.ledger(rental)) == 1
    await here.release(fault)
    here.jump(SECOND)
    await sweep(here.deps)
    watched = [one.resource_id for one in await here.resources(rental) if one.terminated_at is None]
    assert sorted(watched) == sorted(one["resource_id"] for one in listed)
    await here.until(rental, State.CANCELLED)
    rows = await here.ledger(rental)
    first, second = rows_of(rows, back["resource_id"])
    assert (first.n, second.n, second.started_at) == (1, 2, first.ended_at)
    assert len(rows) == 5
    assert abs(sum(row.amount for row in rows) - await here.bill()) <= 1


async def test_an_outdated_list_does_not_bring_a_machine_back(here: World) -> None:
    rental, listed = await four_being_deleted(here)
    terminated = listed[0]["resource_id"]
    await here.outside.control(f"resources/{terminated}/vanish", how="deleted")
    await here.pass_time(20 * SECOND)
    (row,) = await here.ledger(rental)
    fault = await here.list_resources_as(listed)
    await sweep(here.deps)
    await here.release(fault)
    assert [one.resource_id for one in await here.resources(rental) if one.terminated_at is not None] == [
        terminated
    ]
    await here.until(rental, State.CANCELLED)
    assert rows_of(await here.ledger(rental), terminated) == [row]
