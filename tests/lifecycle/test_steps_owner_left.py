"""The owner of a machine leaves the workspace: the admins are asked once to decide what happens to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.errors import Refused, TooLate
from bot.lifecycle.account.owners_left import check_owners
from bot.lifecycle.actions import admin_questions
from bot.lifecycle.actions.action import carry_out
from bot.model.admin_question import AdminQuestion
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.rental import Rental
from bot.model.state import State
from tests.lifecycle.adopting import change_owner
from tests.lifecycle.test_step_failures import execute
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, HOUR, RULES, World


async def question_about(here: World, rental: Rental) -> AdminQuestion:
    """Return the last question about a rental."""
    async with here.deps.store.read() as tx:
        return (await tx.questions.of_rental(rental.id))[-1]


async def test_admins_are_asked_once_about_an_owner_who_left(
    here: World,
) -> None:
    """The admins are asked again if one of them requests it, or if the next owner leaves too."""
    rental = await here.until(await here.approve(await here.get(lease=48 * HOUR)), State.READY)
    others = await here.ready(person=BEN)

    async def look() -> list[tuple[str, E]]:
        await check_owners(here.deps)
        await here.settle()
        return [(reader, kind) for reader, kind in await here.direct(rental) if kind is E.OWNER_LEFT]

    assert await look() == []
    here.people.changed[ANA.id] = changed(ANA, deactivated=True)
    for _ in range(2):
        assert await look() == [(CLEO.id, E.OWNER_LEFT)]
    assert E.OWNER_LEFT not in await here.event_kinds(others)
    question = await question_about(here, rental)
    with pytest.raises(Refused, match="Only admins"):
        await carry_out(here.deps, BEN, admin_questions.AskAgain(question.id, question.version))
    await carry_out(here.deps, CLEO, admin_questions.AskAgain(question.id, question.version))
    here.jump(23 * HOUR)
    assert len(await look()) == 1
    here.jump(HOUR)
    for _ in range(2):
        assert len(await look()) == 2
    here.deps = replace(here.deps, rules=changed(here.deps.rules, admins=(CLEO.id, DORA.id)))
    for _ in range(2):
        assert [reader for reader, _ in await look()] == [CLEO.id, CLEO.id, DORA.id], "who became admin since"
    here.deps = replace(here.deps, rules=RULES)
    await change_owner(here, CLEO, rental, BEN)
    assert len(await look()) == 3
    here.people.changed[BEN.id] = changed(BEN, deactivated=True)
    assert len(await look()) == 4
    rental = await here.until(await here.destroy(rental, CLEO), State.DESTROYED)
    question = await question_about(here, rental)
    with pytest.raises(TooLate, match="has already ended"):
        await carry_out(here.deps, CLEO, admin_questions.AskAgain(question.id, question.version))
    assert len(await look()) == 4


async def test_an_unloadable_rental_does_not_hide_other_owners_who_left(
    here: World,
) -> None:
    broken, other = await here.ready(), await here.ready(person=BEN)
    here.people.changed |= {person.id: changed(person, deactivated=True) for person in (ANA, BEN)}
    await execute(here, "UPDATE rentals SET envelope = substr(envelope, 2) WHERE id = :of", broken.id)
    await check_owners(here.deps)
    await execute(here, "UPDATE rentals SET envelope = '{' || envelope WHERE id = :of", broken.id)
    await here.settle()
    assert (CLEO.id, E.OWNER_LEFT) in await here.direct(other)
    assert E.OWNER_LEFT not in await here.event_kinds(broken)


async def test_the_extension_request_of_an_owner_who_left_is_withdrawn(here: World) -> None:
    rental = await here.ready(teammates=(BEN.id,))
    rental = await here.extend(rental, 60 * HOUR)
    assert rental.extension is not None
    here.people.changed[ANA.id] = changed(ANA, deactivated=True)
    await check_owners(here.deps)
    assert (await here.rental(rental.id)).extension is None
    event = await here.last_event(rental, E.EXTENSION_WITHDRAWN)
    assert (event.actor, event.facts.people) == (None, (ANA.id,))
    await here.settle()


async def test_the_request_of_an_owner_who_left_needs_a_new_owner_first(here: World) -> None:
    rental = await here.get(count=8)
    here.people.changed[ANA.id] = changed(ANA, deactivated=True)
    await check_owners(here.deps)
    with pytest.raises(TooLate, match="Ana left the workspace"):
        await here.approve(rental, BEN)
    await change_owner(here, CLEO, rental, CLEO)
    assert (await here.approve(rental, BEN)).approved_by == BEN.id
