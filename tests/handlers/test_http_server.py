"""The HTTP server, with requests signed like Slack's and with other requests."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs

from bot.clock import CorrectedClock, SystemClock
from bot.errors import Unusable
from demo.processes import free_port
from handlers.listeners.wrapper import EventNotHandled
from handlers.slack_api.http_server import MOST_BYTES, MOST_UNFINISHED, HttpServer, RecentOutcomes
from tests.load_balancer import Backend, load_balancer
from tests.test_health import StoppedClock

SECRET, OTHER_SECRET = "5a1d" * 8, "0bad" * 8
TYPED = "what people type"
SHORT = 0.2
"""The wall-clock seconds that a request may take in tests of slow requests."""


@dataclass
class Running:
    """A running server, and what its listeners and its caller recorded."""

    server: HttpServer
    port: int
    session: aiohttp.ClientSession
    did: Bell
    outcomes: Bell
    hold: asyncio.Event

    def counted(self) -> tuple[Counter[str], list[str]]:
        """Return the number of requests with each outcome, and the commands that were handled."""
        return Counter(self.outcomes.noted), self.did.noted

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/slack/events"

    async def post(self, body: bytes, **headers: str) -> tuple[int, str]:
        """Send a body, by default without a signature, and return the status and body of the response."""
        async with self.session.post(self.url, data=io.BytesIO(body), headers=headers) as response:
            assert "Server" not in response.headers
            return response.status, await response.text()

    async def command(self, text: str) -> tuple[int, str]:
        body, headers = a_command(text)
        return await self.post(body, **headers)

    @asynccontextmanager
    async def connected(self, text: bytes) -> AsyncIterator[asyncio.StreamReader]:
        """Send bytes, and keep the connection open until the end of the block."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(text)
            await writer.drain()
            yield reader
        finally:
            writer.transport.abort()

    async def raw(self, text: bytes, *, cut: bool = False) -> bytes:
        """Send bytes, and return everything that arrives until the server closes the connection.

        With `cut`, close the connection immediately instead.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(text)
        await writer.drain()
        if cut:
            writer.close()
            return b""
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        return answer


def a_command(text: str) -> tuple[bytes, dict[str, str]]:
    """Return the body of `/gpu TEXT`, and its headers."""
    body = urlencode({"command": "/gpu", "text": text, "team_id": "T1", "user_id": "U1"}).encode()
    return body, signed(body, content_type="application/x-www-form-urlencoded")


def signed(body: bytes, *, secret: str = SECRET, age: int = 0, content_type: str = "") -> dict[str, str]:
    """Return the headers with which Slack signs a body, computed by Slack's own SDK."""
    timestamp = str(int(time.time()) - age)
    signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
    headers = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": str(signature)}
    return {**headers, "Content-Type": content_type or "application/json"}


class Bell:
    """Calls back when something is recorded, so that a test can wait for it."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self._rung = asyncio.Event()

    def note(self, what: str) -> None:
        self.noted.append(what)
        self._rung.set()

    async def until(self, what: str, times: int = 1) -> None:
        async with asyncio.timeout(10):
            while self.noted.count(what) < times:
                self._rung.clear()
                await self._rung.wait()


def an_app(did: Bell, hold: asyncio.Event) -> AsyncApp:
    """Return an app with a command that records its text, and that waits for `hold` if the text is `wait`."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-none")  # noqa: S106 (no token)

    app = AsyncApp(
        client=AsyncWebClient(),
        authorize=authorize,
        process_before_response=True,
        request_verification_enabled=False,
    )

    @app.command("/gpu")
    async def gpu(ack: Any, body: dict[str, Any]) -> None:
        did.note(body["text"])
        if body["text"] == "wait":
            await hold.wait()
        await ack(text=f"done {body['text']}")

    async def fail_once(next_: Callable[[], Awaitable[None]]) -> None:
        did.note("event")
        if did.noted.count("event") == 1:
            raise EventNotHandled("team_rename")
        await next_()

    @app.event("team_rename", middleware=[fail_once])
    async def handled() -> None:
        pass

    return app


