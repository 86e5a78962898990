"""Tests that `/health` waits at most as long as `wait` says, and for at most three requests at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from typing_extensions import override

from bot.clock import MovedClock
from bot.net.machines_proof import NONCE_HEADER, SIGNATURE_HEADER, sign_request
from bot.ops import health

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TOKEN = SecretStr("0123456789abcdef0123456789abcdef")
NONCE = "0123456789abcdef" * 2
LONG_WAIT = {"settled": "0", "wait": "60"}


class StoppedClock(MovedClock):
    """A clock whose monotonic time is set by the test."""

    def __init__(self) -> None:
        super().__init__(NOON)
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    @override
    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(0)


class HealthServer:
    """A server of /health. Its report isn't settled until a test sets `settled`."""

    def __init__(self, session: aiohttp.ClientSession, clock: StoppedClock) -> None:
        self.session = session
        self.clock = clock
        self.url = ""
        self.settled = False
        self.reports = 0
        self.report_takes = 0.0
        self.works = False
        self.ready = True
        self.waits = asyncio.Event()
        """Set once a waiting request has checked whether work is in progress."""
        self.reported = asyncio.Event()

    async def report(self) -> health.Report:
        self.reports += 1
        self.reported.set()
        self.clock.seconds += self.report_takes
        return {"settled": self.settled, "clock": {"revision": 0}}

    def is_working(self) -> bool:
        self.waits.set()
        return self.works

    async def is_ready(self) -> bool:
        return self.ready

    async def ask(self, **params: str) -> health.Report:
        async with self.session.get(self.url, params=params) as answer:
            assert answer.status == 200
            return dict(await answer.json())

    async def start_waiting(self, count: int) -> list[asyncio.Task[health.Report]]:
        """Start `count` requests that wait, and return once each of them is waiting."""
        waiting = []
        for _ in range(count):
            waiting.append(asyncio.create_task(self.ask(**LONG_WAIT)))
            await self.until_reports(20)
        return waiting

    async def until_reports(self, times: int) -> None:
        """Return after the given number of further reports."""
        enough = self.reports + times
        async with asyncio.timeout(20):
            while self.reports < enough:
                self.reported.clear()
                await self.reported.wait()

    async def until_nobody_waits(self) -> None:
        """Return once no request waits any more.

        This is the case when a request that doesn't wait causes the only report.
        """
        before = -1
        async with asyncio.timeout(20):
            while self.reports != before + 1:
                before = self.reports
                await self.ask()


@pytest.fixture
async def server() -> AsyncIterator[HealthServer]:
    async with _serve() as started:
        yield started


@asynccontextmanager
async def _serve(*, with_machines: bool = False) -> AsyncIterator[HealthServer]:
    async with aiohttp.ClientSession() as session:
        server = HealthServer(session, StoppedClock())

        async def metrics() -> bytes:
            return b""

        async def machines() -> health.Report:
            return {"well": False, "machines": None}

        runner = await health.serve(
            "127.0.0.1:0",
            server.clock,
            server.report,
            metrics,
            server.is_working,
            ready=server.is_ready,
            machines=health.Machines(machines, TOKEN) if with_machines else None,
        )
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/health"
        yield server
        await runner.close()


async def test_a_wait_ends_in_time_even_if_each_report_takes_seconds(server: HealthServer) -> None:
    server.report_takes = 7.0
    report = await server.ask(settled="0", wait="20")
    assert not report["settled"]
    assert server.reports == 3, "the report after 21 s is the last"


@pytest.mark.parametrize("wait", ["nan", "-nan", "soon", ""])
async def test_an_invalid_wait_is_refused_without_a_report(server: HealthServer, wait: str) -> None:
    async with (
        asyncio.timeout(20),
        server.session.get(server.url, params={"settled": "0", "wait": wait}) as answer,
    ):
        assert answer.status == 400
    assert server.reports == 0


async def test_a_wait_ends_once_everything_is_settled(server: HealthServer) -> None:
    [waiting] = await server.start_waiting(1)
    server.settled = True
    assert (await waiting)["settled"]


async def test_a_waiting_request_reads_no_reports_while_work_is_in_progress(server: HealthServer) -> None:
    """A request that doesn't wait is still answered with a report."""
    server.works = server.settled = True
    waiting = asyncio.create_task(server.ask(**LONG_WAIT))
    await server.waits.wait()
    assert (await server.ask())["settled"]
    assert (waiting.done(), server.reports) == (False, 1)
    server.works = False
    assert (await waiting)["settled"]
    assert server.reports == 2


