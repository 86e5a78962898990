"""Idle and connected machines: questions to the owner, unanswered questions, and the decisions of people."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import Refused, TooLate
from bot.lifecycle.account.owners_left import check_owners
from bot.lifecycle.actions import leasing
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.changes.transitions import alter
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.machine_use import GpuUse, Sample, UsageStatus, Use
from bot.model.message import Message, MessageKind
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import AutoApprove
from tests.lifecycle.adopting import change_owner
from tests.lifecycle.engine import Engine
from tests.lifecycle.leases import count, destroyed_at, end_of
from tests.lifecycle.world import ANA, BEN, CLEO, HOME, HOUR, MINUTE, PROBE, SECOND, World
from tests.sandbox.compute_world import NOON

MORNING = NOON + 20 * HOUR
"""08:00 on the next day."""


async def probed(here: World, **fields: Any) -> Rental:
    """Return a rental whose machine has a probe, is ready for 30 hours, and is in use.

    It costs less than $10 an hour. The machine isn't actually probed: `use` stores what probe runs would have
    shown.
    """
    rules = changed(here.deps.rules, auto_approve=AutoApprove(total=Decimal(1000)))
    here.deps = replace(here.deps, rules=rules, probe_line=PROBE)
    here.engine = Engine(here.deps)
    rental = await here.ready(**{"lease": 30 * HOUR, **fields})
    async with here.deps.store.write() as tx:
        await tx.probe_runs.end(rental.id)
    return await use(here, rental, UsageStatus.IN_USE, here.now)


async def use(here: World, rental: Rental, status: UsageStatus, since: datetime) -> Rental:
    """Store a usage status, as if the last probe run had just taken place."""
    await note_no_work(here, rental)
    before = await here.rental(rental.id)
    after = alter(before, use=Use(status=status, since=since), due_at=here.now)
    async with here.deps.store.write() as tx:
        await tx.rentals.apply(Change(before, after))
    await here.settle()
    return await here.rental(rental.id)


async def note_no_work(here: World, rental: Rental) -> None:
    """Store a probe run of this moment that shows no work."""
    async with here.deps.store.write() as tx:
        await tx.samples.add(Sample(rental_id=rental.id, at=here.now, gpus=(GpuUse(index=0, highest=0),)))


async def pass_until(here: World, rental: Rental, moment: datetime) -> None:
    """Skip the time until a moment, and run what is due then. The machine counts as probed just before."""
    here.jump(moment - here.now)
    await note_no_work(here, rental)
    await here.settle()


async def idle_since_now(here: World, **fields: Any) -> tuple[Rental, datetime]:
    """Return a rental whose machine has just become idle, and the start of the idle period."""
    rental, since = await probed(here, **fields), here.now
    await pass_until(here, rental, since + 30 * MINUTE)
    return await use(here, rental, UsageStatus.IDLE, since), since


async def asked_at(here: World, rental: Rental) -> list[datetime]:
    """Return the times at which the owner was asked about the machine."""
    return [event.at for event in await here.events(rental) if event.kind is E.STILL_NEEDED]


def dollars_idle(rental: Rental, dollars: int = 2) -> timedelta:
    """Return the time in which the machine costs this amount."""
    assert rental.rate is not None
    return timedelta(hours=float(Decimal(dollars) / rental.rate))


async def messages_to_approvers(here: World, rental: Rental) -> list[Message]:
    """Return the messages to the approvers about a rental."""
    return [one for one in await here.messages(MessageKind.APPROVAL) if one.rental_id == rental.id]


async def test_owners_are_asked_about_idle_machines_only_in_their_hours(here: World) -> None:
    """An idle machine isn't destroyed before its end."""
    rental, since = await idle_since_now(here)
    first = since + dollars_idle(rental)
    await pass_until(here, rental, first - SECOND)
    assert await asked_at(here, rental) == []
    await here.pass_time(MINUTE)
    (one,) = await asked_at(here, rental)
    assert first <= one <= first + MINUTE
    # Eight hours after the third question, it is night.
    for number, moment in ((2, one + 2 * HOUR), (3, one + 6 * HOUR), (4, MORNING)):
        await pass_until(here, rental, moment - SECOND)
        assert await count(here, rental, E.STILL_NEEDED) == number - 1
        await here.pass_time(SECOND)
        assert await count(here, rental, E.STILL_NEEDED) == number
    facts = (await here.last_event(rental, E.STILL_NEEDED)).facts
    assert (facts.status, facts.since, facts.span) == (UsageStatus.IDLE, since, MORNING - since)
    assert [kind for _, kind in await here.direct(rental)].count(E.STILL_NEEDED) == 4
    assert await destroyed_at(here, rental) == end_of(rental)


async def unanswered(here: World) -> tuple[Rental, datetime]:
    """Return a rental that its owner was asked about in the morning, and the time of the question.

    Nobody answers.
    """
    rental = await probed(here, lease=60 * HOUR)
    await pass_until(here, rental, MORNING)
    await use(here, rental, UsageStatus.IDLE, MORNING - 3 * HOUR)
    (asked,) = await asked_at(here, rental)
    assert asked == MORNING
    return rental, asked


