"""The actions of people, the payloads and events for the app, and the messages that people see."""

import asyncio
from typing import Any

import pytest
from slack_bolt.app.async_app import AsyncApp

from sandbox.slack import AppConfig
from sandbox.slack.default import ANA, APPROVERS, BEN, CLEO, DAN, GPUS, GUS, OLGA, QUIET, SHARED, TRAINING
from sandbox.slack.state import BOT_USER, OTHER_TEAM, TEAM
from tests.sandbox.slack_world import (
    Json,
    RawSocket,
    actions,
    button,
    section,
    workspace,
)

EVERYTHING = AppConfig(
    events=("message.im", "message.channels", "app_mention", "user_change", "subteam_members_changed"),
)


async def payload_of(socket: RawSocket, act: Any) -> Json:
    """Acknowledge a person's action, and return the payload that the app gets."""
    waiting = asyncio.ensure_future(act)
    envelope = await socket.next()
    await socket.ack(envelope)
    outcome = await waiting
    assert outcome["ok"], outcome
    payload = envelope["payload"]
    assert isinstance(payload, dict)
    return payload


async def test_the_payload_of_a_command_has_all_fields() -> None:
    async with workspace() as world:
        socket = await world.socket()
        payload = await payload_of(socket, world.command(ANA, "  get H100  "))
        assert {key: payload[key] for key in ("user_id", "user_name", "channel_id", "channel_name", "text")} == {
            "user_id": ANA,
            "user_name": "ana",
            "channel_id": TRAINING,
            "channel_name": "training",
            "text": "get H100",
        }
        assert (payload["team_id"], payload["command"]) == (TEAM, "/gpu")
        direct = await payload_of(socket, world.command(ANA, channel="", dm=True))
        assert (direct["channel_name"], direct["channel_id"][0]) == ("directmessage", "D")
        private = await payload_of(socket, world.command(ANA, channel=QUIET))
        assert private["channel_name"] == "privategroup"


async def test_with_should_escape_names_in_a_command_become_ids() -> None:
    text = "k7mq2 for @ben in #gpus, you@laptop a<b & c you@laptop.example"
    escaped = f"k7mq2 for <@{BEN}|ben> in <#{GPUS}|gpus>, you@laptop a&lt;b &amp; c "
    async with workspace() as world:
        payload = await payload_of(await world.socket(), world.command(ANA, text))
        assert payload["text"] == escaped + "<mailto:you@laptop.example|you@laptop.example>"
    async with workspace(app=AppConfig(commands={"/gpu": False})) as world:
        payload = await payload_of(await world.socket(), world.command(ANA, text))
        assert payload["text"] == text


@pytest.mark.parametrize(
    ("user", "channel", "error"),
    [
        (OLGA, SHARED, "outsiders_cannot_run_commands"),
        (DAN, GPUS, "deactivated"),
        (GUS, TRAINING, "not_a_member"),
        (ANA, "C0NOWHERE", "no_such_channel"),
        (BOT_USER, GPUS, "no_such_person"),
    ],
)
async def test_some_people_cannot_run_a_command(user: str, channel: str, error: str) -> None:
    async with workspace() as world:
        outcome = await world.command(user, channel=channel)
        assert (outcome["status"], outcome["error"]) == (409, error)


async def test_the_payload_of_a_click_has_all_fields() -> None:
    async with workspace() as world:
        socket = await world.socket()
        posted = await world.post(
            SHARED, "Rent?", blocks=[section("Rent?"), actions(button("Rent", "rent", "q1"))]
        )
        click = world.act("click", user=OLGA, channel=SHARED, ts=posted["ts"], action_id="rent")
        payload = await payload_of(socket, click)
        assert payload["type"] == "block_actions"
        assert payload["user"] == {"id": OLGA, "username": "olga", "name": "olga", "team_id": OTHER_TEAM}
        assert (payload["team"]["id"], payload["enterprise"], payload["api_app_id"]) == (TEAM, None, "A0APP0000")
        assert payload["channel"] == {"id": SHARED, "name": "shared"}
        assert payload["container"] == {
            "type": "message",
            "message_ts": posted["ts"],
            "channel_id": SHARED,
            "is_ephemeral": False,
        }
        assert payload["message"]["ts"] == posted["ts"]
        assert payload["state"] == {"values": {}}
        [action] = payload["actions"]
        assert (action["type"], action["action_id"], action["value"]) == ("button", "rent", "q1")
        assert action["block_id"] == payload["message"]["blocks"][1]["block_id"]
        assert payload["response_url"].startswith(f"{world.url}/actions/")
        assert payload["trigger_id"]


