"""Tests of spending limits: who decides, and what the terms allow."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.errors import BuyingBlock, BuyingBlocked, Mistake, Refused
from bot.model.base import changed
from bot.model.money import cost, micros
from bot.model.person import Person
from bot.model.records import Usage
from bot.model.rental import Rental
from bot.model.request import Request, Terms
from bot.model.state import State
from bot.model.summary import OfferChoice, Over
from bot.policy.buying import spending
from bot.policy.buying.budgets import Room
from bot.policy.buying.spending import (
    CONFIRM_ABOVE,
    affordable_lease,
    billed_span,
    check_approver,
    check_lease,
    check_size,
    check_usage,
    extension_needs_confirmation,
    needs_confirmation,
    over_at_price,
    over_limits,
    propose,
    propose_longer_lease,
    provisioning_budget,
    receipt_estimate,
    recommended,
)
from bot.policy.team.rules import Approvers, AutoApprove, Limits, Procure, Rules
from tests.databases import START
from tests.store import make

RULES = Rules()
HOUR = timedelta(hours=1)
GPU = "nvidia-h100-sxm5-80gb"


def request(**fields: Any) -> Request:
    return Request(**{"gpu": "H100", "region": "EU", "lease": 6 * HOUR, **fields})


def dollars(amount: int) -> str:
    """Return an amount as people read it."""
    return f"{Decimal(amount) / 1_000_000:.2f}"


# --- worked examples


def test_terms_within_the_limits_allow_a_somewhat_higher_price() -> None:
    proposal = propose(request(), GPU, Decimal("2.15"), RULES)
    assert proposal.over == ()
    assert proposal.terms.max_rate == Decimal("2.47")
    assert dollars(proposal.terms.total) == "16.06"
    assert dollars(cost(Decimal("2.15"), 6 * HOUR)) == "12.90"


def test_terms_over_both_limits_need_an_approver() -> None:
    proposal = propose(request(count=8), GPU, Decimal("18.40"), RULES)
    assert proposal.over == (Over.PER_HOUR, Over.TOTAL)
    assert proposal.terms.max_rate == Decimal("21.16")
    assert dollars(proposal.terms.total) == "137.54"


# --- limits


def test_terms_without_approval_stay_within_the_hourly_limit() -> None:
    proposal = propose(request(lease=HOUR), GPU, Decimal("9.90"), RULES)
    assert proposal.over == ()
    assert proposal.terms.max_rate == Decimal("10.00")


def test_terms_without_approval_stay_within_the_total_limit() -> None:
    proposal = propose(request(lease=24 * HOUR), GPU, Decimal("4.00"), RULES)
    assert proposal.over == ()
    assert proposal.terms.max_rate == Decimal("4.08")
    assert proposal.terms.total <= micros(RULES.auto_approve.total)


def test_a_price_exactly_at_both_limits_needs_no_approver() -> None:
    rules = changed(RULES, auto_approve=AutoApprove(per_hour=Decimal(10), total=Decimal(65)))
    proposal = propose(request(), GPU, Decimal("10.00"), rules)
    assert proposal.over == ()
    assert proposal.terms.max_rate == Decimal("10.00")
    assert proposal.terms.total == 65_000_000


@pytest.mark.parametrize(
    ("rate", "total", "over"),
    [
        ("10.00", 100_000_000, ()),
        ("10.000001", 100_000_000, (Over.PER_HOUR,)),
        ("10.00", 100_000_001, (Over.TOTAL,)),
        ("10.01", 100_000_001, (Over.PER_HOUR, Over.TOTAL)),
    ],
)
def test_the_smallest_amount_over_a_limit_exceeds_it(rate: str, total: int, over: tuple[Over, ...]) -> None:
    assert over_limits(Decimal(rate), total, RULES) == over


def test_the_highest_price_per_gpu_limits_the_rate_of_the_offer() -> None:
    proposal = propose(request(count=2, max_gpu_rate=Decimal("2.20")), GPU, Decimal("4.30"), RULES)
    assert proposal.terms.max_rate == Decimal("4.40")


def test_the_teams_limit_also_applies_to_terms_that_need_an_approver() -> None:
    proposal = propose(request(count=8), GPU, Decimal("18.40"), RULES, team_rate_left=Decimal("19.00"))
    assert proposal.terms.max_rate == Decimal("19.00")


def test_the_cost_of_earlier_attempts_counts_towards_the_total() -> None:
    fresh = propose(request(), GPU, Decimal("2.15"), RULES)
    later = propose(request(), GPU, Decimal("2.15"), RULES, spent=90_000_000, version=3)
    assert fresh.over == ()
    assert later.over == (Over.TOTAL,)
    assert later.terms.version == 3
    assert later.terms.total == fresh.terms.total + 90_000_000


def test_a_lease_can_bill_from_procurement_to_deletion() -> None:
    assert billed_span(6 * HOUR, timedelta(0), RULES) == timedelta(hours=6, minutes=30)


@pytest.mark.parametrize(
    ("amount", "ran_its_length", "shown"),
    [
        (11_000_001, True, 10_000_000),
        (8_999_999, True, 10_000_000),
        (11_000_000, True, None),
        (9_000_000, True, None),
        (2_000_000, False, None),
    ],
)
def test_a_receipt_shows_an_estimate_that_was_off_by_a_tenth(
    amount: int, ran_its_length: bool, shown: int | None
) -> None:
    """The estimate must be off by more than a tenth, and the lease must have run its full length."""
    assert receipt_estimate(Decimal("2.5"), 4 * HOUR, amount, ran_its_length=ran_its_length) == shown
    assert receipt_estimate(None, 4 * HOUR, amount, ran_its_length=ran_its_length) is None


def running(terms: Terms, rate: str) -> Rental:
    """Return a rental that has been running for six hours."""
    lease = make.lease(START + 6 * HOUR, ready_at=START)
    return make.rental("k7mq2", state=State.READY, rate=Decimal(rate), lease=lease, terms=terms)


def test_an_extension_is_judged_by_its_past_and_future_cost() -> None:
    rental = running(propose(request(), GPU, Decimal("2.15"), RULES).terms, "2.42")
    end, now = START + 8 * HOUR, START + 6 * HOUR
    proposal = propose_longer_lease(rental, end, kept=timedelta(0), spent=10_000_000, now=now, rules=RULES)
    assert proposal.over == ()
    assert (proposal.terms.version, proposal.terms.lease) == (2, 8 * HOUR)
    assert proposal.terms.total == 10_000_000 + cost(Decimal("2.42"), 2 * HOUR + RULES.lease.grace)
    much = propose_longer_lease(rental, end, kept=timedelta(0), spent=98_000_000, now=now, rules=RULES)
    assert much.over == (Over.TOTAL,)


# --- limits that no approver can lift


def test_too_many_gpus_are_refused_with_the_allowed_number() -> None:
    check_size(request(count=8), RULES)
    with pytest.raises(Refused, match="8 or fewer"):
        check_size(request(count=9), RULES)


def test_a_lease_that_is_too_long_is_refused_with_the_allowed_length() -> None:
    check_lease(72 * HOUR, RULES)
    with pytest.raises(Mistake, match="longest lease is 3 days"):
        check_lease(72 * HOUR + timedelta(seconds=1), RULES)
    with pytest.raises(Mistake, match="longest lease is 3 days"):
        check_size(request(lease=73 * HOUR), RULES)


def test_a_person_at_the_limit_is_refused_another_rental() -> None:
    assert check_usage(Decimal(2), Usage(person_rentals=3, team_rate=Decimal(0)), RULES) == Decimal("100.00")
    with pytest.raises(Refused, match="You have 4 rentals"):
        check_usage(Decimal(2), Usage(person_rentals=4, team_rate=Decimal(0)), RULES)


def test_a_rate_over_the_teams_limit_is_refused_with_the_rest() -> None:
    assert check_usage(Decimal(2), Usage(person_rentals=0, team_rate=Decimal(98)), RULES) == Decimal(2)
    with pytest.raises(Refused, match=r"\$2.00/h is left"):
        check_usage(Decimal("2.01"), Usage(person_rentals=0, team_rate=Decimal(98)), RULES)
    with pytest.raises(Refused, match=r"\$0.00/h is left"):
        check_usage(Decimal("2.01"), Usage(person_rentals=0, team_rate=Decimal(120)), RULES)


# --- approvers


ANA, BEN = Person(id="U0ANA", name="Ana"), Person(id="U0BEN", name="Ben")


def test_an_approver_may_decide_others_requests_but_not_their_own() -> None:
    rules = Rules(admins=(BEN.id,), approvers=Approvers(people=(ANA.id, BEN.id)))
    assert check_approver(BEN, {ANA.id}, rules) is False
    with pytest.raises(Refused, match="Another approver"):
        check_approver(BEN, {BEN.id}, rules)
    with pytest.raises(Refused, match="Only approvers"):
        check_approver(Person(id="U0CLEO", name="Cleo"), {ANA.id}, rules)


def test_self_approval_needs_the_rules_or_a_sole_admin() -> None:
    """The result of the check says that it is a self-approval."""
    allowed = Rules(admins=(BEN.id,), approvers=Approvers(people=(ANA.id,)), self_approval=True)
    assert check_approver(ANA, {ANA.id}, allowed) is True
    assert check_approver(BEN, {BEN.id}, Rules(admins=(BEN.id,))) is True
    with pytest.raises(Refused, match="Another approver"):
        check_approver(BEN, {BEN.id}, Rules(admins=(BEN.id, ANA.id)))


# --- properties for any price, lease and limit

RATES = st.decimals("0.0001", "400", places=4)
LEASES = st.integers(60, 72 * 3600).map(lambda seconds: timedelta(seconds=seconds))
ANY_RULES = st.builds(
    lambda per_hour, total, dearer: Rules(
        auto_approve=AutoApprove(per_hour=per_hour, total=total), procure=Procure(dearer=dearer)
    ),
    st.decimals("0.01", "300", places=2),
    st.decimals("0.01", "3000", places=2),
    st.decimals("0", "1", places=3),
)
SPENT = st.integers(0, 500_000_000)


@given(RATES, LEASES, ANY_RULES, SPENT, st.none() | st.decimals("0", "200", places=2))
def test_terms_that_need_no_approver_stay_within_all_limits(
    price: Decimal, lease: timedelta, rules: Rules, spent: int, more_room: Decimal | None
) -> None:
    room = None if more_room is None else price + more_room / 3
    proposal = propose(request(lease=lease), GPU, price, rules, spent=spent, team_rate_left=room)
    terms = proposal.terms
    assert terms.price == price <= terms.max_rate
    assert terms.max_rate == price or terms.max_rate % Decimal("0.01") == 0, "people read the real limit"
    assert terms.max_rate <= max(price, price * (1 + rules.procure.dearer))
    assert room is None or terms.max_rate <= room
    if not proposal.over:
        assert terms.max_rate <= rules.auto_approve.per_hour
        assert terms.total <= micros(rules.auto_approve.total)


@given(RATES, LEASES, ANY_RULES, SPENT)
def test_a_total_is_never_below_the_exact_cost(price: Decimal, lease: timedelta, rules: Rules, spent: int) -> None:
    terms = propose(request(lease=lease), GPU, price, rules, spent=spent).terms
    seconds = Fraction(int(billed_span(lease, timedelta(0), rules).total_seconds()))
    exact = Fraction(terms.max_rate) * 1_000_000 * seconds / 3600
    assert 0 <= terms.total - spent - exact < 1


@given(RATES, RATES, LEASES, ANY_RULES)
def test_the_highest_price_of_a_request_is_never_exceeded(
    price: Decimal, cap: Decimal, lease: timedelta, rules: Rules
) -> None:
    price, cap = min(price, cap), max(price, cap)
    terms = propose(request(lease=lease, max_gpu_rate=cap), GPU, price, rules).terms
    assert price <= terms.max_rate <= cap


@given(RATES, LEASES, SPENT)
def test_the_total_of_an_extension_is_never_below_its_exact_cost(
    rate: Decimal, until_end: timedelta, spent: int
) -> None:
    rental = running(propose(request(lease=HOUR), GPU, rate, RULES).terms, str(rate))
    now = START + 6 * HOUR
    total = propose_longer_lease(
        rental, now + until_end, kept=timedelta(0), spent=spent, now=now, rules=RULES
    ).terms.total
    seconds = Fraction(int((until_end + RULES.lease.grace).total_seconds()))
    assert 0 <= total - spent - Fraction(rate) * 1_000_000 * seconds / 3600 < 1


@given(st.integers(0, 8), st.decimals("0", "200", places=2), RATES)
def test_a_rental_is_allowed_only_within_both_limits(mine: int, team: Decimal, price: Decimal) -> None:
    rules = Rules(limits=Limits(per_person_rentals=4, team_per_hour=Decimal(100)))
    allowed = mine < 4 and team + price <= 100
    if allowed:
        assert check_usage(price, Usage(person_rentals=mine, team_rate=team), rules) == 100 - team
    else:
        with pytest.raises(Refused):
            check_usage(price, Usage(person_rentals=mine, team_rate=team), rules)


@given(st.decimals("0", "400", places=6), LEASES, SPENT, SPENT)
def test_the_provisioning_time_never_exceeds_the_total_or_timeout(
    rate: Decimal, lease: timedelta, total: int, billed: int
) -> None:
    left = provisioning_budget(total, billed, rate, lease, RULES)
    assert left <= RULES.procure.provision_timeout
    if left >= timedelta(0):
        assert billed + cost(rate, lease + RULES.lease.grace + left) <= total + 1
    elif rate:
        assert billed + cost(rate, lease + RULES.lease.grace) >= total
    else:
        assert billed > total


@given(st.decimals("0", "400", places=6), LEASES, SPENT, SPENT)
@example(Decimal(0), HOUR, 0, 1)
def test_a_lease_is_as_long_as_the_total_allows(rate: Decimal, lease: timedelta, total: int, billed: int) -> None:
    """The lease is never shorter than a grace period."""
    paid = affordable_lease(total, billed, rate, lease, RULES)
    shortest = min(lease, RULES.lease.grace)
    assert shortest <= paid <= lease
    if rate and paid > shortest:
        assert billed + cost(rate, paid + RULES.lease.grace) <= total + 1
    if paid < lease:
        assert billed + cost(rate, lease + RULES.lease.grace) >= total


# --- choices of offers


def choice(rate: str, *, rentals: int = 0, team: int = 0, **options: Any) -> OfferChoice:
    usage = Usage(person_rentals=rentals, team_rate=Decimal(team))
    limits = spending.Limits(RULES, usage, Room(), **options)
    return limits.choice(request(), make.offer(rate=Decimal(rate)), limits.block)


@pytest.mark.parametrize(
    ("rate", "options", "over", "confirms", "refused"),
    [
        ("2.15", {}, (), False, None),
        ("6.80", {}, (), True, None),
        ("18.40", {}, (Over.PER_HOUR, Over.TOTAL), True, None),
        ("2.15", {"spent": 40_000_000}, (), True, None),
        ("2.15", {"rentals": 4}, (), False, Refused),
        ("18.40", {"team": 90}, (Over.PER_HOUR, Over.TOTAL), False, Refused),
        ("18.40", {"block": BuyingBlocked(BuyingBlock.PAUSED)}, (Over.PER_HOUR, Over.TOTAL), False, BuyingBlocked),
    ],
)
def test_an_offer_shows_who_decides_and_why_it_is_refused(
    rate: str, options: dict[str, Any], over: tuple[Over, ...], confirms: bool, refused: type[Refused] | None
) -> None:
    found = choice(rate, **options)
    assert (found.over, found.needs_approval) == (over, bool(over))
    assert (found.refused is None and needs_confirmation(found.terms)) is confirms
    assert type(found.refused) is (refused or type(None))


@pytest.mark.parametrize(("total", "confirms"), [(CONFIRM_ABOVE, False), (CONFIRM_ABOVE + 1, True)])
def test_a_total_above_fifty_dollars_needs_confirmation(total: int, confirms: bool) -> None:
    terms = changed(choice("2.15").terms, total=total)
    assert needs_confirmation(terms) is confirms


@pytest.mark.parametrize(
    ("hours", "rate", "late", "latest", "confirms"),
    [
        (25, "2.00", 0, None, False),  # Exactly $50.
        (25, "2.01", 0, None, True),
        (26, "2.00", 3, None, True),  # The end has passed, so the extension counts from now.
        (25, "2.00", 0, 30, False),
        (40, "2.00", 0, 44, False),  # Up to the latest end, which was accepted before.
        (40, "2.00", 0, 43, True),
    ],
)
def test_an_extension_that_adds_more_than_fifty_dollars_needs_confirmation(
    hours: int, rate: str, late: int, latest: int | None, confirms: bool
) -> None:
    end = START + timedelta(hours=4)
    lease = make.lease(end, ready_at=START)
    if latest is not None:
        lease = changed(lease, latest_end=START + timedelta(hours=latest))
    rental = make.rental("k7mq2", state=State.READY, rate=Decimal(rate), lease=lease)
    begins, span = end + timedelta(hours=late), timedelta(hours=hours)
    assert extension_needs_confirmation(rental, begins + span, span, timedelta(0)) is confirms


def test_the_cheapest_offer_that_may_be_rented_is_recommended() -> None:
    refused, cheap, dear = choice("2.15", rentals=4), choice("2.42"), choice("3.11")
    assert recommended([refused, cheap, dear]) is cheap
    assert recommended([refused]) is None


@given(RATES, LEASES, ANY_RULES, SPENT)
def test_the_terms_show_which_limits_required_an_approver(
    price: Decimal, lease: timedelta, rules: Rules, spent: int
) -> None:
    proposal = propose(request(lease=lease), GPU, price, rules, spent=spent)
    assert over_at_price(proposal.terms, rules) == proposal.over
