"""The MCP server: the tools of `agent/mcp_tools.py` on the official `mcp` package, and its transport over stdio.

The package serves both eras of the protocol: the versions up to 2025-11-25, in which a client begins with
`initialize`, and 2026-07-28, in which each request is complete in itself.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage

from agent.client import Client, open_connections
from agent.mcp_tools import INSTRUCTIONS, TOOL_NAMES, call, tools_for
from agent.settings import read_settings
from bot.clock import SystemClock
from bot.errors import Mistake
from bot.model.text import for_terminal, one_line

Connect = Callable[[Any], Client]
"""Returns the client of the API for a request.

The argument is the HTTP request, which contains the caller's token, or None over stdio. The client shares its
connections with other clients, so it isn't closed after the request.
"""


def server_for(connect: Connect) -> Server[Any]:
    """Return the server, which any transport can run. Each request uses the client that `connect` returns."""

    async def list_tools(
        context: ServerRequestContext[Any], _: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        # The list depends on the token, so no proxy may cache it for other callers.
        return types.ListToolsResult(tools=await tools_for(connect(context.request)), cache_scope="private")

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        if params.name not in TOOL_NAMES:
            known = ", ".join(TOOL_NAMES)
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {one_line(params.name, 40)}. There are {known}.")
        return await call(connect(context.request), params.name, params.arguments or {})

    return Server(
        "gpubot",
        version=version("gpubot"),
        title="gpubot",
        description="Rents GPU machines within the terms of a token.",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


class _BriefFormatter(logging.Formatter):
    """Formats a record without its arguments and its traceback, which could contain what a program has sent."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[0] if record.exc_info else None
        kind = f" ({error.__name__})" if error is not None else ""
        return f"gpubot mcp: {record.name}: {record.msg}{kind}"


def log_to_stderr() -> None:
    """Log the warnings of all packages to stderr. Over stdio, stdout belongs to the protocol."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_BriefFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def notice(sentence: str) -> None:
    """Write a sentence to stderr, such as the reason why a call to the API is repeated."""
    with suppress(BrokenPipeError):  # a client may have closed stderr, and its call must go on
        sys.stderr.write(for_terminal(f"gpubot mcp: {sentence}\n"))
        sys.stderr.flush()


def serve_stdio() -> None:
    """Serve one client over stdin and stdout, with the token of this process, until the client closes stdin.

    Raises Mistake if the address or the token is missing, or if stdin is closed.
    """
    settings = read_settings()
    log_to_stderr()
    # Ctrl-C ends the process at once. Otherwise, it would wait for the thread that reads stdin.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.stdin is None:
        raise Mistake("gpubot mcp talks to a coding agent over stdin, and stdin is closed.")
    if sys.stdin.isatty():
        notice("Ready. A coding agent starts this command itself, and talks to it over stdin. Ctrl-C ends it.")

    async def serve() -> None:
        async with open_connections(settings.address) as connections, stdio_server() as (incoming, outgoing):
            client = Client(settings, SystemClock(), notice, connections=connections)
            server = server_for(lambda _: client)
            await serve_both_eras(server, incoming, outgoing)

    try:
        asyncio.run(serve())
    except* BrokenPipeError:
        pass  # The client has ended, and nobody is left to read an answer.


async def serve_both_eras(server: Server[Any], incoming: Any, outgoing: Any) -> None:
    """Serve one client over the package's streams, and answer each request in the era to which it belongs.

    `Server.run` serves the era of the first request, and refuses all requests of the other era. But some clients
    ask for the versions as in the newer era, and go on with `initialize`, which belongs to the older one
    (https://github.com/github/copilot-cli/issues/4888). Therefore, the server runs once for each era.
    """
    streams = [anyio.create_memory_object_stream[SessionMessage | Exception]() for _ in range(2)]
    older, newer = (sending for sending, _ in streams)
    async with asyncio.TaskGroup() as runs, incoming, outgoing, older, newer:
        for _, receiving in streams:
            options = server.create_initialization_options()
            runs.create_task(server.run(receiving, outgoing.clone(), options))
        async for received in incoming:
            message = received.message if isinstance(received, SessionMessage) else None
            if isinstance(message, types.JSONRPCRequest):
                await (newer if _is_of_newer_era(message) else older).send(received)
            elif isinstance(message, types.JSONRPCNotification):
                # A notification can be about a request of either era. A run ignores what it doesn't know.
                await older.send(received)
                await newer.send(received)


def _is_of_newer_era(request: types.JSONRPCRequest) -> bool:
    meta = (request.params or {}).get("_meta")
    named = isinstance(meta, Mapping) and types.PROTOCOL_VERSION_META_KEY in meta
    return named and request.method != "initialize"
