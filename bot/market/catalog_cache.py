"""The catalogue in memory: what can be asked for, as last read."""

from __future__ import annotations

import asyncio

import structlog

from bot.errors import LockedOut, MarketAway
from bot.lifecycle.ports import Market
from bot.model.base import changed
from bot.model.offer import Catalog

_log = structlog.get_logger("gpubot.market")


class CatalogCache:
    """Keeps the last catalogue. Once there is one, reading it never fails and never waits."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._last: Catalog | None = None
        self._reading = asyncio.Lock()

    @property
    def known(self) -> Catalog | None:
        """As last read; None before the first time."""
        return self._last

    async def get(self) -> Catalog:
        """As last read, however old; read now only the first time, once for all who wait.

        Raises MarketAway or LockedOut where that first time fails.
        """
        if self._last is not None:
            return self._last
        async with self._reading:
            if self._last is None:
                self._last = await self._market.catalog()
            return self._last

    async def refresh(self) -> None:
        """Reads it anew; where there is no answer the last one stays.

        Raises LockedOut always, and MarketAway where there is no last one.
        """
        async with self._reading:
            try:
                read = await self._market.catalog()
            except MarketAway as away:
                if self._last is None or isinstance(away, LockedOut):
                    raise
                _log.warning("market.catalog_stale", since=self._last.read_at.isoformat())
                return
            if not read.vendors and self._last is not None:
                read = changed(read, vendors=self._last.vendors)
            self._last = read
