"""Alerts the owner and the admins if a rental's step fails several times in a row, and again once it works.

A step is the code that advances a rental. Several failures in a row are called a run of failures. A run is stored
once people have been alerted about it, so that the alert isn't repeated after a restart or by another process.
"""

from __future__ import annotations

from datetime import timedelta

from bot.errors import bug_number
from bot.lifecycle.changes.send import send
from bot.lifecycle.deps import StepDeps, with_newest_rules
from bot.model.account_facts import FAILING_STEPS, FailureRun
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import AlertFacts
from bot.model.records import ClaimedRental
from bot.policy.use.leases import overdue_at

NOTIFY_AFTER = 3
"""The number of failed steps in a row after which people are notified."""
NOTIFY_AGAIN = timedelta(hours=2)
LOAD_EVERY = 10.0
"""The interval, in wall-clock seconds, at which the stored runs of failures are read again.

Other processes may have alerted people about some of these runs.
"""


class StepFailures:
    """Counts each rental's failed steps in a row.

    Bugs and outages count alike, except for outages of the store.
    """

    def __init__(self, deps: StepDeps) -> None:
        self._deps = deps
        self._runs: dict[str, FailureRun] = {}
        self._load_at = 0.0
        """The earliest time of the next load, by `Clock.monotonic`."""

    async def load(self) -> None:
        """Load the runs of failures that people were notified about.

        In a run of failures, the work on one rental has failed several times in a row. Nothing is loaded if the
        previous load was only a few seconds ago. Raises StoreBusy if the store can't be read.
        """
        now = self._deps.clock.monotonic()
        if now < self._load_at:
            return
        async with self._deps.store.read() as tx:
            stored = await tx.account.all(FAILING_STEPS)
        ours = {key: run for key, run in self._runs.items() if run.notified_at is None or key in stored}
        self._runs, self._load_at = {**ours, **stored}, now + LOAD_EVERY

    def count(self, rental_id: str) -> str:
        """Count a failed step, and return a reference number.

        If the work on a rental fails several times in a row, all these failures have the same number. The log and
        the alerts mention this number.
        """
        run = self._runs.get(rental_id) or FailureRun(number=bug_number())
        self._runs[rental_id] = changed(run, count=run.count + 1)
        return run.number

    async def notify(self, rental: ClaimedRental) -> None:
        """Notify people if enough of the rental's steps have failed in a row.

        Raises StoreBusy if the store doesn't accept the write. People are then notified after the next failed
        step.
        """
        run, now = self._runs[rental.id], self._deps.clock.now()
        if run.count < NOTIFY_AFTER or (run.notified_at is not None and now - run.notified_at < NOTIFY_AGAIN):
            return
        facts = AlertFacts(
            name=rental.id,
            number=run.number,
            count=run.count,
            until=overdue_at(rental.ends_at, rental.accepted_at, with_newest_rules(self._deps).rules),
        )
        self._runs[rental.id] = changed(run, notified_at=now)
        await self._write_alerts(rental, EventKind.STEP_FAILED, facts, before=run)

    async def end_run(self, rental: ClaimedRental) -> None:
        """End the rental's run of failures after a step that worked, and notify the people who got the alert.

        Raises StoreBusy if the store doesn't accept the write. People are then notified after the next step that
        works.
        """
        run = self._runs.pop(rental.id, None)
        if run is None or run.notified_at is None:
            return
        facts = AlertFacts(name=rental.id, number=run.number)
        await self._write_alerts(rental, EventKind.STEP_WORKS, facts, before=run)

    async def _write_alerts(
        self, rental: ClaimedRental, kind: EventKind, facts: AlertFacts, *, before: FailureRun
    ) -> None:
        """Store an event with its alerts, together with the current run of failures."""
        event = Event(rental_id=rental.id, kind=kind, at=self._deps.clock.now(), facts=facts)
        try:
            async with self._deps.store.write() as tx:
                stored = await tx.account.get(FAILING_STEPS, rental.id)
                if self._is_known(stored, kind):
                    if stored is not None:
                        self._runs[rental.id] = stored
                    return
                await tx.account.set(FAILING_STEPS, self._runs.get(rental.id), rental.id)
                await send(tx, with_newest_rules(self._deps), event, rental.owner)
        except BaseException:
            self._runs[rental.id] = before
            raise

    def _is_known(self, stored: FailureRun | None, kind: EventKind) -> bool:
        """Return whether another process has already sent this alert.

        `stored` is the stored run of failures: the rental's failures since the last success. None if no run is
        stored.
        """
        if kind is EventKind.STEP_WORKS:
            return stored is None
        now = self._deps.clock.now()
        return stored is not None and stored.notified_at is not None and now - stored.notified_at < NOTIFY_AGAIN
