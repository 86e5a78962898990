"""Advances a rental whose machine is starting.

The Compute Clear API is queried first, and the timeouts are checked only after that.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.errors import MarketAway
from bot.lifecycle.account.reconcile import look_up
from bot.lifecycle.changes.snapshot import RentalSnapshot
from bot.lifecycle.changes.transitions import become_ready
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.money.billing import hourly
from bot.lifecycle.people.teammates import still_without_key
from bot.lifecycle.steps.blocked_buying import block_since_overdue
from bot.lifecycle.steps.polling import POLL, poll_at, retry_at, soonest
from bot.lifecycle.steps.procuring import give_up
from bot.model.attempt import NAMED, Attempt, Marker, Resource, ScriptPart, Why
from bot.model.base import EVER
from bot.model.event import EventKind
from bot.model.facts import ReadyFacts
from bot.model.job import UntilDone
from bot.model.rental import Lease, Question
from bot.policy.buying.spending import affordable_lease, provisioning_budget
from bot.policy.team.hours import zone_of
from bot.policy.use.keeping import kept_for
from bot.policy.use.leases import latest_ready, lease_ends, longest_lease

PROBE_AGAIN = timedelta(seconds=3)
PROBE_AT_MOST = timedelta(minutes=2)
"""The wall-clock time after which the machine becomes ready even if no SSH server has answered."""


async def provision(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Ask the market whether the machine has started. Give up if the vendor failed or took too long."""
    attempt = snapshot.live
    now = deps.clock.now()
    if attempt is None or attempt.marked_for_deletion:
        # The rental no longer has a machine to wait for: the market has accepted the deletion of the machine, or
        # the vendor took the machine away before it was ready.
        lost = snapshot.attempts[-1]
        if lost.marked_by is not Marker.OVERDUE:
            return give_up(snapshot, lost, Why.VENDOR_TOOK_IT, now)
        return block_since_overdue(deps, give_up(snapshot, lost, Why.TOO_SLOW, now), lost)
    try:
        seen = [resource.status != NAMED for resource in snapshot.resources_of(attempt)]
        if seen and all(seen):
            progress = await deps.market.progress(attempt.called_offer.offer_id)
        else:
            # Store each new resource immediately, because the vendor bills it from the moment at which it appears.
            snapshot, progress = await look_up(deps, snapshot, attempt)
            attempt = snapshot.attempts[-1]
    except MarketAway as away:
        return snapshot.with_due(retry_at(now, away))
    if not attempt.live:
        return give_up(snapshot, attempt, Why.VENDOR_FAILED, now, progress.detail)
    latest = latest_ready(snapshot.rental.request, deps.rules)
    if progress.ready and progress.all_running and (latest is None or now < latest):
        snapshot, became_ready = await _try_ssh(deps, snapshot, attempt)
        if became_ready:
            return snapshot
    elif progress.failed:
        return give_up(snapshot, attempt, Why.VENDOR_FAILED, now, progress.detail)
    elif snapshot.rental.quiet_since_real is not None:
        snapshot = snapshot.altered(quiet_since_real=None)
    deadline = _deadline(deps, snapshot, attempt, now)
    quiet_since = snapshot.rental.quiet_since_real
    probing = quiet_since is not None and deps.clock.real() - quiet_since < PROBE_AT_MOST
    if now >= deadline and not probing:
        return give_up(snapshot, attempt, Why.TOO_SLOW, now, progress.progress)
    return snapshot.with_due(now + PROBE_AGAIN if probing else soonest(poll_at(now), deadline))


def _deadline(deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt, now: datetime) -> datetime:
    """Return the time by which the machine must be ready.

    Usually, the timeout in the rules determines this time. The deadline is earlier if the approved total would be
    used up sooner, or if the lease has to end soon.
    """
    terms = snapshot.rental.terms
    rate = hourly(snapshot.resources_of(attempt), attempt)
    longest = terms.lease + terms.kept
    left = provisioning_budget(terms.total, snapshot.spent_at_most(now), rate, longest, deps.rules)
    deadline = min((snapshot.rental.accepted_at or now) + deps.rules.procure.provision_timeout, now + left)
    latest = latest_ready(snapshot.rental.request, deps.rules)
    return deadline if latest is None else min(deadline, latest)


