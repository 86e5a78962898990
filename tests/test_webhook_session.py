"""Tests of the session that sends webhooks: the addresses that it refuses, and what counts as an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.net.webhook_session import Outcome, WebhookSession
from tests.certificates import certificate_for
from tests.recording_proxy import no_proxies, recording_proxy
from tests.webhook_receiver import HOST, Names, Receiver, receiver, trusting

BODY = b'{"id": "1"}'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_for(tmp_path_factory.mktemp("certificates"), HOST, "127.0.0.1")


@pytest.fixture
async def hooks(certificate: Path) -> AsyncIterator[Receiver]:
    async with receiver(certificate) as made:
        yield made


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def session(certificate: Path, names: Names) -> WebhookSession:
    return WebhookSession(tls=trusting(certificate), resolver=names)


async def post(session: WebhookSession, url: str, *, private: bool = True) -> Outcome:
    return await session.post(url, {"webhook-id": "1"}, BODY, private=private)


async def test_a_request_arrives_as_it_was_given(session: WebhookSession, hooks: Receiver) -> None:
    assert (await post(session, hooks.url)).accepted
    (call,) = hooks.calls
    assert call.body == BODY
    assert call.headers["webhook-id"] == "1"
    assert call.headers["Content-Type"] == "application/json"
    assert call.headers["Host"] == f"{HOST}:{hooks.port}"


async def test_a_private_address_needs_private_true(
    session: WebhookSession, names: Names, hooks: Receiver
) -> None:
    refused = await post(session, hooks.url, private=False)
    assert refused.words == "its address is private, which needs `private: true`"
    by_address = await post(session, f"https://127.0.0.1:{hooks.port}/", private=False)
    assert by_address.words == refused.words
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0"):  # noqa: S104 - nothing listens
        names.addresses[HOST] = (address,)
        assert (await post(session, hooks.url)).words == "its address is one to which events are never sent"
    assert hooks.calls == []


async def test_the_name_is_looked_up_once_so_it_can_not_change_after_the_check(
    session: WebhookSession, names: Names, hooks: Receiver
) -> None:
    """Of several addresses, only those that are allowed are tried."""
    names.addresses[HOST] = ("169.254.169.254", "127.0.0.1")
    assert (await post(session, hooks.url)).accepted
    assert names.asked == [HOST]


@pytest.mark.parametrize(
    ("status", "unavailable"), [(301, False), (307, False), (400, False), (500, False), (429, True), (503, True)]
)
async def test_only_2xx_is_accepted_and_no_redirect_is_followed(
    session: WebhookSession, hooks: Receiver, status: int, unavailable: bool
) -> None:
    hooks.status, hooks.answer_headers = status, {"Location": hooks.url + "/elsewhere"}
    outcome = await post(session, hooks.url)
    assert (outcome.accepted, outcome.unavailable) == (False, unavailable)
    assert outcome.words == f"status {status}"
    assert len(hooks.calls) == 1


async def test_an_endless_answer_is_not_read(session: WebhookSession, hooks: Receiver) -> None:
    hooks.body = b"x" * 50_000_000
    assert (await post(session, hooks.url)).accepted


async def test_a_receiver_that_does_not_answer_in_time_is_abandoned(
    certificate: Path, names: Names, hooks: Receiver
) -> None:
    hooks.open.clear()
    session = WebhookSession(tls=trusting(certificate), resolver=names, seconds=0.2)
    outcome = await post(session, hooks.url)
    assert outcome.words == "no answer within 0.2 s"
    assert outcome.unavailable


async def test_a_receiver_without_a_trusted_certificate_gets_nothing(
    session: WebhookSession, names: Names, hooks: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    unknown = await post(WebhookSession(resolver=names), hooks.url)
    assert unknown.words == "its certificate isn't trusted"
    other = await post(session, hooks.url.replace(HOST, "other.example.com"))
    assert other.words == "its certificate isn't trusted"
    assert hooks.calls == []


async def test_a_receiver_that_is_down_or_does_not_speak_tls_is_unavailable(
    session: WebhookSession, hooks: Receiver
) -> None:
    async def garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert (await post(session, f"https://{HOST}:{port}/")).unavailable
    server.close()
    await server.wait_closed()
    assert (await post(session, f"https://{HOST}:{port}/")).words == "it can't be reached"
    with pytest.raises(ValueError, match="https"):
        await post(session, hooks.url.replace("https", "http"))


async def test_no_proxy_of_the_environment_is_used(
    session: WebhookSession, hooks: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_proxies(monkeypatch)
    async with recording_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert (await post(session, hooks.url)).accepted
        assert proxy.heads == []
