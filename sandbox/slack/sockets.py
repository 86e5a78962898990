"""Socket Mode: simulates the WebSocket connections through which Slack sends interactions and events to an app.

The app gets a URL with a *ticket*, a secret that can be used once, and opens a WebSocket with it. The sandbox
sends each interaction or event as an *envelope* over one connection, which it chooses at random. Only this
connection can acknowledge the envelope. *Ghosts* are half-open connections that nobody reads. They count as
connections, and envelopes that are sent to them are lost.

Protocol: https://docs.slack.dev/apis/events-api/using-socket-mode.
"""

import asyncio
import json
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import WSMsgType, web

from sandbox.clock import Notifier, real_sleep
from sandbox.slack.arguments import ApiError, read_json
from sandbox.slack.expiring import ExpiringMap
from sandbox.slack.schema import Json
from sandbox.slack.state import APP_ID
from sandbox.slack.timing import Timing

MAX_CONNECTIONS = 10
CLOSING = 0.5
"""Wall-clock seconds to wait for the other side to close a connection as well."""
Failure = Literal["operation_timeout", "dispatch_failed", "interactivity_disabled"]


@dataclass(frozen=True)
class Answer:
    """The result of sending an envelope: the payload of its acknowledgement, or the error that the person sees."""

    error: Failure | None = None
    payload: Any = None
    took: float | None = None
    """Wall-clock seconds from sending the envelope to its acknowledgement. None if it wasn't acknowledged."""
    reason: str = "timeout"
    """The reason for the error, as Slack passes it to the app when it sends an event again."""
    given_up: bool = False
    """True if the app's error response asked Slack not to retry."""


@dataclass
class Waiting:
    """An envelope that hasn't been acknowledged yet."""

    sent_at: float
    answer: asyncio.Future[Answer]


@dataclass
class Connection:
    """A WebSocket of the app."""

    name: str
    socket: web.WebSocketResponse
    request: web.Request
    waiting: dict[str, Waiting] = field(default_factory=dict)
    delivered: int = 0
    acknowledged: int = 0


