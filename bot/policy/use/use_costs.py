"""How much of an amount was billed for use, for connections, for idling, and for time that nobody saw.

The shares are computed from what was billed and from the rental's changes of verdict, which are stored: when a
ledger row is charged, cut by months and owners, and when they are read. A verdict that reaches back needs no
correction, because a resource is charged once it is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from bot.model.attempt import LedgerRow
from bot.model.base import Frozen, Instant
from bot.model.budget import Charge, UseCosts
from bot.model.event import Event, EventKind
from bot.model.facts import VerdictFacts
from bot.model.machine_use import NOT_COMPUTING, Verdict
from bot.model.money import Micros

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

    verdict: Verdict
    since: Instant
    until: Instant


def stretches(events: Iterable[Event], *, ready_at: datetime, until: datetime) -> tuple[Stretch, ...]:
    """Return the stretches with a verdict from `ready_at` to `until`, oldest first, from the events of a rental.
    All other time is unknown.

    A verdict holds from its `since` on, which is before the event: idle time counts from the last reading of work.
    A change between connected and idle within one spell holds only from the event on: what was known about the
    time before stays.
    """
    begins: list[tuple[datetime, Verdict, datetime]] = []
    for event in events:
        if event.kind is not EventKind.USE_CHANGED or not isinstance(event.facts, VerdictFacts):
            continue
        verdict, since = event.facts.verdict, event.facts.since
        begin = since
        if begins and {verdict, begins[-1][1]} <= NOT_COMPUTING and begins[-1][2] == since:
            begin = event.at
        while begins and begins[-1][0] >= begin:
            begins.pop()
        begins.append((begin, verdict, since))
    ends = [*(begin for begin, _, _ in begins), until][1:]
    cut = [
        Stretch(verdict=verdict, since=max(begin, ready_at), until=min(end, until))
        for (begin, verdict, _), end in zip(begins, ends, strict=True)
    ]
    return tuple(one for one in cut if one.verdict is not Verdict.UNKNOWN and one.since < one.until)


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
    shares = dict.fromkeys(Verdict, 0)
    for one in known:
        begin, stop = min(max(one.since, start), end), min(max(one.until, start), end)
        shares[one.verdict] += up_to(billed, stop) - up_to(billed, begin)
    whole = up_to(billed, end) - up_to(billed, start)
    return UseCosts(
        used=shares[Verdict.IN_USE],
        connected=shares[Verdict.CONNECTED],
        idle=shares[Verdict.IDLE],
        unknown=whole - sum(shares.values()),
    )
