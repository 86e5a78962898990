"""Direct messages about a machine, and how they change until its end."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.message import MessageKind
from bot.model.person import OPERATOR
from bot.model.rental import Alarm, Ending
from bot.model.state import State
from bot.model.summary import RentalDetails
from handlers.messages.render import REFRESH_ASKED_EVERY
from tests.views.screens import direct, outbox, page, thread
from tests.views.stories import (
    ANA,
    BEN,
    CARL,
    LONGER,
    READY_EVENT,
    H,
    M,
    S,
    clock,
    gone,
    happened,
    lease,
    making,
    ready,
    waiting,
)

K = EventKind


def test_the_ready_message_shows_its_owner_the_ssh_command() -> None:
    assert page(
        direct(READY_EVENT, ready()),
        direct(READY_EVENT, ready(quiet_since_real=clock(12, 37), host="2001:db8::7", port=2222)),
    ) == snapshot("""\

(fallback) Your 1x H100 (k7mq2) is ready.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40. It costs $2.42/h, at most $16.06 in all. Your key "you@laptop" works.
      It runs at Nebius eu-north1.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Your 1x H100 (k7mq2) is ready
$ ssh root@203.0.113.7
| Ends: 18:40
| Price: $2.42/h, at most $16.06
| Keys: Your key "you@laptop" works
| Place: Nebius eu-north1
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Extend] [SSH config and keys] [It doesn't work] [Destroy k7mq2]

(fallback) Your 1x H100 (k7mq2) is running and billing.
(fallback) Log in with: `ssh -p 2222 root@2001:db8::7`
(fallback) It ends at 18:40. It costs $2.42/h, at most $16.06 in all. Your key "you@laptop" works
      once the SSH port answers. It runs at Nebius eu-north1.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Your 1x H100 (k7mq2) is running and billing
Nothing answers on its SSH port yet. It may need another minute.
$ ssh -p 2222 root@2001:db8::7
| Ends: 18:40
| Price: $2.42/h, at most $16.06
| Keys: Your key "you@laptop" works once the SSH port answers
| Place: Nebius eu-north1
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Extend] [SSH config and keys] [Replace k7mq2, up to $2.47/h] [Destroy k7mq2]
""")


def test_the_ready_message_mentions_a_shorter_lease_or_a_pending_extension() -> None:
    assert page(
        direct(READY_EVENT, ready(lease=lease(clock(17, 40)))),
        direct(READY_EVENT, ready(extension=LONGER), clock(18, 10)),
    ) == snapshot("""\

(fallback) Your 1x H100 (k7mq2) is ready.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 17:40. That's sooner than you asked, since it costs more than planned. It
      costs $2.42/h, at most $16.06 in all. Your key "you@laptop" works. It runs at Nebius
      eu-north1.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Your 1x H100 (k7mq2) is ready
$ ssh root@203.0.113.7
| Ends: 17:40, sooner than you asked, since it costs more than planned
| Price: $2.42/h, at most $16.06
| Keys: Your key "you@laptop" works
| Place: Nebius eu-north1
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Extend] [SSH config and keys] [It doesn't work] [Destroy k7mq2]

(fallback) Your 1x H100 (k7mq2) is ready.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40. If the request for more time is approved, it ends tomorrow at 18:40. It
      costs $2.42/h, at most $16.06 in all. Your key "you@laptop" works. It runs at Nebius
      eu-north1.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Your 1x H100 (k7mq2) is ready
$ ssh root@203.0.113.7
| Ends: 18:40, or tomorrow at 18:40 if the request for more time is approved
| Price: $2.42/h, at most $16.06
| Keys: Your key "you@laptop" works
| Place: Nebius eu-north1
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Withdraw the request] [SSH config and keys] [Destroy k7mq2]
""")


def test_the_ready_message_names_the_approver_unless_approval_was_reported_before() -> None:
    approved = happened(K.APPROVED, clock(12, 20), BEN, id=3, max_rate=Decimal("2.47"))
    late = happened(K.APPROVED_NOT_READY, clock(12, 35), id=4)
    starting = changed(making(), events=(approved, late))
    for events in ((approved, late, READY_EVENT), (changed(approved, actor=ANA), READY_EVENT)):
        assert "pproved" not in direct(READY_EVENT, changed(ready(), events=events))
    assert page(
        direct(READY_EVENT, changed(ready(), events=(approved, READY_EVENT))),
        direct(late, starting),
        direct(late, changed(ready(), events=(approved, late, READY_EVENT)), clock(12, 41)),
    ) == snapshot("""\

