"""The composition root: builds everything from Settings and a Clock, starts it, stops it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot import health
from bot.clock import Clock, FollowedClock, SystemClock
from bot.errors import GpubotError, Unusable
from bot.lifecycle.account import note_token
from bot.lifecycle.deps import Deps, StepDeps
from bot.lifecycle.engine import Engine
from bot.lifecycle.jobs import Job, every
from bot.lifecycle.overdue import OverdueDeletion
from bot.lifecycle.selfcheck import SelfCheck
from bot.lifecycle.steps.polling import soonest
from bot.lifecycle.sweep import sweep
from bot.market.catalog_cache import CatalogCache
from bot.market.client import ComputeClear
from bot.metrics import Metrics
from bot.model.state import State
from bot.policy.rules import Rules, read_rules
from bot.probe.banner import SshProber
from bot.proxies import proxy_for
from bot.sessions import new_session
from bot.settings import Settings, read_settings
from handlers.connection import RETRY_REFUSED, Connection, Tokens
from handlers.delivery.direct_posts import DirectNotices
from handlers.delivery.loop import Delivery
from handlers.delivery.pace import Pace
from handlers.delivery.unsaved import GIVEN_UP, POSTED_TWICE
from handlers.directory.channels import SlackChannels
from handlers.listeners.wrapper import note_commit
from handlers.slack_api.gate import Gate
from handlers.slack_api.web_client import slack_client
from store.db import Database

log = structlog.get_logger("gpubot")

CATALOG_EVERY_MINUTES, SWEEP_EVERY_MINUTES = 15, 10
SLACK_TIMEOUT = aiohttp.ClientTimeout(total=30)
DRAIN_HANDLERS = 3.5
"""Real seconds: longer than Slack waits for any acknowledgement."""
DRAIN_STEPS = 10.0
CLOCK_WAIT = aiohttp.ClientTimeout(total=40)
CLAIMANT = "gpubot"


@dataclass
class Parts:
    """What runs, once built."""

    clock: Clock
    store: Database
    engine: Engine
    overdue: OverdueDeletion
    selfcheck: SelfCheck
    delivery: Delivery
    jobs: list[Job]
    catalog_cache: CatalogCache
    client: AsyncWebClient
    connection: Connection
    gate: Gate
    metrics: Metrics
    commits: int = 0

    async def report(self) -> health.Report:
        """What /health shows. `settled`: nothing is due, under way or undelivered at the clock that is seen."""
        before, commits = self._under_way(), self.commits
        now = self.clock.now()
        await self.selfcheck.measure()
        counts: list[int | None] = [None, None, None]
        try:
            next_due = await self.engine.next_due()
            async with self.store.read() as tx:
                counts = [await tx.messages.undelivered()]
                counts += [await tx.account.counted(name) for name in (POSTED_TWICE, GIVEN_UP)]
        except GpubotError:
            next_due = None
        undelivered, perhaps_twice, given_up = counts
        due = (next_due is not None and next_due <= now) or self.overdue.due()
        wanted = soonest(next_due, self.overdue.next_at, *(job.next_at for job in self.jobs))
        under_way = self._under_way()
        # What was read counts only if nothing was going on while it was read.
        quiet = not any(before.values()) and not any(under_way.values()) and commits == self.commits
        wrong = self.selfcheck.wrong
        return {
            "well": not wrong,
            "wrong": wrong,
            "clock": {"now": now.isoformat(), "revision": self.clock.revision},
            "connections": await self.connection.connected(),
            "next_due": wanted.isoformat() if wanted else None,
            "due_now": due,
            **under_way,
            "undelivered": undelivered,
            "perhaps_posted_twice": perhaps_twice,
            "given_up": given_up,
            "engine_passes": self.engine.passes,
            "engine_lateness_seconds": self.selfcheck.lateness.total_seconds(),
            "late_for_seconds": self.selfcheck.late_for.total_seconds(),
            "store_takes_writes": self.selfcheck.writes,
            "next_overdue": self.overdue.next_at.isoformat() if self.overdue.next_at else None,
            "settled": quiet and not due and undelivered == 0,
        }

    async def figures(self) -> bytes:
        """What /metrics shows."""
        try:
            async with self.store.read() as tx:
                live: dict[State, int] | None = await tx.rentals.states()
        except GpubotError:
            live = None
        return self.metrics.exposition(await self.report(), live)

    def note_commit(self) -> None:
        """Counts what was written."""
        self.commits += 1

    def _under_way(self) -> dict[str, int]:
        return {
            "steps_in_flight": self.engine.in_flight,
            "handlers_in_flight": self.gate.in_flight,
            "sends_in_flight": self.delivery.in_flight,
            "jobs_in_flight": sum(job.busy for job in self.jobs) + self.overdue.busy,
        }


async def run(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT. Raises Mistake, with words for whoever started it, where it can't."""
    rules = read_rules(settings.policy, home_channel=settings.channel, admins=settings.admin_ids)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with build(settings, rules) as parts:
        try:
            server = await health.serve(settings.http, parts.clock, parts.report, parts.figures)
        except OSError as error:
            raise Unusable(f"GPUBOT_HTTP: I can't listen on {settings.http}: {error.strerror}.") from None
        try:
            await _run_until(stop, parts)
        finally:
            await server.cleanup()


