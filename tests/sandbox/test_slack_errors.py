"""Slack's errors by name: what each call is refused for."""

import asyncio
from typing import Any

import pytest

from sandbox.slack import AppConfig
from sandbox.slack.default import ANA, APPROVALS, DAN, OLGA, QUIET, SHARED, TRAINING
from sandbox.slack.state import BOT_USER
from tests.sandbox.slack_world import Json, actions, button, modal, section, text_input, workspace

HERE: Json = {"channel": TRAINING, "text": "x"}

REFUSED: list[tuple[str, Json, str]] = [
    ("bots.info", {"bot": "B0OTHER"}, "bot_not_found"),
    ("chat.delete", {"channel": QUIET, "ts": "1.000001"}, "channel_not_found"),
    ("chat.getPermalink", {"channel": TRAINING, "message_ts": "1.000001"}, "message_not_found"),
    ("chat.postEphemeral", {**HERE, "user": ANA, "text": "é" * 2001}, "msg_too_long"),
    ("chat.postEphemeral", {"channel": QUIET, "user": ANA, "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {**HERE, "attachments": [{}] * 101}, "too_many_attachments"),
    ("chat.postMessage", {**HERE, "attachments": "x"}, "invalid_attachments"),
    ("chat.postMessage", {**HERE, "blocks": {"type": "divider"}}, "invalid_blocks_format"),
    ("chat.postMessage", {**HERE, "blocks": "[{"}, "invalid_blocks_format"),
    ("chat.postMessage", {**HERE, "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
    ("chat.postMessage", {**HERE, "metadata": ["x"]}, "invalid_metadata_format"),
    ("chat.postMessage", {**HERE, "metadata": {"event_payload": {}}}, "invalid_metadata_schema"),
    ("chat.postMessage", {"channel": TRAINING, "markdown_text": "x" * 12_001}, "msg_too_long"),
    ("chat.postMessage", {"channel": TRAINING, "text": " "}, "no_text"),
    ("chat.update", {**HERE, "ts": "1.000001"}, "message_not_found"),
    ("conversations.history", {"channel": TRAINING, "limit": 1000}, "invalid_limit"),
    ("conversations.history", {"channel": TRAINING, "cursor": "next"}, "invalid_cursor"),
    ("conversations.history", {"channel": TRAINING, "oldest": "noon"}, "invalid_ts_oldest"),
    ("conversations.info", {"channel": QUIET}, "channel_not_found"),
    ("conversations.list", {"types": "public_channel,secret"}, "invalid_types"),
    ("conversations.list", {"types": "im"}, "missing_scope"),
    ("conversations.members", {"channel": "C0NOWHERE"}, "channel_not_found"),
    ("conversations.open", {"users": BOT_USER}, "cannot_dm_bot"),
    ("conversations.open", {"users": DAN}, "user_disabled"),
    ("conversations.open", {"users": f"{ANA},{OLGA}"}, "missing_scope"),
    ("conversations.replies", {"channel": TRAINING, "ts": "1.000001"}, "thread_not_found"),
    ("users.info", {"user": "W0NOBODY"}, "user_not_found"),
    ("views.open", {"trigger_id": "1.2.3", "view": modal()}, "invalid_trigger_id"),
    ("views.open", {"view": modal()}, "invalid_arguments"),
    ("views.push", {"trigger_id": "1.2.3", "view": modal()}, "invalid_trigger_id"),
    ("views.update", {"view": modal()}, "invalid_arguments"),
    ("views.update", {"external_id": "none", "view": modal()}, "not_found"),
]


@pytest.mark.parametrize(
    ("method", "arguments", "error"), REFUSED, ids=[f"{method} {error}" for method, _, error in REFUSED]
)
async def test_what_is_refused(method: str, arguments: Json, error: str) -> None:
    async with workspace() as world:
        told = await world.raw(method, json=arguments)
        assert (told["ok"], told["error"]) == (False, error)


async def test_an_outsider_is_out_of_reach_without_a_channel_in_common() -> None:
    async with workspace() as world:
        assert (await world.client.conversations_open(users=OLGA))["ok"]
    async with workspace() as world:
        await world.act(f"channels/{SHARED}", "PATCH", members=[ANA])
        assert await world.refused(world.client.conversations_open(users=OLGA)) == "user_not_visible"
        assert await world.refused(world.post(OLGA)) == "channel_not_found"
        assert (await world.client.users_info(user=OLGA))["user"]["is_stranger"]


async def test_what_the_manifest_leaves_out() -> None:
    app = AppConfig(home_tab=False, messages_tab=False, socket_mode=False)
    async with workspace(app=app) as world:
        publish = world.client.views_publish(user_id=ANA, view={"type": "home", "blocks": []})
        assert await world.refused(publish) == "not_enabled"
        assert await world.refused(world.post(ANA)) == "messages_tab_disabled"
        opening = world.client.apps_connections_open(app_token=world.sandbox.app_token)
        assert await world.refused(opening) == "socket_mode_disabled"


async def test_an_archived_channel_takes_nothing() -> None:
    async with workspace() as world:
        posted = await world.post(APPROVALS)
        await world.act(f"channels/{APPROVALS}", "PATCH", archived=True)
        where: Json = {"channel": APPROVALS, "text": "x"}
        for method, more in (
            ("chat.postMessage", {}),
            ("chat.postEphemeral", {"user": ANA}),
            ("chat.update", {"ts": posted["ts"]}),
            ("chat.delete", {"ts": posted["ts"]}),
        ):
            assert (await world.raw(method, json={**where, **more}))["error"] == "is_archived"


async def test_an_external_id_is_one_views_alone() -> None:
    async with workspace() as world:
        socket = await world.socket()

        async def trigger() -> str:
            posted = await world.post(blocks=[actions(button("Go", "go"))])
            clicking = world.act("click", user=ANA, channel=TRAINING, ts=posted["ts"], action_id="go")
            [told, _] = await both(socket, clicking)
            return str(told["trigger_id"])

        first = await world.client.views_open(trigger_id=await trigger(), view=modal(external_id="mine"))
        again = world.client.views_open(trigger_id=await trigger(), view=modal(external_id="mine"))
        assert await world.refused(again) == "duplicate_external_id"
        same = await world.client.views_update(external_id="mine", view=modal(external_id="mine"))
        assert same["view"]["id"] == first["view"]["id"]


async def both(socket: Any, act: Any) -> tuple[Json, Json]:
    """What the app is told of an act that it acknowledges, and how the act ends."""
    acting = asyncio.ensure_future(act)
    envelope = await socket.next()
    await socket.ack(envelope)
    return envelope["payload"], await acting


async def test_what_a_persons_client_does_not_do() -> None:
    async with workspace() as world:
        socket = await world.socket()
        posted = await world.post(blocks=[section("x", accessory=button("Go", "go"))])
        clicking = world.act("click", user=ANA, channel=TRAINING, ts=posted["ts"], action_id="go")
        [told, _] = await both(socket, clicking)
        view = modal(text_input("name"))
        shown = (await world.client.views_open(trigger_id=told["trigger_id"], view=view))["view"]["id"]
        unknown = {"name": {"other": "x"}}
        assert (await world.act("submit", user=ANA, view_id=shown, values=unknown))["error"] == "no_such_input"
        bare = {key: part for key, part in modal(section("Look")).items() if key != "submit"}
        await world.client.views_update(view_id=shown, view=bare)
        assert (await world.act("submit", user=ANA, view_id=shown))["error"] == "no_submit_button"
        late = await world.act("say", user=ANA, channel=TRAINING, text="x", thread_ts="1.000001")
        assert late["error"] == "no_such_thread"
