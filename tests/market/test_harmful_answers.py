"""Harmful answers: huge numbers, bodies that decompress to megabytes, endless lists, and the bot's own token."""

from __future__ import annotations

import gzip
import json
import threading
import tracemalloc
import zlib
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bot.clock import MovedClock
from bot.errors import MarketAway
from bot.market import wire
from bot.market.client import GPUS, ComputeClear
from bot.market.transport import MAX_BODY, MAX_ON_LOOP, Answer
from tests.market.conftest import TOKEN, Api
from tests.market.test_client import H100_EU, OFFER, RESOURCE, an_offer, buy

HUGE = ("1e999999999", "-1e999999999", "1e-999999999", "9" * 5000, "NaN")


def written(body: object, number: str) -> bytes:
    """Return a body as JSON, with `number` in place of each "@"."""
    return json.dumps(body).replace('"@"', number).encode()


# --- numbers


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("name", ["total_price_per_hour", "gpu_count", "memory_in_gb", "a_field_of_next_year"])
async def test_a_number_out_of_range_drops_only_its_own_offer(
    api: Api, market: ComputeClear, name: str, number: str
) -> None:
    offers = [an_offer(offer_id="harms", **{name: "@"}), an_offer(offer_id="fits")]
    api.answer_bytes("/get_offers", written({"offers": offers, "total_count": "@"}, number))
    assert [offer.offer_id for offer in await market.offers(H100_EU)] == ["fits"]


@pytest.mark.parametrize("number", HUGE)
async def test_a_machine_with_a_number_out_of_range_can_be_deleted(
    api: Api, market: ComputeClear, number: str
) -> None:
    """The machine is billing, so neither it nor another one may be missing from the list."""
    machine = {
        "resource_id": RESOURCE, "status": "running", "pricing_total_hourly": "@", "valid_from": "@",
        "access": {"external_ip": "10.1.2.3", "ssh_port": "@"}, "spec": {"gpu_type": "@"},
    }  # fmt: skip
    api.answer_bytes(
        "/resources", written({"resources": [machine, {"resource_id": "r2"}], "total_count": "@"}, number)
    )
    api.answer_bytes(f"/resources/{RESOURCE}", written(machine, number))
    assert [view.resource_id for view in await market.resources()] == [RESOURCE, "r2"]
    seen = await market.resource(RESOURCE)
    assert seen is not None
    assert (seen.status, seen.rate, seen.host, seen.port) == ("running", None, "10.1.2.3", 22)
    api.answer_bytes(f"/resources/{RESOURCE}", written({"deleted": "@"}, number))
    assert await market.delete(RESOURCE)


@pytest.mark.parametrize("number", HUGE)
async def test_a_purchase_is_understood_despite_a_number_out_of_range(
    api: Api, market: ComputeClear, number: str
) -> None:
    api.answer_bytes(
        "/procure_offer", written({"status": "procured", "resource_ids": [RESOURCE], "cost": "@"}, number)
    )
    assert (await buy(market)).resource_ids == (RESOURCE,)
    api.answer_bytes(f"/offers/{OFFER}/status", written({"status": "ready", "progress": "@"}, number))
    assert (await market.progress(OFFER)).ready


# --- bodies


def packed(times: int, content: bytes) -> bytes:
    for _ in range(times):
        content = gzip.compress(content)
    return content


async def test_a_gzipped_answer_is_read(api: Api, market: ComputeClear) -> None:
    api.answer_bytes("/resources", packed(1, b'{"resources": [{"resource_id": "r1"}]}'), Content_Encoding="gzip")
    assert [view.resource_id for view in await market.resources()] == ["r1"]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip, gzip", packed(2, b'{"status": "procured"}')),
        ("deflate", zlib.compress(b'{"status": "procured"}')),
        ("gzip, deflate", packed(1, b"{}")),
        ("gzip", packed(1, b'{"status": ') + packed(1, b'"procured"}')),
        ("gzip", packed(1, b'{"status": "procured"}')[:-9]),
        ("gzip", b'{"status": "procured"}'),
        ("gzip", packed(1, b" " * MAX_BODY + b'{"status": "procured"}')),
    ],
    ids=["twice", "deflate", "two ways", "two members", "cut", "none", "too large"],
)
async def test_an_unknown_encoding_means_the_purchase_may_have_happened(
    api: Api, market: ComputeClear, encoding: str, content: bytes
) -> None:
    api.answer_bytes("/procure_offer", content, Content_Encoding=encoding)
    with pytest.raises(MarketAway) as away:
        await buy(market)
    assert away.value.may_have_bought
    assert away.value.words == "I can't read Compute Clear's answer."


