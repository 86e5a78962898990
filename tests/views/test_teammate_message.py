"""Direct messages to teammates: how they log in, without money and without Destroy."""

from __future__ import annotations

from typing import Any

from inline_snapshot import snapshot

from bot.model.attempt import OwnedKey, SentScript
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.summary import RentalDetails
from tests.views.screens import direct, page
from tests.views.stories import (
    ANA,
    BEN,
    CARL,
    LONGER,
    READY_EVENT,
    M,
    clock,
    gone,
    happened,
    keys_now,
    making,
    ready,
    waiting,
)

BENS_KEY = OwnedKey(person=BEN, line="ssh-ed25519 AAAAC3NzaC1lZDI1", comment="ben@desk", fingerprint="SHA256:9fA")
CARLS_KEY = OwnedKey(person=CARL, line="ssh-ed25519 AAAAC3NzaC1lZDI2", comment="", fingerprint="SHA256:3fB")
ENDING = happened(EventKind.ENDING, clock(18, 10), id=9, until=clock(18, 40), span=30 * M)


def shared(details: RentalDetails) -> RentalDetails:
    """Return a rental with Ben and Carl as Ana's teammates, as these two read it: without money."""
    rental = changed(details.rental, teammates=(BEN, CARL))
    return changed(details, rental=rental, sees_money=False)


def with_bens_key(**changes: Any) -> RentalDetails:
    details = shared(ready(**changes))
    script = SentScript(version=1, keys=(BENS_KEY,))
    attempts = (details.attempts[0], changed(details.attempts[1], script=script))
    return changed(details, attempts=attempts, keys_now=keys_now(BENS_KEY, CARLS_KEY))


def added(hour: int, minute: int, *without_key: str) -> Event:
    facts: dict[str, Any] = {"people": (BEN, CARL), "without_key": without_key}
    return happened(EventKind.TEAMMATE_ADDED, clock(hour, minute), ANA, id=8, **facts)


def test_the_ready_message_says_if_the_teammates_key_was_sent() -> None:
    assert page(
        direct(READY_EVENT, with_bens_key(), to=BEN),
        direct(READY_EVENT, with_bens_key(extension=LONGER), to=CARL),
        direct(READY_EVENT, shared(gone()), to=BEN),
    ) == snapshot("""\

(fallback) Ana shared 1x H100 (k7mq2) with you.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40. Your key "ben@desk" will work if the vendor runs the startup script.
      Otherwise, Ana can add it with /gpu share k7mq2.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Ana shared 1x H100 (k7mq2) with you
$ ssh root@203.0.113.7
| Ends: 18:40
| Keys: Your key "ben@desk" will work if the vendor runs the startup script. Otherwise, Ana can add
      it with /gpu share k7mq2
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Extend] [SSH config]

(fallback) Ana shared 1x H100 (k7mq2) with you.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40. If the request for more time is approved, it ends tomorrow at 18:40.
      Your key SHA256:3fB isn't on the machine yet. Ana can add it with /gpu share k7mq2.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Ana shared 1x H100 (k7mq2) with you
$ ssh root@203.0.113.7
| Ends: 18:40, or tomorrow at 18:40 if the request for more time is approved
| Keys: Your key SHA256:3fB isn't on the machine yet. Ana can add it with /gpu share k7mq2
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[SSH config]

Ended at 18:41: Ana's 1x H100 (k7mq2).
""")


def test_a_new_teammate_on_a_ready_machine_reads_how_to_log_in() -> None:
    keyless = added(13, 0, CARL)
    in_use = changed(shared(ready(keyless)), keys_now=keys_now(BENS_KEY))
    same_key = changed(in_use, attempts=(changed(in_use.attempts[1], public_key=BENS_KEY.line),))
    assert page(
        direct(keyless, in_use, to=BEN),
        direct(keyless, same_key, to=BEN),
        direct(keyless, in_use, to=CARL),
        direct(keyless, shared(gone(keyless)), to=CARL),
    ) == snapshot("""\

(fallback) Ana shared 1x H100 (k7mq2) with you.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40. Your key "ben@desk" isn't on the machine yet. Ana can add it with /gpu
      share k7mq2.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Ana shared 1x H100 (k7mq2) with you
$ ssh root@203.0.113.7
| Ends: 18:40
| Keys: Your key "ben@desk" isn't on the machine yet. Ana can add it with /gpu share k7mq2
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Extend] [SSH config]

(fallback) Ana shared 1x H100 (k7mq2) with you.
(fallback) Log in with: `ssh root@203.0.113.7`
(fallback) It ends at 18:40. Your key works.
(fallback) /gpu ssh k7mq2 has lines for ~/.ssh/config, VS Code and Jupyter.
# Ana shared 1x H100 (k7mq2) with you
$ ssh root@203.0.113.7
| Ends: 18:40
| Keys: Your key works
*The disk is deleted when the machine ends*, so copy your results off first. Shutting down from
      inside doesn't stop billing.
[Extend] [SSH config]

Ana is sharing 1x H100 (k7mq2) with you. To log in, you'll need an SSH key. Once you've saved one,
      Ana can add it with /gpu share k7mq2.
[Add SSH key] [Use my GitHub keys]

Ended at 18:41: Ana's 1x H100 (k7mq2).
""")


def test_a_teammate_without_a_key_is_asked_before_the_machine_is_ready() -> None:
    keyless = added(12, 36, CARL)
    assert page(
        direct(keyless, shared(waiting(keyless)), to=CARL),
        direct(keyless, shared(making()), to=CARL),
        direct(keyless, changed(shared(making()), keys_now=keys_now(CARLS_KEY)), to=CARL),
        direct(keyless, shared(ready(keyless)), to=CARL),
        direct(keyless, shared(gone(keyless)), to=CARL),
    ) == snapshot("""\

Ana is sharing 8x H100 (p4wd9) with you. Add your public SSH key so that you can log in when it's
      ready.
[Add SSH key] [Use my GitHub keys]

Ana is sharing 1x H100 (k7mq2) with you. Add your public SSH key so that you can log in when it's
      ready.
[Add SSH key] [Use my GitHub keys]

Ana is sharing 1x H100 (k7mq2) with you. You can log in when it's ready.

Ana is sharing 1x H100 (k7mq2) with you. To log in, you'll need an SSH key. Once you've saved one,
      Ana can add it with /gpu share k7mq2.
[Add SSH key] [Use my GitHub keys]

Ended at 18:41: Ana's 1x H100 (k7mq2).
""")


def test_the_notice_of_the_end_offers_more_time_without_its_price() -> None:
    assert page(direct(ENDING, shared(ready(ENDING)), to=BEN, now=clock(18, 10))) == snapshot("""\

*Ana's 1x H100 (k7mq2) ends at 18:40, in 30 min.* Copy your results off: the disk is deleted with
      it.
[Extend 2 h]
""")
