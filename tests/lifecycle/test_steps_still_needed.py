"""Questions whether a machine is still needed: their times, and the effect of Keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.errors import Refused
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.policy.team.rules import CheckIn, Lease
from tests.lifecycle.engine import Engine
from tests.lifecycle.leases import be_down_until, count, destroyed_at, end_of
from tests.lifecycle.world import BEN, CLEO, HOUR, MINUTE, SECOND, World
from tests.sandbox.compute_world import NOON

MORNING = NOON + 20 * HOUR
"""08:00 on the next day."""


def restarted(here: World, **rules: Any) -> None:
    """Restart the bot with a different policy file."""
    here.deps = replace(here.deps, rules=changed(here.deps.rules, **rules))
    here.engine = Engine(here.deps)


async def test_questions_become_rarer_without_a_sign_of_life(here: World) -> None:
    """No question is asked at night."""
    rental = await here.ready(lease=30 * HOUR)
    began = here.now
    for moment, times in ((began + 2 * HOUR, 1), (began + 5 * HOUR, 2), (MORNING, 3)):
        await be_down_until(here, moment - SECOND)
        assert await count(here, rental, E.STILL_NEEDED) == times - 1
        await here.pass_time(SECOND)
        assert await count(here, rental, E.STILL_NEEDED) == times
    event = await here.last_event(rental, E.STILL_NEEDED)
    assert (event.facts.span, event.facts.status) == (MORNING - began, None)
    assert event.facts.amount == (await here.bill())
    assert [kind for _, kind in await here.direct(rental)].count(E.STILL_NEEDED) == 3


async def test_a_sign_of_life_postpones_the_question(here: World) -> None:
    rental = await here.ready(lease=20 * HOUR)
    began = here.now
    await here.be_down(90 * MINUTE)
    await here.ask()
    await be_down_until(here, began + 2 * HOUR)
    assert await count(here, rental, E.STILL_NEEDED) == 0
    await be_down_until(here, began + 3 * HOUR + 30 * MINUTE)
    assert await count(here, rental, E.STILL_NEEDED) == 1


@pytest.mark.parametrize("hours", [1, 4])
async def test_keep_postpones_the_question_to_the_promised_time(here: World, hours: int) -> None:
    rental = await here.ready(lease=30 * HOUR)
    ends = end_of(rental)
    await here.be_down(2 * HOUR)
    rental = await here.keep(rental, hours * HOUR)
    kept = here.now
    facts = (await here.last_event(rental, E.KEPT)).facts
    assert (facts.until, facts.since) == (kept + hours * HOUR, ends)
    await here.be_down(MINUTE)
    await here.ask()
    await be_down_until(here, kept + hours * HOUR - SECOND)
    assert await count(here, rental, E.STILL_NEEDED) == 1
    await here.pass_time(SECOND)
    assert await count(here, rental, E.STILL_NEEDED) == 2
    await be_down_until(here, MORNING)
    assert await count(here, rental, E.STILL_NEEDED) == 3
    assert end_of(await here.rental(rental.id)) == ends


async def test_a_promised_question_comes_after_a_simultaneous_notice(here: World) -> None:
    restarted(here, lease=Lease(notices=(2 * HOUR, 30 * MINUTE)))
    rental = await here.ready(lease=6 * HOUR)
    notice = end_of(rental) - 2 * HOUR
    await be_down_until(here, notice - HOUR - 30 * SECOND)
    await here.keep(rental, HOUR)
    await here.pass_time(HOUR + 30 * SECOND + MINUTE - SECOND)
    assert await count(here, rental, E.STILL_NEEDED) == 1  # asked 2 hours after the start
    await here.pass_time(SECOND)
    assert await count(here, rental, E.STILL_NEEDED) == 2
    asked, given = [await here.last_event(rental, kind) for kind in (E.STILL_NEEDED, E.ENDING)]
    assert (given.at, asked.at) == (notice, notice + MINUTE)


async def test_an_extension_replaces_the_question_that_keep_promised(here: World) -> None:
    rental = await here.ready(lease=9 * HOUR)
    rental = await here.keep(rental, 4 * HOUR)
    await here.be_down(3 * HOUR + 30 * MINUTE)
    rental = await here.extend(rental, 2 * HOUR)
    extended = here.now
    await be_down_until(here, extended + 2 * HOUR - SECOND)
    assert await count(here, rental, E.STILL_NEEDED) == 0
    await here.pass_time(SECOND)
    assert (await here.last_event(rental, E.STILL_NEEDED)).facts.span == 2 * HOUR


async def test_nobody_is_asked_if_the_rules_switch_the_question_off(here: World) -> None:
    restarted(here, check_in=CheckIn(after=None))
    rental = await here.ready(lease=20 * HOUR)
    await here.be_down(5 * HOUR)
    await here.keep(rental, HOUR)
    kept = (await here.last_event(rental, E.KEPT)).facts
    assert (kept.until, kept.since) == (None, end_of(rental))
    await here.be_down(5 * HOUR)
    rental = await here.extend(rental, 2 * HOUR)
    assert await destroyed_at(here, rental) == end_of(rental)
    assert await count(here, rental, E.STILL_NEEDED) == 0


async def test_a_scheduled_question_follows_the_rules_at_its_due_time(here: World) -> None:
    rental = await here.ready(lease=40 * HOUR)
    await here.keep(rental, HOUR)
    restarted(here, check_in=CheckIn(after=None))
    await here.be_down(6 * HOUR)
    assert await count(here, rental, E.STILL_NEEDED) == 0
    restarted(here, check_in=CheckIn(after=10 * HOUR))
    await here.be_down(10 * MINUTE)
    assert await count(here, rental, E.STILL_NEEDED) == 1


async def test_only_its_owner_its_teammates_and_admins_keep_a_rental(here: World) -> None:
    rental = await here.ready()
    with pytest.raises(Refused, match="owner, its teammates and admins"):
        await here.keep(rental, HOUR, BEN)
    await here.keep(rental, HOUR, CLEO)
    assert await count(here, rental, E.KEPT) == 1


async def test_no_question_comes_between_the_last_notice_and_the_end(here: World) -> None:
    """A question that was promised for that time is dropped."""
    rental = await here.ready(lease=4 * HOUR)
    ends = end_of(rental)
    await be_down_until(here, ends - 80 * MINUTE)
    await here.keep(rental, HOUR)
    assert (await here.last_event(rental, E.KEPT)).facts.until == ends  # "I don't ask again before."
    assert await destroyed_at(here, rental) == ends
    assert await count(here, rental, E.STILL_NEEDED) == 1  # asked 2 hours after the start


async def test_a_repeated_keep_is_stored_once(here: World) -> None:
    rental = await here.ready(lease=20 * HOUR)
    for _ in range(2):
        kept = await here.keep(rental, HOUR)
    assert await count(here, rental, E.KEPT) == 1
    await here.pass_time(2 * MINUTE)
    await here.keep(kept, HOUR)
    assert await count(here, rental, E.KEPT) == 2
