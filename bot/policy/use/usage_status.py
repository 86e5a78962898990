"""The verdict whether a machine is used, from the samples of its visits.

The rules, with the defaults of the policy's `idle`. Only our own times count, never the machine's clock.

- In use: some GPU had a reading of at least 5 % in the last 30 minutes.
- T is the time of the last such reading, never an average. It is the time of ready if there was none.
- Connected: no such reading for 30 minutes, and somebody was connected in that time.
- Idle: no such reading and nobody connected for 30 minutes, or for 60 minutes if no GPU has worked since ready.
- Connected and idle need three good visits since T.
- Unknown: three visits in a row without a usable reading, or no visit for more than 6 minutes. Then only a good
  visit shows something again, and time without work counts from that visit on. A visit that reads only some of the
  GPUs is usable while the machine is in use.
- What cannot be said yet is unknown too, since ready or that good visit, without a reason (`Use.why`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from bot.model.base import changed
from bot.model.machine_use import NOT_COMPUTING, GpuUse, Missed, RecentUse, Sample, UsageStatus, Use
from bot.policy.team.rules import Idle, Rules

LONGEST_GAP = timedelta(minutes=6)
"""If two visits are further apart than this, what happened between them is unknown. If very many machines make all
visits rarer, the limit is three times the usual gap, at most LONGEST_GAP_OF_MANY."""
LONGEST_GAP_OF_MANY = timedelta(hours=1)
MISSED_IN_A_ROW = 3
"""This many visits in a row without a usable reading make the verdict unknown."""
FEWEST_PROBE_RUNS = 3
"""A machine needs this many good visits to be called connected or idle."""
ONE_IDLE_PERIOD = timedelta(minutes=10)
"""A shorter interruption does not end a spell without work."""
NOT_YET = timedelta(minutes=15)
"""For this long after ready, a refused login only means that the boot script has not installed the probe yet."""
OLD_CONNECTION = timedelta(seconds=120)
"""Scanners of the internet hold an SSH port for up to this long."""
HOURS = 24
"""How many hours `busy_hours` covers."""


# --- what samples show before any verdict: which readings count as work, and who was connected


def shows_work(sample: Sample, idle: Idle) -> bool:
    """Return whether some GPU had a reading that counts as use. Memory doesn't: a dead process can hold it."""
    return any(gpu.highest is not None and gpu.highest >= idle.gpu_below * 100 for gpu in sample.gpus)


def shows_everything(sample: Sample) -> bool:
    """Return whether every GPU has a reading. One without may work unseen, as in MIG mode, so it isn't 0."""
    return sample.missed is None and bool(sample.gpus) and all(gpu.highest is not None for gpu in sample.gpus)


def shows_something(sample: Sample, idle: Idle) -> bool:
    """Return whether a visit was good: it shows that the machine works, or that none of its GPUs does."""
    return shows_work(sample, idle) or shows_everything(sample)


def shows_a_part(sample: Sample, idle: Idle) -> bool:
    """Return whether a visit was good for a machine that worked just before: it was answered, and shows that the
    machine works, or that some of its GPUs do not.
    """
    some = sample.missed is None and any(gpu.highest is not None for gpu in sample.gpus)
    return shows_work(sample, idle) or some


def has_report(sample: Sample) -> bool:
    """Return whether the visit read something of the machine, if only its connections."""
    return sample.missed not in {Missed.NO_ANSWER, Missed.REFUSED, Missed.HOST_KEY_CHANGED, Missed.UNREADABLE}


def reason(sample: Sample) -> Missed:
    """Return why a sample does not show everything."""
    return sample.missed or Missed.NO_UTILIZATION


def highest_readings(samples: Iterable[Sample]) -> tuple[GpuUse, ...]:
    """Return each GPU with its highest reading in these samples, and with its newest memory and power."""
    newest: dict[int, GpuUse] = {}
    highest: dict[int, int] = {}
    for sample in samples:
        for gpu in sample.gpus:
            newest[gpu.index] = gpu
            if gpu.highest is not None:
                highest[gpu.index] = max(gpu.highest, highest.get(gpu.index, 0))
    return tuple(changed(newest[index], highest=highest.get(index)) for index in sorted(newest))


