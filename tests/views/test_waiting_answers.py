"""Answers to people who join the waitlist or request a machine for a later time."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.errors import NextStep, Refused
from bot.model.base import changed
from bot.model.quote import Nearby, QuoteState, WaitlistEntry
from bot.model.state import State
from bot.model.summary import DearerRent, OfferChoice, Over, QuoteView, WaitingView, WaitPreview
from bot.policy.team.rules import Hours
from handlers.actions.policy import terminal_text
from handlers.actions.request_form import form_dialog
from handlers.messages import lists, offers, waiting
from tests.slack_limits import problems_of_view
from tests.views.screens import dialog, message, page
from tests.views.stories import (
    ANA,
    NEBIUS,
    QUOTE,
    RULES,
    H,
    clock,
    listed,
    offer,
    reading,
    ready,
    rental,
    request,
    terms,
    view_of,
)

NOW = clock(12, 35)
NIGHT = clock(22, 0)
ASKED = request(gpu="H200", count=8, max_gpu_rate=Decimal(3))
WAITLIST_ENTRY = WaitlistEntry(until=clock(18, 0, day=27))
NONE = changed(QUOTE, state=QuoteState.NONE, offers=(), request=ASKED)
ALLOWED = terms("24.00", "24.00", 156_000_000, count=8, gpu="H200")
EIGHT = offer("o-big", "18.40", "nebius", "eu-north1", count=8)
NINE = clock(9, 0, day=25)
LATER = request(count=8, starts_at=NINE, until=NINE + 8 * H, lease=8 * H)
START_QUOTE = changed(QUOTE, request=LATER, offers=(EIGHT,))
START = WaitPreview(
    quote=START_QUOTE,
    terms=terms("18.40", "21.16", 179_860_000, count=8, lease=8 * H),
    until=clock(16, 30, day=25),
)
DEARER = DearerRent(
    rental=rental(State.QUEUED, request=LATER, terms=START.terms, waitlist_entry=WAITLIST_ENTRY),
    offer=changed(EIGHT, rate=Decimal("23.10")),
    terms=terms("23.10", "26.56", 225_760_000, count=8, lease=8 * H),
)
REFUSED = Refused(
    "You're already waiting for 3 machines, and your team's limit is 3 per person.",
    next_step=NextStep.STOP_WAITING,
)


def wait(over: tuple[Over, ...] = (), **changes: Any) -> WaitPreview:
    quote = changed(NONE, **changes)
    return WaitPreview(quote=quote, terms=ALLOWED, over=over, until=WAITLIST_ENTRY.until)


def test_search_hours_covering_the_whole_week_are_not_mentioned() -> None:
    rules = changed(RULES, hours=Hours(time=(0, 24 * 60), days=frozenset(range(7))))
    reader, quote = reading(NOW, ANA, zone="UTC", rules=rules), changed(NONE, waitlist_entry=WAITLIST_ENTRY)
    shown = (
        message(offers.answer(QuoteView(quote=NONE, wait=wait()), reader), NOW),
        message(waiting.waits(WaitingView(quote=quote), reader), NOW),
        dialog(waiting.rent_for_me_confirm(wait(), None, reader), NOW),
        dialog(waiting.highest_price(quote, reader), NOW),
        dialog(form_dialog(None, reader), NOW),
    )
    for text in shown:
        assert not re.search("hours|any time", text), text
    assert "People are asked at any time." in terminal_text(rules)


def answer(view: QuoteView) -> str:
    return message(offers.answer(view, reading(NOW, ANA, zone="UTC")), NOW)


def test_without_a_match_two_buttons_join_the_waitlist() -> None:
    near = (Nearby(request=changed(ASKED, region="US"), cheapest=offer("a", "23.20", "nebius", "us", count=8)),)
    no_price = changed(NONE, request=request(gpu="A100"))
    typed = changed(NONE, waitlist_entry=changed(WAITLIST_ENTRY, any_time=True))
    assert page(
        answer(QuoteView(quote=changed(NONE, nearby=near), wait=wait())),
        answer(QuoteView(quote=typed, wait=wait((Over.PER_HOUR, Over.TOTAL)))),
        answer(QuoteView(quote=no_price)),
        answer(QuoteView(quote=NONE, wait_refused=REFUSED)),
        answer(QuoteView(quote=changed(NONE, changes="p4wd9"), wait=wait())),
        answer(view_of(changed(QUOTE, waitlist_entry=WAITLIST_ENTRY), [OfferChoice(offer=NEBIUS, terms=terms())])),
    ) == snapshot("""\