async def test_only_its_reader_can_click_an_ephemeral_message() -> None:
    """The payload of the click doesn't contain the message."""
    async with workspace() as world:
        socket = await world.socket()
        blocks = [actions(button("Rent", "rent"))]
        shown = await world.client.chat_postEphemeral(channel=TRAINING, user=ANA, text="Rent?", blocks=blocks)
        target: Json = {"channel": TRAINING, "ts": shown["message_ts"], "action_id": "rent"}
        payload = await payload_of(socket, world.act("click", user=ANA, **target))
        assert payload["container"]["is_ephemeral"]
        assert "message" not in payload
        assert (await world.act("click", user=BEN, **target))["error"] == "no_such_message"


async def test_value_selects_among_equal_buttons_and_seq_an_old_state() -> None:
    async with workspace() as world:
        socket = await world.socket()
        blocks = [actions(button("A", "rent", "a")), actions(button("B", "rent", "b"))]
        posted = await world.post(blocks=blocks)
        [seen] = await world.see(ANA)
        await world.client.chat_update(channel=TRAINING, ts=posted["ts"], text="Over")
        target: Json = {"user": ANA, "channel": TRAINING, "ts": posted["ts"], "action_id": "rent"}
        assert (await world.act("click", **target))["error"] == "no_such_button"
        old: Json = {**target, "seq": seen["seq"]}
        assert (await world.act("click", **old))["error"] == "several_such_buttons"
        payload = await payload_of(socket, world.act("click", **old, value="b"))
        assert payload["actions"][0]["value"] == "b"


async def test_a_choice_in_a_menu_is_sent_and_kept_in_the_messages_state() -> None:
    options = [{"text": {"type": "plain_text", "text": name}, "value": name} for name in ("1h", "4h")]
    menu = {"type": "static_select", "action_id": "hours", "options": options}
    async with workspace() as world:
        socket = await world.socket()
        posted = await world.post(blocks=[{"block_id": "b", **actions(menu, button("Go", "go"))}])
        target: Json = {"user": ANA, "channel": TRAINING, "ts": posted["ts"]}
        assert (await world.act("click", **target, action_id="hours", selected="9h"))["error"] == "not_offered"
        chosen = await payload_of(socket, world.act("click", **target, action_id="hours", selected="4h"))
        assert chosen["actions"][0]["selected_option"]["value"] == "4h"
        went = await payload_of(socket, world.act("click", **target, action_id="go"))
        assert went["state"]["values"]["b"]["hours"]["selected_option"]["value"] == "4h"


async def test_a_direct_message_and_a_mention_are_sent_as_events() -> None:
    heard: asyncio.Queue[Json] = asyncio.Queue()

    def listens(app: AsyncApp) -> None:
        @app.event("message")
        async def message(event: Any) -> None:
            await heard.put(event)

        @app.event("app_mention")
        async def mention(event: Any) -> None:
            await heard.put(event)

    async with workspace(app=EVERYTHING) as world:
        await world.bolt(listens)
        await world.act("say", user=ANA, dm=True, text="hello <you> & me")
        direct = await heard.get()
        assert (direct["channel_type"], direct["user"], direct["text"]) == (
            "im",
            ANA,
            "hello &lt;you&gt; &amp; me",
        )
        await world.act("say", user=BEN, channel="gpus", text="@gpubot list")
        both = [await heard.get(), await heard.get()]
        assert {event["type"] for event in both} == {"message", "app_mention"}
        assert {event["text"] for event in both} == {f"<@{BOT_USER}> list"}


