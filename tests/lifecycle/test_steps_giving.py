"""Transfers of the team's idle machines.

They cover the right to ask for a machine, and the changes when somebody accepts it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import GpubotError, Mistake, NeedsKey, NoTeammate, OverBudget, Refused, TooLate
from bot.lifecycle.actions import giving, leasing, offers, queries, sharing
from bot.lifecycle.actions.action import carry_out, to_confirm
from bot.lifecycle.changes import lease_changes
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.money.budgets import correct, live_charges
from bot.model.base import changed
from bot.model.event import Event, OpenQuestion, open_question
from bot.model.event import EventKind as E
from bot.model.facts import StatusFacts
from bot.model.machine_use import UsageStatus, Use
from bot.model.person import Person
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.request import Contract
from bot.model.state import State
from bot.policy.team.rules import Access, Always, Approval, AutoApprove, Budgets, Limits, Project
from bot.policy.use.giving import TAKE_WITHIN
from tests.lifecycle.adopting import change_owner
from tests.lifecycle.test_budgets import money
from tests.lifecycle.test_steps_idle import idle_since_now, use
from tests.lifecycle.test_steps_teammates import EVE, add_eve
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, FOREVER, HOUR, MINUTE, SECOND, TRAINING, World, world


async def bens_idle(here: World, **fields: Any) -> Rental:
    """Return a rental of Ben's whose machine has been idle for half an hour."""
    rental, _ = await idle_since_now(here, person=BEN, **{"lease": 20 * HOUR, **fields})
    return rental


async def shown(here: World, person: Person = ANA, **fields: Any) -> list[str]:
    """Return the IDs of the idle machines that a person sees before the offers."""
    quote = await here.ask(person, **fields)
    return [one.rental.id for one in (await offers.offers_of_quote(here.deps, person, quote.id, most=3)).idle]


async def ended(here: World, person: Person, *, everyone: bool) -> list[tuple[str, int | None]]:
    """Return the rentals that ended lately, with their costs, as shown in a person's list or the list of all."""
    found = (await queries.live_rentals(here.deps, person, everyone=everyone, most=5)).ended
    return [(one.rental_id, one.spent.amount if one.spent else None) for one in found]


async def give(here: World, rental: Rental, to: Person = ANA, by: Person = BEN) -> Rental:
    given, _ = await carry_out(here.deps, by, giving.Give(rental.id, to.id))
    await here.settle()
    return given


async def take(here: World, rental: Rental, person: Person = ANA, shown_end: datetime | None = None) -> Rental:
    """Accept a machine with the button of the newest message, or of a message that showed another end."""
    end = end_of(await here.rental(rental.id)) if shown_end is None else shown_end
    taken = await carry_out(here.deps, person, giving.Take(rental.id, end))
    await here.settle()
    return taken


async def refusal(
    here: World, rental: Rental, person: Person = ANA, shown_end: datetime | None = None
) -> GpubotError:
    """Return the error that a person gets who may not accept a machine. Check that nothing has changed."""
    before, events = await here.rental(rental.id), await here.events(rental)
    with pytest.raises(GpubotError) as refused:
        await take(here, rental, person, shown_end)
    assert (await here.rental(rental.id), await here.events(rental)) == (before, events)
    return refused.value


def ruled(here: World, **changes: Any) -> None:
    here.restart(replace(here.deps, rules=changed(here.deps.rules, **changes)))


async def works(here: World, rental: Rental) -> None:
    """Record that a machine is in use again, like a probe run does."""
    before = await here.rental(rental.id)
    use = Use(status=UsageStatus.IN_USE, since=here.now)
    event = Event(
        rental_id=rental.id,
        kind=E.USE_CHANGED,
        at=here.now,
        facts=StatusFacts(status=use.status, since=use.since, use=use),
    )
    async with here.deps.store.write() as tx:
        await apply(tx, here.deps, Change(before, lease_changes.note_use(before, use, here.now), (event,)))
    await here.settle()


# --- asking


