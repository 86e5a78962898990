"""Flexible ends, such as `for 6h up to 12h`: every message from the request to the latest end."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.machine_use import UsageStatus, Use
from bot.model.money import cost
from bot.model.rental import Ending, Lease
from bot.model.state import State
from bot.model.summary import OfferChoice, Over, PeopleAsked, Proposal, RentalDetails
from bot.policy.buying.spending import LongerLease
from handlers.actions.offers import rent_dialog
from handlers.actions.rentals import extend_dialog, extend_form
from handlers.actions.requests import approve_dialog
from handlers.ids import ExtendValue
from handlers.messages import lists, offers, replies
from handlers.phrases.format import Times
from tests.views.screens import approval, card, dialog, direct, message, page, thread
from tests.views.startup_script_stories import key
from tests.views.stories import (
    ANA,
    ASKED,
    BEN,
    HYPERSTACK,
    LONGER,
    QUOTE,
    READY_EVENT,
    H,
    M,
    clock,
    extended,
    happened,
    keys_now,
    lease,
    listed,
    offer,
    reading,
    ready,
    request,
    terms,
    view_of,
    waiting,
)

K = EventKind
LATEST = clock(0, 40, day=25)
REQUEST = request(up_to=12 * H)
TERMS = terms(total=30_880_000, lease=12 * H)
IN_USE = Use(status=UsageStatus.IN_USE, since=clock(13, 0), worked=True)


def flexible_end(
    *events: Any, end: datetime | None = None, latest: datetime | None = LATEST, **more: Any
) -> RentalDetails:
    """Return k7mq2, running since 12:40, requested for 6 h up to 12 h."""
    given: Lease = changed(lease(end), latest_end=latest)
    return ready(*events, request=REQUEST, terms=TERMS, lease=given, **more)


MOVED = happened(K.END_MOVED, clock(18, 40), id=12, until=clock(19, 40), since=clock(18, 40))


def test_offers_and_approvals_show_both_ends_and_their_costs() -> None:
    quote = changed(QUOTE, request=REQUEST)
    choice = OfferChoice(offer=HYPERSTACK, terms=TERMS)
    found = message(offers.found(view_of(quote, [choice]), reading(clock(12, 35))), clock(12, 35))
    details = waiting(
        request=request(count=8, up_to=12 * H),
        terms=terms("18.40", "21.16", 264_500_000, count=8, lease=12 * H),
    )
    assert page(
        "\n".join(found.splitlines()[:4]),
        "\n".join(approval(ASKED, details, clock(14, 5)).splitlines()[2:5]),
        dialog(approve_dialog(details, reader=reading(clock(14, 5))), clock(14, 5)),
    ) == snapshot("""\

*1x H100 in EU* · 6 h, or up to 12 h if its GPUs are busy
*$2.15/h* Hyperstack nor-1, SXM 80 GB   [Rent from $2.15/h]
About $12.90 for 6 h or $25.80 for 12 h, *at most $30.88* including startup and shutdown. If this
      offer sells out, I'll take another up to $2.47/h.

      (a2bc3).
# Approve up to $264.50?
Ana wants *8x H100 (p4wd9) in EU for 6 h, or up to 12 h if its GPUs are busy*: "fine-tune run 7".

== Approve p4wd9? ==
! This can cost up to $264.50.
Ana wants 8x H100 (p4wd9) in EU, 6 h from when it's ready, or up to 12 h if its GPUs are busy:
      "fine-tune run 7".
It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out. The request
      exceeds the limits of $10.00/h and $100.00 per rental.
[Approve up to $264.50] [Go back]
""")


def test_the_ready_message_shows_the_end_and_warns_about_the_disk() -> None:
    shared = changed(flexible_end(teammates=(BEN,)), keys_now=keys_now(key(BEN, "ben@desk")))
    assert page(
        direct(READY_EVENT, flexible_end()),
        direct(READY_EVENT, shared, to=BEN).splitlines()[2],
        direct(READY_EVENT, flexible_end(latest=clock(23, 10))).splitlines()[2],
    ) == snapshot("""\

