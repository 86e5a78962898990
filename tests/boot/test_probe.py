"""The probe's script runs on a machine with a real OpenSSH server, and the bot visits it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.model.use import GpuModel, GpuUse, Report, SetupProgress, SetupState
from bot.policy.probe_script import PROBE_SCRIPT, SCRIPT_PATH, probe_line
from bot.probe.key import ProbeKey, new_probe_key
from bot.probe.prober import SshProber
from tests.ssh_server import Machine, SshServer


@pytest.fixture
def key(machine: Machine) -> ProbeKey:
    """The probe's key, installed as the boot script does it."""
    key = new_probe_key()
    machine.authorized_keys.parent.mkdir(mode=0o700)
    machine.authorized_keys.write_text(f"{probe_line(key.public_line)}\n")
    machine.authorized_keys.chmod(0o600)
    machine.install(Path(SCRIPT_PATH).name, PROBE_SCRIPT)
    return key


NVIDIA_SMI = """#!/bin/sh
# Two GPUs, one of them busy every other second.
use=0
while :; do
  use=$((93 - use))
  echo "0, $use, 70123, 412.33, Disabled, 81559, NVIDIA H100 80GB HBM3"
  echo "1, 0, 3, 69.80, Disabled, 81559, NVIDIA H100 80GB HBM3"
  sleep 1
done
"""


async def test_a_visit_reads_each_gpu_and_the_set_up_and_nobody_is_connected(
    machine: Machine, server: SshServer, key: ProbeKey
) -> None:
    machine.install("nvidia-smi", NVIDIA_SMI)
    (machine.var_lib / "gpubot").mkdir()
    (machine.var_lib / "gpubot/setup.state").write_text("failed 1 12\n")

    visit = await SshProber(key).visit("127.0.0.1", server.port, None)

    model = GpuModel(name="NVIDIA H100 80GB HBM3", memory_mib=81559)
    assert visit.report == Report(
        gpus=(
            GpuUse(index=0, highest=93, memory_mib=70123, watts=412),
            GpuUse(index=1, highest=0, memory_mib=3, watts=70),
        ),
        models=(model, model),
        setup=SetupProgress(state=SetupState.FAILED, line=12),
    )
