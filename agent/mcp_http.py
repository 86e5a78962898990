"""The MCP server over HTTP, for callers with a token each: `gpubot mcp --http`.

The server has no token. Each request contains the token of its caller, which is passed on to the API. Nothing is
kept between two requests, so callers can't reach what belongs to others, and any process can answer any request.

This module checks each request, and decides in which era of the protocol (agent/mcp_server.py) it is answered.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import uvicorn
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import CLIENT_CAPABILITIES_META_KEY, INVALID_REQUEST, PROTOCOL_VERSION_META_KEY
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent.client import Client, open_connections
from agent.mcp_server import log_to_stderr, notice, server_for
from agent.settings import Address, Settings, is_token
from bot.clock import Clock, SystemClock
from bot.errors import Mistake

DEFAULT = "127.0.0.1:8604"
"""The address to listen on if none is given."""
PATH = "/mcp"
MOST_BYTES = 256 * 1024
"""The maximum size of a request's body."""
MOST_HEADER_BYTES = 32 * 1024
REQUEST_SECONDS = 10.0
"""The limit for receiving the headers of a request, in wall-clock seconds. The body has the same limit."""
MOST_CONNECTIONS = 100
"""The maximum number of open connections. While there are as many, further requests are answered with 503."""
DRAIN = 3
"""The time for which a process that stops waits for open requests, in wall-clock seconds."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HOST = re.compile(r"(?P<name>[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?")


class Listen(NamedTuple):
    """The address of the server."""

    host: str
    """A name or an IPv4 address in lower case, or an IPv6 address in square brackets."""
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def read_listen(text: str) -> Listen:
    """Return the address that a text such as `127.0.0.1:8604` or `[::1]:8604` means.

    Raises Mistake if the text isn't an address.
    """
    found = _HOST.fullmatch(text.lower())
    if found is None or found["port"] is None or int(found["port"]) > 65535:
        raise Mistake(f"--http: write the address as HOST:PORT, such as 127.0.0.1:8604. {text!r} isn't one.")
    return Listen(found["name"], int(found["port"]))


def read_name(text: str) -> str:
    """Return the name of a host in lower case. Raises Mistake if the text is anything else, such as a URL."""
    found = _HOST.fullmatch(text.lower())
    if found is None or found["port"] is not None:
        raise Mistake(f"--allow-host: write the name of the host alone, such as mcp.example.com, not {text!r}.")
    return found["name"]


# --- one request


class Refused(Exception):
    """A request that isn't passed on to the package."""

    def __init__(self, status: int, words: str, **headers: str) -> None:
        super().__init__(words)
        self.answer = JSONResponse(
            {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": words}},
            status_code=status,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )


class Front:
    """The ASGI application: checks each request, and passes it on to the package.

    Args:
        manager: The package's handler of requests.
        hosts: The names by which the server may be called, as in the header Host, without a port.
        request_seconds: The limit for receiving a body, in wall-clock seconds.
    """

    def __init__(
        self,
        manager: StreamableHTTPSessionManager,
        hosts: Iterable[str],
        *,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self.manager = manager
        self._hosts = frozenset(hosts)
        self._request_seconds = request_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            self._check(scope["method"], scope["path"], headers)
            body = await self._read(receive)
        except Refused as refused:
            await refused.answer(scope, receive, send)
            return
        body = in_the_headers_era(headers.get("mcp-protocol-version"), body)
        try:
            await self.manager.handle_request(scope, _replay(body, receive), send)
        except asyncio.CancelledError:
            # uvicorn cancels what is still open when the process has to end.
            await Refused(503, "This server is stopping. Repeat the call.").answer(scope, receive, send)

    def _check(self, method: str, path: str, headers: Headers) -> None:
        """Check everything but the body. Raises Refused."""
        if _name_of(headers.get("host", "")) not in self._hosts:
            # A web page can make a browser call this server by the page's own name (DNS rebinding).
            raise Refused(
                421,
                "This server doesn't accept the host name. To allow it, start the server with --allow-host NAME.",
            )
        for origin in headers.getlist("origin"):
            scheme, _, host = origin.partition("://")
            if scheme and (scheme not in {"http", "https"} or _name_of(host) not in self._hosts):
                raise Refused(403, "Pages from this origin may not call the server.")
        if path != PATH:
            raise Refused(404, f"There is nothing here. The MCP server is at {PATH}.")
        if method != "POST":
            # Some clients begin with a GET, even without a token. After 405, they go on with POST. But they would
            # take 404 for a wrong address, and 401 for an invitation to log in with OAuth.
            raise Refused(405, "Send each message with POST. The server has no stream of its own.", Allow="POST")
        if token_of(headers) is None:
            raise Refused(
                401,
                "Send a whole token, as in Authorization: Bearer gpb_... "
                "To make one, a person types /gpu token in Slack.",
                WWW_Authenticate="Bearer",
            )

    async def _read(self, receive: Receive) -> bytes:
        """Return the body. Raises Refused if it's too large, is cut off, or doesn't arrive in time."""
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(self._request_seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(400, "The message is incomplete.")
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > MOST_BYTES:
                        raise Refused(413, f"A message can have {MOST_BYTES // 1024} KiB at most.")
        except TimeoutError:
            raise Refused(408, "The message didn't arrive in time.") from None
        return bytes(body)


def token_of(headers: Headers) -> SecretStr | None:
    """Return the token in the headers of a request. None if there isn't exactly one, or if it is incomplete."""
    values = headers.getlist("authorization")
    if len(values) != 1:
        return None
    scheme, _, secret = values[0].partition(" ")
    return SecretStr(secret.strip()) if scheme.lower() == "bearer" and is_token(secret.strip()) else None


def in_the_headers_era(version: str | None, body: bytes) -> bytes:
    """Return the body of a message, changed to the era of the version in the message's header if necessary.

    Since 2026-07-28, the body names the version as well, in `_meta`. Some clients send a header of one era and a
    body of the other (https://github.com/anthropics/claude-code/issues/93290). If the header names the older
    version, the package ignores `_meta`. If the header names the newer one, the package would refuse the request.
    So the version in `_meta` is then replaced by that of the header.
    """
    if version not in MODERN_PROTOCOL_VERSIONS:
        return body
    try:
        message = json.loads(body)
        meta = message["params"]["_meta"]
        if meta[PROTOCOL_VERSION_META_KEY] not in HANDSHAKE_PROTOCOL_VERSIONS:
            return body
        meta[PROTOCOL_VERSION_META_KEY] = version
        meta.setdefault(CLIENT_CAPABILITIES_META_KEY, {})  # required since 2026-07-28
        return json.dumps(message).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        return body  # the package says what is wrong with it


async def for_clients_of_both_eras(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Answer a request so that clients of the newer era accept the result, even if the header is of the older one.

    The package answers in the era of the header. Clients of the newer era refuse a result without the fields that
    are required since 2026-07-28, so these fields are added. Clients of the older era ignore additional fields.
    """
    result = await call_next(ctx)
    named = None if ctx.meta is None else ctx.meta.get(PROTOCOL_VERSION_META_KEY)
    if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS or named not in MODERN_PROTOCOL_VERSIONS:
        return result
    if not isinstance(result, dict):  # a notification has no result
        return result
    hints = {"ttlMs": 0, "cacheScope": "private"} if ctx.method == "tools/list" else {}
    return {"resultType": "complete", **hints, **result}


def _name_of(host: str) -> str | None:
    """Return the name in a text such as `localhost:8604`, in lower case. None if the text has another form."""
    found = _HOST.fullmatch(host.lower())
    return None if found is None else found["name"]


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a function that receives the body once more, and then whatever comes next."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


# --- the process


class Connection(H11Protocol):
    """A connection that is closed if the headers of its only request don't arrive in time.

    uvicorn has no such limit. Without the limit, anyone who reaches the address could occupy all connections with
    requests that never end.
    """

    seconds = REQUEST_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.seconds, self._end_unless_begun)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def _end_unless_begun(self) -> None:
        if self.cycle is None:
            self.transport.close()


class HttpServer(uvicorn.Server):
    """The server of an ASGI application.

    Args:
        front: The application.
        connection: The class of a connection.
    """

    def __init__(self, front: Front, *, connection: type[Connection] = Connection) -> None:
        super().__init__(
            uvicorn.Config(
                front,
                http=connection,
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                # If connections stayed open, a server that stops could lose the next request on one of them.
                headers=[("Connection", "close")],
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=DRAIN,
                h11_max_incomplete_event_size=MOST_HEADER_BYTES,
            )
        )

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone. uvicorn would end the process with the status of the signal."""
        yield


@asynccontextmanager
async def open_front(address: Address, names: Iterable[str], clock: Clock) -> AsyncIterator[Front]:
    """Open the connections to the API, which all callers share, and return the application.

    Args:
        address: The address of the API.
        names: The names by which callers reach the server, besides those of this machine.
        clock: Measures the pauses before a call to the API is repeated.
    """
    async with open_connections(address) as connections:

        def connect(request: Request) -> Client:
            token = token_of(request.headers)
            if token is None:  # the front has refused all such requests
                raise PermissionError
            return Client(Settings(address, token), clock, notice, connections=connections)

        server = server_for(connect)
        server.middleware.append(for_clients_of_both_eras)
        # The package would list the tools before each call, to find arguments that travel in headers. None does.
        server.get_tool_input_schema = lambda _: None
        manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
        async with manager.run():
            yield Front(manager, {*LOOPBACK, *names})


def serve_http(listen: Listen, names: Iterable[str], address: Address) -> None:
    """Serve callers over HTTP until this process gets SIGTERM or SIGINT.

    Args:
        listen: The address to listen on.
        names: Further names by which callers reach the server, such as that of a proxy.
        address: The address of the API.

    Raises:
        Mistake: The server can't listen on this address.
    """

    async def serve(listening: socket.socket) -> None:
        async with open_front(address, {listen.host, *names}, SystemClock()) as front:
            server = HttpServer(front)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, server.handle_exit, number, None)
            await server.serve([listening])

    with _socket_of(listen) as listening:
        log_to_stderr()
        for package in ("mcp", "uvicorn"):
            # Their warnings are about malformed requests, so callers could fill the disk with them.
            logging.getLogger(package).setLevel(logging.ERROR)
        # If the port is 0, the system has chosen one.
        used = listen._replace(port=listening.getsockname()[1])
        sys.stderr.write(f"Listening on http://{used}{PATH}, for the API at {address}. Ctrl-C ends it.\n")
        if used.host not in LOOPBACK:
            sys.stderr.write(
                "Other machines can reach this address. Unless a proxy adds TLS, tokens can be read on the way.\n"
            )
        sys.stderr.flush()
        asyncio.run(serve(listening))


def _socket_of(listen: Listen) -> socket.socket:
    """Return a socket that listens on the address. Raises Mistake if the address can't be used."""
    host = listen.host.strip("[]")
    try:
        return socket.create_server(
            (host, listen.port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=256
        )
    except OSError as error:
        raise Mistake(f"--http: I can't listen on {listen}: {error.strerror}.") from None
