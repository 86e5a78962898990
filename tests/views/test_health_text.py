"""The faults of GPUs, and the notes about them, in words."""

from __future__ import annotations

from inline_snapshot import snapshot

from bot.model.gpu_health import GpuFault, GpuFaultKind, GpuHealth, GpuNote, GpuNoteKind
from handlers.phrases.health_text import consequence_text, fault_text, health_text, note_text, xid_text

XIDS = {
    GpuFaultKind.LOST: 79,
    GpuFaultKind.DOUBLE_BIT: 48,
    GpuFaultKind.REMAP_FAILED: 64,
    GpuFaultKind.NVLINK: 74,
    GpuFaultKind.UNCONTAINED: 95,
}


def test_each_fault_is_a_sentence_with_its_consequence() -> None:
    faults = [GpuFault(gpu=3, kind=kind, xid=XIDS[kind]) for kind in GpuFaultKind]
    assert [(fault_text(one) + xid_text(one), consequence_text(one)) for one in faults] == snapshot(
        [
            ("GPU 3 has fallen off the bus (Xid 79)", "Jobs on it will fail until the machine is replaced."),
            (
                "GPU 3 had a memory error that couldn't be corrected (Xid 48)",
                "The job that was using this memory has probably crashed. This can happen again.",
            ),
            (
                "GPU 3 couldn't replace a faulty part of its memory (Xid 64)",
                "Memory errors may crash jobs on it until the machine is replaced.",
            ),
            (
                "GPU 3 had an error in its NVLink connection to other GPUs (Xid 74)",
                "Jobs that use several GPUs may fail or hang.",
            ),
            (
                "GPU 3 had a memory error that may have affected every job on it (Xid 95)",
                "Their results may be wrong, so go back to an earlier checkpoint.",
            ),
        ]
    )


def test_a_fault_can_name_the_machine_and_lack_its_gpu_and_number() -> None:
    fault = GpuFault(kind=GpuFaultKind.LOST)
    assert fault_text(fault, "of your 8x H100 SXM 80 GB (p4wd9)") == snapshot(
        "A GPU of your 8x H100 SXM 80 GB (p4wd9) has fallen off the bus"
    )
    assert xid_text(fault) == ""


def test_each_note_is_a_sentence_with_its_number() -> None:
    notes = [GpuNote(gpu=2, kind=kind, value=value) for kind in GpuNoteKind for value in (1, 1500)]
    assert [note_text(note) for note in notes] == snapshot(
        [
            "GPU 2 has taken 1 faulty part of its memory out of use (Xid 63)",
            "GPU 2 has taken 1500 faulty parts of its memory out of use (Xid 63)",
            "GPU 2 had 1 memory error, which crashed only the job that used this memory (Xid 94)",
            "GPU 2 had 1500 memory errors, each of which crashed only the job that used this memory (Xid 94)",
            "GPU 2 has counted 1 memory error (ECC) since the machine was ready",
            "GPU 2 has counted 1500 memory errors (ECC) since the machine was ready",
            "GPU 2 has been slowed down by heat for 1 min",
            "GPU 2 has been slowed down by heat for 25 min",
            "GPU 2 has been slowed down by its power supply for 1 min",
            "GPU 2 has been slowed down by its power supply for 25 min",
        ]
    )


def test_the_health_is_all_faults_then_all_notes() -> None:
    health = GpuHealth(
        faults=(GpuFault(gpu=3, kind=GpuFaultKind.LOST, xid=79), GpuFault(kind=GpuFaultKind.REMAP_FAILED)),
        notes=(GpuNote(gpu=2, kind=GpuNoteKind.HOT, value=1500),),
    )
    assert health_text(health).split(". ") == snapshot(
        [
            "GPU 3 has fallen off the bus (Xid 79)",
            "A GPU couldn't replace a faulty part of its memory",
            "GPU 2 has been slowed down by heat for 25 min.",
        ]
    )
    assert health_text(GpuHealth()) == ""
