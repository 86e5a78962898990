"""Bot and watchdog recognize each other by a token that is never sent, even if one of them is older."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr
from structlog.testing import capture_logs

from bot.clock import SystemClock
from bot.net.machines_proof import SIGNATURE_HEADER
from bot.ops import health
from bot.watchdog.state import BotAnswer, Trouble
from tests.watchdog.test_outside import ONE, OURS, outside, reached_at

NAMED = {"well": True, "wrong": [], "machines": [ONE.model_dump(mode="json")]}
OLD_BOT_IS_REFUSED = "it asks for my token itself, as older versions do, and I never send it. Upgrade gpubot first"


@asynccontextmanager
async def bot(*, well: bool = True, token: str = OURS) -> AsyncIterator[str]:
    """Run the bot's server, and yield its address."""

    async def report() -> health.Report:
        return {**NAMED, "well": well}

    async def metrics() -> bytes:
        return b""

    runner = await health.serve(
        "127.0.0.1:0",
        SystemClock(),
        report,
        metrics,
        lambda: False,
        machines=health.Machines(report, SecretStr(token)),
    )
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.close()


@asynccontextmanager
async def older_bot() -> AsyncIterator[str]:
    """Answer like a bot of the previous release, which gives an unsigned answer to anyone who sends the token."""

    async def machines(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {OURS}":
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        return web.json_response(NAMED)

    async with outside(machines) as found:
        yield found._settings.bot_url


async def asks(url: str) -> BotAnswer:
    async with reached_at(url) as found:
        return await found.ask_bot()


async def asks_as_older_watchdog(url: str) -> BotAnswer:
    """Query the bot like a watchdog of the previous release, which sends the token and believes every answer."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {OURS}"}) as session,
        session.get(f"{url}/machines") as answer,
    ):
        if answer.status != 200:
            return BotAnswer(trouble=Trouble.UNUSABLE)
        return BotAnswer.model_validate({"machines": (await answer.json())["machines"]})


@pytest.mark.parametrize(
    ("serves", "ask", "expected", "warnings"),
    [
        (bot, asks, BotAnswer(machines=(ONE,)), 0),
        (bot, asks_as_older_watchdog, BotAnswer(machines=(ONE,)), 1),
        (older_bot, asks, BotAnswer(trouble=Trouble.UNUSABLE, why=OLD_BOT_IS_REFUSED), 0),
        (older_bot, asks_as_older_watchdog, BotAnswer(machines=(ONE,)), 0),
    ],
    ids=["both_new", "older_watchdog", "older_bot", "both_older"],
)
async def test_a_new_watchdog_explains_why_an_older_bot_sends_no_machines(
    serves: Callable[[], AbstractAsyncContextManager[str]],
    ask: Callable[[str], Awaitable[BotAnswer]],
    expected: BotAnswer,
    warnings: int,
) -> None:
    with capture_logs() as logs:
        async with serves() as url:
            assert await ask(url) == expected
            assert await ask(url) == expected
    assert [line["event"] for line in logs].count("machines.watchdog_is_older") == warnings


async def test_a_bot_that_is_not_well_signs_its_answer_too() -> None:
    async with bot(well=False) as url:
        assert await asks(url) == BotAnswer(trouble=Trouble.NOT_WELL, machines=(ONE,))


async def test_a_bot_with_another_token_refuses_the_watchdog() -> None:
    async with bot(token=OURS[::-1]) as url:
        answer = await asks(url)
        assert (answer.trouble, answer.machines) == (Trouble.UNUSABLE, None)
        assert answer.why == "it rejects my GPUBOT_MACHINES_TOKEN"


def relayed(
    url: str, change: Callable[[int, bytes], tuple[int, bytes]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Forward requests to the bot at `url`, and return its answers changed, but with the bot's own signature."""

    async def handler(request: web.Request) -> web.Response:
        async with (
            aiohttp.ClientSession(headers=request.headers) as session,
            session.get(f"{url}/machines") as answer,
        ):
            status, body = change(answer.status, await answer.read())
            headers = {SIGNATURE_HEADER: answer.headers[SIGNATURE_HEADER]}
            return web.Response(status=status, body=body, headers=headers)

    return handler


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda status, body: (status, body), (ONE,)),
        (lambda status, body: (status, body.replace(b"true", b"false")), None),
        (lambda _, body: (203, body), None),
    ],
    ids=["unchanged", "another_body", "another_status"],
)
async def test_a_program_in_between_cannot_change_an_answer(
    change: Callable[[int, bytes], tuple[int, bytes]], named: tuple[object, ...] | None
) -> None:
    async with bot() as url, outside(relayed(url, change)) as found:
        assert (await found.ask_bot()).machines == named


async def test_an_answer_cannot_be_replayed() -> None:
    recorded: list[web.Response] = []

    async with bot() as url:
        relay = relayed(url, lambda status, body: (status, body))

        async def replay(request: web.Request) -> web.Response:
            if not recorded:
                recorded.append(await relay(request))
            first = recorded[0]
            return web.Response(status=first.status, body=first.body, headers=first.headers)

        async with outside(replay) as found:
            assert (await found.ask_bot()).machines == (ONE,)
            assert (await found.ask_bot()).machines is None


async def test_the_signature_of_a_request_is_not_valid_for_an_answer() -> None:
    """A program that doesn't know the token can only send the signature of the request back."""

    async def mirror(request: web.Request) -> web.Response:
        return web.json_response(NAMED, headers={SIGNATURE_HEADER: request.headers[SIGNATURE_HEADER]})

    async with outside(mirror) as found:
        assert (await found.ask_bot()).machines is None
