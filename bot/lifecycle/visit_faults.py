"""Whether the visits fail because of the bot: its network or its key. Then they say nothing about the machines."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

log = structlog.get_logger()

FEWEST = 3
"""With fewer machines, two that fail together are no sign of a common cause."""
COUNTS_FOR = timedelta(minutes=20)
"""How long the outcome of a visit counts. With 10,000 machines a round takes 17 minutes."""
OURS_AT_MOST = timedelta(hours=1)
"""A fault that lasts longer no longer holds the verdicts: nobody sees whether those machines are used."""


class VisitFaults:
    """The last outcome for each machine that was seen into before. It is kept in memory: after a start, the first
    round of visits fills it."""

    def __init__(self) -> None:
        self._outcomes: dict[str, tuple[datetime, bool]] = {}
        """When each machine was visited last, and whether that failed."""
        self.since: datetime | None = None
        """Since when more than half of them fail. None if they don't."""

    def note(self, rental_id: str, now: datetime, *, failed: bool) -> None:
        """Count a visit of a machine whose use was known until then."""
        self._outcomes[rental_id] = now, failed
        self._look(now)

    def forget(self, rental_id: str, now: datetime) -> None:
        """Don't count a machine: its visits ended, or nothing is known of its use."""
        if self._outcomes.pop(rental_id, None) is not None:
            self._look(now)

    def ours(self, now: datetime) -> bool:
        """Return whether no verdict may change now."""
        return self.since is not None and now - self.since < OURS_AT_MOST

    def _look(self, now: datetime) -> None:
        outcomes = [failed for at, failed in self._outcomes.values() if now - at <= COUNTS_FOR]
        many_fail = len(outcomes) >= FEWEST and 2 * sum(outcomes) > len(outcomes)
        if many_fail and self.since is None:
            self.since = now
            log.error("visits.most_fail", machines=len(outcomes), failed=sum(outcomes))
        elif not many_fail and self.since is not None:
            log.info("visits.work_again", seconds=(now - self.since).total_seconds())
            self.since = None
