"""Messages about machines that are lost or don't work, and their replacements."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from inline_snapshot import snapshot

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.quote import QuoteState
from bot.model.rental import Decider, PendingDecision
from bot.model.request import Contract
from bot.model.state import State
from bot.model.summary import OfferChoice, Remainder
from handlers.messages import lists, offers, replacing
from tests.slack_limits import problems_of_view
from tests.views.screens import card, dialog, direct, message, page, thread
from tests.views.stories import (
    ANA,
    NEBIUS,
    QUOTE,
    READY_EVENT,
    RULES,
    H,
    M,
    clock,
    gone,
    happened,
    making,
    reading,
    ready,
    request,
    terms,
    view_of,
    waiting,
)

K = EventKind
LOST = happened(
    K.LOST,
    clock(15, 12),
    vendor="nebius",
    why=Why.VENDOR_TOOK_IT,
    amount=6_250_000,
    estimated=False,
    end=State.LOST,
)
TAKEN = happened(K.REPLACED, clock(15, 14), ANA, name="f6rat", why=Why.VENDOR_TOOK_IT)
IS_TO_BE = happened(K.REPLACED, clock(12, 50), ANA, name="f6rat")
SPOT = request(contract=Contract.SPOT)
LEFT = Remainder(gpu="H100", lease=3 * H + 28 * M, max_rate=Decimal("2.47"), total=8_950_000)


def test_the_owner_can_replace_a_lost_machine_once_before_its_end() -> None:
    lost = gone(LOST, state=State.LOST, why=Why.VENDOR_TOOK_IT, request=SPOT)
    taken = gone(LOST, TAKEN, state=State.LOST, why=Why.VENDOR_TOOK_IT, request=SPOT, replaced_by="f6rat")
    assert page(
        direct(LOST, lost),
        direct(LOST, taken, clock(15, 14)),
        direct(LOST, lost, clock(18, 41)),
        card(lost, clock(15, 12)),
        card(taken, clock(15, 14)),
        thread(LOST, lost),
        thread(TAKEN, taken),
    ) == snapshot("""\

Nebius took back your spot machine, 1x H100 (k7mq2), at 15:12. Everything on it is lost. It cost
      $6.25.
[Replace k7mq2, up to $2.47/h] [Tell me when there's an offer]

Nebius took back your spot machine, 1x H100 (k7mq2), at 15:12. Everything on it is lost. It cost
      $6.25. Its replacement is f6rat.
[Show f6rat]

Nebius took back your spot machine, 1x H100 (k7mq2), at 15:12. Everything on it is lost. It cost
      $6.25. Ask again: /gpu get
[Tell me when there's an offer]

(fallback) Lost at 18:41: 1x H100 (k7mq2) in EU (spot) for Ana. Nebius took the machine back.
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h.
*Lost at 18:41: 1x H100 (k7mq2) in EU (spot) for Ana*
Nebius took the machine back.
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h

(fallback) Lost at 18:41: 1x H100 (k7mq2) in EU (spot) for Ana. Nebius took the machine back. Its
      replacement is f6rat.
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h.
*Lost at 18:41: 1x H100 (k7mq2) in EU (spot) for Ana*
Nebius took the machine back. Its replacement is f6rat.
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h

Nebius took back Ana's spot machine at 15:12. Everything on it is lost. It cost $6.25.

The replacement for this machine is f6rat.
""")


def test_a_machine_that_does_not_work_names_its_replacement() -> None:
    said = happened(K.NOT_WORKING, clock(12, 49), ANA, detail="no <GPU> in it")
    stays = happened(K.NOT_REPLACED, clock(12, 58), name="f6rat", amount=0)
    going = happened(K.DESTROYING, clock(12, 52), why=Why.REPLACED, amount=500_000, estimated=False)
    pending = ready(said, IS_TO_BE, replaced_by="f6rat")
    assert page(
        direct(READY_EVENT, pending, clock(12, 50)),
        card(pending, clock(12, 50)),
        message(lists.show(pending, reader=reading(clock(12, 50), ANA)), clock(12, 50)),
        *(thread(event, pending) for event in (said, IS_TO_BE, going, stays)),
        card(gone(replaced_by="f6rat"), clock(18, 41)),
    ) == snapshot("""\

(fallback) Your 1x H100 (k7mq2) is ready.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40. It costs $2.42/h, at most $16.06 in all. Your key "you@laptop" works.
      It runs at Nebius eu-north1.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Your 1x H100 (k7mq2) is ready
The machine f6rat will replace this one, which keeps running until f6rat is rented.
$ ssh root@203.0.113.7
| Ends: 18:40
| Price: $2.42/h, at most $16.06
| Keys: Your key "you@laptop" works
| Place: Nebius eu-north1
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Extend] [SSH config and keys] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
Its replacement will be f6rat.
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. Its replacement will be f6rat.
      "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).
  12:49  Ana says that this machine doesn't work: "no <GPU> in it".
  12:50  The replacement for this machine will be f6rat. Until that is rented, this machine keeps
      running.

Ana says that this machine doesn't work: "no <GPU> in it".

The replacement for this machine will be f6rat. Until that is rented, this machine keeps running.

The replacement for this machine is f6rat, so I'm destroying the old machine. $0.50 so far.

The replacement, f6rat, couldn't be rented, so this machine keeps running.

(fallback) Ended at 18:41: 1x H100 (k7mq2) in EU for Ana. Its replacement is f6rat.
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2) in EU for Ana*
Its replacement is f6rat.
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
""")


def test_the_owner_reads_that_the_old_machine_runs_if_replacing_fails() -> None:
    failed = happened(K.ENDED, clock(12, 58), end=State.FAILED, why=Why.NOTHING_LEFT, amount=0, estimated=False)
    second = changed(gone(failed, state=State.FAILED), replaced=ready().rental)
    second = changed(second, rental=changed(second.rental, id="f6rat", replaces="k7mq2"))
    dearer = happened(K.ASKED_AGAIN, clock(12, 55), why=Why.DEARER, rate=Decimal("3.11"), vendor="scaleway")
    expired = happened(K.EXPIRED, clock(20, 55), amount=0, estimated=False)
    decides = PendingDecision(decider=Decider.OWNER, why=Why.DEARER, expires_at=clock(20, 55))
    for_first = {
        "id": "f6rat",
        "replaces": "k7mq2",
        "request": request(),
        "terms": terms("3.11", "3.57", 23_210_000),
    }
    waits = changed(waiting(dearer, decision=decides, **for_first), replaced=ready().rental)
    over = changed(waiting(expired, state=State.EXPIRED, **for_first), replaced=ready().rental)
    assert page(direct(failed, second), direct(dearer, waits), direct(expired, over)) == snapshot("""\

