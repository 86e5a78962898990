"""Messages to admins about unmanaged machines, and the dialogs for their decisions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.model.admin_question import AdminDecision, AdminQuestion, Decided, Purchase, UnmanagedMachine
from bot.model.base import changed
from bot.model.event import Event
from bot.model.event import EventKind as K
from bot.model.summary import AccruedCost, AdminQuestionView
from bot.policy.buying.unmanaged_machines import is_name_typed
from handlers.messages import admin_questions as views
from handlers.messages.writers import QuestionContext
from handlers.phrases.format import JOINER
from tests.views.screens import dialog, message, page, read
from tests.views.stories import ANA, CARL, NAMES, RULES, M, clock, reading

NOW = clock(14, 40)
TRAIN = UnmanagedMachine(
    resource_id="3c90c3cc-0d44-4b50-8888-8dd25736052a",
    status="running",
    runs=True,
    name="train-3 <!here>",
    gpu="nvidia-h100-sxm5-80gb",
    vendor="hyperstack",
    rate=Decimal("2.10"),
    since=clock(9, 12),
    valid_from=clock(9, 12),
)
STARTING = changed(TRAIN, runs=False, status="provisioning", name=None, gpu=None, vendor=None, rate=None)
EVENT = Event(id=1, rental_id=None, kind=K.UNMANAGED_MACHINE, at=clock(14, 10))
SPENT = AccruedCost(amount=11_480_000, estimated=False)


def purchase(*machines: UnmanagedMachine, guess: str | None = None, **fields: Any) -> AdminQuestion:
    about = Purchase(machines=machines or (TRAIN,), guess=guess)
    known = AdminQuestion(id="u7mq2", about=about, found_at=clock(14, 10), asked_at=clock(14, 10))
    return changed(known, **fields)


def view(question: AdminQuestion, spent: AccruedCost = SPENT) -> AdminQuestionView:
    return AdminQuestionView(question=question, readopted_for=M, spent={question.id: spent}, names=NAMES)


def shown(*machines: UnmanagedMachine, spent: AccruedCost = SPENT, **fields: Any) -> str:
    times = reading(NOW, zone="UTC").times
    return message(
        views.admin_question(QuestionContext(EVENT, view(purchase(*machines, **fields), spent), times)), NOW
    )


def decided(decision: AdminDecision, **fields: Any) -> str:
    reason = "the web team's <@U0>" if decision is AdminDecision.NOT_OURS else ""
    fields["decided"] = Decided(decision=decision, by=CARL, at=clock(14, 30), reason=reason)
    return shown(**fields)


def test_an_admin_reads_the_machine_its_cost_and_its_likely_owner() -> None:
    cluster = [changed(TRAIN, resource_id=f"r{n}", name=f"node-{n}", count=8) for n in range(5)]
    two, three = (AccruedCost(amount=count * 11_480_000, estimated=False) for count in (2, 3))
    assert page(
        shown(guess=ANA),
        shown(*cluster, spent=AccruedCost(amount=57_400_000, estimated=False)),
        shown(STARTING, spent=AccruedCost(amount=0, estimated=True)),
        shown(*cluster[:2], changed(cluster[2], runs=False, status="failed"), spent=three),
        shown(*(changed(one, runs=False, status="deleting") for one in cluster[:2]), spent=two),
        shown(ask_again_at=clock(14, 35, day=25), put_off_by=CARL),
        shown(asked_at=clock(14, 35)),
    ) == snapshot("""\

A machine that wasn't rented through me is running: train-3 <!here>, 1x H100 SXM 80 GB at
      Hyperstack, since 09:12 at $2.10/h, $11.48 so far. It may belong to Ana.
[Assign an owner] [Not ours] [Ask again tomorrow] [Destroy train-3 <!here>]

5 machines that weren't rented through me are running: node-0, node-1, node-2 and 2 more, 40x H100
      SXM 80 GB in all at Hyperstack, since 09:12 at $10.50/h, $57.40 so far.
[Assign an owner] [Not ours] [Ask again tomorrow] [Destroy 5 machines]

A machine that wasn't rented through me is in the Compute Clear account: resource 3c90c3cc, since
      09:12 at an unknown price. Its status is provisioning, and you can assign an owner as soon as
      it's running.
[Not ours] [Ask again tomorrow] [Destroy 3c90c3cc]

3 machines that weren't rented through me are in the Compute Clear account: node-0, node-1 and
      node-2, 24x H100 SXM 80 GB in all at Hyperstack, since 09:12 at $6.30/h, $34.44 so far. One of
      them isn't running.
[Assign an owner] [Not ours] [Ask again tomorrow] [Destroy 3 machines]

2 machines that weren't rented through me are in the Compute Clear account: node-0 and node-1, 16x
      H100 SXM 80 GB in all at Hyperstack, since 09:12 at $4.20/h, $22.96 so far. None of them is
      running. As soon as one is, you can assign an owner to all of them.
[Not ours] [Ask again tomorrow] [Destroy 2 machines]

A machine that wasn't rented through me is running: train-3 <!here>, 1x H100 SXM 80 GB at
      Hyperstack, since 09:12 at $2.10/h, $11.48 so far. Carl wants to decide later, so I'll ask
      again tomorrow at 14:35.
