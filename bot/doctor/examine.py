"""All checks side by side, none hiding another."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import aiohttp

from bot.clock import Clock
from bot.dependencies import check_dependencies
from bot.doctor import machine, market
from bot.doctor.findings import Case, Finding, hint, left, ok, wrong
from bot.doctor.slack import slack
from bot.env_file import ENV_FILE, open_to_others
from bot.errors import Mistake, Unusable
from bot.policy.rules import Rules, read_rules
from bot.sessions import new_session
from bot.settings import Settings, read_partly
from handlers.slack_api.web_client import slack_client

CALL_TAKES = 8.0
"""Real seconds for one call."""


async def examine(clock: Clock) -> list[Finding]:
    """Checks what the environment and `.env` say. Changes nothing, and raises nothing for what it finds."""
    settings, wrong_settings = read_partly()
    rules, policy = _policy(settings, wrong_settings)
    case = Case(settings=settings, wrong=wrong_settings, rules=rules, clock=clock)
    async with new_session(timeout=aiohttp.ClientTimeout(total=CALL_TAKES)) as session:
        client = slack_client(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, session)
        gaps: dict[str, timedelta | None] = {}

        async def of_slack() -> list[Finding]:
            found, gaps["Slack"] = await slack(case, client)
            return found

        async def of_market() -> list[Finding]:
            gaps["Compute Clear"] = await market.ahead(case, session)
            return await market.compute_clear(case, CALL_TAKES)

        found = await asyncio.gather(
            _kept("Slack", of_slack()),
            _kept("Compute Clear", of_market()),
            _kept("database", machine.database(case)),
            _kept("GPUBOT_HTTP", machine.port(case, session)),
            _kept("GPUBOT_CLOCK_URL", machine.borrowed(case, session)),
        )
    of_clock = machine.clock({name: gaps.get(name) for name in ("Slack", "Compute Clear")})
    here = [*_dependencies(), *_settings(wrong_settings), *policy, *machine.proxies(case)]
    return [*here, *chain.from_iterable(found), *of_clock]


async def _kept(what: str, check: Coroutine[Any, Any, list[Finding]]) -> list[Finding]:
    """What a check finds, also where the check itself breaks: the others are to be seen."""
    try:
        return await check
    except Exception as error:
        return [wrong(what, f"the check itself broke ({type(error).__name__}). That is a bug of mine.")]


def _dependencies() -> list[Finding]:
    try:
        check_dependencies()
    except Unusable as unusable:
        return [wrong("packages", line) for line in unusable.words.splitlines()]
    return []


def _settings(wrong_settings: dict[str, str]) -> list[Finding]:
    found = [wrong("settings", line) for line in dict.fromkeys(wrong_settings.values())]
    if open_to_others(ENV_FILE):
        found.append(hint("settings", "other users of this machine can read or write .env. Type: chmod 600 .env"))
    return found if wrong_settings else [ok("settings", "all that is needed is set."), *found]


def _policy(settings: Settings, wrong_settings: dict[str, str]) -> tuple[Rules, list[Finding]]:
    def read(path: Path | None) -> Rules:
        return read_rules(path, home_channel=settings.channel, admins=settings.admin_ids)

    if "GPUBOT_POLICY" in wrong_settings:
        return read(None), [left("policy", "GPUBOT_POLICY first.")]
    if settings.policy is None:
        return read(None), [ok("policy", "the defaults, as GPUBOT_POLICY names no file.")]
    try:
        return read(settings.policy), [ok("policy", f"{settings.policy} is understood.")]
    except Mistake as mistake:
        lines = (line.removeprefix("GPUBOT_POLICY: ") for line in mistake.words.splitlines())
        return read(None), [wrong("policy", line) for line in lines]