(fallback) Your 1x H100 (k7mq2) is ready.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40, or tomorrow at 00:40 at the latest if its GPUs are busy. It costs
      $2.42/h, at most $30.88 in all. Your key "you@laptop" works. It runs at Nebius eu-north1.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Your 1x H100 (k7mq2) is ready
$ ssh root@203.0.113.7
| Ends: 18:40, or tomorrow at 00:40 at the latest if its GPUs are busy
| Price: $2.42/h, at most $30.88
| Keys: Your key "you@laptop" works
| Place: Nebius eu-north1
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Extend] [SSH config and keys] [It doesn't work] [Destroy k7mq2]

(fallback) It ends at 18:40, or tomorrow at 00:40 at the latest if its GPUs are busy. Your key

(fallback) It ends at 18:40, or at 23:10 at the latest if its GPUs are busy. That's sooner than you
""")


def test_the_card_shows_both_ends_and_that_use_moves_the_end() -> None:
    assert page(
        card(flexible_end(), clock(13, 0)),
        card(flexible_end(MOVED, end=clock(19, 40), use=IN_USE), clock(18, 41)),
        card(flexible_end(MOVED, end=clock(19, 40)), clock(18, 41)),
        card(flexible_end(MOVED, end=LATEST, latest=None, use=IN_USE), clock(23, 41)),
    ) == snapshot("""\

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40, or tomorrow at 00:40 at the latest if its GPUs are busy. It has cost
      $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40, or tomorrow at 00:40 at the latest if its GPUs are busy
| Price: $2.42/h since 12:37
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

(fallback) In use: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 19:40, or tomorrow at 00:40 at the latest if its GPUs are busy. It has cost
      $2.42/h since 12:37.
*In use: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 19:40, or tomorrow at 00:40 at the latest if its GPUs are busy
| Price: $2.42/h since 12:37
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 19:40, or tomorrow at 00:40 at the latest if its GPUs are busy. It has cost
      $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 19:40, or tomorrow at 00:40 at the latest if its GPUs are busy
| Price: $2.42/h since 12:37
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

(fallback) In use: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends tomorrow at 00:40. It can't keep running after that. It has cost $2.42/h since
      12:37.
*In use: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: tomorrow at 00:40, even if its GPUs are busy
| Price: $2.42/h since 12:37
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]
""")


def test_lists_and_histories_show_both_ends() -> None:
    details = flexible_end(MOVED, end=clock(19, 40), use=IN_USE)
    now = clock(18, 41)
    assert page(
        "\n".join(
            message(lists.listing(listed(details), everyone=False, reader=reading(now)), now).splitlines()[:2]
        ),
        message(lists.show(details, reader=reading(now, ANA)), now),
    ) == snapshot("""\

Ready: 1x H100 (k7mq2) in EU. In use. It ends at 19:40, or tomorrow at 00:40 at the latest if its
      GPUs are busy. $2.42/h, $4.96 so far.   [Details]

Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 19:40, or tomorrow at 00:40 at the latest if its
      GPUs are busy. $2.42/h, $4.96 so far.
In use since 13:00.
  Nebius eu-north1. Cost limits: $2.47/h and $30.88 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).
  18:40  This machine was in use at its end, so it keeps running until 19:40.
""")


def test_the_notice_of_a_flexible_end_explains_it_and_offers_more_time() -> None:
    known: dict[str, Any] = {"id": 11, "until": clock(18, 40), "span": 30 * M}
    notice = happened(K.ENDING, clock(18, 10), **known)
    unseen = happened(K.ENDING, clock(17, 40), **known, status=UsageStatus.UNKNOWN)
    vendor = happened(K.ENDING, clock(17, 40), **known, status=UsageStatus.UNKNOWN, vendor="runpod")
    assert page(
        direct(notice, flexible_end(notice)),
        direct(unseen, flexible_end(unseen)),
        direct(vendor, flexible_end(vendor, latest=clock(19, 55))),
        direct(notice, flexible_end(notice, latest=clock(19, 55), rate=Decimal("18.40"))),
        direct(vendor, flexible_end(vendor, teammates=(BEN,)), to=BEN),
        direct(notice, flexible_end(notice, MOVED, end=clock(19, 40), use=IN_USE), clock(18, 41)),
    ) == snapshot("""\