(fallback) Your 1x H100 (k7mq2) is ready.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40. It costs $2.42/h, at most $16.06 in all. Your key "you@laptop" works.
      It runs at Nebius eu-north1.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Your 1x H100 (k7mq2) is ready
$ ssh root@203.0.113.7
| Ends: 18:40
| Price: $2.42/h, at most $16.06
| Keys: Your key "you@laptop" works
| Place: Nebius eu-north1
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
  Approved by Ben.
[Extend] [SSH config and keys] [It doesn't work] [Destroy k7mq2]

Ben approved your 1x H100 (k7mq2) in EU at 12:20. It's starting.

Ben approved your 1x H100 (k7mq2) in EU at 12:20. It's ready, and ends at 18:40.
""")


QUESTION = happened(K.STILL_NEEDED, clock(14, 40), id=8, span=2 * H, amount=4_960_000, estimated=False)


def test_the_question_shows_the_quiet_time_to_the_minute() -> None:
    exact = happened(K.STILL_NEEDED, clock(14, 40), id=8, span=29 * M + 59 * S)
    assert page(direct(QUESTION, ready(QUESTION)), direct(exact, ready(exact))) == snapshot("""\

(fallback) It costs $2.42/h, $4.96 so far. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* I can't monitor it, so it may be busy or idle. Nobody has
      clicked or typed anything about it in Slack for 2 h.
| Cost: $2.42/h, $4.96 so far
| Ends: 18:40
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

(fallback) It costs $2.42/h, $4.96 so far. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* I can't monitor it, so it may be busy or idle. Nobody has
      clicked or typed anything about it in Slack for 30 min.
| Cost: $2.42/h, $4.96 so far
| Ends: 18:40
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]
""")


def test_the_answered_question_does_not_name_its_reader() -> None:
    kept: dict[str, Any] = {"until": clock(15, 41), "since": clock(18, 40), "span": H}
    more: dict[str, Any] = {"until": clock(20, 40), "since": clock(18, 40), "span": 2 * H}
    assert page(
        *(
            direct(QUESTION, ready(QUESTION, answer), answer.at)
            for answer in (
                happened(K.KEPT, clock(14, 41), ANA, id=9, **kept),
                happened(K.KEPT, clock(14, 41), CARL, id=9, **kept),
                happened(K.EXTENDED, clock(14, 41), ANA, id=9, **more),
                happened(K.EXTENDED, clock(14, 41), CARL, id=9, **more),
                happened(K.EXTENSION_ASKED, clock(14, 41), ANA, id=9, **more),
                happened(K.STILL_NEEDED, clock(17, 40), id=9),
            )
        )
    ) == snapshot("""\

You said that you still need your 1x H100 (k7mq2). I'll ask again at 15:41. It still ends at 18:40.
[Extend 2 h, about $4.84]

Carl says that your 1x H100 (k7mq2) is still needed. I'll ask again at 15:41. It still ends at
      18:40.
[Extend 2 h, about $4.84]

You extended your 1x H100 (k7mq2) by 2 h. It now ends at 20:40.

Carl extended your 1x H100 (k7mq2) by 2 h. It now ends at 20:40.

You asked for 2 h more on your 1x H100 (k7mq2), until 20:40. That needs approval. Unless someone
      approves, it ends at 18:40.

