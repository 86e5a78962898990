"""The answer to `/gpu get`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.errors import NextStep, Refused
from bot.model.attempt import SuccessRate
from bot.model.base import changed
from bot.model.budget import Balance, Demand, Scope, ScopeKind
from bot.model.machine_use import UsageStatus, Use
from bot.model.offer import Offer
from bot.model.person import Channel
from bot.model.quote import Nearby, Quote, QuoteState
from bot.model.request import Contract
from bot.model.state import State
from bot.model.summary import IdleMachine, OfferChoice, Over
from bot.policy.team.rules import Project, Rules
from handlers.messages import offers
from handlers.phrases.blocks import Rendered
from tests.views.screens import labels, message, page
from tests.views.stories import (
    BEN,
    HYPERSTACK,
    NEBIUS,
    QUOTE,
    RULES,
    SCALEWAY,
    H,
    M,
    clock,
    offer,
    reading,
    ready,
    rental,
    request,
    terms,
    view_of,
)

NOW = clock(12, 35)
ALL = (HYPERSTACK, NEBIUS, SCALEWAY)
EIGHT = offer("o-big", "18.40", "nebius", "eu-north1", count=8)
NO_ROOM = Refused(
    "Your team's limit is $100.00/h, of which only $1.00/h is left. "
    "Wait until a machine is destroyed, or look for an offer of at most $1.00/h."
)
EIGHT_ALLOWED = terms("18.40", "21.16", 137_540_000, count=8)


def rows(offers: Sequence[Offer] = ALL, **fields: Any) -> list[OfferChoice]:
    return [OfferChoice(offer=each, terms=terms(), usual=3 * M, **fields) for each in offers]


def found(
    found_rows: Sequence[OfferChoice] = (),
    *,
    everything: bool = False,
    zone: str = "",
    rules: Rules = RULES,
    **options: Any,
) -> str:
    view = view_of(options.pop("quote", QUOTE), found_rows or rows(), **options)
    return message(offers.found(view, reading(NOW, zone=zone, rules=rules), everything=everything), NOW)


def test_the_heading_of_the_offers_names_the_setup_script() -> None:
    quote = changed(QUOTE, request=request(setup="torch"))
    lines = found(quote=quote, teammates=("Ben",)).split("\n")
    assert lines[:2] == ["*1x H100 in EU* · 6 h", "  setup torch · shared with Ben"]


def test_offers_are_listed_in_order_with_one_recommended_button() -> None:
    more = [offer(f"o-{n}", f"4.{n}0", "lambda", "de-1") for n in range(5)]
    eight = rows((*ALL, *more))
    assert page(found(eight), found(eight, everything=True)) == snapshot("""\

*1x H100 in EU* · 6 h
*$2.15/h* Hyperstack nor-1, SXM 80 GB   [Rent from $2.15/h]
About $12.90, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.47/h.
*$2.42/h* Nebius eu-north1   [Rent from $2.42/h]
*$3.11/h* Scaleway fr-par-2   [Rent from $3.11/h]
  Prices are valid until 13:05.
[All 8 offers] [Refresh] [Change]

*1x H100 in EU* · on demand · 6 h from when it's ready
*$2.15/h* Hyperstack nor-1, SXM 80 GB, 28 vCPUs, 180 GB memory. Usually ready in 3 min.   [Rent from
      $2.15/h]
