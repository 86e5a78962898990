"""The REST API on loopback, in front of a world as in tests/lifecycle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx

from bot.api.server import ApiServer, Outside
from bot.config.settings import networks_in
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.quoting import Prices
from bot.lifecycle.actions.tokens import MakeToken
from bot.lifecycle.deps import Deps
from bot.model.money import micros
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.token import Access, TokenTerms
from bot.policy.team.rules import Approvers, AutoApprove, Rules
from tests.handlers.parsing_helpers import CATALOG
from tests.lifecycle.world import ANA, BEN, CLEO, HOME, HOUR, World, world

RULES = Rules(
    admins=(CLEO.id,),
    approvers=Approvers(people=(BEN.id,)),
    home_channel=HOME,
    auto_approve=AutoApprove(per_hour=Decimal(10), total=Decimal(300)),
)
H100 = {"gpu": "H100", "region": "EU", "lease": "4h"}
"""A request that is within the terms of `Api.token`."""


class Api:
    """The API, and what happens around it."""

    def __init__(self, here: World, server: ApiServer, http: httpx.AsyncClient) -> None:
        self.world = here
        self.server = server
        self.http = http
        self.secret = ""
        """The secret that `ask` sends."""
        self._made = 0

    async def token(self, person: Person = ANA, *, name: str = "nightly eval", **terms: Any) -> str:
        """Make a token, and return its secret. By default, no approver is needed."""
        self._made += 1
        usual: dict[str, Any] = {
            "access": Access.RENT,
            "models": ("H100", "L40S"),
            "per_hour": Decimal(5),
            "total": micros(Decimal(200)),
            "at_once": 2,
            "per_day": 6,
            "longest": 4 * HOUR,
            "until": self.world.now + timedelta(days=14),
        }
        made = await carry_out(
            self.world.deps, person, MakeToken(name, TokenTerms(**{**usual, **terms}), f"token{self._made}")
        )
        assert made.secret is not None
        self.secret = made.secret.get_secret_value()
        return self.secret

    async def ask(self, method: str, path: str, *, secret: str | None = None, **more: Any) -> httpx.Response:
        """Send a request, by default with the newest token's secret."""
        headers = {
            "Authorization": f"Bearer {self.secret if secret is None else secret}",
            **more.pop("headers", {}),
        }
        response = await self.http.request(method, f"/v1/{path}", headers=headers, **more)
        assert "server" not in response.headers
        return response

    async def rent(self, key: str = "run-812", *, secret: str | None = None, **fields: Any) -> httpx.Response:
        """Ask for a machine, by default for H100."""
        body = fields or H100
        return await self.ask("POST", "rentals", secret=secret, json=body, headers={"Idempotency-Key": key})

    async def rented(self, key: str = "run-812", *states: State, **fields: Any) -> Rental:
        """Rent a machine, and return its rental once it is in one of these states, by default ready."""
        response = await self.rent(key, **fields)
        assert response.status_code == 202, response.text
        return await self.world.until(response.json()["id"], *(states or (State.READY,)))

    async def shown(self, rental_id: str) -> dict[str, Any]:
        """Return the answer about a rental."""
        response = await self.ask("GET", f"rentals/{rental_id}")
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer


@asynccontextmanager
async def api_of(
    here: World, *, catalog: Any = lambda: CATALOG, deps: Deps | None = None, proxies: str = "", **options: Any
) -> AsyncIterator[Api]:
    """Serve the API in front of a world, with other dependencies if they are given.

    `proxies` is the value of GPUBOT_API_PROXY.
    """
    believed = networks_in(proxies) if proxies else ()
    outside = Outside(deps or here.deps, catalog, Prices.of(here.deps.market, here.clock), believed)
    server = ApiServer(outside, **options)
    await server.listen("127.0.0.1:0")
    url = f"http://127.0.0.1:{server.addresses[0][1]}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=40, trust_env=False) as http:
            yield Api(here, server, http)
    finally:
        await server.close()


@asynccontextmanager
async def api_world(url: str) -> AsyncIterator[Api]:
    """Serve the API in front of a new world."""
    async with world(url, rules=RULES) as here, api_of(here) as made:
        yield made
