"""How a machine is used over time, and how its probe fails, as the control API sets it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zlib import crc32


class Fault(StrEnum):
    """What is wrong with a machine; docs/sandbox.md explains each."""

    SILENT = "silent"
    REFUSED = "refused"
    HANG = "hang"
    GARBAGE = "garbage"
    NO_NVIDIA_SMI = "no_nvidia_smi"
    NVIDIA_SMI_HANGS = "nvidia_smi_hangs"


@dataclass(frozen=True)
class Phase:
    """A time in which a machine is used in one way. It has no end if `lasts` is None."""

    percents: tuple[int | None, ...] = (0,)
    """How busy each GPU is; one number stands for all GPUs. None: the GPU is in MIG mode and shows no number."""
    connections: tuple[str, ...] = ()
    """The names of the connections to its SSH server, besides those that are really open."""
    fault: Fault | None = None
    lasts: timedelta | None = None

    def percent(self, gpu: int) -> int | None:
        """Return how busy this GPU is."""
        return self.percents[gpu % len(self.percents)]


@dataclass(frozen=True)
class Use:
    """The phases of a machine's use from `since` on, one after the other. If `repeats`, they begin again after the
    last.
    """

    phases: tuple[Phase, ...]
    since: datetime
    repeats: bool = False

    def at(self, moment: datetime) -> Phase:
        """Return the phase at that time: the first one before `since`, the last one after all of them."""
        passed = max(moment - self.since, timedelta(0))
        if self.repeats:
            passed %= sum((phase.lasts for phase in self.phases if phase.lasts), timedelta(0))
        for phase in self.phases:
            if phase.lasts is None or passed < phase.lasts:
                return phase
            passed -= phase.lasts
        return self.phases[-1]


@dataclass(frozen=True)
class SetUp:
    """How far the team's setup script is: `running`, `done` or `failed`, with the line of the failure if
    known.
    """

    state: str
    line: int | None = None


def peer_of(name: str) -> tuple[str, int]:
    """Return the address and port from which a connection of this name comes: always the same ones.

    The address is one of 198.18.0.0/15, which no machine on the Internet has (RFC 2544).
    """
    number = crc32(name.encode())
    address, port = number >> 15, number & 0x7FFF
    return f"198.{18 + (address >> 16)}.{address >> 8 & 255}.{address & 255}", 32_768 + port