Your request for 1x H100 (f6rat) in EU failed at 12:58: no offer is left that matches the request.
      It cost nothing. k7mq2, the machine to be replaced, keeps running.

Your request for 1x H100 (f6rat) in EU needs your decision, because the offers that are left cost
      more than the price accepted before. A machine now costs $3.11/h at Scaleway. It can cost up
      to $3.57/h and $23.21 in all. k7mq2, the machine to be replaced, keeps running.
[Accept up to $3.57/h] [Withdraw]

Your request for 1x H100 (f6rat) in EU expired at 20:55 without a decision. Nothing was rented.
      k7mq2, the machine to be replaced, keeps running.
[Ask again]
""")


def test_a_machine_without_an_ssh_answer_is_called_running() -> None:
    unreachable = ready(quiet_since_real=clock(12, 38))
    event = changed(READY_EVENT, facts=changed(READY_EVENT.facts, why=Why.SSH_UNREACHABLE))
    assert page(
        direct(READY_EVENT, unreachable),
        card(unreachable, clock(12, 40)),
        thread(happened(K.UNREACHABLE, clock(12, 40)), unreachable),
    ) == snapshot("""\

(fallback) Your 1x H100 (k7mq2) is running and billing.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40. It costs $2.42/h, at most $16.06 in all. Your key "you@laptop" works
      once the SSH port answers. It runs at Nebius eu-north1.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Your 1x H100 (k7mq2) is running and billing
Nothing answers on its SSH port yet. It may need another minute.
$ ssh root@203.0.113.7
| Ends: 18:40
| Price: $2.42/h, at most $16.06
| Keys: Your key "you@laptop" works once the SSH port answers
| Place: Nebius eu-north1
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Extend] [SSH config and keys] [Replace k7mq2, up to $2.47/h] [Destroy k7mq2]

(fallback) Running: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Running: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
Nothing answers on its SSH port yet.
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

This machine is running and billing, but nothing answers on its SSH port yet. It may need another
      minute.
""")
    assert (
        "Running after 2 min 51 s"
        in lists.show(changed(unreachable, events=(event,)), reader=reading(clock(12, 41), ANA)).text
    )


def test_the_details_of_both_rentals_name_the_other_one() -> None:
    started = happened(
        K.STARTED, clock(15, 14), ANA, name="k7mq2", max_rate=Decimal("2.47"), hours=3 * H, total=8_000_000
    )
    old = gone(LOST, TAKEN, state=State.LOST, why=Why.VENDOR_TOOK_IT, replaced_by="f6rat")
    row = changed(old.ledger[0], ended_at=clock(15, 12), amount=6_250_000)
    old = changed(old, ledger=(row,), spent=changed(old.spent, amount=row.amount))
    new = changed(making(), rental=changed(making().rental, id="f6rat", replaces="k7mq2"), events=(started,))
    shown = [lists.show(each, reader=reading(clock(15, 15), ANA)) for each in (old, new)]
    assert page(*(message(each, clock(15, 15)) for each in shown)) == snapshot("""\

