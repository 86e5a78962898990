"""The empty app: a Bolt app whose listeners only acknowledge. It is the baseline for acknowledgements and starts.

It opens as many connections as the bot. To run it:

    SLACK_BOT_TOKEN=.. SLACK_APP_TOKEN=.. SLACK_API_URL=.. python -m bench.empty_app
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import SystemClock
from handlers.slack_api.sockets import Sockets


async def run(bot_token: str, app_token: str, api_url: str) -> None:
    """Acknowledge everything until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        client = AsyncWebClient(token=bot_token, base_url=api_url, session=session, retry_handlers=[])
        identity = await client.auth_test()

        async def authorize(enterprise_id: str | None = None, team_id: str | None = None) -> AuthorizeResult:
            return AuthorizeResult(
                enterprise_id=enterprise_id,
                team_id=team_id,
                bot_token=client.token,
                bot_id=identity.get("bot_id"),
                bot_user_id=identity.get("user_id"),
            )

        app = AsyncApp(client=client, authorize=authorize)
        app.command("/gpu")(only_ack)
        app.action(re.compile(".*"))(only_ack)
        sockets = Sockets(app, app_token, SystemClock())
        await sockets.connect()
        await stopped.wait()
        await sockets.close()


async def only_ack(ack: Any) -> None:
    """Acknowledge, and do nothing else."""
    await ack()


if __name__ == "__main__":
    asyncio.run(run(os.environ["SLACK_BOT_TOKEN"], os.environ["SLACK_APP_TOKEN"], os.environ["SLACK_API_URL"]))
