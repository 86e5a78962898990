"""Gives an owner to machines that run on the account and that the store does not know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.errors import Mistake, Refused, TooLate
from bot.lifecycle.adoption import adopt
from bot.lifecycle.deps import Deps, apply, free_id
from bot.lifecycle.ports.store import Tx
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.unknown import UnknownMachine
from bot.policy.resource_names import names_of
from bot.policy.roles import may_manage_account, may_use
from bot.policy.spending import check_lease

ONLY_ADMINS = "Only admins decide about machines that I don't know. I changed nothing."
"""The whole answer to others, so that they learn nothing about the machines."""


def check_admin(person: Person, deps: Deps) -> None:
    """Raise Refused if a person may not decide about unknown machines."""
    if not may_manage_account(person, deps.rules):
        raise Refused(ONLY_ADMINS)


def check_new_owner(owner: Person, deps: Deps) -> None:
    """Raise Mistake if a person may not become the owner of a machine: they may not use the bot."""
    if not may_use(owner, deps.rules):
        raise Mistake("They may not use me, so they can't own a machine. Choose a member who may.")


async def adopt_machines(
    tx: Tx,
    deps: Deps,
    admin: Person,
    machines: Sequence[UnknownMachine],
    *,
    owner: Person,
    ends_at: datetime,
    put_back: bool = False,
) -> Rental:
    """Make a rental of unknown machines of one purchase, in the caller's transaction, and return it. Its id is the
    one in their name if that is free, so that old buttons work again. The caller has taken the spending lock, so
    that two adoptions of one machine don't both find it unknown.

    No limit refuses the machines, since they bill already. Raise Refused if the person is no admin, Mistake if
    `owner` may not use the bot or the lease would be too long, and TooLate if one of the machines belongs to a
    rental by now.
    """
    check_admin(admin, deps)
    check_new_owner(owner, deps)
    now = deps.clock.now()
    check_lease(ends_at - now, deps.rules)
    known = await tx.rentals.resources_by_id([machine.resource_id for machine in machines])
    if known:
        rental_id = next(iter(known.values())).rental_id
        raise TooLate(f"It belongs to {rental_id} by now. I changed nothing.", rental_id)
    adoption = adopt(
        machines,
        rental_id=await _id_for(tx, deps, machines),
        owner=owner.id,
        card_channel=deps.rules.home_channel,
        by=admin.id,
        ends_at=ends_at,
        now=now,
        rules=deps.rules,
        put_back=put_back,
    )
    await apply(
        tx, deps, None, adoption.rental, adoption.event, attempts=(adoption.attempt,), resources=adoption.resources
    )
    await tx.people.note_seen(admin.id, now)
    return adoption.rental


def longest_lease(deps: Deps, wanted: timedelta) -> timedelta:
    """Return how long an adopted machine may run: `wanted`, or the longest lease of the rules if that is
    shorter."""
    return min(wanted, deps.rules.lease.max)


async def _id_for(tx: Tx, deps: Deps, machines: Sequence[UnknownMachine]) -> str:
    names = names_of(machines)
    if names and await tx.rentals.get(names[0].rental_id) is None:
        return names[0].rental_id
    return await free_id(tx, deps)
