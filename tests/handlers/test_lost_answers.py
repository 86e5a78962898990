"""An answer of Slack's or of the store's is lost: nothing is said twice, and nothing stays wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.model.base import changed
from bot.model.message import Message, MessageKind, NextCall, to_channel, to_person, to_response_url
from handlers.delivery.loop import Delivery
from handlers.delivery.pace import Pace
from handlers.delivery.read_back import NAMED_TRIES
from handlers.delivery.unsaved import GIVEN_UP, POSTED_TWICE
from sandbox.slack.default import ANA, APPROVALS, BEN, TRAINING
from tests.handlers.team import Json, Team, an_offer, team

MINUTE = timedelta(minutes=1)


async def fault(ours: Team, method: str, kind: str, **more: Any) -> str:
    made = await ours.world.act("faults", endpoint=method, kind=kind, **more)
    assert made["active"]
    return str(made["id"])


async def lift(ours: Team, name: str) -> None:
    await ours.world.act(f"faults/{name}", "DELETE")


async def rented(ours: Team) -> str:
    """A rental in #training whose card is still to be posted; its id."""
    await ours.click(ANA, await ours.offered(ANA, an_offer("o1", "2.15")), "Rent")
    (rental,) = await ours.rentals()
    return rental.id


async def waits_are_over(ours: Team) -> None:
    """All that is queued is due now."""
    for message in await ours.queued():
        async with ours.deps.store.write() as tx:
            await tx.messages.save(changed(message, due_at=ours.clock.real()))


async def due_again(ours: Team) -> None:
    """The waits of all that is queued are over; it is sent as far as it goes."""
    await waits_are_over(ours)
    await ours.deliver()


async def counted(ours: Team, name: str) -> int:
    async with ours.deps.store.read() as tx:
        return await tx.account.counted(name)


async def shown(ours: Team, words: str, channel: str = TRAINING) -> list[Json]:
    """What everybody there sees that says `words`, oldest first."""
    seen = await ours.world.see(ANA, channel=channel)
    return [m for m in seen if words in m["reads"] and not m["deleted"] and not m["only_you"]]


async def edited(ours: Team, words: str) -> None:
    """Returns once delivery has edited what says `words` in #training."""
    running = asyncio.create_task(ours.delivery.run())
    try:
        async with asyncio.timeout(20):
            last = 0
            while True:
                seen = await ours.world.get("see", user=ANA, channel=TRAINING, after=last, wait=10)
                last = seen["last"]
                if any(m["edited"] and words in m["reads"] for m in seen["messages"]):
                    await ours.delivery.drain()
                    return
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def unpaced(folder: Path) -> AsyncIterator[Team]:
    """A team whose delivery waits for nothing but Slack and the store."""
    async with team(folder) as ours:
        ours.delivery = started_again(ours)
        yield ours


def started_again(ours: Team) -> Delivery:
    """A delivery that remembers nothing, and waits for nothing but Slack and the store."""
    pace = Pace(post_every=timedelta())
    return Delivery(ours.deps, ours.world.client, ours.world.session, pace=pace, save_retry=timedelta())


async def requests(ours: Team, endpoint: str) -> int:
    return len((await ours.world.get("traffic", endpoint=endpoint))["requests"])


async def test_a_card_that_is_found_again_is_brought_up_to_date(tmp_path: Path) -> None:
    async with unpaced(tmp_path) as ours:
        rental = await rented(ours)
        await fault(ours, "chat.postMessage", "cut_after", match="Being made")
        await ours.deliver()
        await ours.told(ANA, f"destroy {rental}")
        await ours.submit(ANA)
        await due_again(ours)
        assert await shown(ours, "Being made") == []
        (card,) = await shown(ours, "Cancelled: 1x H100 EU")
        assert card["buttons"] == []


async def test_an_approval_that_is_found_again_is_brought_up_to_date(tmp_path: Path) -> None:
    async with unpaced(tmp_path) as ours:
        await ours.click(ANA, await ours.offered(ANA, an_offer("o1", "12.00")), "Ask")
        await ours.submit(ANA)
        await fault(ours, "chat.postMessage", "cut_after", match="Approve up to")
        await ours.deliver()
        card = await ours.look(ANA, TRAINING, "Waiting for approval")
        await ours.click(ANA, card, "Withdraw")
        await due_again(ours)
        seen = await ours.world.see(BEN, channel=APPROVALS)
        assert [message["buttons"] for message in seen] == [[]]


