"""The client's result or error for each answer of Compute Clear, over real HTTP."""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import yaml
from aiohttp import web
from pydantic import SecretStr
from structlog.testing import capture_logs

from bot.clock import MovedClock
from bot.errors import MarketAway, Mistake, RateLimited, TokenRefused
from bot.market.client import LARGEST_DISCOVERY, LARGEST_LIST, ComputeClear
from bot.model.attempt import Why
from bot.model.request import Contract, Request
from tests.market.conftest import NOON, TOKEN, Api

OFFER = "5e9f2b1a-0000-4000-8000-000000000001"
RESOURCE = "3c90c3cc-0000-4000-8000-000000000002"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
H100_EU = Request(gpu="H100", region="EU", lease=timedelta(hours=6))


def an_offer(**changes: Any) -> dict[str, Any]:
    return {
        "offer_id": OFFER,
        "type": "vm",
        "gpu_type": "nvidia-h100-sxm5-80gb",
        "gpu_family": "H100",
        "gpu_count": 1,
        "vendor": "hyperstack",
        "region": "EU",
        "vendor_region": "nor-1",
        "contract_type": "ondemand",
        "total_price_per_hour": 2.15,
        "created_at": NOON.isoformat(),
        **changes,
    }


async def buy(market: ComputeClear, startup_script: str = "") -> Any:
    return await market.procure(OFFER, KEY, "gpubot-k7mq2-1", startup_script)


def discovery(api: Api) -> None:
    api.answer("/available_gpus", {"H100": ["nvidia-h100-sxm5-80gb", "nvidia-h100-pcie-80gb"]})
    api.answer("/available_vendors", ["nebius", "hyperstack"])
    api.answer("/available_regions", {"regions": [{"name": "us"}, {"name": "eu"}]})
    api.answer("/available_contracts", [{"name": "on-demand"}, {"name": "spot"}])


async def test_the_catalogue_is_read_from_the_four_endpoints(api: Api, market: ComputeClear) -> None:
    discovery(api)
    catalog = await market.catalog()
    assert catalog.gpus == {"H100": ("nvidia-h100-sxm5-80gb", "nvidia-h100-pcie-80gb")}
    assert catalog.vendors == ("nebius", "hyperstack")
    assert catalog.regions == ("US", "EU")
    assert catalog.contracts == ("ondemand", "spot")
    assert catalog.read_at == NOON


async def test_the_documented_regions_and_contracts_replace_unusable_answers(
    api: Api, market: ComputeClear
) -> None:
    discovery(api)
    api.answer("/available_regions", {"a": 1, "b": 2})
    api.answer("/available_contracts", {"detail": "down"}, status=503)
    catalog = await market.catalog()
    assert catalog.regions == ("US", "EU", "APAC", "Other")
    assert catalog.contracts == ("ondemand", "spot")


async def test_a_catalogue_without_gpu_families_is_an_outage(api: Api, market: ComputeClear) -> None:
    discovery(api)
    api.answer("/available_gpus", [])
    with pytest.raises(MarketAway):
        await market.catalog()


async def test_the_query_for_offers_is_yaml_with_the_exact_price_cap(api: Api, market: ComputeClear) -> None:
    api.answer("/get_offers", {"offers": []})
    request = Request(
        gpu="H100", count=8, region="EU", contract=Contract.SPOT, vendor="nebius",
        max_gpu_rate=Decimal("3.10"), lease=timedelta(hours=6),
    )  # fmt: skip
    assert await market.offers(request) == ()
    [seen] = api.seen
    assert seen.method == "POST"
    assert seen.headers["Content-Type"] == "application/yaml"
    assert b"max_price_per_gpu_hour: 3.10\n" in seen.body
    assert yaml.safe_load(seen.body) == {
        "compute": {"gpu_type": "H100", "gpu_count": 8, "contract_type": "spot", "max_price_per_gpu_hour": 3.1},
        "region": "EU",
        "vendor": "nebius",
    }


