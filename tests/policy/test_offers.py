"""Tests of which offers fit a request, and which similar requests to try if none fits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.model.attempt import SuccessRate
from bot.model.base import changed
from bot.model.offer import Offer
from bot.model.request import Contract, Request
from bot.policy.buying.offers import (
    cheapest_first,
    fits,
    likeliest_first,
    nearby,
    nearest_first,
    one_for_each_vendor,
)


def offer(**changes: Any) -> Offer:
    fields: dict[str, Any] = {
        "offer_id": "o1",
        "gpu": "nvidia-rtx-4090-24gb",
        "family": "RTX 4090",
        "count": 2,
        "vendor": "Nebius",
        "region": "EU",
        "contract": "ondemand",
        "rate": Decimal("6.00"),
        "expires_at": datetime(2026, 3, 2, tzinfo=UTC),
    }
    return Offer(**{**fields, **changes})


def request(**changes: Any) -> Request:
    return Request(**{"gpu": "RTX 4090", "count": 2, "lease": timedelta(hours=1), **changes})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"gpu": "rtx4090"},
        {"gpu": "nvidia-rtx-4090-24gb"},
        {"gpu": "NVIDIA-RTX-4090-24GB"},
        {"region": "eu"},
        {"vendor": "nebius"},
        {"max_gpu_rate": Decimal(3)},
        {"features": ("24gb",)},
    ],
)
def test_an_offer_fits_requests_that_match_it(fields: dict[str, Any]) -> None:
    assert fits(offer(), request(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"gpu": "RTX 4090 Ti"},
        {"features": ("48gb",)},
        {"features": ("24gb", "pcie")},
        {"gpu": "nvidia-rtx-4090-48gb"},
        {"count": 1},
        {"region": "US"},
        {"contract": Contract.SPOT},
        {"vendor": "neb"},
        {"max_gpu_rate": Decimal("2.99")},
    ],
)
def test_an_offer_does_not_fit_any_other_request(fields: dict[str, Any]) -> None:
    assert not fits(offer(), request(**fields))


def test_an_offer_without_a_price_fits_no_request() -> None:
    assert not fits(offer(rate=Decimal(0)), request())


def test_offers_are_sorted_by_price_and_equal_prices_keep_their_order() -> None:
    dear, b, a = (
        offer(offer_id="1", rate=Decimal(9)),
        offer(offer_id="2", vendor="b"),
        offer(offer_id="3", vendor="a"),
    )
    assert cheapest_first([dear, b, a]) == cheapest_first([a, b, dear]) == (a, b, dear)


def test_offers_of_equal_price_are_sorted_by_success_rate() -> None:
    rare, new, good, dear = (
        offer(offer_id=name, vendor=name, rate=Decimal(9 if name == "dear" else 3))
        for name in ("rare", "new", "good", "dear")
    )
    gpu = rare.gpu
    known = {
        ("rare", gpu): SuccessRate(ready=4, of=10),
        ("good", gpu): SuccessRate(ready=9, of=10),
        ("dear", gpu): SuccessRate(ready=10, of=10),
        ("new", gpu): SuccessRate(ready=0, of=4),
    }
    assert likeliest_first([rare, new, good, dear], known) == (good, new, rare, dear)
    assert likeliest_first([rare, new, good, dear], {}) == (rare, new, good, dear)


def test_people_see_the_nearest_of_otherwise_equal_offers_first() -> None:
    """Offers are sorted by price, then by success rate, then by distance."""
    rare, us, eu, apac, cheap = (
        offer(offer_id=name, vendor=name, region=region, rate=Decimal(rate))
        for name, region, rate in (
            ("rare", "EU", 3),
            ("us", "US", 3),
            ("eu", "EU", 3),
            ("apac", "APAC", 3),
            ("cheap", "US", 2),
        )
    )
    known = {("rare", rare.gpu): SuccessRate(ready=4, of=10)}
    offers = [rare, us, eu, apac, cheap]
    assert nearest_first(offers, known, "Europe/Berlin") == (cheap, eu, us, apac, rare)
    assert nearest_first(offers, known, "Asia/Tokyo") == (cheap, apac, us, eu, rare)
    for zone in ("America/Chicago", "Etc/UTC", None):
        assert nearest_first(offers, known, zone) == (cheap, us, eu, apac, rare)


def test_equal_offers_of_a_vendor_in_several_regions_are_combined() -> None:
    first, second = (offer(offer_id=region, vendor="a", vendor_region=region) for region in ("nor-1", "us-1"))
    dearer = offer(offer_id="dear", vendor="a", vendor_region="can-1", rate=first.rate + 1)
    other = offer(offer_id="other", vendor="b", vendor_region="nor-1")
    again = offer(offer_id="again", vendor="a", vendor_region="nor-1")
    assert one_for_each_vendor([first, other, second, dearer, again]) == [(first, 1), (other, 0), (dearer, 0)]


@pytest.mark.parametrize(
    ("ready", "of", "poor"), [(7, 10, True), (8, 10, False), (3, 5, True), (4, 5, False), (0, 4, False)]
)
def test_a_success_rate_is_poor_below_eight_of_ten(ready: int, of: int, poor: bool) -> None:
    """With fewer than five purchases, the success rate is unknown."""
    assert SuccessRate(ready=ready, of=of).poor is poor


def test_a_request_without_limits_has_only_the_other_contract_nearby() -> None:
    assert nearby(request()) == [request(contract=Contract.SPOT)]


def test_nearby_requests_drop_each_limit_then_all_then_change_the_contract() -> None:
    asked = request(region="EU", vendor="nebius", max_gpu_rate=Decimal(2), contract=Contract.SPOT)
    assert nearby(asked) == [
        changed(asked, max_gpu_rate=None),
        changed(asked, region=None),
        changed(asked, vendor=None),
        changed(asked, max_gpu_rate=None, region=None, vendor=None),
        changed(asked, contract=Contract.ONDEMAND),
    ]