*Your 1x H100 (k7mq2) ends at 18:40, in 30 min.* If its GPUs are busy then, it keeps running, until
      tomorrow at 00:40 at the latest. Copy your results off: the disk is deleted with it.
[Keep it 2 h more in any case] [Destroy k7mq2]

*Your 1x H100 (k7mq2) ends at 18:40, in 1 h.* I can't monitor it, so it ends then even if it's busy.
      Copy your results off: the disk is deleted with it.
[Keep it 2 h more in any case] [Destroy k7mq2]

*Your 1x H100 (k7mq2) ends at 18:40, in 1 h.* I can't monitor RunPod's machines, so it ends then
      even if it's busy. Copy your results off: the disk is deleted with it.
[Keep it 1 h 15 min more in any case] [Destroy k7mq2]

*Your 1x H100 (k7mq2) ends at 18:40, in 30 min.* If its GPUs are busy then, it keeps running, until
      19:55 at the latest. Copy your results off: the disk is deleted with it.
[Keep it 1 h 15 min more in any case] [Destroy k7mq2]

*Ana's 1x H100 (k7mq2) ends at 18:40, in 1 h.* I can't monitor RunPod's machines, so it ends then
      even if it's busy. Copy your results off: the disk is deleted with it.
[Keep it 2 h more in any case]

*In use: 1x H100 (k7mq2)*. It ends at 19:40, or tomorrow at 00:40 at the latest if its GPUs are
      busy.
""")


def test_the_reply_says_if_an_extension_was_already_approved() -> None:
    times = Times(now=clock(18, 0), zone="UTC")
    longest = flexible_end(end=LATEST, latest=None).rental
    beyond = flexible_end(end=clock(2, 40, day=25), latest=None).rental
    assert page(
        *(
            message(replies.extended(extended(each, 2 * H), times), clock(18, 0))
            for each in (flexible_end(end=clock(20, 40)).rental, longest, beyond)
        ),
        message(replies.still_needed(flexible_end().rental, clock(17, 30), reading(clock(18, 0))), clock(16, 0)),
        dialog(extend_form(flexible_end(), reader=reading(clock(18, 0))), clock(18, 0)),
    ) == snapshot("""\

You extended 1x H100 (k7mq2) by 2 h, about $4.84, which was already approved. It ends at 20:40, or
      tomorrow at 00:40 at the latest if its GPUs are busy.

You extended 1x H100 (k7mq2) by 2 h, about $4.84, which was already approved. It ends tomorrow at
      00:40.

You extended 1x H100 (k7mq2) by 2 h, about $4.84. It ends tomorrow at 02:40.

You said that you still need 1x H100 (k7mq2). I'll ask again at 17:30. It still ends at 18:40 unless
      its GPUs are busy then.
[Keep it 2 h more in any case]

== Extend k7mq2? ==
Ana's 1x H100 (k7mq2). It ends in 40 min, or in 6 h 40 min at the latest if its GPUs are busy.
Longer by: 1 h, already approved | (2 h, already approved) | 4 h, already approved | 8 h, about
      $19.36 | 12 h, about $29.04 | 24 h, about $58.08 | 2 days, about $116.16
[Extend k7mq2] [Go back]
""")


def test_a_named_earliest_end_is_shown_with_the_latest_one() -> None:
    named = request(count=8, until=clock(8, 0, day=25), lease=17 * H + 55 * M, up_to=19 * H + 55 * M)
    quote = changed(QUOTE, request=named)
    allowed = terms("18.40", "21.16", 432_020_000, count=8, lease=19 * H + 55 * M)
    choice = OfferChoice(offer=offer("o-big", "18.40", "nebius", "eu-north1", count=8), terms=allowed)
    now = clock(14, 5)
    details = waiting(request=named, terms=allowed)
    assert page(
        "\n".join(message(offers.found(view_of(quote, [choice]), reading(now)), now).splitlines()[:3]),
        dialog(rent_dialog(quote, choice, reader=reading(now)), now),
        "\n".join(approval(ASKED, details, now).splitlines()[2:5]),
        dialog(approve_dialog(details, reader=reading(now)), now),
        message(replies.rented(details.rental), now),
    ) == snapshot("""\