async def test_fitting_offers_that_are_valid_are_returned_cheapest_first(api: Api, market: ComputeClear) -> None:
    offers = [
        an_offer(offer_id="dear", total_price_per_hour=3.11, vendor="scaleway"),
        an_offer(offer_id="cheap"),
        an_offer(offer_id="spot", contract_type="spot"),
        an_offer(offer_id="elsewhere", region="US"),
        an_offer(offer_id="two", gpu_count=2),
        an_offer(offer_id="other", gpu_family="A100", gpu_type="nvidia-a100-sxm4-80gb"),
        an_offer(offer_id="free", total_price_per_hour=0),
        an_offer(offer_id="several", type="cluster"),
        an_offer(offer_id="over", expires_at=NOON.isoformat()),
        "nonsense",
    ]
    api.answer("/get_offers", {"offers": offers, "total_count": len(offers)})
    found = await market.offers(H100_EU)
    assert [offer.offer_id for offer in found] == ["cheap", "dear"]
    assert found[0].rate == Decimal("2.15")
    assert found[0].expires_at == NOON + timedelta(minutes=30)


async def test_a_purchase_sends_offer_key_and_name_and_returns_resources(api: Api, market: ComputeClear) -> None:
    api.answer("/procure_offer", {"offer_id": OFFER, "status": "procured", "resource_ids": [RESOURCE]})
    bought = await buy(market)
    assert bought.why is None
    assert bought.resource_ids == (RESOURCE,)
    [seen] = api.seen
    assert json.loads(seen.body) == {
        "offer_id": OFFER,
        "ssh_public_key": KEY,
        "resource_name": "gpubot-k7mq2-1",
    }
    assert seen.headers["Authorization"] == f"Bearer {TOKEN}"


async def test_a_startup_script_is_sent_unchanged_as_cloud_init(api: Api, market: ComputeClear) -> None:
    api.answer("/procure_offer", {"offer_id": OFFER, "status": "procured", "resource_ids": [RESOURCE]})
    assert (await buy(market, "#!/bin/sh\necho 'ü' \"$1\"\n")).why is None
    [seen] = api.seen
    assert json.loads(seen.body)["cloud_init"] == "#!/bin/sh\necho 'ü' \"$1\"\n"


async def test_a_failed_purchase_can_name_resources(api: Api, market: ComputeClear) -> None:
    api.answer(
        "/procure_offer",
        {"offer_id": OFFER, "status": "failed", "resource_ids": [RESOURCE], "error": "no\ncapacity"},
    )
    answer = await buy(market)
    assert (answer.why, answer.bought_nothing) == (Why.SOLD_OUT, False)
    assert answer.resource_ids == (RESOURCE,)
    assert answer.detail == "no capacity"


@pytest.mark.parametrize(
    ("status", "script", "means"),
    [
        (404, "", Why.REFUSED),
        (410, "", Why.EXPIRED),
        (422, "", Why.REFUSED),
        (404, "#!/bin/sh", Why.REFUSED),
        (410, "#!/bin/sh", Why.EXPIRED),
        (422, "#!/bin/sh", Why.SCRIPT_REFUSED),
    ],
)
async def test_a_documented_refusal_means_that_nothing_was_bought(
    api: Api, market: ComputeClear, status: int, script: str, means: Why
) -> None:
    api.answer("/procure_offer", {"detail": "no"}, status=status)
    answer = await buy(market, script)
    assert (answer.why, answer.bought_nothing, answer.detail) == (means, True, "no")


async def test_an_offer_that_was_bought_before_is_not_a_refusal(api: Api, market: ComputeClear) -> None:
    api.answer("/procure_offer", {"detail": "no"}, status=409)
    answer = await buy(market)
    assert (answer.why, answer.bought_nothing, answer.detail) == (Why.BOUGHT_BEFORE, False, "no")


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, b"{}"),
        (403, b"{}"),
        (408, b"{}"),
        (425, b"{}"),
        (429, b"{}"),
        (502, b"<html>"),
        (503, b""),
        (400, b'{"detail": "?"}'),
        (302, b""),
        (200, b"<html>"),
        (200, b""),
        (200, b"[]"),
        (200, b'{"offer_id": "another", "status": "procured"}'),
        (200, b'{"status": NaN}'),
        (200, b'{"status": null}'),
        (200, b"[" * 200_000),
        (200, b"1" * 10_000),
        (200, b'{"status": 1e99999999999999999999}'),
        (200, b'{"status": "failed", "status": "procured"}'),
        (200, b'{"status": "\xff"}'),
    ],
)
async def test_any_other_answer_means_the_purchase_may_have_happened(
    api: Api, market: ComputeClear, status: int, content: bytes
) -> None:
    api.answer_bytes("/procure_offer", content, status, Location="/procure_offer")
    with pytest.raises(MarketAway) as away:
        await buy(market)
    assert away.value.may_have_bought
    assert len(api.seen) == 1


