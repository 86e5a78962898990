"""Checks whether this process is allowed to work alongside the other processes that share its database.

While this machine's clock is wrong, the process claims no work, and leaves Slack's requests to another process.
The process ends if `gpubot migrate` needs the database for itself, or has changed the database's schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn

import structlog
from typing_extensions import override

from bot.clock import Clock, Reading
from bot.errors import CannotOpen, GpubotError
from bot.lifecycle.loops.due import CLAIM_SECONDS
from bot.lifecycle.loops.jobs import DELIVERY
from bot.lifecycle.loops.running import Part
from bot.policy.use.clocks import ClockDifference, clock_difference
from store.db import Database

log = structlog.get_logger()

ASIDE_AFTER_CLAIMS = 3
"""The time until a process with a wrong clock leaves Slack's requests to others, in durations of a claim.

A claim is a process's right to work on a row for a limited time. When this time has passed, another process has
taken over the delivery of messages.
"""


class Replica(Part):
    """Checks every few seconds whether this process is allowed to work alongside the other processes.

    It reads the database's clock, counts the processes, and finds out whether this one has to end.
    """

    name = "replica"

    def __init__(
        self,
        store: Database,
        clock: Clock,
        *,
        claim_seconds: float = CLAIM_SECONDS,
        ahead_of_witnesses: Callable[[], Sequence[timedelta]] = tuple,
    ) -> None:
        """Prepare the checks. Call `run` to start them.

        Args:
            ahead_of_witnesses: Returns how far this machine's clock is ahead of other servers' clocks (see
                StepDeps).
        """
        self._store = store
        self._clock = clock
        self._every = claim_seconds / 4
        self._aside_after = ASIDE_AFTER_CLAIMS * claim_seconds
        self._ahead_of_witnesses = ahead_of_witnesses
        self._reading: Reading | None = None
        """The latest reading of the database's clock."""
        self._difference: ClockDifference | None = None
        self._wrong_since: float | None = None
        """The time since which every check has found this machine's clock wrong, by `Clock.monotonic`."""
        self.replicas = 1
        """The number of processes that use the database, including this one."""
        self.others_work = False
        """True if another process was delivering messages at the last check.

        Only set while this machine's clock is wrong.
        """

    def difference(self) -> ClockDifference | None:
        """Return the reason why this machine's clock can't be trusted now, or None if it can."""
        database = timedelta(0) if self._reading is None else self._reading.ahead(self._clock)
        self._difference = clock_difference(database, self._ahead_of_witnesses(), self._difference)
        return self._difference

    def ahead(self) -> timedelta:
        """Return the time by which this machine's clock is ahead of other clocks.

        Zero if this machine's clock can be trusted.
        """
        difference = self.difference()
        return timedelta(0) if difference is None else difference.ahead

    def may_claim(self) -> bool:
        """Return whether this process is allowed to claim rows and do what people request."""
        return self.difference() is None

    def stands_aside(self) -> bool:
        """Return whether this process leaves Slack's requests to other processes.

        It does so once its clock has been wrong for a minute, if another process is delivering messages.
        """
        since = self._wrong_since
        return since is not None and self.others_work and self._clock.monotonic() - since >= self._aside_after

    @override
    async def trouble(self) -> list[str]:
        difference = self.difference()
        if difference is None:
            return []
        clocks = "both clocks" if difference.from_database else "it"
        return [f"this machine's clock is {difference.text}: I work on nothing. Set {clocks}, by NTP for example."]

    @override
    async def figures(self) -> Mapping[str, Any]:
        return {"replicas": self.replicas, "claims": self.may_claim()}

    @override
    async def run(self) -> NoReturn:
        """Check every few seconds whether this process is allowed to keep working. Runs until cancelled.

        Raises CannotOpen if this process has to end.
        """
        while True:
            await self._clock.pause(self._every)
            try:
                await self.look()
            except CannotOpen:
                raise
            except GpubotError as error:
                log.warning("replica.outage", error=type(error).__name__)

    async def look(self) -> None:
        """Check once whether this process is allowed to keep working.

        Raises:
            CannotOpen: This process has to end.
            StoreBusy: The database doesn't answer.
        """
        before = self._clock.monotonic()
        look = await self._store.look()
        self.replicas = look.replicas
        if look.database_time is not None:
            self._reading = Reading(look.database_time, before, self._clock.monotonic())
        difference = self.difference()
        if (difference is None) != (self._wrong_since is None):
            ahead = timedelta(0) if difference is None else difference.ahead
            log.warning("replica.clock", ahead_seconds=ahead.total_seconds(), claims=difference is None)
        if difference is None:
            self._wrong_since, self.others_work = None, False
            return
        if self._wrong_since is None:
            self._wrong_since = self._clock.monotonic()
        async with self._store.read() as tx:
            self.others_work = await tx.jobs.held_by_another(DELIVERY)
