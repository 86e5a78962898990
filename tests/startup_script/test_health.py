"""The script that reads the health of the GPUs runs on machines with different drivers and kernel logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.model.gpu_health import GpuFault, GpuFaultKind, GpuHealth, GpuNote, GpuNoteKind
from bot.model.job import JobReport
from bot.policy.access.health_script import HEALTH_PATH, HEALTH_SCRIPT
from bot.policy.access.jobs_script import GPUBOT_JOBS_SCRIPT
from bot.policy.access.probe_script import INSTALLED_PROBE_SCRIPT, probe_line
from bot.policy.access.startup_script import compacted
from bot.probe.health import read_health
from bot.probe.jobs import read_jobs
from bot.probe.key import new_probe_key
from bot.probe.prober import SshProber
from bot.probe.report import text_after_report
from tests.probe.reader_of_0_1_0 import lines_of_report
from tests.programs import program
from tests.ssh_server import Machine, SshServer, new_machine, run

LISTED = "index,pci.bus_id"
ECC = "pci.bus_id,ecc.errors.corrected.volatile.total,ecc.errors.uncorrected.volatile.total"
REASONS = "pci.bus_id,clocks_throttle_reasons.active"
REMAPPED = "gpu_bus_id,remapped_rows.failure"
NEW_REASONS = "pci.bus_id,clocks_event_reasons.active"
BUSES = ("0A", "1B", "CB", "DC")
"""The third part of each GPU's PCI bus ID, by its index."""
HEAT, POWER_BRAKE = "0x0000000000000060", "0x0000000000000080"
SMI = """#!/bin/sh
echo run >>/root/calls
cat "/root/smi/${1#*=}" 2>/dev/null && exit "$(cat /root/smi/status)"
echo 'Field "'"${1#*=}"'" is not a valid field to query.'
exit 2
"""
BOOT = "[    1.000000] Linux version 6.8.0"
FELL = "GPU has fallen off the bus."


def xid(seconds: float, bus: str, number: int, text: str = "pid=1") -> str:
    """Return a line of the kernel's log, as the driver writes it."""
    return f"[{seconds:12.6f}] NVRM: Xid (PCI:0000:{bus.lower()}:00): {number}, {text}"


class Gpus:
    """A machine with four GPUs, whose driver and kernel log the test determines, and with a clock that it sets."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._smi = machine.root / "smi"
        self._smi.mkdir()
        self.log = [BOOT]
        self.installs(HEALTH_SCRIPT)
        machine.install("nvidia-smi", SMI)
        machine.install("dmesg", "#!/bin/sh\ncat /root/log\n")
        self.status(0)
        self.answers(LISTED, *(f"{index}, {self.bus(index)}" for index in range(4)))
        self.each(ECC, "0, 0")
        self.each(REASONS, "0x0000000000000001")
        self.each(REMAPPED, "0")

    def installs(self, script: str) -> None:
        assert "/proc/uptime" in script
        sent = compacted(script)
        self.machine.install("gpubot-health", sent.replace("/proc/uptime", "/root/uptime"))

    @staticmethod
    def bus(index: int) -> str:
        return f"00000000:{BUSES[index]}:00.0"

    def status(self, status: int) -> None:
        """Let nvidia-smi exit with this status after each answer."""
        (self._smi / "status").write_text(f"{status}\n")

    def answers(self, fields: str, *lines: str) -> None:
        """Let nvidia-smi answer a query for these fields with these lines."""
        (self._smi / fields).write_text("".join(f"{line}\n" for line in lines))

    def each(self, fields: str, value: str, others: Mapping[int, str] | None = None) -> None:
        """Let nvidia-smi answer a query with the same values for each GPU, except for `others`."""
        values = dict.fromkeys(range(4), value) | dict(others or {})
        self.answers(fields, *(f"{self.bus(index)}, {shown}" for index, shown in values.items()))

    def does_not_know(self, fields: str) -> None:
        (self._smi / fields).unlink()

    def logs(self, *lines: str) -> None:
        """Append lines to the kernel's log."""
        self.log += lines

    @property
    def calls(self) -> int:
        return len((self.machine.root / "calls").read_text().splitlines())

    async def prints(self, seconds: int) -> list[str]:
        """Run the script at this uptime, and return its lines except the first and the last."""
        (self.machine.root / "log").write_text("".join(f"{line}\n" for line in self.log))
        (self.machine.root / "uptime").write_text(f"{seconds}.42 1000.00\n")
        status, output = await self.machine.run("sh", HEALTH_PATH)
        lines = output.splitlines()
        assert (status, lines[0], lines[-1]) == (0, "gpubot-health 1", "health-end")
        return lines[1:-1]


