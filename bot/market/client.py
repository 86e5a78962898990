"""The HTTP client of the Compute Clear API (docs/compute-clear.md), and a cache of the catalogue.

The client implements the interface `bot.lifecycle.outside.Market`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import quote
from uuid import UUID

import structlog

from bot.errors import MarketAway, TokenRefused
from bot.lifecycle.outside import Market, OfferProgress, Procured, ResourceView
from bot.market import wire
from bot.market.transport import Answer, Call, Transport
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.offer import Catalog, Offer
from bot.model.request import OfferQuery
from bot.policy.buying.offers import cheapest_first, fits

T = TypeVar("T")
_log = structlog.get_logger("gpubot.market")

LARGEST_DISCOVERY = 1024 * 1024
"""The maximum size in bytes of an answer from a discovery endpoint, which normally lists a few hundred names.

The limit is low because decoded JSON takes several times as much memory.
"""
LARGEST_LIST = 64 * 1024 * 1024
"""The maximum size in bytes of the list of the account's resources. Each resource takes some 600 bytes."""
GPUS = Call("available_gpus", largest=LARGEST_DISCOVERY, open_to_all=True)
VENDORS = Call("available_vendors", largest=LARGEST_DISCOVERY, open_to_all=True)
REGIONS = Call("available_regions", largest=LARGEST_DISCOVERY, open_to_all=True)
CONTRACTS = Call("available_contracts", largest=LARGEST_DISCOVERY, open_to_all=True)
OFFERS = Call("get_offers")
PROCURE = Call("procure_offer", buys=True)
STATUS = Call("offer_status")
RESOURCES = Call("list_resources", largest=LARGEST_LIST, open_to_all=True)
RESOURCE = Call("get_resource")
DELETE = Call("delete_resource")

_INVALID = 422
"""The status with which Compute Clear rejects an invalid field or ID.

For a purchase with a startup script, the invalid field may be the script.
"""
_NOT_SOLD = {404: Why.REFUSED, 410: Why.EXPIRED, _INVALID: Why.REFUSED, 409: Why.BOUGHT_BEFORE}
"""The statuses of procure_offer that prove that the call bought nothing (docs/compute-clear.md, "Procure").

Status 401 proves this as well, but Transport handles that status. After any other error, something may have been
bought.
"""


