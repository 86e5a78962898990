"""Client, catalogue and prober against the sandbox: a machine's whole life, and vendors that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import SecretStr

from bot.clock import MovedClock
from bot.errors import LockedOut, MarketAway
from bot.lifecycle.ports.outside import Market, Prober
from bot.market.client import ComputeClear, Timeouts
from bot.model.base import changed
from bot.model.request import Contract, Request
from bot.probe.banner import SshProber
from tests.sandbox.compute_world import NOON, ComputeWorld

H100_EU = Request(gpu="H100", region="EU", lease=timedelta(hours=6))


@pytest.fixture
async def world() -> AsyncIterator[ComputeWorld]:
    made = ComputeWorld()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def market(world: ComputeWorld) -> AsyncIterator[ComputeClear]:
    client = ComputeClear(world.url, SecretStr(world.sandbox.token), MovedClock(NOON))
    yield client
    await client.aclose()


async def test_the_catalogue_and_offers_for_a_family_and_for_one_variant(market: ComputeClear) -> None:
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
async def test_a_cap_holds_for_each_gpu(market: ComputeClear, gpu: str) -> None:
    request = Request(gpu=gpu, count=2, contract=Contract.SPOT, lease=timedelta(hours=1))
    every = await market.offers(request)
    cap = every[len(every) // 2].gpu_rate
    capped = await market.offers(changed(request, max_gpu_rate=cap))
    assert [(o.vendor, o.rate) for o in capped] == [(o.vendor, o.rate) for o in every if o.rate <= 2 * cap]


async def test_a_machine_from_offer_to_gone(world: ComputeWorld, market: Market) -> None:
    prober: Prober = SshProber()
    offer = (await market.offers(H100_EU))[0]
    assert not (await market.progress(offer.offer_id)).in_progress
    bought = await market.procure(offer.offer_id, world.public_key, "gpubot-k7mq2-1")
    assert bought.accepted
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
    gone = await market.resource(seen.resource_id)
    assert gone is not None
    assert gone.deleted
    assert gone.valid_to is not None
    assert await market.delete(seen.resource_id)
    assert not await prober.banner(seen.host, seen.port)


async def test_an_offer_is_bought_once_and_an_old_one_not_at_all(
    world: ComputeWorld, market: ComputeClear
) -> None:
    first, second, *_ = await market.offers(H100_EU)
    assert (await market.procure(first.offer_id, world.public_key, "gpubot-k7mq2-1")).accepted
    assert (await market.procure(first.offer_id, world.public_key, "gpubot-k7mq2-2")).bought_before
    world.clock.jump(1801)
    assert (await market.procure(second.offer_id, world.public_key, "gpubot-k7mq2-3")).expired
    assert len((await world.look("account"))["offers_bought"]) == 1


async def test_vendors_that_misbehave(world: ComputeWorld, market: ComputeClear) -> None:
    await world.control("vendors/hyperstack", behaviour="fails_with_resource")
    await world.control("vendors/nebius", behaviour="sold_out")
    await world.control("vendors/scaleway", behaviour="no_price")
    offers = {offer.vendor: offer for offer in await market.offers(H100_EU)}
    assert "scaleway" not in offers
    failed = await market.procure(offers["hyperstack"].offer_id, world.public_key, "gpubot-a-1")
    assert not failed.accepted
    assert len(await market.resources(offers["hyperstack"].offer_id)) == 1
    sold_out = await market.procure(offers["nebius"].offer_id, world.public_key, "gpubot-a-2")
    assert not sold_out.accepted
    assert sold_out.detail
    assert await market.resources(offers["nebius"].offer_id) == ()


async def test_half_the_instances_are_not_all(world: ComputeWorld, market: ComputeClear) -> None:
    offer = (await market.offers(H100_EU))[0]
    await world.control(f"vendors/{offer.vendor}", behaviour="partial")
    assert (await market.procure(offer.offer_id, world.public_key, "gpubot-a-1")).accepted
    world.clock.jump(600)
    progress = await market.progress(offer.offer_id)
    assert progress.in_progress or progress.ready
    assert not progress.all_running


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "garbage", "hang"])
async def test_when_the_answer_is_lost_only_looking_tells_and_nothing_is_asked_twice(
    world: ComputeWorld, kind: str
) -> None:
    market = ComputeClear(
        world.url,
        SecretStr(world.sandbox.token),
        MovedClock(NOON),
        Timeouts(procure=0.2 if kind == "hang" else 30),
    )
    offer = (await market.offers(H100_EU))[0]
    await world.control("faults", endpoint="procure_offer", kind=kind)
    with pytest.raises(MarketAway) as away:
        await market.procure(offer.offer_id, world.public_key, "gpubot-k7mq2-1")
    assert away.value.acted
    traffic = (await world.look("traffic?after=0&endpoint=procure_offer"))["requests"]
    assert len(traffic) == 1
    bought = (await world.look("account"))["offers_bought"]
    progress = await market.progress(offer.offer_id)
    assert progress.in_progress is bool(bought)
    assert bool(bought) is (kind == "cut_after")
    await market.aclose()


@pytest.mark.parametrize("endpoint", ["delete_resource", "list_resources"])
async def test_no_other_call_is_repeated_either(world: ComputeWorld, market: ComputeClear, endpoint: str) -> None:
    await asyncio.gather(market.resources(), market.resources())  # leaves connections to reuse
    await world.control("faults", endpoint=endpoint, kind="cut_after", times=None)
    with pytest.raises(MarketAway):
        await (
            market.resources()
            if endpoint == "list_resources"
            else market.delete("3c90c3cc-0000-4000-8000-000000000002")
        )
    before = 2 if endpoint == "list_resources" else 0
    assert len((await world.look(f"traffic?after=0&endpoint={endpoint}"))["requests"]) == before + 1


async def test_a_revoked_token_locks_out(world: ComputeWorld, market: ComputeClear) -> None:
    await world.control("token", valid=False)
    with pytest.raises(LockedOut):
        await market.offers(H100_EU)
    await world.control("token", valid=True)
    assert await market.offers(H100_EU)
