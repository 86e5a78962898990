"""Authentication, requests that are refused before anything is done, and the log."""

from __future__ import annotations

import asyncio
import json
import logging
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from bot.api.server import MOST_BYTES, MOST_CONNECTIONS, PER_MINUTE, Outside, serve
from bot.errors import Unusable
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.quoting import Prices
from bot.lifecycle.actions.tokens import ChangeToken, StopToken, token_for
from bot.model.base import changed
from bot.model.token import Access
from bot.policy.access.token_secret import new_secret
from demo.processes import free_port
from tests.api.world import H100, Api, api_of
from tests.handlers.parsing_helpers import CATALOG
from tests.lifecycle.world import ANA, BEN, World

SHORT = 0.2
"""The wall-clock seconds that a request may take in tests of slow requests."""
ROUTES = [
    ("POST", "rentals"),
    ("GET", "rentals"),
    ("GET", "rentals/abcde"),
    ("DELETE", "rentals/abcde"),
    ("POST", "rentals/abcde/heartbeat"),
    ("POST", "rentals/abcde/extend"),
    ("GET", "quote"),
    ("GET", "token"),
]


def of_bot(caplog: pytest.LogCaptureFixture) -> str:
    """Return the log of the bot and its libraries, without that of the test's HTTP client."""
    return "\n".join(
        f"{record.getMessage()} {record.exc_info}"
        for record in caplog.records
        if not record.name.startswith(("httpx", "httpcore"))
    )


def problem(response: httpx.Response) -> tuple[int, str, str]:
    """Return the status, the type and the detail of a problem."""
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    return response.status_code, body["type"].removeprefix("/problems/"), body["detail"]


