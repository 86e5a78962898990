"""Tests of the waitlist: whose turn it is, what they get, and when the market is queried."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.attempt import Attempt, AttemptState, Why
from bot.model.base import changed
from bot.model.offer import Offer
from bot.model.quote import QuoteState, SharedSearch, WaitlistEntry
from bot.model.request import Request
from bot.model.state import State
from bot.policy.buying.waiting import (
    LONGEST_PAUSE,
    Rent,
    SayNothingFits,
    Tell,
    Waiter,
    ceiling,
    in_turn,
    new_waitlist_entry,
    next_purchase,
    next_question,
    same_reason,
    search_id,
    shared_query,
    still_waits,
    turn,
    waitlist_entry_for,
)
from bot.policy.team.rules import Rules
from bot.policy.team.rules import Waiting as WaitingRules
from tests.store import make

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOON = datetime.fromisoformat("2026-11-24T12:00:00+00:00")  # A Tuesday.
UTC = ZoneInfo("UTC")
RULES = Rules()
EVERY = RULES.waiting.every
START = NOON + 21 * HOUR


def request(**fields: Any) -> Request:
    return Request(**{"gpu": "H100", "lease": 8 * HOUR, **fields})


def start(**fields: Any) -> Request:
    return request(starts_at=START, until=START + 8 * HOUR, **fields)


def offer(rate: str, gpu: str = "nvidia-h100-sxm5-80gb", vendor: str = "nebius", **fields: Any) -> Offer:
    values = {"offer_id": f"{vendor}-{rate}", "gpu": gpu, "family": "H100", "count": 1, "vendor": vendor}
    more = {"region": "EU", "contract": "ondemand", "rate": Decimal(rate), "expires_at": NOON + 48 * HOUR}
    return Offer(**{**values, **more, **fields})


def waiter(
    wants: Request, max_rate: str | None = None, *, since: datetime = NOON, name: str = "q1", **more: Any
) -> Waiter:
    """Return a waitlist entry. If it has a highest price, a fitting offer is rented."""
    waitlist_entry_fields = {key: more.pop(key) for key in ("any_time", "gpu", "until") if key in more}
    rents = max_rate is not None
    waitlist_entry = changed(new_waitlist_entry(wants, None, since, RULES, rents=rents), **waitlist_entry_fields)
    found = make.quote(
        id=name, request=wants, waitlist_entry=waitlist_entry, state=QuoteState.WAITING, created_at=since
    )
    rental = None
    if max_rate is not None:
        terms = make.terms(gpu=wants.gpu, count=wants.count, max_rate=Decimal(max_rate))
        rental = make.rental(
            id="k7mq2",
            state=State.QUEUED,
            quote_id=name,
            request=wants,
            terms=terms,
            waitlist_entry=waitlist_entry,
        )
    return Waiter(quote=found, rental=rental, **{"zone": UTC, **more})


# --- turns


def test_the_cheapest_offer_up_to_the_highest_price_is_rented() -> None:
    offers = [offer("2.10"), offer("2.50"), offer("3.10")]
    assert turn(waiter(request(), "2.60"), offers, NOON, RULES) == Rent(offers[0])
    assert turn(waiter(request(), "2.10"), offers, NOON, RULES) == Rent(offers[0])
    assert turn(waiter(request(), "2.09"), offers, NOON, RULES) is None


def test_a_waitlist_entry_accepts_any_model_unless_one_was_named() -> None:
    pcie, sxm = offer("2.00", "nvidia-h100-pcie-80gb"), offer("2.40")
    assert turn(waiter(request(), "9"), [pcie, sxm], NOON, RULES) == Rent(pcie)
    assert turn(waiter(request(features=("sxm",)), "9"), [pcie, sxm], NOON, RULES) == Rent(sxm)
    assert turn(waiter(start(), "9", gpu="nvidia-h100-sxm5-80gb"), [pcie, sxm], START, RULES) == Rent(sxm)


def test_people_waiting_for_a_notification_learn_of_all_fitting_offers() -> None:
    offers = [offer("2.10"), offer("2.50"), offer("3.10")]
    assert turn(waiter(request(max_gpu_rate=Decimal("2.5"))), offers, NOON, RULES) == Tell((offers[0], offers[1]))
    assert turn(waiter(request(max_gpu_rate=Decimal(2))), offers, NOON, RULES) is None
    assert turn(waiter(request(region="US")), offers, NOON, RULES) is None


def test_a_place_that_was_sold_out_is_left_out_for_a_while() -> None:
    here, there = offer("2.10"), offer("2.50", vendor="lambda")
    tried = make.attempt(offer=here, state=AttemptState.UNKNOWN, why=Why.SOLD_OUT, intended_at=NOON)
    one = waiter(request(), "9", attempts=(tried,))
    again = changed(here, offer_id="nebius-again")
    assert turn(one, [again, there], NOON + MINUTE, RULES) == Rent(there)
    assert turn(one, [again, there], NOON + 6 * MINUTE, RULES) == Rent(again)
    outage = changed(one, attempts=(changed(tried, why=Why.OUTAGE),))
    assert turn(outage, [again, there], NOON + MINUTE, RULES) == Rent(again)
    assert turn(outage, [here, there], NOON + MINUTE, RULES) == Rent(there), "the same offer can't be bought again"


def failed(*places: tuple[str, int], why: Why = Why.EXPIRED) -> tuple[Attempt, ...]:
    """Return failed purchases, given their places and their times in minutes after noon."""
    return tuple(
        make.attempt(
            n=n, offer=offer("2.10", vendor=vendor, offer_id=f"tried-{n}"), why=why, intended_at=NOON + at * MINUTE
        )
        for n, (vendor, at) in enumerate(places, start=1)
    )


def test_a_cheap_place_that_keeps_failing_does_not_block_others() -> None:
    here, there = offer("2.10"), offer("2.50", vendor="lambda")
    once = waiter(request(), "9", attempts=failed(("nebius", 0)))
    twice = waiter(request(), "9", attempts=failed(("nebius", 0), ("nebius", 5)))
    assert turn(once, [here, there], NOON + 10 * MINUTE, RULES) == Rent(here)
    assert turn(twice, [here, there], NOON + 10 * MINUTE, RULES) == Rent(there)
    assert turn(twice, [here], NOON + 10 * MINUTE, RULES) == Rent(here)
    assert turn(twice, [here, there], NOON + 5 * HOUR, RULES) == Rent(here), "it failed long ago"


@pytest.mark.parametrize(
    ("places", "pause"),
    [
        ([("a", 0)], 1),
        ([("a", 0), ("b", 1), ("c", 2)], 1),
        ([("a", 0), ("a", 1)], 2),
        ([("a", 0), ("a", 1), ("a", 3)], 4),
        ([("a", 0), ("a", 1), ("a", 3), ("a", 7), ("a", 15)], 10),
        ([("a", 0), ("a", 1), ("b", 3), ("b", 4)], 4),
        ([("a", -240), ("a", -230), ("a", 0)], 1),
    ],
)
def test_purchases_become_rarer_as_places_keep_failing(places: list[tuple[str, int]], pause: int) -> None:
    """Each waitlist entry has at most one purchase per minute."""
    attempts, last = failed(*places), NOON + places[-1][1] * MINUTE
    one, free = waiter(request(), "9", attempts=attempts), [offer("2.50", vendor="lambda")]
    assert next_purchase(attempts, last) == last + pause * MINUTE
    assert turn(one, free, last + pause * MINUTE - timedelta(seconds=1), RULES) is None
    assert turn(one, free, last + pause * MINUTE, RULES) == Rent(free[0])
    asked = search(asked_at=last)
    assert next_question(asked, [one], last, RULES) == last + pause * MINUTE


@pytest.mark.parametrize(
    ("minutes", "told", "expected"),
    [(-3, False, None), (-2, False, "2.50"), (5, False, "2.50"), (5, True, None)],
)
def test_two_minutes_before_the_start_the_owner_is_notified_once(
    minutes: int, told: bool, expected: str | None
) -> None:
    """The notification shows the cheapest offer that is available."""
    one = waiter(start(), "2.00", told=told)
    done = turn(one, [offer("2.50"), offer("3.10")], START + minutes * MINUTE, RULES)
    assert done == (SayNothingFits(offer("2.50")) if expected else None)
    if expected:
        assert turn(one, [], START, RULES) == SayNothingFits(None)
        assert turn(one, [offer("1.90")], START, RULES) == Rent(offer("1.90"))


# --- order and times


def test_those_who_have_waited_longest_are_first() -> None:
    late, early = waiter(request(), name="a", since=NOON), waiter(request(), "9", name="b", since=NOON - HOUR)
    assert [one.quote.id for one in in_turn([late, early], NOON, RULES)] == ["b", "a"]


def test_nobody_has_a_turn_outside_their_hours_or_waiting_time() -> None:
    night, tokyo = NOON + 12 * HOUR, ZoneInfo("Asia/Tokyo")  # 0:00 in UTC, 9:00 in Tokyo.
    assert in_turn([waiter(request())], night, RULES) == []
    assert len(in_turn([waiter(request(), any_time=True)], night, RULES)) == 1
    assert len(in_turn([waiter(request(), zone=tokyo)], night, RULES)) == 1
    assert in_turn([waiter(start(), "9")], START - 11 * MINUTE, RULES) == []
    assert len(in_turn([waiter(start(), "9")], START - 10 * MINUTE, RULES)) == 1
    assert in_turn([waiter(request(), until=NOON)], NOON, RULES) == []


def search(**fields: Any) -> SharedSearch:
    return SharedSearch(**{"id": "s", "query": shared_query(request()), **fields})


@pytest.mark.parametrize(("misses", "pause"), [(0, 1), (1, 2), (2, 4), (3, 8), (4, 10), (60, 10)])
def test_the_market_is_queried_less_often_while_nothing_fits(misses: int, pause: int) -> None:
    asked = search(asked_at=NOON, misses=misses)
    assert next_question(asked, [waiter(request())], NOON, RULES) == NOON + pause * MINUTE


def test_around_a_start_time_the_market_is_queried_every_minute() -> None:
    one = waiter(start(), "9")
    assert next_question(search(), [one], NOON, RULES) == START - 10 * MINUTE
    assert next_question(search(asked_at=NOON, misses=9), [one], NOON, RULES) == START - 10 * MINUTE
    late = START + HOUR
    assert next_question(search(asked_at=late, misses=99), [one], late, RULES) == late + EVERY
    slow = Rules(procure=changed(RULES.procure, provision_timeout=4 * MINUTE))
    assert next_question(search(), [one], NOON, slow) == START - 4 * MINUTE


def test_the_market_is_not_queried_while_nobody_is_within_their_hours() -> None:
    night = NOON + 12 * HOUR
    assert next_question(search(), [waiter(request())], night, RULES) == NOON + 20 * HOUR  # 8:00.
    assert next_question(search(), [], NOON, RULES) is None
    assert next_question(search(), [waiter(request(), until=NOON)], NOON, RULES) is None


@given(
    misses=st.integers(0, 10**6),
    every=st.integers(1, 3600),
    ago=st.integers(0, 7200),
    night=st.booleans(),
    starts=st.booleans(),
)
def test_the_market_is_never_queried_more_often_than_the_rules_allow(
    misses: int, every: int, ago: int, night: bool, starts: bool
) -> None:
    rules = Rules(waiting=WaitingRules(every=timedelta(seconds=every)))
    now = NOON + (12 * HOUR if night else timedelta(0))
    asked = search(asked_at=now - timedelta(seconds=ago), misses=misses)
    waiters = [waiter(request(), any_time=night), *([waiter(start(), "9")] if starts else [])]
    at = next_question(asked, waiters, now, rules)
    assert at is not None
    assert asked.asked_at is not None
    assert asked.asked_at + rules.waiting.every <= at
    assert at <= max(now, asked.asked_at + max(LONGEST_PAUSE, rules.waiting.every))


# --- contents of a waitlist entry


def test_equal_requests_share_a_search_regardless_of_price() -> None:
    one, other = request(max_gpu_rate=Decimal(3)), request(max_gpu_rate=Decimal(2), lease=HOUR, note="x")
    assert search_id(shared_query(one)) == search_id(shared_query(other))
    assert search_id(shared_query(one)) != search_id(shared_query(request(count=2)))


def test_the_highest_price_is_the_named_or_the_shown_one() -> None:
    named = ceiling(request(count=8, max_gpu_rate=Decimal(3)), [], RULES)
    assert named is not None
    assert named.proposal.terms.max_rate == named.proposal.terms.price == Decimal(24)
    assert named.gpu is None
    assert ceiling(request(), [offer("2.00")], RULES) is None
    assert ceiling(start(), [], RULES) is None
    shown = ceiling(start(), [offer("2.00"), offer("2.30")], RULES)
    assert shown is not None
    assert (shown.proposal.terms.max_rate, shown.gpu) == (Decimal("2.30"), "nvidia-h100-sxm5-80gb")


def test_a_waitlist_entry_ends_at_the_earliest_of_its_limits() -> None:
    typed = WaitlistEntry(until=NOON + HOUR, any_time=True)
    assert new_waitlist_entry(request(), None, NOON, RULES, rents=True).until == NOON + RULES.waiting.longest
    notified = new_waitlist_entry(request(), typed, NOON, RULES, rents=False)
    assert (notified.until, notified.any_time, notified.since) == (NOON + HOUR, True, NOON)
    assert (
        new_waitlist_entry(request(until=NOON + HOUR), None, NOON, RULES, rents=True).until == NOON + 30 * MINUTE
    )
    at_nine = new_waitlist_entry(start(), None, NOON, RULES, rents=True)
    assert (at_nine.until, at_nine.any_time) == (START + 7.5 * HOUR, True)
    shorter = waitlist_entry_for(at_nine, changed(start(), lease=2 * HOUR, until=START + 2 * HOUR))
    assert shorter.until == START + 1.5 * HOUR


def test_a_rental_that_is_ready_or_over_no_longer_waits() -> None:
    one = waiter(request(), "9")
    assert one.rental is not None
    quote = changed(one.quote, rental_id=one.rental.id)
    waits = {state for state in State if still_waits(quote, changed(one.rental, state=state))}
    assert waits == {State.AWAITING_APPROVAL, State.QUEUED, State.PROCURING, State.PROVISIONING}
    assert not still_waits(quote, None)
    assert not still_waits(quote, changed(one.rental, quote_id="another"))
    assert still_waits(waiter(request()).quote, None)


def test_refusals_that_differ_only_in_numbers_have_the_same_reason() -> None:
    assert same_reason("$12.10/h is left.", "$1,003.50/h is left.")
    assert not same_reason("Buying is paused.", "You have 3 rentals.")
