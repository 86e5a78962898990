"""The state of a machine, as its shell and its probe show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sandbox.nvidia_smi import Gpu
from sandbox.on_ending import EndingPart
from sandbox.use import SetUp, Use


@dataclass(frozen=True)
class HostInfo:
    """The state of a machine at one time."""

    hostname: str
    gpus: Sequence[Gpu]
    up_since: datetime
    use: Use
    probe: str | None = None
    """The path of the probe's script. None if no probe is installed."""
    set_up: SetUp | None = None
    """The progress of the setup script. None if there is none."""
    ending: EndingPart | None = None
    """The program that starts on-ending.sh. None if the startup script didn't install it."""