async def test_a_colleagues_fitting_idle_machine_is_listed_before_the_offers(here: World) -> None:
    rental = await bens_idle(here)
    ruled(here, use=Access(guests=True))
    assert await shown(here) == [rental.id]
    assert await shown(here, max_gpu_rate=Decimal("0.10")) == [rental.id], "it is paid already"
    here.jump(MINUTE)
    for other in ({"gpu": "A100"}, {"count": 2}, {"region": "US"}, {"contract": Contract.SPOT}):
        assert await shown(here, **other) == [], other
    assert await shown(here, BEN) == []
    gus = Person(id="U0GUS", name="Gus", guest=True)
    async with here.deps.store.write() as tx:
        await tx.people.put(gus, FOREVER)
    assert await shown(here, gus) == [], "an owner can't let a guest in"
    here.jump(MINUTE)
    await carry_out(here.deps, BEN, sharing.Share(rental.id, [ANA.id]))
    assert await shown(here) == [], "she gets in already"
    assert await shown(here, CLEO) == [rental.id]
    await use(here, rental, UsageStatus.IN_USE, here.now)
    assert await shown(here, CLEO) == []


async def test_the_owner_is_asked_once_an_hour_and_everyone_gets_the_answer(here: World) -> None:
    rental = await bens_idle(here)
    with pytest.raises(Mistake, match="You can already log in to"):
        await carry_out(here.deps, BEN, giving.AskFor(rental.id))
    machine = await carry_out(here.deps, ANA, giving.AskFor(rental.id))
    assert (machine.owner, machine.asked_at) == ("Ben", here.now)
    for person in (ANA, CLEO):
        with pytest.raises(TooLate, match="Ben was already asked"):
            await carry_out(here.deps, person, giving.AskFor(rental.id))
    quote = await here.ask(CLEO)
    (line,) = (await offers.offers_of_quote(here.deps, CLEO, quote.id, most=3)).idle
    assert line.asked_at == here.now
    await here.be_down(HOUR)
    await use(here, rental, UsageStatus.IDLE, machine.since)
    await carry_out(here.deps, CLEO, giving.AskFor(rental.id))
    await carry_out(here.deps, BEN, leasing.Keep(rental.id, 4 * HOUR))
    await here.settle()
    direct = await here.direct(rental)
    assert direct.count((BEN.id, E.ASKED_FOR)) == 2
    assert [reader for reader, kind in direct if kind is E.KEPT] == [ANA.id, CLEO.id]
    assert open_question(await here.events(rental), OpenQuestion.WANTED) is None


@pytest.mark.parametrize("end", ["works", "ends", "let in", "given"])
async def test_the_question_ends_once_the_machine_is_busy_shared_or_over(here: World, end: str) -> None:
    rental = await bens_idle(here)
    await carry_out(here.deps, ANA, giving.AskFor(rental.id))
    await carry_out(here.deps, BEN, sharing.Share(rental.id, [CLEO.id]))
    assert open_question(await here.events(rental), OpenQuestion.WANTED) is not None, "Ana still asks"
    match end:
        case "works":
            await works(here, rental)
        case "ends":
            await here.destroy(rental, BEN)
        case "let in":
            await carry_out(here.deps, BEN, sharing.Share(rental.id, [ANA.id]))
            await here.settle()
        case "given":
            await give(here, rental)
    assert open_question(await here.events(rental), OpenQuestion.WANTED) is None


# --- offering and accepting machines


