"""Who reads a message or an answer, and when."""

from __future__ import annotations

from bot.model.base import Frozen, Instant
from bot.policy.team.rules import Rules
from handlers.views.phrases.format import Times


class Reader(Frozen):
    """Who reads a message, and everything else that its text depends on besides its subject."""

    id: str = ""
    """Slack id. Empty if many people read the message."""
    rules: Rules
    """The rules as they hold now."""
    now: Instant
    zone: str = ""
    """The name of the reader's time zone. Empty if it is unknown, or if many people read the message."""

    @property
    def times(self) -> Times:
        """Return the times for the reader's zone, or for the team's zone if the reader's is unknown."""
        return Times(now=self.now, zone=self.zone or self.rules.timezone)
