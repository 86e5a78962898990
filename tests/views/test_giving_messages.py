"""Messages about idle machines that are requested, offered and accepted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.model.attempt import OwnedKey, Why
from bot.model.base import changed
from bot.model.budget import Balance, Demand, Scope, ScopeKind
from bot.model.event import Event
from bot.model.event import EventKind as K
from bot.model.machine_use import UsageStatus, Use
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.policy.use.giving import TAKE_WITHIN, left_of
from handlers.messages.giving import take_confirm
from handlers.messages.render import direct_message
from handlers.messages.writers import EventContext
from tests.views.screens import dialog, direct, page, thread
from tests.views.stories import ANA, BEN, CARL, RULES, M, clock, gone, happened, keys_now, lease, reading, ready

IDLE = Use(status=UsageStatus.IDLE, since=clock(12, 50))
NOW = clock(15, 0)
ASKED = happened(K.ASKED_FOR, NOW, ANA, id=10)
GIVEN = happened(K.GIVEN, NOW, BEN, id=11, people=(ANA,), until=lease().ends_at)
TAKEN = happened(K.OWNER_CHANGED, NOW + 2 * M, ANA, id=12, people=(BEN, ANA))
KEY = OwnedKey(person=ANA, line="ssh-ed25519 AAAAC3NzaC1lZDI1", comment="ana@desk", fingerprint="SHA256:9fA")
BUDGET = Demand(
    balance=Balance(scope=Scope(kind=ScopeKind.PERSON, name=ANA), month="2026-11", spent=80_000_000),
    budget=200_000_000,
    more=9_480_000,
)


def bens(*events: Event, **changes: Any) -> RentalDetails:
    """Return k7mq2 as Ben's idle machine."""
    return ready(*events, **{"owner": BEN, "use": IDLE, **changes})


def test_the_owner_gets_three_choices_and_later_the_outcome() -> None:
    answers = (
        happened(K.KEPT, NOW + M, BEN, id=20, people=(ANA,)),
        happened(K.TEAMMATE_ADDED, NOW + M, BEN, id=21, people=(ANA,)),
        GIVEN,
        happened(K.USE_CHANGED, NOW + M, id=22, status=UsageStatus.IN_USE),
    )
    ended = changed(gone(why=Why.ASKED), events=(ASKED, happened(K.DESTROYING, NOW + M, BEN, id=23)))
    assert page(
        direct(ASKED, bens(ASKED), NOW, to=BEN),
        *(direct(ASKED, bens(ASKED, one), NOW + M, to=BEN) for one in answers),
        direct(ASKED, changed(ended, rental=changed(ended.rental, owner=BEN)), NOW + M, to=BEN),
        direct(answers[0], bens(ASKED, answers[0]), NOW + M, to=ANA),
    ) == snapshot("""\

Ana is asking for your 1x H100 (k7mq2), which has been idle for 2 h 10 min at $2.42/h. If you share
      it, it stays yours. If you give it away, Ana pays from then on.
[Share with Ana] [Give it to Ana] [I need it]

Ana asked to use your 1x H100 (k7mq2). You said that it's still needed.

Ana asked to use your 1x H100 (k7mq2). You shared it with Ana.

Ana asked to use your 1x H100 (k7mq2). You offered it to Ana. The offer is valid until 16:00.

Ana asked to use your 1x H100 (k7mq2). The machine has been in use again since 15:01, so no answer
      is needed.

(fallback) Ended at 18:41: 1x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.

Ben still needs 1x H100 (k7mq2).
""")


