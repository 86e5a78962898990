"""Makes HTTP calls to Compute Clear. If there is no answer, the error that is raised names the reason."""

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
"""The maximum size in bytes of a decompressed answer. The list of all vendors' offers is far smaller."""
MAX_ON_LOOP = 256 * 1024
"""The maximum size in bytes of an answer that is decoded on the event loop.

Larger answers are decoded in a thread, because decoding them on the event loop would delay acknowledgements to
Slack.
"""
_CHUNK = 64 * 1024
"""The maximum number of bytes to produce at once when decompressing. A few kilobytes can expand to megabytes."""
CONNECT_SECONDS = 10.0
QUEUE_SECONDS = 15.0
"""The maximum time that a call waits for a free connection."""
CONNECTIONS = 100
MAX_RETRY_AFTER = 3600.0

_HEADERS = httpx.Headers({"User-Agent": "gpubot", "Accept": "application/json", "Accept-Encoding": "gzip"})
_YAML_HEADERS = httpx.Headers({**_HEADERS, "Content-Type": "application/yaml"})
_LIMITS = {"timeout": httpx.Timeout(None, connect=CONNECT_SECONDS, pool=QUEUE_SECONDS).as_dict()}
"""Timeouts for getting a connection. If one of them expires, it is certain that the request wasn't sent.

The time of the whole call is limited by `Transport.ask`.
"""

_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
_NO_ANSWER = (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, OSError, EOFError, ValueError, RuntimeError)


@dataclass(frozen=True)
class Call:
    """An endpoint of Compute Clear's API."""

    name: str
    """The operationId of the endpoint."""
    buys: bool = False
    largest: int = MAX_BODY
    """The maximum size in bytes of an answer, after decompression and before decoding."""
    open_to_all: bool = False
    """True if every valid token is allowed to call this endpoint.

    A 403 then means that the token is refused (docs/compute-clear.md, "Token").
    """


@dataclass(frozen=True)
class Answer:
    """An answer that the caller can interpret.

    Compute Clear has accepted the token, and reports neither a rate limit nor an internal error. The status is
    2xx, or a 4xx whose meaning depends on the call.
    """

    status: int
    content: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Timeouts(Frozen):
    """The maximum time of a whole call in seconds (wall clock)."""

    procure: float = 75.0
    """The limit for buying a machine. It is the longest, because the API may need almost a minute."""
    offers: float = 30.0
    """The limit for reading offers. It is longer than most, because the API queries every vendor."""
    other: float = 15.0


TIMEOUTS = Timeouts()


_tls_context = cache(httpx.create_ssl_context)
"""Return the TLS context. Its certificates are loaded only once per process."""


