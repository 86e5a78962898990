"""What admins read of a rental whose owner left the workspace."""

from __future__ import annotations

from inline_snapshot import snapshot

from bot.lifecycle.transitions import begin_destroying
from bot.model.base import changed
from bot.model.event import EventKind as K
from bot.model.rental import Ending
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.use import Use
from handlers.views.direct_message import direct_message
from tests.views.screens import approval, direct, page, thread
from tests.views.stories import ANA, BEN, CARL, M, clock, gone, happened, reading, ready, waiting
from tests.views.test_question_message import IDLE, TOLD, asked_about

LEFT = happened(K.OWNER_LEFT, clock(14, 10), None, id=7, people=(ANA,))
LATER = happened(K.OWNER_LEFT_LATER, clock(14, 20), CARL, id=8, until=clock(14, 20, day=25))
AGAIN = happened(K.OWNER_LEFT, clock(14, 30), None, id=9, people=(ANA,))
GIVEN = happened(K.OWNER_CHANGED, clock(14, 30), CARL, id=9, people=(ANA, BEN))
DESTROYING = changed(
    ready(LEFT), rental=begin_destroying(ready().rental, Ending(outcome=State.DESTROYED), clock(14, 40))
)


def test_each_admin_reads_whose_machine_it_was_what_it_costs_and_what_was_decided() -> None:
    assert page(
        direct(LEFT, ready(LEFT), to=CARL),
        direct(LEFT, ready(LEFT, LATER), to=CARL),
        direct(LEFT, ready(LEFT, AGAIN), to=CARL),
        direct(LEFT, ready(LEFT, GIVEN), to=CARL),
        direct(LEFT, DESTROYING, to=CARL),
        direct(LEFT, gone(), to=CARL),
        direct(LEFT, waiting(LEFT), to=CARL),
    ) == snapshot("""\

Ana left the workspace. k7mq2 (1x H100 EU, $2.42/h, $4.96 so far) runs until 18:40. Who takes it?
[Give it an owner] [Ask again tomorrow] [Destroy k7mq2]

Ana left the workspace. k7mq2 (1x H100 EU, $2.42/h, $4.96 so far) runs until 18:40. Who takes it?
      Carl says later: I ask again tomorrow at 14:20.
[Give it an owner] [Destroy k7mq2]

Ana left the workspace: k7mq2, 1x H100 EU. I asked again at 14:30.

Ana left the workspace. Carl made Ben the owner: k7mq2, 1x H100 EU.

Ana left the workspace: k7mq2, 1x H100 EU. It is being destroyed.

Ana left the workspace: k7mq2, 1x H100 EU. Destroyed 18:41.

Ana left the workspace. p4wd9 (8x H100 EU) waits for approval, and can't be approved without an
      owner. Who takes it?
[Give it an owner] [Ask again tomorrow] [Withdraw]
""")


def test_admins_read_that_the_machine_of_who_left_is_idle() -> None:
    assert page(direct(LEFT, changed_use(ready(LEFT), IDLE), to=CARL)) == snapshot("""\

Ana left the workspace. k7mq2 (1x H100 EU, $2.42/h, idle for 5 min, $4.96 so far) runs until 18:40.
      Who takes it?
[Give it an owner] [Ask again tomorrow] [Destroy k7mq2]
""")


def test_the_approvers_are_asked_nothing_while_the_admins_decide_whose_it_becomes() -> None:
    told = changed(TOLD, at=clock(14, 5))
    after = (happened(K.ASKED, clock(14, 5), ANA, id=1, envelope=1), LEFT)
    assert page(
        approval(told, asked_about(IDLE, told, LEFT), clock(14, 30)),
        approval(after[0], waiting(*after), clock(14, 30)),
        approval(after[0], waiting(*after, GIVEN), clock(14, 40)),
    ) == snapshot("""\

Ana left the workspace. Admins decide what becomes of it. k7mq2, 1x H100, Ana.

Approve up to $137.54? 8x H100 EU, 6 h, for Ana: fine-tune run 7 (p4wd9)
  Over the $10.00/h and $100.00 limits. $18.40/h now ($2.30 per GPU, as of 14:05); allows $21.16/h
      if it sells out.
  Ana runs now: 1x A100, since 09:12. Expires today at 22:05.
  Ana left the workspace. Admins decide what becomes of it.

Approve up to $137.54? 8x H100 EU, 6 h, for Ana: fine-tune run 7 (p4wd9)
  Over the $10.00/h and $100.00 limits. $18.40/h now ($2.30 per GPU, as of 14:05); allows $21.16/h
      if it sells out.
  Ana runs now: 1x A100, since 09:12. Expires today at 22:05.
[Approve up to $137.54] [Deny]
""")


def test_a_history_has_the_owner_of_its_time() -> None:
    was_ready = happened(K.READY, clock(12, 40), id=5, span=M * 3)
    kept = happened(K.KEPT, clock(14, 0), ANA, id=6, until=clock(15, 0))
    of_ben = changed(ready(was_ready, kept, LEFT, GIVEN), rental=changed(ready().rental, owner=BEN))
    assert "Ana's 1x H100" in thread(was_ready, of_ben)
    assert thread(kept, of_ben).startswith("Ana still needs it.")
    gone_by = changed(
        of_ben, events=(*of_ben.events, happened(K.EXTENSION_WITHDRAWN, clock(14, 50), None, people=(ANA,)))
    )
    assert "Ana left the workspace, so nobody asks for more time" in thread(gone_by.events[-1], gone_by)


def changed_use(details: RentalDetails, use: Use) -> RentalDetails:
    return changed(details, rental=changed(details.rental, use=use))


def test_the_message_changes_until_the_rental_is_over() -> None:
    for details, closed in ((DESTROYING, False), (gone(), True)):
        assert direct_message(LEFT, details, reader=reading(clock(14, 50), CARL)).closed is closed
