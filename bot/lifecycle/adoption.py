"""Makes a rental of machines that run on the account and that the store does not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bot.lifecycle.billing import accrued, hourly
from bot.lifecycle.ports.records import Billing
from bot.model.attempt import AdoptedMachine, Attempt, AttemptState, Resource, Why
from bot.model.event import Event, EventKind, Facts
from bot.model.money import cost_at_most
from bot.model.rental import Lease, Question, Rental
from bot.model.request import Contract, Envelope, Request
from bot.model.state import State
from bot.model.summary import AccruedCost
from bot.model.unknown import UnknownMachine
from bot.policy.rules import Rules

UNKNOWN_GPU = "unknown GPU"
"""Stands for the GPU of a machine if the API doesn't state it."""


@dataclass(frozen=True)
class Adoption:
    """A new rental of unknown machines, with everything that is stored with it."""

    rental: Rental
    attempt: Attempt
    resources: tuple[Resource, ...]
    event: Event


def adopt(
    machines: Sequence[UnknownMachine],
    *,
    rental_id: str,
    owner: str,
    card_channel: str,
    by: str,
    ends_at: datetime,
    now: datetime,
    rules: Rules,
    put_back: bool = False,
) -> Adoption:
    """Return a rental in state ready that has these machines of one purchase, for `owner`, until `ends_at`.

    It has one attempt, which was never called: it has no offer and no name, so no lookup brings another machine
    in. `by` is the admin who gave the machines to the owner. Their click is the approval.
    With `put_back`, the machines get back the rental under whose id they were bought: the database is older than
    they are.
    """
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
        owner=owner,
        card_channel=card_channel,
        request=request,
        clicked_offer="",
        envelope=_envelope(request, rate, bill, rules),
        approved_by=by,
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
    facts = Facts(
        people=(owner,),
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
        why=Why.BOUGHT_LATER if put_back else None,
    )
    event = Event(rental_id=rental_id, kind=EventKind.ADOPTED, at=now, actor=by, facts=facts)
    return Adoption(rental, attempt, resources, event)


def cost_so_far(machines: Sequence[UnknownMachine], now: datetime) -> AccruedCost:
    """Return what machines have cost by `now`, or until they were gone."""
    alive = [
        Billing(
            rate=machine.rate,
            valid_from=machine.valid_from,
            valid_to=machine.gone_at,
            offer_rate=Decimal(0),
            intended_at=machine.since,
            billed_to=None,
        )
        for machine in machines
    ]
    return accrued(0, alive, now, estimated=False)


def _attempt(machines: Sequence[UnknownMachine], rental_id: str) -> Attempt:
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


def _resource(machine: UnknownMachine, rental_id: str, now: datetime) -> Resource:
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


def _envelope(request: Request, rate: Decimal, bill: AccruedCost, rules: Rules) -> Envelope:
    return Envelope(
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
