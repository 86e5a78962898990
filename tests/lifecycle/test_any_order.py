"""Lets people, vendors, faults and time act in random order, and checks the invariants at the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from asyncssh import generate_private_key

from bot.errors import GpubotError
from bot.lifecycle.actions import account, ending, giving, keys, leasing, sharing, waiting
from bot.lifecycle.actions.action import carry_out
from bot.market.transport import Timeouts
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.facts import EndedFacts
from bot.model.person import Person
from bot.model.quote import WaitlistEntry
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.buying.resource_names import make_name
from tests.lifecycle.checks import check
from tests.lifecycle.engine import Engine
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, HOUR, MINUTE, RULES, World, world
from tests.store.make import REPLY_TO

RENTERS, EVERYONE = (ANA, BEN, CLEO), (ANA, BEN, CLEO, DORA)
ENDPOINTS = ("procure_offer", "offer_status", "list_resources", "get_resource", "delete_resource", "get_offers")
REFUSALS = {"procure_offer": (403, 404, 409, 410, 422, 429, 500), "delete_resource": (429, 500)}
BOUGHT_NOTHING = (404, 410, 422)
"""The answers after which a purchase certainly bought nothing. After any other answer, it may have."""
BEHAVIOURS = [
    "sold_out",
    "fails_with_resource",
    "late_resource",
    "partial",
    "reference_words",
    "slow",
    "fails_later",
    "no_price",
    "refuses_cloud_init",
    "refuses_cloud_init",
    "ignores_cloud_init",
]
DELETION_BEHAVIOURS = ("normal", "delete_500", "not_deleting")


class RandomActions:
    """Performs random actions one after the other. The same seed gives the same order."""

    def __init__(self, here: World, seed: int) -> None:
        self.here = here
        self.random = Random(seed)  # noqa: S311 - repeatable, and guards nothing

    async def act(self) -> None:
        """Perform one random action. Raises GpubotError if a person is refused."""
        pick = self.random
        self.here.slack_is_down = pick.random() < 0.1
        whole: list[Callable[[], Awaitable[object]]] = [self.time, self.time, self.rent, self.fault, self.vendor]
        whole += [self.here.sweep, self.restart, self.buying, self.token, self.keys, self.wait, self.wait]
        one: list[Callable[[Rental, Person], Awaitable[object]]] = [
            self.decide,
            self.decide,
            self.change,
            self.change_request,
            self.share,
            self.give,
            self.end,
        ]
        live = [rental for rental in await self.here.rentals() if not rental.state.over]
        if live and pick.random() < 0.4:
            await pick.choice(one)(pick.choice(live), pick.choice(EVERYONE))
        else:
            await pick.choice(whole)()

    async def time(self) -> None:
        if self.random.random() < 0.8:
            await self.here.pass_time(timedelta(seconds=self.random.choice([5, 15, 60, 150, 300, 900, 1800])))
        else:
            await self.here.be_down(timedelta(seconds=self.random.choice([60, 600, 1200, 7200, 40_000])))

    async def rent(self) -> None:
        pick, who = self.random, self.random.choice(RENTERS)
        lease = pick.choice([20 * MINUTE, HOUR, 24 * HOUR])
        quote = await self.here.ask(
            who,
            gpu=pick.choice(["H100", "L4"]),
            count=pick.choice([1, 1, 8]),
            lease=lease,
            until=self.here.now + lease if pick.random() < 0.4 else None,
            now=pick.random() < 0.2,
            setup=pick.choice([None, "torch"]),
            teammates=pick.choice([(), (), (CLEO.id,)]),
        )
        if quote.offers and quote.rental_id is None:
            await self.here.rent(quote, person=who, settle=pick.random() < 0.7)

    async def wait(self) -> None:
        """Wait for an offer or for a start time, or stop waiting."""
        pick, who = self.random, self.random.choice(RENTERS)
        queued = [rental for rental in await self.here.rentals() if rental.state is State.QUEUED]
        if queued and pick.random() < 0.2:
            await carry_out(self.here.deps, who, waiting.StopWaiting(pick.choice(queued).id))
            return
        starts_at = self.here.now + HOUR if pick.random() < 0.4 else None
        quote = await self.here.ask(
            who,
            gpu=pick.choice(["H100", "L4"]),
            lease=HOUR,
            starts_at=starts_at,
            until=starts_at + HOUR if starts_at is not None else None,
            typed=WaitlistEntry(until=self.here.now + 2 * HOUR, any_time=True) if starts_at is None else None,
        )
        if pick.random() < 0.3:
            await carry_out(self.here.deps, who, waiting.TellMe(quote.id))
        else:
            price = Decimal(pick.choice([1, 2, 10]))
            await carry_out(self.here.deps, who, waiting.RentWhenFound(quote.id, gpu_rate=price))
        await self.here.settle()

    async def give(self, rental: Rental, _: Person) -> None:
        """Let the owner offer a machine to somebody, who usually accepts it."""
        to = self.random.choice(RENTERS)
        owner = next(person for person in EVERYONE if person.id == rental.owner)
        given, _name = await carry_out(self.here.deps, owner, giving.Give(rental.id, to.id))
        if self.random.random() < 0.8:
            shown = given.running_lease.ends_at.replace(microsecond=0)
            await carry_out(self.here.deps, to, giving.Take(rental.id, shown))
        await self.here.settle()

    async def decide(self, rental: Rental, who: Person) -> None:
        await self.random.choice([self.here.approve, self.here.approve, self.here.deny, self.here.withdraw])(
            rental, who
        )

    async def change(self, rental: Rental, who: Person) -> None:
        span = self.random.choice([1, 24]) * HOUR
        if self.random.random() < 0.3:
            await carry_out(self.here.deps, who, leasing.Extend(rental.id, self.here.now + span))
            await self.here.settle()
        else:
            await self.random.choice([self.here.keep, self.here.extend])(rental, span, who)

    async def change_request(self, rental: Rental, who: Person) -> None:
        pick = self.random
        quote = await self.here.ask(
            who, gpu=rental.request.gpu, count=pick.choice([1, 8]), teammates=(BEN.id,), changes=rental.id
        )
        if pick.random() < 0.5:
            await self.share(rental, who)
        if quote.offers:
            await self.here.rent(quote, person=who, settle=pick.random() < 0.7)

    async def keys(self) -> None:
        """Add a key, remove one, or make one the default."""
        pick, who = self.random, self.random.choice(RENTERS)
        owned = await keys.own_keys(self.here.deps, who)
        if owned and pick.random() < 0.5:
            fingerprint = pick.choice(owned).fingerprint
            action = pick.choice([keys.RemoveKey, keys.MakeKeyFirst])
            await carry_out(self.here.deps, who, action(fingerprint))
        else:
            line = generate_private_key("ssh-ed25519").export_public_key().decode()
            await keys.add_key(self.here.deps, who, line, reply_to=REPLY_TO)
            await self.here.settle()

    async def share(self, rental: Rental, who: Person) -> None:
        await carry_out(self.here.deps, who, sharing.Share(rental.id, [self.random.choice(RENTERS).id]))

    async def end(self, rental: Rental, who: Person) -> None:
        how = self.random.random()
        if how < 0.3 and rental.state in {State.PROVISIONING, State.READY}:
            await self.here.vanish(rental, self.random.choice(["deleted", "missing"]))
        elif how < 0.4:
            await carry_out(self.here.deps, who, ending.TakeOnAlarm(rental.id))
        else:
            await carry_out(self.here.deps, who, ending.Destroy(rental.id))

    async def fault(self) -> None:
        pick, endpoint = self.random, self.random.choice(ENDPOINTS)
        kind = pick.choice(["cut_before", "cut_after", "garbage", "status", "status"])
        status = pick.choice(REFUSALS.get(endpoint, (429, 500, 503)))
        times = pick.choice([1, 1, 2, 5])
        acts = (
            (endpoint, kind) == ("procure_offer", "status")
            and status not in BOUGHT_NOTHING
            and pick.random() < 0.5
        )
        await self.here.fault(endpoint, kind, times=times, status=status, acts=acts)

    async def vendor(self) -> None:
        vendor = self.random.choice(["hyperstack", "nebius", "runpod", "*"])
        if self.random.random() < 0.5:
            await self.here.behaves(vendor, self.random.choice(DELETION_BEHAVIOURS))
        else:
            await self.here.behaves(vendor, self.random.choice(BEHAVIOURS), times=self.random.choice([1, 2]))

    async def restart(self) -> None:
        """Restart the bot like a new process, which ends the claims of the previous one."""
        await self.here.database.end_claims()
        self.here.engine = Engine(self.here.deps)

    async def buying(self) -> None:
        action = account.Pause if self.random.random() < 0.3 else account.Resume
        await carry_out(self.here.deps, CLEO, action())

    async def token(self) -> None:
        await self.here.outside.control("token", valid=self.random.random() < 0.7)

    async def check_attempts_follow_each_other(self) -> None:
        """Check in the account that no rental has machines of two attempts whose deletion wasn't accepted."""
        running: dict[str, set[int]] = {}
        for machine in await self.here.alive():
            if machine["offer_id"] is not None and machine["status"] != "deleting":
                async with self.here.deps.store.read() as tx:
                    attempt = await tx.rentals.attempt_by_offer(machine["offer_id"])
                assert attempt is not None
                running.setdefault(attempt.rental_id, set()).add(attempt.n)
        assert all(len(attempts) == 1 for attempts in running.values()), running

    async def check_reported_costs(self) -> None:
        """Check that a rental that was reported as free of charge has no line on the vendors' bill."""
        billed: dict[str, int] = {}
        for line in (await self.here.outside.look("bill"))["lines"]:
            billed[line["name"]] = billed.get(line["name"], 0) + line["micros"]
        for rental in await self.here.rentals():
            of = [billed.get(make_name(rental.id, n + 1, rental.owner), 0) for n in range(rental.attempts)]
            events = await self.here.events(rental)
            renting = [event for event in events if event.kind is EventKind.RENTING]
            for n, event in enumerate(renting[1:]):
                assert event.facts.paid is not False or of[n] == 0, event
            for event in events:
                facts = event.facts
                if isinstance(facts, EndedFacts) and (facts.amount, facts.estimated) == (0, False):
                    assert sum(of) == 0, event

    async def end_everything(self) -> None:
        """End all faults, deliver all messages, and destroy all machines."""
        here = self.here
        here.slack_is_down = False
        await here.outside.http.delete("/_control/faults")
        await here.outside.control("token", valid=True)
        await here.behaves("*", "normal")
        await here.pass_time(5 * MINUTE)
        for rental in await here.rentals():
            if not rental.state.over:
                with suppress(GpubotError):  # it is being destroyed already
                    await carry_out(here.deps, CLEO, ending.Destroy(rental.id))
        await here.pass_time(30 * MINUTE)
        await here.sweep()
        await here.pass_time(30 * MINUTE)


@pytest.mark.parametrize("seed", range(12, 16))
async def test_after_random_events_every_machine_is_terminated_and_in_the_ledger(
    sqlite_url: str, seed: int
) -> None:
    rules = changed(RULES, setup={"torch": "#!/bin/sh\n"})
    async with world(sqlite_url, rules=rules, timeouts=Timeouts(procure=5, offers=5, other=5)) as here:
        actions = RandomActions(here, seed)
        for _ in range(40):
            with suppress(GpubotError):  # people are refused, and the sweep fails during an outage
                await actions.act()
            await actions.check_attempts_follow_each_other()
        await actions.end_everything()
        for rental in await here.rentals():
            assert rental.state.over, (rental, await here.event_kinds(rental))
            assert rental.due_at is None
        assert await here.alive() == []
        await actions.check_reported_costs()
        await check(here)
