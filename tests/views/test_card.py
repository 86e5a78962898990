"""The card of a rental in each of its states."""

from __future__ import annotations

from decimal import Decimal

import pytest
from inline_snapshot import snapshot

from bot.model.attempt import AttemptState, Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.machine_use import OnEnding, OnEndingState, SetupProgress, SetupState
from bot.model.message import MessageKind
from bot.model.rental import Alarm, Blocked, Decider, Ending, PendingDecision
from bot.model.state import State
from handlers.ids import Action
from handlers.messages import lists
from handlers.messages.card import REFRESH_AFTER_END
from handlers.messages.card import card as card_of
from tests.views.screens import buttons, card, message, outbox, page
from tests.views.stories import (
    ANA,
    ASKED,
    BEN,
    CARL,
    HYPERSTACK,
    LONGER,
    NEBIUS,
    RULES,
    SCALEWAY,
    attempt,
    clock,
    gone,
    happened,
    lease,
    making,
    reading,
    ready,
    request,
    waiting,
)

K = EventKind


def test_a_pending_request_says_who_decides_and_when_it_expires() -> None:
    dearer = waiting(decision=PendingDecision(decider=Decider.OWNER, why=Why.DEARER, expires_at=clock(22, 5)))
    assert page(card(waiting(), clock(14, 5)), card(dearer, clock(14, 5))) == snapshot("""\

(fallback) Waiting for approval: 8x H100 (p4wd9) in EU for Ana at up to $21.16/h.
*Waiting for approval: 8x H100 (p4wd9) in EU for Ana at up to $21.16/h*
The request expires at 22:05.
[Change] [Add teammate] [Withdraw]

(fallback) Waiting for Ana: 8x H100 (p4wd9) in EU for Ana at up to $21.16/h.
*Waiting for Ana: 8x H100 (p4wd9) in EU for Ana at up to $21.16/h*
The offers that are left cost more than the price accepted before. The request expires at 22:05.
[Accept up to $21.16/h] [Change] [Add teammate] [Withdraw]
""")


def test_the_card_does_not_repeat_a_request_in_the_same_channel() -> None:
    asked = changed(ASKED, facts=changed(ASKED.facts, people=(BEN,), admins_decide=False))
    details = changed(waiting(card_channel=RULES.approvals_to), events=(asked,))
    assert page(card(details, clock(14, 5))) == snapshot("""\

(fallback) Waiting for approval: 8x H100 (p4wd9) in EU for Ana.
*Waiting for approval: 8x H100 (p4wd9) in EU for Ana*
Ben was asked.
[Change] [Add teammate] [Withdraw]
""")


def test_the_checklist_shows_the_vendor_and_the_time_since_the_click() -> None:
    blocked = Blocked(since=clock(12, 37), why=Why.OUTAGE)
    on_hold = changed(making(), rental=changed(making().rental, blocked=blocked))
    unclear = changed(attempt(1, HYPERSTACK, clock(12, 36), AttemptState.UNKNOWN), why=Why.NO_ANSWER)
    assert page(
        card(making(), clock(12, 36)),
        card(making(), clock(12, 37, 40)),
        card(on_hold, clock(12, 37, 40)),
        card(changed(on_hold, attempts=(unclear,)), clock(12, 37, 40)),
    ) == snapshot("""\

(fallback) Starting: 1x H100 (k7mq2) in EU for Ana. Hyperstack is starting the machine at $2.15/h.
# Starting: 1x H100 (k7mq2) in EU for Ana
- in_progress: Hyperstack at $2.15/h
- pending: Waiting for SSH
[Details] [Cancel]

(fallback) Starting: 1x H100 (k7mq2) in EU for Ana. Hyperstack is starting the machine at $2.15/h. 1
      min 40 s of about 3 min have passed.
# Starting: 1x H100 (k7mq2) in EU for Ana
- in_progress: Hyperstack at $2.15/h, 1 min 40 s of about 3 min
- pending: Waiting for SSH
[Details] [Cancel]

(fallback) Starting: 1x H100 (k7mq2) in EU for Ana. Hyperstack is starting the machine at $2.15/h. 1
      min 40 s of about 3 min have passed. It's on hold because Compute Clear isn't responding.
# Starting: 1x H100 (k7mq2) in EU for Ana
- in_progress: Hyperstack at $2.15/h, 1 min 40 s of about 3 min, on hold because Compute Clear isn't
      responding
- pending: Waiting for SSH
[Details] [Cancel]

(fallback) Starting: 1x H100 (k7mq2) in EU for Ana. I'm checking whether the purchase at Hyperstack
      succeeded. 1 min 40 s of about 3 min have passed. It's on hold because Compute Clear isn't
      responding.
# Starting: 1x H100 (k7mq2) in EU for Ana
- in_progress: Checking whether the purchase at Hyperstack succeeded, 1 min 40 s of about 3 min, on
      hold because Compute Clear isn't responding
- pending: Waiting for SSH
[Details] [Cancel]
""")


