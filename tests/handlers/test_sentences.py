"""Sentences that people type are understood, or answered with a fact or a button that leads to their meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import Mistake, RequestMistake
from bot.model.state import State
from bot.model.text import say_span
from handlers.phrases.ends import end_text
from handlers.typed import commands
from handlers.typed.commands import Command
from handlers.typed.draft import Get, Wait
from handlers.typed.requests import request_text
from sandbox.slack.default import ANA, BEN, TRAINING
from tests.handlers.parsing_helpers import LEASE, command, request_of
from tests.handlers.rental_states import H, make_ready, running, starting
from tests.handlers.sentences import ABOUT_RENTALS, ABOUT_THE_TEAM, SENTENCES
from tests.handlers.team import NOON, Json, Team, an_offer, team
from tests.handlers.test_messages import say

ZONE = "Europe/London"
MOST_DEAD_ENDS = len(SENTENCES) // 10


def said(meant: Command) -> str:
    """Return a command in the format of the table."""
    match meant:
        case Get(request=request, now=now):
            return f"{'buy' if now else 'get'} {request_text(request, default_lease=LEASE, zone=ZONE)}"
        case Wait(request=request):
            return f"wait {request_text(request, default_lease=LEASE, zone=ZONE)}"
        case commands.About(topic=topic):
            return f"about {topic}"
        case commands.Longer(duration=duration, untils=untils):
            return f"keep {say_span(duration) if duration else f'until {end_text(untils[0], ZONE)}'}"
        case commands.Extend(duration=duration):
            return f"extend {say_span(duration) if duration else ''}".strip()
        case commands.Plain.GET_FORM:
            return "form"
        case commands.Plain():
            return str(meant.value)
        case commands.ListRentals():
            return "list"
    return type(meant).__name__.lower()


def where_it_leads(sentence: str) -> tuple[str, list[str]]:
    """Return the meaning of a sentence, and the meanings of the buttons in its answer.

    The meaning is empty if the sentence can't be understood.
    """
    try:
        return said(command(sentence)), []
    except RequestMistake as mistake:
        return "", ["form", *(said(command(f"{line.verb} {line.text}")) for line in mistake.lines)]
    except Mistake:
        return "", []


def test_of_200_sentences_none_is_misread_and_few_are_dead_ends() -> None:
    assert len(dict(SENTENCES)) == 200
    misread, dead_ends = [], []
    for sentence, meaning in SENTENCES:
        understood, buttons = where_it_leads(sentence)
        if understood and understood != meaning:
            misread.append((sentence, understood, meaning))
        elif not understood and meaning not in buttons:
            dead_ends.append(sentence)
    assert misread == []
    assert len(dead_ends) <= MOST_DEAD_ENDS, dead_ends


def test_only_the_sentence_with_an_explicit_now_buys_anything() -> None:
    bought = []
    for sentence, meaning in SENTENCES:
        for typed in (sentence, f"{sentence} now", f"please get {sentence} now"):
            if meaning != "buy H100 -- run 7" and where_it_leads(typed)[0].startswith("buy"):
                bought.append(typed)
    assert bought == []


@pytest.mark.parametrize(
    "text",
    ["get h100 9 to 6 tomorrow", "get h100 till 6 tonight", "get h100 tomorrow 9am", "get h100 until 6pm EST",
     "get h100 bis 18 Uhr", "get h 100", "get a pair of h100", "get ~8~ 4 h100"],
)  # fmt: skip
def test_requests_in_other_words_are_not_bought_with_now(text: str) -> None:
    found = command(f"{text} now")
    assert isinstance(found, Get)
    assert not found.now


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("get h100 at 9:00 until 18:00 tomorrow", "get H100 at 2026-03-03 09:00 for 9h"),
        ("get h100 at tomorrow 9:00 until 18:00", "get H100 at 2026-03-03 09:00 for 9h"),
        ("get h100 8 until 18:00 tomorrow", "get 8x H100 until 2026-03-03 18:00"),
        ("get h100 x 2 for 2h30", "get 2x H100 for 2h30m"),
        ("get h100 from 10pm to 6am tomorrow", "get H100 at 2026-03-03 22:00 for 8h"),
        ("get h100 at 6 tomorrow morning", "get H100 at 2026-03-03 06:00"),
        ("get h100 3 to 5 tomorrow", ""),
        ("get h100 for 2 to 4 hours", ""),
        ("get 4 h100 (2 of them for ben)", "get 4x H100 -- 2 of them for ben"),
        ("we need another h100 for 3h in paris", ""),
        ("keep k7mq2 until 20:00 please", "keep until 2026-03-02 20:00"),
        ("can you keep the machine until 6", "keep until 2026-03-02 18:00"),
        ("i need this for another day", "keep 24h"),
        ("leave it running until 6am", "keep until 2026-03-03 06:00"),
        ("leave it running until 6 today", "keep until 2026-03-02 18:00"),
        ("don't let it run until 6am", ""),
        ("who used it until 6am", "about who"),
        ("this took 2 hours", ""),
        ("kill it at 6pm", ""),
        ("please end it in 2 hours", "about time"),
        ("stop buying", ""),
        ("remove ben from my machine", "list"),
        ("could you list all", "list"),
        ("delete my ssh key", "key"),
        ("it crashed again", "about broken"),
        ("tell me when it is ready", "about time"),
    ],
)
def test_similar_sentences_keep_their_own_meanings(text: str, meant: str) -> None:
    assert where_it_leads(text)[0] == meant


def test_an_end_in_a_named_zone_is_never_read_without_it() -> None:
    for text in ("h100 until 6 EST", "h100 until 6pm tomorrow UTC", "h100 UTC"):
        with pytest.raises(RequestMistake) as caught:
            command(text)
        assert all("EST" in line.shown.upper() for line in caught.value.lines if "6" in line.shown), text


def test_no_error_repeats_a_sentence() -> None:
    with pytest.raises(RequestMistake) as caught:
        command("get h100 by 9am at noon from 10:00 before 11am")
    assert caught.value.words.count("Type a time such as: at 9:00 tomorrow, until 18:00.") == 1


# --- answers


async def answer(ours: Team, words: str, says: str, *, thread: str = "") -> Json:
    """Write to the bot in a rental's thread or in the channel, and return the answer, which contains `says`."""
    ours.deliver_at_once()
    await say(ours, ANA, f"@gpubot {words}", TRAINING, thread or None)
    await ours.deliver_all()
    seen = await ours.look(ANA, TRAINING, says)
    assert seen["only_you"]
    return seen


