"""The replies below a card, one for each event."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from inline_snapshot import snapshot

from bot.model.attempt import ScriptPart, Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.facts import LeftOut
from bot.model.state import State
from tests.events import facts_for
from tests.views.screens import page, thread
from tests.views.stories import (
    ANA,
    BEN,
    CARL,
    READY_EVENT,
    H,
    M,
    S,
    clock,
    gone,
    happened,
    making,
    ready,
    request,
    waiting,
)

K = EventKind
HYPER: dict[str, Any] = {"vendor": "hyperstack", "rate": Decimal("2.15")}
ALLOWED: dict[str, Any] = {"max_rate": Decimal("21.16"), "hours": 6 * H, "total": 137_540_000, "terms": 1}
FREE: dict[str, Any] = {"amount": 0, "estimated": False}


def test_the_thread_follows_a_request_until_its_decision() -> None:
    again: dict[str, Any] = {"why": Why.BUYING_BLOCKED, "rate": Decimal("1.90")}
    assert page(
        thread(happened(K.CHANGED, clock(14, 8), ANA, **ALLOWED), waiting()),
        thread(happened(K.APPROVED, clock(14, 12), BEN, **ALLOWED), waiting()),
        thread(happened(K.APPROVED, clock(14, 12), BEN, self_approved=True, **ALLOWED), waiting()),
        thread(happened(K.APPROVED, clock(14, 12), ANA, self_approved=False, **ALLOWED), waiting()),
        thread(happened(K.DENIED, clock(14, 12), BEN), waiting()),
        thread(happened(K.DENIED, clock(14, 12), BEN, **FREE), waiting()),
        thread(happened(K.DENIED, clock(14, 12), BEN, **FREE), waiting(bought_after_backup=True)),
        thread(happened(K.WITHDRAWN, clock(14, 12), ANA, **FREE), waiting()),
        thread(happened(K.EXPIRED, clock(22, 5), **FREE), waiting()),
        thread(happened(K.EXPIRED, clock(22, 5), **FREE), making()),
        thread(happened(K.EXPIRED, clock(22, 5), amount=420_000, estimated=False), making()),
        thread(happened(K.ENDED, clock(14, 9), ANA, end=State.WITHDRAWN, **FREE), waiting()),
        *(
            thread(happened(K.ASKED_AGAIN, clock(12, 39), **again, **bill), making())
            for bill in (FREE, {"amount": 420_000, "estimated": False}, {})
        ),
    ) == snapshot("""\

Ana changed this request to 8x H100 in EU for 6 h at up to $21.16/h, at most $137.54 in all.

Ben approved this request at 14:12, for 6 h at up to $21.16/h.

Ben approved their own request at 14:12, for 6 h at up to $21.16/h.

Ana accepted the new terms of this request: for 6 h at up to $21.16/h.

Ben declined this request at 14:12.

Ben declined this request at 14:12. Nothing was rented.

Ben declined this request at 14:12.

Ana withdrew this request at 14:12. Nothing was rented.

This request expired at 22:05 without a decision. Nothing was rented.

This request expired at 22:05 without a decision. It cost nothing.

This request expired at 22:05 without a decision. Its machines have cost $0.42 so far.

This request was withdrawn by Ana at 14:09. Nothing was rented.

This request needs a new decision, because buying was on hold for too long. Nothing is rented. A
      machine now costs $1.90/h.

This request needs a new decision, because buying was on hold for too long. Its machines have cost
      $0.42 so far. A machine now costs $1.90/h.

This request needs a new decision, because buying was on hold for too long. A machine now costs
      $1.90/h.
