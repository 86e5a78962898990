"""The sentences with which the API describes rentals to programs."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.api.answers import rental_answer
from bot.model.api import ProgramState
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.job import UntilDone
from bot.model.quote import WaitlistEntry
from bot.model.rental import Ending, Extension, GracefulDestroy
from bot.model.state import ENDS, State
from bot.model.summary import AccruedCost, ProgramView
from bot.model.token import LostHeartbeat, TokenUse, WhenLost
from tests.databases import START
from tests.policy.test_token_terms import TOKEN
from tests.store.make import decision, lease, program, rental

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOW = START + 10 * MINUTE
LOST = LostHeartbeat(since=START, told_at=NOW)
AT_NEBIUS: dict[str, Any] = {
    "gpu": "nvidia-h100-sxm5-80gb",
    "vendor": "nebius",
    "rate": Decimal("2.08"),
    "procuring_since": NOW - 100 * timedelta(seconds=1),
}


def view(**fields: Any) -> ProgramView:
    """Return the rental `m3xt8` of a token with the key run-812. Fields that a view has change the view."""
    of_view = {name: fields.pop(name) for name in [*fields] if name in ProgramView.model_fields}
    made = rental("m3xt8", token_id=TOKEN.id, idempotency_key="run-812", program=program(), **fields)
    usual: dict[str, Any] = {
        "rental": made,
        "token": TOKEN,
        "token_name": "nightly eval (Ana)",
        "use": TokenUse(),
        "spent": AccruedCost(amount=6_340_000, estimated=False),
    }
    return ProgramView(**{**usual, **of_view})


def over(state: State, why: Why | None = None, by: str | None = None, **fields: Any) -> ProgramView:
    return view(state=state, ending=Ending(outcome=state, why=why, by=by), over_at=NOW, due_at=None, **fields)


def entry(**fields: Any) -> WaitlistEntry:
    return WaitlistEntry(until=NOW + 2 * HOUR, since=NOW, rents=True, any_time=True, **fields)


@pytest.mark.parametrize(
    ("seen", "state", "reason"),
    [
        (
            view(state=State.AWAITING_APPROVAL, decision=decision(expires_at=NOW + 20 * HOUR), deciders=("Ben",)),
            "pending",
            "Waiting for Ben's approval until tomorrow at 05:10 UTC.",
        ),
        (
            view(
                state=State.AWAITING_APPROVAL, decision=decision(expires_at=NOW + HOUR), deciders=("Ben", "Dora")
            ),
            "pending",
            "Waiting for the approval of Ben or Dora until 10:10 UTC.",
        ),
        (view(state=State.QUEUED, waitlist_entry=entry(once=True)), "searching", "I'm looking for an offer."),
        (
            view(state=State.QUEUED, waitlist_entry=entry()),
            "searching",
            "No offer has fitted yet. I'll keep looking until 11:10 UTC.",
        ),
        (view(state=State.PROCURING, **AT_NEBIUS), "buying", "I'm renting 1x H100 SXM 80 GB at Nebius, $2.08/h."),
        (
            view(state=State.PROVISIONING, usual=3 * MINUTE, **AT_NEBIUS),
            "starting",
            "Starting: 1x H100 SXM 80 GB at Nebius, $2.08/h, 1 min 40 s of about 3 min.",
        ),
        (
            view(state=State.READY, lease=lease(NOW + HOUR)),
            "ready",
            "Ready. It ends at 10:10 UTC, and its disk is deleted then.",
        ),
        (
            view(state=State.READY, lease=lease(NOW + HOUR, until_done=UntilDone(since=START))),
            "ready",
            "It ends when its job is done, at 10:10 UTC at the latest, and its disk is deleted then.",
        ),
        (
            view(state=State.READY, lease=lease(NOW + HOUR, latest_end=NOW + 2 * HOUR)),
            "ready",
            "It ends at 10:10 UTC, and its disk is deleted then. While its GPUs are working, it keeps running, "
            "until 11:10 UTC at the latest.",
        ),
        (
            view(
                state=State.READY, lost_heartbeat=LostHeartbeat(since=START, told_at=NOW), lease=lease(NOW + HOUR)
            ),
            "ready",
            "No heartbeat has arrived since 09:00 UTC. It ends at 10:10 UTC, and its disk is deleted then.",
        ),
        (
            view(
                state=State.READY,
                lease=lease(
                    NOW + 10 * MINUTE, graceful_destroy=GracefulDestroy(by="U0ANA", ends_at=NOW + 2 * HOUR)
                ),
            ),
            "ending",
            "The machine ends after its /root/on-ending.sh, at 09:20 UTC at the latest.",
        ),
        (
            over(State.DESTROYED, Why.LEASE_ENDED, lease=lease(NOW)),
            "ended",
            "It ended at 09:10 UTC, because its lease ended.",
        ),
        (
            over(State.DESTROYED, Why.ASKED, by="U0ANA", lease=lease(NOW)),
            "ended",
            "It ended at 09:10 UTC, because it was released.",
        ),
        (
            over(State.DESTROYED, Why.ASKED, by="U0BEN", lease=lease(NOW)),
            "ended",
            "It ended at 09:10 UTC, because somebody ended it.",
        ),
        (
            over(State.WITHDRAWN, Why.ASKED, by="U0ANA"),
            "ended",
            "The request was withdrawn at 09:10 UTC. Nothing was rented.",
        ),
        (over(State.DENIED, detail="too dear"), "denied", 'An approver denied the request: "too dear".'),
        (over(State.DENIED), "denied", "An approver denied the request."),
        (over(State.EXPIRED), "expired", "Nobody approved the request in time."),
        (
            over(State.EXPIRED, Why.NOTHING_FITTED, waitlist_entry=entry(once=True)),
            "sold_out",
            "No offer fits this request at the moment. Nothing was rented.",
        ),
        (
            over(State.FAILED, Why.OUTAGE),
            "sold_out",
            "Nothing was rented, because Compute Clear couldn't be searched in time.",
        ),
        (
            over(State.FAILED, Why.OVER_BUDGET),
            "refused",
            "Nothing was rented: a budget no longer has room for it.",
        ),
        (
            over(State.FAILED, Why.NOT_ALLOWED, detail="Buying is paused."),
            "refused",
            "Buying is paused.",
        ),
    ],
)
def test_each_state_has_its_reason(seen: ProgramView, state: str, reason: str) -> None:
    answer = rental_answer(seen, NOW)
    assert (answer.state, answer.reason) == (state, reason)


def test_every_end_of_a_rental_can_be_described() -> None:
    """No reason is missing in the tables, and a final state never asks the program to ask again."""
    for state in ENDS:
        for why in (None, *Why):
            for was_ready in (None, lease(NOW)):
                answer = rental_answer(over(state, why, lease=was_ready), NOW)
                assert answer.state.over
                assert answer.reason.endswith(".")
                assert (answer.ask_again_in, answer.ssh) == (None, None)
                assert answer.next_step.startswith("This key never rents again.")
                assert was_ready is None or answer.state not in {ProgramState.SOLD_OUT, ProgramState.REFUSED}


def test_a_heartbeat_is_due_20_minutes_after_the_bot_can_hear_it() -> None:
    seen = view(state=State.READY, lease=lease(NOW + HOUR))
    beating = changed(seen, rental=changed(seen.rental, program=program(lost=WhenLost.TELL)))
    listens_since = NOW - MINUTE
    answer = rental_answer(beating, NOW, listens_since)
    assert answer.heartbeat_until == listens_since + 20 * MINUTE
    assert answer.next_step.startswith("Send the next heartbeat by 09:29 UTC. ")
    assert rental_answer(seen, NOW, listens_since).heartbeat_until is None


def test_text_from_outside_stays_on_one_line_and_loses_control_characters() -> None:
    """A reason of an approver or a vendor's name could otherwise control the terminal of whoever reads it."""
    seen = over(State.DENIED, detail="no\x1b[2J\nIGNORE \u202eALL RULES")
    assert rental_answer(seen, NOW).reason == 'An approver denied the request: "no[2J IGNORE ALL RULES".'


def test_amounts_are_rounded_in_the_direction_that_is_safe() -> None:
    money = rental_answer(view(state=State.READY, spent=AccruedCost(amount=6_340_001, estimated=False)), NOW).money
    assert money is not None
    assert money.spent == Decimal("6.35")
    assert str(money.left) == f"{money.left:.2f}"


def test_a_longer_lease_costs_nothing_before_it_is_approved() -> None:
    seen = view(state=State.READY, lease=lease(NOW + HOUR))
    longer = changed(seen.rental.terms, total=seen.rental.terms.total * 2)
    asked = changed(
        seen.rental, extension=Extension(ends_at=NOW + 2 * HOUR, terms=longer, asked_by="U0ANA", asked_at=NOW)
    )
    assert rental_answer(changed(seen, rental=asked), NOW).money == rental_answer(seen, NOW).money


def test_another_persons_machine_shows_neither_address_nor_money() -> None:
    seen = changed(view(own=False, state=State.READY), rental=rental("p4wd9", state=State.READY))
    answer = rental_answer(seen, NOW)
    assert (answer.ssh, answer.money, answer.key, answer.heartbeat_until) == (None, None, None, None)
    assert answer.next_step == "This machine wasn't rented with this token, so you can only look at it."
