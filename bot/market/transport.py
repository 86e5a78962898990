"""Makes HTTP calls to the marketplace. Returns each answer, or raises the reason why none can be used."""

from __future__ import annotations

import asyncio
import html
import json
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, quote_plus

import aiohttp
import httpx
import structlog
from httpx_aiohttp import AiohttpTransport
from pydantic import SecretStr

from bot.clock import Clock, Witness, http_date
from bot.errors import GpubotError, MarketAway, RateLimited, TokenRefused
from bot.market import fields, wire
from bot.model.base import Frozen
from bot.net.sessions import through_proxy

T = TypeVar("T")
_log = structlog.get_logger("gpubot.market")

MAX_BODY = 16 * 1024 * 1024
"""The most bytes of an answer after decompression. The list of all offers of all vendors is far smaller."""
MAX_ON_LOOP = 256 * 1024
"""The most bytes of an answer that is decoded on the event loop. A larger answer is decoded in a thread, because
it would delay acknowledgements to Slack."""
_CHUNK = 64 * 1024
"""How many bytes are decompressed at once. A few kilobytes of gzip can hold megabytes."""
CONNECT_SECONDS = 10.0
QUEUE_SECONDS = 15.0
"""The longest time that a call waits for a free connection."""
CONNECTIONS = 100
MAX_RETRY_AFTER = 3600.0

_HEADERS = httpx.Headers({"User-Agent": "gpubot", "Accept": "application/json", "Accept-Encoding": "gzip"})
_YAML_HEADERS = httpx.Headers({**_HEADERS, "Content-Type": "application/yaml"})
_LIMITS = {"timeout": httpx.Timeout(None, connect=CONNECT_SECONDS, pool=QUEUE_SECONDS).as_dict()}
"""They only separate "not sent" from "no answer". `Transport.ask` limits the time of the whole call."""

_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
_NO_ANSWER = (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, OSError, EOFError, ValueError, RuntimeError)


@dataclass(frozen=True)
class Call:
    """An endpoint."""

    name: str
    """The endpoint's operationId."""
    buys: bool = False
    largest: int = MAX_BODY
    """How many bytes of an answer are read at most, after decompression and before decoding."""
    open_to_all: bool = False
    """Whether every valid token may call it, so that a 403 means that the token is refused (docs/compute-clear.md,
    "Token")."""


@dataclass(frozen=True)
class Answer:
    """An answer that doesn't refuse the token, doesn't ask to wait, and reports no fault of the server."""

    status: int
    content: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Timeouts(Frozen):
    """The longest time that a whole call may take, in real seconds."""

    procure: float = 75.0
    """The API may need most of a minute."""
    offers: float = 30.0
    """The API asks every vendor."""
    other: float = 15.0


TIMEOUTS = Timeouts()


_tls_context = cache(httpx.create_ssl_context)
"""Reads the certificates once in a process."""


