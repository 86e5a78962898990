"""Columns that are added before the first release."""

from __future__ import annotations

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add nothing yet."""
