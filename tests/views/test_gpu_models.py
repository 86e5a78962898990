"""Messages name the clicked model before the purchase, and the bought model after it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.rental import Decider, Extension, PendingDecision
from bot.model.state import State
from bot.model.summary import OfferChoice, Remainder, RentalDetails
from handlers.actions.offers import rent_dialog
from handlers.actions.requests import approve_dialog
from handlers.messages import lists, offers, replacing
from tests.views.screens import approval, card, dialog, direct, message, page, thread
from tests.views.stories import (
    ANA,
    HYPERSTACK,
    NEBIUS,
    QUOTE,
    READY_EVENT,
    RULES,
    SCALEWAY,
    H,
    clock,
    gone,
    happened,
    reading,
    ready,
    request,
    terms,
    view_of,
    waiting,
)

K = EventKind
PCIE, SXM_40 = "nvidia-a100-pcie-80gb", "nvidia-a100-sxm4-40gb"
CLICKED: dict[str, Any] = {"request": request(gpu="A100"), "terms": terms(gpu=PCIE)}


def test_each_offer_names_its_variant_if_there_are_several_models() -> None:
    other = [changed(one, gpu=gpu, family="A100") for one, gpu in ((HYPERSTACK, SXM_40), (NEBIUS, PCIE))]
    choices = [OfferChoice(offer=one, terms=terms()) for one in other]
    asked = changed(QUOTE, request=request(gpu="A100"))
    same = [OfferChoice(offer=one, terms=terms()) for one in (HYPERSTACK, NEBIUS)]
    assert page(
        message(offers.found(view_of(asked, choices), reading(clock(12, 35))), clock(12, 35)),
        message(offers.found(view_of(QUOTE, same), reading(clock(12, 35))), clock(12, 35)),
    ) == snapshot("""\

*1x A100 in EU* · 6 h
*$2.15/h* Hyperstack nor-1, SXM 40 GB   [Rent from $2.15/h]
About $12.90, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.47/h.
*$2.42/h* Nebius eu-north1, PCIe 80 GB   [Rent from $2.42/h]
  Prices are valid until 13:05.
[Details] [Refresh] [Change]

*1x H100 in EU* · 6 h
*$2.15/h* Hyperstack nor-1, SXM 80 GB   [Rent from $2.15/h]
About $12.90, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.47/h.
*$2.42/h* Nebius eu-north1   [Rent from $2.42/h]
  Prices are valid until 13:05.
[Details] [Refresh] [Change]
""")


def test_the_dialog_and_the_approval_name_the_model_that_was_clicked() -> None:
    of = changed(SCALEWAY, gpu=PCIE, family="A100", rate=Decimal("9.00"))
    choice = OfferChoice(offer=of, terms=terms("9.00", "10.00", 65_000_000, gpu=PCIE))
    quote = changed(QUOTE, request=request(gpu="A100"))
    asked = waiting(
        request=request(gpu="A100", count=8), terms=terms("18.40", "21.16", 137_540_000, gpu=PCIE, count=8)
    )
    assert page(
        dialog(rent_dialog(quote, choice, reader=reading(clock(12, 35))), clock(12, 35)),
        approval(asked.events[0], asked, clock(14, 5)),
        card(asked, clock(14, 5)),
    ) == snapshot("""\

== Rent at $9.00/h? ==
! This can cost up to $65.00.
1x A100 PCIe 80 GB in EU from Scaleway fr-par-2, $9.00/h, 6 h from when it's ready.
About $54.00. $65.00 is for 6 h plus 30 min to start and shut down, at up to $10.00/h. If this offer
      sells out, I'll take another up to $10.00/h.
[Rent from $9.00/h] [Go back]

(fallback) It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.
      The request exceeds the limits of $10.00/h and $100.00 per rental. Ana also has 1x A100
      (a2bc3).
# Approve up to $137.54?
Ana wants *8x A100 PCIe 80 GB (p4wd9) in EU for 6 h*: "fine-tune run 7".
| Price: $18.40/h, or up to $21.16/h if the chosen offer sells out
| Exceeds: the limits of $10.00/h and $100.00 per rental
| Also running: 1x A100 (a2bc3)
  The request expires at 22:05.
