"""Parses the health of the GPUs, which a machine prints after the probe's report. docs/probe.md has the format.

As in the report, nothing is trusted, because the machine is under someone else's control.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.model.gpu_health import (
    MOST_GPUS,
    GpuFault,
    GpuFaultKind,
    GpuHealth,
    GpuNote,
    GpuNoteKind,
)
from bot.probe.sections import section

FIRST_LINE, LAST_LINE = "gpubot-health 1", "health-end"
LONGEST_LINE = 60
"""The maximum length of a line in characters."""
MOST_LINES = 32
"""The maximum number of faults and notes."""

_FAULTS: dict[str, tuple[GpuFaultKind, int | None]] = {
    "lost": (GpuFaultKind.LOST, None),
    "remap-failed": (GpuFaultKind.REMAP_FAILED, None),
    "xid-48": (GpuFaultKind.DOUBLE_BIT, 48),
    "xid-64": (GpuFaultKind.REMAP_FAILED, 64),
    "xid-74": (GpuFaultKind.NVLINK, 74),
    "xid-79": (GpuFaultKind.LOST, 79),
    "xid-95": (GpuFaultKind.UNCONTAINED, 95),
}
_NOTES: dict[str, GpuNoteKind] = {
    "xid-63": GpuNoteKind.ROW_REMAPPED,
    "xid-94": GpuNoteKind.CONTAINED,
    "ecc": GpuNoteKind.ECC,
    "hot": GpuNoteKind.HOT,
    "power": GpuNoteKind.POWER,
}
_GPU = "(-|0|[1-9][0-9]?)"
_FAULT = re.compile(f"fault {_GPU} ([a-z0-9-]+)", re.ASCII)
_NOTE = re.compile(f"note {_GPU} ([a-z0-9-]+) ([1-9][0-9]{{0,8}})", re.ASCII)


def read_health(text: bytes) -> GpuHealth | None:
    """Parse the section about the health of the GPUs, which a machine prints after the probe's report.

    A line that can't be parsed is ignored, so that a later version of the script can print other lines.

    Returns None if the section is missing or incomplete, or if it has too many lines or a line that is too long.
    """
    lines = section(text, FIRST_LINE, LAST_LINE)
    if lines is None or len(lines) > MOST_LINES or any(len(line) > LONGEST_LINE for line in lines):
        return None
    return GpuHealth(faults=_read_faults(lines), notes=_read_notes(lines))


def _read_faults(lines: Iterable[str]) -> tuple[GpuFault, ...]:
    """Parse lines such as `fault 3 xid-79`, and combine those that describe the same fault."""
    found: dict[tuple[int | None, GpuFaultKind], GpuFault] = {}
    for line in lines:
        match = _FAULT.fullmatch(line)
        if match is None or match[2] not in _FAULTS or not _is_gpu(match[1]):
            continue
        kind, xid = _FAULTS[match[2]]
        fault = GpuFault(gpu=_index(match[1]), kind=kind, xid=xid)
        if fault.key not in found or xid is not None:
            found[fault.key] = fault
    kinds = list(GpuFaultKind)
    return tuple(sorted(found.values(), key=lambda fault: (_place(fault.gpu), kinds.index(fault.kind))))


def _read_notes(lines: Iterable[str]) -> tuple[GpuNote, ...]:
    """Parse lines such as `note 2 hot 1500`.

    If several lines have the same GPU and kind of note, only the last of these lines is used.
    """
    found: dict[tuple[int | None, GpuNoteKind], GpuNote] = {}
    for line in lines:
        match = _NOTE.fullmatch(line)
        if match is None or match[2] not in _NOTES or not _is_gpu(match[1]):
            continue
        note = GpuNote(gpu=_index(match[1]), kind=_NOTES[match[2]], value=int(match[3]))
        found[note.gpu, note.kind] = note
    kinds = list(GpuNoteKind)
    return tuple(sorted(found.values(), key=lambda note: (_place(note.gpu), kinds.index(note.kind))))


def _is_gpu(word: str) -> bool:
    return word == "-" or int(word) < MOST_GPUS


def _index(word: str) -> int | None:
    """Return the index of a GPU, or None for `-`, which means that the index is unknown."""
    return None if word == "-" else int(word)


def _place(gpu: int | None) -> int:
    """Return a number by which GPUs are sorted. A GPU with an unknown index comes last."""
    return MOST_GPUS if gpu is None else gpu
