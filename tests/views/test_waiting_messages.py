"""The card, the thread and the direct messages of a rental on the waitlist or with a start time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.errors import BuyingBlock
from bot.model.attempt import AttemptState, Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.quote import QuoteState, WaitlistEntry
from bot.model.rental import Ending
from bot.model.state import State
from bot.model.summary import AccruedCost, OfferChoice, RentalDetails
from handlers.messages.offers import answer
from handlers.messages.render import history_text
from tests.views.screens import approval, card, direct, message, page, thread
from tests.views.stories import (
    ANA,
    BEN,
    HYPERSTACK,
    NAMES,
    NEBIUS,
    QUOTE,
    H,
    attempt,
    clock,
    happened,
    making,
    reading,
    ready,
    rental,
    request,
    terms,
    view_of,
    waiting,
)

K = EventKind
NOW = clock(12, 36)
WAITLIST_ENTRY = WaitlistEntry(until=clock(18, 0, day=27), since=NOW, rents=True)
ALLOWED = terms("24.00", "24.00", 156_000_000, count=8, gpu="H200")
START = request(count=8, starts_at=clock(9, 0, day=25), until=clock(17, 0, day=25), lease=8 * H, note="")


def waits(*events: Event, **changes: Any) -> RentalDetails:
    """Return Ana's request k7mq2 for 8x H200 on the waitlist."""
    known = rental(
        State.QUEUED, terms=ALLOWED, request=request(gpu="H200", count=8), waitlist_entry=WAITLIST_ENTRY
    )
    nothing = AccruedCost(amount=0, estimated=False)
    known = changed(known, procuring_since=None, **changes)
    return RentalDetails(rental=known, events=events, spent=nothing, names=NAMES, sees_money=True)


def starts(*events: Event, **changes: Any) -> RentalDetails:
    """Return Ana's request k7mq2 for 8x H100 with a start time."""
    waitlist_entry = WaitlistEntry(
        until=clock(16, 30, day=25), since=NOW, rents=True, any_time=True, gpu="nvidia-h100-sxm5-80gb"
    )
    allowed = terms("18.40", "21.16", 179_860_000, count=8)
    return waits(*events, **{"request": START, "terms": allowed, "waitlist_entry": waitlist_entry, **changes})


def test_the_card_shows_the_limits_and_the_end_of_the_wait() -> None:
    over = changed(
        waits(
            state=State.EXPIRED,
            over_at=WAITLIST_ENTRY.until,
            ending=Ending(outcome=State.EXPIRED, why=Why.NOTHING_FITTED),
        )
    )
    assert page(card(waits(), NOW), card(starts(), NOW), card(over, WAITLIST_ENTRY.until)) == snapshot("""\

(fallback) On the waitlist: 8x H200 (k7mq2) in EU for Ana at up to $24.00/h.
*On the waitlist: 8x H200 (k7mq2) in EU for Ana at up to $24.00/h*
It costs at most $156.00. I'll look for an offer until Nov 27 at 18:00.
  fine-tune run 7
[Details] [Add teammate] [Stop waiting]

(fallback) Starting later: 8x H100 (k7mq2) in EU for Ana at up to $21.16/h.
*Starting later: 8x H100 (k7mq2) in EU for Ana at up to $21.16/h*
It starts tomorrow at 09:00 and ends tomorrow at 17:00. It costs at most $179.86. If no offer
      matches at the start, I'll keep trying until tomorrow at 16:30.
[Details] [Add teammate] [Stop waiting]

(fallback) Expired at 18:00: 8x H200 (k7mq2) in EU for Ana. No offer matched in time.
*Expired at 18:00: 8x H200 (k7mq2) in EU for Ana*
No offer matched in time.
Nothing was rented.
""")


