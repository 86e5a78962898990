"""Clicks on offers: the resulting rentals, approvals and messages."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from bot.model.quote import QuoteState
from bot.model.state import State
from sandbox.slack.default import ANA, BEN, CLEO, TRAINING
from tests.handlers.team import NOON, an_offer, team


async def test_clicking_an_offer_rents_it_and_the_reply_replaces_the_offers(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"), an_offer("o2", "2.42"))
        assert (await ours.click(ANA, message, "Rent from $2.15/h"))["ok"]
        (rental,) = await ours.rentals()
        assert (rental.state, rental.owner, rental.clicked_offer) == (State.PROCURING, ANA, "o1")
        await ours.deliver()
        shown = await ours.look(ANA, TRAINING, "Renting 1x H100 SXM 80 GB (")
        assert shown["ts"] == message["ts"]
        assert shown["buttons"] == []


async def test_offers_have_no_rent_button_while_buying_is_paused(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert (await ours.command(CLEO, "pause")).startswith("Buying is paused.")
        says = "Cleo paused buying at 13:00. You can look at prices, but nothing can be rented."
        message = await ours.offered(ANA, an_offer("o1", "2.15"), an_offer("o2", "2.42"), says=says)
        assert [button["text"] for button in message["buttons"]] == ["Details", "Refresh", "Change"]


async def test_a_second_click_in_the_same_list_rents_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"), an_offer("o2", "2.42"))
        await ours.click(ANA, message, "Rent from $2.15/h")
        assert (await ours.click(ANA, message, "Rent from $2.42/h"))["ok"]
        (rental,) = await ours.rentals()
        assert rental.clicked_offer == "o1"
        assert (await ours.replies())[
            -1
        ] == f"These offers were already used to rent {rental.id}. Nothing more was rented."


async def test_clicking_an_offer_over_a_limit_requests_approval(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o8", "18.40", count=8), count=8)
        await ours.click(ANA, message, "Ask for $18.40/h")
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert (
            "the price is over the limits of $10.00/h and $100.00 per rental. "
            "Nothing is rented until someone approves." in dialog["reads"]
        )
        assert await ours.rentals() == []
        assert (await ours.submit(ANA))["ok"]
        (rental,) = await ours.rentals()
        assert rental.state is State.AWAITING_APPROVAL
        assert (await ours.replies())[-1].startswith("I've asked for approval: 8x H100 SXM 80 GB (")


async def test_an_offer_over_fifty_dollars_is_confirmed_in_a_dialog(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o1", "9.00"))
        await ours.click(ANA, message, "Rent from $9.00/h")
        assert await ours.rentals() == []
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert dialog["submit"] == "Rent from $9.00/h"
        assert (await ours.submit(ANA))["ok"]
        (rental,) = await ours.rentals()
        assert rental.state is State.PROCURING
        assert await ours.modal(ANA) is None


async def test_a_dialog_with_an_expired_price_rents_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o1", "9.00"))
        await ours.click(ANA, message, "Rent from $9.00/h")
        ours.clock.put(NOON.replace(hour=13))
        await ours.submit(ANA)
        assert await ours.rentals() == []
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert "These prices are no longer valid. Nothing was rented." in dialog["reads"]


async def test_a_second_machine_of_the_same_kind_needs_a_confirmation(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await ours.rented()
        second = await ours.offered(ANA, an_offer("o2", "2.15"))
        await ours.click(ANA, second, "Rent")
        assert len(await ours.rentals()) == 1
        await ours.deliver()
        question = await ours.look(
            ANA, TRAINING, f"You already have 1x H100 SXM 80 GB ({rental.id}), and it's starting."
        )
        assert [button["text"] for button in question["buttons"]] == ["Rent another", f"Show {rental.id}"]
        await ours.click(ANA, question, "Rent another")
        assert len(await ours.rentals()) == 2


async def test_an_expensive_second_machine_is_also_confirmed_in_a_dialog(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.rented()
        second = await ours.offered(ANA, an_offer("o2", "9.00"))
        await ours.click(ANA, second, "Rent")
        await ours.submit(ANA)
        await ours.deliver()
        await ours.click(ANA, await ours.look(ANA, TRAINING, "Rent another?"), "Rent another")
        assert len(await ours.rentals()) == 1
        await ours.submit(ANA)
        assert {rental.clicked_offer for rental in await ours.rentals()} == {"o1", "o2"}


async def test_all_offers_replaces_the_short_list(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        offers = [an_offer(f"o{n}", f"2.{n}0") for n in range(1, 6)]
        message = await ours.offered(ANA, *offers)
        await ours.click(ANA, message, "All 5 offers")
        await ours.deliver()
        shown = await ours.look(ANA, TRAINING, "$2.50/h")
        assert shown["ts"] == message["ts"]
        assert sum(button["text"].startswith("Rent from") for button in shown["buttons"]) == 5


async def test_refresh_repeats_the_search(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"))
        assert (await ours.click(ANA, message, "Refresh"))["ok"]
        (again,) = await ours.quotes(ANA)
        assert again.state is QuoteState.LOOKING
        assert again.replaces
        assert (again.request.gpu, again.request.region, again.asked_in) == ("H100", "EU", TRAINING)


async def test_change_opens_the_filled_in_form_which_searches_again(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"))
        await ours.click(ANA, message, "Change")
        assert (await ours.submit(ANA, region="US", cap="$3", lease="90 min"))["ok"]
        (changed,) = await ours.quotes(ANA)
        assert (changed.request.region, str(changed.request.max_gpu_rate)) == ("US", "3")
        assert changed.request.lease.total_seconds() == 90 * 60
        assert changed.replaces


@pytest.mark.parametrize(
    ("cap", "lease", "meant"),
    [
        ("3,50", "1,5h", ("3.50", 90)),
        ("US$3\u00a0", "90\u00a0min", ("3", 90)),
        ("\u200b$2.50 ", "“2 hours”", ("2.50", 120)),
    ],
)
async def test_the_form_parses_numbers_like_commands(
    tmp_path: Path, cap: str, lease: str, meant: tuple[str, int]
) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "get")
        assert (await ours.submit(ANA, gpu="H100", cap=cap, lease=lease))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert (str(quote.request.max_gpu_rate), quote.request.lease.total_seconds() / 60) == meant


async def test_a_typed_total_also_covers_the_time_to_start_and_end(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.run_command(ANA, "get H100 EU max $8 total for 6h")
        await ours.run_command(ANA, "again")
        found = [(quote.request.max_total, str(quote.request.max_gpu_rate)) for quote in await ours.quotes(ANA)]
        assert found == [(8_000_000, "1.2307")] * 2


async def test_change_keeps_the_total_for_a_different_length(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(
            ANA, an_offer("o1", "1.10"), max_total=8_000_000, max_gpu_rate=Decimal("1.2307")
        )
        assert message["text"].startswith("1x H100 in EU · up to $8.00 in all · ")
        await ours.click(ANA, message, "Change")
        assert (await ours.submit(ANA, lease="90 min"))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.max_total, str(quote.request.max_gpu_rate)) == (8_000_000, "4.0000")


async def test_the_form_shows_each_error_below_its_input(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"))
        for field, typed, words in (
            ("cap", "three", "Type your highest price in dollars"),
            ("cap", "2.500", "Type your highest price in dollars"),
            ("cap", "1,000", "Type your highest price in dollars"),
            ("lease", "soon", "such as 90m"),
            ("lease", "9999h", "at most 72h"),
        ):
            await ours.click(ANA, message, "Change")
            outcome = await ours.submit(ANA, **{field: typed})
            assert list(outcome["errors"]) == [field], typed
            assert words in outcome["errors"][field], typed
            assert await ours.quotes(ANA) == [], typed


async def test_a_forged_value_of_another_persons_offer_rents_nothing(tmp_path: Path) -> None:
    """Only the owner sees the button, but a payload can be forged."""
    async with team(tmp_path) as ours:
        await ours.offered(ANA, an_offer("o1", "2.15"))
        message = await ours.offered(BEN, an_offer("o2", "2.15"))
        async with ours.deps.store.read() as tx:
            first = await tx.messages.get(1)
        assert first is not None
        assert first.quote_id is not None
        assert first.quote_id not in str(message)
        assert (await ours.forge(BEN, "rent", f"{first.quote_id}:o1"))["ok"]
        assert await ours.rentals() == []
        assert (await ours.replies())[
            -1
        ] == "This search belongs to someone else. To see offers of your own: /gpu get"