You didn't answer. I asked again at 17:40 whether you still need your 1x H100 (k7mq2).
""")


def test_the_answered_question_offers_more_time_until_something_changes() -> None:
    kept = happened(K.KEPT, clock(14, 41), ANA, id=9, until=clock(18, 41), since=clock(18, 40), span=4 * H)
    again = happened(K.STILL_NEEDED, clock(16, 0), id=10)
    assert page(
        direct(QUESTION, ready(QUESTION, kept), kept.at),
        direct(QUESTION, ready(QUESTION, kept, extension=LONGER), clock(18, 10)),
        direct(QUESTION, ready(QUESTION, kept, lease=lease(clock(20, 40))), clock(18, 10)),
        direct(QUESTION, ready(QUESTION, kept, again), again.at),
    ) == snapshot("""\

You said that you still need your 1x H100 (k7mq2). It still ends at 18:40, and I won't ask again
      before that.
[Extend 2 h, about $4.84]

You said that you still need your 1x H100 (k7mq2). It still ends at 18:40, and I won't ask again
      before that. More time has been requested, and is waiting for approval.

You said that you still need your 1x H100 (k7mq2). It ends at 20:40.

You said that you still need your 1x H100 (k7mq2). It still ends at 18:40, and I won't ask again
      before that.
""")


NOTICE = happened(K.ENDING, clock(18, 10), id=10, until=clock(18, 40))


def test_a_notice_of_the_end_has_a_button_for_more_time() -> None:
    again = happened(K.ENDING, clock(18, 30), id=11, until=clock(18, 40))
    assert page(
        direct(NOTICE, ready(NOTICE)),
        direct(NOTICE, ready(NOTICE, extension=LONGER)),
        direct(NOTICE, ready(NOTICE, lease=lease(clock(20, 40))), clock(18, 11)),
        direct(NOTICE, ready(NOTICE, again), clock(18, 30)),
        direct(NOTICE, ready(NOTICE, rate=Decimal("18.40"))),
        *(
            direct(NOTICE, ready(NOTICE, longer, lease=lease(clock(20, 40))), clock(18, 12))
            for longer in (
                happened(K.EXTENDED, clock(18, 11), CARL, until=clock(20, 40)),
                happened(K.EXTENSION_APPROVED, clock(18, 11), BEN, until=clock(20, 40)),
            )
        ),
    ) == snapshot("""\

*Your 1x H100 (k7mq2) ends at 18:40, in 30 min.* Copy your results off: the disk is deleted with it.
[Extend 2 h, about $4.84] [Destroy k7mq2]

*Your 1x H100 (k7mq2) ends at 18:40, in 30 min.* Copy your results off: the disk is deleted with it.
      More time has been requested, and is waiting for approval.
[Destroy k7mq2]

*Extended: 1x H100 (k7mq2)*. It ends at 20:40.

Your 1x H100 (k7mq2) ends at 18:40. I sent a newer notice at 18:30.

*Your 1x H100 (k7mq2) ends at 18:40, in 30 min.* If you need more time, request it now: it needs
      approval. Copy your results off: the disk is deleted with it.
[Ask for 2 h more, about $36.80] [Destroy k7mq2]

*Extended by Carl: 1x H100 (k7mq2)*. It ends at 20:40.

*More time approved by Ben: 1x H100 (k7mq2)*. It ends at 20:40.
""")


def test_a_notice_stays_open_after_an_extension_until_a_newer_one() -> None:
    longer = happened(K.EXTENDED, clock(18, 11), ANA, id=11, until=clock(20, 40))
    again = happened(K.ENDING, clock(20, 10), id=12, until=clock(20, 40))
    for events, closed in (((NOTICE, longer), False), ((NOTICE, longer, again), True)):
        details = ready(*events, lease=lease(clock(20, 40)))
        shown = outbox(MessageKind.DIRECT, details, clock(20, 10), NOTICE, posted_at=NOTICE.at)
        assert shown is not None
        assert shown.closed is closed


def test_the_newest_message_becomes_the_receipt_and_others_point_to_it() -> None:
    earlier = happened(K.ENDING, clock(16, 40), id=9, until=clock(18, 40))
    notified = (earlier, NOTICE)
    assert page(
        direct(READY_EVENT, gone(QUESTION), clock(18, 42), newest=False),
        direct(QUESTION, gone(QUESTION), clock(18, 42)),
        *(direct(event, gone(*notified), clock(18, 42), newest=False) for event in (READY_EVENT, earlier)),
        direct(NOTICE, gone(*notified), clock(18, 42)),
        direct(NOTICE, gone(NOTICE), clock(18, 42), to=BEN),
        direct(NOTICE, gone(NOTICE, state=State.LOST, why=Why.VENDOR_TOOK_IT), clock(18, 42)),
        *(direct(event, ready(event, state=State.DESTROYING), clock(18, 40)) for event in (QUESTION, NOTICE)),
    ) == snapshot("""\