@pytest.mark.parametrize("break_connection", [Api.cut, Api.cut_within_answer])
async def test_a_purchase_is_not_repeated_after_a_broken_connection(
    api: Api, market: ComputeClear, break_connection: Callable[[Api, str], None]
) -> None:
    """The purchase may have happened."""
    break_connection(api, "/procure_offer")
    with pytest.raises(MarketAway) as away:
        await buy(market)
    assert away.value.may_have_bought
    assert len(api.seen) == 1


async def test_a_timeout_means_the_purchase_may_have_happened(api: Api, impatient_market: ComputeClear) -> None:
    api.hang("/procure_offer")
    with pytest.raises(MarketAway) as away:
        await buy(impatient_market)
    assert away.value.may_have_bought


async def test_an_answer_that_is_too_large_is_refused(api: Api, market: ComputeClear) -> None:
    api.answer_bytes("/resources", b"[" + b" " * LARGEST_LIST + b"]")
    with pytest.raises(MarketAway):
        await market.resources()


@pytest.mark.parametrize("name", ["gpus", "vendors", "regions", "contracts"])
async def test_a_catalogue_answer_of_more_than_1_mib_is_not_decoded(
    api: Api, market: ComputeClear, name: str
) -> None:
    answers: dict[str, Any] = {
        "gpus": {"H100": ["nvidia-h100-sxm5-80gb"]},
        "vendors": ["hyperstack"],
        "regions": ["Mars"],
        "contracts": ["lunar"],
    }
    for each, answer in answers.items():
        spaces = b" " * (LARGEST_DISCOVERY if each == name else 0)
        api.answer_bytes(f"/available_{each}", spaces + json.dumps(answer).encode())
    if name == "gpus":
        with pytest.raises(MarketAway):
            await market.catalog()
    else:
        unused = {"vendors": "hyperstack", "regions": "Mars", "contracts": "lunar"}
        assert unused[name] not in getattr(await market.catalog(), name)


async def test_a_request_that_was_not_sent_bought_nothing(clock: MovedClock) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        market = ComputeClear(f"http://127.0.0.1:{taken.getsockname()[1]}", SecretStr(TOKEN), clock)
        with pytest.raises(MarketAway) as away:
            await buy(market)
        assert not away.value.may_have_bought
        await market.aclose()


async def test_each_purchase_gets_a_new_connection(api: Api, market: ComputeClear) -> None:
    api.answer("/procure_offer", {"offer_id": OFFER, "status": "procured"})
    api.answer("/resources", [])
    for _ in range(2):
        await market.resources()
        await buy(market)
    asked, bought, asked_again, bought_again = (seen.connection for seen in api.seen)
    assert asked is asked_again
    assert len({asked, bought, bought_again}) == 3


@pytest.mark.parametrize(
    "call",
    [buy, lambda market: market.resources(), lambda market: market.delete("r1")],
    ids=["procure", "resources", "delete"],
)
async def test_no_call_is_repeated_after_a_pooled_connection_broke(
    api: Api, market: ComputeClear, call: Callable[[ComputeClear], Awaitable[object]]
) -> None:
    api.answer("/resources", [])
    await market.resources()
    for path in ("/procure_offer", "/resources", "/resources/r1"):
        api.cut(path)
    api.seen.clear()
    with pytest.raises(MarketAway):
        await call(market)
    assert len(api.seen) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-1", None), ("soon", None), ("999999", 3600.0), ("NaN", None),
     ("Fri, 01 Jan 2100 00:00:00 GMT", 3600.0), ("Fri, 01 Jan 1999 00:00:00 GMT", 0.0)],
)  # fmt: skip
async def test_the_error_for_429_contains_the_retry_after_seconds(
    api: Api, market: ComputeClear, header: str, seconds: float | None
) -> None:
    api.answer("/procure_offer", {}, status=429, Retry_After=header)
    with pytest.raises(RateLimited) as away:
        await buy(market)
    assert away.value.retry_after == seconds


@pytest.mark.parametrize(("status", "may_have_bought"), [(401, False), (403, True)])
async def test_401_and_403_mean_that_the_token_is_refused(
    api: Api, market: ComputeClear, status: int, may_have_bought: bool
) -> None:
    """Only a 401 is documented to buy nothing (docs/compute-clear.md, "Procure")."""
    for path in ("/procure_offer", "/available_gpus", "/resources"):
        api.answer(path, {"detail": "no"}, status=status)
    with pytest.raises(TokenRefused) as refused:
        await buy(market)
    assert refused.value.may_have_bought is may_have_bought
    with pytest.raises(TokenRefused):
        await market.catalog()
    with pytest.raises(TokenRefused):
        await market.resources()