*8x H100 in EU* · until tomorrow at 08:00 (17 h 55 min), or tomorrow at 10:00 at the latest if its
      GPUs are busy
  I read the time that you typed as UTC, because Slack doesn't tell me your time zone.

== Rent at $18.40/h? ==
! This can cost up to $432.02.
8x H100 in EU from Nebius eu-north1, $18.40/h, ending in 17 h 55 min, or in 19 h 55 min at the
      latest if its GPUs are busy.
About $329.67 for 17 h 55 min or $366.47 for 19 h 55 min. $432.02 is for 19 h 55 min plus 30 min to
      start and shut down, at up to $21.16/h. If this offer sells out, I'll take another up to
      $21.16/h.
[Rent from $18.40/h] [Go back]

      (a2bc3).
# Approve up to $432.02?
Ana wants *8x H100 (p4wd9) in EU until tomorrow at 08:00 (17 h 55 min), or tomorrow at 10:00 at the

== Approve p4wd9? ==
! This can cost up to $432.02.
Ana wants 8x H100 (p4wd9) in EU, ending in 17 h 55 min, or in 19 h 55 min at the latest if its GPUs
      are busy: "fine-tune run 7".
It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out. The request
      exceeds the limits of $10.00/h and $100.00 per rental.
[Approve up to $432.02] [Go back]

I've asked for approval: 8x H100 (p4wd9) in EU, at up to $21.16/h, running until tomorrow at 08:00,
      or tomorrow at 10:00 at the latest if its GPUs are busy. Follow it in <#C0TRAIN>.
""")


def test_the_card_says_in_use_only_once_a_named_end_has_moved() -> None:
    given = changed(lease(clock(18, 40)), latest_end=LATEST)
    named = request(until=clock(18, 40), lease=H * 6, up_to=H * 12)
    early = request(until=clock(12, 30), lease=H * 6, up_to=H * 18)
    moved = changed(given, ends_at=clock(19, 40))
    from_ready = changed(given, ends_at=clock(13, 40))
    assert page(
        *(
            card(ready(request=wanted, terms=TERMS, lease=at, use=IN_USE), clock(13, 0)).splitlines()[0]
            for wanted, at in ((named, given), (named, moved), (early, from_ready))
        ),
    ) == snapshot("""\

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.

(fallback) In use: 1x H100 (k7mq2) in EU for Ana.

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
""")


def offered_at_night(now: datetime, zone: str, **asked: Any) -> str:
    """Return the offers for a request with a flexible end."""
    wanted = request(**{"lease": 2 * H, "up_to": 14 * H, **asked})
    quote = changed(QUOTE, created_at=now, request=wanted)
    allowed = terms(total=(wanted.longest + 30 * M) // M * 2_470_000 // 60, lease=wanted.longest)
    choice = OfferChoice(offer=changed(HYPERSTACK, expires_at=now + 30 * M), terms=allowed)
    return message(offers.found(view_of(quote, [choice]), reading(now, zone=zone)), now)


def test_offers_warn_of_an_end_at_night_and_price_the_alternative() -> None:
    berlin = "Europe/Berlin"
    named = {"until": clock(2, 0, day=25), "lease": 7 * H, "up_to": 15 * H}
    assert page(
        offered_at_night(clock(18, 30), berlin),
        *(
            (re.search(r"If the machine's GPUs stop.*?(?=\n  Prices)", shown, re.S) or ["not at night"])[0]
            for shown in (
                offered_at_night(clock(18, 30), ""),
                offered_at_night(clock(18, 30), ""),
                offered_at_night(clock(18, 30), "America/Chicago", lease=20 * H, up_to=50 * H),
                offered_at_night(clock(12, 30), berlin),
                offered_at_night(clock(19, 0), berlin, **named),
                offered_at_night(clock(8, 0), berlin, up_to=11 * H),
            )
        ),
    ) == snapshot("""\

