"""What the meaning of a text depends on besides its words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple


class Given(NamedTuple):
    default_lease: timedelta
    max_lease: timedelta
    now: datetime
    zone: str
    """The person's IANA time zone."""
