"""Lists, the history of a rental, the catalog and the help."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EFFECTS, EventKind
from bot.model.facts import TokenFacts
from bot.model.offer import Catalog
from bot.model.state import State
from bot.model.summary import (
    AccruedCost,
    EndedSummary,
    OwnRentals,
    RentalDetails,
    RentalList,
    UnmanagedSummary,
    UnmanagedTotal,
)
from bot.policy.team.roles import Roles
from handlers.actions import short_forms
from handlers.messages import lists
from handlers.phrases.lease_buttons import destroy_button
from handlers.typed.commands import help_for
from tests.views.screens import message, page
from tests.views.stories import (
    ANA,
    BEN,
    LONGER,
    NAMES,
    RULES,
    H,
    M,
    clock,
    gone,
    happened,
    lease,
    listed,
    making,
    reading,
    ready,
    request,
    waiting,
)
from tests.views.test_unmanaged_machines import purchase

K = EventKind
NOW = clock(14, 40)
CATALOG = Catalog(
    gpus={"H100": ("nvidia-h100-sxm5-80gb", "nvidia-h100-pcie-80gb"), "A100": ("nvidia-a100-sxm4-80gb",)},
    vendors=("hyperstack", "nebius"),
    regions=("US", "EU"),
    contracts=("ondemand", "spot"),
    read_at=clock(14, 0),
)


def listing(live: RentalList, *, everyone: bool = False) -> str:
    return message(lists.listing(live, everyone=everyone, reader=reading(NOW)), NOW)


def show(details: RentalDetails, reader: str = ANA) -> str:
    shown = lists.show(changed(details, sees_money=reader == ANA), reader=reading(clock(19, 0), reader))
    return message(shown, clock(19, 0))


def test_a_list_counts_unmanaged_machines_that_it_leaves_out() -> None:
    one = UnmanagedSummary(question=purchase(), spent=AccruedCost(amount=48_300_000, estimated=False))
    for live in (listed(ready(), more=0), changed(listed(ready(), more=0), shown=())):
        read = listing(changed(live, unmanaged=(one,) * (lists.ROWS + 2)), everyone=True)
        assert read.count("train-3") == lists.ROWS
        assert "2 more that weren't rented through me." in read


def ended(rental_id: str, amount: int, **fields: Any) -> EndedSummary:
    spent = AccruedCost(amount=amount, estimated=False)
    return changed(EndedSummary(rental_id=rental_id, request=request(), spent=spent), **fields)


def test_a_list_ends_with_recently_ended_rentals_and_their_cost() -> None:
    few = (ended("w3npc", 14_684_000), ended("f6rat", 12_114_000))
    shown = [listing(changed(live, ended=few)) for live in (listed(ready()), listed())]
    assert page(*shown) == snapshot("""\

Ready: 1x H100 (k7mq2) in EU. It ends at 18:40. $2.42/h, $4.96 so far.   [Details]
  Your running machine costs $2.42/h, $4.96 so far. The team's running machines cost $2.42/h in all.
      /gpu spend shows November.
  Ended in the last 7 days, for $26.80 in all: 1x H100 (w3npc), $14.69; 1x H100 (f6rat), $12.11.

You have no machines right now. Try: /gpu get H100 EU
Ended in the last 7 days, for $26.80 in all: 1x H100 (w3npc), $14.69; 1x H100 (f6rat), $12.11.
""")


def test_ended_rentals_have_no_total_if_some_costs_are_hidden() -> None:
    others = (ended("k7mq2", 14_684_000, spent=None), *(ended(f"abcd{n}", 1_000_000) for n in range(2, 9)))
    assert page(listing(changed(listed(), ended=others), everyone=True)) == snapshot("""\

Nobody has a machine right now. Try: /gpu get H100 EU
Ended in the last 7 days: 1x H100 (k7mq2); 1x H100 (abcd2), $1.00; 1x H100 (abcd3), $1.00; 1x H100
      (abcd4), $1.00; 1x H100 (abcd5), $1.00; 3 more.