async def test_a_403_of_a_purchase_says_nothing_about_the_token(api: Api, clock: MovedClock) -> None:
    """Otherwise, with a token that may read but not buy, the admins would get notice after notice."""
    reported: list[bool] = []

    async def on_token(refused: bool) -> None:
        reported.append(refused)

    client = ComputeClear(api.url, SecretStr(TOKEN), clock, on_token=on_token)
    api.answer("/resources", {"resources": []})
    api.answer("/procure_offer", {"detail": "no"}, 403)
    for _ in range(2):
        await client.resources()
        with pytest.raises(TokenRefused):
            await buy(client)
    assert reported == [False]
    api.answer("/resources", {"detail": "no"}, 403)
    with pytest.raises(TokenRefused):
        await client.resources()
    with pytest.raises(TokenRefused):
        await buy(client)
    assert reported == [False, True]
    await client.aclose()


async def test_a_refused_token_is_read_again_before_it_counts_as_refused(api: Api, clock: MovedClock) -> None:
    """The call is repeated only with a different token. The first call had no effect."""
    stored, reported, second = [TOKEN], list[bool](), "cc-second-token-9b1c"

    async def on_token(refused: bool) -> None:
        reported.append(refused)

    def read_token() -> SecretStr:
        if not stored:
            raise Mistake("COMPUTE_CLEAR_TOKEN_FILE: I can't read it")
        return SecretStr(stored[-1])

    async def only_second(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] != f"Bearer {second}":
            return web.json_response({}, status=401)
        return web.json_response({"detail": f"{TOKEN} {second}"}, status=422)

    client = ComputeClear(api.url, SecretStr(TOKEN), clock, on_token=on_token, read_token=read_token)
    api.answers["/procure_offer"] = only_second
    with capture_logs() as lines:
        for _ in range(2):
            with pytest.raises(TokenRefused):
                await buy(client)
            stored.clear()
        assert (len(api.seen), reported) == (2, [True])
        stored.append(second)
        answer = await buy(client)
    assert "[token] [token]" in answer.detail
    assert (len(api.seen), reported) == (4, [True, False])
    assert [line["event"] for line in lines if line["event"].startswith("market.token")] == [
        "market.token_not_read",
        "market.token_read",
    ]
    assert TOKEN not in str(lines)
    assert second not in str(lines)
    await client.aclose()


async def test_the_token_is_in_no_log_line_or_error(
    api: Api, market: ComputeClear, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    api.answer("/available_gpus", {"detail": TOKEN}, status=500)
    api.cut("/procure_offer")
    api.answer("/resources", {"detail": TOKEN}, status=401)
    errors: list[BaseException] = []
    with capture_logs() as lines:
        for call in (market.catalog(), buy(market), market.resources()):
            with pytest.raises((MarketAway, TokenRefused)) as caught:
                await call
            errors.append(caught.value)
    assert lines
    shown = f"{lines} {caplog.text} {errors!r} {[e.__cause__ for e in errors]} {vars(market)!r}"
    assert TOKEN not in shown


# --- counting


async def test_each_call_is_counted_by_its_outcome(api: Api, clock: MovedClock) -> None:
    counted: list[tuple[str, str]] = []
    client = ComputeClear(
        api.url, SecretStr(TOKEN), clock, on_call=lambda call, outcome: counted.append((call, outcome))
    )
    api.answer("/resources", {"resources": []})
    await client.resources()
    api.answer("/resources", {"resources": 3})
    with pytest.raises(MarketAway):
        await client.resources()
    assert await client.resource("r1") is None
    api.answer("/resources/r1", {}, 401)
    with pytest.raises(TokenRefused):
        await client.delete("r1")
    api.cut("/offers/o1/status")
    with pytest.raises(MarketAway):
        await client.progress("o1")
    await client.aclose()
    assert counted == [
        ("list_resources", "2xx"),
        ("list_resources", "2xx"),
        ("list_resources", "unusable"),
        ("get_resource", "4xx"),
        ("delete_resource", "4xx"),
        ("offer_status", "no_answer"),
    ]
