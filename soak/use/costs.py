"""The cost of idle machines in a simulation, and how each idle period ended: the table in docs/idling.md."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from typing import NamedTuple

from bot.model.budget import UseCosts
from bot.model.event import EventKind
from bot.model.machine_use import NOT_COMPUTING, UsageStatus
from bot.model.money import Micros, cost
from bot.policy.buying.charges import Stretch, stretches
from handlers.phrases.format import dollars
from soak.use.record import Life, Record

BY_CLICK, BY_USE, BY_LEASE, UNSEEN = "a click on Destroy", "use", "the end of the lease", "not seen any more"


class IdlePeriod(NamedTuple):
    """A period in which a machine didn't compute."""

    ended_by: str
    cost: Micros
    """The machine's cost from the last sample that showed work to the end of the idle period."""
    saved: Micros
    """The amount that the machine would have cost from the click on Destroy until the end of its lease."""


def idle_periods(life: Life) -> Iterator[IdlePeriod]:
    """Yield the idle periods of a machine, oldest first."""
    rental, rate = life.rental, life.rental.rate
    until = (rental.ending.since if rental.ending else None) or rental.over_at
    if rate is None or until is None:
        return
    known = stretches(life.events, ready_at=rental.running_lease.ready_at, until=until)
    clicked = any(event.kind is EventKind.DESTROYING and event.actor for event in life.events)
    for quiet, after in _without_work(known):
        amount = cost(rate, quiet.until - quiet.since)
        if after is not None:
            yield IdlePeriod(BY_USE if after.status is UsageStatus.IN_USE else UNSEEN, amount, 0)
        elif clicked:
            yield IdlePeriod(BY_CLICK, amount, cost(rate, max(rental.running_lease.ends_at - until, timedelta(0))))
        else:
            yield IdlePeriod(BY_LEASE, amount, 0)


def _without_work(known: tuple[Stretch, ...]) -> Iterator[tuple[Stretch, Stretch | None]]:
    """Merge successive stretches without work, and yield each merged stretch with the stretch that follows it.

    A stretch is a period with the same usage status. If a machine alternates between idle and connected, it does
    no work in between, so all of these stretches are merged. The second value is None if no stretch follows.
    """
    idle_period: Stretch | None = None
    for stretch in known:
        if stretch.status in NOT_COMPUTING:
            since = idle_period.since if idle_period is not None else stretch.since
            idle_period = Stretch(status=stretch.status, since=since, until=stretch.until)
        elif idle_period is not None:
            yield idle_period, stretch
            idle_period = None
    if idle_period is not None:
        yield idle_period, None


def table(record: Record) -> str:
    """Return two Markdown tables: the cost of machines by their use, and the endings of their idle periods."""
    total = sum((life.cost for life in record.lives), UseCosts())
    uses = {"in use": total.used, "connected": total.connected, "idle": total.idle, "unknown": total.unknown}
    billed = sum(uses.values())
    found = [idle_period for life in record.lives for idle_period in idle_periods(life)]
    lines = ["| use | cost | share |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {dollars(amount)} | {_share(amount, billed)} |" for name, amount in uses.items()]
    lines += ["", "| without work, ended by | spells | cost | share | not spent |"]
    lines += ["| --- | ---: | ---: | ---: | ---: |"]
    for way in (BY_CLICK, BY_USE, BY_LEASE, UNSEEN):
        those = [idle_period for idle_period in found if idle_period.ended_by == way]
        amount, saved = (
            sum(idle_period.cost for idle_period in those),
            sum(idle_period.saved for idle_period in those),
        )
        share = _share(amount, sum(idle_period.cost for idle_period in found))
        lines.append(f"| {way} | {len(those)} | {dollars(amount)} | {share} | {dollars(saved)} |")
    return "\n".join(lines)


def _share(amount: Micros, of: Micros) -> str:
    return f"{round(Fraction(100 * amount, of)) if of else 0} %"
