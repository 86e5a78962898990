"""Runs one step of a rental, that is, the code that advances a rental in its present state.

This module also contains the steps of states with little to do: waiting for a decision, for an offer or for the
start time, being destroyed, and being over. The search for offers is in bot/lifecycle/loops/waitlist.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from bot.errors import Stale
from bot.lifecycle.changes.snapshot import RentalSnapshot, WriteDue, save
from bot.lifecycle.changes.transitions import confirm_destroyed
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.money.billing import cost_something, ledger_span
from bot.lifecycle.steps import procuring, provisioning, ready, resource_deletion
from bot.lifecycle.steps.blocked_buying import end_waitlist_entry
from bot.lifecycle.steps.polling import poll_at, soonest
from bot.lifecycle.steps.ready_machine import last_probe_runs, with_unknown
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import EndedFacts
from bot.model.state import ENDS, State
from bot.policy.buying.spending import receipt_estimate
from bot.policy.use.usage_status import unseen_since

Step = Callable[[StepDeps, RentalSnapshot], Awaitable[RentalSnapshot]]


async def _wait(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Expire a request that nobody decided in time, or end a rental whose time on the waitlist is over."""
    now, rental = deps.clock.now(), snapshot.rental
    if rental.state is State.AWAITING_APPROVAL:
        until = rental.decision.expires_at if rental.decision is not None else now
    else:
        until = rental.waitlist_entry.until if rental.waitlist_entry is not None else now
    if now < until:
        return snapshot.with_due(until)
    if not deps.opened.swept:
        # The database may be an older backup that doesn't contain the rental's machine, although the machine is
        # running. It is therefore too early to tell the owner that nothing was rented.
        return snapshot.with_due(poll_at(now))
    if rental.state is State.QUEUED and rental.waits_again_in is None:
        # An answer of the market to the only search would have ended the rental, so there was none.
        return snapshot.with_rental(*snapshot.finished(State.FAILED, now, why=Why.OUTAGE))
    if rental.state is State.QUEUED:
        return end_waitlist_entry(snapshot, now)
    after, event = snapshot.finished(State.EXPIRED, now)
    return snapshot.with_rental(after, changed(event, kind=EventKind.EXPIRED))


async def _destroy(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """End the rental once all of its attempts are closed, so that nothing more can be billed.

    Before this function is called, `resource_deletion` has already tried to delete the remaining resources.
    """
    now, rental = deps.clock.now(), snapshot.rental
    if not all(attempt.closed for attempt in snapshot.attempts):
        return snapshot.with_due(None)
    bill = snapshot.spent(now)
    after = confirm_destroyed(rental, now)
    why = after.ending.why if after.ending else None
    lease = rental.lease
    fixed_end = lease is not None and lease.latest_end is None and (lease.kept_until or not rental.terms.kept)
    # In three cases, the final cost of a rental can't be compared with its estimate:
    # - A rental with a flexible end may have ended before its latest end.
    # - A machine may have been kept after the end of its lease, because the owner's script failed to save the
    #   results.
    # - An adopted machine was billed before the bot managed it.
    ran_its_length = why is Why.LEASE_ENDED and bool(fixed_end) and rental.quote_id is not None
    facts = EndedFacts(
        end=after.state,
        why=why,
        amount=bill.amount,
        estimated=bill.estimated,
        rate=rental.rate,
        span=ledger_span(snapshot.ledger),
        paid=cost_something(bill),
        estimate=receipt_estimate(rental.rate, rental.terms.lease, bill.amount, ran_its_length=ran_its_length),
    )
    return snapshot.with_rental(after, Event(rental_id=rental.id, kind=EventKind.ENDED, at=now, facts=facts))


async def _stay_over(_: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Change nothing.

    This function is called only if a resource has appeared after the rental's end and is being deleted.
    """
    return snapshot.with_due(None)


STEPS: dict[State, Step] = {
    State.AWAITING_APPROVAL: _wait,
    State.QUEUED: _wait,
    State.PROCURING: procuring.procure,
    State.PROVISIONING: provisioning.provision,
    State.READY: ready.run,
    State.DESTROYING: _destroy,
    **dict.fromkeys(ENDS, _stay_over),
}


async def step(deps: StepDeps, snapshot: RentalSnapshot, write_due: WriteDue) -> None:
    """Do the next step of a rental that was just loaded, save the result, and end the claim on the rental.

    The claim is this process's right to work on the rental. If the rental has changed in the meantime, only the
    market's answers are saved, and the rental is processed again immediately.

    Args:
        write_due: See `save`.
    """
    over_before = snapshot.rental.over_at
    try:
        snapshot = await resource_deletion.continue_deletions(deps, snapshot)
        snapshot = await STEPS[snapshot.rental.state](deps, snapshot)
        if snapshot.rental.over_at is not None and over_before is None:
            snapshot = await _note_unseen_end(deps, snapshot)
        snapshot = _add_approval_notice_if_due(snapshot, deps.clock.now())
        next_round = resource_deletion.next_round(snapshot, deps.clock.now())
        if next_round is not None:
            snapshot = snapshot.with_due(soonest(next_round, snapshot.rental.due_at))
        await save(deps, snapshot, write_due=write_due)
    except Stale:
        async with deps.store.write() as tx:
            await tx.rentals.release(snapshot.rental.id)


def _add_approval_notice_if_due(snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Tell the owner that the request was approved, if the machine isn't ready by `approval_notice_at`.

    If this time is still in the future, the rental is processed again at that time.
    """
    at = snapshot.rental.approval_notice_at
    if at is None:
        return snapshot
    if at > now:
        return snapshot.with_due(soonest(at, snapshot.rental.due_at))
    return snapshot.altered(approval_notice_at=None).with_event(EventKind.APPROVED_NOT_READY, now)


async def _note_unseen_end(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Record that the usage status was unknown before a rental's end, if the bot was down then.

    The status is treated as unknown from the machine's last probe run to the rental's end.
    """
    rental = snapshot.rental
    if rental.use is None:
        return snapshot
    ending, (*earlier, ended) = rental.ending, snapshot.events
    at = (ending.since if ending else None) or ended.at
    async with deps.store.read() as tx:
        probe_runs = await last_probe_runs(tx, rental, at, deps.rules)
    since = unseen_since(rental.use, probe_runs, at, deps.rules)
    if since is None:
        return snapshot
    noted = with_unknown(replace(snapshot, events=tuple(earlier)), since, ended.at)
    return noted.with_rental(noted.rental, ended)
