"""What a person reads whom an admin made the owner of a machine."""

from __future__ import annotations

from decimal import Decimal

from inline_snapshot import snapshot

from bot.model.attempt import AdoptedMachine, OwnedKey
from bot.model.base import changed
from bot.model.event import EventKind as K
from bot.model.summary import RentalDetails
from tests.views.screens import direct, page, thread
from tests.views.stories import ANA, BEN, CARL, READY_EVENT, clock, gone, happened, keys_now, ready

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
    """Return a machine in use as one that was adopted."""
    machine = AdoptedMachine(vendor="nebius", gpu="H100", rate=Decimal("2.42"))
    attempt = changed(
        details.attempts[-1], n=1, offer=None, adopted=machine, resource_name=None, public_key="", key_comment=""
    )
    return changed(details, attempts=(attempt,), events=(ADOPTED,), keys_now=keys_now(KEY))


def test_the_owner_of_an_adopted_machine_reads_that_its_keys_are_unknown_and_when_it_ends() -> None:
    assert page(
        direct(ADOPTED, adopted(ready())),
        direct(ADOPTED, changed(adopted(gone()), events=(ADOPTED,))),
        thread(ADOPTED),
    ) == snapshot("""\

(fallback) /gpu ssh k7mq2 shows this again, with lines for ~/.ssh/config, VS Code and Jupyter.
Carl made you the owner of 1x H100 (k7mq2), named train-3 <!here>. It ran on the account and I
      didn't know it: $2.42/h since 09:12, $8.39 so far. It ends 18:40: then it is destroyed.
`ssh root@203.0.113.7`
I don't know whose keys are on it. To add "ana@desk", paste on the machine: `(umask 077; mkdir -p
      ~/.ssh; cd ~/.ssh && for k in 'ssh-ed25519 AAAAC3NzaC1lZDI1'; do grep -qsxF "$k"
      authorized_keys || printf '\\n%s\\n' "$k" >>authorized_keys; done)`
First look: nvidia-smi. Its disk goes when it goes. Shutting it down from inside doesn't stop the
      bill; Destroy does.
[Extend] [Destroy k7mq2]
  /gpu ssh k7mq2 shows this again, with lines for ~/.ssh/config, VS Code and Jupyter

Destroyed 18:41: your 1x H100 (k7mq2). 6 h 4 min, $14.68.

Carl made Ana its owner. It ran on the account, named train-3 <!here>, and I didn't know it. It ends
      18:40.
""")


def test_the_thread_says_that_an_admin_took_a_machine_over_and_its_end_unless_it_is_destroyed_at_once() -> None:
    own = changed(ADOPTED, facts=changed(ADOPTED.facts, people=(CARL,)))
    destroyed = happened(K.DESTROYING, ADOPTED.at, CARL, id=8)
    assert page(thread(own, ready(own)), thread(own, ready(own, destroyed))) == snapshot("""\

Carl took it over. It ran on the account, named train-3 <!here>, and I didn't know it. It ends
      18:40.

Carl took it over. It ran on the account, named train-3 <!here>, and I didn't know it.
""")


def test_a_new_owner_reads_whose_keys_open_the_machine() -> None:
    details = changed(ready(CHANGED), keys_now=keys_now(KEY))
    assert page(direct(CHANGED, details), thread(CHANGED), direct(READY_EVENT, details, to=BEN)) == snapshot("""\

(fallback) /gpu ssh k7mq2 shows this again, with lines for ~/.ssh/config, VS Code and Jupyter.
Carl made you the owner of 1x H100 (k7mq2), $2.42/h. It was Ben's. It ends 18:40: then it is
      destroyed.
`ssh root@203.0.113.7`
Opens with the keys of Ben, who rented it. To add "ana@desk", paste on the machine: `(umask 077;
      mkdir -p ~/.ssh; cd ~/.ssh && for k in 'ssh-ed25519 AAAAC3NzaC1lZDI1'; do grep -qsxF "$k"
      authorized_keys || printf '\\n%s\\n' "$k" >>authorized_keys; done)`
First look: nvidia-smi. Its disk goes when it goes. Shutting it down from inside doesn't stop the
      bill; Destroy does.
[Extend] [Destroy k7mq2]
  /gpu ssh k7mq2 shows this again, with lines for ~/.ssh/config, VS Code and Jupyter

Carl made Ana its owner: it was Ben's.

1x H100 (k7mq2) is Ana's now.
""")
