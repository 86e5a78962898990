"""Tests of simulated days of use and their plan, and that each check finds the problem it is for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.budget import UseCosts
from bot.model.event import Event, EventKind
from bot.model.job import UntilDone
from bot.model.machine_use import UsageStatus, Use
from bot.model.state import State
from bot.policy.team.rules import Rules
from soak.use.checks import CHECKS, check
from soak.use.costs import table
from soak.use.plan import LONG, Work, plan_use
from soak.use.record import Life, Record, Unmanaged
from soak.use.run import simulate
from tests.events import facts_for
from tests.store import make

E = EventKind
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
READY = datetime(2026, 11, 24, 9, tzinfo=UTC)
ENDS = READY + 30 * HOUR
IDLE = Use(status=UsageStatus.IDLE, since=READY + HOUR)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder in memory if possible.

    The simulation commits thousands of times, which takes long on a disk.
    """
    memory = Path("/dev/shm")  # noqa: S108 - the folder below is new and private
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as made:
        yield Path(made)


@pytest.mark.parametrize("jobs", [False, True])
async def test_a_day_of_5_people_and_8_rentals(folder: Path, *, jobs: bool) -> None:
    """A small version of `make soak MONTH=1`, which simulates a month with 50 people and 400 rentals.

    With this seed, every kind of answer happens, although the machines run for fewer hours than with most seeds.
    """
    plan = plan_use(3398, people=5, rentals=10, days=1)
    plan = replace(plan, rentals=tuple(one for one in plan.rentals if one.lease <= LONG))
    record = await simulate(f"sqlite:///{folder}/day.sqlite", plan, jobs=jobs)
    assert check(record) == []
    assert len(record.lives) == 8
    assert len(record.unmanaged) == len(plan.unmanaged)
    happened = {event.kind for life in record.lives for event in life.events}
    if jobs:
        assert happened >= {E.JOBS_ENDED, E.JOB_DONE}
    else:
        assert happened >= {E.USE_CHANGED, E.STILL_NEEDED, E.KEPT, E.EXTENDED, E.NOBODY_ANSWERS}


def test_a_plan_depends_on_its_seed_and_contains_every_kind_of_use() -> None:
    plan = plan_use(1, people=20, rentals=60, days=7)
    assert plan == plan_use(1, people=20, rentals=60, days=7)
    assert plan != plan_use(2, people=20, rentals=60, days=7)
    assert {one.work for one in plan.rentals} == set(Work)
    assert max(one.at for one in plan.rentals) < timedelta(days=7)


# --- the problems that the checks find


def event(kind: EventKind, at: datetime, actor: str | None = None, **facts: Any) -> Event:
    return Event(rental_id="k7mq2", kind=kind, at=at, actor=actor, facts=facts_for(kind, **facts))


def question(at: datetime, use: Use | None = IDLE) -> Event:
    status, since = (use.status, use.since) if use else (None, READY)
    return event(E.STILL_NEEDED, at, status=status, since=since, use=use)


def record(
    *events: Event, rate: str = "2.00", over_at: datetime = ENDS, computed: tuple[datetime, ...] = ()
) -> Record:
    """Return the record of a single machine, which was destroyed at its end."""
    rental = make.rental(
        "k7mq2", state=State.DESTROYED, rate=Decimal(rate), over_at=over_at, lease=make.lease(ENDS, ready_at=READY)
    )
    life = Life(rental, events, ZoneInfo("UTC"), computed, UseCosts())
    return Record(rules=Rules(), lives=(life,), unmanaged=(Unmanaged(READY, READY + 10 * MINUTE),), left_alive=0)


def when_done(*, computed: datetime = READY, job_ended: datetime = READY + HOUR) -> Record:
    """Return the record of a machine that ended because its job was done."""
    found = record(event(E.JOB_DONE, ASKED), computed=(computed,))
    (life,) = found.lives
    job = facts_for(E.JOB_DONE).job
    lease = changed(life.rental.running_lease, until_done=UntilDone(since=READY, done=job), latest_end=ENDS + HOUR)
    life = replace(life, rental=changed(life.rental, lease=lease), jobs_end=(job_ended,))
    return replace(found, lives=(life,))


ASKED = READY + 2 * HOUR
NIGHT, MORNING = READY + 14 * HOUR, READY + 23 * HOUR
FINE = (
    question(ASKED),
    question(ASKED + 2 * HOUR),
    event(E.KEPT, ASKED + 3 * HOUR, "U0ANA", span=HOUR),
    question(ASKED + 4 * HOUR),
    event(E.DESTROYING, ENDS),
)