""")


def test_the_teams_hourly_cost_includes_unmanaged_machines() -> None:
    live = listed(ready())
    total = UnmanagedTotal(count=2, rate=Decimal("2.10"), unpriced=1)
    assert listing(changed(live, unmanaged_total=total)) == snapshot(
        """\
Ready: 1x H100 (k7mq2) in EU. It ends at 18:40. $2.42/h, $4.96 so far.   [Details]
  Your running machine costs $2.42/h, $4.96 so far. The team's running machines cost $4.52/h in all,
      $2.10/h of it for 1 machine that wasn't rented through me. 1 more machine isn't included,
      because I don't know its price. /gpu spend shows November.\
"""
    )
    nothing = changed(listed(), unmanaged_total=UnmanagedTotal(count=1, rate=Decimal("2.10")))
    assert listing(nothing).splitlines()[-1] == snapshot("      through me. /gpu spend shows November.")


def test_a_list_begins_with_requests_that_its_reader_can_decide() -> None:
    asks_more = ready(extension=LONGER)
    live = listed(waiting(), ready(), reader=BEN)
    waits = changed(live, to_decide=(listed(waiting()).shown[0], listed(asks_more).shown[0]), more_to_decide=2)
    assert page(listing(waits, everyone=True)) == snapshot("""\

Waiting for you: 8x H100 (p4wd9) in EU for Ana. The request expires at 22:05.
[Approve up to $137.54] [Approve fewer hours] [Deny]
Waiting for you: more time for 1x H100 (k7mq2) in EU for Ana, until tomorrow at 18:40. Unless
      someone approves, it ends at 18:40.
[Approve up to $101.00] [Approve fewer hours] [Deny]
  2 more requests are waiting for you.
Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.   [Details]
  The team's running machines cost $2.42/h in all. /gpu spend shows November.
""")


def test_a_list_shows_other_peoples_costs_only_to_permitted_readers() -> None:
    live = listed(ready(), more=3, team="9.02")
    without_money = listed(changed(ready(), sees_money=False), more=3, team="9.02")
    assert page(
        listing(live),
        listing(without_money, everyone=True),
        listing(live, everyone=True),
        listing(listed(waiting())),
        listing(listed()),
        listing(listed(), everyone=True),
    ) == snapshot("""\

Ready: 1x H100 (k7mq2) in EU. It ends at 18:40. $2.42/h, $4.96 so far.   [Details]
  3 more rentals aren't shown. Your running machine costs $2.42/h, $4.96 so far. The team's running
      machines cost $9.02/h in all. /gpu spend shows November.

Ready: 1x H100 (k7mq2) in EU for you. It ends at 18:40.   [Details]
  3 more rentals aren't shown. Your running machine costs $2.42/h, $4.96 so far. The team's running
      machines cost $9.02/h in all. /gpu spend shows November.

Ready: 1x H100 (k7mq2) in EU for you. It ends at 18:40. $2.42/h, $4.96 so far.   [Details]
  3 more rentals aren't shown. Your running machine costs $2.42/h, $4.96 so far. The team's running
      machines cost $9.02/h in all. /gpu spend shows November.

Waiting for approval: 8x H100 (p4wd9) in EU. The request expires at 22:05.   [Details]

You have no machines right now. Try: /gpu get H100 EU

Nobody has a machine right now. Try: /gpu get H100 EU
""")


HISTORY = (
    happened(K.RENTING, clock(12, 36), vendor="nebius", rate=Decimal("2.42")),
    happened(K.STILL_NEEDED, clock(14, 40), span=2 * H),
    happened(K.KEPT, clock(14, 40), ANA, until=clock(15, 40), since=clock(18, 40)),
    happened(K.ENDING, clock(18, 10), until=clock(18, 40)),
    happened(
        K.ENDED,
        clock(18, 41),
        end=State.DESTROYED,
        span=6 * H + 4 * M,
        rate=Decimal("2.42"),
        amount=14_681_333,
        estimated=False,
    ),
)


