"""The usage of machines in lists and in `/gpu show`."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.budget import UseCosts
from bot.model.event import EventKind
from bot.model.machine_use import GpuUse, Missed, RecentUse, UsageStatus, Use
from bot.model.state import State
from bot.model.summary import AccruedCost, RentalDetails
from handlers.messages import lists
from handlers.phrases.format import dollars
from handlers.phrases.use_text import day_marks, unseen_text, use_shares
from tests.views import strategies as some
from tests.views.screens import approval, card, direct, message, page, read, thread
from tests.views.stories import ANA, ASKED, BEN, M, clock, gone, happened, listed, reading, ready, request, waiting

K, V = EventKind, UsageStatus
NOW, SINCE = clock(16, 0), clock(12, 42)
IDLE = Use(status=V.IDLE, since=clock(14, 5), worked=True)
HOURS = (None,) * 9 + (0, 0, 3, 97, 98, 100, 60, 0, 0, 45, 12, 30, 80, 1, 0)


def gpus(*highest: int | None, **more: Any) -> tuple[GpuUse, ...]:
    return tuple(GpuUse(index=n, highest=one, **more) for n, one in enumerate(highest))


def used(status: UsageStatus, since: datetime = SINCE, **more: Any) -> RentalDetails:
    return ready(use=Use(status=status, since=since, **more))


def show(details: RentalDetails, reader: str = ANA) -> str:
    return message(lists.show(details, reader=reading(NOW, reader)), NOW)


def test_each_reason_for_missing_monitoring_has_a_text() -> None:
    uses = {why: Use(status=V.UNKNOWN, since=SINCE, why=why) for why in Missed}
    words = {why: read(unseen_text(use, reading(NOW).times), NOW) for why, use in uses.items()}
    assert len(set(words.values())) == len(Missed)
    assert words[Missed.NO_GPU] == "I haven't been able to monitor it since 12:42 (nvidia-smi shows no GPU)"


def test_a_list_shows_the_usage_status_of_each_machine_if_known() -> None:
    live = listed(
        used(V.IN_USE),
        ready(use=IDLE),
        used(V.CONNECTED, clock(14, 0)),
        used(V.UNKNOWN, clock(13, 10), why=Missed.NO_ANSWER),
        used(V.IDLE, clock(9, 0, day=22)),
        used(V.UNKNOWN, clock(15, 0)),  # as people who may not see the reason read it
        ready(),
    )
    shown = message(lists.listing(live, everyone=False, reader=reading(NOW)), NOW)
    assert shown == snapshot("""\
Ready: 1x H100 (k7mq2) in EU. In use. It ends at 18:40. $2.42/h, $4.96 so far.   [Details]
Ready: 1x H100 (k7mq2) in EU. Idle for 1 h 55 min. It ends at 18:40. $2.42/h, $4.96 so far.
      [Details]
Ready: 1x H100 (k7mq2) in EU. Connected but idle for 2 h. It ends at 18:40. $2.42/h, $4.96 so far.
      [Details]
Ready: 1x H100 (k7mq2) in EU. I haven't been able to monitor it since 13:10 (no answer over SSH). It
      ends at 18:40. $2.42/h, $4.96 so far.   [Details]
Ready: 1x H100 (k7mq2) in EU. Idle for 2 days 7 h. It ends at 18:40. $2.42/h, $4.96 so far.
      [Details]
Ready: 1x H100 (k7mq2) in EU. I haven't been able to monitor it since 15:00. It ends at 18:40.
      $2.42/h, $4.96 so far.   [Details]
Ready: 1x H100 (k7mq2) in EU. It ends at 18:40. $2.42/h, $4.96 so far.   [Details]
  Your running machines cost $16.94/h, $34.72 so far. The team's running machines cost $16.94/h in
      all. /gpu spend shows November.\
