"""How a machine is used: what one visit reads, and the verdict about the time since."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from bot.model.base import Frozen, Instant


class UsageStatus(StrEnum):
    """Whether a machine is used."""

    IN_USE = "in_use"
    CONNECTED = "connected"
    """Somebody is connected, and no GPU computes."""
    IDLE = "idle"
    UNKNOWN = "unknown"


NOT_COMPUTING = frozenset({UsageStatus.CONNECTED, UsageStatus.IDLE})
"""The verdicts of a machine whose GPUs do not compute."""


class Missed(StrEnum):
    """Why a visit has no usable reading."""

    NO_ANSWER = "no_answer"
    """No SSH server answered in time."""
    REFUSED = "refused"
    """The login was refused: the probe is not installed, or not yet."""
    HOST_KEY_CHANGED = "host_key_changed"
    UNREADABLE = "unreadable"
    """The answer is no report, or too long, or came too late."""
    NO_NVIDIA_SMI = "no_nvidia_smi"
    NVIDIA_SMI_HANGS = "nvidia_smi_hangs"
    NO_GPU = "no_gpu"
    """nvidia-smi shows no GPU, for example because it doesn't fit the driver."""
    NO_UTILIZATION = "no_utilization"
    """A GPU reports no utilization, as in MIG mode. It may still work."""


class SetupState(StrEnum):
    """How far the team's setup script is on the machine."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class SetupProgress(Frozen):
    """The outcome of the setup script, as the probe reports it."""

    state: SetupState
    line: int | None = Field(default=None, ge=1)
    """The line of the script at which it failed. None if the line is not known, or if the script did not fail."""


class OnEndingState(StrEnum):
    """What the machine says of its owner's `/root/on-ending.sh`, which it starts before an end."""

    NONE = "none"
    """There is no such file."""
    THERE = "there"
    """It can be started."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    """It is not started, for the reason in `why`."""


class OnEndingRefused(StrEnum):
    """Why a machine doesn't start `/root/on-ending.sh`."""

    NO_FILE = "no_file"
    """It is no regular file: a symbolic link, a folder or something else."""
    NOT_EXECUTABLE = "not_executable"
    OWNER = "owner"
    """It doesn't belong to root."""
    WRITABLE = "writable"
    """Others than its owner can write to it."""


class OnEnding(Frozen):
    """`/root/on-ending.sh`, as a visit reports it."""

    state: OnEndingState
    end: Instant | None = None
    """The end for which it was started last. None if it was not started."""
    status: int | None = Field(default=None, ge=0, le=255)
    """The exit status of a run that failed."""
    why: OnEndingRefused | None = None

    @property
    def can_start(self) -> bool:
        """Whether the machine has the script and would start it."""
        return self.state not in {OnEndingState.NONE, OnEndingState.REFUSED}

    def is_for(self, ends_at: datetime) -> bool:
        """Return whether the last start was for this end. A machine knows ends in whole seconds."""
        return self.end is not None and self.end == ends_at.replace(microsecond=0)

    def runs_for(self, ends_at: datetime) -> bool:
        """Return whether the script was started for this end and still runs."""
        return self.state is OnEndingState.RUNNING and self.is_for(ends_at)


class EndToTell(Frozen):
    """The end that a visit tells a machine, which starts `/root/on-ending.sh` before it."""

    end: Instant
    """On the machine, this is only the name of the end: the machine's clock may be wrong."""
    left: timedelta = Field(ge=timedelta(0))
    """The time from the visit until the end."""


class GpuModel(Frozen):
    """A GPU as the machine names it."""

    name: str
    """Data, never markup."""
    memory_mib: int = Field(ge=0)
    """0 if the machine doesn't say."""


class GpuUse(Frozen):
    """One GPU in one visit."""

    index: int = Field(ge=0)
    highest: int | None = Field(default=None, ge=0, le=100)
    """The highest reading of `utilization.gpu`, in percent. None if there is none, as in MIG mode."""
    memory_mib: int | None = Field(default=None, ge=0)
    """The most memory in use. It is shown, but proves no use."""
    watts: int | None = Field(default=None, ge=0)
    """The highest power draw."""


