"""Messages to admins about machines that were bought after the backup."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.model.admin_question import AdminDecision, AdminQuestion, Decided, Purchase, Purchases
from bot.model.base import changed
from bot.model.event import Event
from bot.model.event import EventKind as K
from bot.model.summary import AccruedCost, AdminQuestionView
from handlers.messages.admin_questions import admin_question
from handlers.messages.backups import machines_bought_after_backup
from handlers.messages.writers import QuestionContext
from tests.views.screens import message, page
from tests.views.stories import ANA, BEN, CARL, NAMES, clock, reading, ready
from tests.views.test_unmanaged_machines import NOW, TRAIN


def purchase(rental_id: str, owner: str = "", count: int = 1, **fields: Any) -> AdminQuestion:
    name = f"gpubot-{rental_id}-1" + (f"-{owner.lower()}" if owner else "")
    machine = changed(TRAIN, **{"name": name, "count": count, "rate": count * Decimal("2.10"), **fields})
    at = clock(14, 10)
    about = Purchase(machines=(machine,))
    return AdminQuestion(id=f"u{rental_id}", about=about, found_at=at, asked_at=at, part_of="u1")


EIGHT, ONE = purchase("f6rat", ANA, 8), purchase("p2wqx", BEN)
NAMELESS = purchase("abcd2", runs=False, status="provisioning", rate=None)


def _spent(question: AdminQuestion) -> int:
    """Return the cost of the machines in micro-dollars."""
    machine = question.purchase.machines[0]
    hours = Decimal((NOW - machine.since) / timedelta(hours=1))
    return round((machine.rate or Decimal(0)) * hours * 1_000_000)


def shown(
    *parts: AdminQuestion,
    can: tuple[AdminQuestion, ...] = (),
    empty: bool = False,
    count: int | None = None,
    later: bool = True,
    **fields: Any,
) -> str:
    at = clock(14, 10)
    event = Event(id=1, rental_id=None, kind=K.BOUGHT_AFTER_BACKUP, at=at)
    about = Purchases(count=count or len(parts), bought_after_backup=later, empty=empty)
    view = AdminQuestionView(
        question=AdminQuestion(id="u1", about=about, found_at=at, asked_at=at),
        parts=parts,
        readoptable=frozenset(one.id for one in can),
        readopted_for=timedelta(hours=24),
        spent={one.id: AccruedCost(amount=_spent(one), estimated=False) for one in parts},
        names=NAMES,
        paused=True,
    )
    write = machines_bought_after_backup if later else admin_question
    return message(write(QuestionContext(event, changed(view, **fields), reading(NOW, zone="UTC").times)), NOW)


def test_an_admin_reads_which_machines_run_and_what_to_do() -> None:
    assert page(
        shown(EIGHT, ONE, can=(EIGHT, ONE)),
        shown(EIGHT, ONE, NAMELESS, can=(EIGHT, ONE), empty=True),
        shown(ONE, can=(ONE,), paused=False),
        shown(NAMELESS),
    ) == snapshot("""\

My database seems to be an older backup: it lacks 2 machines that I rented and that are running.
8x H100 SXM 80 GB (f6rat), Ana's, since 09:12 at $16.80/h, $91.84 so far.
1x H100 SXM 80 GB (p2wqx), Ben's, since 09:12 at $2.10/h, $11.48 so far.
Buying is paused, and pending requests can't be approved, until an admin types /gpu resume.
Restoring a machine adds it to my database. It then ends in 24 h, and its owner can extend it.
[Restore all 2] [One by one]

My database is empty, but 3 machines that I rented are in the Compute Clear account.
8x H100 SXM 80 GB (f6rat), Ana's, since 09:12 at $16.80/h, $91.84 so far.
1x H100 SXM 80 GB (p2wqx), Ben's, since 09:12 at $2.10/h, $11.48 so far.
1x H100 SXM 80 GB (abcd2), without an owner in its name, since 09:12 at an unknown price, not
      running (status provisioning).
Buying is paused, and pending requests can't be approved, until an admin types /gpu resume.
2 of these machines can be restored now. Restoring a machine adds it to my database. It then ends in
      24 h, and its owner can extend it. To decide about the rest, click "One by one".
[Restore 2] [One by one]

My database seems to be an older backup: it lacks 1 machine that I rented and that is running.
1x H100 SXM 80 GB (p2wqx), Ben's, since 09:12 at $2.10/h, $11.48 so far.
Restoring a machine adds it to my database. It then ends in 24 h, and its owner can extend it.
[Restore it] [More choices]

My database seems to be an older backup: it lacks 1 machine that I rented and that is in the Compute
      Clear account.
1x H100 SXM 80 GB (abcd2), without an owner in its name, since 09:12 at an unknown price, not
      running (status provisioning).
