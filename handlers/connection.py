"""The connection to Slack, in Socket Mode or HTTP mode.

If Slack refuses a token, the settings are read again every minute until they contain a token that works.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from typing_extensions import override

from bot.errors import GpubotError, Unusable
from bot.lifecycle.loops.replica import Replica
from bot.lifecycle.loops.running import Part, keep_running
from bot.model.text import plural
from handlers.delivery.loop import Delivery
from handlers.directory import HomeWorkspace
from handlers.listeners.context import Context
from handlers.listeners.slack_events import register
from handlers.slack_api.http_server import HttpServer, Outcome
from handlers.slack_api.scopes import log_missing_scopes
from handlers.slack_api.sockets import Sockets
from handlers.slack_api.web_api import NO_ANSWER, TOKEN_REFUSED, TOKEN_RETRY, error_code, is_temporary

log = structlog.get_logger("gpubot")

RETRY = 5.0
"""Wall-clock seconds between two attempts to connect while Slack doesn't answer."""
RETRY_REFUSED = TOKEN_RETRY.total_seconds()
"""Wall-clock seconds between two attempts to connect while Slack refuses a token."""
CHECK_EVERY = 30.0
"""Wall-clock seconds between two checks of the bot's token.

Without these checks, a refused token would go unnoticed until the bot posts its next message.
"""
UNREACHABLE_AFTER = timedelta(minutes=1)
"""Wall-clock time after which `/health` reports Slack as unreachable, if no call is answered in the meantime."""
ASIDE_EVERY = 1.0
"""Wall-clock seconds between two checks of whether this process should stand aside.

A process stands aside if its machine's clock is wrong: it then leaves Slack's requests to other processes.
"""
REFUSED = TOKEN_REFUSED | {"missing_scope", "not_allowed_token_type"}
"""Slack's error codes at startup which mean that the bot needs a different token."""


@dataclass(frozen=True)
class Tokens:
    """Slack's tokens, and the secret with which Slack signs its requests, as read from the settings."""

    bot: str = field(repr=False)
    app: str = field(repr=False)
    """The app-level token. Can be empty in HTTP mode, because only Socket Mode needs it."""
    signing_secret: str = field(repr=False, default="")
    """The secret with which Slack signs its requests.

    Can be empty in Socket Mode, because only HTTP mode needs it.
    """


@dataclass(frozen=True)
class HttpMode:
    """The settings for receiving Slack's requests over HTTP."""

    address: str
    """The HOST:PORT on which the bot listens."""
    handover: float = 0.0
    """Wall-clock seconds for which a process that is shutting down still accepts requests.

    During this time, the process already answers 503 at `/ready`, so that the load balancer can switch to another
    process before this one stops listening.
    """
    on_request: Callable[[Outcome], None] = lambda _: None
    """Called once for each request, with its outcome."""


class Receiver(Protocol):
    """Receives commands, clicks and events from Slack, in Socket Mode or in HTTP mode."""

    async def connect(self) -> None:
        """Start receiving."""

    async def connected(self) -> int:
        """Return the number of open Socket Mode connections.

        In HTTP mode, return 1 while the server is listening, and 0 otherwise.
        """

    def since_request(self) -> float | None:
        """Return the wall-clock seconds since the HTTP server last received a request that Slack signed.

        None if there has been no request, and always None in Socket Mode.
        """

    def many_slow(self) -> bool:
        """Return whether, in the last five minutes, many requests arrived too slowly to be answered.

        This is the case if there were at least FEW_SLOW such requests, and if they outnumber the answered
        requests. Always False in Socket Mode.
        """

    def use_secret(self, secret: str) -> None:
        """Use this app token or signing secret for all further requests."""

    async def watch(self) -> None:
        """Keep the connections working until cancelled. Returns immediately if they need no maintenance."""

    async def drain(self, seconds: float) -> None:
        """Stop receiving, and acknowledge everything that has already arrived.

        Takes at most `seconds` of wall-clock time.
        """

    async def close(self) -> None:
        """Close everything immediately, without waiting for requests that are being handled."""