*1x H100 in EU* · 2 h, or up to 14 h if its GPUs are busy
*$2.15/h* Hyperstack nor-1, SXM 80 GB   [Rent from $2.15/h]
About $4.30 for 2 h or $30.10 for 14 h, *at most $35.82* including startup and shutdown. If this
      offer sells out, I'll take another up to $2.47/h.
If the machine's GPUs stop being busy during the night, it ends and its disk is deleted.   [Keep it
      until 8:00 in any case, for up to $25.94]
  Prices are valid until 19:00.
[Details] [Refresh] [Change]

If the machine's GPUs stop being busy during the night, it ends and its disk is deleted.   [Keep it
      for 13 h 30 min in any case, for up to $28.41]

If the machine's GPUs stop being busy during the night, it ends and its disk is deleted.   [Keep it
      for 13 h 30 min in any case, for up to $28.41]

If the machine's GPUs stop being busy during the night, it ends and its disk is deleted.   [Keep it
      until Thu 8:00 in any case, for up to $58.05]

If the machine's GPUs stop being busy during the night, it ends and its disk is deleted.

If the machine's GPUs stop being busy during the night, it ends and its disk is deleted.   [Keep it
      until 8:00 in any case, for up to $12.35]

not at night
""")


def test_the_receipt_of_an_end_at_night_says_when_work_stopped() -> None:
    stopped, gone = clock(1, 13, day=25), clock(2, 44, day=25)
    idle = Use(status=UsageStatus.IDLE, since=stopped, worked=True)
    connected = changed(idle, status=UsageStatus.CONNECTED)
    ended = Ending(outcome=State.DESTROYED, why=Why.LEASE_ENDED, since=gone)
    asked = Ending(outcome=State.DESTROYED, why=Why.ASKED, by=ANA, since=gone)
    evening = changed(ended, since=clock(21, 0))

    def over(ending: Ending, use: Use | None) -> RentalDetails:
        over_at = gone + M if ending.since == gone else clock(21, 1)
        return flexible_end(state=State.DESTROYED, ending=ending, use=use, over_at=over_at)

    now = clock(2, 45, day=25)
    assert page(
        card(over(ended, idle), now),
        *(
            direct(READY_EVENT, over(ending, use), now)
            for ending, use in (
                (ended, idle),
                (ended, connected),
                (ended, changed(idle, since=clock(12, 40))),
                (ended, IN_USE),
                (ended, None),
                (asked, idle),
                (evening, changed(idle, since=clock(20, 0))),
            )
        ),
    ) == snapshot("""\

(fallback) Ended at 02:45: 1x H100 (k7mq2) in EU for Ana. Its work stopped at 01:13, so I didn't
      keep it running.
(fallback) It cost $4.96 so far. The deletion is confirmed for k7mq2, but another machine, rented
      for the same request, is still being deleted.
*Ended at 02:45: 1x H100 (k7mq2) in EU for Ana*
Its work stopped at 01:13, so I didn't keep it running.
| Total so far: $4.96
| Deletion: confirmed for k7mq2, but another machine, rented for the same request, is still being
      deleted

(fallback) Ended at 02:45: 1x H100 (k7mq2). Its work stopped at 01:13, so I didn't keep it running.
(fallback) It cost $4.96 so far. The deletion is confirmed for k7mq2, but another machine, rented
      for the same request, is still being deleted.
*Ended at 02:45: 1x H100 (k7mq2)*
Its work stopped at 01:13, so I didn't keep it running.
| Total so far: $4.96
| Deletion: confirmed for k7mq2, but another machine, rented for the same request, is still being
      deleted
  Computed from price and time; the invoice may differ.

