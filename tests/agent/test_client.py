"""The client repeats calls that got no answer, and refuses answers that aren't the API's."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr

from agent.client import LARGEST_ANSWER, ApiAway, ApiRefused, Client, Which, open_connections
from agent.settings import read_settings
from bot.errors import GpubotError, Mistake
from bot.model.api import RentalRequest
from tests.agent.api import ID, KEY, SECRET, Api, Dropped, Failure, problem, status
from tests.agent.conftest import QuickClock
from tests.certificates import certificate_for

REQUEST = RentalRequest(words="H100 EU for 4h")


def a_client(clock: QuickClock, notices: list[str] | None = None) -> Client:
    return Client(read_settings(), clock, (notices if notices is not None else []).append)


async def test_a_call_without_an_answer_is_repeated_with_the_same_key(api: Api, clock: QuickClock) -> None:
    api.failures += [status(503), Dropped, status(502), status(504), status(429, Retry_After="20")]
    notices: list[str] = []
    async with a_client(clock, notices) as client:
        rented = await client.rent(REQUEST, KEY)
    assert rented.value.id == ID
    assert {(seen.call, seen.key, str(seen.body)) for seen in api.seen} == {
        ("POST /v1/rentals", KEY, "{'words': 'H100 EU for 4h'}")
    }
    assert list(api.rented) == [KEY]
    assert clock.paused == [1, 2, 4, 8, 20]
    assert notices[1] == f"{api.url} doesn't answer (the connection broke). Trying again."


async def test_an_api_that_stays_away_is_given_up_after_a_minute(
    api: Api, clock: QuickClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("GPUBOT_API_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        async with a_client(clock) as client:
            with pytest.raises(ApiAway, match="doesn't answer: connection refused"):
                await client.release(ID)
    assert 30 < sum(clock.paused) <= 60
    monkeypatch.setenv("GPUBOT_API_URL", "unix:/missing/api.sock")
    async with a_client(clock) as client:
        with pytest.raises(ApiAway, match=r"unix:/missing/api.sock doesn't answer: there is no such socket\."):
            await client.release(ID, patience=0)
    assert api.seen == []


async def test_a_pause_that_is_too_long_ends_with_the_reason_of_the_api(api: Api, clock: QuickClock) -> None:
    api.refusal = lambda _: problem("too-many-requests", "60 requests a minute is the limit.", status=429)
    async with a_client(clock) as client:
        with pytest.raises(ApiRefused, match="60 requests a minute is the limit") as error:
            await client.rental(ID)
    assert (error.value.status, error.value.kind) == (429, "too-many-requests")
    assert sum(clock.paused) <= 60


async def test_a_unix_socket_stands_in_for_the_network(
    api: Api, clock: QuickClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPUBOT_API_URL", f"unix:{tmp_path / 'api.sock'}")
    async with a_client(clock) as client:
        assert (await client.token()).value.owner == "Ana"
    assert api.seen[0].authorization == f"Bearer {SECRET}"


async def test_a_certificate_that_is_not_trusted_is_named_at_once(
    api: Api, clock: QuickClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate_for(tmp_path, "127.0.0.1")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(file)
    assert api.runner is not None
    site = web.TCPSite(api.runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    monkeypatch.setenv("GPUBOT_API_URL", f"https://127.0.0.1:{api.runner.addresses[-1][1]}")
    async with a_client(clock) as client:
        with pytest.raises(ApiAway, match="its certificate isn't trusted here"):
            await client.token()
    assert (api.seen, clock.paused) == ([], [])


@pytest.mark.usefixtures("api")
async def test_a_proxy_never_sees_a_request_to_this_machine(
    clock: QuickClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with a_client(clock) as client:
        assert (await client.token()).value.owner == "Ana"
    monkeypatch.setenv("GPUBOT_API_URL", "https://gpubot.example.com")
    monkeypatch.setenv("ALL_PROXY", "gopher://ana:password@proxy.example.com")
    with pytest.raises(Mistake, match="isn't the address of a proxy") as error:
        a_client(clock)
    assert "password" not in error.value.words


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (status(302, Location="http://127.0.0.1:1/v1/token"), "redirects to another address"),
        (status(200, "<html>Welcome</html>"), "doesn't answer as gpubot's API does"),
        (status(200, "[" * 100_000), "doesn't answer as gpubot's API does"),
        (status(200, '{"name": "nightly eval"}'), "in a form that I can't read"),
        (status(200, " " * (LARGEST_ANSWER + 1)), "is too long"),
        (status(404, "not found"), r"doesn't answer as gpubot's API does \(404\)"),
        (status(400), "answered 400 without a reason"),
        (status(500, '{"type": 5}'), "answered 500 without a reason"),
        (status(401), "This token isn't valid. Ask the person who gave it to you for a new one."),
        (status(403), "This token isn't allowed to do that."),
    ],
)
async def test_other_answers_end_in_a_sentence_without_the_token(
    api: Api, clock: QuickClock, failure: Failure, message: str
) -> None:
    api.failures.append(failure)
    async with a_client(clock) as client:
        with pytest.raises(GpubotError, match=message) as error:
            await client.token()
    assert api.calls == ["GET /v1/token"]
    assert SECRET not in f"{error.value.words} {error.value!r}"
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None


async def test_a_field_of_a_newer_server_is_ignored(api: Api, clock: QuickClock) -> None:
    async with a_client(clock) as client:
        known = await client.token()
        api.failures.append(status(200, f'{{"colour": "blue", {known.value.model_dump_json()[1:]}'))
        newer = await client.token()
    assert newer.value == known.value
    assert newer.body["colour"] == "blue"


async def test_the_reason_of_a_problem_cannot_control_the_terminal(api: Api, clock: QuickClock) -> None:
    api.refusal = lambda _: problem("beyond-terms", "Nothing\x1b[2J was rented.", status=409)
    async with a_client(clock) as client:
        with pytest.raises(ApiRefused) as error:
            await client.rent(REQUEST, KEY)
    assert error.value.words == "Nothing[2J was rented."
    assert error.value.kind == "beyond-terms"


async def test_an_id_is_only_ever_one_part_of_a_path(api: Api, clock: QuickClock) -> None:
    async with a_client(clock) as client:
        with pytest.raises(ApiRefused):
            await client.release("../token?now=true")
        with pytest.raises(Mistake, match="No rental of this token has the key run-9"):
            await Which(None, "run-9").find(client)
    assert api.calls[0] == "DELETE /v1/rentals/..%2Ftoken%3Fnow%3Dtrue"


async def test_clients_share_connections_but_neither_tokens_nor_cookies(api: Api, clock: QuickClock) -> None:
    settings = read_settings()
    other = settings._replace(token=SecretStr("gpb_" + "Z8" * 22))
    api.failures.append(status(404, Set_Cookie="session=of-the-first"))
    async with open_connections(settings.address) as connections:
        first, second = (Client(one, clock, print, connections=connections) for one in (settings, other))
        async with first:
            with pytest.raises(ApiRefused):
                await first.token()
        await second.token()  # leaving the first client has closed nothing
        await first.token()
    assert [seen.authorization for seen in api.seen] == [
        f"Bearer {one.token.get_secret_value()}" for one in (settings, other, settings)
    ]
    assert {seen.cookie for seen in api.seen} == {None}


async def test_a_client_with_little_time_gives_up_when_it_is_over(api: Api, clock: QuickClock) -> None:
    api.failures += [status(503), status(503), status(503)]
    async with a_client(clock) as client:
        with pytest.raises(ApiRefused):
            await client.within(5).token()
        assert sum(clock.paused) <= 5
        api.failures.clear()
        held = asyncio.Event()
        api.holds = lambda _: held
        with pytest.raises(ApiAway, match="doesn't answer: no answer in time"):
            await client.within(0.05).token()
        held.set()
        assert (await client.within(5).token()).value.owner == "Ana"
