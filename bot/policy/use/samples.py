"""What samples show before any verdict: which readings count as work, and who was connected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.model.base import changed
from bot.model.machine_use import GpuUse, Missed, RecentUse, Sample
from bot.policy.team.rules import Idle

OLD_CONNECTION = timedelta(seconds=120)
"""Scanners of the internet hold an SSH port for up to this long."""
HOURS = 24
"""How many hours `busy_hours` covers."""
SECOND = timedelta(seconds=1)


def shows_work(sample: Sample, idle: Idle) -> bool:
    """Return whether some GPU had a reading that counts as use. Used memory does not count: a dead process can
    hold it."""
    return any(gpu.highest is not None and gpu.highest >= idle.gpu_below * 100 for gpu in sample.gpus)


def shows_everything(sample: Sample) -> bool:
    """Return whether every GPU has a reading. A GPU without one may work unseen, as in MIG mode, so it never
    counts as 0."""
    return sample.missed is None and bool(sample.gpus) and all(gpu.highest is not None for gpu in sample.gpus)


def shows_something(sample: Sample, idle: Idle) -> bool:
    """Return whether a visit was good: it shows that the machine works, or that none of its GPUs does."""
    return shows_work(sample, idle) or shows_everything(sample)


def shows_a_part(sample: Sample, idle: Idle) -> bool:
    """Return whether a visit was good for a machine that worked just before: it was answered, and shows that the
    machine works, or that some of its GPUs do not."""
    some = sample.missed is None and any(gpu.highest is not None for gpu in sample.gpus)
    return shows_work(sample, idle) or some


def has_report(sample: Sample) -> bool:
    """Return whether the visit read something of the machine, if only its connections."""
    return sample.missed not in {
        Missed.NO_ANSWER,
        Missed.REFUSED,
        Missed.HOST_KEY_CHANGED,
        Missed.UNREADABLE,
    }


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
    earlier."""
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
    are among the second. `samples` are oldest first."""
    answered = [sample for sample in samples if has_report(sample)]
    if not answered:
        return 0, 0
    old = most_connections(answered, since=answered[-1].at - SECOND)
    return old, len(answered[-1].peers) - old


def recent_use(
    samples: Sequence[Sample], highest: Iterable[tuple[datetime, int]], now: datetime, idle: Idle
) -> RecentUse:
    """Return how a machine was used lately. `samples` are those of `recent_span`, oldest first. `highest` is the
    time and the highest reading of each visit of the last day."""
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
    of its visits, in percent, rounded up. An hour without readings is None."""
    hours: list[list[int]] = [[] for _ in range(HOURS)]
    for at, reading in highest:
        ago = (now - at) // timedelta(hours=1)
        if 0 <= ago < HOURS:
            hours[HOURS - 1 - ago].append(reading)
    return tuple(-(-sum(each) // len(each)) if each else None for each in hours)
