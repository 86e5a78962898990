"""The composition root: builds all parts (long-running tasks) from Settings, starts them and stops them."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import aiohttp
import structlog
from pydantic import SecretStr

from bot.clock import Witness, Witnesses
from bot.config.settings import Settings, SlackMode, read_settings
from bot.errors import GpubotError, Unusable
from bot.lifecycle.account.owners_left import check_owners
from bot.lifecycle.account.sweep import first_sweep, sweep
from bot.lifecycle.actions.quoting import Prices
from bot.lifecycle.deps import Deps, Door, Opened, StepDeps, with_newest_rules
from bot.lifecycle.loops.due import CLAIM_SECONDS, DueLoop
from bot.lifecycle.loops.engine import Searches, Steps
from bot.lifecycle.loops.jobs import DELIVERY, WEBHOOKS, Job, Jobs, LocalJob, every, every_day, every_hour
from bot.lifecycle.loops.overdue import OverdueDeletion
from bot.lifecycle.loops.policy_versions import follow, rules_at_start
from bot.lifecycle.loops.probe_runs import ProbeRuns
from bot.lifecycle.loops.replica import Replica
from bot.lifecycle.loops.retention import drop_old, drop_old_samples, look_for_people_who_left
from bot.lifecycle.loops.running import LOOK_AGAIN, Loop, Part, finish
from bot.lifecycle.loops.selfcheck import SelfCheck, check_balances
from bot.lifecycle.loops.waitlist import Waitlist
from bot.lifecycle.money.budgets import ALERTS_JOB
from bot.lifecycle.money.buying_blocks import note_token
from bot.lifecycle.money.month_files import file_months
from bot.lifecycle.money.spend import check_budget_alerts, notify_unusual_day, send_digest
from bot.lifecycle.people.deciders import check_deciders
from bot.lifecycle.people.token_ends import expire_tokens
from bot.lifecycle.people.undecided import check_undecided
from bot.market.client import CatalogCache, ComputeClear
from bot.net.github import github_at
from bot.net.proxies import proxy_for
from bot.net.sandbox_clock import FollowedClock, clock_of
from bot.net.sessions import new_session
from bot.operator import server as operator_server
from bot.ops import health
from bot.ops.health_report import HealthReport
from bot.ops.logs import log_change
from bot.ops.metrics import Metrics
from bot.policy.access.probe_script import probe_line
from bot.policy.team.policy_file import PolicySource
from bot.probe.key import probe_key_in, stored_probe_key
from bot.probe.prober import SshProber
from handlers.connection import RETRY_REFUSED, Connection, HttpMode, Tokens
from handlers.delivery.loop import Delivery
from handlers.delivery.pace import Pace
from handlers.directory import People, SlackChannels
from handlers.listeners.context import Context
from handlers.listeners.wrapper import note_commit
from handlers.slack_api.gate import Gate
from handlers.slack_api.web_api import slack_client
from store.connections import without_password
from store.db import Database
from store.migrations import HEAD

if TYPE_CHECKING:
    from bot.api.webhooks import WebhookSender

log = structlog.get_logger("gpubot")

SANDBOX_CLAIM_SECONDS = 4.0
"""The time in seconds (wall clock) for which a process in a sandbox reserves a row.

A process reserves (claims) a row before it works on the row. The time is short because the sandbox waits for it:
after a bot was killed, the sandbox stops its clock until the bot's claims have expired.
"""
SWEEP_AGAIN = timedelta(seconds=10)
"""The time after which the first comparison with Compute Clear is repeated if it failed.

The bot regularly compares the resources on the Compute Clear account with the store (the sweep). The time is short
because the bot buys nothing before the first comparison has succeeded.
"""
FIRST_ANSWERS = 5.0
"""The maximum time in seconds (wall clock) to wait for the first answers of Compute Clear and Slack."""
SLACK_TIMEOUT = aiohttp.ClientTimeout(total=30)
DRAIN_HANDLERS = 3.5
"""The time in seconds (wall clock) that listeners have to finish when the process stops.

