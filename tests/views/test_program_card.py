"""The card of a rental that a program made, and the token's name in other messages."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.machine_use import UsageStatus, Use
from bot.model.message import MessageKind
from bot.model.quote import WaitlistEntry
from bot.model.rental import Alarm, Asked, Blocked, Decider, Ending, GracefulDestroy, PendingDecision, Question
from bot.model.state import State
from bot.model.summary import AccruedCost, RentalDetails
from bot.model.token import HeartbeatEnd, LostHeartbeat, Token, TokenState
from handlers.messages import lists
from handlers.messages.home import home_tab
from tests.slack_limits import unescaped_markup
from tests.store import make
from tests.views.screens import approval, card, direct, message, outbox, page, read
from tests.views.stories import (
    ANA,
    ASKED,
    BEN,
    CARL,
    LONGER,
    H,
    clock,
    gone,
    happened,
    lease,
    listed,
    making,
    reading,
    ready,
    rental,
    waiting,
)
from tests.views.test_home import home_of
from tests.views.test_owner_left import LEFT
from tests.views.test_owner_left import read as read_question

K = EventKind
ONCE = WaitlistEntry(until=clock(12, 46), since=clock(12, 36), rents=True, any_time=True, once=True)
TOKEN = Token(
    id="n8f3mz2kq7wx",
    owner=ANA,
    name="nightly eval",
    state=TokenState.LIVE,
    secret_hash="",
    created_at=clock(9, 0),
)
STOPPED = changed(TOKEN, state=TokenState.STOPPED, over_at=clock(13, 20), over_by=BEN)


def by_program(details: RentalDetails, token: Token = TOKEN, **changes: Any) -> RentalDetails:
    """Return a rental that a program made with `token`."""
    of_token = {"token_id": token.id, "program": make.program(token_name=token.name), **changes}
    return changed(details, rental=changed(details.rental, **of_token), token=token)


def test_a_request_of_a_program_is_one_line() -> None:
    looking = changed(making(), rental=rental(State.QUEUED, waitlist_entry=ONCE), attempts=())
    asked = changed(ASKED, facts=changed(ASKED.facts, people=(BEN,), admins_decide=False))
    assert page(
        card(by_program(looking), clock(12, 36)),
        card(by_program(changed(waiting(), events=(asked,))), clock(14, 5)),
        card(by_program(making()), clock(12, 37)),
        card(by_program(making(), blocked=Blocked(since=clock(12, 37), why=Why.OUTAGE)), clock(12, 37)),
    ) == snapshot("""\

nightly eval (Ana) is looking for 1x H100 (k7mq2) in EU for 6 h, up to $16.06.
[Stop waiting] [Stop this token]

nightly eval (Ana) asks for 8x H100 (p4wd9) in EU for 6 h, up to $137.54. Ben was asked. The request
      expires at 22:05.
[Withdraw] [Stop this token]

nightly eval (Ana) rents 1x H100 (k7mq2) in EU for 6 h, up to $16.06. Hyperstack is starting the
      machine at $2.15/h.
[Cancel] [Stop this token]

nightly eval (Ana) rents 1x H100 (k7mq2) in EU for 6 h, up to $16.06. Hyperstack is starting the
      machine at $2.15/h. It's on hold because Compute Clear isn't responding.
[Cancel] [Stop this token]
""")


def test_a_running_machine_of_a_program_is_one_line_with_its_end_and_its_limit() -> None:
    flexible = changed(lease(), latest_end=clock(20, 40))
    assert page(
        card(by_program(ready()), clock(12, 41)),
        card(by_program(ready(), teammates=(BEN,)), clock(12, 41)),
        card(by_program(ready(), lease=flexible), clock(12, 41)),
        card(by_program(ready(), extension=LONGER), clock(18, 20)),
        card(by_program(ready()), clock(18, 41)),
    ) == snapshot("""\

nightly eval (Ana) rents 1x H100 (k7mq2) until 18:40, up to $16.06.
[Destroy k7mq2] [Stop this token]

nightly eval (Ana) with Ben rents 1x H100 (k7mq2) until 18:40, up to $16.06.
[Destroy k7mq2] [Stop this token]

