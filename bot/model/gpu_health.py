"""The health of a machine's GPUs: the faults that its owner is notified of, and the notes that are only shown.

The script in bot/policy/access/health_script.py runs on the machine and finds both. docs/probe.md explains the
meaning of each fault and note.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from bot.model.base import Frozen

MOST_GPUS = 64
"""The maximum number of GPUs of a machine. Their indexes are below this number."""

MOST_FAULTS = 32
"""The maximum number of faults of one machine that are remembered, and of which its owner is notified.

The machine could be under someone else's control, and report a different fault in every probe run.
"""


class GpuFaultKind(StrEnum):
    """The kind of a fault after which a GPU can't be relied on."""

    LOST = "lost"
    """The GPU has fallen off the bus, so the driver can't reach it any more (Xid 79)."""
    DOUBLE_BIT = "double_bit"
    """The memory had an error that ECC can detect but not correct (Xid 48)."""
    REMAP_FAILED = "remap_failed"
    """A faulty row of the memory couldn't be replaced with a spare row (Xid 64)."""
    NVLINK = "nvlink"
    """A connection to another GPU had an error (Xid 74)."""
    UNCONTAINED = "uncontained"
    """A memory error wasn't contained, so it may have affected every program on the GPU (Xid 95)."""


class GpuFault(Frozen):
    """A fault of one GPU. It means that the machine should be replaced."""

    gpu: int | None = Field(default=None, ge=0, lt=MOST_GPUS)
    """The GPU's index in nvidia-smi when the machine became ready. None if the index is unknown."""
    kind: GpuFaultKind
    xid: int | None = Field(default=None, ge=1)
    """The number of the driver's error message. None if the fault was found in another way."""

    @property
    def key(self) -> tuple[int | None, GpuFaultKind]:
        """The GPU and the kind. Two faults with the same key are the same fault, even if only one has an `xid`."""
        return self.gpu, self.kind


class GpuNoteKind(StrEnum):
    """The kind of a note about a GPU that still works."""

    ROW_REMAPPED = "row_remapped"
    """The number of faulty memory rows that were marked to be replaced with spare rows (Xid 63)."""
    CONTAINED = "contained"
    """The number of memory errors that affected only the program that used this memory (Xid 94)."""
    ECC = "ecc"
    """The number of memory errors that ECC detected since the machine became ready, corrected or not."""
    HOT = "hot"
    """The number of seconds for which the GPU has been slowed down because it is too hot."""
    POWER = "power"
    """The number of seconds for which the GPU has been slowed down because its power supply demands it."""


class GpuNote(Frozen):
    """A note about one GPU. People see it if they look at the machine, but nobody is notified."""

    gpu: int | None = Field(default=None, ge=0, lt=MOST_GPUS)
    """The GPU's index, as in `GpuFault.gpu`."""
    kind: GpuNoteKind
    value: int = Field(ge=1)
    """A number of errors or of seconds, depending on the kind."""


class GpuHealth(Frozen):
    """The health of a machine's GPUs since the machine became ready, as one probe run reports it.

    Both tuples are empty if all GPUs are healthy, and also if the machine can't check their health.
    """

    faults: tuple[GpuFault, ...] = ()
    """The faults, sorted by GPU. There is at most one fault of each kind for each GPU."""
    notes: tuple[GpuNote, ...] = ()
    """The notes, sorted by GPU. There is at most one note of each kind for each GPU."""

    def new_faults(self, reported: GpuHealth) -> tuple[GpuFault, ...]:
        """Return the reported faults that aren't known yet.

        A machine never has more than MOST_FAULTS faults in all.
        """
        keys = {fault.key for fault in self.faults}
        found = [fault for fault in reported.faults if fault.key not in keys]
        return tuple(found[: max(MOST_FAULTS - len(self.faults), 0)])

    def after(self, reported: GpuHealth) -> GpuHealth:
        """Return the health to remember: the faults of all reports in their order, and the newest notes.

        A fault is kept even after the machine stops reporting it, because the machine forgets its faults when it
        restarts.
        """
        return GpuHealth(faults=self.faults + self.new_faults(reported), notes=reported.notes)
