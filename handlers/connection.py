"""The connection to Slack, which is made at the start. If Slack refuses a token, the settings are read again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import GpubotError, Unusable
from bot.lifecycle.deps import Deps
from bot.lifecycle.loops.running import keep_running
from bot.lifecycle.ports.outside import KeySource
from bot.lifecycle.service.prices import Prices
from bot.model.offer import Catalog
from handlers.delivery.loop import Delivery
from handlers.directory.channels import SlackChannels
from handlers.directory.people import HomeWorkspace, People
from handlers.listeners.context import Context
from handlers.listeners.register import register
from handlers.slack_api.error_codes import NO_ANSWER, TOKEN_REFUSED, TOKEN_RETRY, error_code
from handlers.slack_api.gate import Gate
from handlers.slack_api.scopes import log_missing_scopes
from handlers.slack_api.sockets import Sockets

log = structlog.get_logger("gpubot")

RETRY = 5.0
"""Real seconds until the next try after Slack gave no answer."""
RETRY_REFUSED = TOKEN_RETRY.total_seconds()
"""Real seconds until the next try after Slack refused a token."""
CHECK_EVERY = 300.0
"""Real seconds between two checks of the bot's token, in case nothing is posted that would show a refusal."""
REFUSED = TOKEN_REFUSED | {"missing_scope", "not_allowed_token_type"}
"""Errors that mean, at the start, that another token is needed."""


@dataclass(frozen=True)
class Tokens:
    """Slack's tokens, from the settings."""

    bot: str = field(repr=False)
    app: str = field(repr=False)


@dataclass(frozen=True)
class TokenRefusal:
    """Slack refuses the token of a setting."""

    setting: str
    since: datetime
    """By our clock."""


class _Refused(Exception):
    """Slack refuses the token of a setting."""

    def __init__(self, name: str, code: str) -> None:
        super().__init__()
        self.name = name
        self.words = f"{name}: Slack refuses it ({code}). gpubot doctor says more."


