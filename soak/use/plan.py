"""The use of machines over some days, drawn from a seed. The same seed always makes the same plan."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ZONES = {"Europe/Berlin": 1, "America/New_York": -5, "Asia/Tokyo": 9, "UTC": 0}
"""The time zones, with their offset from UTC in hours. It is winter when the plan begins."""
BEGINS_AT = 12
"""The UTC hour at which the plan begins. It must match the clock of `tests.lifecycle.world`."""
WORKDAY = (8, 19)
"""The local hours between which people rent, on any day of the week."""
LONG, MORNING = 12 * HOUR, (8, 10)
"""The length from which a lease counts as long, and the local hours in which long leases begin."""


class Work(StrEnum):
    """The way in which a machine is used."""

    TRAINS = "trains"
    """The machine computes until its end."""
    FORGOTTEN = "forgotten"
    """The machine computes for some time. After that, nobody uses it."""
    NEVER_USED = "never used"
    EDITOR_OPEN = "editor open"
    """The machine computes for some time. After that, an editor stays connected, but no GPU computes."""
    SERVES = "serves"
    """The machine computes briefly every 15 minutes."""
    COMES_AND_GOES = "comes and goes"
    """The machine alternates between computing and resting, two hours each."""
    UNSEEN = "unseen"
    """The machine's probe never answers."""
    NO_PROBE = "no probe"
    """The machine was rented with `no-probe`."""


class Answer(StrEnum):
    """An owner's reaction to a question of the bot."""

    DESTROY = "destroy"
    KEEP = "keep"
    EXTEND = "extend"
    NOTHING = "nothing"


class Decision(StrEnum):
    """An approver's reaction if the owner doesn't answer."""

    DESTROY = "destroy"
    ASK_AGAIN = "ask again"
    LEAVE = "leave"
    NOTHING = "nothing"


@dataclass(frozen=True)
class PlannedRental:
    """A planned rental.

    `at` counts from the beginning of the plan, `works_for` from the time when the machine is ready, and
    `answers_after` from the last question to the owner.
    """

    at: timedelta
    """The time of the request, since the beginning of the plan."""
    person: int
    """The index of its owner."""
    lease: timedelta
    gpus: int
    work: Work
    works_for: timedelta
    answer: Answer
    answers_after: timedelta
    decision: Decision
    until_done: bool = False
    """True if the owner rents it until its job is done. This only counts if people start their work as jobs."""


@dataclass(frozen=True)
class UsePlan:
    """Everything that happens over some days."""

    days: int
    zones: tuple[str, ...]
    """The time zone of each person, in the order of their indexes."""
    rentals: tuple[PlannedRental, ...]
    """The rentals, ordered by the time at which they are requested."""
    unmanaged: tuple[timedelta, ...]
    """The times at which somebody adds a machine to the account without the bot."""


def plan_use(seed: int, *, people: int, rentals: int, days: int) -> UsePlan:
    """Return a plan. The same arguments always make the same plan."""
    rng = random.Random(f"{seed}:{people}:{rentals}:{days}")  # noqa: S311 - made to be repeated, not to be secret
    # In every sixty rentals, one runs for days and six run overnight.
    lengths = [_length(number, rng) for number in range(rentals)]
    zones = [rng.choice(list(ZONES)) for _ in range(people)]
    works = _works(rentals, rng)
    planned = [_rental(rng, zones, days, *both) for both in zip(lengths, works, strict=True)]
    # Some machines are forgotten by the people who rented them. Rent a third of these machines until their job is
    # done.
    planned = [
        replace(one, until_done=one.work is Work.FORGOTTEN and number % 3 == 0)
        for number, one in enumerate(planned)
    ]
    return UsePlan(
        days=days,
        zones=tuple(zones),
        rentals=tuple(sorted(planned, key=lambda one: one.at)),
        unmanaged=tuple(sorted(rng.random() * timedelta(days=days) for _ in range(max(rentals // 20, 1)))),
    )


def _length(number: int, rng: random.Random) -> timedelta:
    if number % 60 == 0:
        return rng.choice((36, 48)) * HOUR
    if number % 10 == 1:
        return rng.choice((12, 14, 16)) * HOUR
    return rng.choice((1, 2, 3, 3, 5)) * HOUR


def _works(rentals: int, rng: random.Random) -> list[Work]:
    """Return the use of each machine. Each group of twenty has the same mix of uses, in random order."""
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
