"""The content of /health and /metrics: the state of every part that runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import ValidationError

from bot.clock import Clock
from bot.errors import GpubotError
from bot.lifecycle.account.watched_machines import watched_machines
from bot.lifecycle.deps import RulesInForce
from bot.lifecycle.loops.engine import Engine
from bot.lifecycle.loops.jobs import DELIVERY, Jobs, LocalJob
from bot.lifecycle.loops.overdue import OverdueDeletion
from bot.lifecycle.loops.replica import Replica
from bot.lifecycle.loops.selfcheck import SelfCheck
from bot.lifecycle.loops.visit_loop import Visits
from bot.lifecycle.money.billing import accrued
from bot.lifecycle.ports.store import Store
from bot.lifecycle.steps.polling import soonest
from bot.model.account_facts import Counter
from bot.model.base import Frozen, Instant
from bot.model.state import State
from bot.ops import health
from bot.ops.metrics import Figures, Metrics
from bot.policy.buying.months import month_of
from bot.policy.team.rules import Rules
from bot.policy.use.clocks import ClockDifference
from handlers.connection import Connection
from handlers.delivery.loop import Delivery
from handlers.messages.account import clock_text
from handlers.slack_api.gate import Gate


def _clock_differs(difference: ClockDifference) -> str:
    wrong = clock_text(difference.ahead, from_database=difference.from_database)
    clocks = "both clocks" if difference.from_database else "it"
    return f"this machine's clock is {wrong}: I work on nothing. Set {clocks}, by NTP for example."


class _MessageCounts(Frozen):
    """How many messages and edits wait, and since the first start perhaps came twice or were given up. None if the
    store did not say it."""

    undelivered: int | None = None
    posted_twice: int | None = None
    given_up: int | None = None
    refresh_at: Instant | None = None
    """When the next refresh of a message is due."""


async def _message_counts(store: Store) -> _MessageCounts:
    """Return the counts of one moment. Raise StoreBusy if the store can't be read."""
    async with store.read() as tx:
        return _MessageCounts(
            undelivered=await tx.messages.undelivered(),
            posted_twice=await tx.account.count(Counter.POSTED_TWICE),
            given_up=await tx.account.count(Counter.GIVEN_UP),
            refresh_at=await tx.messages.next_refresh(),
        )


async def figures_now(store: Store, rules: Rules, now: datetime) -> Figures | None:
    """Return what runs and what it costs. Return None if the store, or a rental in it, can't be read."""
    try:
        async with store.read() as tx:
            running, costs = await tx.rentals.running(), await tx.rentals.live_costs()
            unknown = await tx.questions.purchases()
            unconfirmed, months = await tx.rentals.unconfirmed(), await tx.budgets.of_team()
    except (GpubotError, ValidationError):
        return None
    alive = [one for cost in costs for one in cost.alive]
    idle = [one for one in running if one.state is State.READY and one.idle]
    return Figures(
        dollars_per_hour=sum(
            (one.offer_rate if one.rate is None else one.rate for one in alive), start=Decimal(0)
        ),
        spent=accrued(sum(one.spent for one in months), alive, now, estimated=False).amount,
        reserved=sum(one.reserved for one in months if one.month == month_of(now, rules.billing_zone)),
        idle_dollars_per_hour=sum(((one.rate or Decimal(0)) * one.number for one in idle), start=Decimal(0)),
        unknown_machines=sum(machine.gone_at is None for one in unknown for machine in one.purchase.machines),
        unconfirmed_deletions=unconfirmed,
        requests_waiting=sum(one.number for one in running if one.waits),
    )


