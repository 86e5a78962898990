"""What people are told after `/gpu ...`, and what is then true."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.model.base import changed
from bot.model.message import MessageKind
from bot.model.quote import QuoteState
from bot.policy.rules import Use
from sandbox.slack.default import ANA, BEN, CLEO, GPUS, GUS, TRAINING
from tests.handlers.team import RULES, an_offer, team


async def test_a_search_is_written_down_before_slack_is_answered(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        assert await ours.told(ANA, "get H100 EU for 6h -- fine-tune run 7") == ""
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.gpu, quote.request.region, quote.request.note) == ("H100", "EU", "fine-tune run 7")
        assert (quote.asked_in, quote.request.lease) == (TRAINING, timedelta(hours=6))
        assert not quote.rent_now


async def test_bare_words_are_a_search(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.told(ANA, "8xH100 europe spot under $3 now")
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.count, quote.request.contract, quote.rent_now) == (8, "spot", False)


@pytest.mark.parametrize(
    ("typed", "rents"),
    [("get h100 eu now", True), ("get 4x h100 under $8/GPU now", True), ("get 4x h100 under $8/h now", False),
     ("get h100 now?", False), ("find h100 now", False), ("get h100 asap", False)],
)  # fmt: skip
async def test_now_is_noted_only_if_it_can_mean_nothing_else(tmp_path: Path, typed: str, rents: bool) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        assert await ours.told(ANA, typed) == ""
        (quote,) = await ours.quotes(ANA)
        assert quote.rent_now is rents


async def test_without_a_key_it_is_asked_for_and_the_search_waits(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert await ours.told(ANA, "get H100 EU") == ""
        await ours.deliver()
        asked = await ours.look(ANA, TRAINING, "Before I rent I need your public SSH key")
        assert [button["text"] for button in asked["buttons"]] == ["Add SSH key"]
        assert await ours.quotes(ANA) == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("get H10 EU", 'I don\'t know the GPU "H10". Nearest: H100'),
        ("get H100 Mars", 'I don\'t know "Mars".'),
        ("get H100 under cheap", "Try: "),
        ("frobnicate", 'I don\'t know the command "frobnicate".'),
        ("destroy", "Which one? Try: /gpu destroy k7mq2"),
        ("show zzzzz", "I don't know zzzzz. /gpu list shows yours."),
        ("ssh zzzzz", "I don't know zzzzz. /gpu list shows yours."),
        ("extend zzzzz", "I don't know zzzzz. /gpu list shows yours."),
        ("keep zzzzz", "I don't know zzzzz. /gpu list shows yours."),
        ("get H100 <!channel>", "I don't know"),
        ("get H100 @channel", "I don't know"),
        ("get 9x H100 for 6h", "Your team's limit is 8 GPUs a rental."),
        ("get H100 for 90h", "a lease is at most 72h"),
        ("\x00\u202e\U0001f600", "I don't know"),
    ],
)
async def test_what_makes_no_sense_says_what_to_type(tmp_path: Path, typed: str, words: str) -> None:
    async with team(tmp_path) as ours:
        told = await ours.told(ANA, typed)
        assert words in told
        assert "<!" not in told
        assert await ours.quotes(ANA) == []


async def test_a_wrong_gpu_leads_to_the_list(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.told(ANA, "get H10 EU")
        await ours.click(ANA, await ours.look(ANA, TRAINING, "Nearest: H100"), "Choose from a list")
        assert (await ours.submit(ANA, gpu="H100", region="EU"))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.gpu, quote.replaces) == ("H100", True)


async def test_get_alone_opens_the_form(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        assert await ours.told(ANA, "get") == ""
        assert (await ours.submit(ANA, gpu="A100", vendor="nebius", note="two\nlines"))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.gpu, quote.request.vendor, quote.request.note) == ("A100", "nebius", "two lines")
        assert (quote.asked_in, quote.replaces) == (TRAINING, False)


async def test_the_seventh_search_in_a_minute_waits(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        for _ in range(6):
            assert await ours.told(ANA, "get H100 EU") == ""
        assert (await ours.told(ANA, "get H100 EU")).startswith("That's 6 searches in a minute.")
        assert len(await ours.quotes(ANA)) == 6


async def test_before_the_catalogue_is_known_it_says_so(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.known[0] = None
        for typed in ("get H100 EU", "h100", "get", "catalog"):
            assert (await ours.told(ANA, typed)).startswith("Compute Clear hasn't told me yet")
        assert "You rent nothing now." in await ours.told(ANA, "list")


async def test_lists_show_ones_own_and_everyones(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.click(ANA, await ours.offered(ANA, an_offer("o1", "2.15")), "Rent")
        (rental,) = await ours.rentals()
        assert rental.id in await ours.told(ANA, "list")
        assert "You rent nothing now." in await ours.told(BEN, "list")
        assert f"1x H100 EU, Ana, {rental.id}" in await ours.told(BEN, "list all")
        assert rental.id in await ours.told(ANA, "")
        assert "/gpu get H100 EU shows offers." in await ours.told(BEN, "")


async def test_the_catalogue_and_help(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert "Regions: US, EU, APAC, Other." in await ours.told(ANA, "catalog")
        assert "/gpu pause" not in await ours.told(ANA, "help")
        assert "/gpu pause" in await ours.told(CLEO, "help")


async def test_only_admins_pause_and_buying_stops(tmp_path: Path) -> None:
    """The other admins are told; who did it knows."""
    async with team(tmp_path, rules=changed(RULES, admins=(CLEO, BEN))) as ours:
        assert await ours.told(ANA, "pause") == "Only admins pause and resume buying. I changed nothing."
        message = await ours.offered(ANA, an_offer("o1", "2.15"))
        assert (await ours.told(CLEO, "pause")).startswith("Buying is paused.")
        await ours.click(ANA, message, "Rent")
        assert (await ours.replies())[
            -1
        ] == "Buying is paused. An admin can go on with /gpu resume. Nothing was rented."
        assert await ours.rentals() == []
        assert await ours.told(CLEO, "resume") == "Buying goes on again."
        notices = [message for message in await ours.queued() if message.kind is MessageKind.NOTICE]
        assert [notice.to.value for notice in notices] == [BEN, BEN]


async def test_guests_may_not_rent_and_may_read_help(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for typed in ("get H100 EU", "get", "list", "", "catalog", "key ssh-ed25519 AAAA"):
            told = await ours.told(GUS, typed, GPUS)
            assert told == "Your team's rules don't let you rent here. An admin can change that."
        assert "/gpu get H100 EU" in await ours.told(GUS, "help", GPUS)


async def test_where_it_may_not_be_used_it_says_where(tmp_path: Path) -> None:
    rules = changed(RULES, use=Use(channels=(GPUS,)))
    async with team(tmp_path, rules=rules) as ours:
        for typed in ("get H100 EU", "get"):
            told = await ours.told(ANA, typed)
            assert told == f"I'm not used in this channel. Ask in <#{GPUS}>, or in a direct message to me."
        await ours.has_key(ANA)
        assert await ours.told(ANA, "get H100 EU", None, dm=True) == ""
        (quote,) = await ours.quotes(ANA)
        assert quote.asked_in.startswith("D")
        assert quote.state is QuoteState.LOOKING
