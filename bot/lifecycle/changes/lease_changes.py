"""Changes to a rental that don't change the rental's state.

They change the lease, the link to a replacement, or the stored data about the machine.

Each function returns the next version of a rental. None of them writes to the store.

If a machine is destroyed gracefully, its `/root/on-ending.sh` finishes first. A flexible lease has a present end
and a latest end. While the machine is in use, the bot moves the present end, but never past the latest end.
"""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.changes.transitions import alter
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import HeartbeatBackFacts, HeartbeatReturn
from bot.model.job import Job, MachineJobs, UntilDone
from bot.model.machine_use import OnEnding, Use
from bot.model.rental import Extension, GracefulDestroy, Lease, Question, Rental
from bot.model.request import Terms
from bot.model.state import State
from bot.model.token import LostHeartbeat
from bot.policy.use import heartbeats
from bot.policy.use.flexible_end import already_allowed, later_end
from bot.policy.use.jobs import resumed, until_done_from, with_fixed_end


def keep(rental: Rental, question: Question, now: datetime) -> Rental:
    """Record that someone still needs the rental.

    If somebody had requested to destroy the machine gracefully, this is cancelled, and the lease ends when it
    would have ended before. If the lease was to end because its jobs are done, its previous end is restored, and
    the lease no longer depends on jobs. If it was to end because its heartbeat is lost, its previous end is
    restored as well. Otherwise, the end of the lease doesn't change.
    """
    lease = _not_destroyed(rental.running_lease)
    lease = with_fixed_end(lease) if lease.ends_when_done else lease
    lost = heartbeats.kept(rental.lost_heartbeat, max(question.quiet_until or now, now + heartbeats.KEEP_FOR))
    return alter(rental, lease=changed(lease, seen_at=now, question=question), lost_heartbeat=lost, due_at=now)


def check_notices(rental: Rental, now: datetime) -> Rental:
    """Record that all end-of-lease notices due by now have been sent or skipped."""
    return alter(rental, lease=changed(rental.running_lease, notices_checked_at=now))


def note_question(rental: Rental, question: Question) -> Rental:
    """Store which questions the owner was asked, and who was notified that the owner doesn't respond."""
    return alter(rental, lease=changed(rental.running_lease, question=question))


def decide_question(rental: Rental, question: Question, now: datetime) -> Rental:
    """Store what an approver decided after the owner didn't respond to questions."""
    return alter(rental, lease=changed(rental.running_lease, question=question), due_at=now)


def move_end(rental: Rental, ends_at: datetime) -> Rental:
    """Move the end of a flexible lease to `ends_at`, because the machine was in use at the previous end.

    The owner is notified of the new end, even if the usual time for that notice has already passed.
    """
    lease = rental.running_lease
    return alter(rental, lease=changed(lease, ends_at=ends_at, latest_end=later_end(lease, ends_at)))


def keep_after_failure(rental: Rental, until: datetime, now: datetime) -> Rental:
    """Keep the machine until `until`, because its `/root/on-ending.sh` failed before the end of the lease.

    If the script fails again, the machine isn't kept again. If the lease was to end because its jobs are done, the
    new end no longer depends on jobs, but the lease can still be extended to its latest end, which was approved. A
    pending request for more time is dropped if the machine now runs that long anyway. An approval would otherwise
    make the lease shorter.

    The same applies if the lease was about to end because its heartbeat is lost. A lost heartbeat then doesn't end
    the machine before the new end.
    """
    lease, extension = rental.running_lease, rental.extension
    until_done = None if lease.ends_when_done else lease.until_done
    latest = later_end(lease, until)
    if lease.heartbeat_end is not None and lease.last_end > until:
        latest = lease.last_end
    lease = changed(
        lease, ends_at=until, latest_end=latest, until_done=until_done, kept_until=None, heartbeat_end=None
    )
    lost = heartbeats.kept(rental.lost_heartbeat, until)
    rental = alter(rental, lease=changed(lease, notices_checked_at=now), lost_heartbeat=lost)
    if extension is None or extension.ends_at > until:
        return rental
    return changed(rental, terms=rental.unextended, extension=None)


def extend(
    rental: Rental,
    *,
    terms: Terms,
    ends_at: datetime,
    question: Question,
    now: datetime,
    until_done: bool = False,
) -> Rental:
    """Extend the lease within the limits, and record that someone still needs the rental.

    With `until_done`, the lease then ends when its jobs are done, but not later than `ends_at`. A pending request
    for more time keeps waiting for its approver.
    """
    lease = _until(rental.running_lease, ends_at, terms, now, until_done=until_done)
    lease = changed(lease, seen_at=now, question=question)
    return alter(rental, terms=terms, lease=lease, lost_heartbeat=_kept(rental, now), due_at=now)


