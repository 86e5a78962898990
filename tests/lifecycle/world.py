"""The lifecycle whole, without Slack: a real store, the real marketplace client against the sandbox, the engine.

Two clocks stand still and are moved together. `pass_time` goes through everything that becomes due on the way, as
time does; `jump` lets the bot oversleep. Whoever wakes up reads what was queued for Slack at once, unless
`unread` says that Slack takes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from bot.clock import MovedClock
from bot.lifecycle.account import note_token
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.engine import Engine
from bot.lifecycle.overdue import OverdueDeletion
from bot.lifecycle.service import deciding, ending, leasing, quoting, renting
from bot.lifecycle.steps.polling import soonest
from bot.lifecycle.sweep import sweep
from bot.market.client import TIMEOUTS, ComputeClear, Timeouts
from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.message import Message, MessageKind
from bot.model.person import Channel, Key, Person
from bot.model.quote import Quote
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from bot.policy.rules import Approvers, Rules
from bot.probe.banner import SshProber
from store.db import Database
from tests.sandbox.compute_world import NOON, ComputeWorld

HOME, TRAINING = "C0HOME", "C0TRAIN"
ANA = Person(id="U0ANA", name="Ana")
BEN = Person(id="U0BEN", name="Ben")
CLEO = Person(id="U0CLEO", name="Cleo")
DORA = Person(id="U0DORA", name="Dora")
"""Approves too, and has no key."""
RULES = Rules(admins=(CLEO.id,), approvers=Approvers(people=(BEN.id, DORA.id)), home_channel=HOME)
FOREVER = NOON.replace(year=2100)

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


class Clock(MovedClock):
    """The wall moves along with our time, so that nothing has to be waited for."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.paused = asyncio.Event()
        """Set once somebody waits for the wall."""

    def real(self) -> datetime:
        return self.now()

    async def pause(self, seconds: float) -> None:
        """A moved wall needs no waiting."""
        self.paused.set()
        await super().pause(0)


class KnownChannels:
    """Channels that the bot is a member of."""

    def __init__(self, *channels: str) -> None:
        self._channels = {channel: Channel(id=channel, member=True) for channel in channels}

    async def get(self, channel: str) -> Channel:
        return self._channels.get(channel, Channel(id=channel, member=False))