@dataclass
class HealthReport:
    """Reads the state of every part that runs. It changes nothing."""

    clock: Clock
    store: Store
    rules: RulesInForce
    engine: Engine
    overdue: OverdueDeletion
    visits: Visits
    selfcheck: SelfCheck
    delivery: Delivery
    replica: Replica
    jobs: Jobs
    local_jobs: Sequence[LocalJob]
    connection: Connection
    gate: Gate
    metrics: Metrics
    commits: int = 0
    """The number of write transactions that were committed since the start."""

    def __post_init__(self) -> None:
        self.store.on_commit(self._count_commit)

    async def read(self) -> health.Report:
        """Return the answer of /health. `settled` is true if nothing is due, under way or undelivered at the clock
        revision that the report names."""
        before, commits = self._under_way(), self.commits
        now = self.clock.now()
        await self.selfcheck.measure()
        try:
            next_due = soonest(
                await self.engine.first_due(), await self.visits.first_due(), await self.jobs.next_due()
            )
            counts = await _message_counts(self.store)
        except GpubotError:
            next_due, counts = None, _MessageCounts()
        due = (next_due is not None and next_due <= now) or self.overdue.due()
        # A refresh may wait up to a minute for its turn in Slack's pace. Such a refresh does not keep the report
        # from being settled.
        refresh_at = counts.refresh_at
        refreshes = refresh_at is not None and refresh_at <= now and self.delivery.may_refresh(self.clock.real())
        next_refresh = refresh_at if refresh_at is not None and refresh_at > now else None
        next_at = soonest(next_due, next_refresh, self.overdue.next_at, *(job.next_at for job in self.local_jobs))
        under_way = self._under_way()
        # The figures above were read one after the other. They describe the same moment only if nothing ran
        # meanwhile.
        quiet = not any(before.values()) and not any(under_way.values()) and commits == self.commits
        refused = self.connection.refused
        return {
            **self._wellness(counts.undelivered),
            "clock": {"now": now.isoformat(), "revision": self.clock.revision},
            "slack_mode": self.connection.mode,
            "replicas": self.replica.replicas,
            "delivering": self.jobs.does(DELIVERY),
            "claims": self.replica.may_claim(),
            "claims_lost": self.engine.claims_lost + self.visits.claims_lost + self.jobs.claims_lost,
            "connections": await self.connection.connected(),
            "seconds_since_slack_request": self.connection.since_request(),
            "many_slow_slack_requests": self.connection.many_slow(),
            "draining": self.connection.draining,
            "next_due": next_at.isoformat() if next_at else None,
            "due_now": due,
            **under_way,
            "policy_version": self.rules.version.n if self.rules.version is not None else None,
            "policy_mistakes": len(self.rules.wrong),
            "slack_refuses_token": refused is not None,
            "undelivered": counts.undelivered,
            "perhaps_posted_twice": counts.posted_twice,
            "given_up": counts.given_up,
            "engine_passes": self.engine.passes,
            "engine_lateness_seconds": self.selfcheck.lateness.total_seconds(),
            "late_for_seconds": self.selfcheck.late_for.total_seconds(),
            "visits_fail": self.visits.failing(),
            "store_takes_writes": self.selfcheck.writes,
            "next_overdue": self.overdue.next_at.isoformat() if self.overdue.next_at else None,
            "settled": quiet and not due and not refreshes and counts.undelivered == 0,
        }

    async def machines(self) -> health.Report:
        """Return the answer of /machines, as bot.model.watched_machine.MachinesAnswer describes it."""
        await self.selfcheck.measure()
        undelivered, watched = None, None
        with suppress(GpubotError):
            async with self.store.read() as tx:
                undelivered = await tx.messages.undelivered()
                watched = await watched_machines(tx, self.rules.rules)
        machines = None if watched is None else [machine.model_dump(mode="json") for machine in watched]
        return {**self._wellness(undelivered), "machines": machines}

    def _wellness(self, undelivered: int | None) -> health.Report:
        """Return whether the bot is well and what is wrong, as the last measurement found it."""
        broken, trouble = self.selfcheck.wrong, self.connection.trouble(undelivered)
        if (difference := self.replica.difference()) is not None:
            broken = [*broken, _clock_differs(difference)]
        return {
            "well": not broken,
            "wrong": broken if trouble is None else [*broken, trouble],
        }

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
        """Return whether anything is under way, or is known to begin within moments. This reads no store."""
        return any(self._under_way().values()) or self.engine.pass_is_due() or self.visits.pass_is_due()

    def _count_commit(self) -> None:
        self.commits += 1

    def _under_way(self) -> dict[str, int]:
        return {
            "steps_in_flight": self.engine.in_flight,
            "handlers_in_flight": self.gate.in_flight,
            "sends_in_flight": self.delivery.in_flight,
            "visits_in_flight": self.visits.in_flight,
            "jobs_in_flight": self.jobs.in_flight + sum(job.busy for job in self.local_jobs) + self.overdue.busy,
        }
