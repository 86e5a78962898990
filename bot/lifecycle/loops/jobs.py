"""Runs jobs by the calendar. APScheduler's triggers compute their times, and our clock waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from apscheduler.triggers.cron import CronTrigger

from bot.clock import Clock
from bot.errors import GpubotError

log = structlog.get_logger()


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

    async def run_once(self) -> None:
        """Run it now. A failure is logged, and the job runs again at its next time."""
        self.busy = True
        try:
            await self.work()
            self.worked = True
        except GpubotError as error:
            log.warning("job.failed", job=self.name, error=type(error).__name__)
        except Exception:
            log.exception("job.failed", job=self.name)
        finally:
            self.busy = False

    async def run(self, clock: Clock) -> None:
        """Run it now and at each of its times until cancelled."""
        never = asyncio.Event()
        last = clock.now()
        await self.run_once()
        while True:
            self.next_at = self.trigger.get_next_fire_time(last, last)
            if self.retry is not None and not self.worked:
                self.next_at = min(self.next_at, last + self.retry)
            await clock.sleep_until(self.next_at, never)
            last = clock.now()
            await self.run_once()


def every(minutes: int) -> CronTrigger:
    """Return a trigger for the multiples of `minutes` in each hour: 5 means :00, :05 and so on. An hour must be a
    multiple of `minutes`."""
    return CronTrigger(minute=f"*/{minutes}", timezone="UTC")
