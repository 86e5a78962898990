"""The question whether a machine is still needed, and the messages if nobody responds."""

from __future__ import annotations

from typing import Any

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.machine_use import GpuUse, Missed, UsageStatus, Use
from bot.model.rental import Asked, Question
from bot.model.state import State
from bot.model.summary import RentalDetails
from tests.views.screens import approval, card, direct, page
from tests.views.stories import ANA, BEN, CARL, H, M, clock, happened, lease, ready

K = EventKind
GPUS = tuple(GpuUse(index=n, highest=0) for n in range(4))
IDLE = Use(status=UsageStatus.IDLE, since=clock(14, 5), gpus=GPUS)
IN_USE = Use(status=UsageStatus.IN_USE, since=clock(16, 20))


def question(use: Use, **facts: Any) -> Event:
    """Return the question at 14:40."""
    now = clock(14, 40)
    known = {
        "status": use.status,
        "use": use,
        "since": use.since,
        "span": now - use.since,
        "rate": ready().rental.rate,
    }
    return happened(K.STILL_NEEDED, now, id=20, amount=4_960_000, estimated=False, **{**known, **facts})


def asked_about(use: Use, *events: Event, now: Use | None = None, **asked: Any) -> RentalDetails:
    """Return k7mq2 after the question about `use`. Its current usage is `now`."""
    known = Asked(about=use.since, last_at=clock(14, 40), first_at=clock(14, 40), **asked)
    return ready(*events, use=now or use, lease=changed(lease(), question=Question(asked=known)))


def test_the_question_has_the_evidence_the_cost_and_the_answers() -> None:
    close_to_idle = changed(IDLE, gpus=(GpuUse(index=0, highest=3),))
    connected = changed(IDLE, status=UsageStatus.CONNECTED, since=clock(12, 40), connections=1)
    scanned, closed = changed(IDLE, new_connections=1), changed(connected, connections=0)
    unknown = Use(status=UsageStatus.UNKNOWN, since=clock(13, 10), why=Missed.NO_ANSWER)
    unseen = [changed(unknown, why=why) for why in (Missed.NO_ANSWER, Missed.REFUSED, None)]
    uses = (IDLE, close_to_idle, connected, changed(connected, connections=2), scanned, closed, *unseen)
    assert page(*(direct(question(use), asked_about(use), clock(14, 40)) for use in uses)) == snapshot("""\

(fallback) It costs $2.42/h, $4.96 so far. All its GPUs have been at 0% since 14:05. Nobody is
      connected. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* It's been idle for 35 min.
| Cost: $2.42/h, $4.96 so far
| GPUs: all at 0% since 14:05
| Connections: none
| Ends: 18:40
  Machines are never destroyed just because they're idle.
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

(fallback) It costs $2.42/h, $4.96 so far. Its GPU has been at up to 3% since 14:05. Nobody is
      connected. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* It's been idle for 35 min.
| Cost: $2.42/h, $4.96 so far
| GPU: at up to 3% since 14:05
| Connections: none
| Ends: 18:40
  Machines are never destroyed just because they're idle.
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

(fallback) It costs $2.42/h, $4.96 so far. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* Its GPUs have been at 0% for 2 h, with 1 SSH connection open.
| Cost: $2.42/h, $4.96 so far
| Ends: 18:40
  Machines are never destroyed just because they're idle.
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

(fallback) It costs $2.42/h, $4.96 so far. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* Its GPUs have been at 0% for 2 h, with 2 SSH connections open.
| Cost: $2.42/h, $4.96 so far
| Ends: 18:40
  Machines are never destroyed just because they're idle.
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

(fallback) It costs $2.42/h, $4.96 so far. All its GPUs have been at 0% since 14:05. Open: 1 new SSH
      connection. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* It's been idle for 35 min.
| Cost: $2.42/h, $4.96 so far
| GPUs: all at 0% since 14:05
| Connections: 1 new
| Ends: 18:40
  Machines are never destroyed just because they're idle.
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

(fallback) It costs $2.42/h, $4.96 so far. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* Its GPUs have been at 0% for 2 h, with nobody connected now.
| Cost: $2.42/h, $4.96 so far
| Ends: 18:40
  Machines are never destroyed just because they're idle.
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

(fallback) It costs $2.42/h, $4.96 so far. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* I haven't been able to monitor it since 13:10 (no answer over
      SSH).
| Cost: $2.42/h, $4.96 so far
| Ends: 18:40
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

(fallback) It costs $2.42/h, $4.96 so far. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* I haven't been able to monitor it since 13:10 (it rejects my
      key). To set up monitoring: /gpu ssh k7mq2
| Cost: $2.42/h, $4.96 so far
| Ends: 18:40
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

(fallback) It costs $2.42/h, $4.96 so far. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* I haven't been able to monitor it since 13:10.
| Cost: $2.42/h, $4.96 so far
| Ends: 18:40
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]
""")


