"""The parts of a request as they were read, why some can't be read, and what their meaning depends on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, NamedTuple

from bot.policy.team.rules import Hours
from handlers.parsing.prices import Money


@dataclass(frozen=True)
class Price:
    """An amount of money, and what the words around it say about it."""

    money: Money
    limited: bool
    """Whether a word says that it is a maximum."""
    total: bool = False
    after_for: bool = False
    """Whether it follows `for`: `for $20` is the price of everything, unless it says "per hour"."""


@dataclass
class RequestParts:
    """What was read, each part in the order in which it was typed."""

    gpus: list[str] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    contracts: list[str] = field(default_factory=list)
    vendors: list[str] = field(default_factory=list)
    """An empty name in `regions` or `vendors` means "any"."""
    wish_ends: list[str] = field(default_factory=list)
    """What was typed after `until` in `wait`: the end of the wish."""
    starts: list[str] = field(default_factory=list)
    """What was typed after `at`, in lower case."""
    any_time: bool = False
    """Whether `any time` was typed."""
    setups: list[str] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)
    probe: bool = True
    """False if `no-probe` was typed."""
    leases: list[timedelta] = field(default_factory=list)
    latest: list[timedelta] = field(default_factory=list)
    """The lengths after `up to`: the later of two ends, or the lease if there is no other length."""
    busy: bool = False
    """Whether `while busy` was typed."""
    ends: list[str] = field(default_factory=list)
    """What was typed after `until`, in lower case."""
    latest_ends: list[str] = field(default_factory=list)
    """The times that were typed after `up to`: the later of two ends after a named one."""
    prices: list[Price] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    now_count: int = 0
    """How often the word `now` was typed."""
    doubtful: bool = False
    """Whether something has a second reading that is unlikely but possible. Then `now` must only show the
    offers."""

    @property
    def timed(self) -> bool:
        """Return whether a time or an end was typed."""
        return bool(self.leases or self.latest or self.ends or self.latest_ends)

    def is_total(self, price: Price) -> bool:
        """Return whether a price is for everything: `$20 for 10h`, `10h for $20`. `under $3 for 6h` is a cap."""
        timed = self.timed or price.after_for
        return price.total or (timed and not price.limited and not price.money.per_hour)

    def different(self, part: str) -> list[Any]:
        """Return the different values of a list, each once. Of equal prices, return the one per GPU."""
        if part == "prices":
            by_amount = {price.money.amount: price for price in sorted(self.prices, key=lambda p: p.money.per_gpu)}
            return list(by_amount.values())
        return list(dict.fromkeys(getattr(self, part)))

    def with_values(self, part: str, *values: object) -> RequestParts:
        """Return a copy of the parts with other values in one list."""
        changes: dict[str, Any] = {part: list(values)}
        return replace(self, **changes)


# --- why a part of a request can't be read


class ProblemKind(Enum):
    """Why something can't be read."""

    UNKNOWN_WORD = auto()
    UNKNOWN_GPU = auto()
    """A word in a request that names no GPU."""
    UNKNOWN_REGION = auto()
    PLACE = auto()
    """`Paris`: a part of a region."""
    UNKNOWN_VENDOR = auto()
    MISSING_VALUE = auto()
    """`vendor` with no vendor after it."""
    NUMBER_WITHOUT_UNIT = auto()
    """A number that could be GPUs, hours or dollars."""
    UNREADABLE = auto()
    """A word with digits that is no number here: `1.5x`, `1e9`."""
    MEMORY_OR_COUNT = auto()
    """`a100 80`."""
    RANGE = auto()
    """`2-3h`."""
    TIME = auto()
    """A time of day, or a duration that can't be read."""
    END = auto()
    """`until` with no time after it."""
    NIGHT = auto()
    """`tonight`: no end, but the mistake can suggest one."""
    HOURS_AND_NUMBER = auto()
    """`1h 30`."""
    LATER = auto()
    """`in 2 hours`."""
    PRICE = auto()
    PRICE_UNIT = auto()
    """`$50/day`."""
    LIMIT_WITHOUT_UNIT = auto()
    """`under 3`."""
    LIMITED_COUNT = auto()
    """`up to 4 H100s`."""
    UNKNOWN_OPTION = auto()
    EXCLUDES = auto()
    """`not eu`."""
    AT_LEAST = auto()
    """`at least 4`."""
    SEVERAL_MACHINES = auto()
    US = auto()
    """`us` after a verb: the region, or the people who ask?"""
    AMBIGUOUS = auto()


class Reading(NamedTuple):
    """What a text may mean: a value for one of the lists of RequestParts."""

    part: str
    value: object
    later_end: str = ""
    """The later of two ends, if the value is the first end."""


LEFT_OUT = Reading("", None)
"""The reading of a text that may add nothing to the request."""


@dataclass(frozen=True)
class Problem:
    """A part of a request that can't be read."""

    kind: ProblemKind
    text: str
    """The part as it was typed."""
    readings: tuple[Reading, ...] = ()
    """What the part may mean, with every number and unit unchanged. Each reading gets a button."""


# --- what the meaning of a text depends on besides its words


class ParseContext(NamedTuple):
    """What the meaning of a text depends on besides its words."""

    default_lease: timedelta
    max_lease: timedelta
    sees_use: bool
    """Whether the rules let the bot see if machines are in use."""
    now: datetime
    zone: str
    """The person's IANA time zone."""
    hours: Hours = Hours()
    """When people are asked. A night ends when they begin."""
    longest_wait: timedelta = timedelta(days=7)
    """How far ahead a start or the end of a wish may be."""
    setups: Collection[str] = ()  # the names of the policy's set-up scripts
    waiting: bool = False
    """Whether the text follows `wait`: then `until` ends the wish, not the machine."""
