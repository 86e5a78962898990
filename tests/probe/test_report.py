"""Only the parts of a report that the script can print are accepted. docs/probe.md describes the format."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.machine_use import (
    GpuModel,
    GpuUse,
    Missed,
    OnEnding,
    OnEndingRefused,
    OnEndingState,
    Report,
    SetupProgress,
    SetupState,
)
from bot.probe.report import read_report

SECRET = b"secret"
OWN = "ssh 198.51.100.4 51234 10.0.0.4 22"
OWN_PEER, OTHER_PEER = "peer 046433C6:C822", "peer 0771000A:D431"
ENDS_AT = datetime(2026, 11, 28, 18, 40, tzinfo=UTC)
H100 = "81559, NVIDIA H100 80GB HBM3"


def report(*lines: str) -> bytes:
    """Return a report with these lines, and with any mandatory lines that they don't include."""
    words = {line.partition(" ")[0] for line in lines}
    needed = [line for line in ("peers 0", "nvidia-smi 0") if line.partition(" ")[0] not in words]
    return "\n".join(["gpubot-probe 1", *lines, *needed, "end", ""]).encode()


def read(answer: bytes) -> Report | None:
    return read_report(answer, SECRET)


def read_gpus(*rows: str) -> tuple[GpuUse, ...]:
    found = read(report(*(f"gpu {row}" for row in rows)))
    assert found is not None
    return found.gpus


def test_the_report_in_the_docs_is_readable() -> None:
    page = Path("docs/probe.md").read_text(encoding="utf-8")
    shown = [line.strip() for line in page.splitlines() if line.startswith("    ")]
    found = read("\n".join([*shown[shown.index("gpubot-probe 1") :], ""]).encode())
    assert found is not None
    assert found.gpus == (GpuUse(index=0, highest=98, memory_mib=70123, watts=412),)
    assert found.models == (GpuModel(name="NVIDIA H100 80GB HBM3", memory_mib=81559),)
    assert found.setup == SetupProgress(state=SetupState.FAILED, line=12)
    assert found.on_ending == OnEnding(state=OnEndingState.FAILED, end=ENDS_AT, status=1)
    assert len(found.peers) == 1


def test_the_highest_reading_of_each_gpu_counts() -> None:
    assert read_gpus(
        f"1, 0, 3, 70.4, Disabled, {H100}",
        f"0, 3, 10, 80.6, Disabled, {H100}",
        f"0, 97, 9, 399.5, Disabled, {H100}",
        f"0, 12, 8, 75.0, Disabled, {H100}",
    ) == (
        GpuUse(index=0, highest=97, memory_mib=10, watts=400),
        GpuUse(index=1, highest=0, memory_mib=3, watts=70),
    )


@pytest.mark.parametrize("use", ["[N/A]", "N/A", "[Not Supported]", "", "-1", "101", "ERR!", "1e2", "٥", "98 %"])
def test_a_utilization_that_is_no_percentage_is_unknown_and_not_zero(use: str) -> None:
    assert read_gpus(f"0, {use}, 10, 70.00, Enabled, {H100}", f"1, 5, 10, [N/A], Enabled, {H100}") == (
        GpuUse(index=0, highest=None, memory_mib=10, watts=70),
        GpuUse(index=1, highest=5, memory_mib=10, watts=None),
    )


def test_a_row_that_cannot_be_parsed_is_ignored() -> None:
    lost = "Unable to determine the device handle for GPU0000:C1:00.0: GPU is lost."
    assert read_gpus(lost, f"-1, 9, 9, 9, , {H100}", f"64, 9, 9, 9, , {H100}", "3", f"4, 7, 1, 1, , {H100}") == (
        GpuUse(index=3),
        GpuUse(index=4, highest=7, memory_mib=1, watts=1),
    )


def test_gpu_names_are_one_line_and_an_invalid_memory_size_is_0() -> None:
    found = read(
        report("gpu 0, 5, 1, 1, , [N/A], A, B\x1b[31m\u202e<!channel>", f"gpu 1, 5, 1, 1, , 81559, {'x' * 200}")
    )
    assert found is not None
    assert found.models == (
        GpuModel(name="A, B[31m<!channel>", memory_mib=0),
        GpuModel(name="x" * 63 + "…", memory_mib=81559),
    )


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        ("none", Missed.NO_NVIDIA_SMI),
        ("137", Missed.NVIDIA_SMI_HANGS),
        ("0", Missed.NO_GPU),
        ("127", Missed.UNREADABLE),
    ],
)
def test_a_report_without_readings_gives_the_reason(outcome: str, why: Missed) -> None:
    """Connections are counted even so."""
    words = "gpu Failed to initialize NVML: Driver/library version mismatch"
    found = read(report(OWN, OWN_PEER, OTHER_PEER, "peers 2", words, f"nvidia-smi {outcome}"))
    assert found is not None
    assert (found.missed, len(found.peers)) == (why, 1)


def test_readings_before_a_timeout_count() -> None:
    """They are complete only once a second round of readings has begun."""
    first, second = [f"gpu {index}, 40, 1, 1, , {H100}" for index in (0, 1)], f"gpu 0, 60, 1, 1, , {H100}"
    cut_off, whole = read(report(*first, "nvidia-smi 137")), read(report(*first, second, "nvidia-smi 137"))
    assert cut_off is not None
    assert (cut_off.missed, [gpu.highest for gpu in cut_off.gpus]) == (Missed.NVIDIA_SMI_HANGS, [40, 40])
    assert whole is not None
    assert (whole.missed, [gpu.highest for gpu in whole.gpus]) == (None, [60, 40])


