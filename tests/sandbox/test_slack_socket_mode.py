"""Socket Mode with a Bolt app and with a plain WebSocket."""

import asyncio
from typing import Any

import aiohttp
import pytest
from slack_bolt.app.async_app import AsyncApp

from sandbox.slack import Timing
from sandbox.slack.default import ANA, TRAINING
from tests.sandbox.slack_world import RawSocket, Stopwatch, workspace

QUICK = Timing(ack=0.2, retries=(0.0, 0.0, 0.0))


def answers_hello(app: AsyncApp) -> None:
    @app.command("/gpu")
    async def hello(ack: Any) -> None:
        await ack("Hello")


async def answer_commands(socket: RawSocket, text: str) -> None:
    """Acknowledge every envelope until the socket closes."""
    async for message in socket.socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            await socket.ack(message.json(), {"text": text})


async def test_a_bolt_apps_reply_to_a_command_is_visible_to_its_author() -> None:
    async with workspace() as world:
        await world.bolt(answers_hello)
        outcome = await world.command(ANA, "get H100")
        assert outcome["ok"]
        [seen] = await world.see(ANA)
        assert (seen["reads"], seen["only_you"], seen["channel"]) == ("Hello", True, TRAINING)


async def test_hello_contains_the_number_of_connections_including_ghosts() -> None:
    async with workspace() as world:
        await world.socket()
        await world.act("sockets/disconnect", ghosts=3)
        second = await world.socket(hello=False)
        hello = await second.next()
        assert hello["type"] == "hello"
        assert hello["num_connections"] == 5
        assert hello["debug_info"]["approximate_connection_time"] == 18_060


async def test_a_ping_is_answered_with_its_data() -> None:
    async with workspace() as world:
        socket = await world.socket()
        await socket.socket.ping(b"sdk-ping-pong:17.5")
        pong = await socket.socket.receive(timeout=20)
        assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"sdk-ping-pong:17.5")


async def test_a_ticket_works_once() -> None:
    async with workspace() as world:
        url = await world.ticket()
        async with world.session.ws_connect(url):
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await world.session.ws_connect(url)
        assert refused.value.status == 403


async def test_expired_tickets_are_refused_and_all_tickets_on_request() -> None:
    watch = Stopwatch()
    async with workspace(stopwatch=watch) as world:
        old = await world.ticket()
        watch.seconds += 61
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await world.session.ws_connect(old)
        await world.act("sockets/disconnect", refuse_tickets=True)
        stale = await world.ticket()
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await world.session.ws_connect(stale)
        await world.act("sockets/disconnect", refuse_tickets=False)
        await world.socket()


async def test_an_eleventh_connection_is_refused_as_too_many() -> None:
    async with workspace() as world:
        await world.act("sockets/disconnect", ghosts=10)
        socket = await world.socket(hello=False)
        assert (await socket.next())["reason"] == "too_many_websockets"


async def test_without_a_connection_the_person_sees_dispatch_failed() -> None:
    async with workspace() as world:
        outcome = await world.command(ANA)
        assert outcome["error"] == "dispatch_failed"
        [seen] = await world.see(ANA)
        assert seen["author"] == "Slackbot"
        assert "dispatch_failed" in seen["reads"]


async def test_an_unacknowledged_command_times_out_and_is_not_retried() -> None:
    async with workspace(timing=QUICK) as world:
        socket = await world.socket()
        assert (await world.command(ANA, "one"))["error"] == "operation_timeout"
        assert (await world.command(ANA, "two"))["error"] == "operation_timeout"
        assert [(await socket.next())["payload"]["text"] for _ in range(2)] == ["one", "two"]


async def test_an_outcome_has_the_milliseconds_until_the_acknowledgement() -> None:
    watch = Stopwatch()
    async with workspace(stopwatch=watch) as world:
        socket = await world.socket()
        asked = asyncio.ensure_future(world.command(ANA))
        envelope = await socket.next()
        watch.seconds += 0.25
        await socket.ack(envelope)
        assert (await asked)["took_ms"] == 250.0


