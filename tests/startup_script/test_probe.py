"""The probe's script runs on a machine with a real OpenSSH server, and the bot probes it."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest

from bot.model.machine_use import GpuModel, GpuUse, Missed, ProbeResult, Report, SetupProgress, SetupState
from bot.policy.access.probe_script import PROBE_SCRIPT, probe_line
from bot.probe.key import ProbeKey, new_probe_key
from bot.probe.prober import SshProber
from bot.probe.report import read_report
from tests.programs import program
from tests.ssh_server import Machine, SshServer, new_key, new_machine, public_line, run

BUSY = """#!/bin/sh
# Two GPUs, one of them busy every other second.
use=0
while :; do
  use=$((93 - use))
  echo "0, $use, 70123, 412.33, Disabled, 81559, NVIDIA H100 80GB HBM3"
  echo "1, 0, 3, 69.80, Disabled, 81559, NVIDIA H100 80GB HBM3"
  sleep 1
done
"""
BUSY_GPUS = (
    GpuUse(index=0, highest=93, memory_mib=70123, watts=412),
    GpuUse(index=1, highest=0, memory_mib=3, watts=70),
)
ONCE = '#!/bin/sh\necho "0, 7, 3, 69.80, Disabled, 81559, NVIDIA H100 80GB HBM3"\n'
H100 = GpuModel(name="NVIDIA H100 80GB HBM3", memory_mib=81559)


class Probed:
    """A machine with the probe, and the bot that probes it."""

    def __init__(self, machine: Machine, server: SshServer) -> None:
        self.machine = machine
        self.port = server.port
        self.key: ProbeKey = new_probe_key()
        machine.authorized_keys.parent.mkdir(mode=0o700)
        self.lets_in(probe_line(self.key.public_line))
        machine.install("gpubot-probe", PROBE_SCRIPT)

    def lets_in(self, *lines: str) -> None:
        self.machine.authorized_keys.write_text("".join(f"{line}\n" for line in lines))
        self.machine.authorized_keys.chmod(0o600)

    async def run_probe(self, host_key: str | None = None) -> ProbeResult:
        return await SshProber(self.key).run_probe("127.0.0.1", self.port, host_key)

    async def report(self) -> Report:
        run_probe = await self.run_probe()
        assert run_probe.report is not None
        return run_probe.report


@pytest.fixture
def probed(machine: Machine, server: SshServer) -> Probed:
    return Probed(machine, server)


async def test_a_probe_run_reads_gpus_and_setup_and_does_not_count_itself(probed: Probed) -> None:
    probed.machine.install("nvidia-smi", BUSY)
    (probed.machine.var_lib / "gpubot").mkdir()
    (probed.machine.var_lib / "gpubot/setup.state").write_text("failed 1 12\n")

    assert await probed.report() == Report(
        gpus=BUSY_GPUS, models=(H100, H100), setup=SetupProgress(state=SetupState.FAILED, line=12)
    )


async def test_a_connection_without_a_terminal_is_recognized_in_every_probe_run(
    probed: Probed, server: SshServer, tmp_path: Path
) -> None:
    ana = new_key(tmp_path / "ana")
    probed.lets_in(probe_line(probed.key.public_line), public_line(ana))
    # VS Code and tunnels connect in this way: without a terminal, and without a process of a person.
    ssh = await asyncio.create_subprocess_exec(
        *server.client("ssh", ana, "-v", "-o", "LogLevel=DEBUG1"),
        *("-N", "root@127.0.0.1"),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
    )
    assert ssh.stderr is not None
    try:
        await ssh.stderr.readuntil(b"Entering interactive session")
        first, second = await probed.report(), await probed.report()
    finally:
        ssh.kill()
        await ssh.communicate()

    assert len(first.peers) == 1
    assert second.peers == first.peers


async def test_gpus_in_mig_mode_are_unknown(probed: Probed) -> None:
    probed.machine.install("nvidia-smi", ONCE.replace(" 7,", " [N/A],").replace("Disabled", "Enabled"))
    assert (await probed.report()).gpus == (GpuUse(index=0, highest=None, memory_mib=3, watts=70),)


async def test_missing_and_mismatched_nvidia_smi_are_reported(probed: Probed) -> None:
    assert await probed.report() == Report(missed=Missed.NO_NVIDIA_SMI)
    words = "Failed to initialize NVML: Driver/library version mismatch"
    probed.machine.install("nvidia-smi", f"#!/bin/sh\necho '{words}'\nexit 18\n")
    assert await probed.report() == Report(missed=Missed.NO_GPU)


async def test_a_hanging_nvidia_smi_is_killed_and_reported(probed: Probed) -> None:
    shorter = PROBE_SCRIPT.replace("timeout -s KILL 10 ", "timeout -s KILL 1 ")
    assert shorter != PROBE_SCRIPT
    probed.machine.install("gpubot-probe", shorter)
    # A crashed driver may ignore every other signal.
    probed.machine.install("nvidia-smi", "#!/bin/sh\ntrap '' TERM\nsleep 1000\nsleep 1000\n")

    assert await probed.report() == Report(missed=Missed.NVIDIA_SMI_HANGS)


async def test_the_output_of_the_login_shell_is_not_part_of_the_report(probed: Probed, server: SshServer) -> None:
    probed.machine.install("nvidia-smi", ONCE)
    banner = r"printf 'end\nWelcome to gpubot-probe 1\n\377\033[2J'; echo; trap 'echo end' EXIT"
    (probed.machine.root / ".bashrc").write_text(f"{banner}\n")
    prober_runs = new_key(probed.machine.root / "visitor")
    probed.lets_in(probe_line(probed.key.public_line), probe_line(public_line(prober_runs)))

    _, output = await server.login(prober_runs)
    assert output.startswith("end\nWelcome")  # Debian's bash reads ~/.bashrc for commands over SSH
    assert await probed.report() == Report(
        gpus=(GpuUse(index=0, highest=7, memory_mib=3, watts=70),), models=(H100,)
    )


async def test_a_machine_that_does_not_know_the_key_refuses_the_login(probed: Probed) -> None:
    probed.lets_in()
    run_probe = await probed.run_probe()
    assert (run_probe.report, run_probe.missed) == (None, Missed.REFUSED)
    assert run_probe.host_key is not None


async def test_a_changed_host_key_is_reported_and_gets_no_login(probed: Probed, tmp_path: Path) -> None:
    first = await probed.run_probe()
    assert first.missed is None
    assert (await probed.run_probe(first.host_key)).missed is None

    probed.machine.host_key = new_key(tmp_path / "another")
    probed.machine.log = tmp_path / "another.log"
    run_probe = await probed.run_probe(first.host_key)

    assert (run_probe.report, run_probe.missed) == (None, Missed.HOST_KEY_CHANGED)
    assert run_probe.host_key not in {None, first.host_key}
    log = probed.machine.log.read_text()
    assert "Connection" in log
    assert "publickey" not in log


# --- the script itself


async def test_the_script_prints_the_same_with_dash_and_with_busybox(tmp_path: Path) -> None:
    async def printed(name: str, shell: tuple[str, ...], *applets: str) -> str:
        machine = await new_machine(tmp_path / name)
        machine.install("nvidia-smi", BUSY)
        machine.install("gpubot-probe", PROBE_SCRIPT)
        for applet in applets:
            (machine.sbin / applet).symlink_to(program("busybox"))
        probe = (*shell, "/usr/local/sbin/gpubot-probe")
        status, output = await machine.run(*probe, SSH_CONNECTION="198.51.100.4 51234 10.0.0.4 1")
        assert status == 0
        return output

    shells = (program("dash"),), (program("busybox"), "sh")
    dash, busybox = await asyncio.gather(
        printed("dash", shells[0]),
        printed("busybox", shells[1], "sh", "awk", "timeout"),
    )
    assert dash == busybox
    assert dash.count("gpu 0,") == dash.count("gpu 1,") == 5
    assert read_report(dash.encode(), b"") == Report(gpus=BUSY_GPUS, models=(H100, H100))


async def test_the_script_is_small_and_clean(tmp_path: Path) -> None:
    assert len(PROBE_SCRIPT.encode()) <= 1500, "with the lines that install it, it fits into one text of Slack"
    assert max(len(line) for line in PROBE_SCRIPT.splitlines()) <= 115
    file = tmp_path / "probe.sh"
    file.write_text(PROBE_SCRIPT)
    for shell in ("dash", "busybox"):
        assert await run(program("shellcheck"), f"--shell={shell}", str(file)) == (0, "")
