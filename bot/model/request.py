"""A request is what someone wants. An envelope is what a click or an approval allows."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import Field

from bot.model.base import Frozen, Instant
from bot.model.money import Micros


class Contract(StrEnum):
    """How a vendor sells: for as long as the customer wants, or until the vendor wants the machine back."""

    ONDEMAND = "ondemand"
    SPOT = "spot"


class OfferQuery(Frozen):
    """What the market is asked for, in the market's names. Equal queries have the same offers."""

    gpu: str
    """A family (`H100`) or a canonical name (`nvidia-h100-sxm5-80gb`)."""
    features: tuple[str, ...] = ()
    """What the names of the family's models must contain, such as `80gb` and `sxm`. Empty: any model fits."""
    count: int = Field(default=1, ge=1)
    region: str | None = None
    """A region group (US, EU, APAC, Other). None means any region."""
    contract: Contract = Contract.ONDEMAND
    vendor: str | None = None
    without_vendor: str | None = None
    """A vendor from which nothing is rented: the vendor of the machine that doesn't work and is replaced."""
    max_gpu_rate: Decimal | None = None
    """The person's highest price, USD per GPU-hour."""


class Request(OfferQuery):
    """The GPUs that someone asked for, for how long, who gets in, and what runs on them."""

    max_total: Micros | None = None
    """The most that everything may cost, as the person typed it: `max $8 total`, `$20 for 10h`. The highest price
    then follows from it (`with_price_of_total`). None if no total was typed."""
    cap_said_per_gpu: bool = True
    """False if the person asked for several GPUs and didn't type "per GPU" after the highest price, or named a
    price for everything. Then the offers also show that price for all GPUs."""
    cap_for_each_or_all: bool = False
    """Whether the highest price may have been meant for each GPU or for all, as in `4 H100 under $10/h`. It is the
    price of each, and the offers have a button for the other meaning."""
    cap_for_all_time: bool = False
    """Whether the highest price may have been meant for the whole time, as in `under $20 for 10h`. Then the offers
    also show that price for the whole time."""
    lease: timedelta
    """How long from ready until it is extended or destroyed. With `until`, from the command until then."""
    until: Instant | None = None
    """The end that the person named, such as `until 18:00`. The machine ends no later unless it is extended. With
    `up_to`, it is the first of two ends."""
    starts_at: Instant | None = None
    """When the machine is wanted, such as `at 9:00 tomorrow`. Its hours count from then, and `until` is set. None:
    as soon as there is one."""
    teammates: tuple[str, ...] = ()
    """Slack ids of the people whose keys get in too."""
    setup: str | None = None
    """The name of one of the policy's setup scripts, which the boot script runs."""
    up_to: timedelta | None = None
    """The later of two ends, counted as `lease` is: the end moves on up to there while the machine is in use. None
    if there is one end."""
    project: str | None = None
    """The project that the person named. None: the one of the channel, or the only one that names the person."""
    probe: bool = True
    """Whether the bot may see if the machine is used. False if `no-probe` was typed."""
    note: str = ""
    """The person's words. Data, never markup."""

    @property
    def query(self) -> OfferQuery:
        """Return the part of the request that the market is asked for."""
        return OfferQuery(**{name: getattr(self, name) for name in OfferQuery.model_fields})

    @property
    def longest(self) -> timedelta:
        """Return how long the machine can run without being extended: until the later one of two ends."""
        return self.lease if self.up_to is None else max(self.up_to, self.lease)

    @property
    def last_end(self) -> datetime | None:
        """Return the end that the person named, or the later one of two. Return None if they named none."""
        if self.until is None or self.up_to is None:
            return self.until
        return self.until + self.up_to - self.lease


class Terms(Frozen):
    """The limits that a click or an approval sets. Within them the bot acts without asking."""

    version: int = Field(ge=1)
    """Counts up with every change, so that an old button is recognized."""
    gpu: str
    """The canonical name of the GPU that was clicked. `fits_model` says which others may be bought instead."""
    count: int = Field(ge=1)
    region: str | None
    contract: Contract
    vendor: str | None
    price: Decimal
    """USD per hour for the whole offer, as it was clicked or quoted."""
    max_rate: Decimal
    """The highest USD per hour for the whole offer."""
    lease: timedelta
    total: Micros
    """The most that the rental can cost from procurement to deletion, earlier attempts included."""

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
        """Return the envelope for a request with these prices. Its lease is the longest that the request can run,
        unless another one is given.
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
            total=total,
        )
