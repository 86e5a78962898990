"""Turns unmanaged machines into a rental. This is called adoption.

An unmanaged machine runs on the Compute Clear account, but belongs to no rental in the store. An admin decides who
owns the machine from now on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from bot.errors import Mistake, Refused, TooLate
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.deps import Deps, free_id
from bot.lifecycle.money.billing import accrued, hourly
from bot.model.admin_question import UnmanagedMachine
from bot.model.attempt import AdoptedMachine, Attempt, AttemptState, Resource, Why
from bot.model.event import Event, EventKind
from bot.model.facts import AdoptedFacts
from bot.model.money import cost_at_most
from bot.model.person import Person
from bot.model.records import Billing, Change
from bot.model.rental import Lease, Question, Rental
from bot.model.request import Contract, Request, Terms
from bot.model.state import State
from bot.model.summary import AccruedCost
from bot.policy.buying.budgets import project_of
from bot.policy.buying.resource_names import names_of
from bot.policy.buying.spending import check_lease
from bot.policy.team.roles import is_admin, may_use
from bot.policy.team.rules import Rules
from store.db import Tx

UNKNOWN_GPU = "unknown GPU"
"""Shown as the GPU of a machine if the API doesn't state it."""


ONLY_ADMINS = "Only admins can decide this. Nothing was changed."
"""The reply to people who aren't admins. It tells them nothing about the machines."""


def check_admin(person: Person, deps: Deps) -> None:
    """Refuse a person who isn't allowed to decide about unmanaged machines. Raises Refused."""
    if not is_admin(person, deps.rules):
        raise Refused(ONLY_ADMINS)


def check_new_owner(owner: Person, deps: Deps) -> None:
    """Refuse a new owner who isn't allowed to use the bot. Raises Mistake."""
    if not may_use(owner, deps.rules):
        raise Mistake(f"{owner.name} may not use me and so can't own a machine. Choose a member who may.")


async def adopt_machines(
    tx: Tx,
    deps: Deps,
    admin: Person,
    machines: Sequence[UnmanagedMachine],
    *,
    owner: Person,
    ends_at: datetime,
    readopt: bool = False,
) -> Rental:
    """Turn the unmanaged machines of one purchase into a ready rental, and return it.

    Everything is written in the caller's transaction. The caller must hold the spending lock, so that no other
    transaction adopts the same machine at the same time.

    If the machines' names contain a rental ID that is free, the rental gets this ID, so that the buttons in its
    old messages work again. The rental has a single attempt. The attempt has no offer and no resource name, so
    that a lookup can't add other machines to it.

    No approval is needed, because an admin decides. Limits don't apply, because the machines are already billing.

    Args:
        ends_at: The end of the lease.
        readopt: True if the bot bought the machines itself, but the restored database doesn't know them.

    Raises:
        Refused: The person isn't an admin.
        Mistake: `owner` isn't allowed to use the bot, or the lease would be too long.
        TooLate: One of the machines has become part of a rental in the meantime.
    """
    check_admin(admin, deps)
    check_new_owner(owner, deps)
    now, rules = deps.clock.now(), deps.rules
    check_lease(ends_at - now, rules)
    known = await tx.rentals.resources_by_id([machine.resource_id for machine in machines])
    if known:
        rental_id = next(iter(known.values())).rental_id
        raise TooLate(f"This machine is already part of the rental {rental_id}. Nothing was changed.", rental_id)
    rental_id = await _id_for(tx, deps, machines)
    first, attempt = machines[0], _attempt(machines, rental_id)
    resources = tuple(_resource(machine, rental_id, now) for machine in machines)
    rate = hourly(resources, attempt)
    request = Request(gpu=attempt.gpu, count=sum(machine.count for machine in machines), lease=ends_at - now)
    bill = cost_so_far(machines, now)
    address = next((machine for machine in machines if machine.host is not None), first)
    rental = Rental(
        id=rental_id,
        state=State.READY,
        quote_id=None,
        owner=owner.id,
        project=project_of(owner, None, rules.home_channel, rules),
        card_channel=rules.home_channel,
        request=request,
        clicked_offer="",
        terms=_terms(request, rate, bill, rules),
        approved_by=admin.id,
        created_at=now,
        attempts=attempt.n,
        gpu=attempt.gpu,
        rate=rate,
        vendor=first.vendor,
        host=address.host,
        port=address.port,
        lease=Lease(ready_at=now, ends_at=ends_at, notices_checked_at=now, seen_at=now, question=Question()),
        due_at=now,
    )
    facts = AdoptedFacts(
        people=(owner.id,),
        name=first.name,
        resource_id=first.resource_id,
        gpu=attempt.gpu,
        count=request.count,
        vendor=first.vendor,
        rate=rate,
        since=attempt.intended_at,
        until=ends_at,
        amount=bill.amount,
        estimated=bill.estimated,
        why=Why.BOUGHT_AFTER_BACKUP if readopt else None,
    )
    event = Event(rental_id=rental_id, kind=EventKind.ADOPTED, at=now, actor=admin.id, facts=facts)
    await apply(tx, deps, Change(None, rental, (event,), attempts=(attempt,), resources=resources))
    await tx.people.note_seen(admin.id, now)
    return rental


async def _id_for(tx: Tx, deps: Deps, machines: Sequence[UnmanagedMachine]) -> str:
    """Return the rental ID in the machines' names if it is free, and a new one otherwise."""
    names = names_of(machines)
    if names and await tx.rentals.get(names[0].rental_id) is None:
        return names[0].rental_id
    return await free_id(tx, deps)


def cost_so_far(machines: Sequence[UnmanagedMachine], now: datetime) -> AccruedCost:
    """Return the total cost of machines until `now`. Terminated machines cost nothing after their termination."""
    alive = [
        Billing(
            rate=machine.rate,
            valid_from=machine.valid_from,
            valid_to=machine.terminated_at,
            offer_rate=Decimal(0),
            intended_at=machine.since,
            billed_to=None,
        )
        for machine in machines
    ]
    return accrued(0, alive, now, estimated=False)


def _attempt(machines: Sequence[UnmanagedMachine], rental_id: str) -> Attempt:
    first, rates = machines[0], [machine.rate for machine in machines]
    return Attempt(
        rental_id=rental_id,
        n=1,
        state=AttemptState.BOUGHT,
        adopted=AdoptedMachine(
            vendor=first.vendor or "",
            gpu=first.gpu or UNKNOWN_GPU,
            rate=Decimal(0) if None in rates else sum(filter(None, rates), start=Decimal(0)),
        ),
        accepted=True,
        intended_at=min(machine.since for machine in machines),
    )


def _resource(machine: UnmanagedMachine, rental_id: str, now: datetime) -> Resource:
    return Resource(
        resource_id=machine.resource_id,
        rental_id=rental_id,
        attempt=1,
        status=machine.status,
        first_seen=now,
        read_at=now,
        rate=machine.rate,
        valid_from=machine.valid_from,
        host=machine.host,
        port=machine.port,
    )


def _terms(request: Request, rate: Decimal, bill: AccruedCost, rules: Rules) -> Terms:
    return Terms(
        version=1,
        gpu=request.gpu,
        count=request.count,
        region=None,
        contract=Contract.ONDEMAND,
        vendor=None,
        price=rate,
        max_rate=rate,
        lease=request.lease,
        total=bill.amount + cost_at_most(rate, request.lease + rules.lease.grace),
    )