""")


def test_the_thread_says_if_a_machine_cannot_end_with_its_job() -> None:
    event = happened(K.RENTING, clock(12, 36), **HYPER, left_out=LeftOut(parts=(ScriptPart.RUN,)))
    without = "So I can't see when the job is done, and the machine runs until its latest end."
    assert without in " ".join(thread(event, ready(request=request(until_done=True))).split())
    assert without not in " ".join(thread(event, ready()).split())


def test_the_thread_says_what_is_missing_without_a_startup_script() -> None:
    refused: dict[str, Any] = {"clicked": Decimal("2.15"), "before_vendor": "hyperstack", "paid": False}
    refused |= {"why": Why.SCRIPT_REFUSED}
    everything = LeftOut(refused=True, setup="torch", probe=True, key_count=2, people=(BEN,))
    markup = "<!channel>*`torch`"

    def renting(left_out: LeftOut | None, **facts: Any) -> Any:
        return thread(happened(K.RENTING, clock(12, 36), **{**HYPER, **facts}, left_out=left_out))

    assert page(
        renting(everything, **refused),
        renting(LeftOut(refused=True, key_count=1), **refused),
        renting(LeftOut(refused=True, setup="torch"), **refused),
        renting(LeftOut(refused=True, probe=True), **refused),
        renting(LeftOut(refused=True, key_count=1), **{**refused, "why": Why.EXPIRED, "rate": Decimal("2.20")}),
        renting(None, **refused, vendor="nebius", rate=Decimal("2.42")),
        renting(LeftOut(setup=markup)),
        renting(LeftOut(key_count=1)),
        renting(LeftOut(key_count=3, people=(BEN, CARL))),
        renting(LeftOut(key_count=1, parts=(ScriptPart.HEALTH, ScriptPart.RUN, ScriptPart.ON_ENDING))),
        renting(
            LeftOut(setup="torch", people=(BEN,)), vendor="nebius", rate=None, why=Why.TOO_SLOW, before_vendor="b"
        ),
    ) == snapshot("""\

Hyperstack doesn't accept startup scripts. The attempt cost nothing. Trying Hyperstack without one
      at $2.15/h. Only Ana's default key is installed at first (2 other keys are missing), setup
      "torch" doesn't run, and I can't monitor usage. When the machine is ready, /gpu ssh k7mq2
      shows Ana the line that adds the other keys. Ben has no SSH key and can't log in.

Hyperstack doesn't accept startup scripts. The attempt cost nothing. Trying Hyperstack without one
      at $2.15/h. Only Ana's default key is installed at first (1 other key is missing). When the
      machine is ready, /gpu ssh k7mq2 shows Ana the line that adds the other key.

Hyperstack doesn't accept startup scripts. The attempt cost nothing. Trying Hyperstack without one
      at $2.15/h. Setup "torch" doesn't run.

Hyperstack doesn't accept startup scripts. The attempt cost nothing. Trying Hyperstack without one
      at $2.15/h. I can't monitor usage.

Hyperstack's price was no longer valid. The attempt cost nothing. Trying Hyperstack without a
      startup script at $2.20/h, $0.05 more than the offer Ana clicked but within Ana's limit. Only
      Ana's default key is installed at first (1 other key is missing). When the machine is ready,
      /gpu ssh k7mq2 shows Ana the line that adds the other key.

Hyperstack doesn't accept startup scripts. The attempt cost nothing. Trying Nebius at $2.42/h, $0.27
      more than the offer Ana clicked but within Ana's limit.

Renting from Hyperstack at $2.15/h. No setup script will run: the team's policy no longer has the
      setup "<!channel>*'torch'".

Renting from Hyperstack at $2.15/h. 1 key doesn't fit into the startup script. When the machine is
      ready, /gpu ssh k7mq2 shows Ana the line that adds this key.

Renting from Hyperstack at $2.15/h. 3 keys don't fit into the startup script. When the machine is
      ready, /gpu ssh k7mq2 shows Ana the line that adds these keys. Ben and Carl have no SSH key
      and can't log in.

Renting from Hyperstack at $2.15/h. 1 key doesn't fit into the startup script. When the machine is
      ready, /gpu ssh k7mq2 shows Ana the line that adds this key. The startup script has no room
      for the check of the GPUs' health, gpubot-run and the script that starts /root/on-ending.sh.

Trying Nebius. No setup script will run: the team's policy no longer has the setup "torch". Ben has
      no SSH key and can't log in.
