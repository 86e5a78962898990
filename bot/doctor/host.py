"""Checks this machine and the services that it reaches, apart from Slack."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

import aiohttp

from bot.clock import Clock, http_date
from bot.config.settings import SlackMode
from bot.doctor.findings import CheckContext, Finding, hint, not_checked, ok, wrong
from bot.errors import CannotOpen, InUse, KeysUnavailable, MarketAway, StoreBusy, TokenRefused, Unusable
from bot.market.client import ComputeClear
from bot.market.transport import Timeouts
from bot.model.offer import Catalog
from bot.model.text import listed, say_clock_gap
from bot.net.github import github_at
from bot.net.proxies import proxy_for
from bot.net.sandbox_clock import clock_of
from bot.net.socket_file import socket_problem
from bot.policy.buying.spending import unknown_models
from bot.text_file import open_to_others
from handlers.typed.vocabulary import vocabulary_of
from store.preflight import Condition, check_database, is_pooled

MAX_CLOCK_GAP = timedelta(seconds=60)
DATABASE, HTTP, CLOCK, SANDBOX_CLOCK = "database", "GPUBOT_HTTP", "clock", "GPUBOT_CLOCK_URL"
SOCKET, SLACK_HTTP = "GPUBOT_SOCKET", "GPUBOT_SLACK_HTTP"
API, WEBHOOK_SECRET = "GPUBOT_API", "GPUBOT_WEBHOOK_SECRET"
FREE = {HTTP: 8601, SLACK_HTTP: 8611, API: 8602}
"""For each setting, the port that `gpubot doctor` suggests if the configured port is in use."""
PROXY = "proxy"
SYSTEMD = Path("/run/systemd/system")
"""A folder that exists if the machine was booted with systemd (sd_booted(3))."""

_DATABASE_WORDS = {
    Condition.MISSING: "it doesn't exist yet; gpubot run creates it.",
    Condition.OLDER: "it can be opened; gpubot run updates its schema.",
    Condition.READY: "it can be opened and written, and its schema is up to date.",
}


_POOLED = (
    "there is a connection pooler in front of PostgreSQL. Set it to session mode, or connect directly: "
    "in transaction mode, replicas of gpubot don't notice each other."
)


def start_command(typed: str, *, user: int, systemd: Path = SYSTEMD) -> str:
    """Return the command that starts the bot on this machine.

    Normally, this is `gpubot run`. If root runs `gpubot doctor` on a machine with systemd, it is the command
    that makes systemd start the bot. The bot then runs as its own user. If root started the bot with `gpubot run`,
    the bot's files would belong to root.

    Args:
        typed: The command as it was typed, such as `.venv/bin/gpubot`.
        user: The ID of the user who typed it.
        systemd: The folder that shows whether systemd is in use.
    """
    return "systemctl enable --now gpubot" if user == 0 and systemd.is_dir() else f"{typed} run"


async def database(context: CheckContext) -> list[Finding]:
    """Check whether the bot will be able to use the database when it starts."""
    if blocked := context.blocked_by("GPUBOT_DATABASE_URL"):
        return [not_checked(DATABASE, blocked)]
    url = context.settings.database_url.get_secret_value()
    try:
        found = await check_database(url)
        pooled = await is_pooled(url)
    except InUse:
        return [ok(DATABASE, "a running gpubot is using it. That's fine, but a second gpubot can't start.")]
    except CannotOpen as error:
        return [wrong(DATABASE, error.words)]
    except StoreBusy:
        if url.startswith("postgresql:"):
            return [wrong(DATABASE, "its server didn't answer in time. Try again in a minute.")]
        return [wrong(DATABASE, "another program holds its write lock. Close that program, then try again.")]
    findings = [ok(DATABASE, _DATABASE_WORDS[found])]
    if pooled:
        findings.append(hint(DATABASE, _POOLED))
    return findings


async def ports(context: CheckContext, session: aiohttp.ClientSession) -> list[Finding]:
    """Check whether the bot can listen on GPUBOT_HTTP, GPUBOT_API and, in HTTP mode, on GPUBOT_SLACK_HTTP."""
    settings = context.settings
    addresses = {HTTP: settings.http}
    if settings.slack_mode is SlackMode.HTTP and settings.slack_http is not None:
        addresses[SLACK_HTTP] = settings.slack_http
    if settings.api is not None and settings.api_socket is None:
        addresses[API] = settings.api
    return [await _port(context, name, address, session) for name, address in addresses.items()]


async def _port(context: CheckContext, name: str, address: str, session: aiohttp.ClientSession) -> Finding:
    if blocked := context.blocked_by(name):
        return not_checked(name, blocked)
    host, _, number = address.rpartition(":")
    try:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), host.strip("[]"), int(number))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            why = os.strerror(error.errno) if error.errno else "this address doesn't exist"
            return wrong(name, f"I can't listen on {address}: {why}. Name an address of this machine.")
        # The port is in use, perhaps by a running gpubot. To find out, send a request to the address in
        # GPUBOT_HTTP. Don't send it to the other addresses: the servers there answer only requests that Slack has
        # signed, or that have a token.
        if await _is_gpubot(context.settings.http, session, listens_for_slack=name == SLACK_HTTP):
            return ok(name, f"a running gpubot answers on {context.settings.http}.")
        return wrong(
            name, f"another program listens on {address}. Set it to a free port, as 127.0.0.1:{FREE[name]}."
        )
    server.close()
    await server.wait_closed()
    return ok(name, f"{address} is free.")


def api_socket(context: CheckContext) -> list[Finding]:
    """Check whether the REST API can listen on a socket safely. Empty if it doesn't listen on a socket."""
    path = context.settings.api_socket
    if path is None or context.blocked_by(API):
        return []
    try:
        problem = socket_problem(path, listens=True)
    except FileNotFoundError:
        return [wrong(API, f"there is no folder {path.parent}. Create it, so that programs can enter it.")]
    except OSError as error:
        return [wrong(API, f"{path} can't be used: {error.strerror}. Name another path.")]
    return [
        ok(API, "only root, this user and its group can reach it.") if problem is None else wrong(API, problem)
    ]


