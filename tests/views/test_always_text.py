"""Messages about requests that always need approval (policy key `approval.always`)."""

from __future__ import annotations

from decimal import Decimal

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.quote import QuoteState
from bot.model.summary import OfferChoice, Over, QuoteView, Remainder, RentalDetails, WaitPreview
from bot.policy.team.roles import Roles
from bot.policy.team.rules import Always, Approval
from handlers.actions.offers import rent_dialog
from handlers.actions.requests import approve_dialog
from handlers.messages import lists, offers, render, replacing
from handlers.messages.writers import EventContext
from tests.slack_limits import problems_of_view
from tests.views.screens import dialog, message, page
from tests.views.stories import (
    ANA,
    ASKED,
    HYPERSTACK,
    NEBIUS,
    QUOTE,
    RULES,
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

NOW, LATER = clock(12, 35), clock(14, 6)
ALWAYS = changed(RULES, approval=Approval(always=Always(models=("B200", "h200"), gpus_from=8)))
READER = reading(NOW, ANA, rules=ALWAYS)
EIGHT = offer("o-eight", "18.40", "nebius", "eu-north1", count=8)
H200 = changed(NEBIUS, gpu="nvidia-h200-sxm5-141gb", family="H200")


def found(*choices: OfferChoice) -> str:
    return message(offers.found(view_of(QUOTE, choices), READER), NOW)


def asked(details: RentalDetails) -> str:
    """Return the message to the approvers."""
    context = EventContext(ASKED, details, reading(LATER, rules=ALWAYS), posted_at=None, newest=True, asks=None)
    return message(render.message_to_approvers(context), LATER)


def test_offers_name_the_rule_before_the_limits_that_they_also_exceed() -> None:
    cheap = OfferChoice(offer=H200, terms=terms(gpu=H200.gpu), over=(Over.ALWAYS,))
    both = OfferChoice(offer=EIGHT, terms=terms(count=8), over=(Over.ALWAYS, Over.PER_HOUR, Over.TOTAL))
    usual = OfferChoice(offer=HYPERSTACK, terms=terms())
    dear = changed(usual, over=(Over.PER_HOUR,))
    shown = [found(cheap), found(both), found(usual, cheap), found(dear, cheap)]
    assert page(*("\n".join(text.splitlines()[1:3]) for text in shown)) == snapshot("""\

*Needs approval*: requests for B200, H200 or 8 GPUs always do.
*$2.42/h* Nebius eu-north1, SXM 141 GB   [Ask for $2.42/h]

*Needs approval*: requests for B200, H200 or 8 GPUs always do, and the price is over the limits of
      $10.00/h and $100.00 per rental.

*$2.42/h needs approval*: requests for B200, H200 or 8 GPUs always do.
*$2.15/h* Hyperstack nor-1, SXM 80 GB   [Rent from $2.15/h]

*Needs approval*: requests for B200, H200 or 8 GPUs always do, or the price is over the limit of
      $10.00/h.
""")


def test_dialogs_and_the_waitlist_name_the_rule() -> None:
    choice = OfferChoice(offer=EIGHT, terms=terms("18.40", "21.16", 137_540_000, count=8), over=(Over.ALWAYS,))
    none = changed(QUOTE, state=QuoteState.NONE, request=request(gpu="H200", max_gpu_rate=Decimal(3)))
    wait = WaitPreview(quote=none, terms=terms(gpu="H200"), over=(Over.ALWAYS,), until=clock(18, 0))
    left = Remainder(gpu="nvidia-h200-sxm5-141gb", lease=3 * H, max_rate=Decimal("2.47"), total=8_950_000)
    replace = replacing.replace_confirm(ready().rental, left, ALWAYS, asks_why=True)
    assert page(
        dialog(rent_dialog(QUOTE, choice, READER), NOW),
        message(offers.answer(QuoteView(quote=none, wait=wait), READER), NOW),
        dialog(replace, NOW),
    ) == snapshot("""\

== Ask for approval? ==
! This can cost up to $137.54.
8x H100 in EU from Nebius eu-north1, $18.40/h, 6 h from when it's ready.
About $110.40. $137.54 is for 6 h plus 30 min to start and shut down, at up to $21.16/h. If this
      offer sells out, I'll take another up to $21.16/h.
*Needs approval*: requests for B200, H200 or 8 GPUs always do, and the price is over the limits of
      $10.00/h and $100.00 per rental. Nothing is rented until someone approves.
[Ask] [Go back]

(fallback) Right now, there's no H200 in EU under $3.00 per GPU-hour, and nothing similar either.
      Any H200 model counts as a match. I only look for offers during your hours, Mon to Fri, 08:00
      to 20:00. To look day and night, add "any time" to your request. *Needs approval*: requests
      for B200, H200 or 8 GPUs always do.
Right now, there's no H200 in EU under $3.00 per GPU-hour, and nothing similar either.
[Tell me when there's an offer] [Ask for approval at $2.47/h or less: 6 h, up to $16.06] [Change]
  Any H200 model counts as a match. I only look for offers during your hours, Mon to Fri, 08:00 to
      20:00. To look day and night, add "any time" to your request. *Needs approval*: requests for
      B200, H200 or 8 GPUs always do.

== Replace k7mq2? ==
! Once a new machine is rented, k7mq2 is destroyed and its disk is deleted. If none can be rented,
      k7mq2 stays.
I'll rent the next offer from a vendor other than Nebius: 1x H200 SXM 141 GB, up to $2.47/h for 3 h,
      at most $8.95 in all. *Needs approval*: requests for B200, H200 or 8 GPUs always do. Nothing
      is rented until someone approves.
What doesn't work?: ()
[Ask] [Go back]
""")
    assert problems_of_view(replace.view) == []


def test_approvers_read_the_rule_and_the_limits() -> None:
    within = terms("8.80", "10.00", 61_000_000, count=8)
    assert page(
        asked(waiting(ASKED)),
        asked(waiting(ASKED, terms=within, replaces="k7mq2")),
        dialog(approve_dialog(waiting(ASKED), reading(LATER, rules=ALWAYS)), LATER),
    ) == snapshot("""\

(fallback) It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.
      Requests for B200, H200 or 8 GPUs always need approval, and this one exceeds the limits of
      $10.00/h and $100.00 per rental. Ana also has 1x A100 (a2bc3).
# Approve up to $137.54?
Ana wants *8x H100 (p4wd9) in EU for 6 h*: "fine-tune run 7".
| Price: $18.40/h, or up to $21.16/h if the chosen offer sells out
| Team rule: requests for B200, H200 or 8 GPUs always need approval, and this one exceeds the limits
      of $10.00/h and $100.00 per rental
| Also running: 1x A100 (a2bc3)
  The request expires at 22:05.
[Approve up to $137.54] [Approve fewer hours] [Deny] [Ana's spending]

(fallback) It costs $8.80/h ($1.10 per GPU-hour), or up to $10.00/h if the chosen offer sells out.
      Requests for B200, H200 or 8 GPUs always need approval. Ana also has 1x A100 (a2bc3).
# Approve up to $61.00?
Ana wants *8x H100 (p4wd9) in EU for 6 h*: "fine-tune run 7". It would replace k7mq2.
| Price: $8.80/h, or up to $10.00/h if the chosen offer sells out
| Team rule: requests for B200, H200 or 8 GPUs always need approval
| Also running: 1x A100 (a2bc3)
  The request expires at 22:05.
[Approve up to $61.00] [Approve fewer hours] [Deny] [Ana's spending]

== Approve p4wd9? ==
! This can cost up to $137.54.
Ana wants 8x H100 (p4wd9) in EU for 6 h: "fine-tune run 7".
It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out. Requests
      for B200, H200 or 8 GPUs always need approval, and this one exceeds the limits of $10.00/h and
      $100.00 per rental.
[Approve up to $137.54] [Go back]
""")


def test_the_help_names_the_rule() -> None:
    shown = message(lists.help_([], Roles(user=True), rules=ALWAYS), NOW)
    assert " ".join(shown.split()).endswith(
        "Above $10.00/h or $100.00 per rental, your request needs approval. "
        "Requests for B200, H200 or 8 GPUs always do."
    )


def test_the_history_of_a_replacement_names_the_machine_to_be_replaced() -> None:
    event = happened(EventKind.ASKED, LATER, ANA, terms=1, max_rate=Decimal("2.47"), hours=3 * H, name="k7mq2")
    assert "Ana asked for approval to replace k7mq2: for 3 h at up to $2.47/h." in message(
        lists.show(waiting(event, replaces="k7mq2"), READER), LATER
    )
