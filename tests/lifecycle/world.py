"""The whole lifecycle without Slack: a real store, the engine, and the real market client against the sandbox.

Bot time and wall-clock time stand still and are moved together. `pass_time` runs everything that becomes due in
that time. `jump` skips it, as if the bot was down. Queued messages are delivered immediately, unless
`slack_is_down`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import String, bindparam, case, cast, func, select, type_coerce, update
from typing_extensions import override

from bot.clock import MovedClock
from bot.lifecycle.account.sweep import sweep
from bot.lifecycle.actions import deciding, ending, leasing, quoting, renting
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.loops.due import DueLoop
from bot.lifecycle.loops.overdue import OverdueDeletion
from bot.lifecycle.loops.probe_runs import ProbeRuns
from bot.lifecycle.money.buying_blocks import note_token
from bot.lifecycle.steps.polling import soonest
from bot.market.client import ComputeClear
from bot.market.transport import TIMEOUTS, Timeouts
from bot.model.attempt import NAMED
from bot.model.event import EventKind
from bot.model.message import NextCall, to_response_url
from bot.model.person import Channel, Key, Person
from bot.model.quote import Quote, WaitlistEntry
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from bot.policy.buying.resource_names import make_name
from bot.policy.team.rules import Approvers, Rules, Webhook
from bot.probe.prober import SshProber
from soak.databases import spare_the_disk
from store.db import Database, Written
from store.tables import messages, rentals
from tests.budgets import check_budgets
from tests.lifecycle.engine import Engine
from tests.lifecycle.machines import Machines
from tests.lifecycle.reader import WorldReader
from tests.sandbox.compute_world import NOON, ComputeWorld

HOME, TRAINING = "C0HOME", "C0TRAIN"
REPLY_TO = to_response_url("https://slack.test/reply")
ANA = Person(id="U0ANA", name="Ana")
BEN = Person(id="U0BEN", name="Ben")
CLEO = Person(id="U0CLEO", name="Cleo")
DORA = Person(id="U0DORA", name="Dora")
"""An approver without a key."""
HOOK = "https://hooks.example.com/gpubot"
"""The URL of a webhook that receives all events. Nothing sends them."""
RULES = Rules(
    admins=(CLEO.id,),
    approvers=Approvers(people=(BEN.id, DORA.id)),
    home_channel=HOME,
    webhooks=(Webhook(url=HOOK),),
)
PROBE = "restrict ssh-ed25519 AAAA gpubot-probe"
"""The line of authorized_keys that startup scripts install if machines are to be probed."""
FOREVER = NOON.replace(year=2100)

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


_c = messages.c
_NOW = bindparam("now", type_=_c.due_at.type)
_MARK_POSTED = (
    update(messages)
    .where(_c.due_at <= _NOW)
    .values(
        shown_version=_c.target_version,
        due_at=None,
        urgent=False,
        version_at_start=None,
        next_call=case((_c.next_call.in_([NextCall.POST, NextCall.FIND]), NextCall.EDIT), else_=_c.next_call),
        digest="shown",
        posted_at=func.coalesce(_c.posted_at, _NOW),
        channel=func.coalesce(_c.channel, type_coerce(_c.to, _c.channel.type)),
        ts=func.coalesce(_c.ts, cast(_c.id, String) + ".0"),
    )
)
"""Stores for all queued messages what delivery would store if Slack had accepted them."""
_NEXT_MESSAGE = select(func.min(_c.due_at))
_MAKE_DUE = update(rentals).where(rentals.c.id == bindparam("key")).values(due_at=bindparam("at"))


class Clock(MovedClock):
    """A clock whose wall-clock time moves along with the bot time, so that no test waits."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.paused = asyncio.Event()
        """Set once something pauses for a wall-clock time."""

    def real(self) -> datetime:
        return self.now()

    @override
    async def pause(self, seconds: float) -> None:
        """Return at once."""
        self.paused.set()
        await super().pause(0)


class KnownChannels:
    """The channels that the bot is a member of."""

    def __init__(self, *channels: str) -> None:
        self._channels = {channel: Channel(id=channel, member=True) for channel in channels}

    async def get(self, channel: str) -> Channel:
        return self._channels.get(channel, Channel(id=channel, member=False))


