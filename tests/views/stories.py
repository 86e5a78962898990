"""The people and rentals of the example conversation, as models."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bot.model.attempt import Attempt, AttemptState, LedgerRow, OwnedKey, Resource, Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import RequestFacts
from bot.model.job import Job, JobState
from bot.model.money import cost
from bot.model.offer import Offer
from bot.model.person import Key
from bot.model.quote import Quote, QuoteState
from bot.model.rental import Decider, Ending, Extension, Lease, PendingDecision, Question, Rental
from bot.model.request import Contract, Request, Terms
from bot.model.state import State
from bot.model.summary import (
    AccruedCost,
    CostTotals,
    Extended,
    OfferChoice,
    QuoteView,
    RentalDetails,
    RentalList,
    RentalSummary,
)
from bot.policy.team.rules import Approvers, Rules
from handlers.phrases.format import Reader
from tests.events import facts_for

ANA, BEN, CARL = "U0ANA", "U0BEN", "U0CARL"
NAMES = {ANA: "Ana", BEN: "Ben", CARL: "Carl"}
RULES = Rules(admins=(CARL,), approvers=Approvers(people=(BEN,), groups=("S0GPU",)), home_channel="C0GPUS")


def view_of(quote: Quote, choices: Sequence[OfferChoice], **fields: Any) -> QuoteView:
    """Return a quote with these offers, as its owner reads it."""
    found = changed(quote, offers=tuple(choice.offer for choice in choices))
    return QuoteView(quote=found, choices=tuple(choices), **fields)


def reading(now: datetime, who: str = "", *, zone: str = "", rules: Rules = RULES) -> Reader:
    """Return a reader at `now`: one person, or by default many people."""
    return Reader(id=who, rules=rules, now=now, zone=zone)


H = timedelta(hours=1)
M = timedelta(minutes=1)
S = timedelta(seconds=1)


def clock(hour: int, minute: int, second: int = 0, *, day: int = 24) -> datetime:
    """Return a time on Tuesday, 24 November 2026, or on another day of that month."""
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC)


def request(**changes: Any) -> Request:
    wanted = Request(gpu="H100", count=1, region="EU", lease=6 * H, note="fine-tune run 7")
    return changed(wanted, **changes)


def offer(offer_id: str, rate: str, vendor: str, region: str, *, count: int = 1) -> Offer:
    return Offer(
        offer_id=offer_id,
        gpu="nvidia-h100-sxm5-80gb",
        family="H100",
        count=count,
        vendor=vendor,
        region="EU",
        vendor_region=region,
        contract="ondemand",
        rate=Decimal(rate),
        vcpus=28,
        memory_gb=Decimal(180),
        expires_at=clock(13, 5),
    )


HYPERSTACK = offer("o-hyper", "2.15", "hyperstack", "nor-1")
NEBIUS = offer("o-nebius", "2.42", "nebius", "eu-north1")
SCALEWAY = offer("o-scale", "3.11", "scaleway", "fr-par-2")


def terms(price: str = "2.15", max_rate: str = "2.47", total: int = 16_055_000, **changes: Any) -> Terms:
    allowed = Terms(
        version=1,
        gpu="H100",
        count=1,
        region="EU",
        contract=Contract.ONDEMAND,
        vendor=None,
        price=Decimal(price),
        max_rate=Decimal(max_rate),
        lease=6 * H,
        total=total,
    )
    return changed(allowed, **changes)


def rental(state: State, **changes: Any) -> Rental:
    """Return the rental k7mq2, requested at 12:36."""
    known = Rental(
        id="k7mq2",
        state=state,
        quote_id="q1",
        owner=ANA,
        card_channel="C0TRAIN",
        request=request(),
        clicked_offer="o-hyper",
        terms=terms(),
        created_at=clock(12, 36),
        procuring_since=clock(12, 36),
    )
    return changed(known, **changes)


def attempt(n: int, of: Offer, at: datetime, state: AttemptState = AttemptState.BOUGHT) -> Attempt:
    return Attempt(
        rental_id="k7mq2",
        n=n,
        state=state,
        offer=of,
        resource_name=f"gpubot-k7mq2-{n}",
        public_key="ssh-ed25519 AAAA",
        key_comment="you@laptop",
        intended_at=at,
    )


def happened(kind: EventKind, at: datetime, actor: str | None = None, *, id: int = 0, **facts: Any) -> Event:
    return Event(id=id, rental_id="k7mq2", kind=kind, at=at, actor=actor, facts=facts_for(kind, **facts))


def making() -> RentalDetails:
    """Return k7mq2 while Hyperstack is creating the machine."""
    return RentalDetails(
        rental=rental(
            State.PROVISIONING, rate=Decimal("2.15"), vendor="hyperstack", vendor_region="nor-1", attempts=1
        ),
        attempts=(attempt(1, HYPERSTACK, clock(12, 36)),),
        spent=AccruedCost(amount=60_000, estimated=False),
        usual=3 * M,
        names=NAMES,
        sees_money=True,
    )


LONGER = Extension(
    terms=terms("2.42", "2.47", 101_000_000, version=2, lease=30 * H),
    ends_at=clock(18, 40, day=25),
    asked_by=ANA,
    asked_at=clock(18, 10),
)
QUOTE = Quote(
    id="q1",
    state=QuoteState.FOUND,
    owner=ANA,
    asked_in="C0TRAIN",
    card_channel="C0TRAIN",
    request=request(),
    created_at=clock(12, 35),
    offers=(HYPERSTACK, NEBIUS, SCALEWAY),
)
READY_EVENT = happened(EventKind.READY, clock(12, 40), id=7, span=2 * M + 51 * S)


def lease(ends_at: datetime | None = None) -> Lease:
    """Return the lease of k7mq2, from 12:40 to 18:40."""
    return Lease(
        ready_at=clock(12, 40),
        ends_at=ends_at or clock(18, 40),
        notices_checked_at=clock(12, 40),
        seen_at=clock(12, 40),
        question=Question(),
    )


def done_job(began_at: datetime, ended_at: datetime) -> Job:
    """Return a job of k7mq2 that has ended successfully."""
    return Job(
        id="0.q7Xk2",
        uid=0,
        name="python train.py",
        state=JobState.DONE,
        exit_status=0,
        began_at=began_at,
        ended_at=ended_at,
    )


def keys_now(*keys: OwnedKey) -> dict[str, tuple[Key, ...]]:
    """Return the people's current keys, by owner."""
    found: dict[str, tuple[Key, ...]] = {}
    for owned in keys:
        key = Key(line=owned.line, comment=owned.comment, fingerprint=owned.fingerprint)
        found[owned.person] = (*found.get(owned.person, ()), key)
    return found