It is longer than the 3 s within which Slack needs an acknowledgement.
"""
CLAIMANT = "gpubot"


@dataclass(frozen=True)
class Bot:
    """A bot that has been built, but not started."""

    deps: Deps
    """The dependencies of actions that people request.

    When these actions write to the database, they take precedence over background work.
    """
    store: Database
    witnesses: Witnesses
    replica: Replica
    delivery: Delivery
    connection: Connection
    catalog_cache: CatalogCache
    prices: Prices
    read_secrets: Callable[[], None]
    """Reads the settings again, and uses their tokens for all future calls."""
    loops: Sequence[DueLoop[Any]]
    """The loops whose running work is allowed to finish when the process stops."""
    report: HealthReport
    parts: Sequence[Part]
    """The long-running tasks of the process, in the order in which they are stopped.

    Message delivery isn't listed, because it is a scheduled job. The task that runs all jobs is listed.
    """


class Webhooks:
    """The job that sends events to webhooks.

    The code that sends events isn't imported before the policy names a webhook, because it costs time and memory.
    """

    def __init__(
        self,
        deps: Deps,
        secret: SecretStr | None,
        *,
        may_send: Callable[[], bool],
        look_again: float | None,
        on_result: Callable[[str], None],
    ) -> None:
        """Create the job. `WebhookSender` describes the arguments."""
        self._deps = deps
        self._secret = secret
        self._may_send = may_send
        self._look_again = look_again
        self._on_result = on_result
        self._sender: WebhookSender | None = None
        self._changed = asyncio.Event()
        """Set when the rules have changed."""

    def use_secret(self, secret: SecretStr | None) -> bool:
        """Sign with this secret from now on. Return whether it has changed."""
        if secret == self._secret:
            return False
        self._secret = secret
        if self._sender is not None:
            self._sender.end_pauses()
        return True

    def rules_changed(self) -> None:
        """Note that the policy may name other webhooks now."""
        self._changed.set()
        if self._sender is not None:
            self._sender.wake()

    async def run(self) -> None:
        """Run until cancelled."""
        while self._sender is None:
            self._changed.clear()
            if with_newest_rules(self._deps).rules.webhooks:
                self._sender = self._new_sender()
            else:
                await self._changed.wait()
        await self._sender.run()

    async def drain(self) -> None:
        """Wait for running calls for a moment, and then abandon the rest."""
        if self._sender is not None:
            await self._sender.drain()

    def _new_sender(self) -> WebhookSender:
        from bot.api.webhooks import WebhookSender  # noqa: PLC0415 - see the class
        from bot.net.webhook_session import WebhookSession  # noqa: PLC0415 - see the class

        return WebhookSender(
            self._deps,
            WebhookSession(),
            secret=lambda: self._secret,
            may_send=self._may_send,
            look_again=self._look_again,
            on_result=self._on_result,
        )


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. At SIGHUP, read the tokens and the policy file again.

    Raises Mistake, with a message for the operator, if the bot can't start.
    """
    stop, hang_up = asyncio.Event(), asyncio.Event()
    on_signal = asyncio.get_running_loop().add_signal_handler
    for number, event in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, hang_up)):
        on_signal(number, event.set)
    async with build(settings, read_policy_again=hang_up) as bot:
        # Exclude all existing objects from Python's garbage collection, because they live as long as the process.
        # Otherwise, every full collection would scan all of them and block the event loop.
        gc.freeze()

        def read_again() -> None:
            bot.read_secrets()
            hang_up.set()

        on_signal(signal.SIGHUP, read_again)
        try:
            report, token = bot.report, settings.machines_token
            server = await health.serve(
                settings.http,
                bot.deps.clock,
                report.read,
                report.exposition,
                report.works,
                ready=bot.connection.ready,
                machines=None if token is None else health.Machines(report.machines, token),
            )
        except OSError as error:
            raise Unusable(f"GPUBOT_HTTP: I can't listen on {settings.http}: {error.strerror}.") from None
        try:
            async with operator_server.serve(settings.socket_path, bot.deps), _api(settings, bot, stop):
                await _run_until(stop, bot)
        finally:
            await server.close()


