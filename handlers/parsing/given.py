"""What the meaning of a text depends on besides its words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from bot.policy.rules import Hours


class Given(NamedTuple):
    default_lease: timedelta
    max_lease: timedelta
    sees_use: bool
    """Whether the rules let the bot see if machines are in use."""
    now: datetime
    zone: str
    """The person's IANA time zone."""
    hours: Hours = Hours()
    """When people are asked. A night ends when they begin."""