def ask_extension(rental: Rental, extension: Extension, question: Question, now: datetime) -> Rental:
    """Store a request for a longer lease that an approver has to decide. Record that someone needs the rental.

    The end of the lease doesn't change yet. If somebody had requested to destroy the machine gracefully, this is
    cancelled, and the lease ends when it would have ended before. If the lease was to end because its jobs are
    done, its previous end is restored, because the time until then is already approved. Unless the request says
    so, the lease then no longer depends on jobs.
    """
    lease = _not_destroyed(rental.running_lease)
    if lease.ends_when_done:
        lease = until_done_from(lease, now) if extension.until_done else with_fixed_end(lease)
    lease = changed(lease, seen_at=now, question=question)
    return alter(rental, extension=extension, lease=lease, lost_heartbeat=_kept(rental, now), due_at=now)


def approve_extension(rental: Rental, extension: Extension, *, approver: str, now: datetime) -> Rental:
    """Extend the lease as an approver has allowed."""
    lease = _until(rental.running_lease, extension.ends_at, extension.terms, now, until_done=extension.until_done)
    return alter(
        rental,
        terms=extension.terms,
        lease=lease,
        extension=None,
        approved_by=approver,
        lost_heartbeat=_kept(rental, now),
        due_at=now,
    )


def extend_at_once(
    rental: Rental,
    *,
    terms: Terms,
    ends_at: datetime,
    question: Question,
    approver: str,
    now: datetime,
    until_done: bool = False,
) -> Rental:
    """Extend the lease beyond the limits, as `approver` decided.

    The decision also resolves a pending request for more time.
    """
    extended = extend(rental, terms=terms, ends_at=ends_at, question=question, now=now, until_done=until_done)
    return changed(extended, extension=None, approved_by=approver)


def drop_extension(rental: Rental, now: datetime) -> Rental:
    """Remove the pending request for a longer lease from a rental.

    The request was denied or withdrawn, or it has expired. The end of the lease doesn't change.
    """
    return alter(rental, terms=rental.unextended, extension=None, due_at=now)


def _until(lease: Lease, ends_at: datetime, terms: Terms, now: datetime, *, until_done: bool) -> Lease:
    """Return the lease with `ends_at` as its new end.

    A request to destroy the machine gracefully is cancelled.

    If the lease was going to end because the machine's jobs are done, the new end no longer depends on jobs. With
    `until_done`, the lease ends when the jobs that begin from now on are done, but not later than `ends_at`.
    """
    is_allowed = already_allowed(lease, ends_at)
    if until_done:
        lease = until_done_from(_not_destroyed(lease), now)
    elif lease.ends_when_done:
        lease = with_fixed_end(_not_destroyed(lease))
    kept_until = lease.kept_until
    if not is_allowed:
        kept_until = ends_at + terms.kept if terms.kept else None
    return changed(
        lease,
        ends_at=ends_at,
        latest_end=later_end(lease, ends_at),
        kept_until=kept_until,
        notices_checked_at=now,
        graceful_destroy=None,
        heartbeat_end=None,
    )


def _kept(rental: Rental, now: datetime) -> LostHeartbeat | None:
    """Return a rental's lost heartbeat after a person showed that they want the machine to run on."""
    return heartbeats.kept(rental.lost_heartbeat, now + heartbeats.KEEP_FOR)


# --- leases that end when their jobs are done


def end_when_done(rental: Rental, job: Job, ends_at: datetime, now: datetime) -> Rental:
    """Move the end of the lease to `ends_at`, because the jobs are done, and record that the owner is notified.

    The previous end becomes the lease's latest end.
    """
    lease, jobs = rental.running_lease, rental.jobs or MachineJobs()
    done = changed(_of_jobs(lease), done=job, done_seen_at=jobs.quiet_since or now, told_at=now)
    lease = changed(lease, ends_at=ends_at, latest_end=lease.ends_at, until_done=done, notices_checked_at=now)
    return alter(rental, lease=lease, jobs=changed(jobs, told_until=now))


def resume_work(rental: Rental, now: datetime) -> Rental:
    """Restore the previous end of the lease, because work goes on after the jobs seemed to be done."""
    return alter(rental, lease=resumed(rental.running_lease, now), due_at=now)


def keep_to_last_end(rental: Rental, question: Question, now: datetime) -> Rental:
    """Restore the latest end of the lease, because a person wants to keep the machine after its jobs are done."""
    lease = changed(with_fixed_end(_not_destroyed(rental.running_lease)), seen_at=now, question=question)
    return alter(rental, lease=lease, lost_heartbeat=_kept(rental, now), due_at=now)


def note_no_job(rental: Rental, now: datetime) -> Rental:
    """Record that the owner was told that no job has started."""
    lease = rental.running_lease
    asked = changed(_of_jobs(lease), asked_at=now)
    return alter(rental, lease=changed(lease, until_done=asked))


def _of_jobs(lease: Lease) -> UntilDone:
    """Return the record of how a lease depends on the machine's jobs.

    Raises ValueError if the lease doesn't depend on jobs: that is a bug in the caller.
    """
    if lease.until_done is None:
        raise ValueError("this lease doesn't depend on jobs")
    return lease.until_done


