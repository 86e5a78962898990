"""The content of /health, /metrics and /machines: the state of the bot's process, and of the machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from bot.clock import Clock
from bot.errors import GpubotError
from bot.lifecycle.deps import RulesInForce
from bot.lifecycle.loops.running import Part
from bot.lifecycle.money.billing import accrued
from bot.lifecycle.steps.polling import soonest
from bot.model import account_facts
from bot.model.money import in_dollars
from bot.model.records import WatchedResource
from bot.model.state import State
from bot.model.watched_machine import WatchedMachine
from bot.ops import health
from bot.ops.metrics import Figures, Metrics
from bot.policy.buying.months import month_of
from bot.policy.team.rules import Rules
from store.db import Database, Tx


async def figures_now(store: Database, rules: Rules, now: datetime) -> Figures | None:
    """Return figures about the running machines and their cost.

    None if the store, or a rental in it, can't be read.
    """
    try:
        async with store.read() as tx:
            running, costs = await tx.rentals.running(), await tx.rentals.live_costs()
            unmanaged = await tx.questions.purchases()
            unconfirmed, months = await tx.rentals.unconfirmed(), await tx.budgets.of_team()
    except (GpubotError, ValidationError):
        return None
    alive = [one for cost in costs for one in cost.alive]
    idle = [one for one in running if one.state is State.READY and one.idle]
    return Figures(
        dollars_per_hour=sum(
            (one.offer_rate if one.rate is None else one.rate for one in alive), start=Decimal(0)
        ),
        spent_dollars=in_dollars(accrued(sum(one.spent for one in months), alive, now, estimated=False).amount),
        reserved_dollars=in_dollars(
            sum(one.reserved for one in months if one.month == month_of(now, rules.billing_zone))
        ),
        idle_dollars_per_hour=sum(((one.rate or Decimal(0)) * one.number for one in idle), start=Decimal(0)),
        unknown_machines=sum(
            machine.terminated_at is None for one in unmanaged for machine in one.purchase.machines
        ),
        unconfirmed_deletions=unconfirmed,
        requests_waiting=sum(one.number for one in running if one.undecided),
    )


@dataclass
class HealthReport:
    """Reports the state of the bot's process. It changes nothing."""

    clock: Clock
    store: Database
    rules: RulesInForce
    metrics: Metrics
    parts: Sequence[Part]
    commits: int = 0
    """The number of write transactions that have been committed since the start."""

    def __post_init__(self) -> None:
        self.store.on_commit(self._count_commit)

    async def read(self) -> health.Report:
        """Return the answer of /health.

        The key `settled` is true if all due work is done and all messages have been delivered. The answer also
        contains the revision of the clock, a number that increases whenever the clock is set.
        """
        before, commits = self._under_way(), self.commits
        now = self.clock.now()
        wellness = await self._wellness()
        next_due, undelivered, posted_twice, given_up = None, None, None, None
        with suppress(GpubotError):
            async with self.store.read() as tx:
                next_due = soonest(*[await part.first_due(tx) for part in self.parts])
                undelivered = await tx.messages.undelivered()
                posted_twice = await tx.account.count(account_facts.Counter.POSTED_TWICE)
                given_up = await tx.account.count(account_facts.Counter.GIVEN_UP)
        due = next_due is not None and next_due <= now
        figures = await self._figures()
        under_way = self._under_way()
        # The values of this report were read one after the other. Only if nothing ran and nothing was committed in
        # the meantime do all of them describe the same moment.
        quiet = not any(before.values()) and not any(under_way.values()) and commits == self.commits
        return {
            **wellness,
            "clock": {"now": now.isoformat(), "revision": self.clock.revision},
            "next_due": next_due.isoformat() if next_due else None,
            "due_now": due,
            **under_way,
            "policy_version": self.rules.version.n if self.rules.version is not None else None,
            "policy_mistakes": len(self.rules.wrong),
            "undelivered": undelivered,
            "perhaps_posted_twice": posted_twice,
            "given_up": given_up,
            **figures,
            "settled": quiet and not due and undelivered == 0,
        }

    async def machines(self) -> health.Report:
        """Return the answer of /machines, which bot.model.watched_machine.MachinesAnswer describes."""
        watched = None
        with suppress(GpubotError):
            async with self.store.read() as tx:
                watched = await watched_machines(tx, self.rules.rules)
        machines = None if watched is None else [machine.model_dump(mode="json") for machine in watched]
        return {**await self._wellness(), "machines": machines}

    async def _wellness(self) -> health.Report:
        """Return the keys `well` and `wrong` of a report: whether the bot works, and all known problems."""
        trouble = [(part.vital, words) for part in self.parts for words in await part.trouble()]
        return {"well": not any(vital for vital, _ in trouble), "wrong": [words for _, words in trouble]}

    async def _figures(self) -> dict[str, Any]:
        """Return the figures for /health. Figures with equal names are added up."""
        figures: dict[str, Any] = {}
        for part in self.parts:
            for name, value in (await part.figures()).items():
                figures[name] = figures[name] + value if name in figures else value
        return figures

    async def exposition(self) -> bytes:
        """Return the answer of /metrics in Prometheus's text format."""
        try:
            async with self.store.read() as tx:
                live: dict[State, int] | None = await tx.rentals.states()
        except GpubotError:
            live = None
        figures = await figures_now(self.store, self.rules.rules, self.clock.now())
        return self.metrics.exposition(await self.read(), live, figures)

    def works(self) -> bool:
        """Return whether any work is in progress or about to start. This doesn't read the store."""
        return any(part.in_flight or part.pass_is_due() for part in self.parts)

    def _count_commit(self) -> None:
        self.commits += 1

    def _under_way(self) -> Counter[str]:
        under_way: Counter[str] = Counter()
        for part in self.parts:
            under_way[part.counted_as] += part.in_flight
        return under_way