FAILURES: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "cut_before"},
    {"kind": "garbage"},
    {"kind": "garbage", "body": json.dumps({"ok": False, "error": "internal_error"})},
    {"kind": "garbage", "body": json.dumps({"ok": False, "error": "an_error_of_next_year"})},
    {"kind": "garbage", "body": json.dumps({"ok": True})},
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda f: str(f.get("status") or f.get("body") or f["kind"]))
async def test_a_read_back_that_fails_is_made_again_and_nothing_is_posted_twice(
    tmp_path: Path, failure: dict[str, Any]
) -> None:
    async with unpaced(tmp_path) as ours:
        await rented(ours)
        await fault(ours, "chat.postMessage", "cut_after", match="Being made")
        await ours.deliver()
        lost = await fault(ours, "conversations.history", times=None, **failure)
        for _ in range(3):
            await due_again(ours)
        assert len(await shown(ours, "Being made")) == 1
        await lift(ours, lost)
        await waits_are_over(ours)
        await edited(ours, "Being made")
        assert len(await shown(ours, "Being made")) == 1
        assert [m for m in await ours.queued() if m.kind is MessageKind.CARD] == []
        assert await counted(ours, POSTED_TWICE) == 0


async def test_an_unknown_error_is_certain_only_if_it_is_the_answer_each_time(tmp_path: Path) -> None:
    async with unpaced(tmp_path) as ours:
        await rented(ours)
        await fault(ours, "chat.postMessage", "cut_after", match="Being made", times=1)
        await ours.deliver()
        unknown = {"kind": "garbage", "body": json.dumps({"ok": False, "error": "an_error_of_next_year"})}
        away = await fault(ours, "conversations.history", "status", status=500, times=None)
        for _ in range(NAMED_TRIES):
            await due_again(ours)
        await lift(ours, away)
        unlisted = await fault(ours, "conversations.history", **unknown, times=None)
        for _ in range(NAMED_TRIES - 1):
            await due_again(ours)
        assert len(await shown(ours, "Being made")) == 1, "an outage before it says nothing about the place"
        await due_again(ours)
        await lift(ours, unlisted)
        await due_again(ours)
        assert len(await shown(ours, "Being made")) == 2


async def test_while_a_read_back_hangs_others_are_posted_to_the_same_channel(tmp_path: Path) -> None:
    async with unpaced(tmp_path) as ours:
        await rented(ours)
        await fault(ours, "chat.postMessage", "cut_after", match="Being made")
        await ours.deliver()
        held = await fault(ours, "conversations.history", "hold_before")
        await waits_are_over(ours)
        await ours.delivery.turn()
        await ours.world.get(f"faults/{held}", wait=10)
        async with ours.deps.store.write() as tx:
            body = {"text": "Something else", "blocks": []}
            now = ours.clock.real()
            await tx.messages.add(
                Message(kind=MessageKind.REPLY, to=to_channel(TRAINING), body=body, created_at=now)
            )
        await ours.delivery.turn()
        seen = await ours.world.get("see", user=ANA, channel=TRAINING, wait=10)
        while not any("Something else" in m["reads"] for m in seen["messages"]):
            seen = await ours.world.get("see", user=ANA, channel=TRAINING, after=seen["last"], wait=10)
            assert seen["messages"]
        await lift(ours, held)
        await ours.delivery.drain()


