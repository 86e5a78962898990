"""Splits the cost of a machine by usage status, month and owner.

The costs of used, connected, idle and unknown time are computed from the billed amount and from the stored changes
of the usage status. They are computed when the amount of a ledger row is divided into charges, and again when
somebody opens a report.

The bot learns only afterwards how a machine was used. For example, it calls a machine idle half an hour after the
last work. Charges are therefore stored after the resource was terminated. By then its usage is known, so stored
charges never have to be corrected.
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
    """The amount that a resource has billed since its last ledger row.

    The resource hasn't been terminated yet, so the amount can still grow.
    """

    started_at: datetime
    ended_at: datetime
    amount: Micros


Billed: TypeAlias = LedgerRow | Charge | BilledPart
"""An amount that was billed evenly over some time."""


class Stretch(Frozen):
    """A stretch of time with a single usage status."""

    status: UsageStatus
    since: Instant
    until: Instant


def stretches(events: Iterable[Event], *, ready_at: datetime, until: datetime) -> tuple[Stretch, ...]:
    """Return the stretches of time with a known usage status between `ready_at` and `until`, oldest first.

    The usage is unknown in the time between the stretches.

    Normally, the stretch of a usage status begins at the `since` of the status. The bot records a status only
    later. For example, it calls a machine idle half an hour after the last work, but the idle stretch begins with
    the last work.

    There is one exception. If the status changes between connected and idle while `since` stays the same, the
    stretch of the new status begins at the time of the event.

    Args:
        events: The events of a rental, oldest first.
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
    """Return the part of a billed amount that falls before `moment`.

    The result is rounded down. To get the part between two moments, subtract two results of this function. Parts
    that are computed in this way add up exactly to the whole amount.

    Args:
        amount: The amount to divide. By default, this is the whole billed amount.
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
    """Split a billed amount by the usage status of the machine, for example in use or idle.

    The shares add up exactly to the amount. With `since` and `until`, only the amount that was billed between
    these two moments is split. The shares of adjoining periods, such as months, add up exactly to the shares of
    the whole.

    Args:
        known: The stretches of time with a known usage status.
        since: By default, the start of `billed`.
        until: By default, the end of `billed`.
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
    """An owner of a rental, and the time at which this person became the owner.

    The time is None for the first owner, who has had the rental from the start.
    """

    since: datetime | None
    owner: str


def owners_of(owner: str, events: Iterable[Event]) -> tuple[Owned, ...]:
    """Return all owners of a rental, in the order in which they owned it.

    Args:
        owner: The current owner.
        events: The rental's events, oldest first.
    """
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
    """Divide the amount of a ledger row into charges by month and owner.

    The charges are returned oldest first. Their amounts add up exactly to the amount of the row. The last charge
    absorbs rounding differences.

    Args:
        owners: All owners of the rental, in the order in which they owned it.
        known: The stretches of time with a known usage status.
        deleted_at: The time at which the bot requested the deletion.
        filed: The months whose CSV file of charges is complete. A charge for such a month becomes a correction: it
            is moved to the next month whose file isn't complete yet.
        kept: Existing charges of this row that remain valid. No new charges are made for the time that they cover.
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
