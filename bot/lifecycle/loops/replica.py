"""How this process stands among those that share its database."""

from __future__ import annotations

from datetime import timedelta
from typing import NoReturn

import structlog

from bot.clock import Clock
from bot.errors import CannotOpen, GpubotError
from bot.lifecycle.loops.due import CLAIM_SECONDS
from bot.lifecycle.ports.store import OpenedStore

log = structlog.get_logger()

MOST_SKEW = timedelta(seconds=2)
"""If this machine's clock and the database's are further apart, this process claims nothing: what is due by its
clock may not be due."""


class Replica:
    """Looks every few seconds at the database's clock, at the other processes, and whether this one has to end."""

    def __init__(self, store: OpenedStore, clock: Clock, *, claim_seconds: float = CLAIM_SECONDS) -> None:
        self._store = store
        self._clock = clock
        self._every = claim_seconds / 4
        self.replicas = 1
        """How many processes use the database, this one included."""
        self.skew = timedelta(0)
        """By how much this machine's clock is ahead of the database's at least."""

    def may_claim(self) -> bool:
        """Return whether this process may claim rows."""
        return abs(self.skew) <= MOST_SKEW

    async def run(self) -> NoReturn:
        """Look until cancelled. Raise CannotOpen if this process has to end."""
        while True:
            await self._clock.pause(self._every)
            try:
                await self.look()
            except CannotOpen:
                raise
            except GpubotError as error:
                log.warning("replica.outage", error=type(error).__name__)

    async def look(self) -> None:
        """Look once. Raise CannotOpen if this process has to end, and StoreBusy if the database doesn't answer."""
        before = self._clock.real()
        look = await self._store.look()
        after, theirs, could = self._clock.real(), look.database_time, self.may_claim()
        self.replicas = look.replicas
        self.skew = max(before - theirs, timedelta(0)) - max(theirs - after, timedelta(0))
        if self.may_claim() != could:
            log.warning("replica.clock", ahead_seconds=self.skew.total_seconds(), claims=self.may_claim())
