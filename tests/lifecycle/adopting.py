"""Helpers for unmanaged machines, and for the owners that they get."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.account.adoption import adopt_machines
from bot.lifecycle.account.unmanaged_machines import unmanaged_machine
from bot.lifecycle.actions import admin_questions
from bot.lifecycle.deps import transact
from bot.model.person import Person
from bot.model.rental import Rental
from store.db import Tx
from tests.lifecycle.world import ANA, CLEO, World


async def add_machine(here: World, name: str = "train-3") -> str:
    """Add a running machine to the account, and return its resource ID."""
    added = await here.outside.control("resources", name=name, gpu_type="H100", rate="2.10")
    return str(added["resource_id"])


async def adopt(
    here: World, *resource_ids: str, ends_at: datetime, owner: Person = ANA, admin: Person = CLEO
) -> Rental:
    """Adopt these machines for an owner, as one purchase."""
    views = await here.deps.market.resources()
    machines = [unmanaged_machine(view, here.now) for view in views if view.resource_id in resource_ids]

    async def decision(tx: Tx) -> Rental:
        return await adopt_machines(tx, here.deps, admin, machines, owner=owner, ends_at=ends_at)

    rental = await transact(here.deps, decision)
    await here.settle()
    return await here.rental(rental.id)


async def change_owner(here: World, admin: Person, rental: Rental, owner: Person) -> Rental:
    """Give a rental another owner, as an admin does."""

    async def decision(tx: Tx) -> Rental:
        return await admin_questions.change_owner(tx, here.deps, admin, rental.id, owner)

    return await transact(here.deps, decision)