@asynccontextmanager
async def gpus_on(directory: Path, shell: str = "dash") -> AsyncIterator[Gpus]:
    machine = await new_machine(directory)
    # The script starts itself with `sh`.
    (machine.sbin / "sh").symlink_to(program(shell))
    if shell == "busybox":
        for applet in ("awk", "cat", "grep", "head", "mkdir", "mv", "rm", "timeout"):
            (machine.sbin / applet).symlink_to(program("busybox"))
    async with machine.up():
        yield Gpus(machine)


@pytest.fixture
async def gpus(tmp_path: Path) -> AsyncIterator[Gpus]:
    async with gpus_on(tmp_path / "machine") as gpus:
        yield gpus


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
async def test_faults_and_notes_since_the_first_run_are_printed(tmp_path: Path, shell: str) -> None:
    """The first run finds errors of an earlier tenant in the log, and counters that aren't zero."""
    async with gpus_on(tmp_path / "machine", shell) as gpus:
        gpus.logs(xid(900, "0A", 79, FELL))
        gpus.each(ECC, "7, 1")
        assert await gpus.prints(1000) == []

        gpus.logs(
            xid(1100, "CB", 79, FELL),
            xid(1101, "0A", 48),
            xid(1102, "0A", 64),
            xid(1103, "1B", 74),
            xid(1104, "1B", 95),
            xid(1105, "DC", 63),
            xid(1106, "DC", 63),
            "[ 1107.000000] NVRM: Xid (PCI:0000:dc:00 GPU-I:05): 94, pid=7194, Contained: CE User Channel (0x9)",
            "[ 1108.000000] NVRM: Xid (0000:dc:00): 13, Graphics Exception",
            xid(1109, "99", 79, FELL),  # a GPU of another tenant
        )
        gpus.each(ECC, "7, 1", {3: "9, 2"})
        gpus.each(REMAPPED, "0", {1: "1"})
        lines = await gpus.prints(1600)

    assert lines == [
        "fault 0 xid-48",
        "fault 0 xid-64",
        "fault 1 xid-74",
        "fault 1 xid-95",
        "fault 1 remap-failed",
        "fault 2 xid-79",
        "note 3 xid-63 2",
        "note 3 xid-94 1",
        "note 3 ecc 3",
    ]
    section = "\n".join(["gpubot-health 1", *lines, "health-end", ""])
    assert read_health(section.encode()) == GpuHealth(
        faults=(
            GpuFault(gpu=0, kind=GpuFaultKind.DOUBLE_BIT, xid=48),
            GpuFault(gpu=0, kind=GpuFaultKind.REMAP_FAILED, xid=64),
            GpuFault(gpu=1, kind=GpuFaultKind.REMAP_FAILED),
            GpuFault(gpu=1, kind=GpuFaultKind.NVLINK, xid=74),
            GpuFault(gpu=1, kind=GpuFaultKind.UNCONTAINED, xid=95),
            GpuFault(gpu=2, kind=GpuFaultKind.LOST, xid=79),
        ),
        notes=(
            GpuNote(gpu=3, kind=GpuNoteKind.ROW_REMAPPED, value=2),
            GpuNote(gpu=3, kind=GpuNoteKind.CONTAINED, value=1),
            GpuNote(gpu=3, kind=GpuNoteKind.ECC, value=3),
        ),
    )