def _api(settings: Settings, bot: Bot, stop: asyncio.Event) -> AbstractAsyncContextManager[None]:
    """Return the REST API, which is served in the block of this context. It does nothing without GPUBOT_API."""
    if settings.api is None:
        return nullcontext()
    # Without the API, importing its models would cost time and memory for nothing.
    from bot.api import server as api_server  # noqa: PLC0415

    outside = api_server.Outside(
        bot.deps, lambda: bot.catalog_cache.known, bot.prices, proxies=settings.api_proxies
    )
    return api_server.serve(settings.api, settings.api_socket, outside, stop)


@asynccontextmanager
async def build(
    settings: Settings, *, read_policy_again: asyncio.Event | None = None, retry_refused: float = RETRY_REFUSED
) -> AsyncIterator[Bot]:
    """Build all parts (long-running tasks) without starting them, and close them at the end of the block.

    Args:
        settings: The settings.
        read_policy_again: An event. Whenever it is set, the policy file is read again.
        retry_refused: The time in seconds (wall clock) until Slack is called again after it refused a token.

    Raises:
        Unusable: A setting, or a proxy from the environment, can't be used.
        WrongPolicy: The policy file has mistakes, and the store has no earlier rules that this version can use.
    """
    for url in (settings.slack_api_url, settings.compute_clear_url, settings.github_url):
        proxy_for(url)
    async with AsyncExitStack() as stack:
        clock = await clock_of(settings.clock_url, await stack.enter_async_context(new_session()))
        witnesses = Witnesses(Witness(clock), Witness(clock))
        session = await stack.enter_async_context(new_session(witnesses.slack, timeout=SLACK_TIMEOUT))
        usual = CLAIM_SECONDS if settings.clock_url is None else SANDBOX_CLAIM_SECONDS
        claim_seconds = settings.claim_seconds or usual
        store = await Database.open(
            settings.database_url.get_secret_value(),
            claimant=CLAIMANT,
            clock=clock,
            hold_at_most=claim_seconds / 2,
        )
        stack.push_async_callback(store.close)
        store.on_commit(note_commit)
        store.on_change(log_change)
        await _log_start(settings, store)
        source = PolicySource(path=settings.policy, home_channel=settings.channel, admins=settings.admin_ids)
        in_force = await rules_at_start(store, source)
        metrics, opened, door = Metrics(), Opened(), Door()
        opened.again(clock)
        store.on_reopen(partial(opened.again, clock))
        replica = Replica(store, clock, claim_seconds=claim_seconds, ahead_of_witnesses=witnesses.ahead)
        deps = Deps(
            store=store,
            clock=clock,
            rules=in_force.rules,
            in_force=in_force,
            opened=opened,
            door=door,
            may_claim=replica.may_claim,
            on_over_budget=metrics.over_budget.inc,
        )
        key_file = settings.probe_key_file
        probe_key = await stored_probe_key(deps) if key_file is None else probe_key_in(key_file)
        deps = replace(deps, probe_line=probe_line(probe_key.public_line))
        # Slack waits only 3 s for the acknowledgement of a click or command, and the bot commits the resulting
        # changes before it acknowledges. Background work therefore uses a variant of the database that lets these
        # commits go first.
        background = replace(deps, store=store.in_background())
        store.on_commit(metrics.commits.inc)
        market = ComputeClear(
            settings.compute_clear_url,
            settings.compute_clear_token,
            clock,
            on_token=partial(note_token, deps),
            read_token=lambda: read_settings().compute_clear_token,
            on_call=metrics.market_call,
            witness=witnesses.market,
        )
        stack.push_async_callback(market.aclose)
        github = await stack.enter_async_context(github_at(settings.github_url))
        client = slack_client(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, session)
        people = People(deps, client)
        step_deps = StepDeps(
            store=background.store,
            clock=clock,
            rules=deps.rules,
            in_force=in_force,
            opened=opened,
            door=door,
            market=market,
            prober=SshProber(probe_key),
            probe_line=deps.probe_line,
            channels=SlackChannels(background, client),
            directory=people,
            on_attempt=metrics.attempt,
            may_claim=replica.may_claim,
            ahead_of_witnesses=witnesses.ahead,
        )
        catalog_cache, prices = CatalogCache(market), Prices.of(market, clock)
        catalog = LocalJob("catalog", catalog_cache.refresh, clock, every(minutes=15))
        sweeps = LocalJob(
            "first sweep", lambda: first_sweep(with_newest_rules(step_deps)), clock, retry=SWEEP_AGAIN
        )
        store.on_reopen(sweeps.again)
        look_again = LOOK_AGAIN if store.shared else None
        delivery = Delivery(
            replace(background, claimed=DELIVERY),
            client,
            session,
            pace=Pace(speed=settings.slack_speed),
            may_send=lambda: jobs.may_act(DELIVERY),
            look_again=look_again,
        )
        store.on_reopen(delivery.reopened)
        webhooks = Webhooks(
            replace(background, claimed=WEBHOOKS),
            settings.webhook_secret,
            may_send=lambda: jobs.may_act(WEBHOOKS),
            look_again=look_again,
            on_result=metrics.call_webhook,
        )
        jobs = Jobs(
            step_deps,
            [
                Job(DELIVERY, lambda _: delivery.run(), None),
                Job(WEBHOOKS, lambda _: webhooks.run(), None),
                Job("sweep", sweep, every(minutes=5), at_once=False),
                Job("approvers", lambda deps: check_deciders(deps, people), every(minutes=15)),
                Job("waiting", check_undecided, every(minutes=5)),
                Job("owners", check_owners, every(minutes=30)),
                Job("tokens", expire_tokens, every(minutes=5)),
                Job("months", file_months, every(minutes=15)),
                Job("digest", send_digest, every(minutes=5)),
                Job(ALERTS_JOB, check_budget_alerts, every(minutes=5)),
                Job("unusual day", notify_unusual_day, every(minutes=15)),
                Job("balances", partial(check_balances, on_wrong=metrics.wrong_balances.inc), every_day()),
                Job("retention", drop_old, every(minutes=10)),
                Job("people", look_for_people_who_left, every_hour()),
                Job("samples", drop_old_samples, every(minutes=10)),
            ],
            claim_seconds=claim_seconds,
            drain_cancelled=lambda: finish(asyncio.gather(delivery.drain(), webhooks.drain())),
        )
        loops: tuple[DueLoop[Any], ...] = (
            Searches(step_deps, on_bug=metrics.failed, claim_seconds=claim_seconds),
            Waitlist(step_deps, on_bug=metrics.failed, claim_seconds=claim_seconds),
            Steps(step_deps, on_bug=metrics.failed, claim_seconds=claim_seconds, on_late=metrics.late.observe),
        )
        probe_runs = ProbeRuns(step_deps, on_probe_run=metrics.run_probe, claim_seconds=claim_seconds)
        selfcheck = SelfCheck(
            step_deps,
            loops,
            delivery.direct,
            notifies=lambda: jobs.does(DELIVERY),
            clock_difference=replica.difference,
            machine=socket.gethostname(),
        )
        connection = Connection(
            Context(
                deps=deps,
                catalog=lambda: catalog_cache.known,
                key_source=github,
                prices=prices,
                people=people,
                channels=SlackChannels(deps, client),
                client=client,
                gate=Gate(),
                direct=delivery.direct,
                block_types=delivery.block_types,
                others_work=lambda: replica.others_work,
            ),
            delivery,
            tokens_of(settings),
            read_tokens=lambda: tokens_of(read_settings()),
            http=None
            if settings.slack_mode is SlackMode.SOCKET or settings.slack_http is None
            else HttpMode(settings.slack_http, settings.slack_handover, metrics.slack_request),
            replica=replica,
            retry_refused=retry_refused,
        )
        parts: list[Part] = [
            *loops,
            probe_runs,
            jobs,
            selfcheck,
            OverdueDeletion(step_deps),
            catalog,
            sweeps,
            Loop(
                "policy",
                partial(
                    follow,
                    background,
                    read_policy_again or asyncio.Event(),
                    then=lambda deps: _note_rules(deps, webhooks, people),
                    joined=store.joined,
                    look_again=look_again,
                ),
            ),
            replica,
            connection,
        ]
        if isinstance(clock, FollowedClock):
            parts.append(Loop("clock", clock.follow))
        yield Bot(
            deps=deps,
            store=store,
            witnesses=witnesses,
            replica=replica,
            delivery=delivery,
            connection=connection,
            catalog_cache=catalog_cache,
            prices=prices,
            read_secrets=partial(_read_secrets, market, connection, webhooks),
            loops=loops,
            report=HealthReport(clock, store, in_force, metrics, [*parts, delivery]),
            parts=parts,
        )


