"""The text of a request: notes, totals, and the round trip from a request to text and back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Mistake
from bot.model.base import changed
from bot.model.money import micros
from bot.model.request import Contract, Request
from bot.policy.team.policy_file import SETUP_NAME
from handlers.typed.draft import Get
from handlers.typed.requests import request_text
from tests.handlers.parsing_helpers import CATALOG, LEASE, a_request, command, request_of


@pytest.mark.parametrize(
    ("text", "dollars"),
    [("h100 budget $500", "500"), ("h100 $20 for 10h", "20"), ("h100 max $20 total", "20"),
     ("2x h100 eu spot 10h for $100", "100"), ("2x h100 10h $50/gpu in all", "100"),
     ("h100 $9.9999 for 9h", "9.99"),
     ("h100 for 6h up to 12h for $24", "24"), ("h100 until 18:00 for $12", "12"),
     ("h100 for 72h max $0.10 total", "0.10")],
)  # fmt: skip
def test_a_price_for_the_whole_time_is_a_total(text: str, dollars: str) -> None:
    request = request_of(text)
    assert (request.max_total, request.max_gpu_rate) == (micros(Decimal(dollars)), None)
    assert not request.cap_for_all_time


@pytest.mark.parametrize(
    ("text", "cap", "for_all_time"),
    [("h100 $10/h", "10", False), ("h100 $10/h for 6h", "10", False), ("4x h100 $40/h in all", "10", False),
     ("4x h100 $10/gpu/h in all", "10", False), ("h100 under $3 for 6h", "3", True)],
)  # fmt: skip
def test_a_price_per_hour_or_with_a_limit_is_not_a_total(text: str, cap: str, for_all_time: bool) -> None:
    request = request_of(text)
    assert (request.max_gpu_rate, request.max_total) == (Decimal(cap), None)
    assert request.cap_for_all_time == for_all_time


def test_the_error_for_an_impossible_total_says_what_it_comes_to() -> None:
    with pytest.raises(Mistake) as caught:
        request_of("h100 for 1h max $5000 total")
    assert "$5000.00 per GPU-hour can't be right. That's what $5000.00 in all comes to." in caught.value.words


def test_any_vendor_is_accepted_if_the_catalog_has_no_vendors() -> None:
    catalog = changed(CATALOG, vendors=())
    found = command("get h100 from Nebius", catalog=catalog)
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
def test_a_note_is_plain_text_on_one_line(text: str, note: str) -> None:
    assert request_of(f"h100 eu {text}") == a_request(region="EU", note=note)


def test_the_parts_of_a_request_can_be_in_any_order() -> None:
    everything = a_request(
        count=8, region="EU", contract=Contract.SPOT, vendor="nebius", max_gpu_rate=Decimal(3),
        lease=timedelta(hours=6), note="run 7",
    )  # fmt: skip
    assert request_of("8xH100 EU spot under $3/GPU/h for 6h from nebius -- run 7") == everything
    assert request_of("nebius, for 6 hours: spot, Europe, max $3/h each, h100 x8 — run 7") == everything


requests = st.builds(
    Request,
    gpu=st.sampled_from([*CATALOG.gpus, *(name for names in CATALOG.gpus.values() for name in names)]),
    count=st.integers(1, 1000),
    region=st.none() | st.sampled_from(CATALOG.regions),
    contract=st.sampled_from(Contract),
    vendor=st.none() | st.sampled_from(CATALOG.vendors),
    max_gpu_rate=st.none() | st.decimals(min_value="0.0001", max_value=1000, places=4),
    lease=st.integers(60, 72 * 3600).map(lambda seconds: timedelta(seconds=seconds)),
    setup=st.none() | st.from_regex(SETUP_NAME, fullmatch=True),
    probe=st.booleans(),
    note=st.text(max_size=200).map(
        lambda text: " ".join("".join(c for c in text if c == " " or c.isprintable()).split())
    ),
)
narrowed = requests.map(lambda request: changed(request, gpu="A100", features=("80gb",)))
capped = requests.map(
    lambda request: (
        request
        if request.count == 1 or not request.max_gpu_rate
        else changed(request, cap_said_per_gpu=False, cap_for_each_or_all=True)
    )
)


def as_slack_sends_it(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


with_total = st.builds(
    changed,
    requests,
    lease=st.integers(1, 72).map(lambda hours: timedelta(hours=hours)),
    max_gpu_rate=st.none(),
    max_total=st.integers(1_000, 100_000).map(lambda cents: cents * 10_000),
    cap_said_per_gpu=st.just(False),
)


@given(request=requests | capped | narrowed | with_total, default=st.sampled_from([None, LEASE]))
def test_the_text_of_a_request_parses_as_the_same_request(request: Request, default: timedelta | None) -> None:
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
        ({"max_total": 1_020_500_000, "cap_said_per_gpu": False}, "H100 $1020.50 in all for 4h"),
        ({"setup": "torch"}, "H100 setup torch for 4h"),
        ({"probe": False}, "H100 no-probe for 4h"),
        ({"note": "run 7"}, "H100 for 4h -- run 7"),
    ],
)
def test_a_request_is_written_as_a_person_would_type_it(changes: dict[str, Any], text: str) -> None:
    assert request_text(a_request(**changes)) == text


def test_a_lease_of_the_default_length_is_left_out() -> None:
    assert request_text(a_request(), default_lease=LEASE) == "H100"
