"""`/gpu` commands: their answers and effects."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.lifecycle.actions.quoting import QUOTES_PER_MINUTE
from bot.model.base import changed
from bot.model.message import MessageKind
from bot.model.quote import QuoteState
from bot.policy.team.rules import Access
from handlers.ids import Action
from handlers.phrases.format import time_token
from handlers.typed.requests import request_text
from sandbox.slack.default import ANA, BEN, CLEO, GPUS, GUS, TRAINING
from tests.handlers.team import NOON, RULES, an_offer, team


async def test_a_search_is_stored_before_the_acknowledgement(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        assert await ours.command(ANA, "get H100 EU for 6h -- fine-tune run 7") == ""
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.gpu, quote.request.region, quote.request.note) == ("H100", "EU", "fine-tune run 7")
        assert (quote.asked_in, quote.request.lease) == (TRAINING, timedelta(hours=6))
        assert not quote.rent_now


async def test_a_request_without_get_starts_a_search(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "8xH100 europe spot under $3 now")
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.count, quote.request.contract, quote.rent_now) == (8, "spot", False)


@pytest.mark.parametrize(
    ("typed", "rents"),
    [("get h100 eu now", True), ("get 4x h100 under $8/GPU now", True), ("get 4x h100 under $8/h now", False),
     ("get h100 now?", False), ("find h100 now", False), ("get h100 asap", False)],
)  # fmt: skip
async def test_now_rents_immediately_only_if_clearly_meant(tmp_path: Path, typed: str, rents: bool) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        assert await ours.command(ANA, typed) == ""
        (quote,) = await ours.quotes(ANA)
        assert quote.rent_now is rents


async def test_the_error_for_an_unreadable_command_suggests_what_to_type(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for typed, words in (
            ("get H10 EU", 'I don\'t know a GPU called "H10". Similar names: H100'),
            ("get H100 Mars", 'I don\'t know "Mars".'),
            ("get H100 under cheap", "Without it: "),
            ("frobnicate", 'I don\'t know the command "frobnicate".'),
            ("destroy k7mq2 all", 'I don\'t know "all" here'),
            ("show zzzzz", "I don't know zzzzz. /gpu list shows your machines."),
            ("ssh zzzzz", "I don't know zzzzz. /gpu list shows your machines."),
            ("extend zzzzz", "I don't know zzzzz. /gpu list shows your machines."),
            ("keep zzzzz", "I don't know zzzzz. /gpu list shows your machines."),
            ("get H100 <!channel>", "I don't know"),
            ("get H100 @channel", "I don't know"),
            ("get 9x H100 for 6h", "Your team's limit is 8 GPUs per rental."),
            ("get H100 for 90h", "A lease is at most 72h"),
            ("\x00\u202e\U0001f600", "I don't know"),
        ):
            reply = await ours.command(ANA, typed)
            assert words in reply, typed
            assert "<!" not in reply, typed
            assert await ours.quotes(ANA) == [], typed


async def test_the_error_for_an_unknown_gpu_offers_the_form(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "get H10 EU")
        await ours.click(ANA, await ours.look(ANA, TRAINING, "Similar names: H100"), "Choose from a list")
        assert (await ours.submit(ANA, gpu="H100", region="EU"))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.gpu, quote.replaces) == ("H100", True)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("get h100 eu max 3", "H100 EU under $3.00/GPU/h"),
        ("get h100 x 12 hours", "H100 for 12h"),
        ("rent now us 2 h100s", "2x H100 US"),
        ("get 2x h100 paris -- run 7 <b>", "2x H100 EU -- run 7 <b>"),
    ],
)
async def test_a_refused_request_has_a_button_that_shows_offers(tmp_path: Path, typed: str, line: str) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, typed)
        refused = await ours.look(ANA, TRAINING, f"/gpu get {line[:2]}")
        assert "Choose from a list" in [button["text"] for button in refused["buttons"]]
        await ours.click(ANA, refused, f"Show {line}")
        (quote,) = await ours.quotes(ANA)
        assert request_text(quote.request, default_lease=RULES.lease.default) == line
        assert (quote.rent_now, quote.replaces, quote.asked_in) == (False, True, TRAINING)
        assert await ours.rentals() == []


async def test_the_button_of_a_refused_request_keeps_its_teammates(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "get h100 erope with @ben -- for <!channel>")
        refused = await ours.look(ANA, TRAINING, "erope")
        await ours.click(ANA, refused, "Show H100 EU with @ben -- for <!channel>")
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.teammates, quote.request.note) == ((BEN,), "for <!channel>")


@pytest.mark.parametrize(
    ("value", "searches"),
    [("H100 now", 1), ("H100 EU -- <!channel>", 1), ("<!channel> H100", 0), ("list", 0), ("key x", 0)],
)
async def test_a_forged_line_only_searches_and_mentions_nobody(tmp_path: Path, value: str, searches: int) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        with capture_logs() as logged:
            await ours.forge(ANA, Action.SHOW_LINE.id, value)
        quotes = await ours.quotes(ANA)
        assert [quote.rent_now for quote in quotes] == [False] * searches
        assert "<!" not in str(await ours.replies()) + str([quote.request.note for quote in quotes])
        assert value not in str(logged)
        assert await ours.rentals() == []


async def test_get_without_arguments_opens_the_form(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        assert await ours.command(ANA, "get") == ""
        assert (await ours.submit(ANA, gpu="A100", vendor="nebius", note="two\nlines"))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.gpu, quote.request.vendor, quote.request.note) == ("A100", "nebius", "two lines")
        assert (quote.asked_in, quote.replaces) == (TRAINING, False)


async def test_change_keeps_the_requested_form_factor_and_memory(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        offers = await ours.offered(ANA, an_offer("o1", "1.39"), gpu="A100", features=("80gb",))
        assert "1x A100 80 GB in EU" in offers["reads"]
        await ours.click(ANA, offers, "Change")
        assert (await ours.submit(ANA, region="US"))["ok"]
        wanted = [(quote.request.features, quote.request.region) for quote in await ours.quotes(ANA)]
        assert (("80gb",), "US") in wanted
        assert {quote.request.gpu for quote in await ours.quotes(ANA)} == {"A100"}


async def test_the_seventh_search_within_a_minute_has_to_wait(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        for _ in range(6):
            assert await ours.command(ANA, "get H100 EU") == ""
        ours.clock.put(NOON + timedelta(seconds=20))
        assert QUOTES_PER_MINUTE == 6
        assert await ours.command(ANA, "get H100 EU") == (
            "Six searches a minute is the limit. You can search again at "
            f"{time_token(NOON + timedelta(minutes=1))}."
        )
        assert len(await ours.quotes(ANA)) == 6


async def test_commands_about_gpus_report_a_missing_catalog(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.catalog = None
        for typed in ("get H100 EU", "h100", "catalog"):
            assert (await ours.command(ANA, typed)).startswith("I don't have Compute Clear's catalog yet.")
        assert "You have no machines right now." in await ours.command(ANA, "list")


async def test_list_shows_own_rentals_and_list_all_shows_everyones(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await ours.rented()
        assert rental.id in await ours.command(ANA, "list")
        assert "You have no machines right now." in await ours.command(BEN, "list")
        assert f"1x H100 SXM 80 GB ({rental.id}) in EU for Ana." in await ours.command(BEN, "list all")
        assert rental.id in await ours.command(ANA, "")
        assert "/gpu get H100 EU shows offers." in await ours.command(BEN, "")


async def test_catalog_shows_regions_and_help_shows_admin_commands_only_to_admins(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert "Regions: US, EU, APAC, Other." in await ours.command(ANA, "catalog")
        assert "/gpu pause" not in await ours.command(ANA, "help")
        assert "/gpu pause" in await ours.command(CLEO, "help")


async def test_pause_by_an_admin_stops_buying_and_notifies_the_other_admins(tmp_path: Path) -> None:
    async with team(tmp_path, rules=changed(RULES, admins=(CLEO, BEN))) as ours:
        assert await ours.command(ANA, "pause") == "Only admins can pause and resume buying. Nothing was changed."
        message = await ours.offered(ANA, an_offer("o1", "2.15"))
        assert (await ours.command(CLEO, "pause")).startswith("Buying is paused.")
        await ours.click(ANA, message, "Rent")
        assert (await ours.replies())[
            -1
        ] == "Cleo paused buying. An admin can end the pause with /gpu resume. Nothing was rented."
        assert await ours.rentals() == []
        assert await ours.command(CLEO, "resume") == "Buying has resumed, so machines can be rented again."
        notices = [message for message in await ours.queued() if message.kind is MessageKind.ALERT]
        assert [notice.to.value for notice in notices] == [BEN, GPUS, BEN, GPUS]


async def test_a_pause_is_announced_in_the_home_channel_and_next_to_offers(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        answer = await ours.command(CLEO, "pause bill *check*")
        assert answer.startswith(f"Buying is paused. <#{RULES.home_channel}> will be told.")
        await ours.deliver()
        told = await ours.look(ANA, RULES.home_channel, "paused buying")
        assert told["reads"].startswith('Cleo paused buying: "bill *check*". Machines can still be destroyed.')
        says = 'Cleo paused buying at 13:00: "bill *check*". You can look at prices'
        await ours.offered(ANA, an_offer("o1", "2.15"), says=says)
        await ours.command(CLEO, "resume")
        resumed = await ours.deliver_until("resumed buying", channel=RULES.home_channel)
        assert "Cleo resumed buying" in resumed["reads"]


async def test_guests_can_only_use_help(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for typed in ("get H100 EU", "get", "list", "", "catalog", "key ssh-ed25519 AAAA"):
            reply = await ours.command(GUS, typed, GPUS)
            assert reply == "Your team's rules don't let you rent here. An admin can change that."
        assert "/gpu get H100 EU" in await ours.command(GUS, "help", GPUS)


async def test_in_an_excluded_channel_the_reply_says_where_to_ask(tmp_path: Path) -> None:
    rules = changed(RULES, use=Access(channels=(GPUS,)))
    async with team(tmp_path, rules=rules) as ours:
        for typed in ("get H100 EU", "get"):
            reply = await ours.command(ANA, typed)
            assert reply == f"I can't be used in this channel. Ask in <#{GPUS}>, or in a direct message to me."
        await ours.has_key(ANA)
        assert await ours.command(ANA, "get H100 EU", None, dm=True) == ""
        (quote,) = await ours.quotes(ANA)
        assert quote.asked_in.startswith("D")
        assert quote.state is QuoteState.LOOKING
