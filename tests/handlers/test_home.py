"""The Home tab is published to people who opened it and edited when its content changes, and its buttons work."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.lifecycle.steps.quoting import card_channel
from bot.model.base import changed
from bot.model.message import to_person
from bot.model.state import State
from bot.policy.team.rules import Access, Rules
from handlers.delivery.pace import Pace
from sandbox.slack.default import ANA, BEN, GPUS, GUS, TRAINING
from tests.handlers.team import RULES, Team, an_offer, team
from tests.store import make


async def published(ours: Team) -> int:
    """Return the number of times that a Home tab was published."""
    return len((await ours.world.get("traffic", endpoint="views.publish"))["requests"])


async def test_the_home_tab_is_published_once_per_version_when_opened(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.publish_homes_at_once()
        assert await ours.open_home(ANA, "messages") is None
        home = await ours.open_home(ANA)
        assert home is not None
        assert "Your machines  You have none right now." in home["reads"]
        assert await ours.open_home(ANA) == home
        assert await published(ours) == 1
        # An older version of the bot published a different Home tab.
        older = {"type": "home", "private_metadata": "older", "blocks": [{"type": "divider"}]}
        await ours.world.client.views_publish(user_id=ANA, view=older)
        again = await ours.open_home(ANA)
        assert again is not None
        assert again["reads"] == home["reads"]


async def test_a_change_is_published_only_to_opened_home_tabs(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.publish_homes_at_once()
        await ours.has_key(ANA)
        await ours.open_home(ANA)
        rental = await ours.rented()
        home = await ours.home(ANA)
        assert home is not None
        assert "Starting: " in home["reads"]
        assert await ours.home(BEN) is None
        # The button on the Home tab works, and the result also appears on the Home tab.
        await ours.click_home(ANA, f"Cancel, {rental.id}")
        assert (await ours.submit(ANA))["error"] is None
        home = await ours.home(ANA)
        assert home is not None
        assert "Starting" not in home["reads"]
        # After a restart, the Home tab shows the right content, even if Slack showed something else before.
        await ours.world.client.views_publish(user_id=ANA, view={"type": "home", "blocks": [{"type": "divider"}]})
        await ours.restart(pace=Pace(post_every=timedelta(0), speed=100_000))
        again = await ours.home(ANA)
        assert again is not None
        assert again["reads"] == home["reads"]


async def test_changes_within_ten_seconds_are_published_together(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        await ours.open_home(ANA)
        await ours.rented()
        for _ in range(3):
            await ours.delivery.turn()
            await ours.delivery.drain()
        assert await published(ours) == 1
        again_at = (await ours.delivery.turn()).real
        assert again_at is not None
        assert again_at - ours.clock.real() <= timedelta(seconds=10)


async def test_an_approver_can_decide_on_the_home_tab(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.publish_homes_at_once()
        await ours.has_key(ANA)
        await ours.open_home(BEN)
        await ours.click(ANA, await ours.offered(ANA, an_offer("o1", "18.40")), "Ask for")
        assert (await ours.submit(ANA))["ok"]
        (rental,) = await ours.rentals()
        home = await ours.home(BEN)
        assert home is not None
        assert f"({rental.id}) in EU for Ana. The request expires" in home["reads"]
        await ours.click_home(BEN, f"Deny, {rental.id}")
        assert (await ours.submit(BEN, reason="use 4 this week"))["error"] is None
        assert (await ours.rental(rental.id)).state is State.DENIED
        home = await ours.home(BEN)
        assert home is not None
        assert rental.id not in home["reads"]


async def test_a_person_without_access_sees_nothing_of_the_team(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        home = await ours.open_home(GUS)
        assert home is not None
        assert home["buttons"] == []
        assert "Your team's rules don't let you use me." in home["reads"]


async def test_show_all_lists_everyones_rentals_in_a_dialog(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        rental = await ours.rented()
        await ours.open_home(BEN)
        await ours.click_home(BEN, "Show all")
        modal = await ours.modal(BEN)
        assert modal is not None
        assert rental.id in modal["reads"]


@pytest.mark.parametrize("rules", [RULES, changed(RULES, use=Access(channels=(TRAINING,)))])
async def test_get_gpus_opens_the_form_and_answers_in_a_direct_message(tmp_path: Path, rules: Rules) -> None:
    """It also works if the bot may be used only in some channels.

    This is deliberate: the Home tab is as private as a direct message.
    """
    async with team(tmp_path, rules=rules) as ours:
        await ours.has_key(ANA)
        await ours.open_home(ANA)
        await ours.click_home(ANA, "Get GPUs")
        assert (await ours.submit(ANA, gpu="H100"))["error"] is None
        (quote,) = await ours.quotes(ANA)
        assert (quote.asked_in, quote.reply_to) == (ANA, to_person(ANA))
        channel = await ours.context.channels.get(quote.asked_in)
        assert card_channel(channel, rules) == GPUS


async def test_removing_a_key_on_the_home_tab_is_answered_directly(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.publish_homes_at_once()
        await ours.has_key(ANA)
        await ours.open_home(ANA)
        assert (await ours.click_home(ANA, "Remove"))["ok"]
        assert " is removed." in (await ours.replies())[-1]
        home = await ours.home(ANA)
        assert home is not None
        assert "you'll need an SSH key" in home["reads"]


async def test_a_page_of_a_thousand_rentals_is_shown_quickly(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        async with ours.deps.store.write() as tx:
            for n in range(1000):
                rental = make.rental(f"a{n:04}", owner=ANA, state=State.AWAITING_APPROVAL)
                await tx.quotes.add(make.quote(rental.quote_id or ""))
                await tx.rentals.apply(make.unchecked(None, rental))
        first = await ours.open_home(ANA)
        assert first is not None
        await ours.click_home(ANA, "Next page, 990 more")
        second = await ours.home(ANA)
        assert second is not None
        assert "a0000" in first["reads"]
        assert "a0000" not in second["reads"]
        assert "a0011" in second["reads"]
        assert "Previous page" in [button["text"] for button in second["buttons"]]


async def test_a_refused_home_tab_is_published_when_it_is_next_opened(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.publish_homes_at_once()
        await ours.refuse("views.publish", "not_enabled")
        assert await ours.open_home(ANA) is None
        assert await ours.queued() == []
        assert await ours.open_home(ANA) is not None
