"""Client and prober against the sandbox, from the catalogue to the termination of a machine.

`test_client.py` covers each answer of the API, and `tests/sandbox` covers the sandbox itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import SecretStr

from bot.clock import MovedClock
from bot.lifecycle.outside import Market, Prober
from bot.market.client import ComputeClear
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.request import Contract, Request
from bot.probe.prober import SshProber
from tests.sandbox.compute_world import NOON, ComputeWorld

H100_EU = Request(gpu="H100", region="EU", lease=timedelta(hours=6))


@pytest.fixture
async def world() -> AsyncIterator[ComputeWorld]:
    world = ComputeWorld()
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
async def market(world: ComputeWorld) -> AsyncIterator[ComputeClear]:
    client = ComputeClear(world.url, SecretStr(world.sandbox.token), MovedClock(NOON))
    yield client
    await client.aclose()


async def test_offers_are_found_for_a_gpu_family_and_for_a_variant(
    market: ComputeClear,
) -> None:
    catalog = await market.catalog()
    assert set(catalog.gpus) == {"H100", "H200", "A100", "L40S", "L4", "RTX 4090", "B200"}
    assert len(catalog.vendors) == 10
    assert catalog.regions == ("US", "EU", "APAC", "Other")
    offers = await market.offers(H100_EU)
    assert (offers[0].vendor, offers[0].rate, offers[0].family) == ("hyperstack", Decimal("2.15"), "H100")
    assert [offer.rate for offer in offers] == sorted(offer.rate for offer in offers)
    assert {(offer.region, offer.contract, offer.count) for offer in offers} == {("EU", "ondemand", 1)}
    one = await market.offers(changed(H100_EU, gpu="nvidia-h100-pcie-80gb", count=2))
    assert {(offer.gpu, offer.count) for offer in one} == {("nvidia-h100-pcie-80gb", 2)}


@pytest.mark.parametrize("gpu", ["H100", "RTX 4090", "L4"])
async def test_a_price_limit_applies_to_each_gpu(market: ComputeClear, gpu: str) -> None:
    request = Request(gpu=gpu, count=2, contract=Contract.SPOT, lease=timedelta(hours=1))
    every = await market.offers(request)
    cap = every[len(every) // 2].gpu_rate
    capped = await market.offers(changed(request, max_gpu_rate=cap))
    assert [(o.vendor, o.rate) for o in capped] == [(o.vendor, o.rate) for o in every if o.rate <= 2 * cap]


async def test_a_machine_is_bought_reached_deleted_and_terminated(world: ComputeWorld, market: Market) -> None:
    prober: Prober = SshProber()
    offer = (await market.offers(H100_EU))[0]
    assert not (await market.progress(offer.offer_id)).in_progress
    bought = await market.procure(offer.offer_id, world.public_key, "gpubot-k7mq2-1", "")
    assert bought.why is None
    assert (await market.progress(offer.offer_id)).in_progress
    world.clock.jump(300)
    progress = await market.progress(offer.offer_id)
    assert (progress.ready, progress.all_running) == (True, True)
    [listed] = await market.resources(offer.offer_id)
    assert listed.name == "gpubot-k7mq2-1"
    assert listed.offer_ids == (offer.offer_id,)
    seen = await market.resource(listed.resource_id, fresh=True)
    assert seen is not None
    assert (seen.rate, seen.valid_from) == (offer.rate, NOON)
    assert seen.host is not None
    assert seen.port is not None
    assert await prober.banner(seen.host, seen.port)
    assert await market.delete(seen.resource_id)
    world.clock.jump(300)
    terminated = await market.resource(seen.resource_id)
    assert terminated is not None
    assert terminated.deleted
    assert terminated.valid_to is not None
    assert await market.delete(seen.resource_id)
    assert not await prober.banner(seen.host, seen.port)


async def test_a_vendor_that_rejects_startup_scripts_sells_without_one(
    world: ComputeWorld, market: ComputeClear
) -> None:
    await world.control("vendors/hyperstack", behaviour="refuses_cloud_init")
    offer = (await market.offers(H100_EU))[0]
    refused = await market.procure(offer.offer_id, world.public_key, "gpubot-k7mq2-1", "#!/bin/sh\n")
    assert refused.why is Why.SCRIPT_REFUSED
    assert (await market.procure(offer.offer_id, world.public_key, "gpubot-k7mq2-1", "")).why is None
