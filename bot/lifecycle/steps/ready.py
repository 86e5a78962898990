"""Advances a rental whose machine is ready.

The Compute Clear API is asked about the machine first. After that, the first action that is due is done.
bot/policy/use/ready.py plans the actions.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.errors import MarketAway
from bot.lifecycle.account.reconcile import LOOK_UP_AGAIN, progress_of, with_answer
from bot.lifecycle.changes import lease_changes as changes
from bot.lifecycle.changes.snapshot import RentalSnapshot
from bot.lifecycle.deps import StepDeps
from bot.lifecycle.money.billing import hourly, ledger_span
from bot.lifecycle.outside import OfferProgress, ResourceView
from bot.lifecycle.steps.polling import poll_at, retry_at, soonest
from bot.lifecycle.steps.ready_machine import load_machine, question_facts, with_unknown
from bot.model.attempt import Attempt, Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.facts import (
    DecisionFacts,
    EndFacts,
    HeartbeatEndFacts,
    HeartbeatLostFacts,
    JobDoneFacts,
    JobsEndedFacts,
    PlaceFacts,
    QuestionFacts,
    StatusFacts,
    WorkGoesOnFacts,
)
from bot.model.machine_use import UsageStatus, Use
from bot.model.money import cost, cost_at_most
from bot.model.state import State
from bot.policy.use import heartbeats, ready
from bot.policy.use.end_notices import notice_is_due
from bot.policy.use.probe_times import Check, next_check
from bot.policy.use.questions import after_asking, after_job_end, idle_cost

CHECK_AGAIN = timedelta(seconds=30)
"""The time since the last check after which any step checks the machine again."""
HOST_KEY_WITHIN = timedelta(minutes=15)
"""The time after a machine became ready in which checks try to read its host key, if the key isn't known yet.