class Sockets:
    """The app's Socket Mode connections."""

    def __init__(self, timing: Timing, monotonic: Callable[[], float], rng: random.Random) -> None:
        self._timing = timing
        self._monotonic = monotonic
        self._rng = rng
        self._tickets: ExpiringMap[None] = ExpiringMap(monotonic)
        self.opened = 0
        """The number of connections that have ever been opened."""
        self.connections: list[Connection] = []
        self.ghosts = 0
        self.refuse_tickets = False
        self.stray_acks = 0
        """The number of the app's messages that acknowledged no envelope waiting on the same connection."""
        self.changes = Notifier()
        """Notified when a connection opens or closes."""
        self.on_envelope: Callable[[str, Json], None] = lambda _kind, _envelope: None
        """Called with "sent" and each envelope, and with "received" and each message from the app."""

    def new_ticket(self) -> str:
        """Return a ticket for one connection."""
        ticket = str(uuid.uuid4())
        self._tickets.add(ticket, None)
        return ticket

    @property
    def tickets(self) -> int:
        """The number of unused tickets that are kept."""
        return len(self._tickets)

    def _use(self, ticket: str) -> bool:
        found = self._tickets.pop(ticket)
        return found is not None and found[1] < self._timing.ticket and not self.refuse_tickets

    @property
    def count(self) -> int:
        """The number of open connections, including ghosts."""
        return len(self.connections) + self.ghosts

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve a WebSocket connection, from its handshake to its end."""
        if not self._use(request.query.get("ticket", "")):
            return web.json_response({"ok": False, "error": "invalid_ticket"}, status=403)
        socket = web.WebSocketResponse(autoping=True, timeout=CLOSING)
        if not socket.can_prepare(request):
            return web.json_response({"ok": False, "error": "not_a_websocket"}, status=400)
        await socket.prepare(request)
        if self.count >= MAX_CONNECTIONS:
            await socket.send_str(json.dumps({"type": "disconnect", "reason": "too_many_websockets"}))
            await socket.close()
            return socket
        self.opened += 1
        connection = Connection(f"s{self.opened}", socket, request)
        await socket.send_str(json.dumps(self._hello(self.count + 1)))
        self.connections.append(connection)
        self.changes.notify()
        expiry = asyncio.create_task(self._expire(connection))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._received(connection, message.data)
        finally:
            expiry.cancel()
            self._forget(connection)
        return socket

    async def _expire(self, connection: Connection) -> None:
        """Warn a connection shortly before its maximum lifetime ends, then close it."""
        await real_sleep(self._timing.connection - self._timing.warning)
        await self._send_disconnect(connection, "warning")
        await real_sleep(self._timing.warning)
        await self._send_disconnect(connection, "refresh_requested")

    def _hello(self, count: int) -> Json:
        return {
            "type": "hello",
            "num_connections": count,
            "debug_info": {
                "host": "applink-sandbox",
                "build_number": 1,
                "approximate_connection_time": self._timing.connection,
            },
            "connection_info": {"app_id": APP_ID},
        }

    def _received(self, connection: Connection, text: str) -> None:
        try:
            message = read_json(text)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self.stray_acks += 1
            return
        self.on_envelope("received", message)
        name = message.get("envelope_id")
        waiting = connection.waiting.pop(name, None) if isinstance(name, str) else None
        if waiting is None or waiting.answer.done():
            self.stray_acks += 1
            return
        connection.acknowledged += 1
        took = self._monotonic() - waiting.sent_at
        waiting.answer.set_result(Answer(payload=message.get("payload"), took=took))

    def _forget(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
        for waiting in connection.waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_result(Answer("dispatch_failed"))
        connection.waiting.clear()
        self.changes.notify()

    async def deliver(
        self, kind: str, payload: Json, *, answers: bool, retry: int | None = None, reason: str = ""
    ) -> Answer:
        """Send an envelope to one connection, and wait for its acknowledgement.

        Args:
            kind: The type of the envelope: `slash_commands`, `interactive` or `events_api`.
            payload: The payload to send.
            answers: Whether the acknowledgement may contain a payload. Otherwise its payload is ignored.
            retry: For events, the number of the retry; 0 for the first delivery.
            reason: For retries, the reason why the previous delivery failed.
        """
        if self.count == 0:
            return Answer("dispatch_failed")
        envelope: Json = {
            "envelope_id": str(uuid.uuid4()),
            "type": kind,
            "accepts_response_payload": answers,
            "payload": payload,
        }
        if retry is not None:
            envelope |= {"retry_attempt": retry, "retry_reason": reason}
        index = self._rng.randrange(self.count)
        # Slack may send an envelope, a message in Socket Mode, over a connection that the app has already lost. If
        # no connection has this index, the envelope is sent over such a connection and never arrives.
        connection = self.connections[index] if index < len(self.connections) else None
        self.on_envelope("sent", envelope)
        waiting = Waiting(self._monotonic(), asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(self._timing.ack):
                if connection is not None:
                    connection.waiting[envelope["envelope_id"]] = waiting
                    connection.delivered += 1
                    await connection.socket.send_str(json.dumps(envelope))
                answer = await waiting.answer
        except TimeoutError:
            return Answer("operation_timeout")
        except (ConnectionError, RuntimeError):
            # The app closed its WebSocket while the sandbox was sending the envelope.
            return Answer("dispatch_failed")
        finally:
            if connection is not None:
                connection.waiting.pop(envelope["envelope_id"], None)
        return answer if answers else Answer(answer.error, took=answer.took)

    async def disconnect(self, reason: str, only: str | None = None) -> int:
        """Send `disconnect` to all connections, or to `only` one. Return the number of these connections.

        They are also closed, unless the reason is `warning`.
        """
        found = [each for each in self.connections if only in (None, each.name)]
        await asyncio.gather(*(self._send_disconnect(each, reason) for each in found))
        return len(found)

    async def _send_disconnect(self, connection: Connection, reason: str) -> None:
        notice = {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-sandbox"}}
        try:
            await connection.socket.send_str(json.dumps(notice))
            if reason != "warning":
                await connection.socket.close()
        except ConnectionError:
            self._forget(connection)

    def kill(self, only: str | None = None) -> int:
        """Abort all connections, or `only` one, without a close frame. Return the number of these connections."""
        cut = [each for each in self.connections if only in (None, each.name)]
        for connection in cut:
            if connection.request.transport is not None:
                connection.request.transport.abort()
            self._forget(connection)
        return len(cut)

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(connection.socket.close() for connection in self.connections))


def ticket_url(base: str, ticket: str) -> str:
    """Return the WebSocket URL with a ticket. `base` is the URL of the server."""
    return f"{base.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id={APP_ID}"


def open_connection(sockets: Sockets, base: str, *, enabled: bool) -> Json:
    """Return the response of apps.connections.open. Raise ApiError if Socket Mode is disabled."""
    if not enabled:
        raise ApiError("socket_mode_disabled")
    return {"ok": True, "url": ticket_url(base, sockets.new_ticket())}
