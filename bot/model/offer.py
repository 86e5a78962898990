"""Offers: the machines that vendors sell, and the names that requests for them may use."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from bot.model.base import Frozen, Instant
from bot.model.gpu import name_key

OFFER_LIFE = timedelta(minutes=30)
"""The time for which an offer's price is valid if the API doesn't report it (docs/compute-clear.md)."""


class Offer(Frozen):
    """A machine that a vendor sells at a price that is valid until `expires_at`.

    Nothing is reserved, so an offer can sell out.
    """

    offer_id: str
    gpu: str
    """The canonical name, such as `nvidia-h100-sxm5-80gb`."""
    family: str
    count: int
    vendor: str
    region: str
    vendor_region: str | None = None
    contract: str
    rate: Decimal
    """USD per hour for the whole offer, not for one GPU."""
    vcpus: int | None = None
    memory_gb: Decimal | None = None
    disk_gb: Decimal | None = None
    expires_at: Instant
    read_at: Instant | None = None
    """The time at which the market reported the offer. None for offers from before version 0.2."""

    @property
    def gpu_rate(self) -> Decimal:
        """USD per hour for one GPU."""
        return self.rate / self.count


class Catalog(Frozen):
    """The names that a request can use, as read from the market's four discovery endpoints."""

    gpus: dict[str, tuple[str, ...]]
    """The canonical names of each family."""
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
    """Return a vendor's name in its usual spelling: `Hyperstack` for `hyperstack`.

    Names that already contain capital letters are returned unchanged.
    """
    if name != name.lower():
        return name
    words = re.split(r"[_\s-]+", name)
    return _VENDORS.get(name_key(name)) or " ".join(word[:1].upper() + word[1:] for word in words if word) or name