@asynccontextmanager
async def serving(seconds: float = 10.0, ahead: timedelta = timedelta(0)) -> AsyncIterator[Running]:
    """Run a server on a machine whose clock is known to be `ahead`."""
    did, outcomes, hold, port = Bell(), Bell(), asyncio.Event(), free_port()
    clock = CorrectedClock(SystemClock())
    clock.ahead = -ahead
    server = HttpServer(
        an_app(did, hold),
        SECRET,
        f"127.0.0.1:{port}",
        clock,
        request_seconds=seconds,
        on_request=outcomes.note,
        clock_ahead=lambda: ahead,
    )
    await server.connect()
    try:
        async with aiohttp.ClientSession() as session:
            yield Running(server, port, session, did, outcomes, hold)
    finally:
        await server.close()


async def test_the_response_to_a_signed_request_is_the_acknowledgement() -> None:
    async with serving() as running:
        assert running.server.since_request() is None
        status, body = await running.command("list")
        assert (status, body) == (200, "done list")
        assert running.counted() == ({"answered": 1}, ["list"])
        since = running.server.since_request()
        assert since is not None
        assert 0 <= since < 60


async def test_the_url_verification_request_is_answered_if_signed() -> None:
    async with serving() as running:
        body = json.dumps({"type": "url_verification", "challenge": "c1"}).encode()
        status, answer = await running.post(body, **signed(body))
        assert (status, json.loads(answer)) == (200, {"challenge": "c1"})
        assert await running.post(body) == (401, "")


async def test_an_unhandled_event_gets_an_error_so_that_slack_resends_it() -> None:
    async with serving() as running:
        event = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": {"type": "team_rename"}}
        body = json.dumps(event).encode()
        assert (await running.post(body, **signed(body)))[0] == 500
        again = {"x-slack-retry-num": "1", "x-slack-retry-reason": "http_error"}
        assert await running.post(body, **signed(body), **again) == (200, "")


@pytest.mark.parametrize("age", [301, -310], ids=["old", "of the future"])
async def test_a_stale_request_is_refused(age: int) -> None:
    async with serving() as running:
        body = b'{"type": "url_verification", "challenge": "c1"}'
        assert await running.post(body, **signed(body, age=age)) == (401, "")
        assert running.counted() == ({"stale": 1}, [])


@pytest.mark.parametrize("hours", [2, -10])
async def test_request_ages_are_corrected_for_a_clock_known_to_be_wrong(
    hours: int,
) -> None:
    async with serving(ahead=timedelta(hours=hours)) as running:
        assert await running.command("list") == (200, "done list")
        body = b'{"type": "url_verification", "challenge": "c1"}'
        assert await running.post(body, **signed(body, age=hours * 3600)) == (401, "")


async def test_forged_requests_all_get_the_same_empty_refusal() -> None:
    """Each of these requests names something that would be answered if the request were signed."""
    async with serving() as running:
        command = urlencode({"command": "/gpu", "text": "list", "team_id": "T1"}).encode()
        good = signed(command)
        compressed = gzip.compress(command)
        forged: list[tuple[bytes, dict[str, str]]] = [
            (command, {}),
            (b"ssl_check=1&token=x", {"Content-Type": "application/x-www-form-urlencoded"}),
            (command, signed(command, secret=OTHER_SECRET)),
            (command + b"&text=destroy", good),
            (command, {**good, "X-Slack-Request-Timestamp": str(int(time.time()) - 1)}),
            (command, {**good, "X-Slack-Request-Timestamp": "now"}),
            (command, {**good, "X-Slack-Request-Timestamp": "1_0"}),
            (command, {**good, "X-Slack-Request-Timestamp": "9" * 5000}),
            (command, {**good, "X-Slack-Signature": good["X-Slack-Signature"].removeprefix("v0=")}),
            (command, {**good, "X-Slack-Signature": "v0=ü"}),
            (b"\xff\xfe\x00", good),
            (b"", good),
            (compressed, {**good, "Content-Encoding": "gzip"}),
        ]
        with capture_logs() as lines:
            for body, headers in forged:
                assert await running.post(body, **headers) == (401, ""), headers
        assert running.counted() == ({"unsigned": len(forged)}, [])
        assert [line["event"] for line in lines] == ["slack.request_refused"], "once a minute"
        async with running.session.get(f"http://127.0.0.1:{running.port}/health") as response:
            assert (response.status, await response.text()) == (401, "")