1x H100 (k7mq2) has ended. Its receipt is below.

(fallback) Ended at 18:41: 1x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.

1x H100 (k7mq2) has ended. Its receipt is below.

1x H100 (k7mq2) has ended. Its receipt is below.

(fallback) Ended at 18:41: 1x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.

Ended at 18:41: Ana's 1x H100 (k7mq2).

(fallback) Lost at 18:41: 1x H100 (k7mq2). Nebius took the machine back.
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h.
*Lost at 18:41: 1x H100 (k7mq2)*
Nebius took the machine back.
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
  Computed from price and time; the invoice may differ.

Your 1x H100 (k7mq2) is being destroyed.

Your 1x H100 (k7mq2) is being destroyed.
""")


def ended_by(who: str, *events: Event, detail: str | None = None, state: State = State.DESTROYED) -> RentalDetails:
    """Return k7mq2, ended at 18:41 at this person's request from 18:40."""
    asked = happened(K.DESTROYING, clock(18, 40), who, id=12, why=Why.ASKED, end=state, detail=detail)
    details = gone(*events, asked, state=state)
    ending = Ending(outcome=state, why=Why.ASKED, by=who, since=clock(18, 40))
    return changed(details, rental=changed(details.rental, ending=ending))


def test_the_receipt_names_the_person_who_ended_somebody_elses_machine() -> None:
    by_ben, by_hand = ended_by(BEN), ended_by(OPERATOR.id, detail="Slack is <!channel> away")
    assert page(
        direct(by_ben.events[-1], by_ben, clock(18, 42)),
        direct(READY_EVENT, by_ben, clock(18, 42), to=CARL),
        direct(by_hand.events[-1], by_hand, clock(18, 42)),
        direct(READY_EVENT, ended_by(BEN, state=State.CANCELLED), clock(18, 42)),
        direct(READY_EVENT, ended_by(ANA), clock(18, 42)),
    ) == snapshot("""\

(fallback) Ended by Ben at 18:41: 1x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended by Ben at 18:41: 1x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.

Ended by Ben at 18:41: Ana's 1x H100 (k7mq2).

(fallback) Ended by the operator (reason: "Slack is <!channel> away") at 18:41: 1x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended by the operator (reason: "Slack is <!channel> away") at 18:41: 1x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.

(fallback) Cancelled by Ben at 12:59: 1x H100 (k7mq2).
(fallback) It cost $0.89. It was billed for 22 min at $2.42/h. The vendor confirmed the deletion.
*Cancelled by Ben at 12:59: 1x H100 (k7mq2)*
| Total: $0.89
| Billed time: 22 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.

(fallback) Ended at 18:41: 1x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.
""")


def test_the_receipt_mentions_an_extension_by_the_operator() -> None:
    by = {"detail": "a long run", "span": H, "until": clock(17, 40)}
    longer = {**by, "until": clock(18, 40)}
    events = (
        happened(K.EXTENDED, clock(16, 0), OPERATOR.id, id=9, **by),
        happened(K.EXTENDED_BY_OPERATOR, clock(16, 5), OPERATOR.id, id=10, **longer),
        happened(K.EXTENDED, clock(16, 9), ANA, id=11, span=H, until=clock(18, 41)),
    )
    assert direct(READY_EVENT, gone(*events), clock(18, 42)) == snapshot("""\
(fallback) Ended at 18:41: 1x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.
  The operator (reason: "a long run") extended the machine until 18:40.\
""")


