"""Runs jobs by the calendar. APScheduler's triggers compute their times, and our clock waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.triggers.cron import CronTrigger

from bot.clock import Clock
from bot.lifecycle.loops.running import keep_running


@dataclass
class Job:
    """Work that is done at the start and then by the calendar."""

    name: str
    trigger: CronTrigger
    work: Callable[[], Awaitable[None]]
    retry: timedelta | None = None
    """How soon it runs again as long as it has never worked. None: at its next time."""
    busy: bool = False
    worked: bool = False
    """Whether it has worked once since the start."""
    next_at: datetime | None = None
    """When it runs next, by our clock."""

    async def run(self, clock: Clock) -> None:
        """Run the job now and at each of its times until cancelled. If it fails, it runs again at its next time,
        or after `retry` if it has never worked."""

        async def turn() -> None:
            await clock.sleep_until(self.next_at, asyncio.Event())
            await self._run_once(clock.now())

        self.next_at = clock.now()
        await keep_running("job", turn, clock, job=self.name)

    async def _run_once(self, now: datetime) -> None:
        self.busy = True
        try:
            await self.work()
            self.worked = True
        finally:
            self.busy = False
            self.next_at = self.trigger.get_next_fire_time(now, now)
            if self.retry is not None and not self.worked:
                self.next_at = min(self.next_at, now + self.retry)


def every_day() -> CronTrigger:
    """Return a trigger for 03:00 UTC."""
    return CronTrigger(hour=3, minute=0, timezone="UTC")


def every_hour() -> CronTrigger:
    """Return a trigger for the start of each hour."""
    return CronTrigger(minute=0, timezone="UTC")


def every(minutes: int) -> CronTrigger:
    """Return a trigger for the multiples of `minutes` in each hour: 5 means :00, :05 and so on. An hour must be a
    multiple of `minutes`."""
    return CronTrigger(minute=f"*/{minutes}", timezone="UTC")