About $12.90, *at most $16.06*.
*$2.42/h* Nebius eu-north1, SXM 80 GB, 28 vCPUs, 180 GB memory   [Rent from $2.42/h]
*$3.11/h* Scaleway fr-par-2, SXM 80 GB, 28 vCPUs, 180 GB memory   [Rent from $3.11/h]
*$4.00/h* Lambda de-1, SXM 80 GB, 28 vCPUs, 180 GB memory   [Rent from $4.00/h]
*$4.10/h* Lambda de-1, SXM 80 GB, 28 vCPUs, 180 GB memory   [Rent from $4.10/h]
*$4.20/h* Lambda de-1, SXM 80 GB, 28 vCPUs, 180 GB memory   [Rent from $4.20/h]
*$4.30/h* Lambda de-1, SXM 80 GB, 28 vCPUs, 180 GB memory   [Rent from $4.30/h]
*$4.40/h* Lambda de-1, SXM 80 GB, 28 vCPUs, 180 GB memory   [Rent from $4.40/h]
  $16.06 is for 6 h plus 30 min to start and shut down, at up to $2.47/h. If the first offer sells
      out, I'll take another up to $2.47/h.
  Prices are valid until 13:05. Nothing is reserved, so an offer can still sell out.
[Refresh] [Change]
""")
    answer = offers.found(view_of(QUOTE, eight), reading(NOW))
    styles = [block["accessory"].get("style") for block in answer.blocks if "accessory" in block]
    assert styles == ["primary", None, None]


def test_an_offer_counts_other_regions_and_a_button_shows_them() -> None:
    choice = OfferChoice(offer=HYPERSTACK, terms=terms(), other_regions=2)
    others = tuple(changed(HYPERSTACK, offer_id=f"o{n}", vendor_region=f"us-{n}") for n in (1, 2))
    quote = changed(QUOTE, offers=(HYPERSTACK, *others))
    view = changed(view_of(quote, (choice,)), quote=quote)
    shown = message(offers.found(view, reading(NOW)), NOW)
    assert "*$2.15/h* Hyperstack nor-1 (also in 2 other regions), SXM 80 GB" in shown
    assert "[All 3 offers] [Refresh] [Change]" in shown


def test_an_offer_mentions_a_poor_success_rate_and_a_slow_startup() -> None:
    first, second = rows((HYPERSTACK, NEBIUS))
    seldom, often = SuccessRate(ready=4, of=10), SuccessRate(ready=8, of=10)
    assert "SXM 80 GB. Usually ready in 25 min. " in found([changed(first, usual=25 * M, success_rate=seldom)])
    faulty = SuccessRate(ready=7, of=10, faulty=1)
    without = "Only 7 of its last 10 machines became ready and had no GPU fault."
    assert without in " ".join(found([changed(first, success_rate=faulty)]).split())
    shown = found([changed(first, success_rate=often), changed(second, success_rate=seldom)])
    assert page(shown, found([changed(first, success_rate=seldom)])) == snapshot("""\

*1x H100 in EU* · 6 h
*$2.15/h* Hyperstack nor-1, SXM 80 GB   [Rent from $2.15/h]
About $12.90, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.47/h.
*$2.42/h* Nebius eu-north1. Only 4 of its last 10 machines became ready.   [Rent from $2.42/h]
  Prices are valid until 13:05.
[Details] [Refresh] [Change]

*1x H100 in EU* · 6 h
*$2.15/h* Hyperstack nor-1, SXM 80 GB. Only 4 of its last 10 machines became ready.   [Rent from
      $2.15/h]
About $12.90, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.47/h.
  Prices are valid until 13:05.
[Details] [Refresh] [Change]
""")


def test_a_colleagues_idle_machine_precedes_the_offers_and_can_be_requested_hourly() -> None:
    rental = ready(owner=BEN, use=Use(status=UsageStatus.IDLE, since=clock(9, 30))).rental
    idle = IdleMachine(rental=rental, owner="ben <b>", since=clock(9, 30))
    asked = changed(idle, asked_at=clock(12, 5))
    for state in (QuoteState.NONE, QuoteState.UNANSWERED):
        quote = changed(QUOTE, state=state)
        text = message(offers.answer(view_of(quote, (), idle=(idle,)), reading(NOW)), NOW)
        assert "\nben <b>'s 1x H100 (k7mq2) in EU has been idle" in f"\n{text}"
    view = view_of(QUOTE, rows((HYPERSTACK,)), idle=(idle, asked))
    assert page(message(offers.answer(view, reading(NOW)), NOW)) == snapshot("""\

