"""One thing a vendor sells."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from bot.model.base import Frozen, Instant

OFFER_LIFE = timedelta(minutes=30)
"""How long an offer's price stands where the API doesn't say (guide, "Get offers")."""


class Offer(Frozen):
    """An offer as we understand it. Its price stands until `expires_at`; its stock is reserved by no one."""

    offer_id: str
    gpu: str
    """Canonical name, such as `nvidia-h100-sxm5-80gb`."""
    family: str
    count: int
    vendor: str
    region: str
    vendor_region: str | None = None
    contract: str
    rate: Decimal
    """USD per hour for the whole offer."""
    vcpus: int | None = None
    memory_gb: Decimal | None = None
    disk_gb: Decimal | None = None
    expires_at: Instant

    @property
    def gpu_rate(self) -> Decimal:
        """USD per GPU and hour."""
        return self.rate / self.count


class Catalog(Frozen):
    """What the four discovery endpoints say can be asked for."""

    gpus: dict[str, tuple[str, ...]]
    """Family to canonical names."""
    vendors: tuple[str, ...]
    regions: tuple[str, ...]
    contracts: tuple[str, ...]
    read_at: Instant