def test_the_card_counts_failed_purchases() -> None:
    first = changed(attempt(1, HYPERSTACK, clock(12, 40), AttemptState.FAILED), why=Why.EXPIRED)
    second = changed(attempt(2, NEBIUS, clock(12, 45), AttemptState.FAILED), why=Why.SOLD_OUT)
    once, twice = changed(waits(), attempts=(first,)), changed(waits(), attempts=(first, second))
    ending = Ending(outcome=State.EXPIRED, why=Why.NOTHING_FITTED)
    over = changed(
        twice, rental=changed(twice.rental, state=State.EXPIRED, over_at=WAITLIST_ENTRY.until, ending=ending)
    )
    ended = happened(
        K.ENDED, WAITLIST_ENTRY.until, why=Why.NOTHING_FITTED, end=State.EXPIRED, amount=0, estimated=False
    )
    assert page(
        card(once, clock(12, 46)),
        card(twice, clock(12, 46, day=25)),
        card(over, WAITLIST_ENTRY.until),
        direct(ended, changed(over, events=(ended,)), WAITLIST_ENTRY.until),
    ) == snapshot("""\

(fallback) On the waitlist: 8x H200 (k7mq2) in EU for Ana at up to $24.00/h.
*On the waitlist: 8x H200 (k7mq2) in EU for Ana at up to $24.00/h*
It costs at most $156.00. I'll look for an offer until Nov 27 at 18:00. I've tried once, at 12:40:
      Hyperstack's price was no longer valid.
  fine-tune run 7
[Details] [Add teammate] [Stop waiting]

(fallback) On the waitlist: 8x H200 (k7mq2) in EU for Ana at up to $24.00/h.
*On the waitlist: 8x H200 (k7mq2) in EU for Ana at up to $24.00/h*
It costs at most $156.00. I'll look for an offer until Nov 27 at 18:00. I've tried 2 times, most
      recently yesterday at 12:45: Nebius seems to be sold out.
  fine-tune run 7
[Details] [Add teammate] [Stop waiting]

(fallback) Expired at 18:00: 8x H200 (k7mq2) in EU for Ana. No purchase succeeded in time.
*Expired at 18:00: 8x H200 (k7mq2) in EU for Ana*
No purchase succeeded in time.
It cost nothing.

Your request for 8x H200 (k7mq2) in EU expired at 18:00: every purchase failed. It cost nothing. Ask
      again: /gpu get
""")


def test_the_thread_reports_each_step() -> None:
    sold_out = happened(K.QUEUED_AGAIN, NOW, why=Why.SOLD_OUT, vendor="nebius", until=WAITLIST_ENTRY.until)
    refused = happened(K.NOT_ALLOWED_NOW, NOW, detail="Buying is paused <b>.", until=WAITLIST_ENTRY.until)
    nothing = happened(K.NOTHING_FITS, NOW, max_rate=Decimal("21.16"), until=clock(16, 30))
    held_up = happened(K.BLOCKED, NOW, why=Why.UNAUTHORIZED, until=clock(12, 51))
    assert page(*(thread(event, waits(event)) for event in (sold_out, refused, nothing, held_up))) == snapshot("""\

Nebius seems to be sold out. The request stays on the waitlist until Nov 27 at 18:00.

An offer matched this request, but I couldn't rent it. Buying is paused <b>. The request stays on
      the waitlist until Nov 27 at 18:00.

No 8x H200 in EU was available at 12:36. I'll keep trying until 16:30.

This request is on hold because Compute Clear rejects my API token. I'll keep trying until 12:51,
      then put it back on the waitlist.
""")


def test_the_history_says_if_slack_did_not_confirm_the_owner() -> None:
    fits = happened(K.OFFER_FITS, NOW, vendor="nebius", rate=Decimal("19.36"), owner_unconfirmed=True)
    assert history_text(fits, waits(fits), reading(NOW), money=True) == (
        "I found an offer: Nebius at $19.36/h. "
        "Slack didn't confirm in time that Ana is still here, so I relied on its last answer."
    )


