"""Decides what follows if the heartbeat of a program is lost. No I/O.

A program that rented a machine can send heartbeats to show that it is still alive. Only people decide what a lost
heartbeat causes: they choose it in advance, in the terms of the token or with the rental (`WhenLost`). A lost
heartbeat brings the end of a lease nearer and does nothing else. A heartbeat never makes a lease longer.

A heartbeat is lost if none has arrived for LOST_AFTER. The owner is then notified. If the terms say so, and the
heartbeat isn't back after a further END_AFTER, the end of the lease moves to one grace period after that time. If
the heartbeat comes back before the new end, the lease gets its previous end back.

These things count as a heartbeat as well:

- A running job of root that was started with `gpubot-run`, as long as the machine reports it. Without GPU work, a
  job counts only for `idle.job_counts`.
- The moment from which this process could receive heartbeats. After the bot has started, has reopened its database
  or has begun to serve its REST API, each program therefore has the full LOST_AFTER.

docs/decisions/ends.md explains these choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from bot.model.base import changed
from bot.model.facts import HeartbeatReturn
from bot.model.job import ROOT, Job
from bot.model.machine_use import Sample
from bot.model.person import Person
from bot.model.rental import Lease, Rental
from bot.model.token import HeartbeatEnd, LostHeartbeat, Token, WhenLost
from bot.policy.team.roles import may_use
from bot.policy.team.rules import Idle, Rules
from bot.policy.team.token_terms import works
from bot.policy.use.flexible_end import is_unseen
from bot.policy.use.usage_status import has_report, shows_work

EVERY = timedelta(minutes=5)
"""The time between two heartbeats of a program.

Each heartbeat is one small write. Sending heartbeats more often would only cause more writes, because nobody
learns of a lost heartbeat before LOST_AFTER.
"""
LOST_AFTER = timedelta(minutes=20)
"""The time without a heartbeat after which it is lost.

Three heartbeats in a row can get lost, for example while a proxy or the program's host restarts.
"""
END_AFTER = timedelta(minutes=15)
"""The time between notifying the owner and moving the end of the lease.

Like the usual grace period, it gives the owner time to read the message and to keep the machine.
"""
KEEP_FOR = timedelta(hours=1)
"""The time for which a person can keep a machine without a heartbeat before they are asked again."""


class TellHeartbeatLost(NamedTuple):
    """Notify the owner that the heartbeat is lost."""

    lost: LostHeartbeat
    works: bool = False
    """True if the machine doesn't end because its GPUs are working."""
    unseen: bool = False
    """True if the bot can't see whether its GPUs are working, so that the machine ends even if they are."""


class EndWithoutHeartbeat(NamedTuple):
    """Move the end of the lease to `until`, because the heartbeat is lost."""

    until: datetime


class HeartbeatBack(NamedTuple):
    """Stop ending the machine because of its lost heartbeat. If its end has moved, restore the previous end."""

    how: HeartbeatReturn
    lost: LostHeartbeat | None = None
    """The lost heartbeat, if it isn't back."""
    at: datetime | None = None
    """The time of the heartbeat. None if it isn't back."""


HeartbeatAct: TypeAlias = TellHeartbeatLost | EndWithoutHeartbeat | HeartbeatBack


class Next(NamedTuple):
    """The next action, and the time at which it is due."""

    at: datetime
    act: HeartbeatAct | None = None
    """None if `next_step` just has to be called again at that time."""


def when_lost(rental: Rental) -> WhenLost | None:
    """Return the consequence if the rental's heartbeat is lost. None if it needs no heartbeats."""
    return rental.program.lost if rental.program is not None else None


def is_expected(token: Token | None, owner: Person | None, rules: Rules, now: datetime) -> bool:
    """Return whether the program can and should send heartbeats.

    A program can't send heartbeats once its token no longer works, or while the token's owner isn't allowed to use
    the bot. Once the machine and the token have different owners, a decision of the previous owner no longer ends
    the machine.

    Args:
        token: The token with which the machine was rented. None if it isn't known.
        owner: The owner of the machine. None if they aren't known.
        rules: The team's rules.
        now: The time.
    """
    if token is None or owner is None or token.owner != owner.id:
        return False
    return works(token, now) and may_use(owner, rules)


def next_step(
    rental: Rental,
    samples: Sequence[Sample],
    listens_since: datetime | None,
    rules: Rules,
    now: datetime,
    *,
    expected: bool = True,
) -> Next | None:
    """Return the next action about the heartbeat of a ready machine. None if it isn't waiting for anything.

    A machine that is being replaced is left alone.

    Args:
        samples: The newest samples, oldest first.
        listens_since: The time since which this process can receive heartbeats. None if it can't.
        expected: False if the program can't send heartbeats any more (`is_expected`).
    """
    lease, lost, when = rental.running_lease, rental.lost_heartbeat, when_lost(rental)
    if when is None or rental.replaced_by is not None:
        return None
    if listens_since is None or not expected:
        # Another process may still listen, so leave a lost heartbeat alone until it moves the end of the lease.
        is_open = lease.heartbeat_end is not None or (lost is not None and not expected)
        return Next(now, HeartbeatBack(HeartbeatReturn.NOT_EXPECTED)) if is_open else None
    last, sign = _last_sign(rental, samples, rules)
    full = max(last, listens_since) + LOST_AFTER
    if lost is not None and last > lost.since:
        return Next(now, HeartbeatBack(sign, at=last))
    if lease.heartbeat_end is not None and lost is not None:
        return _before_end(lease.heartbeat_end, lost, _works_until(when, samples, rules.idle), listens_since, now)
    if lease.ends_at <= now:
        return None
    works_until = _works_until(when, samples, rules.idle)
    grace = rules.lease.grace
    ends = when is not WhenLost.TELL and now + END_AFTER + grace < lease.ends_at
    works = works_until is not None and now < works_until
    told = LostHeartbeat(since=last, told_at=now, back_by=now + END_AFTER if ends and not works else None)
    unseen = when is WhenLost.END and told.back_by is not None and is_unseen(rental.use, samples, now)
    tell = TellHeartbeatLost(told, works, unseen)
    if lost is None:
        return Next(full, tell)
    if when is WhenLost.TELL:
        return None
    if lost.kept_until is not None:
        return Next(max(lost.kept_until, full), tell)
    if works_until is not None and works:
        waits = HeartbeatBack(HeartbeatReturn.WORK, changed(lost, back_by=None))
        return Next(works_until) if lost.back_by is None else Next(now, waits)
    if lost.back_by is None:
        return Next(now, tell) if ends else None
    at = max(lost.back_by, full)
    return Next(at, EndWithoutHeartbeat(now + grace)) if max(at, now) + grace < lease.ends_at else None