async def test_a_wait_that_ends_during_work_is_answered_with_a_report(server: HealthServer) -> None:
    server.works = True
    waiting = asyncio.create_task(server.ask(settled="0", wait="20"))
    await server.waits.wait()
    server.clock.seconds += 21
    assert not (await waiting)["settled"]
    assert server.reports == 1


async def test_a_fourth_waiting_request_is_answered_immediately(server: HealthServer) -> None:
    """At most three requests can wait. Once one of them has ended, another one can wait again."""
    waiting = await server.start_waiting(3)
    assert not (await server.ask(**LONG_WAIT))["settled"]
    assert not any(task.done() for task in waiting)
    server.clock.seconds += 61
    await asyncio.gather(*waiting)
    [again] = await server.start_waiting(1)
    server.settled = True
    assert (await again)["settled"]


async def test_a_wait_ends_when_its_client_disconnects(server: HealthServer) -> None:
    for task in await server.start_waiting(3):
        task.cancel()
    before = server.reports
    await server.until_nobody_waits()
    assert server.reports - before < 1000, "in 60 s each request would cause 3,000 reports"
    [waiting] = await server.start_waiting(1)
    server.settled = True
    assert (await waiting)["settled"], "a disconnected client does not count as waiting"


async def test_live_is_answered_without_a_report(server: HealthServer) -> None:
    async with server.session.get(server.url.replace("/health", "/live")) as answer:
        assert answer.status == 200
    assert server.reports == 0


@pytest.mark.parametrize(
    ("nonce", "signature", "status"),
    [
        (None, None, 401),
        (NONCE, None, 401),
        (NONCE, "\xe9", 401),
        (NONCE, sign_request(SecretStr("0123456789abcdef0123456789abcdee"), NONCE), 401),
        (NONCE[::-1], sign_request(TOKEN, NONCE), 401),
        ("", sign_request(TOKEN, ""), 401),
        (NONCE, sign_request(TOKEN, NONCE), 503),
    ],
)
async def test_machines_are_shown_only_to_signed_requests(
    nonce: str | None, signature: str | None, status: int
) -> None:
    """If the bot isn't well, the answer has the status 503, but it still contains the machines."""
    async with _serve(with_machines=True) as server:
        given = {NONCE_HEADER: nonce, SIGNATURE_HEADER: signature}
        headers = {name: value for name, value in given.items() if value is not None}
        async with server.session.get(server.url.replace("/health", "/machines"), headers=headers) as answer:
            assert answer.status == status
            assert ("machines" in await answer.text()) == (status == 503)


@pytest.mark.parametrize("given", ["Bearer", "Bearer 0123456789abcdef0123456789abcdee", "Bearer \xe9"])
async def test_a_watchdog_of_the_previous_release_needs_the_right_token(given: str) -> None:
    async with _serve(with_machines=True) as server:
        headers = {"Authorization": given}
        async with server.session.get(server.url.replace("/health", "/machines"), headers=headers) as answer:
            assert answer.status == 401


async def test_without_a_token_in_the_settings_no_machines_are_shown(server: HealthServer) -> None:
    headers = {"Authorization": "Bearer "}
    async with server.session.get(server.url.replace("/health", "/machines"), headers=headers) as answer:
        assert answer.status == 404


async def test_a_load_balancer_gets_503_as_soon_as_the_process_stops(
    server: HealthServer,
) -> None:
    for ready, expected in ((True, (200, "ready")), (False, (503, "not ready"))):
        server.ready = ready
        async with server.session.get(server.url.replace("/health", "/ready")) as answer:
            assert (answer.status, await answer.text()) == expected


async def test_a_malformed_header_is_neither_answered_nor_logged(
    server: HealthServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Such a header can contain a token, for example if a proxy was given a token with a line break."""
    with capture_logs() as lines:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: bot\r\nAuthorization: Bearer hidden\x01\r\n\r\n")
        async with asyncio.timeout(20):
            headers, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert headers.split()[1] == b"400"
    assert (body, b"aiohttp" in headers) == (b"", False)
    assert [(line["event"], line["server"], line["why"]) for line in lines] == [
        ("http.malformed", "GPUBOT_HTTP", "400")
    ]
    assert "hidden" not in f"{lines}{caplog.text}"
