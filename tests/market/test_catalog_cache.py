"""CatalogCache reads the catalogue once, and keeps it during outages."""

from __future__ import annotations

import asyncio

import pytest

from bot.errors import MarketAway, TokenRefused
from bot.market.client import CatalogCache, ComputeClear
from tests.market.conftest import Api
from tests.market.test_client import discovery


async def test_callers_that_wait_share_the_first_read(api: Api, market: ComputeClear) -> None:
    discovery(api)
    catalog_cache = CatalogCache(market)
    assert catalog_cache.known is None
    found = await asyncio.gather(*(catalog_cache.get() for _ in range(5)))
    assert all(one is found[0] for one in found)
    assert len(api.seen) == 4


async def test_a_first_read_that_fails_raises_and_the_next_one_can_succeed(api: Api, market: ComputeClear) -> None:
    catalog_cache = CatalogCache(market)
    with pytest.raises(MarketAway):
        await catalog_cache.get()
    discovery(api)
    assert "H100" in (await catalog_cache.get()).gpus


async def test_an_outage_keeps_the_last_catalogue(api: Api, market: ComputeClear) -> None:
    discovery(api)
    catalog_cache = CatalogCache(market)
    first = await catalog_cache.get()
    api.answer("/available_gpus", {}, status=500)
    await catalog_cache.refresh()
    assert await catalog_cache.get() == first
    api.answer("/available_gpus", {"B200": ["nvidia-b200-sxm6-180gb"]})
    api.answer("/available_vendors", {}, status=500)
    await catalog_cache.refresh()
    second = await catalog_cache.get()
    assert set(second.gpus) == {"B200"}
    assert second.vendors == first.vendors


async def test_a_refresh_raises_if_the_token_is_refused_and_keeps_the_last_catalogue(
    api: Api, market: ComputeClear
) -> None:
    discovery(api)
    catalog_cache = CatalogCache(market)
    first = await catalog_cache.get()
    api.answer("/available_vendors", {}, status=401)
    with pytest.raises(TokenRefused):
        await catalog_cache.refresh()
    assert catalog_cache.known == first
