"""Tests of which offers an attempt may buy, and in which order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot.model.attempt import Attempt, Why
from bot.model.base import changed
from bot.model.offer import Offer
from bot.policy.buying.offers import takes_script, untried, within_terms
from bot.policy.team.rules import Rules
from tests.store import make

RULES = Rules()


def offer(vendor: str, rate: str, **fields: Any) -> Offer:
    return make.offer(f"offer-{vendor}", vendor=vendor, rate=Decimal(rate), **fields)


A, B, C = offer("a", "2.00"), offer("b", "3.00"), offer("c", "1.00")


def failed(tried: Offer, why: Why | None) -> Attempt:
    return make.attempt(offer=tried, why=why)


def names(offers: list[Offer]) -> str:
    return " ".join(one.vendor for one in offers)


def test_the_clicked_offer_is_tried_first_then_the_cheapest() -> None:
    request = make.rental().request
    assert names(untried([A, B, C], request, B.offer_id, [])) == "b c a"
    assert names(untried([A, B, C], request, "gone", [])) == "c a b"


def test_offers_that_do_not_fit_the_request_are_not_tried() -> None:
    assert untried([offer("a", "2.00", count=A.count + 1)], make.rental().request, "x", []) == []


@pytest.mark.parametrize(
    ("why", "remaining"),
    [
        (Why.SOLD_OUT, "c b"),
        (Why.VENDOR_FAILED, "c b"),
        (None, "c b"),
        (Why.EXPIRED, "c a b"),
        (Why.OUTAGE, "c a b"),
        (Why.RATE_LIMITED, "c a b"),
        (Why.UNAUTHORIZED, "c a b"),
        (Why.SCRIPT_REFUSED, "a c b"),
    ],
)
def test_a_place_is_tried_again_only_if_the_failure_was_not_its_fault(why: Why | None, remaining: str) -> None:
    again = changed(A, offer_id="offer-a-again")
    tried = [failed(A, why)]
    assert names(untried([A, again, B, C], make.rental().request, "x", tried)) == remaining


def test_only_a_place_that_refused_the_startup_script_is_tried_without_it() -> None:
    again = changed(A, offer_id="offer-a-again")
    elsewhere = changed(A, offer_id="offer-a-elsewhere", vendor_region="elsewhere")
    for tried in ([failed(A, Why.SCRIPT_REFUSED)], [failed(A, Why.SCRIPT_REFUSED), failed(again, Why.EXPIRED)]):
        assert [takes_script(one, tried) for one in (again, elsewhere, B)] == [False, True, True]


@pytest.mark.parametrize(("then", "order"), [(None, "a c b"), (Why.OUTAGE, "a c b"), (Why.EXPIRED, "c a b")])
def test_a_place_that_refused_the_startup_script_is_tried_next(then: Why | None, order: str) -> None:
    """It comes before cheaper places, until it has answered an attempt without the script."""
    tried = [failed(A, Why.SCRIPT_REFUSED)]
    if then is not None:
        tried.append(failed(changed(A, offer_id="offer-a-again"), then))
    third = changed(A, offer_id="offer-a-third")
    assert names(untried([B, C, third], make.rental().request, "x", tried)) == order


@pytest.mark.parametrize(("max_rate", "allowed"), [("3.00", "a b c"), ("2.99", "a c"), ("0.99", "")])
def test_an_offer_above_the_rate_of_the_terms_is_not_allowed(max_rate: str, allowed: str) -> None:
    terms = make.terms(max_rate=Decimal(max_rate), total=1_000_000_000)
    assert names(within_terms([A, B, C], terms, 0, RULES)) == allowed


def test_the_total_must_leave_three_minutes_to_get_ready() -> None:
    # The lease of 4 h and the grace period of 15 min cost $8.50. Three minutes cost $0.10.
    terms = make.terms(max_rate=Decimal("3.00"), total=9_000_000)
    assert names(within_terms([A], terms, 400_000, RULES)) == "a"
    assert names(within_terms([A], terms, 400_001, RULES)) == ""
