"""The jobs on machines, their progress, leases that end when their jobs are done, and the health of GPUs.

Also the time until which a machine is kept if its `/root/on-ending.sh` fails.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0601"
down_revision = "v0600"

_COLUMNS = ("jobs", "progress", "gpu_health", "lease_until_done")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("rentals", sa.Column(name, sa.Text()))
    op.add_column("attempts", sa.Column("gpu_fault_at", sa.DateTime(timezone=True)))
    op.add_column("rentals", sa.Column("lease_kept_until", sa.DateTime(timezone=True)))
