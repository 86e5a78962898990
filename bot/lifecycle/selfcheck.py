"""Whether the bot itself is well: does the store work, and is anything late. People are told without the outbox.

Everything here is measured in real time, because a clock that is moved makes things late for a moment only.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from bot.errors import GpubotError
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.engine import Engine
from bot.lifecycle.ports import DirectPosts
from bot.model.event import Event, EventKind, Facts
from bot.policy.leases import OVERDUE_GRACES, overdue_at, overdue_grace

log = structlog.get_logger()

CHECK_EVERY, CHECK_AGAIN = 15.0, 3.0
"""Real seconds until the next look, if all is well and if it isn't. People are told after the second failure in a
row: a store that was busy once is no outage."""
LATE = timedelta(seconds=60)
"""Work that is due for longer than this, in real time, means that the bot is not well."""
STEP_AT_MOST = timedelta(minutes=5)
"""A step may take this long, in real time: it waits for many slow answers in a row at worst."""
ENDS_SOON = timedelta(hours=1)

Told = tuple[str, str | None]
"""A person, and the rental that they were told of."""


@dataclass
class SelfCheck:
    """Looks every few seconds, and says what is wrong."""

    deps: StepDeps
    engine: Engine
    direct: DirectPosts
    reads: bool = True
    writes: bool = True
    lateness: timedelta = timedelta(0)
    """By how much what is due first is late, by our clock."""
    late_for: timedelta = timedelta(0)
    """For how long work has been late, in real time."""
    _late_since: datetime | None = None
    """Since when, in real time, something is known to be late at every look. It need not be the same work: a bot
    that has too much to do finishes one thing late after the other."""
    _told: dict[EventKind, set[Told]] = field(default_factory=dict)
    _doubt: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.engine.on_outage = self._doubt.set

    @property
    def wrong(self) -> list[str]:
        """What is wrong, in words; nothing if all is well."""
        found = [] if self.reads else ["the store can't be read"]
        if not self.writes:
            found.append("the store takes no writes")
        if self.late_for >= LATE:
            found.append(f"work is late by {int(self.late_for.total_seconds())} s")
        return found

    async def run(self) -> None:
        """Runs until cancelled."""
        failed_before = False
        while True:
            try:
                failed = not await self.look()
                if failed and failed_before:
                    await self.notify()
                elif not failed:
                    await self.notify_recovery()
                failed_before = failed
            except Exception:
                log.exception("selfcheck.failed")
            await self._pause()

    async def _pause(self) -> None:
        """Waits until the next look: after an outage that the engine met, there is one at once."""
        if not (self.reads and self.writes) or any(self._told.values()):
            await self.deps.clock.pause(CHECK_AGAIN)
            return
        self._doubt.clear()
        wait = {
            asyncio.ensure_future(self._doubt.wait()),
            asyncio.ensure_future(self.deps.clock.pause(CHECK_EVERY)),
        }
        try:
            await asyncio.wait(wait, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in wait:
                one.cancel()
            await asyncio.gather(*wait, return_exceptions=True)

    async def look(self) -> bool:
        """Tries to read and to write, and returns whether both worked."""
        await self.measure()
        writes = await self.deps.store.takes_writes()
        if writes != self.writes:
            log.warning("store.writes", taken=writes)
        self.writes = writes
        return self.reads and self.writes

    async def measure(self) -> None:
        """Finds out what is due first and for how long, claimed or not. A step that is running is not late until
        it takes too long."""
        real, now = self.deps.clock.real(), self.deps.clock.now()
        running = [of for of, since in self.engine.under_way().items() if real - since < STEP_AT_MOST]
        try:
            async with self.deps.store.read() as tx:
                oldest = await tx.overdue.oldest_due(but=running)
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

    # --- telling people

    async def notify(self) -> None:
        """Tells the admins, and the owner of each machine that ends soon, once in an outage."""
        rules, now = self.deps.rules, self.deps.clock.now()
        if not self.reads:
            await self._tell(Event(rental_id=None, kind=EventKind.NO_READS, at=now), rules.admins)
            return
        facts = Facts(span=OVERDUE_GRACES * overdue_grace(rules))
        await self._tell(Event(rental_id=None, kind=EventKind.NO_WRITES, at=now, facts=facts), rules.admins)
        async with self.deps.store.read() as tx:
            ending = await tx.overdue.past_end(now + ENDS_SOON)
        for one in ending:
            if one.newest and one.ends_at is not None and one.destroying_since is None and one.over_at is None:
                facts = Facts(name=one.rental_id, since=one.ends_at, until=overdue_at(one.ends_at, None, rules))
                event = Event(rental_id=None, kind=EventKind.NO_WRITES, at=now, facts=facts)
                await self._tell(event, (one.owner,))

    async def notify_recovery(self) -> None:
        """Tells everyone who was told of an outage that it is over."""
        for told in self._told.values():
            for person, rental_id in sorted(told, key=str):
                facts = Facts(name=rental_id)
                event = Event(rental_id=None, kind=EventKind.STORE_BACK, at=self.deps.clock.now(), facts=facts)
                if await self.direct.post(person, event):
                    told.discard((person, rental_id))

    async def _tell(self, event: Event, people: tuple[str, ...]) -> None:
        told = self._told.setdefault(event.kind, set())
        for person in people:
            one = person, event.facts.name
            if one not in told and await self.direct.post(person, event):
                told.add(one)