async def test_accepting_a_machine_transfers_ownership_cost_and_questions(
    sqlite_url: str,
) -> None:
    """The keys on the machine don't change."""
    async with world(sqlite_url) as here:
        ruled(here, budgets=Budgets(person=Decimal(60)))
        rental = await bens_idle(here, teammates=(ANA.id, CLEO.id))
        held = (await money(here, BEN.id))[0]
        await give(here, rental)
        assert (ANA.id, E.GIVEN) in await here.direct(rental)
        assert await to_confirm(here.deps, ANA, giving.Take(rental.id, end_of(rental))) is None
        at, attempts = here.now, await here.attempts(rental)
        rental = await take(here, rental)
        assert (rental.owner, rental.teammates, rental.approved_by) == (ANA.id, (CLEO.id,), None)
        assert await here.attempts(rental) == attempts
        event = await here.last_event(rental, E.OWNER_CHANGED)
        assert (event.actor, event.facts.people, event.at) == (ANA.id, (BEN.id, ANA.id), at)
        assert [to for to, kind in await here.direct(rental) if kind is E.OWNER_CHANGED] == [BEN.id]
        bens, anas = (await money(here, BEN.id))[0], (await money(here, ANA.id))[0]
        assert (bens + anas, 0 < bens < anas) == (held, True)
        await here.be_down(90 * MINUTE)
        await use(here, rental, UsageStatus.IDLE, at - HOUR)
        assert E.STILL_NEEDED not in await here.event_kinds(rental), "she has just taken it"
        with pytest.raises(Refused):
            await here.extend(rental, HOUR, BEN)
        async with here.deps.store.read() as tx:
            parts = await live_charges(tx, here.deps.rules, here.now)
            for person in (ANA.id, BEN.id, CLEO.id):
                theirs = await live_charges(tx, here.deps.rules, here.now, owner=person)
                assert theirs == [part for part in parts if part.owner == person]
        assert [part.owner for part in parts] == [BEN.id, ANA.id]
        rental = await here.until(await here.destroy(rental), State.DESTROYED)
        async with here.deps.store.read() as tx:
            charges = await tx.budgets.charges_of(rental.id)
            assert await correct(tx) == 0
        assert [(one.owner, one.ended_at == at, one.started_at == at) for one in charges] == [
            (BEN.id, True, False),
            (ANA.id, False, True),
        ]
        assert sum(one.amount for one in charges) == sum(row.amount for row in await here.ledger(rental))
        assert ((await money(here, BEN.id)), (await money(here, ANA.id))) == (
            (0, charges[0].amount),
            (0, charges[1].amount),
        )
        whole = charges[0].amount + charges[1].amount
        lists = ((BEN, False), (ANA, False), (DORA, False), (ANA, True), (CLEO, True))
        assert [await ended(here, person, everyone=everyone) for person, everyone in lists] == [
            [(rental.id, charges[0].amount)],
            [(rental.id, charges[1].amount)],
            [],
            [(rental.id, None)],
            [(rental.id, whole)],
        ]


async def test_the_previous_owner_only_sees_the_new_owners_key_line(here: World) -> None:
    rental = await bens_idle(here)
    await give(here, rental)
    rental = await take(here, rental)
    event = await here.last_event(rental, E.OWNER_CHANGED)
    given = await here.last_event(rental, E.GIVEN)
    async with here.deps.store.read() as tx:
        (key,) = await tx.people.keys(ANA.id)
        of_ben = await queries.details_for_direct_message(tx, here.deps, BEN, rental, event)
        of_ana = await queries.details_for_direct_message(tx, here.deps, ANA, rental, given)
        assert await queries.details_for_direct_message(tx, here.deps, DORA, rental, given) is None
    assert of_ben is not None
    assert of_ana is not None
    assert (of_ben.keys_now, of_ana.keys_now) == ({ANA.id: (key,)}, {ANA.id: (key,)})
    with pytest.raises(GpubotError):
        await queries.ssh_details(here.deps, EVE, rental.id)


async def test_only_the_owner_offers_a_machine_to_a_member_for_an_hour(here: World) -> None:
    await add_eve(here)
    rental = await bens_idle(here)
    for by, to, error in ((ANA, CLEO, Refused), (CLEO, ANA, Refused), (BEN, BEN, Mistake)):
        with pytest.raises(error):
            await give(here, rental, to, by)
    with pytest.raises(NoTeammate, match="may not use me"):
        await give(here, rental, Person(id="U0NOBODY", name="?"))
    await give(here, rental)
    assert "no longer offered to you" in str(await refusal(here, rental, CLEO))
    await give(here, rental, CLEO)
    assert "no longer offered to you" in str(await refusal(here, rental)), "it is somebody else's to take"
    await give(here, rental)
    assert await here.event_kinds(rental) == await here.event_kinds(await give(here, rental)), "asked once"
    await here.be_down(TAKE_WITHIN - SECOND)
    await carry_out(here.deps, BEN, leasing.Keep(rental.id, HOUR))
    assert "no longer offered to you" in str(await refusal(here, rental)), "he needs it himself"
    await give(here, rental)
    await here.be_down(TAKE_WITHIN)
    assert "no longer offered to you" in str(await refusal(here, rental))
    await give(here, rental)
    await here.be_down(TAKE_WITHIN - SECOND)
    assert (await take(here, rental)).owner == ANA.id
    assert "is already yours" in str(await refusal(here, rental))


