"""Requests: notes, totals, and that the text of a request is parsed as the same request."""

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
from bot.policy.setups import NAME
from handlers.parsing.commands import Get
from handlers.parsing.request_text import request_text
from tests.handlers.parsing_helpers import CATALOG, LEASE, a_request, command, request_of


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
def test_a_total_price_is_refused_with_the_cap_per_gpu_that_it_amounts_to(text: str, comes_to: str) -> None:
    with pytest.raises(Mistake) as caught:
        request_of(text)
    assert caught.value.words.endswith(comes_to)


def test_a_vendor_is_accepted_as_typed_if_the_catalogue_has_no_vendors() -> None:
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
    assert request_of("8xH100 EU spot under $3/GPU for 6h from nebius -- run 7") == everything
    assert request_of("nebius, for 6 hours: spot, Europe, max $3 each, h100 x8 — run 7") == everything


requests = st.builds(
    Request,
    gpu=st.sampled_from([*CATALOG.gpus, *(name for names in CATALOG.gpus.values() for name in names)]),
    count=st.integers(1, 1000),
    region=st.none() | st.sampled_from(CATALOG.regions),
    contract=st.sampled_from(Contract),
    vendor=st.none() | st.sampled_from(CATALOG.vendors),
    max_gpu_rate=st.none() | st.decimals(min_value="0.0001", max_value=1000, places=4),
    lease=st.integers(60, 72 * 3600).map(lambda seconds: timedelta(seconds=seconds)),
    setup=st.none() | st.from_regex(NAME, fullmatch=True),
    probe=st.booleans(),
    note=st.text(max_size=200).map(
        lambda text: " ".join("".join(c for c in text if c == " " or c.isprintable()).split())
    ),
)
capped = requests.map(
    lambda request: (
        request if request.count == 1 or not request.max_gpu_rate else changed(request, cap_said_per_gpu=False)
    )
)


def as_slack_sends_it(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@given(request=requests | capped, default=st.sampled_from([None, LEASE]))
def test_the_text_of_a_request_reads_back_as_the_same_request(request: Request, default: timedelta | None) -> None:
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
        ({"setup": "torch"}, "H100 setup torch for 4h"),
        ({"probe": False}, "H100 no-probe for 4h"),
        ({"note": "run 7"}, "H100 for 4h -- run 7"),
    ],
)
def test_a_request_is_written_as_a_person_types_it(changes: dict[str, Any], text: str) -> None:
    assert request_text(a_request(**changes)) == text


def test_a_lease_of_the_default_length_is_left_out() -> None:
    assert request_text(a_request(), default_lease=LEASE) == "H100"
