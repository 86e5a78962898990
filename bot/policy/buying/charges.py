"""Divides what a resource billed: by how its machine was used, and into charges.

The shares of use are computed from what was billed and from the stored changes of verdict: when a ledger row is
charged, cut by months and owners, and when they are read. A verdict that reaches back needs no correction, because
a resource is charged once it is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from bot.model.attempt import LedgerRow
from bot.model.base import Frozen, Instant
from bot.model.budget import Charge, UseCosts
from bot.model.event import Event, EventKind
from bot.model.facts import OwnerChangedFacts, StatusFacts
from bot.model.machine_use import NOT_COMPUTING, UsageStatus
from bot.model.money import Micros
from bot.model.records import Charged
from bot.policy.buying.months import month_of, month_start, months_between, next_month

MICROSECOND = timedelta(microseconds=1)


class BilledPart(NamedTuple):
    """What one resource that is not gone has billed since its last row in the ledger."""

    started_at: datetime
    ended_at: datetime
    amount: Micros


Billed: TypeAlias = LedgerRow | Charge | BilledPart
"""An amount that was billed evenly for some time."""


class Stretch(Frozen):
    """Time with one verdict."""

    status: UsageStatus
    since: Instant
    until: Instant


def stretches(events: Iterable[Event], *, ready_at: datetime, until: datetime) -> tuple[Stretch, ...]:
    """Return the stretches with a verdict from `ready_at` to `until`, oldest first, from the events of a rental.
    All other time is unknown.

    A verdict holds from its `since` on, which is before the event: idle time counts from the last reading of work.
    A change between connected and idle within one spell holds only from the event on: what was known about the
    time before stays.
    """
    begins: list[tuple[datetime, UsageStatus, datetime]] = []
    for event in events:
        if event.kind is not EventKind.USE_CHANGED or not isinstance(event.facts, StatusFacts):
            continue
        status, since = event.facts.status, event.facts.since
        begin = since
        if begins and {status, begins[-1][1]} <= NOT_COMPUTING and begins[-1][2] == since:
            begin = event.at
        while begins and begins[-1][0] >= begin:
            begins.pop()
        begins.append((begin, status, since))
    ends = [*(begin for begin, _, _ in begins), until][1:]
    cut = [
        Stretch(status=status, since=max(begin, ready_at), until=min(end, until))
        for (begin, status, _), end in zip(begins, ends, strict=True)
    ]
    return tuple(one for one in cut if one.status is not UsageStatus.UNKNOWN and one.since < one.until)


def up_to(billed: Billed, moment: datetime, amount: Micros | None = None) -> Micros:
    """Return how much of what was billed, or of an `amount` of it, fell into the time before `moment`.

    Differences of these rounded-down sums lose and repeat no fraction of a micro-dollar, so the parts of an amount
    sum to the whole.
    """
    amount = billed.amount if amount is None else amount
    length = (billed.ended_at - billed.started_at) // MICROSECOND
    passed = (moment - billed.started_at) // MICROSECOND
    if length <= 0:
        return amount if passed > 0 else 0
    return amount * min(max(passed, 0), length) // length


def use_costs(
    billed: Billed, known: Sequence[Stretch], *, since: datetime | None = None, until: datetime | None = None
) -> UseCosts:
    """Return the shares of an amount, exact in micro-dollars: they sum to the amount. `known` are the stretches of
    its machine.

    With `since` and `until`, return the shares of that part of the time. If the time is cut into parts, for
    example months, the shares of the parts sum to the whole.
    """
    if billed.ended_at <= billed.started_at:
        return UseCosts(unknown=billed.amount)
    start = billed.started_at if since is None else max(billed.started_at, since)
    end = billed.ended_at if until is None else max(start, min(billed.ended_at, until))
    shares = dict.fromkeys(UsageStatus, 0)
    for one in known:
        begin, stop = min(max(one.since, start), end), min(max(one.until, start), end)
        shares[one.status] += up_to(billed, stop) - up_to(billed, begin)
    whole = up_to(billed, end) - up_to(billed, start)
    return UseCosts(
        used=shares[UsageStatus.IN_USE],
        connected=shares[UsageStatus.CONNECTED],
        idle=shares[UsageStatus.IDLE],
        unknown=whole - sum(shares.values()),
    )


# --- charges


class Owned(NamedTuple):
    """From when on a rental is a person's. None: from its start on."""

    since: datetime | None
    owner: str


def owners_of(owner: str, events: Iterable[Event]) -> tuple[Owned, ...]:
    """Return the owners of a rental, the first one first, from its events. `owner` is who has it now."""
    owners: list[Owned] = []
    for event in events:
        if isinstance(event.facts, OwnerChangedFacts):
            before, after = event.facts.people
            owners = owners or [Owned(None, before)]
            owners.append(Owned(event.at, after))
    return tuple(owners) or (Owned(None, owner),)


def cut(
    row: LedgerRow,
    charged: Charged,
    *,
    owners: Sequence[Owned],
    known: Sequence[Stretch] = (),
    deleted_at: datetime | None = None,
    zone: ZoneInfo,
    filed: Collection[str] = (),
    kept: Collection[Charge] = (),
) -> tuple[Charge, ...]:
    """Return the charges of a ledger row, oldest first. Their amounts sum to that of the row, and the last one
    takes what rounding leaves.

    `known` is what was seen of the use of its machine, and `deleted_at` when the bot asked for its deletion. What
    falls into a month that is `filed` is charged to the next month that is not, as a correction. What the row's
    charges that are `kept` have is left out: with them, the amounts sum to that of the row.
    """
    months = months_between(row.started_at, row.ended_at, zone)
    borders = {month_start(month, zone) for month in months[1:]}
    borders |= {one.since for one in owners if one.since is not None and row.started_at < one.since < row.ended_at}
    moments = {moment for one in kept for moment in (one.started_at, one.ended_at)}
    borders |= {moment for moment in moments if row.started_at < moment < row.ended_at}
    charges = []
    for start, end in pairwise((row.started_at, *sorted(borders), row.ended_at)):
        if any(one.started_at <= start and end <= one.ended_at for one in kept):
            continue
        month = billed_in = month_of(start, zone)
        while month in filed:
            month = next_month(month)
        shares = use_costs(row, known, since=start, until=end)
        late = 0
        if deleted_at is not None and deleted_at < end:
            late = use_costs(row, (), since=max(start, deleted_at), until=end).unknown
        charges.append(
            Charge(
                resource_id=row.resource_id,
                n=row.n,
                started_at=start,
                ended_at=end,
                rental_id=charged.rental_id,
                month=month,
                owner=[one.owner for one in owners if one.since is None or one.since <= start][-1],
                project=charged.project,
                gpus=charged.gpus,
                rate=row.rate,
                amount=shares.used + shares.connected + shares.idle + shares.unknown,
                late=late,
                estimated=row.estimated,
                correction=month != billed_in,
                **dict(shares),
            )
        )
    return tuple(charges)
