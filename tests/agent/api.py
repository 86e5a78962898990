"""A small server that answers in the format of the REST API, with the answers that a test chooses."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from aiohttp import web

from bot.model.api import (
    ApiModel,
    ExtendRequest,
    Login,
    LoginRequest,
    LoginState,
    Money,
    Offer,
    Problem,
    ProgramState,
    Quote,
    Rental,
    RentalRequest,
    Rentals,
    SealedSecret,
    Ssh,
    Token,
)
from bot.model.base import changed
from bot.model.token import Access, BeyondTerms, WhenLost
from bot.sealed_secret import seal
from tests.databases import START

SECRET = "gpb_" + "9fK2" * 11
ID = "m3xt8"
KEY = "run-812"
REUSED = ""
"""Stands for the key of requests that say `reuse`."""
RATE = Decimal("2.08")


def a_rental(state: ProgramState, **fields: Any) -> Rental:
    """Return a rental of `nightly eval`, as the API would show it in this state."""
    bought = state in {ProgramState.STARTING, ProgramState.READY, ProgramState.ENDING}
    ready = state in {ProgramState.READY, ProgramState.ENDING}
    rental = Rental(
        id=ID,
        key=KEY,
        token="nightly eval (Ana)",  # noqa: S106 - its name
        state=state,
        reason=f"The state is {state}.",
        next_step="Ask again in 60 s." if not state.over else "Use a new key for a new machine.",
        ask_again_in=None if state.over else 60,
        request="1x H100 in EU for 4 h",
        approvers=("Ben",) if state is ProgramState.PENDING else (),
        asked_at=START - timedelta(seconds=90) if state is ProgramState.PENDING else None,
        gpu="1x H100 SXM 80 GB",
        region="EU",
        vendor="Nebius" if bought else None,
        per_hour=RATE if bought else None,
        created_at=START - timedelta(seconds=103),
        started_at=START - timedelta(seconds=100) if bought else None,
        usual_start=timedelta(minutes=3) if bought else None,
        ready_at=START + timedelta(seconds=71) if ready else None,
        ends_at=START + timedelta(hours=1) if ready else None,
        expires_at=START + timedelta(hours=21) if state is ProgramState.PENDING else None,
        heartbeat_until=None,
        money=Money(spent=Decimal("0.07"), at_most=Decimal("10.76"), left=Decimal("189.24"), total=Decimal(200)),
        ssh=Ssh(host="203.0.113.7", port=34811, command="ssh -p 34811 root@203.0.113.7", host_key="SHA256:Vx1abc")
        if state is ProgramState.READY
        else None,
        note="",
    )
    return changed(rental, **fields)


LOGIN_ID, CODE = "lgn-8f3mz2kq7wxR5tY", "KTRWXQMB"


def a_login(state: LoginState, public_key: str, text: str = SECRET, **fields: Any) -> Login:
    """Return a login as the API would show it to the program with this key."""
    done = state is LoginState.DONE
    sealed = seal(text, public_key, LOGIN_ID) if done else None
    login = Login(
        id=LOGIN_ID,
        code=CODE,
        state=state,
        next_step=f"In Slack, type: /gpu token {CODE}",
        ask_again_in=2 if state in {LoginState.WAITING, LoginState.OPENED} else None,
        expires_at=START + timedelta(minutes=10),
        secret=None if sealed is None else SealedSecret(**dict(sealed)),
        token="nightly eval (Ana)" if done else None,
        until=START + timedelta(days=14) if done else None,
        needs_approval=False,
    )
    return changed(login, **fields)


A_TOKEN = Token(
    name="nightly eval",
    owner="Ana",
    project="vision",
    access=Access.RENT,
    gpus=("H100", "L40S"),
    until=START + timedelta(days=14),
    total=Decimal(200),
    left=Decimal("189.24"),
    per_hour=Decimal(5),
    per_hour_left=Decimal("2.92"),
    machines_at_once=2,
    machines=1,
    machines_a_day=6,
    machines_today=3,
    longest_lease=timedelta(hours=4),
    beyond=BeyondTerms.REFUSE,
    if_heartbeat_lost=WhenLost.END,
    last_refusal="",
)
A_QUOTE = Quote(
    request="1x H100 in EU for 4 h",
    offers=(
        Offer(
            gpu="H100 SXM 80 GB",
            count=1,
            vendor="Nebius",
            region="EU",
            per_hour=RATE,
            at_most=Decimal("10.76"),
            within_terms=True,
            reason="",
        ),
        Offer(
            gpu="H100 NVL 94 GB",
            count=1,
            vendor="Hyperstack",
            region="EU",
            per_hour=Decimal("12.50"),
            at_most=Decimal("54.17"),
            within_terms=False,
            reason="It costs more than $5.00/h.",
        ),
    ),
    next_step="To rent the first one, send the same request to POST /v1/rentals.",
)


class Seen(NamedTuple):
    """A request that has arrived."""

    call: str
    """The method and the path with its query, such as `DELETE /v1/rentals/m3xt8?now=true`."""
    key: str | None
    authorization: str | None
    body: Any
    cookie: str | None


Failure = Callable[[], web.StreamResponse]


class Api:
    """The server. It has at most one rental, which goes through `states`."""

    def __init__(self) -> None:
        self.states: deque[Rental] = deque([a_rental(ProgramState.READY)])
        """The rental as the next answers show it. The last one stays."""
        self.failures: deque[Failure] = deque()
        """The answers to the next requests, before the rental is shown again."""
        self.refusal: Callable[[str], web.StreamResponse | None] = lambda _: None
        """Returns an answer for a call that always fails. None if the call doesn't always fail."""
        self.known_key: str | None = KEY
        """The key of the rental. None if any key finds the rental."""
        self.holds: Callable[[str], asyncio.Event | None] = lambda _: None
        """Returns an event for a call. The call isn't answered before this event is set."""
        self.logins: deque[LoginState] = deque([LoginState.WAITING, LoginState.OPENED, LoginState.DONE])
        """The states of a login, in the order in which answers show them. The last one stays."""
        self.login_fields: dict[str, Any] = {}
        """The fields in which a login differs from that of `a_login`."""
        self.new_secret = SECRET
        """The secret of the token that a login makes."""
        self.login_request: LoginRequest | None = None
        self.rented: dict[str, RentalRequest] = {}
        """The requests for machines, by key."""
        self.seen: list[Seen] = []
        self.arrived = asyncio.Condition()
        self.url = ""
        self.runner: web.AppRunner | None = None

    @property
    def calls(self) -> list[str]:
        return [seen.call for seen in self.seen]

    async def wait_for(self, call: str, times: int = 1) -> None:
        """Wait until a call has arrived `times` times."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: self.calls.count(call) >= times)

    def current(self) -> Rental:
        return self.states.popleft() if len(self.states) > 1 else self.states[0]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        call = f"{request.method} {request.rel_url}"
        key = request.headers.get("Idempotency-Key")
        async with self.arrived:
            self.seen.append(
                Seen(call, key, request.headers.get("Authorization"), body, request.headers.get("Cookie"))
            )
            self.arrived.notify_all()
        if request.method == "POST" and request.path == "/v1/rentals":
            # A request is carried out even if its answer gets lost.
            asked = RentalRequest.model_validate(body)
            assert (key is None) is asked.reuse
            assert self.rented.setdefault(key or REUSED, asked) == asked
        held = self.holds(call)
        if held is not None:
            await held.wait()
        if self.failures:
            return self.failures.popleft()()
        refused = self.refusal(call)
        if refused is not None:
            return refused
        return self._answer(request, body)

    def _answer(self, request: web.Request, body: Any) -> web.StreamResponse:
        match request.method, request.path:
            case "GET", "/v1/token":
                return answer(A_TOKEN)
            case "POST", "/v1/logins":
                self.login_request = LoginRequest.model_validate(body)
                return answer(self._login(), status=201)
            case "GET", path if path == f"/v1/logins/{LOGIN_ID}":
                return answer(self._login())
            case "GET", "/v1/quote":
                return answer(A_QUOTE)
            case "GET", "/v1/rentals":
                known = self.known_key is None or request.query.get("key", KEY) == self.known_key
                return answer(Rentals(rentals=(self.current(),) if known else ()))
            case "POST", "/v1/rentals":
                return answer(self.current(), status=202)
            case "POST", path if path.endswith("/extend"):
                ExtendRequest.model_validate(body)
            case _, path if not path.startswith(f"/v1/rentals/{ID}"):
                return problem("not-found", "This token has no such rental.", status=404)
        return answer(self.current())

    def _login(self) -> Login:
        assert self.login_request is not None
        state = self.logins.popleft() if len(self.logins) > 1 else self.logins[0]
        return a_login(state, self.login_request.public_key, self.new_secret, **self.login_fields)


def answer(value: ApiModel, status: int = 200) -> web.Response:
    return web.Response(text=value.model_dump_json(), status=status, content_type="application/json")


def problem(kind: str, detail: str, *, status: int) -> web.Response:
    return web.Response(
        text=Problem(type=f"/problems/{kind}", title="Refused", status=status, detail=detail).model_dump_json(),
        status=status,
        content_type="application/problem+json",
    )


def status(code: int, text: str = "", **headers: str) -> Failure:
    """Return a failure: an answer with this status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: web.Response(status=code, text=text, headers=named)


class Dropped(web.Response):
    """A failure: the connection ends before the answer."""

    async def prepare(self, request: web.BaseRequest) -> None:
        if request.transport is not None:
            request.transport.abort()