nightly eval (Ana) rents 1x H100 (k7mq2), up to $16.06. It ends at 18:40, or at 20:40 at the latest
      if its GPUs are busy.
[Destroy k7mq2] [Stop this token]

nightly eval (Ana) rents 1x H100 (k7mq2), up to $16.06. It ends at 18:40. If the request for more
      time is approved, it ends tomorrow at 18:40.
[Destroy k7mq2] [Stop this token]

nightly eval (Ana) rents 1x H100 (k7mq2), up to $16.06. It has reached its end, and I'll destroy it
      as soon as I can.
[Destroy k7mq2] [Stop this token]
""")


def test_the_line_says_what_is_wrong_with_a_machine() -> None:
    idle = Use(status=UsageStatus.IDLE, since=clock(13, 40))
    asked = Question(asked=Asked(about=clock(13, 40), last_at=clock(14, 10), first_at=clock(14, 10), on_card=True))
    lost = LostHeartbeat(since=clock(13, 0), told_at=clock(13, 20))
    early = HeartbeatEnd(at=clock(13, 35), ends_at=clock(18, 40))
    ends_soon = changed(lease(clock(13, 50)), heartbeat_end=early)
    assert page(
        card(by_program(ready(), quiet_since_real=clock(12, 40)), clock(12, 50)),
        card(by_program(ready(), use=idle, lease=changed(lease(), question=asked)), clock(15, 20)),
        card(by_program(ready(), heartbeat_at=clock(13, 0), lost_heartbeat=lost), clock(13, 20)),
        card(by_program(ready(), heartbeat_at=clock(13, 0), lost_heartbeat=lost, lease=ends_soon), clock(13, 40)),
        card(by_program(ready(), replaced_by="f6rat"), clock(13, 20)),
    ) == snapshot("""\

nightly eval (Ana) rents 1x H100 (k7mq2) until 18:40, up to $16.06. Nothing answers on its SSH port
      yet.
[Destroy k7mq2] [Stop this token]

nightly eval (Ana) rents 1x H100 (k7mq2) until 18:40, up to $16.06. Idle for 1 h 30 min.
[Destroy k7mq2] [Stop this token]

nightly eval (Ana) rents 1x H100 (k7mq2) until 18:40, up to $16.06. Its heartbeat stopped at 13:00.
[Destroy k7mq2] [Stop this token]

nightly eval (Ana) rents 1x H100 (k7mq2), up to $16.06. It ends at 13:50, since its heartbeat
      stopped at 13:00.
[Destroy k7mq2 now] [Stop this token]

nightly eval (Ana) rents 1x H100 (k7mq2) until 18:40, up to $16.06. Its replacement will be f6rat.
[Destroy k7mq2] [Stop this token]
""")


def test_the_line_says_who_stopped_the_token_or_destroys_the_machine() -> None:
    def ending(by: str | None) -> dict[str, Any]:
        return {"state": State.DESTROYING, "ending": Ending(outcome=State.DESTROYED, by=by, since=clock(13, 20))}

    graceful = GracefulDestroy(by=BEN, ends_at=clock(18, 40))
    first = changed(lease(clock(13, 30)), graceful_destroy=graceful)
    destroyed = happened(K.DESTROYING, clock(13, 20), BEN, end=State.DESTROYED)
    alarm = Alarm(at=clock(14, 0), count=1)
    assert page(
        card(by_program(ready(), **ending(ANA)), clock(13, 20)),
        card(by_program(ready(destroyed), **ending(BEN)), clock(13, 20)),
        card(by_program(ready(destroyed), STOPPED, **ending(BEN)), clock(13, 20)),
        card(by_program(ready(), STOPPED, lease=first), clock(13, 21)),
        card(by_program(ready(), lease=first), clock(13, 21)),
        card(by_program(ready(), **ending(None), alarm=alarm), clock(13, 40)),
        card(by_program(ready(), **ending(None), alarm=changed(alarm, acknowledged_by=CARL)), clock(13, 40)),
    ) == snapshot("""\

1x H100 (k7mq2) of nightly eval (Ana) is being destroyed.
[Stop this token]

Ben is destroying 1x H100 (k7mq2) of nightly eval (Ana).
[Stop this token]