""")


def test_show_has_gpu_readings_and_marks_that_are_only_visual() -> None:
    eight = ready(use=Use(status=V.IN_USE, since=SINCE), request=request(count=8))
    busy = RecentUse(gpus=gpus(*[98] * 8, memory_mib=73_000, watts=640), connections=1, hours=HOURS)
    one = RecentUse(gpus=gpus(0, 4, 0, 97, 3, None, None, 0), hours=HOURS)
    rests = RecentUse(gpus=gpus(0), hours=(None,) * 23 + (0,))
    probed = RecentUse(gpus=gpus(0), new_connections=1, hours=(None,) * 23 + (0,))
    assert page(
        show(changed(eight, recent_use=busy)),
        show(changed(eight, recent_use=one)),
        show(changed(ready(use=IDLE), recent_use=rests)),
        show(changed(ready(use=IDLE), recent_use=probed)),
        show(changed(used(V.UNKNOWN, why=Missed.NO_UTILIZATION), recent_use=RecentUse(hours=HOURS))),
        show(ready(use=IDLE), BEN),
        show(changed(used(V.UNKNOWN, why=Missed.REFUSED), recent_use=RecentUse(hours=(None,) * 24))),
    ) == snapshot("""\

Ready: 8x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.
In use. In the last 30 min: GPUs 0-7 at up to 98%, 1 SSH connection. Each GPU uses up to 71 GiB and
      640 W.
  GPU load over the last day  ·········▁▁▂▇▇▇▅▁▁▄▂▃▆▂▁ (not in the fallback)
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 8x H100 (k7mq2).

Ready: 8x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.
In use. In the last 30 min: GPUs 0-2 at up to 4%, GPU 3 at up to 97%, GPU 4 at up to 3%, GPUs 5-6
      without a reading, GPU 7 at 0%, nobody connected.
  GPU load over the last day  ·········▁▁▂▇▇▇▅▁▁▄▂▃▆▂▁ (not in the fallback)
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 8x H100 (k7mq2).

Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.
Idle for 1 h 55 min. In the last 30 min: GPU 0 at 0%, nobody connected.
  GPU load over the last day  ·······················▁ (not in the fallback)
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).

Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.
Idle for 1 h 55 min. In the last 30 min: GPU 0 at 0%, 1 new SSH connection.
  GPU load over the last day  ·······················▁ (not in the fallback)
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).

Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.
I haven't been able to monitor it since 12:42 (a GPU doesn't report its usage, as in MIG mode).
  GPU load over the last day  ·········▁▁▂▇▇▇▅▁▁▄▂▃▆▂▁ (not in the fallback)
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).

Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.
Idle for 1 h 55 min.
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).

Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.
I haven't been able to monitor it since 12:42 (it rejects my key).
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).
""")


def test_a_history_has_the_last_changes_of_the_usage_status() -> None:
    def change(minute: int, status: UsageStatus, **more: Any) -> Any:
        since = clock(12, 45) + minute * M
        use = Use(status=status, since=since, **more)
        return happened(K.USE_CHANGED, since + 5 * M, status=status, since=since, use=use)

    blips = [change(7 * n, V.IDLE if n % 2 else V.IN_USE) for n in range(10)]
    unseen = change(90, V.UNKNOWN, why=Missed.HOST_KEY_CHANGED)
    events = [*blips, change(75, V.CONNECTED), unseen]
    assert show(ready(*events, use=unseen.facts.use)) == snapshot("""\
Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.
I haven't been able to monitor it since 14:15 (its host key changed).
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  6 earlier events aren't shown.
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).
  13:32  In use since 13:27.
  13:39  Idle since 13:34.
  13:46  In use since 13:41.
  13:53  Idle since 13:48.
  14:05  Connected but idle since 14:00.
  14:20  I haven't been able to monitor it since 14:15 (its host key changed).\
""")


def test_approvers_read_if_the_requesters_other_machines_are_idle() -> None:
    asks = waiting()
    here, other = asks.owners_live
    idle = changed(asks, owners_live=(here, changed(other, use=IDLE)))
    assert "Also running: 1x A100 (a2bc3), idle for 1 h 55 min" in approval(ASKED, idle, NOW)
    works = changed(asks, owners_live=(here, changed(other, use=changed(IDLE, status=V.IN_USE))))
    assert "Also running: 1x A100 (a2bc3), in use" in approval(ASKED, works, NOW)


