"""`gpubot mcp` as a client of the protocol sees it: a process on stdin and stdout, in front of the bot's own API.

Each client is that of the `mcp` package. It checks itself that every result matches the schema of its tool.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters
from structlog.testing import capture_logs

from agent.mcp_server import notice
from agent.mcp_tools import INSTRUCTIONS, TOOL_NAMES
from bot.model.state import State
from bot.model.token import Access, BeyondTerms
from tests.agent.api import SECRET
from tests.agent.mcp import call_tool, fails
from tests.api.world import Api, api_world
from tests.lifecycle.world import HOUR

ROOT = Path(__file__).parents[2]
LEGACY, MODERN = "legacy", "auto"
ERAS = (LEGACY, MODERN)
"""The versions up to 2025-11-25, in which a client begins with `initialize`, and the newest one, without that."""
COMMAND = ("-m", "bot", "mcp")


@pytest.fixture
async def api(sqlite_url: str) -> AsyncIterator[Api]:
    """Yield the API in front of a world, with a token for up to 6 h."""
    with capture_logs():
        async with api_world(sqlite_url) as api:
            await api.token(longest=6 * HOUR, beyond=BeyondTerms.ASK)
            yield api


def settings(api: Api) -> dict[str, str]:
    return {
        "GPUBOT_API_URL": str(api.http.base_url),
        "GPUBOT_TOKEN": api.secret,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
    }


@asynccontextmanager
async def an_agent(api: Api, era: str = LEGACY) -> AsyncIterator[Client]:
    """Start `gpubot mcp` with the newest token, and connect to it."""
    program = StdioServerParameters(command=sys.executable, args=list(COMMAND), env=settings(api))
    async with Client(program, mode=era, read_timeout_seconds=60) as client:
        yield client


async def becomes_ready(api: Api, client: Client, renting: asyncio.Task[Any]) -> Any:
    """Let time pass until the machine that a call asks for is ready. Return the answer to the call."""
    while not api.server.waits.count:
        assert not renting.done(), renting.result()
        await asyncio.sleep(0)
    (asked,) = (await call_tool(client, "gpu_status"))["rentals"]
    await api.world.until(asked["id"], State.READY)
    return await renting


@pytest.mark.parametrize("era", ERAS)
async def test_an_agent_quotes_rents_uses_extends_and_releases_a_machine(api: Api, era: str) -> None:
    async with an_agent(api, era) as client:
        assert client.protocol_version == {LEGACY: "2025-11-25", MODERN: "2026-07-28"}[era]
        assert client.server_info is not None
        assert (client.server_info.name, client.instructions) == ("gpubot", INSTRUCTIONS)
        assert tuple(tool.name for tool in (await client.list_tools()).tools) == TOOL_NAMES
        quote = await call_tool(client, "gpu_quote", gpu="H100", region="EU", lease="4h")
        assert (quote["offers"][0]["vendor"], quote["offers"][0]["at_most"]) == ("Hyperstack", "9.68")
        wanted = {
            "gpu": "H100",
            "region": "EU",
            "lease": "4h",
            "max_total": 20,
            "heartbeat": True,
            "key": "eval-1",
        }
        renting = asyncio.create_task(call_tool(client, "gpu_rent", **wanted))
        rental = await becomes_ready(api, client, renting)
        assert (rental["state"], rental["key"], rental["ssh"]["user"]) == ("ready", "eval-1", "root")
        assert rental["next_step"].startswith(f'Call gpu_heartbeat with {{"id": "{rental["id"]}"}} by ')
        assert await call_tool(client, "gpu_rent", **wanted) == rental
        assert (await call_tool(client, "gpu_heartbeat", id=rental["id"]))["state"] == "ready"
        extended = await call_tool(client, "gpu_extend", key="eval-1", lease="5h")
        assert extended["ends_at"] > rental["ends_at"]
        assert await call_tool(client, "gpu_extend", key="eval-1", lease="5h") == extended
        listed = await call_tool(client, "gpu_status")
        assert ([each["id"] for each in listed["rentals"]], listed["token"]["machines"]) == ([rental["id"]], 1)
        assert (await call_tool(client, "gpu_release", id=rental["id"]))["state"] == "ending"
        waiting = asyncio.create_task(call_tool(client, "gpu_status", key="eval-1", wait=20))
        await api.world.until(rental["id"], State.DESTROYED)
        assert (await waiting)["rentals"][0]["state"] == "ended"
        assert (await call_tool(client, "gpu_status"))["rentals"] == []


async def test_bad_arguments_are_answered_in_the_words_of_the_api(api: Api) -> None:
    async with an_agent(api) as client:
        for arguments, words in (
            ({"gpu": "B999"}, '"gpu": Nobody offers this GPU right now. Similar names: B200, RTX 4090.'),
            ({"gpu": ["H100"]}, '"gpu": write a text.'),
            ({"gpu": "H100", "count": "many"}, '"count": write a whole number.'),
            ({"gpu": "H100", "lease": "soon"}, '"lease": write a duration such as 4h, 90m or 1h30m.'),
            (
                {"gpu": "H100", "region": "Mars"},
                '"region": I don\'t know this region. Regions: US, EU, APAC, Other.',
            ),
            ({"gpu": "H100", "note": "x" * 201}, '"note": write at most 200 characters.'),
        ):
            assert await fails(client, "gpu_rent", **arguments) == words
        both = {"lease": "4h", "until": "2030-01-01T00:00:00Z"}
        assert await fails(client, "gpu_quote", gpu="H100", **both) == 'Send either "lease" or "until", not both.'
        assert await fails(client, "gpu_quote", gpu="H100" * 99) == '"gpu": write at most 60 characters.'
        secret = await fails(client, "gpu_rent", gpu="H100", note=api.secret)
        assert api.secret not in secret
        assert "secret" in secret
        with pytest.raises(MCPError, match="Unknown tool: gpu_buy"):
            await client.call_tool("gpu_buy", {})
        assert (await call_tool(client, "gpu_status"))["rentals"] == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_token_that_may_only_look_has_two_tools(api: Api, era: str) -> None:
    rental = await api.rented("run-1")
    await api.token(name="looker", access=Access.LOOK)
    async with an_agent(api, era) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["gpu_quote", "gpu_status"]
        (shown,) = (await call_tool(client, "gpu_status"))["rentals"]
        assert (shown["id"], shown["ssh"], shown["money"]) == (rental.id, None, None)
        quote = await call_tool(client, "gpu_quote", gpu="H100")
        assert "gpu_rent" not in quote["next_step"]
        refused = "This token isn't allowed to do this. Ask the person who gave it to you for one that can rent."
        assert await fails(client, "gpu_rent", gpu="H100") == refused
        assert await fails(client, "gpu_extend", id=rental.id, lease="5h") == refused
        assert (await fails(client, "gpu_release", id=rental.id)).startswith("This token has no such rental. ")
    assert (await api.world.rental(rental.id)).state is State.READY


@pytest.mark.parametrize("era", [*ERAS, "2026-07-28"])
async def test_a_token_that_is_not_valid_has_no_tools(api: Api, era: str) -> None:
    api.secret = "gpb_" + "9fK2" * 11
    async with an_agent(api, era) as client:
        assert (await client.list_tools()).tools == []
        words = "This token isn't valid. Ask the person who gave it to you for a new one."
        assert await fails(client, "gpu_status") == words


async def test_stdout_has_only_the_protocol_and_no_stream_the_token(api: Api) -> None:
    """The client sends something that isn't JSON, calls a tool that fails, and closes stdin."""
    asked: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": {"protocolVersion": "2024-11-05", "capabilities": {}}},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "gpu_status", "arguments": {"id": api.secret}}},
        {"id": 3, "method": "tools/call", "params": {"name": 7}},
    ]
    asked[0]["params"]["clientInfo"] = {"name": "test", "version": "1"}
    lines = [json.dumps({"jsonrpc": "2.0", **each}).encode() for each in asked]
    process = await start_mcp(settings(api))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n".join([lines[0], b"not JSON", *lines[1:], b""]))
    answers = [json.loads(await process.stdout.readline()) for _ in range(3)]
    rest, noted = await process.communicate(b"")
    by_id = {each["id"]: each for each in answers if "id" in each}
    assert by_id[1]["result"]["protocolVersion"] == "2024-11-05"
    assert by_id[2]["result"]["isError"] is True
    assert by_id[3]["error"]["code"] == -32602
    assert (process.returncode, rest) == (0, b"")
    assert api.secret not in str(answers)
    assert api.secret.encode() not in noted