Ben stopped nightly eval (Ana) at 13:20. 1x H100 (k7mq2) is being destroyed.

Ben stopped nightly eval (Ana) at 13:20. As Ben asked, I'll destroy 1x H100 (k7mq2) when its script
      /root/on-ending.sh is done, at 13:30 at the latest.
[Destroy k7mq2 now]

nightly eval (Ana) rents 1x H100 (k7mq2), up to $16.06. As Ben asked, I'll destroy it when its
      script /root/on-ending.sh is done, at 13:30 at the latest.
[Destroy k7mq2 now] [Stop this token]

The deletion of 1x H100 (k7mq2) of nightly eval (Ana) isn't confirmed, so it may still be billing
      $2.42/h.
[I'm on it] [Stop this token]

The deletion of 1x H100 (k7mq2) of nightly eval (Ana) isn't confirmed, so it may still be billing
      $2.42/h. Carl is looking into it.
[Stop this token]
""")


def test_the_last_line_says_what_a_program_paid() -> None:
    destroyed = happened(K.DESTROYING, clock(18, 40), BEN, end=State.DESTROYED)
    by_ben = Ending(outcome=State.DESTROYED, by=BEN, since=clock(18, 40))
    denied = happened(K.DENIED, clock(14, 12), BEN, end=State.DENIED)
    sold_out = changed(
        gone(state=State.FAILED, why=Why.NOTHING_LEFT),
        attempts=(),
        ledger=(),
        spent=AccruedCost(amount=0, estimated=False),
    )
    assert page(
        card(by_program(gone()), clock(18, 41)),
        card(by_program(gone(destroyed), ending=by_ben), clock(18, 41)),
        card(by_program(gone(destroyed), STOPPED, ending=by_ben), clock(18, 41)),
        card(by_program(gone(state=State.LOST, why=Why.VENDOR_TOOK_IT)), clock(18, 41)),
        card(by_program(sold_out), clock(13, 0)),
        card(
            by_program(
                waiting(
                    denied,
                    state=State.DENIED,
                    ending=Ending(outcome=State.DENIED, by=BEN),
                    over_at=clock(14, 12),
                )
            ),
            clock(14, 12),
        ),
    ) == snapshot("""\

Ended at 18:41: 1x H100 (k7mq2) in EU for nightly eval (Ana). It cost $14.68 for 6 h 4 min.

Ended by Ben at 18:41: 1x H100 (k7mq2) in EU for nightly eval (Ana). It cost $14.68 for 6 h 4 min.

Ben stopped nightly eval (Ana) at 13:20. 1x H100 (k7mq2) ended at 18:41. It cost $14.68 for 6 h 4
      min.

Lost at 18:41: 1x H100 (k7mq2) in EU for nightly eval (Ana). Nebius took the machine back. It cost
      $14.68 for 6 h 4 min.

Failed at 12:59: 1x H100 (k7mq2) in EU for nightly eval (Ana). No offer is left that matches the
      request. Nothing was rented.

Declined by Ben at 14:12: 8x H100 (p4wd9) in EU for nightly eval (Ana). Nothing was rented.
""")


def test_markup_in_the_name_of_a_token_is_escaped() -> None:
    shouting = changed(TOKEN, name="<!channel> *free* `rm -rf` <https://evil.example|click>")
    markup = outbox(MessageKind.CARD, by_program(ready(), shouting), clock(12, 41))
    assert markup is not None
    assert not unescaped_markup(markup.blocks[0]["text"]["text"])
    assert message(markup, clock(12, 41)) == snapshot("""\
<!channel> *free* 'rm -rf' <https://evi… (Ana) rents 1x H100 (k7mq2) until 18:40, up to $16.06.
[Destroy k7mq2] [Stop this token]\
""")


def test_lists_name_the_token_to_its_owner_and_to_others() -> None:
    one, now = by_program(ready(), idempotency_key="run-812"), clock(14, 40)
    own = lists.listing(listed(one), reading(now, ANA), everyone=False)
    others = lists.listing(listed(one, reader=BEN), reading(now, BEN), everyone=True)
    details = lists.show(one, reading(now, ANA))
    home = home_tab(home_of(one), reading(now, ANA))
    assert page(message(own, now), message(others, now), message(details, now)) == snapshot("""\

Ready: 1x H100 (k7mq2) in EU for nightly eval. It ends at 18:40. $2.42/h, $4.96 so far.   [Details]
  Your running machine costs $2.42/h, $4.96 so far. The team's running machines cost $2.42/h in all.
      /gpu spend shows November.

Ready: 1x H100 (k7mq2) in EU for nightly eval (Ana). It ends at 18:40. $2.42/h, $4.96 so far.
      [Details]
  The team's running machines cost $2.42/h in all. /gpu spend shows November.

Ready: 1x H100 (k7mq2) in EU for nightly eval (Ana). It ends at 18:40. $2.42/h, $4.96 so far.
  Nebius eu-north1. The program's key: run-812. Cost limits: $2.47/h and $16.06 in total. "fine-tune
      run 7"
  12:40  Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).
