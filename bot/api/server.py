"""The server of the REST API on GPUBOT_API. Programs rent machines with it (docs/api.md).

The server is plain HTTP; a proxy can add TLS. Each request is authenticated before its body is read, except for
the two requests of logins (bot/api/logins.py). The handlers parse, call the same actions as Slack's buttons, and
describe the result. They decide nothing.

Once a request is committed, it is carried out even if the client has closed the connection. If the client repeats
the request with the same idempotency key, it finds the result.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import structlog
from aiohttp import web

from bot.api import openapi
from bot.api.answers import LOGINS, PATH, json_response, quote_answer, rental_answer, token_answer
from bot.api.logins import Logins
from bot.api.problems import (
    BUG,
    NOT_ALLOWED,
    TOO_FAST,
    UNKNOWN,
    WRONG_METHOD,
    ApiProblem,
    problem_of,
)
from bot.api.reading import (
    RENTAL_ID,
    ListQuery,
    NoQuery,
    QuoteQuery,
    ReleaseQuery,
    ShowQuery,
    check_extension,
    read_body,
    read_key,
    read_query,
    read_request,
    receive,
    refuse_secrets,
)
from bot.api.waits import Waits
from bot.config.settings import Network
from bot.errors import (
    GpubotError,
    InvalidToken,
    MarketAway,
    Refused,
    TooLate,
    UnknownRental,
    Unusable,
    WrongClock,
    bug_number,
)
from bot.lifecycle.actions import callers, program_queries, programs, tokens
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.callers import Caller
from bot.lifecycle.actions.quoting import Prices
from bot.lifecycle.deps import Deps, with_newest_rules
from bot.model import api
from bot.model.offer import Catalog
from bot.model.rental import Rental
from bot.model.summary import ProgramView
from bot.model.token import Access
from bot.net.http_listener import LOOK_EVERY, HttpListener, RefusedRequests
from bot.net.socket_file import listen
from bot.policy.buying.programs import key_in_use
from bot.tracebacks import parts_of
from handlers.listeners.context import Pace

SETTING = "GPUBOT_API"
MOST_BYTES = 64 * 1024
"""The maximum size of a body."""
REQUEST_SECONDS = 10.0
"""The limit for receiving the headers of a request, in wall-clock seconds. The body has the same limit."""
PER_MINUTE = 60
"""The number of requests that a token can send in a minute, apart from heartbeats and releases."""
MOST_CONNECTIONS = 300
"""The maximum number of open connections. Further ones are closed at once.

Otherwise, whoever reaches the address could use up all file descriptors of the process, which the connections to
Slack, the database and the machines need, too.
"""
DRAIN = 3.0
"""The time in wall-clock seconds that open requests have to end when the process stops."""
_CHANGES = frozenset({"POST", "DELETE"})
_ROUTE = web.RequestKey("route", str)
_TOKEN = web.RequestKey("token", str)
_OWNER = web.RequestKey("owner", str)

log = structlog.get_logger("gpubot.api")

Answer: TypeAlias = web.Response
AuthenticatedHandler: TypeAlias = Callable[["Call"], Awaitable[Answer]]


@dataclass(frozen=True)
class Outside:
    """The parts of the process that the API needs."""

    deps: Deps
    catalog: Callable[[], Catalog | None]
    """Returns the most recently read catalogue without waiting, or None before the first read."""
    prices: Prices
    """Looks up offers."""
    proxies: Sequence[Network] = ()
    """The addresses of the proxies whose header X-Forwarded-For is believed."""


@dataclass(frozen=True)
class Call:
    """An authenticated request."""

    request: web.Request
    caller: Caller
    deps: Deps
    """The dependencies, with the rules in force when the request arrived."""

    @property
    def rental_id(self) -> str:
        """The rental's ID in the path. Raises UnknownRental if no rental can have it."""
        rental_id = self.request.match_info["id"]
        if not RENTAL_ID.fullmatch(rental_id):
            raise UnknownRental
        return rental_id


@asynccontextmanager
async def serve(address: str, path: Path | None, outside: Outside, stop: asyncio.Event) -> AsyncIterator[None]:
    """Serve the API until the end of the block.

    When `stop` is set, the server answers all waiting requests and accepts no further connections.

    Args:
        address: The setting: HOST:PORT, or the path of a socket.
        path: The path of the socket. None if the server listens on a port.
        outside: The parts of the process that the API needs.
        stop: An event that is set when the process stops.

    Raises:
        Unusable: The address can't be used.
    """
    server = ApiServer(outside)
    try:
        await server.listen(address if path is None else listen(path, SETTING, for_group=True))
    except OSError as error:
        raise Unusable(f"{SETTING}: I can't listen on {address}: {error.strerror}.") from None

    async def stop_early() -> None:
        await stop.wait()
        _end(server, path)

    stopping = asyncio.create_task(stop_early())
    try:
        yield
    finally:
        stopping.cancel()
        _end(server, path)
        await server.close()


