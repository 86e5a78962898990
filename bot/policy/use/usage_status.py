"""Decides whether a machine is being used, based on the samples of its probe runs.

The result is the machine's usage status. These are the rules, with the default values of `idle` in the policy. T
is the time of the last reading that shows work. If there was none, T is the time at which the machine became
ready. All times are taken from the bot's clock, never from the machine's clock.

A probe run is good if it shows work or reads every GPU. While a machine is in use, a probe run that reads only
some of its GPUs is good as well.

- In use: at least one GPU had a reading of 5% or more in the last 30 minutes. Averages are never used.
- Connected: no such reading for 30 minutes, but somebody was connected during these minutes.
- Idle: no such reading and nobody connected for 30 minutes, or for 60 minutes if no GPU has worked since the
  machine became ready.
- The statuses "connected" and "idle" require three good probe runs since T.
- Unknown: three probe runs in a row that weren't good, or no probe run for more than 6 minutes. Only a good probe
  run ends the unknown status, and idle time is counted from that probe run.
- Undecided: there are not enough readings yet. This is stored as an unknown status without a reason: `Use.why` is
  None.
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
"""The longest gap between two probe runs during which a machine is still monitored.

The use of the machine during a longer gap is unknown. If there are very many machines, each is probed less often.
The limit is then three times the usual gap, but at most LONGEST_GAP_OF_MANY.
"""
LONGEST_GAP_OF_MANY = timedelta(hours=1)
MISSED_IN_A_ROW = 3
"""After this number of probe runs in a row that weren't good, the usage status is unknown."""
FEWEST_PROBE_RUNS = 3
"""The number of good probe runs that are required to call a machine connected or idle."""
ONE_IDLE_PERIOD = timedelta(minutes=10)
"""The shortest interruption that ends an idle period."""
NOT_YET = timedelta(minutes=15)
"""The time during which a newly ready machine is expected to refuse logins.

The startup script might not have installed the probe yet.
"""
OLD_CONNECTION = timedelta(seconds=120)
"""The age above which the bot takes an SSH connection for a person.

Internet scanners keep a connection open for up to this long.
"""
HOURS = 24
"""The number of hours that `busy_hours` covers."""


# --- whether a reading of a machine shows work or open SSH connections


def shows_work(sample: Sample, idle: Idle) -> bool:
    """Return whether at least one GPU had a reading that is high enough to show work.

    Used memory isn't a sign of work, because a dead process can keep it allocated.
    """
    return any(gpu.highest is not None and gpu.highest >= idle.gpu_below * 100 for gpu in sample.gpus)


def shows_everything(sample: Sample) -> bool:
    """Return whether every GPU has a reading.

    A GPU without a reading might be working, for example in MIG mode, so it can't be assumed to be idle.
    """
    return sample.missed is None and bool(sample.gpus) and all(gpu.highest is not None for gpu in sample.gpus)


def shows_something(sample: Sample, idle: Idle) -> bool:
    """Return whether a probe run was good: it shows work on some GPU, or has a reading of every GPU."""
    return shows_work(sample, idle) or shows_everything(sample)


def shows_a_part(sample: Sample, idle: Idle) -> bool:
    """Return whether a probe run shows work, or has a reading of at least one GPU.

    Such a probe run is good enough while the machine is in use, but not to call the machine idle.
    """
    some = sample.missed is None and any(gpu.highest is not None for gpu in sample.gpus)
    return shows_work(sample, idle) or some


def has_report(sample: Sample) -> bool:
    """Return whether a probe run returned a report, even if the report lists only connections."""
    return sample.missed not in {Missed.NO_ANSWER, Missed.REFUSED, Missed.HOST_KEY_CHANGED, Missed.UNREADABLE}


def reason(sample: Sample) -> Missed:
    """Return the reason why a sample has no reading for some or all GPUs."""
    return sample.missed or Missed.NO_UTILIZATION


def highest_readings(samples: Iterable[Sample]) -> tuple[GpuUse, ...]:
    """Return each GPU with its highest reading in these samples.

    The memory and power of a GPU come from the newest sample that contains it.
    """
    newest: dict[int, GpuUse] = {}
    highest: dict[int, int] = {}
    for sample in samples:
        for gpu in sample.gpus:
            newest[gpu.index] = gpu
            if gpu.highest is not None:
                highest[gpu.index] = max(gpu.highest, highest.get(gpu.index, 0))
    return tuple(changed(newest[index], highest=highest.get(index)) for index in sorted(newest))


