"""Hypothesis strategies for all values that the models allow, including hostile text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

from hypothesis import strategies as st

from bot.errors import BuyingBlock, BuyingBlocked, NextStep, Refused
from bot.model.admin_question import UnmanagedMachine
from bot.model.attempt import Attempt, AttemptState, LedgerRow, OwnedKey, Resource, SentScript, Why
from bot.model.base import changed
from bot.model.budget import TEAM, Balance
from bot.model.event import EFFECTS, Event, EventKind
from bot.model.facts import DearRental, HeartbeatReturn, TokenFacts, WorkGoesOn
from bot.model.gpu_health import MOST_FAULTS, MOST_GPUS, GpuFault, GpuFaultKind, GpuHealth, GpuNote, GpuNoteKind
from bot.model.job import Job, JobState, MachineJobs, Progress, UntilDone
from bot.model.machine_use import GpusSeen, OnEnding, OnEndingRefused, OnEndingState, UsageStatus
from bot.model.offer import Catalog, Offer
from bot.model.person import Key
from bot.model.quote import Nearby, Quote, QuoteState, WaitlistEntry
from bot.model.rental import (
    Alarm,
    Asked,
    Blocked,
    Decider,
    Ending,
    Extension,
    GracefulDestroy,
    Lease,
    PendingDecision,
    Question,
    Rental,
)
from bot.model.request import Contract, Request, Terms
from bot.model.state import ENDS, State
from bot.model.summary import AccruedCost, IdleMachine, OfferChoice, Over, RentalDetails, RentalSummary
from bot.model.token import HeartbeatEnd, LostHeartbeat, Program, Token, TokenEnd, TokenState, WhenLost

NASTY = (
    "<!channel>",
    "<!here> <@U1> <!subteam^S1>",
    "<@U1>",
    "a & b < c > d",
    "`rm -rf`",
    "```",
    "*bold* _it_ ~no~ :tada:",
    "*bold*",
    "> _it_",
    ":tada:~no~",
    "x :tada",
    "\u202eevil\u202c \u2066x\u2069",
    "line\nApproved by Ben at 14:12\r\n\tx",
    "<!date^0^{time}|x>",
    "<http://example.com|click>",
    "&lt;!channel&gt;",
    "x" * 5000,
    "<" * 3000,
    "&" * 700 + "<!channel>",
    "\x00\x07\ud800",
    "مرحبا بالعالم",
    "👩‍🚀" * 300,
    "",
    " ",
)
text = st.sampled_from(NASTY) | st.text(max_size=20)
START = datetime(2020, 1, 1, tzinfo=UTC)
moment = st.integers(0, 60 * 24 * 365 * 70).map(lambda minutes: START + timedelta(minutes=minutes))
span = st.integers(0, 400 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
rate = st.integers(0, 10**9).map(lambda units: Decimal(units) / 10_000)
amount = st.integers(min_value=0, max_value=10**12)
version = st.integers(min_value=1, max_value=999)
rental_id = st.sampled_from(["k7mq2", "p4wd9", "a2bc3"])
quote_id = st.sampled_from(["q1", "a2bc3d4ef5gh"])
user = st.sampled_from(["U0ANA", "U0BEN", "U0CARL", "U0GONE"])
teammates = st.lists(user, unique=True, max_size=3).map(tuple)
channel = st.sampled_from(["C0TRAIN", "C0GPUS", "D0ANA"])
maybe_text = st.none() | text

requests = st.builds(
    Request,
    gpu=text,
    count=st.integers(1, 64),
    region=maybe_text,
    contract=st.sampled_from(Contract),
    vendor=maybe_text,
    max_gpu_rate=st.none() | rate,
    lease=span,
    until=st.none() | moment,
    starts_at=st.none() | moment,
    up_to=st.none() | span,
    until_done=st.booleans(),
    teammates=teammates,
    note=text,
)
waitlist_entries = st.builds(
    WaitlistEntry,
    until=moment,
    since=st.none() | moment,
    rents=st.booleans(),
    any_time=st.booleans(),
    gpu=maybe_text,
)
all_terms = st.builds(
    Terms,
    version=version,
    gpu=text,
    count=st.integers(1, 64),
    region=maybe_text,
    contract=st.sampled_from(Contract),
    vendor=maybe_text,
    price=rate,
    max_rate=rate,
    lease=span,
    total=amount,
)
offers = st.builds(
    Offer,
    offer_id=st.sampled_from([*NASTY, "3c90c3cc-0d44-4b50-8888-8dd25736052a"]),
    gpu=text,
    family=text,
    count=st.integers(1, 64),
    vendor=text,
    region=text,
    vendor_region=maybe_text,
    contract=text,
    rate=rate,
    vcpus=st.none() | st.integers(0, 10**6),
    memory_gb=st.none() | rate,
    disk_gb=st.none() | rate,
    expires_at=moment,
)
# Hypothesis reads the signature, in which a stored field has its alias.
extensions = st.builds(Extension, envelope=all_terms, ends_at=moment, asked_by=user, asked_at=moment)
waitings = st.builds(
    PendingDecision,
    decider=st.sampled_from(Decider),
    why=st.none() | st.sampled_from(Why),
    expires_at=moment,
)
jobs = st.builds(
    Job,
    id=st.just("q7Xk2"),
    uid=st.integers(0, 2000),
    name=text,
    state=st.sampled_from(JobState),
    exit_status=st.none() | st.integers(0, 255),
    began_at=moment,
    ended_at=st.none() | moment,
)
leases = st.builds(
    Lease,
    ready_at=moment,
    ends_at=moment,
    latest_end=st.none() | moment,
    until_done=st.none() | st.builds(UntilDone, since=moment, done=st.none() | jobs),
    graceful_destroy=st.none()
    | st.builds(GracefulDestroy, by=user, ends_at=moment, latest_end=st.none() | moment),
    heartbeat_end=st.none() | st.builds(HeartbeatEnd, at=moment, ends_at=moment, latest_end=st.none() | moment),
    notices_checked_at=moment,
    seen_at=moment,
    question=st.builds(
        Question,
        quiet_until=st.none() | moment,
        promised=st.booleans(),
        asked=st.none() | st.builds(Asked, about=st.none() | moment, last_at=moment, first_at=st.none() | moment),
    ),
)
endings = st.builds(
    Ending,
    outcome=st.sampled_from(sorted(ENDS)),
    why=st.none() | st.sampled_from(Why),
    by=st.none() | user,
)
on_endings = st.builds(
    OnEnding,
    state=st.sampled_from(OnEndingState),
    end=st.none() | moment,
    status=st.none() | st.integers(0, 255),
    why=st.none() | st.sampled_from(OnEndingRefused),
)
machine_jobs = st.builds(MachineJobs, jobs=st.lists(jobs, max_size=16).map(tuple))
progresses = st.builds(Progress, text=text, at=moment)
gpu_faults = st.builds(
    GpuFault,
    gpu=st.none() | st.integers(0, MOST_GPUS - 1),
    kind=st.sampled_from(GpuFaultKind),
    xid=st.none() | st.integers(1, 200),
)
gpu_notes = st.builds(
    GpuNote,
    gpu=st.none() | st.integers(0, MOST_GPUS - 1),
    kind=st.sampled_from(GpuNoteKind),
    value=st.integers(1, 999_999_999),
)
gpu_healths = st.builds(
    GpuHealth,
    faults=st.lists(gpu_faults, max_size=MOST_FAULTS).map(tuple),
    notes=st.lists(gpu_notes, max_size=32).map(tuple),
)
programs = st.builds(Program, token_name=text, fingerprint=st.just(""), lost=st.none() | st.sampled_from(WhenLost))
lost_heartbeats = st.builds(
    LostHeartbeat, since=moment, told_at=moment, back_by=st.none() | moment, kept_until=st.none() | moment
)
alarms = st.builds(Alarm, at=moment, count=st.integers(0, 3), acknowledged_by=st.none() | user)


def rentals_in(state: State) -> st.SearchStrategy[Rental]:
    """Return rentals in this state, with the parts that the state has."""
    waits, ends = state is State.AWAITING_APPROVAL, state.over or state is State.DESTROYING
    return st.builds(
        Rental,
        id=rental_id,
        state=st.just(state),
        quote_id=quote_id,
        owner=user,
        card_channel=channel,
        request=requests,
        teammates=teammates,
        clicked_offer=text,
        terms=all_terms,
        decision=waitings if waits else st.none(),
        waitlist_entry=waitlist_entries if state is State.QUEUED else st.none() | waitlist_entries,
        created_at=moment,
        procuring_since=st.none() | moment,
        blocked=st.none() | st.builds(Blocked, since=moment, why=st.none() | st.sampled_from(Why)),
        rate=st.none() | rate,
        vendor=maybe_text,
        vendor_region=maybe_text,
        host=maybe_text | st.just("203.0.113.7"),
        port=st.none() | st.integers(-5, 70_000),
        host_key=maybe_text,
        lease=leases if state is State.READY else st.none() | leases if ends else st.none(),
        on_ending=st.none() | on_endings,
        on_ending_at=st.none() | moment,
        jobs=st.none() | machine_jobs,
        progress=st.none() | progresses,
        gpu_health=st.none() | gpu_healths,
        program=st.none() | programs,
        lost_heartbeat=st.none() | lost_heartbeats,
        extension=st.none() | extensions if state is State.READY else st.none(),
        ending=endings if ends else st.none(),
        alarm=st.none() | alarms,
        over_at=moment if state.over else st.none(),
    )


rentals = st.sampled_from(State).flatmap(rentals_in)
tokens = st.builds(
    Token,
    id=st.just("n8f3mz2kq7wx"),
    owner=user,
    name=text,
    state=st.sampled_from(TokenState),
    secret_hash=st.just(""),
    created_at=moment,
    over_at=st.none() | moment,
    over_by=st.none() | user,
)
key_line = st.text("ABCabc012+/", min_size=60, max_size=3000).map("ssh-rsa {}=".format)
sent_keys = st.builds(OwnedKey, person=user, line=key_line, comment=text, fingerprint=text)
keys_now = st.dictionaries(
    user,
    st.lists(st.builds(Key, line=key_line, comment=text, fingerprint=text), max_size=5).map(tuple),
    max_size=10,
)
scripts = st.builds(
    SentScript, version=st.just(1), keys=st.lists(sent_keys, max_size=20).map(tuple), setup=maybe_text
)
attempts = st.builds(
    Attempt,
    rental_id=rental_id,
    n=st.integers(1, 3),
    state=st.sampled_from(AttemptState),
    offer=offers,
    resource_name=text,
    public_key=text,
    key_comment=text,
    script=st.none() | scripts,
    intended_at=moment,
    why=st.none() | st.sampled_from(Why),
    detail=text,
)
resources = st.builds(
    Resource,
    resource_id=text,
    rental_id=rental_id,
    attempt=st.integers(1, 3),
    status=text,
    first_seen=moment,
    read_at=moment,
    rate=st.none() | rate,
    valid_from=st.none() | moment,
    last_answer=text,
)
ledger_rows = st.builds(
    LedgerRow,
    resource_id=text,
    rental_id=rental_id,
    owner=user,
    started_at=moment,
    ended_at=moment,
    rate=rate,
    amount=amount,
    estimated=st.booleans(),
)
FACTS = {
    "faults": st.lists(gpu_faults, min_size=1, max_size=MOST_FAULTS).map(tuple),
    "job": jobs,
    "jobs": st.lists(jobs, min_size=1, max_size=16).map(tuple),
    "work": st.sampled_from(WorkGoesOn),
    "how": st.sampled_from(HeartbeatReturn),
    "back_by": moment,
    "kept_until": moment,
    "heard": st.booleans(),
    "works": st.booleans(),
    "unseen": st.booleans(),
    "vendor": text,
    "vendor_region": text,
    "rate": rate,
    "before": rate,
    "clicked": rate,
    "before_vendor": text,
    "max_rate": rate,
    "total": st.integers(1, 10**12),
    "terms": version,
    "why": st.sampled_from(Why),
    "detail": text,
    "span": span,
    "hours": span,
    "until": moment,
    "since": moment,
    "offer": text,
    "starts_at": moment,
    "amount": amount,
    "estimate": amount,
    "estimated": st.booleans(),
    "resource_id": text,
    "name": text,
    "gpu": text,
    "count": st.integers(0, 1000),
    "people": teammates,
    "without_key": teammates,
    "end": st.sampled_from(State),
    "exit_status": st.integers(0, 255),
    "paid": st.booleans(),
    "self_approved": st.booleans(),
    "dearest": st.lists(st.builds(DearRental, rental_id=rental_id, owner=user, amount=amount), max_size=3).map(
        tuple
    ),
    "host": text,
    "host_key": text,
    "status": st.sampled_from(UsageStatus),
    "gpus_seen": st.builds(GpusSeen, count=st.integers(0, 16), models=st.just(())),
    "token_id": st.just("n8f3mz2kq7wx"),
    "owner": user,
    "version": version,
    "still_works": st.booleans(),
    "rentals": st.lists(rental_id, max_size=40).map(tuple),
    "balance": st.builds(Balance, scope=st.just(TEAM), month=st.just("2026-11")),
    "month": st.just("2026-11"),
}


def _facts_of(kind: EventKind) -> st.SearchStrategy[Any]:
    """Return a strategy for the facts of a kind of event. Optional facts are sometimes left out."""
    fields = EFFECTS[kind].facts.model_fields
    people = {1: st.tuples(user), 2: st.tuples(user, user)}
    drawn = {name: FACTS[name] for name in fields.keys() & FACTS.keys()}
    if "people" in fields and fields["people"].is_required():
        drawn["people"] = people[len(get_args(fields["people"].annotation))]
    if EFFECTS[kind].facts is TokenFacts:
        drawn["why"] = st.sampled_from(TokenEnd)
    needed = {name for name in drawn if fields[name].is_required()}
    optional = {name: drawn[name] for name in drawn.keys() - needed}
    return st.fixed_dictionaries({name: drawn[name] for name in needed}, optional=optional).map(
        lambda known: EFFECTS[kind].facts(**known)
    )


events: st.SearchStrategy[Event] = st.sampled_from(sorted(set(EventKind) - {EventKind.DIGEST})).flatmap(
    lambda kind: st.builds(
        Event,
        id=st.integers(0, 100),
        rental_id=st.none() | rental_id,
        kind=st.just(kind),
        at=moment,
        actor=st.none() | user,
        facts=_facts_of(kind),
    )
)
spents = st.builds(AccruedCost, amount=amount, estimated=st.booleans())
details = st.builds(
    RentalDetails,
    rental=rentals,
    attempts=st.lists(attempts, max_size=2).map(tuple),
    resources=st.lists(resources, max_size=2).map(tuple),
    ledger=st.lists(ledger_rows, max_size=2).map(tuple),
    events=st.lists(events, max_size=4).map(tuple),
    spent=spents,
    keys_now=keys_now,
    usual=st.none() | span,
    names=st.dictionaries(user, text, max_size=3),
    sees_money=st.booleans(),
    owners_live=st.lists(rentals, max_size=2).map(tuple),
    token=st.none() | tokens,
)


def summaries_of(rentals: st.SearchStrategy[Rental]) -> st.SearchStrategy[RentalSummary]:
    """Return these rentals as a list shows them.

    Their history is left out, because it takes most of the draws of `details`.
    """
    names = st.dictionaries(user, text, max_size=3)
    return st.builds(RentalSummary, rental=rentals, spent=spents, names=names, sees_money=st.booleans())


summaries = summaries_of(rentals)
summaries_to_decide = summaries_of(
    rentals_in(State.AWAITING_APPROVAL)
    | st.builds(lambda rental, more: changed(rental, extension=more), rentals_in(State.READY), extensions)
)
idle_machines = st.builds(
    IdleMachine, rental=rentals_in(State.READY), owner=text, since=moment, asked_at=st.none() | moment
)
unmanaged_machines = st.builds(
    UnmanagedMachine,
    resource_id=text,
    status=text,
    runs=st.booleans(),
    name=maybe_text,
    gpu=maybe_text,
    count=st.integers(1, 64),
    vendor=maybe_text,
    rate=st.none() | rate,
    since=moment,
    terminated_at=st.none() | moment,
)
nearby = st.builds(Nearby, request=requests, cheapest=offers)
quotes = st.builds(
    Quote,
    id=st.just("q8f3k2m4n5p6"),
    state=st.sampled_from(QuoteState),
    owner=user,
    asked_in=channel,
    card_channel=st.none() | channel,
    request=requests,
    changes=st.none() | rental_id,
    waitlist_entry=st.none() | waitlist_entries,
    created_at=moment,
    nearby=st.lists(nearby, max_size=7).map(tuple),
)
choices = st.builds(
    OfferChoice,
    offer=offers,
    terms=all_terms,
    over=st.lists(st.sampled_from(Over), unique=True).map(tuple),
    refused=st.none()
    | st.builds(
        Refused, text, channels=st.lists(channel, max_size=3).map(tuple), next_step=st.sampled_from(NextStep)
    )
    | st.builds(BuyingBlocked, st.sampled_from(BuyingBlock)),
    usual=st.none() | span,
)
catalogs = st.builds(
    Catalog,
    gpus=st.dictionaries(text, st.lists(text, max_size=4).map(tuple), max_size=5),
    vendors=st.lists(text, max_size=130).map(tuple),
    regions=st.lists(text, max_size=5).map(tuple),
    contracts=st.lists(text, max_size=4).map(tuple),
    read_at=moment,
)
fingerprints = st.from_regex(r"SHA256:[A-Za-z0-9+/]{43}", fullmatch=True)
keys = st.builds(Key, line=text, comment=text, fingerprint=fingerprints)