class KnownPeople:
    """The people in Slack. The store learns about a change when the bot asks Slack."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self.changed: dict[str, Person] = {}
        self.asked_anew: list[str] = []
        """The people about whom Slack was asked even though the store had an answer."""
        self.answers = True
        """True if Slack answers these requests."""
        self.groups: dict[str, frozenset[str] | None] = {}
        """The members of user groups. None: Slack doesn't answer."""

    async def refresh(self, user_ids: Collection[str]) -> None:
        async with self._store.write() as tx:
            for user_id in set(user_ids) & self.changed.keys():
                await tx.people.put(self.changed[user_id], FOREVER)

    async def ask_anew(self, user_id: str) -> bool:
        self.asked_anew.append(user_id)
        if self.answers:
            await self.refresh([user_id])
        return self.answers

    async def members(self, group: str) -> frozenset[str] | None:
        return self.groups.get(group)


class World(WorldReader):
    """The bot with its simulated outside. Created by `world`."""

    def __init__(
        self,
        deps: StepDeps,
        database: Database,
        outside: ComputeWorld,
        clock: Clock,
        *,
        people: KnownPeople,
        machines: Machines,
    ) -> None:
        self.people = people
        self.machines = machines
        """The simulated machines, by rental: `world.machines[rental].use(98)`."""
        self.database = database
        self.outside = outside
        self.clock = clock
        self.slack_is_down = False
        """True if queued messages aren't delivered."""
        self._next_message: datetime | None = None
        """The time at which the next queued message is due."""
        self.restart(deps)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    # --- time

    def jump(self, span: timedelta) -> None:
        """Move both clocks without running what becomes due in that time."""
        self.outside.clock.jump(span.total_seconds())
        self.clock.put(self.outside.clock.now())

    async def settle(self) -> None:
        """Run what is due until nothing is."""
        await self._run_due()

    def look_again(self) -> None:
        """Make each loop read what is due, as it does every few seconds even if nothing wakes it."""
        self._next_due.clear()

    async def _run_due(self) -> datetime | None:
        """Run what is due until nothing is. Return the time at which the next row is due.

        A pass begins when the loop's own would: once its next row is due, or a commit wakes it.
        """
        for _ in range(200):
            await self._run_pass(*self.engine.loops)
            await self._run_pass(self.probe_runs)
            if self.overdue.due():
                await self.overdue.delete_overdue()
            if not self.slack_is_down:
                await self._deliver_due()
            if not any(self._awake(loop) for loop in self._loops):
                return soonest(*(self._next_due[loop] for loop in self._loops))
        raise AssertionError("something is due for ever")

    async def _run_pass(self, *loops: DueLoop[Any]) -> None:
        for loop in filter(self._awake, loops):
            loop._wake.clear()
            self._next_due[loop] = await loop.run_pass()
        for loop in loops:
            await loop.drain()

    def _awake(self, loop: DueLoop[Any]) -> bool:
        due = self._next_due.get(loop, self.now)
        return loop._wake.is_set() or (due is not None and due <= self.now)

    @property
    def _loops(self) -> tuple[DueLoop[Any], ...]:
        return *self.engine.loops, self.probe_runs

    async def deliver_all(self) -> None:
        """Mark all queued messages as posted."""
        self._queued = False
        async with self.database.engines.writer.begin() as conn:
            await conn.execute(_MARK_POSTED, {"now": self.now})
            self._next_message = await conn.scalar(_NEXT_MESSAGE)

    async def _deliver_due(self) -> None:
        """Mark all queued messages as posted, if there may be any."""
        if self._queued or (self._next_message is not None and self._next_message <= self.now):
            await self.deliver_all()

    def _note_messages(self) -> None:
        self._queued = True

    def restart(self, deps: StepDeps) -> None:
        """Restart the bot with other dependencies."""
        self.deps = deps
        self.engine = Engine(deps)
        self.overdue = OverdueDeletion(deps)
        self.probe_runs = ProbeRuns(deps)
        self._next_due: dict[DueLoop[Any], datetime | None] = {}
        """The time at which the next row of each loop is due, as its last pass returned it."""
        self._queued = True
        """True if messages were written since the queued messages were last read."""
        deps.store.on_commit(self._note_messages, Written.MESSAGES)

    async def pass_time(self, span: timedelta, until: Callable[[], Any] | None = None) -> None:
        """Let time pass and run everything that becomes due. Stop early once `until` is true."""
        target = self.now + span
        due = await self._run_due()
        while (next_at := soonest(due, self.overdue.next_at)) is not None and next_at <= target:
            self.jump(max(next_at - self.now, timedelta(0)))
            due = await self._run_due()
            if until is not None and await until():
                return
        if until is None:
            self.jump(target - self.now)
            await self.settle()

    async def be_down(self, span: timedelta) -> None:
        """Let time pass while the bot is down, then run what is due."""
        self.jump(span)
        await self.settle()

    async def until(self, rental: Rental | str, *states: State, within: timedelta = HOUR) -> Rental:
        """Let time pass until the rental is in one of these states."""
        rental_id = rental if isinstance(rental, str) else rental.id

        async def arrived() -> bool:
            return (await self.rental(rental_id)).state in states

        await self.settle()
        if not await arrived():
            latest = self.now + within
            if State.READY in states:
                await self._skip_polls(rental_id, within, arrived)
            await self.pass_time(latest - self.now, arrived)
        found = await self.rental(rental_id)
        assert found.state in states, f"{found.state}: {await self.event_kinds(rental_id)}"
        return found

    async def _skip_polls(self, rental_id: str, within: timedelta, arrived: Callable[[], Awaitable[bool]]) -> None:
        """Let time pass until the bot knows the rental's machines. Then make the rental due when they run.

        Each poll before that would only find that they are still starting.
        """
        run_at: list[datetime] = []

        async def known() -> bool:
            rental = await self.rental(rental_id)
            stored = {one.resource_id for one in await self.resources(rental) if one.status != NAMED}
            machines = [one for key, one in self.outside.sandbox.market.machines.items() if key in stored]
            run_at[:] = [one.runs_at for one in machines if one.runs_at is not None and one.runs_at > self.now]
            return bool(run_at) or await arrived()

        await self.pass_time(within, known)
        if run_at:
            async with self.database.engines.writer.begin() as conn:
                await conn.execute(_MAKE_DUE, {"key": rental_id, "at": max(run_at)})
            self.look_again()

    async def until_event(self, rental: Rental, kind: EventKind, within: timedelta = HOUR) -> Rental:
        """Let time pass until the rental has another event of this kind."""
        before = (await self.event_kinds(rental)).count(kind)

        async def happened() -> bool:
            return (await self.event_kinds(rental)).count(kind) > before

        await self.pass_time(within, happened)
        assert await happened(), await self.event_kinds(rental)
        return await self.rental(rental.id)

    # --- what people do

    async def ask(
        self,
        person: Person = ANA,
        *,
        changes: str | None = None,
        now: bool = False,
        typed: WaitlistEntry | None = None,
        **fields: Any,
    ) -> Quote:
        """Request offers, and return the quote with the offers that were found.

        Args:
            now: True to rent the recommended offer immediately.
            typed: The options for waiting that the person typed.
        """
        request = Request(**{"gpu": "H100", "region": "EU", "lease": 2 * HOUR, **fields})
        quote = await carry_out(
            self.deps,
            person,
            quoting.Ask(
                request,
                asked_in=TRAINING,
                direct=False,
                reply_to=REPLY_TO,
                changes=changes,
                rent_now=now,
                waitlist_entry=typed,
            ),
        )
        await self.settle()
        return await self.quote(quote.id)

    async def rent(
        self, quote: Quote, vendor: str | None = None, person: Person = ANA, *, settle: bool = True
    ) -> Rental:
        """Rent the first offer, or the first offer of a vendor."""
        offer = next(o for o in quote.offers if vendor in (None, o.vendor))
        rental = (await carry_out(self.deps, person, renting.Rent(quote.id, offer.offer_id, another=True))).rental
        if settle:
            await self.settle()
        return await self.rental(rental.id)

    async def get(self, *, person: Person = ANA, **fields: Any) -> Rental:
        """Request offers and rent the first one."""
        return await self.rent(await self.ask(person, **fields), person=person)

    async def ready(self, **fields: Any) -> Rental:
        """Return a new rental that is ready."""
        return await self.until(await self.get(**fields), State.READY)

    async def approve(self, rental: Rental, person: Person = BEN) -> Rental:
        """Approve the pending request."""
        return await self._decide(deciding.Approve, rental, person)

    async def deny(self, rental: Rental, person: Person = BEN) -> Rental:
        """Deny the pending request."""
        return await self._decide(deciding.Deny, rental, person)

    async def withdraw(self, rental: Rental, person: Person = ANA) -> Rental:
        return await self._decide(deciding.Withdraw, rental, person)

    async def _decide(self, decision: Any, rental: Rental, person: Person) -> Rental:
        current = await self.rental(rental.id)
        terms = current.extension.terms if current.extension else current.terms
        await carry_out(self.deps, person, decision(rental.id, terms.version))
        await self.settle()
        return await self.rental(rental.id)

    async def destroy(self, rental: Rental, person: Person = ANA, *, settle: bool = True) -> Rental:
        await carry_out(self.deps, person, ending.Destroy(rental.id))
        if settle:
            await self.settle()
        return await self.rental(rental.id)

    async def extend(
        self, rental: Rental, span: timedelta, person: Person = ANA, *, settle: bool = True
    ) -> Rental:
        await carry_out(self.deps, person, leasing.Extend(rental.id, span))
        if settle:
            await self.settle()
        return await self.rental(rental.id)

    async def keep(self, rental: Rental, span: timedelta, person: Person = ANA) -> Rental:
        await carry_out(self.deps, person, leasing.Keep(rental.id, span))
        await self.settle()
        return await self.rental(rental.id)

    async def sweep(self) -> None:
        """Run the sweep, and the steps that it schedules."""
        await sweep(self.deps)
        await self.settle()

    # --- what the outside does

    async def behaves(self, vendor: str, behaviour: str, **particulars: Any) -> None:
        """Set the behaviour of a vendor from now on. `*` means all vendors."""
        await self.outside.control(f"vendors/{vendor}", behaviour=behaviour, **particulars)

    async def fault(self, endpoint: str, kind: str, **particulars: Any) -> str:
        """Add a fault and return its id."""
        added = await self.outside.control("faults", endpoint=endpoint, kind=kind, **particulars)
        return str(added["id"])

    async def list_resources_as(self, resources: list[dict[str, Any]]) -> str:
        """Make Compute Clear list these resources instead of the account's.

        Returns the ID of the fault that does so.
        """
        body = json.dumps({"resources": resources, "total_count": len(resources)})
        return await self.fault("list_resources", "garbage", times=None, body=body)

    async def until_hit(self, fault: str) -> None:
        """Wait until a request has hit a fault."""
        answer = await self.outside.look(f"faults/{fault}?wait=20")
        assert answer["hits"] >= 1

    async def release(self, fault: str) -> None:
        """End a fault, and let the requests continue that it holds back."""
        await self.outside.control(f"faults/{fault}/release")

    async def vanish(self, rental: Rental, how: str) -> None:
        """Let the vendor take away the machines of a rental's newest attempt."""
        for resource in await self.alive():
            if resource["name"] == make_name(rental.id, rental.attempts, rental.owner):
                await self.outside.control(f"resources/{resource['resource_id']}/vanish", how=how)


