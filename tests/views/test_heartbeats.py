"""The messages about programs whose heartbeat is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import HeartbeatReturn
from bot.model.machine_use import OnEnding, OnEndingState
from bot.model.message import MessageKind
from bot.model.summary import RentalDetails
from bot.model.token import LostHeartbeat, WhenLost
from bot.policy.use.heartbeats import with_nearer_end
from handlers.messages import lists
from handlers.messages.render import history_text
from tests.slack_limits import unescaped_markup
from tests.store import make
from tests.views.screens import card, direct, message, outbox, page, read
from tests.views.stories import ANA, BEN, clock, gone, happened, lease, reading, ready
from tests.views.test_program_card import by_program

K = EventKind
STOPPED, TOLD, BACK_BY, MOVED = clock(13, 40), clock(14, 0), clock(14, 15), clock(14, 16)
USUAL, NEARER = clock(18, 40), clock(14, 30)

LAST_KEPT = LostHeartbeat(since=STOPPED, told_at=TOLD, kept_until=clock(15, 5))
LONGER_BY = happened(
    K.EXTENDED, clock(14, 20), ANA, id=22, until=clock(20, 40), since=NEARER, span=timedelta(hours=2), terms=2
)


def lost(**facts: Any) -> Event:
    """Return the event at 14:00 that the heartbeat is lost. The machine ends unless it is back by 14:15."""
    known = {"since": STOPPED, "back_by": BACK_BY, "rate": "2.42", "amount": 3_230_000, "estimated": False}
    return happened(K.HEARTBEAT_LOST, TOLD, id=20, **{**known, **facts})


def ends(**facts: Any) -> Event:
    """Return the event at 14:15 that the machine ends at 14:30."""
    known = {"since": STOPPED, "until": NEARER, "amount": 3_830_000, "estimated": False}
    return happened(K.HEARTBEAT_ENDS, BACK_BY, id=21, **{**known, **facts})


def back(how: HeartbeatReturn = HeartbeatReturn.HEARTBEAT, *, restores: bool = False, **facts: Any) -> Event:
    at = clock(14, 20) if restores else clock(14, 4)
    return happened(
        K.HEARTBEAT_BACK, at, id=22, how=how, until=USUAL if restores else None, **{"since": at, **facts}
    )


def kept(by: str = ANA, **facts: Any) -> Event:
    return happened(K.KEPT_WITHOUT_HEARTBEAT, clock(14, 5), by, id=22, kept_until=clock(15, 5), **facts)


def program(*events: Event, when: WhenLost = WhenLost.END, moved: bool = False, **changes: Any) -> RentalDetails:
    """Return the ready machine of a program whose heartbeat is lost. If `moved`, it ends at 14:30."""
    usual = lease(USUAL)
    still = LostHeartbeat(since=STOPPED, told_at=TOLD, back_by=BACK_BY)
    return by_program(
        ready(*events, lease=with_nearer_end(usual, NEARER, BACK_BY) if moved else usual),
        **{
            "program": make.program(lost=when),
            "heartbeat_at": STOPPED,
            "lost_heartbeat": still,
            **changes,
        },
    )


def test_the_owner_reads_when_the_machine_ends() -> None:
    """If the machine has a script, the message says that the script runs first."""
    script = OnEnding(state=OnEndingState.THERE)
    works, unseen = lost(back_by=None, works=True, until=USUAL), lost(unseen=True)
    told, never = lost(back_by=None, until=USUAL), lost(since=clock(12, 40), heard=False)
    assert page(
        direct(lost(), program(lost(), on_ending=script)),
        direct(lost(), program(lost())),
        direct(unseen, program(unseen)),
        direct(works, program(works)),
        direct(told, program(told, when=WhenLost.TELL)),
        direct(never, program(never)),
    ) == snapshot("""\

*The heartbeat for 1x H100 (k7mq2) stopped at 13:40* (nightly eval). Unless it's back by 14:15, I'll
      run on-ending.sh and end the machine; its disk is deleted with it. $2.42/h, $3.23 so far.
[Keep k7mq2 for 1 h] [End k7mq2]

*The heartbeat for 1x H100 (k7mq2) stopped at 13:40* (nightly eval). Unless it's back by 14:15, I'll
      end the machine; its disk is deleted with it. $2.42/h, $3.23 so far.
[Keep k7mq2 for 1 h] [End k7mq2]

*The heartbeat for 1x H100 (k7mq2) stopped at 13:40* (nightly eval). I can't see whether its GPUs
      are working. Unless it's back by 14:15, I'll end the machine; its disk is deleted with it.
      $2.42/h, $3.23 so far.
