"""Tests that the bot's requests go through the environment's proxy and follow no redirects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from typing_extensions import override

from bot.app import Bot, build
from bot.clock import SystemClock
from bot.config.settings import read_settings
from bot.errors import MarketAway, Mistake, Unusable
from bot.model.message import Message, MessageKind, to_response_url
from bot.net.proxies import proxy_for
from bot.net.sessions import new_session
from handlers.phrases.blocks import Rendered
from handlers.slack_api.sockets import Sockets
from handlers.slack_api.web_api import NO_ANSWER
from tests.market.conftest import Api
from tests.market.conftest import api as api  # noqa: PLC0414 - a fixture
from tests.recording_proxy import RecordingProxy, no_proxies, recording_proxy
from tests.sandbox.slack_world import workspace

SECRETS = ("xoxb-1-botsecret", "xapp-1-appsecret", "ccsecret-7f3a")


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Set up a bot with hosts that don't exist, in an environment without a proxy."""
    no_proxies(monkeypatch)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "SLACK_BOT_TOKEN": SECRETS[0],
        "SLACK_APP_TOKEN": SECRETS[1],
        "SLACK_API_URL": "https://slack.test/api/",
        "COMPUTE_CLEAR_TOKEN": SECRETS[2],
        "COMPUTE_CLEAR_URL": "https://market.test",
        "GPUBOT_CHANNEL": "C0GPUS000",
        "GPUBOT_ADMINS": "U0ANA0000",
        "GPUBOT_DATABASE_URL": f"sqlite:///{tmp_path / 'gpubot.sqlite'}",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
async def proxy() -> AsyncIterator[RecordingProxy]:
    async with recording_proxy() as made:
        yield made


async def built(stack: AsyncExitStack) -> Bot:
    return await stack.enter_async_context(build(read_settings()))


async def send_reply(bot: Bot, url: str) -> None:
    """Send a private reply to a `response_url`."""
    answer = Message(
        kind=MessageKind.REPLY,
        to=to_response_url(url),
        body={"text": "hello", "blocks": []},
        created_at=SystemClock().now(),
    )
    await bot.delivery.poster.answer(answer, Rendered(text="hello"))


@pytest.mark.parametrize("login", ["", "ana:pass%21word@"])
async def test_every_client_uses_the_proxy(env: pytest.MonkeyPatch, proxy: RecordingProxy, login: str) -> None:
    url = proxy.url.replace("//", f"//{login}")
    env.setenv("HTTPS_PROXY", url)
    env.setenv("http_proxy", url)
    async with AsyncExitStack() as stack:
        bot = await built(stack)
        with pytest.raises(NO_ANSWER):
            await bot.connection.context.client.auth_test()
        with pytest.raises(MarketAway) as away:
            await bot.catalog_cache.refresh()
        await send_reply(bot, "https://hooks.slack.test/commands/1")
        await send_reply(bot, "http://hooks.slack.test/commands/2")
    assert not away.value.may_have_bought
    assert set(proxy.asked) == {
        "CONNECT slack.test:443",
        "CONNECT market.test:443",
        "CONNECT hooks.slack.test:443",
        "POST http://hooks.slack.test/commands/2",
    }
    for head in proxy.heads:
        assert ("Proxy-Authorization: Basic YW5hOnBhc3Mhd29yZA==" in head) is bool(login)
        assert not [secret for secret in SECRETS if secret in head]