async def test_an_unanswered_question_appears_on_the_card_then_to_approvers(here: World) -> None:
    rental, asked = await unanswered(here)
    before = (await here.rental(rental.id)).version
    await pass_until(here, rental, asked + 2 * HOUR)
    card = (await here.rental(rental.id)).running_lease.question.asked
    assert card is not None
    assert card.on_card
    assert (await here.rental(rental.id)).version > before  # so the card is edited
    await pass_until(here, rental, asked + 4 * HOUR - SECOND)
    assert await count(here, rental, E.NOBODY_ANSWERS) == 0
    await here.pass_time(SECOND)
    facts = (await here.last_event(rental, E.NOBODY_ANSWERS)).facts
    assert (facts.status, facts.span, facts.until) == (UsageStatus.IDLE, 7 * HOUR, end_of(rental))
    assert rental.rate is not None
    assert facts.amount == int(rental.rate * 7 * 1_000_000)
    (message,) = await messages_to_approvers(here, rental)
    assert message.to.value == HOME
    await pass_until(here, rental, asked + 28 * HOUR - SECOND)
    assert await count(here, rental, E.NOBODY_ANSWERS) == 1
    await here.pass_time(SECOND)
    assert await count(here, rental, E.NOBODY_ANSWERS) == 2  # again after a day


async def test_an_approver_can_leave_an_idle_machine_until_its_end(here: World) -> None:
    rental, asked = await unanswered(here)
    await pass_until(here, rental, asked + 4 * HOUR)
    with pytest.raises(Refused, match="Only approvers and admins"):
        await carry_out(here.deps, ANA, leasing.LeaveAlone(rental.id))
    questions = await count(here, rental, E.STILL_NEEDED)
    await carry_out(here.deps, BEN, leasing.LeaveAlone(rental.id))
    await here.settle()
    with pytest.raises(TooLate, match="no longer needs a decision"):
        await carry_out(here.deps, CLEO, leasing.AskOwnerAgain(rental.id))
    assert await destroyed_at(here, rental) == end_of(rental)
    assert await count(here, rental, E.STILL_NEEDED) == questions
    assert await count(here, rental, E.NOBODY_ANSWERS) == 1


async def test_an_approver_can_have_the_owner_asked_again(here: World) -> None:
    """If the owner still doesn't answer, the approvers are notified again."""
    rental, asked = await unanswered(here)
    for hours in (2, 4):
        await pass_until(here, rental, asked + hours * HOUR)
    questions = await asked_at(here, rental)
    await carry_out(here.deps, CLEO, leasing.AskOwnerAgain(rental.id))
    await here.settle()
    again = await asked_at(here, rental)
    assert again == [*questions, here.now]
    await pass_until(here, rental, here.now + 4 * HOUR)
    assert (await here.last_event(rental, E.NOBODY_ANSWERS)).at == again[-1] + 4 * HOUR
    await here.keep(rental, HOUR)
    with pytest.raises(TooLate):
        await carry_out(here.deps, BEN, leasing.LeaveAlone(rental.id))
    assert (await here.rental(rental.id)).state is State.READY


async def test_only_admins_are_asked_about_machines_of_people_who_left(here: World) -> None:
    rental, asked = await unanswered(here)
    await pass_until(here, rental, asked + 4 * HOUR)
    assert await count(here, rental, E.NOBODY_ANSWERS) == 1
    questions = await count(here, rental, E.STILL_NEEDED)
    here.people.changed[ANA.id] = changed(ANA, deactivated=True)
    await check_owners(here.deps)
    with pytest.raises(TooLate, match="Ana left the workspace, so admins decide"):
        await carry_out(here.deps, BEN, leasing.AskOwnerAgain(rental.id))
    await pass_until(here, rental, end_of(rental) - HOUR)
    assert await count(here, rental, E.STILL_NEEDED) == questions
    assert await count(here, rental, E.NOBODY_ANSWERS) == 1
    assert [reader for reader, kind in await here.direct(rental) if kind is E.OWNER_LEFT] == [CLEO.id]


async def test_a_new_owners_message_is_the_question_about_the_idle_machine(here: World) -> None:
    rental, since = await idle_since_now(here)
    await pass_until(here, rental, since + 2 * HOUR)
    await note_no_work(here, rental)
    await change_owner(here, CLEO, rental, BEN)
    given = here.now
    await here.settle()
    facts = (await here.last_event(rental, E.OWNER_CHANGED)).facts
    assert (facts.status, facts.since, facts.people) == (UsageStatus.IDLE, since, (ANA.id, BEN.id))
    await pass_until(here, rental, given + 2 * HOUR - SECOND)
    assert await count(here, rental, E.STILL_NEEDED) == 1  # Ana's
    await here.pass_time(SECOND)
    assert await count(here, rental, E.STILL_NEEDED) == 2  # after the first of idle.again
    await here.keep(await here.rental(rental.id), HOUR, BEN)


async def test_a_new_owner_reads_nothing_about_an_outdated_idle_status(here: World) -> None:
    rental, _ = await idle_since_now(here)
    here.jump(2 * HOUR)
    await change_owner(here, CLEO, rental, BEN)
    assert (await here.last_event(rental, E.OWNER_CHANGED)).facts.status is None
    await here.settle()