ben <b>'s 1x H100 (k7mq2) in EU has been idle for 3 h 5 min and ends at 18:40.   [Ask ben <b> for
      it]
ben <b>'s 1x H100 (k7mq2) in EU has been idle for 3 h 5 min and ends at 18:40. ben <b> was already
      asked for it at 12:05.
*1x H100 in EU* · 6 h
*$2.15/h* Hyperstack nor-1, SXM 80 GB   [Rent from $2.15/h]
About $12.90, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.47/h.
  Prices are valid until 13:05.
[Details] [Refresh] [Change]
""")


def test_offers_without_a_startup_script_say_so_and_are_not_recommended_if_needed() -> None:
    unreachable, other = rows((HYPERSTACK,), runs_script=False), rows((NEBIUS,))
    lacking = [changed(unreachable[0], lacks_script=True)]
    assert page(
        found([*unreachable, *other]), found([*lacking, *other]), found([*other, *unreachable])
    ) == snapshot("""\

*1x H100 in EU* · 6 h
*$2.15/h* Hyperstack nor-1, SXM 80 GB   [Rent from $2.15/h]
About $12.90, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.47/h.
No startup script at this vendor: only your default key works, and I can't monitor usage.
*$2.42/h* Nebius eu-north1   [Rent from $2.42/h]
  Prices are valid until 13:05.
[Details] [Refresh] [Change]

*1x H100 in EU* · 6 h
*$2.15/h* Hyperstack nor-1   [Rent from $2.15/h]
No startup script at this vendor: only your default key works, and I can't monitor usage.
*$2.42/h* Nebius eu-north1, SXM 80 GB   [Rent from $2.42/h]
About $14.52, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.47/h.
  Prices are valid until 13:05.
[Details] [Refresh] [Change]

*1x H100 in EU* · 6 h
*$2.42/h* Nebius eu-north1, SXM 80 GB   [Rent from $2.42/h]
About $14.52, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.47/h.
*$2.15/h* Hyperstack nor-1   [Rent from $2.15/h]
No startup script at this vendor: only your default key works, and I can't monitor usage.
  Prices are valid until 13:05.
[Details] [Refresh] [Change]
""")


def test_offers_that_are_not_shown_are_counted() -> None:
    many = view_of(QUOTE, rows() * 8 + rows((NEBIUS,)))
    view = changed(many, choices=many.choices[:3])
    shown = " ".join(message(offers.found(view, reading(NOW), everything=True), NOW).split())
    assert re.findall(r"\S+ more .*shown\.", shown) == snapshot(["22 more offers are not shown."])


def test_an_offer_with_an_id_too_long_for_a_button_has_none() -> None:
    too_long = changed(HYPERSTACK, offer_id="o" * 300)
    assert found(rows((too_long,))).splitlines()[1:3] == snapshot(
        [
            "*$2.15/h* Hyperstack nor-1, SXM 80 GB",
            "About $12.90, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take",
        ]
    )


def test_an_offer_over_a_limit_can_be_asked_for_unless_refused() -> None:
    asks = OfferChoice(offer=EIGHT, terms=EIGHT_ALLOWED, over=(Over.PER_HOUR, Over.TOTAL))
    dearer = offer("o-dear", "19.36", "scaleway", "fr-par-2", count=8)
    refused = OfferChoice(offer=dearer, terms=EIGHT_ALLOWED, refused=NO_ROOM)
    cheaper = offer("o-cheap", "12.00", "nebius", "eu-north1", count=8)
    hourly = OfferChoice(offer=cheaper, terms=terms("12.00", "13.80", 89_700_000, count=8), over=(Over.PER_HOUR,))
    quote = changed(QUOTE, request=request(count=8))
    shown = [found(each, quote=quote) for each in ([asks, refused], [hourly], [hourly, asks])]
    assert page(*shown) == snapshot("""\

