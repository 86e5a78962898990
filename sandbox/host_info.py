"""The state of a machine, as its shell and its probe show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sandbox.gpu_health import HealthPart
from sandbox.jobs import JobsPart
from sandbox.nvidia_smi import Gpu
from sandbox.on_ending import EndingPart
from sandbox.use import SetUp, Use


@dataclass(frozen=True)
class HostInfo:
    """The state of a machine at one time."""

    hostname: str
    hardware: Sequence[Gpu]
    """All GPUs in the machine, including those that are lost."""
    up_since: datetime
    use: Use
    probe: str | None = None
    """The path of the probe's script. None if no probe is installed."""
    set_up: SetUp | None = None
    """The progress of the setup script. None if there is none."""
    ending: EndingPart | None = None
    """The program that starts on-ending.sh. None if the startup script didn't install it."""
    health: HealthPart | None = None
    """The program that checks the GPUs. None if the startup script didn't install it."""
    jobs: JobsPart | None = None
    """The program `gpubot-run`. None if the startup script didn't install it."""
    lost: frozenset[int] = frozenset()
    """The slots of the GPUs that nvidia-smi doesn't list."""

    @property
    def gpus(self) -> Sequence[Gpu]:
        """The GPUs that nvidia-smi lists. Their place in this list is the index that it shows."""
        return [gpu for gpu in self.hardware if gpu.slot not in self.lost]

    def percent(self, gpu: Gpu, moment: datetime) -> int | None:
        """Return the utilization of a GPU at a time, or None in MIG mode, which reports no utilization.

        The running jobs and the control API each set a utilization. The higher one counts.
        """
        percent = self.use.at(moment).percent(gpu.slot)
        if percent is None or self.jobs is None:
            return percent
        return max(percent, self.jobs.percent(gpu.slot, moment))