def test_the_question_closes_when_the_machine_is_used_or_somebody_answers() -> None:
    asked = question(IDLE)
    kept = happened(K.KEPT, clock(14, 41), ANA, id=21, until=clock(15, 41), since=clock(18, 40), span=H)
    ben = happened(K.LEFT_ALONE, clock(14, 41), BEN, id=21, until=clock(18, 40))
    later = changed(IDLE, since=clock(15, 30))

    def again(use: Use) -> Event:
        return happened(K.STILL_NEEDED, clock(16, 40), id=21, status=use.status, use=use)

    worked = happened(K.USE_CHANGED, clock(15, 10), id=21, status=UsageStatus.IN_USE)
    same_idle_period = changed(later, idle_period=IDLE.since)
    assert page(
        direct(asked, asked_about(IDLE, asked, now=IN_USE), clock(16, 21)),
        direct(asked, asked_about(IDLE, asked, worked, now=later), clock(16, 21)),
        direct(asked, asked_about(IDLE, asked, now=later), clock(16, 21)),
        direct(asked, asked_about(IDLE, asked, now=same_idle_period), clock(16, 21)),
        direct(asked, asked_about(IDLE, asked, kept), clock(14, 41)),
        direct(asked, asked_about(IDLE, asked, ben), clock(14, 41)),
        direct(asked, asked_about(IDLE, asked, again(IDLE)), clock(16, 41)),
        direct(asked, asked_about(later, asked, again(later)), clock(16, 41)),
        direct(asked, ready(asked, state=State.DESTROYING), clock(14, 45)),
    ) == snapshot("""\

Your 1x H100 (k7mq2) has been in use again since 16:20.

Your 1x H100 (k7mq2) was in use at 15:30, after I asked whether you still need it.

I couldn't monitor your 1x H100 (k7mq2) until 15:30, so I don't know whether it was idle.

(fallback) It costs $2.42/h, $4.96 so far. All its GPUs have been at 0% since 14:05. Nobody is
      connected. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* It's been idle for 35 min.
| Cost: $2.42/h, $4.96 so far
| GPUs: all at 0% since 14:05
| Connections: none
| Ends: 18:40
  Machines are never destroyed just because they're idle.
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

You said that you still need your 1x H100 (k7mq2). I'll ask again at 15:41. It still ends at 18:40.
[Extend 2 h, about $4.84]

Ben decided to let your 1x H100 (k7mq2) run until it ends at 18:40. I won't ask about it before
      that.

You didn't answer. I asked again at 16:40 whether you still need your 1x H100 (k7mq2).

I asked again at 16:40 whether you still need your 1x H100 (k7mq2).

Your 1x H100 (k7mq2) is being destroyed.
""")


def test_the_evidence_mentions_connections_made_after_the_question() -> None:
    connected = changed(IDLE, status=UsageStatus.CONNECTED, connections=1)
    later = asked_about(IDLE, TOLD, now=connected)
    assert page(direct(question(IDLE), later, clock(14, 50)), to_approvers(later)) == snapshot("""\

(fallback) It costs $2.42/h, $4.96 so far. All its GPUs have been at 0% since 14:05. Somebody has
      connected since I asked. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* It's been idle for 35 min.
| Cost: $2.42/h, $4.96 so far
| GPUs: all at 0% since 14:05
| Connections: somebody has connected since I asked
| Ends: 18:40
  Machines are never destroyed just because they're idle.
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

Ana hasn't said whether 1x H100 (k7mq2) is still needed. Somebody is connected, but it has been idle
      since 14:05 (4 h 35 min, $11.09). Running until Nov 26 at 09:00 would cost about $92.77 more.
      Destroying it deletes its disk.
[Ask Ana again] [Let it run until its end] [Destroy k7mq2]
""")


def test_the_card_of_an_idle_machine_changes_every_fifteen_minutes() -> None:
    details = asked_about(IDLE, on_card=True)
    first, before_next, next_ = (card(details, clock(16, minute)) for minute in (35, 49, 50))
    assert first == before_next, "each poll renders the card, and would edit it"
    assert next_ != first


def test_the_card_says_idle_once_nobody_responded_for_two_hours() -> None:
    connected = changed(IDLE, status=UsageStatus.CONNECTED)
    assert page(
        card(asked_about(IDLE), clock(16, 39)),
        card(asked_about(IDLE, on_card=True), clock(16, 40)),
        card(asked_about(connected, on_card=True), clock(16, 40)),
        card(asked_about(IDLE, on_card=True, now=IN_USE), clock(16, 41)),
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
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37. Idle for 2 h 30 min.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
| Usage: Idle for 2 h 30 min
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37. Connected but idle for 2 h 30 min.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
| Usage: Connected but idle for 2 h 30 min
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]
""")


TOLD = happened(
    K.NOBODY_ANSWERS,
    clock(18, 40),
    id=30,
    status=UsageStatus.IDLE,
    use=IDLE,
    since=clock(14, 5),
    span=4 * H + 35 * M,
    amount=11_090_000,
    estimate=92_770_000,
    until=clock(9, 0, day=26),
)


def to_approvers(details: RentalDetails) -> str:
    return approval(TOLD, details, clock(18, 45))


def test_approvers_read_the_idle_time_and_the_remaining_cost() -> None:
    connected = changed(TOLD, facts=changed(TOLD.facts, status=UsageStatus.CONNECTED))
    unpriced = changed(TOLD, facts=changed(TOLD.facts, amount=None, estimate=None))
    details = asked_about(IDLE, TOLD)
    assert page(
        approval(TOLD, details, clock(18, 40), shown=0),
        approval(connected, details, clock(18, 40)),
        approval(unpriced, details, clock(18, 40)),
    ) == snapshot("""\

