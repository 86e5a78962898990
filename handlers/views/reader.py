"""Who reads a message or an answer, and when."""

from __future__ import annotations

from bot.model.base import Frozen, Instant
from bot.policy.team.rules import Rules
from handlers.views.format import Times


class Reader(Frozen):
    """Who reads a message, and what its text depends on besides what it is about."""

    id: str = ""
    """Slack id. Empty if many people read it."""
    rules: Rules
    """The rules as they hold now."""
    now: Instant
    zone: str = ""
    """The name of the reader's time zone. Empty if it is not known, or if many people read it."""

    @property
    def times(self) -> Times:
        """Return the times for the reader's zone, or for the team's zone if it is not known."""
        return Times(now=self.now, zone=self.zone or self.rules.timezone)