@asynccontextmanager
async def world(
    url: str,
    *,
    rules: Rules = RULES,
    timeouts: Timeouts = TIMEOUTS,
    ssh_timeout: float = 1.0,
    probe_line: str = "",
) -> AsyncIterator[World]:
    """Yield a world at noon, in which Ana, Ben and Cleo have keys. Ben is an approver, and Cleo is an admin.

    Args:
        ssh_timeout: The wall-clock seconds that an SSH banner may take.
        probe_line: The line for the probe's key, such as PROBE. Without it, machines aren't probed.
    """
    outside = ComputeWorld()
    clock = Clock(outside.clock.now())
    await outside.start()
    store = await Database.open(url, claimant="world", clock=clock)
    spare_the_disk(store.engines.writer)
    market: ComputeClear | None = None
    try:
        machines = Machines(SshProber(seconds=ssh_timeout))
        channels, people = KnownChannels(TRAINING, HOME), KnownPeople(store)

        async def on_token(refused: bool) -> None:
            await note_token(deps, refused)

        market = ComputeClear(outside.url, SecretStr(outside.sandbox.token), clock, timeouts, on_token)
        deps = StepDeps(
            store=store,
            clock=clock,
            rules=rules,
            market=market,
            prober=machines,
            probe_line=probe_line,
            channels=channels,
            directory=people,
        )
        async with store.write() as tx:
            for person in (ANA, BEN, CLEO):
                key = Key(line=outside.public_key, comment="", fingerprint="F")
                await tx.people.put(person, clock.real())
                await tx.people.add_key(person.id, key)
        yield World(deps, store, outside, clock, people=people, machines=machines)
        await check_budgets(store)
    finally:
        if market is not None:
            await market.aclose()
        await store.close()
        await outside.stop()
