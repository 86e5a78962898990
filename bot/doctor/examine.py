"""Runs all checks concurrently. A bug in one check doesn't hide the results of the other checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import aiohttp

from bot.clock import Clock
from bot.config.settings import Settings, read_partly
from bot.doctor import host
from bot.doctor.findings import CheckContext, Finding, hint, not_checked, ok, wrong
from bot.doctor.host import github
from bot.doctor.slack import slack
from bot.errors import Unusable, WrongPolicy
from bot.net.sessions import new_session
from bot.ops.library_internals import check_dependencies
from bot.policy.team.policy_file import PolicySource
from bot.policy.team.rules import Rules
from bot.probe.key import probe_key_in
from bot.text_file import ENV_FILE, open_to_others
from handlers.slack_api.web_api import slack_client

CALL_SECONDS = 8.0
"""The time limit of a call in seconds (wall clock)."""


async def examine(clock: Clock) -> list[Finding]:
    """Run all checks with the settings from the environment and `.env`, and return their results.

    Nothing is changed.
    """
    settings, wrong_settings = read_partly(Settings)
    rules, policy = _policy(settings, wrong_settings)
    context = CheckContext(settings=settings, wrong=wrong_settings, rules=rules, clock=clock)
    async with new_session(timeout=aiohttp.ClientTimeout(total=CALL_SECONDS)) as session:
        client = slack_client(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, session)
        clock_gaps: dict[str, timedelta | None] = {}

        async def check_slack() -> list[Finding]:
            found, clock_gaps["Slack"] = await slack(context, client)
            return found

        async def check_market() -> list[Finding]:
            clock_gaps["Compute Clear"] = await host.clock_gap(context, session)
            return await host.compute_clear(context, CALL_SECONDS)

        found = await asyncio.gather(
            _guarded("Slack", check_slack()),
            _guarded("Compute Clear", check_market()),
            _guarded("GitHub", github(context)),
            _guarded("database", host.database(context)),
            _guarded("GPUBOT_HTTP", host.ports(context, session)),
            _guarded("GPUBOT_SOCKET", host.socket_by_hand(context)),
            _guarded("GPUBOT_CLOCK_URL", host.sandbox_clock(context, session)),
        )
    clock_findings = host.clock({name: clock_gaps.get(name) for name in ("Slack", "Compute Clear")})
    packages, key_file = _unusable("packages", check_dependencies), settings.probe_key_file
    probe_key = [] if key_file is None else _unusable("settings", partial(probe_key_in, key_file))
    local = [*packages, *_settings(wrong_settings), *probe_key, *policy, *host.proxies(context)]
    local += host.api_socket(context) + host.webhooks(context)
    return [*local, *chain.from_iterable(found), *clock_findings]


async def _guarded(what: str, check: Coroutine[Any, Any, list[Finding]]) -> list[Finding]:
    """Return the results of a check. If the check raises an error, return a single result that reports a bug."""
    try:
        return await check
    except Exception as error:
        return [wrong(what, f"this check failed ({type(error).__name__}). That is a bug in gpubot.")]


def _unusable(what: str, check: Callable[[], object]) -> list[Finding]:
    """Run a check that raises Unusable for problems, and return a result for each line of the error."""
    try:
        check()
    except Unusable as unusable:
        return [wrong(what, line) for line in unusable.words.splitlines()]
    return []


def _settings(wrong_settings: dict[str, str]) -> list[Finding]:
    found = [wrong("settings", line) for line in dict.fromkeys(wrong_settings.values())]
    if open_to_others(ENV_FILE):
        found.append(hint("settings", "other users of this machine can read or write .env. Type: chmod 600 .env"))
    return found if wrong_settings else [ok("settings", "all required settings are set."), *found]


def _policy(settings: Settings, wrong_settings: dict[str, str]) -> tuple[Rules, list[Finding]]:
    def read(path: Path | None) -> Rules:
        return PolicySource(path, home_channel=settings.channel, admins=settings.admin_ids).read().rules

    if "GPUBOT_POLICY" in wrong_settings:
        return read(None), [not_checked("policy", "GPUBOT_POLICY first.")]
    if settings.policy is None:
        return read(None), [ok("policy", "the defaults apply, because GPUBOT_POLICY names no file.")]
    try:
        return read(settings.policy), [ok("policy", f"{settings.policy} is valid.")]
    except WrongPolicy as mistake:
        return read(None), [wrong("policy", f"{line}.") for line in mistake.lines]
