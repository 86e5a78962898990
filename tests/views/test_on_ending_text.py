"""Messages about `/root/on-ending.sh` before, at and after the end of a machine."""

from __future__ import annotations

from datetime import datetime
from textwrap import fill
from typing import Any

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.machine_use import OnEnding, OnEndingRefused
from bot.model.machine_use import OnEndingState as S
from bot.model.rental import GracefulDestroy, Rental
from bot.model.summary import RentalDetails
from handlers.actions.rentals import destroy_dialog
from handlers.messages import lists, replies, ssh_lines
from handlers.messages.render import history_text
from handlers.phrases.lease_buttons import extend_button
from tests.views.screens import card, dialog, direct, message, page, read, thread
from tests.views.stories import ANA, BEN, READY_EVENT, M, clock, gone, happened, lease, reading, ready, request

K = EventKind
SEEN, END, LATE = clock(18, 26), clock(18, 40), clock(18, 41)
NOTICE = happened(K.ENDING, clock(18, 10), id=12, until=END)
FAILED = OnEnding(state=S.FAILED, end=END, status=1)


def machine(state: S | OnEnding, at: datetime = SEEN, *events: Any, **more: Any) -> RentalDetails:
    """Return k7mq2, whose script has reported this state since `at`."""
    script = state if isinstance(state, OnEnding) else OnEnding(state=state, end=None if state is S.THERE else END)
    return ready(*events, on_ending=script, on_ending_at=at, **more)


def destroyed_gracefully(state: S) -> RentalDetails:
    """Return k7mq2, which Ben is destroying gracefully, at 14:10 at the latest."""
    end = clock(14, 10)
    first = GracefulDestroy(by=BEN, ends_at=END)
    script = OnEnding(state=state, end=None if state is S.THERE else end)
    given = changed(lease(end), graceful_destroy=first)
    return ready(FIRST, lease=given, on_ending=script, on_ending_at=clock(14, 1))


FIRST = happened(K.GRACEFUL_DESTROY, clock(14, 0), id=12, actor=BEN, until=clock(14, 10), since=END)


def test_the_card_shows_the_time_and_outcome_of_the_script() -> None:
    refused = [OnEnding(state=S.REFUSED, why=why) for why in OnEndingRefused]
    cards = [
        card(machine(S.THERE), clock(13, 0)),
        card(machine(S.THERE), clock(18, 30)),
        card(machine(S.RUNNING), clock(18, 30)),
        card(machine(S.DONE), clock(18, 30)),
        card(machine(FAILED), clock(18, 30)),
        card(machine(FAILED), LATE),
        card(machine(OnEnding(state=S.DONE, end=clock(13, 0))), clock(13, 0)),
        card(machine(OnEnding(state=S.NONE)), clock(13, 0)),
        *(card(machine(one), clock(13, 0)) for one in refused),
    ]
    assert page(*(shown.removesuffix("\n[Details] [Extend] [Destroy k7mq2]") for shown in cards)) == snapshot("""\

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
  The script /root/on-ending.sh starts at 18:25.
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
  The script /root/on-ending.sh hasn't started yet.
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
  The script /root/on-ending.sh has been running since 18:26.
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
  The script /root/on-ending.sh finished at 18:26.
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
  The script /root/on-ending.sh failed at 18:26 (exit 1), so check the machine before 18:40.
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It has reached its end, and I'll destroy it as soon as I can. It has cost $2.42/h since
      12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: now
| Price: $2.42/h since 12:37
  fine-tune run 7
  The script /root/on-ending.sh failed at 18:26 (exit 1).
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
  The script /root/on-ending.sh starts at 18:25.
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
  The machine won't run its script /root/on-ending.sh: that isn't a regular file. Put the script
      itself at /root/on-ending.sh, not a link.
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
  The machine won't run its script /root/on-ending.sh: the script isn't executable. Type chmod 700
      /root/on-ending.sh on the machine.
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
  The machine won't run its script /root/on-ending.sh: the script or /root doesn't belong to root.
      Type chown root /root /root/on-ending.sh on the machine.
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
  The machine won't run its script /root/on-ending.sh: others can write to the script or to /root.
      Type chmod go-w /root /root/on-ending.sh on the machine.
[Extend] [Details] [Destroy k7mq2]
""")


