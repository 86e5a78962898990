"""An answer of Slack or of the store is lost. Nothing is posted twice, and no outdated message stays in Slack."""

from __future__ import annotations

import asyncio
from collections import Counter as Counts
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.clock import MovedClock
from bot.model.account_facts import Counter
from bot.model.base import changed
from bot.model.message import Message, MessageKind, NextCall, to_channel, to_person, to_response_url
from handlers.delivery.direct_posts import PostOutcome
from handlers.delivery.loop import Delivery
from handlers.delivery.pace import POST, Pace
from handlers.phrases.blocks import Rendered
from sandbox.slack.default import ANA, APPROVALS, BEN, DAN, GPUS, TRAINING
from tests.databases import postgres, postgres_url
from tests.handlers.team import NOON, Json, Team, an_offer, team

__all__ = ["postgres", "postgres_url"]


async def schedule_now(ours: Team) -> None:
    """Schedule everything in the outbox to be sent now."""
    for message in await ours.queued():
        async with ours.deps.store.write() as tx:
            await tx.messages.save(changed(message, due_at=ours.clock.real()))


async def schedule_and_deliver(ours: Team) -> None:
    """Schedule everything in the outbox to be sent now, and send whatever Slack accepts."""
    await schedule_now(ours)
    await ours.deliver()


async def count_of(ours: Team, counter: Counter) -> int:
    async with ours.deps.store.read() as tx:
        return await tx.account.count(counter)


async def shown(ours: Team, words: str, channel: str = TRAINING) -> list[Json]:
    """Return the messages containing `words` that everybody in the channel sees, oldest first."""
    seen = await ours.world.see(ANA, channel=channel)
    return [m for m in seen if words in m["reads"] and not m["deleted"] and not m["only_you"]]


@asynccontextmanager
async def unpaced(folder: Path) -> AsyncIterator[Team]:
    """Yield a team whose delivery doesn't wait between posts or writes."""
    async with team(folder) as ours:
        pace = Pace(post_every=timedelta())
        ours.delivery = Delivery(
            ours.deps, ours.world.client, ours.world.session, pace=pace, save_retry=timedelta()
        )
        yield ours


async def requests(ours: Team, endpoint: str) -> int:
    return len((await ours.world.get("traffic", endpoint=endpoint))["requests"])


async def test_a_card_that_changed_before_its_lost_post_was_found_is_edited(tmp_path: Path) -> None:
    async with unpaced(tmp_path) as ours:
        rental = (await ours.rented()).id
        await ours.fault("chat.postMessage", "cut_after", match="Starting")
        await ours.deliver()
        await ours.command(ANA, f"destroy {rental}")
        await ours.submit(ANA)
        await schedule_and_deliver(ours)
        assert await shown(ours, "Starting") == []
        (card,) = await shown(ours, f"1x H100 SXM 80 GB ({rental}) in EU for Ana\nNothing was")
        assert card["buttons"] == []


async def test_an_approval_withdrawn_before_its_lost_post_was_found_loses_its_buttons(tmp_path: Path) -> None:
    async with unpaced(tmp_path) as ours:
        await ours.click(ANA, await ours.offered(ANA, an_offer("o1", "12.00")), "Ask")
        await ours.submit(ANA)
        await ours.fault("chat.postMessage", "cut_after", match="Approve up to")
        await ours.deliver()
        card = await ours.look(ANA, TRAINING, "Waiting for approval")
        await ours.click(ANA, card, "Withdraw")
        await schedule_and_deliver(ours)
        seen = await ours.world.see(BEN, channel=APPROVALS)
        assert [message["buttons"] for message in seen] == [[]]


class BusyClock(MovedClock):
    """A clock on a machine so busy that 0.3 s pass between any two readings of the wall clock."""

    def __init__(self) -> None:
        super().__init__(NOON)
        self._looks = 0

    def real(self) -> datetime:
        self._looks += 1
        return super().real() + self._looks * timedelta(seconds=0.3)


async def test_all_of_100_lost_answers_are_found_on_a_busy_postgresql(postgres_url: str, tmp_path: Path) -> None:
    """On PostgreSQL, a transaction waits for its locks after it began.

    So a message is often created several seconds after the beginning of its transaction.
    """
    async with team(tmp_path, url=postgres_url, clock=BusyClock()) as ours:
        ours.start_delivery(Pace(post_every=timedelta(), speed=60))

        async def say(text: str, channel: str) -> None:
            async with ours.deps.store.write() as tx:
                await tx.account.count(Counter.POSTED_TWICE)
                body = {"text": text, "blocks": []}
                now = ours.clock.real()
                await tx.messages.add(
                    Message(kind=MessageKind.REPLY, to=to_channel(channel), body=body, created_at=now)
                )

        await ours.fault("chat.postMessage", "cut_after", times=100)
        for tens in range(10):
            places = (TRAINING, GPUS) * 5
            await asyncio.gather(*(say(f"Ended {tens}{n}", place) for n, place in enumerate(places)))
        await ours.deliver_all()
        posted = [m for channel in (TRAINING, GPUS) for m in await shown(ours, "Ended", channel)]
        assert Counts(m["reads"] for m in posted) == {f"Ended {n:02}": 1 for n in range(100)}
        assert await requests(ours, "chat.postMessage") == 100
        assert await count_of(ours, Counter.POSTED_TWICE) == 0