# --- the running machines, as the bot reports them to the watchdog, a process on another machine


async def watched_machines(tx: Tx, rules: Rules) -> tuple[WatchedMachine, ...]:
    """Return the machines that cost money or may cost money, sorted by resource ID."""
    resources = await tx.overdue.watched()
    names = await tx.people.names({resource.owner for resource in resources})
    return tuple(
        [
            WatchedMachine(
                resource_id=resource.resource_id,
                name=resource.name,
                rental_id=resource.rental_id,
                owner=resource.owner,
                owner_name=names.get(resource.owner),
                rate=resource.offer_rate if resource.rate is None else resource.rate,
                ends_at=await _latest_end(tx, resource, rules),
            )
            for resource in resources
        ]
    )


async def _latest_end(tx: Tx, resource: WatchedResource, rules: Rules) -> datetime | None:
    """Return the latest possible end of the lease, plus the grace period. None if the end isn't known."""
    ended = resource.over_at or resource.destroying_since
    if ended is None and (resource.orphaned or not resource.newest):
        # No rental uses the machine of this purchase. If the machine appears on the account at all, it does so
        # within the provisioning timeout, and the bot then deletes the machine at once.
        ended = resource.intended_at + rules.procure.provision_timeout
    if ended is None and resource.ends_at is not None:
        ended = max(resource.ends_at, resource.latest_end or resource.ends_at)
    if ended is None:
        ended = await _end_once_ready(tx, resource, rules)
    return None if ended is None else ended + rules.lease.grace


async def _end_once_ready(tx: Tx, resource: WatchedResource, rules: Rules) -> datetime | None:
    """Return the latest possible end of the lease of a machine that isn't ready yet.

    The lease begins when the machine becomes ready. None if Compute Clear hasn't accepted the purchase, or if the
    rental can't be loaded.
    """
    if resource.accepted_at is None:
        return None
    with suppress(ValidationError):
        rental = await tx.rentals.get(resource.rental_id)
        if rental is not None:
            return resource.accepted_at + rules.procure.provision_timeout + rental.terms.lease
    return None
