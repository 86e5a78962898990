"""Why a part of a request can't be read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple


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
    """Something with digits that is no number here: `1.5x`, `1e9`."""
    MEMORY_OR_COUNT = auto()
    """`a100 80`."""
    RANGE = auto()
    """`2-3h`."""
    TIME = auto()
    """A time of day, or a duration that can't be read."""
    END = auto()
    """`until` with no time after it."""
    NIGHT = auto()
    """`tonight`: no end, but one can be suggested."""
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
    """The later of two ends, if the value is the first one."""


LEFT_OUT = Reading("", None)
"""The text may add nothing to the request."""


@dataclass(frozen=True)
class Problem:
    """A part of a request that can't be read."""

    kind: ProblemKind
    text: str
    """The part as it was typed."""
    readings: tuple[Reading, ...] = ()
    """What it may mean, without a change of any number or unit in it. A button asks for each."""