async def _log_start(settings: Settings, store: Database) -> None:
    """Log the version, the database, and the number of rentals that aren't over."""
    rentals: int | None = None
    with suppress(GpubotError):
        async with store.read() as tx:
            rentals = sum((await tx.rentals.states()).values())
    log.info(
        "gpubot.starts",
        version=version("gpubot"),
        schema=HEAD,
        policy=str(settings.policy) if settings.policy else "none",
        database=without_password(settings.database_url.get_secret_value()),
        rentals=rentals,
    )


async def _note_rules(deps: Deps, webhooks: Webhooks, people: People) -> None:
    """Do what is due after the rules have changed."""
    webhooks.rules_changed()
    await check_deciders(deps, people)


def tokens_of(settings: Settings) -> Tokens:
    """Return Slack's tokens from the settings."""
    app, signing_secret = settings.slack_app_token, settings.slack_signing_secret
    return Tokens(
        bot=settings.slack_bot_token.get_secret_value(),
        app="" if app is None else app.get_secret_value(),
        signing_secret="" if signing_secret is None else signing_secret.get_secret_value(),
    )


def _read_secrets(market: ComputeClear, connection: Connection, webhooks: Webhooks) -> None:
    """Read the settings again, and use their tokens for all future calls.

    If a setting is wrong, nothing changes.
    """
    try:
        settings = read_settings()
    except GpubotError as error:
        log.error("settings.not_read", words=error.words)
        return
    used = {"Compute Clear": market.use_token(settings.compute_clear_token)}
    used["Slack"] = connection.use_tokens(tokens_of(settings))
    used["webhooks"] = webhooks.use_secret(settings.webhook_secret)
    log.info("settings.tokens_read", changed=[name for name, changed in used.items() if changed])