async def test_a_probe_run_over_ssh_returns_the_health_with_its_report(
    machine: Machine, server: SshServer
) -> None:
    gpus, key = Gpus(machine), new_probe_key()
    gpus.each(REMAPPED, "0", {2: "1"})
    (machine.root / "uptime").write_text("1000.42 1000.00\n")
    machine.install("gpubot-probe", INSTALLED_PROBE_SCRIPT)
    machine.authorized_keys.parent.mkdir(mode=0o700)
    machine.authorized_keys.write_text(f"{probe_line(key.public_line)}\n")
    machine.authorized_keys.chmod(0o600)

    result = await SshProber(key).run_probe("127.0.0.1", server.port, None)
    assert result.report is not None
    assert result.report.health == GpuHealth(faults=(GpuFault(gpu=2, kind=GpuFaultKind.REMAP_FAILED),))


async def test_0_1_0_reads_the_report_and_ignores_health_and_jobs_after_it(gpus: Gpus) -> None:
    gpus.each(REMAPPED, "0", {2: "1"})
    (gpus.machine.root / "uptime").write_text("1000.42 1000.00\n")
    gpus.machine.install("gpubot-probe", INSTALLED_PROBE_SCRIPT)
    gpus.machine.install("gpubot-jobs", GPUBOT_JOBS_SCRIPT)
    status, output = await gpus.machine.run("gpubot-probe", SSH_CONNECTION="198.51.100.4 51234 10.0.0.4 1")
    assert status == 0

    answer = output.encode()
    assert read_health(text_after_report(answer)) == GpuHealth(
        faults=(GpuFault(gpu=2, kind=GpuFaultKind.REMAP_FAILED),)
    )
    assert read_jobs(text_after_report(answer)) == JobReport()
    lines = output.splitlines()
    assert lines_of_report(answer) == lines[1 : lines.index("end")]


async def test_the_gpus_are_read_every_10_min_and_faults_stay(gpus: Gpus) -> None:
    await gpus.prints(1000)
    calls = gpus.calls
    gpus.logs(xid(1001, "CB", 79, FELL))
    assert await gpus.prints(1480) == []
    assert gpus.calls == calls

    assert await gpus.prints(1600) == ["fault 2 xid-79"]
    assert gpus.calls == 2 * calls
    # The kernel overwrites the oldest lines of its log.
    gpus.log = [xid(2000, "1B", 31)]
    assert await gpus.prints(1720) == await gpus.prints(2200) == ["fault 2 xid-79"]


async def test_an_ecc_counter_that_starts_again_from_zero_counts_from_zero(gpus: Gpus) -> None:
    """It does when the driver is loaded again."""
    gpus.each(ECC, "7, 1")
    await gpus.prints(1000)
    gpus.each(ECC, "0, 0", {1: "2, 0"})
    assert await gpus.prints(1600) == ["note 1 ecc 2"]


# --- a GPU that is lost


async def test_a_gpu_that_two_runs_do_not_find_is_lost_until_it_is_back(gpus: Gpus) -> None:
    """It has the index that it had at the first run, although the GPUs after it have moved up."""
    await gpus.prints(1000)
    gpus.answers(LISTED, *(f"{index}, {gpus.bus(gpu)}" for index, gpu in enumerate([0, 2, 3])))
    assert await gpus.prints(1600) == []
    assert await gpus.prints(1720) == ["fault 1 lost"]

    gpus.answers(LISTED, *(f"{index}, {gpus.bus(index)}" for index in range(4)))
    assert await gpus.prints(2320) == []


