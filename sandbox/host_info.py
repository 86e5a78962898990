"""How a machine is, for its shell and its probe."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sandbox.nvidia_smi import Gpu
from sandbox.on_ending import EndingPart
from sandbox.use import SetUp, Use


@dataclass(frozen=True)
class HostInfo:
    """A machine as its shell and its probe show it."""

    hostname: str
    gpus: Sequence[Gpu]
    up_since: datetime
    use: Use
    probe: str | None = None
    """The path of the probe's script. None: there is none."""
    set_up: SetUp | None = None
    """None: there is no setup script."""
    ending: EndingPart | None = None
    """What starts an on-ending.sh. None: its boot script brought no such part."""
