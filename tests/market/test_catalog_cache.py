"""CatalogCache keeps the catalogue during outages."""

from __future__ import annotations

import pytest

from bot.errors import MarketAway, TokenRefused
from bot.market.client import CatalogCache, ComputeClear
from tests.market.conftest import Api
from tests.market.test_client import discovery


async def test_the_catalogue_can_be_read_after_a_failed_first_attempt(api: Api, market: ComputeClear) -> None:
    catalog_cache = CatalogCache(market)
    with pytest.raises(MarketAway):
        await catalog_cache.refresh()
    assert catalog_cache.known is None
    discovery(api)
    await catalog_cache.refresh()
    assert catalog_cache.known is not None
    assert "H100" in catalog_cache.known.gpus


async def test_the_last_catalogue_is_kept_during_an_outage(api: Api, market: ComputeClear) -> None:
    discovery(api)
    catalog_cache = CatalogCache(market)
    await catalog_cache.refresh()
    first = catalog_cache.known
    api.answer("/available_gpus", {}, status=500)
    await catalog_cache.refresh()
    assert first is not None
    assert catalog_cache.known == first
    api.answer("/available_gpus", {"B200": ["nvidia-b200-sxm6-180gb"]})
    api.answer("/available_vendors", {}, status=500)
    await catalog_cache.refresh()
    second = catalog_cache.known
    assert set(second.gpus) == {"B200"}
    assert second.vendors == first.vendors


async def test_the_last_catalogue_is_kept_if_the_token_is_refused(api: Api, market: ComputeClear) -> None:
    """The refresh raises TokenRefused."""
    discovery(api)
    catalog_cache = CatalogCache(market)
    await catalog_cache.refresh()
    first = catalog_cache.known
    assert first is not None
    api.answer("/available_vendors", {}, status=401)
    with pytest.raises(TokenRefused):
        await catalog_cache.refresh()
    assert catalog_cache.known == first
