"""Dialogs."""

from __future__ import annotations

from decimal import Decimal

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.person import Key
from bot.model.summary import OfferChoice, Over, RentalDetails
from bot.policy.buying.fewer_hours import FewerHours, lengths_to_choose, shortened
from handlers.actions.keys import key_dialog
from handlers.actions.offers import rent_dialog
from handlers.actions.rentals import destroy_dialog, extend_form
from handlers.actions.request_form import form_dialog
from handlers.actions.requests import approve_dialog, fewer_hours_dialog
from handlers.ids import PRICE, Field, VersionValue
from tests.slack_limits import problems_of_view
from tests.views.screens import dialog, page
from tests.views.stories import (
    HYPERSTACK,
    LONGER,
    QUOTE,
    RULES,
    H,
    clock,
    lease,
    making,
    offer,
    reading,
    ready,
    request,
    terms,
    waiting,
)
from tests.views.test_lists import CATALOG

NOW = clock(18, 10)
KEY = Key(line="ssh-ed25519 AAAA", comment="you@laptop", fingerprint="SHA256:abc")
WITHIN_LIMITS = OfferChoice(offer=HYPERSTACK, terms=terms())
ASKS = OfferChoice(
    offer=offer("o-big", "18.40", "nebius", "eu-north1", count=8),
    terms=terms("18.40", "21.16", 137_540_000, count=8),
    over=(Over.PER_HOUR, Over.TOTAL),
)


def test_the_destroy_dialog_names_the_machine_and_its_cost() -> None:
    rentals = (ready(spent=14_070_000), making(), waiting(), waiting(bought_after_backup=True))
    views = [destroy_dialog(details) for details in rentals]
    assert page(*(dialog(view, NOW) for view in views)) == snapshot("""\

== Destroy k7mq2? ==
! Everything on the disk will be deleted.
Ana's 1x H100 (k7mq2). It has cost $14.07 so far.
[Destroy k7mq2] [Go back]

== Cancel k7mq2? ==
Ana's 1x H100 (k7mq2). It's still starting. Whatever was rented for it will be destroyed. It has
      cost $0.06 so far.
[Cancel k7mq2] [Go back]

== Withdraw p4wd9? ==
Ana's 8x H100 (p4wd9). Nobody will be asked to approve the request any more. Nothing has been rented
      for it.
[Withdraw p4wd9] [Go back]

== Withdraw p4wd9? ==
Ana's 8x H100 (p4wd9). Nobody will be asked to approve the request any more. A machine that had been
      rented for this request was found in the Compute Clear account. That machine keeps running
      until an admin decides what to do.
[Withdraw p4wd9] [Go back]
""")


def test_an_expensive_rental_or_approval_is_confirmed_with_its_total() -> None:
    assert page(
        dialog(rent_dialog(QUOTE, WITHIN_LIMITS, reader=reading(NOW)), NOW),
        dialog(rent_dialog(QUOTE, ASKS, reader=reading(NOW)), NOW),
        dialog(approve_dialog(waiting(), reader=reading(NOW)), NOW),
        dialog(approve_dialog(ready(extension=LONGER), reader=reading(NOW)), NOW),
    ) == snapshot("""\

== Rent at $2.15/h? ==
! This can cost up to $16.06.
1x H100 in EU from Hyperstack nor-1, $2.15/h, 6 h from when it's ready.
About $12.90. $16.06 is for 6 h plus 30 min to start and shut down, at up to $2.47/h. If this offer
      sells out, I'll take another up to $2.47/h.
[Rent from $2.15/h] [Go back]

== Ask for approval? ==
! This can cost up to $137.54.
8x H100 in EU from Nebius eu-north1, $18.40/h, 6 h from when it's ready.
About $110.40. $137.54 is for 6 h plus 30 min to start and shut down, at up to $21.16/h. If this
      offer sells out, I'll take another up to $21.16/h.
*Needs approval*: the price is over the limits of $10.00/h and $100.00 per rental. Nothing is rented
      until someone approves.
[Ask] [Go back]

== Approve p4wd9? ==
! This can cost up to $137.54.
Ana wants 8x H100 (p4wd9) in EU for 6 h: "fine-tune run 7".
It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out. The request
      exceeds the limits of $10.00/h and $100.00 per rental.
[Approve up to $137.54] [Go back]

== Approve k7mq2? ==
! This can cost up to $101.00 in all.
Ana wants 24 h more for 1x H100 (k7mq2): "fine-tune run 7".
It has cost $4.96 so far, at $2.42/h.
[Approve up to $101.00] [Go back]
""")
    assert approve_dialog(waiting(), reader=reading(NOW)).value == VersionValue(rental_id="p4wd9", version=1)


