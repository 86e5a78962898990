"""The messages that teammates get about a shared rental, and their permissions."""

from __future__ import annotations

from pathlib import Path

from bot.model.rental import Rental
from sandbox.slack.default import ANA, APPROVALS, BEN
from tests.handlers.rental_states import H, asked, running
from tests.handlers.team import EVE, NOON, Team, team
from tests.handlers.test_teammates import add_key

DM = "D" + BEN[1:]


async def shared(ours: Team, *names: str) -> Rental:
    """Return Ana's ready machine, shared with these people, with all resulting messages posted."""
    rental = await running(ours)
    await ours.command(ANA, f"share {rental.id} {' '.join(f'@{name}' for name in names)}")
    await ours.deliver()
    return await ours.rental(rental.id)


async def make_guest(ours: Team, user: str) -> None:
    """Make a member a guest, and have Slack notify the bot."""
    await ours.world.act(f"people/{user}", "PATCH", guest="restricted")
    sent = await ours.world.act("event", type="user_change", user={"id": user})
    await ours.world.get("events", id=sent["event_id"], wait=10)


async def direct_messages(ours: Team, user: str) -> list[str]:
    """Return the direct messages that the bot sent to a person, as the person sees them."""
    seen = await ours.world.see(user, channel="D" + user[1:])
    return [message["reads"] for message in seen if not message["deleted"]]


async def test_a_teammate_gets_the_ssh_command_and_extend_but_not_destroy(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await add_key(ours, BEN)
        await shared(ours, "ben")
        message = await ours.look(BEN, DM, "Ana shared 1x H100")
        assert "ssh root@203.0.113.7" in message["reads"]
        assert "isn't on the machine yet. Ana can add it with /gpu share" in message["reads"]
        assert "$" not in message["reads"]
        assert [button["text"] for button in message["buttons"]] == ["Extend", "SSH config"]


async def test_a_person_without_a_key_is_asked_for_one_when_sharing(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        rental = await shared(ours, "ben")
        (message,) = await direct_messages(ours, BEN)
        assert "To log in, you'll need an SSH key." in message
        assert "ssh root@" not in message
        await ours.click(BEN, await ours.look(BEN, DM, "you'll need an SSH key"), "Add SSH key")
        assert await ours.modal(BEN) is not None
        line = await add_key(ours, BEN)
        assert line in await ours.command(ANA, f"share {rental.id}")


async def test_the_prompt_for_a_key_disappears_once_there_is_one(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await ours.command(ANA, f"share {rental.id} @ben")
        await ours.deliver()
        assert "Add your public SSH key so that you can log in" in (await direct_messages(ours, BEN))[0]
        await add_key(ours, BEN)
        await ours.command(ANA, f"share {rental.id} @cleo")
        await ours.deliver()
        (message,) = await direct_messages(ours, BEN)
        assert (
            message == f"Ana is sharing 1x H100 SXM 80 GB ({rental.id}) with you. You can log in when it's ready."
        )


async def test_sharing_again_sends_no_second_message(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await shared(ours, "ben")
        await ours.command(ANA, f"share {rental.id} @ben")
        await ours.deliver()
        assert len(await direct_messages(ours, BEN)) == 1


async def test_a_teammate_sees_how_to_log_in_and_finds_it_listed(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        rental = await shared(ours, "eve")
        assert "ssh root@203.0.113.7" in await ours.command(EVE, f"ssh {rental.id}")
        listed = await ours.command(EVE, "list")
        assert f"Ready: 1x H100 SXM 80 GB ({rental.id}) in EU for Ana with \u2060you." in listed
        assert "$2.15" not in listed.splitlines()[0]
        assert "Your running" not in listed
        assert "Ana with \u2060you" in await ours.command(EVE, "")
        shown = await ours.command(EVE, f"show {rental.id}")
        assert "Ana shared this machine with Eve" in shown
        assert "$" not in shown


async def test_a_teammate_may_not_destroy_withdraw_change_or_share(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        rental = await shared(ours, "eve")
        await ours.command(EVE, f"destroy {rental.id}")
        assert await ours.modal(EVE) is None
        await ours.forge(EVE, "destroy", rental.id)
        refusal = f"Only its owner, approvers and admins can destroy {rental.id}. Nothing was changed."
        assert (await ours.replies())[-1] == refusal
        await ours.forge(EVE, "change_rental", f"{rental.id}:1")
        await ours.forge(EVE, "withdraw", f"{rental.id}:1")
        assert "Only its owner can share" in await ours.command(EVE, f"share {rental.id} @ben")
        assert await ours.rental(rental.id) == rental


async def test_a_teammate_can_extend_within_the_limits(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        rental = await shared(ours, "eve")
        assert " by 2 h." in await ours.command(EVE, f"extend {rental.id} 2h")
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 8 * H


async def test_an_extension_over_the_limits_by_a_teammate_needs_approval(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        await add_key(ours, EVE)
        rental = await shared(ours, "eve")
        await ours.click(EVE, await ours.look(EVE, "D" + EVE[1:], "with you"), "Extend")
        dialog = await ours.modal(EVE)
        assert dialog is not None
        assert "$" not in dialog["reads"]
        assert (await ours.submit(EVE, hours="48"))["ok"]
        dialog = await ours.modal(EVE)
        assert dialog is not None
        assert "The 2 days more can cost over $50.00." in dialog["reads"]
        assert (await ours.submit(EVE))["ok"]
        waits = await ours.rental(rental.id)
        assert waits.extension is not None
        assert (waits.extension.asked_by, waits.running_lease.ends_at) == (EVE, NOON + 6 * H)
        await ours.deliver()
        assert "Ana's 1x H100" in (await ours.look(BEN, APPROVALS, "Approve"))["reads"]
        await ours.forge(EVE, "withdraw", f"{rental.id}:2")
        assert (await ours.replies())[-1] == (
            "Only its owner and admins can withdraw this request. Nothing was changed."
        )


async def test_an_approver_cannot_approve_their_own_extension_as_a_teammate(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await shared(ours, "ben")
        await ours.command(BEN, f"extend {rental.id} 48h")
        assert (await ours.submit(BEN))["ok"]
        await ours.forge(BEN, "approve", f"{rental.id}:2")
        assert (await ours.rental(rental.id)).extension is not None


async def test_a_teammate_who_became_a_guest_loses_all_access(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        rental = await running(ours)
        await ours.command(ANA, f"share {rental.id} @eve")
        await make_guest(ours, EVE)
        await ours.context.people.look_up([EVE])
        await ours.deliver()
        pinged = {ping["user"] for ping in (await ours.world.get("pings"))["pings"]}
        assert EVE not in pinged
        for command in (f"ssh {rental.id}", f"extend {rental.id} 2h", f"keep {rental.id}", "list"):
            answer = await ours.command(EVE, command)
            assert "203.0.113.7" not in answer
            assert rental.id not in answer.replace(f"I don't know {rental.id}.", "")


async def test_no_message_about_a_shared_rental_mentions_anyone(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await shared(ours, "ben", "cleo")
        pings = (await ours.world.get("pings"))["pings"]
        assert [ping for ping in pings if ping["why"] != "dm"] == []
