"""What the watchdog reads of the machines: whose each is, what it costs, and when it ends at the latest."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from pydantic import ValidationError

from bot.model.records import WatchedResource
from bot.model.watched_machine import WatchedMachine
from bot.policy.team.rules import Rules
from store.db import Tx


async def watched_machines(tx: Tx, rules: Rules) -> tuple[WatchedMachine, ...]:
    """Return the machines that bill or may bill, by their resource ids."""
    resources = await tx.overdue.watched()
    names = await tx.people.names({resource.owner for resource in resources})
    return tuple(
        [
            WatchedMachine(
                resource_id=resource.resource_id,
                name=resource.name,
                rental_id=resource.rental_id,
                owner=resource.owner,
                owner_name=names.get(resource.owner),
                rate=resource.offer_rate if resource.rate is None else resource.rate,
                ends_at=await _latest_end(tx, resource, rules),
            )
            for resource in resources
        ]
    )


async def _latest_end(tx: Tx, resource: WatchedResource, rules: Rules) -> datetime | None:
    """Return the latest end that the lease allows, with the grace after it. Return None if that is not known."""
    ended = resource.over_at or resource.destroying_since
    if ended is None and (resource.extra or not resource.newest):
        # Its machine is never the rental's: it is deleted as soon as it appears.
        ended = resource.intended_at + rules.procure.provision_timeout
    if ended is None and resource.ends_at is not None:
        ended = max(resource.ends_at, resource.latest_end or resource.ends_at)
    if ended is None:
        ended = await _end_once_ready(tx, resource, rules)
    return None if ended is None else ended + rules.lease.grace


async def _end_once_ready(tx: Tx, resource: WatchedResource, rules: Rules) -> datetime | None:
    """Return the latest end of a machine that is getting ready. Return None if it was not accepted, or if its
    rental can't be loaded."""
    if resource.accepted_at is None:
        return None
    with suppress(ValidationError):
        rental = await tx.rentals.get(resource.rental_id)
        if rental is not None:
            return resource.accepted_at + rules.procure.provision_timeout + rental.envelope.lease
    return None
