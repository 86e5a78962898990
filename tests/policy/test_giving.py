"""Tests of idle machines that others may ask for, and of their remaining time and cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot.errors import TooLate
from bot.model.base import changed
from bot.model.event import EventKind as K
from bot.model.machine_use import UsageStatus, Use
from bot.model.money import cost_at_most
from bot.model.request import Contract
from bot.model.state import State
from bot.model.summary import Over
from bot.policy.team.rules import AutoApprove, Rules
from bot.policy.use.giving import (
    ASK_EVERY,
    LEAST_LEFT,
    TAKE_WITHIN,
    asked_last,
    check_givable,
    fits_request,
    given_to,
    is_idle,
    left_of,
    who_waits,
)
from tests.views.stories import ANA, BEN, CARL, LONGER, H, M, S, clock, happened, lease, ready, request

NOW = clock(15, 0)
IDLE = Use(status=UsageStatus.IDLE, since=clock(14, 5))
ENDS_AT = lease().ends_at


@pytest.mark.parametrize(
    ("changes", "idle"),
    [
        ({}, True),
        ({"use": None}, False),
        ({"use": changed(IDLE, status=UsageStatus.CONNECTED)}, False),
        ({"use": changed(IDLE, status=UsageStatus.UNKNOWN)}, False),
        ({"replaced_by": "f6rat"}, False),
        ({"state": State.DESTROYING}, False),
        ({"lease": changed(lease(), ends_at=NOW + LEAST_LEFT - S)}, False),
        ({"lease": changed(lease(), ends_at=NOW + LEAST_LEFT)}, True),
    ],
)
def test_a_machine_counts_as_idle_only_while_others_could_still_use_it(
    changes: dict[str, Any], idle: bool
) -> None:
    assert is_idle(changed(ready(use=IDLE).rental, **changes), NOW) is idle


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({}, True),
        ({"region": None}, True),
        ({"max_gpu_rate": Decimal("0.01")}, True),
        ({"region": "US"}, False),
        ({"count": 2}, False),
        ({"gpu": "A100"}, False),
        ({"features": ("pcie",)}, False),
        ({"contract": Contract.SPOT}, False),
        ({"vendor": "hyperstack"}, False),
        ({"without_vendor": "nebius"}, False),
    ],
)
def test_a_machine_fits_a_request_regardless_of_its_price(fields: dict[str, Any], fits: bool) -> None:
    assert fits_request(ready().attempts[-1], request(**fields)) is fits


def test_nobody_else_can_ask_for_a_machine_for_an_hour() -> None:
    ana, carl = happened(K.ASKED_FOR, NOW, ANA, id=5), happened(K.ASKED_FOR, NOW + H, CARL, id=6)
    assert asked_last([ana], NOW + ASK_EVERY - S) == ana
    assert asked_last([ana], NOW + ASK_EVERY) is None
    assert asked_last([ana, carl], NOW + H) == carl
    assert who_waits([ana, carl]) == (ANA, CARL)
    let_in = happened(K.TEAMMATE_ADDED, NOW + H, BEN, id=7, people=(ANA,))
    assert who_waits([ana, carl, let_in]) == (CARL,)
    idle, works = (
        happened(K.USE_CHANGED, NOW + H, id=8, status=status) for status in (UsageStatus.IDLE, UsageStatus.IN_USE)
    )
    assert who_waits([ana, carl, idle]) == (ANA, CARL)
    for kind in (K.KEPT, K.GIVEN, K.OWNER_CHANGED, K.DESTROYING, K.LOST):
        assert who_waits([ana, carl, happened(kind, NOW + H, BEN, id=9)]) == ()
    assert who_waits([ana, carl, works]) == ()


def test_an_offered_machine_can_be_accepted_for_an_hour() -> None:
    """The owner can withdraw the offer before that."""
    given = happened(K.GIVEN, NOW, BEN, id=5, people=(ANA,))
    assert given_to(ANA, [given], NOW + TAKE_WITHIN - S) == given
    assert given_to(CARL, [given], NOW) is None
    assert given_to(ANA, [given], NOW + TAKE_WITHIN) is None
    again = happened(K.GIVEN, NOW + M, BEN, id=6, people=(CARL,))
    assert given_to(ANA, [given, again], NOW + M) is None
    assert given_to(CARL, [given, again], NOW + M) == again
    works = happened(K.USE_CHANGED, NOW + M, id=7, status=UsageStatus.IN_USE)
    assert given_to(ANA, [given, works], NOW + M) == given, "its owner may be finishing something"


def test_the_remaining_cost_covers_the_latest_end_and_grace_period() -> None:
    rental, rules = ready().rental, Rules()
    assert rental.rate is not None
    left = left_of(rental, NOW, rules)
    assert left.total == cost_at_most(rental.rate, ENDS_AT - NOW + rules.lease.grace)
    assert (left.ends_at, left.over) == (ENDS_AT, ())
    moves = changed(rental, lease=changed(lease(), latest_end=ENDS_AT + 6 * H))
    assert left_of(moves, NOW, rules).ends_at == ENDS_AT + 6 * H
    tight = changed(rules, auto_approve=AutoApprove(per_hour=Decimal(1), total=Decimal(1)))
    assert left_of(rental, NOW, tight).over == (Over.PER_HOUR, Over.TOTAL)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state": State.PROVISIONING}, "isn't ready"),
        ({"state": State.DESTROYING}, "is being destroyed"),
        ({"state": State.DESTROYED}, "has ended"),
        ({"replaced_by": "f6rat"}, "is being replaced by f6rat"),
        ({"extension": LONGER}, "waits for approval of more time"),
        ({"lease": changed(lease(), ends_at=NOW + LEAST_LEFT - S)}, "ends in less than 30 min"),
    ],
)
def test_a_machine_that_is_ending_or_awaiting_a_decision_keeps_its_owner(
    changes: dict[str, Any], why: str
) -> None:
    details = ready()
    check_givable(details.rental, details.attempts, NOW)
    with pytest.raises(TooLate, match=why):
        check_givable(changed(details.rental, **changes), details.attempts, NOW)