def test_a_kept_machine_is_said_to_keep_running_and_what_that_costs() -> None:
    until = clock(8, 0, day=25)
    kept = happened(
        *(K.KEPT_AFTER_FAILURE, clock(18, 26)), id=13, until=until, since=END, estimate=32_871_667, exit_status=1
    )
    before = machine(S.THERE, clock(13, 0), NOTICE, lease=changed(lease(END), kept_until=until))
    after = machine(FAILED, clock(18, 26), NOTICE, kept, lease=lease(until))
    assert page(
        direct(NOTICE, before, clock(18, 10)),
        direct(kept, after, clock(18, 26)),
        direct(NOTICE, after, clock(18, 26)),
        thread(kept, after),
        read(history_text(kept, after, reading(clock(18, 30)), money=False), clock(18, 30)),
    ) == snapshot("""\

*Your 1x H100 (k7mq2) ends at 18:40, in 30 min.* Copy your results off: the disk is deleted with it.
  The script /root/on-ending.sh starts at 18:25. If it fails, the machine keeps running, until
      tomorrow at 08:00 at the latest.
[Extend 2 h, about $4.84] [Destroy k7mq2]

*The script /root/on-ending.sh failed on 1x H100 (k7mq2) at 18:26 (exit 1), so it keeps running
      until tomorrow at 08:00.* That costs up to $32.88. To see why, read
      /var/lib/gpubot/on-ending.log before the disk is deleted tomorrow at 08:00.
[Extend 2 h, about $4.84] [Destroy k7mq2]

*Kept, because saving failed: 1x H100 (k7mq2)*. It ends tomorrow at 08:00.

(nothing)

The script /root/on-ending.sh failed on this machine (exit 1), so it keeps running until tomorrow at 08:00.
""")


def test_the_button_for_more_time_includes_the_time_for_which_the_machine_is_then_kept() -> None:
    """The time until the next morning is approved already. An end on the next day adds a night."""
    wanted, morning = request(keep_if_failed=True), clock(8, 0, day=25)
    paid = machine(S.THERE, request=wanted, lease=changed(lease(END), kept_until=morning)).rental
    kept = changed(paid, lease=changed(paid.running_lease, ends_at=morning, kept_until=None))
    total = changed(kept, request=changed(wanted, max_total=8_000_000))
    ends = changed(kept, request=request())
    labels = [button_label(one) for one in (paid, kept, total, ends)]
    assert labels == [
        "Extend 2 h, about $4.84",
        "Extend 2 h, about $4.84, up to $58.08 if saving fails",
        "Extend 2 h, about $4.84, up to $58.08, over the request's $8.00",
        "Extend 2 h, about $4.84",
    ]


def button_label(rental: Rental) -> str:
    button = extend_button(rental, reading(clock(18, 26)))
    assert button is not None
    label = button["text"]["text"]
    assert isinstance(label, str)
    return label


def test_notices_and_receipts_mention_the_script_and_failures_get_a_message() -> None:
    failure = happened(K.SCRIPT_FAILED, clock(18, 26), id=13, until=END, exit_status=1)
    over = gone(on_ending=FAILED, on_ending_at=clock(18, 26))
    still = gone(on_ending=OnEnding(state=S.RUNNING, end=END), on_ending_at=clock(18, 26))
    assert page(
        direct(NOTICE, machine(S.THERE, clock(13, 0), NOTICE), clock(18, 10)),
        direct(NOTICE, machine(S.DONE, clock(18, 26), NOTICE), clock(18, 26)),
        direct(failure, machine(FAILED, clock(18, 26), NOTICE, failure), clock(18, 26)),
        thread(failure, machine(FAILED, clock(18, 26), NOTICE, failure)),
        direct(NOTICE, over, clock(18, 50)),
        direct(NOTICE, still, clock(18, 50)),
        card(over, clock(18, 50)),
    ) == snapshot("""\

*Your 1x H100 (k7mq2) ends at 18:40, in 30 min.* Copy your results off: the disk is deleted with it.
  The script /root/on-ending.sh starts at 18:25.
[Extend 2 h, about $4.84] [Destroy k7mq2]

*Your 1x H100 (k7mq2) ends at 18:40, in 14 min.* Copy your results off: the disk is deleted with it.
  The script /root/on-ending.sh finished at 18:26.
[Extend 2 h, about $4.84] [Destroy k7mq2]

*The script /root/on-ending.sh failed on 1x H100 (k7mq2) at 18:26 (exit 1).* To see why, read
      /var/lib/gpubot/on-ending.log before the disk is deleted at 18:40.
[Extend 2 h, about $4.84] [Destroy k7mq2]

(nothing)

(fallback) Ended at 18:41: 1x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.
  The script /root/on-ending.sh failed at 18:26 (exit 1).

(fallback) Ended at 18:41: 1x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.
  The script /root/on-ending.sh was still running at the end.

(fallback) Ended at 18:41: 1x H100 (k7mq2) in EU for Ana.
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2) in EU for Ana*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  The script /root/on-ending.sh failed at 18:26 (exit 1).
""")


def test_the_ssh_answer_mentions_the_script_or_that_one_is_possible() -> None:
    reader = reading(clock(13, 0), ANA)
    none = machine(OnEnding(state=S.NONE), clock(13, 0))
    refused = machine(OnEnding(state=S.REFUSED, why=OnEndingRefused.NOT_EXECUTABLE), clock(13, 0))
    ready_message = direct(READY_EVENT, none, clock(13, 0)).splitlines()
    answers = [ssh_lines.ssh(details, reader).text.splitlines() for details in (none, refused)]
    assert page(
        "\n".join(line for line in ready_message if "on-ending" in line),
        *("\n".join(fill(line, 100) for line in answer if "on-ending" in line) for answer in answers),
    ) == snapshot("""\



If you put a script at /root/on-ending.sh, it runs 15 min before the machine ends.

The machine won't run its script /root/on-ending.sh: the script isn't executable. Type chmod 700
/root/on-ending.sh on the machine.
""")