Buying is paused, and pending requests can't be approved, until an admin types /gpu resume.
I can't restore it: it isn't running, or I don't know an owner who may use me. Decide one by one.
[More choices]
""")


def test_every_admin_reads_the_outcome() -> None:
    decided = Decided(decision=AdminDecision.GAVE_OWNER, by=CARL, at=clock(14, 30))
    rentals = {"k7mq2": ready().rental}
    gone = changed(NAMELESS, over_at=clock(14, 35))
    back = changed(EIGHT, decided=decided, over_at=clock(14, 30), rental_id="k7mq2")
    assert page(
        shown(back, ONE, gone, can=(ONE,), rentals=rentals),
        shown(back, gone, rentals=rentals),
        shown(back, gone, rentals=rentals, paused=False),
        shown(back, rentals=rentals, count=3),
        shown(count=3),
    ) == snapshot("""\

My database seems to be an older backup: it lacks 1 machine that I rented and that is running.
1x H100 SXM 80 GB (p2wqx), Ben's, since 09:12 at $2.10/h, $11.48 so far.
Carl added f6rat back to my database (with the new ID k7mq2) for Ana at 14:30. The machine ends at
      18:40.
abcd2 ended at 14:35.
Buying is paused, and pending requests can't be approved, until an admin types /gpu resume.
Restoring a machine adds it to my database. It then ends in 24 h, and its owner can extend it.
[Restore it] [More choices]

My database was restored from an older backup and lacked 2 machines that I rented.
Carl added f6rat back to my database (with the new ID k7mq2) for Ana at 14:30. The machine ends at
      18:40.
abcd2 ended at 14:35.
Buying is still paused. To end the pause: /gpu resume

My database was restored from an older backup and lacked 2 machines that I rented.
Carl added f6rat back to my database (with the new ID k7mq2) for Ana at 14:30. The machine ends at
      18:40.
abcd2 ended at 14:35.

My database was restored from an older backup and lacked 3 machines that I rented.
Carl added f6rat back to my database (with the new ID k7mq2) for Ana at 14:30. The machine ends at
      18:40.
2 more machines have messages of their own.
Buying is still paused. To end the pause: /gpu resume

My database seems to be an older backup: it lacks 3 machines that I rented and that are running.
      Each has a message of its own now.
Buying is still paused. To end the pause: /gpu resume
""")


def test_the_consequences_are_shown_even_for_many_machines() -> None:
    many = [purchase(f"k{n:02}", "UABCDEFGHIJ", 8) for n in range(40)]
    gone = [changed(one, id=f"g{one.id}", over_at=clock(14, 20)) for one in many]
    read = shown(*many, *gone, can=tuple(many))
    assert "And 28 more." in read
    assert "until an admin types /gpu resume." in read
    assert "its owner can extend it." in read
    assert "…" not in read


def test_many_unmanaged_machines_share_one_message() -> None:
    many = [
        changed(EIGHT, id=f"u{n}", about=Purchase(machines=(changed(TRAIN, name=f"train-{n} <!here>"),)))
        for n in range(14)
    ]
    gone = [changed(one, over_at=clock(14, 20)) for one in many]
    assert page(
        shown(*many, changed(NAMELESS, id="u99"), later=False),
        shown(*many[:1], *gone[1:], later=False),
        shown(*gone, later=False),
        shown(count=14, later=False),
    ) == snapshot("""\

15 machines that weren't rented through me are in the Compute Clear account, at more than $29.40/h
      in all.
train-0 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
train-1 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
train-2 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
train-3 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
train-4 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
train-5 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
train-6 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
train-7 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
train-8 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
train-9 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
train-10 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
train-11 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
And 3 more.
[One by one]
  "One by one" sends a message about each machine. /gpu list all shows them too.

A machine that wasn't rented through me is in the Compute Clear account, at $2.10/h.
train-0 <!here>, 1x H100 SXM 80 GB at Hyperstack, since 09:12 at $2.10/h.
[One by one]
  "One by one" sends a message about each machine. /gpu list all shows them too.

14 machines that weren't rented through me were found in the Compute Clear account. Admins have
      decided what to do with each of them.

14 machines that weren't rented through me were found in the Compute Clear account. Each has a
      message of its own now.
""")


def test_a_duplicate_message_points_to_the_valid_one() -> None:
    over = [
        changed(one, about=changed(one.purchase, same_as=f"v{one.id}"), over_at=clock(14, 30))
        for one in (EIGHT, ONE)
    ]
    assert page(
        shown(*over),
        shown(*over, later=False),
        shown(over[0], ONE, can=(ONE,)),
    ) == snapshot("""\

Another message of mine also asks what to do with 2 machines that I rented. To decide, use the
      buttons of that message.

Another message of mine also asks what to do with 2 machines that weren't rented through me. To
      decide, use the buttons of that message.

My database seems to be an older backup: it lacks 1 machine that I rented and that is running.
1x H100 SXM 80 GB (p2wqx), Ben's, since 09:12 at $2.10/h, $11.48 so far.
Another message of mine also asks what to do with f6rat. To decide, use the buttons of that message.
Buying is paused, and pending requests can't be approved, until an admin types /gpu resume.
Restoring a machine adds it to my database. It then ends in 24 h, and its owner can extend it.
[Restore it] [More choices]
""")
