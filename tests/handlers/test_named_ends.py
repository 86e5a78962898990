"""Requests with an end that the person named, from the command to the decision."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.model.attempt import Why
from bot.model.base import EVER, changed
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from sandbox.slack.default import ANA, APPROVALS, BEN, GPUS, GUS, TRAINING
from tests.handlers.rental_states import H, question, running
from tests.handlers.team import KEY_LINE, NOON, RULES, Team, an_offer, team
from tests.rentals import waiting

MIN = timedelta(minutes=1)
SIX_IN_BERLIN = NOON + 5 * H
"""18:00 for Ana, who lives in Berlin."""


async def offers_until(ours: Team, rate: str = "2.15") -> dict[str, Any]:
    """Make a request until 18:00 as Ana, and return the message with the offers."""
    return await ours.offered(ANA, an_offer("o1", rate), until=SIX_IN_BERLIN, lease=5 * H)


async def asked_until(ours: Team) -> Rental:
    """Return Ana's request until 18:00, which waits for approval."""
    await ours.click(ANA, await offers_until(ours, "12.00"), "Ask for")
    assert (await ours.submit(ANA))["ok"]
    await ours.deliver()
    (rental,) = await ours.rentals()
    return rental


async def only_request(ours: Team) -> Request:
    (quote,) = await ours.quotes(ANA)
    return quote.request