async def test_the_only_gpu_of_a_machine_can_be_lost(gpus: Gpus) -> None:
    gpus.answers(LISTED, f"0, {gpus.bus(0)}")
    await gpus.prints(1000)
    gpus.answers(LISTED, "No devices were found")
    gpus.status(6)
    assert await gpus.prints(1600) == []
    assert await gpus.prints(1720) == ["fault 0 lost"]


@pytest.mark.parametrize(
    "words",
    [
        "Unable to determine the device handle for GPU0000:CB:00.0: Unknown Error",
        "Unable to determine the device handle for GPU 0000:CB:00.0: GPU is lost.  Reboot the system",
        "00000000:CB:00.0, [GPU is lost], [GPU is lost]",
    ],
)
async def test_a_gpu_that_nvidia_smi_calls_lost_is_lost_at_once(gpus: Gpus, words: str) -> None:
    """nvidia-smi may stop at that GPU. Then the GPUs after it aren't listed, but aren't lost either."""
    await gpus.prints(1000)
    gpus.answers(LISTED, f"0, {gpus.bus(0)}", f"1, {gpus.bus(1)}", words)
    assert await gpus.prints(1600) == await gpus.prints(2200) == ["fault 2 lost"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [("Failed to initialize NVML: Driver/library version mismatch", 18), ("0, 00000000:0A:00.0", 255)],
)
async def test_a_list_that_nvidia_smi_cannot_finish_proves_no_loss(gpus: Gpus, answer: str, status: int) -> None:
    await gpus.prints(1000)
    gpus.answers(LISTED, answer)
    gpus.status(status)
    assert await gpus.prints(1600) == await gpus.prints(2200) == []


# --- a GPU that is slowed down


async def test_a_slowdown_is_printed_once_it_has_lasted_10_min(gpus: Gpus) -> None:
    """While a GPU is slow, each run reads it, so that a short interruption isn't missed."""
    await gpus.prints(1000)
    gpus.each(REASONS, "0x0000000000000004", {1: HEAT, 2: POWER_BRAKE})
    assert await gpus.prints(1600) == []
    assert await gpus.prints(2140) == []
    assert await gpus.prints(2200) == ["note 1 hot 600", "note 2 power 600"]

    gpus.each(REASONS, "0x0000000000000001", {1: HEAT})
    assert await gpus.prints(2320) == ["note 1 hot 720"]
    gpus.each(REASONS, HEAT, {1: "0x0000000000000000"})
    assert await gpus.prints(2440) == []


async def test_a_slowdown_begins_anew_after_a_gap_in_the_readings(gpus: Gpus) -> None:
    await gpus.prints(1000)
    gpus.each(REASONS, HEAT)
    await gpus.prints(1600)
    assert await gpus.prints(9000) == []


# --- drivers and logs that differ


async def test_each_field_that_a_driver_does_not_know_fails_alone(gpus: Gpus) -> None:
    gpus.does_not_know(REASONS)
    gpus.does_not_know(REMAPPED)
    gpus.each(NEW_REASONS, HEAT)
    await gpus.prints(1000)
    gpus.each(ECC, "0, 0", {0: "2, 0"})
    assert await gpus.prints(1600) == [
        "note 0 ecc 2",
        *(f"note {index} hot 600" for index in range(4)),
    ]


async def test_a_gpu_without_these_values_prints_nothing(gpus: Gpus) -> None:
    gpus.each(ECC, "[N/A], [N/A]")
    gpus.each(REASONS, "[N/A]")
    gpus.each(REMAPPED, "[N/A]")
    assert await gpus.prints(1000) == await gpus.prints(1600) == []


async def test_a_machine_without_nvidia_smi_prints_nothing(gpus: Gpus) -> None:
    (gpus.machine.sbin / "nvidia-smi").unlink()
    gpus.logs(xid(900, "CB", 79, FELL))
    assert await gpus.prints(1000) == await gpus.prints(1600) == []