*8x H100 in EU* · 6 h
*Needs approval*: the price is over the limits of $10.00/h and $100.00 per rental.
*$18.40/h* ($2.30 per GPU-hour) Nebius eu-north1, SXM 80 GB   [Ask for $18.40/h]
About $110.40, *at most $137.54* including startup and shutdown. If this offer sells out, I'll take
      another up to $21.16/h.
*$19.36/h* ($2.42 per GPU-hour) Scaleway fr-par-2
You can't rent this offer now. Your team's limit is $100.00/h, of which only $1.00/h is left. Wait
      until a machine is destroyed, or look for an offer of at most $1.00/h.
  Prices are valid until 13:05.
[Details] [Refresh] [Change]

*8x H100 in EU* · 6 h
*Needs approval*: the price is over the limit of $10.00/h.
*$12.00/h* ($1.50 per GPU-hour) Nebius eu-north1, SXM 80 GB   [Ask for $12.00/h]
About $72.00, *at most $89.70* including startup and shutdown. If this offer sells out, I'll take
      another up to $13.80/h.
  Prices are valid until 13:05.
[Details] [Refresh] [Change]

*8x H100 in EU* · 6 h
*Needs approval*: each offer is over the limit of $10.00/h, the limit of $100.00 per rental, or
      both.
*$12.00/h* ($1.50 per GPU-hour) Nebius eu-north1, SXM 80 GB   [Ask for $12.00/h]
About $72.00, *at most $89.70* including startup and shutdown. If this offer sells out, I'll take
      another up to $13.80/h.
*$18.40/h* ($2.30 per GPU-hour) Nebius eu-north1   [Ask for $18.40/h]
  Prices are valid until 13:05.
[Details] [Refresh] [Change]
""")


def test_a_reason_that_refuses_all_offers_is_shown_once() -> None:
    why = Refused("You have 4 rentals, and your team's limit is 4 per person.", next_step=NextStep.DESTROY_ONE)
    assert page(found(rows(refused=why))) == snapshot("""\

*1x H100 in EU* · 6 h
You can't rent any of these offers now. You have 4 rentals, and your team's limit is 4 per person.
      Destroy one of them first: /gpu list shows them.
*$2.15/h* Hyperstack nor-1
*$2.42/h* Nebius eu-north1
*$3.11/h* Scaleway fr-par-2
[Details] [Refresh] [Change]
""")


def test_the_first_line_shows_everything_that_was_understood() -> None:
    requests = (
        request(count=8, max_gpu_rate=Decimal("2.50")),
        request(count=4, max_gpu_rate=Decimal(10), cap_said_per_gpu=False),
        request(max_gpu_rate=Decimal(2), cap_said_per_gpu=False, cap_for_all_time=True),
        request(count=4, max_gpu_rate=Decimal("2.50"), cap_said_per_gpu=False, cap_for_all_time=True),
        request(count=3, max_gpu_rate=Decimal("2.6666"), max_total=52_000_000, cap_said_per_gpu=False),
        request(vendor="nebius"),
    )
    heads = [found(quote=changed(QUOTE, request=each)).splitlines()[0] for each in requests]
    assert heads == snapshot(
        [
            "*8x H100 in EU* · under $2.50 per GPU-hour · 6 h",
            "*4x H100 in EU* · under $10.00 per GPU-hour ($40.00/h in all) · 6 h",
            "*1x H100 in EU* · under $2.00 per GPU-hour ($12.00 for 6 h) · 6 h",
            "*4x H100 in EU* · under $2.50 per GPU-hour ($10.00/h in all, $60.00 for 6 h) · 6 h",
            "*3x H100 in EU* · up to $52.00 in all · 6 h",
            "*1x H100 in EU from Nebius* · 6 h",
        ]
    )


def test_changing_a_pending_request_shows_the_change_and_that_it_stays_valid() -> None:
    change: dict[str, Any] = {"quote": changed(QUOTE, changes="p4wd9"), "still_waiting": request(count=8)}
    refused = rows(refused=NO_ROOM)
    assert page(found(**change), found(refused, **change)) == snapshot("""\

