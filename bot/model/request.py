"""Requests for GPUs, and their terms: the limits for price, cost and time."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import Field

from bot.model.base import Frozen, Instant
from bot.model.money import Micros


class Contract(StrEnum):
    """The kinds of contracts. A spot machine can be taken back by the vendor at any time."""

    ONDEMAND = "ondemand"
    SPOT = "spot"


class OfferQuery(Frozen):
    """A query to the market for offers. Equal queries share one call."""

    gpu: str
    """A family (`H100`) or a canonical name (`nvidia-h100-sxm5-80gb`)."""
    features: tuple[str, ...] = ()
    """The features that the GPU's name must contain, such as `80gb` and `sxm`. Empty if the features don't matter.
    """
    count: int = Field(default=1, ge=1)
    region: str | None = None
    """A group of regions: US, EU, APAC or Other. None means any region."""
    contract: Contract = Contract.ONDEMAND
    vendor: str | None = None
    without_vendor: str | None = None
    """A vendor to exclude: the vendor of the machine that doesn't work and is being replaced."""
    max_gpu_rate: Decimal | None = None
    """The highest price that the person accepts, in USD per GPU-hour."""


class Request(OfferQuery):
    """The GPUs that somebody asked for, with the lease, the teammates who get access, and the setup."""

    max_total: Micros | None = None
    """The most that everything is allowed to cost, as the person typed it: `max $8 total`, `$20 for 10h`.

    `with_price_of_total` computes the highest price from this total. None if the person typed no total.
    """
    cap_said_per_gpu: bool = True
    """True if the highest price is clearly meant per GPU.

    False in two cases: the person asked for several GPUs without typing "per GPU" after the price, or named a
    price for everything. In these cases, the offers also show the highest price for all GPUs together.
    """
    cap_for_each_or_all: bool = False
    """True if it isn't clear whether the highest price is per GPU or for all, as in `4 H100 under $10/h`.

    The price is treated as the price per GPU, and the offers have a button for the other meaning.
    """
    cap_for_all_time: bool = False
    """True if the person may have meant the highest price for the whole time, as in `under $20 for 10h`.

    The offers then also show the highest price for the whole time.
    """
    lease: timedelta
    """The length of the lease, without extensions. It starts when the machine is ready.

    If the person named an end, this is the time from the command to that end.
    """
    until: Instant | None = None
    """The time until which the person wants the machine, such as `until 18:00`. None if they named no time.

    If `up_to` is set, the end is flexible: this is the earliest time at which the lease can end.
    """
    starts_at: Instant | None = None
    """The time at which the machine is wanted, such as `at 9:00 tomorrow`. None means as soon as possible.

    The hours of the lease then begin at this time, and `until` is set.
    """
    teammates: tuple[str, ...] = ()
    """Slack IDs of the teammates whose keys are installed as well."""
    setup: str | None = None
    """The name of one of the policy's setup scripts, which the startup script runs."""
    up_to: timedelta | None = None
    """For a flexible end, the longest possible lease. It starts when `lease` starts. None if the end is fixed.

    A flexible end moves to later times while the machine is in use, up to this limit.
    """
    until_done: bool = False
    """True if the lease should end when the machine's jobs are done. `lease` is then the longest possible time."""
    project: str | None = None
    """The project that the person named.

    If it is None, the channel's project is charged, or the only project that names the person.
    """
    probe: bool = True
    """True if the bot is allowed to check whether the machine is used. False if the person typed `no-probe`."""
    keep_if_failed: bool = False
    """True if the person typed `keep-if-failed`, so that the machine is kept if its `/root/on-ending.sh` fails."""
    kept: timedelta = timedelta(0)
    """The longest time for which the machine is kept after its lease if its `/root/on-ending.sh` fails.

    The highest cost includes this time. Zero if the machine isn't kept. See `bot/policy/use/keeping.py`.
    """
    note: str = ""
    """The note that the person typed. Untrusted text: escape it for display."""

    @property
    def query(self) -> OfferQuery:
        """The query for offers that is sent to the market for this request."""
        return OfferQuery(**{name: getattr(self, name) for name in OfferQuery.model_fields})

    @property
    def longest(self) -> timedelta:
        """The longest time that the machine can run without an extension.

        For a flexible end, the machine can run until the latest end of the lease.
        """
        return self.lease if self.up_to is None else max(self.up_to, self.lease)

    @property
    def last_end(self) -> datetime | None:
        """The end that the person named. None if they named no end.

        For a flexible end, this is the latest end of the lease.
        """
        if self.until is None or self.up_to is None:
            return self.until
        return self.until + self.up_to - self.lease


class Terms(Frozen):
    """The price, cost and time limits to which a person agreed with a click or an approval.

    Within these limits, the bot acts without asking anyone.
    """

    version: int = Field(ge=1)
    """The version number. Every change increases it, so that clicks on older buttons are recognized."""
    gpu: str
    """The canonical name of the clicked GPU. `may_substitute` says which other GPUs are accepted."""
    count: int = Field(ge=1)
    region: str | None
    contract: Contract
    vendor: str | None
    price: Decimal
    """USD per hour for the whole offer, as it was clicked or quoted."""
    max_rate: Decimal
    """The highest acceptable price, in USD per hour for the whole offer."""
    lease: timedelta
    kept: timedelta = timedelta(0)
    """The longest time for which the machine is kept after its lease if its `/root/on-ending.sh` fails."""
    total: Micros
    """The most that the rental can cost from procurement to deletion, including earlier purchases."""

    @classmethod
    def of(
        cls,
        request: Request,
        gpu: str,
        *,
        price: Decimal,
        max_rate: Decimal,
        total: Micros,
        lease: timedelta | None = None,
        version: int = 1,
    ) -> Self:
        """Return the terms for a request with these prices.

        Args:
            request: The request.
            gpu: The canonical name of the GPU that was clicked.
            price: USD per hour for the whole offer.
            max_rate: The highest acceptable price, in USD per hour for the whole offer.
            total: The most that the rental can cost.
            lease: The lease. None for the longest time that the request allows.
            version: The version number of the terms.
        """
        return cls(
            version=version,
            gpu=gpu,
            count=request.count,
            region=request.region,
            contract=request.contract,
            vendor=request.vendor,
            price=price,
            max_rate=max_rate,
            lease=request.longest if lease is None else lease,
            kept=request.kept,
            total=total,
        )
