"""The total that a person typed. Every question whose answer may exceed the total says so."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.rental import Decider, PendingDecision
from bot.model.summary import DearerRent, WaitingView
from bot.policy.buying.spending import LongerLease, propose_longer_lease
from handlers.actions.rentals import extend_dialog, extend_form
from handlers.actions.request_form import form_dialog
from handlers.ids import UntilValue
from handlers.messages import waiting
from handlers.phrases.lease_buttons import extend_button
from tests.views.screens import approval, card, dialog, direct, page
from tests.views.stories import (
    ASKED,
    NEBIUS,
    RULES,
    H,
    clock,
    happened,
    reading,
    ready,
    request,
    terms,
)
from tests.views.stories import waiting as waiting_for
from tests.views.test_waiting_answers import NONE, WAITLIST_ENTRY

TOTAL: dict[str, Any] = {"max_gpu_rate": Decimal("2.3076"), "max_total": 15_000_000, "cap_said_per_gpu": False}
OVER = "It can cost up to $16.06 in all, more than the $15.00 that the request allows."


def test_a_question_to_the_owner_names_the_total_it_would_exceed() -> None:
    again = happened(EventKind.ASKED_AGAIN, clock(14, 5), terms=1, rate=Decimal("2.42"), why=Why.DEARER)
    details = waiting_for(
        again,
        request=request(**TOTAL),
        terms=terms(),
        decision=PendingDecision(decider=Decider.OWNER, why=Why.DEARER, expires_at=clock(22, 5)),
    )
    assert OVER in " ".join(direct(again, details, clock(14, 6)).split())
    assert OVER in " ".join(card(details, clock(14, 6)).split())


def test_a_question_to_approvers_names_the_total_it_would_exceed() -> None:
    details = waiting_for(request=request(**TOTAL), terms=terms())
    assert OVER in " ".join(approval(ASKED, details, clock(14, 6)).split())
    within = waiting_for(request=request(**TOTAL), terms=terms(total=15_000_000))
    assert "asked for" not in approval(ASKED, within, clock(14, 6))


def test_a_more_expensive_rental_is_confirmed_with_the_exceeded_total() -> None:
    dearer = DearerRent(rental=waiting_for(request=request(**TOTAL)).rental, offer=NEBIUS, terms=terms())
    assert OVER in " ".join(dialog(waiting.dearer_confirm(dearer, reading(clock(14, 6))), clock(14, 6)).split())


def test_the_extend_button_says_if_it_exceeds_the_total() -> None:
    rental = ready(request=request(**TOTAL)).rental
    over = extend_button(rental, reading(clock(14, 6)), longer=2 * H)
    within = extend_button(changed(rental, rate=Decimal("1.50")), reading(clock(14, 6)), longer=2 * H)
    assert [each and each["text"]["text"] for each in (over, within)] == [
        "Extend 2 h, about $4.84, over the request's $15.00",
        "Extend 2 h, about $3.00",
    ]


def test_the_extend_dialogs_say_if_they_exceed_the_total() -> None:
    details = ready(request=request(**TOTAL), terms=terms(total=15_000_000))
    now = clock(14, 6)
    choose = dialog(extend_form(details, reading(now)), now)
    assert "(2 h, about $4.84, over the request's $15.00)" in " ".join(choose.split())
    rental, ends_at = details.rental, clock(20, 40)
    longer = propose_longer_lease(rental, ends_at, kept=0 * H, spent=4_960_000, now=now, rules=RULES)
    value = UntilValue(rental_id=rental.id, by=ends_at)
    asked = LongerLease(rental=rental, ends_at=ends_at, span=2 * H, proposal=longer)
    confirm = dialog(extend_dialog(details, asked, value, reading(now)), now)
    assert "It can cost up to $21.46 in all, more than the $15.00 that the request allows." in " ".join(
        confirm.split()
    )


def test_people_on_the_waitlist_read_their_total_and_no_gpu_price() -> None:
    waits = WaitingView(quote=changed(NONE, waitlist_entry=WAITLIST_ENTRY, request=request(**TOTAL)))
    text = waiting.waiting_text(waits, reading(clock(14, 6)).times)
    assert text.startswith("You're on the waitlist for 1x H100 in EU for 6 h at $15.00 or less in all until")


def test_the_form_is_filled_in_with_the_total() -> None:
    filled = form_dialog(None, reading(clock(14, 6), zone="UTC"), request=request(**TOTAL))
    assert "Highest price, in dollars per GPU-hour: (15.00 in all)" in page(dialog(filled, clock(14, 6)))
