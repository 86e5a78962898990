"""Loads the data that decides the next action on a ready machine, and describes the machine's use."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.changes.snapshot import RentalSnapshot, load_snapshot
from bot.lifecycle.deps import Deps
from bot.lifecycle.people.deciders import deciders
from bot.model.base import EVER, changed
from bot.model.event import EventKind
from bot.model.facts import QuestionFacts, StatusFacts
from bot.model.machine_use import NOT_COMPUTING, Sample, UsageStatus, Use
from bot.model.person import Person
from bot.model.rental import Rental
from bot.policy.team.rules import Rules
from bot.policy.use.heartbeats import is_expected, when_lost
from bot.policy.use.jobs import running_job
from bot.policy.use.probing import has_probe
from bot.policy.use.ready import Machine, Replacement, is_ending
from bot.policy.use.usage_status import window
from store.db import Tx


async def load_machine(tx: Tx, deps: Deps, snapshot: RentalSnapshot, now: datetime) -> Machine:
    """Return a ready machine with all data that decides the next action on it."""
    rental = snapshot.rental
    live, ending = snapshot.live, is_ending(rental, deps.rules, now)
    owner = await tx.people.get(rental.owner, EVER)
    rental, expects_heartbeats = await _with_heartbeat(tx, deps, rental, owner, now)
    loads_messages = ending or live is None
    vendors = [rental.vendor] if ending and rental.vendor is not None else []
    return Machine(
        rental=rental,
        live=live,
        use=rental.use if has_probe(rental, live, deps.rules) else None,
        probe_runs=await last_probe_runs(tx, rental, now, deps.rules),
        history=await tx.events.of(rental.id) if ending else (),
        direct=await tx.messages.direct_of(rental.id) if loads_messages else (),
        card=await tx.messages.card(rental.id) if loads_messages and rental.program is not None else None,
        owner=owner,
        approvers=(await deciders(tx, deps.rules, [rental.owner], now)).hours,
        answers=next(iter((await tx.probe_answers.of_vendors(vendors)).values()), None),
        replacement=await _replacement(tx, rental, now),
        spent=snapshot.spent_at_most(now),
        found=not any(
            one.read_at < deps.opened.at or one.missing_since is not None
            for one in (snapshot.alive_of(live) if live is not None else ())
        ),
        listens_since=deps.listens_since,
        expects_heartbeats=expects_heartbeats,
        just_opened=deps.just_opened,
    )


async def _with_heartbeat(
    tx: Tx, deps: Deps, rental: Rental, owner: Person | None, now: datetime
) -> tuple[Rental, bool]:
    """Return a rental with its newest heartbeat, and whether further ones are expected.

    The rental was read before the market was asked about its machine, and a heartbeat may have arrived since then.
    """
    if when_lost(rental) is None or rental.token_id is None:
        return rental, False
    newest, token = await tx.rentals.get(rental.id), await tx.tokens.get(rental.token_id)
    if newest is not None:
        rental = changed(rental, heartbeat_at=newest.heartbeat_at)
    return rental, is_expected(token, owner, deps.rules, now)


async def last_probe_runs(tx: Tx, rental: Rental, at: datetime, rules: Rules) -> list[Sample]:
    """Return the results of the probe runs that determine the usage status at `at`, oldest first."""
    return await tx.samples.reaching_back(rental.id, at - window(rules))


async def _replacement(tx: Tx, rental: Rental, now: datetime) -> Replacement | None:
    other = None if rental.replaced_by is None else await tx.rentals.get(rental.replaced_by)
    if other is None:
        return None
    return Replacement(other.state, (await load_snapshot(tx, other)).spent(now).amount)


def question_facts(snapshot: RentalSnapshot, use: Use | None, now: datetime) -> QuestionFacts:
    """Return the facts for a question to the owner: the use of the machine and the cost so far."""
    bill, since = snapshot.spent(now), use.since if use else snapshot.rental.running_lease.seen_at
    job = running_job(snapshot.rental) if use is not None and use.status in NOT_COMPUTING else None
    return QuestionFacts(
        span=now - since,
        since=since,
        amount=bill.amount,
        estimated=bill.estimated,
        rate=snapshot.rental.rate,
        status=use.status if use else None,
        use=use,
        job=job,
    )


def with_unknown(snapshot: RentalSnapshot, since: datetime, now: datetime) -> RentalSnapshot:
    """Return the snapshot with the usage status set to unknown, if it was known."""
    use = snapshot.rental.use
    if use is None or use.status is UsageStatus.UNKNOWN:
        return snapshot
    unknown = Use(status=UsageStatus.UNKNOWN, since=since, worked=use.worked)
    facts = StatusFacts(status=unknown.status, since=since, use=unknown)
    return snapshot.altered(use=unknown).with_event(EventKind.USE_CHANGED, now, facts)