If nothing has answered on the machine's SSH port yet, there is no time limit.
"""


async def run(deps: StepDeps, snapshot: RentalSnapshot) -> RentalSnapshot:
    """Do the first due action for a ready machine.

    If an action was done, the rental is processed again immediately, because another action may be due. If not,
    the rental is processed at the next check of its machine, or earlier if an action is due earlier.
    """
    if notice_is_due(snapshot.rental.running_lease, deps.rules, deps.clock.now()):
        await deps.directory.refresh(snapshot.rental.teammates)
    before, (snapshot, check_at) = snapshot, await _check(deps, snapshot)
    now = deps.clock.now()
    async with deps.store.read() as tx:
        machine = await load_machine(tx, deps, snapshot, now)
    due = ready.plan(machine, deps.rules, now)
    if due.act is None and snapshot.live is None:
        # The machine was terminated, but the database may be an older backup. Until its messages have been
        # compared with Slack, the rental can't end. Discard what this step found; a later step will look up the
        # machine again.
        return before.with_due(due.at)
    if due.act is None:
        snapshot = await _read_host_key(deps, snapshot, now)
        return snapshot.with_due(soonest(check_at, due.at))
    after = replace(_after_action(deps, snapshot, due.act, now), probed_at=machine.probed_at)
    return after.with_due(now) if after.rental.state is State.READY else after


def _after_action(deps: StepDeps, snapshot: RentalSnapshot, action: ready.Act, now: datetime) -> RentalSnapshot:
    rental, lease = snapshot.rental, snapshot.rental.running_lease
    match action:
        case ready.End(why, by):
            return snapshot.with_rental(*snapshot.finished(State.DESTROYED, now, why=why, by=by))
        case ready.NoteLoss():
            return _lost(deps, snapshot, now)
        case ready.TellEndAgain():
            facts = EndFacts(until=lease.ends_at)
            noted = snapshot.altered(lease=changed(lease, shown_later_at=None))
            return noted.with_event(EventKind.ENDS_AGAIN, now, facts)
        case ready.DropUsageStatus(since):
            return with_unknown(snapshot, since, now).altered(use=None)
        case ready.StayInPlace(spent):
            place = PlaceFacts(name=rental.replaced_by or "", amount=spent)
            return snapshot.altered(replaced_by=None).with_event(EventKind.NOT_REPLACED, now, place)
        case ready.SkipNotice():
            return snapshot.with_rental(changes.check_notices(rental, now))
        case ready.GiveNotice(until, unseen, vendor, ask_before):
            facts = _ending_facts(snapshot, until, now)
            facts = changed(facts, status=UsageStatus.UNKNOWN, vendor=vendor) if unseen else facts
            facts = changed(facts, ask_before=ask_before)
            rental = changes.check_notices(rental, now) if until == lease.ends_at else rental
            return snapshot.with_rental(rental).with_event(EventKind.ENDING, now, facts)
        case ready.TellFailure() | ready.KeepAfterFailure():
            return _after_failure(deps, snapshot, action, now)
        case ready.Ask(use):
            rental = changes.note_question(rental, after_asking(lease.question, use, now))
            asked = question_facts(snapshot, use, now)
            return snapshot.with_rental(rental).with_event(EventKind.STILL_NEEDED, now, asked)
        case ready.TellOthers(asked, use):
            question = changed(lease.question, asked=asked)
            noted = snapshot.with_rental(changes.note_question(rental, question))
            unanswered = EventKind.NOBODY_ANSWERS
            return (
                noted if use is None else noted.with_event(unanswered, now, _unanswered_facts(snapshot, use, now))
            )
        case ready.ExpireExtension(hours):
            expired = DecisionFacts(until=lease.ends_at, hours=hours)
            rental = changes.drop_extension(rental, now)
            return snapshot.with_rental(rental).with_event(EventKind.EXTENSION_EXPIRED, now, expired)
        case _:
            return _after_work_action(snapshot, action, now)


def _after_failure(
    deps: StepDeps, snapshot: RentalSnapshot, action: ready.TellFailure | ready.KeepAfterFailure, now: datetime
) -> RentalSnapshot:
    """Notify the owner that `/root/on-ending.sh` failed. If `action` is KeepAfterFailure, keep the machine."""
    rental, ends_at = snapshot.rental, snapshot.rental.running_lease.ends_at
    if isinstance(action, ready.TellFailure):
        facts = EndFacts(until=ends_at, exit_status=action.exit_status)
        return snapshot.with_event(EventKind.SCRIPT_FAILED, now, facts)
    kept = action.until - ends_at
    facts = EndFacts(
        until=action.until,
        since=ends_at,
        span=kept,
        rate=rental.rate,
        estimate=cost_at_most(rental.rate_at_most, kept + deps.rules.lease.grace),
        exit_status=action.exit_status,
    )
    extension, rental = rental.extension, changes.keep_after_failure(rental, action.until, now)
    snapshot = snapshot.with_rental(rental).with_event(EventKind.KEPT_AFTER_FAILURE, now, facts)
    if extension is None or rental.extension is not None:
        return snapshot
    expired = DecisionFacts(until=action.until, hours=extension.terms.lease)
    return snapshot.with_event(EventKind.EXTENSION_EXPIRED, now, expired)


def _after_work_action(
    snapshot: RentalSnapshot, action: ready.WorkAct | heartbeats.HeartbeatAct, now: datetime
) -> RentalSnapshot:
    rental, lease = snapshot.rental, snapshot.rental.running_lease
    match action:
        case heartbeats.TellHeartbeatLost() | heartbeats.EndWithoutHeartbeat() | heartbeats.HeartbeatBack():
            return _after_heartbeat(snapshot, action, now)
        case ready.MoveEnd(until, use):
            moved = StatusFacts(until=until, since=lease.ends_at, status=UsageStatus.IN_USE, use=use)
            rental = changes.move_end(rental, until)
            return snapshot.with_rental(rental).with_event(EventKind.END_MOVED, now, moved)
        case ready.TellJobsEnded(jobs):
            rental = changes.note_jobs_told(rental, after_job_end(lease.question, now), now)
            bill = snapshot.spent(now)
            ended = JobsEndedFacts(
                jobs=jobs, until=lease.ends_at, rate=rental.rate, amount=bill.amount, estimated=bill.estimated
            )
            return snapshot.with_rental(rental).with_event(EventKind.JOBS_ENDED, now, ended)
        case ready.EndWhenDone(job, until):
            done = JobDoneFacts(**dict(_ending_facts(snapshot, until, now)), job=job)
            rental = changes.end_when_done(rental, job, until, now)
            return snapshot.with_rental(rental).with_event(EventKind.JOB_DONE, now, done)
        case ready.ResumeWork(work):
            goes_on = WorkGoesOnFacts(until=lease.last_end, work=work)
            rental = changes.resume_work(rental, now)
            return snapshot.with_rental(rental).with_event(EventKind.WORK_GOES_ON, now, goes_on)
        case ready.TellNoJob():
            none_yet = changed(question_facts(snapshot, None, now), until=lease.ends_at)
            rental = changes.note_no_job(rental, now)
            return snapshot.with_rental(rental).with_event(EventKind.NO_JOB, now, none_yet)


def _after_heartbeat(snapshot: RentalSnapshot, action: heartbeats.HeartbeatAct, now: datetime) -> RentalSnapshot:
    rental, lease = snapshot.rental, snapshot.rental.running_lease
    match action:
        case heartbeats.TellHeartbeatLost(lost, works, unseen):
            bill = snapshot.spent(now)
            facts = HeartbeatLostFacts(
                since=lost.since,
                back_by=lost.back_by,
                heard=lost.since > lease.ready_at,
                works=works,
                unseen=unseen,
                until=lease.ends_at if lost.back_by is None else None,
                rate=rental.rate,
                amount=bill.amount,
                estimated=bill.estimated,
            )
            rental = changes.lose_heartbeat(rental, lost)
            return snapshot.with_rental(rental).with_event(EventKind.HEARTBEAT_LOST, now, facts)
        case heartbeats.EndWithoutHeartbeat(until):
            since = rental.lost_heartbeat.since if rental.lost_heartbeat is not None else now
            ends = HeartbeatEndFacts(**{**dict(_ending_facts(snapshot, until, now)), "since": since})
            rental = changes.end_without_heartbeat(rental, until, now)
            return snapshot.with_rental(rental).with_event(EventKind.HEARTBEAT_ENDS, now, ends)
        case heartbeats.HeartbeatBack(how, lost_still, at):
            return snapshot.with_rental(*changes.heartbeat_back(rental, how, now, at=at, lost=lost_still))


def _lost(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """End the rental as lost.

    The vendor took every resource away, or the machine was terminated while the bot was down and nobody knows by
    whom.
    """
    rental = snapshot.rental
    away = any(resource.resource_id in deps.opened.gone for resource in snapshot.resources)
    why = Why.ENDED_WHILE_AWAY if away else Why.VENDOR_TOOK_IT
    if rental.running_lease.shown_later_at is not None:
        why = Why.ENDED_SINCE_BACKUP
    # If an earlier purchase of this rental is still being deleted, the rental doesn't end before that deletion is
    # confirmed.
    after, event = snapshot.finished(State.LOST, now, why=why)
    span = ledger_span(snapshot.ledger) or now - rental.running_lease.ready_at
    facts = changed(event.facts, rate=rental.rate, vendor=rental.vendor, span=span)
    return snapshot.with_rental(after, changed(event, kind=EventKind.LOST, facts=facts))


def _ending_facts(snapshot: RentalSnapshot, until: datetime, now: datetime) -> EndFacts:
    bill = snapshot.spent(now)
    minutes = -((now - until) // timedelta(minutes=1))
    return EndFacts(
        until=until,
        span=timedelta(minutes=minutes),
        rate=snapshot.rental.rate,
        amount=bill.amount,
        estimated=bill.estimated,
    )


def _unanswered_facts(snapshot: RentalSnapshot, use: Use, now: datetime) -> QuestionFacts:
    rental, ends_at = snapshot.rental, snapshot.rental.running_lease.ends_at
    return QuestionFacts(
        status=use.status,
        use=use,
        since=use.since,
        span=now - use.since,
        amount=idle_cost(use, rental.rate, now),
        estimate=None if rental.rate is None else cost(rental.rate, ends_at - now),
        rate=rental.rate,
        until=ends_at,
    )


async def _read_host_key(deps: StepDeps, snapshot: RentalSnapshot, now: datetime) -> RentalSnapshot:
    """Read the host key of a machine that didn't present one when it became ready.

    If there is a new event about the machine, the key is read at the next check instead, so that the event's
    messages aren't delayed.
    """
    rental = snapshot.rental
    late = now - rental.running_lease.ready_at > HOST_KEY_WITHIN and not rental.unreachable
    if rental.host_key is not None or rental.host is None or late or snapshot.events:
        return snapshot
    host_key = await deps.prober.host_key(rental.host, rental.port or 22, rental.vendor)
    return snapshot if host_key is None else snapshot.with_rental(changes.note_host_key(rental, host_key))


# --- checks with the market that the machine still exists


async def _check(deps: StepDeps, snapshot: RentalSnapshot) -> tuple[RentalSnapshot, datetime]:
    """Ask the market about the machine if a check is due.

    Returns the snapshot with the answer, and the time of the next check. If the machine has been terminated, the
    snapshot's `live` is None.
    """
    attempt = snapshot.live
    now = deps.clock.now()
    if attempt is None:
        return snapshot, now
    alive = snapshot.alive_of(attempt)
    planned = _planned(snapshot, attempt, now)
    missing = any(r.missing_since for r in alive)
    shown_later = snapshot.rental.running_lease.shown_later_at is not None
    first_look = shown_later and any(r.read_at < deps.opened.at for r in alive)
    if planned.at > now and not missing and not first_look and any(now - r.read_at < CHECK_AGAIN for r in alive):
        return snapshot, planned.at
    views: dict[str, ResourceView | None] = {}
    try:
        for resource in alive:
            view = await deps.market.resource(resource.resource_id, fresh=planned.live)
            if not planned.live and (view is None or view.deleted):
                # The market answered from its cache, which may be out of date. A rental ends only if the vendor
                # itself reports that the machine is terminated.
                view = await deps.market.resource(resource.resource_id, fresh=True)
            views[resource.resource_id] = view
        not_found = any(view is None for view in views.values())
        progress = await progress_of(deps, attempt) if not_found else OfferProgress()
    except MarketAway as away:
        return snapshot, retry_at(now, away)
    terminated = {r.resource_id for r in alive if (view := views.get(r.resource_id)) is None or view.deleted}
    deps.opened.gone.update(
        r.resource_id for r in alive if r.resource_id in terminated and r.read_at < deps.opened.at
    )
    snapshot = with_answer(snapshot, attempt, views, progress, now) if views else snapshot
    attempt = snapshot.attempt(attempt.n)
    if not attempt.live:
        return snapshot, now
    rate = hourly(snapshot.resources_of(attempt), attempt)
    if rate != snapshot.rental.rate:
        snapshot = snapshot.altered(rate=rate)
    reachable = snapshot.reachable(attempt)
    if snapshot.rental.host is None and reachable is not None:
        # Some vendors report a machine's address only some time after the machine has started. This is common for
        # adopted machines, which the bot didn't buy itself.
        snapshot = snapshot.altered(host=reachable.host, port=reachable.port)
    return snapshot, _planned(snapshot, attempt, now).at


def _planned(snapshot: RentalSnapshot, attempt: Attempt, now: datetime) -> Check:
    """Return the time of the machine's next check, and whether the check bypasses the market's cache.

    If the machine wasn't found, it is polled until it is found again or is considered terminated (LOOK_UP_AGAIN).
    """
    alive = snapshot.alive_of(attempt)
    missing_since = [r.missing_since for r in alive if r.missing_since is not None]
    if alive and not missing_since:
        read_at = min(resource.read_at for resource in alive)
        return next_check(read_at, snapshot.rental.request.contract, snapshot.last_probe_run, now)
    counts_at = [since + LOOK_UP_AGAIN for since in missing_since if since + LOOK_UP_AGAIN > now]
    return Check(at=min([poll_at(now), *counts_at]), live=True)
