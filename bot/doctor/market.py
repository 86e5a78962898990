"""Compute Clear: whether it takes our token, and what it says when asked."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import urlsplit

import aiohttp

from bot.clock import Clock
from bot.doctor.findings import Case, Finding, left, ok, wrong
from bot.doctor.machine import skew
from bot.errors import LockedOut, MarketAway
from bot.market.client import ComputeClear, Timeouts

TOKEN, CATALOGUE, RESOURCES = "Compute Clear token", "Compute Clear catalogue", "Compute Clear resources"
NEEDS = ("COMPUTE_CLEAR_TOKEN", "COMPUTE_CLEAR_URL")


async def compute_clear(case: Case, seconds: float) -> list[Finding]:
    """Reads the catalogue and the account's resources. Buys and deletes nothing."""
    lacking = case.lacks(*NEEDS)
    if lacking:
        return [left(what, lacking) for what in (TOKEN, CATALOGUE, RESOURCES)]
    settings = case.settings
    client = ComputeClear(
        settings.compute_clear_url, settings.compute_clear_token, case.clock, Timeouts(other=seconds)
    )
    try:
        catalogue, resources = await asyncio.gather(_catalogue(client, case.clock), _resources(client, case.clock))
    finally:
        await client.aclose()
    answers = {CATALOGUE: catalogue, RESOURCES: resources}
    if any(isinstance(answer, LockedOut) for answer in answers.values()):
        words = "refused. Copy it anew from your Compute Clear account into COMPUTE_CLEAR_TOKEN."
        return [wrong(TOKEN, words)] + [
            _told(what, answer, settings.compute_clear_url) for what, answer in answers.items()
        ]
    told = [_told(what, answer, settings.compute_clear_url) for what, answer in answers.items()]
    if all(isinstance(answer, MarketAway) for answer in answers.values()):
        return [left(TOKEN, "Compute Clear must answer first."), *told]
    return [ok(TOKEN, "taken."), *told]


def _told(what: str, answer: str | MarketAway, url: str) -> Finding:
    if isinstance(answer, LockedOut):
        return left(what, "COMPUTE_CLEAR_TOKEN first.")
    if isinstance(answer, MarketAway):
        host = urlsplit(url).hostname
        return wrong(what, f"{answer.words} Check COMPUTE_CLEAR_URL, which leads to {host}; else try again later.")
    return ok(what, answer)


async def _catalogue(client: ComputeClear, clock: Clock) -> str | MarketAway:
    since = clock.real()
    try:
        found = await client.catalog()
    except MarketAway as away:
        return away
    return f"{len(found.gpus)} GPU families, {len(found.vendors)} vendors, in {_long(clock.real() - since)}."


async def _resources(client: ComputeClear, clock: Clock) -> str | MarketAway:
    since = clock.real()
    try:
        found = await client.resources()
    except MarketAway as away:
        return away
    return f"{len(found)} on the account, in {_long(clock.real() - since)}."


def _long(took: timedelta) -> str:
    return f"{took.total_seconds():.2f} s"


async def ahead(case: Case, session: aiohttp.ClientSession) -> timedelta | None:
    """How far this machine's clock is ahead of Compute Clear's. Asks without a token: any answer has a date."""
    if case.lacks("COMPUTE_CLEAR_URL"):
        return None
    url = f"{case.settings.compute_clear_url.rstrip('/')}/available_regions"
    try:
        async with session.get(url, allow_redirects=False) as answer:
            return skew(answer.headers.get("Date"), case.clock)
    except (aiohttp.ClientError, OSError, ValueError):
        return None
