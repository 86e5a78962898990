"""Slack's error codes, and the calls that lead to them."""

import asyncio
from typing import Any

import pytest

from sandbox.slack import AppConfig
from sandbox.slack.default import ANA, APPROVALS, DAN, OLGA, QUIET, SHARED, TRAINING
from sandbox.slack.state import BOT_USER
from tests.sandbox.slack_world import Json, button, modal, section, text_input, workspace

HERE: Json = {"channel": TRAINING, "text": "x"}

REFUSED: list[tuple[str, Json, str]] = [
    ("chat.postEphemeral", {**HERE, "user": ANA, "text": "é" * 2001}, "msg_too_long"),
    ("chat.postEphemeral", {"channel": QUIET, "user": ANA, "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {**HERE, "blocks": {"type": "divider"}}, "invalid_blocks_format"),
    ("chat.postMessage", {**HERE, "blocks": "[{"}, "invalid_blocks_format"),
    ("chat.postMessage", {**HERE, "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
    ("chat.postMessage", {**HERE, "metadata": ["x"]}, "invalid_metadata_format"),
    ("chat.postMessage", {**HERE, "metadata": {"event_payload": {}}}, "invalid_metadata_schema"),
    ("chat.postMessage", {"channel": TRAINING, "text": " "}, "no_text"),
    ("chat.update", {**HERE, "ts": "1.000001"}, "message_not_found"),
    ("conversations.history", {"channel": TRAINING, "limit": 1000}, "invalid_limit"),
    ("conversations.history", {"channel": TRAINING, "cursor": "next"}, "invalid_cursor"),
    ("conversations.history", {"channel": TRAINING, "oldest": "noon"}, "invalid_ts_oldest"),
    ("conversations.info", {"channel": QUIET}, "channel_not_found"),
    ("conversations.members", {"channel": "C0NOWHERE"}, "channel_not_found"),
    ("conversations.open", {"users": BOT_USER}, "cannot_dm_bot"),
    ("conversations.open", {"users": DAN}, "user_disabled"),
    ("conversations.open", {"users": f"{ANA},{OLGA}"}, "missing_scope"),
    ("conversations.replies", {"channel": TRAINING, "ts": "1.000001"}, "thread_not_found"),
    ("users.info", {"user": "W0NOBODY"}, "user_not_found"),
    ("views.open", {"trigger_id": "1.2.3", "view": modal()}, "invalid_trigger_id"),
    ("views.open", {"view": modal()}, "invalid_arguments"),
    ("views.update", {"view": modal()}, "invalid_arguments"),
    ("views.update", {"view_id": "V1", "view": modal()}, "not_found"),
]


@pytest.mark.parametrize(
    ("method", "arguments", "error"), REFUSED, ids=[f"{method} {error}" for method, _, error in REFUSED]
)
async def test_a_wrong_call_is_refused_with_its_error(method: str, arguments: Json, error: str) -> None:
    async with workspace() as world:
        answer = await world.raw(method, json=arguments)
        assert (answer["ok"], answer["error"]) == (False, error)


async def test_an_outsider_without_a_channel_in_common_with_the_bot_is_unreachable() -> None:
    async with workspace() as world:
        assert (await world.client.conversations_open(users=OLGA))["ok"]
    async with workspace() as world:
        await world.act(f"channels/{SHARED}", "PATCH", members=[ANA])
        assert await world.refused(world.client.conversations_open(users=OLGA)) == "user_not_visible"
        assert await world.refused(world.post(OLGA)) == "channel_not_found"
        assert (await world.client.users_info(user=OLGA))["user"]["is_stranger"]


async def test_features_that_the_manifest_leaves_out_are_refused() -> None:
    app = AppConfig(home_tab=False, messages_tab=False, socket_mode=False)
    async with workspace(app=app) as world:
        publish = world.client.views_publish(user_id=ANA, view={"type": "home", "blocks": []})
        assert await world.refused(publish) == "not_enabled"
        assert await world.refused(world.post(ANA)) == "messages_tab_disabled"
        opening = world.client.apps_connections_open(app_token=world.sandbox.app_token)
        assert await world.refused(opening) == "socket_mode_disabled"


async def test_an_archived_channel_accepts_neither_posts_nor_edits() -> None:
    async with workspace() as world:
        posted = await world.post(APPROVALS)
        await world.act(f"channels/{APPROVALS}", "PATCH", archived=True)
        where: Json = {"channel": APPROVALS, "text": "x"}
        for method, more in (
            ("chat.postMessage", {}),
            ("chat.postEphemeral", {"user": ANA}),
            ("chat.update", {"ts": posted["ts"]}),
        ):
            assert (await world.raw(method, json={**where, **more}))["error"] == "is_archived"


async def both(socket: Any, act: Any) -> tuple[Json, Json]:
    """Acknowledge a person's action. Return the payload that the app gets, and the outcome of the action."""
    acting = asyncio.ensure_future(act)
    envelope = await socket.next()
    await socket.ack(envelope)
    return envelope["payload"], await acting


async def test_an_action_that_the_persons_client_does_not_allow_is_refused() -> None:
    async with workspace() as world:
        socket = await world.socket()
        posted = await world.post(blocks=[section("x", accessory=button("Go", "go"))])

        async def opened(view: Json) -> str:
            clicking = world.act("click", user=ANA, channel=TRAINING, ts=posted["ts"], action_id="go")
            [payload, _] = await both(socket, clicking)
            return str((await world.client.views_open(trigger_id=payload["trigger_id"], view=view))["view"]["id"])

        shown = await opened(modal(text_input("name")))
        unknown = {"name": {"other": "x"}}
        assert (await world.act("submit", user=ANA, view_id=shown, values=unknown))["error"] == "no_such_input"
        bare = {key: part for key, part in modal(section("Look")).items() if key != "submit"}
        shown = await opened(bare)
        assert (await world.act("submit", user=ANA, view_id=shown))["error"] == "no_submit_button"
        late = await world.act("say", user=ANA, channel=TRAINING, text="x", thread_ts="1.000001")
        assert late["error"] == "no_such_thread"
