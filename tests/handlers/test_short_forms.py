"""Commands without an ID refer to the only rental, ask which of several is meant, or suggest the next step."""

from __future__ import annotations

from pathlib import Path

from bot.lifecycle.changes.apply import apply
from bot.model.records import Change
from bot.model.state import State
from sandbox.slack.default import ANA, BEN, GPUS, GUS, TRAINING
from tests.handlers.rental_states import H, make_ready, running, starting
from tests.handlers.team import NOON, team
from tests.rentals import ending
from tests.store import make

NEEDS_A_RENTAL = ["show", "ssh", "extend", "extend 2h", "extend until 20:00", "keep", "keep 90m"]


async def test_without_a_rental_the_reply_suggests_getting_one(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for typed in NEEDS_A_RENTAL:
            assert await ours.command(ANA, typed) == "You have no machines right now. Try: /gpu get H100 EU", typed
        assert await ours.command(ANA, "kill it") == "You have no machine, so there's nothing to destroy."


async def test_a_person_without_access_learns_only_that(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await running(ours)
        for typed in NEEDS_A_RENTAL:
            reply = await ours.command(GUS, typed, GPUS)
            assert reply.startswith("Your team's rules don't let you rent here."), typed
            assert await ours.modal(GUS) is None, typed


async def test_with_one_rental_each_command_refers_to_it(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        assert rental.id in await ours.command(ANA, "show")
        assert "ssh root@203.0.113.7" in await ours.command(ANA, "ssh")
        assert (await ours.command(ANA, "keep 90m")).startswith(
            f"You said that you still need 1x H100 SXM 80 GB ({rental.id})."
        )
        assert (await ours.command(ANA, "extend 2h")).startswith(
            f"You extended 1x H100 SXM 80 GB ({rental.id}) by "
        )
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 8 * H
        assert await ours.command(ANA, "extend") == ""
        assert (await ours.submit(ANA, hours="1"))["ok"]
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 9 * H
        assert await ours.command(ANA, "destroy") == ""
        assert (await ours.rental(rental.id)).state is State.READY, "it asks first"
        assert (await ours.submit(ANA))["ok"]
        assert ending(await ours.rental(rental.id)).outcome is State.DESTROYED


async def test_a_command_refers_to_the_machine_rather_than_a_starting_rental(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental, coming = await running(ours), await starting(ours, "o-2")
        assert (await ours.command(ANA, "extend 2h")).startswith(
            f"You extended 1x H100 SXM 80 GB ({rental.id}) by "
        )
        assert (await ours.command(ANA, "ssh")).startswith(f"*Your 1x H100 SXM 80 GB ({rental.id}) is ready.*")
        assert (await ours.command(ANA, "show")).startswith("Show which machine or request?")
        await ours.command(ANA, f"destroy {rental.id}")
        await ours.submit(ANA)
        assert (await ours.command(ANA, "ssh")).startswith(f"Your 1x A100 ({coming.id}) isn't ready yet")
        assert (await ours.command(ANA, "extend 2h")).startswith(
            f"{coming.id} isn't ready, because it is starting."
        )
        await starting(ours, "o-3", gpu="L40S")
        assert (await ours.command(ANA, "ssh")).startswith("None of your machines is ready yet.")


async def test_with_several_rentals_each_gets_a_button(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        first, second = await running(ours), await make_ready(ours, await starting(ours, "o-2"))
        for typed, question, label in (
            ("show", "Show which machine or request?", "Show"),
            ("ssh", "Which machine do you want to log in to?", "ssh"),
            ("extend", "Extend which machine?", "Extend"),
            ("extend 2h", "Extend which machine by 2 h?", "Extend"),
            ("extend until 20:00", "Extend which machine until", "Extend"),
            ("keep 90m", "Which machine is still needed?", "Keep"),
            ("destroy", "Destroy which machine or request?", "Destroy"),
        ):
            assert (await ours.command(ANA, typed)).startswith(question), typed
            asked = await ours.look(ANA, TRAINING, question)
            assert asked["only_you"], typed
            labels = {button["text"].partition(" by ")[0] for button in asked["buttons"]}
            assert labels == {f"{label} {first.id}", f"{label} {second.id}"}, typed
            assert f"Ready: 1x A100 ({second.id}) in EU. It ends at" in asked["reads"], typed


async def test_the_command_applies_to_the_chosen_rental(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        first, second = await running(ours), await make_ready(ours, await starting(ours, "o-2"))

        async def choose(typed: str, question: str) -> None:
            await ours.command(ANA, typed)
            asked = await ours.look(ANA, TRAINING, question)
            label = next(button["text"] for button in asked["buttons"] if second.id in button["text"])
            await ours.click(ANA, asked, label)

        await choose("show", "Show which machine or request?")
        assert f"1x A100 ({second.id}) in EU for Ana." in (await ours.replies())[-1]
        await choose("ssh", "Which machine do you want to log in to?")
        assert "ssh root@203.0.113.7" in (await ours.replies())[-1]
        await choose("keep 90m", "Which machine is still needed?")
        assert (await ours.replies())[-1].startswith(f"You said that you still need 1x A100 ({second.id}).")
        await choose("extend 2h", "Extend which machine by 2 h?")
        assert (await ours.rental(second.id)).running_lease.ends_at == NOON + 8 * H
        await choose("extend until 23:00", "Extend which machine until")
        assert (await ours.rental(second.id)).running_lease.ends_at == NOON + 10 * H
        await choose("extend", "Extend which machine?")
        await ours.submit(ANA, hours="1")
        assert (await ours.rental(second.id)).running_lease.ends_at == NOON + 11 * H
        await choose("destroy", "Destroy which machine or request?")
        assert (await ours.rental(second.id)).state is State.READY, "it asks first"
        await ours.submit(ANA)
        assert ending(await ours.rental(second.id)).outcome is State.DESTROYED
        assert (await ours.rental(first.id)).running_lease.ends_at == NOON + 6 * H


async def test_clicking_a_chosen_rental_twice_extends_it_once(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        first, _ = await running(ours), await make_ready(ours, await starting(ours, "o-2"))
        for typed, question, ends in (
            ("extend 2h", "Extend which machine by 2 h?", NOON + 8 * H),
            ("extend until 22:00", "Extend which machine until", NOON + 9 * H),
        ):
            await ours.command(ANA, typed)
            asked = await ours.look(ANA, TRAINING, question)
            for _ in range(2):
                await ours.click(ANA, asked, f"Extend {first.id}")
            assert (await ours.rental(first.id)).running_lease.ends_at == ends


async def test_a_shared_machine_counts_except_for_destroy(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        assert (await ours.command(BEN, "show")).startswith("You have no machines right now.")
        async with ours.deps.store.write() as tx:
            shared = make.next_of(await ours.rental(rental.id), teammates=(BEN,))
            await apply(tx, ours.deps, Change(rental, shared))
        assert f"1x H100 SXM 80 GB ({rental.id}) in EU for Ana with Ben." in await ours.command(BEN, "show")
        assert "ssh root@203.0.113.7" in await ours.command(BEN, "ssh")
        assert (await ours.command(BEN, "extend 2h")).startswith(
            f"You extended 1x H100 SXM 80 GB ({rental.id}) by "
        )
        assert (await ours.command(BEN, "destroy")).startswith(
            "You have no machine of your own, and only the owner"
        )
        assert (await ours.rental(rental.id)).state is State.READY