class ComputeClear(Transport):
    """The market, that is, the Compute Clear API (`bot.lifecycle.outside.Market`).

    A failed call isn't repeated. The only exception is a call whose token was refused: if there is a new token,
    the call is made again with the new token (see `Transport`).
    """

    _families: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """The GPU families of the last catalogue that was read."""

    async def catalog(self) -> Catalog:
        """Return the catalogue: the answers of the four discovery endpoints.

        If the endpoints for regions or contracts give no usable answer, the documented values are used instead.

        Raises:
            MarketAway: The GPU families can't be read.
            TokenRefused: Compute Clear rejects the token.
        """
        gpus, vendors, regions, contracts = await asyncio.gather(
            self._discover(GPUS, wire.gpus),
            self._discover(VENDORS, wire.names),
            self._discover(REGIONS, wire.names),
            self._discover(CONTRACTS, wire.names),
            return_exceptions=True,
        )
        for answer in (gpus, vendors, regions, contracts):
            if isinstance(answer, BaseException) and (
                isinstance(answer, TokenRefused) or not isinstance(answer, MarketAway)
            ):
                raise answer
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

    async def offers(self, query: OfferQuery) -> tuple[Offer, ...]:
        answer = await self.ask(
            OFFERS, "POST", "/get_offers", seconds=self._timeouts.offers, yaml=wire.offer_query(query)
        )
        now = self._clock.now()
        found = await self._read(
            OFFERS, answer, lambda body: wire.offers(body, self._families, now, self._anomalies)
        )
        return cheapest_first(offer for offer in found if offer.expires_at > now and fits(offer, query))

    async def procure(self, offer_id: str, public_key: str, resource_name: str, startup_script: str) -> Procured:
        body = {"offer_id": offer_id, "ssh_public_key": public_key, "resource_name": resource_name}
        if startup_script:
            body["cloud_init"] = startup_script
        answer = await self.ask(PROCURE, "POST", "/procure_offer", seconds=self._timeouts.procure, json=body)
        why = _NOT_SOLD.get(answer.status)
        if why is not None:
            if answer.status == _INVALID and startup_script:
                why = Why.SCRIPT_REFUSED
            return Procured(why=why, detail=await self._detail(PROCURE, answer))
        return await self._read(PROCURE, answer, lambda body: wire.procured(body, offer_id, self._anomalies))

    async def progress(self, offer_id: str) -> OfferProgress:
        answer = await self._other(STATUS, "GET", f"/offers/{quote(offer_id, safe='')}/status")
        if answer.status == 404:
            return OfferProgress()
        return await self._read(STATUS, answer, lambda body: wire.progress(body, offer_id, self._anomalies))

    async def resources(self, offer_id: str | None = None) -> tuple[ResourceView, ...]:
        params = None if offer_id is None else {"offer_id": offer_id}
        answer = await self._other(RESOURCES, "GET", "/resources", params=params)
        if answer.status == 404 and offer_id is not None:
            return ()
        return await self._read(
            RESOURCES, answer, lambda body: wire.resources(body, self._anomalies, of_offer=offer_id)
        )

    async def resource(self, resource_id: str, *, fresh: bool = False) -> ResourceView | None:
        answer = await self._other(
            RESOURCE, "GET", _resource_path(resource_id), params={"force_refresh": "true"} if fresh else None
        )
        if _not_found(answer, resource_id):
            return None
        return await self._read(RESOURCE, answer, lambda body: wire.resource(body, resource_id))

    async def resource_ids(self, offer_id: str) -> dict[str, str]:
        answer = await self._other(RESOURCES, "GET", "/resources", params={"offer_id": offer_id})
        if answer.status == 404:
            return {}
        return await self._read(RESOURCES, answer, lambda body: wire.resource_ids(body, offer_id))

    async def delete(self, resource_id: str) -> bool:
        answer = await self._other(DELETE, "DELETE", _resource_path(resource_id), params={"force": "true"})
        if answer.status == 409 or _not_found(answer, resource_id):
            return answer.status == 409
        if not answer.content and answer.ok:
            return True
        return await self._read(DELETE, answer, wire.deletion)

    async def _other(self, call: Call, method: str, path: str, params: dict[str, str] | None = None) -> Answer:
        return await self.ask(call, method, path, seconds=self._timeouts.other, params=params)

    async def _discover(self, call: Call, reader: Callable[[object], T]) -> T:
        return await self._read(call, await self._other(call, "GET", f"/{call.name}"), reader)

    def _names(
        self, call: Call, answer: tuple[str, ...] | BaseException, documented: tuple[str, ...]
    ) -> tuple[str, ...]:
        if not isinstance(answer, BaseException):
            return answer
        _log.warning("market.documented_names_used", where=call.name)
        return documented

    async def _read(self, call: Call, answer: Answer, reader: Callable[[object], T]) -> T:
        """Parse a 2xx answer with `reader`.

        Raises MarketAway for any other status, or if the answer can't be parsed.
        """
        if not answer.ok:
            _log.warning("market.refused", call=call.name, status=answer.status)
            raise MarketAway(f"Compute Clear refused the request ({answer.status}).", may_have_bought=call.buys)
        return await self.read(call, answer, reader)

    async def _detail(self, call: Call, answer: Answer) -> str:
        try:
            return await self.read(call, answer, wire.problem)
        except MarketAway:
            return ""


def _not_found(answer: Answer, resource_id: str) -> bool:
    """Return whether an answer says that the requested resource doesn't exist.

    Normally, the status is 404. If the ID isn't a UUID, the status 422 also means this, because the ID of every
    resource is a UUID (docs/compute-clear.md, "Status and resources"). Compute Clear may have sent a wrong ID by
    mistake. Without this rule, the bot would wait forever for the deletion of that resource to be confirmed.
    """
    return answer.status == 404 or (answer.status == _INVALID and not _is_uuid(resource_id))


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _resource_path(resource_id: str) -> str:
    return f"/resources/{quote(resource_id, safe='')}"


@dataclass
class CatalogCache:
    """Keeps Compute Clear's most recent catalogue in memory."""

    market: Market
    known: Catalog | None = None
    """The most recent catalogue. None until it has been read for the first time."""

    async def refresh(self) -> None:
        """Read the catalogue again. If Compute Clear doesn't respond, the previous one is kept.

        Raises:
            TokenRefused: Compute Clear rejects the token.
            MarketAway: Compute Clear doesn't respond, and there is no previous catalogue.
        """
        try:
            catalog = await self.market.catalog()
        except MarketAway as away:
            if self.known is None or isinstance(away, TokenRefused):
                raise
            _log.warning("market.catalog_stale", since=self.known.read_at.isoformat())
            return
        if not catalog.vendors and self.known is not None:
            catalog = changed(catalog, vendors=self.known.vendors)
        self.known = catalog
