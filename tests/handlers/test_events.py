"""Events: taken before they are acknowledged, so that Slack sends again what could not be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.model.base import changed
from bot.policy.rules import Rules, Use
from handlers.listeners.hints import PER_MINUTE
from sandbox.slack import Timing
from sandbox.slack.default import ANA, APPROVERS, BEN, CLEO, GUS, SHARED
from tests.handlers.team import RULES, Team, team


async def outcome(ours: Team, event_id: str) -> tuple[str, int]:
    (event,) = (await ours.world.get("events", id=event_id, wait=10))["events"]
    return event["state"], event["attempts"]


async def test_what_the_store_does_not_take_comes_again(tmp_path: Path) -> None:
    async with team(tmp_path, timing=Timing(retries=(0.0, 0.0, 0.0))) as ours:
        await ours.context.people.get(ANA)
        with ours.locked():
            sent = await ours.world.act("event", type="user_change", user={"id": ANA})
            await ours.world.get("traffic", after=0, endpoint="envelope", wait=5)
        assert await outcome(ours, sent["event_id"]) in {("acknowledged", n) for n in (1, 2, 3, 4)}
        async with ours.deps.store.read() as tx:
            assert await tx.people.get(ANA, ours.clock.real().replace(year=2000)) is None


async def test_a_change_of_someone_unknown_writes_nothing(tmp_path: Path) -> None:
    """Slack tells of every status that anybody sets."""
    async with team(tmp_path) as ours:
        with ours.locked():
            sent = await ours.world.act("event", type="user_change", user={"id": BEN})
            assert await outcome(ours, sent["event_id"]) == ("acknowledged", 1)


async def test_events_of_another_shape_are_passed_over(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for inner in (
            {"type": "user_change", "user": "U1"},
            {"type": "user_change"},
            {"type": "subteam_members_changed", "subteam_id": 7},
            {"type": "subteam_members_changed", "subteam_id": "S0OTHER"},
            {"type": "member_joined_channel", "channel": None},
            {"type": "channel_shared"},
            {"type": "message", "channel_type": "im"},
        ):
            sent = await ours.world.act("event", **inner)
            assert await outcome(ours, sent["event_id"]) == ("acknowledged", 1)


async def test_a_channel_that_gets_shared_is_asked_about_again(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.world.act(f"channels/{SHARED}", "PATCH", shared=False)
        assert not (await ours.context.channels.get(SHARED)).shared
        await ours.world.act(f"channels/{SHARED}", "PATCH", shared=True)
        sent = await ours.world.act("event", type="channel_shared", channel=SHARED, connected_team_id="T2")
        assert await outcome(ours, sent["event_id"]) == ("acknowledged", 1)
        assert (await ours.context.channels.get(SHARED)).shared


async def writes(ours: Team, *people: str) -> None:
    """Each of them sends the bot a direct message; all events are taken."""
    before = len((await ours.world.get("events"))["events"])
    for person in people:
        await ours.world.act("say", user=person, dm=True, text="get me an H100")
    events = (await ours.world.get("events", wait=10))["events"]
    assert [event["state"] for event in events[before:]] == ["acknowledged"] * len(people)
    await ours.deliver()


async def hints(ours: Team, person: str) -> int:
    read = await ours.world.reads(person, channel=f"D{person[1:]}")
    return sum("I read commands, also here." in text for text in read)


async def test_who_writes_to_the_bot_gets_one_hint_an_hour(tmp_path: Path) -> None:
    """Also if the bot was started again meanwhile."""
    async with team(tmp_path) as ours:
        await writes(ours, ANA, ANA, BEN, ANA)
        assert (await hints(ours, ANA), await hints(ours, BEN)) == (1, 1)
        ours.context.hints.forget(ANA)
        await writes(ours, ANA)
        assert await hints(ours, ANA) == 1


@pytest.mark.parametrize("rules", [RULES, changed(RULES, use=Use(groups=(APPROVERS,)))])
async def test_who_may_not_use_the_bot_gets_no_hint(tmp_path: Path, rules: Rules) -> None:
    """A guest, and a member whom the rules leave out."""
    async with team(tmp_path, rules=rules) as ours:
        nobody = GUS if rules is RULES else ANA
        await writes(ours, *[nobody] * 5)
        assert await hints(ours, nobody) == 0
        assert await ours.queued() == []
        asked = (await ours.world.get("traffic", endpoint="users.info"))["requests"]
        assert len(asked) == 1


async def test_hints_for_many_stay_few(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        people = [(await ours.world.act("people", name=f"Person {n}"))["id"] for n in range(PER_MINUTE + 10)]
        await writes(ours, *people)
        assert [await hints(ours, person) for person in people].count(1) == PER_MINUTE


async def test_while_slack_asks_to_wait_hints_wait_as_all_posts_do(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.world.act(
            "faults", endpoint="chat.postMessage", kind="status", status=429, retry_after=30, times=None
        )
        await writes(ours, ANA, BEN)
        await ours.deliver()
        await writes(ours, CLEO)
        asked = (await ours.world.get("traffic", endpoint="chat.postMessage"))["requests"]
        assert len(asked) <= 2  # those that were under way when Slack said so