async def test_a_hanging_driver_hides_no_errors_in_the_log(gpus: Gpus) -> None:
    await gpus.prints(1000)
    shorter = HEALTH_SCRIPT.replace("timeout -s KILL 4 ", "timeout -s KILL 1 ")
    assert shorter != HEALTH_SCRIPT
    gpus.installs(shorter)
    gpus.machine.install("nvidia-smi", "#!/bin/sh\necho run >>/root/calls\ntrap '' TERM\nsleep 1000\nsleep 1000\n")
    gpus.logs(xid(1500, "CB", 79, FELL))
    assert await gpus.prints(1600) == ["fault 2 xid-79"]

    calls = gpus.calls
    assert await gpus.prints(1720) == ["fault 2 xid-79"]
    assert gpus.calls == calls


async def test_an_error_of_a_gpu_that_was_never_listed_has_no_index(gpus: Gpus) -> None:
    gpus.answers(LISTED, "Failed to initialize NVML: Unknown Error")
    gpus.status(255)
    await gpus.prints(1000)
    gpus.logs(xid(1500, "CB", 79, FELL), xid(1501, "DC", 79, FELL), xid(1502, "CB", 63))
    assert await gpus.prints(1600) == ["fault - xid-79", "note - xid-63 1"]


async def test_the_journal_is_read_if_dmesg_is_not_permitted(gpus: Gpus) -> None:
    gpus.machine.install("dmesg", "#!/bin/sh\necho 'dmesg: read kernel buffer failed' >&2\nexit 1\n")
    gpus.machine.install("journalctl", "#!/bin/sh\nsed 's/] /] host kernel: /' /root/log\n")
    gpus.logs(xid(900, "0A", 79, FELL))
    assert await gpus.prints(1000) == []
    gpus.logs(xid(1500, "CB", 79, FELL))
    assert await gpus.prints(1600) == ["fault 2 xid-79"]


async def test_a_log_that_becomes_readable_later_counts_from_then_on(gpus: Gpus) -> None:
    gpus.machine.install("dmesg", "#!/bin/sh\nexit 1\n")
    gpus.machine.install("journalctl", "#!/bin/sh\nexit 1\n")
    gpus.logs(xid(900, "0A", 79, FELL))
    assert await gpus.prints(1000) == []
    gpus.machine.install("dmesg", "#!/bin/sh\ncat /root/log\n")
    assert await gpus.prints(1600) == []
    gpus.logs(xid(1700, "CB", 79, FELL))
    assert await gpus.prints(2200) == ["fault 2 xid-79"]


async def test_a_restarted_machine_begins_anew(gpus: Gpus) -> None:
    await gpus.prints(1000)
    gpus.logs(xid(1500, "CB", 79, FELL))
    assert await gpus.prints(1600) == ["fault 2 xid-79"]
    gpus.log = [BOOT]
    assert await gpus.prints(50) == []


async def test_at_most_32_lines_are_printed_and_faults_come_first(gpus: Gpus) -> None:
    await gpus.prints(1000)
    gpus.logs(*(xid(1100, bus, number) for bus in BUSES for number in (48, 63, 64, 74, 79, 94, 95)))
    gpus.each(ECC, "1, 0")
    gpus.each(REMAPPED, "Yes")
    lines = await gpus.prints(1600)
    assert [line.split()[0] for line in lines] == ["fault"] * 24 + ["note"] * 8


# --- the script itself


async def test_the_script_is_small_and_clean(tmp_path: Path) -> None:
    assert len(HEALTH_SCRIPT.encode()) <= 4700, "it shares the startup script with the other scripts and the keys"
    assert max(len(line) for line in HEALTH_SCRIPT.splitlines()) <= 115
    file = tmp_path / "health.sh"
    file.write_text(HEALTH_SCRIPT)
    for shell in ("dash", "busybox"):
        assert await run(program("shellcheck"), f"--shell={shell}", str(file)) == (0, "")