@dataclass(frozen=True)
class TokenRefusal:
    """The fact that Slack currently refuses one of the tokens in the settings."""

    setting: str
    since: datetime
    """The time at which the refusal was first noticed, by the bot's clock."""

    def say(self, undelivered: int | None) -> str:
        """Return a text that describes the consequences of the refusal and the remedy, for `/health` and the log.

        `undelivered` is the number of messages and edits that can't be sent to Slack, or None if it is unknown.
        """
        return (
            f"Slack refuses {self.setting} since {self.since:%Y-%m-%d %H:%M} UTC: {_waits(undelivered)}, and "
            "nobody can rent or extend. Put a new token into the settings; I read them again every minute."
        )


def _waits(undelivered: int | None) -> str:
    return "all messages wait" if undelivered is None else f"{plural(undelivered, 'message')} and edits wait"


class _Refused(Exception):
    def __init__(self, name: str, code: str) -> None:
        super().__init__()
        self.name = name
        self.message = f"{name}: Slack refuses it ({code}). gpubot doctor says more."


@dataclass(eq=False)
class Connection(Part):
    """Runs the listeners and message delivery for as long as Slack accepts the tokens."""

    name = "connection"
    counted_as = "handlers_in_flight"
    vital = False

    context: Context
    """The dependencies of the listeners, including the Slack client.

    All parts of the bot share this client. So when a new token is set here, all of them use it.
    """
    delivery: Delivery
    tokens: Tokens
    read_tokens: Callable[[], Tokens]
    """Reads the tokens again from the settings, and from files if the settings name any. Can raise GpubotError."""
    replica: Replica | None = None
    """Decides whether this process leaves Slack's requests to other processes. If None, it never does."""
    http: HttpMode | None = None
    """The settings of HTTP mode. None in Socket Mode."""
    retry_refused: float = RETRY_REFUSED
    """Wall-clock seconds between two attempts to connect while Slack refuses a token."""
    draining: bool = False
    """True if the process is shutting down. A load balancer then sends requests to other processes."""
    refused: TokenRefusal | None = None
    """The current refusal. None while Slack accepts the tokens."""
    _receiver: Receiver | None = None
    _unanswered_since: datetime | None = None
    """The wall-clock time at which Slack stopped answering calls. None if Slack answered the last call."""

    @property
    def mode(self) -> str:
        """Return the mode in which Slack's requests arrive: `socket` or `http`."""
        return "socket" if self.http is None else "http"

    async def connected(self) -> int:
        return await self._receiver.connected() if self._receiver is not None else 0

    async def ready(self) -> bool:
        """Return whether a load balancer may send Slack's requests to this process."""
        return not self.draining and not self._stands_aside() and await self.connected() > 0

    @property
    @override
    def in_flight(self) -> int:
        return self.context.gate.in_flight

    @override
    async def trouble(self) -> list[str]:
        """Describe the problem if Slack refuses a token or has been unreachable for a while."""
        if self.refused is not None:
            return [self.refused.say(await self._undelivered())]
        since = self._unanswered_since
        if since is None or self.context.deps.clock.real() - since < UNREACHABLE_AFTER:
            return []
        return [
            f"Slack hasn't answered me since {since:%Y-%m-%d %H:%M} UTC: {_waits(await self._undelivered())}, and "
            "nobody can rent or extend through it. I'll keep trying; check this machine's network if Slack works "
            "elsewhere."
        ]

    async def _undelivered(self) -> int | None:
        """Return the number of messages and edits that wait to be sent, or None if the store can't be read."""
        with suppress(GpubotError):
            async with self.context.deps.store.read() as tx:
                return await tx.messages.undelivered()
        return None

    @override
    async def figures(self) -> Mapping[str, Any]:
        receiver = self._receiver
        return {
            "slack_mode": self.mode,
            "connections": await self.connected(),
            "seconds_since_slack_request": None if receiver is None else receiver.since_request(),
            "many_slow_slack_requests": receiver is not None and receiver.many_slow(),
            "draining": self.draining,
            "slack_refuses_token": self.refused is not None,
        }

    async def drain(self, seconds: float) -> None:
        """Leave new requests to other processes, and acknowledge those that have already arrived.

        First, this waits up to `seconds` of wall-clock time for the acknowledgements. Some work for a request
        continues after its acknowledgement, such as opening a dialog. This work gets up to `seconds` more.
        """
        self.draining = True
        if self._receiver is not None:
            if self.http is not None:
                await self.context.deps.clock.pause(self.http.handover)
            await self._receiver.drain(seconds)
        await self.context.gate.drain(seconds)

    async def close(self) -> None:
        if self._receiver is not None:
            await self._receiver.close()

    def _stands_aside(self) -> bool:
        return self.replica is not None and self.replica.stands_aside()

    @override
    async def run(self) -> None:
        """Connect, then listen until cancelled.

        If Slack refuses a token at startup and all rentals have ended, this raises Unusable. If a rental hasn't
        ended yet, the process keeps running, so that the rental ends in time. It then tries to connect every
        minute, and reads the tokens again before each attempt.
        """
        receiver = await self._connect_with_tokens(waiting=False)
        watch_token = keep_running("slack_token", self._check_token, self.context.deps.clock)
        listen = receiver.watch() if self.http is not None else self._listen(receiver)
        tasks = [asyncio.create_task(work) for work in (listen, watch_token)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect_with_tokens(self, *, waiting: bool) -> Receiver:
        """Connect, and retry until Slack accepts the tokens.

        `waiting` is False only at startup. If Slack then refuses a token at the first attempt, and all rentals
        have ended, this raises Unusable.
        """
        while True:
            try:
                self._receiver = await self._connect()
                break
            except _Refused as refused:
                if not waiting and await self._count_unfinished() == 0:
                    raise Unusable(refused.message) from None
                await self._note_refusal(refused.name)
                waiting = True
                await self.context.deps.clock.pause(self.retry_refused)
                self._reload_tokens()
        log.info("gpubot.ready", mode=self.mode, connections=await self.connected())
        self.refused = None
        self.delivery.token_renewed()
        return self._receiver

    async def _listen(self, receiver: Receiver) -> None:
        """Keep a Socket Mode receiver working until cancelled.

        If this machine's clock is wrong, this process leaves Slack's requests to other processes. Its connections
        are then closed, because Slack would otherwise continue to send requests through them.
        """
        while True:
            watch = asyncio.create_task(receiver.watch())
            try:
                await self._wait_until_aside(aside=True)
            finally:
                watch.cancel()
                await asyncio.gather(watch, return_exceptions=True)
            log.warning("slack.stands_aside")
            await receiver.drain(math.inf)
            self._receiver = None
            await self._wait_until_aside(aside=False)
            receiver = await self._connect_with_tokens(waiting=True)

    async def _wait_until_aside(self, *, aside: bool) -> None:
        while self._stands_aside() is not aside:
            await self.context.deps.clock.pause(ASIDE_EVERY)

    async def _note_refusal(self, setting: str) -> None:
        """Record and log that Slack refuses a token, unless this is already recorded.

        `setting` is the name of the token's setting, such as `SLACK_BOT_TOKEN`.
        """
        if self.refused is not None and self.refused.setting == setting:
            return
        self.refused = TokenRefusal(setting, self.context.deps.clock.now())
        log.error("slack.refused", words=self.refused.say(await self._undelivered()))

    async def _count_unfinished(self) -> int | None:
        """Return the number of rentals that haven't ended, or None if the store can't be read."""
        with suppress(GpubotError):
            async with self.context.deps.store.read() as tx:
                return sum((await tx.rentals.states()).values())
        return None

    def use_tokens(self, tokens: Tokens) -> bool:
        """Use these tokens for all further calls, and return whether any token has changed.

        Connections that are already open stay open.
        """
        different = tokens != self.tokens
        self.tokens = tokens
        self.context.client.token = tokens.bot
        if self._receiver is not None and self._secret:
            self._receiver.use_secret(self._secret)
        return different

    @property
    def _secret(self) -> str:
        """The secret that the mode needs in addition to the bot's token: the app token or the signing secret."""
        return self.tokens.app if self.http is None else self.tokens.signing_secret

    def _reload_tokens(self) -> None:
        try:
            self.use_tokens(self.read_tokens())
        except (GpubotError, OSError, ValueError) as error:
            # Somebody may be writing a new token to the file at this very moment, so the file may be incomplete.
            # Ignore the error: the tokens are read again before the next attempt to connect.
            log.warning("slack.tokens_not_read", error=type(error).__name__)

    async def _check_token(self) -> None:
        """Wait until the next check of the bot's token is due, then check the token.

        The check is due after CHECK_EVERY, or as soon as Slack refuses the token for a message. While Slack
        refuses the token, the settings are read again every minute until they contain a token that works.
        """
        refused = self.delivery.refused
        await self.context.block_types.ask(self.context.client)
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_EVERY):
                await refused.wait()
        if refused.is_set():
            await self._note_refusal("SLACK_BOT_TOKEN")
        while not await self._token_works():
            await self.context.deps.clock.pause(self.retry_refused)
            self._reload_tokens()
        if refused.is_set():
            log.info("slack.token_accepted")
            self.refused = None
            self.delivery.token_renewed()

    async def _identity(self) -> AsyncSlackResponse:
        """Call auth.test with the bot's token, and record whether Slack answers at all."""
        began = self.context.deps.clock.real()
        try:
            identity = await self.context.client.auth_test()
        except NO_ANSWER as error:
            answered = isinstance(error, SlackApiError) and not is_temporary(error)
            self._unanswered_since = None if answered else self._unanswered_since or began
            raise
        self._unanswered_since = None
        return identity

    async def _token_works(self) -> bool:
        try:
            await self._identity()
        except NO_ANSWER as error:
            log.warning("slack.token_check_failed", error=error_code(error))
            if error_code(error) in TOKEN_REFUSED:
                self.delivery.refused.set()
                await self._note_refusal("SLACK_BOT_TOKEN")
            return False
        return True

    async def _connect(self) -> Receiver:
        """Connect, and retry until Slack answers.

        Raises _Refused if Slack refuses a token.
        """
        while True:
            name = "SLACK_BOT_TOKEN"
            try:
                identity = await self._identity()
                if self.http is None:
                    name = "SLACK_APP_TOKEN"
                    await self.context.client.apps_connections_open(app_token=self.tokens.app)
                return await self._open(identity)
            except SlackApiError as error:
                code = error_code(error)
                if code in REFUSED:
                    raise _Refused(name, code) from None
                log.warning("slack.not_connected", error=code)
            except NO_ANSWER as error:
                log.warning("slack.not_connected", error=type(error).__name__)
            await self.context.deps.clock.pause(RETRY)

    async def _open(self, identity: AsyncSlackResponse) -> Receiver:
        async def authorize(enterprise_id: str | None = None, team_id: str | None = None) -> AuthorizeResult:
            """Return the bot's token without calling Slack, because the bot has only one token."""
            return AuthorizeResult(
                enterprise_id=enterprise_id,
                team_id=team_id,
                bot_token=self.context.client.token,
                bot_id=identity.get("bot_id"),
                bot_user_id=identity.get("user_id"),
            )

        # `process_before_response` makes Bolt, Slack's framework, respond as soon as the listener returns.
        # Otherwise, Bolt would check only every 10 ms whether the listener has acknowledged the request. Bolt
        # needn't verify the signatures of requests, because our HTTP server has already done so.
        app = AsyncApp(
            name="gpubot",
            client=self.context.client,
            authorize=authorize,
            process_before_response=True,
            request_verification_enabled=False,
        )
        self.context.people.connected_to(HomeWorkspace.of(identity))
        register(app, self.context)
        receiver = self._receiver_for(app)
        log_missing_scopes(identity)
        await receiver.connect()
        return receiver

    def _receiver_for(self, app: AsyncApp) -> Receiver:
        clock, gate, http = self.context.deps.clock, self.context.gate, self.http
        if http is None:
            return Sockets(app, self._secret, clock, gate=gate, reload_token=self._reload_tokens)
        return HttpServer(
            app,
            self._secret,
            http.address,
            clock,
            gate=gate,
            on_request=http.on_request,
            clock_ahead=timedelta if self.replica is None else self.replica.ahead,
        )
