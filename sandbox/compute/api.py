"""The endpoints of openapi.yaml. Each request's token is checked first, then its parameters and body."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from sandbox.compute import responses
from sandbox.compute.catalog import CONTRACTS, REGION_GROUPS, families
from sandbox.compute.hosts import Hosts
from sandbox.compute.market import Market, Refused
from sandbox.compute.validation import (
    Invalid,
    check_known,
    read_boolean,
    read_offer_query,
    read_procure_request,
    read_uuid,
)
from sandbox.compute.vendors import VENDORS
from sandbox.exact_json import dumps
from sandbox.serving import CONTROL, reply

# The type of a function that responds to a call. It gets the request, the request's body, and the time of the
# response. When it is called, the simulated SSH servers already match the machines that exist at this time.
Answer = Callable[[web.Request, bytes, datetime], Any]


class Api:
    """The Compute Clear API, which has a single account."""

    def __init__(self, market: Market, hosts: Hosts, token: str) -> None:
        self.token = token
        self.token_valid = True
        self._market = market
        self._hosts = hosts
        self._endpoints: list[tuple[str, str, str, tuple[str, ...], Answer]] = [
            ("GET", "/available_gpus", "available_gpus", (), lambda *_: families()),
            ("GET", "/available_vendors", "available_vendors", (), lambda *_: sorted(VENDORS)),
            ("GET", "/available_regions", "available_regions", (), lambda *_: REGION_GROUPS),
            ("GET", "/available_contracts", "available_contracts", (), lambda *_: CONTRACTS),
            ("POST", "/get_offers", "get_offers", (), self._get_offers),
            ("POST", "/procure_offer", "procure_offer", (), self._procure_offer),
            ("GET", "/offers/{offer_id}/status", "offer_status", (), self._offer_status),
            ("GET", "/resources", "list_resources", ("offer_id",), self._list_resources),
            ("GET", "/resources/{resource_id}", "get_resource", ("force_refresh",), self._get_resource),
            ("DELETE", "/resources/{resource_id}", "delete_resource", ("force",), self._delete_resource),
        ]
        """The method, path, operationId, query parameters and response function of each endpoint."""

    @property
    def operations(self) -> frozenset[str]:
        """The operationIds of all endpoints."""
        return frozenset(name for _, _, name, _, _ in self._endpoints)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add a route for every endpoint, named after its operationId."""
        for method, path, name, known, answer in self._endpoints:
            router.add_route(method, path, self._guarded(answer, known), name=name)

    def _guarded(
        self, answer: Answer, known: tuple[str, ...]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if not self._authorized(request):
                return _problem(401, "Invalid or missing token", {"WWW-Authenticate": "Bearer"})
            raw = await request.read()
            now = await self._hosts.update()
            try:
                check_known(request.query, *known)
                return reply(answer(request, raw, now))
            except Invalid as wrong:
                return _problem(422, wrong.detail)
            except Refused as refused:
                return _problem(refused.status, refused.detail)

        return handle

    def _authorized(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return self.token_valid and scheme.lower() == "bearer" and token.strip() == self.token

    # --- endpoints

    def _get_offers(self, request: web.Request, raw: bytes, now: datetime) -> Any:
        query = read_offer_query(request.content_type, raw)
        return responses.offer_list(query, self._market.find(query, now))

    def _procure_offer(self, request: web.Request, raw: bytes, now: datetime) -> Any:
        return responses.procured(self._market.procure(read_procure_request(request.content_type, raw), now))

    def _offer_status(self, request: web.Request, _raw: bytes, now: datetime) -> Any:
        offer_id = read_uuid("path", "offer_id", request.match_info["offer_id"])
        return responses.offer_status(self._market, self._market.offer(offer_id, now), now)

    def _list_resources(self, request: web.Request, _raw: bytes, now: datetime) -> Any:
        offer_id = request.query.get("offer_id")
        if offer_id is not None:
            offer_id = read_uuid("query", "offer_id", offer_id)
        found = [
            responses.resource(machine, self._market.synced_at(machine, now))
            for machine in self._market.existing(now, offer_id)
        ]
        return {"resources": found, "total_count": len(found)}

    def _get_resource(self, request: web.Request, _raw: bytes, now: datetime) -> Any:
        resource_id = read_uuid("path", "resource_id", request.match_info["resource_id"])
        if read_boolean(request.query, "force_refresh"):
            return responses.resource(self._market.machine(resource_id, now), now)
        machine = self._market.machine(resource_id, now, cached=True)
        return responses.resource(machine, self._market.synced_at(machine, now))

    def _delete_resource(self, request: web.Request, _raw: bytes, now: datetime) -> Any:
        resource_id = read_uuid("path", "resource_id", request.match_info["resource_id"])
        read_boolean(request.query, "force")
        return responses.deleting(self._market.delete(resource_id, now))


def _problem(status: int, detail: Any, headers: dict[str, str] | None = None) -> web.Response:
    text = dumps({"detail": detail})
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


def problems() -> Middleware:
    """Return a middleware that converts aiohttp's own errors, such as 404 and 405, to the API's format."""

    @web.middleware
    async def format_errors(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if request.path.startswith(CONTROL):
                raise
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            return _problem(error.status, HTTPStatus(error.status).phrase, allow)

    return format_errors
