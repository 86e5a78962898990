"""A reply in a card's thread is left out if it would notify somebody who learns of its event without it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.lifecycle.service import ending
from bot.model.base import changed
from bot.model.person import Person
from bot.model.rental import Rental
from handlers.delivery.loop import Delivery
from handlers.delivery.pace import Pace
from handlers.delivery.thread_people import TRIES
from sandbox.slack.default import ANA, APPROVERS, BEN, CLEO, GPUS, TRAINING
from tests.handlers.team import Team, team

REPLY = "Cancelled by"
DM = "D0ANA0000"
BEN_APPROVES = Person(id=BEN, name="Ben", groups=frozenset({APPROVERS}))


async def rented(ours: Team) -> Rental:
    """Let Ana rent, with a delivery that Slack's pace of posts doesn't slow down."""
    pace = Pace(post_every=timedelta())
    ours.delivery = Delivery(ours.deps, ours.world.client, ours.world.session, pace=pace)
    return await ours.rented()


async def cancelled_by_ben(ours: Team, *writes: tuple[str, str]) -> None:
    """Let Ana rent, people write in the thread, and Ben cancel the rental. Nothing of that is delivered yet."""
    rental = await rented(ours)
    await ours.deliver()
    card = await ours.look(ANA, TRAINING, "Starting")
    for user, words in writes:
        said = await ours.world.act("say", user=user, channel=TRAINING, text=words, thread_ts=card["ts"])
        assert said["ok"]
    await ending.destroy(ours.deps, BEN_APPROVES, rental.id)


async def replies(ours: Team) -> list[str]:
    return [words for words in await ours.world.reads(ANA, channel=TRAINING) if REPLY in words]


async def pinged(ours: Team) -> list[tuple[str, str]]:
    """Return who was notified of the cancellation, and why."""
    found = (await ours.world.get("pings"))["pings"]
    return [(ping["user"], ping["why"]) for ping in found if REPLY in ping["text"]]


@pytest.mark.parametrize("who", [ANA, BEN])
async def test_who_did_it_or_gets_a_direct_message_of_it_is_not_notified_by_the_thread_too(
    tmp_path: Path, who: str
) -> None:
    async with team(tmp_path) as ours:
        await cancelled_by_ben(ours, (who, "mine"))
        await ours.deliver()
        assert (await replies(ours), await ours.queued()) == ([], [])
        assert await pinged(ours) == [(ANA, "dm")]


async def test_who_was_mentioned_in_the_thread_is_not_notified_by_it_too(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await cancelled_by_ben(ours, (CLEO, "@Ana is it yours?"))
        await ours.deliver()
        assert await replies(ours) == []
        assert await pinged(ours) == [(ANA, "dm")]


async def test_the_thread_tells_everyone_else_who_wrote_there(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await cancelled_by_ben(ours, (CLEO, "whose is it?"))
        await ours.deliver()
        assert len(await replies(ours)) == 1
        assert sorted(await pinged(ours)) == [(ANA, "dm"), (CLEO, "thread")]


async def test_a_card_in_its_owners_direct_messages_has_no_reply_that_notifies_them_twice(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        refused = [
            await ours.refuse("chat.postMessage", "is_archived", match=channel, times=None)
            for channel in (TRAINING, GPUS)
        ]
        rental = await rented(ours)
        await ours.deliver()
        assert (await ours.look(ANA, DM, "Starting"))["is_dm"]
        for fault in refused:
            await ours.end_fault(fault)
        await ending.destroy(ours.deps, BEN_APPROVES, rental.id)
        await ours.deliver()
        assert [ping for ping in await pinged(ours) if ping[0] == ANA] == [(ANA, "dm")]


@pytest.mark.parametrize("error", ["missing_scope", "an_error_of_tomorrow"])
async def test_a_thread_that_the_bot_may_not_read_gets_the_reply(tmp_path: Path, error: str) -> None:
    async with team(tmp_path) as ours:
        await cancelled_by_ben(ours, (ANA, "mine"))
        await ours.refuse("conversations.replies", error)
        await ours.deliver()
        assert len(await replies(ours)) == 1


async def test_a_thread_that_cannot_be_read_now_is_read_again_and_gets_the_reply_in_the_end(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        await cancelled_by_ben(ours, (ANA, "mine"))
        await ours.refuse("conversations.replies", "fatal_error", times=None)
        await ours.deliver()
        (reply,) = await ours.queued()
        assert (await replies(ours), reply.tries) == ([], 1)
        async with ours.deps.store.write() as tx:
            await tx.messages.save(changed(reply, tries=TRIES, due_at=reply.created_at))
        await ours.deliver()
        assert len(await replies(ours)) == 1