def test_a_history_keeps_each_end_as_it_was_at_the_time() -> None:
    over = changed(gone(*HISTORY), events=HISTORY)
    until: dict[str, Any] = {"until": clock(9, 0, day=26), "since": clock(18, 40), "span": 14 * H + 20 * M}
    longer = (*HISTORY[:3], happened(K.EXTENDED, clock(15, 0), ANA, **until))
    later = changed(ready(*longer, lease=lease(clock(9, 0, day=26))), events=longer, keys_now={ANA: ()})
    denied = waiting(happened(K.DENIED, clock(14, 12), BEN, amount=0, estimated=False), state=State.DENIED)
    assert page(show(over), show(over, BEN), show(later), show(denied)) == snapshot("""\

Ended: 1x H100 (k7mq2) in EU for Ana.
  $14.68 for 6 h 4 min. Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run
      7"
  12:36  Renting from Nebius at $2.42/h.
  14:40  I asked Ana whether this machine is still needed. Nobody has clicked or typed anything
      about it in Slack for 2 h.
  14:40  Ana still needs this machine. I'll ask again at 15:40. It still ends at 18:40.
  18:10  I told Ana that this machine ends at 18:40.
  18:41  This machine ended, confirmed by the vendor. It cost $14.68.

Ended: 1x H100 (k7mq2) in EU for Ana.
  Nebius eu-north1. "fine-tune run 7"
  12:36  Renting from Nebius.
  14:40  I asked Ana whether this machine is still needed. Nobody has clicked or typed anything
      about it in Slack for 2 h.
  14:40  Ana still needs this machine. I'll ask again at 15:40. It still ends at 18:40.
  18:10  I told Ana that this machine ends at 18:40.
  18:41  This machine ended, confirmed by the vendor.

Ready: 1x H100 (k7mq2) in EU for Ana. It ends Nov 26 at 09:00. $2.42/h, $4.96 so far.
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  12:36  Renting from Nebius at $2.42/h.
  14:40  I asked Ana whether this machine is still needed. Nobody has clicked or typed anything
      about it in Slack for 2 h.
  14:40  Ana still needs this machine. I'll ask again at 15:40. It still ends at 18:40.
  15:00  Ana extended this machine by 14 h 20 min. It now ends Nov 26 at 09:00.
[Ask for 2 h more, about $4.84] [Destroy k7mq2]

Declined: 8x H100 (p4wd9) in EU for Ana.
  Nothing was rented. Requested limits: $21.16/h and $137.54 in total. "fine-tune run 7"
  14:05  Ana asked for approval.
  14:12  Ben declined this request. Nothing was rented.
""")


def test_a_history_includes_events_without_a_reply() -> None:
    start = happened(K.STARTED, clock(12, 36), ANA, max_rate=Decimal("2.47"), hours=6 * H)
    assert show(changed(making(), events=(start,))) == snapshot("""\
Starting: 1x H100 (k7mq2) in EU for Ana. $2.15/h, $0.06 so far.
  Hyperstack nor-1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  12:36  Ana rented a machine without needing approval, for 6 h at up to $2.47/h.\
""")


def test_no_event_shows_money_to_a_reader_who_may_not_see_it() -> None:
    rich: dict[str, Any] = {
        "vendor": "nebius",
        "rate": Decimal(2),
        "before": Decimal(1),
        "clicked": Decimal(1),
        "before_vendor": "hyperstack",
        "max_rate": Decimal(3),
        "total": 9_000_000,
        "amount": 5_000_000,
        "estimate": 4_000_000,
        "why": Why.SOLD_OUT,
        "resource_id": "r-1",
    }
    events = tuple(
        happened(
            kind,
            clock(13, 0),
            BEN,
            **{name: rich[name] for name in rich.keys() & EFFECTS[kind].facts.model_fields},
        )
        for kind in EventKind
        if kind is not EventKind.DIGEST and EFFECTS[kind].facts is not TokenFacts
    )
    for details in (ready(), gone(), waiting(owner=ANA)):
        assert "$" not in show(changed(details, events=events), BEN)


