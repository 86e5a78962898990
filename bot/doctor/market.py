"""Checks Compute Clear: whether it accepts the token, and whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp

from bot.clock import Clock
from bot.doctor.findings import CheckContext, Finding, not_checked, ok, wrong
from bot.doctor.host import gap_to
from bot.errors import MarketAway, TokenRefused
from bot.market.client import ComputeClear, Timeouts
from bot.model.offer import Catalog

T = TypeVar("T")
TOKEN, CATALOGUE, RESOURCES = "Compute Clear token", "Compute Clear catalogue", "Compute Clear resources"
NEEDED = ("COMPUTE_CLEAR_TOKEN", "COMPUTE_CLEAR_URL")


async def compute_clear(context: CheckContext, seconds: float) -> list[Finding]:
    """Return what reading the catalogue and the account's resources shows. Buy and delete nothing."""
    if blocked := context.blocked_by(*NEEDED):
        return [not_checked(what, blocked) for what in (TOKEN, CATALOGUE, RESOURCES)]
    settings = context.settings
    client = ComputeClear(
        settings.compute_clear_url, settings.compute_clear_token, context.clock, Timeouts(other=seconds)
    )
    try:
        catalogue, resources = await asyncio.gather(
            _answer(context.clock, client.catalog(), _catalogue),
            _answer(context.clock, client.resources(), lambda found: f"{len(found)} on the account"),
        )
    finally:
        await client.aclose()
    answers = {CATALOGUE: catalogue, RESOURCES: resources}
    findings = [_finding(what, answer, settings.compute_clear_url) for what, answer in answers.items()]
    if any(isinstance(answer, TokenRefused) for answer in answers.values()):
        words = "refused. Copy it again from your Compute Clear account into COMPUTE_CLEAR_TOKEN."
        return [wrong(TOKEN, words), *findings]
    if all(isinstance(answer, MarketAway) for answer in answers.values()):
        return [not_checked(TOKEN, "Compute Clear must answer first."), *findings]
    return [ok(TOKEN, "taken."), *findings]


def _finding(what: str, answer: str | MarketAway, url: str) -> Finding:
    if isinstance(answer, TokenRefused):
        return not_checked(what, "COMPUTE_CLEAR_TOKEN first.")
    if isinstance(answer, MarketAway):
        host = urlsplit(url).hostname
        return wrong(what, f"{answer.words} Check COMPUTE_CLEAR_URL, which leads to {host}; else try again later.")
    return ok(what, answer)


async def _answer(clock: Clock, call: Awaitable[T], describe: Callable[[T], str]) -> str | MarketAway:
    """Return the market's answer to a call and how long it took, or the reason why there was none."""
    start = clock.real()
    try:
        found = await call
    except MarketAway as away:
        return away
    return f"{describe(found)}, in {(clock.real() - start).total_seconds():.2f} s."


def _catalogue(found: Catalog) -> str:
    return f"{len(found.gpus)} GPU families, {len(found.vendors)} vendors"


async def clock_gap(context: CheckContext, session: aiohttp.ClientSession) -> timedelta | None:
    """Return how far this machine's clock is ahead of Compute Clear's.

    The call has no token: an answer of any status has a date.
    """
    if context.blocked_by("COMPUTE_CLEAR_URL"):
        return None
    url = f"{context.settings.compute_clear_url.rstrip('/')}/available_regions"
    try:
        async with session.get(url, allow_redirects=False) as answer:
            return gap_to(answer.headers.get("Date"), context.clock)
    except (aiohttp.ClientError, OSError, ValueError):
        return None
