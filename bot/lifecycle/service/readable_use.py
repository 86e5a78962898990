"""What people may read of how a machine is used.

Everyone who may look at a rental reads its verdict and since when it holds. Values, connections, the marks of the
last day and earlier verdicts are a record of somebody's work: its owner, its teammates and admins read them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from bot.lifecycle.ports.store import Tx
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.use import RecentUse
from bot.policy.team.rules import Rules
from bot.policy.use.samples import recent_span, recent_use

DAY = timedelta(days=1)


def readable_by(rental: Rental, *, everything: bool) -> Rental:
    """Return the rental with what a person may read of its use: `everything`, or the verdict and since when. It
    has no verdict while the readings do not suffice for one: without the evidence, the machine would look like one
    that can't be seen into."""
    if rental.use is None or (everything and not rental.use.undecided):
        return rental
    return readable_by_all(rental)


def readable_by_all(rental: Rental) -> Rental:
    """Return the rental with the verdict and since when it holds, for messages that a channel reads. It has no
    verdict if the readings do not suffice for one."""
    use = rental.use
    return changed(rental, use=None if use is None or use.undecided else use.bare)


def readable_events(events: Iterable[Event], *, everything: bool) -> tuple[Event, ...]:
    """Return the events of which a person may read something, without what they may not read."""
    return tuple(readable_event(event, everything=everything) for event in events if _tells(event, everything))


def readable_event(event: Event, *, everything: bool) -> Event:
    """Return an event with what a person may read of its evidence: `everything`, or the verdict and since when."""
    use = event.facts.use
    if use is None or everything:
        return event
    return changed(event, facts=changed(event.facts, use=use.bare))


def _tells(event: Event, everything: bool) -> bool:
    if event.kind is not EventKind.USE_CHANGED:
        return True
    return everything and (event.facts.use is None or not event.facts.use.undecided)


async def use_of_last_day(tx: Tx, rental: Rental, now: datetime, rules: Rules) -> RecentUse | None:
    """Return how a ready machine was used in the last day. Return None if it is not ready or was never visited."""
    if rental.state is not State.READY or rental.use is None:
        return None
    samples = await tx.samples.since(rental.id, now - recent_span(rules.idle))
    return recent_use(samples, await tx.samples.highest(rental.id, now - DAY), now, rules.idle)
