"""Slack reports that a person was deactivated. Admins are asked immediately about the person's machines."""

from __future__ import annotations

from pathlib import Path

from handlers.ids import Action, Callback
from sandbox.slack.default import ANA, BEN, CLEO, GUS
from tests.handlers.rental_states import make_ready
from tests.handlers.team import Team, team
from tests.handlers.test_people import wait_for_events
from tests.handlers.test_rights import forge_submission
from tests.handlers.test_unmanaged_machines import TWO_ADMINS, direct

LEFT = "Ana left the workspace"


async def deactivate(ours: Team, user: str) -> None:
    """Deactivate a person, and handle the event that Slack sends."""
    await ours.world.act(f"people/{user}", "PATCH", deleted=True)
    await wait_for_events(ours)
    await ours.deliver()


async def test_an_admin_reassigns_a_departed_owners_machine_and_both_admins_see_it(tmp_path: Path) -> None:
    async with team(tmp_path, rules=TWO_ADMINS) as ours:
        await ours.add_eve_and_gus()
        rental = await make_ready(ours, await ours.rented())
        await deactivate(ours, ANA)
        for user in (CLEO, BEN):
            message = await ours.look(user, direct(user), LEFT)
            labels = [button["text"] for button in message["buttons"]]
            assert labels[:2] == ["Assign an owner", "Ask again tomorrow"]
            assert labels[2].startswith("Destroy")
            assert f"1x H100 SXM 80 GB ({rental.id}) is running: $2.15/h" in message["reads"]
            assert "Who should be its new owner?" in message["reads"]
        await ours.click(CLEO, await ours.look(CLEO, direct(CLEO), LEFT), "Ask again tomorrow")
        await ours.deliver()
        message = await ours.look(BEN, direct(BEN), "Cleo wants to decide later")
        await ours.click(BEN, message, "Assign an owner")
        await ours.click(
            CLEO, await ours.look(CLEO, direct(CLEO), "Cleo wants to decide later"), "Assign an owner"
        )
        assert not (await ours.submit(BEN, owner=GUS))["ok"]
        assert (await ours.submit(BEN, owner=CLEO))["ok"]
        assert f"{rental.id} already belongs to Cleo" in str((await ours.submit(CLEO, owner=BEN))["errors"])
        assert (await ours.rental(rental.id)).owner == CLEO
        await ours.deliver()
        for user in (CLEO, BEN):
            assert (await ours.look(user, direct(user), "made Cleo the owner"))["buttons"] == []


async def test_forged_clicks_and_dialogs_by_others_change_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await make_ready(ours, await ours.rented())
        await deactivate(ours, ANA)
        async with ours.deps.store.read() as tx:
            (question,) = await tx.questions.of_rental(rental.id)
        value = f"{question.id}:{question.version}"
        for action in (Action.GIVE_OWNER, Action.ASK_ABOUT_AGAIN):
            await ours.forge(BEN, action.id, value)
            assert await ours.modal(BEN) is None
            assert "Only admins" in (await ours.replies())[-1]
        assert "Only admins" in await forge_submission(ours, BEN, Callback.GIVE_OWNER.id, value, owner=BEN)
        assert (await ours.rental(rental.id)).owner == ANA
