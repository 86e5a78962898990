"""One HTTP call to the marketplace, made once: what came back, or why nothing usable did."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import aiohttp
import httpx
import structlog
from httpx_aiohttp import AiohttpTransport
from pydantic import SecretStr

from bot.clock import Clock
from bot.errors import GpubotError, LockedOut, MarketAway, RateLimited
from bot.market import decompression, fields, wire
from bot.market.redaction import Redactor
from bot.sessions import through_proxy

T = TypeVar("T")
_log = structlog.get_logger("gpubot.market")

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes of an answer after decompression. A list of every offer of every vendor is far smaller."""
LARGEST_ON_LOOP = 256 * 1024
"""Bytes of an answer that is read on the event loop. A larger one takes long enough to delay acknowledgements, and
is read in a thread."""
CONNECT_SECONDS = 10.0
QUEUE_SECONDS = 15.0
"""How long a call may wait for a free connection."""
CONNECTIONS = 100
LONGEST_RETRY_AFTER = 3600.0

_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
_NO_ANSWER = (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, OSError, EOFError, ValueError, RuntimeError)


@dataclass(frozen=True)
class Call:
    """An endpoint: its operationId, whether it buys, and whether anyone with a good token may call it: there a 403
    speaks of the token too."""

    name: str
    buys: bool = False
    everyones: bool = False