async def test_no_request_to_this_machine_uses_a_proxy(
    env: pytest.MonkeyPatch, proxy: RecordingProxy, api: Api
) -> None:
    """A proxy could read the tokens, because requests to this machine use plain http."""
    async with workspace() as world, AsyncExitStack() as stack:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY"):
            env.setenv(name, proxy.url)
            env.setenv(name.lower(), proxy.url)
        env.setenv("SLACK_API_URL", f"{world.url}/api/")
        env.setenv("SLACK_BOT_TOKEN", world.sandbox.bot_token)
        env.setenv("COMPUTE_CLEAR_URL", api.url)
        api.answer("/available_gpus", {"H100": []})
        api.answer("/answers", {})
        bot = await built(stack)
        assert (await bot.connection.context.client.auth_test())["ok"]
        await bot.catalog_cache.refresh()
        assert bot.catalog_cache.known is not None
        assert "H100" in bot.catalog_cache.known.gpus
        await send_reply(bot, f"{api.url}/answers")
        assert "/answers" in [seen.path for seen in api.seen]
        app = AsyncApp(client=bot.connection.context.client, signing_secret="")
        sockets = Sockets(app, world.sandbox.app_token, SystemClock(), count=1)
        connecting = asyncio.create_task(sockets.connect())
        with suppress(TimeoutError):
            # Through a proxy, the SDK would keep trying indefinitely.
            async with asyncio.timeout(5):
                await connecting
        assert await sockets.connected() == 1
        await sockets.close()
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("url", "named", "found"),
    [
        ("https://slack.com/api/", {}, None),
        ("https://slack.com/api/", {"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://q:2"}, "http://p:1"),
        ("http://slack.com/api/", {"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://q:2"}, "http://q:2"),
        ("https://slack.com/api/", {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:2"}, "http://q:2"),
        ("https://slack.com/api/", {"HTTP_PROXY": "http://q:2"}, None),
        ("https://slack.com/api/", {"ALL_PROXY": "http://a:3"}, "http://a:3"),
        ("https://slack.com/api/", {"all_proxy": "http://a:3", "https_proxy": "p:1"}, "http://p:1"),
        ("wss://wss-primary.slack.com/link", {"https_proxy": "http://p:1"}, "http://p:1"),
        ("ws://slack.com/link", {"http_proxy": "http://q:2"}, "http://q:2"),
        ("https://slack.com/api/", {"https_proxy": "http://p:1", "NO_PROXY": "example.com, .slack.com"}, None),
        ("https://hooks.slack.com/1", {"https_proxy": "http://p:1", "no_proxy": "slack.com"}, None),
        ("https://slack.com:8443/", {"https_proxy": "http://p:1", "no_proxy": "slack.com:8443"}, None),
        ("https://slack.com/api/", {"https_proxy": "http://p:1", "no_proxy": "*"}, None),
        ("https://notslack.com/", {"https_proxy": "http://p:1", "no_proxy": "slack.com"}, "http://p:1"),
        ("https://slack.com/api/", {"https_proxy": "socks5://s:4", "no_proxy": "slack.com"}, None),
        ("http://127.0.0.1:8602/api/", {"http_proxy": "http://q:2", "all_proxy": "socks5://s:4"}, None),
        ("http://localhost:8602/api/", {"http_proxy": "http://q:2"}, None),
        ("http://[::1]:8602/api/", {"http_proxy": "http://q:2"}, None),
        ("https://127.3.2.1/", {"https_proxy": "http://p:1"}, None),
    ],
)
def test_the_environment_determines_the_proxy_of_an_address(
    env: pytest.MonkeyPatch, url: str, named: dict[str, str], found: str | None
) -> None:
    for name, value in named.items():
        env.setenv(name, value)
    assert proxy_for(url) == found


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (
            {"ALL_PROXY": "socks5://ana:hush@p:1080"},
            "ALL_PROXY names a socks5 proxy, but I can only use http and https proxies. "
            "Name one of those, or list slack.test in NO_PROXY.",
        ),
        (
            {"https_proxy": "http://ana:hush@:1"},
            "HTTPS_PROXY isn't the address of a proxy. Write it as http://HOST:PORT.",
        ),
        (
            {"HTTPS_PROXY": "http://p:99999"},
            "HTTPS_PROXY isn't the address of a proxy. Write it as http://HOST:PORT.",
        ),
        ({"HTTPS_PROXY": "http://[p"}, "HTTPS_PROXY isn't the address of a proxy. Write it as http://HOST:PORT."),
    ],
)
async def test_the_start_fails_if_the_proxy_cannot_be_used(
    env: pytest.MonkeyPatch, named: dict[str, str], message: str
) -> None:
    for name, value in named.items():
        env.setenv(name, value)
    with pytest.raises(Unusable) as refused:
        proxy_for("https://slack.test/api/")
    assert refused.value.words == message
    async with AsyncExitStack() as stack:
        with pytest.raises(Mistake) as ended:
            await built(stack)
    assert ended.value.words == message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_of_slack_is_followed(env: pytest.MonkeyPatch, api: Api, status: int) -> None:
    """Otherwise, the token would be sent to the address that the answer names."""
    env.setenv("SLACK_API_URL", f"{api.url}/api/")
    for path in ("/api/auth.test", "/answers", "/link"):
        api.answer(path, {}, status, Location=f"{api.url}/elsewhere")
    api.answer("/elsewhere", {"ok": True})
    async with AsyncExitStack() as stack:
        bot = await built(stack)
        with pytest.raises(NO_ANSWER) as redirected:
            await bot.connection.context.client.auth_test()
        assert not isinstance(redirected.value, SlackApiError)
        await send_reply(bot, f"{api.url}/answers")
        session = await stack.enter_async_context(new_session())
        with pytest.raises(aiohttp.ClientError):
            await session.ws_connect(f"{api.url}/link")
    assert [seen.path for seen in api.seen] == ["/api/auth.test", "/answers", "/link"]


async def test_a_socket_follows_no_redirect(env: pytest.MonkeyPatch, api: Api) -> None:
    ended = asyncio.Event()

    class Failed(logging.Handler):
        @override
        def emit(self, record: logging.LogRecord) -> None:
            ended.set()

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        ended.set()
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        return socket

    api.answers["/elsewhere"] = elsewhere
    api.answer("/link", {}, 302, Location=f"{api.url}/elsewhere")
    env.setenv("SLACK_API_URL", f"{api.url}/api/")
    api.answer("/api/apps.connections.open", {"ok": True, "url": f"{api.url.replace('http', 'ws')}/link"})
    async with AsyncExitStack() as stack:
        bot = await built(stack)
        app = AsyncApp(client=bot.connection.context.client, signing_secret="")
        app.logger.addHandler(failed := Failed(logging.ERROR))
        sockets = Sockets(app, SECRETS[1], SystemClock(), count=1)
        connecting = asyncio.create_task(sockets.connect())
        async with asyncio.timeout(10):
            await ended.wait()
        app.logger.removeHandler(failed)
        await sockets.close()
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
    assert [seen.path for seen in api.seen] == ["/api/apps.connections.open", "/link"]
