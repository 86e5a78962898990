"""Events: taken before they are acknowledged, so that Slack sends again what could not be written."""

from __future__ import annotations

from pathlib import Path

from sandbox.slack import Timing
from sandbox.slack.default import ANA, BEN, SHARED
from tests.handlers.team import Team, team


async def outcome(ours: Team, event_id: str) -> tuple[str, int]:
    (event,) = (await ours.world.get("events", id=event_id, wait=10))["events"]
    return event["state"], event["attempts"]


async def test_what_the_store_does_not_take_comes_again(tmp_path: Path) -> None:
    async with team(tmp_path, timing=Timing(retries=(0.0, 0.0, 0.0))) as ours:
        await ours.context.people.who(ANA)
        with ours.locked():
            sent = await ours.world.act("event", type="user_change", user={"id": ANA})
            await ours.world.get("traffic", after=0, endpoint="envelope", wait=5)
        assert await outcome(ours, sent["event_id"]) in {("acknowledged", n) for n in (1, 2, 3, 4)}
        async with ours.desk.store.read() as tx:
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
        assert not (await ours.context.rooms.room(SHARED)).shared
        await ours.world.act(f"channels/{SHARED}", "PATCH", shared=True)
        sent = await ours.world.act("event", type="channel_shared", channel=SHARED, connected_team_id="T2")
        assert await outcome(ours, sent["event_id"]) == ("acknowledged", 1)
        assert (await ours.context.rooms.room(SHARED)).shared


async def test_who_writes_to_the_bot_gets_a_hint(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        said = await ours.world.act("say", user=ANA, dm=True, text="get me an H100")
        (event,) = (await ours.world.get("events", wait=10))["events"]
        assert event["state"] == "acknowledged"
        await ours.deliver()
        read = await ours.world.reads(ANA, channel=said["channel"])
        assert sum("I read commands, also here." in text for text in read) == 1