def webhooks(context: CheckContext) -> list[Finding]:
    """Check whether the webhooks of the policy can be signed. Empty if the policy names none."""
    hooks = context.rules.webhooks
    if not hooks or context.blocked_by(WEBHOOK_SECRET):
        return []
    if context.settings.webhook_secret is None:
        advice = (
            'Nothing is sent to the webhooks of the policy. Make one with: echo "whsec_$(openssl rand -base64 32)"'
        )
        return [wrong(WEBHOOK_SECRET, f"it is not set. {advice}")]
    return [
        ok(WEBHOOK_SECRET, f"it signs what is sent to {listed(list(dict.fromkeys(hook.host for hook in hooks)))}.")
    ]


async def socket_by_hand(context: CheckContext) -> list[Finding]:
    """Check whether operator commands can be sent to GPUBOT_SOCKET safely."""
    if blocked := context.blocked_by("GPUBOT_DATABASE_URL", SOCKET):
        return [not_checked(SOCKET, blocked)]
    path = context.settings.socket_path
    try:
        problem = socket_problem(path)
    except FileNotFoundError:
        return [ok(SOCKET, "its folder doesn't exist yet; gpubot run creates it.")]
    except OSError as error:
        if context.settings.socket is None:
            return [not_checked(SOCKET, "GPUBOT_DATABASE_URL first.")]
        return [wrong(SOCKET, f"{path} can't be used: {error.strerror}. Name another path.")]
    if problem is not None:
        return [wrong(SOCKET, problem)]
    if open_to_others(path.parent):
        folder = path.parent
        return [hint(SOCKET, f"other users of this machine can look into {folder}. Type: chmod 700 {folder}")]
    return [ok(SOCKET, "only this user and root can type commands for it.")]