async def test_an_end_is_in_the_persons_zone_and_counted_from_the_request(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        ours.clock.put(NOON + 5 * MIN)
        assert await ours.command(ANA, "get H100 EU until 18:00") == ""
        request = await only_request(ours)
        assert (request.until, request.lease) == (SIX_IN_BERLIN, 5 * H - 5 * MIN)


async def test_offers_show_the_end_and_the_time_until_it(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert "1x H100 in EU · until today at 18:00 (5 h)" in (await offers_until(ours))["reads"]


async def test_without_a_known_zone_answers_say_that_times_are_utc(tmp_path: Path) -> None:
    words = "I read the time that you typed as UTC, because Slack doesn't tell me your time zone."
    async with team(tmp_path) as ours:
        rental = await running(ours)
        async with ours.deps.store.write() as tx:
            ana = await tx.people.get(ANA, EVER)
            assert ana is not None
            await tx.people.put(changed(ana, tz=""), ours.clock.real())
        assert words in (await ours.offered(ANA, an_offer("o2", "2.42"), gpu="A100", until=NOON + 5 * H))["reads"]
        assert words in await ours.command(ANA, f"extend {rental.id} until 20:00")
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 8 * H
        assert words not in await ours.command(ANA, f"extend {rental.id} 2h")


async def test_a_person_whose_slack_zone_is_utc_has_a_known_zone(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        async with ours.deps.store.write() as tx:
            ana = await tx.people.get(ANA, EVER)
            assert ana is not None
            await tx.people.put(changed(ana, tz="UTC"), ours.clock.real())
        assert "time zone" not in await ours.command(ANA, f"extend {rental.id} until 20:00")
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 8 * H


async def test_a_time_that_passed_today_means_tomorrow_and_now_only_shows_offers(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        assert await ours.command(ANA, "get H100 EU until 9am now") == ""
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.until, quote.rent_now) == (NOON + 20 * H, False)


@pytest.mark.parametrize("typed", ["get H100 EU until 13:29", "get H100 until today 13:20 now"])
async def test_an_end_less_than_half_an_hour_away_is_refused(tmp_path: Path, typed: str) -> None:
    """It is 13:00 for Ana."""
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        assert await ours.command(ANA, typed) == (
            "Less than 30 min is left until the end that you named. Nothing was rented. "
            "Name a later end, or a length: /gpu get H100 EU for 2h"
        )
        assert await ours.quotes(ANA) == []


@pytest.mark.parametrize("rate", ["2.15", "9.99"])
async def test_clicking_rent_with_too_little_time_left_rents_nothing(tmp_path: Path, rate: str) -> None:
    """The second price is so high that a dialog confirms it."""
    async with team(tmp_path) as ours:
        shown = await ours.offered(
            ANA, an_offer("o1", rate, expires_at=SIX_IN_BERLIN), until=SIX_IN_BERLIN, lease=5 * H
        )
        ours.clock.put(SIX_IN_BERLIN - 29 * MIN)
        await ours.click(ANA, shown, "Rent")
        assert (await ours.replies())[-1].startswith("Less than 30 min is left until the end that you named.")
        assert await ours.modal(ANA) is None
        assert await ours.rentals() == []


@pytest.mark.parametrize("offer_stands", [True, False])
async def test_a_key_added_too_late_for_the_end_is_saved_without_renting(
    tmp_path: Path, offer_stands: bool
) -> None:
    async with team(tmp_path) as ours:
        stands_until = SIX_IN_BERLIN if offer_stands else NOON + H
        offer = an_offer("o1", "2.15", expires_at=stands_until)
        shown = await ours.offered(ANA, offer, with_key=False, until=SIX_IN_BERLIN, lease=5 * H)
        await ours.click(ANA, shown, "Rent")
        ours.clock.put(SIX_IN_BERLIN - 29 * MIN)
        reply = await ours.command(ANA, f"key {KEY_LINE}")
        assert reply.startswith("Your key is saved")
        assert "Less than 30 min is left until the end that you named. Nothing was rented." in reply
        assert (await ours.rentals(), await ours.quotes(ANA)) == ([], [])


async def test_refresh_recounts_the_hours_until_the_same_end(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        shown = await offers_until(ours)
        ours.clock.put(NOON + 2 * H)
        await ours.click(ANA, shown, "Refresh")
        request = await only_request(ours)
        assert (request.until, request.lease) == (SIX_IN_BERLIN, 3 * H)


async def test_change_keeps_the_end_unless_another_is_typed(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        shown = await offers_until(ours)
        await ours.click(ANA, shown, "Change")
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert "until 2026-11-24 18:00" in str(dialog)
        assert (await ours.submit(ANA, region="US"))["ok"]
        request = await only_request(ours)
        assert (request.region, request.until, request.lease) == ("US", SIX_IN_BERLIN, 5 * H)


@pytest.mark.parametrize(
    ("typed", "until", "lease"),
    [("until 20:00", NOON + 7 * H, 7 * H), ("Until Tomorrow 9am", NOON + 20 * H, 20 * H), ("2h", None, 2 * H)],
)
async def test_the_form_accepts_a_length_or_an_end(
    tmp_path: Path, typed: str, until: Any, lease: timedelta
) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "get")
        assert (await ours.submit(ANA, gpu="H100", lease=typed))["ok"]
        request = await only_request(ours)
        assert (request.until, request.lease) == (until, lease)


async def test_the_form_explains_an_invalid_end(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "get")
        for typed, words in (
            ("until", "Until when? Try: until 18:00"),
            ("until 6", 'Is "6" in the morning or in the afternoon? Try: until 6am, or until 6pm'),
            ("until mon 18:00", "That's too far in the future. A lease is at most 72h."),
            ("until whenever", "Type a time of at most 72h, such as 90m, 6h, 2d or until 18:00."),
            ("until 13:10", "That's less than 30m away. Type a later end, or a length such as 2h."),
        ):
            outcome = await ours.submit(ANA, gpu="H100", lease=typed)
            assert outcome["errors"] == {"lease": words}, typed


# --- decisions


async def test_approvers_see_the_end_in_their_own_time_zones(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await asked_until(ours)
        assert "in EU until today at 17:00 (5 h)" in (await question(ours))["reads"]


async def test_an_approval_too_late_for_the_end_prompts_the_owner_instead(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked_until(ours)
        ours.clock.put(SIX_IN_BERLIN - 31 * MIN)
        await ours.click(BEN, await question(ours), "Approve")
        dialog = await ours.modal(BEN)
        assert dialog is not None
        assert "in EU, ending in 31 min." in dialog["reads"]
        ours.clock.put(SIX_IN_BERLIN - 29 * MIN)
        await ours.submit(BEN)
        waits = await ours.rental(rental.id)
        assert waits.state is State.AWAITING_APPROVAL
        assert (waits.owner_decides, waiting(waits).why) == (True, Why.TOO_LITTLE_TIME)
        dialog = await ours.modal(BEN)
        assert dialog is not None
        assert "Less than 30 min is left until the end of this request." in dialog["reads"], (
            "the approver reads it"
        )
        await ours.deliver()
        card = await ours.look(ANA, TRAINING, "Waiting for Ana: 1x H100 SXM 80 GB (")
        assert "The requested end is too soon for a machine to start." in card["reads"]
        assert [button["text"] for button in card["buttons"]] == ["Change", "Add teammate", "Withdraw"]
        answered = await ours.look(BEN, APPROVALS, "for Ana")
        assert answered["buttons"] == []


async def test_an_approver_without_a_dialog_is_told_that_it_is_too_late(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        until = NOON + 2 * H
        await ours.click(
            ANA, await ours.offered(ANA, an_offer("o1", "12.00"), until=until, lease=2 * H), "Ask for"
        )
        (rental,) = await ours.rentals()
        await ours.deliver()
        ours.clock.put(until - 29 * MIN)
        await ours.click(BEN, await question(ours), "Approve")
        assert (await ours.replies())[-1] == (
            "Less than 30 min is left until the end of this request. Ana can name a later end. Nothing was rented."
        )
        assert (await ours.rental(rental.id)).owner_decides


async def test_the_owner_can_only_continue_by_naming_a_later_end(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked_until(ours)
        ours.clock.put(SIX_IN_BERLIN - 20 * MIN)
        await ours.click(BEN, await question(ours), "Approve")
        assert await ours.modal(BEN) is None, "there is nothing to confirm"
        before = await ours.rental(rental.id)
        await ours.forge(ANA, "accept", f"{rental.id}:{before.terms.version}")
        assert await ours.rental(rental.id) == before
        await ours.deliver()
        await ours.click(ANA, await ours.look(ANA, TRAINING, "Waiting for Ana"), "Change")
        assert "(4h)" not in str(await ours.modal(ANA))
        assert (await ours.submit(ANA, lease="until 20:00"))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert (quote.changes, quote.request.until) == (rental.id, NOON + 7 * H)


# --- extending


async def test_an_extension_until_a_time_shows_the_resulting_end(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        reply = (await ours.run_command(ANA, f"extend {rental.id} until tomorrow 9am"))["payload"]["text"]
        at = int((NOON + 20 * H).timestamp())
        assert reply.startswith(f"You extended 1x H100 SXM 80 GB ({rental.id}) by 14 h, about $30.10.")
        assert f"nds <!date^{at}^{{date_short_pretty}} at {{time}}|" in reply
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 20 * H


@pytest.mark.parametrize(("until", "when"), [("19:00", "at that time"), ("18:00", "later than that")])
async def test_an_extension_to_an_earlier_end_changes_nothing(tmp_path: Path, until: str, when: str) -> None:
    """The lease ends at 19:00 for Ana."""
    async with team(tmp_path) as ours:
        rental = await running(ours)
        reply = await ours.command(ANA, f"extend until {until}")
        assert reply == f"{rental.id} already ends {when}. Nothing was changed."
        assert (await ours.rental(rental.id)).running_lease == rental.lease


async def test_an_extension_until_a_time_obeys_the_usual_limits(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        assert await ours.command(ANA, "extend until fri 18:00") == (
            f"The longest lease is 3 days, so {rental.id} can be extended by 2 days 18 h at most."
        )
        assert "confirm it first" in await ours.command(ANA, "extend until thu 18:00")
        assert (await ours.submit(ANA))["ok"]
        assert (await ours.replies())[-1].startswith(
            f"I've asked for 47 h more for 1x H100 SXM 80 GB ({rental.id}), about $"
        )
        extension = (await ours.rental(rental.id)).extension
        assert extension is not None
        assert extension.ends_at == NOON + 53 * H


async def test_extending_to_a_named_end_is_not_mistaken_for_a_repetition(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.command(ANA, "extend 2h")
        await ours.command(ANA, "extend until 23:00")
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 10 * H


# --- again


async def test_again_repeats_the_last_request_with_all_its_details(tmp_path: Path) -> None:
    async with team(tmp_path, rules=changed(RULES, setup={"torch": "#!/bin/sh"})) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "get 2x A100 in US")
        ours.clock.put(NOON + MIN)
        typed = f"get H100 EU spot under $3/GPU until 18:00 with <@{BEN}> setup torch -- run 7"
        assert await ours.command(ANA, typed) == ""
        (*_, last) = await ours.quotes(ANA)
        ours.clock.put(NOON + H)
        assert await ours.command(ANA, "again", GPUS) == ""
        (*_, again) = await ours.quotes(ANA)
        assert again.id != last.id
        assert again.request == changed(last.request, lease=4 * H)
        assert (again.request.teammates, again.request.setup, again.request.note) == ((BEN,), "torch", "run 7")
        assert (again.asked_in, again.rent_now, again.changes) == (GPUS, False, None)


@pytest.mark.parametrize("later", [5 * H - 29 * MIN, 30 * H])
async def test_again_drops_an_end_that_is_too_near_and_says_so(tmp_path: Path, later: timedelta) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.command(ANA, "get H100 EU until 18:00 -- run 7")
        ours.clock.put(NOON + later)
        assert await ours.command(ANA, "again") == (
            "The end that you named last time has passed or is less than 30 min away, so I'm looking for "
            "1x H100 in EU for 4 h from when it's ready. "
            "To name another end: /gpu get H100 EU until tomorrow 18:00"
        )
        (*_, again) = await ours.quotes(ANA)
        assert (again.request.until, again.request.lease, again.request.note) == (None, 4 * H, "run 7")


async def test_again_without_an_earlier_request_says_what_to_type(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.offered(BEN, an_offer("o1", "2.15"))
        assert await ours.command(ANA, "again") == "You haven't asked for a machine yet. Try: /gpu get H100 EU"
        assert (await ours.command(GUS, "again", GPUS)).startswith("Your team's rules don't let you rent here.")