def _before_end(
    end: HeartbeatEnd, lost: LostHeartbeat, works_until: datetime | None, listens_since: datetime, now: datetime
) -> Next | None:
    """Return the next action once the end has moved. It moves back in two cases.

    The GPUs work again, or this process couldn't receive heartbeats for a while after the end had moved.
    """
    if listens_since > end.at:
        # Store the time by which the heartbeat has to be back. Another process may have been able to receive
        # heartbeats all the time, and would otherwise move the end again at once.
        waits = changed(lost, back_by=listens_since + LOST_AFTER)
        return Next(now, HeartbeatBack(HeartbeatReturn.AWAY, waits))
    if works_until is not None and now < works_until:
        return Next(now, HeartbeatBack(HeartbeatReturn.WORK, changed(lost, back_by=None)))
    return None


def _last_sign(rental: Rental, samples: Sequence[Sample], rules: Rules) -> tuple[datetime, HeartbeatReturn]:
    """Return the last time at which the program is known to have been alive, and what showed this.

    Before the first heartbeat, this is the time at which the machine became ready.
    """
    ready_at = rental.running_lease.ready_at
    heard = max(ready_at, rental.heartbeat_at or ready_at)
    seen = [at for job in _jobs_of_root(rental) if (at := _seen_at(job, rental, samples, rules)) is not None]
    job_at = max(seen, default=ready_at)
    return (job_at, HeartbeatReturn.JOB) if job_at > heard else (heard, HeartbeatReturn.HEARTBEAT)


def _jobs_of_root(rental: Rental) -> list[Job]:
    """Return the jobs that count as heartbeats.

    Jobs of other users don't count, because a container that runs as another user could forge them.
    """
    return [job for job in rental.jobs.jobs if job.uid == ROOT] if rental.jobs is not None else []


def _seen_at(job: Job, rental: Rental, samples: Sequence[Sample], rules: Rules) -> datetime | None:
    """Return the last time at which a job counts as a heartbeat. None if nothing was reported recently."""
    reported = [sample.at for sample in samples if has_report(sample)]
    seen_at = job.ended_at or max(reported, default=None)
    return None if seen_at is None else min(seen_at, _last_work(rental, samples, rules) + rules.idle.job_counts)


def _last_work(rental: Rental, samples: Sequence[Sample], rules: Rules) -> datetime:
    """Return the last time at which a GPU is known to have worked, or could have worked unseen.

    If no GPU has worked, this is the time at which the machine was ready.
    """
    use, work = rental.use, [sample.at for sample in samples if shows_work(sample, rules.idle)]
    if work:
        return work[-1]
    return use.since if use is not None else rental.running_lease.ready_at


def _works_until(when: WhenLost, samples: Sequence[Sample], idle: Idle) -> datetime | None:
    """Return the time until which a machine isn't ended, because its GPUs have worked.

    This is `idle.after` after the last sample that shows work. None if no sample shows work, even if the reason is
    that the bot can't see how the machine is used. Also None if the machine ends even if its GPUs are working.
    """
    work = [sample.at for sample in samples if shows_work(sample, idle)]
    return work[-1] + idle.after if work and when is not WhenLost.END_IF_BUSY else None


def asks_owner(rental: Rental, now: datetime) -> bool:
    """Return whether the owner has been asked about a lost heartbeat, or has answered recently.

    During this time, the owner isn't asked whether the machine is still needed.
    """
    lost = rental.lost_heartbeat
    return lost is not None and any(until is not None and now < until for until in (lost.back_by, lost.kept_until))


def ends_without(rental: Rental) -> bool:
    """Return whether a lost heartbeat can end the machine."""
    return when_lost(rental) in {WhenLost.END, WhenLost.END_IF_BUSY}


def with_usual_end(lease: Lease) -> Lease:
    """Restore the end of a lease that moved nearer because of a lost heartbeat. Return other leases unchanged."""
    end = lease.heartbeat_end
    if end is None:
        return lease
    return changed(lease, ends_at=end.ends_at, latest_end=end.latest_end, heartbeat_end=None)


def with_nearer_end(lease: Lease, until: datetime, now: datetime) -> Lease:
    """Return a lease that ends at `until` because of a lost heartbeat, but never later than before."""
    end = HeartbeatEnd(at=now, ends_at=lease.ends_at, latest_end=lease.latest_end)
    return changed(
        lease, ends_at=min(until, lease.ends_at), latest_end=None, notices_checked_at=now, heartbeat_end=end
    )


def kept(lost: LostHeartbeat | None, until: datetime) -> LostHeartbeat | None:
    """Return a lost heartbeat because of which nothing is ended or asked before `until`."""
    return None if lost is None else changed(lost, back_by=None, kept_until=until)