ALARM = happened(
    K.NOT_CONFIRMED,
    clock(18, 46),
    id=11,
    rate=Decimal("2.42"),
    resource_id="3c90c3cc",
    detail="vendor timeout",
)


def test_a_changed_host_key_is_reported_with_both_fingerprints() -> None:
    keys = {"before_host_key": "SHA256:Vx1", "host_key": "SHA256:<!channel>"}
    assert page(direct(happened(K.HOST_KEY_CHANGED, clock(15, 2), id=9, **keys), ready())) == snapshot("""\

The SSH host key of 1x H100 (k7mq2) changed from SHA256:Vx1 to SHA256:<!channel>. If you didn't
      change it, don't log in: a different machine may be answering. I've stopped logging in too, so
      I can't monitor the machine.
""")


def test_an_unconfirmed_deletion_has_a_button_until_somebody_acknowledges_it() -> None:
    destroying: dict[str, Any] = {"state": State.DESTROYING, "alarm": Alarm(at=clock(18, 46), count=1)}
    taken = ready(ALARM, state=State.DESTROYING, alarm=Alarm(at=clock(18, 46), count=1, acknowledged_by=CARL))
    again = happened(K.NOT_CONFIRMED, clock(18, 56), id=12)
    assert page(
        direct(ALARM, ready(ALARM, **destroying), to=CARL),
        direct(ALARM, taken, clock(18, 47), to=CARL),
        direct(ALARM, taken, clock(18, 47)),
        direct(ALARM, ready(ALARM, again, **destroying), clock(18, 56)),
        direct(ALARM, gone(ALARM), clock(18, 59)),
    ) == snapshot("""\

The deletion of Ana's 1x H100 (k7mq2) isn't confirmed yet, so it may still be billing $2.42/h
      (resource 3c90c3cc). I'm still trying. Last answer: vendor timeout.
[I'm on it]

The deletion of Ana's 1x H100 (k7mq2) isn't confirmed yet, so it may still be billing $2.42/h
      (resource 3c90c3cc). I'm still trying. Last answer: vendor timeout. You said that you're on
      it.

The deletion of your 1x H100 (k7mq2) isn't confirmed yet, so it may still be billing $2.42/h
      (resource 3c90c3cc). I'm still trying. Last answer: vendor timeout. Carl is looking into it.

The deletion of your 1x H100 (k7mq2) isn't confirmed yet, so it may still be billing $2.42/h
      (resource 3c90c3cc). I'm still trying. Last answer: vendor timeout. I sent you a newer message
      about this at 18:56.

(fallback) Ended at 18:41: 1x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.
""")


def test_a_delayed_notice_shows_the_time_left_when_posted() -> None:
    late = [direct(NOTICE, ready(NOTICE), NOTICE.at + held_up) for held_up in (H / 3, H)]
    assert page(*late) == snapshot("""\

*Your 1x H100 (k7mq2) ends at 18:40, in 10 min.* Copy your results off: the disk is deleted with it.
[Extend 2 h, about $4.84] [Destroy k7mq2]

*Your 1x H100 (k7mq2) ends at 18:40, which is now.* Copy your results off: the disk is deleted with
      it.
[Extend 2 h, about $4.84] [Destroy k7mq2]
""")


def test_an_outdated_notice_is_not_posted_after_a_newer_one() -> None:
    later = happened(K.ENDING, clock(18, 41), id=11, until=clock(18, 51))
    details = ready(NOTICE, later)
    assert outbox(MessageKind.DIRECT, details, clock(18, 42), NOTICE) is None
    assert outbox(MessageKind.DIRECT, details, clock(18, 39), NOTICE) is not None
    assert outbox(MessageKind.DIRECT, details, clock(18, 42), NOTICE, posted_at=NOTICE.at) is not None
    assert outbox(MessageKind.DIRECT, details, clock(18, 42), later) is not None


