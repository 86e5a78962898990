"""Asks the owner of a ready machine whether it is needed, and notifies others if nobody answers.

Nothing here ends a machine: only a person, its lease's end or the vendor does.
"""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.deciders import deciders
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.lease_changes import note_question
from bot.lifecycle.ports.store import EVER
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps.polling import soonest
from bot.lifecycle.steps.seeing import still_idle, with_open_connections
from bot.model.base import changed
from bot.model.event import EventKind, Facts
from bot.model.money import cost
from bot.model.person import Person
from bot.model.rental import Asked, Rental
from bot.model.use import NOT_COMPUTING, Use
from bot.policy.hours import zone_of
from bot.policy.probing import has_probe
from bot.policy.questions import (
    after_asking,
    approvers_in_hours,
    approvers_notified_at,
    idle_cost,
    in_hours,
    is_urgent,
    next_question,
    on_card_at,
    unanswered,
    use_of,
)


async def ask(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Ask whether the machine is needed if that is due, and notify others that nobody answers if that is
    due. If nobody sees now whether it is idle, wait for the next visit."""
    if not _is_due(await next_at(deps, snapshot, now), now):
        return snapshot
    if _is_due(await _question_at(deps, snapshot, now), now):
        use = _use(deps, snapshot)
        shown = await with_open_connections(deps, snapshot.rental, use, now) if use else None
        return _ask(snapshot, shown, now)
    asked = unanswered(snapshot.rental, _use(deps, snapshot))
    if asked is None:
        return snapshot
    if _is_due(on_card_at(asked, deps.rules), now):
        asked = changed(asked, on_card=True)
        snapshot = _noted(snapshot, asked)
    if _is_due(await _approvers_at(deps, snapshot, asked, now), now):
        snapshot = _notify_approvers(deps, snapshot, changed(asked, approvers_at=now), now)
    return snapshot


async def next_at(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> datetime | None:
    """Return when `ask` has something to do next. Return None if it has nothing to do unless something changes."""
    use = _use(deps, snapshot)
    asked = unanswered(snapshot.rental, use)
    at = soonest(
        await _question_at(deps, snapshot, now),
        on_card_at(asked, deps.rules) if asked else None,
        await _approvers_at(deps, snapshot, asked, now) if asked else None,
    )
    if use is None or use.verdict not in NOT_COMPUTING or not _is_due(at, now):
        return at
    # The verdict may be older than a time in which the bot was down. The next visit shows whether it still holds.
    return at if await still_idle(deps, snapshot.rental, use, now) else None


def _use(deps: StepDeps, snapshot: RentalSnapshot) -> Use | None:
    return use_of(snapshot.rental, probed=has_probe(snapshot.rental, snapshot.live, deps.rules))


def _is_due(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now


# --- the owner


async def _question_at(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> datetime | None:
    """Return when the owner is asked next. Their hours are looked up only once the rest of the rules allows it."""
    rental, use = snapshot.rental, _use(deps, snapshot)
    at = next_question(rental.running_lease, use, rental.rate, deps.rules)
    if at is None or at > now:
        return at
    owner = await _owner(deps, rental)
    if _left(owner):
        return None
    urgent, zone = is_urgent(rental, deps.rules), zone_of(owner.tz if owner else None, deps.rules)
    return in_hours(now, rental.running_lease, use, urgent=urgent, zone=zone, rules=deps.rules)


async def _owner(deps: StepDeps, rental: Rental) -> Person | None:
    """Return the owner as last known. Return None if the store doesn't know them."""
    async with deps.store.read() as tx:
        return await tx.people.get(rental.owner, EVER)


def _left(owner: Person | None) -> bool:
    """Return whether the owner left the workspace. `owners_left` then asks the admins, and nobody else is."""
    return owner is not None and owner.deactivated


def _ask(snapshot: RentalSnapshot, use: Use | None, now: datetime) -> RentalSnapshot:
    question = after_asking(snapshot.rental.running_lease.question, use, now)
    facts = question_facts(snapshot, use, now)
    asked = snapshot.with_rental(note_question(snapshot.rental, question))
    return asked.with_event(EventKind.STILL_NEEDED, now, facts)


def question_facts(snapshot: RentalSnapshot, use: Use | None, now: datetime) -> Facts:
    """Return what a question about this verdict says: the evidence, and the cost so far."""
    bill, since = snapshot.spent(now), use.since if use else snapshot.rental.running_lease.seen_at
    return Facts(
        span=now - since,
        since=since,
        amount=bill.amount,
        estimated=bill.estimated,
        rate=snapshot.rental.rate,
        verdict=use.verdict if use else None,
        use=use,
    )


# --- others


async def _approvers_at(deps: StepDeps, snapshot: RentalSnapshot, asked: Asked, now: datetime) -> datetime | None:
    """Return when the approvers are notified next that nobody answers."""
    rental = snapshot.rental
    urgent, lease = is_urgent(rental, deps.rules), rental.running_lease
    at = approvers_notified_at(asked, lease, urgent=urgent, rules=deps.rules)
    if at is None or at > now:
        return at
    if _left(await _owner(deps, rental)):
        return None
    async with deps.store.read() as tx:
        zones = (await deciders(tx, deps.rules, [rental.owner])).zones
    return approvers_in_hours(now, lease, zones, deps.rules)


def _notify_approvers(deps: StepDeps, snapshot: RentalSnapshot, asked: Asked, now: datetime) -> RentalSnapshot:
    rental, use, ends_at = snapshot.rental, _use(deps, snapshot), snapshot.rental.running_lease.ends_at
    if use is None:
        return snapshot
    facts = Facts(
        verdict=use.verdict,
        use=use,
        since=use.since,
        span=now - use.since,
        amount=idle_cost(use, rental.rate, now),
        estimate=None if rental.rate is None else cost(rental.rate, ends_at - now),
        rate=rental.rate,
        until=ends_at,
    )
    return _noted(snapshot, asked).with_event(EventKind.NOBODY_ANSWERS, now, facts)


def _noted(snapshot: RentalSnapshot, asked: Asked) -> RentalSnapshot:
    question = snapshot.rental.running_lease.question
    return snapshot.with_rental(note_question(snapshot.rental, changed(question, asked=asked)))