async def _try_ssh(deps: StepDeps, snapshot: RentalSnapshot, attempt: Attempt) -> tuple[RentalSnapshot, bool]:
    """Look up the machine's address, and try to read an SSH banner from it."""
    reachable = snapshot.reachable(attempt)
    probing = snapshot.rental.quiet_since_real is not None
    # The bot tries to connect to a new machine more often than it polls the market. Don't look up the machine's
    # address again before each try: the address rarely changes, and each lookup is stored and causes an edit of
    # the Slack card.
    if reachable is None or not probing or deps.clock.now() - reachable.read_at >= POLL:
        try:
            snapshot, _ = await look_up(deps, snapshot, attempt)
        except MarketAway:
            return snapshot, False
        reachable = snapshot.reachable(attempt)
    if reachable is None or reachable.host is None:
        return snapshot, False
    port = reachable.port or 22
    if await deps.prober.banner(reachable.host, port, attempt.vendor):
        host_key = await deps.prober.host_key(reachable.host, port, attempt.vendor)
        return await _ready(deps, snapshot, reachable, host_key=host_key), True
    since = snapshot.rental.quiet_since_real or deps.clock.real()
    if deps.clock.real() - since >= PROBE_AT_MOST:
        return await _ready(deps, snapshot, reachable, unreachable=True), True
    return snapshot.altered(quiet_since_real=since), False


async def _ready(
    deps: StepDeps,
    snapshot: RentalSnapshot,
    resource: Resource,
    *,
    host_key: str | None = None,
    unreachable: bool = False,
) -> RentalSnapshot:
    await deps.directory.refresh(snapshot.rental.teammates)
    async with deps.store.read() as tx:
        without_key = await still_without_key(tx, snapshot.rental)
        owner = await tx.people.get(snapshot.rental.owner, EVER)
    now, rental, attempt = deps.clock.now(), snapshot.rental, snapshot.attempts[-1]
    terms, rate = rental.terms, hourly(snapshot.resources_of(attempt), attempt)
    # Normally, the lease has its full length. It is shorter if the machine costs more than quoted, or if the
    # machine became ready while the bot was down. It never goes past the latest end that the owner named, nor past
    # the last day of the token with which a program rented the machine. The same
    # limits apply to the latest end of a lease with a flexible end.
    wanted = longest_lease(rental.request, terms.lease, now)
    afforded = affordable_lease(terms.total, snapshot.spent_at_most(now), rate, wanted, deps.rules)
    last_day = rental.program.ends_by if rental.program is not None else None
    afforded = afforded if last_day is None else min(afforded, max(last_day - now, deps.rules.lease.grace))
    ends_at, latest_end = lease_ends(rental.request, now, now + afforded)
    kept_until: datetime | None = None
    if terms.kept and attempt.script is not None and ScriptPart.ON_ENDING in attempt.script.parts:
        # If the owner's script fails to save the results at the end, the machine is kept for some time. This time
        # is limited by the approved cost and by the beginning of the owner's working hours.
        last, zone = latest_end or ends_at, zone_of(owner.tz if owner is not None else None, deps.rules)
        longest = last + kept_for(last, zone, deps.rules) - now
        afforded = affordable_lease(terms.total, snapshot.spent_at_most(now), rate, longest, deps.rules)
        until = now + afforded if last_day is None else min(now + afforded, last_day)
        kept_until = until if until > last else None
    lease = Lease(
        ready_at=now,
        ends_at=ends_at,
        latest_end=latest_end,
        kept_until=kept_until,
        until_done=UntilDone(since=rental.created_at) if rental.request.until_done else None,
        notices_checked_at=now,
        seen_at=now,
        question=Question(),
    )
    port = resource.port or 22
    after = become_ready(
        rental, host=resource.host, port=port, host_key=host_key, rate=rate, lease=lease, unreachable=unreachable
    )
    facts = ReadyFacts(
        vendor=attempt.called_offer.vendor,
        vendor_region=attempt.called_offer.vendor_region,
        rate=after.rate,
        span=now - (rental.procuring_since or attempt.intended_at),
        since=attempt.intended_at,
        until=ends_at,
        gpu=attempt.called_offer.gpu,
        count=attempt.called_offer.count,
        why=Why.SSH_UNREACHABLE if unreachable else None,
        without_key=without_key,
    )
    if unreachable:
        snapshot = snapshot.with_event(EventKind.UNREACHABLE, now, facts)
    return snapshot.with_rental(after).with_event(EventKind.READY, now, facts)
