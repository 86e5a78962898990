"""Every fault over real HTTP, with a small server that records its purchases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiohttp import web

from sandbox.clock import SandboxClock
from sandbox.faults import GARBAGE, Faults
from sandbox.serving import Served, serve

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PATIENCE = 20


class Shop:
    """A server with faults and two endpoints: `buy`, which acts, and `look`."""

    def __init__(self) -> None:
        self.bought: list[str] = []
        self.faults = Faults(SandboxClock(NOON, speed=0), known=frozenset({"buy", "look"}))
        self.served: Served | None = None
        self.client = httpx.AsyncClient(timeout=PATIENCE)

    @property
    def url(self) -> str:
        assert self.served is not None
        return self.served.url

    async def _buy(self, request: web.Request) -> web.Response:
        thing = (await request.json())["thing"]
        if thing == "the moon":
            raise web.HTTPConflict(text="not for sale")
        self.bought.append(thing)
        return web.json_response({"bought": thing})

    async def _look(self, _request: web.Request) -> web.Response:
        return web.json_response({"bought": self.bought})

    async def start(self) -> None:
        app = web.Application(middlewares=[self.faults.middleware()])
        app.router.add_post("/buy", self._buy, name="buy")
        app.router.add_get("/look", self._look, name="look")
        self.faults.add_routes(app.router)
        app.on_shutdown.append(self.faults.close)
        self.served = await serve(app)

    async def stop(self) -> None:
        if self.served is not None:
            await self.served.stop()
            self.served = None
        await self.client.aclose()

    async def buy(self, thing: str = "pear") -> httpx.Response:
        return await self.client.post(f"{self.url}/buy", json={"thing": thing})

    async def fault(self, **body: Any) -> str:
        answer = await self.client.post(f"{self.url}/_control/faults", json={"endpoint": "buy", **body})
        assert answer.status_code == 200, answer.text
        name = answer.json()["id"]
        assert isinstance(name, str)
        return name

    async def hit(self, name: str) -> dict[str, Any]:
        """Wait until the fault has affected a request, and return it."""
        answer = await self.client.get(f"{self.url}/_control/faults/{name}", params={"wait": PATIENCE})
        state: dict[str, Any] = answer.json()
        assert state["hits"] >= 1, state
        return state

    async def state(self, name: str) -> dict[str, Any]:
        state: dict[str, Any] = (await self.client.get(f"{self.url}/_control/faults/{name}")).json()
        return state

    async def traffic(self, **query: Any) -> list[dict[str, Any]]:
        answer = await self.client.get(f"{self.url}/_control/traffic", params={"after": 0, **query})
        requests: list[dict[str, Any]] = answer.json()["requests"]
        return requests


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    await shop.start()
    yield shop
    await shop.stop()


async def test_without_a_fault_a_request_is_answered_and_logged_without_secrets(shop: Shop) -> None:
    answer = await shop.client.post(
        f"{shop.url}/buy?token=hidden&why=hunger",
        json={"thing": "pear", "token": "hidden"},
        headers={"Authorization": "Bearer hidden"},
    )
    assert answer.json() == {"bought": "pear"}
    log = await shop.traffic()
    assert log == [
        {
            "n": 1,
            "at": "2026-11-24T12:00:00.000000Z",
            "endpoint": "buy",
            "method": "POST",
            "path": "/buy",
            "query": {"why": "hunger"},
            "body": {"thing": "pear"},
            "status": 200,
        }
    ]


async def test_the_traffic_log_can_be_filtered_and_waited_for(shop: Shop) -> None:
    """The log also contains forms, plain text and refused requests."""
    waiting = asyncio.create_task(shop.traffic(endpoint="look", wait=PATIENCE, answered="true"))
    await shop.buy("the moon")
    await shop.client.post(f"{shop.url}/nowhere", data={"payload": "x y", "token": "hidden"})
    await shop.client.post(f"{shop.url}/nowhere", content="gpu: H100", headers={"Content-Type": "text/plain"})
    await shop.client.get(f"{shop.url}/look")
    assert [(line["n"], line["status"]) for line in await waiting] == [(4, 200)]
    moon, form, text, look = await shop.traffic()
    assert (moon["endpoint"], moon["status"]) == ("buy", 409)
    assert (form["endpoint"], form["body"], form["status"]) == ("unknown", {"payload": "x y"}, 404)
    assert (text["body"], look["body"]) == ("gpu: H100", None)
    assert [line["n"] for line in await shop.traffic(after=3)] == [4]


async def test_a_request_with_latency_acts_after_the_delay(shop: Shop) -> None:
    name = await shop.fault(kind="latency", seconds=0.01)
    assert (await shop.buy()).json() == {"bought": "pear"}
    assert (await shop.state(name))["hits"] == 1


async def test_a_client_that_disconnects_during_latency_has_bought_nothing(shop: Shop) -> None:
    name = await shop.fault(kind="latency", seconds=600)
    buying = asyncio.create_task(shop.buy())
    await shop.hit(name)
    buying.cancel()
    assert (await shop.traffic(answered="true", wait=PATIENCE))[0]["status"] == 0
    assert shop.bought == []


async def test_a_status_fault_responds_with_retry_after_and_without_acting(shop: Shop) -> None:
    await shop.fault(kind="status", status=429, retry_after=30)
    answer = await shop.buy()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")
    assert answer.json() == {"detail": "the service answered 429"}
    assert shop.bought == []
    assert (await shop.buy()).status_code == 200, "by default a fault meets one request only"


async def test_a_status_fault_can_respond_after_acting(shop: Shop) -> None:
    await shop.fault(kind="status", status=502, acts=True, body="oops")
    answer = await shop.buy()
    assert (answer.status_code, answer.text, shop.bought) == (502, "oops", ["pear"])


async def test_a_garbage_response_is_not_json_and_acts_only_on_request(shop: Shop) -> None:
    await shop.fault(kind="garbage")
    answer = await shop.buy()
    assert (answer.status_code, answer.text, shop.bought) == (200, GARBAGE, [])
    await shop.fault(kind="garbage", acts=True, body="[]")
    answer = await shop.buy()
    assert (answer.json(), shop.bought) == ([], ["pear"])


async def test_a_connection_cut_before_acting_does_nothing(shop: Shop) -> None:
    name = await shop.fault(kind="cut_before")
    with pytest.raises(httpx.TransportError):
        await shop.buy()
    assert (await shop.hit(name))["hits"] == 1
    assert shop.bought == []
    assert (await shop.traffic())[0]["status"] == 0


async def test_a_connection_cut_after_acting_has_acted(shop: Shop) -> None:
    await shop.fault(kind="cut_after")
    with pytest.raises(httpx.TransportError):
        await shop.buy()
    assert shop.bought == ["pear"]


async def test_a_request_held_before_acting_acts_when_it_is_released(shop: Shop) -> None:
    name = await shop.fault(kind="hold_before")
    buying = asyncio.create_task(shop.buy())
    state = await shop.hit(name)
    assert (state["held"], shop.bought) == (1, [])
    assert (await shop.traffic())[0]["status"] is None
    await shop.client.post(f"{shop.url}/_control/faults/{name}/release")
    assert (await buying).json() == {"bought": "pear"}
    state = await shop.state(name)
    assert (state["held"], state["dropped"], state["active"]) == (0, 0, False)


async def test_a_request_held_before_acting_does_nothing_if_its_client_disconnects(shop: Shop) -> None:
    name = await shop.fault(kind="hold_before")
    buying = asyncio.create_task(shop.buy())
    await shop.hit(name)
    buying.cancel()
    answer = await shop.client.get(
        f"{shop.url}/_control/faults/{name}", params={"wait": PATIENCE, "for": "dropped"}
    )
    assert (answer.json()["held"], answer.json()["dropped"]) == (0, 1)
    await shop.client.post(f"{shop.url}/_control/faults/{name}/release")
    assert shop.bought == []
    assert (await shop.buy("apple")).status_code == 200
    assert shop.bought == ["apple"]


async def test_only_the_response_waits_if_a_request_is_held_after_acting(shop: Shop) -> None:
    name = await shop.fault(kind="hold_after")
    buying = asyncio.create_task(shop.buy())
    state = await shop.hit(name)
    assert (state["held"], shop.bought) == (1, ["pear"])
    assert not buying.done()
    await shop.client.delete(f"{shop.url}/_control/faults/{name}")
    assert (await buying).json() == {"bought": "pear"}


async def test_a_refusal_can_be_held_too(shop: Shop) -> None:
    name = await shop.fault(kind="hold_after")
    buying = asyncio.create_task(shop.buy("the moon"))
    await shop.hit(name)
    await shop.client.delete(f"{shop.url}/_control/faults")
    assert (await buying).status_code == 409


async def test_a_request_that_hangs_is_never_answered_and_never_acts(shop: Shop) -> None:
    name = await shop.fault(kind="hang")
    buying = asyncio.create_task(shop.buy())
    await shop.hit(name)
    await shop.client.delete(f"{shop.url}/_control/faults")
    assert (await shop.traffic())[0]["status"] is None
    buying.cancel()
    assert (await shop.traffic(answered="true", wait=PATIENCE))[0]["status"] == 0
    assert shop.bought == []


@pytest.mark.parametrize("kind", ["hang", "hold_before", "hold_after", "latency"])
async def test_the_server_stops_while_a_request_waits(shop: Shop, kind: str) -> None:
    name = await shop.fault(kind=kind, seconds=600)
    buying = asyncio.create_task(shop.buy())
    await shop.hit(name)
    assert shop.served is not None
    await shop.served.stop()
    shop.served = None
    with pytest.raises(httpx.TransportError):
        await buying
    assert shop.bought == (["pear"] if kind == "hold_after" else [])


async def test_a_fault_affects_only_the_set_number_of_requests(shop: Shop) -> None:
    name = await shop.fault(kind="status", times=2)
    assert [(await shop.buy()).status_code for _ in range(3)] == [500, 500, 200]
    lasting = await shop.fault(kind="status", status=503, times=None)
    assert [(await shop.buy()).status_code for _ in range(3)] == [503, 503, 503]
    await shop.client.delete(f"{shop.url}/_control/faults/{lasting}")
    assert (await shop.buy()).status_code == 200
    assert ((await shop.state(name))["hits"], (await shop.state(lasting))["hits"]) == (2, 3)


async def test_a_fault_affects_only_matching_requests_to_its_endpoint(shop: Shop) -> None:
    await shop.fault(kind="status", match="pear tree", times=None)
    await shop.fault(kind="status", match="why=a b", status=418, times=None)
    await shop.fault(endpoint="*", kind="status", match="/loo", status=503)
    assert (await shop.buy("pear")).status_code == 200
    assert (await shop.buy("a pear tree")).status_code == 500
    why = await shop.client.post(f"{shop.url}/buy", params={"why": "a b"}, json={"thing": "pear"})
    assert why.status_code == 418
    assert (await shop.client.get(f"{shop.url}/look")).status_code == 503


async def test_a_request_gets_every_latency_and_the_oldest_other_fault(shop: Shop) -> None:
    slow = await shop.fault(kind="latency", seconds=0, times=None)
    await shop.fault(kind="status", status=500)
    await shop.fault(kind="status", status=503)
    assert [(await shop.buy()).status_code for _ in range(3)] == [500, 503, 200]
    assert (await shop.state(slow))["hits"] == 3


@pytest.mark.parametrize(
    "body",
    [
        {"endpoint": "sell", "kind": "hang"},
        {"endpoint": "buy", "kind": "shout"},
        {"endpoint": "buy", "kind": "hang", "times": 0},
        {"endpoint": "buy", "kind": "hang", "acts": True},
        {"endpoint": "buy", "kind": "hang", "colour": "red"},
        {"kind": "hang"},
    ],
)
async def test_an_invalid_fault_is_refused_with_a_message(shop: Shop, body: dict[str, Any]) -> None:
    answer = await shop.client.post(f"{shop.url}/_control/faults", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert (await shop.client.get(f"{shop.url}/_control/faults")).json() == {"faults": []}


async def test_an_unknown_fault_is_not_found(shop: Shop) -> None:
    name = await shop.fault(kind="hang")
    assert (await shop.client.get(f"{shop.url}/_control/faults/{name}?for=fun")).status_code == 422
    assert (await shop.client.get(f"{shop.url}/_control/faults/{name}?wait=soon")).status_code == 422
    assert (await shop.client.get(f"{shop.url}/_control/faults/f9")).status_code == 404
