"""Decides which faults of a machine's GPUs are new, and what is remembered of the health of its GPUs."""

from __future__ import annotations

from bot.model.gpu_health import GpuFault, GpuHealth

MOST_FAULTS = 32
"""The maximum number of faults of one machine that are remembered, and of which its owner is notified.

The machine could be under someone else's control, and report a different fault in every probe run.
"""


def new_faults(known: GpuHealth, reported: GpuHealth) -> tuple[GpuFault, ...]:
    """Return the reported faults that no earlier probe run has reported.

    At most MOST_FAULTS are ever returned for a machine.
    """
    keys = {fault.key for fault in known.faults}
    found = [fault for fault in reported.faults if fault.key not in keys]
    return tuple(found[: max(MOST_FAULTS - len(known.faults), 0)])


def health_after(known: GpuHealth, reported: GpuHealth) -> GpuHealth:
    """Return the health to remember: the faults of all reports in their order, and the notes of the newest report.

    A fault is kept even after the machine stops reporting it, because the machine forgets its faults when it
    restarts.
    """
    return GpuHealth(faults=known.faults + new_faults(known, reported), notes=reported.notes)