def test_a_person_who_is_offered_a_machine_reads_price_end_and_budget() -> None:
    again = happened(K.GIVEN, NOW + M, BEN, id=13, people=(CARL,))
    kept = happened(K.KEPT, NOW + M, BEN, id=14)
    taken = changed(ready(GIVEN, TAKEN, owner=ANA, use=IDLE), keys_now=keys_now(KEY))
    assert page(
        direct(GIVEN, changed(bens(GIVEN), demands=(BUDGET,)), NOW, to=ANA),
        direct(GIVEN, bens(GIVEN), NOW, to=ANA),
        direct(GIVEN, bens(GIVEN), NOW + TAKE_WITHIN, to=ANA),
        direct(GIVEN, bens(GIVEN, again), NOW + M, to=ANA),
        direct(GIVEN, bens(GIVEN, kept), NOW + M, to=ANA),
        direct(GIVEN, bens(GIVEN, state=State.DESTROYING), NOW + M, to=ANA),
        direct(GIVEN, taken, NOW + 2 * M, to=ANA),
    ) == snapshot("""\

Ben is offering you 1x H100 (k7mq2) at $2.42/h. Until it ends at 18:40, it costs you at most $9.48.
      You have $120.00 left in November ($80.00 spent, $0.00 reserved for running machines). This
      machine would use $9.48 of it. The offer is valid until 16:00. If you take it, you pay for it,
      and questions about it come to you. The SSH keys on the machine stay as they are.
[Take k7mq2]

Ben is offering you 1x H100 (k7mq2) at $2.42/h. Until it ends at 18:40, it costs you at most $9.48.
      The offer is valid until 16:00. If you take it, you pay for it, and questions about it come to
      you. The SSH keys on the machine stay as they are.
[Take k7mq2]

Ben offered you 1x H100 (k7mq2). You didn't take it within an hour, so it stays Ben's.

Ben offered you 1x H100 (k7mq2). It's now offered to someone else.

Ben offered you 1x H100 (k7mq2). Ben said that the machine is still needed, so it stays Ben's.

Ben's 1x H100 (k7mq2) is being destroyed.

(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) Ben's keys work (Ben rented the machine); your key "ana@desk" isn't on the machine yet.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
You took over 1x H100 (k7mq2) at 15:02, at $2.42/h. It was Ben's. I've sent Ben the line to paste on
      the machine so that you can log in. It ends at 18:40.
$ ssh root@203.0.113.7
| Keys: Ben's keys work (Ben rented the machine); your key "ana@desk" isn't on the machine yet
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Extend] [SSH config and keys] [Destroy k7mq2]
""")
    shown = direct_message(EventContext(GIVEN, bens(GIVEN), reading(NOW, ANA)))
    assert shown is not None
    assert shown.refresh_after == TAKE_WITHIN


def test_the_previous_owner_gets_the_line_that_adds_the_new_owners_key() -> None:
    taken = changed(ready(GIVEN, TAKEN, owner=ANA, use=IDLE), keys_now=keys_now(KEY))
    passed_on = happened(K.OWNER_CHANGED, NOW + 9 * M, CARL, id=15, people=(ANA, CARL))
    carls = ready(GIVEN, TAKEN, passed_on, owner=CARL)
    back = happened(K.GIVEN, NOW + 10 * M, CARL, id=16, people=(BEN,), until=lease().ends_at)
    assert page(
        direct(TAKEN, taken, NOW + 2 * M, to=BEN),
        direct(TAKEN, carls, NOW + 9 * M, to=BEN),
        direct(GIVEN, carls, NOW + 9 * M, to=ANA),
        direct(back, ready(GIVEN, TAKEN, passed_on, back, owner=CARL), NOW + 10 * M, to=BEN),
        thread(TAKEN, taken),
    ) == snapshot("""\

(fallback) `(umask 077; mkdir -p ~/.ssh; cd ~/.ssh && for k in 'ssh-ed25519 AAAAC3NzaC1lZDI1'; do
      grep -qsxF "$k" authorized_keys || printf '\\n%s\\n' "$k" >>authorized_keys; done)`
Ana took over 1x H100 (k7mq2) at 15:02 and has been paying for it since. Paste this on the machine
      so that Ana can log in:
$ (umask 077; mkdir -p ~/.ssh; cd ~/.ssh && for k in 'ssh-ed25519 AAAAC3NzaC1lZDI1'; do grep -qsxF
      "$k" authorized_keys || printf '\\n%s\\n' "$k" >>authorized_keys; done)

1x H100 (k7mq2) belongs to Carl now.

1x H100 (k7mq2) belongs to Carl now.

Carl is offering you 1x H100 (k7mq2) at $2.42/h. Until it ends at 18:40, it costs you at most $9.08.
      The offer is valid until 16:10. If you take it, you pay for it, and questions about it come to
      you. The SSH keys on the machine stay as they are.
[Take k7mq2]

Ana took over this machine, which was Ben's.
""")


def test_an_expensive_machine_is_confirmed_in_a_dialog() -> None:
    details = bens(GIVEN, rate=Decimal("24.00"))
    left = left_of(details.rental, NOW, RULES)
    assert dialog(take_confirm(details, left, reading(NOW, ANA)), NOW) == snapshot("""\
== Take k7mq2? ==
! This can cost you up to $94.00.
Ben's 1x H100 (k7mq2), $24.00/h. It ends in 3 h 40 min.
If you take it, you pay for it, and questions about it come to you. The SSH keys on the machine stay
      as they are.
[Take k7mq2] [Go back]\
""")
