"""The MCP server over HTTP: which requests it takes, in which era, and with whose token."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from typer.testing import CliRunner

from agent.mcp_http import (
    MOST_BYTES,
    PATH,
    Connection,
    Front,
    HttpServer,
    Listen,
    open_front,
    read_listen,
    read_name,
    serve_http,
)
from agent.settings import read_address
from bot.__main__ import cli
from bot.errors import Mistake
from bot.model.state import State
from tests.agent.api import SECRET, Api, problem
from tests.agent.conftest import QuickClock
from tests.agent.mcp import call_tool
from tests.api.world import Api as RealApi
from tests.api.world import api_world
from tests.lifecycle.world import CLEO, HOUR

NEW = "2026-07-28"
OLD = "2025-11-25"
META = "io.modelcontextprotocol/"
BEARER = {"Authorization": f"Bearer {SECRET}"}


@pytest.fixture
async def front(api: Api, clock: QuickClock) -> AsyncIterator[Front]:
    opened: asyncio.Future[Front] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def hold_open() -> None:
        async with open_front(read_address(api.url), {"mcp.example.com"}, clock) as front:
            opened.set_result(front)
            await done.wait()

    # pytest ends a fixture in another task than the one in which it began. The package doesn't allow this.
    holding = asyncio.create_task(hold_open())
    yield await opened
    done.set()
    await holding


@pytest.fixture
async def http(front: Front) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client without a token."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://127.0.0.1:8604") as http:
        yield http


def message(method: str, meta: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    """Return a message with `params`, and with `_meta` if it is given."""
    if meta is not None:
        params["_meta"] = meta
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def headers_of(body: dict[str, Any], version: str | None = None, secret: str = SECRET) -> dict[str, str]:
    """Return the headers with which clients send a message."""
    headers = {"Accept": "application/json, text/event-stream", "Authorization": f"Bearer {secret}"}
    if version is not None:
        headers["MCP-Protocol-Version"] = version
    if version == NEW:
        headers["Mcp-Method"] = body["method"]
        if "name" in body["params"]:
            headers["Mcp-Name"] = body["params"]["name"]
    return headers


# --- eras


@pytest.mark.parametrize(
    ("version", "meta"),
    [
        (None, None),
        ("2025-06-18", None),
        (OLD, None),
        (OLD, {f"{META}protocolVersion": NEW, f"{META}clientCapabilities": {}}),
        ("2025-03-26", {f"{META}protocolVersion": NEW, f"{META}clientCapabilities": {}}),
        (NEW, {f"{META}protocolVersion": NEW, f"{META}clientCapabilities": {}}),
        (NEW, {f"{META}protocolVersion": OLD, f"{META}clientCapabilities": {}}),
        (NEW, {f"{META}protocolVersion": "2024-11-05"}),
    ],
)
async def test_the_header_decides_on_the_era_whatever_the_body_names(
    http: httpx.AsyncClient, version: str | None, meta: dict[str, Any] | None
) -> None:
    asked = message("tools/list", meta)
    listed = await http.post(PATH, json=asked, headers=headers_of(asked, version))
    called = message("tools/call", meta, name="gpu_status", arguments={"id": "m3xt8"})
    answered = await http.post(PATH, json=called, headers=headers_of(called, version))
    assert (listed.status_code, answered.status_code) == (200, 200), listed.text + answered.text
    results = [listed.json()["result"], answered.json()["result"]]
    assert [tool["name"] for tool in results[0]["tools"]][:2] == ["gpu_quote", "gpu_status"]
    assert not results[1]["isError"]
    # Only results of the newer era name the server.
    assert ["_meta" in result for result in results] == [version == NEW] * 2
    # Clients of the newer era need these fields, even if something on the way has changed their header.
    newer = version == NEW or (meta or {}).get(f"{META}protocolVersion") == NEW
    assert [result.get("resultType") for result in results] == ["complete" if newer else None] * 2
    assert ({"ttlMs", "cacheScope"} < results[0].keys()) == newer


@pytest.mark.parametrize(
    ("version", "meta", "code"),
    [
        (NEW, None, -32602),
        (NEW, {f"{META}protocolVersion": NEW}, -32602),
        (NEW, {f"{META}protocolVersion": "2031-01-01", f"{META}clientCapabilities": {}}, -32020),
        ("2031-01-01", {f"{META}protocolVersion": "2031-01-01", f"{META}clientCapabilities": {}}, -32022),
    ],
)
async def test_a_request_that_no_era_knows_is_refused(
    http: httpx.AsyncClient, api: Api, version: str, meta: dict[str, Any] | None, code: int
) -> None:
    asked = message("tools/list", meta)
    headers = headers_of(asked, version) | {"Mcp-Method": "tools/list"}
    refused = await http.post(PATH, json=asked, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)
    assert api.calls == []


async def test_a_client_behind_a_gateway_with_an_older_version_works(front: Front) -> None:
    """The client has asked which versions there are, and uses the newest one. The gateway changes its header."""

    async def change(request: httpx2.Request) -> None:
        if request.headers.get("Mcp-Method") != "server/discover":
            request.headers["MCP-Protocol-Version"] = OLD

    gateway = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(front), headers=BEARER, event_hooks={"request": [change]}
    )
    url = f"http://127.0.0.1:8604{PATH}"
    async with gateway, Client(streamable_http_client(url, http_client=gateway), mode="auto") as client:
        assert client.protocol_version == NEW
        assert len((await client.list_tools()).tools) == 6
        assert (await call_tool(client, "gpu_status", id="m3xt8"))["rentals"][0]["key"] == "run-812"


async def test_the_older_era_needs_no_session(http: httpx.AsyncClient) -> None:
    hello = message(
        "initialize", protocolVersion=OLD, capabilities={}, clientInfo={"name": "client", "version": "1"}
    )
    begun = await http.post(PATH, json=hello, headers=headers_of(hello))
    assert begun.json()["result"]["protocolVersion"] == OLD
    assert "mcp-session-id" not in begun.headers
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    noted = await http.post(PATH, json=ready, headers=headers_of(hello, OLD))
    assert (noted.status_code, noted.content) == (202, b"")


# --- requests that are refused


@pytest.mark.parametrize(
    ("target", "headers", "expected"),
    [
        (("POST", PATH), {"Host": "evil.example.com"}, (421, "--allow-host")),
        (("POST", PATH), {"Host": "localhost.evil.example.com:8604"}, (421, "--allow-host")),
        (("POST", PATH), {"Host": "user@localhost"}, (421, "--allow-host")),
        (("POST", PATH), {"Host": ""}, (421, "--allow-host")),
        (("POST", PATH), {"Origin": "https://evil.example.com"}, (403, "this origin")),
        (("POST", PATH), {"Origin": "null"}, (403, "this origin")),
        (("POST", PATH), {"Origin": "http://localhost@evil.example.com"}, (403, "this origin")),
        (("POST", "/"), {}, (404, "at /mcp")),
        (("GET", "/.well-known/oauth-protected-resource"), {}, (404, "at /mcp")),
        (("GET", PATH), {}, (405, "with POST")),
        (("DELETE", PATH), {}, (405, "with POST")),
        (("POST", PATH), {"Authorization": ""}, (401, "/gpu token")),
        (("POST", PATH), {"Authorization": SECRET}, (401, "/gpu token")),
        (("POST", PATH), {"Authorization": f"Basic {SECRET}"}, (401, "/gpu token")),
        (("POST", PATH), {"Authorization": "Bearer gpb_short"}, (401, "/gpu token")),
        (("POST", PATH), {"Authorization": f"Bearer {SECRET}, Bearer {SECRET}"}, (401, "/gpu token")),
    ],
)
async def test_a_request_is_refused_in_words_before_anything_is_called(
    http: httpx.AsyncClient, api: Api, target: tuple[str, str], headers: dict[str, str], expected: tuple[int, str]
) -> None:
    (status, words), asked = expected, message("tools/list")
    refused = await http.request(*target, json=asked, headers=headers_of(asked) | headers)
    assert refused.status_code == status
    assert words in refused.json()["error"]["message"]
    assert refused.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert refused.headers.get("allow") == ("POST" if status == 405 else None)
    assert SECRET[4:] not in refused.text
    assert api.calls == []


async def test_each_of_several_origins_must_be_allowed(http: httpx.AsyncClient, api: Api) -> None:
    asked = message("tools/list")
    origins = [("Origin", "http://localhost"), ("Origin", "https://evil.example.com")]
    refused = await http.post(PATH, json=asked, headers=[*headers_of(asked).items(), *origins])
    assert (refused.status_code, api.calls) == (403, [])


async def test_a_get_without_a_token_is_no_invitation_to_log_in(http: httpx.AsyncClient) -> None:
    assert (await http.get(PATH)).status_code == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "mcp.example.com"},
        {"Host": "MCP.example.com:443", "Origin": "https://mcp.example.com"},
        {"Host": "[::1]:9000", "Origin": "http://localhost:6274"},
        {"Host": "localhost"},
        {"Authorization": f"bearer  {SECRET} "},
    ],
)
async def test_names_of_this_machine_and_allowed_names_are_accepted(
    http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    asked = message("tools/list")
    assert (await http.post(PATH, json=asked, headers=headers_of(asked) | headers)).status_code == 200


async def test_a_body_that_is_too_large_or_too_slow_is_refused(front: Front, api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    hurried = Front(front.manager, {"127.0.0.1"}, request_seconds=0)
    headers = headers_of(message("tools/list"))
    for application, content, status in (
        (front, b"x" * (MOST_BYTES + 1), 413),
        (hurried, endless(), 408),
    ):
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8604") as http:
            refused = await http.post(PATH, content=content, headers=headers)
        assert refused.status_code == status
    assert api.calls == []


async def test_a_request_that_is_cut_off_has_no_effect(front: Front, api: Api) -> None:
    asked = message("tools/call", name="gpu_rent", arguments={"gpu": "H100", "key": "run-812"})
    headers = {"Host": "localhost", "Content-Type": "application/json", **headers_of(asked)}
    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    arriving = [
        {"type": "http.request", "body": json.dumps(asked).encode(), "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return arriving.pop(0)

    async def send(part: Any) -> None:
        sent.append(part)

    await front(scope, receive, send)
    assert (sent[0]["status"], api.calls) == (400, [])


# --- tokens


async def test_concurrent_requests_never_use_each_others_tokens(http: httpx.AsyncClient, api: Api) -> None:
    """Two callers rent at the same time. The API answers nobody before all calls have arrived."""
    callers = {f"gpb_{letter * 44}": letter for letter in "ab"}
    go = asyncio.Event()
    api.holds = lambda call: go if call.startswith("POST") else None
    api.known_key = None

    async def rent(secret: str, number: int) -> None:
        version = (OLD, NEW)[number % 2]
        meta = {f"{META}protocolVersion": version, f"{META}clientCapabilities": {}}
        arguments = {"gpu": "H100", "lease": "4h", "key": f"{callers[secret]}-{number}"}
        asked = message("tools/call", meta, name="gpu_rent", arguments=arguments)
        answer = await http.post(PATH, json=asked, headers=headers_of(asked, version, secret))
        assert answer.status_code == 200

    calls = [asyncio.create_task(rent(secret, number)) for number in range(8) for secret in callers]
    await api.wait_for("POST /v1/rentals", times=16)
    go.set()
    await asyncio.gather(*calls)
    rented = [seen for seen in api.seen if seen.key is not None]
    assert len(rented) == 16
    for seen in rented:
        assert seen.key is not None
        assert seen.authorization == f"Bearer gpb_{seen.key[0] * 44}"


async def test_a_token_that_the_api_does_not_know_lists_no_tools(http: httpx.AsyncClient, api: Api) -> None:
    words = "This token isn't valid. Ask the person who gave it to you for a new one."
    api.refusal = lambda _: problem("invalid-token", words, status=401)
    asked = message("tools/list")
    listed = await http.post(PATH, json=asked, headers=headers_of(asked))
    assert listed.json()["result"]["tools"] == []
    called = message("tools/call", name="gpu_status", arguments={})
    result = (await http.post(PATH, json=called, headers=headers_of(called))).json()["result"]
    assert result["isError"]
    assert words in result["content"][0]["text"]


# --- the process


async def test_a_connection_without_a_request_is_closed(front: Front) -> None:
    class Impatient(Connection):
        seconds = 0.05

    server = HttpServer(front, connection=Impatient)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        serving = asyncio.create_task(server.serve([listening]))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /mcp HTTP/1.1\r\nHost: loc")
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()
        server.should_exit = True
        await serving


@contextmanager
def a_server(api_url: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start `gpubot mcp --http` on a free port, and yield the process and its URL."""
    process = subprocess.Popen(  # noqa: S603 - the command is our own
        [sys.executable, "-m", "bot", "mcp", "--http", "127.0.0.1:0", *options],
        env={"GPUBOT_API_URL": api_url, "HOME": "/nonexistent", "PYTHONWARNINGS": "error"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("Listening on http://127.0.0.1:"), line + process.stderr.read()
        yield process, line.split()[2].rstrip(",")
    finally:
        process.kill()
        process.communicate()


@asynccontextmanager
async def a_client(url: str, secret: str, mode: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {secret}"}, timeout=40) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


async def test_clients_of_both_eras_use_every_tool_at_once(sqlite_url: str) -> None:
    """Ana's and Cleo's programs have a token each. They use one server, and neither sees the other's machine."""
    async with api_world(sqlite_url) as api:
        ana = await api.token(longest=6 * HOUR)
        cleo = await api.token(CLEO, name="sweep", longest=6 * HOUR)
        with a_server(str(api.http.base_url)) as (process, url):
            async with a_client(url, ana, "legacy") as old, a_client(url, cleo, NEW) as new:
                assert (old.protocol_version, new.protocol_version) == (OLD, NEW)
                await use_every_tool(api, {"old": old, "new": new})
            process.send_signal(signal.SIGTERM)
            _, printed = process.communicate(timeout=20)
            assert process.returncode == 0
            assert ana not in printed
            assert cleo not in printed


async def use_every_tool(api: RealApi, clients: dict[str, Client]) -> None:
    """Let each client rent a machine with its name as the key, use it, and release it."""

    async def each(tool: str, **arguments: Any) -> list[dict[str, Any]]:
        return await asyncio.gather(*(call_tool(client, tool, **arguments) for client in clients.values()))

    async def each_own(tool: str, **arguments: Any) -> list[dict[str, Any]]:
        calls = (call_tool(client, tool, key=key, **arguments) for key, client in clients.items())
        return await asyncio.gather(*calls)

    wanted = {"gpu": "H100", "region": "EU", "lease": "4h"}
    assert all(quote["offers"][0]["within_terms"] for quote in await each("gpu_quote", **wanted))
    renting = asyncio.create_task(each_own("gpu_rent", **wanted, heartbeat=True))
    while api.server.waits.count < len(clients):
        assert not renting.done(), renting.result()
        await asyncio.sleep(0)
    for status in await each("gpu_status"):
        (searching,) = status["rentals"]
        await api.world.until(searching["id"], State.READY)
    rented = await renting
    assert [rental["key"] for rental in rented] == list(clients)
    assert [rental["state"] for rental in await each_own("gpu_heartbeat")] == ["ready", "ready"]
    extended = await each_own("gpu_extend", lease="5h")
    assert all(after["ends_at"] > before["ends_at"] for before, after in zip(rented, extended, strict=True))
    assert [rental["state"] for rental in await each_own("gpu_release")] == ["ending", "ending"]


async def test_a_call_repeated_at_another_process_finds_the_same_machine(sqlite_url: str) -> None:
    wanted = {"gpu": "H100", "region": "EU", "lease": "4h"}
    async with api_world(sqlite_url) as api:
        secret, api_url = await api.token(), str(api.http.base_url)
        with a_server(api_url) as (killed, first), a_server(api_url) as (_, second):
            asked = message("tools/call", name="gpu_rent", arguments=wanted)
            async with httpx.AsyncClient(headers=headers_of(asked, secret=secret), timeout=40) as http:
                renting = asyncio.create_task(http.post(first, json=asked))
                while not api.server.waits.count:
                    assert not renting.done(), renting.result()
                    await asyncio.sleep(0)
                killed.kill()
                with pytest.raises(httpx.HTTPError):
                    await renting
            async with a_client(second, secret, NEW) as client:
                (searching,) = (await call_tool(client, "gpu_status"))["rentals"]
                again = asyncio.create_task(call_tool(client, "gpu_rent", **wanted))
                await api.world.until(searching["id"], State.READY)
                assert (await again)["id"] == searching["id"]
                assert len((await call_tool(client, "gpu_status"))["rentals"]) == 1


async def test_sigterm_ends_the_process_while_a_call_waits(api: Api) -> None:
    never = asyncio.Event()
    api.holds = lambda _: never
    with a_server(api.url) as (process, url):
        async with httpx.AsyncClient() as http:
            asked = message("tools/call", name="gpu_status", arguments={"id": "m3xt8"})
            waiting = asyncio.create_task(http.post(url, json=asked, headers=headers_of(asked), timeout=40))
            await api.wait_for("GET /v1/rentals/m3xt8")
            process.send_signal(signal.SIGTERM)
            _, printed = await asyncio.to_thread(process.communicate, timeout=20)
            assert process.returncode == 0
            assert SECRET not in printed
            answer = await waiting
            assert (answer.status_code, answer.json()["error"]["message"][-16:]) == (503, "Repeat the call.")
    never.set()


# --- addresses


@pytest.mark.parametrize(
    "text",
    ["8604", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:8604", "http://localhost:8604", "a b:1", ""],
)
def test_an_address_to_listen_on_has_a_host_and_a_port(text: str) -> None:
    with pytest.raises(Mistake, match="write the address as HOST:PORT"):
        read_listen(text)


def test_an_address_can_be_of_either_family() -> None:
    assert [str(read_listen(text)) for text in ("0.0.0.0:80", "[::1]:8604", "LocalHost:0")] == [
        "0.0.0.0:80",
        "[::1]:8604",
        "localhost:0",
    ]


@pytest.mark.parametrize(
    "text", ["https://mcp.example.com", "mcp.example.com:443", "*", "mcp.example.com/mcp", ""]
)
def test_an_allowed_host_is_a_name_alone(text: str) -> None:
    with pytest.raises(Mistake, match="the name of the host alone"):
        read_name(text)


def test_an_address_that_is_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = Listen("127.0.0.1", other.getsockname()[1])
        with pytest.raises(Mistake, match=f"I can't listen on {listen}: Address already in use"):
            serve_http(listen, (), read_address("http://127.0.0.1:8602"))


@pytest.mark.parametrize(
    "option", [["127.0.0.1:8604"], ["--allow-host", "mcp.example.com"], ["--url", "unix:/api"]]
)
def test_options_of_http_are_refused_without_it(option: list[str]) -> None:
    refused = CliRunner().invoke(cli, ["mcp", *option])
    assert refused.exit_code == 2
    assert "belong to --http" in refused.output
