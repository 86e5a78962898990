"""Lookups of people and channels: guests, outsiders, groups, changes, and missing answers from Slack."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.errors import Outage
from bot.model.person import Person
from bot.model.state import State
from handlers.directory import People
from sandbox.slack import from_manifest
from sandbox.slack.default import ANA, APPROVALS, APPROVERS, BEN, CLEO, GPUS, GUS, OLGA, SHARED, TRAINING
from sandbox.slack.state import BOT_USER, OTHER_TEAM, TEAM
from tests.handlers.team import MANIFEST, Team, an_offer, team

ORG, SISTER, FOREIGN_ORG = "E0HOME000", "T0SISTER0", "E0FOREIGN"
ONLY_MEMBERS = "Only members of my own workspace can use me. Nothing was changed."
BROKEN: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500},
    {"kind": "garbage"},
    {"kind": "garbage", "body": "[]", "status": 200},
)


async def call_count(ours: Team, method: str) -> int:
    """Return the number of calls of a method."""
    traffic = (await ours.world.get("traffic", after=0, endpoint=method))["requests"]
    return len(traffic)


async def reply_to_click(ours: Team, user: str, channel: str, action_id: str, value: str) -> str:
    """Post a button, click it as a person, and return the reply."""
    button = {
        "type": "button",
        "action_id": action_id,
        "value": value,
        "text": {"type": "plain_text", "text": "Go"},
    }
    posted = await ours.world.post(channel, blocks=[{"type": "actions", "elements": [button]}])
    outcome = await ours.world.act("click", user=user, channel=channel, ts=posted["ts"], action_id=action_id)
    assert outcome["error"] is None
    await ours.context.gate.idle()
    return (await ours.replies())[-1]


async def reply_to_ben(ours: Team, **profile: Any) -> str:
    """Click a button in the shared channel as Ben with this profile, and return the reply."""
    await ours.world.act(f"people/{BEN}", "PATCH", **profile)
    await ours.world.act(f"channels/{SHARED}", "PATCH", members=[ANA, BEN, CLEO, OLGA])
    await wait_for_events(ours)
    return await reply_to_click(ours, BEN, SHARED, "show_rental", "k7mq2")


async def test_without_the_scope_users_read_people_see_which_scope_is_missing(tmp_path: Path) -> None:
    app = from_manifest(MANIFEST)
    scopes = tuple(scope for scope in app.scopes if scope != "users:read")
    async with team(tmp_path, app=replace(app, scopes=scopes)) as ours:
        assert await ours.command(ANA, "list") == (
            "I can't tell who you are, because my Slack app lacks the scope users:read. Nothing was changed. "
            "An admin can add the scope: gpubot doctor says how."
        )


async def test_a_click_by_an_outsider_changes_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await ours.rented()
        assert await reply_to_click(ours, OLGA, SHARED, "cancel", rental.id) == ONLY_MEMBERS
        assert (await ours.rental(rental.id)).state is State.PROCURING


async def test_a_foreign_team_in_a_payload_makes_a_cached_member_an_outsider(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert not (await ours.context.people.get(ANA)).outsider
        assert (await ours.context.people.get(ANA, OTHER_TEAM)).outsider


@pytest.mark.parametrize(
    ("profile", "member"),
    [
        pytest.param({"org": ORG}, True, id="a click names the organization as the team"),
        pytest.param({"org": ORG, "team": SISTER, "teams": [SISTER, TEAM]}, True, id="home is a sister workspace"),
        pytest.param({"org": ORG, "team": SISTER, "teams": [SISTER]}, False, id="a colleague who is no member"),
        pytest.param({"org": FOREIGN_ORG, "team": OTHER_TEAM}, False, id="another organization's"),
        pytest.param({"team": OTHER_TEAM}, False, id="a team's without an organization"),
    ],
)
async def test_in_an_organization_only_workspace_members_may_act(
    tmp_path: Path, profile: dict[str, Any], member: bool
) -> None:
    async with team(tmp_path, org=ORG) as ours:
        reply = await reply_to_ben(ours, **profile)
        assert reply.startswith("k7mq2 is missing from my database" if member else ONLY_MEMBERS)


async def test_outside_organizations_a_payload_naming_one_is_from_an_outsider(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert await reply_to_ben(ours, org=ORG) == ONLY_MEMBERS


async def test_a_person_is_looked_up_once_and_again_after_a_change(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for _ in range(3):
            await ours.command(ANA, "help")
        assert await call_count(ours, "users.info") == 1
        sent = await ours.world.act(f"people/{ANA}", "PATCH", guest="restricted")
        assert sent["status"] == 200
        await wait_for_events(ours)
        assert (await ours.command(ANA, "list")).startswith("Your team's rules don't let you rent here.")
        assert await call_count(ours, "users.info") == 2


async def wait_for_events(ours: Team) -> None:
    """Wait until every event has been acknowledged."""
    events = (await ours.world.get("events", wait=10))["events"]
    assert all(event["state"] == "acknowledged" for event in events), events


async def test_a_person_who_changes_during_a_lookup_is_looked_up_again(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        people = ours.context.people
        held = await ours.fault("users.info", "hold_after")
        first = asyncio.create_task(people.get(ANA))
        assert (await ours.world.get(f"faults/{held}", wait=5))["hits"] == 1
        await people.forget(ANA)
        await ours.world.act(f"faults/{held}/release")
        await first
        await people.get(ANA)
        assert await call_count(ours, "users.info") == 2


async def test_concurrent_lookups_share_one_call_for_a_groups_members(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await asyncio.gather(*(ours.command(user, "help") for user in (ANA, BEN, CLEO)))
        assert await call_count(ours, "usergroups.users.list") == 1
        assert (await ours.context.people.get(BEN)).groups == {APPROVERS}
        assert (await ours.context.people.get(ANA)).groups == frozenset()


async def test_all_processes_query_a_group_again_after_one_hears_of_a_change(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        other = People(ours.deps, ours.world.client)
        assert (await other.get(BEN)).groups == {APPROVERS}
        await ours.world.act(f"groups/{APPROVERS}", "PATCH", members=[CLEO])
        await wait_for_events(ours)
        assert (await other.get(BEN)).groups == frozenset()


async def test_a_person_who_left_the_approvers_group_cannot_decide(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        message = await ours.offered(ANA, an_offer("o1", "12.00"))
        await ours.click(ANA, message, "Ask")
        await ours.submit(ANA)
        await ours.deliver()
        assert (await ours.context.people.get(BEN)).groups == {APPROVERS}
        await ours.world.act(f"groups/{APPROVERS}", "PATCH", members=[CLEO])
        await wait_for_events(ours)
        await ours.click(BEN, await ours.look(BEN, APPROVALS, "Approve up to"), "Deny")
        assert (await ours.replies())[-1] == "Only approvers can decide about requests. Nothing was changed."


async def test_if_slack_lacks_groups_and_guest_flags_nobody_has_them(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.world.act("lacks", usergroups=True, guest_flags=True)
        assert (await ours.context.people.get(BEN)).groups == frozenset()
        assert not (await ours.context.people.get(GUS)).guest


async def test_a_person_gets_name_zone_and_flags_from_the_slack_profile(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ana = await ours.context.people.get(ANA)
        assert (ana.name, ana.tz, ana.guest, ana.bot) == ("Ana", "Europe/Berlin", False, False)
        assert (await ours.context.people.get(GUS)).guest
        assert (await ours.context.people.get(BOT_USER)).bot


@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
async def test_a_command_is_refused_while_slack_does_not_answer(tmp_path: Path, method: str) -> None:
    async with team(tmp_path, lookup_timeout=2) as ours:
        await ours.fault(method, "hang")
        reply = await ours.command(ANA, "list")
        assert reply == "Slack didn't tell me in time who you are, so nothing was changed. Try again in a moment."
        assert "You have no machines right now." in await ours.command(ANA, "list")


@pytest.mark.parametrize("failure", [{"kind": "status", "status": 429, "retry_after": 7}, *BROKEN])
async def test_an_unusable_answer_about_a_person_raises_outage(tmp_path: Path, failure: dict[str, Any]) -> None:
    async with team(tmp_path) as ours:
        await ours.fault("users.info", **failure)
        with pytest.raises(Outage):
            await ours.context.people.get(ANA)


async def test_a_person_is_looked_up_again_after_15_minutes(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        now = ours.clock.real()
        async with ours.deps.store.write() as tx:
            known = Person(id=ANA, name="Ana of old")
            await tx.people.put(known, now - timedelta(minutes=14))
        assert (await ours.context.people.get(ANA)).name == "Ana of old"
        async with ours.deps.store.write() as tx:
            await tx.people.put(known, now - timedelta(minutes=16))
        assert (await ours.context.people.get(ANA)).name == "Ana"


async def test_a_forced_lookup_without_an_answer_keeps_the_last_answer(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        people = ours.context.people
        await people.get(ANA)
        async with ours.deps.store.write() as tx:
            await tx.people.put(Person(id=ANA, name="Ana of old"), ours.clock.real())
        await ours.refuse("users.info", "internal_error")
        assert not await people.ask_anew(ANA)
        assert (await people.get(ANA)).name == "Ana of old"
        assert await people.ask_anew(ANA)
        assert (await people.get(ANA)).name == "Ana"


# --- channels


async def test_a_channel_gets_its_flags_from_slack_and_is_cached(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        channels = ours.context.channels
        training = await channels.get(TRAINING)
        assert training.name == "training"
        assert (training.member, training.direct, training.shared) == (True, False, False)
        assert (await channels.get(SHARED)).shared
        assert not (await channels.get("C0QUIET00")).member
        assert not (await channels.get("C0NOWHERE")).member
        assert (await channels.get("D0ANA0000")).direct
        await channels.get(TRAINING)
        assert await call_count(ours, "conversations.info") == 4


async def test_a_channel_is_looked_up_again_after_the_bot_joined_or_left(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        channels = ours.context.channels
        assert not (await channels.get("C0QUIET00")).member
        await ours.world.act("channels/C0QUIET00", "PATCH", bot=True)
        await wait_for_events(ours)
        assert (await channels.get("C0QUIET00")).member
        await ours.world.act("channels/C0QUIET00", "PATCH", bot=False)
        await wait_for_events(ours)
        assert not (await channels.get("C0QUIET00")).member


async def test_without_an_answer_the_bot_counts_as_outside_the_channel(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for failure in BROKEN:
            await ours.fault("conversations.info", **failure)
            assert not (await ours.context.channels.get(GPUS)).member
        assert (await ours.context.channels.get(GPUS)).member