def _session(**connections: Any) -> aiohttp.ClientSession:
    """Create an aiohttp session whose connector has these options. An event loop must be running."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, **connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=[through_proxy],
    )
    # If a connection breaks, aiohttp sends a GET or DELETE request again by default, and the bot wouldn't notice
    # that a deletion was sent twice. Switch this off, because only the bot's engine may decide to repeat a call.
    # aiohttp has no public option for this purpose.
    session._retry_connection = False
    return session


class Transport:
    """Makes calls to one API, with one token at a time.

    Redirects are not followed. A failed call is not repeated, with one exception: if the token was refused and
    there is now a different token, the call is made once more with the new token. This is safe, because a call
    with a refused token has no effect.

    Each call that buys something uses a new connection. A pooled connection could be closed by the server at the
    moment at which the request is sent. Nobody would then know whether the request had arrived.
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
        """Create a client for the API at `base_url`.

        Args:
            base_url: The address of the API.
            token: The token to begin with.
            clock: The bot's clock.
            timeouts: The limits for each kind of call.
            on_token: Called after the first answer, and whenever Compute Clear begins to refuse or accept the
                token. The argument is True if Compute Clear refuses the token.
            read_token: Reads the token again after it has been refused. It can raise GpubotError.
            on_call: Called for each call with its name and its outcome. The outcome is a class of statuses such as
                `2xx`, or `no_answer`. If there is an answer that can't be used, `on_call` is called a second time,
                with `unusable`.
            witness: Follows Compute Clear's clock, using the `Date` header of each answer.
        """
        self._on_call = on_call
        self._witness = witness
        self._clock = clock
        self._timeouts = timeouts
        self._anomalies = wire.Anomalies()
        """Logs whatever the bot doesn't understand in the market's answers."""
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._tokens = {token}
        """All tokens that were ever set. They are masked in answers, which may still contain a previous token."""
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
        """Use this token for all future calls. Returns whether it differs from the previous token."""
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
        """Make a call that takes at most `seconds` of wall-clock time, and return the answer.

        Raises:
            TokenRefused: The status is 401 or 403.
            RateLimited: The status is 429.
            MarketAway: The status is 3xx or 5xx, there is no answer, or its body can't be read. `may_have_bought`
                is true if the call buys something and may have been carried out.
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
            # Add the API token to each request separately. In the headers of a client, which lives as long as the
            # process, the token could appear in a log or in a repr.
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
        """Send the request once, and return the answer with its body. Raises MarketAway if there is no answer."""
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
            message = "Compute Clear didn't answer." if sent else "Compute Clear can't be reached."
            # `from None` hides the original error in the traceback. That error refers to the request, which
            # contains the API token.
            raise MarketAway(message, may_have_bought=call.buys and sent) from None
        self._count(call, f"{response.status_code // 100}xx")
        return response, content

    def _has_another_token(self, refused: SecretStr) -> bool:
        """Return whether there is a token other than the refused one. If necessary, read the token again."""
        if self._token != refused or self._read_token is None:
            return self._token != refused
        try:
            found = self.use_token(self._read_token())
        except (GpubotError, OSError, ValueError) as error:
            # Somebody may be replacing the token file at this very moment. Ignore the error: the file is read
            # again the next time the API refuses the token.
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
            # The API's answer can be used even if `on_token` fails, so don't let the call fail. `_refused` keeps
            # its value, so `on_token` is called again after the next answer.
            _log.warning("market.token_report_failed", error=type(error).__name__)
        else:
            self._refused = refused

    def _usable(self, call: Call, response: httpx.Response, content: bytes) -> Answer:
        status = response.status_code
        if 200 <= status < 300 or (400 <= status < 500 and status not in {401, 403, 408, 425, 429}):
            return Answer(status, content)
        _log.warning("market.refused", call=call.name, status=status)
        if status in {401, 403}:
            message = "Compute Clear rejects my API token. An admin can set a valid COMPUTE_CLEAR_TOKEN."
            raise TokenRefused(message, may_have_bought=call.buys and status != 401)
        wait = _retry_after(response.headers.get("Retry-After"), self._clock.real())
        if status == 429:
            raise RateLimited(
                "Compute Clear is limiting my requests.", retry_after=wait, may_have_bought=call.buys
            )
        message = f"Compute Clear reported an error ({status}){self._stated_reason(content)}."
        raise MarketAway(message, retry_after=wait, may_have_bought=call.buys)

    def _stated_reason(self, content: bytes) -> str:
        """Return the reason in the body of an error response, with `: ` before it. Empty if there is no reason."""
        if len(content) > MAX_ON_LOOP:
            return ""
        try:
            reason = wire.problem(self._decoded(content))
        except fields.NotJson:
            return ""
        return f": {reason.rstrip('.')}" if reason else ""

    def unusable(self, call: Call, why: str) -> MarketAway:
        """Log that an answer's content isn't what the call should return, and create the error to raise."""
        _log.warning("market.unusable", call=call.name, why=why)
        self._count(call, "unusable")
        return MarketAway("I can't read Compute Clear's answer.", may_have_bought=call.buys)

    async def read(self, call: Call, answer: Answer, reader: Callable[[object], T]) -> T:
        """Decode an answer's JSON, mask the token in it, and parse it with `reader`.

        Large answers are processed in a thread. Raises MarketAway if the answer isn't JSON or can't be used.
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
    """Return whether a request certainly didn't reach the server.

    httpx raises one kind of error for two cases: the connection failed before the request was sent, or it broke
    afterwards. The cause of the error is an error of aiohttp. Its class tells the two cases apart.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _NOT_SENT):
            return True
        cause = cause.__cause__
    return False


def _retry_after(header: str | None, real_now: datetime) -> float | None:
    """Return the value of a Retry-After header in seconds. The header contains seconds or a date."""
    if header is None:
        return None
    seconds = fields.amount(header)
    if seconds is not None:
        return min(float(seconds), MAX_RETRY_AFTER)
    until = http_date(header)
    return None if until is None else min(max((until - real_now).total_seconds(), 0.0), MAX_RETRY_AFTER)


MASK = "[token]"
_MIN_LENGTH = 8
"""The minimum length of a token that is masked.

A shorter token isn't a real secret, and masking it could replace ordinary words.
"""


class Redactor:
    """Masks the bot's tokens in answers, because text from answers is stored and shown in Slack.

    Tokens that are escaped for a URL, for HTML, or for JSON inside JSON are found too.
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
        # Ignore case when searching texts for tokens. Some texts are stored in lower case, and the case of
        # hexadecimal digits in a URL doesn't matter: `%2f` and `%2F` are the same.
        self._pattern = re.compile("|".join(longest_first) or "(?!)", re.IGNORECASE)

    def masked(self, value: object) -> object:
        """Mask the tokens in all texts and keys of a decoded JSON value.

        Raises NotJson if the value is nested too deeply.
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
        # Remove invisible characters before searching for tokens. When a text is stored, these characters are
        # removed in any case. A token that was split by an invisible character would otherwise not be found here,
        # and would be complete in the stored text.
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
    """The body is too large, incomplete, or has an unexpected encoding. The error's text names the problem."""


async def _body(chunks: AsyncIterator[bytes], encodings: Sequence[str], max_size: int) -> bytes:
    """Read a body from its raw chunks, and decompress it.

    Args:
        chunks: The parts of the body as they arrive.
        encodings: The values of the Content-Encoding header.
        max_size: The maximum size in bytes, before and after decompression.

    Raises:
        _Unreadable: The body is too large or incomplete, or its encoding is neither `identity` nor `gzip`.
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
    """Decompress a chunk, and append the result to `content`."""
    while chunk:
        if gzip.eof:
            raise _Unreadable("more than one gzip")
        try:
            output = gzip.decompress(chunk, _CHUNK)
            while output:  # even after zlib has consumed all of its input, it may have more output
                content += output
                if len(content) > max_size:
                    raise _Unreadable("too large")
                output = gzip.decompress(gzip.unconsumed_tail, _CHUNK)
        except zlib.error as error:
            raise _Unreadable("no gzip") from error
        chunk = gzip.unused_data