def test_the_checklist_names_the_approver_and_the_last_failed_attempts() -> None:
    approved = happened(K.APPROVED, clock(12, 35), BEN)
    failed = [
        changed(attempt(n, of, clock(12, 36, n), AttemptState.FAILED), why=why)
        for n, (of, why) in enumerate(
            (
                (SCALEWAY, Why.NO_ANSWER),
                (SCALEWAY, Why.EXPIRED),
                (HYPERSTACK, Why.SOLD_OUT),
                (HYPERSTACK, Why.RATE_LIMITED),
                (NEBIUS, Why.TOO_SLOW),
            )
        )
    ]
    bought = attempt(6, NEBIUS, clock(12, 37))
    at_nebius = changed(making(), rental=changed(making().rental, vendor="nebius", rate=Decimal("2.42")))
    accepted = happened(K.APPROVED, clock(12, 35), ANA)
    assert page(
        card(changed(at_nebius, events=(approved,), attempts=(failed[2], bought)), clock(12, 37, 40)),
        card(changed(making(), events=(accepted,), attempts=(failed[2],)), clock(12, 37, 40)),
        card(changed(at_nebius, attempts=(*failed, bought)), clock(12, 37, 40)),
    ) == snapshot("""\

(fallback) Starting: 1x H100 (k7mq2) in EU for Ana. Ben approved it. Hyperstack seems to be sold
      out. Nebius is starting the machine at $2.42/h. 1 min 40 s of about 3 min have passed.
# Starting: 1x H100 (k7mq2) in EU for Ana
- complete: Ben approved it
- error: Hyperstack seems to be sold out
- in_progress: Nebius at $2.42/h, 1 min 40 s of about 3 min
- pending: Waiting for SSH
[Details] [Cancel]

(fallback) Starting: 1x H100 (k7mq2) in EU for Ana. Hyperstack seems to be sold out. I'm trying the
      next offer. 1 min 40 s of about 3 min have passed.
# Starting: 1x H100 (k7mq2) in EU for Ana
- error: Hyperstack seems to be sold out
- in_progress: Trying the next offer, 1 min 40 s of about 3 min
- pending: Waiting for SSH
[Details] [Cancel]

(fallback) Starting: 1x H100 (k7mq2) in EU for Ana. 2 earlier attempts, not shown here. Hyperstack
      seems to be sold out. Hyperstack: Compute Clear asked me to slow down. Nebius didn't get the
      machine ready in time. Nebius is starting the machine at $2.42/h. 1 min 40 s of about 3 min
      have passed.
# Starting: 1x H100 (k7mq2) in EU for Ana
- error: 2 earlier attempts, not shown here
- error: Hyperstack seems to be sold out
- error: Hyperstack: Compute Clear asked me to slow down
- error: Nebius didn't get the machine ready in time
- in_progress: Nebius at $2.42/h, 1 min 40 s of about 3 min
- pending: Waiting for SSH
[Details] [Cancel]
""")