@dataclass(frozen=True)
class Answer:
    """An answer that neither refuses our token nor asks to wait nor tells of a fault over there."""

    status: int
    content: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class _Bearer(httpx.Auth):
    """Keeps the token out of the client's headers, where a log or a repr could show it."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request


class _Sessions:
    """Makes the aiohttp session once a loop runs."""

    def __init__(self, *, keep_alive: bool) -> None:
        self._keep_alive = keep_alive

    def __call__(self) -> aiohttp.ClientSession:
        connector = (
            aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=30)
            if self._keep_alive
            else aiohttp.TCPConnector(limit=CONNECTIONS, force_close=True)
        )
        session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), middlewares=[through_proxy]
        )
        # aiohttp repeats GET and DELETE on a connection that broke, without a public switch. Only the engine asks
        # again here.
        session._retry_connection = False
        return session


class Transport:
    """Calls to one API with one token. No call is repeated, and no redirect is followed.

    Calls that buy get a fresh connection each: on a kept one, which the other side may be closing at that moment,
    nobody could tell whether the request arrived.
    """

    def __init__(
        self,
        base_url: str,
        token: SecretStr,
        clock: Clock,
        on_token: Callable[[bool], Awaitable[None]] | None = None,
        *,
        on_call: Callable[[str, str], None] | None = None,
    ) -> None:
        """`on_token` is told with the first answer, and whenever it changes, whether our token is refused.
        `on_call` is told of each call by name how it was answered: with a class of status such as `2xx`, or with
        `no_answer`; and `senseless` beside that, where nothing could be made of it."""
        self._on_call = on_call
        self._clock = clock
        self._scrubber = Redactor(token)
        self._on_token = on_token
        self._refused: bool | None = None

        def client(*, keep_alive: bool) -> httpx.AsyncClient:
            return httpx.AsyncClient(
                base_url=base_url,
                auth=_Bearer(token),
                headers={"User-Agent": "gpubot", "Accept": "application/json", "Accept-Encoding": "gzip"},
                transport=AiohttpTransport(client=_Sessions(keep_alive=keep_alive)),
                # The time for a whole call is kept by `ask`; these only tell "not sent" from "no answer".
                timeout=httpx.Timeout(None, connect=CONNECT_SECONDS, pool=QUEUE_SECONDS),
                follow_redirects=False,
            )

        self._kept = client(keep_alive=True)
        self._fresh = client(keep_alive=False)

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._kept.aclose()
        await self._fresh.aclose()

    async def ask(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        seconds: float,
        params: dict[str, str] | None = None,
        json: object = None,
        yaml: bytes | None = None,
    ) -> Answer:
        """Makes the call once, within that many real seconds.

        Raises LockedOut for 401 and 403, RateLimited for 429, and MarketAway for 3xx, 5xx, no answer, and a body
        that can't be read. `acted` is True only for a call that buys and may have been carried out.
        """
        client = self._fresh if call.buys else self._kept
        request = client.build_request(
            method,
            path,
            params=params,
            json=json,
            content=yaml,
            headers=None if yaml is None else {"Content-Type": "application/yaml"},
        )
        try:
            async with asyncio.timeout(seconds):
                response = await client.send(request, stream=True)
                try:
                    encodings = response.headers.get_list("Content-Encoding", split_commas=True)
                    content = await decompression.body(response.aiter_raw(), encodings, LARGEST_BODY)
                finally:
                    await response.aclose()
        except decompression.Unreadable as error:
            raise self.senseless(call, str(error)) from None
        except _NO_ANSWER as error:
            sent = not _never_left(error)
            kind = type(error.__cause__ or error).__name__
            _log.warning("market.no_answer", call=call.name, error=kind, sent=sent)
            self._count(call, "no_answer")
            words = "Compute Clear didn't answer." if sent else "Compute Clear can't be reached."
            # Without the cause: its request holds the token.
            raise MarketAway(words, acted=call.buys and sent) from None
        self._count(call, f"{response.status_code // 100}xx")
        if response.status_code != 403 or call.everyones:
            await self._note_token(refused=response.status_code in {401, 403})
        return self._usable(call, response, content)

    def _count(self, call: Call, outcome: str) -> None:
        if self._on_call is not None:
            self._on_call(call.name, outcome)

    async def _note_token(self, *, refused: bool) -> None:
        if self._on_token is None or refused == self._refused:
            return
        try:
            await self._on_token(refused)
        except GpubotError as error:
            # An answer is never lost for it; the next one tells it again.
            _log.warning("market.token_not_noted", error=type(error).__name__)
        else:
            self._refused = refused

    def _usable(self, call: Call, response: httpx.Response, content: bytes) -> Answer:
        status = response.status_code
        if 200 <= status < 300 or (400 <= status < 500 and status not in {401, 403, 408, 425, 429}):
            return Answer(status, content)
        _log.warning("market.refused", call=call.name, status=status)
        if status in {401, 403}:
            words = "Compute Clear refuses my token. An admin can mend it: COMPUTE_CLEAR_TOKEN."
            raise LockedOut(words, acted=call.buys and status != 401)
        wait = _retry_after(response.headers.get("Retry-After"), self._clock.real())
        if status == 429:
            raise RateLimited("Compute Clear asks me to slow down.", retry_after=wait, acted=call.buys)
        words = f"Compute Clear has a fault ({status}){self._said(content)}."
        raise MarketAway(words, retry_after=wait, acted=call.buys)

    def _said(self, content: bytes) -> str:
        """What an error answer says of itself, after a colon; empty where nothing can be read."""
        if len(content) > LARGEST_ON_LOOP:
            return ""
        try:
            said = wire.problem(self._decoded(content))
        except fields.NotJson:
            return ""
        return f": {said.rstrip('.')}" if said else ""

    def senseless(self, call: Call, why: str) -> MarketAway:
        """The error for an answer whose content is not what was asked for."""
        _log.warning("market.senseless", call=call.name, why=why)
        self._count(call, "senseless")
        return MarketAway("Compute Clear's answer makes no sense to me.", acted=call.buys)

    async def made(self, call: Call, answer: Answer, read: Callable[[object], T]) -> T:
        """Return what `read` makes of an answer's JSON, in which our token is masked.

        `read` runs in a thread if the answer is large. Raise MarketAway if there is no JSON, or nothing to make of
        it.
        """

        def work() -> T:
            return read(self._decoded(answer.content))

        try:
            return work() if len(answer.content) <= LARGEST_ON_LOOP else await asyncio.to_thread(work)
        except (fields.NotJson, wire.Senseless) as error:
            raise self.senseless(call, str(error)) from None

    def _decoded(self, content: bytes) -> object:
        return self._scrubber.masked(fields.decode(content))


def _never_left(error: BaseException) -> bool:
    """Whether a request certainly did not reach the other side. The transport's own error classes don't tell: it
    reports a connection that broke after the request as one that was never made."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _NOT_SENT):
            return True
        seen = seen.__cause__
    return False


def _retry_after(said: str | None, real_now: datetime) -> float | None:
    """Real seconds of a Retry-After header, which names seconds or a date."""
    if said is None:
        return None
    seconds = fields.amount(said)
    if seconds is not None:
        return min(float(seconds), LONGEST_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(said)
        until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
        return min(max((until - real_now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)
    except (ValueError, OverflowError):
        return None
