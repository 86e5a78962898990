"""The connection to Slack, by Socket Mode or HTTP. If Slack refuses a token, the settings are read again."""

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
"""Real seconds until the next try after Slack gave no answer."""
RETRY_REFUSED = TOKEN_RETRY.total_seconds()
"""Real seconds until the next try after Slack refused a token."""
CHECK_EVERY = 30.0
"""Real seconds between two checks of the bot's token, in case nothing is posted that would show a refusal."""
UNREACHABLE_AFTER = timedelta(minutes=1)
"""How long Slack gives no answer before people are told of it, in real time."""
ASIDE_EVERY = 1.0
"""Real seconds between two looks whether this process stands aside."""
REFUSED = TOKEN_REFUSED | {"missing_scope", "not_allowed_token_type"}
"""Errors that mean, at the start, that another token is needed."""


@dataclass(frozen=True)
class Tokens:
    """Slack's tokens, and the secret that signs its requests, from the settings."""

    bot: str = field(repr=False)
    app: str = field(repr=False)
    """Empty if it isn't set: only Socket Mode needs it."""
    signing_secret: str = field(repr=False, default="")
    """Empty if it isn't set: only HTTP mode needs it."""


@dataclass(frozen=True)
class HttpMode:
    """How Slack's requests are taken in HTTP mode."""

    address: str
    """HOST:PORT on which the bot listens."""
    handover: float = 0.0
    """For how many real seconds a process that stops still takes requests, while /ready answers 503."""
    on_request: Callable[[Outcome], None] = lambda _: None
    """Called once for each request."""


class Receiver(Protocol):
    """What takes commands, clicks and events from Slack, in either mode."""

    async def connect(self) -> None:
        """Begin to take them."""

    async def connected(self) -> int:
        """Return how many connections are open, or 1 for a server that listens."""

    def since_request(self) -> float | None:
        """Return how many real seconds ago a server got its last signed request. Return None if it got none."""

    def many_slow(self) -> bool:
        """Return whether a server had many slow requests in the last five minutes, and more than it answered."""

    def use_secret(self, secret: str) -> None:
        """Use this app token or signing secret from now on."""

    async def watch(self) -> None:
        """Keep it working until cancelled, or return if that needs no work."""

    async def drain(self, seconds: float) -> None:
        """Take no more, and acknowledge what came, for at most `seconds` of real time."""

    async def close(self) -> None:
        """Close everything. Don't wait for what is being handled."""