def most_connections(samples: Iterable[Sample], *, since: datetime) -> int:
    """Return the highest number of connections that were open at once after `since`.

    A connection is ignored unless two probe runs that were more than 120 seconds apart saw it.

    Args:
        samples: Oldest first. They can begin before `since`.
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
    """Count the connections in the newest report: those older than 120 seconds, and the newer ones.

    The newer connections might come from internet scanners.

    Args:
        samples: Oldest first.
    """
    answered = [sample for sample in samples if has_report(sample)]
    if not answered:
        return 0, 0
    old = most_connections(answered, since=answered[-1].at - timedelta(seconds=1))
    return old, len(answered[-1].peers) - old


def recent_use(
    samples: Sequence[Sample], highest: Iterable[tuple[datetime, int]], now: datetime, idle: Idle
) -> RecentUse:
    """Return a summary of how a machine was used recently.

    Args:
        samples: The samples of the last `recent_span`, oldest first.
        highest: The time and the highest reading of each probe run of the last day.
    """
    old, new = open_connections(samples)
    return RecentUse(
        gpus=highest_readings(sample for sample in samples if now - sample.at < idle.after),
        connections=old,
        new_connections=new,
        hours=busy_hours(highest, now),
    )


def recent_span(idle: Idle) -> timedelta:
    """Return the length of time before now for which `recent_use` needs samples."""
    return idle.after + 5 * OLD_CONNECTION


def busy_hours(highest: Iterable[tuple[datetime, int]], now: datetime) -> tuple[int | None, ...]:
    """Return the load of a machine in each of the last 24 hours, oldest first, in percent.

    The load of an hour is the mean of its probe runs, rounded up. It is None for an hour without readings.

    Args:
        highest: For each probe run, the time and the highest reading of all GPUs in percent.
    """
    hours: list[list[int]] = [[] for _ in range(HOURS)]
    for at, reading in highest:
        ago = (now - at) // timedelta(hours=1)
        if 0 <= ago < HOURS:
            hours[HOURS - 1 - ago].append(reading)
    return tuple(-(-sum(each) // len(each)) if each else None for each in hours)


# --- the usage status


class _Unbroken(NamedTuple):
    """The samples since the monitoring of a machine was last interrupted."""

    good: tuple[Sample, ...] = ()
    """The good samples since the last interruption. Empty if the bot can't monitor the machine now."""
    lost_at: datetime | None = None
    """The start of the last interruption. None if there was none during the time of the samples."""
    why: Missed | None = None
    """The reason why the bot can't monitor the machine now, if the probe runs give one."""


def window(rules: Rules) -> timedelta:
    """Return the length of time before now for which `judge` needs samples."""
    return max(rules.idle.after, rules.idle.never_used) + ONE_IDLE_PERIOD


def differs(before: Use | None, after: Use) -> bool:
    """Return whether two usage statuses say different things.

    New evidence for an unchanged status isn't a difference.
    """
    return before is None or changed(before, gpus=after.gpus, connections=after.connections) != after


def unseen_since(use: Use, samples: Sequence[Sample], at: datetime, rules: Rules) -> datetime | None:
    """Return the time since which nobody knows how a machine has been used.

    None if the usage status is still valid at `at`. A usage status is no longer valid if the last good probe run
    was too long ago, because the bot was down or its probe runs failed. The result is then the time of the last
    good probe run. If there was none, the result is the start of the usage status.

    Args:
        samples: The samples as for `judge`, if `at` were the current time.
    """
    good = [sample.at for sample in samples if shows_something(sample, rules.idle)]
    if good and at - good[-1] <= longest_gap(samples):
        return None
    return good[-1] if good else use.since


