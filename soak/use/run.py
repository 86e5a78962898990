"""Runs a plan of use through the real engine, probe runs and store.

Only the clock, the probe and Slack are replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.lifecycle.actions import ending, leasing
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.changes.snapshot import cost_by_use, load_snapshot
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.facts import AccountFacts
from bot.model.machine_use import Missed
from bot.model.person import Key, Person
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.hours import zone_of
from bot.policy.team.rules import AutoApprove, Limits, Rules
from bot.policy.use.questions import unanswered
from soak.use.checks import STEP
from soak.use.plan import Answer, Decision, PlannedRental, UsePlan, Work
from soak.use.record import Life, Record, Unmanaged
from tests.lifecycle.machines import Jobs
from tests.lifecycle.world import BEN, PROBE, RULES, World, world

HOUR = timedelta(hours=1)
AWAKE = (7, 23)
"""The local hours between which people react to messages."""
BURST_EVERY, REST_EVERY = timedelta(minutes=15), timedelta(hours=2)
DECIDES_AFTER = HOUR
GENEROUS = changed(
    RULES,
    auto_approve=AutoApprove(per_hour=Decimal(1000), total=Decimal(100_000)),
    limits=Limits(per_person_rentals=1000, team_per_hour=Decimal(100_000)),
)
"""Rules under which no rental needs approval, because the simulation is only about the use of machines."""


@dataclass
class Running:
    """A rental of the plan, since its purchase."""

    planned: PlannedRental
    rental: Rental
    computed: list[datetime] = field(default_factory=list)
    job: str | None = None
    """The ID of the job that is running."""
    jobs_end: list[datetime] = field(default_factory=list)


async def simulate(url: str, plan: UsePlan, rules: Rules = GENEROUS, *, jobs: bool = False) -> Record:
    """Run a plan on a new database at `url` until every lease is over, and return what happened.

    With `jobs`, people start their work with gpubot-run, so that the bot learns when it ends.
    """
    async with world(url, rules=rules, probe_line=PROBE) as here:
        return await Simulation(here, plan, jobs=jobs).run()


class Simulation:
    """Simulates people, machines and the bot step by step."""

    def __init__(self, here: World, plan: UsePlan, *, jobs: bool = False) -> None:
        self._here = here
        self._jobs = jobs
        self._plan = plan
        self._began = here.now
        self._people = [Person(id=f"U0P{n:03}", name=f"P{n}", tz=zone) for n, zone in enumerate(plan.zones)]
        self._to_rent = list(plan.rentals)
        self._to_add = list(plan.unmanaged)
        self._added: dict[str, datetime] = {}
        """The time at which each unmanaged machine was added, by resource ID."""
        self._not_swept: set[str] = set()
        """The unmanaged machines that were added after the bot last searched the account for such machines.

        The bot does so every 5 minutes, which is one step.
        """
        self._running: list[Running] = []

    async def run(self) -> Record:
        await self._invite()
        while self._to_rent or self._to_add or any(not one.rental.state.over for one in self._running):
            await self._step()
        return await self._record()

    async def _invite(self) -> None:
        here = self._here
        async with here.deps.store.write() as tx:
            await tx.people.put(changed(BEN, tz="Europe/Berlin"), here.now)
            for person in self._people:
                await tx.people.put(person, here.now)
                key = Key(line=here.outside.public_key, comment="", fingerprint=person.id)
                await tx.people.add_key(person.id, key)

    async def _step(self) -> None:
        """Move the clock by a step, let the bot do everything that is due, and let people react."""
        here = self._here
        here.jump(self._until_next())
        await self._rent_and_add()
        live = [one for one in self._running if not one.rental.state.over]
        for one in live:
            if one.rental.state is State.READY:
                self._compute(one)
        await here.settle()
        if self._not_swept:
            await here.sweep()
            self._not_swept.clear()
        async with here.deps.store.read() as tx:
            stored = await tx.rentals.get_many([one.rental.id for one in live])
        for one in live:
            one.rental = stored[one.rental.id]
            if one.rental.state is State.READY:
                await self._act(one)

    def _until_next(self) -> timedelta:
        """Return the length of the next step.

        If no machine runs, this is the time until the next planned event.
        """
        if any(not one.rental.state.over for one in self._running):
            return STEP
        planned = min([*(one.at for one in self._to_rent[:1]), *self._to_add[:1]])
        return max(self._began + planned - self._here.now, STEP)

    async def _rent_and_add(self) -> None:
        """Rent the machines, and add the unmanaged machines, that are due according to the plan."""
        here, passed = self._here, self._here.now - self._began
        while self._to_rent and self._to_rent[0].at <= passed:
            planned = self._to_rent.pop(0)
            rental = await here.get(
                person=self._people[planned.person],
                lease=planned.lease,
                count=planned.gpus,
                probe=planned.work is not Work.NO_PROBE,
                until_done=self._jobs and planned.until_done,
            )
            self._running.append(Running(planned, rental))
        while self._to_add and self._to_add[0] <= passed:
            self._to_add.pop(0)
            added = await here.outside.control("resources", name="by-hand", gpu_type="H100", rate="2.10")
            self._added[str(added["resource_id"])] = here.now
            self._not_swept.add(str(added["resource_id"]))

    def _compute(self, one: Running) -> None:
        """Make the machine's probe report its current use."""
        here, planned = self._here, one.planned
        machine, ran = here.machines[one.rental], here.now - one.rental.running_lease.ready_at
        if planned.work is Work.UNSEEN:
            machine.misses(Missed.REFUSED)
            return
        works = _works(planned, ran)
        if works:
            one.computed.append(here.now)
        if self._jobs:
            self._run_jobs(one, works=works or planned.work is Work.SERVES)
        peers = ("peer",) if planned.work is Work.EDITOR_OPEN else ()
        machine.use(*[97 if works else 0] * planned.gpus, peers=peers)

    def _run_jobs(self, one: Running, *, works: bool) -> None:
        """Start a job when the machine begins to work, and end it when the work ends."""
        here = self._here
        machine = here.machines[one.rental]
        machine.jobs = machine.jobs or Jobs(here.clock)
        if works and one.job is None:
            one.job = machine.jobs.start()
        elif not works and one.job is not None:
            machine.jobs.end(one.job)
            one.job = None
            one.jobs_end.append(here.now)

    async def _act(self, one: Running) -> None:
        """Let the owner and an approver react as planned, while the owner is awake."""
        here, planned, deps = self._here, one.planned, self._here.deps
        asked = one.rental.running_lease.question.asked
        local = here.now.astimezone(ZoneInfo(self._plan.zones[planned.person]))
        if asked is None or asked.first_at is None or not AWAKE[0] <= local.hour < AWAKE[1]:
            return
        owner = self._people[planned.person]
        if here.now >= asked.last_at + planned.answers_after:
            match planned.answer:
                case Answer.DESTROY:
                    await carry_out(deps, owner, ending.Destroy(one.rental.id))
                    return
                case Answer.KEEP:
                    await carry_out(deps, owner, leasing.Keep(one.rental.id, HOUR))
                    return
                case Answer.EXTEND if one.rental.running_lease.ends_at - here.now < 2 * HOUR:
                    await carry_out(deps, owner, leasing.Extend(one.rental.id, 2 * HOUR))
                    return
        since = asked.approvers_at
        if since is None or here.now < since + DECIDES_AFTER or unanswered(one.rental, one.rental.use) is None:
            return
        match planned.decision:
            case Decision.DESTROY:
                await carry_out(deps, BEN, ending.Destroy(one.rental.id))
            case Decision.ASK_AGAIN:
                await carry_out(deps, BEN, leasing.AskOwnerAgain(one.rental.id))
            case Decision.LEAVE:
                await carry_out(deps, BEN, leasing.LeaveAlone(one.rental.id))

    async def _record(self) -> Record:
        here, lives = self._here, []
        for one in self._running:
            async with here.deps.store.read() as tx:
                events = await tx.events.of(one.rental.id)
                snapshot = await load_snapshot(tx, one.rental)
            if one.rental.lease is None:
                continue
            lives.append(
                Life(
                    rental=one.rental,
                    events=tuple(events),
                    zone=zone_of(self._plan.zones[one.planned.person], here.deps.rules),
                    computed=tuple(one.computed),
                    cost=cost_by_use(snapshot, events, here.now),
                    jobs_end=tuple(one.jobs_end),
                )
            )
        notified = {
            event.facts.resource_id: event.at
            for event in await here.account_history()
            if isinstance(event.facts, AccountFacts) and event.kind is EventKind.UNMANAGED_MACHINE
        }
        alive = {resource["resource_id"] for resource in await here.alive()}
        return Record(
            rules=here.deps.rules,
            lives=tuple(lives),
            unmanaged=tuple(Unmanaged(at, notified.get(resource_id)) for resource_id, at in self._added.items()),
            left_alive=len(alive - self._added.keys()),
        )


def _works(planned: PlannedRental, ran: timedelta) -> bool:
    """Return whether a machine that became ready `ran` ago computes now."""
    match planned.work:
        case Work.TRAINS | Work.NO_PROBE:
            return True
        case Work.NEVER_USED | Work.UNSEEN:
            return False
        case Work.SERVES:
            return ran % BURST_EVERY < STEP
        case Work.COMES_AND_GOES:
            return ran // REST_EVERY % 2 == 0
    return ran < planned.works_for