@dataclass(frozen=True)
class TokenRefusal:
    """Slack refuses the token of a setting."""

    setting: str
    since: datetime
    """By our clock."""

    def say(self, undelivered: int | None) -> str:
        """Return what it means and what to do, for `/health` and the log.

        `undelivered` is how many messages and edits wait, or None if that isn't known.
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
        self.words = f"{name}: Slack refuses it ({code}). gpubot doctor says more."


@dataclass(eq=False)
class Connection(Part):
    """Runs the listeners and delivery while Slack accepts the tokens."""

    name = "connection"
    counted_as = "handlers_in_flight"
    vital = False

    context: Context
    """For the listeners. The token of its client, which every part uses, is replaced here."""
    delivery: Delivery
    tokens: Tokens
    read_tokens: Callable[[], Tokens]
    """Reads the settings and their files again, and may raise GpubotError."""
    replica: Replica | None = None
    """Tells when this process leaves Slack's requests to others. None: never."""
    http: HttpMode | None = None
    """None in Socket Mode."""
    retry_refused: float = RETRY_REFUSED
    """Real seconds until Slack is called again after it refused a token."""
    draining: bool = False
    """Whether the process stops. A load balancer then has to send requests to another one."""
    refused: TokenRefusal | None = None
    """Set while Slack refuses a token."""
    _receiver: Receiver | None = None
    _unanswered_since: datetime | None = None
    """When the first call was made that got no answer, in real time. None: Slack answered the last check."""

    @property
    def mode(self) -> str:
        """Return how Slack's requests come: `socket` or `http`."""
        return "socket" if self.http is None else "http"

    async def connected(self) -> int:
        return await self._receiver.connected() if self._receiver is not None else 0

    async def ready(self) -> bool:
        """Return whether Slack's requests can be sent to this process."""
        return not self.draining and not self._stands_aside() and await self.connected() > 0

    @property
    @override
    def in_flight(self) -> int:
        return self.context.gate.in_flight

    @override
    async def trouble(self) -> list[str]:
        """Return whether Slack refuses a token or can't be reached, in words."""
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
        """Return how many messages and edits wait, or None if the store can't be read."""
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
        """Leave Slack's requests to other processes, and acknowledge those that came: for at most `seconds` of
        real time, and as long again for what is done after acknowledgements.
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

        Raise Unusable if Slack refuses a token and no rental is unfinished. If a rental is, the process must go on
        so that the lease ends: try again every minute, with the tokens that the settings then have.
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
        """Connect as soon as Slack accepts the tokens.

        Raise Unusable as `run` does, unless the process is `waiting` already and so must go on.
        """
        while True:
            try:
                self._receiver = await self._connect()
                break
            except _Refused as refused:
                if not waiting and await self._count_unfinished() == 0:
                    raise Unusable(refused.words) from None
                await self._note_refusal(refused.name)
                waiting = True
                await self.context.deps.clock.pause(self.retry_refused)
                self._reload_tokens()
        log.info("gpubot.ready", mode=self.mode, connections=await self.connected())
        self.refused = None
        self.delivery.token_renewed()
        return self._receiver

    async def _listen(self, receiver: Receiver) -> None:
        """Keep a receiver of Socket Mode working until cancelled.

        While this process stands aside, its connections are closed, or Slack would go on to send some requests
        through them. In HTTP mode, the load balancer asks /ready instead.
        """
        while True:
            watch = asyncio.create_task(receiver.watch())
            try:
                await self._until_aside(aside=True)
            finally:
                watch.cancel()
                await asyncio.gather(watch, return_exceptions=True)
            log.warning("slack.stands_aside")
            await receiver.drain(math.inf)
            self._receiver = None
            await self._until_aside(aside=False)
            receiver = await self._connect_with_tokens(waiting=True)

    async def _until_aside(self, *, aside: bool) -> None:
        while self._stands_aside() is not aside:
            await self.context.deps.clock.pause(ASIDE_EVERY)

    async def _note_refusal(self, setting: str) -> None:
        """Remember, and log, that Slack refuses this token, unless that is known already."""
        if self.refused is not None and self.refused.setting == setting:
            return
        self.refused = TokenRefusal(setting, self.context.deps.clock.now())
        log.error("slack.refused", words=self.refused.say(await self._undelivered()))

    async def _count_unfinished(self) -> int | None:
        """Return how many rentals are not over. Return None if the store can't be read."""
        with suppress(GpubotError):
            async with self.context.deps.store.read() as tx:
                return sum((await tx.rentals.states()).values())
        return None

    def use_tokens(self, tokens: Tokens) -> bool:
        """Use these tokens from the next call on, and return whether one changed. Open connections stay."""
        different = tokens != self.tokens
        self.tokens = tokens
        self.context.client.token = tokens.bot
        if self._receiver is not None and self._secret:
            self._receiver.use_secret(self._secret)
        return different

    @property
    def _secret(self) -> str:
        """What the mode needs in addition to the bot's token."""
        return self.tokens.app if self.http is None else self.tokens.signing_secret

    def _reload_tokens(self) -> None:
        try:
            self.use_tokens(self.read_tokens())
        except (GpubotError, OSError, ValueError) as error:
            # For example a file that is being replaced. The next try reads it.
            log.warning("slack.tokens_not_read", error=type(error).__name__)

    async def _check_token(self) -> None:
        """Wait until the next check of the bot's token, and check it. While Slack refuses it, read the settings
        again every minute. Before, ask which blocks Slack takes, unless that is known.
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
        """Return Slack's answer about the bot's token. Note whether Slack answers at all."""
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
        """Connect as soon as Slack answers. Raise _Refused if it refuses a token."""
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
            """Return the one token of the one workspace, without a call to Slack."""
            return AuthorizeResult(
                enterprise_id=enterprise_id,
                team_id=team_id,
                bot_token=self.context.client.token,
                bot_id=identity.get("bot_id"),
                bot_user_id=identity.get("user_id"),
            )

        # Bolt returns as soon as the listener does; otherwise it looks every 10 ms whether it acknowledged. The
        # server checks signatures before Bolt reads anything.
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
