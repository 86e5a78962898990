"""The watchdog interprets answers from the bot's address, the market and Slack, over real connections."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from bot.clock import SystemClock
from bot.market.client import ComputeClear
from bot.net.machines_proof import NONCE_HEADER, SIGNATURE_HEADER, sign_answer
from bot.net.sessions import new_session
from bot.watchdog.outside import Outside, Posted
from bot.watchdog.settings import WatchdogSettings
from bot.watchdog.state import BotAnswer, Trouble
from tests.watchdog.test_policy import machine

OURS = "0123456789abcdef" * 2
ONE = machine(1, None)
WELL = json.dumps(
    {"well": True, "wrong": [], "machines": [{**ONE.model_dump(mode="json"), "new": 1}], "also": "new"}
)
SICK = json.dumps({"well": False, "wrong": ["the database can't be read"], "machines": None})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def outside(handler: Handler) -> AsyncIterator[Outside]:
    """Yield the outside world with a single server, which answers every request with `handler`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{site.port}"
    try:
        async with reached_at(url) as found:
            yield found
    finally:
        await runner.cleanup()


@asynccontextmanager
async def reached_at(url: str, **slack: str) -> AsyncIterator[Outside]:
    posts: dict[str, Any] = slack or {"GPUBOT_WATCHDOG_WEBHOOK": f"{url}/services/T0/B0/secret"}
    settings = WatchdogSettings(
        GPUBOT_URL=url,
        GPUBOT_MACHINES_TOKEN=OURS,
        COMPUTE_CLEAR_TOKEN=OURS,
        COMPUTE_CLEAR_URL=url,
        GPUBOT_ADMINS="U0CLEO000",
        **posts,
    )
    clock = SystemClock()
    market = ComputeClear(url, SecretStr(OURS), clock)
    try:
        async with new_session() as session:
            yield Outside(settings, session, market, clock)
    finally:
        await market.aclose()


def answers(status: int, text: str, **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    return handler


def signed(status: int, text: str, token: str = OURS) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        signature = sign_answer(SecretStr(token), request.headers[NONCE_HEADER], status, text.encode())
        return web.Response(status=status, text=text, headers={SIGNATURE_HEADER: signature})

    return handler


@pytest.mark.parametrize(
    ("status", "text", "trouble"),
    [
        (200, WELL, None),
        (503, SICK, Trouble.NOT_WELL),
        (200, SICK, Trouble.NOT_WELL),
        (200, "{}", Trouble.UNUSABLE),
    ],
)
async def test_a_signed_answer_says_whether_the_bot_is_well_whatever_its_status(
    status: int, text: str, trouble: Trouble | None
) -> None:
    async with outside(signed(status, text)) as found:
        answer = await found.ask_bot()
        assert answer.trouble is trouble
        assert answer.machines == ((ONE,) if trouble is None else None)
        assert bool(answer.why) == (trouble is not None)


@pytest.mark.parametrize(
    ("status", "text", "trouble"),
    [
        (503, SICK, Trouble.UNREACHABLE),
        (503, "<html>no upstream</html>", Trouble.UNREACHABLE),
        (502, "", Trouble.UNREACHABLE),
        (504, WELL, Trouble.UNREACHABLE),
        (500, "", Trouble.UNUSABLE),
        (401, "no valid signature", Trouble.UNUSABLE),
        (404, "", Trouble.UNUSABLE),
        (200, WELL, Trouble.UNUSABLE),
        (200, '{"well": true, "wrong": [], "machines": []}', Trouble.UNUSABLE),
        (200, SICK, Trouble.UNUSABLE),
        (200, "Welcome to nginx!", Trouble.UNUSABLE),
        (307, "", Trouble.UNUSABLE),
    ],
)
async def test_an_unsigned_answer_never_contains_machines(status: int, text: str, trouble: Trouble) -> None:
    """Only the error of a gateway counts as no answer."""
    async with outside(answers(status, text, Location="https://example.com/")) as found:
        answer = await found.ask_bot()
        assert (answer.trouble, answer.machines) == (trouble, None)
        assert answer.why


async def test_closed_ports_and_broken_connections_count_as_no_answer() -> None:
    async with reached_at("http://127.0.0.1:1") as found:
        assert await found.ask_bot() == BotAnswer(
            trouble=Trouble.UNREACHABLE, why="nothing accepts connections at its address"
        )

    async def breaks(request: web.Request) -> web.Response:
        assert OURS not in str(request.headers)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with outside(breaks) as found:
        assert await found.ask_bot() == BotAnswer(trouble=Trouble.UNREACHABLE, why="the connection broke")


@pytest.mark.parametrize(
    ("status", "text", "date", "posted"),
    [
        (200, "ok", None, Posted(taken=True)),
        (200, '{"ok": true}', None, Posted(taken=True)),
        (200, '{"ok": false, "error": "not_in_channel"}', None, Posted(taken=False)),
        (200, "[]", None, Posted(taken=False)),
        (403, "invalid_token", None, Posted(taken=False)),
        (404, "ok", None, Posted(taken=False)),
        (200, "ok", "Tue, 24 Nov 2020 02:00:00 GMT", Posted(taken=True, clock_is_wrong=True)),
        (200, "ok", "never", Posted(taken=True)),
    ],
)
async def test_a_message_counts_as_posted_only_if_slack_confirms_it(
    status: int, text: str, date: str | None, posted: Posted
) -> None:
    headers = {} if date is None else {"Date": date}
    async with outside(answers(status, text, **headers)) as found:
        assert await found.post("Hello") == posted


async def test_without_a_webhook_the_bots_token_posts_to_the_channel() -> None:
    asked: list[tuple[str, str, object]] = []

    async def slack(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers["Authorization"], await request.json()))
        return web.json_response({"ok": True})

    async with outside(slack) as server:
        url = server._settings.bot_url
        names = {"SLACK_BOT_TOKEN": "xoxb-1", "GPUBOT_CHANNEL": "C0GPUS000", "SLACK_API_URL": f"{url}/api"}
        async with reached_at(url, **names) as found:
            assert (await found.post("Hello")).taken
    assert asked == [("/api/chat.postMessage", "Bearer xoxb-1", {"channel": "C0GPUS000", "text": "Hello"})]


@pytest.mark.parametrize(
    ("status", "text", "failure"),
    [
        (200, "{}", None),
        (204, "", None),
        (404, "{}", None),
        (409, "{}", None),
        (500, "{}", "Compute Clear reported an error (500)."),
        (401, "{}", "Compute Clear rejects my API token. An admin can set a valid COMPUTE_CLEAR_TOKEN."),
    ],
)
async def test_a_deletion_is_done_if_accepted_or_already_terminated(
    status: int, text: str, failure: str | None
) -> None:
    async with outside(answers(status, text)) as found:
        assert await found.delete("res-1") == failure


async def test_without_the_list_of_resources_it_is_unknown_what_is_alive() -> None:
    async with outside(answers(401, "{}")) as found:
        account = await found.list_account()
        assert (account.living, account.token_refused) == (None, True)
    async with outside(answers(200, "[1")) as found:
        account = await found.list_account()
        assert (account.living, account.token_refused) == (None, False)