def test_a_machine_missing_from_the_database_is_reported_with_known_facts() -> None:
    lost = happened(K.LOST, clock(13, 3), why=Why.ENDED_WHILE_AWAY, vendor="nebius")
    over = gone(lost, state=State.LOST, why=Why.ENDED_WHILE_AWAY)
    since = happened(K.LOST, clock(13, 3), why=Why.ENDED_SINCE_BACKUP, vendor="nebius")
    destroyed = gone(since, state=State.LOST, why=Why.ENDED_SINCE_BACKUP)
    assert page(direct(lost, over, clock(13, 4)), direct(since, destroyed, clock(13, 4))) == snapshot("""\

Your 1x H100 (k7mq2) ended before 13:03, while I was away. The vendor took the machine back, or
      somebody destroyed it. Everything on it is lost.
[Replace k7mq2, up to $2.47/h] [Tell me when there's an offer]

Your 1x H100 (k7mq2) ended before 13:03, while I was away. Somebody probably destroyed it; I don't
      know who, because my database was restored from a backup. Everything on it is lost. Ask again:
      /gpu get
[Tell me when there's an offer]
""")


def test_a_notice_says_until_when_an_approver_is_available() -> None:
    notice = changed(NOTICE, facts=changed(NOTICE.facts, ask_before=clock(18, 30)))
    later = ready(notice, spent=97_000_000)
    rental = later.rental
    lease = changed(rental.running_lease, latest_end=clock(23, 40))
    flexible_end = changed(
        later, rental=changed(rental, lease=lease, request=changed(rental.request, up_to=11 * H))
    )
    assert page(direct(notice, later), direct(notice, flexible_end)) == snapshot("""\

*Your 1x H100 (k7mq2) ends at 18:40, in 30 min.* Copy your results off: the disk is deleted with it.
      To keep it longer, request more time before 18:30: no approver is available after that.
[Ask for 2 h more, about $4.84] [Destroy k7mq2]

*Your 1x H100 (k7mq2) ends at 18:40, in 30 min.* If its GPUs are busy then, it keeps running, until
      23:40 at the latest. Copy your results off: the disk is deleted with it. To keep it beyond
      23:40, request more time before 18:30: no approver is available after that.
[Keep it 2 h more in any case] [Destroy k7mq2]
""")


def test_the_owner_reads_that_fewer_hours_were_approved_and_by_whom() -> None:
    fewer: dict[str, Any] = {"max_rate": Decimal("21.16"), "hours": 4 * H, "span": 4 * H, "asked_span": 6 * H}
    approved = happened(K.APPROVED, clock(14, 12), BEN, **fewer)
    shorter: dict[str, Any] = {"span": 8 * H, "asked_span": 24 * H, "until": clock(2, 40, day=25)}
    longer = happened(K.EXTENSION_APPROVED, clock(18, 20), BEN, **shorter)
    started = waiting(approved, state=State.PROCURING, decision=None)
    assert page(
        direct(approved, started), direct(longer, ready(longer)), thread(approved, started), thread(longer)
    ) == snapshot("""\

Ben approved your 8x H100 (p4wd9) in EU at 14:12, for 4 h instead of 6 h, at up to $21.16/h.

Ben approved fewer hours than requested for your 1x H100 (k7mq2): 8 h instead of 24 h. It now ends
      tomorrow at 02:40.

Ben approved this request at 14:12, for 4 h instead of 6 h, at up to $21.16/h.

Ben approved fewer hours than requested for this machine: 8 h instead of 24 h. It now ends tomorrow
      at 02:40.
""")


def test_messages_that_show_passing_time_are_refreshed_while_the_machine_runs() -> None:
    details = ready(NOTICE, lease=lease(clock(20, 40)))
    first_hour = details.rental.running_lease.ready_at + timedelta(hours=1)
    for event, now, again in (
        (NOTICE, clock(20, 10), REFRESH_ASKED_EVERY),
        (READY_EVENT, first_hour - timedelta(minutes=9), timedelta(minutes=9)),
        (READY_EVENT, first_hour, None),
    ):
        shown = outbox(MessageKind.DIRECT, details, now, event)
        assert shown is not None
        assert (shown.closed, shown.refresh_after) == (False, again)