Ana hasn't said whether 1x H100 (k7mq2) is still needed. It has been idle since 14:05 (4 h 35 min,
      $11.09). Running until Nov 26 at 09:00 would cost about $92.77 more. Destroying it deletes its
      disk.
  <!subteam^S0GPU>, <@U0BEN>
[Ask Ana again] [Let it run until its end] [Destroy k7mq2]

Ana hasn't said whether 1x H100 (k7mq2) is still needed. Somebody is connected, but it has been idle
      since 14:05 (4 h 35 min, $11.09). Running until Nov 26 at 09:00 would cost about $92.77 more.
      Destroying it deletes its disk.
[Ask Ana again] [Let it run until its end] [Destroy k7mq2]

Ana hasn't said whether 1x H100 (k7mq2) is still needed. It has been idle since 14:05 (4 h 35 min).
      Destroying it deletes its disk.
[Ask Ana again] [Let it run until its end] [Destroy k7mq2]
""")


def test_approvers_read_the_outcome() -> None:
    def after(kind: EventKind, by: str | None = BEN, **facts: Any) -> str:
        return to_approvers(asked_about(IDLE, TOLD, happened(kind, clock(18, 44), by, id=31, **facts)))

    unknown = Use(status=UsageStatus.UNKNOWN, since=clock(18, 42))
    assert page(
        after(K.LEFT_ALONE, until=clock(9, 0, day=26)),
        after(K.OWNER_ASKED_AGAIN, until=clock(18, 39)),
        after(K.OWNER_ASKED_AGAIN, until=clock(18, 40)),
        after(K.KEPT, ANA, until=clock(22, 44), since=clock(9, 0, day=26)),
        after(K.EXTENDED, ANA, until=clock(11, 0, day=26), span=2 * H),
        after(K.DESTROYING),
        after(K.NOBODY_ANSWERS, None, use=IDLE),
        after(K.NOBODY_ANSWERS, None, use=changed(IDLE, since=clock(18, 41))),
        after(K.OWNER_CHANGED, people=(CARL, ANA)),
        to_approvers(asked_about(IDLE, TOLD, now=IN_USE)),
        to_approvers(asked_about(IDLE, TOLD, now=changed(IDLE, since=clock(18, 41)))),
        to_approvers(asked_about(changed(IDLE, since=clock(18, 41)), TOLD)),
        to_approvers(asked_about(IDLE, TOLD, now=unknown)),
        to_approvers(ready(TOLD, state=State.DESTROYING)),
    ) == snapshot("""\

Ben decided to let Ana's 1x H100 (k7mq2) run until it ends Nov 26 at 09:00. I won't ask about it
      before that.

Ben wants me to ask Ana again whether 1x H100 (k7mq2) is still needed. I'll ask at 18:39.

Ben wants me to ask Ana again whether 1x H100 (k7mq2) is still needed. But it ends at 18:40, before
      I would ask again.

Ana still needs 1x H100 (k7mq2). I'll ask again at 22:44. It still ends Nov 26 at 09:00.

Ana extended 1x H100 (k7mq2) by 2 h. It now ends Nov 26 at 11:00.

Ben is destroying Ana's 1x H100 (k7mq2).

I asked about Ana's 1x H100 (k7mq2) again at 18:44, in a newer message.

I asked about Ana's 1x H100 (k7mq2) again at 18:44, in a newer message.

Ben made Ana the owner of 1x H100 (k7mq2), which was Carl's.

Approvers no longer have to decide whether Ana's 1x H100 (k7mq2) keeps running, because it has been
      in use since 16:20.

Approvers no longer have to decide whether Ana's 1x H100 (k7mq2) keeps running, because it has been
      idle only since 18:41.

Approvers no longer have to decide whether Ana's 1x H100 (k7mq2) keeps running, because it has been
      idle only since 18:41.

Approvers no longer have to decide whether Ana's 1x H100 (k7mq2) keeps running, because I can't tell
      whether it's idle. I haven't been able to monitor it since 18:42.

Ana's 1x H100 (k7mq2) is being destroyed.
""")


def test_a_name_cannot_add_to_the_message_or_to_its_button() -> None:
    details = changed(asked_about(IDLE, TOLD), names={ANA: "<!here> *Ana*\n" + "a" * 200})
    assert to_approvers(details) == snapshot("""\
<!here> *Ana* aaaaaaaaaaaaaaaaaaaaaaaaa… hasn't said whether 1x H100 (k7mq2) is still needed. It has
      been idle since 14:05 (4 h 35 min, $11.09). Running until Nov 26 at 09:00 would cost about
      $92.77 more. Destroying it deletes its disk.
[Ask <!here> *Ana* aaaaaaaaaaaaaaa… again] [Let it run until its end] [Destroy k7mq2]\
""")
