"""Keeps the catalogue in memory."""

from __future__ import annotations

import asyncio

import structlog

from bot.errors import MarketAway, TokenRefused
from bot.lifecycle.outside import Market
from bot.model.base import changed
from bot.model.offer import Catalog

_log = structlog.get_logger("gpubot.market")


class CatalogCache:
    """The catalogue as it was last read. After the first read, `get` neither fails nor waits."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._last: Catalog | None = None
        self._lock = asyncio.Lock()

    @property
    def known(self) -> Catalog | None:
        """Return the catalogue as it was last read, or None before the first read."""
        return self._last

    async def get(self) -> Catalog:
        """Return the catalogue as it was last read, however old. Read it first if it was never read.

        Callers that wait share that first read. Raise MarketAway or TokenRefused if it fails.
        """
        if self._last is not None:
            return self._last
        async with self._lock:
            if self._last is None:
                self._last = await self._market.catalog()
            return self._last

    async def refresh(self) -> None:
        """Read the catalogue again. Keep the last one if the marketplace doesn't answer.

        Raise TokenRefused if the token is refused. Raise MarketAway if there is no catalogue to keep.
        """
        async with self._lock:
            try:
                catalog = await self._market.catalog()
            except MarketAway as away:
                if self._last is None or isinstance(away, TokenRefused):
                    raise
                _log.warning("market.catalog_stale", since=self._last.read_at.isoformat())
                return
            if not catalog.vendors and self._last is not None:
                catalog = changed(catalog, vendors=self._last.vendors)
            self._last = catalog
