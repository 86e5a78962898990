"""The vendors: their regions, prices and delays, and the ways in which they can be made to misbehave."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

_H100 = "nvidia-h100-sxm5-80gb"
_H100_PCIE = "nvidia-h100-pcie-80gb"
_H200 = "nvidia-h200-sxm5-141gb"
_A100 = "nvidia-a100-sxm4-80gb"
_A100_PCIE = "nvidia-a100-pcie-80gb"
_A100_40 = "nvidia-a100-sxm4-40gb"
_L40S = "nvidia-l40s-pcie-48gb"
_L4 = "nvidia-l4-pcie-24gb"
_4090 = "nvidia-rtx-4090-pcie-24gb"
_B200 = "nvidia-b200-sxm6-180gb"


@dataclass(frozen=True)
class Region:
    """A region of a vendor. `name` is the vendor's own name for it, `variants` the GPUs that are sold there."""

    name: str
    group: str
    variants: tuple[str, ...]


@dataclass(frozen=True)
class Vendor:
    """A vendor, with its prices, regions and delays, and the fields that its responses contain.

    Prices are the list price times `factor`, rounded to `digits` decimal places. `storage` is the price of the
    disk in USD per GPU-hour, if it is billed separately. `shows_total` and `shows_expiry` determine whether offers
    have a total price and an expiry time, and `shows_ids` whether the response to a purchase contains the ids of
    the resources. The real API may leave out each of these fields.
    """

    name: str
    factor: Decimal
    ready_after: timedelta
    deletion_takes: timedelta
    regions: tuple[Region, ...]
    digits: int = 2
    storage: Decimal | None = None
    shows_total: bool = True
    shows_ids: bool = True
    shows_expiry: bool = True
    accepted_word: str = "procured"
    spot: bool = False
    clusters: bool = False
    cilium: bool = False


def _vendors() -> dict[str, Vendor]:
    def seconds(n: int) -> timedelta:
        return timedelta(seconds=n)

    rows = (
        Vendor(
            "nebius",
            Decimal("0.90"),
            seconds(171),
            seconds(30),
            (
                Region("eu-north1", "EU", (_H100, _H200, _L40S, _B200)),
                Region("us-central1", "US", (_H100, _H200, _B200)),
            ),
            storage=Decimal("0.02"),
            spot=True,
            cilium=True,
        ),
        Vendor(
            "hyperstack",
            Decimal("0.82"),
            seconds(155),
            seconds(30),
            (
                Region("nor-1", "EU", (_H100, _A100_PCIE, _L40S)),
                Region("us-1", "US", (_H100, _H200)),
                Region("can-1", "Other", (_H100_PCIE, _A100, _A100_PCIE, _L40S, _4090)),
            ),
        ),
        Vendor(
            "scaleway",
            Decimal("1.02"),
            seconds(210),
            seconds(40),
            (
                Region("fr-par-2", "EU", (_H100, _L40S, _L4)),
                Region("pl-waw-2", "EU", (_L4, _L40S)),
            ),
            storage=Decimal("0.03"),
        ),
        Vendor(
            "lambda",
            Decimal("0.86"),
            seconds(240),
            seconds(25),
            (
                Region("us-east-1", "US", (_H100, _H100_PCIE, _A100_40, _A100, _B200)),
                Region("us-west-2", "US", (_A100, _A100_40)),
                Region("asia-northeast-1", "APAC", (_H100, _A100_40)),
                Region("me-west-1", "Other", (_H100_PCIE,)),
            ),
            accepted_word="provisioning_in_progress",
        ),
        Vendor(
            "runpod",
            Decimal("1.003"),
            seconds(75),
            seconds(20),
            (
                Region("EU-RO-1", "EU", (_H100, _4090, _L4, _A100_PCIE)),
                Region("US-TX-3", "US", (_H100, _H200, _4090, _L40S, _A100)),
                Region("AP-JP-1", "APAC", (_H200, _4090, _L4)),
            ),
            digits=4,
            spot=True,
        ),
        Vendor(
            "crusoe",
            Decimal("1.08"),
            seconds(190),
            seconds(35),
            (
                Region("eu-iceland1-a", "EU", (_H100, _H200)),
                Region("us-east1-a", "US", (_H100, _A100, _A100_PCIE, _L40S)),
            ),
            spot=True,
            clusters=True,
            cilium=True,
        ),
        Vendor(
            "datacrunch",
            Decimal("0.97"),
            seconds(95),
            seconds(30),
            (
                Region("FIN-01", "EU", (_H100, _A100, _L40S, _B200)),
                Region("FIN-03", "EU", (_H200, _A100_40)),
            ),
            digits=3,
            storage=Decimal("0.011"),
            spot=True,
        ),
        Vendor(
            "vultr",
            Decimal("1.12"),
            seconds(120),
            seconds(30),
            (
                Region("fra", "EU", (_H100_PCIE, _L40S, _A100_PCIE)),
                Region("ewr", "US", (_A100_PCIE, _L40S)),
                Region("nrt", "APAC", (_H100, _L40S, _A100_PCIE)),
                Region("sao", "Other", (_L40S,)),
            ),
            storage=Decimal("0.015"),
            shows_total=False,
            shows_ids=False,
            cilium=True,
        ),
        Vendor(
            "coreweave",
            Decimal("1.25"),
            seconds(285),
            seconds(45),
            (
                Region("EU-SOUTH-03", "EU", (_H100, _H200)),
                Region("US-EAST-04A", "US", (_H100, _H200, _B200, _A100, _L40S)),
            ),
            accepted_word="provisioning_in_progress",
            clusters=True,
        ),
        Vendor(
            "latitude",
            Decimal("1.05"),
            seconds(140),
            seconds(30),
            (
                Region("DAL", "US", (_H100_PCIE, _L40S)),
                Region("TYO3", "APAC", (_H100, _L4)),
                Region("SYD2", "APAC", (_A100, _L40S)),
                Region("SAO2", "Other", (_H100, _A100, _L4)),
            ),
            shows_total=False,
            shows_expiry=False,
        ),
    )
    return {row.name: row for row in rows}


