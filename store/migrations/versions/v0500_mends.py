"""What version 0.5 stores in addition."""

from __future__ import annotations

revision = "v0500"
down_revision = "v0400"


def upgrade() -> None:
    pass
