"""Failed purchases for waitlist entries: the next offer is rented all the same, and the thread stays short."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from bot.lifecycle.actions import waiting
from bot.lifecycle.actions.action import carry_out
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.message import MessageKind
from bot.model.quote import WaitlistEntry
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.buying.waiting import LONGEST_PAUSE
from tests.lifecycle.world import ANA, HOUR, MINUTE, World

LONGEST = 3 * HOUR


async def waits(here: World, gpu_rate: str = "10", **request: Any) -> Rental:
    """Make all offers unavailable, and put Ana on the waitlist for an H100 that is rented at any time of day."""
    await here.behaves("*", "nothing_free")
    quote = await here.ask(typed=WaitlistEntry(until=here.now + LONGEST, any_time=True), **request)
    rental = (await carry_out(here.deps, ANA, waiting.RentWhenFound(quote.id, gpu_rate=Decimal(gpu_rate)))).rental
    await here.settle()
    return rental


async def replies(here: World, rental: Rental) -> int:
    """Return the number of replies in the thread of a rental."""
    return sum(message.rental_id == rental.id for message in await here.messages(MessageKind.THREAD))


async def purchases(here: World, rental: Rental) -> list[datetime]:
    """Return the times of the purchase calls of a rental."""
    return [attempt.intended_at for attempt in await here.attempts(rental)]


@pytest.mark.parametrize("status", [410, 429])
async def test_a_failed_purchase_for_the_waitlist_is_repeated_at_the_same_vendor(here: World, status: int) -> None:
    rental = await waits(here)
    await here.fault("procure_offer", "status", status=status, times=1)
    await here.behaves("nebius", "normal")
    rental = await here.until(rental, State.READY)
    assert (rental.vendor, rental.attempts) == ("nebius", 2)
    kinds = await here.event_kinds(rental)
    assert (kinds.count(E.QUEUED_AGAIN), kinds.count(E.OFFER_FITS)) == (1, 2)


async def test_a_waitlist_entry_is_rented_without_a_startup_script_if_refused(here: World) -> None:
    here.restart(replace(here.deps, rules=changed(here.deps.rules, setup={"torch": "#!/bin/sh\ntrue\n"})))
    rental = await waits(here, setup="torch")
    await here.behaves("nebius", "refuses_cloud_init")
    rental = await here.until(rental, State.READY)
    assert [attempt.why for attempt in await here.attempts(rental)] == [Why.SCRIPT_REFUSED, None]
    last = (await here.last_event(rental, E.RENTING)).facts
    assert last.left_out is not None
    assert not last.told_before, "the thread says what the machine lacks"


async def test_a_waitlist_entry_continues_once_the_token_is_accepted_again(here: World) -> None:
    rental = await waits(here)
    await here.outside.control("token", valid=False)
    await here.behaves("nebius", "normal")
    await here.pass_time(40 * MINUTE)
    assert await here.bought() == []
    await here.outside.control("token", valid=True)
    await here.until(rental, State.READY)


async def test_a_scheduled_start_survives_an_expired_price(here: World) -> None:
    start = here.now + 2 * HOUR
    quote = await here.ask(starts_at=start, until=start + HOUR, lease=HOUR)
    rental = (await carry_out(here.deps, ANA, waiting.RentWhenFound(quote.id))).rental
    await here.fault("procure_offer", "status", status=410, times=1)
    rental = await here.until(rental, State.READY, within=3 * HOUR)
    assert rental.attempts == 2
    assert rental.lease is not None
    assert rental.lease.ready_at < start


async def test_a_sold_out_vendor_is_reported_once_and_tried_less_often(here: World) -> None:
    rental = await waits(here)
    await here.behaves("nebius", "sold_out")
    await here.pass_time(2 * HOUR)
    assert (await here.rental(rental.id)).state is State.QUEUED
    assert await replies(here, rental) == 2, "renting from Nebius; Nebius looks sold out"
    kinds = await here.event_kinds(rental)
    made = await purchases(here, rental)
    assert kinds.count(E.RENTING) == kinds.count(E.QUEUED_AGAIN) == len(made), "the history has each of them"
    assert all(later - earlier >= LONGEST_PAUSE for earlier, later in pairwise(made[4:]))
    assert len(made) >= 2 * 6
    await here.behaves("nebius", "normal")
    await here.until(rental, State.READY)


async def test_a_pricier_vendor_is_used_while_cheaper_ones_stay_sold_out(here: World) -> None:
    rental = await waits(here)
    for vendor in ("hyperstack", "nebius"):
        await here.behaves(vendor, "sold_out")
    await here.pass_time(HOUR)
    made = await purchases(here, rental)
    assert all(later - earlier >= MINUTE for earlier, later in pairwise(made))
    await here.behaves("runpod", "normal")
    rental = await here.until(rental, State.READY)
    assert rental.vendor == "runpod"


async def test_a_waitlist_entry_without_a_purchase_ends_once_and_costs_nothing(here: World) -> None:
    rental = await waits(here)
    await here.fault("procure_offer", "status", status=410, times=None)
    await here.behaves("nebius", "normal")
    rental = await here.until(rental, State.EXPIRED, within=2 * LONGEST)
    assert await here.direct(rental) == [(ANA.id, E.ENDED)]
    assert await replies(here, rental) <= 3
    assert len(await purchases(here, rental)) <= LONGEST / LONGEST_PAUSE + 5
    assert await here.bill() == 0


async def test_each_kind_of_failure_is_reported_only_once_in_the_thread(here: World) -> None:
    rental = await waits(here)
    await here.behaves("nebius", "sold_out")
    await here.pass_time(timedelta(minutes=20))
    await here.fault("procure_offer", "status", status=410, times=2)
    await here.pass_time(timedelta(minutes=30))
    failures = [event for event in await here.events(rental) if event.kind is E.QUEUED_AGAIN]
    assert [event.facts.why for event in failures if not event.facts.told_before] == [Why.SOLD_OUT, Why.EXPIRED]