def ready(*events: Event, spent: int = 4_960_000, **changes: Any) -> RentalDetails:
    """Return k7mq2 running at Nebius, after Hyperstack was sold out."""
    known = changed(
        rental(
            State.READY,
            rate=Decimal("2.42"),
            vendor="nebius",
            vendor_region="eu-north1",
            attempts=2,
            host="203.0.113.7",
            port=22,
            lease=lease(),
        ),
        **changes,
    )
    return RentalDetails(
        rental=known,
        attempts=(attempt(1, HYPERSTACK, clock(12, 36), AttemptState.FAILED), attempt(2, NEBIUS, clock(12, 37))),
        resources=(
            Resource(
                resource_id="3c90c3cc-0d44-4b50-8888-8dd25736052a",
                rental_id="k7mq2",
                attempt=2,
                status="running",
                first_seen=clock(12, 37),
                read_at=clock(12, 37),
                rate=Decimal("2.42"),
                valid_from=clock(12, 37),
            ),
        ),
        events=(READY_EVENT, *events),
        spent=AccruedCost(amount=spent, estimated=False),
        names=NAMES,
        sees_money=True,
    )


def gone(*events: Event, state: State = State.DESTROYED, why: Why | None = None, **changes: Any) -> RentalDetails:
    """Return k7mq2 after its end: at 18:41, or at 12:59 if it was never ready."""
    never_ready = state in {State.FAILED, State.CANCELLED}
    length = 22 * M if never_ready else 6 * H + 4 * M
    over_at = clock(12, 37) + length
    changes = {"lease": None, **changes} if never_ready else changes
    row = LedgerRow(
        resource_id="3c90c3cc-0d44-4b50-8888-8dd25736052a",
        rental_id="k7mq2",
        owner=ANA,
        started_at=clock(12, 37),
        ended_at=over_at,
        rate=Decimal("2.42"),
        amount=cost(Decimal("2.42"), length),
        estimated=False,
    )
    ending = Ending(outcome=state, why=why, since=over_at - M)
    known = changed(ready(*events).rental, state=state, ending=ending, over_at=over_at, **changes)
    attempts = (
        attempt(1, HYPERSTACK, clock(12, 36), AttemptState.FAILED),
        attempt(2, NEBIUS, clock(12, 37), AttemptState.TERMINATED),
    )
    return changed(
        ready(*events),
        rental=known,
        attempts=attempts,
        ledger=(row,),
        spent=AccruedCost(amount=row.amount, estimated=False),
    )


ASKED = Event(
    id=1, rental_id="p4wd9", kind=EventKind.ASKED, at=clock(14, 5), actor=ANA, facts=RequestFacts(terms=1)
)


def waiting(*events: Event, **changes: Any) -> RentalDetails:
    """Return p4wd9, a request for 8x H100 that has been waiting for approval since 14:05, or ended without one."""
    if changes.get("state", State.AWAITING_APPROVAL).over:
        changes["decision"] = None
    known = changed(
        rental(
            State.AWAITING_APPROVAL,
            id="p4wd9",
            request=request(count=8),
            terms=terms("18.40", "21.16", 137_540_000, count=8),
            decision=PendingDecision(decider=Decider.APPROVER, expires_at=clock(22, 5)),
            created_at=clock(14, 5),
            procuring_since=None,
        ),
        **changes,
    )
    other = rental(
        State.READY,
        id="a2bc3",
        request=request(gpu="A100"),
        terms=terms(gpu="A100"),
        created_at=clock(9, 11),
        procuring_since=clock(9, 12),
        lease=lease(),
    )
    return RentalDetails(
        rental=known,
        events=(ASKED, *events),
        spent=AccruedCost(amount=0, estimated=False),
        names=NAMES,
        sees_money=True,
        owners_live=(known, other),
    )


def listed(
    *shown: RentalSummary,
    more: int = 0,
    team: str | None = None,
    reader: str = ANA,
) -> RentalList:
    """Return a list of these rentals with their totals.

    `team` is the cost of the team's machines in USD per hour.
    """
    running = [one for one in shown if one.rental.rate is not None and not one.rental.state.over]
    mine = [one for one in running if one.rental.owner == reader]
    own, all_ = (sum((one.rental.rate or Decimal(0) for one in some), Decimal(0)) for some in (mine, running))
    return RentalList(
        reader=reader,
        shown=shown,
        more=more,
        own=CostTotals(count=len(mine), rate=own),
        own_amount=sum(one.spent.amount for one in mine),
        team=CostTotals(count=len(running) + more, rate=all_ if team is None else Decimal(team)),
    )


def extended(rental: Rental, longer: timedelta, **more: Any) -> Extended:
    """Return an extension that the owner requested."""
    return Extended(
        **{"rental": rental, "span": longer, "waits": False, "asked": None, "sees_money": True, **more}
    )
