"""Runs scheduled jobs and message delivery, each in only one process at a time.

APScheduler's triggers compute the times of the jobs. The bot's clock waits for these times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from apscheduler.triggers.cron import CronTrigger
from typing_extensions import override

from bot.clock import Clock
from bot.errors import StoreBusy
from bot.lifecycle.deps import StepDeps, with_newest_rules
from bot.lifecycle.loops.due import DueLoop
from bot.lifecycle.loops.running import Part, keep_running
from bot.model.base import EVER
from bot.model.records import Claimed
from store.claims import DueTable
from store.db import Tx, Written

log = structlog.get_logger()

DELIVERY = "delivery"
"""The name of the job that sends messages."""
WEBHOOKS = "webhooks"
"""The name of the job that sends events to webhooks."""


@dataclass(frozen=True)
class Job:
    """Work that only one process does at a time, even if several processes run."""

    name: str
    """The ID of the job's row in the store."""
    work: Callable[[StepDeps], Awaitable[None]]
    """Called with the rules that are in force when the job begins."""
    trigger: CronTrigger | None
    """The schedule of the job. None if the job runs continuously."""
    at_once: bool = True
    """True if the job is due immediately when it is first stored.

    Otherwise it is first due at its next scheduled time.
    """


@dataclass(eq=False, repr=False)
class Jobs(DueLoop[Claimed]):
    """The loop that runs each job when it is due, in only one process.

    A job that fails is due again a minute later.
    """

    name = "jobs"
    logged_as = "job", "job"
    written = Written.JOBS
    retry = timedelta(minutes=1)

    jobs: Sequence[Job]
    at_once: int = field(init=False)
    """The number of jobs that can run at the same time: all of them."""
    drain_cancelled: Callable[[], Awaitable[None]] = field(kw_only=True)
    """Waits for calls that are still running although the job that made them was cancelled."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_once = len(self.jobs)
        self._jobs = {job.name: job for job in self.jobs}
        self._begun = False

    def does(self, name: str) -> bool:
        """Return whether this process runs this job, as far as the process knows.

        During an outage of the store, another process may have started to run the job.
        """
        return name in self.under_way()

    def may_act(self, name: str) -> bool:
        """Return whether this process runs this job, and has enough time left to make one call to a service."""
        return self.does(name) and self.lasts(name)

    @property
    @override
    def in_flight(self) -> int:
        """The number of scheduled jobs that are running now, plus 1 while jobs are being claimed."""
        return super().in_flight - sum(self._jobs[name].trigger is None for name in self.under_way())

    @override
    async def first_due(self, tx: Tx) -> datetime | None:
        """Return the time at which the next unclaimed job is due.

        Jobs that other processes are running are left out.
        """
        return await tx.jobs.next_due()

    @override
    async def figures(self) -> Mapping[str, Any]:
        return {**await super().figures(), "delivering": self.does(DELIVERY)}

    @override
    def rows(self, tx: Tx) -> DueTable[Claimed]:
        return tx.jobs

    @override
    async def before_pass(self) -> None:
        if not self.deps.may_claim():
            # This machine's clock is wrong, so this process gives up its claim and another process takes over the
            # job. Without this, a job that never ends by itself, such as sending messages, would stay with this
            # process forever.
            await self.end()
            return
        if self._begun:
            return
        now = self.deps.clock.now()
        async with self.deps.store.write(durable=False) as tx:
            for job in self._jobs.values():
                await tx.jobs.begin(
                    job.name, EVER if job.trigger is None else now if job.at_once else _next(job, now)
                )
        self._begun = True

    @override
    async def after_cancelling(self) -> None:
        await self.drain_cancelled()

    @override
    async def work(self, row: Claimed, claim_lasts: Callable[[], bool]) -> None:
        job = self._jobs[row.id]
        await job.work(with_newest_rules(self.deps))
        now = self.deps.clock.now()
        async with self.deps.store.write(durable=False) as tx:
            await tx.jobs.defer(row, _next(job, now))

    @override
    def lost(self, row_id: str) -> None:
        self._under_way[row_id].task.cancel()


def _next(job: Job, now: datetime) -> datetime:
    return now if job.trigger is None else job.trigger.get_next_fire_time(now, now)


@dataclass
class LocalJob(Part):
    """Work that each process does for itself, at its start and then on a schedule."""

    name: str
    work: Callable[[], Awaitable[None]]
    clock: Clock
    trigger: CronTrigger | None = None
    """The schedule. None if the work is done only at the start, and when `again` is called."""
    retry: timedelta | None = None
    """The delay until the next try if the work hasn't succeeded yet.

    None if failed work isn't repeated before its next scheduled time.
    """
    in_flight: int = 0
    worked: bool = False
    """True if the work has succeeded since the start, or since the last call of `again`."""
    next_at: datetime | None = None
    """The next time at which the work runs, by the bot's clock, which the sandbox can move."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def again(self) -> None:
        """Run the work again now."""
        self.worked = False
        self._wake.set()

    @override
    async def first_due(self, tx: Tx) -> datetime | None:
        return self.next_at

    @override
    async def run(self) -> None:
        """Run the job now, and then at each scheduled time, until cancelled.

        If the job fails before it has succeeded for the first time, it runs again after `retry`. After any other
        failure, or if `retry` is None, it runs again at its next scheduled time.
        """

        async def turn() -> None:
            await self.clock.sleep_until(self.next_at, self._wake)
            self._wake.clear()
            await self._run_once(self.clock.now())

        self.next_at = self.clock.now()
        await keep_running("job", turn, self.clock, job=self.name)

    async def _run_once(self, now: datetime) -> None:
        self.in_flight, retry = 1, self.retry
        try:
            await self.work()
            self.worked = not self._wake.is_set()
        except StoreBusy:
            retry = timedelta(0)  # `keep_running` pauses before the next turn.
            raise
        finally:
            self.in_flight = 0
            self.next_at = None if self.trigger is None else self.trigger.get_next_fire_time(now, now)
            if retry is not None and not self.worked:
                self.next_at = min(self.next_at or now + retry, now + retry)


def every_day() -> CronTrigger:
    """Return a trigger for 03:00 UTC."""
    return CronTrigger(hour=3, minute=0, timezone="UTC")


def every_hour() -> CronTrigger:
    """Return a trigger for the start of each hour."""
    return CronTrigger(minute=0, timezone="UTC")


def every(minutes: int) -> CronTrigger:
    """Return a trigger that repeats every `minutes`, starting on the hour: 5 means :00, :05 and so on.

    60 must be divisible by `minutes`.
    """
    return CronTrigger(minute=f"*/{minutes}", timezone="UTC")