async def _is_gpubot(address: str, session: aiohttp.ClientSession, *, listens_for_slack: bool) -> bool:
    try:
        async with session.get(f"http://{address}/health") as answer:
            report = await answer.json()
    except (aiohttp.ClientError, OSError, ValueError):
        return False
    if not isinstance(report, dict) or "settled" not in report:
        return False
    return not listens_for_slack or report.get("slack_mode") == SlackMode.HTTP


def proxies(context: CheckContext) -> list[Finding]:
    """List the proxies from the environment, and the services that they are used for."""
    found: list[Finding] = []
    for name, setting, url in (
        ("Slack", "SLACK_API_URL", context.settings.slack_api_url),
        ("Compute Clear", "COMPUTE_CLEAR_URL", context.settings.compute_clear_url),
    ):
        if context.blocked_by(setting):
            continue
        try:
            proxy = proxy_for(url)
        except Unusable as error:
            found.append(wrong(PROXY, error.words))
        else:
            if proxy is not None:
                # The proxy's URL may contain a user and a password, which must not be shown.
                found.append(ok(PROXY, f"{name} is asked through {urlsplit(proxy).netloc.rpartition('@')[2]}."))
    return found


async def sandbox_clock(context: CheckContext, session: aiohttp.ClientSession) -> list[Finding]:
    """Check whether the sandbox's clock can be read from the URL in GPUBOT_CLOCK_URL.

    If the setting isn't used, nothing is checked and an empty list is returned.
    """
    if context.settings.clock_url is None or context.blocked_by(SANDBOX_CLOCK):
        return []
    try:
        clock = await clock_of(context.settings.clock_url, session)
    except Unusable as error:
        return [wrong(SANDBOX_CLOCK, error.words.removeprefix(f"{SANDBOX_CLOCK}: "))]
    return [ok(SANDBOX_CLOCK, f"a sandbox's clock, at {clock.now():%Y-%m-%d %H:%M} UTC.")]


def gap_to(date: str | None, clock: Clock) -> timedelta | None:
    """Return the difference between this machine's clock and a server's, according to the server's Date header.

    The difference is positive if this machine's clock is ahead. None if there is no such header.
    """
    server_time = http_date(date or "")
    return None if server_time is None else clock.real() - server_time


def clock(gaps: dict[str, timedelta | None]) -> list[Finding]:
    """Compare this machine's clock with the clocks of the servers.

    Args:
        gaps: The time by which this machine's clock is ahead of each server's. Negative if it is behind.
    """
    known = {name: gap for name, gap in gaps.items() if gap is not None}
    if not known:
        return [hint(CLOCK, "no server told me the time, so I can't check this machine's clock.")]
    far = {name: gap for name, gap in known.items() if abs(gap) > MAX_CLOCK_GAP}
    if not far:
        return [ok(CLOCK, f"within {int(MAX_CLOCK_GAP.total_seconds())} s of {' and '.join(known)}.")]
    return [
        hint(
            CLOCK,
            f"this machine is {say_clock_gap(gap, name, zeros=True)}. "
            "Prices and leases depend on this clock, so synchronize it over the network (NTP).",
        )
        for name, gap in far.items()
    ]


GITHUB = "GitHub"
ANY_NAME = "gpubot"
"""A user name to query. It doesn't matter whether this user exists."""


async def github(context: CheckContext) -> list[Finding]:
    """Check whether GitHub answers a request for keys in time.

    If the policy doesn't allow keys from GitHub, nothing is checked and an empty list is returned. An empty list
    is also returned if the policy or GitHub's configured address can't be read.
    """
    if not context.rules.keys.github or context.blocked_by("GPUBOT_POLICY", "GPUBOT_GITHUB_URL"):
        return []
    async with github_at(context.settings.github_url) as source:
        try:
            await source.key_lines(ANY_NAME)
        except KeysUnavailable as unavailable:
            instead = "People can paste their keys; keys: {github: false} in the policy hides the button."
            return [hint(GITHUB, f"{unavailable.reason} {instead}")]
    return [ok(GITHUB, "people can use their SSH keys from there.")]


# --- Compute Clear: whether it responds, and whether it accepts the token


