"""Cuts what a resource billed into charges: at the ends of months and at the moments at which the owner
changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.model.attempt import LedgerRow
from bot.model.budget import Charge
from bot.model.event import Event
from bot.model.facts import OwnerChangedFacts
from bot.model.records import Charged
from bot.policy.buying.months import month_of, month_start, months_between, next_month
from bot.policy.use.use_costs import Stretch, use_costs


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
