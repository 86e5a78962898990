"""The people who decide requests: the approvers in their hours, or the admins while no approver is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.errors import Refused
from bot.lifecycle.actions import deciding
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.people.deciders import check_deciders
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import Approvers
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, FOREVER, HOUR, RULES, World
from tests.rentals import waiting

GROUP = "S0GPU"
EVE = Person(id="U0EVE", name="Eve", tz="America/Chicago", groups=frozenset({GROUP}))


def leave(here: World, *people: Person) -> None:
    for person in people:
        here.people.changed[person.id] = changed(person, deactivated=True)


async def asked(here: World, rental: Rental | str, kind: E) -> Any:
    return (await here.last_event(rental, kind)).facts.people


async def test_if_every_approver_has_left_the_admins_decide(here: World) -> None:
    """The admins and the people who are waiting for a decision are notified once."""
    rental = await here.get(count=8)
    assert await asked(here, rental, E.ASKED) == (BEN.id, DORA.id)
    leave(here, BEN)
    await check_deciders(here.deps, here.people)
    with pytest.raises(Refused, match="Only approvers"):
        await here.approve(rental, CLEO)
    leave(here, BEN, DORA)
    for _ in range(2):
        await check_deciders(here.deps, here.people)
        await here.settle()
    assert await here.account_event_kinds() == [E.NO_APPROVER_LEFT]
    assert (await here.account_event(E.NO_APPROVER_LEFT)).facts.count == 1
    assert await asked(here, rental, E.DECIDERS_CHANGED) == (CLEO.id,)
    assert await here.direct(rental) == [(ANA.id, E.DECIDERS_CHANGED)]
    later = await here.get(person=CLEO, count=8)
    facts = (await here.last_event(later, E.ASKED)).facts
    assert (facts.people, facts.admins_decide) == ((CLEO.id,), True)
    for one in (rental, later):  # the only admin decides their own too
        assert (await here.until(await here.approve(one, CLEO), State.READY)).approved_by == CLEO.id


async def test_without_named_approvers_the_names_of_admins_are_looked_up(
    here: World,
) -> None:
    """Requests then show the admins' names."""
    here.people.changed[CLEO.id] = changed(CLEO, name="Cleopatra")
    await check_deciders(replace(here.deps, rules=changed(RULES, approvers=Approvers())), here.people)
    async with here.deps.store.read() as tx:
        assert await tx.people.names([CLEO.id]) == {CLEO.id: "Cleopatra"}


async def test_when_an_approver_is_back_the_admins_no_longer_decide(
    here: World,
) -> None:
    """If the approvers leave a second time, the admins are notified again."""
    rental = await here.get(count=8)
    for times in (1, 2):
        leave(here, BEN, DORA)
        await check_deciders(here.deps, here.people)
        assert (await here.account_event_kinds()).count(E.NO_APPROVER_LEFT) == times
        here.people.changed[DORA.id] = DORA
        await check_deciders(here.deps, here.people)
        assert await asked(here, rental, E.DECIDERS_CHANGED) == (DORA.id,)
    with pytest.raises(Refused, match="Only approvers"):
        await here.approve(rental, CLEO)
    await here.approve(rental, DORA)


async def test_during_a_slack_outage_a_groups_last_members_count(here: World) -> None:
    """A group counts as empty only if Slack says so."""
    here.deps = replace(here.deps, rules=changed(RULES, approvers=Approvers(groups=(GROUP,))))
    await check_deciders(here.deps, here.people)  # Slack does not answer, so nobody knows whether it is empty
    first = await here.get(count=8)
    assert await asked(here, first, E.ASKED) == ()
    async with here.deps.store.write() as tx:
        await tx.people.put(EVE, FOREVER)
    here.people.groups[GROUP] = frozenset({EVE.id})
    await check_deciders(here.deps, here.people)
    here.people.groups[GROUP] = None
    await check_deciders(here.deps, here.people)
    second = await here.get(count=8)
    assert await asked(here, second, E.ASKED) == (EVE.id,)
    with pytest.raises(Refused, match="Only approvers"):
        await here.approve(second, CLEO)
    assert await here.account_event_kinds() == []
    here.people.groups[GROUP] = frozenset()
    await check_deciders(here.deps, here.people)
    assert await here.account_event_kinds() == [E.NO_APPROVER_LEFT]
    await here.approve(first, CLEO)
    await here.deny(second, CLEO)
    here.people.groups[GROUP] = None  # a rate limit brings nobody back
    await check_deciders(here.deps, here.people)
    assert await asked(here, await here.get(count=8), E.ASKED) == (CLEO.id,)


async def test_if_the_only_approver_makes_the_request_the_admins_decide(here: World) -> None:
    """The approver is the only member of a user group."""
    here.deps = replace(here.deps, rules=changed(RULES, approvers=Approvers(groups=(GROUP,))))
    here.people.groups[GROUP] = frozenset({BEN.id})
    await check_deciders(here.deps, here.people)
    member = changed(BEN, groups=frozenset({GROUP}))
    own, others = await here.get(person=member, count=8), await here.get(count=8)
    assert await asked(here, own, E.ASKED) == (CLEO.id,)
    assert await asked(here, others, E.ASKED) == (BEN.id,)
    with pytest.raises(Refused):
        await here.approve(own, member)
    await here.approve(own, CLEO)
    await here.approve(others, member)
    assert await here.account_event_kinds() == []


@pytest.mark.parametrize(
    ("zones", "asked_at", "expires"),
    [
        (("UTC", "UTC"), 18, datetime(2026, 11, 25, 14, tzinfo=UTC)),
        (("UTC", "America/Chicago"), 18, datetime(2026, 11, 25, 2, tzinfo=UTC)),  # it is noon in Chicago
        (("Europe/Berlin", "Europe/Berlin"), 23, datetime(2026, 11, 25, 15, tzinfo=UTC)),
    ],
)
async def test_the_time_to_decide_runs_only_in_the_approvers_hours(
    here: World, zones: tuple[str, str], asked_at: int, expires: datetime
) -> None:
    async with here.deps.store.write() as tx:
        for person, zone in zip((BEN, DORA), zones, strict=True):
            await tx.people.put(changed(person, tz=zone), FOREVER)
    here.jump(HOUR * (asked_at - here.now.hour))
    rental = await here.get(count=8)
    assert abs(waiting(rental).expires_at - expires) < HOUR / 10
    await here.pass_time(waiting(rental).expires_at - here.now - HOUR)
    assert (await here.rental(rental.id)).state is State.AWAITING_APPROVAL
    await here.until(rental, State.EXPIRED, within=2 * HOUR)


async def test_the_reason_of_a_denial_is_stored_with_its_event(here: World) -> None:
    rental = await here.get(count=8)
    reason = f"use\n4 <!here> {'x' * 300}"
    await carry_out(here.deps, BEN, deciding.Deny(rental.id, 1, reason=reason))
    await here.settle()
    detail = (await here.last_event(rental, E.DENIED)).facts.detail
    assert detail is not None
    assert detail.startswith("use 4 <!here> x")
    assert len(detail) == 200
    assert await here.direct(rental) == [(ANA.id, E.DENIED)]
