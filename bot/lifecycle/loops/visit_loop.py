"""Visits the ready machines that have a probe, in a loop of its own: the engine's checks never wait for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from typing_extensions import override

from bot.lifecycle.deps import with_newest_rules
from bot.lifecycle.loops.due import DueLoop
from bot.lifecycle.loops.running import ignore
from bot.lifecycle.loops.visit import VisitFaults, visit
from bot.model.records import Claimed
from bot.policy.team.rules import ProbeKind
from store.claims import DueTable
from store.db import Tx, Written

log = structlog.get_logger()

AT_ONCE = 64
"""How many visits run at the same time. One takes 5 to 6 s."""
LOGINS_PER_SECOND = 10.0
"""In real time. Within AT_ONCE and this limit, about 1,000 machines are visited every 2 minutes. If there are
more, visits wait in the order in which they are due, so the period grows for all of them."""
RETRY_FAILED = timedelta(minutes=2)
"""How long after a visit that failed with a bug or an outage of the store the machine is visited again."""


@dataclass(eq=False, repr=False)
class Visits(DueLoop[Claimed]):
    """Runs the visits that are due. A commit that begins, ends or hastens visits of a machine wakes the loop."""

    name = "visits"
    counted_as = "visits_in_flight"
    logged_as = "visit", "rental"
    written = Written.VISITS
    retry = RETRY_FAILED

    at_once: int = field(default=AT_ONCE, kw_only=True)
    logins_per_second: float = field(default=LOGINS_PER_SECOND, kw_only=True)
    on_visit: Callable[[str], None] = field(default=ignore, kw_only=True)
    """Called with the outcome of each visit."""
    faults: VisitFaults = field(default_factory=VisitFaults, init=False)
    _next_login: float = field(default=0.0, init=False)
    """The time of `clock.monotonic` from which on the next login may begin."""
    _changed: bool = field(default=False, init=False)
    """Whether visits of a machine began, ended or were made due since the last pass."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.deps.store.on_commit(self._note_change, Written.VISITS)

    def _switched_on(self) -> bool:
        return with_newest_rules(self.deps).rules.idle.probe is ProbeKind.SSH

    def _note_change(self) -> None:
        self._changed = True

    def failing(self) -> bool:
        """Return whether more than half of the machines whose use was known miss their visits now."""
        return self.faults.most_fail(self.deps.clock.now())

    @override
    def rows(self, tx: Tx) -> DueTable[Claimed]:
        return tx.visits

    @override
    async def next_due(self) -> datetime | None:
        return await super().next_due() if self._switched_on() else None

    @override
    async def first_due(self, tx: Tx) -> datetime | None:
        return await super().first_due(tx) if self._switched_on() else None

    @override
    async def figures(self) -> Mapping[str, Any]:
        return {**await super().figures(), "visits_fail": self.failing()}

    @override
    async def run(self) -> None:
        """Run until cancelled. Visits that are under way at that moment are cancelled too: each is due again once
        its claim ends."""
        try:
            await super().run()
        finally:
            await self.cancel(self.under_way())

    @override
    async def before_pass(self) -> None:
        """Cancel the visits of machines that are no longer ready: other machines may get their addresses."""
        changed, self._changed = self._changed, False
        known = {*self.under_way(), *self.faults.machines} if changed else set()
        if not known:
            return
        async with self.deps.store.read() as tx:
            ended = known - await tx.visits.ongoing(known)
        for rental_id in ended:
            self.faults.forget(rental_id)
        await self.cancel(ended)

    @override
    async def work(self, row: Claimed, claim_lasts: Callable[[], bool]) -> None:
        await self._wait_for_login()
        outcome = await visit(self.deps, row, self.faults)
        if outcome is not None:
            self.on_visit(outcome)

    async def _wait_for_login(self) -> None:
        """Wait for this visit's turn."""
        now = self.deps.clock.monotonic()
        turn = max(now, self._next_login)
        self._next_login = turn + 1 / self.logins_per_second
        if turn > now:
            await self.deps.clock.pause(turn - now)
