"""The effects and the validity of response_urls and trigger_ids."""

import asyncio
from typing import Any

from sandbox.slack.default import ANA, BEN, TRAINING
from tests.sandbox.slack_world import (
    Json,
    RawSocket,
    Stopwatch,
    World,
    actions,
    button,
    modal,
    section,
    workspace,
)


async def asked(world: World, socket: RawSocket, payload: Any = None, user: str = ANA) -> Json:
    """Run a command that the app acknowledges, and return the command's payload."""
    waiting = asyncio.ensure_future(world.command(user))
    envelope = await socket.next()
    await socket.ack(envelope, payload)
    assert (await waiting)["ok"]
    sent = envelope["payload"]
    assert isinstance(sent, dict)
    return sent


async def clicked(world: World, socket: RawSocket, ts: str, action_id: str = "go") -> Json:
    waiting = asyncio.ensure_future(world.act("click", user=ANA, channel=TRAINING, ts=ts, action_id=action_id))
    envelope = await socket.next()
    await socket.ack(envelope)
    assert (await waiting)["ok"]
    sent = envelope["payload"]
    assert isinstance(sent, dict)
    return sent


async def answer(world: World, url: str, **body: Any) -> tuple[int, str]:
    async with world.session.post(url, json=body) as response:
        text = await response.text()
        return response.status, (await response.json())["error"] if response.status == 404 else text


async def test_a_response_url_works_five_times() -> None:
    async with workspace() as world:
        command = await asked(world, await world.socket())
        url = command["response_url"]
        assert url.startswith(world.url)
        for number in range(5):
            assert await answer(world, url, text=f"answer {number}") == (200, "ok")
        assert await answer(world, url, text="one too many") == (404, "used_url")
        assert len(await world.see(ANA)) == 5
        assert await world.see(BEN) == []


async def test_a_response_url_works_for_thirty_minutes() -> None:
    watch = Stopwatch()
    async with workspace(stopwatch=watch) as world:
        command = await asked(world, await world.socket())
        watch.seconds += 30 * 60
        assert await answer(world, command["response_url"], text="late") == (404, "expired_url")
        assert await answer(world, f"{world.url}/commands/1/2", text="x") == (404, "no_such_url")


async def test_the_reply_to_a_command_cannot_be_replaced() -> None:
    async with workspace() as world:
        command = await asked(world, await world.socket(), {"text": "first"})
        url = command["response_url"]
        assert await answer(world, url, text="second", replace_original=True) == (200, "ok")
        assert await world.reads(ANA) == ["first", "second"]


async def test_everyone_sees_an_in_channel_response() -> None:
    """If the response is in the acknowledgement of a command, everyone sees the command too."""
    async with workspace() as world:
        command = await asked(world, await world.socket(), {"text": "Ready", "response_type": "in_channel"})
        assert await world.reads(BEN) == ["/gpu", "Ready"]
        await answer(world, command["response_url"], text="Again", response_type="in_channel")
        assert (await world.reads(BEN))[-1] == "Again"


async def test_a_response_to_a_click_replaces_the_message_unless_it_is_deleted() -> None:
    async with workspace() as world:
        socket = await world.socket()
        posted = await world.post(blocks=[section("Approve?"), actions(button("Go", "go"))])
        click = await clicked(world, socket, posted["ts"])
        assert await answer(world, click["response_url"], text="Approved") == (200, "ok")
        assert await world.reads(BEN) == ["Approved"]
        state = world.sandbox.workspace
        state.delete(state.messages[TRAINING][posted["ts"]])
        assert await answer(world, click["response_url"], text="x") == (400, "message_not_found")


async def test_the_app_can_respond_to_a_click_privately_in_the_thread() -> None:
    async with workspace() as world:
        socket = await world.socket()
        posted = await world.post(blocks=[actions(button("Go", "go"))])
        click = await clicked(world, socket, posted["ts"])
        body: Json = {"text": "Only approvers", "replace_original": False, "thread_ts": posted["ts"]}
        assert await answer(world, click["response_url"], **body) == (200, "ok")
        last = (await world.see(ANA))[-1]
        assert (last["only_you"], last["thread_ts"], last["reads"]) == (True, posted["ts"], "Only approvers")
        assert len(await world.see(BEN)) == 1


async def test_a_response_url_refuses_content_that_slack_refuses() -> None:
    async with workspace() as world:
        url = (await asked(world, await world.socket()))["response_url"]
        assert await answer(world, url) == (400, "no_text")
        assert await answer(world, url, text="x", blocks=[{"type": "what"}]) == (400, "invalid_blocks")
        async with world.session.post(url, data=b"{") as response:
            assert (response.status, await response.text()) == (400, "invalid_payload")


async def test_the_person_sees_an_error_if_an_acknowledgement_is_invalid() -> None:
    async with workspace() as world:
        socket = await world.socket()
        waiting = asyncio.ensure_future(world.command(ANA))
        await socket.ack(await socket.next(), {"blocks": [{"type": "what"}]})
        assert (await waiting)["error"] == "invalid_command_response"


async def test_a_trigger_opens_one_view_within_three_seconds() -> None:
    watch = Stopwatch()
    async with workspace(stopwatch=watch) as world:
        socket = await world.socket()
        trigger = (await asked(world, socket))["trigger_id"]
        assert (await world.client.views_open(trigger_id=trigger, view=modal()))["ok"]
        again = world.client.views_open(trigger_id=trigger, view=modal())
        assert await world.refused(again) == "exchanged_trigger_id"
        late = (await asked(world, socket))["trigger_id"]
        watch.seconds += 3
        expired = world.client.views_open(trigger_id=late, view=modal())
        assert await world.refused(expired) == "expired_trigger_id"


async def test_triggers_response_urls_and_tickets_are_forgotten_an_hour_later() -> None:
    """Otherwise, the memory of a workspace that runs for weeks would keep growing."""
    stopwatch = Stopwatch()
    async with workspace(stopwatch=stopwatch) as world:
        socket = await world.socket()
        command, ticket = await asked(world, socket), await world.ticket()
        stopwatch.seconds += 3599
        view = modal()
        opening = world.client.views_open(trigger_id=command["trigger_id"], view=view)
        assert await world.refused(opening) == "expired_trigger_id"
        assert await answer(world, command["response_url"], text="late") == (404, "expired_url")
        stopwatch.seconds += 2
        await asked(world, socket)
        await world.ticket()
        opening = world.client.views_open(trigger_id=command["trigger_id"], view=view)
        assert await world.refused(opening) == "invalid_trigger_id"
        assert await answer(world, command["response_url"], text="later") == (404, "no_such_url")
        async with world.session.get(ticket.replace("ws://", "http://")) as refused:
            assert refused.status == 403
        assert len(world.sandbox.triggers) == 2
        assert world.sandbox.sockets.tickets == 1
