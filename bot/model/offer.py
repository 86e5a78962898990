"""One thing a vendor sells."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from bot.model.base import Frozen, Instant
from bot.model.gpu import name_key

OFFER_LIFE = timedelta(minutes=30)
"""How long an offer's price stands if the API doesn't state it (docs/compute-clear.md)."""


class Offer(Frozen):
    """An offer. Its price is valid until `expires_at`. Nothing is reserved, so it can sell out."""

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
    read_at: Instant | None = None
    """When the market was asked for it. None for an offer from before version 0.2."""

    @property
    def gpu_rate(self) -> Decimal:
        """USD per hour for one GPU."""
        return self.rate / self.count


class Catalog(Frozen):
    """The names that a request can have, as read from the four discovery endpoints."""

    gpus: dict[str, tuple[str, ...]]
    """Each family with its canonical names."""
    vendors: tuple[str, ...]
    regions: tuple[str, ...]
    contracts: tuple[str, ...]
    read_at: Instant


_VENDORS = {
    "aws": "AWS",
    "coreweave": "CoreWeave",
    "datacrunch": "DataCrunch",
    "digitalocean": "DigitalOcean",
    "fluidstack": "FluidStack",
    "gcp": "GCP",
    "hpcai": "HPC-AI",
    "imwt": "IMWT",
    "massedcompute": "Massed Compute",
    "oci": "OCI",
    "ovh": "OVH",
    "runpod": "RunPod",
    "tensordock": "TensorDock",
    "vastai": "Vast.ai",
}


def vendor_name(name: str) -> str:
    """Return a vendor's name as it is written: `Hyperstack` for `hyperstack`. Capital letters stay."""
    if name != name.lower():
        return name
    words = re.split(r"[_\s-]+", name)
    return _VENDORS.get(name_key(name)) or " ".join(word[:1].upper() + word[1:] for word in words if word) or name