async def test_the_apps_own_posts_edits_and_deletions_are_sent_as_events() -> None:
    async with workspace(app=EVERYTHING) as world:
        socket = await world.socket()

        async def next_event() -> Json:
            envelope = await socket.next()
            await socket.ack(envelope)
            event = envelope["payload"]["event"]
            assert isinstance(event, dict)
            return event

        posted = await world.post(ANA, "one")
        new = await next_event()
        assert (new["user"], new["bot_id"], new["text"], "subtype" in new) == (BOT_USER, "B0BOT0000", "one", False)
        await world.client.chat_update(channel=posted["channel"], ts=posted["ts"], text="two")
        edit = await next_event()
        assert (edit["subtype"], edit["message"]["text"], "user" in edit) == ("message_changed", "two", False)
        state = world.sandbox.workspace
        state.delete(state.messages[posted["channel"]][posted["ts"]])
        gone = await next_event()
        assert (gone["subtype"], gone["deleted_ts"]) == ("message_deleted", posted["ts"])


async def test_the_app_can_only_do_what_its_manifest_allows() -> None:
    manifest = {
        "display_information": {"name": "Other"},
        "features": {"slash_commands": [{"command": "/other", "description": "x"}]},
        "oauth_config": {"scopes": {"bot": ["commands", "users:read"]}},
        "settings": {"socket_mode_enabled": True, "event_subscriptions": {"bot_events": ["user_change"]}},
    }
    async with workspace() as world:
        await world.act("app", manifest=manifest)
        assert (await world.command(ANA))["error"] == "no_such_command"
        assert await world.refused(world.post()) == "missing_scope"
        assert (await world.act("say", user=ANA, dm=True, text="hi"))["error"] == "messages_tab_disabled"
        assert (await world.act("app", manifest={"features": "none"}))["status"] == 422


async def test_changes_of_people_and_groups_are_sent_as_events() -> None:
    async with workspace(app=EVERYTHING) as world:
        socket = await world.socket()

        async def next_event(act: Any) -> Json:
            await act
            envelope = await socket.next()
            await socket.ack(envelope)
            event = envelope["payload"]["event"]
            assert isinstance(event, dict)
            return event

        changed = await next_event(world.act(f"people/{CLEO}", "PATCH", guest="restricted"))
        assert (changed["type"], changed["user"]["is_restricted"]) == ("user_change", True)
        group = await next_event(world.act(f"groups/{APPROVERS}", "PATCH", members=[ANA]))
        assert (group["added_users"], group["removed_users"], group["added_users_count"]) == ([ANA], [BEN], "1")
        gone = await next_event(world.act(f"people/{CLEO}", "PATCH", deleted=True))
        assert gone["user"]["deleted"]
        assert (await world.command(CLEO))["error"] == "deactivated"


async def test_see_waits_for_a_change_and_can_return_every_version() -> None:
    async with workspace() as world:
        waiting = asyncio.ensure_future(world.see(ANA, after=0, wait=20))
        posted = await world.post(text="one")
        assert [each["text"] for each in await waiting] == ["one"]
        for text in ("two", "three"):
            await world.client.chat_update(channel=TRAINING, ts=posted["ts"], text=text)
        assert [each["text"] for each in await world.see(ANA)] == ["three"]
        versions = await world.see(ANA, versions=1)
        assert [(each["seq"], each["text"]) for each in versions] == [(1, "one"), (2, "two"), (3, "three")]


async def test_people_channels_and_groups_can_be_added() -> None:
    async with workspace() as world:
        eve = await world.act("people", name="Eve", tz="Asia/Tokyo", guest="ultra_restricted")
        channel = await world.act("channels", name="lab", members=[eve["id"], ANA], bot=True)
        group = await world.act("groups", handle="lab-team", members=[eve["id"]])
        await world.post(channel["id"], f"<!subteam^{group['id']}>")
        assert await world.reads(eve["id"]) == ["@lab-team"]
        assert (await world.act("people", name="X", tz="Mars/Base"))["status"] == 422
        finn = await world.act("people", id="W0FINN", name="Finn")
        named = await world.act("channels", id="C0OURS", name="ours", members=[finn["id"]], bot=True)
        ours = await world.act("groups", id="S0OURS", handle="ours", members=["W0FINN"])
        assert (finn["id"], named["id"], ours["id"]) == ("W0FINN", "C0OURS", "S0OURS")
        for taken in (("people", {"id": ANA, "name": "X"}), ("groups", {"id": "S0OURS", "handle": "x"})):
            assert (await world.act(taken[0], **taken[1]))["status"] == 422
        assert (await world.act(f"people/{ANA}", "PATCH", id="U0OTHER"))["status"] == 422
        known = await world.get("workspace")
        assert {"Ana", "Ben", "Cleo", "Gus", "Olga", "Dan", "Eve"} <= {each["name"] for each in known["people"]}
        assert known["tokens"]["bot_token"] == world.sandbox.bot_token


