"""Socket Mode: tickets, connections, and envelopes that want to be acknowledged.

Protocol: https://docs.slack.dev/apis/events-api/using-socket-mode. An envelope goes to one connection, chosen at
random, and only that one can acknowledge it. Ghosts are half-open connections that nobody reads: they count, and
what is sent to them is lost.
"""

import asyncio
import json
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import WSMsgType, web

from sandbox.clock import Bell, real_sleep
from sandbox.slack.calling import ApiError, read_json
from sandbox.slack.recent import Recent
from sandbox.slack.schema import Json
from sandbox.slack.state import APP_ID
from sandbox.slack.timing import Timing

MOST_CONNECTIONS = 10
CLOSING = 0.5
"""Real seconds to wait for the other side of a closed connection to say goodbye."""
DEBUG_LIFE = 360
"""Seconds that a connection lives which was opened with `debug_reconnects=true`."""
Failure = Literal["operation_timeout", "dispatch_failed", "interactivity_disabled"]


@dataclass(frozen=True)
class Answer:
    """How an envelope ended: acknowledged (with the app's payload, if any), or with what the person sees."""

    error: Failure | None = None
    payload: Any = None
    took: float | None = None
    """Real seconds from sending the envelope to its acknowledgement; None where there was none."""


@dataclass
class Waiting:
    """An envelope on its way."""

    sent_at: float
    answer: asyncio.Future[Answer]


@dataclass
class Connection:
    name: str
    socket: web.WebSocketResponse
    request: web.Request
    waiting: dict[str, Waiting] = field(default_factory=dict)
    delivered: int = 0
    acknowledged: int = 0


class Sockets:
    def __init__(self, timing: Timing, monotonic: Callable[[], float], chance: random.Random) -> None:
        self._timing = timing
        self._monotonic = monotonic
        self._chance = chance
        self._tickets: Recent[None] = Recent(monotonic)
        self.opened = 0
        """Connections there ever were."""
        self.connections: list[Connection] = []
        self.ghosts = 0
        self.refuse_tickets = False
        self.stray_acks = 0
        """Acknowledgements that named no envelope which their connection still waited for."""
        self.bell = Bell()
        """Rings when a connection comes or goes."""
        self.on_envelope: Callable[[str, Json], None] = lambda kind, envelope: None
        """Told of every envelope sent ("sent") and every text received ("received")."""
        self.interactive: Callable[[], bool] = lambda: True
        """Whether the app has interactivity switched on."""

    def new_ticket(self) -> str:
        ticket = str(uuid.uuid4())
        self._tickets.add(ticket, None)
        return ticket

    @property
    def tickets(self) -> int:
        """How many unused tickets are remembered."""
        return len(self._tickets)

    def _use(self, ticket: str) -> bool:
        found = self._tickets.pop(ticket)
        return found is not None and found[1] < self._timing.ticket and not self.refuse_tickets

    @property
    def count(self) -> int:
        return len(self.connections) + self.ghosts

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The WebSocket endpoint: one connection from its handshake to its end."""
        if not self._use(request.query.get("ticket", "")):
            return web.json_response({"ok": False, "error": "invalid_ticket"}, status=403)
        socket = web.WebSocketResponse(autoping=True, timeout=CLOSING)
        if not socket.can_prepare(request):
            return web.json_response({"ok": False, "error": "not_a_websocket"}, status=400)
        await socket.prepare(request)
        if self.count >= MOST_CONNECTIONS:
            await socket.send_str(json.dumps({"type": "disconnect", "reason": "too_many_websockets"}))
            await socket.close()
            return socket
        self.opened += 1
        connection = Connection(f"s{self.opened}", socket, request)
        debug = request.query.get("debug_reconnects") == "true"
        life = DEBUG_LIFE if debug else self._timing.connection
        await socket.send_str(json.dumps(self._hello(self.count + 1, life)))
        self.connections.append(connection)
        self.bell.ring()
        age = asyncio.create_task(self._age(connection, life))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._received(connection, message.data)
        finally:
            age.cancel()
            self._gone(connection)
        return socket

    async def _age(self, connection: Connection, life: float) -> None:
        """Lives through a connection's time: warns it, and closes it at the end."""
        await real_sleep(life - self._timing.warning)
        await self._dismiss(connection, "warning")
        await real_sleep(self._timing.warning)
        await self._dismiss(connection, "refresh_requested")

    def _hello(self, count: int, life: int) -> Json:
        return {
            "type": "hello",
            "num_connections": count,
            "debug_info": {
                "host": "applink-sandbox",
                "build_number": 1,
                "approximate_connection_time": life,
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

    def _gone(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
        for waiting in connection.waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_result(Answer("dispatch_failed"))
        connection.waiting.clear()
        self.bell.ring()

    async def deliver(
        self, kind: str, payload: Json, *, answers: bool, retry: int | None = None, reason: str = ""
    ) -> Answer:
        """Sends an envelope to one connection and waits for its acknowledgement.

        `answers` says whether an acknowledgement may carry a payload; `retry` is set for events alone.
        """
        if kind == "interactive" and not self.interactive():
            return Answer("interactivity_disabled")
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
        place = self._chance.randrange(self.count)
        connection = self.connections[place] if place < len(self.connections) else None
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
        except (ConnectionError, RuntimeError):  # the socket closed under the envelope
            return Answer("dispatch_failed")
        finally:
            if connection is not None:
                connection.waiting.pop(envelope["envelope_id"], None)
        return answer if answers else Answer(answer.error, took=answer.took)

    async def disconnect(self, reason: str, only: str | None = None) -> int:
        """Tells connections to leave; all but a mere `warning` are then closed. Returns how many were told."""
        told = [each for each in self.connections if only in (None, each.name)]
        await asyncio.gather(*(self._dismiss(each, reason) for each in told))
        return len(told)

    async def _dismiss(self, connection: Connection, reason: str) -> None:
        notice = {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-sandbox"}}
        try:
            await connection.socket.send_str(json.dumps(notice))
            if reason != "warning":
                await connection.socket.close()
        except ConnectionError:
            self._gone(connection)

    def kill(self, only: str | None = None) -> int:
        """Cuts connections without a word. Returns how many."""
        cut = [each for each in self.connections if only in (None, each.name)]
        for connection in cut:
            if connection.request.transport is not None:
                connection.request.transport.abort()
            self._gone(connection)
        return len(cut)

    async def close(self) -> None:
        await asyncio.gather(*(connection.socket.close() for connection in self.connections))


def ticket_url(base: str, ticket: str) -> str:
    """The address that apps.connections.open answers for a sandbox served at `base`."""
    return f"{base.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id={APP_ID}"


def open_connection(sockets: Sockets, base: str, *, enabled: bool) -> Json:
    """The answer of apps.connections.open. Raises ApiError when Socket Mode is switched off."""
    if not enabled:
        raise ApiError("socket_mode_disabled")
    return {"ok": True, "url": ticket_url(base, sockets.new_ticket())}