def test_the_owner_reads_that_the_machine_was_rented() -> None:
    event = happened(
        K.ACCEPTED, clock(13, 0), since=clock(12, 36, day=23), rate=Decimal("23.04"), total=156_000_000
    )
    bought = changed(making(), rental=changed(making().rental, request=request(count=8), terms=ALLOWED))
    assert page(direct(event, bought), direct(event, waits(event))) == snapshot("""\

I rented 8x H200 (k7mq2) in EU at $2.88 per GPU-hour, as you asked yesterday at 12:36. It can cost
      up to $156.00 in all. It's starting.
[Destroy k7mq2]

Your request for 8x H200 (k7mq2) in EU is on the waitlist until Nov 27 at 18:00.
""")


def test_the_owner_reads_why_an_offer_was_not_rented() -> None:
    event = happened(K.NOT_ALLOWED_NOW, NOW, detail="You have 3 rentals, and your team's limit is 3 per person.")
    assert page(direct(event, waits(event)), direct(event, changed(making(), events=(event,)))) == snapshot("""\

An offer matched your request for 8x H200 (k7mq2) in EU, but I couldn't rent it. You have 3 rentals,
      and your team's limit is 3 per person. The request stays on the waitlist.
[Stop waiting]

An offer matched your request for 1x H100 (k7mq2) in EU at 12:36, but I couldn't rent it. The reason
      was: You have 3 rentals, and your team's limit is 3 per person. A later attempt succeeded: the
      machine is starting.
""")


def test_people_on_the_waitlist_read_why_buying_is_blocked() -> None:
    paused = happened(K.NOT_ALLOWED_NOW, NOW, block=BuyingBlock.PAUSED, name="Cleo", detail="bill check <b>")
    older = happened(K.NOT_ALLOWED_NOW, NOW, block=BuyingBlock.BOUGHT_AFTER_BACKUP)
    refused = happened(K.NOT_ALLOWED_NOW, NOW, block=BuyingBlock.UNAUTHORIZED, until=WAITLIST_ENTRY.until)
    over = [direct(each, changed(ready(), events=(each,))) for each in (paused, older, refused)]
    assert page(
        direct(paused, waits(paused)), thread(older, waits(older)), thread(refused, waits(refused))
    ) == snapshot("""\

An offer matched your request for 8x H200 (k7mq2) in EU, but I couldn't rent it. Cleo paused buying:
      "bill check <b>". An admin can end the pause with /gpu resume. The request stays on the
      waitlist.
[Stop waiting]

An offer matched this request, but I couldn't rent it. Buying is paused until an admin decides about
      machines that I rented but don't have in my database. The request stays on the waitlist.

An offer matched this request, but I couldn't rent it. Compute Clear rejects my API token. The
      admins know. The request stays on the waitlist until Nov 27 at 18:00.
""")
    assert page(*over) == snapshot("""\

An offer matched your request for 1x H100 (k7mq2) in EU at 12:36, but I couldn't rent it. The reason
      was: Cleo paused buying: "bill check <b>". A later attempt succeeded: the machine is ready,
      and ends at 18:40.

An offer matched your request for 1x H100 (k7mq2) in EU at 12:36, but I couldn't rent it. The reason
      was: Buying was paused because machines that I rented were missing from my database. A later
      attempt succeeded: the machine is ready, and ends at 18:40.

An offer matched your request for 1x H100 (k7mq2) in EU at 12:36, but I couldn't rent it. The reason
      was: Compute Clear rejected my API token. A later attempt succeeded: the machine is ready, and
      ends at 18:40.
""")


def test_shortly_before_the_start_the_owner_reads_which_offers_exist() -> None:
    dearer = happened(
        K.NOTHING_FITS,
        clock(8, 58, day=25),
        rate=Decimal("23.10"),
        vendor="nebius",
        offer="o1",
        max_rate=Decimal("21.16"),
        until=clock(16, 30, day=25),
    )
    none = changed(dearer, facts=changed(dearer.facts, rate=None, offer=None))
    now = clock(8, 58, day=25)
    assert page(
        direct(dearer, starts(dearer), now),
        direct(none, starts(none), now),
        direct(dearer, changed(making(), rental=changed(making().rental, request=START), events=(dearer,)), now),
    ) == snapshot("""\

No offer matched at 08:58: 8x H100 in EU cost at least $23.10/h, and you allowed $21.16/h. I'll keep
      trying until 16:30.
[Rent at $23.10/h now] [Stop waiting]

No 8x H100 in EU was available at 08:58. I'll keep trying until 16:30.
[Stop waiting]

No offer matched at 08:58: 8x H100 in EU cost at least $23.10/h, and you allowed $21.16/h. A later
      attempt succeeded: the machine is starting.
""")