@pytest.mark.parametrize(
    ("own", "peer"),
    [
        ("198.51.100.4 51234 10.0.0.4 22", "046433C6:C822"),
        ("198.51.100.4 51234 10.0.0.4 22", "0000000000000000FFFF0000046433C6:C822"),
        ("2001:db8::7 22 2001:db8::1 22", "B80D0120000000000000000007000000:0016"),
        ("fe80::1%eth0 22 fe80::2%eth0 22", "000080FE000000000000000001000000:0016"),
    ],
)
def test_the_probes_own_connection_does_not_count(own: str, peer: str) -> None:
    with_own = read(report(f"ssh {own}", f"peer {peer}", OTHER_PEER, "peers 2"))
    alone = read(report(OTHER_PEER))
    assert with_own is not None
    assert alone is not None
    assert with_own.peers == alone.peers


def test_a_connection_has_the_same_hash_in_every_probe_run() -> None:
    """The hash doesn't contain the address."""
    first, second = read(report(OTHER_PEER)), read(report("peer 0771000A:D432", OTHER_PEER, "peers 2"))
    assert first is not None
    assert second is not None
    assert first.peers[0] in second.peers
    assert "0771000A" not in first.peers[0]
    assert read_report(report(OTHER_PEER), b"another") != first


def test_more_connections_than_256_count_as_256() -> None:
    found = read(report(*(f"peer 0771000A:{port:04X}" for port in range(900)), "peers 900"))
    assert found is not None
    assert len(found.peers) == 256


@pytest.mark.parametrize(
    ("line", "read_as"),
    [
        ("running", SetupProgress(state=SetupState.RUNNING)),
        ("done", SetupProgress(state=SetupState.DONE)),
        ("failed 1", SetupProgress(state=SetupState.FAILED)),
        ("failed 127 12", SetupProgress(state=SetupState.FAILED, line=12)),
        ("done 0 12", SetupProgress(state=SetupState.DONE)),
        ("failed 1 0", None),
        ("failed 1 9999999", None),
        ("sold <!channel>", None),
        ("", None),
    ],
)
def test_the_setup_script_is_running_done_failed_or_unknown(line: str, read_as: SetupProgress | None) -> None:
    found = read(report(f"setup {line}"))
    assert found is not None
    assert found.setup == read_as


def test_what_a_login_shell_prints_around_the_report_is_ignored() -> None:
    banner = b"end\nWelcome to gpubot-probe 1\n\xff\xfe\x1b[2J\n"
    assert read(banner + report(OTHER_PEER) + b"logout\nend\n") == read(report(OTHER_PEER))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"gpubot-probe 1\n",
        b"end\n",
        report().removesuffix(b"end\n"),
        report().removesuffix(b"\n"),
        report().replace(b"probe 1", b"probe 2"),
        report().replace(b"\n", b"\r\n"),
        report().replace(b"peers 0\n", b""),
        report().replace(b"nvidia-smi 0\n", b""),
        report("rental p4wd9"),
        report(""),
        report("peer 0771000A"),
        report("peer <!channel>:0016"),
        report("peers many"),
        report(*["setup done"] * 1001),
        report("setup " + "x" * 300),
        report().replace(b"peers 0", b"\xff\xfe"),
    ],
)
def test_incomplete_reports_and_those_of_other_versions_are_ignored(answer: bytes) -> None:
    assert read(answer) is None


LINES = st.lists(
    st.one_of(
        st.sampled_from(["peers 0", "nvidia-smi 0", OWN, OTHER_PEER, "end", f"gpu 0, 5, 1, 1, , {H100}"]),
        st.text(max_size=60),
        st.builds("gpu {}".format, st.text("0123456789,.- []NA/%", max_size=60)),
        st.builds("setup {}".format, st.text("donefailrug 0123456789", max_size=20)),
    ),
    max_size=30,
)


@given(LINES, st.binary(max_size=60))
def test_no_answer_raises(lines: list[str], more: bytes) -> None:
    text = "\n".join(["gpubot-probe 1", *lines, "peers 0", "nvidia-smi 0", "end", ""])
    for answer in (text.encode(errors="surrogatepass"), more, more + b"\ngpubot-probe 1\n" + more + b"\nend\n"):
        read(answer)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("none", OnEnding(state=OnEndingState.NONE)),
        ("there", OnEnding(state=OnEndingState.THERE)),
        ("refused owner", OnEnding(state=OnEndingState.REFUSED, why=OnEndingRefused.OWNER)),
        ("running 1795891200", OnEnding(state=OnEndingState.RUNNING, end=ENDS_AT)),
        ("ended 0 1795891200", OnEnding(state=OnEndingState.DONE, end=ENDS_AT)),
        ("ended 137 1795891200", OnEnding(state=OnEndingState.FAILED, end=ENDS_AT, status=137)),
        *[
            (wrong, None)
            for wrong in (
                *("", "None", "there ", "none 1795891200", "refused", "refused <!channel>", "refused owner 1"),
                *("running", "running 0", "running 01", "running 17958912001", "running -1", "running 1e9"),
                *("ended 1795891200", "ended 256 1795891200", "ended -1 1795891200", "ended 1 \u0661", "done"),
                "running 1795891200\r",
            )
        ],
    ],
)
def test_only_progress_that_the_script_can_print_is_accepted(line: str, expected: OnEnding | None) -> None:
    found = read(report(f"on-ending {line}"))
    assert found is not None
    assert found.on_ending == expected