""")


def test_the_thread_follows_a_purchase_until_the_machine_is_ready() -> None:
    sold_out: dict[str, Any] = {"before_vendor": "hyperstack", "why": Why.SOLD_OUT}
    next_one: dict[str, Any] = {"vendor": "nebius", "rate": Decimal("2.42"), "clicked": Decimal("2.15")}
    own_words: dict[str, Any] = {"why": Why.ANSWERED_FAILED, "detail": "No credit. <!channel>"}
    given_up: dict[str, Any] = {"before_vendor": "hyperstack", "why": Why.TOO_SLOW}
    assert page(
        thread(happened(K.RENTING, clock(12, 36), **HYPER)),
        thread(happened(K.RENTING, clock(12, 37), **next_one, **sold_out)),
        thread(happened(K.RENTING, clock(12, 37), **next_one, **{**sold_out, "paid": False})),
        thread(happened(K.RENTING, clock(12, 37), **next_one, **{**sold_out, **own_words})),
        thread(happened(K.RENTING, clock(12, 37), **{**next_one, "rate": Decimal("2.15")}, **sold_out)),
        thread(happened(K.GIVEN_UP, clock(12, 51), **HYPER, why=Why.TOO_SLOW)),
        thread(happened(K.RENTING, clock(12, 52), **{**next_one, "rate": Decimal("2.05")}, **given_up)),
        thread(happened(K.ACCEPTED, clock(12, 36), **HYPER)),
        thread(happened(K.ACCEPTED, clock(12, 36), **HYPER, why=Why.NO_ANSWER)),
        thread(happened(K.BLOCKED, clock(12, 36), why=Why.OUTAGE, until=clock(12, 46))),
        thread(happened(K.UNREACHABLE, clock(12, 40))),
        thread(READY_EVENT),
        thread(changed(READY_EVENT, facts=facts_for(K.READY, span=51 * S))),
    ) == snapshot("""\

Renting from Hyperstack at $2.15/h.

Hyperstack seems to be sold out. Trying Nebius at $2.42/h, $0.27 more than the offer Ana clicked but
      within Ana's limit.

Hyperstack seems to be sold out. The attempt cost nothing. Trying Nebius at $2.42/h, $0.27 more than
      the offer Ana clicked but within Ana's limit.

Hyperstack answered: "No credit. <!channel>". Trying Nebius at $2.42/h, $0.27 more than the offer
      Ana clicked but within Ana's limit.

Hyperstack seems to be sold out. Trying Nebius at $2.15/h.

Hyperstack didn't get the machine ready in 14 min. I'm destroying that machine, which may bill until
      the vendor confirms the deletion. Then I'll try the next offer.

Trying Nebius at $2.05/h, $0.10 less than the offer Ana clicked.

(nothing)

Hyperstack accepted the purchase after all, and the machine is starting.

This request is on hold because Compute Clear isn't responding. I'll keep trying until 12:46, then
      ask the owner before I rent anything.

This machine is running and billing, but nothing answers on its SSH port yet. It may need another
      minute.

Ready after 2 min 51 s: Ana's 1x H100 (k7mq2).

Ready after 51 s: Ana's 1x H100 (k7mq2).
""")


def test_the_thread_says_that_the_next_purchase_is_on_hold() -> None:
    def waits(**facts: Any) -> Any:
        return thread(happened(K.BLOCKED, clock(12, 36), why=Why.UNRESOLVED, until=clock(12, 51), **facts))

    assert page(
        waits(vendor="hyperstack", count=1),
        waits(vendor="nebius", count=3),
        waits(vendor="nebius", count=2, detail="No credit. <!channel>"),
        waits(vendor="nebius", count=3, end=State.FAILED),
        waits(count=1),
        waits(count=1, end=State.FAILED),
    ) == snapshot("""\

Hyperstack seems to be sold out. Before I try the next offer, I'm making sure that nothing was
      rented from Hyperstack, which takes about 2 min. Don't rent again in the meantime.

Nebius seems to be sold out. Before I try the next offer, I'm making sure that nothing was rented
      from the 3 vendors that I tried, which takes about 2 min. Don't rent again in the meantime.

Nebius answered: "No credit. <!channel>". Before I try the next offer, I'm making sure that nothing
      was rented from the 2 vendors that I tried, which takes about 2 min. Don't rent again in the
      meantime.

Nebius seems to be sold out. No other offer matches. I'm making sure that nothing was rented from
      the 3 vendors that I tried, which takes about 2 min. Then I'll look again.

Before I try the next offer, I'm making sure that nothing was rented from the vendor that I tried,
      which takes about 2 min. Don't rent again in the meantime.

