"""A ready machine: whether it is still there, whether it is still needed, and when its lease ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.lifecycle.deps import StepDeps
from bot.lifecycle.machine_changes import note_host_key
from bot.lifecycle.snapshot import RentalSnapshot
from bot.lifecycle.steps import asking
from bot.lifecycle.steps.lease_end import begin_end, end_lease, ended_as_overdue, notify_of_end
from bot.lifecycle.steps.market_check import check
from bot.lifecycle.steps.polling import poll_at, soonest
from bot.lifecycle.steps.replaced import end_if_replaced
from bot.lifecycle.steps.seeing import forget_without_probe
from bot.model.state import State
from bot.policy.notices import next_notice

HOST_KEY_WITHIN = timedelta(minutes=15)
"""How long after ready a host key that could not be read is read again, at each check. It is read without an end
while nothing has answered on the SSH port."""


async def run(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Do everything that can be due for a ready machine."""
    if ended_as_overdue(deps, snapshot):
        return begin_end(snapshot, deps.clock.now())
    snapshot, check_at = await check(deps, snapshot)
    now = deps.clock.now()
    snapshot = await forget_without_probe(deps, snapshot, now)
    if snapshot.rental.state is State.READY:
        snapshot = await end_if_replaced(deps, snapshot, now)
    if snapshot.rental.state is State.READY:
        snapshot = await notify_of_end(deps, snapshot, now)
        snapshot = await asking.ask(deps, snapshot, now)
        snapshot = await end_lease(deps, snapshot, now)
    if snapshot.rental.state is not State.READY:
        return snapshot
    snapshot = await _read_host_key(deps, snapshot, now)
    return snapshot.with_due(await _next_due(deps, snapshot, check_at, now))


async def _next_due(
    deps: StepDeps, snapshot: RentalSnapshot, check_at: datetime, now: datetime
) -> datetime | None:
    lease = snapshot.rental.running_lease
    if snapshot.rental.replaced_by is not None:
        check_at = soonest(check_at, poll_at(now)) or now
    if lease.ends_at <= now:
        # In its last grace: there is no further question or notice.
        return soonest(check_at, poll_at(now))
    questions = await asking.next_at(deps, snapshot, now)
    return soonest(check_at, questions, lease.ends_at, next_notice(lease, deps.rules))


async def _read_host_key(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Read the host key of a machine that gave none when it became ready. Do not if the step has an event: the key
    exchange would delay its notification. The next check reads the key then."""
    rental = snapshot.rental
    late = now - rental.running_lease.ready_at > HOST_KEY_WITHIN and not rental.silent
    if rental.host_key is not None or rental.host is None or late or snapshot.events:
        return snapshot
    host_key = await deps.prober.host_key(rental.host, rental.port or 22, rental.vendor)
    return snapshot if host_key is None else snapshot.with_rental(note_host_key(rental, host_key))
