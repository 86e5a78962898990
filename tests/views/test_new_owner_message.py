"""Messages to a person whom an admin made the owner of a machine."""

from __future__ import annotations

import re
from decimal import Decimal
from textwrap import fill

from inline_snapshot import snapshot

from bot.model.attempt import AdoptedMachine, OwnedKey, SentScript
from bot.model.base import changed
from bot.model.event import EventKind as K
from bot.model.summary import RentalDetails
from tests.views.screens import direct, page, thread
from tests.views.stories import ANA, BEN, CARL, READY_EVENT, clock, gone, happened, keys_now, ready
from tests.views.test_question_message import IDLE, asked_about

KEY = OwnedKey(person=ANA, line="ssh-ed25519 AAAAC3NzaC1lZDI1", comment="ana@desk", fingerprint="SHA256:9fA")
ADOPTED = happened(
    K.ADOPTED,
    clock(12, 40),
    CARL,
    id=7,
    people=(ANA,),
    name="train-3 <!here>",
    gpu="H100",
    count=1,
    rate=Decimal("2.42"),
    since=clock(9, 12),
    until=clock(18, 40),
    amount=8_390_000,
    estimated=False,
)
CHANGED = happened(K.OWNER_CHANGED, clock(14, 40), CARL, id=8, people=(BEN, ANA))


def adopted(details: RentalDetails) -> RentalDetails:
    """Return a ready machine that was adopted."""
    machine = AdoptedMachine(vendor="nebius", gpu="H100", rate=Decimal("2.42"))
    attempt = changed(
        details.attempts[-1], n=1, offer=None, adopted=machine, resource_name=None, public_key="", key_comment=""
    )
    return changed(details, attempts=(attempt,), events=(ADOPTED,), keys_now=keys_now(KEY))


def test_the_owner_of_an_adopted_machine_reads_its_end_and_unknown_keys() -> None:
    assert page(
        direct(ADOPTED, adopted(ready())),
        direct(ADOPTED, changed(adopted(gone()), events=(ADOPTED,))),
        thread(ADOPTED),
    ) == snapshot("""\

(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) I don't know whose keys work, because I didn't rent this machine.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
Carl made you the owner of 1x H100 (k7mq2). I found it in the Compute Clear account as train-3
      <!here>; it wasn't rented through me. It has cost $8.39 since 09:12, at $2.42/h. It ends at
      18:40.
$ ssh root@203.0.113.7
| Keys: I don't know whose keys work, because I didn't rent this machine
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Extend] [SSH config and keys] [Destroy k7mq2]

(fallback) Ended at 18:41: 1x H100 (k7mq2).
(fallback) It cost $14.68. It ran for 6 h 4 min at $2.42/h. The vendor confirmed the deletion.
*Ended at 18:41: 1x H100 (k7mq2)*
| Total: $14.68
| Runtime: 6 h 4 min at $2.42/h
| Deletion: confirmed
  Computed from price and time; the invoice may differ.

Carl made Ana the owner of this machine. I found it in the Compute Clear account as train-3 <!here>;
      it wasn't rented through me. It ends at 18:40.
""")


def test_the_thread_reports_an_adoption_and_the_new_end() -> None:
    own = changed(ADOPTED, facts=changed(ADOPTED.facts, people=(CARL,)))
    destroyed = happened(K.DESTROYING, ADOPTED.at, CARL, id=8)
    assert page(thread(own, ready(own)), thread(own, ready(own, destroyed))) == snapshot("""\

Carl took over this machine. I found it in the Compute Clear account as train-3 <!here>; it wasn't
      rented through me. It ends at 18:40.

Carl took over this machine. I found it in the Compute Clear account as train-3 <!here>; it wasn't
      rented through me.
""")


def test_a_new_owner_reads_whose_keys_work() -> None:
    details = changed(ready(CHANGED), keys_now=keys_now(KEY))
    assert page(direct(CHANGED, details), thread(CHANGED), direct(READY_EVENT, details, to=BEN)) == snapshot("""\

(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) Ben's keys work (Ben rented the machine); your key "ana@desk" isn't on the machine yet.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
Carl made you the owner of 1x H100 (k7mq2), at $2.42/h. It was Ben's. It ends at 18:40.
$ ssh root@203.0.113.7
| Keys: Ben's keys work (Ben rented the machine); your key "ana@desk" isn't on the machine yet
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Extend] [SSH config and keys] [Destroy k7mq2]

Carl made Ana the owner of this machine, which was Ben's.

1x H100 (k7mq2) belongs to Ana now.
""")


def test_the_new_owner_of_an_idle_machine_is_asked_if_it_is_needed() -> None:
    asks = changed(
        CHANGED,
        facts=changed(
            CHANGED.facts,
            status=IDLE.status,
            use=IDLE,
            since=IDLE.since,
            span=CHANGED.at - IDLE.since,
            rate=Decimal("2.42"),
            amount=4_960_000,
        ),
    )
    idle = asked_about(IDLE, asks)
    alone = changed(idle, left=frozenset({BEN}))
    kept = changed(alone, events=(asks, happened(K.KEPT, clock(14, 50), ANA, id=9, until=clock(18, 50))))
    assert page(direct(asks, alone, clock(14, 40)), direct(asks, kept, clock(14, 50))) == snapshot("""\

(fallback) You can't log in: only Ben's keys work, and Ben has left, so nobody here can add yours.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
Carl made you the owner of 1x H100 (k7mq2), at $2.42/h. It was Ben's. It ends at 18:40.
| Keys: You can't log in: only Ben's keys work, and Ben has left, so nobody here can add yours
Do you need your 1x H100 (k7mq2)? It's been idle for 35 min. It costs $2.42/h, $4.96 so far. All its
      GPUs have been at 0% since 14:05. Nobody is connected. It ends at 18:40.
[Extend] [SSH config and keys] [Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

(fallback) You can't log in: only Ben's keys work, and Ben has left, so nobody here can add yours.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
Carl made you the owner of 1x H100 (k7mq2), at $2.42/h. It was Ben's. It ends at 18:40.
| Keys: You can't log in: only Ben's keys work, and Ben has left, so nobody here can add yours
[Extend] [SSH config and keys] [Destroy k7mq2]
""")


def test_a_new_owner_reads_who_can_add_their_key_if_the_renter_left() -> None:
    carls = changed(KEY, person=CARL, line="ssh-ed25519 AAAACARL")
    script = SentScript(version=2, keys=(carls,))
    details = changed(ready(CHANGED), left=frozenset({BEN}), keys_now=keys_now(KEY))
    sent = changed(details, attempts=(details.attempts[0], changed(details.attempts[1], script=script)))
    ran = changed(sent, rental=changed(sent.rental, probe_answered_at=clock(12, 45)))
    both_left = changed(ran, left=frozenset({BEN, CARL}))
    own = changed(script, keys=(KEY,))
    mine = changed(ran, attempts=(ran.attempts[0], changed(ran.attempts[1], script=own)))
    lines = [fill(whose_keys(direct(CHANGED, one)), 100) for one in (sent, ran, both_left, mine)]
    assert page(*lines) == snapshot("""\

You can't log in: only Ben's keys work, and Ben has left, so nobody here can add yours

The keys of Ben and Carl work (Ben rented the machine and has left the workspace); your key
"ana@desk" isn't on the machine yet

You can't log in: only the keys of Ben and Carl work, and they have left, so nobody here can add
yours

Your key "ana@desk" works
""")


def whose_keys(text: str) -> str:
    """Return the part of a message about keys."""
    found = re.search(r"\| Keys: (.*?) [*[]", " ".join(text.split()))
    assert found is not None
    return found[1]
