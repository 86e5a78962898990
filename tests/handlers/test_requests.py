"""What people type after `/gpu get`, and what it means."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Mistake
from bot.model.base import changed
from bot.model.request import Contract, Request
from handlers.parsing.commands import Get, parse_command
from handlers.parsing.request_text import request_text
from tests.handlers.asking import CATALOG, LEASE, LONGEST, a_request, command, wanted


@pytest.mark.parametrize(
    "text",
    ["8xH100", "h100 x8", "8×H100", "8 x h100", "H100:8", "H100: 8", "8 H100", "8h100", "h100x8", "h100 8",
     "8 H100s",     "H100 x 8", "8✕H100", "8*h100", "8 gpus h100", "h100 8 GPUs", "eight h100", "８ｘＨ１００",
     "8 x nvidia h100",
     "8xNVIDIA-H100", "a machine with 8 h100 please", "(8x H100)", "`8xH100`", "“8x” ‘H100’", "8\u00a0x\u00a0H100",
     "8x\u200bH100", "8 of H100", "h100, 8", "8x H100.", "for 8 h100", "*8x H100*", "*8x* *H100*",
     "_8x_ H100"],
)  # fmt: skip
def test_eight_h100_in_every_spelling(text: str) -> None:
    assert wanted(text) == a_request(count=8)


@pytest.mark.parametrize(
    ("text", "gpu"),
    [
        ("h100", "H100"),
        ("nvidia-h100-sxm5-80gb", "nvidia-h100-sxm5-80gb"),
        ("NVIDIA H100 SXM5 80GB", "nvidia-h100-sxm5-80gb"),
        ("h100 pcie", "nvidia-h100-pcie-80gb"),
        ("h100-pcie", "nvidia-h100-pcie-80gb"),
        ("pci-e h100", "nvidia-h100-pcie-80gb"),
        ("h100 sxm", "nvidia-h100-sxm5-80gb"),
        ("H100SXM", "nvidia-h100-sxm5-80gb"),
        ("H100 80GB", "H100"),
        ("H100-80", "H100"),
        ("H100-80GB", "H100"),
        ("H100-80GB-SXM", "nvidia-h100-sxm5-80gb"),
        ("a100 40gb", "nvidia-a100-sxm4-40gb"),
        ("a100-40", "nvidia-a100-sxm4-40gb"),
        ("40 GB A100", "nvidia-a100-sxm4-40gb"),
        ("a100 80gb pcie", "nvidia-a100-pcie-80gb"),
        ("a100 sxm 80g", "nvidia-a100-sxm4-80gb"),
        ("a10", "A10"),
        ("l4", "L4"),
        ("l40", "L40"),
        ("l40s", "L40S"),
        ("L40s pcie", "nvidia-l40s-pcie-48gb"),
        ("rtx4090", "RTX 4090"),
        ("rtx 4090", "RTX 4090"),
        ("RTX-4090", "RTX 4090"),
        ("4090", "RTX 4090"),
        ("geforce rtx 4090", "RTX 4090"),
        ("nvidia geforce rtx 4090 24gb", "nvidia-rtx-4090-pcie-24gb"),
        ("mi300x", "MI300X"),
        ("amd mi 300x", "MI300X"),
    ],
)
def test_gpus_by_family_variant_and_nickname(text: str, gpu: str) -> None:
    assert wanted(text) == a_request(gpu=gpu)


@pytest.mark.parametrize(("text", "count"), [("2x 4090", 2), ("2 4090", 2), ("4090x2", 2), ("4090:2", 2),
                                             ("mi300x x4", 4),
                                             ("4x mi300x", 4), ("2 l40s", 2), ("16 H100", 16)])  # fmt: skip
def test_counts_beside_names_with_numbers(text: str, count: int) -> None:
    assert wanted(text).count == count


@pytest.mark.parametrize(
    ("text", "region"),
    [("eu", "EU"), ("Europe", "EU"), ("in europe", "EU"), ("in the EU", "EU"), ("region=eu", "EU"),
     ("region: EU", "EU"),
     ("from europe", "EU"), ("in us", "US"), ("USA", "US"), ("u.s.", "US"), ("America", "US"),
     ("united states", "US"),
     ("north america", "US"), ("asia", "APAC"), ("Asia-Pacific", "APAC"), ("apac", "APAC"), ("other", "Other"),
     ("anywhere", None), ("any region", None), ("", None), ("eu EU europe", "EU"), ("--region eu", "EU"),
     ("--region=us", "US")],
)  # fmt: skip
def test_regions(text: str, region: str | None) -> None:
    assert wanted(f"h100 {text}") == a_request(region=region)
    if not text.startswith("--"):
        assert wanted(f"{text} h100") == a_request(region=region)


@pytest.mark.parametrize(
    ("text", "contract"),
    [("spot", Contract.SPOT), ("SPOT instance", Contract.SPOT), ("preemptible", Contract.SPOT),
     ("ondemand", Contract.ONDEMAND), ("on demand", Contract.ONDEMAND), ("on-demand", Contract.ONDEMAND),
     ("On_Demand", Contract.ONDEMAND), ("", Contract.ONDEMAND), ("--spot", Contract.SPOT)],
)  # fmt: skip
def test_contracts(text: str, contract: Contract) -> None:
    assert wanted(f"h100 {text}") == a_request(contract=contract)


@pytest.mark.parametrize(
    ("text", "cap"),
    [("under $3", "3"), ("under US$3", "3"), ("US$3/h", "3"), ("USD 3/h", "3"), ("usd3/h", "3"), ("max $3", "3"),
     ("under $1,000.00", "1000"), ("< $3", "3"), ("&lt; $3", "3"), ("&lt;$3", "3"), ("≤ $3", "3"), ("<= $3", "3"),
     ("below $3.50", "3.5"), ("$3/h max", "3"), ("3$/h", "3"), ("under 3 usd", "3"), ("max $.50", "0.5"),
     ("max 3/h", "3"), ("$3 an hour", "3"), ("up to $3", "3"), ("at most $2.75", "2.75"),
     ("less than 3 dollars", "3"), ("under 2,50$", "2.5"), ("max price 3", "3"), ("--max-price 3", "3"),
     ("budget of $3/h", "3"), ("under $3.1250", "3.125"), ("under $0.125", "0.125")],
)  # fmt: skip
def test_a_price_cap_is_per_gpu_and_hour(text: str, cap: str) -> None:
    assert wanted(f"h100 {text}") == a_request(max_gpu_rate=Decimal(cap))
    assert wanted(f"2x h100 {text} eu for 6h") == a_request(
        count=2, max_gpu_rate=Decimal(cap), cap_said_per_gpu=False, region="EU", lease=timedelta(hours=6)
    )


@pytest.mark.parametrize("text", ["$3/gpu", "$3/gpu/h", "$3/h/gpu", "$3 per gpu per hour", "$3 each", "3/gpu/h",
                                  "$3 per GPU and hour", "$3/gpu-hour"])  # fmt: skip
def test_a_cap_says_that_it_is_per_gpu(text: str) -> None:
    assert wanted(f"2x h100 under {text}") == a_request(count=2, max_gpu_rate=Decimal(3))


@pytest.mark.parametrize(
    ("text", "comes_to"),
    [("h100 budget $500", "/gpu get H100 under $125.00/GPU/h"),
     ("h100 $20 for 10h", "/gpu get H100 under $2.00/GPU/h for 10h"),
     ("h100 max $20 total", "/gpu get H100 under $5.00/GPU/h"),
     ("2x h100 eu spot 10h for $100", "/gpu get 2x H100 EU spot under $5.00/GPU/h for 10h"),
     ("4x h100 $32/h in all", "/gpu get 4x H100 under $8.00/GPU/h"),
     ("h100 for 1h max $5000 total", "$5000.00 per GPU and hour. "
      "Try: /gpu get H100 under $3.00/GPU/h for 1h"),
     ("h100 for 72h max $0.10 total", "less than $0.01 per GPU and hour. "
      "Try: /gpu get H100 under $3.00/GPU/h for 72h")],
)  # fmt: skip
def test_a_total_is_refused_with_the_cap_that_it_comes_to(text: str, comes_to: str) -> None:
    with pytest.raises(Mistake) as caught:
        wanted(text)
    assert caught.value.words.endswith(comes_to)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("for 6h", 360), ("6h", 360), ("6 h", 360), ("6 hours", 360), ("for 90m", 90), ("90 min", 90),
     ("for 2 days", 2880), ("2d", 2880), ("for 1.5h", 90), ("1h30m", 90), ("1 h 30 min", 90),
     ("1 hour and 30 minutes", 90),
     ("for an hour", 60), ("for a day", 1440), ("half an hour", 30), ("for six hours", 360), ("two days", 2880),
     ("--for 6h", 360), ("6h --gpu h100", 360), ("max 6h", 360), ("for up to 6h", 360),
     ("6hrs", 360),
     ("lease 6h", 360), ("--lease 6h", 360), ("6h 6h", 360)],
)  # fmt: skip
def test_leases(text: str, minutes: int) -> None:
    assert wanted(f"h100 {text}") == a_request(lease=timedelta(minutes=minutes))
    if not text.startswith("--"):
        assert wanted(f"{text} 2x h100") == a_request(count=2, lease=timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("text", "vendor"),
    [("vendor nebius", "nebius"), ("from nebius", "nebius"), ("nebius", "nebius"), ("NEBIUS", "nebius"),
     ("from vendor nebius", "nebius"), ("on nebius", "nebius"), ("vendor: lambda labs", "Lambda Labs"),
     ("lambdalabs", "Lambda Labs"), ("from datacrunch", "data-crunch"), ("--vendor nebius", "nebius")],
)  # fmt: skip
def test_vendors(text: str, vendor: str) -> None:
    assert wanted(f"h100 {text}") == a_request(vendor=vendor)


def test_a_vendor_is_taken_as_it_is_where_none_are_known() -> None:
    catalog = changed(CATALOG, vendors=())
    found = parse_command("get h100 from Nebius", catalog, default_lease=LEASE, max_lease=LONGEST)
    assert isinstance(found, Get)
    assert found.request.vendor == "Nebius"


@pytest.mark.parametrize(
    ("text", "note"),
    [("-- fine-tune run 7", "fine-tune run 7"), ("— fine-tune", "fine-tune"),
     ("– fine-tune", "fine-tune"),
     ("-- for H200 in US at $9", "for H200 in US at $9"),
     ("-- a -- b — c", "a -- b — c"), ("-- a &amp; b &lt;c&gt;", "a & b <c>"), ("-- <@U12|ana> <#C1|gpus> <!here>",
     "@ana #gpus @here"), ("-- <https://x.io/a|x.io/a> <mailto:a@b.c|a@b.c>", "x.io/a a@b.c"),
     ("-- a\nb\t\u202ec", "a b c"), ("-- " + "x" * 300, "x" * 199 + "…"), ("--", "")],
)  # fmt: skip
def test_notes(text: str, note: str) -> None:
    assert wanted(f"h100 eu {text}") == a_request(region="EU", note=note)


@pytest.mark.parametrize("text", ["get now h100", "get h100 now", "rent h100 now please", "GET H100 NOW"])
def test_now_rents_at_once(text: str) -> None:
    assert command(text) == Get(request=a_request(), now=True)


@pytest.mark.parametrize(
    "text",
    ["H100 EU", "h100 in Europe", "EU H100", "rent H100 EU", "GET h100 eu", "/gpu get h100 eu", "`get` h100 eu"],
)
def test_get_may_be_left_out_or_be_another_word(text: str) -> None:
    assert command(text) == Get(request=a_request(region="EU"))


def test_everything_at_once_in_any_order() -> None:
    everything = a_request(
        count=8, region="EU", contract=Contract.SPOT, vendor="nebius", max_gpu_rate=Decimal(3),
        lease=timedelta(hours=6), note="run 7",
    )  # fmt: skip
    assert wanted("8xH100 EU spot under $3/GPU for 6h from nebius -- run 7") == everything
    assert wanted("nebius, for 6 hours: spot, Europe, max $3 each, h100 x8 — run 7") == everything


requests = st.builds(
    Request,
    gpu=st.sampled_from([*CATALOG.gpus, *(name for names in CATALOG.gpus.values() for name in names)]),
    count=st.integers(1, 1000),
    region=st.none() | st.sampled_from(CATALOG.regions),
    contract=st.sampled_from(Contract),
    vendor=st.none() | st.sampled_from(CATALOG.vendors),
    max_gpu_rate=st.none() | st.decimals(min_value="0.0001", max_value=1000, places=4),
    lease=st.integers(60, 72 * 3600).map(lambda seconds: timedelta(seconds=seconds)),
    note=st.text(max_size=200).map(
        lambda text: " ".join("".join(c for c in text if c == " " or c.isprintable()).split())
    ),
)
capped = requests.map(
    lambda one: one if one.count == 1 or not one.max_gpu_rate else changed(one, cap_said_per_gpu=False)
)


def as_slack_sends_it(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@given(request=requests | capped, default=st.sampled_from([None, LEASE]))
def test_a_request_that_is_spelled_reads_back_as_itself(request: Request, default: timedelta | None) -> None:
    text = as_slack_sends_it("get " + request_text(request, default_lease=default))
    assert command(text) == Get(request=request)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "H100 for 4h"),
        ({"count": 8, "region": "EU", "contract": Contract.SPOT}, "8x H100 EU spot for 4h"),
        ({"max_gpu_rate": Decimal("3"), "vendor": "nebius"}, "H100 under $3.00/GPU/h vendor nebius for 4h"),
        ({"max_gpu_rate": Decimal("3.125"), "lease": timedelta(minutes=90)}, "H100 under $3.1250/GPU/h for 1h30m"),
        (
            {"count": 4, "max_gpu_rate": Decimal("8"), "cap_said_per_gpu": False},
            "4x H100 under $8.00/h for 4h",
        ),
        ({"note": "run 7"}, "H100 for 4h -- run 7"),
    ],
)
def test_how_a_request_is_spelled(changes: dict[str, Any], text: str) -> None:
    assert request_text(a_request(**changes)) == text


def test_a_lease_by_default_needs_no_words() -> None:
    assert request_text(a_request(), default_lease=LEASE) == "H100"