GONE = happened(
    K.ENDED, clock(18, 41), end=State.DESTROYED, rate=Decimal("2.42"), amount=14_681_333, estimated=False
)
COSTS = UseCosts(used=7_381_333, connected=3_000_000, idle=3_100_000, unknown=1_200_000)


@given(amounts=st.lists(some.amount, min_size=4, max_size=4))
def test_the_shown_shares_add_up_to_the_cost(amounts: list[int]) -> None:
    costs = UseCosts(used=amounts[0], connected=amounts[1], idle=amounts[2], unknown=amounts[3])

    def cents(text: str) -> list[int]:
        return [int(shown.replace(",", "").replace(".", "")) for shown in re.findall(r"\$([\d,.]*\d)", text)]

    if costs.known and sum(amounts) >= 10_000:
        assert sum(cents(use_shares(costs))) == sum(cents(dollars(sum(amounts))))


def test_the_receipt_shows_idle_cost_of_at_least_a_cent() -> None:
    asked = happened(K.STILL_NEEDED, clock(14, 40), id=8)
    over = changed(gone(asked, GONE), use_costs=COSTS)
    all_used = changed(over, use_costs=UseCosts(used=14_677_333, idle=4_000))
    before = changed(gone(GONE), use_costs=UseCosts(unknown=14_681_333))
    lives = changed(ready(), use_costs=UseCosts(used=3_160_000, idle=1_300_000, unknown=500_000))
    cards = [card(details, NOW) for details in (over, all_used, before)]
    said = [thread(GONE, over), thread(GONE, all_used), direct(asked, over, clock(18, 41))]
    assert page(*cards, *said, *map(show, (over, all_used, before, lives))) == snapshot("""\

(fallback) Ended at 18:41: 1x H100 (k7mq2) in EU for Ana.
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. $3.10 of that was idle time. The vendor
      confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2) in EU for Ana*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Idle: $3.10
| Deletion: confirmed

(fallback) Ended at 18:41: 1x H100 (k7mq2) in EU for Ana.
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2) in EU for Ana*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed

(fallback) Ended at 18:41: 1x H100 (k7mq2) in EU for Ana.
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2) in EU for Ana*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed

This machine ended at 18:41, confirmed by the vendor. It cost $14.68, of which $3.10 was idle.

This machine ended at 18:41, confirmed by the vendor. It cost $14.68.

(fallback) Ended at 18:41: 1x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. $3.10 of that was idle time. The vendor
      confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Idle: $3.10
| Deletion: confirmed
  Computed from price and time; the invoice may differ.

Ended: 1x H100 (k7mq2) in EU for Ana.
  $14.68 for 6 h 4 min. Cost by usage: $7.38 in use, $3.00 connected but idle, $3.10 idle and $1.20
      not monitored. Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).
  14:40  I asked Ana whether this machine is still needed.
  18:41  This machine ended, confirmed by the vendor. It cost $14.68, of which $3.10 was idle.

Ended: 1x H100 (k7mq2) in EU for Ana.
  $14.68 for 6 h 4 min. Cost by usage: $14.68 in use. Nebius eu-north1. Cost limits: $2.47/h and
      $16.06 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).
  14:40  I asked Ana whether this machine is still needed.
  18:41  This machine ended, confirmed by the vendor. It cost $14.68.

Ended: 1x H100 (k7mq2) in EU for Ana.
  $14.68 for 6 h 4 min. Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run
      7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).
  18:41  This machine ended, confirmed by the vendor. It cost $14.68.

Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.
  Cost by usage: $3.16 in use, $1.30 idle and $0.50 not monitored. Nebius eu-north1. Cost limits:
      $2.47/h and $16.06 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).
""")


def test_the_idle_cost_is_left_out_once_more_was_billed_later() -> None:
    later = changed(gone(GONE), use_costs=COSTS, spent=AccruedCost(amount=15_000_000, estimated=False))
    assert "idle" not in thread(GONE, later)


def test_marks_distinguish_busy_idle_and_unmonitored_hours() -> None:
    assert day_marks(RecentUse(hours=(None, 0, 1, 16, 17, 50, 84, 99, 100))) == "·▁▂▂▃▅▇▇▇"