def test_a_rental_shows_its_requested_setup_script() -> None:
    details = ready()
    asked = changed(details, rental=changed(details.rental, request=request(setup="torch")))
    assert 'Setup: torch. "fine-tune run' in show(asked)


def test_limits_that_nobody_accepted_are_shown_as_requested() -> None:
    states = (State.AWAITING_APPROVAL, State.DENIED, State.EXPIRED, State.WITHDRAWN)
    assert all(
        "Requested limits: $21.16/h and $137.54 in total." in show(waiting(state=state)) for state in states
    )


def test_the_catalog_lists_gpus_regions_contracts_vendors_and_setups() -> None:
    rules = changed(RULES, setup={"torch": "#!/bin/sh", "jax": "#!/bin/sh"})
    assert page(message(lists.catalog(CATALOG, reader=reading(NOW, rules=rules)), NOW)) == snapshot("""\

H100: SXM 80 GB, PCIe 80 GB
A100: SXM 80 GB
  Regions: US, EU.
  Contracts: on demand, spot.
  Vendors: Hyperstack, Nebius.
  Setups: jax, torch.
  As of 14:00. Try: /gpu get H100 EU
""")


def test_each_rental_in_a_list_has_a_button() -> None:
    own = OwnRentals(rentals=(changed(making().rental, id="f6rat"), ready().rental), names=NAMES)
    shown = short_forms.which_one(own, "Destroy which machine or request?", destroy_button, reading(NOW, BEN))
    many = OwnRentals(rentals=(ready().rental,) * 12, names=NAMES)
    long = short_forms.which_one(many, "Show which machine or request?", destroy_button, reading(NOW, ANA))
    assert message(long, NOW).endswith("2 more: /gpu list")
    assert page(message(shown, NOW)) == snapshot("""\

Destroy which machine or request?
Starting: 1x H100 (f6rat) in EU for Ana.   [Destroy f6rat]
Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 18:40.   [Destroy k7mq2]
""")


