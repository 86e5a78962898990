"""The right to read a machine's use.

The owner, teammates and admins see the readings. All others only see the usage status and its start.
"""

from __future__ import annotations

from datetime import timedelta

from bot.clock import MovedClock
from bot.lifecycle.actions import queries
from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.event import Event, EventKind, facts_in
from bot.model.facts import UseFacts
from bot.model.job import Job, JobState, MachineJobs, Progress
from bot.model.machine_use import GpuUse, Missed, RecentUse, Sample, UsageStatus, Use
from bot.model.person import Person
from bot.model.records import Change
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.policy.team.rules import Approvers, Rules
from store.db import Database
from tests.databases import ON_SQLITE, START
from tests.events import facts_for
from tests.store import make
from tests.store.make import ANA, BEN

HOUR = timedelta(hours=1)
NOW = START + 3 * HOUR
GPUS = (GpuUse(index=0, highest=98), GpuUse(index=1, highest=0))
USE = Use(status=UsageStatus.IN_USE, since=START + HOUR, gpus=GPUS, connections=1, worked=True, idle_period=START)
BARE = Use(status=UsageStatus.IN_USE, since=START + HOUR, idle_period=START)
RULES = Rules(admins=("UADMIN",), approvers=Approvers(people=("UAPPROVER",)))


def changes(use: Use, kind: EventKind = EventKind.USE_CHANGED) -> Event:
    return make.event(kind, at=use.since, facts=facts_for(kind, status=use.status, since=use.since, use=use))


async def seen_by(deps: Deps, user_id: str) -> RentalDetails:
    return await queries.show(deps, Person(id=user_id, name=user_id), "k7mq2")


@ON_SQLITE
async def test_only_owner_teammates_and_admins_see_readings_and_history(
    database: Database, clock: MovedClock
) -> None:
    clock.put(NOW)
    deps = Deps(store=database, clock=clock, rules=RULES)
    rental = make.rental(state=State.READY, use=USE, teammates=(BEN,), attempts=1)
    await make.store_rental(database, rental, make.attempt())
    asked = changes(USE, EventKind.STILL_NEEDED)
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=rental, after=make.next_of(rental), events=(changes(USE), asked)))
        for minutes in (200, 4, 2, 0):
            peers = ("p1",) if minutes else ("p1", "p2")
            at = NOW - timedelta(minutes=minutes)
            await tx.samples.add(Sample(rental_id="k7mq2", at=at, gpus=GPUS, peers=peers))
        await tx.samples.add(Sample(rental_id="k7mq2", at=NOW - 30 * HOUR, gpus=GPUS))
    recent = RecentUse(gpus=GPUS, connections=1, new_connections=1, hours=(*(None,) * 20, 98, None, None, 98))
    for reader in (ANA, BEN, "UADMIN"):
        details = await seen_by(deps, reader)
        assert (details.rental.use, details.recent_use) == (USE, recent)
        kinds = [event.kind for event in details.events][-2:]
        assert kinds == [EventKind.USE_CHANGED, EventKind.STILL_NEEDED]
        live = await queries.live_rentals(deps, Person(id=reader, name=""), everyone=True, most=5)
        assert live.shown[0].rental.use == USE
    for reader in ("UOTHER", "UAPPROVER"):
        details = await seen_by(deps, reader)
        assert (details.rental.use, details.recent_use) == (BARE, None)
        assert [event.kind for event in details.events if isinstance(event.facts, UseFacts)] == [
            EventKind.STILL_NEEDED
        ]
        assert facts_in(details.events, UseFacts)[-1].use == BARE
        live = await queries.live_rentals(deps, Person(id=reader, name=""), everyone=True, most=5)
        assert live.shown[0].rental.use == BARE
    async with database.read() as tx:
        for_channel = await queries.details_for_message(tx, changed(rental, version=2), NOW)
    assert for_channel.rental.use == BARE
    assert {facts.use for facts in facts_in(for_channel.events, UseFacts)} == {BARE}


@ON_SQLITE
async def test_names_of_jobs_are_only_for_people_who_can_log_in(database: Database, clock: MovedClock) -> None:
    """Admins also see the progress. Everybody in the card's channel sees it on the card."""
    clock.put(NOW)
    deps = Deps(store=database, clock=clock, rules=RULES)
    job = Job(id="0.a", uid=0, name="python train.py", state=JobState.RUNNING, began_at=START)
    jobs, progress = MachineJobs(jobs=(job,)), Progress(text="step 1", at=START)
    rental = make.rental(state=State.READY, teammates=(BEN,), attempts=1, jobs=jobs, progress=progress)
    await make.store_rental(database, rental, make.attempt())
    async with database.write() as tx:
        await tx.rentals.note_progress(rental.id, progress)
    for reader, seen in (
        (ANA, (jobs, progress)),
        (BEN, (jobs, progress)),
        ("UADMIN", (None, progress)),
        ("UAPPROVER", (None, None)),
        ("UOTHER", (None, None)),
    ):
        shown = (await seen_by(deps, reader)).rental
        live = await queries.live_rentals(deps, Person(id=reader, name=""), everyone=True, most=5)
        assert (shown.jobs, shown.progress) == seen
        assert (live.shown[0].rental.jobs, live.shown[0].rental.progress) == seen
    async with database.read() as tx:
        stored = await tx.rentals.get(rental.id)
        assert stored is not None
        for_channel = await queries.details_for_message(tx, stored, NOW)
    assert (for_channel.rental.jobs, for_channel.rental.progress) == (None, progress)


@ON_SQLITE
async def test_nobody_sees_a_usage_status_without_enough_readings(database: Database, clock: MovedClock) -> None:
    clock.put(NOW)
    deps = Deps(store=database, clock=clock, rules=RULES)
    early = Use(status=UsageStatus.UNKNOWN, since=START)
    blind = changed(early, why=Missed.NO_ANSWER)
    for rental_id, use in (("aaaaa", early), ("bbbbb", blind)):
        await make.store_rental(database, make.rental(rental_id, state=State.READY, use=use))
    for reader, seen in ((ANA, [None, blind]), ("UOTHER", [None, early])):
        live = await queries.live_rentals(deps, Person(id=reader, name=""), everyone=True, most=5)
        assert [summary.rental.use for summary in live.shown] == seen
