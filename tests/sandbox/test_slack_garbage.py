"""Random and malformed calls lead to Slack's errors. Also tests the workspace's faults and traffic log."""

import asyncio
import json
import sys
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.slack import AppConfig
from sandbox.slack.app_config import SCOPES
from sandbox.slack.default import ANA, TRAINING
from sandbox.slack.web_api import METHODS
from tests.sandbox.slack_world import World, section, workspace

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        "channel",
        "text",
        "blocks",
        "ts",
        "thread_ts",
        "user",
        "users",
        "view",
        "view_id",
        "trigger_id",
        "metadata",
        "limit",
        "cursor",
        "oldest",
        "latest",
        "user_id",
        "types",
        "hash",
        "usergroup",
        "message_ts",
        "files",
        "file",
        "filename",
        "length",
        "channel_id",
    ]
)
SENSIBLE = st.sampled_from(
    [
        TRAINING,
        ANA,
        "hi",
        "1795521600.000000",
        "1e400",
        "nan",
        "-1",
        [section("x")],
        {"type": "home", "blocks": []},
    ]
)
ARGUMENTS = st.dictionaries(NAMES, SENSIBLE | VALUES, max_size=6)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(calls=st.lists(st.tuples(st.sampled_from(sorted(METHODS)), ARGUMENTS), min_size=10, max_size=10))
def test_any_arguments_lead_to_ok_or_an_error(calls: list[tuple[str, dict[str, Any]]]) -> None:
    async def all_of_them() -> None:
        async with workspace(app=AppConfig(scopes=(*SCOPES, "files:read"))) as world:
            await world.post(text="something to find")
            for method, arguments in calls:
                answer = await world.raw(method, json=arguments)
                assert answer["ok"] is True or answer["error"] not in ("", "internal_error")
                as_form = {key: json.dumps(value) for key, value in arguments.items()}
                assert "ok" in await world.raw(method, data=as_form)
            assert (await world.get("see", user=ANA))["status"] == 200

    asyncio.run(all_of_them())


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (b"{", "application/json", "invalid_json"),
        (b"[1]", "application/json", "json_not_object"),
        (b"\xff\xfe", "application/json", "invalid_json"),
        (b'{"text": "\xc3"}', "application/json", "invalid_json"),
        (b"text=%ff", "application/x-www-form-urlencoded", "invalid_arguments"),
        (b"<xml/>", "text/xml", "invalid_post_type"),
    ],
)
async def test_a_body_that_has_no_arguments_is_refused(body: bytes, kind: str, error: str) -> None:
    async with workspace() as world:
        headers = {"Authorization": f"Bearer {world.sandbox.bot_token}", "Content-Type": kind}
        url = f"{world.url}/api/chat.postMessage"
        async with world.session.post(url, data=body, headers=headers) as answer:
            assert answer.status == 200
            assert (await answer.json())["error"] == error


async def test_a_lone_surrogate_is_shown_as_it_was_sent() -> None:
    async with workspace() as world:
        body = json.dumps({"channel": TRAINING, "text": "a\ud800b"})
        headers = {"Content-Type": "application/json"}
        headers["Authorization"] = f"Bearer {world.sandbox.bot_token}"
        url = f"{world.url}/api/chat.postMessage"
        async with world.session.post(url, data=body, headers=headers) as answer:
            assert (await answer.json())["ok"]
        assert await world.reads(ANA) == ["a\ud800b"]


async def test_a_post_whose_connection_is_cut_after_acting_is_posted() -> None:
    async with workspace() as world:
        await world.act("faults", endpoint="chat.postMessage", kind="cut_after")
        with pytest.raises(aiohttp.ClientError):
            await world.post(text="said")
        assert await world.reads(ANA, wait=20) == ["said"]


async def test_a_status_fault_responds_with_slacks_error_even_at_a_response_url() -> None:
    async with workspace() as world:
        await world.act("faults", endpoint="chat.update", kind="status", status=429, retry_after=7)
        posted = await world.post()
        edit = world.client.chat_update(channel=TRAINING, ts=posted["ts"], text="x")
        assert await world.refused(edit) == "ratelimited"
        socket = await world.socket()
        waiting = asyncio.ensure_future(world.command(ANA))
        envelope = await socket.next()
        await socket.ack(envelope)
        await waiting
        await world.act("faults", endpoint="response_url", kind="status", status=503)
        url = envelope["payload"]["response_url"]
        async with world.session.post(url, json={"text": "x"}) as answer:
            assert answer.status == 503
        async with world.session.post(url, json={"text": "x"}) as answer:
            assert answer.status == 200


async def traffic(world: World, endpoint: str) -> list[Any]:
    requests = (await world.get("traffic", after=0, endpoint=endpoint))["requests"]
    assert isinstance(requests, list)
    return requests


async def test_a_fault_at_an_unknown_endpoint_is_refused() -> None:
    async with workspace() as world:
        answer = await world.act("faults", endpoint="chat.postMesage", kind="hang")
        assert answer["status"] == 422
        assert answer["error"].startswith("no endpoint chat.postMesage; there are: apps.connections.open")


async def test_the_traffic_log_has_calls_and_envelopes_and_no_token() -> None:
    async with workspace() as world:
        socket = await world.socket()
        waiting = asyncio.ensure_future(world.command(ANA, "list"))
        await socket.ack(await socket.next(), {"text": "none"})
        await waiting
        await world.post(text="hello")
        [call] = await traffic(world, "chat.postMessage")
        assert (call["body"]["text"], call["status"]) == ("hello", 200)
        sent, received = await traffic(world, "envelope")
        assert (sent["method"], sent["body"]["payload"]["text"]) == ("SENT", "list")
        assert (received["method"], received["body"]["payload"]) == ("RECEIVED", {"text": "none"})
        assert world.sandbox.bot_token not in json.dumps(await traffic(world, "chat.postMessage"))


async def test_a_held_handshake_waits_until_it_is_released() -> None:
    async with workspace() as world:
        held = await world.act("faults", endpoint="socket", kind="hold_before")
        connecting = asyncio.ensure_future(world.socket())
        await world.get(f"faults/{held['id']}", wait=20)
        assert (await world.get("sockets"))["num_connections"] == 0
        await world.act(f"faults/{held['id']}/release")
        await connecting
        assert (await world.get("sockets"))["num_connections"] == 1


async def test_sigterm_ends_the_workspace_with_an_app_connected() -> None:
    """The program ends even if the app doesn't close its connection."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox.slack", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    headers = {"Authorization": f"Bearer {ready['bot_token']}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{ready['api']}auth.test", headers=headers) as answer,
    ):
        assert (await answer.json())["ok"]
        headers = {"Authorization": f"Bearer {ready['app_token']}"}
        async with session.post(f"{ready['api']}apps.connections.open", headers=headers) as opened:
            url = (await opened.json())["url"]
        async with session.ws_connect(url, autoclose=False):
            process.terminate()
            assert await process.wait() == 0
