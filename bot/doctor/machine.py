"""This machine: the database, the port, the clock."""

from __future__ import annotations

import asyncio
import errno
import os
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp

from bot.clock import Clock
from bot.doctor.findings import Case, Finding, hint, left, ok, wrong
from bot.errors import CannotOpen, InUse, StoreBusy, Unusable
from bot.proxies import proxy_for
from bot.sandbox_clock import clock_of
from store.preflight import Condition, condition

SKEW = timedelta(seconds=60)
DATABASE, HTTP, CLOCK, BORROWED = "database", "GPUBOT_HTTP", "clock", "GPUBOT_CLOCK_URL"
PROXY = "proxy"

_SAID = {
    Condition.MISSING: "not there yet; gpubot run makes it.",
    Condition.OLDER: "opens; gpubot run brings its schema up to date.",
    Condition.READY: "opens, takes writes, and its schema is up to date.",
}


async def database(case: Case) -> list[Finding]:
    """Whether the next start can have it."""
    lacking = case.lacks("GPUBOT_DATABASE_URL")
    if lacking:
        return [left(DATABASE, lacking)]
    try:
        found = await condition(case.settings.database_url.get_secret_value())
    except InUse:
        return [ok(DATABASE, "a running gpubot has it. That is fine; a second one could not start.")]
    except CannotOpen as error:
        return [wrong(DATABASE, error.words)]
    except StoreBusy:
        if case.settings.database_url.get_secret_value().startswith("postgresql:"):
            return [wrong(DATABASE, "its server doesn't answer in time. Try again in a minute.")]
        return [wrong(DATABASE, "another program holds its write lock. Close that one, then try again.")]
    return [ok(DATABASE, _SAID[found])]


async def port(case: Case, session: aiohttp.ClientSession) -> list[Finding]:
    """Whether /health and /metrics can be served where GPUBOT_HTTP says."""
    lacking = case.lacks("GPUBOT_HTTP")
    if lacking:
        return [left(HTTP, lacking)]
    address = case.settings.http
    host, _, number = address.rpartition(":")
    try:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), host.strip("[]"), int(number))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            why = os.strerror(error.errno) if error.errno else "there is no such address"
            return [wrong(HTTP, f"I can't listen on {address}: {why}. Name an address of this machine.")]
        if await _is_gpubot(address, session):
            return [ok(HTTP, f"a running gpubot answers on {address}.")]
        return [wrong(HTTP, f"another program listens on {address}. Set it to a free port, as 127.0.0.1:8601.")]
    server.close()
    await server.wait_closed()
    return [ok(HTTP, f"{address} is free.")]


async def _is_gpubot(address: str, session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get(f"http://{address}/health") as answer:
            said = await answer.json()
    except (aiohttp.ClientError, OSError, ValueError):
        return False
    return isinstance(said, dict) and "settled" in said


def proxies(case: Case) -> list[Finding]:
    """Which proxy of the environment is used for what; nothing if none is."""
    found: list[Finding] = []
    for name, setting, url in (
        ("Slack", "SLACK_API_URL", case.settings.slack_api_url),
        ("Compute Clear", "COMPUTE_CLEAR_URL", case.settings.compute_clear_url),
    ):
        if case.lacks(setting):
            continue
        try:
            proxy = proxy_for(url)
        except Unusable as error:
            found.append(wrong(PROXY, error.words))
        else:
            if proxy is not None:
                # Without the user and password that it may have.
                found.append(ok(PROXY, f"{name} is asked through {urlsplit(proxy).netloc.rpartition('@')[2]}."))
    return found


async def borrowed(case: Case, session: aiohttp.ClientSession) -> list[Finding]:
    """Whether a clock answers where GPUBOT_CLOCK_URL says; nothing where it isn't set."""
    if case.settings.clock_url is None or case.lacks(BORROWED):
        return []
    try:
        seen = await clock_of(case.settings.clock_url, session)
    except Unusable as error:
        return [wrong(BORROWED, error.words.removeprefix(f"{BORROWED}: "))]
    return [ok(BORROWED, f"a sandbox's clock, at {seen.now():%Y-%m-%d %H:%M} UTC.")]


def skew(date: str | None, clock: Clock) -> timedelta | None:
    """How far this machine's clock is ahead of the one that wrote a Date header, None where there is none."""
    try:
        told = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return clock.real() - (told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC))


def clock(skews: dict[str, timedelta | None]) -> list[Finding]:
    """Compares this machine's clock with those of others."""
    known = {name: gap for name, gap in skews.items() if gap is not None}
    if not known:
        return [hint(CLOCK, "nobody told me the time, so I can't compare it.")]
    far = {name: gap for name, gap in known.items() if abs(gap) > SKEW}
    if not far:
        return [ok(CLOCK, f"within {int(SKEW.total_seconds())} s of {' and '.join(known)}.")]
    return [
        hint(
            CLOCK,
            f"this machine is {_long(gap)} {'ahead of' if gap > timedelta(0) else 'behind'} {name}. "
            "Prices and leases go by this clock: let it be set over the network (NTP).",
        )
        for name, gap in far.items()
    ]


def _long(gap: timedelta) -> str:
    minutes, seconds = divmod(round(abs(gap).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
