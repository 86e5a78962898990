"""Checks the bot itself: whether the store works, and whether work is late.

People are notified directly, without the outbox, because the outbox needs the store.

Lateness is measured in wall-clock time, so that work isn't reported as late when a test or the sandbox moves the
bot's clock forward.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from typing_extensions import override

from bot.errors import GpubotError
from bot.lifecycle.changes.notifications import alerted
from bot.lifecycle.deps import Deps, StepDeps, transact, with_newest_rules
from bot.lifecycle.loops.due import DueLoop
from bot.lifecycle.loops.running import Part, keep_running
from bot.lifecycle.money.budgets import correct, settle_stored
from bot.lifecycle.outside import DirectPosts
from bot.model.event import Event, EventKind, To
from bot.model.facts import AlertFacts
from bot.policy.buying.months import month_of, month_start
from bot.policy.use.clocks import ClockDifference
from bot.policy.use.leases import OVERDUE_GRACES, overdue_at, overdue_grace
from store.db import Tx

log = structlog.get_logger()

CHECK_EVERY, CHECK_AGAIN = 15.0, 3.0
"""The wall-clock seconds until the next check: if all is well, and if something is wrong.

People are notified after the second failed check in a row, because a store that was busy once is no outage.
"""
LATE = timedelta(seconds=60)
"""If work is late for at least this long, in wall-clock time, the bot is reported as unhealthy."""
STEP_AT_MOST = timedelta(minutes=5)
"""The longest time that one step of a rental can take, in wall-clock time.

At worst, a step waits for many slow answers one after the other.
"""
ENDS_SOON = timedelta(hours=1)
"""If a lease ends within this time, its owner is also notified of an outage."""

Recipient = tuple[str, str | None]
"""A person's ID, and the ID of the rental that the alert was about, if any."""


