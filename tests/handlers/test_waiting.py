"""People wait for a machine or request one for a later time, and stop waiting."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.model.base import changed
from bot.model.message import Message, MessageKind, to_person
from bot.model.offer import Offer
from bot.model.quote import Quote, QuoteState
from bot.model.state import State
from handlers.ids import Action
from sandbox.slack.default import ANA, BEN, TRAINING
from tests.handlers.rental_states import asked, let_the_owner_decide
from tests.handlers.team import EVE, NOON, Team, an_offer, team

H = timedelta(hours=1)
NINE_IN_BERLIN = NOON + 20 * H
"""9:00 tomorrow for Ana, who lives in Berlin."""
CHEAP = "H200 EU under $2 per GPU for 1h"


async def answered(ours: Team, user: str, text: str, *offers: Offer) -> Quote:
    """Type a command as a person, and answer its search with these offers."""
    assert await ours.command(user, text) == ""
    (quote,) = await ours.quotes(user)
    state = QuoteState.FOUND if offers else QuoteState.NONE
    found = changed(quote, state=state, offers=offers, card_channel=TRAINING, due_at=None)
    real = ours.deps.clock.real()
    async with ours.deps.store.write() as tx:
        await tx.quotes.save(found)
        to = quote.reply_to or to_person(user)
        await tx.messages.add(Message(kind=MessageKind.QUOTE, to=to, quote_id=quote.id, created_at=real))
    await ours.deliver()
    return found


async def reads(ours: Team, words: str, user: str = ANA) -> dict[str, Any]:
    """Return the newest message containing `words` that a person sees, after everything was delivered."""
    await ours.deliver_all()
    return await ours.look(user, TRAINING, words)


async def test_tell_me_is_listed_until_its_owner_stops_waiting(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        quote = await answered(ours, ANA, "wait 8x H200 in EU under $3 per GPU until fri")
        assert quote.waitlist_entry is not None
        assert (quote.waitlist_entry.until, quote.waitlist_entry.since) == (
            NOON + timedelta(days=3, hours=7),
            None,
        )
        shown = await reads(ours, "Right now, there's no 8x H200 in EU under $3.00 per GPU-hour, ")
        assert [button["text"] for button in shown["buttons"]][:2] == [
            "Tell me when there's an offer",
            "Ask for approval at $24.00/h or less: 4 h, up to $108.00",
        ]
        await ours.click(ANA, shown, "Tell me")
        waits = await reads(ours, "You're on the waitlist for 8x H200 in EU under $3.00 per GPU-hour until Nov 27")
        assert "waitlist for 8x H200 in EU under $3.00" in await ours.command(ANA, "list")
        assert "waitlist" not in await ours.command(BEN, "list")
        assert await ours.rentals() == []
        await ours.add_eve_and_gus()
        await ours.forge(EVE, Action.STOP_WAITING.id, quote.id)
        assert "waitlist for 8x H200" in await ours.command(ANA, "list")
        await ours.click(ANA, waits, "Stop waiting")
        await reads(ours, "You're no longer on the waitlist for 8x H200 in EU under $3.00 per GPU-hour.")
        assert "waitlist" not in await ours.command(ANA, "list")


async def test_a_wait_ending_outside_the_hours_offers_any_time(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.clock.jump(10 * H)  # 23:00 in Berlin
        await answered(ours, ANA, "wait H200 EU until 6:00 tomorrow")
        shown = await reads(ours, "before those hours begin, so I won't look for an offer unless you add")
        await ours.click(ANA, shown, "Tell me")
        waits = await reads(ours, 'so I won\'t look for an offer unless you click "Any time".')
        await ours.click(ANA, waits, "Any time")
        waits = await reads(ours, "I look for offers day and night.")
        assert [button["text"] for button in waits["buttons"]] == ["Stop waiting"]


async def test_renting_automatically_requires_a_key_and_can_be_stopped(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        quote = await answered(ours, ANA, f"get {CHEAP} any time")
        shown = await reads(ours, "Right now, there's no H200 in EU under $2.00")
        assert "I look for offers day and night." in shown["reads"]
        await ours.click(ANA, shown, "Rent it for me at $2.00/h or less: 1 h, up to $3.00")
        await reads(ours, "To log in, you'll need an SSH key")
        assert await ours.rentals() == []
        await ours.has_key(ANA)
        await ours.click(ANA, shown, "Rent it for me")
        (rental,) = await ours.rentals()
        assert (rental.state, rental.terms.total, rental.quote_id) == (State.QUEUED, 3_000_000, quote.id)
        waits = await reads(ours, "I'll rent the first one at $2.00/h or less, up to $3.00 in all.")
        assert rental.id in await ours.command(ANA, "list")
        await ours.click(ANA, waits, "Stop waiting")
        assert (await ours.rental(rental.id)).state is State.WITHDRAWN
        await ours.click(ANA, waits, "Stop waiting")
        assert await ours.rentals() == []


async def test_a_missing_price_is_requested_and_an_expensive_one_confirmed(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await answered(ours, ANA, "get 2x H200 in EU for 24h")
        await ours.click(
            ANA, await reads(ours, "Right now, there's no 2x H200 in EU"), "Rent it for me, up to a price"
        )
        assert "Any H200 model counts as a match." in str(await ours.modal(ANA))
        refused = await ours.submit(ANA, cap="a lot")
        assert "Type your highest price in dollars" in refused["errors"]["cap"]
        await ours.submit(ANA, cap="2.50")
        assert "at $5.00/h or less" in str(await ours.modal(ANA))
        assert await ours.rentals() == []
        await ours.submit(ANA)
        (rental,) = await ours.rentals()
        assert (str(rental.terms.max_rate), rental.terms.total) == ("5.00", 122_500_000)
        assert rental.state is State.AWAITING_APPROVAL


async def test_a_planned_start_is_rented_after_a_click_and_announced(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await answered(ours, ANA, "get H100 EU at 9:00 tomorrow for 2h", an_offer("o1", "2.15"))
        shown = await reads(ours, "from tomorrow at 09:00 until tomorrow at 11:00 (2 h)")
        assert (
            "I'll read the prices tomorrow at 08:50 and rent the cheapest H100 SXM 80 GB, up to $2.47/h."
            in shown["reads"]
        )
        assert not [button for button in shown["buttons"] if button["text"].startswith("Rent from")]
        await ours.click(ANA, shown, "Rent at the start time")
        (rental,) = await ours.rentals()
        assert (rental.state, rental.request.starts_at) == (State.QUEUED, NINE_IN_BERLIN)
        assert rental.request.until == NINE_IN_BERLIN + 2 * H
        everyone = await ours.command(BEN, "list all")
        assert f"1x H100 SXM 80 GB ({rental.id}) in EU for Ana starts " in everyone

        dear = an_offer("dear", "30.00")
        async with ours.deps.store.write() as tx:
            waits = await tx.quotes.get(rental.quote_id or "")
            assert waits is not None
            await tx.quotes.save(changed(waits, offers=(dear,)))
        await ours.forge(ANA, Action.RENT_DEARER.id, f"{rental.id}:dear")
        assert "you allowed $2.47/h" in str(await ours.modal(ANA))
        assert (await ours.rental(rental.id)).state is State.QUEUED
        await ours.submit(ANA)
        rental = await ours.rental(rental.id)
        assert (rental.state, str(rental.newest_terms.price)) == (State.AWAITING_APPROVAL, "30.00")


async def test_the_message_about_a_rented_offer_loses_its_buttons(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        quote = await answered(ours, ANA, "wait H100 EU for 1h")
        await ours.click(ANA, await reads(ours, "Right now, there's no H100 in EU"), "Tell me")
        async with ours.deps.store.write() as tx:
            waits = await tx.quotes.get(quote.id)
            assert waits is not None
            offers = (an_offer("o1", "2.15"),)
            await tx.quotes.save(changed(waits, state=QuoteState.FOUND, offers=offers, waits_for=None))
            real = ours.deps.clock.real()
            told = Message(kind=MessageKind.QUOTE, to=to_person(ANA), quote_id=quote.id, created_at=real)
            await tx.messages.add(told)
        await ours.deliver_all()
        shown = await ours.look(ANA, f"D{ANA[1:]}", "It may not last.")
        await ours.click(ANA, shown, "Rent from $2.15/h")
        (rental,) = await ours.rentals()
        await ours.deliver_all()
        edited = await ours.look(ANA, f"D{ANA[1:]}", "You rented ")
        assert (edited["ts"], edited["buttons"]) == (shown["ts"], [])
        assert f"({rental.id}) in EU. Follow it in " in edited["reads"]


async def test_the_owner_deciding_on_a_price_can_choose_a_notification_instead(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        rental = await asked(ours)
        await ours.forge(ANA, Action.TELL_ME.id, rental.quote_id or "")
        assert "waitlist" not in await ours.command(ANA, "list")
        await let_the_owner_decide(ours, rental)
        for _ in range(2):
            await ours.forge(ANA, Action.TELL_ME.id, rental.quote_id or "")
        assert (await ours.command(ANA, "list")).count("waitlist for 1x H100") == 1
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wait H100 for 2h", "Tell me when there's an offer"),
        ("get H100 EU at 9:00 tomorrow", "add your highest price"),
    ],
)
async def test_a_search_can_be_repeated_with_its_typed_waiting_conditions(
    tmp_path: Path, text: str, words: str
) -> None:
    async with team(tmp_path) as ours:
        first = await answered(ours, ANA, text)
        shown = await reads(ours, "")
        assert words in shown["reads"] + str(shown["buttons"])
        await ours.click(ANA, shown, "Change")
        assert (await ours.submit(ANA, count="2"))["ok"]
        (again,) = await ours.quotes(ANA)
        assert (again.waitlist_entry, again.request.starts_at) == (first.waitlist_entry, first.request.starts_at)