def _session(**connections: Any) -> aiohttp.ClientSession:
    """Return an aiohttp session whose connector has these options. A loop has to run."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, **connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=[through_proxy],
    )
    # aiohttp repeats GET and DELETE if a connection breaks, and has no public switch for it. A deletion would be
    # sent twice unnoticed; only the engine may repeat a call.
    session._retry_connection = False
    return session


class Transport:
    """Makes calls to one API with one token at a time. It follows no redirect. It repeats a call only if the token
    was refused and another one is there by now: a call with a refused token did nothing.

    Each call that buys gets a new connection. If the server were just closing a pooled one, nobody would know
    whether the request arrived.
    """

    def __init__(
        self,
        base_url: str,
        token: SecretStr,
        clock: Clock,
        timeouts: Timeouts = TIMEOUTS,
        on_token: Callable[[bool], Awaitable[None]] | None = None,
        *,
        read_token: Callable[[], SecretStr] | None = None,
        on_call: Callable[[str, str], None] | None = None,
        witness: Witness | None = None,
    ) -> None:
        """`read_token` reads the token again when it is refused; it may raise GpubotError. `on_token` is called
        with whether the token is refused: after the first answer, and when that changes. `witness` reads the
        date of each answer.

        `on_call` is called for each call with its name and outcome: a class of status such as `2xx`, or
        `no_answer`. It is called again with `unusable` if the answer could not be used.
        """
        self._on_call = on_call
        self._witness = witness
        self._clock = clock
        self._timeouts = timeouts
        self._anomalies = wire.Anomalies()
        """For those who read the answers."""
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._tokens = {token}
        """Every token so far. A late answer may still repeat an earlier one."""
        self._redactor = Redactor(self._tokens)
        self._read_token = read_token
        self._on_token = on_token
        self._refused: bool | None = None
        self._pooled = AiohttpTransport(verify=_tls_context(), client=partial(_session, keepalive_timeout=30))
        self._unpooled = AiohttpTransport(verify=_tls_context(), client=partial(_session, force_close=True))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pooled.aclose()
        await self._unpooled.aclose()

    def use_token(self, token: SecretStr) -> bool:
        """Use this token from the next call on. Return whether it is another one than before."""
        if token == self._token:
            return False
        self._token = token
        self._tokens.add(token)
        self._redactor = Redactor(self._tokens)
        return True

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
        """Make the call, within that many real seconds.

        Raise TokenRefused for 401 and 403, and RateLimited for 429. Raise MarketAway for 3xx, 5xx, no answer, or a
        body that can't be read, with `may_have_bought` only if the call buys and may have been carried out.
        """

        def request() -> httpx.Request:
            made = httpx.Request(
                method,
                self._base_url + path,
                params=params,
                json=json,
                content=yaml,
                headers=_HEADERS if yaml is None else _YAML_HEADERS,
                extensions=_LIMITS,
            )
            # Each request gets the token. Nothing that lives longer has it, where a log or a repr could show it.
            made.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
            return made

        used = self._token
        response, content = await self._send(call, request(), seconds)
        if response.status_code == 401 and self._has_another_token(used):
            response, content = await self._send(call, request(), seconds)
        if response.status_code != 403 or call.open_to_all:
            await self._note_token(refused=response.status_code in {401, 403})
        return self._usable(call, response, content)

    async def _send(self, call: Call, request: httpx.Request, seconds: float) -> tuple[httpx.Response, bytes]:
        """Send the request once. Return the answer and its body, or raise MarketAway."""
        transport = self._unpooled if call.buys else self._pooled
        try:
            async with asyncio.timeout(seconds):
                before = self._clock.monotonic()
                response = await transport.handle_async_request(request)
                if self._witness is not None:
                    self._witness.note(response.headers, before)
                try:
                    encodings = response.headers.get_list("Content-Encoding", split_commas=True)
                    content = await _body(response.aiter_raw(), encodings, call.largest)
                finally:
                    await response.aclose()
        except _Unreadable as error:
            raise self.unusable(call, str(error)) from None
        except _NO_ANSWER as error:
            sent = not _was_not_sent(error)
            kind = type(error.__cause__ or error).__name__
            _log.warning("market.no_answer", call=call.name, error=kind, sent=sent)
            self._count(call, "no_answer")
            words = "Compute Clear didn't answer." if sent else "Compute Clear can't be reached."
            # `from None`, because the request in the cause contains the token.
            raise MarketAway(words, may_have_bought=call.buys and sent) from None
        self._count(call, f"{response.status_code // 100}xx")
        return response, content

    def _has_another_token(self, refused: SecretStr) -> bool:
        """Return whether there is another token than the one that was refused. Read the token again if there was
        none so far.
        """
        if self._token != refused or self._read_token is None:
            return self._token != refused
        try:
            found = self.use_token(self._read_token())
        except (GpubotError, OSError, ValueError) as error:
            # For example a file that is being replaced. The next refused call reads it.
            _log.warning("market.token_not_read", error=type(error).__name__)
            return False
        if found:
            _log.info("market.token_read")
        return found

    def _count(self, call: Call, outcome: str) -> None:
        if self._on_call is not None:
            self._on_call(call.name, outcome)

    async def _note_token(self, *, refused: bool) -> None:
        if self._on_token is None or refused == self._refused:
            return
        try:
            await self._on_token(refused)
        except GpubotError as error:
            # The answer is still used. The next one reports the token again.
            _log.warning("market.token_report_failed", error=type(error).__name__)
        else:
            self._refused = refused

    def _usable(self, call: Call, response: httpx.Response, content: bytes) -> Answer:
        status = response.status_code
        if 200 <= status < 300 or (400 <= status < 500 and status not in {401, 403, 408, 425, 429}):
            return Answer(status, content)
        _log.warning("market.refused", call=call.name, status=status)
        if status in {401, 403}:
            words = "Compute Clear rejects my API token. An admin can set a valid COMPUTE_CLEAR_TOKEN."
            raise TokenRefused(words, may_have_bought=call.buys and status != 401)
        wait = _retry_after(response.headers.get("Retry-After"), self._clock.real())
        if status == 429:
            raise RateLimited(
                "Compute Clear is limiting my requests.", retry_after=wait, may_have_bought=call.buys
            )
        words = f"Compute Clear reported an error ({status}){self._stated_reason(content)}."
        raise MarketAway(words, retry_after=wait, may_have_bought=call.buys)

    def _stated_reason(self, content: bytes) -> str:
        """Return a colon and the reason that an error answer states. Return an empty text if it states none."""
        if len(content) > MAX_ON_LOOP:
            return ""
        try:
            reason = wire.problem(self._decoded(content))
        except fields.NotJson:
            return ""
        return f": {reason.rstrip('.')}" if reason else ""

    def unusable(self, call: Call, why: str) -> MarketAway:
        """Return the error for an answer whose content is not what was asked for."""
        _log.warning("market.unusable", call=call.name, why=why)
        self._count(call, "unusable")
        return MarketAway("I can't read Compute Clear's answer.", may_have_bought=call.buys)

    async def read(self, call: Call, answer: Answer, reader: Callable[[object], T]) -> T:
        """Return what `reader` makes of an answer's JSON, in which the token is masked.

        Read a large answer in a thread. Raise MarketAway if the answer is no JSON, or can't be used.
        """

        def decode_and_read() -> T:
            return reader(self._decoded(answer.content))

        try:
            if len(answer.content) <= MAX_ON_LOOP:
                return decode_and_read()
            return await asyncio.to_thread(decode_and_read)
        except (fields.NotJson, wire.UnusableAnswer) as error:
            raise self.unusable(call, str(error)) from None

    def _decoded(self, content: bytes) -> object:
        return self._redactor.masked(fields.decode(content))


def _was_not_sent(error: BaseException) -> bool:
    """Return whether a request certainly did not reach the server.

    httpx's error classes don't show it: its transport over aiohttp reports a connection that broke after the
    request was sent as one that was never made. So look at aiohttp's own errors.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _NOT_SENT):
            return True
        cause = cause.__cause__
    return False


