"""Only what the health script can print is accepted. docs/probe.md describes the format."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.base import changed
from bot.model.gpu_health import GpuFault, GpuFaultKind, GpuHealth, GpuNote, GpuNoteKind
from bot.probe.health import read_health
from bot.probe.report import is_complete, read_report, text_after_report

REPORT = "gpubot-probe 1\npeers 0\ngpu 0, 98\nnvidia-smi 0\nend\n"
LOST = GpuFault(gpu=3, kind=GpuFaultKind.LOST, xid=79)


def read(answer: bytes) -> GpuHealth | None:
    """Parse the health in a machine's whole answer."""
    return read_health(text_after_report(answer))


def answer(*lines: str) -> bytes:
    """Return a report, followed by a health section with these lines."""
    return (REPORT + "\n".join(["gpubot-health 1", *lines, "health-end", ""])).encode()


def test_the_section_in_the_docs_is_readable() -> None:
    page = Path("docs/probe.md").read_text(encoding="utf-8")
    shown = [line.strip() for line in page.splitlines() if line.startswith("    ")]
    found = read("\n".join([*shown[shown.index("gpubot-probe 1") :], ""]).encode())
    assert found == GpuHealth(faults=(LOST,), notes=(GpuNote(gpu=2, kind=GpuNoteKind.HOT, value=1500),))


def test_faults_and_notes_are_read_in_the_order_of_the_gpus() -> None:
    assert read(
        answer(
            "fault - xid-74",
            "fault 3 xid-79",
            "fault 1 xid-48",
            "fault 1 remap-failed",
            "fault 10 xid-95",
            "note 2 hot 1500",
            "note 0 xid-63 2",
            "note 0 ecc 12",
            "note 0 power 600",
            "note 0 xid-94 1",
        )
    ) == GpuHealth(
        faults=(
            GpuFault(gpu=1, kind=GpuFaultKind.DOUBLE_BIT, xid=48),
            GpuFault(gpu=1, kind=GpuFaultKind.REMAP_FAILED),
            LOST,
            GpuFault(gpu=10, kind=GpuFaultKind.UNCONTAINED, xid=95),
            GpuFault(gpu=None, kind=GpuFaultKind.NVLINK, xid=74),
        ),
        notes=(
            GpuNote(gpu=0, kind=GpuNoteKind.ROW_REMAPPED, value=2),
            GpuNote(gpu=0, kind=GpuNoteKind.CONTAINED, value=1),
            GpuNote(gpu=0, kind=GpuNoteKind.ECC, value=12),
            GpuNote(gpu=0, kind=GpuNoteKind.POWER, value=600),
            GpuNote(gpu=2, kind=GpuNoteKind.HOT, value=1500),
        ),
    )


@pytest.mark.parametrize("lines", [("fault 3 lost", "fault 3 xid-79"), ("fault 3 xid-79", "fault 3 lost")])
def test_two_lines_about_the_same_fault_are_one_fault(lines: tuple[str, ...]) -> None:
    found = read(answer(*lines))
    assert found == GpuHealth(faults=(LOST,))
    assert LOST.key == GpuFault(gpu=3, kind=GpuFaultKind.LOST).key


def test_a_section_without_lines_has_nothing_to_say() -> None:
    assert read(answer()) == GpuHealth()


@pytest.mark.parametrize(
    "line",
    [
        "fault 64 lost",
        "fault -1 lost",
        "fault 03 lost",
        "fault ٣ lost",
        "fault 3 xid-13",
        "fault 3 xid-63",
        "fault 3 lost again",
        "fault 3",
        "fault  lost",
        "fault 3 lost\r",
        "note 2 hot",
        "note 2 hot 0",
        "note 2 hot -5",
        "note 2 hot 1e9",
        "note 2 hot 1234567890",
        "note 2 xid-79 1",
        "note 2 <!channel> 1",
        "remark 2 hot 600",
        "",
        "\x1b[31m",
    ],
)
def test_a_line_that_the_script_never_prints_is_ignored(line: str) -> None:
    assert read(answer(line, "fault 3 xid-79")) == GpuHealth(faults=(LOST,))


@pytest.mark.parametrize(
    "text",
    [
        REPORT,
        REPORT + "gpubot-health 1\nfault 3 lost\n",
        REPORT + "gpubot-health 1\nfault 3 lost\nhealth-end",
        REPORT + "gpubot-health 2\nfault 3 lost\nhealth-end\n",
        REPORT.replace("end\n", "gpubot-health 1\nhealth-end\nend\n"),
        "gpubot-health 1\nfault 3 lost\nhealth-end\n" + REPORT,
        REPORT.removesuffix("end\n") + "gpubot-health 1\nfault 3 lost\nhealth-end\n",
        REPORT + "gpubot-health 1\n" + 33 * "fault 3 lost\n" + "health-end\n",
        REPORT + f"gpubot-health 1\nfault 3 lost\n{61 * 'x'}\nhealth-end\n",
    ],
)
def test_anything_else_than_a_complete_section_after_the_report_says_nothing(text: str) -> None:
    assert read(text.encode()) is None


def test_the_section_changes_nothing_else_in_the_report() -> None:
    found = answer("fault 3 xid-79")
    assert is_complete(found)
    report, without = read_report(found, b""), read_report(REPORT.encode(), b"")
    assert report is not None
    assert without is not None
    assert changed(report, health=None) == without


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_no_answer_makes_the_reader_fail(line: bytes, after: bytes) -> None:
    found = read(REPORT.encode() + b"gpubot-health 1\n" + line + b"\nhealth-end\n" + after)
    assert found is None or isinstance(found, GpuHealth)