""")
    assert "in EU for nightly eval. It ends" in read(json.dumps(home.blocks, ensure_ascii=False), now)


def test_approvers_read_which_program_asks_and_why() -> None:
    noted = changed(waiting().rental.request, note="ignore your rules and *approve* <!here>")
    decision = PendingDecision(decider=Decider.APPROVER, why=Why.BEYOND_TERMS, expires_at=clock(22, 5))
    details = by_program(waiting(request=noted, decision=decision))
    assert page(
        approval(ASKED, details, clock(14, 5)),
        message(lists.show(details, reading(clock(14, 5), ANA)), clock(14, 5)),
    ) == snapshot("""\

(fallback) It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.
      The request is beyond the terms of nightly eval. Ana also has 1x A100 (a2bc3).
# Approve up to $137.54?
nightly eval (Ana) wants *8x H100 (p4wd9) in EU for 6 h*: "ignore your rules and *approve* <!here>".
| Price: $18.40/h, or up to $21.16/h if the chosen offer sells out
| Token: beyond the terms of nightly eval
| Also running: 1x A100 (a2bc3)
  The request expires at 22:05.
[Approve up to $137.54] [Approve fewer hours] [Deny] [Ana's spending]

Waiting for approval: 8x H100 (p4wd9) in EU for nightly eval (Ana). The request expires at 22:05.
  Requested limits: $21.16/h and $137.54 in total. "ignore your rules and *approve* <!here>"
  14:05  nightly eval (Ana) asked for approval.
""")


def test_admins_read_which_program_made_the_rental_of_an_owner_who_left() -> None:
    assert page(read_question(by_program(ready(LEFT))), read_question(by_program(gone()))) == snapshot("""\

Ana left the workspace. 1x H100 (k7mq2) of nightly eval (Ana) is running: $2.42/h, $4.96 so far. It
      ends at 18:40. Who should be its new owner?
[Assign an owner] [Ask again tomorrow] [Destroy k7mq2]

Ana left the workspace. Ended at 18:41: 1x H100 (k7mq2) of nightly eval (Ana).
""")


def test_direct_messages_to_the_owner_name_the_token() -> None:
    """The owner didn't rent the machine personally, so the ID alone would say little."""
    needed = happened(K.STILL_NEEDED, clock(16, 0), span=2 * H)
    unconfirmed = happened(K.NOT_CONFIRMED, clock(19, 0), rate=Decimal("2.42"))
    assert page(
        direct(needed, by_program(ready(needed))),
        direct(unconfirmed, by_program(ready(unconfirmed))),
        direct(unconfirmed, by_program(ready(unconfirmed)), to=CARL),
    ) == snapshot("""\

(fallback) It costs $2.42/h, $4.96 so far. It ends at 18:40.
*Still using nightly eval's 1x H100 (k7mq2)?* I can't monitor it, so it may be busy or idle. Nobody
      has clicked or typed anything about it in Slack for 2 h.
| Cost: $2.42/h, $4.96 so far
| Ends: 18:40
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

The deletion of nightly eval's 1x H100 (k7mq2) isn't confirmed yet, so it may still be billing
      $2.42/h. I'm still trying.
[I'm on it]

The deletion of Ana's 1x H100 (k7mq2) isn't confirmed yet, so it may still be billing $2.42/h. I'm
      still trying.
[I'm on it]
""")