def with_later_work(
    use: Use | None, samples: Sequence[Sample], *, ready_at: datetime, now: datetime, rules: Rules
) -> Use | None:
    """Re-evaluate a usage status if newer samples show work on a GPU. Otherwise, return it unchanged.

    While most probe runs fail, a usage status stays unchanged. There is one exception: a sample that shows work on
    a GPU is reliable even then.

    Args:
        samples: The same samples as for `judge`.
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
    """Return the usage statuses that result from a new sample, oldest first. The last one is current.

    Usually the result is one status. After more than 6 minutes without a probe run, there are two: *unknown* for
    those minutes, and then the current status.

    Args:
        samples: The same samples as for `judge`, without the new one.
        before: The usage status before this sample. None if the machine has no usage status yet.
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
    """Return the usage status of a machine that became ready at `ready_at`.

    Args:
        samples: The samples of the last `window(rules)`, oldest first. If there are older samples, the newest of
            these must come first. Samples before that one are ignored.
        before: The previous usage status. It contains the start of an idle period that began before these samples.
    """
    samples = _in_window(samples, now - window(rules))
    idle = rules.idle
    gap = longest_gap(samples)
    work = [sample.at for sample in samples if shows_work(sample, idle)]
    worked = bool(work) or (before is not None and before.worked)
    works = bool(work) and now - work[-1] < idle.after
    # A probe run is incomplete if a GPU is missing in its readings, and this GPU may be working. While another GPU
    # works, the machine is in use anyway, so an incomplete probe run is good enough. When all other GPUs have
    # stopped, only complete probe runs count. Otherwise, a busy machine could look idle.
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
    """Return the samples since `begin`. If there are older samples, the newest of them comes first."""
    first = next((n for n, sample in enumerate(samples) if sample.at >= begin), len(samples))
    return samples[max(first - 1, 0) :]


def longest_gap(samples: Sequence[Sample]) -> timedelta:
    """Return the longest gap between probe runs during which a machine is still monitored.

    It is longer than LONGEST_GAP if all recent probe runs are further apart than usual.

    Args:
        samples: The recent samples, oldest first.
    """
    between = [after.at - before.at for before, after in pairwise(samples)]
    # The shortest time between two probe runs shows how often the machine is normally probed. Longer times may
    # only mean that the bot was down, and must not increase the accepted gap.
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
    """Return the samples since the monitoring of a machine was last interrupted.

    The monitoring is interrupted by a long time without a probe run, or by several probe runs in a row that aren't
    good.

    Args:
        gap: The longest time between two probe runs that is not an interruption.
        good: Returns whether a sample is good, that is, shows how the machine is used.
    """
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
    """Return the reason why the last probe runs don't show how the machine is used.

    The previous reason stays as long as one of the last probe runs failed for that reason. Without this rule, two
    alternating failures would change the usage status with every probe run.
    """
    if len(missed) < MISSED_IN_A_ROW:
        return None
    reasons = [reason(sample) for sample in missed[-MISSED_IN_A_ROW:]]
    if not_yet and set(reasons) == {Missed.REFUSED}:
        return None
    return before.why if before is not None and before.why in reasons else reasons[-1]


def _unknown_since(samples: Sequence[Sample], before: Use | None, since: datetime, rules: Rules) -> datetime:
    """Return the start of an unknown usage status.

    Usually this is `since`. If the previous status was also unknown and there has been no good probe run since its
    start, this is the start of the previous status.
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
    """Return the start of the current period of use.

    That is the time of the first reading that shows work. After an interruption of the monitoring, it is the time
    of the first good probe run.
    """
    if (
        before is not None
        and before.status is UsageStatus.IN_USE
        and (unbroken.lost_at is None or before.since > unbroken.lost_at)
    ):
        return before.since
    return first if unbroken.lost_at is None else max(first, unbroken.good[0].at)


def _quiet_since(work: Sequence[datetime], unbroken: _Unbroken, before: Use | None, begin: datetime) -> datetime:
    """Return the time since which a machine hasn't worked, called T in the module's docstring.

    Usually this is the time of the last reading that shows work. After an interruption of the monitoring, it is
    the time of the first good probe run.
    """
    first_good = unbroken.good[0].at
    if work and (unbroken.lost_at is None or work[-1] >= first_good):
        return work[-1]
    if unbroken.lost_at is not None:
        return first_good
    return before.since if before is not None and before.status in NOT_COMPUTING else begin


def _idle_period(before: Use | None, status: UsageStatus, since: datetime) -> datetime | None:
    """Return the start of the idle period to which a usage status belongs, or None if it belongs to none.

    An interruption of less than 10 minutes, by work or by missing readings, doesn't end an idle period. The usage
    status during such an interruption also belongs to the idle period.

    Args:
        since: The start of the usage status.
    """
    new = since if status in NOT_COMPUTING else None
    if before is None or before.idle_period is None:
        return new
    if before.status in NOT_COMPUTING or (before.status is status and before.since == since):
        return before.idle_period
    return before.idle_period if since - before.since < ONE_IDLE_PERIOD else new
