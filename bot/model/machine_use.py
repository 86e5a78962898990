"""The use of a machine: the samples that probe runs collect, and the usage status that follows from them.

In a probe run, the bot connects to a machine over SSH and reads how the machine is used.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from bot.model.base import Frozen, Instant
from bot.model.gpu_health import GpuHealth
from bot.model.job import JobReport


class UsageStatus(StrEnum):
    """The usage status of a machine, according to its latest samples."""

    IN_USE = "in_use"
    CONNECTED = "connected"
    """Somebody is connected over SSH, but no GPU is computing."""
    IDLE = "idle"
    UNKNOWN = "unknown"


NOT_COMPUTING = frozenset({UsageStatus.CONNECTED, UsageStatus.IDLE})
"""The usage statuses of machines whose GPUs aren't computing."""


class Missed(StrEnum):
    """The reason why a probe run has no usable reading."""

    NO_ANSWER = "no_answer"
    """No SSH server answered in time."""
    REFUSED = "refused"
    """The SSH login was refused, because the probe hasn't been installed."""
    HOST_KEY_CHANGED = "host_key_changed"
    UNREADABLE = "unreadable"
    """The output isn't a valid report, is too long, or arrived too late."""
    NO_NVIDIA_SMI = "no_nvidia_smi"
    NVIDIA_SMI_HANGS = "nvidia_smi_hangs"
    NO_GPU = "no_gpu"
    """nvidia-smi lists no GPU, for example because its version doesn't match the driver's."""
    NO_UTILIZATION = "no_utilization"
    """A GPU reports no utilization, for example in MIG mode. It may still be computing."""


class SetupState(StrEnum):
    """The progress of the team's setup script on a machine."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class SetupProgress(Frozen):
    """The progress of the setup script, as the probe reports it."""

    state: SetupState
    line: int | None = Field(default=None, ge=1)
    """The line at which the setup script failed. None if the line isn't known or the script didn't fail."""


class OnEndingState(StrEnum):
    """The state of the owner's script `/root/on-ending.sh`.

    The machine starts the script shortly before the lease ends.
    """

    NONE = "none"
    """The file doesn't exist."""
    THERE = "there"
    """The script exists and can be started."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    """The script won't be started, for the reason in `OnEnding.why`."""


class OnEndingRefused(StrEnum):
    """The reason why a machine doesn't start `/root/on-ending.sh`."""

    NO_FILE = "no_file"
    """The script isn't a regular file but, for example, a symbolic link or a folder."""
    NOT_EXECUTABLE = "not_executable"
    OWNER = "owner"
    """The script isn't owned by root."""
    WRITABLE = "writable"
    """Users other than the script's owner can write to it."""


class OnEnding(Frozen):
    """The state of `/root/on-ending.sh`, as a probe run reports it."""

    state: OnEndingState
    end: Instant | None = None
    """The end of the lease for which the script was last started. None if it wasn't started."""
    status: int | None = Field(default=None, ge=0, le=255)
    """The exit status of the script, if it failed."""
    why: OnEndingRefused | None = None

    @property
    def can_start(self) -> bool:
        """True if the machine has the script and would start it."""
        return self.state not in {OnEndingState.NONE, OnEndingState.REFUSED}

    def is_for(self, ends_at: datetime) -> bool:
        """Return whether the script's last start was for a lease that ends at `ends_at`.

        The bot tells machines only the full second at which a lease ends, so fractions of a second are ignored.
        """
        return self.end is not None and self.end == ends_at.replace(microsecond=0)

    def runs_for(self, ends_at: datetime) -> bool:
        """Return whether the script was started for a lease that ends at `ends_at` and is still running."""
        return self.state is OnEndingState.RUNNING and self.is_for(ends_at)


class EndToTell(Frozen):
    """The end of the lease, as a probe run sends it to the machine.

    The machine starts `/root/on-ending.sh` before that time.
    """

    end: Instant
    """The end of the lease.

    The machine uses it only as an identifier, because its own clock may be wrong.
    """
    left: timedelta = Field(ge=timedelta(0))
    """The time from the probe run until the end of the lease."""


class GpuModel(Frozen):
    """The model of a GPU, as the machine reports it."""

    name: str
    """The GPU's name. Untrusted text: escape it for display."""
    memory_mib: int = Field(ge=0)
    """The size of the GPU's memory, in MiB. 0 if the machine doesn't report it."""


class GpuUse(Frozen):
    """The readings of one GPU in one probe run."""

    index: int = Field(ge=0)
    highest: int | None = Field(default=None, ge=0, le=100)
    """The highest reading of `utilization.gpu`, in percent. None if the GPU reports none, for example in MIG mode.
    """
    memory_mib: int | None = Field(default=None, ge=0)
    """The highest amount of memory in use. It is only shown to people: used memory is no evidence of work."""
    watts: int | None = Field(default=None, ge=0)
    """The highest power draw."""


