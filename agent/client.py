"""The client of the REST API.

Every call can be repeated without buying or adding anything twice: a rental has its idempotency key, and an
extension names the new end. The client therefore repeats a call whose answer it doesn't know.
"""

from __future__ import annotations

import asyncio
import copy
import json
import shlex
import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Generic, NoReturn, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from agent.settings import Address, Settings
from bot.clock import Clock
from bot.errors import GpubotError, Mistake
from bot.model.api import (
    ApiModel,
    ExtendRequest,
    Login,
    LoginRequest,
    Problem,
    Quote,
    Rental,
    RentalRequest,
    Rentals,
    Token,
)
from bot.model.text import for_terminal

SECONDS = 30.0
"""The time in seconds (wall clock) to wait for an answer."""
CONNECT_SECONDS = 10.0
PATIENCE = 60.0
"""The time in seconds (wall clock) for which a call is repeated if the API doesn't answer."""
LONGEST_PAUSE = 15.0
"""The longest time in seconds between two tries, unless the API asks for a longer one."""
LARGEST_ANSWER = 4 * 1024 * 1024
BEYOND_TERMS = frozenset({"beyond-terms", "over-budget", "refused"})
"""The kinds of problems that mean: the request exceeds the token's terms, or its owner's limits and budgets.

A kind is the last part of a problem's type.
"""
_TRY_AGAIN = frozenset({429, 502, 503, 504})
"""The HTTP statuses after which the same call can succeed.

The API gets too many requests, it can't answer at the moment, or a proxy can't reach it.
"""

M = TypeVar("M", bound=ApiModel)


class ApiAway(GpubotError):
    """The API gave no usable answer. It may have received the request and acted on it."""


class ApiRefused(GpubotError):
    """The API refused a request, or answered with an error.

    Args:
        words: The reason, as the API gave it.
        status: The HTTP status.
        kind: The last part of the problem's type, such as `beyond-terms`. Empty if the answer has no type.
        body: The problem as the API sent it. None if the answer has no body that can be read.
    """

    def __init__(self, words: str, *, status: int, kind: str = "", body: Any = None) -> None:
        super().__init__(words)
        self.status = status
        self.kind = kind
        self.body = body

    @property
    def temporary(self) -> bool:
        """True if the same request can succeed later, because the API failed or had too much to do."""
        return self.status >= 500 or self.status == 429


@dataclass(frozen=True)
class Answer(Generic[M]):
    """An answer of the API."""

    value: M
    body: Any
    """The answer as the API sent it, with all fields, also those that this version doesn't know."""


