"""Events are handled before they are acknowledged, so that Slack resends an event that could not be stored."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from sandbox.slack import Timing
from sandbox.slack.default import ANA, BEN, SHARED
from tests.handlers.team import Team, team


async def delivery_of(ours: Team, event_id: str) -> tuple[str, int]:
    (event,) = (await ours.world.get("events", id=event_id, wait=10))["events"]
    return event["state"], event["attempts"]


async def test_an_event_that_could_not_be_stored_is_sent_again(tmp_path: Path) -> None:
    async with team(tmp_path, timing=Timing(ack=1.0, retries=(0.0,) * 9)) as ours:
        await ours.context.people.get(ANA)
        last = (await ours.world.get("traffic", after=0))["last"]
        with ours.locked():
            sent = await ours.world.act("event", type="user_change", user={"id": ANA})
            for _ in ("first", "again"):
                seen = await ours.world.get("traffic", after=last, endpoint="envelope", wait=10)
                last = seen["requests"][-1]["n"]
        state, attempts = await delivery_of(ours, sent["event_id"])
        assert (state, attempts > 1) == ("acknowledged", True)
        async with ours.deps.store.read() as tx:
            assert await tx.people.get(ANA, ours.clock.real().replace(year=2000)) is None


async def test_a_change_of_an_uncached_person_writes_nothing(tmp_path: Path) -> None:
    """Slack also sends this event whenever anybody sets a status."""
    async with team(tmp_path) as ours:
        with ours.locked():
            sent = await ours.world.act("event", type="user_change", user={"id": BEN})
            assert await delivery_of(ours, sent["event_id"]) == ("acknowledged", 1)


async def test_malformed_events_are_acknowledged_and_ignored(tmp_path: Path) -> None:
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
            assert await delivery_of(ours, sent["event_id"]) == ("acknowledged", 1)


async def test_a_home_tab_of_a_user_unknown_to_slack_is_ignored(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        with capture_logs() as lines:
            sent = await ours.world.act("event", type="app_home_opened", user="U0NOBODY0", tab="home")
            assert await delivery_of(ours, sent["event_id"]) == ("acknowledged", 1)
        assert not [line for line in lines if line["event"] in {"bug", "event.not_handled"}]


async def test_a_channel_is_looked_up_again_after_being_shared(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.world.act(f"channels/{SHARED}", "PATCH", shared=False)
        assert not (await ours.context.channels.get(SHARED)).shared
        await ours.world.act(f"channels/{SHARED}", "PATCH", shared=True)
        sent = await ours.world.act("event", type="channel_shared", channel=SHARED, connected_team_id="T2")
        assert await delivery_of(ours, sent["event_id"]) == ("acknowledged", 1)
        assert (await ours.context.channels.get(SHARED)).shared
