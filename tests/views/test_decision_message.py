"""Direct messages about requests that need a new decision, or got one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.rental import Decider, PendingDecision
from bot.model.state import State
from tests.views.screens import card, direct, page, thread
from tests.views.stories import (
    BEN,
    CARL,
    H,
    clock,
    happened,
    making,
    ready,
    rental,
    request,
    terms,
    waiting,
)

K = EventKind
FREE: dict[str, Any] = {"amount": 0, "estimated": False}


def test_a_request_with_too_little_time_can_be_changed_or_withdrawn() -> None:
    why = Why.TOO_LITTLE_TIME
    again = happened(K.ASKED_AGAIN, clock(17, 31), why=why, terms=2, amount=0, estimated=False, until=clock(23, 0))
    waits = rental(
        State.AWAITING_APPROVAL,
        request=request(until=clock(18, 0)),
        decision=PendingDecision(decider=Decider.OWNER, why=why, expires_at=clock(23, 0)),
        terms=terms(version=2),
    )
    details = changed(making(), rental=waits, events=(again,), attempts=())
    shown = page(direct(again, details), card(details, clock(17, 31)), thread(again, details))
    assert shown == snapshot("""\

Your request for 1x H100 (k7mq2) in EU is on hold, because the requested end is too soon for a
      machine to start. Nothing is rented. The request needs a later end, and expires at 23:00.
[Change] [Withdraw]

(fallback) Waiting for Ana: 1x H100 (k7mq2) in EU for Ana.
*Waiting for Ana: 1x H100 (k7mq2) in EU for Ana*
The requested end is too soon for a machine to start. The request expires at 23:00.
[Change] [Add teammate] [Withdraw]

This request is on hold, because the requested end is too soon for a machine to start. Nothing is
      rented. The request needs a later end, and expires at 23:00.
""")


def test_a_more_expensive_offer_is_decided_by_the_owner_or_an_approver() -> None:
    again = happened(
        K.ASKED_AGAIN,
        clock(12, 39),
        id=5,
        why=Why.DEARER,
        terms=2,
        rate=Decimal("2.90"),
        before=Decimal("2.47"),
        vendor="scaleway",
        vendor_region="fr-par-2",
        until=clock(20, 39),
    )
    approved = happened(K.APPROVED, clock(12, 45), BEN, id=6, terms=2, max_rate=Decimal("2.90"))

    def asks(decider: Decider) -> Any:
        waits = rental(
            State.AWAITING_APPROVAL,
            decision=PendingDecision(decider=decider, why=Why.DEARER, expires_at=clock(20, 39)),
            terms=terms("2.90", "2.90", 18_850_000, version=2),
        )
        return changed(making(), rental=waits, events=(again,))

    assert page(
        direct(again, asks(Decider.OWNER)),
        direct(again, asks(Decider.APPROVER)),
        direct(again, changed(making(), events=(again, approved)), clock(12, 46)),
        direct(again, changed(making(), events=(again,)), clock(12, 46)),
    ) == snapshot("""\

Your request for 1x H100 (k7mq2) in EU needs your decision, because a machine now costs $2.90/h at
      Scaleway fr-par-2, $0.43 more than the $2.47/h that you allowed. The request expires at 20:39.
      It can cost up to $2.90/h and $18.85 in all.
[Accept up to $2.90/h] [Tell me about the next offer] [Withdraw]

Your request for 1x H100 (k7mq2) in EU needs approval, because a machine now costs $2.90/h at
      Scaleway fr-par-2, $0.43 more than the $2.47/h that you allowed. The request expires at 20:39.
      It can cost up to $2.90/h and $18.85 in all.
[Withdraw]

Ben approved your 1x H100 (k7mq2) in EU at 12:45, at up to $2.90/h.

Your request for 1x H100 (k7mq2) in EU no longer needs a decision. It's starting.
""")


def test_an_owner_who_has_nothing_to_decide_gets_a_message_without_buttons() -> None:
    end: dict[str, Any] = {"until": clock(18, 40)}
    assert page(
        *(
            direct(event, ready(event))
            for event in (
                happened(K.APPROVED, clock(14, 9), BEN, max_rate=Decimal("2.47"), hours=6 * H),
                happened(K.DENIED, clock(14, 9), BEN, **FREE),
                happened(K.DENIED, clock(14, 9), BEN, **FREE, detail="use 4 <!here>"),
                happened(K.DECIDERS_CHANGED, clock(14, 9), people=(BEN,), admins_decide=True),
                happened(K.EXTENSION_DENIED, clock(18, 12), BEN, **end),
                happened(K.EXTENSION_EXPIRED, clock(18, 40), **end),
                happened(K.KEPT, clock(14, 40), CARL, until=clock(15, 40), since=clock(18, 40)),
                happened(K.LOST, clock(14, 10), why=Why.VENDOR_TOOK_IT, vendor="nebius"),
                happened(K.ENDED, clock(12, 40), end=State.FAILED, why=Why.NOTHING_LEFT, **FREE),
                happened(K.ENDED, clock(22, 7), end=State.EXPIRED, amount=420_000, estimated=False),
            )
        )
    ) == snapshot("""\

Ben approved your 1x H100 (k7mq2) in EU at 14:09, for 6 h at up to $2.47/h.

Ben declined your request for 1x H100 (k7mq2) in EU at 14:09. It cost nothing.
[Ask again]

Ben declined your request for 1x H100 (k7mq2) in EU at 14:09: "use 4 <!here>". It cost nothing.
[Ask again]

No approver is left, so the admins (Ben) were asked about your request for 1x H100 (k7mq2) in EU.

Ben declined more time for your 1x H100 (k7mq2). It ends at 18:40.

Nobody approved or declined more time for your 1x H100 (k7mq2). It ends at 18:40.

Carl says that your 1x H100 (k7mq2) is still needed.

Nebius ended your 1x H100 (k7mq2) at 14:10. Everything on it is lost. Ask again: /gpu get
[Tell me when there's an offer]

Your request for 1x H100 (k7mq2) in EU failed at 12:40: no offer is left that matches the request.
      It cost nothing. Ask again: /gpu get
[Tell me when there's an offer] [Rent it for me, up to a price]

Your request for 1x H100 (k7mq2) in EU expired at 22:07. The vendor confirmed that billing has
      stopped. It cost $0.42. Ask again: /gpu get
""")


def test_an_expired_request_can_be_repeated_with_one_click() -> None:
    expired = happened(K.EXPIRED, clock(22, 5), **FREE)
    assert page(
        direct(expired, waiting(expired, state=State.EXPIRED)),
        direct(expired, ready(expired, state=State.EXPIRED), clock(9, 0, day=25)),
    ) == snapshot("""\

Your request for 8x H100 (p4wd9) in EU expired at 22:05 without a decision. Nothing was rented.
[Ask again]

Your request for 1x H100 (k7mq2) in EU expired yesterday at 22:05 without a decision. It cost
      nothing.
[Ask again]
""")
