"""Admins decide about unmanaged machines, each in their own direct messages."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from bot.lifecycle.account.admin_questions import ask
from bot.model.admin_question import AdminQuestion, Purchase, UnmanagedMachine
from bot.model.base import changed
from bot.model.state import State
from handlers.ids import Action, Callback
from sandbox.slack.default import ANA, BEN, CLEO, GPUS, GUS
from tests.handlers.team import NOON, RULES, Team, team
from tests.handlers.test_rights import forge_submission

TRAIN = UnmanagedMachine(
    resource_id="res-1",
    status="running",
    runs=True,
    name="train-3 <!here>",
    gpu="H100",
    vendor="hyperstack",
    rate=Decimal("2.10"),
    since=NOON,
    host="203.0.113.7",
)
TWO_ADMINS = changed(RULES, admins=(CLEO, BEN))
LEAD = "A machine that wasn't rented through me"


async def found(ours: Team, machine: UnmanagedMachine = TRAIN, guess: str | None = None) -> AdminQuestion:
    """Ask the admins about a machine, as the sweep does when it finds one."""
    about = Purchase(machines=(machine,), guess=guess)
    question = AdminQuestion(id="u7mq2", about=about, found_at=NOON, asked_at=NOON)
    async with ours.deps.store.write() as tx:
        await ask(tx, ours.deps, question, new=True)
    await ours.deliver()
    return question


def direct(user: str) -> str:
    """Return the ID of a person's direct messages with the bot."""
    return "D" + user[1:]


async def test_an_admin_assigns_a_machine_and_the_second_admin_is_too_late(
    tmp_path: Path,
) -> None:
    async with team(tmp_path, rules=TWO_ADMINS) as ours:
        await found(ours, guess=ANA)
        cleos, bens = [await ours.look(user, direct(user), LEAD) for user in (CLEO, BEN)]
        await ours.click(CLEO, cleos, "Assign an owner")
        await ours.click(BEN, bens, "Assign an owner")
        dialog = await ours.modal(CLEO)
        assert dialog is not None
        assert "I'll destroy this machine when that time is over." in dialog["reads"]
        assert (await ours.submit(CLEO))["ok"], "the guess and the usual length are preset"
        (rental,) = await ours.rentals()
        assert (rental.state, rental.owner, rental.approved_by) == (State.READY, ANA, CLEO)
        assert 'Cleo chose "Assign an owner"' in str((await ours.submit(BEN, owner=BEN))["errors"])
        assert (await ours.rentals()) == [rental]
        await ours.deliver()
        for user in (CLEO, BEN):
            message = await ours.look(user, direct(user), "Cleo assigned an owner")
            assert message["buttons"] == []
        assert "I don't know whose keys work" in (await ours.look(ANA, direct(ANA), rental.id))["reads"]
        assert f"Ready: 1x H100 ({rental.id}) for Ana." in (await ours.look(ANA, GPUS, rental.id))["text"]


async def test_a_machine_can_only_be_assigned_to_people_with_access(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        await found(ours)
        await ours.click(CLEO, await ours.look(CLEO, direct(CLEO), LEAD), "Assign an owner")
        assert not (await ours.submit(CLEO, owner=GUS))["ok"]
        dialog = await ours.modal(CLEO)
        assert dialog is not None
        assert "Choose a member who may." in str(dialog)
        assert await ours.rentals() == []


async def test_destroying_an_unmanaged_machine_requires_typing_its_name(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await found(ours)
        await ours.click(CLEO, await ours.look(CLEO, direct(CLEO), LEAD), "Destroy")
        assert not (await ours.submit(CLEO, machine_name="train-2"))["ok"]
        assert await ours.rentals() == []
        assert (await ours.submit(CLEO, machine_name="train-3 <!here>"))["ok"]
        (rental,) = await ours.rentals()
        assert (rental.state, rental.owner) == (State.DESTROYING, CLEO)
        await ours.deliver()
        assert "Cleo destroyed this machine" in (await ours.look(CLEO, direct(CLEO), rental.id))["reads"]


async def test_machines_that_are_not_ours_are_listed_for_people_who_see_costs(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        await found(ours)
        await ours.click(CLEO, await ours.look(CLEO, direct(CLEO), LEAD), "Ask again tomorrow")
        await ours.deliver()
        await ours.click(CLEO, await ours.look(CLEO, direct(CLEO), "Cleo wants to decide later"), "Not ours")
        assert (await ours.submit(CLEO, reason="the web team's"))["ok"]
        await ours.deliver()
        assert 'The reason: "the web team\'s"' in (await ours.look(CLEO, direct(CLEO), "Not ours"))["reads"]
        for user, sees in ((CLEO, True), (BEN, True), (ANA, False)):
            assert ("train-3" in await ours.command(user, "list all")) is sees
            assert "train-3" not in await ours.command(user, "list")


async def test_forged_clicks_and_dialogs_by_others_reveal_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        await found(ours)
        for user in (ANA, BEN):
            for action in (Action.GIVE_OWNER, Action.NOT_OURS, Action.ASK_ABOUT_AGAIN, Action.DESTROY_UNMANAGED):
                await ours.forge(user, action.id, "u7mq2:1")
                assert await ours.modal(user) is None
                assert (await ours.replies())[-1].startswith("Only admins can decide this.")
        inputs = {"owner": ANA, "hours": "4", "reason": "mine", "machine_name": "train-3 <!here>"}
        for callback in (Callback.GIVE_OWNER, Callback.NOT_OURS, Callback.DESTROY_UNMANAGED):
            answer = await forge_submission(ours, BEN, callback.id, "u7mq2:1", **inputs)
            assert "train-3" not in answer
            assert "Only admins" in answer
        assert await ours.rentals() == []
