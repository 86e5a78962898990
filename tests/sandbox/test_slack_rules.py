"""Rules of Slack's that an app only notices when it breaks them."""

import asyncio
from dataclasses import replace

import aiohttp

from sandbox.slack import AppConfig, Timing
from sandbox.slack.default import ANA, BEN, OLGA, SHARED, TRAINING
from sandbox.slack.state import OTHER_TEAM, TEAM
from tests.sandbox.slack_world import (
    Json,
    RawSocket,
    World,
    actions,
    button,
    modal,
    section,
    text_input,
    workspace,
)


async def test_an_ephemeral_reply_shows_only_in_a_thread_where_something_is() -> None:
    async with workspace() as world:
        parent = (await world.post(text="Card"))["ts"]
        only: Json = {"channel": TRAINING, "user": ANA, "thread_ts": parent}
        await world.client.chat_postEphemeral(**only, text="lost")
        await world.post(text="Renting", thread_ts=parent)
        await world.client.chat_postEphemeral(**only, text="seen")
        assert await world.reads(ANA) == ["Card", "Renting", "seen"]


async def test_an_edit_is_marked_with_its_own_time() -> None:
    async with workspace() as world:
        posted = await world.post(text="one")
        await world.act("clock", jump=90)
        edited = await world.client.chat_update(channel=TRAINING, ts=posted["ts"], text="two")
        assert float(edited["message"]["edited"]["ts"]) - float(posted["ts"]) == 90
        assert edited["message"]["ts"] == posted["ts"]


async def test_blocks_inside_attachments_are_refused_unread() -> None:
    async with workspace() as world:
        inside = [{"color": "#f00", "blocks": [{"type": "nonsense"}]}]
        assert await world.refused(world.post(attachments=inside)) == "invalid_attachments"
        assert (await world.post(attachments=[{"fallback": "Old style"}]))["ok"]


async def test_a_direct_message_is_opened_once() -> None:
    async with workspace() as world:
        first = await world.client.conversations_open(users=ANA)
        again = await world.client.conversations_open(users=ANA, return_im=True)
        assert ("already_open" in first.data, again["already_open"], again["no_op"]) == (False, True, True)
        assert (again["channel"]["id"], again["channel"]["user"]) == (first["channel"]["id"], ANA)


async def test_a_shared_channel_tells_whose_it_is_and_so_do_its_events() -> None:
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


async def test_api_test_wants_no_token() -> None:
    async with workspace() as world, world.session.post(f"{world.url}/api/api.test", data={"foo": "bar"}) as told:
        assert await told.json() == {"ok": True, "args": {"foo": "bar"}}


async def test_an_event_or_command_without_its_scope_does_not_come() -> None:
    everything = AppConfig()
    scopes = tuple(scope for scope in everything.scopes if scope not in ("im:history", "commands"))
    async with workspace(app=replace(everything, scopes=scopes)) as world:
        socket = await world.socket()
        await world.act("say", user=ANA, dm=True, text="nobody hears")
        await world.act(f"people/{ANA}", "PATCH", tz="Europe/Paris")
        assert (await socket.next())["payload"]["event"]["type"] == "user_change"
        assert (await world.command(ANA))["error"] == "no_such_command"


async def test_without_interactivity_a_click_is_an_error_and_the_app_hears_nothing() -> None:
    async with workspace(app=AppConfig(interactivity=False)) as world:
        socket = await world.socket()
        posted = await world.post(blocks=[actions(button("Go", "go"))])
        aim: Json = {"user": ANA, "channel": TRAINING, "ts": posted["ts"], "action_id": "go"}
        assert (await world.act("click", **aim))["error"] == "interactivity_disabled"
        asked = asyncio.ensure_future(world.command(ANA))
        envelope = await socket.next()
        await socket.ack(envelope)
        assert (await asked)["ok"]
        assert envelope["type"] == "slash_commands"