async def test_a_sentence_in_a_rentals_thread_gets_a_button_with_the_end(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await make_ready(ours, await starting(ours, "o-2"))  # the thread shows which of the two rentals is meant
        card = (await ours.look(BEN, TRAINING, f"({rental.id}) in EU"))["ts"]
        asked = await answer(ours, "can you keep it until 20:00?", f"Keep {rental.id} until ", thread=card)
        assert "1 h more, about $2.15." in asked["reads"]
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 6 * H
        for _ in range(2):
            await ours.click(ANA, asked, "Extend")
            assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 7 * H


async def test_with_several_rentals_each_gets_a_button_with_the_named_end(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental, other = await running(ours), await make_ready(ours, await starting(ours, "o-2"))
        await answer(ours, "1 more hour", "Extend which machine by 1 h?")
        asked = await answer(ours, "please keep it until 20:00", "Extend which machine until")
        assert {button["text"] for button in asked["buttons"]} == {f"Extend {rental.id}", f"Extend {other.id}"}
        await ours.click(ANA, asked, f"Extend {other.id}")
        assert (await ours.rental(other.id)).running_lease.ends_at == NOON + 7 * H
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 6 * H


async def test_without_am_or_pm_each_possible_end_gets_a_button(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        asked = await answer(ours, "please keep it until 8", f"Keep {rental.id} until ")
        labels = [button["text"] for button in asked["buttons"]]
        assert labels == ["Extend by 1 h", "Extend by 13 h", f"Show {rental.id}"]


@pytest.mark.parametrize(
    ("sentence", "says", "buttons"),
    [
        ("how long do I have left?", "ID ends ", ["Extend ID", "Show ID"]),
        ("it's broken", "Ready: 1x H100", ["It doesn't work", "ssh ID", "Destroy ID", "Show ID"]),
        ("is anybody using this?", "Ready: 1x H100", ["Show ID"]),
        (
            "how much did this cost so far",
            "Ready: 1x H100",
            ["This week", "November", "Team, November", "Show ID"],
        ),
        ("it's too slow", "Ready: 1x H100", ["Choose from a list", "Show ID"]),
        (
            "anything free right now?",
            "Someone on your team may also have an idle machine.",
            ["Choose from a list", "The team's machines"],
        ),
        (
            "I'm done, thanks!",
            "Destroy ID? The button shows what it has cost so far and asks you to confirm.",
            ["Destroy ID"],
        ),
    ],
)
async def test_a_sentence_about_a_rental_is_answered_with_facts_and_buttons(
    tmp_path: Path, sentence: str, says: str, buttons: list[str]
) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        card = (await ours.look(BEN, TRAINING, f"({rental.id}) in EU"))["ts"]
        seen = await answer(ours, sentence, says.replace("ID", rental.id), thread=card)
        assert [button["text"] for button in seen["buttons"]] == [one.replace("ID", rental.id) for one in buttons]
        if sentence == "it's broken":
            await ours.click(ANA, seen, "It doesn't work")
            modal = await ours.modal(ANA)
            assert modal is not None
            assert modal["callback_id"] == "replace_rental"


@pytest.mark.parametrize(
    ("sentence", "says", "buttons"),
    [
        ("how much did we spend", "Choose whose spending to see.", ["This week", "November", "Team, November"]),
        ("is anything free right now?", "idle", ["Choose from a list", "The team's machines"]),
        ("can I get a faster one", "what it costs right now", ["Choose from a list"]),
        ("who has the H200s?", "Nobody has a machine right now.", []),
        ("kill it", "You have no machine, so there's nothing to destroy.", []),
        ("it's broken", "You have no machines right now.", []),
        ("qwertz uiop", "/gpu list shows your machines", ["Choose from a list"]),
    ],
)
async def test_without_a_rental_a_sentence_is_still_answered_with_a_fact(
    tmp_path: Path, sentence: str, says: str, buttons: list[str]
) -> None:
    async with team(tmp_path) as ours:
        seen = await answer(ours, sentence, says)
        assert [button["text"] for button in seen["buttons"]] == buttons
        if "This week" in buttons:
            await ours.click(ANA, seen, "This week")
            await ours.deliver_all()
            assert "This week so far: you've spent nothing" in str(await ours.world.reads(ANA, channel=TRAINING))


async def test_no_sentence_rents_destroys_or_extends_by_itself(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        for sentence, meaning in [*ABOUT_RENTALS, *ABOUT_THE_TEAM]:
            if not meaning.startswith("extend "):  # because `extend by 2h` is itself a command
                await ours.run_command(ANA, sentence)
        (same,) = await ours.rentals()
        assert (same.id, same.state, same.running_lease) == (rental.id, State.READY, rental.running_lease)


async def test_an_ambiguous_price_gets_a_button_for_the_other_meaning(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        said = request_of("4 h100 under $10/h")
        shown = await ours.offered(
            ANA,
            an_offer("o-1", "8.00", count=4),
            count=4,
            max_gpu_rate=said.max_gpu_rate,
            cap_said_per_gpu=False,
            cap_for_each_or_all=said.cap_for_each_or_all,
        )
        assert "under $10.00 per GPU-hour ($40.00/h in all)" in shown["reads"]
        await ours.click(ANA, shown, "$10.00/h for all 4")
        rates = sorted(str(quote.request.max_gpu_rate) for quote in await ours.quotes(ANA))
        assert rates == ["2.5000"]
