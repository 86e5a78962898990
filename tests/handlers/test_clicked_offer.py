"""Renting without an SSH key prompts for one. The key then rents the offer without another click."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from bot.model.base import changed
from bot.model.quote import QuoteState
from bot.model.state import State
from bot.policy.team.rules import AutoApprove
from sandbox.slack.default import ANA, BEN, CLEO, TRAINING
from tests.handlers.rental_states import running
from tests.handlers.team import KEY_LINE, NOON, RULES, Json, Team, an_offer, team

ASKED_FOR_A_KEY = (
    "To log in, you'll need an SSH key. Add your public key and I'll continue; nothing has been rented yet."
)
SAVED = 'Your key is saved: "ana@laptop"'


async def clicked(ours: Team, *offers_and_labels: str) -> Json:
    """Click offers with these prices as Ana, who has no key, and return the prompt for a key."""
    for n, price in enumerate(offers_and_labels):
        shown = await ours.offered(ANA, an_offer(f"o{n}", price), with_key=False)
        await ours.click(ANA, shown, f"Rent from ${price}/h")
    await ours.deliver()
    return await ours.look(ANA, TRAINING, ASKED_FOR_A_KEY)


async def test_prices_are_shown_without_a_key(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert await ours.command(ANA, "get H100 EU") == ""
        (quote,) = await ours.quotes(ANA)
        assert quote.state is QuoteState.LOOKING


async def test_renting_without_a_key_prompts_for_one_which_then_rents(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        question = await clicked(ours, "2.15")
        assert [button["text"] for button in question["buttons"]] == ["Add SSH key", "Use my GitHub keys"]
        assert await ours.rentals() == []
        reply = await ours.command(ANA, f"key {KEY_LINE}")
        (rental,) = await ours.rentals()
        assert (rental.state, rental.owner, rental.clicked_offer) == (State.PROCURING, ANA, "o0")
        assert SAVED in reply
        assert f"Renting 1x H100 SXM 80 GB ({rental.id}) in EU, from $2.15/h." in reply


async def test_adding_the_key_in_the_dialog_rents_and_replaces_the_prompt(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        question = await clicked(ours, "2.15")
        await ours.click(ANA, question, "Add SSH key")
        assert (await ours.submit(ANA, key_line=KEY_LINE))["ok"]
        (rental,) = await ours.rentals()
        await ours.deliver()
        reply = await ours.look(ANA, TRAINING, f"Renting 1x H100 SXM 80 GB ({rental.id}) in EU")
        assert (reply["ts"], reply["buttons"]) == (question["ts"], [])


async def test_sending_the_same_key_twice_rents_once(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await clicked(ours, "2.15")
        await ours.command(ANA, f"key {KEY_LINE}")
        assert (await ours.command(ANA, f"key {KEY_LINE}")).startswith("This key was already saved:")
        assert len(await ours.rentals()) == 1


async def test_only_the_last_clicked_offer_is_rented(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        first = await ours.offered(ANA, an_offer("o1", "2.15"), an_offer("o2", "2.42"), with_key=False)
        await clicked(ours, "3.11")
        await ours.click(ANA, first, "Rent from $2.42/h")
        await ours.command(ANA, f"key {KEY_LINE}")
        (rental,) = await ours.rentals()
        assert rental.clicked_offer == "o2"


async def test_an_offer_that_expired_in_the_meantime_is_searched_again(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await clicked(ours, "2.15")
        ours.clock.put(NOON + timedelta(minutes=31))
        reply = await ours.command(ANA, f"key {KEY_LINE}")
        assert reply.endswith("The prices that you saw are no longer valid, so I'm searching again.")
        assert await ours.rentals() == []
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.gpu, quote.request.region, quote.asked_in) == ("H100", "EU", TRAINING)
        assert quote.reply_to is not None


async def test_an_offer_from_yesterday_is_forgotten(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await clicked(ours, "2.15")
        ours.clock.put(NOON + timedelta(hours=25))
        assert (await ours.command(ANA, f"key {KEY_LINE}")).endswith("(ed25519).")
        assert await ours.quotes(ANA) == []


async def test_an_expensive_offer_is_confirmed_in_the_key_dialog(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        await ours.click(ANA, await clicked(ours, "9.00"), "Add SSH key")
        assert (await ours.submit(ANA, key_line=KEY_LINE))["ok"]
        assert await ours.rentals() == []
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert dialog["submit"] == "Rent from $9.00/h"
        assert SAVED in dialog["reads"]
        assert (await ours.submit(ANA))["ok"]
        (rental,) = await ours.rentals()
        assert (rental.state, rental.clicked_offer) == (State.PROCURING, "o0")
        assert await ours.modal(ANA) is None


async def test_after_long_open_dialogs_the_confirmation_is_answered_directly(
    tmp_path: Path,
) -> None:
    """The `response_url` belongs to the click that opened the first of the two dialogs."""
    async with team(tmp_path) as ours:
        await ours.click(ANA, await clicked(ours, "9.00"), "Add SSH key")
        for open_for, submitted in ((timedelta(minutes=20), {"key_line": KEY_LINE}), (timedelta(minutes=15), {})):
            view = ours.world.sandbox.workspace.modals[ANA]
            metadata = json.loads(view.source["private_metadata"])
            metadata["origin"]["opened_at"] -= int(open_for.total_seconds())
            view.source["private_metadata"] = json.dumps(metadata)
            assert (await ours.submit(ANA, **submitted))["ok"]
        await ours.deliver()
        assert (await ours.look(ANA, f"D{ANA[1:]}", "Renting 1x H100 SXM 80 GB ("))["is_dm"]


async def test_after_a_typed_key_the_confirmation_opens_and_can_be_reopened(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await clicked(ours, "9.00")
        assert "can cost more than $50.00, so confirm it first." in await ours.command(ANA, f"key {KEY_LINE}")
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert await ours.rentals() == []
        await ours.click(ANA, await ours.look(ANA, TRAINING, "confirm it first"), "Rent from $9.00/h")
        assert (await ours.submit(ANA))["ok"]
        assert len(await ours.rentals()) == 1


async def test_if_slack_opens_no_confirmation_the_reply_has_a_button_for_it(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        await clicked(ours, "9.00")
        await ours.refuse("views.open", "internal_error")
        assert SAVED in await ours.command(ANA, f"key {KEY_LINE}")
        assert await ours.modal(ANA) is None
        assert "Nothing was changed" not in str(await ours.replies())
        await ours.click(ANA, await ours.look(ANA, TRAINING, "confirm it first"), "Rent from $9.00/h")
        assert (await ours.submit(ANA))["ok"]
        assert len(await ours.rentals()) == 1


async def test_an_offer_over_a_limit_waits_for_an_approver(tmp_path: Path) -> None:
    limits = AutoApprove(per_hour=Decimal("2.00"), total=Decimal("100.00"))
    async with team(tmp_path, rules=changed(RULES, auto_approve=limits)) as ours:
        shown = await ours.offered(ANA, an_offer("o1", "2.15"), with_key=False)
        await ours.click(ANA, shown, "Ask for $2.15/h")
        assert "I've asked for approval: 1x H100 SXM 80 GB (" in await ours.command(ANA, f"key {KEY_LINE}")
        (rental,) = await ours.rentals()
        assert rental.state is State.AWAITING_APPROVAL


async def test_the_key_is_saved_but_nothing_is_rented_while_buying_is_paused(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await clicked(ours, "2.15")
        await ours.command(CLEO, "pause")
        reply = await ours.command(ANA, f"key {KEY_LINE}")
        assert SAVED in reply
        assert "Cleo paused buying." in reply
        assert await ours.rentals() == []
        assert "1 SSH key." in await ours.command(ANA, "key")


async def test_a_second_similar_machine_is_rented_only_after_confirmation(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        async with ours.deps.store.write() as tx:
            (key,) = await tx.people.keys(ANA)
            await tx.people.remove_key(ANA, key.fingerprint)
        shown = await ours.offered(ANA, an_offer("o9", "2.15"), with_key=False)
        await ours.click(ANA, shown, "Rent")
        await ours.deliver()
        await ours.click(ANA, await ours.look(ANA, TRAINING, "Rent another?"), "Rent another")
        await ours.deliver()
        await ours.look(ANA, TRAINING, ASKED_FOR_A_KEY)
        assert "Renting 1x H100 SXM 80 GB (" in await ours.command(ANA, f"key {KEY_LINE}")
        assert {each.clicked_offer for each in await ours.rentals()} == {rental.clicked_offer, "o9"}


async def test_another_persons_key_does_not_rent_anas_offer(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await clicked(ours, "2.15")
        await ours.command(BEN, f"key {KEY_LINE}")
        assert await ours.rentals() == []
