"""Sentences about a rental that several messages share."""

from __future__ import annotations

from inline_snapshot import snapshot

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.state import State
from bot.model.summary import AccruedCost, RentalDetails
from handlers.phrases import rental_text
from handlers.phrases.format import Times
from tests.views.screens import read
from tests.views.stories import clock, gone, making, ready, waiting

NOW = clock(19, 0)
TIMES = Times(now=NOW, zone="UTC")


def with_cost(details: RentalDetails, amount: int, *, estimated: bool = False) -> RentalDetails:
    return changed(details, spent=AccruedCost(amount=amount, estimated=estimated))


def test_the_current_state_of_a_rental_is_one_sentence() -> None:
    rentals = (
        waiting(),
        making(),
        ready(),
        ready(state=State.DESTROYING),
        gone(),
        gone(state=State.LOST, why=Why.VENDOR_TOOK_IT),
        waiting(state=State.WITHDRAWN),
    )
    assert [read(rental_text.current_state(details, TIMES), NOW) for details in rentals] == snapshot(
        [
            "It's waiting for approval.",
            "It's starting.",
            "It's ready, and ends at 18:40.",
            "It's being destroyed.",
            "It ended at 18:41.",
            "It was lost at 18:41. Nebius took the machine back.",
            "It was withdrawn.",
        ]
    )


def test_a_receipt_says_it_cost_nothing_only_if_certain() -> None:
    unseen = changed(gone(), ledger=())
    rentals = (
        gone(),
        with_cost(gone(), 14_681_333, estimated=True),
        with_cost(unseen, 420_000),
        with_cost(unseen, 0),
        with_cost(unseen, 0, estimated=True),
        with_cost(ready(), 0),
        waiting(state=State.DENIED),
        waiting(state=State.DENIED, bought_after_backup=True),
    )
    assert [read(rental_text.receipt(details), NOW) for details in rentals] == snapshot(
        [
            "$14.68 for 6 h 4 min.",
            "an estimated $14.68 for 6 h 4 min.",
            "$0.42.",
            "It cost nothing.",
            "an estimated $0.00.",
            "$0.00.",
            "Nothing was rented.",
            "Its machine was found in the Compute Clear account.",
        ]
    )


def test_a_cost_says_whether_it_is_estimated() -> None:
    costs = (AccruedCost(amount=4_960_000, estimated=False), AccruedCost(amount=4_960_000, estimated=True))
    assert [(rental_text.in_all(cost), rental_text.so_far(cost)) for cost in costs] == snapshot(
        [("$4.96", "$4.96 so far"), ("an estimated $4.96", "an estimated $4.96 so far")]
    )


def test_a_machine_bills_from_its_first_resource_or_its_purchase() -> None:
    seen, unseen = ready(), changed(ready(), resources=())
    assert [rental_text.billing_since(each) for each in (seen, unseen, waiting())] == [
        seen.resources[0].valid_from,
        unseen.attempts[-1].intended_at,
        None,
    ]