async def test_another_app_posts_with_its_own_ids_and_mentions_the_app() -> None:
    async with workspace() as world:
        mentions: list[Json] = []

        def register(app: AsyncApp) -> None:
            async def mentioned(event: Json) -> None:
                mentions.append(event)

            app.event("app_mention")(mentioned)

        await world.bolt(register)
        here = await world.act("apps", id="A0NIGHTLY", name="Nightly", channels=[TRAINING])
        there = await world.act("apps", id="A0NIGHTLY", name="Nightly", channels=[SHARED], elsewhere=True)
        for app, channel in ((here, TRAINING), (there, SHARED)):
            posts = f"apps/{app['user']}/messages"
            assert (await world.act(posts, channel=channel, text=f"<@{BOT_USER}> list"))["ok"]
            await world.get("events", wait=10)
        profile = {
            "id": here["bot_id"],
            "app_id": "A0NIGHTLY",
            "name": "Nightly",
            "deleted": False,
            "team_id": TEAM,
        }
        assert (
            mentions[0].items()
            >= {
                "type": "app_mention",
                "user": here["user"],
                "bot_id": here["bot_id"],
                "app_id": "A0NIGHTLY",
                "bot_profile": profile,
                "team": TEAM,
                "text": f"<@{BOT_USER}> list",
            }.items()
        )
        assert (
            mentions[1]["bot_profile"]["team_id"] == mentions[1]["team"] == mentions[1]["user_team"] == OTHER_TEAM
        )
        user = (await world.client.users_info(user=here["user"]))["user"]
        assert (user["is_bot"], user["team_id"], user["profile"]["api_app_id"]) == (True, TEAM, "A0NIGHTLY")
        assert (await world.see(ANA, channel=TRAINING))[-1]["author"] == "Nightly"


async def test_another_app_can_only_do_what_slack_lets_it_do() -> None:
    async with workspace() as world:
        app = await world.act("apps", id="A0NIGHTLY", name="Nightly", channels=[TRAINING])
        there = await world.act("apps", id="A0NIGHTLY", name="Nightly", elsewhere=True)
        assert (await world.act("apps", id="A0NIGHTLY", name="Nightly"))["status"] == 422
        assert (await world.act(f"apps/{ANA}/messages", channel=TRAINING, text="hi"))["status"] == 404
        parent = await world.act(f"apps/{app['user']}/messages", channel=TRAINING, text="first")
        reply = await world.act(
            f"apps/{app['user']}/messages", channel=TRAINING, text="second", thread_ts=parent["ts"]
        )
        for user, error, body in (
            (app, "not_in_channel", {"channel": GPUS, "text": "hi"}),
            (app, "channel_not_found", {"channel": QUIET, "text": "hi"}),
            (app, "no_text", {"channel": TRAINING}),
            (app, "invalid_blocks", {"channel": TRAINING, "blocks": [{"type": "unknown"}]}),
            (app, "thread_not_found", {"channel": TRAINING, "text": "hi", "thread_ts": "1.000000"}),
            (app, "invalid_thread_ts", {"channel": TRAINING, "text": "hi", "thread_ts": reply["ts"]}),
            (there, "channel_not_found", {"channel": TRAINING, "text": "hi"}),
            (there, "not_in_channel", {"channel": SHARED, "text": "hi"}),
        ):
            answer = await world.act(f"apps/{user['user']}/messages", **body)
            assert (answer["status"], answer["error"]) == (409, error)