VENDORS = _vendors()


class Behaviour(StrEnum):
    """The behaviour of a vendor. docs/sandbox-api.md explains each."""

    NORMAL = "normal"
    SOLD_OUT = "sold_out"
    FAILS_WITH_RESOURCE = "fails_with_resource"
    LATE_RESOURCE = "late_resource"
    PARTIAL = "partial"
    REFERENCE_WORDS = "reference_words"
    SLOW = "slow"
    FAILS_LATER = "fails_later"
    DELETE_500 = "delete_500"
    SILENT_SSH = "silent_ssh"
    NO_PRICE = "no_price"
    NOTHING_FREE = "nothing_free"
    NOT_DELETING = "not_deleting"
    STALE_CACHE = "stale_cache"
    IGNORES_CLOUD_INIT = "ignores_cloud_init"
    REFUSES_CLOUD_INIT = "refuses_cloud_init"
    LATE_PROBE = "late_probe"


AT_OFFERS = frozenset({Behaviour.NO_PRICE, Behaviour.NOTHING_FREE})
AT_DELETE = frozenset({Behaviour.DELETE_500, Behaviour.NOT_DELETING})
AT_CLOUD_INIT = frozenset({Behaviour.IGNORES_CLOUD_INIT, Behaviour.REFUSES_CLOUD_INIT, Behaviour.LATE_PROBE})
AT_PROCURE = (
    frozenset(Behaviour) - AT_OFFERS - AT_DELETE - AT_CLOUD_INIT - {Behaviour.NORMAL, Behaviour.STALE_CACHE}
)


@dataclass(frozen=True)
class BehaviourSetting:
    """A behaviour with its parameters, as the control API sets it."""

    behaviour: Behaviour = Behaviour.NORMAL
    times: int | None = None
    seconds: float | None = None
    quiet: bool = False
    words: str | None = None


@dataclass
class VendorState:
    """The current behaviour of a vendor.

    `left` is the number of further occasions to which the behaviour applies. If it is None, there is no limit.
    """

    setting: BehaviourSetting = field(default_factory=BehaviourSetting)
    left: int | None = None

    def set(self, setting: BehaviourSetting) -> None:
        """Apply a new setting."""
        self.setting, self.left = setting, setting.times

    def take(self, occasion: frozenset[Behaviour]) -> BehaviourSetting:
        """Return the behaviour for one occasion, such as a purchase or a deletion, and count the occasion.

        `occasion` is the set of behaviours that make sense for this kind of occasion. If the vendor's current
        behaviour isn't in the set, the vendor behaves normally this time, and the occasion isn't counted. If the
        behaviour was set for a number of `times`, the vendor behaves normally again after that many occasions.
        """
        if self.setting.behaviour not in occasion:
            return BehaviourSetting()
        taken = self.setting
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.set(BehaviourSetting())
        return taken
