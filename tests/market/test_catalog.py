"""The catalogue in memory."""

from __future__ import annotations

import asyncio

import pytest

from bot.errors import LockedOut, MarketAway
from bot.market.catalog import Catalogue
from bot.market.client import ComputeClear
from tests.market.conftest import Api
from tests.market.test_client import discovery


async def test_the_first_time_it_is_read_once_for_all_who_wait(api: Api, market: ComputeClear) -> None:
    discovery(api)
    catalogue = Catalogue(market)
    assert catalogue.known is None
    found = await asyncio.gather(*(catalogue.get() for _ in range(5)))
    assert all(one is found[0] for one in found)
    assert len(api.seen) == 4


async def test_a_first_time_that_fails_says_so_and_the_next_one_may_succeed(
    api: Api, market: ComputeClear
) -> None:
    catalogue = Catalogue(market)
    with pytest.raises(MarketAway):
        await catalogue.get()
    discovery(api)
    assert "H100" in (await catalogue.get()).gpus


async def test_an_outage_leaves_the_last_one_standing(api: Api, market: ComputeClear) -> None:
    discovery(api)
    catalogue = Catalogue(market)
    first = await catalogue.get()
    api.says("/available_gpus", {}, status=500)
    await catalogue.refresh()
    assert await catalogue.get() == first
    api.says("/available_gpus", {"B200": ["nvidia-b200-sxm6-180gb"]})
    api.says("/available_vendors", {}, status=500)
    await catalogue.refresh()
    second = await catalogue.get()
    assert set(second.gpus) == {"B200"}
    assert second.vendors == first.vendors


async def test_a_refused_token_is_told(api: Api, market: ComputeClear) -> None:
    discovery(api)
    catalogue = Catalogue(market)
    first = await catalogue.get()
    api.says("/available_vendors", {}, status=401)
    with pytest.raises(LockedOut):
        await catalogue.refresh()
    assert catalogue.known == first
