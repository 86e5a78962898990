"""What is said when Slack refuses a message, or somebody deletes it: nothing goes unsaid for that."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bot.model.base import changed
from bot.model.message import Message, to_channel
from handlers.delivery.unsaved import GIVEN_UP
from sandbox.slack.default import ANA, GPUS, TRAINING
from tests.handlers.team import RULES, Json, Team, an_offer, team


async def refused(ours: Team, method: str, error: str, **to: str) -> None:
    """Slack's next answer to a method."""
    body = json.dumps({"ok": False, "error": error})
    assert (await ours.world.act("faults", endpoint=method, kind="garbage", body=body, **to))["active"]


async def appears(ours: Team, channel: str, words: str) -> Json:
    """A message that says `words` to Ana, once Slack's pace lets delivery post it."""
    running = asyncio.create_task(ours.delivery.run())
    try:
        async with asyncio.timeout(20):
            last = 0
            while True:
                seen = await ours.world.get("see", user=ANA, channel=channel, after=last, wait=10)
                found = [m for m in seen["messages"] if words in m["reads"] and not m["deleted"]]
                if found:
                    await ours.delivery.drain()
                    return dict(found[-1])
                last = seen["last"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def rented(ours: Team) -> str:
    """A rental in #training whose card is still to be posted; its id."""
    await ours.click(ANA, await ours.offered(ANA, an_offer("o1", "2.15")), "Rent")
    (rental,) = await ours.rentals()
    return rental.id


async def card_of(ours: Team, rental_id: str) -> Message:
    async with ours.deps.store.read() as tx:
        card = await tx.messages.card(rental_id)
    assert card is not None
    return card


@pytest.mark.parametrize(
    "error",
    [
        "not_in_channel",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "some_error_of_next_year",
    ],
)
async def test_a_card_that_slack_does_not_take_there_goes_to_the_home_channel(tmp_path: Path, error: str) -> None:
    async with team(tmp_path) as ours:
        rental = await rented(ours)
        await refused(ours, "chat.postMessage", error)
        await ours.deliver()
        assert (await ours.look(ANA, GPUS, "Being made"))["reads"].count(rental) == 1
        assert (await card_of(ours, rental)).channel == GPUS


async def test_what_is_for_one_person_goes_nowhere_else(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.world.act("say", user=ANA, dm=True, text="hello")
        (event,) = (await ours.world.get("events", wait=10))["events"]
        assert event["state"] == "acknowledged"
        await refused(ours, "chat.postMessage", "is_archived")
        await ours.deliver()
        assert await ours.queued() == []
        async with ours.deps.store.read() as tx:
            assert await tx.account.counted(GIVEN_UP) == 1


@pytest.mark.parametrize("error", ["ratelimited", "rate_limited", "team_added_to_org", "fatal_error"])
async def test_a_card_that_slack_does_not_take_now_is_posted_later(tmp_path: Path, error: str) -> None:
    async with team(tmp_path) as ours:
        rental = await rented(ours)
        await refused(ours, "chat.postMessage", error)
        await ours.deliver()
        card = await card_of(ours, rental)
        assert (card.ts, card.closed, card.to) == (None, False, to_channel(TRAINING))
        assert card.due_at is not None


async def test_blocks_that_slack_refuses_leave_the_words(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await rented(ours)
        await refused(ours, "chat.postMessage", "invalid_blocks")
        await ours.deliver()
        card = await ours.look(ANA, TRAINING, "Being made")
        assert rental in card["text"]
        assert card["buttons"] == []


async def test_an_edit_whose_blocks_slack_refuses_still_changes_the_words(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await rented(ours)
        await ours.deliver()
        await ours.told(ANA, f"destroy {rental}")
        await ours.submit(ANA)
        await refused(ours, "chat.update", "msg_blocks_too_long")
        await ours.deliver()
        assert (await ours.look(ANA, TRAINING, "Cancelled: 1x H100 EU, Ana"))["ts"] == (
            await card_of(ours, rental)
        ).ts


@pytest.mark.parametrize("home", [GPUS, TRAINING])
async def test_a_card_that_somebody_deletes_is_posted_anew_when_something_changes(
    tmp_path: Path, home: str
) -> None:
    """In its place, with what its thread has still to say below it."""
    async with team(tmp_path, rules=changed(RULES, home_channel=home)) as ours:
        rental = await rented(ours)
        await ours.deliver()
        deleted = await card_of(ours, rental)
        await ours.world.client.chat_delete(channel=TRAINING, ts=str(deleted.ts))
        await ours.told(ANA, f"destroy {rental}")
        await ours.submit(ANA)
        shown = await appears(ours, TRAINING, "Cancelled: 1x H100 EU, Ana")
        card = await card_of(ours, rental)
        assert shown["ts"] == card.ts != deleted.ts
        assert card.channel == (await ours.rental(rental)).card_channel == TRAINING
        told = await appears(ours, TRAINING, "by Ana")
        assert told["thread_ts"] == card.ts


async def test_a_reply_whose_card_is_gone_waits_for_the_next_card(tmp_path: Path) -> None:
    async with team(tmp_path, rules=changed(RULES, home_channel=TRAINING)) as ours:
        rental = await rented(ours)
        await ours.deliver()
        before = await card_of(ours, rental)
        await ours.told(ANA, f"destroy {rental}")
        await ours.submit(ANA)
        await refused(ours, "chat.postMessage", "thread_not_found", match="thread_ts")
        told = await appears(ours, TRAINING, "by Ana")
        card = await card_of(ours, rental)
        assert told["thread_ts"] == card.ts != before.ts
        assert card.channel == TRAINING