def note_jobs_told(rental: Rental, question: Question, now: datetime) -> Rental:
    """Record that the owner was notified of all jobs that have ended by now."""
    jobs = changed(rental.jobs or MachineJobs(), told_until=now)
    return alter(rental, jobs=jobs, lease=changed(rental.running_lease, question=question))


def _not_destroyed(lease: Lease) -> Lease:
    """Undo a request to destroy the machine gracefully, or an end that moved because of a lost heartbeat.

    Without either, return the lease unchanged.
    """
    first = lease.graceful_destroy
    if first is None:
        return heartbeats.with_usual_end(lease)
    return changed(
        lease, ends_at=max(first.ends_at, lease.ends_at), latest_end=first.latest_end, graceful_destroy=None
    )


def destroy_after_script(rental: Rental, ends_at: datetime, *, by: str, now: datetime) -> Rental:
    """End the machine once its `/root/on-ending.sh` exits, and no later than `ends_at`.

    A pending request for more time is dropped.
    """
    lease = heartbeats.with_usual_end(rental.running_lease)
    first = GracefulDestroy(by=by, ends_at=lease.ends_at, latest_end=lease.latest_end)
    lease = changed(lease, ends_at=ends_at, latest_end=None, notices_checked_at=now, graceful_destroy=first)
    return alter(rental, terms=rental.unextended, extension=None, lease=lease, due_at=now)


# --- lost heartbeats


def lose_heartbeat(rental: Rental, lost: LostHeartbeat) -> Rental:
    """Record that the heartbeat is lost, and that the owner is notified of it."""
    return alter(rental, lost_heartbeat=lost)


def end_without_heartbeat(rental: Rental, until: datetime, now: datetime) -> Rental:
    """Move the end of the lease to `until`, because the heartbeat is lost. The lease never gets longer."""
    return alter(rental, lease=heartbeats.with_nearer_end(rental.running_lease, until, now))


def heartbeat_back(
    rental: Rental,
    how: HeartbeatReturn,
    now: datetime,
    *,
    at: datetime | None = None,
    lost: LostHeartbeat | None = None,
) -> tuple[Rental, Event[HeartbeatBackFacts]]:
    """Restore the end that the lease had before the heartbeat was lost.

    Args:
        rental: A rental whose heartbeat is lost.
        how: The reason.
        now: The current time.
        at: The time of the heartbeat, or of the newest report about a job that counts as one.
        lost: The lost heartbeat, if the heartbeat isn't back but the machine no longer ends because of it.

    Returns:
        The changed rental and the event.
    """
    lease = heartbeats.with_usual_end(rental.running_lease)
    facts = HeartbeatBackFacts(
        how=how,
        since=at,
        until=lease.ends_at if rental.running_lease.heartbeat_end is not None else None,
        back_by=lost.back_by if lost is not None else None,
    )
    event = Event(rental_id=rental.id, kind=EventKind.HEARTBEAT_BACK, at=now, facts=facts)
    return alter(rental, lease=lease, lost_heartbeat=lost, due_at=now), event


def keep_without_heartbeat(rental: Rental, question: Question, until: datetime, now: datetime) -> Rental:
    """Keep a machine whose heartbeat is lost until `until`, because a person decided so.

    Until then, nothing is ended or asked because of the heartbeat. If the end of the lease had moved, the previous
    end is restored.
    """
    lease = changed(heartbeats.with_usual_end(rental.running_lease), seen_at=now, question=question)
    return alter(rental, lease=lease, lost_heartbeat=heartbeats.kept(rental.lost_heartbeat, until), due_at=now)


# --- replacement


def note_replaced(rental: Rental, by: str, now: datetime) -> Rental:
    """Record that the rental `by` replaces this one.

    If the replaced rental's machine is still running, it isn't destroyed before the new machine has been bought.
    """
    return alter(rental, replaced_by=by, due_at=now if rental.state is State.READY else rental.due_at)


# --- facts about the machine


def note_host_key(rental: Rental, host_key: str) -> Rental:
    """Set the host key of a machine that hadn't presented one before, and record that its SSH port responds."""
    return alter(rental, host_key=host_key, quiet_since_real=None)


def note_use(rental: Rental, use: Use, now: datetime) -> Rental:
    """Store a changed usage status.

    The rental is processed again now, because the usage status affects the next question to the owner and the end
    of the lease.
    """
    return alter(rental, use=use, due_at=now)


def note_on_ending(rental: Rental, on_ending: OnEnding | None, now: datetime) -> Rental:
    """Store what the machine reported about its `/root/on-ending.sh`.

    The rental is processed again now, because the script can delay the destruction of the machine.
    """
    at = None if on_ending is None else now
    return alter(rental, on_ending=on_ending, on_ending_at=at, due_at=now)


def note_jobs(rental: Rental, jobs: MachineJobs, now: datetime) -> Rental:
    """Store what the machine reported about its jobs.

    The rental is processed again now, because the next message to the owner and the end of the lease can depend
    on the jobs.
    """
    return alter(rental, jobs=jobs, due_at=now)