[Approve up to $137.54] [Approve fewer hours] [Deny] [Ana's spending]

(fallback) Waiting for approval: 8x A100 PCIe 80 GB (p4wd9) in EU for Ana at up to $21.16/h.
*Waiting for approval: 8x A100 PCIe 80 GB (p4wd9) in EU for Ana at up to $21.16/h*
The request expires at 22:05.
[Change] [Add teammate] [Withdraw]
""")


def bought(**changes: Any) -> RentalDetails:
    return ready(**{**CLICKED, "gpu": PCIE, **changes})


def test_messages_after_the_purchase_name_the_bought_model() -> None:
    over = gone(**CLICKED, gpu=PCIE)
    assert page(
        card(bought(), clock(12, 41)),
        direct(READY_EVENT, bought()).splitlines()[0],
        thread(READY_EVENT, bought()),
        message(lists.show(bought(), reader=reading(clock(12, 41), ANA)), clock(12, 41)).splitlines()[0],
        card(over, clock(18, 41)),
        direct(READY_EVENT, over),
    ) == snapshot("""\

(fallback) Ready: 1x A100 PCIe 80 GB (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x A100 PCIe 80 GB (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

(fallback) Your 1x A100 PCIe 80 GB (k7mq2) is ready.

Ready after 2 min 51 s: Ana's 1x A100 PCIe 80 GB (k7mq2).

Ready: 1x A100 PCIe 80 GB (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.

(fallback) Ended at 18:41: 1x A100 PCIe 80 GB (k7mq2) in EU for Ana.
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x A100 PCIe 80 GB (k7mq2) in EU for Ana*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed

(fallback) Ended at 18:41: 1x A100 PCIe 80 GB (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x A100 PCIe 80 GB (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.
""")


def test_the_next_attempt_names_a_different_model() -> None:
    first = happened(K.RENTING, clock(12, 36), vendor="hyperstack", rate=Decimal("1.39"), gpu=PCIE)
    facts: dict[str, Any] = {
        "clicked": Decimal("1.39"),
        "before_vendor": "hyperstack",
        "why": Why.SOLD_OUT,
        "paid": False,
    }
    then = happened(K.RENTING, clock(12, 38), vendor="runpod", rate=Decimal("1.50"), gpu=PCIE, **facts)
    assert page(thread(first, bought()), thread(then, bought())) == snapshot("""\

Renting from Hyperstack at $1.39/h.

Hyperstack seems to be sold out. The attempt cost nothing. Trying RunPod at $1.50/h, $0.11 more than
      the offer Ana clicked but within Ana's limit.
""")


def other_gpu(decider: Decider) -> tuple[Event, RentalDetails]:
    asked = happened(
        K.ASKED_AGAIN,
        clock(12, 39),
        why=Why.OTHER_GPU,
        terms=2,
        rate=Decimal("1.31"),
        before=Decimal("1.59"),
        gpu=SXM_40,
        before_gpu=PCIE,
        vendor="datacrunch",
        vendor_region="FIN-03",
        until=clock(20, 39),
        amount=0,
        estimated=False,
    )
    waits = ready(
        asked,
        state=State.AWAITING_APPROVAL,
        lease=None,
        decision=PendingDecision(decider=decider, why=Why.OTHER_GPU, expires_at=clock(20, 39)),
        **{**CLICKED, "terms": terms("1.31", "1.50", 9_000_000, gpu=SXM_40, version=2)},
    )
    return asked, waits


def test_the_question_names_the_difference_if_only_another_model_is_left() -> None:
    asked, owners = other_gpu(Decider.OWNER)
    _, approvers = other_gpu(Decider.APPROVER)
    assert page(
        direct(asked, owners),
        card(owners, clock(12, 39)),
        thread(asked, owners),
        approval(asked, approvers, clock(12, 39)),
    ) == snapshot("""\

Your request for 1x A100 SXM 40 GB (k7mq2) in EU needs your decision, because only A100 SXM 40 GB is
      left, not A100 PCIe 80 GB. Nothing is rented. A machine now costs $1.31/h at DataCrunch
      FIN-03. The request expires at 20:39. It can cost up to $1.50/h and $9.00 in all.
[Accept up to $1.50/h] [Tell me about the next offer] [Withdraw]

(fallback) Waiting for Ana: 1x A100 SXM 40 GB (k7mq2) in EU for Ana at up to $1.50/h.
*Waiting for Ana: 1x A100 SXM 40 GB (k7mq2) in EU for Ana at up to $1.50/h*
Only A100 SXM 40 GB is left, not A100 PCIe 80 GB. The request expires at 20:39.
[Accept up to $1.50/h] [Change] [Add teammate] [Withdraw]

This request needs a new decision, because only A100 SXM 40 GB is left, not A100 PCIe 80 GB. Nothing
      is rented. A machine now costs $1.31/h at DataCrunch FIN-03. The request expires at 20:39.

(fallback) It costs $1.31/h, or up to $1.50/h if the chosen offer sells out.
# Approve up to $9.00?
Ana wants *1x A100 SXM 40 GB (k7mq2) in EU for 6 h*: "fine-tune run 7". Only A100 SXM 40 GB is left,
      not A100 PCIe 80 GB.
| Price: $1.31/h, or up to $1.50/h if the chosen offer sells out
  The request expires at 20:39.
[Approve up to $9.00] [Approve fewer hours] [Deny] [Ana's spending]
""")


def test_replacements_and_extensions_name_the_model_of_their_machine() -> None:
    left = Remainder(gpu=PCIE, lease=4 * H, max_rate=Decimal("2.47"), total=12_000_000)
    more = Extension(
        terms=terms(gpu=SXM_40, version=2, lease=30 * H, total=101_000_000),
        ends_at=clock(18, 40, day=25),
        asked_by=ANA,
        asked_at=clock(18, 10),
    )
    longer = bought(extension=more, terms=terms(gpu=SXM_40))
    assert page(
        dialog(replacing.replace_confirm(bought().rental, left, RULES, asks_why=False), clock(14, 40)),
        dialog(approve_dialog(longer, reader=reading(clock(18, 10))), clock(18, 10)),
    ) == snapshot("""\

== Replace k7mq2? ==
! Once a new machine is rented, k7mq2 is destroyed and its disk is deleted. If none can be rented,
      k7mq2 stays.
I'll rent the next offer from a vendor other than Nebius: 1x A100 PCIe 80 GB, up to $2.47/h for 4 h,
      at most $12.00 in all.
[Replace k7mq2] [Go back]

== Approve k7mq2? ==
! This can cost up to $101.00 in all.
Ana wants 24 h more for 1x A100 PCIe 80 GB (k7mq2): "fine-tune run 7".
It has cost $4.96 so far, at $2.42/h.
[Approve up to $101.00] [Go back]
""")