@dataclass
class SelfCheck(Part):
    """Checks every few seconds whether the bot works, and notifies people if it doesn't."""

    name = "selfcheck"
    waits_for_witnesses = True

    deps: StepDeps
    loops: Sequence[DueLoop[Any]]
    """The loops whose rows can be late: the loops of quotes, waitlist entries and rentals."""
    direct: DirectPosts
    notifies: Callable[[], bool] = lambda: True
    """Returns whether this process notifies people of problems with the store.

    If there are several processes, only the process that delivers messages notifies people.
    """
    clock_difference: Callable[[], ClockDifference | None] = lambda: None
    """Returns the reason why this machine's clock can't be trusted, or None if it can.

    Each process notifies people of its own wrong clock.
    """
    machine: str = ""
    """This machine's name, for teams that run several processes."""
    reads: bool = True
    writes: bool = True
    lateness: timedelta = timedelta(0)
    """The time by which the earliest due work is late, by the bot's clock, which the sandbox can move."""
    late_for: timedelta = timedelta(0)
    """The wall-clock time that has passed since work began to be late."""
    _late_since: datetime | None = None
    """The wall-clock time since which every check has found late work. None if the last check found none."""
    _failed: bool = False
    """True if the last check failed."""
    _clock_wrong: bool = False
    """True if the last check found this machine's clock wrong."""
    _clock_notified: set[str] = field(default_factory=set)
    """The admins who have been notified of the wrong clock."""
    _notified: dict[EventKind, set[Recipient]] = field(default_factory=dict)
    _outage: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        for loop in self.loops:
            loop.on_outage = self._outage.set

    @property
    def wrong(self) -> list[str]:
        """The current problems, described for an operator. Empty if all is well."""
        found = [] if self.reads else ["the database can't be read"]
        if not self.writes:
            found.append("the database can't be written")
        if self.late_for >= LATE:
            found.append(f"work is late by {int(self.late_for.total_seconds())} s")
        return found

    @override
    async def trouble(self) -> list[str]:
        await self.measure()
        return self.wrong

    @override
    async def figures(self) -> Mapping[str, Any]:
        return {
            "engine_lateness_seconds": self.lateness.total_seconds(),
            "late_for_seconds": self.late_for.total_seconds(),
            "store_takes_writes": self.writes,
        }

    @override
    async def run(self) -> None:
        await keep_running("selfcheck", self._turn, self.deps.clock)

    async def _turn(self) -> None:
        self.deps = with_newest_rules(self.deps)
        failed_before, self._failed = self._failed, not await self.check()
        if self._failed and failed_before:
            await self.notify()
        elif not self._failed:
            await self.notify_recovery()
        await self.check_clock()
        await self._pause()

    async def _pause(self) -> None:
        """Wait until the next check. If a loop reports an outage of the store, stop waiting immediately."""
        if not (self.reads and self.writes) or any(self._notified.values()) or self._clock_wrong:
            await self.deps.clock.pause(CHECK_AGAIN)
            return
        self._outage.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_EVERY):
                await self._outage.wait()

    async def check(self) -> bool:
        """Try to read from the store and to write to it. Return whether both worked."""
        await self.measure()
        writes = await self.deps.store.takes_writes()
        if writes != self.writes:
            log.warning("store.writes", taken=writes)
        self.writes = writes
        return self.reads and self.writes

    async def measure(self) -> None:
        """Measure the lateness of the earliest due work that no other process has claimed.

        Work that is running in this process is reported as late only once it has run for longer than
        STEP_AT_MOST.
        """
        real, now = self.deps.clock.real(), self.deps.clock.now()
        under_way = [one for loop in self.loops for one in loop.under_way().items()]
        running = [key for key, since in under_way if real - since < STEP_AT_MOST]
        try:
            async with self.deps.store.read() as tx:
                oldest = await tx.overdue.oldest_due(without=running)
        except GpubotError:
            self.reads = False
            return
        self.reads = True
        if oldest is None or oldest[1] >= now:
            self._late_since, self.lateness, self.late_for = None, timedelta(0), timedelta(0)
            return
        self._late_since = self._late_since or real
        self.lateness = now - oldest[1]
        self.late_for = min(self.lateness, real - self._late_since)

    async def check_clock(self) -> None:
        """Notify each admin once if two checks in a row found this machine's clock wrong.

        One check isn't enough. After the machine was suspended, its clock can seem wrong until the bot has read
        the clocks of other servers again.
        """
        difference = self.clock_difference()
        wrong_before, self._clock_wrong = self._clock_wrong, difference is not None
        if difference is None:
            self._clock_notified.clear()
        elif wrong_before:
            detail = "database" if difference.from_database else "witnesses"
            facts = AlertFacts(name=self.machine, span=difference.ahead, detail=detail)
            event = Event(rental_id=None, kind=EventKind.WRONG_CLOCK, at=self.deps.clock.now(), facts=facts)
            for person in alerted(event, self.deps.rules):
                if person not in self._clock_notified and await self.direct.post(person, event):
                    self._clock_notified.add(person)

    # --- alerts

    async def notify(self) -> None:
        """Notify the admins, and the owners whose leases end soon. Each person is notified once per outage.

        Does nothing if another process notifies people.
        """
        if not self.notifies():
            return
        rules, now = self.deps.rules, self.deps.clock.now()
        if not self.reads:
            await self._post(Event(rental_id=None, kind=EventKind.NO_READS, at=now, facts=AlertFacts()))
            return
        facts = AlertFacts(span=OVERDUE_GRACES * overdue_grace(rules))
        await self._post(Event(rental_id=None, kind=EventKind.NO_WRITES, at=now, facts=facts))
        async with self.deps.store.read() as tx:
            ending = await tx.overdue.past_end(now + ENDS_SOON)
        for attempt in ending:
            ends_at, ended = attempt.ends_at, attempt.destroying_since or attempt.over_at
            if attempt.newest and ends_at is not None and ended is None:
                facts = AlertFacts(name=attempt.rental_id, since=ends_at, until=overdue_at(ends_at, None, rules))
                event = Event(rental_id=None, kind=EventKind.NO_WRITES, at=now, facts=facts)
                await self._post(event, attempt.owner)

    async def notify_recovery(self) -> None:
        """Tell everyone who was notified of an outage that the outage is over."""
        for recipients in self._notified.values():
            for person, rental_id in sorted(recipients, key=str):
                facts = AlertFacts(name=rental_id)
                event = Event(rental_id=None, kind=EventKind.STORE_BACK, at=self.deps.clock.now(), facts=facts)
                for reader in alerted(event, self.deps.rules, known={To.TOLD_OF_OUTAGE: (person,)}):
                    if await self.direct.post(reader, event):
                        recipients.discard((person, rental_id))

    async def _post(self, event: Event[AlertFacts], owner: str | None = None) -> None:
        notified = self._notified.setdefault(event.kind, set())
        for person in alerted(event, self.deps.rules, owner):
            recipient = person, event.facts.name
            if recipient not in notified and await self.direct.post(person, event):
                notified.add(recipient)


async def check_balances(deps: Deps, on_wrong: Callable[[int], None]) -> None:
    """Add missing charges to the budgets, and correct balances with a wrong sum.

    A charge is missing if a process died between the two transactions that store and charge a ledger row.

    Balances are checked from the previous month onwards. Each wrong balance is logged and counted as a bug.

    Does nothing until the first rules have been stored. Storing them calculates all charges and balances anyway.
    """
    zone = deps.rules.billing_zone
    since = month_of(month_start(month_of(deps.clock.now(), zone), zone) - timedelta(days=1), zone)

    async def decision(tx: Tx) -> int:
        if await tx.policies.newest() is None:
            return 0
        uncharged = await tx.budgets.uncharged()
        for rental_id in uncharged:
            log.warning("balances.charged_later", rental=rental_id)
            await settle_stored(tx, deps, rental_id)
        return await correct(tx, since)

    wrong = await transact(deps, decision)
    if wrong:
        log.error("balances.corrected", count=wrong)
        on_wrong(wrong)
