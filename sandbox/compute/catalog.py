"""The catalog: all GPU variants, and everything that each vendor sells, with its exact price."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from sandbox.compute.vendors import VENDORS, Region, Vendor

REGION_GROUPS = ("US", "EU", "APAC", "Other")
CONTRACTS = ("ondemand", "spot")
COUNTS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Variant:
    """A GPU model, with its list price and the vCPUs and memory that come with each GPU."""

    name: str
    family: str
    smi_name: str
    """The GPU's name in the output of nvidia-smi."""
    memory_mib: int
    per_hour: Decimal
    vcpus: int
    memory_gb: int
    counts: tuple[int, ...] = COUNTS


def _variants() -> dict[str, Variant]:
    rows = (
        Variant("nvidia-h100-sxm5-80gb", "H100", "NVIDIA H100 80GB HBM3", 81559, Decimal("3.29"), 28, 180),
        Variant("nvidia-h100-pcie-80gb", "H100", "NVIDIA H100 PCIe", 81559, Decimal("2.79"), 26, 200, (1, 2, 4)),
        Variant("nvidia-h200-sxm5-141gb", "H200", "NVIDIA H200", 143771, Decimal("3.79"), 24, 240),
        Variant("nvidia-a100-sxm4-80gb", "A100", "NVIDIA A100-SXM4-80GB", 81920, Decimal("1.89"), 22, 120),
        Variant("nvidia-a100-pcie-80gb", "A100", "NVIDIA A100 80GB PCIe", 81920, Decimal("1.69"), 24, 120),
        Variant("nvidia-a100-sxm4-40gb", "A100", "NVIDIA A100-SXM4-40GB", 40960, Decimal("1.35"), 30, 200),
        Variant("nvidia-l40s-pcie-48gb", "L40S", "NVIDIA L40S", 46068, Decimal("1.09"), 12, 90),
        Variant("nvidia-l4-pcie-24gb", "L4", "NVIDIA L4", 23034, Decimal("0.72"), 8, 48),
        Variant(
            "nvidia-rtx-4090-pcie-24gb",
            "RTX 4090",
            "NVIDIA GeForce RTX 4090",
            24564,
            Decimal("0.59"),
            8,
            60,
        ),
        Variant("nvidia-b200-sxm6-180gb", "B200", "NVIDIA B200", 183359, Decimal("5.49"), 22, 220, (1, 8)),
    )
    return {row.name: row for row in rows}


VARIANTS = _variants()


@dataclass(frozen=True)
class Listing:
    """Something that a vendor always sells at the same price.

    Each search creates new offers from the listings. Prices are in USD per hour for all GPUs together. `total`
    is the full price, which some vendors don't show in their offers.
    """

    vendor: Vendor
    region: Region
    variant: Variant
    count: int
    contract: str
    total: Decimal
    storage: Decimal | None
    nodes: int | None = None

    @property
    def is_cluster(self) -> bool:
        """True if the listing consists of several machines that are rented together."""
        return self.nodes is not None

    @property
    def per_gpu(self) -> Decimal:
        """USD per GPU-hour."""
        return self.total / self.count

    @property
    def gpu_part(self) -> Decimal:
        """The part of the total price that is charged for GPUs, without storage."""
        return self.total - (self.storage or 0)


# The prices that aren't computed with the formula below. Each key consists of a vendor, the vendor's region, a GPU
# variant, a contract and a number of GPUs.
_SPECIAL_PRICES: dict[tuple[str, str, str, str, int], Decimal] = {
    ("hyperstack", "nor-1", "nvidia-h100-sxm5-80gb", "ondemand", 1): Decimal("2.15"),
    ("hyperstack", "nor-1", "nvidia-h100-sxm5-80gb", "ondemand", 2): Decimal("4.40"),
    ("hyperstack", "nor-1", "nvidia-h100-sxm5-80gb", "ondemand", 4): Decimal("9.00"),
    ("hyperstack", "nor-1", "nvidia-h100-sxm5-80gb", "ondemand", 8): Decimal("18.40"),
    ("nebius", "eu-north1", "nvidia-h100-sxm5-80gb", "ondemand", 1): Decimal("2.42"),
    ("nebius", "eu-north1", "nvidia-h100-sxm5-80gb", "ondemand", 2): Decimal("4.84"),
    ("nebius", "eu-north1", "nvidia-h100-sxm5-80gb", "ondemand", 4): Decimal("9.68"),
    ("nebius", "eu-north1", "nvidia-h100-sxm5-80gb", "ondemand", 8): Decimal("19.36"),
    ("scaleway", "fr-par-2", "nvidia-h100-sxm5-80gb", "ondemand", 1): Decimal("3.11"),
    ("lambda", "us-east-1", "nvidia-h100-sxm5-80gb", "ondemand", 1): Decimal("1.90"),
    ("datacrunch", "FIN-01", "nvidia-h100-sxm5-80gb", "spot", 1): Decimal("1.20"),
}

_SPOT = Decimal("0.55")
_CLUSTER = Decimal("0.82")


def _price(vendor: Vendor, region: Region, variant: Variant, contract: str, count: int) -> Decimal:
    special = _SPECIAL_PRICES.get((vendor.name, region.name, variant.name, contract, count))
    if special is not None:
        return special
    rate = variant.per_hour * vendor.factor * (_SPOT if contract == "spot" else 1)
    return rate.quantize(Decimal(1).scaleb(-vendor.digits)) * count


@cache
def listings() -> tuple[Listing, ...]:
    """Return every listing of every vendor. The listings and their prices never change."""
    found: list[Listing] = []
    for vendor in VENDORS.values():
        contracts = CONTRACTS if vendor.spot else ("ondemand",)
        for region in vendor.regions:
            variants = [VARIANTS[name] for name in region.variants]
            for variant in variants:
                found += [
                    Listing(
                        vendor,
                        region,
                        variant,
                        count,
                        contract,
                        _price(vendor, region, variant, contract, count),
                        None if vendor.storage is None else vendor.storage * count,
                    )
                    for count in variant.counts
                    for contract in contracts
                ]
            found += _clusters(vendor, region, variants)
    return tuple(found)


def _clusters(vendor: Vendor, region: Region, variants: list[Variant]) -> list[Listing]:
    """Return a region's clusters: several machines that are rented together.

    A cluster is deliberately cheaper per GPU than any single machine. A client that ignores the type of an offer
    therefore buys a cluster, and a test notices this mistake.
    """
    if not vendor.clusters:
        return []
    return [
        Listing(
            vendor,
            region,
            variant,
            count,
            "ondemand",
            (variant.per_hour * _CLUSTER * count * Decimal("0.80")).quantize(Decimal("0.01")),
            None,
            nodes,
        )
        for variant in variants
        if "-sxm" in variant.name
        for nodes, count in ((2, 8), (2, 16), (4, 32))
    ]


@cache
def families() -> dict[str, list[str]]:
    """Return the names of the variants, by GPU family."""
    found: dict[str, list[str]] = {}
    for variant in VARIANTS.values():
        found.setdefault(variant.family, []).append(variant.name)
    return found