T = TypeVar("T")
TOKEN, CATALOGUE, RESOURCES = "Compute Clear token", "Compute Clear catalogue", "Compute Clear resources"
NEEDED = ("COMPUTE_CLEAR_TOKEN", "COMPUTE_CLEAR_URL")


async def compute_clear(context: CheckContext, seconds: float) -> list[Finding]:
    """Check Compute Clear by reading the catalogue and the account's resources. Nothing is bought or deleted."""
    if blocked := context.blocked_by(*NEEDED):
        return [not_checked(what, blocked) for what in (TOKEN, CATALOGUE, RESOURCES)]
    settings = context.settings
    client = ComputeClear(
        settings.compute_clear_url, settings.compute_clear_token, context.clock, Timeouts(other=seconds)
    )
    try:
        catalogue, resources = await asyncio.gather(
            _answer(context.clock, client.catalog()), _answer(context.clock, client.resources())
        )
    finally:
        await client.aclose()
    answers, url = (catalogue, resources), settings.compute_clear_url
    findings = [
        _finding(CATALOGUE, catalogue, _families, url),
        _finding(RESOURCES, resources, lambda found: f"{len(found)} on the account", url),
    ]
    if isinstance(catalogue, _Answered):
        names = unknown_models(context.rules, catalogue.found)
        findings += [_unknown_model(name, catalogue.found) for name in names]
    if any(isinstance(answer, TokenRefused) for answer in answers):
        message = "refused. Copy it again from your Compute Clear account into COMPUTE_CLEAR_TOKEN."
        return [wrong(TOKEN, message), *findings]
    if all(isinstance(answer, MarketAway) for answer in answers):
        return [not_checked(TOKEN, "needs an answer from Compute Clear first."), *findings]
    return [ok(TOKEN, "taken."), *findings]


def _families(catalog: Catalog) -> str:
    return f"{len(catalog.gpus)} GPU families, {len(catalog.vendors)} vendors"


class _Answered(NamedTuple, Generic[T]):
    """An answer of Compute Clear, and the time that it took in seconds (wall clock)."""

    found: T
    seconds: float


def _finding(what: str, answer: _Answered[T] | MarketAway, describe: Callable[[T], str], url: str) -> Finding:
    if isinstance(answer, TokenRefused):
        return not_checked(what, "COMPUTE_CLEAR_TOKEN first.")
    if isinstance(answer, MarketAway):
        host = urlsplit(url).hostname
        return wrong(what, f"{answer.words} Check COMPUTE_CLEAR_URL, which leads to {host}; else try again later.")
    return ok(what, f"{describe(answer.found)}, in {answer.seconds:.2f} s.")


async def _answer(clock: Clock, call: Awaitable[T]) -> _Answered[T] | MarketAway:
    """Return Compute Clear's answer. If there was no answer, the error is returned instead."""
    start = clock.real()
    try:
        found = await call
    except MarketAway as away:
        return away
    return _Answered(found, (clock.real() - start).total_seconds())


def _unknown_model(name: str, catalog: Catalog) -> Finding:
    nearest = listed(vocabulary_of(catalog).nearest_gpus(name))
    advice = f"If that is a mistake, correct it in the policy. Similar names: {nearest}."
    return hint("approval.always", f"Compute Clear sells no {name}, so the rule never applies to it. {advice}")


async def clock_gap(context: CheckContext, session: aiohttp.ClientSession) -> timedelta | None:
    """Return the difference between this machine's clock and Compute Clear's.

    The difference is positive if this machine's clock is ahead. The call is made without the token. Compute Clear
    refuses the call, but the refusal also contains the date.
    """
    if context.blocked_by("COMPUTE_CLEAR_URL"):
        return None
    url = f"{context.settings.compute_clear_url.rstrip('/')}/available_regions"
    try:
        async with session.get(url, allow_redirects=False) as answer:
            return gap_to(answer.headers.get("Date"), context.clock)
    except (aiohttp.ClientError, OSError, ValueError):
        return None
