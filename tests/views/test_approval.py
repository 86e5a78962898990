"""The message that asks approvers for a decision, before and after the decision."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.facts import OtherOffer
from bot.model.machine_use import UsageStatus, Use
from bot.model.state import State
from tests.views.screens import approval, card, page
from tests.views.stories import (
    ANA,
    ASKED,
    BEN,
    CARL,
    LONGER,
    H,
    clock,
    gone,
    happened,
    ready,
    request,
    terms,
    waiting,
)

K = EventKind


def test_a_request_mentions_the_approvers_once() -> None:
    first = approval(ASKED, waiting(), clock(14, 5), shown=0)
    assert page(first, approval(ASKED, waiting(), clock(14, 5))) == snapshot("""\

(fallback) It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.
      The request exceeds the limits of $10.00/h and $100.00 per rental. Ana also has 1x A100
      (a2bc3).
# Approve up to $137.54?
Ana wants *8x H100 (p4wd9) in EU for 6 h*: "fine-tune run 7". <!subteam^S0GPU>, <@U0BEN>
| Price: $18.40/h, or up to $21.16/h if the chosen offer sells out
| Exceeds: the limits of $10.00/h and $100.00 per rental
| Also running: 1x A100 (a2bc3)
  The request expires at 22:05.
[Approve up to $137.54] [Approve fewer hours] [Deny] [Ana's spending]

(fallback) It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.
      The request exceeds the limits of $10.00/h and $100.00 per rental. Ana also has 1x A100
      (a2bc3).
# Approve up to $137.54?
Ana wants *8x H100 (p4wd9) in EU for 6 h*: "fine-tune run 7".
| Price: $18.40/h, or up to $21.16/h if the chosen offer sells out
| Exceeds: the limits of $10.00/h and $100.00 per rental
| Also running: 1x A100 (a2bc3)
  The request expires at 22:05.
[Approve up to $137.54] [Approve fewer hours] [Deny] [Ana's spending]
""")


def test_a_request_and_more_time_say_which_part_of_the_cost_is_for_keeping_the_machine() -> None:
    kept, details = timedelta(hours=13, minutes=20), waiting()
    rental = changed(details.rental, terms=changed(details.rental.terms, kept=kept))
    more = happened(K.EXTENSION_ASKED, clock(18, 10), ANA, id=9, terms=2, until=LONGER.ends_at)
    longer = changed(LONGER, terms=changed(LONGER.terms, kept=kept))
    for shown in (
        approval(ASKED, changed(details, rental=rental), clock(14, 5)),
        approval(more, ready(more, extension=longer), clock(18, 15)),
    ):
        assert "This includes 13 h 20 min more, if saving fails (/root/on-ending.sh)." in " ".join(shown.split())


def test_a_request_shows_both_prices_and_the_usage_of_other_machines() -> None:
    other = OtherOffer(vendor="nebius", vendor_region="eu-north1", rate=Decimal("19.36"))
    asked = changed(ASKED, facts=changed(ASKED.facts, read_at=clock(14, 3), other=other))
    idle = Use(status=UsageStatus.IDLE, since=clock(13, 15))
    details = waiting(asked)
    live = tuple(changed(one, state=State.READY, use=idle) for one in details.owners_live if one.id == "a2bc3")
    only = changed(asked, facts=changed(asked.facts, other=None))
    assert page(
        approval(asked, changed(details, owners_live=live), clock(14, 5)),
        approval(only, waiting(only), clock(14, 5)),
    ) == snapshot("""\

(fallback) It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.
      The request exceeds the limits of $10.00/h and $100.00 per rental. Ana also has 1x A100
      (a2bc3), idle for 50 min.
# Approve up to $137.54?
Ana wants *8x H100 (p4wd9) in EU for 6 h*: "fine-tune run 7".
| Price: $18.40/h, or up to $21.16/h if the chosen offer sells out
| Exceeds: the limits of $10.00/h and $100.00 per rental
| Also running: 1x A100 (a2bc3), idle for 50 min
  Next cheapest at 14:03: $19.36/h, Nebius eu-north1. The request expires at 22:05.
[Approve up to $137.54] [Approve fewer hours] [Deny] [Ana's spending]

(fallback) It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.
      The request exceeds the limits of $10.00/h and $100.00 per rental. Ana also has 1x A100
      (a2bc3).
# Approve up to $137.54?
Ana wants *8x H100 (p4wd9) in EU for 6 h*: "fine-tune run 7".
| Price: $18.40/h, or up to $21.16/h if the chosen offer sells out
| Exceeds: the limits of $10.00/h and $100.00 per rental
| Also running: 1x A100 (a2bc3)
  No other offer matched at 14:03. The request expires at 22:05.
[Approve up to $137.54] [Approve fewer hours] [Deny] [Ana's spending]
""")


def test_a_changed_request_stays_in_the_same_message_until_it_is_decided() -> None:
    newer = terms("18.40", "21.16", 95_220_000, count=8, version=2, lease=4 * H)
    change = happened(
        K.CHANGED, clock(14, 10), ANA, id=2, terms=2, people=(BEN,), admins_decide=False, read_at=clock(14, 10)
    )
    approved = happened(K.APPROVED, clock(14, 12), BEN, id=3, terms=2, hours=4 * H)
    assert page(
        approval(ASKED, waiting(change, terms=newer), clock(14, 10)),
        approval(
            ASKED,
            waiting(change, approved, terms=newer, state=State.PROCURING, decision=None),
            clock(14, 12),
        ),
    ) == snapshot("""\

(fallback) It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.
      The request exceeds the limit of $10.00/h. Ana also has 1x A100 (a2bc3).
# Approve up to $95.22?
Ana wants *8x H100 (p4wd9) in EU for 4 h*: "fine-tune run 7".
| Price: $18.40/h, or up to $21.16/h if the chosen offer sells out
| Exceeds: the limit of $10.00/h
| Also running: 1x A100 (a2bc3)
  Ana changed the request at 14:10. No other offer matched at 14:10. The request expires at 22:05.
[Approve up to $95.22] [Approve fewer hours] [Deny] [Ana's spending]

Ben approved Ana's 8x H100 (p4wd9) in EU at 14:12, for 4 h.
""")


def test_a_card_names_the_people_who_were_asked() -> None:
    by_ben = changed(ASKED, facts=changed(ASKED.facts, people=(BEN,), admins_decide=False))
    now_admins = happened(K.DECIDERS_CHANGED, clock(14, 30), people=(CARL,), admins_decide=True)
    assert "Ben was asked. The request expires" in card(waiting(by_ben), clock(14, 5))
    shown = card(waiting(by_ben, now_admins), clock(14, 40))
    assert "No approver is left, so the admins (Carl) were asked. The request expires" in " ".join(shown.split())


def test_approvers_who_ask_or_get_a_direct_message_are_not_pinged() -> None:
    own = waiting(owner=BEN)
    again = happened(K.ASKED_AGAIN, clock(14, 5), terms=1)
    for asked in (changed(ASKED, actor=BEN), again):
        text = approval(asked, own, clock(14, 5), shown=0)
        assert "<!subteam^S0GPU>, Ben" in text


def test_the_message_shows_the_decision_and_its_day_if_not_today() -> None:
    newer = terms("18.40", "21.16", 137_540_000, count=8, version=2)
    approved = happened(K.APPROVED, clock(14, 12), BEN, terms=1, max_rate=Decimal("21.16"), hours=6 * H)
    answers = (
        approved,
        happened(K.DENIED, clock(14, 12), BEN, amount=0, estimated=False),
        happened(K.EXPIRED, clock(14, 12), amount=0, estimated=False),
        happened(K.CHANGED, clock(14, 10), ANA, terms=2),
    )
    withdrawn = waiting(state=State.WITHDRAWN)
    rented = changed(waiting(approved), rental=changed(gone().rental, id="p4wd9"))
    assert page(
        *(approval(ASKED, waiting(answer, terms=newer), clock(14, 12)) for answer in answers),
        approval(ASKED, withdrawn, clock(14, 12)),
        approval(ASKED, rented, clock(9, 0, day=25)),
    ) == snapshot("""\

Ben approved Ana's 8x H100 (p4wd9) in EU at 14:12, for 6 h at up to $21.16/h.

Ben declined Ana's request for 8x H100 (p4wd9) in EU at 14:12. Nothing was rented.

Ana's request for 8x H100 (p4wd9) in EU expired at 14:12 without a decision. Nothing was rented.

Ana changed the request for 8x H100 (p4wd9) in EU at 14:10. Nothing is left to decide here.

Ana's 8x H100 (p4wd9) in EU no longer needs approval. It was withdrawn.

Ben approved Ana's 1x H100 (p4wd9) in EU yesterday at 14:12, for 6 h at up to $21.16/h.
""")


def test_a_request_for_more_time_shows_its_cost_and_the_new_total() -> None:
    asked = happened(K.EXTENSION_ASKED, clock(18, 10), ANA, id=9, terms=2, until=clock(18, 40, day=25))
    approved = happened(K.EXTENSION_APPROVED, clock(18, 20), BEN, id=10, terms=2, until=clock(18, 40, day=25))
    eight = changed(LONGER, terms=terms("18.40", "21.16", 79_050_000, version=2, count=8), ends_at=clock(20, 40))
    big = ready(asked, extension=eight, request=request(count=8), rate=Decimal("18.40"), spent=13_430_000)
    assert page(
        approval(asked, ready(asked, extension=LONGER, spent=13_430_000), clock(18, 10)),
        approval(asked, big, clock(18, 10)),
        approval(asked, ready(asked, approved), clock(18, 20)),
    ) == snapshot("""\

(fallback) It costs $2.42/h, $13.43 so far, and then up to $101.00 in all. It would then end
      tomorrow at 18:40. The request exceeds the limit of $100.00 per rental.
# Approve 24 h more, about $58.08?
Ana wants more time for *1x H100 (k7mq2)*: "fine-tune run 7". Unless someone approves, it ends at
      18:40.
| Cost: $2.42/h, $13.43 so far, up to $101.00 in all
| Exceeds: the limit of $100.00 per rental
[Approve up to $101.00] [Approve fewer hours] [Deny] [Ana's spending]

(fallback) It costs $18.40/h, $13.43 so far, and then up to $79.05 in all. It would then end today
      at 20:40. The request exceeds the limit of $10.00/h.
# Approve 2 h more, about $36.80?
Ana wants more time for *8x H100 (k7mq2)*: "fine-tune run 7". Unless someone approves, it ends at
      18:40.
| Cost: $18.40/h, $13.43 so far, up to $79.05 in all
| Exceeds: the limit of $10.00/h
[Approve up to $79.05] [Approve fewer hours] [Deny] [Ana's spending]

Ben approved more time for Ana's 1x H100 (k7mq2). It now ends tomorrow at 18:40.
""")