def _end(server: ApiServer, path: Path | None) -> None:
    """Stop listening. Remove the socket at once, because another process may create one with the same path."""
    if server.listening and path is not None:
        path.unlink(missing_ok=True)
    server.stop()


class ApiServer:
    """The server of one process."""

    def __init__(self, outside: Outside, *, request_seconds: float = REQUEST_SECONDS) -> None:
        self._outside = outside
        self._clock = outside.deps.clock
        self._request_seconds = request_seconds
        self.pace = Pace(at_once=PER_MINUTE, per_second=PER_MINUTE / 60)
        self.waits = Waits(outside.deps.store, self._clock)
        self._strangers = RefusedRequests("http.refused", self._clock, server=SETTING)
        self._document = openapi.document()
        self._application = application = web.Application(middlewares=[self._with_problems])
        rental = f"{PATH}/{{id}}"
        for method, path, handler, free in (
            ("POST", PATH, self._rent, False),
            ("GET", PATH, self._list, False),
            ("GET", rental, self._show, False),
            ("DELETE", rental, self._release, True),
            ("POST", f"{rental}/heartbeat", self._heartbeat, True),
            ("POST", f"{rental}/extend", self._extend, False),
            ("GET", "/v1/quote", self._quote, False),
            ("GET", "/v1/token", self._token, False),
        ):
            application.router.add_route(method, path, self._authenticated(path, handler, at_any_pace=free))
        self.logins = Logins(outside.deps, outside.proxies, request_seconds)
        application.router.add_route("POST", LOGINS, self.logins.begin)
        application.router.add_route("GET", f"{LOGINS}/{{id}}", self.logins.show)
        application.router.add_route("GET", openapi.PATH, self._openapi)
        self._listener = HttpListener(
            application,
            SETTING,
            self._clock,
            request_seconds=request_seconds,
            most_connections=MOST_CONNECTIONS,
            shutdown_seconds=LOOK_EVERY,
        )

    @property
    def routes(self) -> set[tuple[str, str]]:
        """The method and the path of each request that the server answers."""
        routes = self._application.router.routes()
        return {(route.method, route.resource.canonical) for route in routes if route.resource is not None}

    @property
    def listening(self) -> bool:
        return self._listener.listening

    @property
    def addresses(self) -> list[Any]:
        return self._listener.addresses

    async def listen(self, address: str | socket.socket) -> None:
        """Start listening. Raises OSError if the address can't be used.

        From now on, this process expects heartbeats.
        """
        await self._listener.listen(address)
        self._outside.deps.door.open_since = self._clock.now()

    def stop(self) -> None:
        """Answer all waiting requests, and accept no further connections."""
        self._outside.deps.door.open_since = None
        self.waits.stop()
        self._listener.stop_listening()

    async def close(self) -> None:
        self.stop()
        await self._listener.drain(DRAIN)
        await self._listener.close()

    # --- every request

    @web.middleware
    async def _with_problems(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer errors with problems, and log the request without anything that the program sent.

        Requests without a valid token are logged only once a minute for each status, because anyone can send them.
        """
        number = ""
        try:
            response = await handler(request)
        except ApiProblem as problem:
            response = problem.response()
        except GpubotError as error:
            response = problem_of(error, self._clock.now(), request.get(_OWNER, "")).response(
                _instance(request, error)
            )
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            words = f"This path supports {allowed}. {openapi.PATH} describes all requests."
            response = ApiProblem(WRONG_METHOD, words, headers={"Allow": allowed}).response()
        except web.HTTPNotFound:
            words = f"There is nothing at this path. {openapi.PATH} describes all requests."
            response = ApiProblem(UNKNOWN, words).response()
        except Exception as error:
            number = bug_number()
            log.error("bug", number=number, error=type(error).__name__, raised=parts_of(error))
            words = f"Give an admin this number: {number}. If you repeat this, use the same key."
            response = ApiProblem(BUG, words).response()
        if _TOKEN in request:
            log.info(
                "api",
                method=request.method,
                route=request[_ROUTE],
                status=response.status,
                token=request[_TOKEN],
            )
        elif response.status >= 400:
            self._strangers.note(str(response.status))
        return response

    def _authenticated(
        self, route: str, handler: AuthenticatedHandler, *, at_any_pace: bool
    ) -> Callable[[web.Request], Awaitable[Answer]]:
        """Wrap a handler so that it only runs if the token works now, and if it hasn't sent too many requests.

        Requests without a valid token aren't counted, so they take up no memory.
        """

        async def checked(request: web.Request) -> Answer:
            request[_ROUTE] = route
            deps = with_newest_rules(self._outside.deps)
            caller = await callers.caller_of(deps, _secret(request))
            request[_TOKEN], request[_OWNER] = caller.token.id, caller.person.name
            seconds = 0 if at_any_pace else self.pace.wait(caller.token.id, self._clock.monotonic())
            if seconds:
                words = (
                    f"A token can send {PER_MINUTE} requests a minute. Nothing was done. Ask again in {seconds} s."
                )
                raise ApiProblem(TOO_FAST, words, headers={"Retry-After": str(seconds)})
            if request.method in _CHANGES and not deps.may_claim():
                raise WrongClock
            return await handler(Call(request, caller, deps))

        return checked

    # --- the requests

    async def _rent(self, call: Call) -> Answer:
        read_query(call.request.query, NoQuery)
        _check_may_rent(call.caller)
        body = read_body(await self._body(call.request), api.RentalRequest)
        key = read_key(call.request.headers.getall("Idempotency-Key", []), reuse=body.reuse)
        deps, person, asked, reusable = call.deps, call.caller.person, fingerprint(body), reuse_fingerprint(body)
        ssh_key = None
        try:
            refuse_secrets(body, key)
            if body.ssh_public_key is not None:
                ssh_key = await programs.program_key(body.ssh_public_key)
            zone = person.tz or deps.rules.timezone
            request = read_request(body, self._catalog(), deps.rules, now=deps.clock.now(), zone=zone)
        except GpubotError:
            # An earlier, equal request may have made a rental. It is found even if the same request couldn't be
            # made any more, for example because the end that it names has passed.
            if key is None:
                earlier = await program_queries.equal_rental_for(deps, call.caller, {asked, reusable})
            else:
                earlier = next(iter(await program_queries.rentals_for(deps, call.caller, key)), None)
            if earlier is None:
                raise
            if key is not None:
                _check_same(earlier.rental, asked)
            return _accepted(_described(deps, earlier))
        rented = await carry_out(
            deps,
            person,
            programs.RentForProgram(
                token_id=call.caller.token.id,
                request=request,
                key=key,
                reuse=body.reuse,
                wait_for=body.wait_for,
                ssh_public_key=ssh_key,
                heartbeat=body.heartbeat,
                fingerprint=asked,
                reuse_fingerprint=reusable,
            ),
        )
        return _accepted(await self._look(call, rented.rental.id))

    async def _list(self, call: Call) -> Answer:
        query = read_query(call.request.query, ListQuery)
        views = await program_queries.rentals_for(call.deps, call.caller, query.key)
        return json_response(api.Rentals(rentals=tuple(_described(call.deps, view) for view in views)))

    async def _show(self, call: Call) -> Answer:
        query, rental_id, request = read_query(call.request.query, ShowQuery), call.rental_id, call.request
        answer = await self._look(call, rental_id)
        if query.wait and not answer.state.over and query.state in {None, answer.state}:

            async def look() -> api.Rental:
                # The token may have been stopped, and the rules may have changed, during the wait.
                deps = with_newest_rules(self._outside.deps)
                caller = await callers.caller_of(deps, _secret(request))
                return await self._look(replace(call, caller=caller, deps=deps), rental_id)

            answer = await self.waits.until_changed(
                call.caller.token.id,
                rental_id,
                query.wait,
                look,
                first=answer,
                differs=_differs,
                connected=lambda: request.transport is not None,
            )
        return json_response(answer)

    async def _release(self, call: Call) -> Answer:
        query, rental_id = read_query(call.request.query, ReleaseQuery), call.rental_id
        release = programs.ReleaseForProgram(call.caller.token.id, rental_id, now=query.now)
        await carry_out(call.deps, call.caller.person, release)
        return json_response(await self._look(call, rental_id))

    async def _heartbeat(self, call: Call) -> Answer:
        read_query(call.request.query, NoQuery)
        rental_id = call.rental_id
        await programs.note_heartbeat(call.deps, call.caller, rental_id)
        return json_response(await self._look(call, rental_id))

    async def _extend(self, call: Call) -> Answer:
        read_query(call.request.query, NoQuery)
        _check_may_rent(call.caller)
        rental_id = call.rental_id
        body = read_body(await self._body(call.request), api.ExtendRequest)
        check_extension(body)
        extend = programs.ExtendForProgram(call.caller.token.id, rental_id, until=body.until, lease=body.lease)
        await carry_out(call.deps, call.caller.person, extend)
        return json_response(await self._look(call, rental_id))

    async def _quote(self, call: Call) -> Answer:
        query, deps = read_query(call.request.query, QuoteQuery), call.deps
        zone = call.caller.person.tz or deps.rules.timezone
        request = read_request(query, self._catalog(), deps.rules, now=deps.clock.now(), zone=zone)
        offers = await program_queries.offers_for(deps, self._outside.prices, call.caller, request)
        return json_response(quote_answer(request, offers, deps.clock.now()))

    async def _token(self, call: Call) -> Answer:
        read_query(call.request.query, NoQuery)
        return json_response(
            token_answer(await tokens.token_for(call.deps, call.caller.person, call.caller.token.id))
        )

    async def _openapi(self, _: web.Request) -> Answer:
        return web.Response(body=self._document, content_type="application/json")

    # --- what they share

    async def _look(self, call: Call, rental_id: str) -> api.Rental:
        return _described(call.deps, await program_queries.rental_for(call.deps, call.caller, rental_id))

    def _catalog(self) -> Catalog:
        known = self._outside.catalog()
        if known is None:
            message = "I don't have Compute Clear's catalog yet. Nothing was rented. Try again in a minute."
            raise MarketAway(message, may_have_bought=False)
        return known

    async def _body(self, request: web.Request) -> bytes:
        return await receive(request, most_bytes=MOST_BYTES, seconds=self._request_seconds)


def fingerprint(body: api.RentalRequest) -> str:
    """Return a hash of the body of a request for a machine. Requests with the same key must have the same hash.

    A key finds its rental forever, so later versions must compute the same hash for the same body. Fields that
    are left out therefore don't count: a new field with a default doesn't change the hashes of earlier requests.
    """
    return _hash_of(_fields_of(body))


def reuse_fingerprint(body: api.RentalRequest) -> str:
    """Return a hash of the part of a request that must be equal to reuse a rental for a request without a key.

    A program that doesn't remember a key, such as a language model, often doesn't remember its exact words either.
    So the note doesn't count, and neither do capital letters in the description of the machine.
    """
    fields = _fields_of(body)
    fields.pop("note", None)
    for name in {"words", "gpu", "region", "vendor"} & fields.keys():
        fields[name] = " ".join(fields[name].split()).casefold()
    return _hash_of(fields)


def _fields_of(body: api.RentalRequest) -> dict[str, Any]:
    """Return the fields of a request that aren't left out, each as if it were written in one way only."""
    fields = body.model_dump(mode="json", exclude={"reuse"}, exclude_defaults=True)
    if body.max_total is not None:
        fields["max_total"] = f"{body.max_total.normalize():f}"  # JSON libraries write 20 as 20, 20.0 or "20.00"
    return fields


def _hash_of(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _described(deps: Deps, view: ProgramView) -> api.Rental:
    return rental_answer(view, deps.clock.now(), deps.listens_since)


def _secret(request: web.Request) -> str:
    """Return the secret in the header of a request. Raises InvalidToken if there isn't exactly one."""
    values = request.headers.getall("Authorization", [])
    scheme, _, secret = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer":
        raise InvalidToken
    return secret.strip()


def _check_may_rent(caller: Caller) -> None:
    terms = caller.token.terms
    if terms is None or terms.access is not Access.RENT:
        raise ApiProblem(NOT_ALLOWED)


def _check_same(earlier: Rental, asked: str) -> None:
    """Raise KeyInUse if the rental with a key was made by another request."""
    if earlier.program is None or earlier.program.fingerprint != asked:
        raise key_in_use(earlier)


def _differs(before: api.Rental, after: api.Rental) -> bool:
    """Return whether something has happened, apart from time passing and money being spent."""
    changes_always = {"reason", "next_step", "money", "heartbeat_until"}
    return before.model_dump(exclude=changes_always) != after.model_dump(exclude=changes_always)


def _instance(request: web.Request, error: GpubotError) -> str | None:
    """Return the path of the rental that a problem is about."""
    known = isinstance(error, (Refused, TooLate)) and not isinstance(error, InvalidToken)
    return f"{PATH}/{request.match_info['id']}" if known and "id" in request.match_info else None


def _accepted(answer: api.Rental) -> Answer:
    return json_response(answer, status=202, headers={"Location": f"{PATH}/{answer.id}"})