def open_connections(address: Address) -> httpx.AsyncClient:
    """Return connections to the API, which clients with different tokens can share. The caller closes them.

    The connections store neither tokens nor cookies, so no client sends those of another client.
    """
    try:
        return httpx.AsyncClient(
            base_url=address.url,
            headers={
                "Accept": "application/json, application/problem+json",
                "Accept-Encoding": "identity",
                "User-Agent": "gpubot-agent",
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx.Timeout(SECONDS, connect=CONNECT_SECONDS),
            # A redirect would send the token to another address.
            follow_redirects=False,
            # A proxy could read the token in a plain request to this machine.
            trust_env=not address.loopback,
            transport=_transport(address),
        )
    except (ValueError, ImportError):
        raise Mistake(
            "HTTPS_PROXY or ALL_PROXY isn't the address of a proxy that I can use. Write it as http://HOST:PORT."
        ) from None


class Client:
    """Calls the API with a token.

    Args:
        settings: The address and the token. For a login, which needs no token, the address alone.
        clock: Measures the pauses between two tries.
        notice: Called with a sentence before a call is repeated, so that people know why the call takes longer.
        connections: Connections that this client shares with others. If None, the client opens its own, and
            closes them when it is left as a context manager.

    All calls raise ApiAway if the API doesn't answer for `PATIENCE` seconds, and ApiRefused if it answers with an
    error. The messages never contain the token.
    """

    def __init__(
        self,
        settings: Settings | Address,
        clock: Clock,
        notice: Callable[[str], None],
        *,
        connections: httpx.AsyncClient | None = None,
    ) -> None:
        address, token = settings if isinstance(settings, Settings) else (settings, None)
        self._address = address
        self._token = token
        self.clock = clock
        self._notice = notice
        self.ends: float | None = None
        """The time by which all calls end, as a reading of `clock.monotonic()`. None if there is no such time."""
        self._stack = AsyncExitStack()
        self._shared = connections is not None
        self._http = open_connections(address) if connections is None else connections

    async def __aenter__(self) -> Self:
        if not self._shared:
            await self._stack.enter_async_context(self._http)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def within(self, seconds: float) -> Client:
        """Return a client with the same token and connections whose calls all end within `seconds` from now.

        The time is wall-clock time. A call that isn't answered by then raises ApiAway.
        """
        limited = copy.copy(self)
        limited.ends = self.clock.monotonic() + seconds
        return limited

    async def rent(self, request: RentalRequest | Mapping[str, Any], key: str | None) -> Answer[Rental]:
        """Request a machine, or find the rental that was requested with the same key before.

        A mapping is sent unchanged, and the API checks it. `key` is None if the request says `reuse` instead.
        """
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self._call("POST", "/v1/rentals", Rental, body=_body(request), headers=headers)

    async def rental(self, rental_id: str) -> Answer[Rental]:
        """Return a rental."""
        return await self._call("GET", _path(rental_id), Rental)

    async def changed(self, rental: Rental, *, wait: int, patience: float = PATIENCE) -> Answer[Rental]:
        """Return a rental once it has left its present state.

        Args:
            rental: The rental in its last known state.
            wait: The number of seconds after which the API answers even if the state is the same.
            patience: The time in seconds (wall clock) for which the call is repeated if the API doesn't answer.
        """
        parameters = {"wait": str(wait), "state": rental.state.value}
        return await self._call(
            "GET", _path(rental.id), Rental, parameters=parameters, wait=wait, patience=patience
        )

    async def rentals(self, key: str | None = None) -> Answer[Rentals]:
        """Return the rentals that the token may see. With `key`, only the rental that has this key."""
        return await self._call("GET", "/v1/rentals", Rentals, parameters={} if key is None else {"key": key})

    async def quote(self, **parameters: str) -> Answer[Quote]:
        """Return the offers that fit a request now. Nothing is rented or reserved.

        `parameters` are those of `GET /v1/quote`, such as `words`.
        """
        return await self._call("GET", "/v1/quote", Quote, parameters=parameters)

    async def token(self) -> Answer[Token]:
        """Return the terms of the token, and what is left of them."""
        return await self._call("GET", "/v1/token", Token)

    async def begin_login(self, request: LoginRequest) -> Answer[Login]:
        """Ask for a token. A person then types the code of the answer in Slack.

        A repeated call begins another login. The first login then expires unused, because nobody sees its code.
        """
        return await self._call("POST", "/v1/logins", Login, body=request.model_dump(mode="json"))

    async def login(self, login_id: str, *, patience: float = PATIENCE) -> Answer[Login]:
        """Return a login: its state, and the encrypted secret once the token was made."""
        return await self._call("GET", f"/v1/logins/{quote(login_id, safe='')}", Login, patience=patience)

    async def heartbeat(self, rental_id: str) -> Answer[Rental]:
        """Report that the program of a rental is alive."""
        return await self._call("POST", _path(rental_id, "heartbeat"), Rental)

    async def extend(self, rental_id: str, request: ExtendRequest | Mapping[str, Any]) -> Answer[Rental]:
        """Change the end of a lease to a later one. A mapping is sent unchanged, and the API checks it."""
        return await self._call("POST", _path(rental_id, "extend"), Rental, body=_body(request))

    async def release(
        self, rental_id: str, *, at_once: bool = False, patience: float = PATIENCE
    ) -> Answer[Rental]:
        """End a rental: after its `/root/on-ending.sh`, or `at_once`."""
        parameters = {"now": "true"} if at_once else {}
        return await self._call("DELETE", _path(rental_id), Rental, parameters=parameters, patience=patience)

    async def _call(
        self,
        method: str,
        path: str,
        model: type[M],
        *,
        parameters: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        wait: int = 0,
        patience: float = PATIENCE,
    ) -> Answer[M]:
        request = self._http.build_request(
            method,
            path,
            params=parameters or None,
            json=body,
            headers={**self._authorization(), **(headers or {})},
            timeout=httpx.Timeout(SECONDS + wait, connect=CONNECT_SECONDS),
        )
        until, pause = self.clock.monotonic() + patience, 1.0
        if self.ends is not None:
            until = min(until, self.ends)
        while True:
            asked = 0.0
            try:
                answer, content = await self._send(request)
            except TimeoutError:
                raise ApiAway(f"{self._address} doesn't answer: no answer in time.") from None
            except httpx.RequestError as error:
                trouble = _trouble(error)
                if trouble is None:
                    raise ApiAway(f"{self._address} can't be used: {_lasting(error)}.") from None
                if self.clock.monotonic() + pause > until:
                    raise ApiAway(f"{self._address} doesn't answer: {trouble}.") from None
            else:
                if answer.status_code not in _TRY_AGAIN:
                    return self._read(answer, content, model)
                trouble = f"it answered {answer.status_code}"
                asked = _retry_after(answer)
                if self.clock.monotonic() + max(pause, asked) > until:
                    self._refuse(answer, content)
            self._notice(f"{self._address} doesn't answer ({trouble}). Trying again.")
            await self.clock.pause(max(pause, asked))
            pause = min(pause * 2, LONGEST_PAUSE)

    def _authorization(self) -> dict[str, str]:
        return {} if self._token is None else {"Authorization": f"Bearer {self._token.get_secret_value()}"}

    async def _send(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        """Send a request and read the whole answer.

        Raises RequestError if there is no whole answer, and TimeoutError if the time of this client is over.
        """
        content = bytearray()
        async with asyncio.timeout(None if self.ends is None else max(self.ends - self.clock.monotonic(), 0)):
            answer = await self._http.send(request, stream=True)
            try:
                async for part in answer.aiter_raw():
                    content += part
                    if len(content) > LARGEST_ANSWER:
                        raise ApiAway(f"The answer of {self._address} is too long. Is it gpubot's API?")
            finally:
                await answer.aclose()
        return answer, bytes(content)

    def _read(self, answer: httpx.Response, content: bytes, model: type[M]) -> Answer[M]:
        if not answer.is_success:
            self._refuse(answer, content)
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            raise ApiAway(f"{self._address} doesn't answer as gpubot's API does. Check GPUBOT_API_URL.") from None
        try:
            # A newer server may send more fields than this version knows.
            return Answer(model.model_validate_json(content, extra="ignore"), body)
        except ValidationError:
            raise ApiAway(
                f"{self._address} answers in a form that I can't read. Use the gpubot version that the server has."
            ) from None

    def _refuse(self, answer: httpx.Response, content: bytes) -> NoReturn:
        """Raise ApiRefused for an answer that is an error."""
        status = answer.status_code
        if answer.is_redirect:
            where = "another address, and the token is sent only to the address that you named"
            raise ApiRefused(f"{self._address} redirects to {where}. Check GPUBOT_API_URL.", status=status)
        try:
            problem = Problem.model_validate_json(content, extra="ignore")
        except ValidationError:
            raise ApiRefused(_without_reason(status, self._address), status=status) from None
        words = for_terminal(problem.detail or problem.title or _without_reason(status, self._address))
        kind = problem.type.rstrip("/").rpartition("/")[2]
        raise ApiRefused(words, status=status, kind=kind, body=json.loads(content))


def _transport(address: Address) -> httpx.AsyncBaseTransport | None:
    return None if address.socket is None else httpx.AsyncHTTPTransport(uds=address.socket)


def _body(request: ApiModel | Mapping[str, Any]) -> Any:
    if isinstance(request, ApiModel):
        return request.model_dump(mode="json", exclude_defaults=True)
    return dict(request)


def _path(rental_id: str, *more: str) -> str:
    return "/".join(("/v1/rentals", quote(rental_id, safe=""), *more))


def _without_reason(status: int, address: Address) -> str:
    if status == 401:
        return "This token isn't valid. Ask the person who gave it to you for a new one."
    if status == 403:
        return "This token isn't allowed to do that."
    if status == 429:
        return "The API gets too many requests with this token. Try again in a minute."
    if status in {404, 405}:
        return f"{address} doesn't answer as gpubot's API does ({status}). Check GPUBOT_API_URL."
    return f"{address} answered {status} without a reason."


def _retry_after(answer: httpx.Response) -> float:
    """Return the number of seconds that the API asks to wait. 0 if it doesn't ask for any."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0


def _trouble(error: httpx.RequestError) -> str | None:
    """Return why there is no answer, such as `connection refused`. None if another try would fail, too."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return None
    causes = _causes(error)
    if any(isinstance(cause, ssl.SSLCertVerificationError | PermissionError) for cause in causes):
        return None
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "connection refused"
    if any(isinstance(cause, FileNotFoundError) for cause in causes):
        return "there is no such socket"
    if isinstance(error, httpx.ProxyError):
        return "the proxy refuses the connection"
    return "no connection" if isinstance(error, httpx.ConnectError) else "the connection broke"


def _lasting(error: httpx.RequestError) -> str:
    """Return why a call fails however often it is repeated."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                "its certificate isn't trusted here. If it's your own authority's, name its file in SSL_CERT_FILE"
            )
        if isinstance(cause, PermissionError):
            return "you aren't allowed to open it. Ask an admin to add you to the socket's group"
    return "the request can't be sent"


def _causes(error: BaseException) -> list[BaseException]:
    """Return the error and all errors that led to it."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in found:
            found.append(one)
            waiting += [
                one.__cause__,
                one.__context__,
                *(one.exceptions if isinstance(one, BaseExceptionGroup) else ()),
            ]
    return found


class Which:
    """A rental that a command names by its ID or by its key."""

    def __init__(self, rental_id: str | None, key: str | None) -> None:
        self._id = rental_id
        self._key = key

    def __str__(self) -> str:
        """Return the arguments that name the rental in a command."""
        return self._id if self._key is None and self._id is not None else f"--key {shlex.quote(self._key or '')}"

    async def find(self, client: Client) -> str:
        """Return the ID of the rental.

        Raises Mistake if no rental has this key.
        """
        if self._id is None and self._key is not None:
            found = (await client.rentals(self._key)).value.rentals
            if not found:
                raise Mistake(f"No rental of this token has the key {self._key}.")
            self._id = found[0].id
        return self._id or ""