@asynccontextmanager
async def build(settings: Settings, rules: Rules, *, retry_refused: float = RETRY_REFUSED) -> AsyncIterator[Parts]:
    """Everything, put together and not yet running; closed at the end.

    `retry_refused` is the real seconds until Slack is called again after it refused a token.
    Raises Unusable if a setting, or a proxy of the environment, can't be used.
    """
    for url in (settings.slack_api_url, settings.compute_clear_url):
        proxy_for(url)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(new_session(timeout=SLACK_TIMEOUT))
        clock = await clock_of(settings, session)
        store = await Database.open(settings.database_url.get_secret_value(), claimant=CLAIMANT, clock=clock)
        stack.push_async_callback(store.close)
        store.on_commit(note_commit)
        deps = Deps(store=store, clock=clock, rules=rules)
        behind = Deps(store=store.in_background(), clock=clock, rules=rules)
        metrics = Metrics()
        market = ComputeClear(
            settings.compute_clear_url,
            settings.compute_clear_token,
            clock,
            on_token=partial(note_token, deps),
            on_call=metrics.market_call,
        )
        stack.push_async_callback(market.aclose)
        client = slack_client(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, session)
        works = StepDeps(
            store=behind.store,
            clock=clock,
            rules=rules,
            market=market,
            prober=SshProber(),
            channels=SlackChannels(behind, client),
            on_attempt=metrics.attempt,
        )
        catalog_cache, gate, pace = CatalogCache(market), Gate(), Pace()
        engine = Engine(works, claimant=CLAIMANT, watch=metrics, unsure=store.claims_left)
        delivery = Delivery(behind, client, session, pace=pace)
        connection = Connection(
            deps,  # people's writes go first
            client,
            delivery,
            gate=gate,
            catalog=lambda: catalog_cache.known,
            tokens=tokens_of(settings),
            read_tokens=lambda: tokens_of(read_settings()),
            retry_refused=retry_refused,
        )
        parts = Parts(
            clock=clock,
            store=store,
            engine=engine,
            overdue=OverdueDeletion(works),
            selfcheck=SelfCheck(works, engine, DirectNotices(client, pace, clock, rules)),
            delivery=delivery,
            jobs=[
                Job("catalog", every(minutes=CATALOG_EVERY_MINUTES), catalog_cache.refresh),
                Job("sweep", every(minutes=SWEEP_EVERY_MINUTES), partial(sweep, works)),
            ],
            catalog_cache=catalog_cache,
            client=client,
            connection=connection,
            gate=gate,
            metrics=metrics,
        )
        store.on_commit(parts.note_commit)
        yield parts


def tokens_of(settings: Settings) -> Tokens:
    """Slack's tokens, as the settings say them."""
    return Tokens(bot=settings.slack_bot_token.get_secret_value(), app=settings.slack_app_token.get_secret_value())


async def clock_of(settings: Settings, session: aiohttp.ClientSession) -> Clock:
    """This machine's clock, or the one that GPUBOT_CLOCK_URL names. Raises Unusable where none answers."""
    url = settings.clock_url
    if url is None:
        return SystemClock()
    address = url.rstrip("/") + "/_control/clock"

    async def watch(after: int | None) -> tuple[datetime, float, int]:
        params = {} if after is None else {"after": str(after)}
        try:
            async with session.get(address, params=params, timeout=CLOCK_WAIT) as answer:
                said = await answer.json()
            return datetime.fromisoformat(said["now"]), float(said["speed"]), int(said["revision"])
        except (aiohttp.ClientError, KeyError, TypeError) as error:
            raise OSError("the clock is away") from error

    clock = FollowedClock(watch)
    try:
        await clock.start()
    except (OSError, ValueError, TimeoutError):
        raise Unusable(
            "GPUBOT_CLOCK_URL: no clock answers there. Start the sandbox that it names, or leave it out."
        ) from None
    return clock


async def _run_until(stop: asyncio.Event, parts: Parts) -> None:
    """Runs everything until `stop`, then lets what people did be acknowledged and what is under way be written."""
    loops = [
        parts.engine.run(),
        parts.overdue.run(),
        parts.selfcheck.run(),
        *(job.keep(parts.clock) for job in parts.jobs),
        parts.connection.run(),
    ]
    if isinstance(parts.clock, FollowedClock):
        loops.append(parts.clock.follow())
    tasks = {asyncio.create_task(loop) for loop in loops}
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
        log.info("gpubot.stopping")
        await parts.gate.drain(DRAIN_HANDLERS)
    finally:
        await parts.connection.close()
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
        await _drain(parts.engine.drain())
        await _drain(parts.delivery.drain())


async def _drain(work: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.timeout(DRAIN_STEPS):
            await work
    except TimeoutError:
        # As after a crash: what is under way was written as intended, and is looked up at the next start.
        log.warning("gpubot.not_drained")
