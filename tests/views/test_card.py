"""The card of a rental, in each of its states."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from bot.model.attempt import Why
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


def test_a_request_that_waits_says_who_decides_until_when() -> None:
    dearer = waiting(decision=PendingDecision(decider=Decider.OWNER, why=Why.DEARER, expires_at=clock(22, 5)))
    assert page(card(waiting(), clock(14, 5)), card(dearer, clock(14, 5))) == snapshot("""\

*Waiting for approval*: 8x H100 (p4wd9) in EU for Ana. Up to $21.16/h. Expires at 22:05.
[Change] [Add teammate] [Withdraw]

*Waiting for Ana*: 8x H100 (p4wd9) in EU for Ana. The offers that are left cost more than was
      accepted. Up to $21.16/h. Expires at 22:05.
[Accept up to $21.16/h] [Change] [Add teammate] [Withdraw]
""")


def test_the_card_of_a_request_does_not_repeat_the_request_in_the_same_channel() -> None:
    asked = changed(ASKED, facts=changed(ASKED.facts, people=(BEN,), admins_decide=False))
    details = changed(waiting(card_channel=RULES.approvals_to), events=(asked,))
    assert page(card(details, clock(14, 5))) == snapshot("""\

*Waiting for approval*: 8x H100 (p4wd9) in EU for Ana. Ben was asked.
[Change] [Add teammate] [Withdraw]
""")


def test_a_machine_that_starts_shows_the_time_since_the_click_and_a_bar_that_the_fallback_text_leaves_out() -> (
    None
):
    blocked = Blocked(since=clock(12, 37), why=Why.OUTAGE)
    tried = (attempt(1, HYPERSTACK, clock(12, 36)), attempt(2, NEBIUS, clock(12, 37, 30)))
    held_up = changed(making(), rental=changed(making().rental, blocked=blocked))
    assert page(
        card(making(), clock(12, 36)),
        card(making(), clock(12, 37, 40)),
        card(held_up, clock(12, 37, 40)),
        card(changed(making(), attempts=tried), clock(12, 37, 40)),
    ) == snapshot("""\

*Starting*: 1x H100 (k7mq2) in EU for Ana. Hyperstack nor-1, $2.15/h.
  ▱▱▱▱▱▱▱▱▱▱ (not in the fallback)
[Details] [Cancel]

*Starting*: 1x H100 (k7mq2) in EU for Ana. 1 min 40 s of about 3 min. Hyperstack nor-1, $2.15/h.
  ▰▰▰▰▰▱▱▱▱▱ (not in the fallback)
[Details] [Cancel]

*Starting*: 1x H100 (k7mq2) in EU for Ana. Held up: Compute Clear isn't responding. 1 min 40 s of
      about 3 min. Hyperstack nor-1, $2.15/h.
  ▰▰▰▰▰▱▱▱▱▱ (not in the fallback)
[Details] [Cancel]

*Starting*: 1x H100 (k7mq2) in EU for Ana. 1 min 40 s of about 3 min. Hyperstack nor-1, $2.15/h.
  ▰▰▰▰▰▱▱▱▱▱ (not in the fallback)
[Details] [Cancel]
""")


def test_a_ready_machine_says_its_price_and_its_end_with_the_day_if_it_is_not_today() -> None:
    assert page(
        card(ready(), clock(12, 41)),
        card(ready(lease=lease(clock(9, 0, day=25))), clock(12, 41)),
        card(ready(extension=LONGER), clock(18, 10)),
        card(ready(extension=changed(LONGER, asked_by=CARL)), clock(18, 10)),
    ) == snapshot("""\

*Ready*: 1x H100 (k7mq2) in EU for Ana. $2.42/h since 12:37. It ends at 18:40. fine-tune run 7
[Details] [Extend] [Destroy k7mq2]

*Ready*: 1x H100 (k7mq2) in EU for Ana. $2.42/h since 12:37. It ends tomorrow at 09:00. fine-tune
      run 7
[Details] [Extend] [Destroy k7mq2]

*Ready*: 1x H100 (k7mq2) in EU for Ana. $2.42/h since 12:37. It ends at 18:40. Ana asks for more
      time, until tomorrow at 18:40. fine-tune run 7
[Details] [Withdraw the request] [Destroy k7mq2]

*Ready*: 1x H100 (k7mq2) in EU for Ana. $2.42/h since 12:37. It ends at 18:40. Carl asks for more
      time, until tomorrow at 18:40. fine-tune run 7
[Details] [Withdraw the request] [Destroy k7mq2]
""")


def test_the_card_of_a_machine_that_runs_past_its_end_shows_no_end() -> None:
    end = clock(18, 40)
    script = OnEnding(state=OnEndingState.RUNNING, end=end)
    movable = changed(lease(), latest_end=clock(20, 40))
    assert page(
        card(ready(), end),
        card(ready(on_ending=script, on_ending_at=clock(18, 26)), clock(18, 41)),
        card(ready(lease=movable), clock(18, 41)),
    ) == snapshot("""\

*Ready*: 1x H100 (k7mq2) in EU for Ana. $2.42/h since 12:37. It has reached its end, and I'll
      destroy it as soon as I can. fine-tune run 7
[Details] [Extend] [Destroy k7mq2]