*Change p4wd9 to 1x H100 in EU* · 6 h
*$2.15/h* Hyperstack nor-1, SXM 80 GB   [Rent from $2.15/h]
About $12.90, *at most $16.06* including startup and shutdown. If this offer sells out, I'll take
      another up to $2.47/h.
*$2.42/h* Nebius eu-north1   [Rent from $2.42/h]
*$3.11/h* Scaleway fr-par-2   [Rent from $3.11/h]
  Prices are valid until 13:05.
  Request p4wd9 stays as it is until you click an offer.
[Details] [Refresh] [Change]

*Change p4wd9 to 1x H100 in EU* · 6 h
You can't rent any of these offers now. Your team's limit is $100.00/h, of which only $1.00/h is
      left. Wait until a machine is destroyed, or look for an offer of at most $1.00/h.
*$2.15/h* Hyperstack nor-1
*$2.42/h* Nebius eu-north1
*$3.11/h* Scaleway fr-par-2
  Request p4wd9 stays as it is.
[Details] [Refresh] [Change]
""")


def test_the_answer_says_if_the_card_goes_to_another_channel() -> None:
    quote = changed(QUOTE, card_channel="C0GPUS")
    channels = (
        Channel(id="C0TRAIN", member=False),
        Channel(id="C0TRAIN", member=True, shared=True),
        Channel(id="D0ANA", member=True, direct=True),
    )
    assert [found(quote=quote, asked_in=each).splitlines()[-2] for each in channels] == snapshot(
        [
            "  I'm not in <#C0TRAIN>, so the card will go to <#C0GPUS>. To get cards here: /invite @gpubot",
            "  People from outside can read <#C0TRAIN>, so the card will go to <#C0GPUS>.",
            "  The card will go to <#C0GPUS>.",
        ]
    )


def test_the_answer_names_the_offers_that_need_approval() -> None:
    rents, _, asks = rows()
    asks = changed(asks, over=(Over.PER_HOUR,))
    dearer = changed(asks, offer=changed(asks.offer, offer_id="o-4", rate=Decimal("3.50")))
    balance = Balance(scope=Scope(kind=ScopeKind.PERSON, name="U0ANA"), month="2026-11", spent=9_000_000)
    passed = Demand(balance=balance, budget=20_000_000, more=22_750_000)
    over_budget = changed(dearer, over=(Over.BUDGET,), passed=(passed,))
    refused = changed(rents, refused=NO_ROOM)
    rules = changed(RULES, auto_approve=changed(RULES.auto_approve, per_hour=Decimal("3.00")))
    answers = [
        found([rents, asks], rules=rules),
        found([rents, asks, dearer], rules=rules),
        found([rents, over_budget], rules=rules),
        found([refused, asks], rules=rules),
    ]
    # Only the lines above the offers matter here: they say which offers need approval.
    assert [answer.split("\n*$2.15/h* Hyper")[0] for answer in answers] == snapshot(
        [
            """\
*1x H100 in EU* · 6 h
*$3.11/h needs approval*: it's over the limit of $3.00/h.\
""",
            """\
*1x H100 in EU* · 6 h
*$3.11/h and $3.50/h need approval*: they're over the limit of $3.00/h.\
""",
            """\
*1x H100 in EU* · 6 h
*$3.50/h needs approval.* The request could cost $22.75, and you have only $11.00 left in November
      ($9.00 spent, $0.00 reserved for running machines).\
""",
            """\
*1x H100 in EU* · 6 h
*Needs approval*: the price is over the limit of $3.00/h.\
""",
        ]
    )