def most_connections(samples: Iterable[Sample], *, since: datetime) -> int:
    """Return the highest number of connections that one visit after `since` saw open. A connection counts in a
    visit if an earlier one, more than 120 seconds before, saw it too. `samples` are oldest first and may begin
    earlier.
    """
    first_seen: dict[str, datetime] = {}
    most = 0
    for sample in samples:
        for peer in sample.peers:
            first_seen.setdefault(peer, sample.at)
        if sample.at > since:
            old = {peer for peer in sample.peers if sample.at - first_seen[peer] > OLD_CONNECTION}
            most = max(most, len(old))
    return most


def open_connections(samples: Sequence[Sample]) -> tuple[int, int]:
    """Return how many connections in the newest report are older than 120 seconds, and how many are not. Scanners
    are among the second. `samples` are oldest first.
    """
    answered = [sample for sample in samples if has_report(sample)]
    if not answered:
        return 0, 0
    old = most_connections(answered, since=answered[-1].at - timedelta(seconds=1))
    return old, len(answered[-1].peers) - old


def recent_use(
    samples: Sequence[Sample], highest: Iterable[tuple[datetime, int]], now: datetime, idle: Idle
) -> RecentUse:
    """Return how a machine was used lately. `samples` are those of `recent_span`, oldest first. `highest` is the
    time and the highest reading of each visit of the last day.
    """
    old, new = open_connections(samples)
    return RecentUse(
        gpus=highest_readings(sample for sample in samples if now - sample.at < idle.after),
        connections=old,
        new_connections=new,
        hours=busy_hours(highest, now),
    )


def recent_span(idle: Idle) -> timedelta:
    """Return how far back the samples for `recent_use` must reach."""
    return idle.after + 5 * OLD_CONNECTION


