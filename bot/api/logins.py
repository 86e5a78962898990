"""The requests with which a program that has no token logs in.

No other requests without a token store or reveal anything. Anyone who reaches the API can send these requests. So
their number is limited for each address, whichever login they name, and their bodies are small. Anyone who knows
the ID of a login can read its state, but the secret in it is encrypted for the program that began the login.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from aiohttp import web

from bot.api.answers import LOGINS, json_response, login_answer
from bot.api.peers import address_of, counted_as
from bot.api.problems import TOO_FAST, ApiProblem
from bot.api.reading import NoQuery, read_body, read_query, receive
from bot.config.settings import Network
from bot.errors import UnknownLogin, WrongClock
from bot.lifecycle.actions.logins import ProgramLogin, begin_login, login_for
from bot.lifecycle.deps import Deps
from bot.model import api
from handlers.listeners.context import Pace

BEGUN_PER_MINUTE = 5
"""The number of logins that one address can begin within a minute."""
SHOWN_PER_MINUTE = 300
"""The number of requests for the state of logins that one address can send within a minute.

This is enough for 25 programs behind one address that ask every 5 s.
"""
MOST_BYTES = 4096
"""The maximum size of a body. Anyone can send one, and the names in it are short."""
_ID = re.compile(r"[A-Za-z0-9_-]{20,60}")


class Logins:
    """The handlers of these requests. They count the requests of each address, in each process separately."""

    def __init__(self, deps: Deps, proxies: Sequence[Network], request_seconds: float) -> None:
        self._deps = deps
        self._proxies = proxies
        self._request_seconds = request_seconds
        self.begun = Pace(at_once=BEGUN_PER_MINUTE, per_second=BEGUN_PER_MINUTE / 60)
        self.shown = Pace(at_once=SHOWN_PER_MINUTE, per_second=SHOWN_PER_MINUTE / 60)

    async def begin(self, request: web.Request) -> web.Response:
        address = self._counted(request, self.begun, f"{BEGUN_PER_MINUTE} logins")
        if not self._deps.may_claim():
            raise WrongClock
        read_query(request.query, NoQuery)
        body = await receive(request, most_bytes=MOST_BYTES, seconds=self._request_seconds)
        login = await begin_login(self._deps, read_body(body, api.LoginRequest), address)
        answer = login_answer(ProgramLogin(login), self._deps.clock.now())
        return json_response(answer, status=201, headers={"Location": f"{LOGINS}/{login.id}"})

    async def show(self, request: web.Request) -> web.Response:
        self._counted(request, self.shown, f"{SHOWN_PER_MINUTE} requests for logins")
        read_query(request.query, NoQuery)
        login_id = request.match_info["id"]
        if not _ID.fullmatch(login_id):
            raise UnknownLogin
        return json_response(login_answer(await login_for(self._deps, login_id), self._deps.clock.now()))

    def _counted(self, request: web.Request, pace: Pace, most: str) -> str:
        """Count a request, and return the address from which it came. Raises ApiProblem if there are too many."""
        address = address_of(request, self._proxies)
        seconds = pace.wait(counted_as(address), self._deps.clock.monotonic())
        if seconds:
            words = f"An address can send {most} a minute. Nothing was done. Ask again in {seconds} s."
            raise ApiProblem(TOO_FAST, words, headers={"Retry-After": str(seconds)})
        return address
