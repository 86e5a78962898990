"""Describes the health of a machine's GPUs: faults and notes.

The owner gets a message about a fault, such as a GPU that has stopped working. A note is less important, and sends
no message. docs/probe.md explains the faults.
"""

from __future__ import annotations

from datetime import timedelta

from bot.model.gpu_health import GpuFault, GpuFaultKind, GpuHealth, GpuNote, GpuNoteKind
from bot.model.text import about_span, plural

_FAULTS: dict[GpuFaultKind, tuple[str, str]] = {
    GpuFaultKind.LOST: (
        "has fallen off the bus",
        "Jobs on it will fail until the machine is replaced.",
    ),
    GpuFaultKind.DOUBLE_BIT: (
        "had a memory error that couldn't be corrected",
        "The job that was using this memory has probably crashed. This can happen again.",
    ),
    GpuFaultKind.REMAP_FAILED: (
        "couldn't replace a faulty part of its memory",
        "Memory errors may crash jobs on it until the machine is replaced.",
    ),
    GpuFaultKind.NVLINK: (
        "had an error in its NVLink connection to other GPUs",
        "Jobs that use several GPUs may fail or hang.",
    ),
    GpuFaultKind.UNCONTAINED: (
        "had a memory error that may have affected every job on it",
        "Their results may be wrong, so go back to an earlier checkpoint.",
    ),
}
"""For each kind of fault: the rest of a sentence that begins with the GPU, and what the fault means for jobs."""


def fault_text(fault: GpuFault, whose: str = "") -> str:
    """Return a fault as a sentence without its full stop: `GPU 3 has fallen off the bus`.

    Args:
        fault: The fault.
        whose: Text to insert after the GPU, such as `of your 8x H100 SXM 80 GB (p4wd9)`.
    """
    subject = " ".join(filter(None, (_gpu(fault.gpu), whose)))
    return f"{subject} {_FAULTS[fault.kind][0]}"


def xid_text(fault: GpuFault) -> str:
    """Return the driver's error number to append to a fault: ` (Xid 79)`. Empty if the fault has no number."""
    return "" if fault.xid is None else f" (Xid {fault.xid})"


def consequence_text(fault: GpuFault) -> str:
    """Return a sentence that says what a fault means for the jobs on the GPU."""
    return _FAULTS[fault.kind][1]


def note_text(note: GpuNote) -> str:
    """Return a note as a sentence without its full stop: `GPU 2 has been slowed down by heat for 25 min`."""
    gpu, value = _gpu(note.gpu), note.value
    match note.kind:
        case GpuNoteKind.ROW_REMAPPED:
            return f"{gpu} has taken {plural(value, 'faulty part')} of its memory out of use (Xid 63)"
        case GpuNoteKind.CONTAINED:
            which = "which crashed" if value == 1 else "each of which crashed"
            return (
                f"{gpu} had {plural(value, 'memory error')}, {which} only the job that used this memory (Xid 94)"
            )
        case GpuNoteKind.ECC:
            return f"{gpu} has counted {plural(value, 'memory error')} (ECC) since the machine was ready"
        case GpuNoteKind.HOT:
            return f"{gpu} has been slowed down by heat for {_minutes(value)}"
        case GpuNoteKind.POWER:
            return f"{gpu} has been slowed down by its power supply for {_minutes(value)}"


def health_text(health: GpuHealth) -> str:
    """Return one sentence for each fault, followed by one sentence for each note."""
    sentences = [fault_text(fault) + xid_text(fault) for fault in health.faults]
    sentences += [note_text(note) for note in health.notes]
    return " ".join(f"{sentence}." for sentence in sentences)


def _gpu(gpu: int | None) -> str:
    return "A GPU" if gpu is None else f"GPU {gpu}"


def _minutes(seconds: int) -> str:
    return about_span(timedelta(seconds=seconds))