ENVELOPE = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "copilot-cli", "version": "1.0.85"},
        "io.modelcontextprotocol/clientCapabilities": {"sampling": {}, "elicitation": {"form": {}, "url": {}}},
    }
}
"""The params that every request of the newer era has, as Copilot CLI 1.0.85 sends them."""
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


class Pipe:
    """Sends messages to `gpubot mcp` as bytes, in any order."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._last_id = 0

    def send(self, method: str, params: dict[str, Any], number: int | None = None) -> None:
        """Send a request with this number, or a notification. The line ends as on Windows."""
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        assert self.process.stdin is not None
        self.process.stdin.write(
            json.dumps(message if number is None else {**message, "id": number}).encode() + b"\r\n"
        )

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request, and return its result."""
        self._last_id += 1
        self.send(method, params, self._last_id)
        assert self.process.stdout is not None
        answer = json.loads(await self.process.stdout.readline())
        assert answer["id"] == self._last_id
        found: dict[str, Any] = answer["result"]
        return found


@asynccontextmanager
async def a_pipe(api: Api) -> AsyncIterator[Pipe]:
    """Start `gpubot mcp`, and check that it ends well."""
    process = await start_mcp(settings(api))
    try:
        yield Pipe(process)
        rest, noted = await process.communicate(b"")
    finally:
        if process.returncode is None:
            process.kill()
    assert (process.returncode, rest, noted) == (0, b"", b"")