class World:
    """Use `world`."""

    def __init__(self, deps: StepDeps, market: ComputeClear, outside: ComputeWorld, clock: Clock) -> None:
        self.deps = deps
        self.outside = outside
        self.clock = clock
        self.unread = False
        self.engine = Engine(deps, claimant="world")
        self.overdue = OverdueDeletion(deps)
        self._market = market

    @property
    def now(self) -> datetime:
        return self.clock.now()

    # --- time -----------------------------------------------------------------------------------------------

    def jump(self, span: timedelta) -> None:
        """Moves both clocks; nothing is done on the way."""
        self.outside.clock.jump(span.total_seconds())
        self.clock.put(self.outside.clock.now())

    async def settle(self) -> None:
        """Does what is due until nothing is."""
        for _ in range(200):
            await self.engine.run_pass()
            await self.engine.drain()
            if self.overdue.due():
                await self.overdue.delete_overdue()
            if not self.unread:
                await self.read_all()
            due = await self.engine.next_due()
            if due is None or due > self.now:
                return
        raise AssertionError("something is due for ever")

    def works_with(self, deps: StepDeps) -> None:
        """From now on the bot has these works, as after a restart."""
        self.deps = deps
        self.engine = Engine(deps, claimant="another")
        self.overdue = OverdueDeletion(deps)

    async def pass_time(self, span: timedelta, until: Callable[[], Any] | None = None) -> None:
        """Lets time pass, and everything happen at its time."""
        target = self.now + span
        await self.settle()
        while (due := soonest(await self.engine.next_due(), self.overdue.next_at)) is not None and due <= target:
            self.jump(max(due - self.now, timedelta(0)))
            await self.settle()
            if until is not None and await until():
                return
        if until is None:
            self.jump(target - self.now)
            await self.settle()

    async def oversleep(self, span: timedelta) -> None:
        """Nothing is done for a while, then what is due."""
        self.jump(span)
        await self.settle()

    async def until(self, rental: Rental | str, *states: State, within: timedelta = HOUR) -> Rental:
        """Lets time pass until the rental is in one of these states."""
        rental_id = rental if isinstance(rental, str) else rental.id

        async def arrived() -> bool:
            return (await self.rental(rental_id)).state in states

        await self.settle()
        if not await arrived():
            await self.pass_time(within, arrived)
        found = await self.rental(rental_id)
        assert found.state in states, f"{found.state}: {await self.details(rental_id)}"
        return found

    async def until_told(self, rental: Rental, kind: EventKind, within: timedelta = HOUR) -> Rental:
        """Lets time pass until something more of this kind has happened to the rental."""
        before = (await self.details(rental)).count(kind)

        async def happened() -> bool:
            return (await self.details(rental)).count(kind) > before

        await self.pass_time(within, happened)
        assert await happened(), await self.details(rental)
        return await self.rental(rental.id)

    # --- what people do -------------------------------------------------------------------------------------

    async def ask(
        self, person: Person = ANA, *, changes: str | None = None, now: bool = False, **wish: Any
    ) -> Quote:
        """Asks, and answers the quote with what was found."""
        request = Request(**{"gpu": "H100", "region": "EU", "lease": 2 * HOUR, **wish})
        quote = await quoting.ask(
            self.deps,
            person,
            request,
            asked_in=TRAINING,
            direct=False,
            reply_url="https://slack.test/reply",
            changes=changes,
            rent_now=now,
        )
        await self.settle()
        return await self.quote(quote.id)

    async def rent(
        self, quote: Quote, vendor: str | None = None, person: Person = ANA, *, settle: bool = True
    ) -> Rental:
        """Clicks on the first offer, or on a vendor's."""
        offer = next(o for o in quote.offers if vendor in (None, o.vendor))
        rental = await renting.rent(self.deps, person, quote.id, offer.offer_id, another=True)
        if settle:
            await self.settle()
        return await self.rental(rental.id)

    async def get(self, *, person: Person = ANA, **wish: Any) -> Rental:
        """Asks, and rents the first offer."""
        return await self.rent(await self.ask(person, **wish), person=person)

    async def ready(self, **wish: Any) -> Rental:
        """A machine that is in use."""
        return await self.until(await self.get(**wish), State.READY)

    async def approve(self, rental: Rental, person: Person = BEN) -> Rental:
        """Approves what waits now."""
        return await self._decide(deciding.approve, rental, person)

    async def deny(self, rental: Rental, person: Person = BEN) -> Rental:
        """Denies what waits now."""
        return await self._decide(deciding.deny, rental, person)

    async def withdraw(self, rental: Rental, person: Person = ANA) -> Rental:
        return await self._decide(deciding.withdraw, rental, person)

    async def _decide(self, decision: Any, rental: Rental, person: Person) -> Rental:
        current = await self.rental(rental.id)
        envelope = current.extension.envelope if current.extension else current.envelope
        await decision(self.deps, person, rental.id, envelope.version)
        await self.settle()
        return await self.rental(rental.id)

    async def destroy(self, rental: Rental, person: Person = ANA) -> Rental:
        await ending.destroy(self.deps, person, rental.id)
        await self.settle()
        return await self.rental(rental.id)

    async def extend(self, rental: Rental, span: timedelta, person: Person = ANA) -> Rental:
        await leasing.extend(self.deps, person, rental.id, span)
        await self.settle()
        return await self.rental(rental.id)

    async def keep(self, rental: Rental, span: timedelta, person: Person = ANA) -> Rental:
        await leasing.keep(self.deps, person, rental.id, span)
        await self.settle()
        return await self.rental(rental.id)

    async def sweep(self) -> None:
        """Compares the account with the store, and does what follows from it."""
        await sweep(self.deps)
        await self.settle()

    # --- what the outside does ------------------------------------------------------------------------------

    async def behaves(self, vendor: str, behaviour: str, **particulars: Any) -> None:
        """How a vendor behaves from now on; `*` is all."""
        await self.outside.control(f"vendors/{vendor}", behaviour=behaviour, **particulars)

    async def fault(self, endpoint: str, kind: str, **particulars: Any) -> str:
        """Adds a fault; its id."""
        added = await self.outside.control("faults", endpoint=endpoint, kind=kind, **particulars)
        return str(added["id"])

    async def met(self, fault: str) -> None:
        """Waits until a fault has met its request."""
        answer = await self.outside.look(f"faults/{fault}?wait=20")
        assert answer["hits"] >= 1

    async def release(self, fault: str) -> None:
        """Lets go what a fault holds, and ends the fault."""
        await self.outside.control(f"faults/{fault}/release")

    async def vanish(self, rental: Rental, how: str) -> None:
        """The vendor takes the machines of a rental's newest attempt back."""
        for resource in await self.alive():
            if resource["name"] == f"gpubot-{rental.id}-{rental.attempts}":
                await self.outside.control(f"resources/{resource['resource_id']}/vanish", how=how)

    # --- what is then true ----------------------------------------------------------------------------------

    async def read_all(self) -> None:
        """Slack takes all that is queued, and people see it."""
        async with self.deps.store.read() as tx:
            waiting = await tx.messages.due(self.now, 1000)
        if not waiting:
            return
        async with self.deps.store.write() as tx:
            for message in waiting:
                posted: dict[str, Any] = {"shown_version": message.target_version, "due_at": None}
                if message.posted_at is None:
                    posted |= {"posted_at": self.now, "channel": message.to.value, "ts": f"{message.id}.0"}
                await tx.messages.save(changed(message, **posted))

    async def rental(self, rental_id: str) -> Rental:
        async with self.deps.store.read() as tx:
            found = await tx.rentals.get(rental_id)
        assert found is not None
        return found

    async def rentals(self) -> list[Rental]:
        """Return all rentals there ever were, oldest first."""
        ids = dict.fromkeys(event.rental_id for event in await self.history() if event.rental_id is not None)
        async with self.deps.store.read() as tx:
            return list((await tx.rentals.get_many(list(ids))).values())

    async def quote(self, quote_id: str) -> Quote:
        async with self.deps.store.read() as tx:
            found = await tx.quotes.get(quote_id)
        assert found is not None
        return found

    async def events(self, rental: Rental | str) -> list[Event]:
        async with self.deps.store.read() as tx:
            return await tx.events.of(rental if isinstance(rental, str) else rental.id)

    async def details(self, rental: Rental | str) -> list[EventKind]:
        """What happened to it, in order."""
        return [event.kind for event in await self.events(rental)]

    async def history(self) -> list[Event]:
        """Return every event, in order."""
        found, event_id = [], 1
        async with self.deps.store.read() as tx:
            while (event := await tx.events.get(event_id)) is not None:
                found.append(event)
                event_id += 1
        return found

    async def account_history(self) -> list[Event]:
        """Return the events of the account as a whole."""
        return [event for event in await self.history() if event.rental_id is None]

    async def account_events(self) -> list[EventKind]:
        """The same by kind."""
        return [event.kind for event in await self.account_history()]

    async def account_event(self, kind: EventKind) -> Event:
        """The last of a kind."""
        return [event for event in await self.account_history() if event.kind is kind][-1]

    async def said(self, rental: Rental | str, kind: EventKind) -> Event:
        """The last event of a kind."""
        return [event for event in await self.events(rental) if event.kind is kind][-1]

    async def attempts(self, rental: Rental) -> list[Attempt]:
        async with self.deps.store.read() as tx:
            return await tx.rentals.attempts(rental.id)

    async def resources(self, rental: Rental) -> list[Resource]:
        async with self.deps.store.read() as tx:
            return await tx.rentals.resources(rental.id)

    async def ledger(self, rental: Rental) -> list[LedgerRow]:
        async with self.deps.store.read() as tx:
            return await tx.rentals.ledger(rental.id)

    async def direct(self, rental: Rental) -> list[tuple[str, EventKind]]:
        """Who was told what by direct message."""
        async with self.deps.store.read() as tx:
            messages: list[Message] = await tx.messages.direct_of(rental.id)
            told = []
            for message in messages:
                event = await tx.events.get(message.event_id or 0)
                assert event is not None
                told.append((message.to.value, event.kind))
        return told

    async def notices(self, kind: EventKind) -> list[tuple[str, Event]]:
        """Who got a notice of this kind, in order."""
        found = []
        async with self.deps.store.read() as tx:
            for number in range(1, 2000):
                message = await tx.messages.get(number)
                if message is not None and message.kind is MessageKind.NOTICE:
                    event = await tx.events.get(message.event_id or 0)
                    if event is not None and event.kind is kind:
                        found.append((message.to.value, event))
        return found

    async def alive(self) -> list[dict[str, Any]]:
        """The account's resources that bill."""
        account = await self.outside.look("account")
        return [resource for resource in account["resources"] if resource["alive"]]

    async def bought(self) -> list[str]:
        """From whom something was bought, in order."""
        return [offer["vendor"] for offer in (await self.outside.look("account"))["offers_bought"]]

    async def bill(self) -> int:
        """Micro-dollars, by the vendors' own count."""
        return int((await self.outside.look("bill"))["total_micros"])

    async def calls(self, endpoint: str) -> list[dict[str, Any]]:
        """The calls that the marketplace got at an endpoint."""
        found: list[dict[str, Any]] = (await self.outside.look(f"traffic?after=0&endpoint={endpoint}"))["requests"]
        return found