FAILURES: list[dict[str, Any]] = [
    {"kind": "status", "status": 429, "retry_after": 1},
    {"kind": "cut_before"},
    {"kind": "garbage"},
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: str(failure["kind"]))
async def test_a_failed_read_back_is_retried_and_nothing_is_posted_twice(
    tmp_path: Path, failure: dict[str, Any]
) -> None:
    async with unpaced(tmp_path) as ours:
        await ours.rented()
        await ours.fault("chat.postMessage", "cut_after", match="Starting")
        await ours.deliver()
        failing = await ours.fault("conversations.history", times=None, **failure)
        for _ in range(3):
            await schedule_and_deliver(ours)
        assert len(await shown(ours, "Starting")) == 1
        await ours.end_fault(failing)
        await schedule_now(ours)
        await ours.deliver_until("Starting", edited=True)
        assert len(await shown(ours, "Starting")) == 1
        assert [m for m in await ours.queued() if m.kind is MessageKind.CARD] == []
        assert await count_of(ours, Counter.POSTED_TWICE) == 0


async def test_other_messages_are_posted_while_a_read_back_hangs(tmp_path: Path) -> None:
    async with unpaced(tmp_path) as ours:
        await ours.rented()
        await ours.fault("chat.postMessage", "cut_after", match="Starting")
        await ours.deliver()
        hanging = await ours.fault("conversations.history", "hold_before")
        await schedule_now(ours)
        await ours.delivery.turn()
        await ours.world.get(f"faults/{hanging}", wait=10)
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
        await ours.end_fault(hanging)
        await ours.delivery.drain()


async def test_in_an_unreadable_conversation_a_message_is_posted_once_more_then_waits(tmp_path: Path) -> None:
    async with unpaced(tmp_path) as ours:
        await ours.rented()
        await ours.fault("chat.postMessage", "cut_after", match="Starting", times=3)
        await ours.deliver()
        unreadable = await ours.refuse("conversations.history", "missing_scope", times=None)
        for _ in range(4):
            await schedule_and_deliver(ours)
        # The answer to the second post was lost too. The third post waits for 10 min.
        assert len(await shown(ours, "Starting")) == 2
        assert await count_of(ours, Counter.POSTED_TWICE) == 1
        (waiting,) = [m for m in await ours.queued() if m.kind is MessageKind.CARD]
        assert waiting.due_at is not None
        assert waiting.due_at - ours.clock.real() > timedelta(minutes=9)
        await ours.end_fault(unreadable)
        await schedule_and_deliver(ours)
        assert len(await shown(ours, "Starting")) == 2


async def test_an_interrupted_post_to_a_person_who_left_is_given_up_immediately(tmp_path: Path) -> None:
    async with unpaced(tmp_path) as ours:
        async with ours.deps.store.write() as tx:
            body = {"text": "Too late", "blocks": []}
            now = ours.clock.real()
            await tx.messages.add(
                Message(
                    kind=MessageKind.REPLY, to=to_person(DAN), body=body, created_at=now, due_at=now, sending=True
                )
            )
        await ours.deliver()
        assert await ours.queued() == []
        assert await count_of(ours, Counter.GIVEN_UP) == 1
        assert await count_of(ours, Counter.POSTED_TWICE) == 0


async def test_answers_and_edits_are_sent_once_even_if_saving_the_result_fails(
    tmp_path: Path,
) -> None:
    async with unpaced(tmp_path) as ours:
        rental = (await ours.rented()).id
        await ours.deliver()
        await ours.command(ANA, f"destroy {rental}")
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


async def test_a_post_with_refused_blocks_counts_twice_towards_the_rate_limit(tmp_path: Path) -> None:
    class Counted(Pace):
        posts = 0

        def count(self, method: str, now: datetime, to: str = "") -> None:
            self.posts += method == POST
            super().count(method, now, to)

    async with team(tmp_path) as ours:
        pace = Counted(post_every=timedelta())
        ours.delivery = Delivery(ours.deps, ours.world.client, ours.world.session, pace=pace)
        await ours.rented()
        await ours.refuse("chat.postMessage", "invalid_blocks")
        await ours.deliver()
        assert len(await shown(ours, "Starting")) == 1
        assert pace.posts == await requests(ours, "chat.postMessage") > 1


async def test_a_direct_post_waits_as_slack_asks_and_returns_its_outcome(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        await ours.fault("chat.postMessage", "status", status=429, retry_after=1)
        words = Rendered(text="My database takes no writes.", blocks=())
        assert await ours.delivery.direct.send(ANA, words) is PostOutcome.TAKEN
        assert await requests(ours, "chat.postMessage") == 2
        await ours.refuse("chat.postMessage", "channel_not_found")
        assert await ours.delivery.direct.send(BEN, words) is PostOutcome.FAILED