async def test_a_body_over_one_mebibyte_is_refused_with_or_without_content_length() -> None:
    async with serving() as running:
        body = b"x" * (MOST_BYTES + 1)
        assert (await running.post(body, **signed(body)))[0] == 413

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(17):
                yield b"x" * 65536

        async with running.session.post(running.url, data=chunks(), headers=signed(body)) as response:
            assert response.status == 413
        assert running.counted() == ({"too_large": 2}, [])
        largest = b"{" + b" " * (MOST_BYTES - 2) + b"}"
        assert (await running.post(largest, **signed(largest)))[0] == 404  # signed, but not a payload of Slack's


def head(*lines: str) -> bytes:
    fresh = signed(b"")
    own = [f"{name}: {fresh[name]}" for name in ("X-Slack-Request-Timestamp", "X-Slack-Signature")]
    return "\r\n".join(["POST /slack/events HTTP/1.1", "Host: bot", *own, *lines, "", ""]).encode()


async def test_a_request_with_slow_headers_or_a_slow_body_is_refused() -> None:
    async with serving(SHORT) as running:
        assert await running.raw(b"") == b""
        assert await running.raw(b"POST /slack/events HTTP/1.1\r\nHost: bot\r\nX-Slow") == b""
        answer = await running.raw(head("Content-Length: 100") + b"begun")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert running.counted() == ({"slow": 1}, [])


@pytest.mark.parametrize("strangers", [60, 200])
async def test_requests_that_stop_after_the_headers_do_not_block_others(strangers: int) -> None:
    async with serving() as running, AsyncExitStack() as stack:
        for _ in range(strangers):
            await stack.enter_async_context(running.connected(head("Content-Length: 100") + b"begun"))
        assert await running.command("list") == (200, "done list")
        assert running.counted() == ({"answered": 1}, ["list"]), "all others are still open"


async def test_endless_bodies_do_not_fill_the_memory_because_the_oldest_is_dropped() -> None:
    begun = head("Expect: 100-continue", f"Content-Length: {MOST_BYTES}") + b"x" * (MOST_BYTES - 1)
    async with serving() as running, AsyncExitStack() as stack:
        oldest = await stack.enter_async_context(running.connected(begun))
        assert await oldest.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        for _ in range(MOST_UNFINISHED // MOST_BYTES):
            await stack.enter_async_context(running.connected(begun))
        assert await oldest.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
        assert await running.command("list") == (200, "done list")
        assert running.counted() == ({"slow": 1, "answered": 1}, ["list"])


async def test_many_slow_means_fifty_in_five_minutes_and_fewer_answered() -> None:
    clock = StoppedClock()
    recent = RecentOutcomes(clock)
    for _ in range(49):
        recent.count("slow")
        recent.count("unsigned")
    assert not recent.many_slow(), "there are always some"
    clock.seconds += 200
    recent.count("slow")
    assert recent.many_slow()
    for _ in range(50):
        recent.count("answered")
    assert not recent.many_slow(), "Slack gets through as often"
    recent.count("slow")
    assert recent.many_slow()
    clock.seconds += 101
    assert not recent.many_slow(), "the first 49 were more than five minutes ago"
    clock.seconds += 10_000
    for _ in range(51):
        recent.count("slow")
    assert recent.many_slow()


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"no HTTP", 400),
        (b"POST /\x00 HTTP/1.1", 400),
        (b"OPTIONS * HTTP/1.1", 404),
        (b"POST / HTTP/1.1\r\nExpect: nothing good", 417),
        (b"OPTIONS * HTTP/1.1\r\nExpect: nothing good", 417),
    ],
)
async def test_requests_refused_by_the_library_also_get_an_empty_answer(request_line: bytes, status: int) -> None:
    async with serving() as running:
        answer = await running.raw(request_line + b"\r\nHost: bot\r\nAccept: text/html\r\n\r\n")
        headers, _, body = answer.partition(b"\r\n\r\n")
        assert headers.split()[1] == str(status).encode()
        assert body == b""
        assert b"aiohttp" not in headers