def test_a_ready_machine_shows_its_price_and_end() -> None:
    assert page(
        card(ready(), clock(12, 41)),
        card(ready(lease=lease(clock(9, 0, day=25))), clock(12, 41)),
        card(ready(extension=LONGER), clock(18, 10)),
        card(ready(extension=changed(LONGER, asked_by=CARL)), clock(18, 10)),
    ) == snapshot("""\

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends tomorrow at 09:00. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: tomorrow at 09:00
| Price: $2.42/h since 12:37
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. If the request for more time is approved, it ends tomorrow at 18:40. It
      has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40, or tomorrow at 18:40 if the request for more time is approved
| Price: $2.42/h since 12:37
Ana asked for more time.
  fine-tune run 7
[Withdraw the request] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. If the request for more time is approved, it ends tomorrow at 18:40. It
      has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40, or tomorrow at 18:40 if the request for more time is approved
| Price: $2.42/h since 12:37
Carl asked for more time.
  fine-tune run 7
[Withdraw the request] [Details] [Destroy k7mq2]
""")


def test_the_card_of_a_machine_past_its_end_shows_no_end() -> None:
    end = clock(18, 40)
    script = OnEnding(state=OnEndingState.RUNNING, end=end)
    movable = changed(lease(), latest_end=clock(20, 40))
    assert page(
        card(ready(), end),
        card(ready(on_ending=script, on_ending_at=clock(18, 26)), clock(18, 41)),
        card(ready(lease=movable), clock(18, 41)),
    ) == snapshot("""\

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It has reached its end, and I'll destroy it as soon as I can. It has cost $2.42/h since
      12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: now
| Price: $2.42/h since 12:37
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It has reached its end, and I'll destroy it as soon as its script /root/on-ending.sh is
      done. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: as soon as its script /root/on-ending.sh is done
| Price: $2.42/h since 12:37
  fine-tune run 7
  The script /root/on-ending.sh has been running since 18:26.
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It has reached its end, and I'm checking whether its GPUs are busy. It has cost $2.42/h
      since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: now, unless its GPUs are busy
| Price: $2.42/h since 12:37
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]
""")


def test_the_card_is_rendered_again_shortly_after_the_end() -> None:
    shown = card_of(ready(), reading(clock(12, 41)))
    assert shown.refresh_after == clock(18, 40) - clock(12, 41) + REFRESH_AFTER_END
    assert card_of(ready(), reading(clock(18, 41))).refresh_after is None


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (SetupProgress(state=SetupState.RUNNING), 'Setup "torch" is running.'),
        (SetupProgress(state=SetupState.DONE), 'Setup "torch" is done.'),
        (SetupProgress(state=SetupState.FAILED, line=12), 'Setup "torch" failed at line 12.'),
        (SetupProgress(state=SetupState.FAILED), 'Setup "torch" failed.'),
    ],
)
def test_the_card_and_details_show_the_progress_of_the_setup_script(progress: SetupProgress, words: str) -> None:
    details = ready(request=request(setup="torch"), setup_progress=progress)
    now = clock(12, 50)
    assert f"  {words}\n" in card(details, now)
    assert words in message(lists.show(details, reader=reading(now, ANA)), now).replace("\n      ", " ")
    without = changed(details, rental=changed(details.rental, setup_progress=None))
    assert "Setup" not in card(without, now)


def test_a_request_for_more_time_can_be_withdrawn_on_the_card() -> None:
    shown = outbox(MessageKind.CARD, ready(extension=LONGER), clock(18, 10))
    assert shown is not None
    assert next(buttons(shown.blocks))["action_id"] == Action.WITHDRAW.id


