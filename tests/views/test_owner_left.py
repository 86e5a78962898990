"""Messages to admins about a rental whose owner left the workspace."""

from __future__ import annotations

from inline_snapshot import snapshot

from bot.lifecycle.changes.transitions import begin_destroying
from bot.model.admin_question import AdminDecision, AdminQuestion, Decided, OwnerLeft
from bot.model.base import changed
from bot.model.event import EventKind as K
from bot.model.machine_use import Use
from bot.model.rental import Ending
from bot.model.state import State
from bot.model.summary import AdminQuestionView, RentalDetails
from handlers.messages.admin_questions import admin_question
from handlers.messages.writers import QuestionContext
from handlers.phrases.blocks import Rendered
from tests.views.screens import approval, message, page, thread
from tests.views.stories import ANA, BEN, CARL, M, clock, gone, happened, reading, ready, waiting
from tests.views.test_question_message import IDLE, TOLD, asked_about

LEFT = happened(K.OWNER_LEFT, clock(14, 10), None, id=7, people=(ANA,))
ASKED = AdminQuestion(
    id="u7mq2", about=OwnerLeft(owner=ANA), rental_id="k7mq2", found_at=LEFT.at, asked_at=LEFT.at
)
LATER = changed(ASKED, ask_again_at=clock(14, 20, day=25), put_off_by=CARL)
AGAIN = changed(ASKED, asked_at=clock(14, 30))
DECIDED = changed(ASKED, decided=Decided(decision=AdminDecision.GAVE_OWNER, by=CARL, at=clock(14, 30)))
GIVEN = happened(K.OWNER_CHANGED, clock(14, 30), CARL, id=9, people=(ANA, BEN))
DESTROYING = changed(
    ready(LEFT), rental=begin_destroying(ready().rental, Ending(outcome=State.DESTROYED), clock(14, 40))
)


def shown(details: RentalDetails, question: AdminQuestion = ASKED) -> Rendered:
    view = AdminQuestionView(question=question, readopted_for=M, spent={}, names=details.names, details=details)
    return admin_question(QuestionContext(LEFT, view, reading(LEFT.at, zone="UTC").times))


def read(details: RentalDetails, question: AdminQuestion = ASKED) -> str:
    return message(shown(details, question), LEFT.at)


def test_each_admin_reads_the_former_owner_the_cost_and_the_decision() -> None:
    assert page(
        read(ready(LEFT)),
        read(ready(LEFT), LATER),
        read(ready(LEFT), AGAIN),
        read(changed(ready(LEFT, GIVEN), rental=changed(ready().rental, owner=BEN)), DECIDED),
        read(DESTROYING),
        read(gone()),
        read(waiting(LEFT)),
    ) == snapshot("""\

Ana left the workspace. Ana's 1x H100 (k7mq2) is running: $2.42/h, $4.96 so far. It ends at 18:40.
      Who should be its new owner?
[Assign an owner] [Ask again tomorrow] [Destroy k7mq2]

Ana left the workspace. Ana's 1x H100 (k7mq2) is running: $2.42/h, $4.96 so far. It ends at 18:40.
      Who should be its new owner? Carl wants to decide later, so I'll ask again tomorrow at 14:20.
[Assign an owner] [Destroy k7mq2]

Ana left the workspace. I asked again at 14:30, in a newer message, who should own 1x H100 (k7mq2).

Ana left the workspace. Carl made Ben the owner of 1x H100 (k7mq2).

Ana left the workspace. Ana's 1x H100 (k7mq2) is being destroyed.

Ana left the workspace. Ended at 18:41: Ana's 1x H100 (k7mq2).

Ana left the workspace. Ana's 8x H100 (p4wd9) is waiting for approval, and can't be approved without
      an owner. Who should be its new owner?
[Assign an owner] [Ask again tomorrow] [Withdraw]
""")


def test_admins_read_if_the_machine_of_a_former_member_is_idle() -> None:
    assert page(read(changed_use(ready(LEFT), IDLE))) == snapshot("""\

Ana left the workspace. Ana's 1x H100 (k7mq2) is running: $2.42/h, $4.96 so far, idle for 5 min. It
      ends at 18:40. Who should be its new owner?
[Assign an owner] [Ask again tomorrow] [Destroy k7mq2]
""")


def test_approvers_are_not_asked_while_admins_choose_a_new_owner() -> None:
    told = changed(TOLD, at=clock(14, 5))
    after = (happened(K.ASKED, clock(14, 5), ANA, id=1, terms=1), LEFT)
    assert page(
        approval(told, asked_about(IDLE, told, LEFT), clock(14, 30)),
        approval(after[0], waiting(*after), clock(14, 30)),
        approval(after[0], waiting(*after, GIVEN), clock(14, 40)),
    ) == snapshot("""\

Ana left the workspace, so admins decide what happens to 1x H100 (k7mq2).

(fallback) It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.
      The request exceeds the limits of $10.00/h and $100.00 per rental. Ana also has 1x A100
      (a2bc3).
*Ana left the workspace, so the admins decide about the request below. Approvers don't decide about
      it any more.*
Ana wants *8x H100 (p4wd9) in EU for 6 h*: "fine-tune run 7".
| Price: $18.40/h, or up to $21.16/h if the chosen offer sells out
| Exceeds: the limits of $10.00/h and $100.00 per rental
| Also running: 1x A100 (a2bc3)
  The request expires at 22:05.

(fallback) It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.
      The request exceeds the limits of $10.00/h and $100.00 per rental. Ana also has 1x A100
      (a2bc3).
# Approve up to $137.54?
Ana wants *8x H100 (p4wd9) in EU for 6 h*: "fine-tune run 7".
| Price: $18.40/h, or up to $21.16/h if the chosen offer sells out
| Exceeds: the limits of $10.00/h and $100.00 per rental
| Also running: 1x A100 (a2bc3)
  The request expires at 22:05.
[Approve up to $137.54] [Approve fewer hours] [Deny] [Ana's spending]
""")


def test_a_history_names_the_owner_at_the_time() -> None:
    was_ready = happened(K.READY, clock(12, 40), id=5, span=M * 3)
    kept = happened(K.KEPT, clock(14, 0), ANA, id=6, until=clock(15, 0))
    of_ben = changed(ready(was_ready, kept, LEFT, GIVEN), rental=changed(ready().rental, owner=BEN))
    assert "Ana's 1x H100" in thread(was_ready, of_ben)
    assert thread(kept, of_ben).startswith("Ana still needs this machine.")
    gone_by = changed(
        of_ben, events=(*of_ben.events, happened(K.EXTENSION_WITHDRAWN, clock(14, 50), None, people=(ANA,)))
    )
    assert "Ana left the workspace, so the request for more time" in thread(gone_by.events[-1], gone_by)


def changed_use(details: RentalDetails, use: Use) -> RentalDetails:
    return changed(details, rental=changed(details.rental, use=use))


def test_the_message_changes_until_the_rental_is_over() -> None:
    for details, closed in ((DESTROYING, False), (gone(), True)):
        assert shown(details).closed is closed
