"""The parts of a request as they were read, before it is decided whether they make a request."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from handlers.parsing.prices import Money
from handlers.parsing.problems import Problem


@dataclass(frozen=True)
class Price:
    """An amount of money, and what the words around it say about it."""

    money: Money
    limited: bool
    """A word says that it is a maximum."""
    total: bool = False
    after_for: bool = False
    """`for $20`: the price of everything, unless it says "per hour"."""


@dataclass
class RequestParts:
    """What was read, each part in the order in which it was typed."""

    gpus: list[str] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    contracts: list[str] = field(default_factory=list)
    vendors: list[str] = field(default_factory=list)
    """An empty name in `regions` and `vendors` is "any"."""
    setups: list[str] = field(default_factory=list)
    probe: bool = True
    """False: `no-probe` was typed."""
    leases: list[timedelta] = field(default_factory=list)
    latest: list[timedelta] = field(default_factory=list)
    """Those after `up to`: the later of two ends, or the lease if there is no other."""
    busy: bool = False
    """`while busy` was typed."""
    ends: list[str] = field(default_factory=list)
    """What was typed after `until`, in lower case."""
    latest_ends: list[str] = field(default_factory=list)
    """What was typed after `up to` if it is a time: the later of two ends after a named one."""
    prices: list[Price] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    now_count: int = 0
    """How often the word `now` was typed."""
    doubtful: bool = False
    """Something has a second reading that is unlikely but possible, so that `now` must only show the offers."""

    @property
    def timed(self) -> bool:
        """Whether a time or an end was typed."""
        return bool(self.leases or self.latest or self.ends or self.latest_ends)

    def is_total(self, price: Price) -> bool:
        """Return whether a price is for everything: `$20 for 10h`, `10h for $20`. `under $3 for 6h` is a cap."""
        timed = self.timed or price.after_for
        return price.total or (timed and not price.limited and not price.money.per_hour)

    def different(self, part: str) -> list[Any]:
        """Return the different values of a list, each once. Of equal prices, the one per GPU counts."""
        if part == "prices":
            by_amount = {price.money.amount: price for price in sorted(self.prices, key=lambda p: p.money.per_gpu)}
            return list(by_amount.values())
        return list(dict.fromkeys(getattr(self, part)))

    def with_values(self, part: str, *values: object) -> RequestParts:
        """Return the same parts with other values in one list."""
        changes: dict[str, Any] = {part: list(values)}
        return replace(self, **changes)