(fallback) Ended at 02:45: 1x H100 (k7mq2). Its work stopped at 01:13, so I didn't keep it running.
(fallback) It cost $4.96 so far. The deletion is confirmed for k7mq2, but another machine, rented
      for the same request, is still being deleted.
*Ended at 02:45: 1x H100 (k7mq2)*
Its work stopped at 01:13, so I didn't keep it running.
| Total so far: $4.96
| Deletion: confirmed for k7mq2, but another machine, rented for the same request, is still being
      deleted
  Computed from price and time; the invoice may differ.

(fallback) Ended at 02:45: 1x H100 (k7mq2).
(fallback) It cost $4.96 so far. The deletion is confirmed for k7mq2, but another machine, rented
      for the same request, is still being deleted.
*Ended at 02:45: 1x H100 (k7mq2)*
| Total so far: $4.96
| Deletion: confirmed for k7mq2, but another machine, rented for the same request, is still being
      deleted
  Computed from price and time; the invoice may differ.

(fallback) Ended at 02:45: 1x H100 (k7mq2).
(fallback) It cost $4.96 so far. The deletion is confirmed for k7mq2, but another machine, rented
      for the same request, is still being deleted.
*Ended at 02:45: 1x H100 (k7mq2)*
| Total so far: $4.96
| Deletion: confirmed for k7mq2, but another machine, rented for the same request, is still being
      deleted
  Computed from price and time; the invoice may differ.

(fallback) Ended at 02:45: 1x H100 (k7mq2).
(fallback) It cost $4.96 so far. The deletion is confirmed for k7mq2, but another machine, rented
      for the same request, is still being deleted.
*Ended at 02:45: 1x H100 (k7mq2)*
| Total so far: $4.96
| Deletion: confirmed for k7mq2, but another machine, rented for the same request, is still being
      deleted
  Computed from price and time; the invoice may differ.

(fallback) Ended at 02:45: 1x H100 (k7mq2).
(fallback) It cost $4.96 so far. The deletion is confirmed for k7mq2, but another machine, rented
      for the same request, is still being deleted.
*Ended at 02:45: 1x H100 (k7mq2)*
| Total so far: $4.96
| Deletion: confirmed for k7mq2, but another machine, rented for the same request, is still being
      deleted
  Computed from price and time; the invoice may differ.

(fallback) Ended yesterday at 21:01: 1x H100 (k7mq2).
(fallback) It cost $4.96 so far. The deletion is confirmed for k7mq2, but another machine, rented
      for the same request, is still being deleted.
*Ended yesterday at 21:01: 1x H100 (k7mq2)*
| Total so far: $4.96
| Deletion: confirmed for k7mq2, but another machine, rented for the same request, is still being
      deleted
  Computed from price and time; the invoice may differ.
""")


def test_while_an_extension_is_pending_everyone_reads_the_current_end() -> None:
    longer: dict[str, Any] = {"until": LONGER.ends_at, "since": clock(18, 40), "span": 24 * H, "terms": 2}
    asked = happened(K.EXTENSION_ASKED, clock(18, 0), ANA, id=13, **longer)
    undecided = flexible_end(asked, extension=LONGER)
    moved = flexible_end(asked, MOVED, end=clock(19, 40), extension=undecided.rental.extension)
    last = flexible_end(asked, MOVED, end=LATEST, latest=None, extension=undecided.rental.extension)
    times = Times(now=clock(18, 0), zone="UTC")
    names = PeopleAsked(names=("Ben",), admins_decide=False)
    assert page(
        message(
            replies.extended(extended(undecided.rental, 12 * H, waits=True, asked=names), times), clock(18, 0)
        ),
        *("\n".join(approval(asked, each, clock(19, 0)).splitlines()[-5:-1]) for each in (undecided, moved, last)),
        thread(asked, undecided),
        direct(READY_EVENT, undecided, clock(18, 1)),
        dialog(extend_form(undecided, reader=reading(clock(18, 0))), clock(18, 0)),
    ) == snapshot("""\

I've asked Ben for 12 h more for 1x H100 (k7mq2), about $29.04. Unless someone approves, it ends at
      18:40, or tomorrow at 00:40 at the latest if its GPUs are busy.