def test_the_destroy_dialog_offers_to_run_the_script_first() -> None:
    assert page(
        dialog(destroy_dialog(machine(S.THERE), 10 * M), clock(14, 0)),
        dialog(destroy_dialog(destroyed_gracefully(S.RUNNING)), clock(14, 2)),
    ) == snapshot("""\

== Destroy k7mq2? ==
! Everything on the disk will be deleted.
Ana's 1x H100 (k7mq2). It has cost $4.96 so far.
Before the machine is destroyed: [x] Run /root/on-ending.sh first, for up to 10 min
[Destroy k7mq2] [Go back]

== Destroy k7mq2? ==
! Everything on the disk will be deleted.
Ana's 1x H100 (k7mq2). I won't wait for its script /root/on-ending.sh. It has cost $4.96 so far.
[Destroy k7mq2] [Go back]
""")


def test_a_graceful_destroy_can_be_cancelled_or_made_immediate() -> None:
    there, done = destroyed_gracefully(S.THERE), destroyed_gracefully(S.RUNNING)
    near = changed(done.rental.running_lease, graceful_destroy=GracefulDestroy(by=BEN, ends_at=clock(14, 5)))
    reader = reading(clock(14, 2), ANA)
    assert page(
        card(there, clock(14, 0)),
        card(done, clock(14, 2)),
        card(changed(done, rental=changed(done.rental, lease=near)), clock(14, 2)),
        direct(FIRST, done, clock(14, 2)),
        direct(READY_EVENT, done, clock(14, 2)),
        thread(FIRST, done),
        message(replies.graceful_destroy(done.rental, reader.times), clock(14, 2)),
        message(lists.show(done, reader), clock(14, 2)),
    ) == snapshot("""\

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Price: $2.42/h since 12:37
As Ben asked, I'll destroy it when its script /root/on-ending.sh is done, at 14:10 at the latest.
  fine-tune run 7
[Keep k7mq2] [Details] [Destroy k7mq2 now]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Price: $2.42/h since 12:37
As Ben asked, I'll destroy it when its script /root/on-ending.sh is done, at 14:10 at the latest.
  fine-tune run 7
  The script /root/on-ending.sh has been running since 14:01.
[Keep k7mq2] [Details] [Destroy k7mq2 now]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Price: $2.42/h since 12:37
As Ben asked, I'll destroy it when its script /root/on-ending.sh is done, at 14:10 at the latest.
  fine-tune run 7
  The script /root/on-ending.sh has been running since 14:01.
[Extend] [Details] [Destroy k7mq2 now]

As Ben asked, I'll destroy your 1x H100 (k7mq2) when its script /root/on-ending.sh is done, at 14:10
      at the latest. The script /root/on-ending.sh has been running since 14:01.
[Keep k7mq2] [Destroy k7mq2 now]

(fallback) Your 1x H100 (k7mq2) will be destroyed soon.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 14:10. It costs $2.42/h, at most $16.06 in all. Your key "you@laptop" works.
      It runs at Nebius eu-north1.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Your 1x H100 (k7mq2) will be destroyed soon
As Ben asked, I'll destroy it when its script /root/on-ending.sh is done, at 14:10 at the latest.
      The script /root/on-ending.sh has been running since 14:01.
$ ssh root@203.0.113.7
| Ends: 14:10
| Price: $2.42/h, at most $16.06
| Keys: Your key "you@laptop" works
| Place: Nebius eu-north1
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Keep k7mq2] [SSH config and keys] [Destroy k7mq2 now]

As Ben asked, I'll destroy this machine when its script /root/on-ending.sh is done, at 14:10 at the
      latest.

I'll destroy 1x H100 (k7mq2) when its script /root/on-ending.sh is done, at 14:10 at the latest.
[Keep k7mq2] [Destroy k7mq2 now]

Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 14:10. $2.42/h, $4.96 so far.
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. The script /root/on-ending.sh has been
      running since 14:01. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).
  14:00  As Ben asked, I'll destroy this machine when its script /root/on-ending.sh is done, at
      14:10 at the latest.
""")


def test_a_cancelled_graceful_destroy_restores_the_previous_end() -> None:
    kept = happened(K.EXTENDED, clock(14, 3), id=13, actor=ANA, until=END, span=270 * M)
    script = OnEnding(state=S.DONE, end=clock(14, 10))
    details = ready(FIRST, kept, on_ending=script, on_ending_at=clock(14, 4))
    assert page(direct(FIRST, details, clock(14, 5)), card(details, clock(14, 5))) == snapshot("""\

*Extended: 1x H100 (k7mq2)*. It ends at 18:40.

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
  The script /root/on-ending.sh starts at 18:25.
[Extend] [Details] [Destroy k7mq2]
""")
