"""The Compute Clear client: the lifecycle's Market over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import quote

import structlog
from pydantic import SecretStr

from bot.clock import Clock
from bot.errors import LockedOut, MarketAway
from bot.lifecycle.ports import OfferProgress, Procured, ResourceView
from bot.market import wire
from bot.market.anomalies import Anomalies
from bot.market.ids import resource_ids
from bot.market.transport import Answer, Call, Transport
from bot.model.base import Frozen
from bot.model.offer import Catalog, Offer
from bot.model.request import Request
from bot.policy.offers import cheapest_first, fits

T = TypeVar("T")
_log = structlog.get_logger("gpubot.market")

GPUS = Call("available_gpus", everyones=True)
VENDORS = Call("available_vendors", everyones=True)
REGIONS = Call("available_regions", everyones=True)
CONTRACTS = Call("available_contracts", everyones=True)
OFFERS = Call("get_offers")
PROCURE = Call("procure_offer", buys=True)
STATUS = Call("offer_status")
RESOURCES = Call("list_resources", everyones=True)
RESOURCE = Call("get_resource")
DELETE = Call("delete_resource")

_BOUGHT_NOTHING = frozenset({404, 410, 422})
"""Refusals that the reference names for procure_offer and that bought nothing. Anything else leaves it open,
except for 401, see Transport."""
_BOUGHT_BEFORE = 409


class Patience(Frozen):
    """How long a call may take as a whole, in real seconds."""

    procure: float = 75.0
    """The API itself may need most of a minute."""
    offers: float = 30.0
    """It asks every vendor."""
    other: float = 15.0


PATIENCE = Patience()


class ComputeClear:
    """A Market. Every call is made once."""

    def __init__(
        self,
        base_url: str,
        token: SecretStr,
        clock: Clock,
        patience: Patience = PATIENCE,
        on_token: Callable[[bool], Awaitable[None]] | None = None,
        *,
        on_call: Callable[[str, str], None] | None = None,
    ) -> None:
        """`on_token` is told, with the first answer and whenever it changes, whether our token is refused;
        `on_call` how each call was answered, see Transport."""
        self._patience = patience
        self._http = Transport(base_url, token, clock, on_token, on_call=on_call)
        self._clock = clock
        self._odd = Anomalies()
        self._families: dict[str, tuple[str, ...]] = {}

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._http.aclose()

    async def catalog(self) -> Catalog:
        """The four discovery endpoints. Regions and contracts are the documented ones where theirs don't answer or
        make no sense; without GPU families there is no catalogue."""
        gpus, vendors, regions, contracts = await asyncio.gather(
            self._said(GPUS, wire.gpus),
            self._said(VENDORS, wire.names),
            self._said(REGIONS, wire.names),
            self._said(CONTRACTS, wire.names),
            return_exceptions=True,
        )
        for said in (gpus, vendors, regions, contracts):
            if isinstance(said, BaseException) and (
                isinstance(said, LockedOut) or not isinstance(said, MarketAway)
            ):
                raise said
        if isinstance(gpus, BaseException):
            raise gpus
        self._families = gpus
        return Catalog(
            gpus=self._families,
            vendors=self._names(VENDORS, vendors, ()),
            regions=tuple(dict.fromkeys(map(wire.region_name, self._names(REGIONS, regions, wire.REGIONS)))),
            contracts=tuple(
                dict.fromkeys(map(wire.contract_name, self._names(CONTRACTS, contracts, wire.CONTRACTS)))
            ),
            read_at=self._clock.now(),
        )

    async def offers(self, request: Request) -> tuple[Offer, ...]:
        """Machines that fit and whose price still stands, cheapest first."""
        answer = await self._http.ask(
            OFFERS, "POST", "/get_offers", seconds=self._patience.offers, yaml=wire.query(request)
        )
        now = self._clock.now()
        found = await self._made(OFFERS, answer, lambda body: wire.offers(body, self._families, now, self._odd))
        return cheapest_first(offer for offer in found if offer.expires_at > now and fits(offer, request))

    async def procure(self, offer_id: str, public_key: str, resource_name: str) -> Procured:
        """Buys, once. MarketAway with `acted` means that nobody knows."""
        body = {"offer_id": offer_id, "ssh_public_key": public_key, "resource_name": resource_name}
        answer = await self._http.ask(PROCURE, "POST", "/procure_offer", seconds=self._patience.procure, json=body)
        if answer.status in _BOUGHT_NOTHING:
            return Procured(
                accepted=False,
                expired=answer.status == 410,
                refused=answer.status != 410,
                detail=await self._detail(PROCURE, answer),
            )
        if answer.status == _BOUGHT_BEFORE:
            return Procured(accepted=False, bought_before=True, detail=await self._detail(PROCURE, answer))
        return await self._made(PROCURE, answer, lambda body: wire.procured(body, offer_id, self._odd))

    async def progress(self, offer_id: str) -> OfferProgress:
        """The offer's procurement status."""
        answer = await self._other(STATUS, "GET", f"/offers/{quote(offer_id, safe='')}/status")
        if answer.status == 404:
            return OfferProgress(found=False)
        return await self._made(STATUS, answer, lambda body: wire.progress(body, offer_id, self._odd))

    async def resources(self, offer_id: str | None = None) -> tuple[ResourceView, ...]:
        """The account's resources, or those of one offer; none where the offer is not found."""
        params = None if offer_id is None else {"offer_id": offer_id}
        answer = await self._other(RESOURCES, "GET", "/resources", params=params)
        if answer.status == 404 and offer_id is not None:
            return ()
        return await self._made(RESOURCES, answer, lambda body: wire.resources(body, self._odd, of_offer=offer_id))

    async def resource(self, resource_id: str, *, fresh: bool = False) -> ResourceView | None:
        """One resource, None on 404; `fresh` asks the vendor live."""
        answer = await self._other(
            RESOURCE, "GET", _resource_path(resource_id), params={"force_refresh": "true"} if fresh else None
        )
        if answer.status == 404:
            return None
        return await self._made(RESOURCE, answer, lambda body: wire.resource(body, resource_id))

    async def resource_ids(self, offer_id: str) -> dict[str, str]:
        """The status of each resource of an offer, by its id; none if the offer is not found."""
        answer = await self._other(RESOURCES, "GET", "/resources", params={"offer_id": offer_id})
        if answer.status == 404:
            return {}
        return await self._made(RESOURCES, answer, lambda body: resource_ids(body, offer_id))

    async def delete(self, resource_id: str) -> bool:
        """Asks for deletion with force. True when accepted or already deleted (409), False on 404."""
        answer = await self._other(DELETE, "DELETE", _resource_path(resource_id), params={"force": "true"})
        if answer.status in {404, 409}:
            return answer.status == 409
        if not answer.content and answer.ok:
            return True
        return await self._made(DELETE, answer, wire.deletion)

    async def _other(self, call: Call, method: str, path: str, params: dict[str, str] | None = None) -> Answer:
        return await self._http.ask(call, method, path, seconds=self._patience.other, params=params)

    async def _said(self, call: Call, read: Callable[[object], T]) -> T:
        return await self._made(call, await self._other(call, "GET", f"/{call.name}"), read)

    def _names(
        self, call: Call, said: tuple[str, ...] | BaseException, documented: tuple[str, ...]
    ) -> tuple[str, ...]:
        if not isinstance(said, BaseException):
            return said
        self._odd.replaced(call.name)
        return documented

    async def _made(self, call: Call, answer: Answer, read: Callable[[object], T]) -> T:
        """What `read` makes of a 2xx answer. Raises MarketAway for any other, and where there is none to make."""
        if not answer.ok:
            _log.warning("market.refused", call=call.name, status=answer.status)
            raise MarketAway(f"Compute Clear refused the question ({answer.status}).", acted=call.buys)
        return await self._http.made(call, answer, read)

    async def _detail(self, call: Call, answer: Answer) -> str:
        try:
            return await self._http.made(call, answer, wire.problem)
        except MarketAway:
            return ""


def _resource_path(resource_id: str) -> str:
    return f"/resources/{quote(resource_id, safe='')}"
