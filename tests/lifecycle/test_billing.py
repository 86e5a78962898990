"""The cost of a rental: ledger rows of terminated machines, start and price of machines that are still running."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.lifecycle.changes.snapshot import RentalSnapshot, cost_by_use
from bot.lifecycle.money.billing import hourly, ledger_row, ledger_span, spent
from bot.model.attempt import AttemptState, Resource
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import StatusFacts
from bot.model.machine_use import UsageStatus
from bot.model.rental import Ending
from bot.model.state import State
from tests.databases import START
from tests.store import make

HOUR = timedelta(hours=1)
RATE = Decimal("2.42")


def resource(resource_id: str = "res-1", **fields: Any) -> Resource:
    return make.resource(resource_id, **{"rate": RATE, "valid_from": START, **fields})


def terminated(resource_id: str = "res-1", **fields: Any) -> Resource:
    return resource(resource_id, **{"valid_to": START + 6 * HOUR, "terminated_at": START + 7 * HOUR, **fields})


def test_a_terminated_machine_costs_its_rate_between_the_reported_times() -> None:
    row = ledger_row(terminated(), make.attempt(), make.ANA)
    assert (row.started_at, row.ended_at, row.rate) == (START, START + 6 * HOUR, RATE)
    assert (row.amount, row.estimated, row.owner) == (14_520_000, False, make.ANA)


@pytest.mark.parametrize(
    ("missing", "amount"),
    [
        ("rate", 12_900_000),  # the offer's price
        ("valid_from", 16_940_000),  # since the attempt was intended, an hour before
        ("valid_to", 16_940_000),  # until it was found terminated, an hour after
    ],
)
def test_a_row_is_estimated_if_the_api_left_out_a_value(missing: str, amount: int) -> None:
    """The bot's own value takes the place of the missing one."""
    attempt = make.attempt(intended_at=START - HOUR)
    row = ledger_row(changed(terminated(), **{missing: None}), attempt, make.ANA)
    assert (row.amount, row.estimated) == (amount, True)


def test_an_end_before_the_start_costs_nothing() -> None:
    assert ledger_row(terminated(valid_to=START - HOUR), make.attempt(), make.ANA).amount == 0


def test_a_running_machine_has_no_ledger_row() -> None:
    with pytest.raises(ValueError, match="not gone"):
        ledger_row(resource(), make.attempt(), make.ANA)


def test_the_cost_so_far_is_the_ledger_plus_running_machines() -> None:
    attempt = make.attempt()
    rows = (ledger_row(terminated("res-1"), attempt, make.ANA),)
    cost = spent(rows, (terminated("res-1"), resource("res-2")), (attempt,), START + 2 * HOUR)
    assert (cost.amount, cost.estimated) == (14_520_000 + 4_840_000, False)


def test_cost_by_use_adds_up_to_the_total_cost() -> None:
    """The cost of a machine that never became ready counts as unknown use."""
    failed, bought = make.attempt(state=AttemptState.TERMINATED), make.attempt(n=2, state=AttemptState.BOUGHT)
    resources = (terminated("res-1"), resource("res-2", attempt=2, rate=Decimal("3.333333")))
    row = ledger_row(resources[0], failed, make.ANA)
    lease = make.lease(ready_at=START + HOUR)
    rental = make.rental(state=State.READY, attempts=2, lease=lease)
    snapshot = RentalSnapshot(rental=rental, attempts=(failed, bought), resources=resources, ledger=(row,))

    def change(hours: int, status: UsageStatus, since: int) -> Event:
        facts = StatusFacts(status=status, since=START + since * HOUR)
        return make.event(EventKind.USE_CHANGED, at=START + hours * HOUR, facts=facts)

    events = (change(2, UsageStatus.IN_USE, 0), change(5, UsageStatus.IDLE, 4))
    now = START + 7 * HOUR
    costs = cost_by_use(snapshot, events, now)
    assert (costs.used, costs.connected, costs.idle) == (9_999_999, 0, 9_999_999)
    assert costs.unknown == row.amount + 3_333_333
    ends = changed(rental, state=State.DESTROYING, ending=Ending(outcome=State.DESTROYED, since=START + 6 * HOUR))
    ended = cost_by_use(replace(snapshot, rental=ends), events, now)
    assert (ended.used, ended.idle) == (9_999_999, 6_666_666)
    for each in (costs, ended):
        assert sum(each.model_dump().values()) == snapshot.spent(now).amount


@pytest.mark.parametrize("valid_from", [START, START + 6 * HOUR], ids=["since its first start", "since its end"])
def test_a_machine_that_came_back_is_charged_from_its_last_row(valid_from: datetime) -> None:
    attempt = make.attempt()
    first = ledger_row(terminated(), attempt, make.ANA)
    back = resource(valid_from=valid_from)
    assert spent((first,), (back,), (attempt,), START + 8 * HOUR).amount == first.amount + 4_840_000
    again = changed(back, valid_to=START + 9 * HOUR, terminated_at=START + 9 * HOUR)
    second = ledger_row(again, attempt, make.ANA, (first, ledger_row(terminated("res-2"), attempt, make.ANA)))
    assert (second.n, second.started_at, second.amount) == (2, START + 6 * HOUR, 7_260_000)
    assert spent((first, second), (again,), (attempt,), START + 20 * HOUR).amount == 9 * 2_420_000


def test_the_gap_before_a_machine_came_back_costs_nothing() -> None:
    attempt = make.attempt()
    first = ledger_row(terminated(), attempt, make.ANA)
    again = terminated(valid_from=START + 8 * HOUR, valid_to=START + 9 * HOUR, terminated_at=START + 9 * HOUR)
    assert ledger_row(again, attempt, make.ANA, (first,)).amount == 2_420_000


def test_a_later_row_with_an_earlier_end_costs_nothing() -> None:
    """The machine came back, and the API then reported an end before the end of the first ledger row."""
    attempt = make.attempt()
    first = ledger_row(terminated(), attempt, make.ANA)
    row = ledger_row(terminated(valid_to=START + 5 * HOUR), attempt, make.ANA, (first,))
    assert (row.n, row.amount) == (2, 0)


@pytest.mark.parametrize("missing", ["rate", "valid_from"])
def test_the_cost_is_estimated_if_a_rate_or_start_is_missing(missing: str) -> None:
    assert spent((), (changed(resource(), **{missing: None}),), (make.attempt(),), START + HOUR).estimated


def test_the_hourly_rate_of_a_machine_is_the_sum_of_its_parts() -> None:
    parts = [resource(f"res-{n}", rate=Decimal("4.60")) for n in range(4)]
    assert hourly(parts, make.attempt()) == Decimal("18.40")
    assert hourly([*parts, terminated("res-5")], make.attempt()) == Decimal("18.40")


def test_a_missing_rate_makes_the_offers_price_the_hourly_rate() -> None:
    attempt = make.attempt()
    assert hourly([resource("res-1"), resource("res-2", rate=None)], attempt) == attempt.called_offer.rate
    assert hourly([], attempt) == attempt.called_offer.rate


def test_a_ledger_spans_its_first_start_to_its_last_end() -> None:
    first = ledger_row(terminated(), make.attempt(), make.ANA)
    later = changed(first, started_at=START + 7 * HOUR, ended_at=START + 9 * HOUR)
    assert ledger_span([later, first]) == 9 * HOUR
    assert ledger_span([]) is None