async def test_a_decompression_bomb_takes_no_memory(api: Api, market: ComputeClear) -> None:
    grows = packed(2, b" " * (4 * MAX_BODY))
    assert len(grows) < 4096
    api.answer_bytes("/resources", grows, Content_Encoding="gzip, gzip")
    tracemalloc.start()
    try:
        with pytest.raises(MarketAway):
            await market.resources()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < MAX_BODY


async def test_a_large_answer_is_decoded_in_a_thread(market: ComputeClear) -> None:
    async def reader(content: bytes) -> int:
        return await market.read(GPUS, Answer(200, content), lambda _: threading.get_ident())

    assert await reader(b"[]") == threading.get_ident()
    assert await reader(b"[" + b" " * MAX_ON_LOOP + b"]") != threading.get_ident()


# --- long lists


async def test_lists_of_names_and_offers_are_read_up_to_a_limit(api: Api, market: ComputeClear) -> None:
    names = [f"gpu {number}" for number in range(wire.MAX_GPU_NAMES + 100)]
    api.answer("/available_gpus", {name: [f"{name} 80gb", f"{name} 40gb"] for name in names})
    for path in ("vendors", "regions", "contracts"):
        api.answer(f"/available_{path}", names)
    catalog = await market.catalog()
    assert {len(found) for found in (catalog.gpus, catalog.vendors, catalog.regions, catalog.contracts)} == {
        wire.MAX_NAMES
    }
    api.answer("/available_gpus", {"H100": names})
    assert [len(found) for found in (await market.catalog()).gpus.values()] == [wire.MAX_GPU_NAMES]
    offers = [an_offer(offer_id=f"o{number}") for number in range(wire.MAX_OFFERS + 3)]
    api.answer("/get_offers", {"offers": offers})
    with capture_logs() as lines:
        assert len(await market.offers(H100_EU)) == wire.MAX_OFFERS
    assert [line["reasons"] for line in lines] == [{"too many": 3}]


@pytest.mark.parametrize("name", ["instances", "resources"])
async def test_a_list_of_resources_beyond_the_limit_is_refused_as_a_whole(
    api: Api, market: ComputeClear, name: str
) -> None:
    found = [{"resource_id": f"r{number}"} for number in range(wire.MAX_RESOURCES + 1)]
    api.answer("/resources", {"resources": found})
    api.answer(f"/offers/{OFFER}/status", {"status": "ready", name: found})
    api.answer("/procure_offer", {"status": "procured", "resource_ids": [each["resource_id"] for each in found]})
    for call in (market.resources(), market.resources(OFFER), market.progress(OFFER)):
        with pytest.raises(MarketAway):
            await call
    with pytest.raises(MarketAway) as away:
        await buy(market)
    assert away.value.may_have_bought


# --- the bot's token

SPECIAL = "cc/secret+token=7f3a&<x>"


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (TOKEN, f"the token {TOKEN} may not"),
        (TOKEN, f"the token {TOKEN.upper()} may not"),
        (TOKEN, "the token " + "\u200b".join(TOKEN) + " may not"),
        (TOKEN, "x" * 280 + TOKEN),
        (SPECIAL, f"the token {SPECIAL} may not"),
        (SPECIAL, f"GET /?token={quote(SPECIAL, safe='')} may not"),
        (SPECIAL, f"GET /?token={quote(SPECIAL, safe='').lower()} may not"),
        (SPECIAL, f"GET /?token={quote(SPECIAL)} may not"),
        (SPECIAL, json.dumps({"token": SPECIAL})),
        (SPECIAL, "the token cc/secret+token=7f3a&amp;&lt;x&gt; may not"),
    ],
)
async def test_the_token_is_masked_in_all_text_from_the_market(
    api: Api, clock: MovedClock, token: str, text: str
) -> None:
    client = ComputeClear(api.url, SecretStr(token), clock)
    machine = {"resource_id": "r1", "name": text, "status": text, "vendor": text, "spec": {"gpu": text}}
    answers: list[Any] = []
    for status in (200, 422, 410):
        api.answer("/procure_offer", {"status": "failed", "error": text, "detail": text}, status)
        answers.append(await buy(client))
    api.answer("/procure_offer", {"detail": [{"msg": text}]}, 500)
    with pytest.raises(MarketAway) as away:
        await buy(client)
    api.answer(f"/offers/{OFFER}/status", {"status": "failed", "progress": text, "failure_reason": text})
    api.answer("/resources", {"resources": [machine]})
    api.answer("/available_gpus", {text: [text]})
    for path in ("vendors", "regions", "contracts"):
        api.answer(f"/available_{path}", [text])
    api.answer("/get_offers", {"offers": [an_offer(vendor=text, vendor_region=text)]})
    answers += [away.value.words, await client.progress(OFFER), await client.resources(), await client.catalog()]
    answers += [await client.offers(H100_EU)]
    await client.aclose()
    shown = repr(answers).casefold()
    for part in ("7f3a", "secret"):
        assert part not in shown
    assert "[token]" in shown
