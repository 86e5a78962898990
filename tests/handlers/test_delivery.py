"""Slack refuses a message, or somebody deletes it. People still get its content."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.model.account_facts import Counter
from bot.model.base import changed
from bot.model.message import Message, to_channel
from sandbox.slack.default import ANA, GPUS, TRAINING
from tests.handlers.team import RULES, Team, team


async def card_of(ours: Team, rental_id: str) -> Message:
    async with ours.deps.store.read() as tx:
        card = await tx.messages.card(rental_id)
    assert card is not None
    return card


async def test_a_card_refused_in_its_channel_is_posted_in_the_home_channel(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = (await ours.rented()).id
        await ours.refuse("chat.postMessage", "some_error_of_next_year")
        await ours.deliver()
        assert (await ours.look(ANA, GPUS, "Starting"))["reads"].count(rental) == 1
        assert (await card_of(ours, rental)).channel == GPUS


async def test_a_bot_removed_from_a_channel_posts_card_and_thread_at_home(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        rental = (await ours.rented()).id
        await ours.deliver()
        await ours.world.act(f"channels/{TRAINING}", "PATCH", bot=False)
        await ours.command(ANA, f"destroy {rental}", GPUS)
        await ours.submit(ANA)
        card = await ours.deliver_until(f"1x H100 SXM 80 GB ({rental}) in EU for Ana\nNothing was", channel=GPUS)
        assert (await ours.deliver_until("by Ana", channel=GPUS))["thread_ts"] == card["ts"]


async def test_a_refused_direct_message_is_sent_to_nobody_else(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.world.act("say", user=ANA, dm=True, text="hello")
        (event,) = (await ours.world.get("events", wait=10))["events"]
        assert event["state"] == "acknowledged"
        await ours.refuse("chat.postMessage", "is_archived")
        await ours.deliver()
        assert await ours.queued() == []
        async with ours.deps.store.read() as tx:
            assert await tx.account.count(Counter.GIVEN_UP) == 1


@pytest.mark.parametrize("error", ["ratelimited", "fatal_error"])
async def test_a_card_stays_queued_if_slack_cannot_accept_it_now(tmp_path: Path, error: str) -> None:
    async with team(tmp_path) as ours:
        rental = (await ours.rented()).id
        await ours.refuse("chat.postMessage", error)
        await ours.deliver()
        card = await card_of(ours, rental)
        assert (card.ts, card.closed, card.to) == (None, False, to_channel(TRAINING))
        assert card.due_at is not None


async def test_a_post_with_refused_blocks_is_sent_as_text(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = (await ours.rented()).id
        for _ in range(2):  # the first call, and the one in classic blocks
            await ours.refuse("chat.postMessage", "invalid_blocks")
        await ours.deliver()
        card = await ours.look(ANA, TRAINING, "Starting")
        assert rental in card["text"]
        assert card["buttons"] == []


async def test_an_edit_with_refused_blocks_still_changes_the_text(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = (await ours.rented()).id
        await ours.deliver()
        await ours.command(ANA, f"destroy {rental}")
        await ours.submit(ANA)
        await ours.refuse("chat.update", "msg_blocks_too_long")
        await ours.deliver()
        assert (await ours.look(ANA, TRAINING, f"1x H100 SXM 80 GB ({rental}) in EU for Ana.\nNothing was"))[
            "ts"
        ] == (await card_of(ours, rental)).ts


@pytest.mark.parametrize("home", [GPUS, TRAINING])
async def test_a_deleted_card_is_posted_again_when_its_rental_changes(tmp_path: Path, home: str) -> None:
    async with team(tmp_path, rules=changed(RULES, home_channel=home)) as ours:
        rental = (await ours.rented()).id
        await ours.deliver()
        deleted = await card_of(ours, rental)
        workspace = ours.world.sandbox.workspace
        workspace.delete(workspace.messages[TRAINING][str(deleted.ts)])
        await ours.command(ANA, f"destroy {rental}")
        await ours.submit(ANA)
        shown = await ours.deliver_until(f"1x H100 SXM 80 GB ({rental}) in EU for Ana\nNothing was")
        card = await card_of(ours, rental)
        assert shown["ts"] == card.ts != deleted.ts
        assert card.channel == (await ours.rental(rental)).card_channel == TRAINING
        reply = await ours.deliver_until("by Ana")
        assert reply["thread_ts"] == card.ts


async def test_a_thread_continues_below_the_new_card_after_a_deletion(tmp_path: Path) -> None:
    async with team(tmp_path, rules=changed(RULES, home_channel=TRAINING)) as ours:
        rental = (await ours.rented()).id
        await ours.deliver()
        before = await card_of(ours, rental)
        await ours.command(ANA, f"destroy {rental}")
        await ours.submit(ANA)
        await ours.refuse("chat.postMessage", "thread_not_found", match="thread_ts")
        reply = await ours.deliver_until("by Ana")
        card = await card_of(ours, rental)
        assert reply["thread_ts"] == card.ts != before.ts
        assert card.channel == TRAINING