async def test_every_route_gives_the_same_refusal_without_a_valid_token(api: Api) -> None:
    await api.token()
    stopped = api.secret
    await carry_out(api.world.deps, ANA, StopToken("token1", graceful_destroy=False))
    await api.token(name="over the limit", total=10**12 // 1000)
    headers: list[dict[str, str]] = [
        {},
        {"Authorization": ""},
        {"Authorization": api.secret},
        {"Authorization": f"Basic {api.secret}"},
        *({"Authorization": f"Bearer {secret}"} for secret in ("x", "gpb_", new_secret(), stopped, api.secret)),
    ]
    bodies = set()
    for method, path in ROUTES:
        for each in headers:
            response = await api.http.request(method, f"/v1/{path}", headers=each, json=H100)
            assert response.status_code == 401, (method, path)
            assert response.headers["www-authenticate"] == "Bearer"
            bodies.add(response.text)
    [body] = bodies
    assert json.loads(body) == {
        "type": "/problems/invalid-token",
        "title": "The token isn't valid",
        "status": 401,
        "detail": "This token isn't valid. Ask the person who gave it to you for a new one.",
    }


async def test_a_token_that_may_only_look_rents_nothing(api: Api) -> None:
    await api.token(access=Access.LOOK)
    assert problem(await api.rent()) == (
        403,
        "not-allowed",
        "This token isn't allowed to do this. Ask the person who gave it to you for one that can rent.",
    )
    assert (await api.ask("GET", "rentals")).json() == {"rentals": []}


async def test_a_token_that_may_now_only_look_can_release_but_not_extend(api: Api) -> None:
    await api.token()
    rental = await api.rented()
    terms = changed((await token_for(api.world.deps, ANA, "token1")).token.newest_terms, access=Access.LOOK)
    await carry_out(api.world.deps, ANA, ChangeToken("token1", terms))
    extended = await api.ask("POST", f"rentals/{rental.id}/extend", json={"lease": "4h"})
    assert problem(extended)[:2] == (403, "not-allowed")
    seen = await api.shown(rental.id)
    assert (seen["ssh"], seen["next_step"]) == (None, f"To end it sooner, send DELETE /v1/rentals/{rental.id}.")
    assert (await api.ask("DELETE", f"rentals/{rental.id}")).json()["state"] == "ending"


async def test_another_token_can_neither_see_nor_end_a_machine(api: Api) -> None:
    """The answer is that for an unknown ID. The owner's other token sees this machine, but not its address."""
    await api.token()
    rental = await api.rented()
    await api.token(BEN, name="of Ben")
    for method, path in ROUTES[2:6]:
        unknown = problem(await api.ask(method, path.replace("abcde", "zzzzz"), json={"lease": "5h"}))
        assert problem(await api.ask(method, path.replace("abcde", rental.id), json={"lease": "5h"})) == unknown
        assert unknown[:2] == (404, "unknown")
    await api.token(name="other", access=Access.LOOK)
    seen = await api.shown(rental.id)
    assert (seen["state"], seen["ssh"], seen["money"], seen["key"]) == ("ready", None, None, None)
    assert (await api.ask("DELETE", f"rentals/{rental.id}")).status_code == 404


async def test_the_61st_request_in_a_minute_is_refused_but_no_release_or_heartbeat(api: Api) -> None:
    await api.token()
    rental = await api.rented()
    statuses = [200]
    while statuses[-1] == 200 and len(statuses) < 10 * PER_MINUTE:
        statuses.append((await api.ask("GET", "rentals")).status_code)
    refused = await api.rent("run-813")
    assert len(statuses) > PER_MINUTE
    assert problem(refused)[:2] == (429, "too-many-requests")
    assert refused.headers["retry-after"] == "1"
    assert (await api.ask("POST", f"rentals/{rental.id}/heartbeat")).status_code == 200
    assert (await api.ask("DELETE", f"rentals/{rental.id}")).status_code == 200
    other = await api.token(name="other")
    assert (await api.ask("GET", "rentals", secret=other)).status_code == 200, "each token has its own pace"


@pytest.mark.parametrize(
    ("method", "path", "more", "expected"),
    [
        ("GET", "nothing", {}, (404, "unknown", "There is nothing at this path. /v1/openapi.json describes")),
        ("PUT", "rentals", {}, (405, "wrong-method", "This path supports GET, POST. ")),
        ("GET", "rentals/' OR 1", {}, (404, "unknown", "This token has no such rental.")),
        ("GET", "rentals?kye=x", {}, (422, "mistake", 'There is no parameter "kye". Did you mean "key"?')),
        ("GET", "rentals?key=a&key=b", {}, (422, "mistake", 'The parameter "key" is given more than once.')),
        ("GET", "rentals/abcde?wait=26", {}, (422, "mistake", '"wait": the value must be at most 25.')),
        ("DELETE", "rentals/abcde?now=1", {}, (422, "mistake", '"now": write true or false.')),
        ("POST", "rentals", {"data": {"gpu": "H100"}}, (415, "wrong-content", "Send the body as JSON, ")),
        (
            "POST",
            "rentals",
            {"content": b"{", "headers": "json"},
            (400, "unreadable", "The body isn't valid JSON."),
        ),
        ("POST", "rentals", {"json": [1]}, (422, "mistake", "The body must be a JSON object, such as {}.")),
        ("POST", "rentals", {"json": {"gup": 1}}, (422, "mistake", 'There is no field "gup". Did you mean "')),
        ("POST", "rentals", {"json": {"count": "2"}}, (422, "mistake", '"count": write a whole number.')),
        ("POST", "rentals", {"json": {"lease": 4}}, (422, "mistake", '"lease": write a duration such as 4h, ')),
        ("POST", "rentals", {"json": H100}, (422, "mistake", "Send one header Idempotency-Key, such as ")),
        ("POST", "rentals", {"json": {**H100, "note": "x" * 201}}, (422, "mistake", '"note": write at most 200')),
        (
            "POST",
            "rentals",
            {"content": b" " * (MOST_BYTES + 1), "headers": "json"},
            (413, "too-large", "A body ca"),
        ),
        ("POST", "rentals/abcde/extend", {"json": {}}, (422, "mistake", 'Send either "until", the new end, ')),
    ],
)
async def test_a_request_that_cannot_be_read_is_explained(
    api: Api, method: str, path: str, more: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    await api.token()
    if more.get("headers") == "json":
        more = {**more, "headers": {"Content-Type": "application/json"}}
    status, kind, detail = problem(await api.ask(method, path, **more))
    assert (status, kind) == expected[:2]
    assert detail.startswith(expected[2])


async def test_a_body_that_arrives_too_slowly_is_refused(api: Api) -> None:
    secret = await api.token()
    async with api_of(api.world, request_seconds=SHORT) as slow:
        reader, writer = await asyncio.open_connection("127.0.0.1", slow.server.addresses[0][1])
        head = (
            f"POST /v1/rentals HTTP/1.1\r\nHost: bot\r\nAuthorization: Bearer {secret}\r\nIdempotency-Key: k\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        writer.write(head.encode())
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
    assert b" 400 " in answer
    assert b"The body arrived too slowly. Nothing was done." in answer


async def test_connections_without_requests_cannot_use_up_the_files_of_the_process(api: Api) -> None:
    await api.token()
    port = api.server.addresses[0][1]
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS)]
    with pytest.raises(httpx.TransportError):
        await api.ask("GET", "token")
    for _, writer in idle:
        writer.close()
    answered = 0
    async with asyncio.timeout(20):
        while answered != 200:
            with suppress(httpx.TransportError):
                answered = (await api.ask("GET", "token")).status_code


@pytest.mark.parametrize("place", ["header", "path", "method", "version"])
async def test_a_secret_in_a_malformed_request_is_neither_answered_nor_logged(
    api: Api, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = await api.token()
    lines = {
        "header": f"GET /v1/token HTTP/1.1\r\nAuthorization: Bearer {secret}\x01",
        "path": f"GET /v1/{secret}\x01 HTTP/1.1",
        "method": f"{secret}\x01 / HTTP/1.1",
        "version": f"GET / {secret}",
    }
    with capture_logs() as logged, caplog.at_level(logging.DEBUG):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.server.addresses[0][1])
        writer.write(f"{lines[place]}\r\nHost: bot\r\n\r\n".encode())
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
    assert answer.split()[1] == b"400"
    assert answer.endswith(b"\r\n\r\n")
    assert secret not in f"{answer!r}{logged}{of_bot(caplog)}"
    assert [(line["event"], line["why"]) for line in logged] == [("http.malformed", "400")]


async def test_the_log_has_one_line_per_request_without_anything_that_was_sent(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    secret = await api.token()
    with capture_logs() as logged, caplog.at_level(logging.DEBUG):
        await api.rent("key-of-mine", gpu="H100", note="note-of-mine", ssh_public_key="line-of-mine")
        await api.ask("GET", "rentals?key=key-of-mine")
        await api.ask("GET", "token/path-of-mine")
    assert [(line["method"], line["route"], line["status"], line["token"]) for line in logged[:2]] == [
        ("POST", "/v1/rentals", 422, "token1"),
        ("GET", "/v1/rentals", 200, "token1"),
    ]
    assert [(line["event"], line["why"]) for line in logged[2:]] == [("http.refused", "404")]
    assert not [text for text in (secret, "of-mine") if text in f"{logged}{of_bot(caplog)}"]


async def test_requests_without_a_token_cannot_fill_the_log(api: Api) -> None:
    with capture_logs() as logged:
        for path in ("token", "nothing", "openapi.json") * 10:
            await api.ask("GET", path, secret=new_secret())
    assert [line["why"] for line in logged] == ["401", "404"]


async def test_a_bug_is_answered_and_logged_with_a_number_only(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    secret = await api.token()

    def broken() -> None:
        raise RuntimeError(f"a message with {secret}")

    async with api_of(api.world, catalog=broken) as other:
        with capture_logs() as logged, caplog.at_level(logging.DEBUG):
            status, kind, detail = problem(await other.rent(secret=secret))
    [bug] = [line for line in logged if line["event"] == "bug"]
    assert (status, kind) == (500, "bug")
    assert detail == f"Give an admin this number: {bug['number']}. If you repeat this, use the same key."
    assert secret not in f"{logged}{of_bot(caplog)}{detail}"


# --- the socket, and the stop


def test_without_the_setting_nothing_of_the_api_is_imported() -> None:
    """Its models and its document would cost time and memory at each start."""
    command = [sys.executable, "-c", "import sys, bot.app; print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - no input
    loaded = done.stdout.split()
    assert "bot.lifecycle.actions.tokens" in loaded
    assert not [name for name in loaded if name.startswith("bot.api") or name == "bot.model.api"]


def unix_client(path: Path) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url="http://gpubot", timeout=40
    )


def outside_of(here: World) -> Outside:
    return Outside(here.deps, lambda: CATALOG, Prices.of(here.deps.market, here.clock))


async def test_the_socket_is_for_its_group_and_is_gone_after_the_stop(api: Api, tmp_path: Path) -> None:
    secret, path, stop = await api.token(), tmp_path / "api.sock", asyncio.Event()
    async with serve(f"unix:{path}", path, outside_of(api.world), stop), unix_client(path) as http:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        response = await http.get("/v1/token", headers={"Authorization": f"Bearer {secret}"})
        assert (response.status_code, response.json()["name"]) == (200, "nightly eval")
        with pytest.raises(Unusable, match=f"^GPUBOT_API: another gpubot listens on {path}"):
            async with serve(f"unix:{path}", path, outside_of(api.world), stop):
                pass
    assert not path.exists()


async def test_an_address_in_use_is_reported_in_plain_words(api: Api) -> None:
    address = f"127.0.0.1:{api.server.addresses[0][1]}"
    with pytest.raises(Unusable, match=rf"^GPUBOT_API: I can't listen on {address}: "):
        async with serve(address, None, outside_of(api.world), asyncio.Event()):
            pass


async def test_when_the_server_stops_all_waiting_requests_are_answered_at_once(api: Api) -> None:
    secret = await api.token()
    rental = await api.rented()
    stop, port = asyncio.Event(), free_port()
    async with (
        serve(f"127.0.0.1:{port}", None, outside_of(api.world), stop),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as http,
    ):
        headers = {"Authorization": f"Bearer {secret}"}
        path = f"/v1/rentals/{rental.id}"
        waiting = [asyncio.create_task(http.get(f"{path}?wait=25", headers=headers)) for _ in range(3)]
        await http.get(path, headers=headers)  # the others have arrived before
        stop.set()
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*waiting)
    assert [answer.json()["state"] for answer in answers] == ["ready"] * 3