def test_the_highest_cost_of_a_replacement_includes_earlier_costs() -> None:
    after = OfferChoice(offer=HYPERSTACK, terms=terms(total=16_055_000 + 420_000))
    shown = " ".join(dialog(rent_dialog(QUOTE, after, reader=reading(NOW)), NOW).split())
    assert "$16.48 is for 6 h plus 30 min to start and shut down, at up to $2.47/h, plus the $0.42 spent" in shown


def test_the_highest_cost_of_a_kept_machine_says_for_how_long_it_is_kept() -> None:
    kept = OfferChoice(offer=HYPERSTACK, terms=changed(terms(total=49_400_000), kept=13.5 * H))
    shown = " ".join(dialog(rent_dialog(QUOTE, kept, reader=reading(NOW)), NOW).split())
    start_and_end = "6 h plus 30 min to start and shut down, plus 13 h 30 min if saving fails"
    assert f"$49.40 is for {start_and_end}, at up to $2.47/h." in shown


def test_a_named_end_is_a_length_in_dialogs_but_a_date_in_forms() -> None:
    ends = request(until=clock(20, 0), lease=2 * H)
    choice = rent_dialog(changed(QUOTE, request=ends), WITHIN_LIMITS, reader=reading(NOW))
    assert "$2.15/h, ending in 1 h 50 min." in dialog(choice, NOW)
    form = dialog(form_dialog(CATALOG, reader=reading(NOW, zone="Europe/Berlin"), request=ends), NOW)
    assert "For how long: (until 2026-11-24 21:00)" in form
    late = form_dialog(CATALOG, reader=reading(clock(19, 31), zone="Europe/Berlin"), request=ends)
    starts = request(starts_at=clock(20, 0), until=clock(22, 0), lease=2 * H)
    form = dialog(form_dialog(CATALOG, reader=reading(NOW, zone="Europe/Berlin"), request=starts), NOW)
    assert "Starts at: (2026-11-24 21:00)\nFor how long: (2h)" in form
    assert "For how long: (4h)" in dialog(late, NOW), "a machine is no longer bought for that end"


def test_the_extend_dialog_offers_the_hours_that_the_rules_allow() -> None:
    longest = ready(lease=lease(clock(12, 40, day=27)))
    views = [extend_form(each, reader=reading(NOW)) for each in (ready(), longest, ready(extension=LONGER))]
    assert page(*(dialog(view, NOW) for view in views)) == snapshot("""\

== Extend k7mq2? ==
Ana's 1x H100 (k7mq2). It ends in 30 min.
Longer by: 1 h, about $2.42 | (2 h, about $4.84) | 4 h, about $9.68 | 8 h, about $19.36 | 12 h,
      about $29.04 | 24 h, about $58.08 | 2 days, about $116.16
[Extend k7mq2] [Go back]

== Extend k7mq2? ==
A lease is at most 3 days, so Ana's 1x H100 (k7mq2) can't be extended.
[Close]

== Extend k7mq2? ==
More time has already been requested for Ana's 1x H100 (k7mq2), and is waiting for approval.
[Close]
""")


def test_the_form_is_filled_in_with_the_request() -> None:
    wanted = request(max_gpu_rate=Decimal("3.00"), vendor="nebius", gpu="nvidia-h100-pcie-80gb")
    filled = form_dialog(CATALOG, reader=reading(NOW, zone="UTC"), request=wanted)
    empty = form_dialog(CATALOG, reader=reading(NOW, zone="UTC"))
    assert page(dialog(filled, NOW), dialog(empty, NOW)) == snapshot("""\

== Get GPUs ==
Looking up the price of 1x H100 PCIe 80 GB in EU, from Nebius, on demand, under $3.00 per GPU-hour.
GPU: (H100 PCIe 80 GB) | H100 | A100 | H100 SXM 80 GB | A100 SXM 80 GB
How many: (1x) | 2x | 3x | 4x | 5x | 6x | 7x | 8x
Region: Anywhere | (EU) | US
Contract: (on demand) | spot
Vendor: Any vendor | (Nebius) | Hyperstack
Highest price, in dollars per GPU-hour: (3.00)
Starts at: ()
For how long: (6h)
Longest time, if the GPUs are still busy: ()
If the work is done earlier (started with gpubot-run): [ ] End when the job is done
Looking up the price of 1x H100 PCIe 80 GB in EU, from Nebius, on demand, under $3.00 per GPU-hour.
Share with: ()
Monitoring: [ ] Don't check whether the machine is used
If saving fails (/root/on-ending.sh): [ ] Keep the machine until my next working hours
If nothing fits, wait until: ()
Also: [ ] Rent the cheapest offer at once if it needs no approval | [ ] While waiting, look for
      offers day and night
Note: (fine-tune run 7)
[Show offers] [Go back]

== Get GPUs ==
Choose a GPU to see its price.
GPU: H100 | A100 | H100 SXM 80 GB | H100 PCIe 80 GB | A100 SXM 80 GB
How many: (1x) | 2x | 3x | 4x | 5x | 6x | 7x | 8x
Region: (Anywhere) | US | EU
Contract: (on demand) | spot
Vendor: (Any vendor) | Hyperstack | Nebius
Highest price, in dollars per GPU-hour: ()
Starts at: ()
For how long: (4h)
Longest time, if the GPUs are still busy: ()
If the work is done earlier (started with gpubot-run): [ ] End when the job is done
Choose a GPU to see its price.
Share with: ()
Monitoring: [ ] Don't check whether the machine is used
If saving fails (/root/on-ending.sh): [ ] Keep the machine until my next working hours
If nothing fits, wait until: ()
Also: [ ] Rent the cheapest offer at once if it needs no approval | [ ] While waiting, look for
      offers day and night
Note: ()
[Show offers] [Go back]
""")
    assert problems_of_view(filled.view) == []
    assert [block["block_id"] for block in filled.view["blocks"]][:2] == [PRICE, Field.GPU]
    (people,) = [block for block in filled.view["blocks"] if block["block_id"] == Field.TEAMMATES]
    assert "no guests or apps" in people["hint"]["text"]