async def _run_until(stop: asyncio.Event, bot: Bot) -> None:
    """Run the process's tasks until `stop` is set, and then stop them in order.

    When the process stops, requests that have arrived from Slack are acknowledged first. Then running work is
    finished, and the rows that this process has reserved are released. Raises CannotOpen if the process has to
    stop because the database is being migrated.
    """
    await bot.replica.look()
    if bot.store.joined:
        bot.delivery.begin_later()
    else:
        await bot.delivery.begin()
    tasks = {
        asyncio.create_task(
            _run_later(bot.witnesses, part) if part.waits_for_witnesses else part.run(), name=part.name
        )
        for part in bot.parts
    }
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
        log.info("gpubot.stopping")
        await bot.connection.drain(DRAIN_HANDLERS)
    finally:
        await bot.connection.close()
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
        await finish(asyncio.gather(*(loop.drain() for loop in bot.loops)))
        for part in bot.parts:
            await part.end()


async def _run_later(witnesses: Witnesses, part: Part) -> None:
    """Run a task of the process once Compute Clear and Slack have both answered.

    Their answers show whether this machine's clock is right, and the task relies on that clock. If an answer is
    still missing after the time limit FIRST_ANSWERS, the task starts without it.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(FIRST_ANSWERS):
            await witnesses.heard()
    await part.run()