def test_no_check_finds_anything_if_there_is_no_problem() -> None:
    assert check(record(*FINE)) == []
    assert check(record(question(NIGHT), question(MORNING), rate="10.00")) == []
    assert check(record(*FINE, computed=(READY + HOUR, ASKED + 5 * HOUR))) == []
    assert check(when_done()) == []


FAULTS = [
    ("outlives_its_lease", record(over_at=ENDS + HOUR)),
    ("outlives_its_lease", record(event(E.DESTROYING, ENDS + 21 * MINUTE), over_at=ENDS + 22 * MINUTE)),
    ("destroyed_by_itself", record(event(E.DESTROYING, ENDS - MINUTE))),
    ("ended_at_work", when_done(computed=ASKED + HOUR)),
    ("ended_at_work", when_done(job_ended=ASKED + HOUR)),
    ("asked_outside_hours", record(question(NIGHT))),
    ("asked_outside_hours", record(question(NIGHT - 10 * HOUR), question(NIGHT), rate="10.00")),
    ("asked_twice", record(question(ASKED), question(ASKED + HOUR, None), question(ASKED + 100 * MINUTE))),
    ("asked_twice", record(question(ASKED), question(ASKED + 2 * HOUR - MINUTE))),
    ("asked_twice", record(question(ASKED, None), question(ASKED + 2 * HOUR - MINUTE, None))),
    ("asked_too_early", record(FINE[2], question(ASKED + 4 * HOUR - MINUTE))),
    ("asked_while_in_use", record(question(ASKED), computed=(ASKED - 30 * MINUTE,))),
    ("notified_late", replace(record(), unmanaged=(Unmanaged(READY, READY + 11 * MINUTE),))),
    ("notified_late", replace(record(), unmanaged=(Unmanaged(READY, None),))),
]


@pytest.mark.parametrize(("name", "faulty"), FAULTS)
def test_each_check_finds_its_problem(name: str, faulty: Record) -> None:
    assert len(list(CHECKS[name](faulty))) == 1
    assert len(check(faulty)) >= 1


def test_machines_that_still_bill_after_every_lease_are_reported() -> None:
    assert check(replace(record(), left_alive=2)) == ["2 machines bill after every lease"]


def test_every_check_has_a_problem_that_it_finds() -> None:
    assert {name for name, _ in FAULTS} == set(CHECKS)


def use_changed(at: datetime, status: UsageStatus, since: datetime) -> Event:
    return event(E.USE_CHANGED, at, status=status, since=since, use=Use(status=status, since=since))


def test_the_table_shows_the_cost_of_idle_periods_and_how_they_ended() -> None:
    events = (
        use_changed(READY, UsageStatus.IN_USE, READY),
        use_changed(READY + 2 * HOUR, UsageStatus.IDLE, READY + HOUR),
        use_changed(READY + 3 * HOUR, UsageStatus.CONNECTED, READY + HOUR),
        use_changed(READY + 4 * HOUR, UsageStatus.IN_USE, READY + 4 * HOUR),
        use_changed(READY + 6 * HOUR, UsageStatus.IDLE, READY + 5 * HOUR),
    )
    (kept,) = record(*events, event(E.DESTROYING, ENDS)).lives
    (clicked,) = record(*events, event(E.DESTROYING, ENDS - HOUR, "U0ANA"), over_at=ENDS - HOUR).lives
    costs = UseCosts(used=6_000_000, connected=1_000_000, idle=3_000_000)
    both = replace(record(), lives=(replace(kept, cost=costs), replace(clicked, cost=UseCosts())))
    assert table(both) == snapshot("""\
| use | cost | share |
| --- | ---: | ---: |
| in use | $6.00 | 60 % |
| connected | $1.00 | 10 % |
| idle | $3.00 | 30 % |
| unknown | $0.00 | 0 % |

| without work, ended by | spells | cost | share | not spent |
| --- | ---: | ---: | ---: | ---: |
| a click on Destroy | 1 | $48.00 | 44 % | $2.00 |
| use | 2 | $12.00 | 11 % | $0.00 |
| the end of the lease | 1 | $50.00 | 45 % | $0.00 |
| not seen any more | 0 | $0.00 | 0 % | $0.00 |\
""")