async def test_an_acknowledgement_on_another_socket_is_ignored() -> None:
    async with workspace(timing=QUICK) as world:
        sockets = [await world.socket(), await world.socket()]
        asked = asyncio.ensure_future(world.command(ANA))
        reading = [asyncio.ensure_future(socket.next()) for socket in sockets]
        done, waiting = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
        [envelope] = done
        other = sockets[1 - reading.index(envelope)]
        await other.ack(envelope.result())
        assert (await asked)["error"] == "operation_timeout"
        assert (await world.get("sockets"))["stray_acks"] == 1
        for task in waiting:
            task.cancel()


async def test_an_envelope_to_a_ghost_is_lost() -> None:
    async with workspace(timing=QUICK) as world:
        await world.act("sockets/disconnect", ghosts=1)
        assert (await world.command(ANA))["error"] == "operation_timeout"


async def test_invalid_messages_of_the_app_are_ignored() -> None:
    async with workspace() as world:
        socket = await world.socket()
        for text in ("", "{", "[]", "{}", '{"envelope_id": 7}', '{"envelope_id": "nobody"}'):
            await socket.socket.send_str(text)
        asked = asyncio.ensure_future(world.command(ANA))
        await socket.ack(await socket.next(), {"text": "fine"})
        assert (await asked)["ok"]


async def test_envelopes_are_spread_over_the_connections() -> None:
    async with workspace() as world:
        sockets = [await world.socket(), await world.socket()]
        tasks = [asyncio.ensure_future(answer_commands(socket, "ok")) for socket in sockets]
        for _ in range(20):
            assert (await world.command(ANA))["ok"]
        shares = [socket["acknowledged"] for socket in (await world.get("sockets"))["sockets"]]
        assert sum(shares) == 20
        assert min(shares) > 0
        for task in tasks:
            task.cancel()


async def test_a_bolt_app_reconnects_after_a_disconnect_warning() -> None:
    async with workspace() as world:
        await world.bolt(answers_hello)
        before = await world.get("sockets", least=1, wait=20)
        await world.act("sockets/disconnect", reason="warning")
        after = await world.get("sockets", opened=before["opened"] + 1, least=1, wait=20)
        assert [each["socket"] for each in after["sockets"]] == ["s2"]
        assert (await world.command(ANA))["ok"]


async def test_a_refresh_closes_a_connection_and_an_abort_fails_the_pending_envelope() -> None:
    async with workspace() as world:
        first = await world.socket()
        await world.act("sockets/disconnect", reason="refresh_requested")
        assert (await first.next())["reason"] == "refresh_requested"
        assert (await first.socket.receive(timeout=20)).type is aiohttp.WSMsgType.CLOSE
        second = await world.socket()
        asked = asyncio.ensure_future(world.command(ANA))
        await second.next()
        await world.act("sockets/disconnect", kill=True)
        assert (await asked)["error"] == "dispatch_failed"
        assert (await world.get("sockets"))["num_connections"] == 0


async def test_an_event_is_retried_until_it_is_acknowledged() -> None:
    async with workspace(timing=QUICK) as world:
        socket = await world.socket()
        sent = await world.act("event", type="team_rename", name="new")
        first, second = await socket.next(), await socket.next()
        await socket.ack(second)
        assert [first["retry_attempt"], second["retry_attempt"]] == [0, 1]
        assert second["retry_reason"] == "timeout"
        assert first["payload"]["event_id"] == second["payload"]["event_id"] == sent["event_id"]
        assert not first["accepts_response_payload"]
        [delivery] = (await world.get("events", id=sent["event_id"], wait=20))["events"]
        assert (delivery["attempts"], delivery["state"]) == (2, "acknowledged")


async def test_an_unacknowledged_event_is_given_up_after_three_retries() -> None:
    async with workspace(timing=QUICK) as world:
        sent = await world.act("event", type="team_rename")
        [delivery] = (await world.get("events", id=sent["event_id"], wait=20))["events"]
        assert (delivery["attempts"], delivery["state"]) == (4, "given_up")


async def test_a_connection_needs_the_valid_app_token() -> None:
    async with workspace() as world:
        tokens = {"wrong": "xapp-wrong", "bot": world.sandbox.bot_token, "app": world.sandbox.app_token}

        async def opened(name: str) -> str:
            return await world.refused(world.client.apps_connections_open(app_token=tokens[name]))

        assert await opened("wrong") == "invalid_auth"
        assert await opened("bot") == "not_allowed_token_type"
        await world.act("tokens", app="revoked")
        assert await opened("app") == "token_revoked"