[Keep k7mq2 for 1 h] [End k7mq2]

*The heartbeat for 1x H100 (k7mq2) stopped at 13:40* (nightly eval). Its GPUs are working, so it
      still ends at 18:40. $2.42/h, $3.23 so far.
[Keep k7mq2 for 1 h] [End k7mq2]

*The heartbeat for 1x H100 (k7mq2) stopped at 13:40* (nightly eval). It still ends at 18:40.
      $2.42/h, $3.23 so far.
[End k7mq2]

*No heartbeat for 1x H100 (k7mq2) has arrived since it was ready at 12:40* (nightly eval). Unless
      one arrives by 14:15, I'll end the machine; its disk is deleted with it. $2.42/h, $3.23 so
      far.
[Keep k7mq2 for 1 h] [End k7mq2]
""")


def test_the_name_of_the_token_is_escaped() -> None:
    nasty = make.program(token_name="<!channel> *x* `rm`", lost=WhenLost.END)  # noqa: S106  a name, not a secret
    shown = outbox(MessageKind.DIRECT, program(lost(), program=nasty), TOLD, lost(), to=ANA)
    assert shown is not None
    assert unescaped_markup(shown.blocks[0]["text"]["text"]) == []


def test_the_first_message_later_shows_what_has_happened_since() -> None:
    later = lost(), changed(lost(), id=23, at=clock(15, 5))
    assert page(
        direct(lost(), program(lost(), back(), lost_heartbeat=None), clock(14, 6)),
        direct(lost(), program(lost(), back(HeartbeatReturn.JOB), lost_heartbeat=None), clock(14, 6)),
        direct(lost(), program(lost(), back(HeartbeatReturn.WORK)), clock(14, 6)),
        direct(lost(), program(lost(), back(HeartbeatReturn.AWAY, back_by=clock(14, 40))), clock(14, 21)),
        direct(lost(), program(lost(), kept()), clock(14, 6)),
        direct(lost(), program(lost(), kept(BEN)), clock(14, 6)),
        direct(lost(), program(lost(), ends(), moved=True), MOVED),
        direct(later[0], program(*later), clock(15, 6)),
        direct(lost(), program(lost(), LONGER_BY, lost_heartbeat=LAST_KEPT), clock(14, 6)),
    ) == snapshot("""\

The heartbeat for nightly eval's 1x H100 (k7mq2) has been back since 14:04.

A job was running on nightly eval's 1x H100 (k7mq2) at 14:04, which counts as a heartbeat.

The GPUs of nightly eval's 1x H100 (k7mq2) are working, so it keeps running without a heartbeat.

I couldn't receive the heartbeats for nightly eval's 1x H100 (k7mq2) for a while. Its heartbeat has
      to be back by 14:40.

You decided to keep nightly eval's 1x H100 (k7mq2) without a heartbeat until 15:05.

Ben decided to keep nightly eval's 1x H100 (k7mq2) without a heartbeat until 15:05.

*The heartbeat for 1x H100 (k7mq2) stopped at 13:40* (nightly eval). I sent a newer message at
      14:15.

*The heartbeat for 1x H100 (k7mq2) stopped at 13:40* (nightly eval). I sent a newer message at
      15:05.

*The heartbeat for 1x H100 (k7mq2) stopped at 13:40* (nightly eval). It ends at 18:40.
""")


def test_the_message_about_the_nearer_end() -> None:
    """Teammates get this message as well, without the button that destroys the machine."""
    running = OnEnding(state=OnEndingState.RUNNING, end=NEARER)
    shared = program(lost(), ends(), moved=True, teammates=(BEN,))
    assert page(
        direct(ends(), program(lost(), ends(), moved=True, on_ending=running, on_ending_at=MOVED), MOVED),
        direct(ends(), shared, MOVED, to=BEN),
    ) == snapshot("""\

*nightly eval's 1x H100 (k7mq2) ends at 14:30, in 14 min.* Its heartbeat has been missing since
      13:40. Copy your results off: the disk is deleted with it.
  $3.83 so far · The script /root/on-ending.sh has been running since 14:16.
[Keep k7mq2 for 1 h] [Destroy k7mq2 now]

*Ana's 1x H100 (k7mq2) ends at 14:30, in 14 min.* Its heartbeat has been missing since 13:40. Copy
      your results off: the disk is deleted with it.
  $3.83 so far
