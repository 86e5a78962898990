"""What the samples of a machine say before any verdict: which readings count as work, and who was connected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.model.base import changed
from bot.model.use import GpuUse, Missed, RecentUse, Sample
from bot.policy.rules import Idle

OLD_CONNECTION = timedelta(seconds=120)
"""Scanners of the internet hold an SSH port for up to this long."""
HOURS = 24
"""How many hours `busy_hours` is about."""
SECOND = timedelta(seconds=1)


def shows_work(sample: Sample, idle: Idle) -> bool:
    """Return whether some GPU had a reading that counts as use. Memory does not: a dead process can hold it."""
    return any(gpu.highest is not None and gpu.highest >= idle.gpu_below * 100 for gpu in sample.gpus)


def shows_everything(sample: Sample) -> bool:
    """Return whether every GPU has a reading. One without may work unseen, as in MIG mode, so it is never 0."""
    return sample.missed is None and bool(sample.gpus) and all(gpu.highest is not None for gpu in sample.gpus)


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
    """Return how many connections were open at once after `since`, at most. A connection counts in a visit if an
    earlier one, more than 120 seconds before, saw it too. `samples` are oldest first and may begin earlier."""
    first_seen: dict[str, datetime] = {}
    most = 0
    for sample in samples:
        old = sum(
            sample.at - first_seen.setdefault(peer, sample.at) > OLD_CONNECTION for peer in set(sample.peers)
        )
        most = max(most, old if sample.at > since else 0)
    return most


def recent_use(samples: Sequence[Sample], now: datetime, idle: Idle) -> RecentUse:
    """Return how a machine was used lately, from the samples of the last day, oldest first."""
    newest = samples[-1:] if samples and now - samples[-1].at < idle.after else ()
    return RecentUse(
        gpus=highest_readings(sample for sample in samples if now - sample.at < idle.after),
        connections=most_connections(samples, since=newest[0].at - SECOND) if newest else 0,
        hours=busy_hours(samples, now),
    )


def busy_hours(samples: Iterable[Sample], now: datetime) -> tuple[int | None, ...]:
    """Return how busy a machine was in each of the last 24 hours, oldest first: the mean over the visits of the
    highest reading, in percent. At least 1 if there was any reading above 0; None for an hour without readings."""
    hours: list[list[int]] = [[] for _ in range(HOURS)]
    for sample in samples:
        readings = [gpu.highest for gpu in sample.gpus if gpu.highest is not None]
        ago = (now - sample.at) // timedelta(hours=1)
        if readings and 0 <= ago < HOURS:
            hours[HOURS - 1 - ago].append(max(readings))
    return tuple(-(-sum(each) // len(each)) if each else None for each in hours)