def busy_hours(highest: Iterable[tuple[datetime, int]], now: datetime) -> tuple[int | None, ...]:
    """Return how busy a machine was in each of the last 24 hours, oldest first: the mean of the highest readings
    of its visits, in percent, rounded up. An hour without readings is None.
    """
    hours: list[list[int]] = [[] for _ in range(HOURS)]
    for at, reading in highest:
        ago = (now - at) // timedelta(hours=1)
        if 0 <= ago < HOURS:
            hours[HOURS - 1 - ago].append(reading)
    return tuple(-(-sum(each) // len(each)) if each else None for each in hours)


# --- the verdict


class _Unbroken(NamedTuple):
    """The samples since the last break in what is seen of the machine."""

    good: tuple[Sample, ...] = ()
    """The good samples since the last break. Empty if nothing is seen now."""
    lost_at: datetime | None = None
    """When the last break began. None if the samples have no break."""
    why: Missed | None = None
    """Why nothing is seen now, if a visit says so."""


def window(rules: Rules) -> timedelta:
    """Return how far back the samples for `judge` must reach."""
    return max(rules.idle.after, rules.idle.never_used) + ONE_IDLE_PERIOD


def differs(before: Use | None, after: Use) -> bool:
    """Return whether `after` says something else than `before`. Newer evidence for the same is no difference."""
    return before is None or changed(before, gpus=after.gpus, connections=after.connections) != after


def unseen_since(use: Use, samples: Sequence[Sample], at: datetime, rules: Rules) -> datetime | None:
    """Return since when nobody sees at `at` how a machine with this verdict is used: since its last good visit, if
    that was too long before. Return None if the verdict covers `at`.

    Nobody sees it if the bot was down, or if its own visits fail. `samples` are those of the last `window(rules)`
    before `at`, oldest first, and the newest one before that.
    """
    good = [sample.at for sample in samples if shows_something(sample, rules.idle)]
    if good and at - good[-1] <= longest_gap(samples):
        return None
    return good[-1] if good else use.since


def with_later_work(
    use: Use | None, samples: Sequence[Sample], *, ready_at: datetime, now: datetime, rules: Rules
) -> Use | None:
    """Return the verdict of the samples if a visit showed work after the last work that this verdict knows.
    Otherwise return this verdict.

    No verdict changes while most visits fail, but work that a visit shows is certain. `samples` are as for
    `judge`.
    """
    if use is None or use.status not in NOT_COMPUTING:
        return use
    works = any(sample.at > use.since and shows_work(sample, rules.idle) for sample in samples)
    return judge(samples, ready_at=ready_at, before=use, now=now, rules=rules) if works else use


def after_probe_run(
    samples: Sequence[Sample],
    new: Sample,
    *,
    ready_at: datetime,
    before: Use | None,
    rules: Rules,
) -> tuple[Use, ...]:
    """Return the verdicts that a new sample leads to, oldest first. The last one holds now.

    There are two if there was no visit for more than 6 minutes: that nothing is known about this time, and what is
    known now. `samples` are as for `judge`, without the new one.
    """
    known = before
    passed: tuple[Use, ...] = ()
    if new.at - (samples[-1].at if samples else ready_at) > longest_gap(samples):
        known = judge(samples, ready_at=ready_at, before=before, now=new.at, rules=rules)
        passed = (known,)
    last = judge((*samples, new), ready_at=ready_at, before=known, now=new.at, rules=rules)
    return (*passed, last)


def judge(
    samples: Sequence[Sample],
    *,
    ready_at: datetime,
    before: Use | None,
    now: datetime,
    rules: Rules,
) -> Use:
    """Return the verdict about a machine that became ready at `ready_at`.

    `samples` are those of the last `window(rules)`, oldest first, and the newest one before that, if there is one.
    Older samples are not read. `before` is the verdict until now: it has the start of a spell that is older than
    the samples.
    """
    samples = _in_window(samples, now - window(rules))
    idle = rules.idle
    gap = longest_gap(samples)
    work = [sample.at for sample in samples if shows_work(sample, idle)]
    worked = bool(work) or (before is not None and before.worked)
    works = bool(work) and now - work[-1] < idle.after
    # A GPU without readings may work. That matters only once the other GPUs rest.
    good = partial(shows_a_part if works else shows_something, idle=idle)
    unbroken = _without_break(samples, gap, ready_at=ready_at, before=before, now=now, good=good)
    if not unbroken.good:
        since = _unknown_since(samples, before, unbroken.lost_at or ready_at, rules)
        return _unknown(before, since, why=unbroken.why, worked=worked)
    if works:
        since = _in_use_since(next(at for at in work if now - at < idle.after), unbroken, before)
        return Use(
            status=UsageStatus.IN_USE,
            since=since,
            gpus=highest_readings(sample for sample in samples if now - sample.at < idle.after),
            connections=most_connections(samples, since=now - idle.after),
            worked=True,
            idle_period=_idle_period(before, UsageStatus.IN_USE, since),
        )
    from_ready = samples[0].at - ready_at <= gap
    quiet_since = _quiet_since(work, unbroken, before, ready_at if from_ready else unbroken.good[0].at)
    alone_for = idle.after if worked else idle.never_used
    connections = most_connections(samples, since=max(quiet_since, now - alone_for))
    status, needed = (UsageStatus.CONNECTED, idle.after) if connections else (UsageStatus.IDLE, alone_for)
    seen = [sample for sample in unbroken.good if sample.at > quiet_since]
    if now - quiet_since < needed or len(seen) < FEWEST_PROBE_RUNS:
        return _unknown(before, quiet_since, why=None, worked=worked)
    return Use(
        status=status,
        since=quiet_since,
        gpus=highest_readings(seen),
        connections=connections,
        worked=worked,
        idle_period=_idle_period(before, status, quiet_since),
    )


def _in_window(samples: Sequence[Sample], begin: datetime) -> Sequence[Sample]:
    """Return the samples from `begin` on, and the newest one before."""
    first = next((n for n, sample in enumerate(samples) if sample.at >= begin), len(samples))
    return samples[max(first - 1, 0) :]


def longest_gap(samples: Sequence[Sample]) -> timedelta:
    """Return how far apart visits, oldest first, may be before what happened between them is unknown."""
    between = [after.at - before.at for before, after in pairwise(samples)]
    # Take the shortest time: visits that were late because the bot was down must not allow longer gaps.
    shortest = min(between) if len(between) >= FEWEST_PROBE_RUNS else timedelta(0)
    return max(LONGEST_GAP, min(3 * shortest, LONGEST_GAP_OF_MANY))


def _without_break(
    samples: Sequence[Sample],
    gap: timedelta,
    *,
    ready_at: datetime,
    before: Use | None,
    now: datetime,
    good: Callable[[Sample], bool],
) -> _Unbroken:
    """Return what the samples show since the last break. `good` says whether a visit shows the use."""
    seen: list[Sample] = []
    missed: list[Sample] = []
    lost_at: datetime | None = None
    if not samples:
        return _Unbroken(lost_at=before.since if before else ready_at)
    following = (*(sample.at for sample in samples[1:]), now)
    for sample, next_at in zip(samples, following, strict=True):
        if good(sample):
            seen.append(sample)
            missed = []
        else:
            missed.append(sample)
            if len(missed) == MISSED_IN_A_ROW:
                lost_at = missed[0].at
                seen = []
        if next_at - sample.at > gap:
            lost_at = sample.at if seen or lost_at is None else lost_at
            seen = []
    return _Unbroken(tuple(seen), lost_at, _why(missed, before, not_yet=now - ready_at < NOT_YET))


def _why(missed: Sequence[Sample], before: Use | None, *, not_yet: bool) -> Missed | None:
    """Return why the last visits show nothing. Keep a reason that still holds: otherwise failures that alternate
    would change the verdict with each visit.
    """
    if len(missed) < MISSED_IN_A_ROW:
        return None
    reasons = [reason(sample) for sample in missed[-MISSED_IN_A_ROW:]]
    if not_yet and set(reasons) == {Missed.REFUSED}:
        return None
    return before.why if before is not None and before.why in reasons else reasons[-1]


def _unknown_since(samples: Sequence[Sample], before: Use | None, since: datetime, rules: Rules) -> datetime:
    """Return since when an unknown verdict holds: `since`, or earlier if the verdict before was unknown too and no
    good visit came meanwhile.
    """
    if before is None or before.status is not UsageStatus.UNKNOWN:
        return since
    seen = any(sample.at > before.since and shows_something(sample, rules.idle) for sample in samples)
    return since if seen else before.since


def _unknown(before: Use | None, since: datetime, *, why: Missed | None, worked: bool) -> Use:
    return Use(
        status=UsageStatus.UNKNOWN,
        since=since,
        why=why,
        worked=worked,
        idle_period=_idle_period(before, UsageStatus.UNKNOWN, since),
    )


def _in_use_since(first: datetime, unbroken: _Unbroken, before: Use | None) -> datetime:
    """Return the first reading of work of this spell. After a break, the spell begins at the first good visit."""
    if (
        before is not None
        and before.status is UsageStatus.IN_USE
        and (unbroken.lost_at is None or before.since > unbroken.lost_at)
    ):
        return before.since
    return first if unbroken.lost_at is None else max(first, unbroken.good[0].at)


def _quiet_since(work: Sequence[datetime], unbroken: _Unbroken, before: Use | None, begin: datetime) -> datetime:
    """Return T: the last reading of work, or the first good visit after a break. If there is neither, return the T
    of the previous verdict's spell, or `begin`, when the samples begin.
    """
    first_good = unbroken.good[0].at
    if work and (unbroken.lost_at is None or work[-1] >= first_good):
        return work[-1]
    if unbroken.lost_at is not None:
        return first_good
    return before.since if before is not None and before.status in NOT_COMPUTING else begin


def _idle_period(before: Use | None, status: UsageStatus, since: datetime) -> datetime | None:
    """Return when the spell without work began to which a verdict belongs. `since` is when the verdict begins.

    A spell goes on if work, or time without readings, interrupts it for less than 10 minutes. So the verdict of an
    interruption keeps the start of the spell.
    """
    new = since if status in NOT_COMPUTING else None
    if before is None or before.idle_period is None:
        return new
    if before.status in NOT_COMPUTING or (before.status is status and before.since == since):
        return before.idle_period
    return before.idle_period if since - before.since < ONE_IDLE_PERIOD else new
