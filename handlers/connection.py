"""The connection to Slack: made at the start, and again with other tokens if Slack refuses those that we have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import GpubotError, Unusable
from bot.lifecycle.deps import Deps
from bot.model.offer import Catalog
from handlers.delivery.loop import Delivery
from handlers.directory.channels import SlackChannels
from handlers.directory.people import Home, People
from handlers.listeners.context import Context
from handlers.listeners.register import register
from handlers.slack_api.error_codes import NO_ANSWER, TOKEN, TOKEN_RETRY, error_code
from handlers.slack_api.gate import Gate
from handlers.slack_api.socket_mode import Sockets

log = structlog.get_logger("gpubot")

RETRY = 5.0
"""Real seconds until Slack is called again after it gave no answer."""
RETRY_REFUSED = TOKEN_RETRY.total_seconds()
"""Real seconds until Slack is called again after it refused a token."""
CHECK_EVERY = 300.0
"""Real seconds. A token that is refused while nothing is posted is noticed by then."""
REFUSED = TOKEN | {"missing_scope", "not_allowed_token_type"}


@dataclass(frozen=True)
class Tokens:
    """Slack's tokens, as the settings say them."""

    bot: str = field(repr=False)
    app: str = field(repr=False)


class _Refused(Exception):
    """Slack refuses the token of this setting."""

    def __init__(self, name: str, code: str) -> None:
        super().__init__()
        self.name = name
        self.words = f"{name}: Slack refuses it ({code}). gpubot doctor says more."


class Connection:
    """Listens to Slack and speaks to it."""

    def __init__(
        self,
        deps: Deps,
        client: AsyncWebClient,
        delivery: Delivery,
        *,
        gate: Gate,
        catalog: Callable[[], Catalog | None],
        tokens: Tokens,
        read_tokens: Callable[[], Tokens],
        retry_refused: float = RETRY_REFUSED,
    ) -> None:
        """`client` is the one that everything calls Slack with; its token is changed here. `tokens` are those of
        the start; `read_tokens` reads the settings again, with the files that they name, and may raise
        GpubotError."""
        self._deps = deps
        self._client = client
        self._delivery = delivery
        self._gate = gate
        self._catalog = catalog
        self._read_tokens = read_tokens
        self._retry_refused = retry_refused
        self._tokens = tokens
        self._sockets: Sockets | None = None

    async def connected(self) -> int:
        """Return how many connections are open."""
        return await self._sockets.connected() if self._sockets is not None else 0

    async def close(self) -> None:
        """Close all connections. Nothing is drained."""
        if self._sockets is not None:
            await self._sockets.close()

    async def run(self) -> None:
        """Connect, and talk until cancelled.

        Raise Unusable if Slack refuses a token and nothing is unfinished. While rentals are unfinished, the
        process must live on so that leases end: Slack is asked again every minute, with the tokens that are set
        by then.
        """
        tasks: list[asyncio.Task[None]] = []
        waiting = False
        try:
            while self._sockets is None:
                try:
                    self._sockets = await self._connect()
                except _Refused as refused:
                    await self._note(refused, waiting=waiting)
                    waiting = True
                    if refused.name == "SLACK_APP_TOKEN" and not tasks:
                        tasks.append(asyncio.create_task(self._delivery.run()))  # telling needs no socket
                    await self._deps.clock.pause(self._retry_refused)
                    self._read_again()
            log.info("gpubot.ready", connections=await self._sockets.connected())
            self._delivery.token_renewed()
            if not tasks:
                tasks.append(asyncio.create_task(self._delivery.run()))
            tasks += [asyncio.create_task(work) for work in (self._sockets.watch(), self._watch_token())]
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _note(self, refused: _Refused, *, waiting: bool) -> None:
        """Log that a token is refused. Raise Unusable if the process may as well end."""
        unfinished = await self._unfinished()
        if unfinished == 0 and not waiting:
            raise Unusable(refused.words) from None
        log.error("slack.refused", words=refused.words, unfinished=unfinished)

    async def _unfinished(self) -> int | None:
        """Return how many rentals are not over, None if the store doesn't say."""
        try:
            async with self._deps.store.read() as tx:
                return len(await tx.rentals.live())
        except GpubotError:
            return None

    def _read_again(self) -> None:
        try:
            self._tokens = self._read_tokens()
        except (GpubotError, OSError, ValueError) as error:
            # A file that is being replaced, for example. The next time reads it.
            log.warning("slack.tokens_not_read", error=type(error).__name__)
        self._client.token = self._tokens.bot

    def _app_token_again(self) -> str:
        self._read_again()
        return self._tokens.app

    async def _watch_token(self) -> None:
        """While Slack refuses the bot's token, read it again every minute until it is taken."""
        refused = self._delivery.refused
        while True:
            try:
                async with asyncio.timeout(CHECK_EVERY):
                    await refused.wait()
            except TimeoutError:
                pass
            while not await self._token_is_taken():
                await self._deps.clock.pause(self._retry_refused)
                self._read_again()
            if refused.is_set():
                log.info("slack.taken_again")
                self._delivery.token_renewed()

    async def _token_is_taken(self) -> bool:
        try:
            await self._client.auth_test()
        except NO_ANSWER as error:
            log.warning("slack.not_taken", error=error_code(error))
            if error_code(error) in TOKEN:
                self._delivery.refused.set()
            return False
        return True

    async def _connect(self) -> Sockets:
        """Connect once Slack answers. Raise _Refused."""
        while True:
            name = "SLACK_BOT_TOKEN"
            try:
                who = await self._client.auth_test()
                name = "SLACK_APP_TOKEN"
                await self._client.apps_connections_open(app_token=self._tokens.app)
                return await self._open(who)
            except SlackApiError as error:
                code = error_code(error)
                if code in REFUSED:
                    raise _Refused(name, code) from None
                log.warning("slack.not_connected", error=code)
            except NO_ANSWER as error:
                log.warning("slack.not_connected", error=type(error).__name__)
            await self._deps.clock.pause(RETRY)

    async def _open(self, who: AsyncSlackResponse) -> Sockets:
        async def authorize(enterprise_id: str | None = None, team_id: str | None = None) -> AuthorizeResult:
            """No call for each request: there is one workspace and one token."""
            return AuthorizeResult(
                enterprise_id=enterprise_id,
                team_id=team_id,
                bot_token=self._client.token,
                bot_id=who.get("bot_id"),
                bot_user_id=who.get("user_id"),
            )

        app = AsyncApp(client=self._client, authorize=authorize)
        register(app, self._context(who))
        sockets = Sockets(
            app, self._tokens.app, self._deps.clock, gate=self._gate, token_again=self._app_token_again
        )
        await sockets.connect()
        return sockets

    def _context(self, who: AsyncSlackResponse) -> Context:
        return Context(
            deps=self._deps,
            catalog=self._catalog,
            people=People(self._deps, self._client, Home.of(who)),
            channels=SlackChannels(self._deps, self._client),
            client=self._client,
            gate=self._gate,
            post=self._delivery.post,
        )
