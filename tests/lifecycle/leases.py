"""Helpers for tests of leases: their ends, and the time until then."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from bot.errors import TooLate
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import AutoApprove
from tests.lifecycle.world import ANA, HOUR, MINUTE, RULES, SECOND, World

HIGH_LIMIT = changed(RULES, auto_approve=AutoApprove(total=Decimal(1000)))
"""Rules with which nobody has to approve a long lease."""


def end_of(rental: Rental) -> datetime:
    return rental.running_lease.ends_at


async def be_down_until(here: World, moment: datetime) -> None:
    await here.be_down(moment - here.now)


async def count(here: World, rental: Rental, kind: E) -> int:
    return (await here.event_kinds(rental)).count(kind)


async def destroyed_at(here: World, rental: Rental) -> datetime:
    """Let time pass until the end of the lease has destroyed the rental. Return the start of its destruction."""
    rental = await here.rental(rental.id)
    if rental.state is State.READY and here.now < end_of(rental):
        await be_down_until(here, end_of(rental) - SECOND)
    rental = await here.until(rental, State.DESTROYED)
    assert await here.alive() == []
    event = await here.last_event(rental, E.DESTROYING)
    assert event.facts.why is Why.LEASE_ENDED
    return event.at


async def go_to(here: World, moment: datetime, *, seen_for: timedelta = 40 * MINUTE) -> None:
    """Skip the time until shortly before a moment, and let the last part pass normally.

    In the last part, which takes `seen_for`, probe runs see how the machines are used.
    """
    await here.be_down(max(moment - seen_for - here.now, timedelta(0)))
    await here.pass_time(moment - here.now)


async def seen_destroyed_at(here: World, rental: Rental) -> datetime:
    """Let time pass until a rental is destroyed for any reason. Return the start of its destruction.

    Unlike `destroyed_at`, this runs the probe on the machine before its end.
    """
    await go_to(here, max(end_of(await here.rental(rental.id)), here.now))
    await here.until(rental, State.DESTROYED, within=24 * HOUR)
    return (await here.last_event(rental, E.DESTROYING)).at


async def direct_messages(here: World, rental: Rental) -> int:
    """Return the number of direct messages that the owner, Ana, got. Each of them is a ping."""
    async with here.deps.store.read() as tx:
        return len([m for m in await tx.messages.direct_of(rental.id) if m.to.value == ANA.id])


async def waiting_for_extension(here: World) -> Rental:
    """Return a ready rental with a lease of 24 hours, and a pending request for 24 more hours.

    The total cost needs an approver.
    """
    rental = await here.ready(lease=24 * HOUR)
    ends = end_of(rental)
    await here.be_down(20 * HOUR)
    rental = await here.extend(rental, 24 * HOUR)
    assert (rental.state, end_of(rental)) == (State.READY, ends)
    assert rental.extension is not None
    assert rental.extension.ends_at == ends + 24 * HOUR
    with pytest.raises(TooLate, match="already waiting for approval"):
        await here.extend(rental, HOUR)
    return rental
