"""Approving, denying, withdrawing and changing: who decides, and what each is told."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.lifecycle.notifications import change
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.rental import Decider, Rental
from bot.model.state import State
from sandbox.slack.default import ANA, APPROVALS, APPROVERS, BEN, CLEO, TRAINING
from tests.handlers.team import RULES, Team, an_offer, team
from tests.rentals import waiting
from tests.store import make


async def asked(ours: Team, user: str = ANA, rate: str = "12.00", note: str = "", **offer: Any) -> Rental:
    """A request over the hourly limit, waiting in the approvals channel."""
    message = await ours.offered(user, an_offer(f"o-{user}-{rate}", rate, **offer), note=note)
    await ours.click(user, message, "Ask for")
    assert (await ours.submit(user))["ok"]
    await ours.deliver()
    (rental,) = [rental for rental in await ours.rentals() if rental.owner == user]
    return rental


async def question(ours: Team, user: str = BEN) -> dict[str, Any]:
    return await ours.look(user, APPROVALS, "Approve up to")


async def test_an_approver_confirms_what_can_come_to_much(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await ours.click(BEN, await question(ours), "Approve up to")
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL
        dialog = await ours.modal(BEN)
        assert dialog is not None
        assert dialog["submit"].startswith("Approve up to $")
        assert (await ours.submit(BEN))["ok"]
        approved = await ours.rental(rental.id)
        assert (approved.state, approved.approved_by) == (State.PROCURING, BEN)


async def test_who_is_no_approver_changes_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        for label in ("Approve up to", "Deny"):
            assert (await ours.click(CLEO, await question(ours, CLEO), label))["ok"]
            assert (await ours.replies())[-1] == "Only approvers decide this. I changed nothing."
        assert await ours.modal(CLEO) is None
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL


async def test_nobody_approves_their_own(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours, BEN)
        await ours.click(BEN, await question(ours), "Approve up to")
        assert await ours.modal(BEN) is None
        assert (await ours.replies())[-1] == "Your own request needs another approver. I changed nothing."
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL


async def test_who_asked_and_is_no_approver_is_told_at_the_click(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await ours.forge(ANA, "approve", f"{rental.id}:1")
        assert await ours.modal(ANA) is None
        assert (await ours.replies())[-1] == "Only approvers decide this. I changed nothing."


async def test_the_first_of_two_decides_and_the_second_is_told(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.world.act(f"groups/{APPROVERS}", "PATCH", members=[BEN, CLEO])
        rental = await asked(ours)
        shown = await question(ours)
        await ours.click(BEN, shown, "Deny")
        await ours.click(CLEO, shown, "Deny")
        assert (await ours.rental(rental.id)).state is State.DENIED
        assert (await ours.replies())[-1] == "Ben denied it a moment before you. I changed nothing."


async def test_an_old_versions_button_shows_the_new_one_and_decides_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        old = await question(ours)
        card = await ours.look(ANA, TRAINING, "Waiting for approval")
        await ours.click(ANA, card, "Change")
        assert (await ours.submit(ANA, note="urgent"))["ok"]
        (wish,) = await ours.quotes(ANA)
        assert (wish.changes, wish.request.note, wish.replaces) == (rental.id, "urgent", False)
        await change_to(ours, rental)
        await ours.click(BEN, old, "Approve up to")
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL
        assert await ours.modal(BEN) is None
        await ours.deliver()
        shown = await ours.look(BEN, APPROVALS, "Your click decided nothing.")
        assert shown["only_you"]
        newest = next(button for button in shown["buttons"] if button["text"].startswith("Approve up to"))
        assert newest["value"] == f"{rental.id}:2"


async def change_to(ours: Team, rental: Rental) -> None:
    """The request as its owner changed it: the next version of its envelope."""
    envelope = changed(rental.envelope, version=2)
    after = make.next_of(rental, envelope=envelope)
    event = Event(
        rental_id=rental.id,
        kind=EventKind.CHANGED,
        at=ours.clock.now(),
        actor=rental.owner,
        facts=Facts(envelope=2, total=envelope.total),
    )
    async with ours.deps.store.write() as tx:
        told = change(rental, after, events=(event,), rules=RULES, real_now=ours.clock.real())
        await tx.rentals.apply(told)


async def test_only_the_owner_changes_or_withdraws_a_request(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        card = await ours.look(BEN, TRAINING, "Waiting for approval")
        await ours.click(BEN, card, "Change")
        assert (await ours.replies())[-1] == "Only who asked can change this request. I changed nothing."
        await ours.click(BEN, card, "Withdraw")
        assert (await ours.replies())[-1] == "Only who asked can withdraw it. I changed nothing."
        await ours.click(ANA, card, "Withdraw")
        assert (await ours.rental(rental.id)).state is State.WITHDRAWN


async def test_what_is_outside_the_envelope_its_owner_accepts(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        async with ours.deps.store.write() as tx:
            alone = {"price": Decimal("9.00"), "max_rate": Decimal("9.00"), "total": 60_000_000}
            envelope = changed(rental.envelope, **alone)
            waits = changed(waiting(rental), decider=Decider.OWNER)
            after = make.next_of(rental, waiting=waits, envelope=envelope)
            await tx.rentals.apply(change(rental, after, rules=RULES, real_now=ours.clock.real()))
        await ours.forge(BEN, "accept", f"{rental.id}:1")
        assert await ours.modal(BEN) is None
        assert (await ours.replies())[-1] == "Only who asked decides this. I changed nothing."
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL
        await ours.forge(ANA, "accept", f"{rental.id}:1")
        assert (await ours.submit(ANA))["ok"]
        assert (await ours.rental(rental.id)).state is State.PROCURING
