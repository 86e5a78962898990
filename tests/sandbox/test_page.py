"""The page's server: its protection from other origins, the data for browsers, and advancing the clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sandbox.clock import SandboxClock
from sandbox.compute import ComputeSandbox
from sandbox.compute.vendors import Behaviour
from sandbox.faults import FaultKind
from sandbox.github import GithubSandbox
from sandbox.serving import serve
from sandbox.slack import SlackSandbox
from sandbox.slack.default import ANA, BEN, TRAINING
from sandbox.use import Fault as MachineFault
from sandbox.web import Page
from sandbox.web.phrases import BEHAVIOURS, FAULT_KINDS, MACHINE_FAULTS
from tests.sandbox.slack_world import NOON, actions, button, section

Json = dict[str, Any]


@dataclass
class World:
    url: str
    slack: SlackSandbox
    clock: SandboxClock
    session: aiohttp.ClientSession

    async def post(self, path: str, body: Json | None = None, **headers: str) -> tuple[int, Json]:
        async with self.session.post(f"{self.url}/{path}", data=json.dumps(body or {}), headers=headers) as answer:
            return answer.status, json.loads(await answer.text())

    @asynccontextmanager
    async def live(self, user: str = ANA, after: int = 0) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        async with self.session.ws_connect(f"{self.url}/live?user={user}&after={after}") as socket:
            yield socket


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = SandboxClock(NOON, speed=0)
    slack, compute, github = SlackSandbox(clock, pace=False), ComputeSandbox(clock, seed=1), GithubSandbox(clock)
    page = Page(clock, slack, compute, github)
    parts = (compute, slack, github, page)
    try:
        for part in parts:
            url = await part.start()
        async with aiohttp.ClientSession() as session:
            yield World(url, slack, clock, session)
    finally:
        for part in reversed(parts):
            await part.stop()


async def until(socket: aiohttp.ClientWebSocketResponse, name: str) -> Any:
    """Return the next non-empty part with this name that is sent to the browser."""
    async with asyncio.timeout(20):
        while True:
            news = await socket.receive_json()
            if news.get(name):
                return news[name]


async def test_the_page_forwards_the_requests_of_a_program_to_the_bots_api(world: World) -> None:
    seen: list[web.Request] = []

    async def api(request: web.Request) -> web.Response:
        seen.append(request)
        problem = {"detail": f"{request.method} {await request.text()}"}
        return web.json_response(problem, status=422, headers={"Retry-After": "7", "Set-Cookie": "a=b"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api)
    assert await world.post("program/v1/rentals") == (409, {"error": "no bot with an API is connected"})
    served = await serve(app)
    try:
        assert (await world.post("_control/bot", {"api": served.url}))[1]["api"] is True
        headers = {"Authorization": "Bearer gpb_a", "Idempotency-Key": "run-1", "Cookie": "b=c"}
        async with world.session.post(
            f"{world.url}/program/v1/rentals?wait=0", data="{}", headers=headers
        ) as answer:
            assert (answer.status, await answer.json()) == (422, {"detail": "POST {}"})
            assert answer.headers["Retry-After"] == "7"
            assert "Set-Cookie" not in answer.headers
        assert str(seen[0].rel_url) == "/v1/rentals?wait=0"
        assert {name: seen[0].headers.get(name) for name in headers} == {**headers, "Cookie": None}
        async with world.session.post(f"{world.url}/program/metrics") as answer:
            assert answer.status == 404
        assert (await world.post("program/v1/rentals", Origin="https://evil.example"))[0] == 403
    finally:
        await served.stop()
    assert await world.post("program/v1/rentals") == (409, {"error": "the bot's API doesn't respond"})


async def test_the_page_says_why_a_login_cant_begin_or_is_unknown(world: World) -> None:
    async def api(_: web.Request) -> web.Response:
        return web.json_response({"detail": "Ask again in 12 s."}, status=429)

    app = web.Application()
    app.router.add_post("/v1/logins", api)
    assert await world.post("program/logins") == (409, {"error": "no bot with an API is connected"})
    served = await serve(app)
    try:
        await world.post("_control/bot", {"api": served.url})
        assert await world.post("program/logins") == (409, {"error": "Ask again in 12 s."})
        async with world.session.get(f"{world.url}/program/logins/abc") as answer:
            assert (answer.status, await answer.json()) == (404, {"error": "no such login"})
        assert (await world.post("program/logins", Origin="https://evil.example"))[0] == 403
    finally:
        await served.stop()


async def test_the_page_finds_a_login_whose_id_has_a_hyphen(world: World) -> None:
    """Half of all IDs have one."""

    async def api(request: web.Request) -> web.Response:
        assert request.match_info.get("id") in {None, "Jx0-8f_3"}
        return web.json_response({"id": "Jx0-8f_3", "code": "KTRWXQMB", "secret": None})

    app = web.Application()
    app.router.add_post("/v1/logins", api)
    app.router.add_get("/v1/logins/{id}", api)
    served = await serve(app)
    try:
        await world.post("_control/bot", {"api": served.url})
        status, begun = await world.post("program/logins")
        async with world.session.get(f"{world.url}/program/logins/{begun['id']}") as answer:
            assert (status, answer.status, await answer.json()) == (200, 200, begun)
    finally:
        await served.stop()


FOREIGN = (
    {"Origin": "https://evil.example"},  # a page in another tab
    {"Origin": "null"},  # a sandboxed frame, or a file
    {"Origin": "http://127.0.0.1:1"},  # another server of this machine
    {"Host": "evil.example"},  # a host name that points to this machine
    {"Host": "evil.example:80", "Origin": "http://evil.example:80"},
    {"Host": "127.0.0.1.evil.example:80"},
    {"Host": "127.0.0.1"},
)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_pages_of_other_origins_and_hosts_can_neither_act_nor_read(
    world: World, headers: dict[str, str]
) -> None:
    say: Json = {"user": ANA, "channel": TRAINING, "text": "hi"}
    for base in (f"{world.url}/slack", world.slack.url):  # the page's origin, and the server's own origin
        # text/plain, because a page can send it to another origin without a preflight request
        wrong = {**headers, "Content-Type": "text/plain"}
        async with world.session.post(f"{base}/_control/say", data=json.dumps(say), headers=wrong) as answer:
            assert (answer.status, "Access-Control-Allow-Origin" in answer.headers) == (403, False)
        async with world.session.get(f"{base}/_control/see?user={ANA}", headers=headers) as answer:
            assert answer.status == 403
    for path in ("/", "/page/main.js"):
        async with world.session.get(world.url + path, headers=headers) as answer:
            assert answer.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await world.session.ws_connect(f"{world.url}/live?user={ANA}", headers=headers)
    assert refused.value.status == 403
    assert world.slack.workspace.last == 0


async def test_the_page_works_under_both_host_names_of_this_machine(world: World) -> None:
    port = world.url.rpartition(":")[2]
    say: Json = {"user": ANA, "channel": TRAINING, "text": "hi"}
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        status, _ = await world.post("slack/_control/say", say, Host=host, Origin=f"http://{host}")
        assert status == 200
    async with world.session.get(world.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_a_browser_gets_its_persons_view_and_each_change_once(world: World) -> None:
    async with world.live() as socket:
        await world.post("slack/_control/say", {"user": ANA, "channel": TRAINING, "text": "*done*, @ben <b>"})
        (message,) = await until(socket, "messages")
        assert message["blocks"] == [
            {
                "type": "section",
                "text": [
                    {"text": "done", "styles": ["bold"]},
                    {"text": ", ", "styles": []},
                    {"text": "@Ben", "styles": ["mention"]},
                    {"text": " <b>", "styles": []},
                ],
            }
        ]
        workspace = world.slack.workspace
        blocks = [section("_Only_ `Ben`"), actions(button("Go", "go"))]
        workspace.post(workspace.channels[TRAINING], "U0BOT0000", "for Ben", blocks=blocks, only_for=BEN)
        workspace.post(workspace.channels[TRAINING], "U0BOT0000", "for all")
        (message,) = await until(socket, "messages")
        assert message["text"] == "for all"
    async with world.live(after=message["seq"] - 1) as socket:
        assert [each["text"] for each in await until(socket, "messages")] == ["for all"]
    async with world.live(BEN) as socket:
        shown = {each["text"]: each for each in await until(socket, "messages")}
        assert shown["for Ben"]["blocks"][1]["elements"][0]["text"] == [{"text": "Go", "styles": []}]
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with world.live("U0BOT0000"):
            pass


async def test_a_browser_gets_the_clock_machines_faults_and_bot_information(world: World) -> None:
    async with world.live() as socket:
        assert (await until(socket, "clock"))["speed"] == 0
        await world.post("_control/clock", {"speed": 60})
        assert (await until(socket, "clock"))["speed"] == 60
        body = {"name": "train-3", "gpu_type": "H100", "rate": "2.10"}
        await world.post("compute/_control/resources", body)
        (machine,) = await until(socket, "machines")
        assert (machine["name"], machine["use"]["gpus"]) == ("train-3", [0])
        await world.post("github/_control/faults", {"endpoint": "user_keys", "kind": "hang"})
        (fault,) = await until(socket, "faults")
        assert (fault["server"], fault["kind"], fault["left"]) == ("github", "hang", 1)
        told: Json = {"help": [["/gpu list", "what you rent"]], "ledger": {"r": 5}, "key": "ssh-ed25519 AAAA"}
        await world.post("_control/bot", told)
        bot = await until(socket, "bot")
        assert bot == {**told, "api": False}


async def test_the_clock_advances_from_one_due_time_of_the_bot_to_the_next(world: World) -> None:
    due = [NOON + timedelta(minutes=minutes) for minutes in (10, 25, 90)]
    seen: list[datetime] = []

    async def health(request: web.Request) -> web.Response:
        assert int(request.query["settled"]) == world.clock.revision
        now = world.clock.now()
        seen.append(now)
        coming = [moment.isoformat() for moment in due if moment > now]
        return web.json_response({"next_due": coming[0] if coming else None})

    app = web.Application()
    app.router.add_get("/health", health)
    bot = await serve(app)
    try:
        assert (await world.post("_control/time"))[1]["error"] == "nothing is due"
        assert (await world.post("_control/bot", {"health": "http://bot.example/health"}))[0] == 422
        await world.post("_control/bot", {"health": f"{bot.url}/health"})
        await world.post("_control/time", {"seconds": 3600})
        assert sorted(set(seen)) == [NOON, *due[:2], NOON + timedelta(hours=1)]
        await world.post("_control/time")
        assert world.clock.now() == due[2]
    finally:
        await bot.stop()
    await world.post("_control/time", {"seconds": 60})  # works even if the bot has ended
    assert world.clock.now() == due[2] + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("phrases", "faults"), [(BEHAVIOURS, Behaviour), (MACHINE_FAULTS, MachineFault), (FAULT_KINDS, FaultKind)]
)
def test_every_fault_has_its_own_description(phrases: dict[StrEnum, str], faults: type[StrEnum]) -> None:
    assert set(phrases) == set(faults)
    assert len(set(phrases.values())) == len(faults)
