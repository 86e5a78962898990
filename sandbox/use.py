"""The utilization of a machine over time, and the faults of its probe, as the control API sets them. No I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zlib import crc32


class Fault(StrEnum):
    """A fault of a machine. docs/sandbox-api.md explains each."""

    SILENT = "silent"
    REFUSED = "refused"
    HANG = "hang"
    GARBAGE = "garbage"
    NO_NVIDIA_SMI = "no_nvidia_smi"
    NVIDIA_SMI_HANGS = "nvidia_smi_hangs"


@dataclass(frozen=True)
class Phase:
    """A period during which the utilization of a machine is constant. It has no end if `lasts` is None."""

    percents: tuple[int | None, ...] = (0,)
    """The utilization of each GPU; a single number applies to all GPUs.

    None means that the GPU is in MIG mode, in which it doesn't report its utilization.
    """
    connections: tuple[str, ...] = ()
    """The names of simulated connections to its SSH server, in addition to those that are really open."""
    fault: Fault | None = None
    lasts: timedelta | None = None

    def percent(self, gpu: int) -> int | None:
        """Return the utilization of the GPU with this index, or None in MIG mode."""
        return self.percents[gpu % len(self.percents)]


@dataclass(frozen=True)
class Use:
    """The phases of a machine's utilization, one after the other, starting at `since`.

    With `repeats`, the first phase follows the last one.
    """

    phases: tuple[Phase, ...]
    since: datetime
    repeats: bool = False

    def at(self, moment: datetime) -> Phase:
        """Return the phase at a time.

        Before `since`, this is the first phase; once all phases have ended, it is the last one.
        """
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
    """The state of the team's setup script: `running`, `done` or `failed`, with the line that failed if known."""

    state: str
    line: int | None = None


def peer_of(name: str) -> tuple[str, int]:
    """Return the client address and port of the simulated connection with this name.

    They are the same for every call. The address is in 198.18.0.0/15, which isn't used on the Internet (RFC 2544).
    """
    number = crc32(name.encode())
    address, port = number >> 15, number & 0x7FFF
    return f"198.{18 + (address >> 16)}.{address >> 8 & 255}.{address & 255}", 32_768 + port
