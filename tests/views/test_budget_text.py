"""Projects and budgets in offers, dialogs, the card and the history."""

from __future__ import annotations

import textwrap
from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.errors import OverBudget
from bot.model.base import changed
from bot.model.budget import TEAM, Balance, Demand, Scope, ScopeKind
from bot.model.event import EventKind
from bot.model.summary import OfferChoice, Over
from bot.policy.buying.budgets import say_passed
from bot.policy.buying.spending import NOT_RENTED
from handlers.actions.offers import rent_dialog
from handlers.messages import offers
from handlers.phrases.error_text import error_text
from tests.views.screens import approval, card, dialog, message, page, thread
from tests.views.stories import (
    ANA,
    ASKED,
    BEN,
    HYPERSTACK,
    NEBIUS,
    QUOTE,
    H,
    clock,
    happened,
    offer,
    reading,
    ready,
    request,
    terms,
    view_of,
    waiting,
)

NOW = clock(12, 35)
VISION = Scope(kind=ScopeKind.PROJECT, name="vision")
MINE = Scope(kind=ScopeKind.PERSON, name=ANA)


def demand(scope: Scope) -> Demand:
    balance = Balance(scope=scope, month="2026-11", reserved=87_900_000, spent=2_900_000_000)
    return Demand(balance=balance, budget=3_000_000_000, more=16_060_000)


def shown(*choices: OfferChoice, count: int = 1) -> str:
    quote = changed(QUOTE, project="vision", request=request(count=count))
    return message(offers.found(view_of(quote, choices), reading(NOW, ANA)), NOW)


def test_offers_that_exceed_a_budget_suggest_a_shorter_lease() -> None:
    first, second = (OfferChoice(offer=offer, terms=terms()) for offer in (HYPERSTACK, NEBIUS))
    asks = {"over": (Over.BUDGET,), "shorter": 4 * H}
    big = OfferChoice(
        offer=offer("o-big", "18.40", "nebius", "eu-north1", count=8),
        terms=terms("18.40", "21.16", 137_540_000, count=8),
        over=(Over.TOTAL, Over.BUDGET),
        passed=(changed(demand(MINE), more=137_540_000),),
    )
    refused = OverBudget(say_passed(demand(TEAM)), instead=NOT_RENTED)
    assert page(
        shown(changed(first, passed=(demand(VISION),), **asks), changed(second, passed=(demand(VISION),), **asks)),
        shown(big, count=8),
        shown(changed(first, refused=refused, shorter=H), changed(second, refused=refused)),
    ) == snapshot("""\

*1x H100 in EU* · 6 h
  project vision
*Needs approval.* The request could cost $16.06, and project vision has only $12.10 left in November
      ($2,900.00 spent, $87.90 reserved for running machines).
*$2.15/h* Hyperstack nor-1, SXM 80 GB   [Ask for $2.15/h: over the budget of project vision]
About $12.90, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.47/h.
*$2.42/h* Nebius eu-north1   [Ask for $2.42/h: over the budget of project vision]
  Prices are valid until 13:05.
[For 4 h instead] [Details] [Refresh] [Change]

*8x H100 in EU* · 6 h
  project vision
*Needs approval*: the price is over the limit of $100.00 per rental. The request could cost $137.54,
      and you have only $12.10 left in November ($2,900.00 spent, $87.90 reserved for running
      machines).
*$18.40/h* ($2.30 per GPU-hour) Nebius eu-north1, SXM 80 GB   [Ask for $18.40/h]
About $110.40, *at most $137.54* including startup and shutdown. If this offer sells out, I'll take
      another up to $21.16/h.
  Prices are valid until 13:05.
[Details] [Refresh] [Change]

*1x H100 in EU* · 6 h
  project vision
You can't rent any of these offers now. The request could cost $16.06, and your team has only $12.10
      left in November ($2,900.00 spent, $87.90 reserved for running machines).
*$2.15/h* Hyperstack nor-1
*$2.42/h* Nebius eu-north1
[For 1 h instead] [Details] [Refresh] [Change]
""")


def test_a_click_refused_by_a_budget_explains_what_to_do() -> None:
    refused = OverBudget(say_passed(demand(MINE)), instead=NOT_RENTED)
    assert textwrap.wrap(error_text(refused), 100) == snapshot(
        [
            "The request could cost $16.06, and you have only $12.10 left in November ($2,900.00 spent, $87.90",
            "reserved for running machines). Nothing was rented or changed. Ask for less time or a cheaper",
            "machine, or ask an admin to raise the budget.",
        ]
    )


def test_dialogs_name_the_exceeded_budget() -> None:
    choice = OfferChoice(offer=HYPERSTACK, terms=terms(), over=(Over.BUDGET,), passed=(demand(VISION),))
    assert dialog(rent_dialog(QUOTE, choice, reading(NOW, ANA)), NOW) == snapshot("""\
== Ask for approval? ==
! This can cost up to $16.06.
1x H100 in EU from Hyperstack nor-1, $2.15/h, 6 h from when it's ready.
About $12.90. $16.06 is for 6 h plus 30 min to start and shut down, at up to $2.47/h. If this offer
      sells out, I'll take another up to $2.47/h.
*Needs approval.* The request could cost $16.06, and project vision has only $12.10 left in November
      ($2,900.00 spent, $87.90 reserved for running machines). Nothing is rented until someone
      approves.
[Ask] [Go back]\
""")


def test_the_history_names_the_budget_that_an_approval_exceeds() -> None:
    allowed: dict[str, Any] = {"max_rate": Decimal("21.16"), "hours": 6 * H, "total": 137_540_000, "terms": 1}
    assert page(
        *(
            thread(happened(EventKind.APPROVED, clock(14, 12), BEN, passed=(demand(scope),), **allowed), waiting())
            for scope in (VISION, MINE, TEAM)
        ),
        thread(
            happened(
                EventKind.EXTENSION_APPROVED, clock(18, 12), BEN, until=clock(20, 40), passed=(demand(VISION),)
            )
        ),
    ) == snapshot("""\

Ben approved this request at 14:12, for 6 h at up to $21.16/h. The approved cost exceeds the budget
      of project vision.

Ben approved this request at 14:12, for 6 h at up to $21.16/h. The approved cost exceeds Ana's
      budget.

Ben approved this request at 14:12, for 6 h at up to $21.16/h. The approved cost exceeds the team's
      budget.

Ben approved more time for this machine. It now ends at 20:40. The approved cost exceeds the budget
      of project vision.
""")


def test_the_card_names_the_project() -> None:
    assert card(ready(project="vision"), NOW).split(".")[0] == snapshot(
        "(fallback) Ready: 1x H100 (k7mq2) in EU for Ana"
    )


def test_approvers_read_the_remaining_budgets_now_and_after_approval() -> None:
    fits = changed(demand(VISION), more=37_540_000, balance=changed(demand(VISION).balance, reserved=0))
    details = changed(waiting(ASKED), demands=(demand(TEAM), fits))
    assert [line for line in approval(ASKED, details, clock(14, 6)).splitlines() if "left" in line] == snapshot(
        [
            "      $3,000.00 left in November, $3.96 too little for this. vision has $100.00 of $3,000.00 left in",
            "| Budget: The team: $12.10 left in November, $3.96 too little for this",
            "vision: $100.00 left in",
        ]
    )
