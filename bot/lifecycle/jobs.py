"""What is done regularly: APScheduler's calendar triggers, asked for the next time after our now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from apscheduler.triggers.cron import CronTrigger

from bot.clock import Clock
from bot.errors import GpubotError

log = structlog.get_logger()


@dataclass
class Job:
    """Something done at start and then by the calendar."""

    name: str
    trigger: CronTrigger
    work: Callable[[], Awaitable[None]]
    busy: bool = False
    next_at: datetime | None = None
    """When it is done next, by our clock."""

    async def once(self) -> None:
        """Does it now. A failure is logged; the next time comes anyway."""
        self.busy = True
        try:
            await self.work()
        except GpubotError as error:
            log.warning("job.failed", job=self.name, error=type(error).__name__)
        except Exception:
            log.exception("job.failed", job=self.name)
        finally:
            self.busy = False

    async def keep(self, clock: Clock) -> None:
        """Does it now and at each of its times until cancelled."""
        never = asyncio.Event()
        last = clock.now()
        await self.once()
        while True:
            self.next_at = self.trigger.get_next_fire_time(last, last)
            await clock.sleep_until(self.next_at, never)
            last = clock.now()
            await self.once()


def every(minutes: int) -> CronTrigger:
    """On the clock's multiples of `minutes`, which must divide an hour."""
    return CronTrigger(minute=f"*/{minutes}", timezone="UTC")
