"""Generated answers: they crash no parser, and nothing unusable gets through."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import cycle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.market import fields, wire
from tests.market.reading import FAMILIES, NOW, read_offers

# --- any JSON

HUGE = (
    "1e999999999",
    "-1e999999999",
    "1e-999999999",
    "0e999999999",
    "9" * 5000,
    "1e" + "9" * 30,
    "NaN",
    "Infinity",
)
numbers = st.integers() | st.decimals() | st.integers(-(10**400), 10**400) | st.sampled_from(HUGE[:4]).map(Decimal)
plain = st.none() | st.booleans() | numbers | st.text(max_size=20)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)


junk = st.recursive(plain, nested, max_leaves=12)


def shaped(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects with the API's field names, and arbitrary values."""
    return st.fixed_dictionaries(
        {}, optional=dict.fromkeys(names, junk | st.sampled_from(["o1", "running", "1.2.3.4"]))
    )


instance = shaped("instance_id", "external_ip", "status", "ssh_command")
offer = shaped(
    "offer_id", "type", "gpu_type", "gpu_family", "gpu_count", "vendor", "region", "vendor_region",
    "contract_type", "gpu_price_per_hour", "storage_price_per_hour", "total_price_per_hour",
    "boot_disk_in_gb", "vcpu_count",
    "memory_in_gb", "created_at", "expires_at",
)  # fmt: skip
resource = shaped(
    "resource_id", "status", "name", "created_at", "access", "spec", "offer_history", "pricing_total_hourly",
    "valid_from", "valid_to", "vendor",
)  # fmt: skip


@given(
    body=junk
    | st.builds(lambda found: {"offers": found}, st.lists(offer | junk, max_size=4))
    | st.builds(lambda found: {"resources": found}, st.lists(resource | junk, max_size=4))
    | shaped(
        "offer_id", "status", "resource_ids", "error", "procurement_status", "progress", "instances", "detail"
    )
    | st.builds(lambda found: {"procurement_status": "ready", "instances": found}, st.lists(instance))
    | resource
)
def test_no_answer_crashes_any_reader(body: object) -> None:
    _read_every_way(body)


@given(
    body=st.lists(offer | resource, max_size=3).map(lambda found: {"offers": found, "resources": found})
    | shaped("offer_id", "status", "resource_ids", "procurement_status", "instances", "total_count", "detail"),
    names=st.lists(st.sampled_from(HUGE), min_size=1, max_size=4),
)
def test_no_json_number_crashes_any_reader(body: object, names: list[str]) -> None:
    """Each text in the body is replaced with a number, so that every field gets one."""
    turns = cycle(names)
    written = re.sub(r'(?<=: )"[^"\\]*"', lambda _: next(turns), json.dumps(body, default=str))
    _read_every_way(fields.decode(written.encode()))


def _read_every_way(body: object) -> None:
    anomalies = wire.Anomalies()
    readers = (
        lambda: wire.gpus(body),
        lambda: wire.names(body),
        lambda: wire.offers(body, FAMILIES, NOW, anomalies),
        lambda: wire.procured(body, "o1", anomalies),
        lambda: wire.progress(body, "o1", anomalies),
        lambda: wire.resources(body, anomalies),
        lambda: wire.resources(body, anomalies, of_offer="o1"),
        lambda: wire.resource(body, "r1"),
        lambda: wire.deletion(body),
        lambda: wire.problem(body),
    )
    for read in readers:
        with suppress(wire.UnusableAnswer):
            read()


@given(
    st.binary()
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_the_decoder_raises_only_not_json(content: bytes) -> None:
    with suppress(fields.NotJson):
        fields.decode(content)


# --- data that the schema allows

prices = st.none() | st.decimals(min_value=-5, max_value=100, places=4)
valid_offer = st.fixed_dictionaries(
    {
        "offer_id": st.uuids().map(str),
        "gpu_type": st.sampled_from(["nvidia-h100-sxm5-80gb", "nvidia-l4-24gb"]),
        "gpu_count": st.integers(min_value=1),
        "vendor": st.text(),
    },
    optional={
        "type": st.sampled_from(["vm", "cluster"]) | st.text(),
        "region": st.sampled_from(["US", "EU"]) | st.text(),
        "contract_type": st.none() | st.sampled_from(["spot", "ondemand"]) | st.text(),
        "gpu_price_per_hour": prices,
        "storage_price_per_hour": prices,
        "total_price_per_hour": prices,
        "vcpu_count": st.none() | st.integers(),
        "memory_in_gb": st.none() | numbers,
        "created_at": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
        "expires_at": st.none() | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    },
)


@given(st.lists(valid_offer))
def test_each_offer_that_is_kept_has_its_price_and_usable_values(entries: list[dict[str, Any]]) -> None:
    by_id = {entry["offer_id"]: entry for entry in reversed(entries)}
    for found in read_offers(*entries):
        entry = by_id[found.offer_id]
        total = entry.get("total_price_per_hour")
        if total is None:
            total = entry["gpu_price_per_hour"] + (entry.get("storage_price_per_hour") or 0)
        assert found.rate == total > 0
        assert entry.get("type") != "cluster"
        assert found.count == entry["gpu_count"]
        assert found.vendor.isprintable()
        assert found.expires_at.tzinfo is UTC
        assert found.memory_gb is None or found.memory_gb > 0