def test_the_card_says_if_a_deletion_is_not_confirmed() -> None:
    alarm = Alarm(at=clock(18, 46), count=1)
    assert page(
        card(ready(state=State.DESTROYING), clock(18, 40)),
        card(ready(state=State.DESTROYING, alarm=alarm), clock(18, 47)),
        card(ready(state=State.DESTROYING, alarm=changed(alarm, acknowledged_by=CARL)), clock(18, 47)),
    ) == snapshot("""\

(fallback) Being destroyed: 1x H100 (k7mq2) in EU for Ana.
*Being destroyed: 1x H100 (k7mq2) in EU for Ana*
[Details]

(fallback) Deletion not confirmed: 1x H100 (k7mq2) in EU for Ana.
*Deletion not confirmed: 1x H100 (k7mq2) in EU for Ana*
It may still be billing $2.42/h.
[Details] [I'm on it]

(fallback) Deletion not confirmed: 1x H100 (k7mq2) in EU for Ana.
*Deletion not confirmed: 1x H100 (k7mq2) in EU for Ana*
It may still be billing $2.42/h. Carl is looking into it.
[Details]
""")


def test_the_card_of_an_ended_rental_has_a_receipt_and_no_buttons() -> None:
    assert page(
        card(gone(), clock(18, 42)),
        card(gone(state=State.CANCELLED), clock(18, 42)),
        card(gone(state=State.LOST, why=Why.VENDOR_TOOK_IT), clock(18, 42)),
        card(gone(state=State.FAILED, why=Why.TOO_SLOW), clock(18, 42)),
        *(card(waiting(state=state), clock(22, 6)) for state in (State.DENIED, State.EXPIRED, State.WITHDRAWN)),
    ) == snapshot("""\

(fallback) Ended at 18:41: 1x H100 (k7mq2) in EU for Ana.
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2) in EU for Ana*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed

(fallback) Cancelled at 12:59: 1x H100 (k7mq2) in EU for Ana.
(fallback) It cost $0.89. It was billed for 22 min at $2.42/h. The vendor confirmed the deletion.
*Cancelled at 12:59: 1x H100 (k7mq2) in EU for Ana*
| Total: $0.89
| Billed time: 22 min at $2.42/h
| Deletion: confirmed

(fallback) Lost at 18:41: 1x H100 (k7mq2) in EU for Ana. Nebius took the machine back.
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h.
*Lost at 18:41: 1x H100 (k7mq2) in EU for Ana*
Nebius took the machine back.
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h

(fallback) Failed at 12:59: 1x H100 (k7mq2) in EU for Ana. Nebius didn't get the machine ready in
      time.
(fallback) It cost $0.89. It was billed for 22 min at $2.42/h. The vendor confirmed the deletion.
*Failed at 12:59: 1x H100 (k7mq2) in EU for Ana*
Nebius didn't get the machine ready in time.
| Total: $0.89
| Billed time: 22 min at $2.42/h
| Deletion: confirmed

(fallback) Declined: 8x H100 (p4wd9) in EU for Ana.
*Declined: 8x H100 (p4wd9) in EU for Ana*
Nothing was rented.

(fallback) Expired: 8x H100 (p4wd9) in EU for Ana.
*Expired: 8x H100 (p4wd9) in EU for Ana*
Nothing was rented.

(fallback) Withdrawn: 8x H100 (p4wd9) in EU for Ana.
*Withdrawn: 8x H100 (p4wd9) in EU for Ana*
Nothing was rented.
""")


def test_the_card_names_the_person_who_ended_somebody_elses_machine() -> None:
    asked = happened(K.DESTROYING, clock(18, 40), BEN, why=Why.ASKED, end=State.DESTROYED)
    ending = Ending(outcome=State.DESTROYED, why=Why.ASKED, by=BEN, since=clock(18, 40))
    over = gone(asked)
    assert page(
        card(ready(asked, state=State.DESTROYING, ending=ending), clock(18, 40)),
        card(changed(over, rental=changed(over.rental, ending=ending)), clock(18, 42)),
    ) == snapshot("""\

(fallback) Being destroyed by Ben: 1x H100 (k7mq2) in EU for Ana.
*Being destroyed by Ben: 1x H100 (k7mq2) in EU for Ana*
[Details]

(fallback) Ended by Ben at 18:41: 1x H100 (k7mq2) in EU for Ana.
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended by Ben at 18:41: 1x H100 (k7mq2) in EU for Ana*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
""")