class Connection:
    """Runs the listeners and delivery while Slack accepts the tokens."""

    def __init__(
        self,
        deps: Deps,
        client: AsyncWebClient,
        delivery: Delivery,
        *,
        gate: Gate,
        people: People,
        catalog: Callable[[], Catalog | None],
        key_source: KeySource,
        prices: Prices,
        tokens: Tokens,
        read_tokens: Callable[[], Tokens],
        retry_refused: float = RETRY_REFUSED,
    ) -> None:
        """`client` is the client that every part uses; its token is replaced here. `read_tokens` reads the
        settings and their files again, and may raise GpubotError."""
        self._deps = deps
        self._client = client
        self._delivery = delivery
        self._gate = gate
        self._people = people
        self._catalog = catalog
        self._key_source = key_source
        self._prices = prices
        self._read_tokens = read_tokens
        self._retry_refused = retry_refused
        self._tokens = tokens
        self._sockets: Sockets | None = None
        self.refused: TokenRefusal | None = None
        """Set while Slack refuses a token."""

    async def connected(self) -> int:
        """Return how many connections are open."""
        return await self._sockets.connected() if self._sockets is not None else 0

    async def close(self) -> None:
        """Close all connections. Don't wait for payloads that are being handled."""
        if self._sockets is not None:
            await self._sockets.close()

    async def run(self) -> None:
        """Connect, then listen until cancelled.

        Raise Unusable if Slack refuses a token and no rental is unfinished. If a rental is, the process must go on
        so that the lease ends: try again every minute, with the tokens that the settings then have.
        """
        tasks: list[asyncio.Task[None]] = []
        waiting = False
        try:
            while self._sockets is None:
                try:
                    self._sockets = await self._connect()
                except _Refused as refused:
                    self._note_refusal(refused.name)
                    await self._handle_refusal(refused, waiting=waiting)
                    waiting = True
                    await self._deps.clock.pause(self._retry_refused)
                    self._reload_tokens()
            log.info("gpubot.ready", connections=await self._sockets.connected())
            self.refused = None
            self._delivery.token_renewed()
            watch_token = keep_running("slack_token", self._check_token, self._deps.clock)
            tasks = [asyncio.create_task(work) for work in (self._sockets.watch(), watch_token)]
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _note_refusal(self, setting: str) -> None:
        if self.refused is None or self.refused.setting != setting:
            self.refused = TokenRefusal(setting, self._deps.clock.now())

    async def _handle_refusal(self, refused: _Refused, *, waiting: bool) -> None:
        """Log that a token is refused. Raise Unusable if this is the first refusal and no rental is unfinished."""
        unfinished = await self._count_unfinished()
        if unfinished == 0 and not waiting:
            raise Unusable(refused.words) from None
        log.error("slack.refused", words=refused.words, unfinished=unfinished)

    async def _count_unfinished(self) -> int | None:
        """Return how many rentals are not over. Return None if the store can't be read."""
        try:
            async with self._deps.store.read() as tx:
                return len(await tx.rentals.live())
        except GpubotError:
            return None

    def use_tokens(self, tokens: Tokens) -> bool:
        """Use these tokens from the next call on. Open connections stay. Return whether one is another token
        than before."""
        different = tokens != self._tokens
        self._tokens = tokens
        self._client.token = tokens.bot
        if self._sockets is not None:
            self._sockets.use_token(tokens.app)
        return different

    def _reload_tokens(self) -> None:
        try:
            self.use_tokens(self._read_tokens())
        except (GpubotError, OSError, ValueError) as error:
            # For example a file that is being replaced. The next try reads it.
            log.warning("slack.tokens_not_read", error=type(error).__name__)

    async def _check_token(self) -> None:
        """Wait until the next check of the bot's token, and check it. While Slack refuses it, read the settings
        again every minute."""
        refused = self._delivery.refused
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_EVERY):
                await refused.wait()
        if refused.is_set():
            self._note_refusal("SLACK_BOT_TOKEN")
        while not await self._token_works():
            await self._deps.clock.pause(self._retry_refused)
            self._reload_tokens()
        if refused.is_set():
            log.info("slack.token_accepted")
            self.refused = None
            self._delivery.token_renewed()

    async def _token_works(self) -> bool:
        try:
            await self._client.auth_test()
        except NO_ANSWER as error:
            log.warning("slack.token_check_failed", error=error_code(error))
            if error_code(error) in TOKEN_REFUSED:
                self._delivery.refused.set()
                self._note_refusal("SLACK_BOT_TOKEN")
            return False
        return True

    async def _connect(self) -> Sockets:
        """Connect as soon as Slack answers. Raise _Refused if it refuses a token."""
        while True:
            name = "SLACK_BOT_TOKEN"
            try:
                identity = await self._client.auth_test()
                name = "SLACK_APP_TOKEN"
                await self._client.apps_connections_open(app_token=self._tokens.app)
                return await self._open(identity)
            except SlackApiError as error:
                code = error_code(error)
                if code in REFUSED:
                    raise _Refused(name, code) from None
                log.warning("slack.not_connected", error=code)
            except NO_ANSWER as error:
                log.warning("slack.not_connected", error=type(error).__name__)
            await self._deps.clock.pause(RETRY)

    async def _open(self, identity: AsyncSlackResponse) -> Sockets:
        async def authorize(enterprise_id: str | None = None, team_id: str | None = None) -> AuthorizeResult:
            """Return the one token of the one workspace, without a call to Slack."""
            return AuthorizeResult(
                enterprise_id=enterprise_id,
                team_id=team_id,
                bot_token=self._client.token,
                bot_id=identity.get("bot_id"),
                bot_user_id=identity.get("user_id"),
            )

        # Bolt returns as soon as the listener does; otherwise it looks every 10 ms whether it acknowledged.
        app = AsyncApp(name="gpubot", client=self._client, authorize=authorize, process_before_response=True)
        self._people.connected_to(HomeWorkspace.of(identity))
        register(app, self._context())
        sockets = Sockets(
            app, self._tokens.app, self._deps.clock, gate=self._gate, reload_token=self._reload_tokens
        )
        log_missing_scopes(identity)
        await sockets.connect()
        return sockets

    def _context(self) -> Context:
        return Context(
            deps=self._deps,
            catalog=self._catalog,
            key_source=self._key_source,
            prices=self._prices,
            people=self._people,
            channels=SlackChannels(self._deps, self._client),
            client=self._client,
            gate=self._gate,
            direct=self._delivery.direct,
        )
