"""Whether the visits fail because of the bot: its network or its key. Then they say nothing about the machines."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import structlog

log = structlog.get_logger()

FEWEST = 3
"""With fewer machines, two that fail together are no sign of a common cause."""
COUNTS_FOR = timedelta(minutes=20)
"""How long the outcome of a visit counts. With 10,000 machines a round takes 17 minutes."""
OURS_AT_MOST = timedelta(hours=1)
"""After this time, verdicts change in any case: nobody has seen for so long whether the machines are used."""


class VisitFaults:
    """The last outcome for each machine whose use was known before. The outcomes are kept in memory: after a
    start, the first round of visits fills them."""

    def __init__(self) -> None:
        self._outcomes: dict[str, tuple[datetime, bool]] = {}
        """When each machine was visited last, and whether that failed."""
        self._since: datetime | None = None
        """Since when more than half of the machines fail. None if they don't."""

    @property
    def machines(self) -> Collection[str]:
        """Return the machines that count, by rental."""
        return self._outcomes.keys()

    def note(self, rental_id: str, now: datetime, *, failed: bool) -> None:
        """Count a visit of a machine whose use was known until then."""
        self._outcomes[rental_id] = now, failed

    def forget(self, rental_id: str) -> None:
        """Stop counting a machine: its visits ended, or nothing is known of its use."""
        self._outcomes.pop(rental_id, None)

    def are_ours(self, now: datetime) -> bool:
        """Return whether the visits fail because of the bot, so that no verdict may change now."""
        return self.most_fail(now) and self._since is not None and now - self._since < OURS_AT_MOST

    def most_fail(self, now: datetime) -> bool:
        """Return whether more than half of the machines fail. Log when that begins and when it ends."""
        self._outcomes = {key: one for key, one in self._outcomes.items() if now - one[0] <= COUNTS_FOR}
        failed = sum(failed for _, failed in self._outcomes.values())
        most = len(self._outcomes) >= FEWEST and 2 * failed > len(self._outcomes)
        if most and self._since is None:
            self._since = now
            log.warning("visits.most_fail", machines=len(self._outcomes), failed=failed)
        elif not most and self._since is not None:
            log.info("visits.work_again", seconds=(now - self._since).total_seconds())
            self._since = None
        return most