@pytest.mark.parametrize("body", [b"[1]", b"null", b'"text"', b"7", b"{", b"payload=[1]", b"payload=no"])
async def test_a_signed_body_that_is_not_an_object_is_refused(body: bytes) -> None:
    content_type = "application/x-www-form-urlencoded" if b"=" in body else "application/json"
    async with serving() as running:
        assert await running.post(body, **signed(body, content_type=content_type)) == (400, "")


async def test_an_interrupted_request_does_nothing() -> None:
    async with serving() as running:
        await running.raw(head("Content-Length: 100") + b"begun", cut=True)
        await running.raw(head("Transfer-Encoding: chunked") + b"5\r\nbegun\r\n", cut=True)
        await running.outcomes.until("cut", 2)
        assert running.counted() == ({"cut": 2}, [])
        assert b" 400 " in await running.raw(head("Transfer-Encoding: chunked") + b"no length\r\n")
        assert running.did.noted == []


async def test_a_new_signing_secret_applies_to_the_next_request() -> None:
    async with serving() as running:
        running.server.use_secret(OTHER_SECRET)
        assert await running.command("list") == (401, "")
        running.server.use_secret(SECRET)
        assert (await running.command("list"))[0] == 200


async def test_neither_secrets_nor_typed_text_are_logged() -> None:
    async with serving() as running:
        with capture_logs() as lines:
            await running.command(TYPED)
            body = urlencode({"command": "/gpu", "text": TYPED}).encode()
            headers = signed(body, secret=OTHER_SECRET)
            assert await running.post(body, **headers) == (401, "")
        shown = str(lines)
        assert "slack.request_refused" in shown
        for secret in (SECRET, TYPED, headers["X-Slack-Signature"]):
            assert secret not in shown


async def test_an_address_in_use_is_reported_in_plain_words() -> None:
    async with serving() as running:
        app = an_app(Bell(), asyncio.Event())
        other = HttpServer(app, SECRET, f"127.0.0.1:{running.port}", SystemClock())
        with pytest.raises(Unusable, match=r"^GPUBOT_SLACK_HTTP: I can't listen on 127.0.0.1:\d+: "):
            await other.connect()


async def test_a_stopping_server_answers_open_requests_and_accepts_no_new_ones() -> None:
    async with serving() as running:
        body, headers = a_command("late")
        begun = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Host": "bot"}.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(f"POST / HTTP/1.1\r\n{begun}".encode())  # without the end of the headers
        held = asyncio.create_task(running.command("wait"))
        await running.did.until("wait")
        draining = asyncio.create_task(running.server.drain(20))
        await asyncio.sleep(0)  # let the server stop listening
        with pytest.raises(aiohttp.ClientConnectorError):
            await running.command("new")
        assert not draining.done()
        writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        running.hold.set()
        assert (await held)[0] == 200
        async with asyncio.timeout(10):
            await draining
        writer.close()
        assert running.counted() == ({"answered": 2}, ["wait", "late"])


async def test_no_request_fails_while_one_of_two_servers_is_stopped() -> None:
    """The server is first marked as not ready, and stops after the load balancer has noticed."""
    async with serving() as one, serving() as two:
        stops = False

        async def one_is_ready() -> bool:
            return not stops

        async def two_is_ready() -> bool:
            return True

        first, second = f"127.0.0.1:{one.port}", f"127.0.0.1:{two.port}"
        async with load_balancer(Backend(first, one_is_ready), Backend(second, two_is_ready)) as balancer:
            stopped = asyncio.Event()

            async def click() -> list[int]:
                """Send requests until the server has stopped, and one more."""
                statuses, last = [], False
                while not last:
                    last = stopped.is_set()
                    body, headers = a_command("click")
                    async with one.session.post(balancer.url, data=body, headers=headers) as response:
                        statuses.append(response.status)
                return statuses

            clicking = [asyncio.create_task(click()) for _ in range(10)]
            await one.did.until("click", 20)
            stops = True
            while len(balancer.ready) == 2:
                await two.did.until("click", len(two.did.noted) + 1)
            await one.server.drain(20)
            stopped.set()
            statuses = [status for each in await asyncio.gather(*clicking) for status in each]
        assert Counter(statuses) == {200: len(one.did.noted) + len(two.did.noted)}
        assert balancer.sent == {first: len(one.did.noted), second: len(two.did.noted)}