Ana wants more time for *1x H100 (k7mq2)*: "fine-tune run 7". Unless someone approves, it ends at
      18:40, or tomorrow at 00:40 at the latest if its GPUs are busy.
| Cost: $2.42/h, $4.96 so far, up to $101.00 in all
| Exceeds: the limit of $100.00 per rental

Ana wants more time for *1x H100 (k7mq2)*: "fine-tune run 7". Unless someone approves, it ends at
      19:40, or tomorrow at 00:40 at the latest if its GPUs are busy.
| Cost: $2.42/h, $4.96 so far, up to $101.00 in all
| Exceeds: the limit of $100.00 per rental

Ana wants more time for *1x H100 (k7mq2)*: "fine-tune run 7". Unless someone approves, it ends
      tomorrow at 00:40.
| Cost: $2.42/h, $4.96 so far, up to $101.00 in all
| Exceeds: the limit of $100.00 per rental

Ana asked for 24 h more on this machine, until tomorrow at 18:40. That needs approval. Unless
      someone approves, it ends at 18:40, or tomorrow at 00:40 at the latest if its GPUs are busy.

(fallback) Your 1x H100 (k7mq2) is ready.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40, or tomorrow at 00:40 at the latest if its GPUs are busy. If the request
      for more time is approved, it ends tomorrow at 18:40. It costs $2.42/h, at most $30.88 in all.
      Your key "you@laptop" works. It runs at Nebius eu-north1.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Your 1x H100 (k7mq2) is ready
$ ssh root@203.0.113.7
| Ends: 18:40, or tomorrow at 00:40 at the latest if its GPUs are busy, or tomorrow at 18:40 if the
      request for more time is approved
| Price: $2.42/h, at most $30.88
| Keys: Your key "you@laptop" works
| Place: Nebius eu-north1
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Withdraw the request] [SSH config and keys] [Destroy k7mq2]

== Extend k7mq2? ==
Ana's 1x H100 (k7mq2). It ends in 40 min, or in 6 h 40 min at the latest if its GPUs are busy.
Longer by: 1 h, already approved | (2 h, already approved) | 4 h, already approved
[Extend k7mq2] [Go back]
""")


def test_an_expensive_extension_is_confirmed_with_its_cost() -> None:
    details = flexible_end(spent=13_030_000)
    rental = details.rental

    def asked(by: timedelta, *, over: bool = False, sees_money: bool = True) -> str:
        total = cost(Decimal("2.42"), by + 6 * H + 30 * M)
        longest = changed(rental.terms, version=2, total=total)
        proposal = Proposal(terms=longest, over=(Over.TOTAL,) if over else ())
        ends_at = rental.running_lease.ends_at + by
        longer = LongerLease(rental=rental, ends_at=ends_at, span=by, proposal=proposal)
        value = ExtendValue(rental_id=rental.id, by=by, shown_end=rental.running_lease.ends_at)
        shown = changed(details, sees_money=sees_money)
        return dialog(extend_dialog(shown, longer, value, reading(clock(18, 0))), clock(18, 0))

    assert page(asked(40 * H), asked(47 * H, over=True), asked(40 * H, sees_money=False)) == snapshot("""\

== Extend k7mq2? ==
! This can cost up to $112.53 in all.
With 40 h more, Ana's 1x H100 (k7mq2) ends in 40 h 40 min. That adds about $96.80 to the cost.
It has cost $13.03 so far.
[Extend 40 h] [Go back]

== Extend k7mq2? ==
! This can cost up to $129.47 in all.
With 47 h more, Ana's 1x H100 (k7mq2) ends in 47 h 40 min. That adds about $113.74 to the cost.
It has cost $13.03 so far.
The extension needs approval, because its cost is over the limits.
[Ask for 47 h] [Go back]

== Extend k7mq2? ==
! The 40 h more can cost over $50.00.
With 40 h more, Ana's 1x H100 (k7mq2) ends in 40 h 40 min.
[Extend 40 h] [Go back]
""")
