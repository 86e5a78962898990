"""A lease ends outside the approvers' hours: the owner is reminded to ask for more time before those hours end."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.policy.team.rules import AutoApprove
from tests.lifecycle.leases import end_of
from tests.lifecycle.world import ANA, HOUR, MINUTE, RULES, World


async def test_the_owner_is_reminded_once_before_the_approvers_hours_end(here: World) -> None:
    here.restart(replace(here.deps, rules=changed(RULES, auto_approve=AutoApprove(total=Decimal("25.00")))))
    rental = await here.ready(lease=11 * HOUR)
    evening = here.now.replace(hour=20, minute=0, second=0, microsecond=0)
    assert end_of(rental) > evening + HOUR
    await here.be_down(evening - HOUR - MINUTE - here.now)
    assert E.ENDING not in await here.event_kinds(rental)
    await here.pass_time(2 * MINUTE)
    facts = (await here.last_event(rental, E.ENDING)).facts
    assert (facts.ask_before, facts.until) == (evening, end_of(rental))
    await here.pass_time(HOUR)
    assert (await here.event_kinds(rental)).count(E.ENDING) == 1
    await here.be_down(end_of(rental) - 35 * MINUTE - here.now)
    assert (await here.event_kinds(rental)).count(E.ENDING) == 1
    await here.pass_time(25 * MINUTE)
    assert (await here.event_kinds(rental)).count(E.ENDING) == 2
    assert [one for one in await here.direct(rental) if one[1] is E.ENDING] == 2 * [(ANA.id, E.ENDING)]


async def test_nobody_is_reminded_if_more_time_needs_no_approver(here: World) -> None:
    rental = await here.ready(lease=11 * HOUR)
    evening = here.now.replace(hour=20, minute=0, second=0, microsecond=0)
    await here.be_down(evening - HOUR - MINUTE - here.now)
    await here.pass_time(10 * MINUTE)
    await here.be_down(end_of(rental) - HOUR - here.now)
    assert E.ENDING not in await here.event_kinds(rental)