*Ready*: 1x H100 (k7mq2) in EU for Ana. $2.42/h since 12:37. It has reached its end, and I'll
      destroy it as soon as its on-ending.sh is done. on-ending.sh has been running since 18:26.
      fine-tune run 7
[Details] [Extend] [Destroy k7mq2]

*Ready*: 1x H100 (k7mq2) in EU for Ana. $2.42/h since 12:37. It has reached its end, and I'm
      checking whether its GPUs are busy. fine-tune run 7
[Details] [Extend] [Destroy k7mq2]
""")


def test_the_card_is_rendered_again_just_after_the_end_that_it_shows() -> None:
    shown = card_of(ready(), reading(clock(12, 41)))
    assert shown.refresh_after == clock(18, 40) - clock(12, 41) + REFRESH_AFTER_END
    assert card_of(ready(), reading(clock(18, 41))).refresh_after is None


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (SetupProgress(state=SetupState.RUNNING), "Setup torch: running."),
        (SetupProgress(state=SetupState.DONE), "Setup torch: done."),
        (SetupProgress(state=SetupState.FAILED, line=12), "Setup torch: failed at line 12."),
        (SetupProgress(state=SetupState.FAILED), "Setup torch: failed."),
    ],
)
def test_the_card_and_the_rental_say_how_far_its_set_up_is(progress: SetupProgress, words: str) -> None:
    details = ready(request=request(setup="torch"), setup_progress=progress)
    now = clock(12, 50)
    assert f"It ends at 18:40. {words} fine-tune" in card(details, now).replace("\n      ", " ")
    assert words in message(lists.show(details, reader=reading(now, ANA)), now).replace("\n      ", " ")
    without = changed(details, rental=changed(details.rental, setup_progress=None))
    assert "Setup" not in card(without, now)


def test_a_request_for_more_time_is_withdrawn_from_the_card() -> None:
    shown = outbox(MessageKind.CARD, ready(extension=LONGER), clock(18, 10))
    assert shown is not None
    assert [button["action_id"] for button in buttons(shown.blocks)][1] == Action.WITHDRAW.id


def test_the_card_of_a_machine_that_is_being_destroyed_says_if_it_is_not_confirmed_gone() -> None:
    alarm = Alarm(at=clock(18, 46), count=1)
    assert page(
        card(ready(state=State.DESTROYING), clock(18, 40)),
        card(ready(state=State.DESTROYING, alarm=alarm), clock(18, 47)),
        card(ready(state=State.DESTROYING, alarm=changed(alarm, taken_on_by=CARL)), clock(18, 47)),
    ) == snapshot("""\

*Being destroyed*: 1x H100 (k7mq2) in EU for Ana.
[Details]

*Being destroyed*: 1x H100 (k7mq2) in EU for Ana. Not confirmed gone. It may still bill $2.42/h.
[Details] [I'm on it]

*Being destroyed*: 1x H100 (k7mq2) in EU for Ana. Not confirmed gone. It may still bill $2.42/h.
      Carl is on it.
[Details]
""")


def test_the_card_of_a_rental_that_is_over_has_its_receipt_and_no_button() -> None:
    assert page(
        card(gone(), clock(18, 42)),
        card(gone(state=State.CANCELLED), clock(18, 42)),
        card(gone(state=State.LOST, why=Why.VENDOR_TOOK_IT), clock(18, 42)),
        card(gone(state=State.FAILED, why=Why.TOO_SLOW), clock(18, 42)),
        *(card(waiting(state=state), clock(22, 6)) for state in (State.DENIED, State.EXPIRED, State.WITHDRAWN)),
    ) == snapshot("""\

*Ended*: 1x H100 (k7mq2) in EU for Ana. $14.68 for 6 h 4 min.

*Cancelled*: 1x H100 (k7mq2) in EU for Ana. $14.68 for 6 h 4 min.

*Lost*: 1x H100 (k7mq2) in EU for Ana. Nebius took the machine back. $14.68 for 6 h 4 min.

*Failed*: 1x H100 (k7mq2) in EU for Ana. Nebius didn't get the machine ready in time. $14.68 for 6 h
      4 min.

*Declined*: 8x H100 (p4wd9) in EU for Ana. Nothing was rented.

*Expired*: 8x H100 (p4wd9) in EU for Ana. Nothing was rented.

*Withdrawn*: 8x H100 (p4wd9) in EU for Ana. Nothing was rented.
""")


def test_the_card_names_who_ended_somebody_elses_machine() -> None:
    asked = happened(K.DESTROYING, clock(18, 40), BEN, why=Why.ASKED, end=State.DESTROYED)
    ending = Ending(outcome=State.DESTROYED, why=Why.ASKED, by=BEN, since=clock(18, 40))
    over = gone(asked)
    assert page(
        card(ready(asked, state=State.DESTROYING, ending=ending), clock(18, 40)),
        card(changed(over, rental=changed(over.rental, ending=ending)), clock(18, 42)),
    ) == snapshot("""\

*Being destroyed* by Ben: 1x H100 (k7mq2) in EU for Ana.
[Details]

*Ended* by Ben: 1x H100 (k7mq2) in EU for Ana. $14.68 for 6 h 4 min.
""")