No other offer matches. I'm making sure that nothing was rented from the vendor that I tried, which
      takes about 2 min. Then I'll look again.
""")


def test_an_unclear_purchase_asks_people_not_to_rent_again() -> None:
    whys = (None, Why.RATE_LIMITED, Why.UNAUTHORIZED, Why.BOUGHT_BEFORE, Why.VENDOR_FAILED)
    assert page(
        *(thread(happened(K.NO_ANSWER, clock(12, 36), vendor="hyperstack", why=why)) for why in whys)
    ) == snapshot("""\

Hyperstack's answer was unclear. Before I try the next offer, I'm making sure that nothing was
      rented from Hyperstack, which takes about 2 min. Don't rent again in the meantime.

I tried to buy from Hyperstack, but Compute Clear asked me to slow down. Before I try the next
      offer, I'm making sure that nothing was rented from Hyperstack, which takes about 2 min. Don't
      rent again in the meantime.

I tried to buy from Hyperstack, but Compute Clear rejects my API token. Before I try the next offer,
      I'm making sure that nothing was rented from Hyperstack, which takes about 2 min. Don't rent
      again in the meantime.

Compute Clear says that Hyperstack's offer is already taken. My own request may have taken it.
      Before I try the next offer, I'm making sure that nothing was rented from Hyperstack, which
      takes about 2 min. Don't rent again in the meantime.

Hyperstack reported that the purchase failed, but its answer names a machine. Before I try the next
      offer, I'm making sure that nothing was rented from Hyperstack, which takes about 2 min. Don't
      rent again in the meantime.
""")


def test_the_thread_follows_a_lease() -> None:
    end: dict[str, Any] = {"until": clock(20, 40), "since": clock(18, 40), "span": 2 * H}
    tomorrow: dict[str, Any] = {"until": clock(0, 44, day=25), "since": clock(1, 44, day=25)}
    assert page(
        thread(happened(K.KEPT, clock(14, 40), ANA, until=clock(15, 40), since=clock(18, 40), span=H)),
        thread(happened(K.KEPT, clock(14, 40), CARL, until=clock(15, 40), since=clock(18, 40), span=H)),
        thread(happened(K.KEPT, clock(20, 44), ANA, **tomorrow)),
        thread(happened(K.KEPT, clock(14, 40), ANA, until=clock(18, 40), since=clock(18, 40))),
        thread(happened(K.KEPT, clock(14, 40), ANA, since=clock(18, 40))),
        thread(happened(K.EXTENDED, clock(18, 10), ANA, **end)),
        thread(happened(K.EXTENSION_ASKED, clock(18, 10), ANA, **end)),
        thread(happened(K.EXTENSION_APPROVED, clock(18, 12), BEN, until=clock(20, 40))),
        thread(happened(K.EXTENSION_APPROVED, clock(18, 12), BEN, until=clock(20, 40), self_approved=True)),
        thread(happened(K.EXTENSION_DENIED, clock(18, 12), BEN, until=clock(18, 40))),
        thread(happened(K.EXTENSION_WITHDRAWN, clock(18, 12), ANA, until=clock(18, 40))),
        thread(happened(K.EXTENSION_EXPIRED, clock(18, 40), until=clock(18, 40))),
        thread(happened(K.LOST, clock(14, 10), why=Why.VENDOR_TOOK_IT, vendor="nebius")),
    ) == snapshot("""\

Ana still needs this machine. I'll ask again at 15:40. It still ends at 18:40.

Carl says that this machine is still needed. I'll ask again at 15:40. It still ends at 18:40.

Ana still needs this machine. I'll ask again tomorrow at 00:44. It still ends tomorrow at 01:44.

Ana still needs this machine. It still ends at 18:40, and I won't ask again before that.

Ana still needs this machine. It still ends at 18:40, and I won't ask again before that.

Ana extended this machine by 2 h. It now ends at 20:40.

Ana asked for 2 h more on this machine, until 20:40. That needs approval. Unless someone approves,
      it ends at 18:40.

Ben approved more time for this machine. It now ends at 20:40.

Ben approved more time for this machine (their own request). It now ends at 20:40.

Ben declined more time for this machine. It ends at 18:40.

