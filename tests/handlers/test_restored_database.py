"""Admins are asked about machines that were bought after the backup, and re-adopt them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from bot.lifecycle.account.unmanaged_machines import ask_together
from bot.model.admin_question import AdminQuestion, Purchase, UnmanagedMachine
from bot.model.base import changed
from bot.model.state import State
from handlers.ids import Action
from sandbox.slack.default import ANA, BEN, CLEO, GPUS, GUS
from tests.handlers.team import NOON, Team, team
from tests.handlers.test_unmanaged_machines import TWO_ADMINS, direct

LEAD = "My database is"


def machine(rental_id: str, owner: str = "", **fields: object) -> UnmanagedMachine:
    known = UnmanagedMachine(
        resource_id=f"res-{rental_id}",
        status="running",
        runs=True,
        name=f"gpubot-{rental_id}-1" + (f"-{owner.lower()}" if owner else ""),
        gpu="H100",
        vendor="hyperstack",
        rate=Decimal("2.10"),
        since=NOON,
        host="203.0.113.7",
    )
    return changed(known, **fields)


async def found(ours: Team, *machines: UnmanagedMachine) -> None:
    """Ask the admins about machines bought after the backup, as the sweep does."""
    questions = [
        AdminQuestion(id=f"u{n}", about=Purchase(machines=(one,)), found_at=NOON, asked_at=NOON)
        for n, one in enumerate(machines)
    ]
    async with ours.deps.store.write() as tx:
        await ask_together(tx, ours.deps, questions, count=len(machines), later=True)
    await ours.deliver()


async def test_one_click_readopts_owned_machines_and_others_are_decided_one_by_one(tmp_path: Path) -> None:
    async with team(tmp_path, rules=TWO_ADMINS) as ours:
        await ours.add_eve_and_gus()
        # An empty database contains nobody, so the owners are looked up on the click.
        await found(ours, machine("f6rat", ANA), machine("abcd2", BEN), machine("abcd3"), machine("abcd4", GUS))
        for user in (CLEO, BEN):
            message = await ours.look(user, direct(user), LEAD)
            assert "empty, but 4 machines that I rented are running" in message["reads"]
        await ours.click(CLEO, await ours.look(CLEO, direct(CLEO), LEAD), "Restore")
        await ours.click(BEN, await ours.look(BEN, direct(BEN), LEAD), "Restore")
        assert (await ours.replies())[-1].startswith("None of these machines can be restored")
        assert {(one.id, one.owner, one.state) for one in await ours.rentals()} == {
            ("f6rat", ANA, State.READY),
            ("abcd2", BEN, State.READY),
        }
        await ours.deliver()
        anas = await ours.look(ANA, direct(ANA), "f6rat")
        assert "my database is from an older backup" in anas["reads"]
        assert anas["buttons"][0]["text"] == "Extend"
        assert "f6rat" in (await ours.look(ANA, GPUS, "f6rat"))["reads"]
        message = await ours.look(BEN, direct(BEN), "Cleo added")
        assert [button["text"] for button in message["buttons"]] == ["One by one"]
        await ours.click(BEN, message, "One by one")
        asked = [(one.question_id, one.to.value) for one in await ours.queued() if one.question_id in {"u2", "u3"}]
        assert sorted(asked) == [("u2", BEN), ("u2", CLEO), ("u3", BEN), ("u3", CLEO)]
        await ours.deliver()
        assert (await ours.look(CLEO, direct(CLEO), "Cleo added"))["buttons"] == []
        assert "Buying has resumed" in await ours.command(CLEO, "resume")
        await ours.deliver()
        assert "/gpu resume" not in (await ours.look(CLEO, direct(CLEO), "Cleo added"))["reads"]


async def test_forged_clicks_by_others_reveal_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await found(ours, machine("f6rat", ANA))
        for user in (ANA, BEN):
            for action in (Action.PUT_ALL_BACK, Action.ONE_BY_ONE):
                await ours.forge(user, action.id, "u0:1")
                assert (await ours.replies())[-1].startswith("Only admins can decide this.")
        assert await ours.rentals() == []