async def test_nobody_clicks_in_an_archived_channel() -> None:
    async with workspace() as world:
        posted = await world.post(blocks=[actions(button("Go", "go"))])
        await world.act(f"channels/{TRAINING}", "PATCH", archived=True)
        aim: Json = {"user": ANA, "channel": TRAINING, "ts": posted["ts"], "action_id": "go"}
        assert await world.act("click", **aim) == {"status": 409, "ok": False, "error": "is_archived"}


async def test_a_control_call_that_there_is_not_is_refused_in_words() -> None:
    async with workspace() as world:
        assert await world.act("clicks", user=ANA) == {
            "status": 404,
            "error": "no control call POST /_control/clicks",
        }
        assert await world.get("click") == {"status": 405, "error": "/_control/click takes POST, not GET"}


async def test_the_messages_tab_is_told_too() -> None:
    async with workspace() as world:
        socket = await world.socket()
        for order, tab in (({}, "home"), ({"tab": "messages"}, "messages")):
            await world.act("home", user=ANA, **order)
            envelope = await socket.next()
            await socket.ack(envelope)
            assert envelope["payload"]["event"]["tab"] == tab


async def opened(world: World, socket: RawSocket, view: Json) -> str:
    """A modal that a command of Ana's opened; answers its id."""
    asked = asyncio.ensure_future(world.command(ANA))
    envelope = await socket.next()
    await socket.ack(envelope)
    await asked
    shown = await world.client.views_open(trigger_id=envelope["payload"]["trigger_id"], view=view)
    return str(shown["view"]["id"])


async def test_a_modal_has_response_urls_for_the_conversations_it_asks_for() -> None:
    where = {
        **text_input("where"),
        "element": {"type": "conversations_select", "action_id": "channel", "response_url_enabled": True},
    }
    async with workspace() as world:
        socket = await world.socket()
        view_id = await opened(world, socket, modal(where, text_input("words")))
        values = {"where": {"channel": TRAINING}, "words": {"typed": "x"}}
        sending = asyncio.ensure_future(world.act("submit", user=ANA, view_id=view_id, values=values))
        envelope = await socket.next()
        await socket.ack(envelope)
        assert (await sending)["ok"]
        [told] = envelope["payload"]["response_urls"]
        assert (told["block_id"], told["action_id"], told["channel_id"]) == ("where", "channel", TRAINING)
        body = {"text": "Done", "response_type": "in_channel"}
        async with world.session.post(told["response_url"], json=body) as answer:
            assert answer.status == 200
        assert await world.reads(BEN) == ["Done"]


async def test_response_urls_are_for_inputs_of_modals_alone() -> None:
    menu = {"type": "conversations_select", "action_id": "m", "response_url_enabled": True}
    async with workspace() as world:
        assert await world.refused(world.post(blocks=[actions(menu)])) == "invalid_blocks"
        assert await world.refused(world.post(blocks=[section("x", accessory=menu)])) == "invalid_blocks"
        view = modal(section("x", accessory=menu))
        assert await world.refused(world.client.views_open(trigger_id="1.2.3", view=view)) == "invalid_arguments"


async def test_a_connection_is_refreshed_when_its_time_is_over() -> None:
    async with workspace(timing=Timing(connection=0, warning=0)) as world:
        socket = await world.socket(hello=False)
        told = [await socket.next() for _ in range(3)]
        assert [each.get("reason", each["type"]) for each in told] == ["hello", "warning", "refresh_requested"]
        assert (await socket.socket.receive(timeout=20)).type is aiohttp.WSMsgType.CLOSE
        assert (await world.get("sockets"))["num_connections"] == 0


async def test_reconnects_can_be_asked_for_every_six_minutes() -> None:
    async with workspace() as world:
        for more, seconds in (("", 18_060), ("&debug_reconnects=true", 360)):
            async with world.session.ws_connect(await world.ticket() + more) as socket:
                told = await socket.receive_json(timeout=20)
                assert told["debug_info"]["approximate_connection_time"] == seconds