def test_help_shows_pausing_to_admins_only_and_limits_to_users_only() -> None:
    everything, nothing = (
        Roles(user=has, approver=has, admin=has, finance=has, sole_admin=False) for has in (True, False)
    )
    shown = [lists.help_(help_for(roles), roles, rules=RULES) for roles in (everything, nothing)]
    assert page(*(message(each, NOW) for each in shown)) == snapshot("""\

/gpu get H100 EU: shows offers. Also: 8xH100, spot, under $3/GPU/h, for 6h, until fri 18:00, from
      nebius, -- a note
/gpu get H100 for 6h up to 12h: ends after 6 h, or 12 h at the latest if its GPUs are busy
/gpu get H100 until done up to 12h: ends when the job that you start with gpubot-run is done, or
      after 12 h
/gpu get H100 keep-if-failed: keeps it until your next hours if its /root/on-ending.sh fails before
      the end
/gpu get H100 EU now: rents the cheapest at once if it needs no approval and I understood every word
/gpu get H100 at 9:00 tomorrow for 8h: offers to rent it at that time; /gpu wait 8x H200 under
      $3/GPU/h until fri waits for an offer
/gpu again: shows offers for your last request again
/gpu list: your machines and requests; /gpu list all shows everyone's
/gpu show k7mq2: a machine and its history; if you have only one, leave out the ID here and below
/gpu ssh k7mq2: how to log in, with lines for ~/.ssh/config, VS Code and Jupyter
/gpu share k7mq2 @ben: lets Ben log in too; to share from the start: /gpu get H100 EU with @ben
/gpu give k7mq2 @ben: offers it to Ben, who has an hour to take it and pays from then on
/gpu extend k7mq2 2h: a later end; also: until 18:00. /gpu keep k7mq2 says that it's still needed
/gpu destroy k7mq2: ends it and deletes everything on its disk
/gpu spend: what was spent this month; also: me, project vision, today, week, last month, 2026-10
/gpu key: your SSH keys; /gpu key ssh-ed25519 AAAA... adds one, /gpu key github ana-dev finds yours
/gpu probe: what I check on a machine, and the scripts for that; no-probe in a request switches it
      off
/gpu token: lets a program rent for you within terms that you set; /gpu token KTRWXQMB takes a
      program's code, /gpu token list shows your tokens
/gpu policy: the team's rules in words
/gpu catalog: GPUs, vendors, regions, contracts, projects and setups that you can name
/gpu away until mon: you won't be asked about requests until then; /gpu away off ends that
/gpu token list all: everyone's tokens, each with a button that stops it
/gpu pause bill check: pauses buying, for the reason "bill check"; machines can still be destroyed.
      /gpu resume ends the pause
/gpu policy reload: reads the policy file again
  The same words work after @gpubot in a channel or in a card's thread, and alone in a direct
      message to me.
  Above $10.00/h or $100.00 per rental, your request needs approval.

/gpu get H100 EU: shows offers. Also: 8xH100, spot, under $3/GPU/h, for 6h, until fri 18:00, from
      nebius, -- a note
/gpu get H100 for 6h up to 12h: ends after 6 h, or 12 h at the latest if its GPUs are busy
/gpu get H100 until done up to 12h: ends when the job that you start with gpubot-run is done, or
      after 12 h
/gpu get H100 keep-if-failed: keeps it until your next hours if its /root/on-ending.sh fails before
      the end
/gpu get H100 EU now: rents the cheapest at once if it needs no approval and I understood every word
/gpu get H100 at 9:00 tomorrow for 8h: offers to rent it at that time; /gpu wait 8x H200 under
      $3/GPU/h until fri waits for an offer
/gpu again: shows offers for your last request again
/gpu list: your machines and requests; /gpu list all shows everyone's
/gpu show k7mq2: a machine and its history; if you have only one, leave out the ID here and below
/gpu ssh k7mq2: how to log in, with lines for ~/.ssh/config, VS Code and Jupyter
/gpu share k7mq2 @ben: lets Ben log in too; to share from the start: /gpu get H100 EU with @ben
/gpu give k7mq2 @ben: offers it to Ben, who has an hour to take it and pays from then on
/gpu extend k7mq2 2h: a later end; also: until 18:00. /gpu keep k7mq2 says that it's still needed
/gpu destroy k7mq2: ends it and deletes everything on its disk
/gpu spend: what was spent this month; also: me, project vision, today, week, last month, 2026-10
/gpu key: your SSH keys; /gpu key ssh-ed25519 AAAA... adds one, /gpu key github ana-dev finds yours
/gpu probe: what I check on a machine, and the scripts for that; no-probe in a request switches it
      off
/gpu token: lets a program rent for you within terms that you set; /gpu token KTRWXQMB takes a
      program's code, /gpu token list shows your tokens
/gpu policy: the team's rules in words
/gpu catalog: GPUs, vendors, regions, contracts, projects and setups that you can name
  The same words work after @gpubot in a channel or in a card's thread, and alone in a direct
      message to me.
""")


def test_gpu_alone_shows_the_readers_rentals_and_what_to_type() -> None:
    shown = [lists.home(live, reader=reading(NOW)) for live in (listed(), listed(ready(), more=7, team="19.36"))]
    assert page(*(message(each, NOW) for each in shown)) == snapshot("""\

You have no machines right now.
  /gpu get H100 EU shows offers. /gpu help shows all commands.
[Choose from a list]

Ready: 1x H100 (k7mq2) in EU. It ends at 18:40. $2.42/h, $4.96 so far.
7 more: /gpu list
  The team's running machines cost $19.36/h in all.
  /gpu get H100 EU shows offers. /gpu help shows all commands.
[Choose from a list]
""")