class Report(Frozen):
    """The output of the probe's script in one probe run."""

    gpus: tuple[GpuUse, ...] = ()
    peers: tuple[str, ...] = ()
    """The open SSH connections, except the bot's own.

    Each connection is represented by a short hash of the client's address and port. Hashes are enough to recognize
    a connection in the next probe run, and no address has to be stored.
    """
    models: tuple[GpuModel, ...] = ()
    setup: SetupProgress | None = None
    """The progress of the setup script. None if no setup script was started."""
    on_ending: OnEnding | None = None
    """The state of `/root/on-ending.sh`. None if the bot's script that starts it isn't on the machine."""
    missed: Missed | None = None
    """The reason why some or all GPU readings are missing. The connections can be known nevertheless."""
    health: GpuHealth | None = None
    """The health of the GPUs. None if the machine doesn't report it."""
    jobs: JobReport | None = None
    """The jobs on the machine. None if the machine doesn't report its jobs."""


class GpusSeen(Frozen):
    """The GPUs that a machine actually has, according to its own report."""

    count: int
    models: tuple[GpuModel, ...]
    """The GPUs whose name could be read. GPUs without a readable name are only included in `count`."""


class ProbeAnswers(Frozen):
    """A record of whether the probe answered on a vendor's latest machines soon after they became ready."""

    unreachable: tuple[str, ...] = ()
    """The owners of the latest machines whose probes didn't answer. Most recent first, at most ten.

    Only machines that were recorded after `answered_at` are included.
    """
    unreachable_at: Instant | None = None
    """The time at which the most recent machine in `unreachable` was recorded."""
    answered_at: Instant | None = None
    """The time at which a machine's probe last answered. None if no probe has answered yet."""


class ProbeResult(Frozen):
    """The result of one probe run."""

    report: Report | None = None
    missed: Missed | None = None
    """The reason why there is no report. Exactly one of `report` and `missed` is set."""
    host_key: str | None = None
    """The fingerprint of the host key that the SSH server presented: `SHA256:...`."""


class Sample(Frozen):
    """The stored result of a probe run. It is deleted after two days."""

    rental_id: str
    at: Instant
    """The time on the bot's clock at which the report was received. The machine's own clock is never used."""
    gpus: tuple[GpuUse, ...] = ()
    peers: tuple[str, ...] = ()
    """The hashes of the open SSH connections, as in `Report.peers`."""
    missed: Missed | None = None
    """The reason why some or all GPU readings are missing."""


class Use(Frozen):
    """The usage status of a machine, with its evidence. It is stored whenever the status changes."""

    status: UsageStatus = Field(alias="verdict")
    since: Instant
    """The time since which the status applies.

    - In use: the first reading of work in the current period of use.
    - Connected or idle: the last reading that shows work. If there was none, the time at which the machine became
      ready.
    - Unknown: the first of the probe runs that failed, or the time at which the machine became ready.
    - Undecided, because there are too few readings so far: the time at which the machine became ready, or the
      first successful probe run after an interruption.
    """
    gpus: tuple[GpuUse, ...] = ()
    """The highest reading of each GPU in the period that the status covers."""
    connections: int = 0
    """The number of SSH connections that are older than two minutes.

    In a question to the owner, the number is from the newest report.
    """
    new_connections: int = 0
    """In a question to the owner, the number of SSH connections that are at most two minutes old.

    The number is from the newest report. Internet scanners can cause new connections.
    """
    why: Missed | None = None
    """If the status is unknown: the reason why the last probe runs had no usable reading.

    None if there were no probe runs, or too few readings so far.
    """
    worked: bool = False
    """True if a GPU has been seen computing since the machine became ready."""
    idle_period: Instant | None = Field(default=None, alias="spell")
    """The start of the idle period that this status belongs to. Questions identify the period by this time.

    If work or missing readings interrupt an idle period for less than ten minutes, the period continues. After
    such an interruption, `idle_period` is therefore earlier than `since`.

    During an interruption, the status is "in use" or "unknown". It keeps the start of the idle period until the
    interruption has lasted ten minutes.
    """

    @property
    def undecided(self) -> bool:
        """True if the status is unknown only because there are too few readings so far."""
        return self.status is UsageStatus.UNKNOWN and self.why is None

    @property
    def bare(self) -> Use:
        """A copy with only the status, the time at which it began, and the start of the idle period."""
        return Use(status=self.status, since=self.since, idle_period=self.idle_period)


class RecentUse(Frozen):
    """The recent use of a machine.

    Only some people are allowed to see it, because it is a record of somebody's work.
    """

    gpus: tuple[GpuUse, ...] = ()
    """Each GPU with its highest reading during the last `idle.after`."""
    connections: int = 0
    """In the newest report, the number of connections that are older than two minutes."""
    new_connections: int = 0
    """In the newest report, the number of connections of at most two minutes."""
    hours: tuple[int | None, ...] = ()
    """The load in each of the last 24 hours, in percent, oldest first. None for an hour without readings."""