Ana withdrew the request for more time on this machine. It ends at 18:40.

Nobody approved or declined more time for this machine. It ends at 18:40.

Nebius ended Ana's 1x H100 (k7mq2) at 14:10. Everything on it is lost.
""")


def test_the_thread_follows_a_rental_until_its_end() -> None:
    lease: dict[str, Any] = {"span": 6 * H + 4 * M, "rate": Decimal("2.42")}
    cost: dict[str, Any] = {"amount": 14_681_333, "estimated": False}
    alarm: dict[str, Any] = {"rate": Decimal("2.42"), "resource_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a"}
    extra: dict[str, Any] = {"vendor": "nebius", "resource_id": "r-1"}
    destroyed: dict[str, Any] = {"end": State.DESTROYED, **lease, **cost}
    assert page(
        thread(happened(K.DESTROYING, clock(18, 40), why=Why.LEASE_ENDED, **cost)),
        thread(happened(K.DESTROYING, clock(18, 40), ANA, why=Why.ASKED, **FREE)),
        thread(happened(K.ENDED, clock(18, 41), **destroyed)),
        thread(happened(K.ENDED, clock(18, 41), **destroyed, estimate=12_100_000)),
        thread(happened(K.ENDED, clock(12, 40), end=State.FAILED, why=Why.NOTHING_LEFT, **FREE)),
        thread(happened(K.ENDED, clock(12, 40), ANA, end=State.CANCELLED, **cost)),
        thread(happened(K.ENDED, clock(22, 7), end=State.EXPIRED, **cost)),
        thread(happened(K.NOT_CONFIRMED, clock(18, 46), **alarm, detail="vendor timeout")),
        thread(happened(K.NOT_CONFIRMED, clock(18, 46), **alarm, more_resources=("r-2",))),
        thread(happened(K.ACKNOWLEDGED, clock(18, 47), CARL)),
        thread(happened(K.NOT_CONFIRMED, clock(18, 46), **alarm, vendor="nebius", why=Why.SOLD_OUT)),
        thread(happened(K.ORPHANED_RESOURCE, clock(18, 50), **extra, rate=Decimal("2.42"))),
        thread(happened(K.ORPHANED_RESOURCE, clock(18, 50), **extra, rate=Decimal("2.42"), why=Why.SOLD_OUT)),
        thread(happened(K.ORPHAN_TERMINATED, clock(18, 55), **extra, **cost), gone()),
        thread(happened(K.ORPHAN_TERMINATED, clock(18, 55), **extra, **cost, why=Why.SOLD_OUT)),
    ) == snapshot("""\

(nothing)

Ana is destroying this machine.

This machine ended at 18:41, confirmed by the vendor. It cost $14.68.

This machine ended at 18:41, confirmed by the vendor. It cost $14.68. The estimate was $12.10.

This request failed at 12:40: no offer is left that matches the request. It cost nothing.

This request was cancelled by Ana at 12:40. The vendor confirmed that billing has stopped. It cost
      $14.68.

This request expired at 22:07. The vendor confirmed that billing has stopped. It cost $14.68.

The deletion of this machine isn't confirmed yet, so it may still be billing $2.42/h (resource
      3c90c3cc). I'm still trying. Last answer: vendor timeout.

The deletion of this machine isn't confirmed yet, so it may still be billing $2.42/h (resources
      3c90c3cc and r-2). I'm still trying.

Carl is looking into the deletion that isn't confirmed. I'm still trying to delete the machine.

Nebius made a machine for this request in a failed purchase. Its deletion isn't confirmed yet, so it
      may still be billing $2.42/h (resource 3c90c3cc). I'm still trying.

Nebius made a machine for this request (resource r-1), but the machine isn't needed. I'm deleting
      it. It may bill $2.42/h until the vendor confirms the deletion.

Nebius made a machine for this request (resource r-1), although it reported a failure. I'm deleting
      it. It may bill $2.42/h until the vendor confirms the deletion.

The machine at Nebius that this request didn't need ended at 18:55, confirmed by the vendor. With
      that machine, this request cost $14.68.

The machine at Nebius that this request didn't need ended at 18:55, confirmed by the vendor. It cost
      $14.68.
""")