def test_the_form_lists_setups_from_the_rules_and_the_requested_one() -> None:
    rules = changed(RULES, setup={"torch": "#!/bin/sh", "jax": "#!/bin/sh"})
    wanted = [request(), request(setup="jax"), request(setup="gone")]
    shown = [
        dialog(form_dialog(CATALOG, reader=reading(NOW, zone="UTC", rules=rules), request=each), NOW).splitlines()
        for each in wanted
    ]
    assert [[line for line in lines if line.startswith("Setup")] for lines in shown] == snapshot(
        [
            ["Setup: (None) | torch | jax"],
            ["Setup: None | (jax) | torch"],
            ["Setup: None | (gone) | torch | jax"],
        ]
    )


def test_the_form_lists_the_readers_projects_and_the_requested_one() -> None:
    reader, named = reading(NOW, zone="UTC"), ("vision", "speech")
    wanted = [(request(), named), (request(project="gone"), named), (request(), ())]
    shown = [
        dialog(form_dialog(CATALOG, reader=reader, projects=names, request=each), NOW).splitlines()
        for each, names in wanted
    ]
    assert [[line for line in lines if line.startswith("Project")] for lines in shown] == snapshot(
        [
            ["Project: (The channel's project) | vision | speech"],
            ["Project: The channel's project | (gone) | vision | speech"],
            [],
        ]
    )


def test_the_key_dialog_asks_for_the_public_key() -> None:
    assert page(dialog(key_dialog(), NOW)) == snapshot("""\

== Your SSH key ==
Paste the public key with which you'll log in to your machines. Never paste the private one.
Public key: ()
[Save] [Go back]
""")


def test_the_fewer_hours_dialog_shows_totals_and_no_clock_time() -> None:
    details = waiting()
    allowed = terms("18.40", "21.16", 264_500_000, count=8, lease=12 * H)
    flexible_end = waiting(request=request(count=8, up_to=12 * H), terms=allowed)
    later = ready(extension=LONGER)
    views = [fewer_hours_dialog(one, _shorter(one), reading(NOW)) for one in (details, flexible_end, later)]
    views.append(fewer_hours_dialog(details, [], reading(NOW)))
    assert page(*(dialog(view, NOW) for view in views)) == snapshot("""\

== Fewer hours: p4wd9 ==
Ana wants 8x H100 (p4wd9) in EU for 6 h: "fine-tune run 7".
Approve for: 4 h, up to $95.22 | 2 h, up to $52.90 | 1 h, up to $31.74
  Ana will read that you approved fewer hours. The hourly price stays the same.
[Approve fewer hours] [Go back]

== Fewer hours: p4wd9 ==
Ana wants 8x H100 (p4wd9) in EU, 6 h from when it's ready, or up to 12 h if its GPUs are busy:
      "fine-tune run 7".
Approve for: 6 h, or up to 8 h if its GPUs are busy, up to $179.86 | 6 h, up to $137.54
  Ana will read that you approved fewer hours. The hourly price stays the same.
[Approve fewer hours] [Go back]

== Fewer hours: k7mq2 ==
Ana wants 24 h more for 1x H100 (k7mq2): "fine-tune run 7".
Approve for: 12 h more, up to $30.86 | 8 h more, up to $21.18 | 4 h more, up to $11.50 | 2 h more,
      up to $6.66 | 1 h more, up to $4.24
  Ana will read that you approved fewer hours. The hourly price stays the same.
[Approve fewer hours] [Go back]

== Fewer hours: p4wd9 ==
This request is too short to approve for fewer hours. You can approve or deny it.
[Close]
""")
    assert [problems_of_view(one.view) for one in views] == [[]] * 4


def _shorter(details: RentalDetails) -> list[FewerHours]:
    lengths = lengths_to_choose(details.rental, NOW)
    return [shortened(details.rental, one, spent=0, now=NOW, rules=RULES) for one in lengths]