class Report(Frozen):
    """What the probe's script reported in one visit."""

    gpus: tuple[GpuUse, ...] = ()
    peers: tuple[str, ...] = ()
    """The open SSH connections besides our own: a short hash of each peer's address and port, so that the same
    connection is recognized in the next visit and no address is stored."""
    models: tuple[GpuModel, ...] = ()
    setup: SetupProgress | None = None
    """None if no setup script was started."""
    on_ending: OnEnding | None = None
    """None if the machine has no part that starts `/root/on-ending.sh`."""
    missed: Missed | None = None
    """Why there are no readings of GPUs, or not of all. Connections may still be known."""


class GpusSeen(Frozen):
    """The GPUs that a machine shows."""

    count: int
    models: tuple[GpuModel, ...]
    """The GPUs that have a name. A row that can't be read only counts."""


class ProbeAnswers(Frozen):
    """Whether the probe of a vendor's last machines answered soon after they were ready."""

    unreachable: tuple[str, ...] = ()
    """The owners of the machines since the last one that answered, the newest first, ten at most."""
    unreachable_at: Instant | None = None
    """When the newest silent machine was noted."""
    answered_at: Instant | None = None
    """When the last machine answered. None if none ever did."""


class ProbeResult(Frozen):
    """The result of one visit."""

    report: Report | None = None
    missed: Missed | None = None
    """Why there is no report. Exactly one of `report` and `missed` is set."""
    host_key: str | None = None
    """The fingerprint of the host key that the server showed: `SHA256:...`."""


class Sample(Frozen):
    """One visit of a machine as it is stored. It is kept for two days."""

    rental_id: str
    at: Instant
    """Our time, when the report was received. The machine's clock is never used."""
    gpus: tuple[GpuUse, ...] = ()
    peers: tuple[str, ...] = ()
    """As in `Report`."""
    missed: Missed | None = None
    """Why the sample has no readings of GPUs, or not of all."""


class Use(Frozen):
    """The verdict about a machine, with its evidence. It is stored when the verdict changes."""

    status: UsageStatus = Field(alias="verdict")
    since: Instant
    """In use: the first reading of this spell. Connected and idle: the last reading of work, or ready if there was
    none. Unknown: the first of the visits that failed, or ready. While the readings do not suffice yet: ready, or
    the first good visit after a break."""
    gpus: tuple[GpuUse, ...] = ()
    """The highest reading of each GPU in the time that the verdict covers."""
    connections: int = 0
    """How many SSH connections are older than two minutes. In a question, how many the newest report shows."""
    new_connections: int = 0
    """In a question: how many newer ones the newest report shows. Scanners of the internet are among them."""
    why: Missed | None = None
    """For unknown: why the last visits had no usable reading. None if there was none, or too few readings yet."""
    worked: bool = False
    """Whether a GPU was seen to work since ready."""
    idle_period: Instant | None = Field(default=None, alias="spell")
    """When the spell without work began that this verdict belongs to. It is earlier than `since` if an
    interruption of less than ten minutes came in between. A verdict of in use or unknown has it while it may be
    such an interruption. This moment identifies the spell: each spell is asked about once."""

    @property
    def undecided(self) -> bool:
        """Whether the verdict only says that the readings do not suffice yet."""
        return self.status is UsageStatus.UNKNOWN and self.why is None

    @property
    def bare(self) -> Use:
        """Return the verdict without evidence: since when, and the spell, by which questions know it."""
        return Use(status=self.status, since=self.since, idle_period=self.idle_period)


class RecentUse(Frozen):
    """How a machine was used lately, for readers who may know. It is a record of somebody's work."""

    gpus: tuple[GpuUse, ...] = ()
    """Each GPU with its highest reading in the last `idle.after`."""
    connections: int = 0
    """How many connections the newest report shows that are older than two minutes."""
    new_connections: int = 0
    """How many newer connections it shows."""
    hours: tuple[int | None, ...] = ()
    """How busy it was in each of the last 24 hours, in percent, oldest first. None: an hour without readings."""
