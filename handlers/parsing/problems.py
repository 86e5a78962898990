"""Why a part of a request can't be read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Trouble(Enum):
    """Why something can't be read."""

    WORD = auto()
    REGION = auto()
    VENDOR = auto()
    NAME_MISSING = auto()
    """`vendor` and nothing that names one."""
    NUMBER = auto()
    """A number that could be GPUs, hours or dollars."""
    UNREADABLE = auto()
    """Something with digits that is no number here: `1.5x`, `1e9`."""
    MEMORY = auto()
    """`a100 80`: memory or GPUs?"""
    RANGE = auto()
    TIME = auto()
    """A time of day, or a duration that can't be read."""
    MINUTES = auto()
    """`1h 30`."""
    LATER = auto()
    """`in 2 hours`."""
    PRICE = auto()
    PRICE_UNIT = auto()
    """`$50/day`."""
    LIMIT = auto()
    """A limit on something without a unit: `under 3`."""
    LIMITED_COUNT = auto()
    """`up to 4 H100s`."""
    OPTION = auto()
    MACHINES = auto()
    US = auto()
    """`us` after a verb: the region, or the people who ask?"""
    AMBIGUOUS = auto()


@dataclass(frozen=True)
class Problem:
    """Something that can't be read, named as it was typed."""

    trouble: Trouble
    text: str
    number: int = 0
