"""The policy key `approval.always`: which GPUs it covers, and for which ways to get a machine."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot.model.base import changed
from bot.model.gpu import may_mean
from bot.model.offer import Catalog
from bot.model.request import Request
from bot.model.summary import Over
from bot.policy.buying.offers import to_ask_about, within_terms
from bot.policy.buying.spending import (
    always_needs_approval,
    may_substitute,
    over_at_price,
    propose,
    propose_longer_lease,
    say_always_asked,
    unknown_models,
)
from bot.policy.buying.waiting import ceiling
from bot.policy.team.rules import Always, Approval, Limits, Rules
from bot.policy.use.giving import left_of
from tests.databases import START
from tests.views.stories import HYPERSTACK, H, clock, ready, request

H100, H100_PCIE, H200 = "nvidia-h100-sxm5-80gb", "nvidia-h100-pcie-80gb", "nvidia-h200-sxm5-141gb"
A100_40, A100_80 = "nvidia-a100-sxm4-40gb", "nvidia-a100-sxm4-80gb"


def always(*models: str, gpus_from: int | None = None, **rules: Any) -> Rules:
    return Rules(approval=Approval(always=Always(models=models, gpus_from=gpus_from)), **rules)


# --- the GPUs that a name covers


@pytest.mark.parametrize(
    ("name", "gpu", "covered"),
    [
        ("H200", H200, True),
        ("h200", H200, True),
        ("nvidia H200", H200, True),
        (H200, H200, True),
        ("H200", "H200", True),
        ("H200", "nvidia-gh200-480gb", False),
        ("H200", H100, False),
        ("L4", "nvidia-l40s-pcie-48gb", False),
        ("H100 SXM", H100, True),
        ("h100 sxm5 80gb", H100, True),
        ("H100 80 GB", H100_PCIE, True),
        ("H100 PCIe", H100, False),
        ("A100 80GB", A100_40, False),
        ("RTX 4090", "nvidia-rtx-4090-pcie-24gb", True),
        ("GeForce RTX4090", "nvidia-rtx-4090-pcie-24gb", True),
        ("4090", "nvidia-rtx-4090-pcie-24gb", True),
        ("4090", "RTX 4090", True),
        ("RTX 4080", "nvidia-rtx-4090-pcie-24gb", False),
        ("MI300X", "amd-mi300x-oam-192gb", True),
        # A request for a family can be filled with any of its variants.
        ("H100 PCIe", "H100", True),
        (H100_PCIE, "H100", True),
        (H100_PCIE, "A100", False),
    ],
)
def test_a_family_covers_its_variants_and_a_variant_requests_for_its_family(
    name: str, gpu: str, covered: bool
) -> None:
    assert may_mean(gpu, name) is covered


@pytest.mark.parametrize(
    ("rules", "covered"),
    [
        (Rules(), [False, False, False]),
        (always("B200", "H200"), [False, True, False]),
        (always(gpus_from=4), [False, False, True]),
        (always("H200", gpus_from=4), [False, True, True]),
    ],
)
def test_either_the_model_or_the_number_of_gpus_is_enough(rules: Rules, covered: list[bool]) -> None:
    asked = ((H100, 3), (H200, 1), (H100, 4))
    assert [always_needs_approval(gpu, count, rules) for gpu, count in asked] == covered


def test_names_that_match_nothing_in_the_catalogue_are_reported() -> None:
    gpus = {"H100": (H100, H100_PCIE), "RTX 4090": ("nvidia-rtx-4090-pcie-24gb",)}
    catalog = Catalog(gpus=gpus, vendors=(), regions=(), contracts=(), read_at=START)
    assert unknown_models(always("h100", "H20", "4090", "H100 NVL", "H100 SXM"), catalog) == ("H20", "H100 NVL")


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (Rules(), ""),
        (always("H200"), "requests for H200"),
        (
            always("b200", H200, "A100 80gb", gpus_from=8),
            "requests for B200, H200 SXM 141 GB, A100 80 GB or 8 GPUs",
        ),
        (always(gpus_from=4), "requests for 4 or more GPUs"),
        (always("nvidia h200", gpus_from=4), "requests for H200 or 4 or more GPUs"),
        (always(gpus_from=1, limits=Limits(per_rental_gpus=1)), "requests for 1 GPU"),
    ],
)
def test_the_rule_is_said_in_words(rules: Rules, words: str) -> None:
    assert say_always_asked(rules) == words


# --- the ways to get a machine. A replacement and `now` are in tests/lifecycle


def proposed(rules: Rules, wants: Request, gpu: str = H100) -> tuple[Over, ...]:
    proposal = propose(wants, gpu, Decimal("2.15") * wants.count, rules)
    # The approvers' message derives the reasons from the stored terms.
    assert over_at_price(proposal.terms, rules) == proposal.over
    return proposal.over


def test_renting_needs_approval_whatever_it_costs() -> None:
    rules = always("H200", gpus_from=2)
    assert proposed(rules, request(lease=H)) == ()
    assert proposed(rules, request(lease=H, count=2)) == (Over.ALWAYS,)
    assert proposed(rules, request(lease=H, gpu="H200"), H200) == (Over.ALWAYS,)
    assert proposed(rules, request(lease=H / 60, gpu="H200"), H200) == (Over.ALWAYS,)
    assert proposed(rules, request(lease=48 * H, count=8), H100) == (Over.ALWAYS, Over.PER_HOUR, Over.TOTAL)


def test_terms_that_always_need_approval_allow_the_usual_higher_price() -> None:
    proposal = propose(request(lease=H), H100, Decimal("9.90"), always("H100"))
    assert proposal.terms.max_rate == Decimal("11.38")


@pytest.mark.parametrize(
    ("models", "over"), [(("H100",), (Over.ALWAYS,)), ((H100_PCIE,), (Over.ALWAYS,)), (("A100",), ())]
)
def test_waiting_for_an_offer_needs_approval_if_a_covered_model_may_be_rented(
    models: tuple[str, ...], over: tuple[Over, ...]
) -> None:
    found = ceiling(request(lease=H, max_gpu_rate=Decimal(2)), [], always(*models))
    assert found is not None
    assert found.proposal.over == over


@pytest.mark.parametrize(("models", "over"), [(("H100",), (Over.ALWAYS,)), ((H100_PCIE,), ())])
def test_a_start_time_needs_approval_if_the_model_that_was_seen_is_covered(
    models: tuple[str, ...], over: tuple[Over, ...]
) -> None:
    found = ceiling(request(lease=H, starts_at=clock(23, 0)), [HYPERSTACK], always(*models))
    assert found is not None
    assert (found.gpu, found.proposal.over) == (H100, over)


def test_a_covered_machine_needs_approval_to_get_a_new_owner() -> None:
    rental = ready().rental
    assert left_of(rental, clock(15, 0), always("A100", gpus_from=2)).over == ()
    assert left_of(rental, clock(15, 0), always(gpus_from=1)).over == (Over.ALWAYS,)
    # What runs counts, and not what was requested.
    other = changed(rental, gpu=H200, terms=changed(rental.terms, gpu=H100))
    assert left_of(other, clock(15, 0), always("H200")).over == (Over.ALWAYS,)


def test_more_time_for_a_covered_machine_needs_approval_only_over_the_limits() -> None:
    rental, now = ready().rental, clock(15, 0)
    ends_at = rental.running_lease.ends_at
    rules = always("H100", gpus_from=1)
    assert propose_longer_lease(rental, ends_at + H, kept=0 * H, spent=0, now=now, rules=rules).over == ()
    assert propose_longer_lease(rental, ends_at + 99 * H, kept=0 * H, spent=0, now=now, rules=rules).over == (
        Over.TOTAL,
    )


# --- the next offer, if the clicked one sells out


def test_a_covered_model_is_no_substitute_for_one_that_needs_no_approval() -> None:
    assert may_substitute(A100_80, A100_40, Rules())
    assert not may_substitute(A100_80, A100_40, always(A100_80))
    assert may_substitute(A100_80, A100_80, always(A100_80))
    assert may_substitute(A100_80, A100_40, always("A100")), "an approver has approved an A100"
    assert not may_substitute(A100_40, A100_80, Rules())


def test_a_covered_model_is_asked_about_instead_of_bought() -> None:
    rules, wants = always(A100_80), request(gpu="A100", lease=H)
    terms = propose(wants, A100_40, Decimal("1.40"), rules).terms
    small, large = (
        changed(HYPERSTACK, gpu=gpu, family="A100", rate=Decimal("1.40")) for gpu in (A100_40, A100_80)
    )
    assert within_terms([large, small], terms, 0, rules) == [small]
    found = to_ask_about([large], terms, rules)
    assert found is not None
    assert propose(wants, found[1].gpu, found[1].rate, rules).over == (Over.ALWAYS,)