(fallback) Right now, there's no 8x H200 in EU under $3.00 per GPU-hour. Similar: Show US from $2.90
      per GPU-hour. Any H200 model counts as a match. I only look for offers during your hours, Mon
      to Fri, 08:00 to 20:00. To look day and night, add "any time" to your request.
Right now, there's no 8x H200 in EU under $3.00 per GPU-hour.
[Tell me when there's an offer] [Rent it for me at $24.00/h or less: 6 h, up to $156.00] [Show US
      from $2.90 per GPU-hour] [Change]
  Any H200 model counts as a match. I only look for offers during your hours, Mon to Fri, 08:00 to
      20:00. To look day and night, add "any time" to your request.

(fallback) Right now, there's no 8x H200 in EU under $3.00 per GPU-hour, and nothing similar either.
      Any H200 model counts as a match. I look for offers day and night. *Needs approval*: the price
      is over the limits of $10.00/h and $100.00 per rental.
Right now, there's no 8x H200 in EU under $3.00 per GPU-hour, and nothing similar either.
[Tell me when there's an offer] [Ask for approval at $24.00/h or less: 6 h, up to $156.00] [Change]
  Any H200 model counts as a match. I look for offers day and night. *Needs approval*: the price is
      over the limits of $10.00/h and $100.00 per rental.

(fallback) Right now, there's no A100 in EU, and nothing similar either. Any A100 model counts as a
      match. I only look for offers during your hours, Mon to Fri, 08:00 to 20:00. To look day and
      night, add "any time" to your request.
Right now, there's no A100 in EU, and nothing similar either.
[Tell me when there's an offer] [Rent it for me, up to a price] [Change]
  Any A100 model counts as a match. I only look for offers during your hours, Mon to Fri, 08:00 to
      20:00. To look day and night, add "any time" to your request.

(fallback) Right now, there's no 8x H200 in EU under $3.00 per GPU-hour, and nothing similar either.
      Any H200 model counts as a match. I can't rent one automatically. You're already waiting for 3
      machines, and your team's limit is 3 per person. Stop waiting for one of them first: /gpu list
      shows them.
Right now, there's no 8x H200 in EU under $3.00 per GPU-hour, and nothing similar either.
[Tell me when there's an offer] [Change]
  Any H200 model counts as a match. I can't rent one automatically. You're already waiting for 3
      machines, and your team's limit is 3 per person. Stop waiting for one of them first: /gpu list
      shows them.

Right now, there's no 8x H200 in EU under $3.00 per GPU-hour, and nothing similar either.
[Change]

*1x H100 in EU* · 6 h
*$2.42/h* Nebius eu-north1, SXM 80 GB   [Rent from $2.42/h]
About $14.52, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.47/h.
  Prices are valid until 13:05.
[Details] [Refresh] [Change]
[Tell me when there's an offer] [Rent it for me, up to a price]
  Any H100 model counts as a match. I only look for offers during your hours, Mon to Fri, 08:00 to
      20:00. To look day and night, add "any time" to your request.
""")


def test_a_start_time_shows_start_end_and_cost() -> None:
    capped = changed(LATER, max_gpu_rate=Decimal("2.5"))
    none = changed(START_QUOTE, state=QuoteState.NONE, offers=(), request=capped)
    within = changed(START.terms, max_rate=Decimal("20.00"), total=170_000_000)
    assert page(
        answer(QuoteView(quote=START_QUOTE, wait=START)),
        answer(QuoteView(quote=START_QUOTE, wait=changed(START, over=(Over.PER_HOUR,)))),
        answer(QuoteView(quote=none, wait=changed(START, quote=none, terms=within))),
        answer(QuoteView(quote=changed(none, request=LATER))),
        answer(QuoteView(quote=START_QUOTE, wait_refused=REFUSED)),
    ) == snapshot("""\

*8x H100 in EU* · from tomorrow at 09:00 until tomorrow at 17:00 (8 h)
About $147.20, *at most $179.86*. I'll read the prices tomorrow at 08:50 and rent the cheapest H100
      SXM 80 GB, up to $21.16/h. Now it costs $18.40/h at Nebius eu-north1.
[Rent at the start time] [Refresh] [Change]

*8x H100 in EU* · from tomorrow at 09:00 until tomorrow at 17:00 (8 h)
About $147.20, *at most $179.86*. I'll read the prices tomorrow at 08:50 and rent the cheapest H100
      SXM 80 GB, up to $21.16/h. Now it costs $18.40/h at Nebius eu-north1.
*Needs approval*: the price is over the limit of $10.00/h.
[Ask for approval at $21.16/h or less] [Refresh] [Change]

*8x H100 in EU* · under $2.50 per GPU-hour · from tomorrow at 09:00 until tomorrow at 17:00 (8 h)
Nobody offers it right now. I'll read the prices tomorrow at 08:50 and rent the cheapest, up to
      $20.00/h and *at most $170.00* in all.
Any H100 model counts as a match.
[Rent at the start time] [Refresh] [Change]

*8x H100 in EU* · from tomorrow at 09:00 until tomorrow at 17:00 (8 h)
Nobody offers it right now. If I should rent it at the start time anyway, add your highest price to
      the request, such as: under $3 per GPU
Any H100 model counts as a match.
[Refresh] [Change]

*8x H100 in EU* · from tomorrow at 09:00 until tomorrow at 17:00 (8 h)
I can't plan this rental. You're already waiting for 3 machines, and your team's limit is 3 per
      person. Stop waiting for one of them first: /gpu list shows them.
[Refresh] [Change]
""")


def test_an_automatic_rental_is_confirmed_and_a_missing_price_requested() -> None:
    reader = reading(NOW, ANA, zone="UTC")
    dialogs = [
        waiting.highest_price(changed(NONE, request=request(gpu="A100"), waitlist_entry=WAITLIST_ENTRY), reader),
        waiting.rent_for_me_confirm(wait(waitlist_entry=WAITLIST_ENTRY), Decimal("24.00"), reader),
        waiting.rent_for_me_confirm(
            wait((Over.TOTAL,), waitlist_entry=changed(WAITLIST_ENTRY, any_time=True)), None, reader
        ),
        waiting.rent_for_me_confirm(START, None, reader),
        waiting.dearer_confirm(DEARER, reader),
        waiting.dearer_confirm(changed(DEARER, over=(Over.PER_HOUR,)), reader),
    ]
    assert [problems_of_view(each.view) for each in dialogs] == [[]] * 6
    assert page(*(dialog(each, NOW) for each in dialogs)) == snapshot("""\

== Rent it for me ==
1x A100 in EU, 6 h from when it's ready.
I only look for offers during your hours, Mon to Fri, 08:00 to 20:00. I'll rent the first offer that
      fits.
Any A100 model counts as a match.
Highest price, in dollars per GPU-hour: ()
[Next] [Go back]

== Up to $24.00/h? ==
! This can cost up to $156.00.
8x H200 in EU, 6 h from when it's ready, at $24.00/h or less.
If no offer matches, I'll keep trying for 3 days 5 h.
I only look for offers during your hours, Mon to Fri, 08:00 to 20:00.
Any H200 model counts as a match.
[Rent it for me] [Go back]

== Ask for approval? ==
! This can cost up to $156.00.
8x H200 in EU, 6 h from when it's ready, at $24.00/h or less.
If no offer matches, I'll keep trying for 3 days 5 h.
I look for offers day and night.
Any H200 model counts as a match.
*Needs approval*: the price is over the limit of $100.00 per rental.
[Ask] [Go back]

== Up to $21.16/h? ==
! This can cost up to $179.86.
8x H100 in EU, 8 h, starting in 20 h 25 min, at $21.16/h or less.
If no offer matches then, I'll keep trying for 7 h 30 min.
[Rent at the start time] [Go back]

== Rent at $23.10/h? ==
! This can cost up to $225.76.
8x H100 in EU from Nebius eu-north1, $23.10/h, 8 h, starting in 20 h 25 min.
If this offer sells out, I'll take another up to $26.56/h. Until now, you allowed $21.16/h.
[Rent at $23.10/h] [Go back]

== Ask for approval? ==
! This can cost up to $225.76.
8x H100 in EU from Nebius eu-north1, $23.10/h, 8 h, starting in 20 h 25 min.
If this offer sells out, I'll take another up to $26.56/h. Until now, you allowed $21.16/h.
*Needs approval*: the price is over the limit of $10.00/h.
[Ask] [Go back]
""")


def test_the_reply_to_waiting_names_the_request_and_can_stop_it() -> None:
    reader = reading(NOW, ANA, zone="UTC")
    quote = changed(NONE, waitlist_entry=WAITLIST_ENTRY)
    queued = rental(State.QUEUED, request=ASKED, terms=ALLOWED, waitlist_entry=WAITLIST_ENTRY)
    starts = rental(State.QUEUED, request=LATER, terms=START.terms, waitlist_entry=WAITLIST_ENTRY)
    views = [
        WaitingView(quote=quote),
        WaitingView(quote=quote, rental=queued),
        WaitingView(quote=changed(START_QUOTE, waitlist_entry=WAITLIST_ENTRY), rental=starts),
    ]
    stopped = waiting.stopped(quote)
    assert page(
        *(message(each, NOW) for each in [*(waiting.waits(one, reader) for one in views), stopped])
    ) == snapshot("""\

You're on the waitlist for 8x H200 in EU under $3.00 per GPU-hour until Nov 27 at 18:00. I'll send
      you one message as soon as there is an offer. I only look for offers during your hours, Mon to
      Fri, 08:00 to 20:00.
[Stop waiting]

You're on the waitlist for 8x H200 (k7mq2) in EU until Nov 27 at 18:00. I'll rent the first one at
      $24.00/h or less, up to $156.00 in all. Follow it in <#C0TRAIN>. I only look for offers during
      your hours, Mon to Fri, 08:00 to 20:00.
[Stop waiting]

You're waiting for 8x H100 (k7mq2) in EU to start tomorrow at 09:00, at $21.16/h or less, up to
      $179.86 in all. Follow it in <#C0TRAIN>.
[Stop waiting]

You're no longer on the waitlist for 8x H200 in EU under $3.00 per GPU-hour. Nothing was rented.
""")


def test_a_list_ends_with_waitlist_entries_or_planned_starts() -> None:
    quote = changed(NONE, waitlist_entry=WAITLIST_ENTRY)
    queued = rental(State.QUEUED, id="p4wd9", request=LATER, terms=START.terms, waitlist_entry=WAITLIST_ENTRY)
    starts = WaitingView(
        quote=changed(START_QUOTE, id="q2", waitlist_entry=WAITLIST_ENTRY), rental=queued, owner_name="Ana <b>"
    )
    live = listed(ready(), changed(ready(), rental=queued), more=0)
    alone = changed(live, shown=())
    assert page(
        message(
            lists.listing(live, reading(NOW, ANA), everyone=False, waits=[WaitingView(quote=quote), starts]),
            NOW,
        ),
        message(lists.listing(live, reading(NOW, ANA), everyone=True, waits=[starts]), NOW),
        message(lists.listing(alone, reading(NOW, ANA), everyone=False, waits=[WaitingView(quote=quote)]), NOW),
    ) == snapshot("""\

Ready: 1x H100 (k7mq2) in EU. It ends at 18:40. $2.42/h, $4.96 so far.   [Details]
  Your running machine costs $2.42/h, $4.96 so far. The team's running machines cost $2.42/h in all.
      /gpu spend shows November.
You're on the waitlist for 8x H200 in EU under $3.00 per GPU-hour until Nov 27 at 18:00.   [Stop
      waiting]
You're waiting for 8x H100 (p4wd9) in EU to start tomorrow at 09:00, at $21.16/h or less, up to
      $179.86 in all.   [Stop waiting]

Ready: 1x H100 (k7mq2) in EU for you. It ends at 18:40. $2.42/h, $4.96 so far.   [Details]
  Your running machine costs $2.42/h, $4.96 so far. The team's running machines cost $2.42/h in all.
      /gpu spend shows November.
8x H100 (p4wd9) in EU for Ana <b> starts tomorrow at 09:00 and ends tomorrow at 17:00.   [Stop
      waiting]

  Your running machine costs $2.42/h, $4.96 so far. The team's running machines cost $2.42/h in all.
      /gpu spend shows November.
You're on the waitlist for 8x H200 in EU under $3.00 per GPU-hour until Nov 27 at 18:00.   [Stop
      waiting]
""")


def test_a_wait_that_ends_before_search_hours_offers_any_time() -> None:
    early = WaitlistEntry(until=clock(6, 0, day=25), since=NIGHT)
    reader = reading(NIGHT, ANA, zone="UTC")
    none = changed(NONE, waitlist_entry=changed(early, since=None))
    tells = WaitingView(quote=changed(NONE, waitlist_entry=early, state=QuoteState.WAITING))
    rents = WaitingView(
        quote=tells.quote,
        rental=rental(State.QUEUED, terms=ALLOWED, request=ASKED, waitlist_entry=changed(early, rents=True)),
    )
    always = WaitingView(quote=changed(tells.quote, waitlist_entry=changed(early, any_time=True)))
    assert page(
        message(offers.answer(QuoteView(quote=none, wait=wait()), reader), NIGHT),
        *(message(waiting.waits(each, reader), NIGHT) for each in (tells, rents, always)),
    ) == snapshot("""\

(fallback) Right now, there's no 8x H200 in EU under $3.00 per GPU-hour, and nothing similar either.
      Any H200 model counts as a match. I only look for offers during your hours, Mon to Fri, 08:00
      to 20:00. Your request expires tomorrow at 06:00, before those hours begin, so I won't look
      for an offer unless you add "any time" to your request.
Right now, there's no 8x H200 in EU under $3.00 per GPU-hour, and nothing similar either.
[Tell me when there's an offer] [Rent it for me at $24.00/h or less: 6 h, up to $156.00] [Change]
  Any H200 model counts as a match. I only look for offers during your hours, Mon to Fri, 08:00 to
      20:00. Your request expires tomorrow at 06:00, before those hours begin, so I won't look for
      an offer unless you add "any time" to your request.

You're on the waitlist for 8x H200 in EU under $3.00 per GPU-hour until tomorrow at 06:00. I'll send
      you one message as soon as there is an offer. I only look for offers during your hours, Mon to
      Fri, 08:00 to 20:00. Your request expires tomorrow at 06:00, before those hours begin, so I
      won't look for an offer unless you click "Any time".
[Any time] [Stop waiting]

You're on the waitlist for 8x H200 (k7mq2) in EU until tomorrow at 06:00. I'll rent the first one at
      $24.00/h or less, up to $156.00 in all. Follow it in <#C0TRAIN>. I only look for offers during
      your hours, Mon to Fri, 08:00 to 20:00. Your request expires tomorrow at 06:00, before those
      hours begin, so I won't look for an offer unless you click "Any time".
[Any time] [Stop waiting]

You're on the waitlist for 8x H200 in EU under $3.00 per GPU-hour until tomorrow at 06:00. I'll send
      you one message as soon as there is an offer. I look for offers day and night.
[Stop waiting]
""")
