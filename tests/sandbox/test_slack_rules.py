"""Rules of Slack that app developers notice only when they violate them."""

import asyncio
from dataclasses import replace

import aiohttp

from sandbox.slack import AppConfig, Timing
from sandbox.slack.default import ANA, OLGA, SHARED, TRAINING
from sandbox.slack.state import OTHER_TEAM, TEAM
from tests.sandbox.slack_world import Json, actions, button, workspace


async def test_an_ephemeral_reply_shows_only_in_a_thread_that_has_another_reply() -> None:
    async with workspace() as world:
        parent = (await world.post(text="Card"))["ts"]
        only: Json = {"channel": TRAINING, "user": ANA, "thread_ts": parent}
        await world.client.chat_postEphemeral(**only, text="lost")
        await world.post(text="Renting", thread_ts=parent)
        await world.client.chat_postEphemeral(**only, text="seen")
        assert await world.reads(ANA) == ["Card", "Renting", "seen"]


async def test_an_edit_has_the_time_of_the_edit() -> None:
    async with workspace() as world:
        posted = await world.post(text="one")
        await world.act("clock", jump=90)
        edited = await world.client.chat_update(channel=TRAINING, ts=posted["ts"], text="two")
        assert float(edited["message"]["edited"]["ts"]) - float(posted["ts"]) == 90
        assert edited["message"]["ts"] == posted["ts"]


async def test_an_open_direct_message_is_not_opened_again() -> None:
    async with workspace() as world:
        first = await world.client.conversations_open(users=ANA)
        again = await world.client.conversations_open(users=ANA)
        assert ("already_open" in first.data, again["already_open"], again["no_op"]) == (False, True, True)
        assert again["channel"]["id"] == first["channel"]["id"]


async def test_a_shared_channel_and_its_events_are_marked_as_shared() -> None:
    app = AppConfig(events=("message.channels",))
    async with workspace(app=app) as world:
        info = world.client.conversations_info
        assert (await info(channel=SHARED))["channel"]["shared_team_ids"] == [TEAM, OTHER_TEAM]
        assert (await info(channel=TRAINING))["channel"]["shared_team_ids"] == [TEAM]
        socket = await world.socket()
        for user, channel, shared in ((OLGA, SHARED, True), (ANA, TRAINING, False)):
            await world.act("say", user=user, channel=channel, text="hello")
            envelope = await socket.next()
            await socket.ack(envelope)
            assert envelope["payload"]["is_ext_shared_channel"] is shared
            assert envelope["payload"]["team_id"] == TEAM


async def test_an_event_or_command_without_its_scope_is_not_sent() -> None:
    everything = AppConfig()
    scopes = tuple(scope for scope in everything.scopes if scope not in ("im:history", "commands"))
    async with workspace(app=replace(everything, scopes=scopes)) as world:
        socket = await world.socket()
        await world.act("say", user=ANA, dm=True, text="nobody hears")
        await world.act(f"people/{ANA}", "PATCH", tz="Europe/Paris")
        assert (await socket.next())["payload"]["event"]["type"] == "user_change"
        assert (await world.command(ANA))["error"] == "no_such_command"


async def test_without_interactivity_a_click_fails_and_is_not_sent() -> None:
    async with workspace(app=AppConfig(interactivity=False)) as world:
        socket = await world.socket()
        posted = await world.post(blocks=[actions(button("Go", "go"))])
        target: Json = {"user": ANA, "channel": TRAINING, "ts": posted["ts"], "action_id": "go"}
        assert (await world.act("click", **target))["error"] == "interactivity_disabled"
        asked = asyncio.ensure_future(world.command(ANA))
        envelope = await socket.next()
        await socket.ack(envelope)
        assert (await asked)["ok"]
        assert envelope["type"] == "slash_commands"


async def test_nobody_can_click_in_an_archived_channel() -> None:
    async with workspace() as world:
        posted = await world.post(blocks=[actions(button("Go", "go"))])
        await world.act(f"channels/{TRAINING}", "PATCH", archived=True)
        target: Json = {"user": ANA, "channel": TRAINING, "ts": posted["ts"], "action_id": "go"}
        assert await world.act("click", **target) == {"status": 409, "ok": False, "error": "is_archived"}


async def test_an_unknown_control_call_is_refused_with_a_message() -> None:
    async with workspace() as world:
        assert await world.act("clicks", user=ANA) == {
            "status": 404,
            "error": "no control call POST /_control/clicks",
        }
        assert await world.get("click") == {"status": 405, "error": "/_control/click takes POST, not GET"}


async def test_opening_either_tab_sends_app_home_opened() -> None:
    async with workspace() as world:
        socket = await world.socket()
        for fields, tab in (({}, "home"), ({"tab": "messages"}, "messages")):
            await world.act("home", user=ANA, **fields)
            envelope = await socket.next()
            await socket.ack(envelope)
            assert envelope["payload"]["event"]["tab"] == tab


async def test_a_connection_is_warned_and_closed_at_the_end_of_its_lifetime() -> None:
    async with workspace(timing=Timing(connection=0, warning=0)) as world:
        socket = await world.socket(hello=False)
        messages = [await socket.next() for _ in range(3)]
        assert [each.get("reason", each["type"]) for each in messages] == ["hello", "warning", "refresh_requested"]
        assert (await socket.socket.receive(timeout=20)).type is aiohttp.WSMsgType.CLOSE
        assert (await world.get("sockets"))["num_connections"] == 0