[Keep k7mq2 for 1 h]
""")


def test_the_message_about_the_nearer_end_says_if_the_machine_keeps_running() -> None:
    def after(*events: Event) -> str:
        return direct(ends(), program(lost(), ends(), *events, lost_heartbeat=None), clock(14, 21))

    over = gone()
    assert page(
        after(back(restores=True)),
        after(back(HeartbeatReturn.JOB, restores=True)),
        after(back(HeartbeatReturn.WORK, restores=True)),
        after(back(HeartbeatReturn.AWAY, restores=True, back_by=clock(14, 40))),
        after(back(HeartbeatReturn.NOT_EXPECTED, restores=True)),
        after(kept(until=USUAL)),
        direct(ends(), ready(lost(), ends(), LONGER_BY, lease=lease(clock(20, 40))), clock(14, 21)),
        direct(ends(), changed(over, events=(lost(), ends(), *over.events)), clock(14, 40)).splitlines()[0],
    ) == snapshot("""\

The heartbeat for nightly eval's 1x H100 (k7mq2) has been back since 14:20, so it keeps running,
      until 18:40 at the latest.

A job was running on nightly eval's 1x H100 (k7mq2) at 14:20, which counts as a heartbeat, so it
      keeps running, until 18:40 at the latest.

The GPUs of nightly eval's 1x H100 (k7mq2) are working, so it keeps running, until 18:40 at the
      latest.

I couldn't receive the heartbeats for nightly eval's 1x H100 (k7mq2) for a while, so it keeps
      running, until 18:40 at the latest. Its heartbeat has to be back by 14:40.

I don't expect heartbeats for nightly eval's 1x H100 (k7mq2) any more, so it keeps running, until
      18:40 at the latest.

You decided to keep nightly eval's 1x H100 (k7mq2) without a heartbeat until 15:05. It ends at 18:40
      at the latest.

*Extended: 1x H100 (k7mq2)*. It ends at 20:40.

(fallback) Ended at 18:41: 1x H100 (k7mq2).
""")


def test_the_card_shows_a_lost_heartbeat_and_the_nearer_end() -> None:
    assert page(
        card(program(lost()), clock(14, 1)),
        card(
            program(lost(), lost_heartbeat=changed(LAST_KEPT, since=clock(12, 40), kept_until=None)),
            clock(14, 1),
        ),
        card(program(lost(), ends(), moved=True), MOVED),
        card(program(lost(), kept(), lost_heartbeat=LAST_KEPT), clock(14, 6)),
    ) == snapshot("""\

nightly eval (Ana) rents 1x H100 (k7mq2) until 18:40, up to $16.06. Its heartbeat stopped at 13:40.
[Destroy k7mq2] [Stop this token]

nightly eval (Ana) rents 1x H100 (k7mq2) until 18:40, up to $16.06. No heartbeat has arrived.
[Destroy k7mq2] [Stop this token]

nightly eval (Ana) rents 1x H100 (k7mq2), up to $16.06. It ends at 14:30, since its heartbeat
      stopped at 13:40.
[Destroy k7mq2 now] [Stop this token]

nightly eval (Ana) rents 1x H100 (k7mq2) until 18:40, up to $16.06. Its heartbeat stopped at 13:40,
      but it's kept until 15:05.
[Destroy k7mq2] [Stop this token]
""")


def test_details_show_a_lost_heartbeat_and_the_history() -> None:
    details = program(lost(), ends(), moved=True)
    shown = message(lists.show(details, reading(MOVED, ANA)), MOVED)
    events = (lost(), lost(heard=False), ends(), back(), back(restores=True), kept(), kept(until=USUAL))
    history = [history_text(one, details, reading(MOVED, ANA), money=True) for one in events]
    assert page(shown.split("\n\n")[0], "\n".join(read(one, MOVED) for one in history)) == snapshot("""\

Ready: 1x H100 (k7mq2) in EU for nightly eval (Ana). It ends at 14:30, since its heartbeat stopped
      at 13:40. $2.42/h, $4.96 so far.
  Nebius eu-north1. Cost limits: $2.47/h and $16.06 in total. "fine-tune run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).
  14:00  I told Ana that the heartbeat for this machine has been missing since 13:40.
  14:15  The heartbeat for this machine has been missing since 13:40, so the machine ends at 14:30.

I told Ana that the heartbeat for this machine has been missing since 13:40.
I told Ana that no heartbeat for this machine has arrived since it was ready at 13:40.
The heartbeat for this machine has been missing since 13:40, so the machine ends at 14:30.
The heartbeat for this machine has been back since 14:04.
The heartbeat for this machine has been back since 14:20, so it keeps running, until 18:40 at the latest.
Ana decided to keep this machine without a heartbeat until 15:05.
Ana decided to keep this machine without a heartbeat until 15:05. It ends at 18:40 at the latest.
""")
