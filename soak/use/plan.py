"""What people do with their machines in some days, drawn from a seed: the same seed makes the same plan."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ZONES = {"Europe/Berlin": 1, "America/New_York": -5, "Asia/Tokyo": 9, "UTC": 0}
"""How many hours each zone is ahead of UTC in winter, when the plan begins."""
BEGINS_AT = 12
"""The hour, in UTC, at which the plan begins, as `tests.lifecycle.world` does."""
WORKDAY = (8, 19)
"""The local hours between which people rent, on any day of the week."""
LONG, MORNING = 12 * HOUR, (8, 10)
"""Leases of this length or longer begin in these local hours."""


class Work(StrEnum):
    """How a machine is used."""

    TRAINS = "trains"
    """It computes until its end."""
    FORGOTTEN = "forgotten"
    """It computes for some time. Then nobody uses it."""
    NEVER_USED = "never used"
    EDITOR_OPEN = "editor open"
    """It computes for some time. Then an editor stays connected, and no GPU computes."""
    SERVES = "serves"
    """It computes for a moment every 15 minutes."""
    COMES_AND_GOES = "comes and goes"
    """It computes and rests by turns, for two hours each."""
    UNSEEN = "unseen"
    """Its probe never answers."""
    NO_PROBE = "no probe"
    """It was rented with `no-probe`."""


class Answer(StrEnum):
    """What an owner does when the bot asks them."""

    DESTROY = "destroy"
    KEEP = "keep"
    EXTEND = "extend"
    NOTHING = "nothing"


class Decision(StrEnum):
    """What an approver does when nobody answers."""

    DESTROY = "destroy"
    ASK_AGAIN = "ask again"
    LEAVE = "leave"
    NOTHING = "nothing"


@dataclass(frozen=True)
class PlannedRental:
    """One rental. Spans count from the beginning of the plan, or from ready."""

    at: timedelta
    """When it is rented."""
    person: int
    """The number of its owner."""
    lease: timedelta
    gpus: int
    work: Work
    works_for: timedelta
    answer: Answer
    answers_after: timedelta
    decision: Decision


@dataclass(frozen=True)
class UsePlan:
    """What happens in some days."""

    days: int
    zones: tuple[str, ...]
    """The zone of each person."""
    rentals: tuple[PlannedRental, ...]
    """The rentals, ordered by the time at which they are rented."""
    unknown: tuple[timedelta, ...]
    """When somebody adds a machine to the account that the bot doesn't know."""


def plan_use(seed: int, *, people: int, rentals: int, days: int) -> UsePlan:
    """Return a plan. Equal arguments make equal plans."""
    rng = random.Random(f"{seed}:{people}:{rentals}:{days}")  # noqa: S311 - made to be repeated, not to be secret
    # Of sixty rentals, one runs for days and six over a night.
    lengths = [_length(number, rng) for number in range(rentals)]
    zones = [rng.choice(list(ZONES)) for _ in range(people)]
    works = _works(rentals, rng)
    planned = [_rental(rng, zones, days, *both) for both in zip(lengths, works, strict=True)]
    return UsePlan(
        days=days,
        zones=tuple(zones),
        rentals=tuple(sorted(planned, key=lambda one: one.at)),
        unknown=tuple(sorted(rng.random() * timedelta(days=days) for _ in range(max(rentals // 20, 1)))),
    )


def _length(number: int, rng: random.Random) -> timedelta:
    if number % 60 == 0:
        return rng.choice((36, 48)) * HOUR
    if number % 10 == 1:
        return rng.choice((12, 14, 16)) * HOUR
    return rng.choice((1, 2, 3, 3, 5)) * HOUR


def _works(rentals: int, rng: random.Random) -> list[Work]:
    """Return how each machine is used: each group of twenty has the same mix, in any order."""
    mix = [work for work, times in zip(Work, (3, 6, 2, 3, 2, 2, 1, 1), strict=True) for _ in range(times)]
    decks = [rng.sample(mix, len(mix)) for _ in range(rentals // len(mix) + 1)]
    return [work for deck in decks for work in deck][:rentals]


def _rental(rng: random.Random, zones: list[str], days: int, lease: timedelta, work: Work) -> PlannedRental:
    person = rng.randrange(len(zones))
    starts, ends = MORNING if lease >= LONG else WORKDAY
    hour = rng.uniform(starts, ends) - ZONES[zones[person]] - BEGINS_AT
    return PlannedRental(
        at=(rng.randrange(days) * 24 * HOUR + hour * HOUR) % timedelta(days=days),
        person=person,
        lease=lease,
        gpus=rng.choice((1, 1, 8)),
        work=work,
        works_for=rng.uniform(0.05, 0.4) * lease,
        answer=rng.choices(list(Answer), weights=(3, 2, 1, 5))[0],
        answers_after=rng.choice((2, 10, 45)) * MINUTE,
        decision=rng.choice(list(Decision)),
    )