def _retry_after(header: str | None, real_now: datetime) -> float | None:
    """Return the real seconds of a Retry-After header, which has seconds or a date."""
    if header is None:
        return None
    seconds = fields.amount(header)
    if seconds is not None:
        return min(float(seconds), MAX_RETRY_AFTER)
    until = http_date(header)
    return None if until is None else min(max((until - real_now).total_seconds(), 0.0), MAX_RETRY_AFTER)


MASK = "[token]"
_MIN_LENGTH = 8
"""The fewest characters of a token that is masked. A shorter token is no protection, and may be a common word."""


class Redactor:
    """Masks the bot's tokens in answers, whose texts are stored and shown in Slack. A text may repeat a token
    unchanged, in a URL, in JSON within JSON, or in HTML.
    """

    def __init__(self, tokens: Iterable[SecretStr]) -> None:
        forms: set[str] = set()
        for token in tokens:
            secret = token.get_secret_value()
            if len(secret) >= _MIN_LENGTH:
                escaped = json.dumps(secret)[1:-1]
                forms |= {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
                forms |= {escaped, escaped.replace("/", "\\/")}
        longest_first = map(re.escape, sorted(forms, key=len, reverse=True))
        # Case is ignored: status words are stored in lower case, and %2f is the same as %2F.
        self._pattern = re.compile("|".join(longest_first) or "(?!)", re.IGNORECASE)

    def masked(self, value: object) -> object:
        """Return a decoded JSON value with the tokens masked in every text and key.

        Raise NotJson if it is nested too deeply.
        """
        try:
            return self._mask(value)
        except RecursionError as error:
            raise fields.NotJson("nested too deep") from error

    def _mask(self, value: object) -> object:
        if isinstance(value, str):
            return self._mask_text(value)
        if isinstance(value, list):
            return [self._mask(entry) for entry in value]
        if isinstance(value, dict):
            return {self._mask_text(name): self._mask(field) for name, field in value.items()}
        return value

    def _mask_text(self, text: str) -> str:
        # Invisible characters are dropped when a text is stored, which would join the parts of a token again.
        visible = text if text.isprintable() else "".join(c for c in text if c.isprintable() or c.isspace())
        return self._pattern.sub(MASK, visible) if self._pattern.search(visible) else text


# --- bodies


class _Decompressor(Protocol):
    """The type that `zlib.decompressobj` returns. The standard library has no public name for it."""

    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Unreadable(ValueError):
    """The body is too large, cut off, or has an encoding that was not asked for. The text says which."""


async def _body(chunks: AsyncIterator[bytes], encodings: Sequence[str], max_size: int) -> bytes:
    """Return the decompressed body of raw `chunks`.

    `encodings` are the words of Content-Encoding. Raise _Unreadable unless there are none, or one gzip. Also raise
    it as soon as the body is larger than `max_size` bytes, before or after decompression.
    """
    words = [word.strip().lower() for word in encodings if word.strip().lower() not in {"", "identity"}]
    if words not in ([], ["gzip"]):
        raise _Unreadable("an encoding that I did not ask for")
    gzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if words else None
    content = bytearray()
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > max_size:
            raise _Unreadable("too large")
        if gzip is None:
            content += chunk
        else:
            _decompress(gzip, chunk, content, max_size)
    if gzip is not None and received and not gzip.eof:
        raise _Unreadable("a gzip that is cut")
    return bytes(content)


def _decompress(gzip: _Decompressor, chunk: bytes, content: bytearray, max_size: int) -> None:
    """Append the decompressed bytes of `chunk` to `content`."""
    while chunk:
        if gzip.eof:
            raise _Unreadable("more than one gzip")
        try:
            output = gzip.decompress(chunk, _CHUNK)
            while output:  # zlib can withhold output when all of its input is consumed
                content += output
                if len(content) > max_size:
                    raise _Unreadable("too large")
                output = gzip.decompress(gzip.unconsumed_tail, _CHUNK)
        except zlib.error as error:
            raise _Unreadable("no gzip") from error
        chunk = gzip.unused_data