@asynccontextmanager
async def world(
    url: str, *, rules: Rules = RULES, timeouts: Timeouts = TIMEOUTS, knock: float = 1.0
) -> AsyncIterator[World]:
    """A world at noon. `knock` is how many real seconds an SSH banner may take.

    Ana, Ben and Cleo have keys; Ben approves, Cleo is an admin.
    """
    outside = ComputeWorld()
    clock = Clock(outside.clock.now())
    await outside.start()
    store = await Database.open(url, claimant="world", clock=clock)
    market: ComputeClear | None = None
    try:
        channels = KnownChannels(TRAINING, HOME)

        async def on_token(refused: bool) -> None:
            await note_token(deps, refused)

        market = ComputeClear(outside.url, SecretStr(outside.sandbox.token), clock, timeouts, on_token)
        deps = StepDeps(
            store=store,
            clock=clock,
            rules=rules,
            market=market,
            prober=SshProber(seconds=knock),
            channels=channels,
        )
        async with store.write() as tx:
            for person in (ANA, BEN, CLEO):
                key = Key(line=outside.public_key, comment="", fingerprint="F", set_at=NOON)
                await tx.people.put(person, clock.real())
                await tx.people.set_key(person.id, key)
        yield World(deps, market, outside, clock)
    finally:
        if market is not None:
            await market.aclose()
        await store.close()
        await outside.stop()