async def test_requests_of_both_eras_are_answered_on_one_connection(api: Api) -> None:
    """Copilot CLI and Claude Code ask for the versions as in the newer era, and then begin with `initialize`."""
    async with a_pipe(api) as pipe:
        assert (await pipe.ask("server/discover", ENVELOPE))["supportedVersions"] == ["2026-07-28"]
        for _ in range(2):
            assert (await pipe.ask("initialize", HELLO))["protocolVersion"] == "2025-11-25"
            pipe.send("notifications/initialized", {})
            for envelope in ({}, ENVELOPE, {}):
                listed = await pipe.ask("tools/list", envelope)
                assert tuple(tool["name"] for tool in listed["tools"]) == TOOL_NAMES
                assert listed.get("resultType") == ("complete" if envelope else None)
                called = await pipe.ask("tools/call", {"name": "gpu_status", "arguments": {}, **envelope})
                assert called["structuredContent"]["rentals"] == []


async def test_a_call_of_either_era_can_be_cancelled(api: Api) -> None:
    arguments = {"id": (await api.rent()).json()["id"], "wait": 20}
    async with a_pipe(api) as pipe:
        await pipe.ask("initialize", HELLO)
        for number, envelope in ((100, {}), (101, ENVELOPE)):
            pipe.send("tools/call", {"name": "gpu_status", "arguments": arguments, **envelope}, number)
            await becomes(lambda: api.server.waits.count == 1)
            pipe.send("notifications/cancelled", {"requestId": number})
            await becomes(lambda: api.server.waits.count == 0)
        assert (await pipe.ask("ping", {})) == {}


def test_a_client_that_is_killed_leaves_no_error() -> None:
    """The answer to the last request can't be written any more."""
    address = {"GPUBOT_API_URL": "http://127.0.0.1:9", "GPUBOT_TOKEN": SECRET, "HOME": "/nonexistent"}
    with subprocess.Popen(  # noqa: S603 - the command is our own
        [sys.executable, *COMMAND],
        env={"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **address},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for number in (1, 2):
            asked = {"jsonrpc": "2.0", "id": number, "method": "initialize", "params": HELLO}
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.flush()
            if number == 1:
                process.stdout.readline()
                process.stdout.close()
        process.stdin.close()
        assert (process.stderr.read(), process.wait()) == (b"", 0)


def test_a_notice_that_nobody_reads_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise, a call would fail instead of being repeated."""

    class Broken(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Broken())
    notice("Trying again.")


async def becomes(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - the server has no event for this
            await asyncio.sleep(0.01)


async def start_mcp(environment: dict[str, str], command: tuple[str, ...] = COMMAND) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, *command),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent", **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def failure_of(environment: dict[str, str], command: tuple[str, ...] = COMMAND) -> str:
    """Start the command, which fails with the status 1. Return its output on stderr."""
    process = await start_mcp(environment, command)
    printed, noted = await process.communicate()
    assert (process.returncode, printed) == (1, b"")
    return noted.decode()


async def test_without_a_token_or_the_extra_the_command_says_what_to_do() -> None:
    noted = await failure_of({"GPUBOT_API_URL": "http://127.0.0.1:9"})
    assert noted.startswith("GPUBOT_TOKEN is not set. ")
    without = (
        "import sys; sys.modules['mcp'] = None; sys.argv[1:] = ['mcp']; from bot.__main__ import main; main()"
    )
    noted = await failure_of({}, ("-c", without))
    assert 'type: pip install "gpubot[mcp] @ git+$REPOSITORY@v' in noted