Lost: 1x H100 (k7mq2) in EU for Ana.
  Nebius took the machine back. $6.25 for 2 h 35 min. Nebius eu-north1. Cost limits: $2.47/h and
      $16.06 in total. Its replacement is f6rat. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).
  15:12  Nebius ended Ana's 1x H100 (k7mq2). Everything on it is lost. It cost $6.25.
  15:14  The replacement for this machine is f6rat.

Starting: 1x H100 (f6rat) in EU for Ana. $2.15/h, $0.06 so far.
  Hyperstack nor-1. Cost limits: $2.47/h and $16.06 in total. It replaces k7mq2. "fine-tune run 7"
  15:14  Ana rented a replacement for k7mq2, for 3 h at up to $2.47/h.
""")


def test_the_replace_dialog_explains_the_rental_and_the_fate_of_the_old_machine() -> None:
    lost = gone(state=State.LOST, why=Why.VENDOR_TOOK_IT).rental
    views = [
        replacing.replace_confirm(lost, LEFT, RULES, asks_why=False),
        replacing.replace_confirm(ready().rental, LEFT, RULES, asks_why=False),
        replacing.replace_confirm(ready().rental, LEFT, RULES, asks_why=True),
    ]
    assert page(*(dialog(view, clock(15, 12)) for view in views)) == snapshot("""\

== Replace k7mq2? ==
I'll rent the next matching offer: 1x H100, up to $2.47/h for 3 h 28 min, at most $8.95 in all.
[Replace k7mq2] [Go back]

== Replace k7mq2? ==
! Once a new machine is rented, k7mq2 is destroyed and its disk is deleted. If none can be rented,
      k7mq2 stays.
I'll rent the next offer from a vendor other than Nebius: 1x H100, up to $2.47/h for 3 h 28 min, at
      most $8.95 in all.
[Replace k7mq2] [Go back]

== Replace k7mq2? ==
! Once a new machine is rented, k7mq2 is destroyed and its disk is deleted. If none can be rented,
      k7mq2 stays.
I'll rent the next offer from a vendor other than Nebius: 1x H100, up to $2.47/h for 3 h 28 min, at
      most $8.95 in all.
What doesn't work?: ()
[Replace k7mq2] [Go back]
""")
    assert [problems_of_view(view.view) for view in views] == [[]] * 3


def test_the_search_for_a_replacement_reports_no_match_and_no_answer() -> None:
    lost = gone(state=State.LOST, why=Why.VENDOR_TOOK_IT).rental
    search = changed(QUOTE, replaces_rental="k7mq2", request=request(lease=timedelta(hours=1)))
    offer = changed(NEBIUS, rate=Decimal("2.60"), expires_at=clock(18, 30))
    choice = OfferChoice(offer=offer, terms=terms("2.60", "2.99", 4_485_000, lease=H))
    little = changed(LEFT, lease=H, total=3_030_000)
    found = offers.found(view_of(search, [choice], to_replace=lost, left=little), reading(clock(18, 0)))
    none = changed(search, state=QuoteState.NONE)
    away = changed(search, state=QuoteState.UNANSWERED, created_at=clock(17, 58))
    assert page(
        message(found, clock(18, 0)),
        message(
            offers.none_found(view_of(none, [], to_replace=ready().rental), reading(clock(18, 0))), clock(18, 0)
        ),
        message(offers.unanswered(away, now=clock(18, 0), to_replace=lost), clock(18, 0)),
    ) == snapshot("""\

Nothing was rented in place of 1x H100 (k7mq2). Approved for the rest of its lease: 1x H100, up to
      $2.47/h for 1 h, at most $3.03 in all. No offer stays within these limits. The offers below
      can cost more:
*1x H100 in EU* · 1 h
*$2.60/h* Nebius eu-north1, SXM 80 GB   [Rent from $2.60/h]
About $2.60, *at most $4.49* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.99/h.
  Prices are valid until 18:30.
[Details] [Refresh] [Change]

Nothing was rented in place of 1x H100 (k7mq2), so it keeps running. Right now, there's no H100 in
      EU, and nothing similar either.
[Change]

Compute Clear hasn't responded for 2 min. Nothing was rented, and nothing will be unless you try
      again.
[Replace k7mq2, up to $2.47/h]
""")