[Assign an owner] [Not ours] [Destroy train-3 <!here>]

A machine that wasn't rented through me is running: train-3 <!here>, 1x H100 SXM 80 GB at
      Hyperstack, since 09:12 at $2.10/h. I asked again at 14:35, in a newer message.
""")


def test_every_admin_reads_the_decision() -> None:
    decision = AdminDecision
    assert page(
        decided(decision.GAVE_OWNER, rental_id="k7mq2", over_at=clock(14, 30)),
        decided(decision.DESTROYED, rental_id="k7mq2", over_at=clock(14, 30)),
        decided(decision.NOT_OURS),
        decided(decision.NOT_OURS, over_at=clock(14, 38)),
        shown(over_at=clock(14, 30)),
        shown(STARTING, spent=AccruedCost(amount=0, estimated=True), over_at=clock(14, 30)),
        shown(rental_id="k7mq2", over_at=clock(14, 30)),
        decided(decision.NOT_OURS, rental_id="k7mq2", over_at=clock(14, 38)),
        read(views.line(purchase(), SPENT, reading(NOW, zone="UTC").times), NOW),
    ) == snapshot("""\

Carl assigned an owner to this machine at 14:30: train-3 <!here>, 1x H100 SXM 80 GB at Hyperstack.
      It has the ID k7mq2 now: /gpu show k7mq2

Carl destroyed this machine at 14:30: train-3 <!here>, 1x H100 SXM 80 GB at Hyperstack. It has the
      ID k7mq2 now: /gpu show k7mq2

Carl chose "Not ours" at 14:30: train-3 <!here>, 1x H100 SXM 80 GB at Hyperstack. The reason: "the
      web team's <@U0>". I won't ask about it again. /gpu list all shows the cost.

Carl chose "Not ours" at 14:30: train-3 <!here>, 1x H100 SXM 80 GB at Hyperstack. The reason: "the
      web team's <@U0>". It ended at 14:38 and cost $11.48.

A machine that wasn't rented through me ended at 14:30: train-3 <!here>, 1x H100 SXM 80 GB at
      Hyperstack. It cost $11.48.

A machine that wasn't rented through me ended at 14:30: resource 3c90c3cc.

This machine is part of the rental k7mq2: train-3 <!here>, 1x H100 SXM 80 GB at Hyperstack.

This machine is part of the rental k7mq2: train-3 <!here>, 1x H100 SXM 80 GB at Hyperstack.

Not rented through me: train-3 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h, $11.48 so far.
""")


def test_a_duplicate_question_points_to_the_valid_message() -> None:
    repeated = purchase()
    repeated = changed(repeated, about=changed(repeated.purchase, same_as="u1"), over_at=clock(14, 30))
    times = reading(NOW, zone="UTC").times
    assert message(views.admin_question(QuestionContext(EVENT, view(repeated), times)), NOW) == snapshot(
        """\
Another message of mine also asks what to do with train-3 <!here>, 1x H100 SXM 80 GB at Hyperstack.
      To decide, use the buttons of that message.\
"""
    )


def test_the_dialogs_show_the_facts_and_the_consequences() -> None:
    of_ours = purchase(changed(TRAIN, name="gpubot-k7mq2-1-u0ana"), guess=ANA)
    assert page(
        dialog(views.give_owner(view(of_ours), rules=RULES), NOW),
        dialog(views.not_ours(view(purchase())), NOW),
        dialog(views.destroy(view(purchase())), NOW),
        dialog(views.destroy(view(of_ours)), NOW),
    ) == snapshot("""\

== Assign an owner ==
gpubot-k7mq2-1-u0ana, 1x H100 SXM 80 GB at Hyperstack, at $2.10/h, $11.48 so far.
New owner: (U0ANA)
For how long from now: 1 h | 2 h | 4 h | 8 h | 12 h | (24 h) | 2 days | 3 days
  I'll destroy this machine when that time is over. I don't know whose SSH keys work there.
[Assign] [Go back]

== Not ours ==
train-3 <!here>, 1x H100 SXM 80 GB at Hyperstack, at $2.10/h, $11.48 so far. I won't ask again, and
      I won't destroy anything.
Why: ()
[Not ours] [Go back]

== Destroy train-3 <!here>? ==
! Everything on the disk will be deleted.
train-3 <!here>, 1x H100 SXM 80 GB at Hyperstack, at $2.10/h, $11.48 so far. It will be yours, so
      that I can confirm its deletion and record what it cost.
To confirm, type the name: train-3 <!here>: ()
[Destroy train-3 <!here>] [Go back]

== Destroy gpubot-k7mq2-1-… ==
! Everything on the disk will be deleted.
gpubot-k7mq2-1-u0ana, 1x H100 SXM 80 GB at Hyperstack, at $2.10/h, $11.48 so far. It will be yours,
      so that I can confirm its deletion and record what it cost.
[Destroy] [Go back]
""")


def test_a_name_copied_from_the_dialog_is_accepted_despite_joiners() -> None:
    wanted = purchase(changed(TRAIN, name="*train_3_* :tada:"))
    label = views.destroy(view(wanted)).view["blocks"][2]["label"]["text"]
    shown = label.removeprefix("To confirm, type the name: ")
    assert JOINER in shown
    assert is_name_typed(wanted.purchase, shown)