async def test_where_nobody_may_look_it_is_posted_once_more_and_the_other_is_stripped(
    tmp_path: Path,
) -> None:
    async with unpaced(tmp_path) as ours:
        await rented(ours)
        await fault(ours, "chat.postMessage", "cut_after", match="Being made", times=3)
        await ours.deliver()
        refused = json.dumps({"ok": False, "error": "missing_scope"})
        blind = await fault(ours, "conversations.history", "garbage", body=refused, times=None)
        for _ in range(4):
            await due_again(ours)
        # Its answer was lost again: it isn't posted a third time before a long wait is over.
        assert len(await shown(ours, "Being made")) == 2
        assert await counted(ours, POSTED_TWICE) == 1
        await lift(ours, blind)
        await due_again(ours)
        assert len(await shown(ours, "Being made")) == 2
        busy = await fault(ours, "chat.update", "status", status=429, retry_after=30, times=None)
        edits = await requests(ours, "chat.update")
        for minutes in (1, 11):
            await ours.delivery.twins.look(ours.clock.real() + minutes * MINUTE)
        assert await requests(ours, "chat.update") == edits + 1, "Slack asked for 30 s without edits"
        await lift(ours, busy)
        ours.delivery = started_again(ours)
        await ours.delivery.twins.look(ours.clock.real() + 90 * MINUTE)
        (live,) = [m for m in await ours.world.see(ANA, channel=TRAINING) if m["buttons"]]
        (other,) = await shown(ours, "This was posted twice")
        assert other["ts"] != live["ts"]
        async with ours.deps.store.read() as tx:
            assert await tx.account.named("twin:") == {}


async def test_what_is_sent_while_the_store_takes_no_done_is_sent_once(tmp_path: Path) -> None:
    """A private answer, and an edit."""
    async with unpaced(tmp_path) as ours:
        rental = await rented(ours)
        await ours.deliver()
        await ours.told(ANA, f"destroy {rental}")
        await ours.submit(ANA)
        path = (await ours.world.get("traffic", endpoint="response_url"))["requests"][-1]["path"]
        answered = await requests(ours, "response_url")
        async with ours.deps.store.write() as tx:
            body = {"text": "Only once", "blocks": [], "response_type": "ephemeral"}
            now = ours.clock.real()
            to = to_response_url(f"{ours.world.url}{path}")
            await tx.messages.add(Message(kind=MessageKind.REPLY, to=to, body=body, created_at=now))
        waiting = sum(m.next_call is NextCall.ANSWER for m in await ours.queued())
        with ours.locked():
            for _ in range(2):
                await ours.delivery.turn()
                await ours.delivery.drain()
        await ours.deliver()
        assert await requests(ours, "response_url") == answered + waiting
        assert await requests(ours, "chat.update") == 1
        assert {m.next_call for m in await ours.queued()} <= {NextCall.POST}


async def test_what_was_given_up_is_counted_in_the_store(tmp_path: Path) -> None:
    async with unpaced(tmp_path) as ours:
        refused = json.dumps({"ok": False, "error": "is_archived"})
        await fault(ours, "chat.postMessage", "garbage", body=refused, times=2)
        for person in (ANA, BEN):
            async with ours.deps.store.write() as tx:
                body = {"text": "Hello", "blocks": []}
                now = ours.clock.real()
                await tx.messages.add(
                    Message(kind=MessageKind.REPLY, to=to_person(person), body=body, created_at=now)
                )
        await ours.deliver()
        assert await counted(ours, GIVEN_UP) == 2


async def test_a_post_whose_blocks_are_refused_counts_twice_in_the_pace(tmp_path: Path) -> None:
    class Counted(Pace):
        posts = 0

        def posted(self, channel: str, now: datetime) -> None:
            self.posts += 1
            super().posted(channel, now)

    async with team(tmp_path) as ours:
        pace = Counted(post_every=timedelta())
        ours.delivery = Delivery(ours.deps, ours.world.client, ours.world.session, pace=pace)
        await rented(ours)
        refused = json.dumps({"ok": False, "error": "invalid_blocks"})
        await fault(ours, "chat.postMessage", "garbage", body=refused)
        await ours.deliver()
        assert len(await shown(ours, "Being made")) == 1
        assert pace.posts == await requests(ours, "chat.postMessage") > 1


async def test_a_post_past_the_outbox_keeps_to_the_pace_of_all_posts(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await fault(ours, "chat.postMessage", "status", status=429, retry_after=1)
        assert await ours.delivery.post(ANA, "My database takes no writes.")
        assert await requests(ours, "chat.postMessage") == 2
        refused = json.dumps({"ok": False, "error": "channel_not_found"})
        await fault(ours, "chat.postMessage", "garbage", body=refused)
        assert not await ours.delivery.post(BEN, "My database takes no writes.")