def test_the_owner_reads_once_that_nothing_matched() -> None:
    event = happened(
        K.ENDED, WAITLIST_ENTRY.until, why=Why.NOTHING_FITTED, end=State.EXPIRED, amount=0, estimated=False
    )
    ending = Ending(outcome=State.EXPIRED, why=Why.NOTHING_FITTED)
    over = waits(event, state=State.EXPIRED, over_at=WAITLIST_ENTRY.until, ending=ending)
    assert page(direct(event, over, WAITLIST_ENTRY.until)) == snapshot("""\

No offer matched your request for 8x H200 (k7mq2) in EU before 18:00. Nothing was rented. Ask again:
      /gpu get
""")


def test_a_person_who_asked_to_be_notified_reads_the_offer_or_failure() -> None:
    told = changed(QUOTE, waitlist_entry=changed(WAITLIST_ENTRY, rents=False))
    found = view_of(told, [OfferChoice(offer=NEBIUS, terms=terms())])
    nothing = view_of(changed(told, state=QuoteState.NONE), [])
    rented = (changed(found, rental=details.rental) for details in (making(), waiting()))
    views = (found, nothing, *rented)
    texts = (message(answer(view, reading(NOW, ANA)), NOW) for view in views)
    assert page(*texts) == snapshot("""\

1x H100 in EU is available from $2.42 per GPU-hour, at Nebius eu-north1. It may not last.
[Rent from $2.42/h] [Wait again]

No offer matched 1x H100 in EU before Nov 27 at 18:00. Nothing was rented.
[Wait again]

You rented 1x H100 (k7mq2) in EU. Follow it in <#C0TRAIN>.

I've asked for approval: 8x H100 (p4wd9) in EU, at up to $21.16/h. Follow it in <#C0TRAIN>.
""")


def test_approvers_read_that_the_request_waits_for_an_offer() -> None:
    asked = happened(K.ASKED, NOW, ANA, terms=1, until=clock(18, 0), admins_decide=False, people=(BEN,))
    details = starts(asked, state=State.AWAITING_APPROVAL, decision=waiting(asked).rental.decision)
    first = changed(
        waits(asked),
        rental=changed(
            details.rental, waitlist_entry=WAITLIST_ENTRY, request=waits().rental.request, terms=ALLOWED
        ),
    )
    assert page(approval(asked, details, NOW), approval(asked, first, NOW)) == snapshot("""\

(fallback) It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.
      The request exceeds the limits of $10.00/h and $100.00 per rental.
# Approve up to $179.86?
Ana wants *8x H100 (k7mq2) in EU from tomorrow at 09:00 until tomorrow at 17:00 (8 h)*.
| Price: $18.40/h, or up to $21.16/h if the chosen offer sells out
| Exceeds: the limits of $10.00/h and $100.00 per rental
  The request expires at 22:05.
[Approve up to $179.86] [Approve fewer hours] [Deny] [Ana's spending]

(fallback) It will be rented once an offer costs $24.00/h or less. The request exceeds the limits of
      $10.00/h and $100.00 per rental.
# Approve up to $156.00?
Ana wants *8x H200 (k7mq2) in EU for 6 h*: "fine-tune run 7".
| Price: $24.00/h or less
| Exceeds: the limits of $10.00/h and $100.00 per rental
  The request expires at 22:05.
[Approve up to $156.00] [Approve fewer hours] [Deny] [Ana's spending]
""")
