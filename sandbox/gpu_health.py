"""Simulates the faults of a machine's GPUs, and the program that checks the GPUs for the probe.

docs/probe.md describes the program and its output.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

OFF_THE_BUS = 79
"""The Xid of a GPU that has fallen off the bus. The driver can't reach it, so nvidia-smi no longer lists it."""
FAULTS = (48, 64, 74, OFF_THE_BUS, 95)
"""The Xids that are reported as faults."""
NOTED = (63, 94)
"""The Xids that are only counted."""
MOST_LINES = 32
CHECKED_EVERY, CHECKED_SOON = timedelta(seconds=570), timedelta(seconds=60)
"""The time until the next check: usually, and if this check found something that is only reported if it lasts."""
SLOW_FOR = timedelta(minutes=10)
"""A slowdown is reported after this time."""
LONGEST_GAP = timedelta(minutes=15)
"""After a longer time without a check, the time of a slowdown begins anew."""


@dataclass
class GpuTrouble:
    """The faults of one GPU."""

    lost: bool = False
    """True if nvidia-smi no longer lists the GPU."""
    xids: list[int] = field(default_factory=list)
    """The Xids of the messages in the kernel's log, oldest first."""
    ecc: int = 0
    """The number of memory errors that ECC counted."""
    hot: bool = False
    """True if the GPU runs slower because it is too hot."""
    power: bool = False
    """True if the GPU runs slower because its power supply is too weak."""
    remap_failed: bool = False


@dataclass
class HealthPart:
    """The program that checks a machine's GPUs, and the faults of these GPUs."""

    troubles: dict[int, GpuTrouble] = field(default_factory=dict)
    """The faults of each GPU that has or had any, by the place of the GPU in the machine."""
    _found: tuple[str, ...] = ()
    """The lines that the last check printed."""
    _indexes: dict[int, int] = field(default_factory=dict)
    """The index of each GPU at the first check, by its place in the machine."""
    _earlier: dict[int, tuple[int, int]] = field(default_factory=dict)
    """The numbers of messages and of memory errors at the first check, which don't count."""
    _checked_at: datetime | None = None
    _due_at: datetime | None = None
    _missing: set[int] = field(default_factory=set)
    """The GPUs that the last check missed in the list."""
    _slow_since: dict[tuple[int, str], datetime] = field(default_factory=dict)

    def trouble(self, gpu: int) -> GpuTrouble:
        """Return the faults of a GPU. Changes to the returned object change the machine."""
        return self.troubles.setdefault(gpu, GpuTrouble())

    def is_lost(self, gpu: int) -> bool:
        """Return whether nvidia-smi no longer lists a GPU."""
        return gpu in self.troubles and self.troubles[gpu].lost

    def report(self, gpu_count: int, now: datetime, *, works: bool = True) -> str:
        """Return the section with the health of the GPUs that follows the probe's report.

        Checks the GPUs first, if that is due.

        Args:
            gpu_count: The number of GPUs in the machine.
            now: The time of the probe run.
            works: Whether nvidia-smi works. Otherwise there is no check now.
        """
        if works and (self._due_at is None or self._due_at <= now):
            self._check(gpu_count, now)
        return "\n".join(["gpubot-health 1", *self._found, "health-end"]) + "\n"

    def rebooted(self) -> "HealthPart":
        """Return the simulated program after a restart of the machine: GPUs work again, and checks begin anew.

        A GPU whose broken memory couldn't be remapped stays broken.
        """
        broken = [gpu for gpu, trouble in self.troubles.items() if trouble.remap_failed]
        return HealthPart(troubles={gpu: GpuTrouble(remap_failed=True) for gpu in broken})

    def _check(self, gpu_count: int, now: datetime) -> None:
        listed = [gpu for gpu in range(gpu_count) if not self.is_lost(gpu)]
        if self._checked_at is None:
            self._indexes = {gpu: index for index, gpu in enumerate(listed)}
            self._earlier = {gpu: (len(each.xids), each.ecc) for gpu, each in self.troubles.items()}
        if self._checked_at is not None and now - self._checked_at > LONGEST_GAP:
            self._slow_since.clear()
        faults, notes, soon = [], [], False
        for gpu, index in self._indexes.items():
            trouble = self.troubles.get(gpu, GpuTrouble())
            messages, counted = self._earlier.get(gpu, (0, 0))
            xids, errors = trouble.xids[messages:], trouble.ecc - counted
            # The first time that a GPU is missing may be an accident, so it doesn't count as lost yet.
            if trouble.lost and gpu in self._missing:
                faults.append(f"fault {index} lost")
            soon |= trouble.lost and gpu not in self._missing
            faults += [f"fault {index} xid-{xid}" for xid in FAULTS if xid in xids]
            if trouble.remap_failed and not trouble.lost:
                faults.append(f"fault {index} remap-failed")
            notes += [f"note {index} xid-{xid} {xids.count(xid)}" for xid in NOTED if xid in xids]
            if errors:
                notes.append(f"note {index} ecc {errors}")
            for kind, is_slow in (("hot", trouble.hot), ("power", trouble.power)):
                if not is_slow or trouble.lost:
                    self._slow_since.pop((gpu, kind), None)
                    continue
                soon = True
                lasts = now - self._slow_since.setdefault((gpu, kind), now)
                if lasts >= SLOW_FOR:
                    notes.append(f"note {index} {kind} {int(lasts.total_seconds())}")
        self._missing = {gpu for gpu in self._indexes if self.is_lost(gpu)}
        self._found = tuple([*faults, *notes][:MOST_LINES])
        self._checked_at, self._due_at = now, now + (CHECKED_SOON if soon else CHECKED_EVERY)
