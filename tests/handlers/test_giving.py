"""Permissions for asking for a machine, offering it and accepting it, with commands and with buttons."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.transitions import alter
from bot.model.attempt import AttemptState
from bot.model.base import changed
from bot.model.machine_use import UsageStatus, Use
from bot.model.records import Change
from bot.model.rental import Rental
from bot.policy.team.rules import AutoApprove
from handlers.ids import Action, Callback
from sandbox.slack.default import ANA, BEN, CLEO, GUS
from tests.handlers.rental_states import H, running
from tests.handlers.team import EVE, NOON, RULES, Team, an_offer, team
from tests.handlers.test_rights import forge_submission
from tests.handlers.test_teammates import add_key
from tests.store import make


async def idle(ours: Team, **changes: Any) -> Rental:
    """Return Ana's ready machine, which has been idle for an hour."""
    rental = await running(ours)
    after = alter(rental, use=Use(status=UsageStatus.IDLE, since=NOON - H), attempts=1, **changes)
    bought = make.attempt(rental.id, state=AttemptState.BOUGHT, offer=an_offer("o1", "2.15"), accepted=True)
    async with ours.deps.store.write() as tx:
        await apply(tx, ours.deps, Change(rental, after, attempts=(bought,)))
    await ours.deliver_all()
    return after


def direct(user: str) -> str:
    return "D" + user[1:]


def end_of(rental: Rental) -> int:
    return int(rental.running_lease.ends_at.timestamp())


async def test_a_colleague_asks_for_an_idle_machine_and_accepts_the_transfer(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        ours.deliver_at_once()
        await ours.add_eve_and_gus()
        rental = await idle(ours)
        line = await add_key(ours, EVE)
        offers = await ours.offered(EVE, an_offer("o2", "2.15"), with_key=False)
        assert f"Ana's 1x H100 SXM 80 GB ({rental.id}) in EU has been idle for 1 h and ends at " in offers["reads"]
        await ours.click(EVE, offers, "Ask Ana for it")
        assert (await ours.replies())[-1] == (
            f"I've asked Ana for 1x H100 SXM 80 GB ({rental.id}). I'll send you the answer in a direct message."
        )
        await ours.click(EVE, offers, "Ask Ana for it")
        assert (await ours.replies())[-1].startswith(
            f"Ana was already asked for {rental.id} less than an hour ago."
        )
        await ours.deliver_all()
        question = await ours.look(ANA, direct(ANA), "is asking for")
        assert [button["text"] for button in question["buttons"]] == [
            "Share with Eve",
            "Give it to Eve",
            "I need it",
        ]
        await ours.click(ANA, question, "Give it to Eve")
        await ours.deliver_all()
        assert "You offered it to Eve" in (await ours.look(ANA, direct(ANA), "Eve asked to use"))["reads"]
        given = await ours.look(EVE, direct(EVE), "is offering you")
        for user in (BEN, GUS, ANA):
            await ours.forge(user, "take", f"{rental.id}:{end_of(rental)}")
        assert (await ours.rental(rental.id)).owner == ANA
        await ours.click(EVE, given, "Take")
        assert (await ours.rental(rental.id)).owner == EVE
        await ours.deliver_all()
        assert "ssh root@203.0.113.7" in (await ours.look(EVE, direct(EVE), "You took"))["reads"]
        assert line in (await ours.look(ANA, direct(ANA), "Paste this on the machine"))["reads"]
        assert "Only Eve and the teammates on" in await ours.command(ANA, f"ssh {rental.id}")
        assert "$" not in await ours.command(ANA, f"show {rental.id}")
        assert "Only the owner of" in await ours.command(ANA, f"give {rental.id} @ben")


async def test_an_owner_offers_a_machine_by_command(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        rental = await idle(ours)
        assert "Who gets the machine?" in await ours.command(ANA, f"give {rental.id}")
        assert "A machine can be given to one person only." in await ours.command(
            ANA, f"give {rental.id} @ben @cleo"
        )
        assert "may not use me" in await ours.command(ANA, f"give {rental.id} @gus")
        assert "I don't know who" in await ours.command(ANA, f"give {rental.id} @nobody")
        assert "is already yours" in await ours.command(ANA, "give @ana")
        assert f"Ben has 1 h to take 1x H100 SXM 80 GB ({rental.id})." in await ours.command(ANA, "give @ben")
        await ours.deliver()
        given = await ours.look(BEN, direct(BEN), "is offering you")
        await ours.click(BEN, given, "Take")
        assert (await ours.replies())[-1].startswith("To log in, you'll need an SSH key")
        await ours.command(ANA, f"keep {rental.id}")
        await ours.deliver_all()
        assert (
            "Ana said that the machine is still needed, so it stays Ana's."
            in (await ours.look(BEN, direct(BEN), "offered you"))["reads"]
        )
        await ours.forge(BEN, "take", f"{rental.id}:{end_of(rental)}")
        assert "no longer offered to you" in (await ours.replies())[-1]


@pytest.mark.parametrize("people", ["", f"{BEN},{CLEO}"])
async def test_a_forged_offer_to_nobody_or_two_people_is_refused(tmp_path: Path, people: str) -> None:
    async with team(tmp_path) as ours:
        rental = await idle(ours)
        with capture_logs() as lines:
            await ours.forge(ANA, Action.GIVE.id, f"{rental.id}:{people}")
        assert (await ours.replies())[-1].startswith("A machine can be given to one person only")
        assert "bug" not in [line["event"] for line in lines]
        assert await ours.rental(rental.id) == rental


async def test_an_expensive_machine_is_accepted_in_a_dialog_by_its_recipient_only(tmp_path: Path) -> None:
    rules = changed(RULES, auto_approve=AutoApprove(per_hour=Decimal(1000), total=Decimal(10_000)))
    async with team(tmp_path, rules=rules) as ours:
        rental = await idle(ours, rate=Decimal(40))
        await add_key(ours, BEN)
        await ours.command(ANA, f"give {rental.id} @ben")
        await ours.deliver()
        await ours.click(BEN, await ours.look(BEN, direct(BEN), "is offering you"), "Take")
        dialog = await ours.modal(BEN)
        assert dialog is not None
        assert "This can cost you up to $2" in dialog["reads"]
        value = f"{rental.id}:{end_of(rental)}"
        refusal = await forge_submission(ours, CLEO, Callback.TAKE_CONFIRM.id, value)
        assert "no longer offered to you" in refusal
        assert (await ours.submit(BEN))["ok"]
        assert (await ours.rental(rental.id)).owner == BEN
