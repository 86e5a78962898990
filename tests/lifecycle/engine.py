"""Runs the loops of quotes, waitlist entries and rentals pass by pass, as tests need it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from bot.lifecycle.deps import StepDeps
from bot.lifecycle.loops.due import CLAIM_SECONDS, DueLoop
from bot.lifecycle.loops.engine import AT_ONCE, Searches, Steps
from bot.lifecycle.loops.running import ignore
from bot.lifecycle.loops.waitlist import Waitlist
from bot.lifecycle.steps.polling import soonest


class Engine:
    """The loops of one process."""

    def __init__(
        self,
        deps: StepDeps,
        *,
        at_once: int = AT_ONCE,
        claim_seconds: float = CLAIM_SECONDS,
        on_late: Callable[[float], None] = ignore,
        on_bug: Callable[[str], None] = ignore,
    ) -> None:
        self.deps = deps
        searches = max(at_once // 2, 1)
        self.steps = Steps(deps, at_once=at_once, claim_seconds=claim_seconds, on_bug=on_bug, on_late=on_late)
        self.loops: tuple[DueLoop[Any], ...] = (
            Searches(deps, at_once=searches, claim_seconds=claim_seconds, on_bug=on_bug),
            Waitlist(deps, claim_seconds=claim_seconds, on_bug=on_bug),
            self.steps,
        )

    @property
    def in_flight(self) -> int:
        return sum(loop.in_flight for loop in self.loops)

    def under_way(self) -> dict[str, datetime]:
        return {key: at for loop in self.loops for key, at in loop.under_way().items()}

    async def run_pass(self) -> datetime | None:
        """Start the due steps, and return the time at which the next pass is due."""
        return soonest(*[await loop.run_pass() for loop in self.loops])

    async def drain(self) -> None:
        """Wait for the running steps."""
        for loop in self.loops:
            await loop.drain()