def test_the_answer_names_the_charged_project_if_not_the_channels() -> None:
    projects = {"vision": Project(channels=("C0TRAIN",), people=(BEN,))}
    reader = reading(NOW)
    reader = changed(reader, rules=changed(reader.rules, projects=projects))
    own, named = changed(QUOTE, project="speech"), changed(QUOTE, request=request(project="speech"))
    shown = [
        message(offers.answer(view_of(quote, rows()), reader), NOW).partition("until 13:05.\n")[2]
        for quote in (QUOTE, own, named, changed(QUOTE, project="vision"))
    ]
    nothing = changed(QUOTE, state=QuoteState.NONE, offers=())
    assert "This request is charged to no project." in offers.answer(view_of(nothing, ()), reader).text
    assert page(*shown) == snapshot("""\

  <#C0TRAIN> belongs to project vision, which you aren't a member of. This request is charged to no
      project.
[Details] [Refresh] [Change]

  <#C0TRAIN> belongs to project vision, which you aren't a member of. This request is charged to
      project speech.
[Details] [Refresh] [Change]

[Details] [Refresh] [Change]

[Details] [Refresh] [Change]
""")


def test_a_named_end_is_shown_with_its_day_and_the_length() -> None:
    today = changed(QUOTE, request=request(until=clock(18, 30), lease=5 * H + 55 * M))
    friday = changed(QUOTE, request=request(until=clock(9, 0, day=27), lease=68 * H + 25 * M))
    heads = [found(quote=each, zone="Europe/Berlin").splitlines()[0] for each in (today, friday)]
    heads += found(quote=today, zone="").splitlines()[:2]
    assert page(*heads) == snapshot("""\

*1x H100 in EU* · until today at 18:30 (5 h 55 min)

*1x H100 in EU* · until Nov 27 at 09:00 (2 days 20 h)

*1x H100 in EU* · until today at 18:30 (5 h 55 min)

  I read the time that you typed as UTC, because Slack doesn't tell me your time zone.
""")


def none_found(quote: Quote) -> Rendered:
    return offers.none_found(view_of(quote, []), reading(NOW))


def test_if_nothing_is_found_buttons_show_similar_requests() -> None:
    cap = Decimal("2.00")
    near = (
        Nearby(request=request(), cheapest=HYPERSTACK),
        Nearby(request=request(region="US", max_gpu_rate=cap), cheapest=offer("a", "1.90", "nebius", "us")),
        Nearby(
            request=request(contract=Contract.SPOT, max_gpu_rate=cap),
            cheapest=offer("b", "1.20", "nebius", "eu"),
        ),
    )
    none = changed(QUOTE, request=request(max_gpu_rate=cap))
    answers = (none_found(changed(none, nearby=near)), none_found(none))
    assert page(*(message(answer, NOW) for answer in answers)) == snapshot("""\

(fallback) Right now, there's no H100 in EU under $2.00 per GPU-hour. Similar: Show offers in EU
      from $2.15/h, Show US from $1.90/h and Show spot from $1.20/h. Any H100 model counts as a
      match. I only look for offers during your hours, Mon to Fri, 08:00 to 20:00. To look day and
      night, add "any time" to your request.
Right now, there's no H100 in EU under $2.00 per GPU-hour.
[Tell me when there's an offer] [Rent it for me, up to a price] [Show offers in EU from $2.15/h]
      [Show US from $1.90/h] [Show spot from $1.20/h] [Change]
  Any H100 model counts as a match. I only look for offers during your hours, Mon to Fri, 08:00 to
      20:00. To look day and night, add "any time" to your request.

(fallback) Right now, there's no H100 in EU under $2.00 per GPU-hour, and nothing similar either.
      Any H100 model counts as a match. I only look for offers during your hours, Mon to Fri, 08:00
      to 20:00. To look day and night, add "any time" to your request.
Right now, there's no H100 in EU under $2.00 per GPU-hour, and nothing similar either.
[Tell me when there's an offer] [Rent it for me, up to a price] [Change]
  Any H100 model counts as a match. I only look for offers during your hours, Mon to Fri, 08:00 to
      20:00. To look day and night, add "any time" to your request.
""")