async def test_accepting_a_machine_is_checked_like_renting_the_remaining_time(here: World) -> None:
    rental = await bens_idle(here)
    await give(here, rental)
    end = end_of(rental)
    assert "a new end" in str(await refusal(here, rental, shown_end=end - MINUTE))
    rules = here.deps.rules
    await here.get()
    ruled(here, limits=Limits(per_person_rentals=1))
    assert "You have 1 rental, and your team's limit is 1" in str(await refusal(here, rental))
    here.restart(replace(here.deps, rules=changed(rules, budgets=Budgets(person=Decimal(1)))))
    over = await refusal(here, rental)
    assert isinstance(over, OverBudget)
    assert str(over).partition(", and ")[2].startswith("you have only $0.00 left in November (")
    here.restart(replace(here.deps, rules=changed(rules, auto_approve=AutoApprove(per_hour=Decimal(1)))))
    assert "would need approval" in str(await refusal(here, rental))
    with pytest.raises(Refused, match="Instead, share it with Cleo"):
        await give(here, rental, CLEO)
    always = Approval(always=Always(models=("h100",)))
    here.restart(replace(here.deps, rules=changed(rules, approval=always)))
    assert str(await refusal(here, rental)) == (
        f"In your team, requests for H100 always need approval, and so would a new owner of {rental.id}. "
        "Nothing was changed. Instead, ask Ben to share it with you."
    )
    with pytest.raises(Refused, match="requests for H100 always need approval"):
        await give(here, rental, CLEO)
    here.restart(replace(here.deps, rules=rules))
    async with here.deps.store.write() as tx:
        (key,) = await tx.people.keys(ANA.id)
        await tx.people.remove_key(ANA.id, key.fingerprint)
    assert isinstance(await refusal(here, rental), NeedsKey)
    await give(here, rental, CLEO)
    async with here.deps.store.write() as tx:
        await tx.people.put(changed(BEN, deactivated=True), FOREVER)
    assert "Ben left the workspace" in str(await refusal(here, rental, CLEO))


async def test_a_projects_limits_apply_to_transfers_only_among_its_people(here: World) -> None:
    vision = Project(channels=(TRAINING,), people=(ANA.id,), auto_approve=AutoApprove())
    ruled(here, projects={"vision": vision}, auto_approve=AutoApprove(per_hour=Decimal(1)))
    rental = await here.ready(person=BEN)
    assert rental.project == "vision", "Ben is an approver"
    with pytest.raises(Refused, match=r"can cost more than \$1\.00/h, so a new owner would need approval"):
        await give(here, rental, CLEO)
    await give(here, rental)
    ruled(here, projects={"vision": changed(vision, people=(CLEO.id,))})
    assert "would need approval" in str(await refusal(here, rental))
    ruled(here, projects={"vision": vision})
    assert (await take(here, rental)).owner == ANA.id


async def test_a_machine_with_a_pending_extension_or_near_end_is_not_transferred(here: World) -> None:
    rental = await bens_idle(here, lease=20 * HOUR - MINUTE)
    await give(here, rental)
    ruled(here, auto_approve=AutoApprove(total=Decimal(60)))
    waits = await here.extend(rental, 50 * HOUR, BEN)
    assert waits.extension is not None
    assert "waits for approval of more time" in str(await refusal(here, rental))
    await here.withdraw(rental, BEN)
    await here.be_down(18 * HOUR)
    await give(here, rental)
    await here.be_down(HOUR - SECOND)
    assert "less than 30 min" in str(await refusal(here, rental))
    rental = await here.destroy(rental, BEN, settle=False)
    assert "no longer offered to you" in str(await refusal(here, rental))
    with pytest.raises(TooLate, match="is being destroyed"):
        await give(here, rental)
    rental = await here.until(rental, State.DESTROYED)
    with pytest.raises(TooLate, match="has ended"):
        await give(here, rental)


async def test_a_machine_can_be_returned_to_its_first_owner(here: World) -> None:
    rental = await bens_idle(here)
    await give(here, rental)
    rental = await take(here, rental)
    await here.be_down(10 * MINUTE)
    await give(here, rental, BEN, ANA)
    rental = await take(here, rental, BEN)
    assert rental.owner == BEN.id
    await here.be_down(10 * MINUTE)
    rental = await change_owner(here, CLEO, rental, ANA)
    async with here.deps.store.write() as tx:
        assert await correct(tx) == 0
    rental = await here.until(await here.destroy(rental), State.DESTROYED)
    async with here.deps.store.read() as tx:
        charges = await tx.budgets.charges_of(rental.id)
    assert [one.owner for one in charges][:3] == [BEN.id, ANA.id, BEN.id]


def end_of(rental: Rental) -> datetime:
    return rental.running_lease.ends_at.replace(microsecond=0)
