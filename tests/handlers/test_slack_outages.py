"""After an outage of Slack, the most recent messages that people see are true."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.clock import MovedClock
from bot.lifecycle.actions.account import Pause, Resume
from bot.lifecycle.actions.action import carry_out
from bot.model.message import Message, MessageKind, to_channel
from bot.model.person import OPERATOR, Person
from sandbox.slack.default import ANA, CLEO, GPUS, TRAINING
from tests.handlers.team import NOON, Team, team

MINUTE = timedelta(minutes=1)
OUTAGES: list[dict[str, Any]] = [
    {"kind": "cut_before"},
    {"kind": "cut_after"},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429, "retry_after": 30},
]
by_kind = pytest.mark.parametrize("outage", OUTAGES, ids=lambda one: str(one.get("status", one["kind"])))


class WallClock(MovedClock):
    """A clock whose wall-clock time can be moved ahead, but never slows down."""

    def __init__(self) -> None:
        super().__init__(NOON)
        self._ahead = timedelta()

    def real(self) -> datetime:
        return super().real() + self._ahead

    def pass_by(self, span: timedelta) -> None:
        """Let this much wall-clock time pass immediately."""
        self._ahead += max(span, timedelta())


@asynccontextmanager
async def a_team(folder: Path) -> AsyncIterator[tuple[Team, WallClock]]:
    clock = WallClock()
    async with team(folder, clock=clock) as ours:
        ours.deliver_at_once()
        yield ours, clock


async def deliver_for(ours: Team, clock: WallClock, span: timedelta) -> None:
    """Send due messages while this much wall-clock time passes, or until everything has been sent."""
    end = clock.real() + span
    async with asyncio.timeout(30):
        while clock.real() < end and await ours.queued():
            next_at = (await ours.delivery.turn()).real
            if ours.delivery.in_flight:
                await ours.delivery.drain()
            else:
                clock.pass_by(min(next_at or end, end) - clock.real())


async def say(ours: Team, text: str, *, rental_id: str | None = None, channel: str = TRAINING) -> None:
    """Queue a post to a channel, about a rental if an ID is given."""
    async with ours.deps.store.write() as tx:
        message = Message(
            kind=MessageKind.REPLY,
            to=to_channel(channel),
            rental_id=rental_id,
            body={"text": text, "blocks": []},
            created_at=ours.clock.real(),
        )
        await tx.messages.add(message)


async def said(ours: Team, pattern: str, channel: str = TRAINING) -> list[str]:
    """Return the matching texts that a channel shows, in order."""
    seen = await ours.world.see(ANA, channel=channel)
    posts = sorted((m for m in seen if not m["deleted"] and not m["only_you"]), key=lambda m: float(m["ts"]))
    return [m["reads"] for m in posts if re.search(pattern, m["reads"])]


async def change_buying(ours: Team, clock: WallClock, change: type[Pause], why: str = "") -> None:
    """Pause or resume buying as the operator, two minutes after the last change."""
    clock.jump(2 * MINUTE)
    assert await carry_out(ours.deps, OPERATOR, change(why))


@by_kind
async def test_messages_about_a_rental_arrive_in_order_despite_outages(
    tmp_path: Path, outage: dict[str, Any]
) -> None:
    async with a_team(tmp_path) as (ours, clock):
        rental = (await ours.rented()).id
        await deliver_for(ours, clock, MINUTE)
        for number in range(6):
            failing = await ours.fault("*", times=None, **outage)
            await say(ours, f"Step {number}", rental_id=rental)
            await deliver_for(ours, clock, number * MINUTE / 2)
            await ours.end_fault(failing)
        await deliver_for(ours, clock, 10 * MINUTE)
        assert await said(ours, "Step") == [f"Step {number}" for number in range(6)]


@by_kind
@pytest.mark.parametrize("lasts", [timedelta(seconds=5), 2 * MINUTE], ids=str)
async def test_the_last_message_about_buying_is_true_despite_outages(
    tmp_path: Path, outage: dict[str, Any], lasts: timedelta
) -> None:
    async with a_team(tmp_path) as (ours, clock):
        for change in (Pause, Resume, Pause, Resume, Pause):
            failing = await ours.fault("*", times=None, **outage)
            await change_buying(ours, clock, change)
            await deliver_for(ours, clock, lasts)
            await ours.end_fault(failing)
        await deliver_for(ours, clock, 10 * MINUTE)
        texts = [text.removeprefix("The operator ") for text in await said(ours, "buying", GPUS)]
        kinds = {"paused buying.": "is", "paused buying at": "was", "resumed buying": "over"}
        told = " ".join(kind for text in texts for words, kind in kinds.items() if text.startswith(words))
        # A pause is followed by its own end rather than by the next pause, except for the last one.
        assert re.fullmatch("((is )?was |is over )*is", told), told
        assert len(re.findall("is|was", told)) >= 3


async def test_a_pause_that_ended_unposted_becomes_one_message(
    tmp_path: Path,
) -> None:
    async with a_team(tmp_path) as (ours, clock):
        failing = await ours.fault("*", "cut_before", times=None)
        await change_buying(ours, clock, Pause, "bill check")
        await ours.deliver()
        await change_buying(ours, clock, Resume)
        await ours.end_fault(failing)
        await deliver_for(ours, clock, MINUTE)
        (text,) = await said(ours, "uying", GPUS)
        assert text == (
            'The operator paused buying at 13:02: "bill check". The operator resumed buying at 13:04, so '
            "machines can be rented again."
        )
        assert await ours.queued() == []


async def test_a_person_who_resumed_buying_is_notified_of_an_unposted_pause(tmp_path: Path) -> None:
    """Nobody is notified of their own actions, so Cleo gets no message about the end of the pause."""
    async with a_team(tmp_path) as (ours, clock):
        failing = await ours.fault("*", "cut_before", times=None)
        await change_buying(ours, clock, Pause, "bill check")
        await ours.deliver()
        clock.jump(2 * MINUTE)
        assert await carry_out(ours.deps, Person(id=CLEO, name="Cleo"), Resume())
        await ours.end_fault(failing)
        await deliver_for(ours, clock, MINUTE)
        reads = [m["reads"] for m in await ours.world.see(CLEO) if m["is_dm"]]
        assert [text.split(" at ")[0] for text in reads] == ["The operator paused buying"]


async def test_a_refused_message_does_not_delay_others(tmp_path: Path) -> None:
    async with a_team(tmp_path) as (ours, clock):
        rental = (await ours.rented()).id
        await deliver_for(ours, clock, MINUTE)
        await ours.refuse("chat.postMessage", "restricted_action", match="Step 0")
        await say(ours, "Step 0", rental_id=rental)
        await say(ours, "Step 1", rental_id=rental)
        await ours.deliver()
        assert await said(ours, "Step") == ["Step 1"]


@pytest.mark.parametrize(
    "failing", [{"kind": "cut_before"}, {"kind": "status", "status": 429, "retry_after": 3600}]
)
async def test_a_message_with_an_unknown_outcome_delays_others_for_a_minute(
    tmp_path: Path, failing: dict[str, Any]
) -> None:
    async with a_team(tmp_path) as (ours, clock):
        rental = (await ours.rented()).id
        await deliver_for(ours, clock, MINUTE)
        await ours.fault("chat.postMessage", "cut_after", match="Step 0")
        unreadable = await ours.fault("conversations.history", times=None, **failing)
        await say(ours, "Step 0", rental_id=rental)
        await say(ours, "Step 1", rental_id=rental)
        await deliver_for(ours, clock, timedelta(seconds=50))
        assert await said(ours, "Step") == ["Step 0"]
        await deliver_for(ours, clock, 2 * MINUTE)
        assert await said(ours, "Step") == ["Step 0", "Step 1"]
        assert len(await ours.queued()) == 1
        await ours.end_fault(unreadable)
        await deliver_for(ours, clock, 70 * MINUTE)
        assert await said(ours, "Step") == ["Step 0", "Step 1"]
        assert await ours.queued() == []


async def test_the_first_answer_after_an_outage_ends_waits_except_requested_ones(
    tmp_path: Path,
) -> None:
    async with a_team(tmp_path) as (ours, clock):
        rental = (await ours.rented()).id
        await deliver_for(ours, clock, MINUTE)
        await ours.fault("chat.update", "status", status=429, retry_after=3600)
        await ours.command(ANA, f"destroy {rental}")
        await ours.submit(ANA)
        await ours.delivery.turn()
        await ours.delivery.drain()
        edits = len((await ours.world.get("traffic", endpoint="chat.update"))["requests"])
        failing = await ours.fault("*", "cut_before", times=None)
        for number in range(5):
            await say(ours, f"Step {number}", channel=(GPUS, TRAINING)[number % 2])
        await deliver_for(ours, clock, 10 * MINUTE)
        await ours.end_fault(failing)
        await say(ours, "Step 5")
        for _ in range(6):  # as many passes as the messages need, without letting time pass
            await ours.deliver()
        texts = [*await said(ours, "Step", GPUS), *await said(ours, "Step")]
        assert sorted(texts) == [f"Step {number}" for number in range(6)]
        assert len((await ours.world.get("traffic", endpoint="chat.update"))["requests"]) == edits
        await deliver_for(ours, clock, 70 * MINUTE)
        assert (await ours.look(ANA, TRAINING, "The request for 1x H100"))["reads"].endswith("was cancelled.")