def test_buttons_say_if_similar_requests_exceed_the_typed_total() -> None:
    limits: dict[str, Any] = {"max_gpu_rate": Decimal("1.2307"), "max_total": 8_000_000}
    near = (
        Nearby(request=request(), cheapest=HYPERSTACK),
        Nearby(request=request(region="US", **limits), cheapest=offer("a", "1.10", "nebius", "us")),
    )
    answer = none_found(changed(QUOTE, request=request(**limits), nearby=near))
    assert page(message(answer, NOW)) == snapshot("""\

(fallback) Right now, there's no H100 in EU for 6 h at $8.00 or less in all. Similar: Show offers in
      EU from $2.15/h, above $8.00 in all and Show US from $1.10/h. Any H100 model counts as a
      match. I only look for offers during your hours, Mon to Fri, 08:00 to 20:00. To look day and
      night, add "any time" to your request.
Right now, there's no H100 in EU for 6 h at $8.00 or less in all.
[Tell me when there's an offer] [Rent it for me, up to a price] [Show offers in EU from $2.15/h,
      above $8.00 in all] [Show US from $1.10/h] [Change]
  Any H100 model counts as a match. I only look for offers during your hours, Mon to Fri, 08:00 to
      20:00. To look day and night, add "any time" to your request.
""")


def test_similar_requests_with_equal_labels_share_one_button() -> None:
    cheap = offer("a", "1.90", "lambda", "us-1")
    near = (
        Nearby(request=request(), cheapest=HYPERSTACK),
        Nearby(request=request(region=None, max_gpu_rate=Decimal(2)), cheapest=cheap),
        Nearby(request=request(region=None), cheapest=cheap),
    )
    answer = none_found(changed(QUOTE, request=request(max_gpu_rate=Decimal(2)), nearby=near))
    assert labels(answer.blocks) == snapshot(
        [
            "Tell me when there's an offer",
            "Rent it for me, up to a price",
            "Show offers in EU from $2.15/h",
            "Show anywhere from $1.90/h",
            "Change",
        ]
    )
    assert [button["value"] for button in answer.blocks[1]["elements"][2:4]] == ["q1:0", "q1:1"]


def test_a_button_of_a_similar_request_fits_on_a_phone() -> None:
    far = request(count=8, region=None, vendor=None, contract=Contract.SPOT)
    near = Nearby(request=far, cheapest=offer("a", "21.76", "lambda", "us-1", count=8))
    asked = request(count=8, vendor="crusoe", contract=Contract.SPOT)
    assert [offers.nearby_label(each, near) for each in (asked, changed(asked, vendor=None))] == snapshot(
        ["Show any from $2.72 per GPU-hour", "Show anywhere from $2.72 per GPU-hour"]
    )


def test_an_answer_without_offers_gives_the_reason_and_the_next_step() -> None:
    assert page(
        *(
            message(answer, NOW)
            for answer in (
                offers.looking(QUOTE),
                offers.rents_already(rental(State.READY), "q1", "o-hyper"),
                offers.rents_already(rental(State.PROVISIONING), "q1", "o-hyper"),
                offers.unanswered(QUOTE, now=clock(12, 37)),
                offers.unanswered(QUOTE, now=NOW, token_refused=True),
            )
        )
    ) == snapshot("""\

Looking for 1x H100 in EU.

You already have 1x H100 (k7mq2), and it's ready. Rent another?
[Rent another] [Show k7mq2]

You already have 1x H100 (k7mq2), and it's starting. Rent another?
[Rent another] [Show k7mq2]

Compute Clear hasn't responded for 2 min. Nothing was rented, and nothing will be unless you try
      again.
[Try again]

Compute Clear rejects my API token, so I can't look for offers. The admins know. Nothing was rented,
      and nothing will be unless you try again.
[Try again]
""")
