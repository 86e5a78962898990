"""How a machine is used: what one visit reads, and the verdict about the time since."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from bot.model.base import Frozen, Instant


class Verdict(StrEnum):
    """Whether a machine is used."""

    IN_USE = "in_use"
    CONNECTED = "connected"
    """Somebody is connected, and no GPU computes."""
    IDLE = "idle"
    UNKNOWN = "unknown"


NOT_COMPUTING = frozenset({Verdict.CONNECTED, Verdict.IDLE})
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
    """nvidia-smi shows no GPU, as when it doesn't fit the driver."""
    NO_UTILIZATION = "no_utilization"
    """A GPU reports no utilization, as in MIG mode. It may work all the same."""


class SetupState(StrEnum):
    """How far the team's set-up script is on the machine."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class SetupProgress(Frozen):
    """The outcome of the set-up script, as the probe reports it."""

    state: SetupState
    line: int | None = Field(default=None, ge=1)
    """The line of the script at which it failed. None if that is not known, or if it did not fail."""


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
    """The highest of its readings of `utilization.gpu`, in percent. None if it has none, as in MIG mode."""
    memory_mib: int | None = Field(default=None, ge=0)
    """The most memory in use. It is shown and is no evidence."""
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
    """None if no set-up script was started."""
    missed: Missed | None = None
    """Why there are no readings of GPUs, or not of all. Connections may be known all the same."""


class GpusSeen(Frozen):
    """The GPUs that a machine shows."""

    count: int
    models: tuple[GpuModel, ...]
    """Those that have a name. A row that can't be read counts without one."""


class ProbeAnswers(Frozen):
    """Whether the probe of a vendor's last machines answered soon after they were ready."""

    silent: tuple[str, ...] = ()
    """The owners of those that did not, since the last one that did. The newest first, ten at most."""
    silent_at: Instant | None = None
    """When the newest of them was noted."""
    answered_at: Instant | None = None
    """When the last one answered. None if none ever did."""


class Visit(Frozen):
    """The result of one visit."""

    report: Report | None = None
    missed: Missed | None = None
    """Why there is no report. Exactly one of the two is set."""
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
    """Why it has no readings of GPUs, or not of all."""


class Use(Frozen):
    """The verdict about a machine, with its evidence. It is stored when the verdict changes."""

    verdict: Verdict
    since: Instant
    """In use: the first reading of this spell. Connected and idle: the last reading of work, or ready if there was
    none. Unknown: the first of the visits that failed, or ready. While the readings do not suffice yet: ready, or
    the first good visit after a break."""
    gpus: tuple[GpuUse, ...] = ()
    """The highest reading of each GPU in the time that the verdict speaks of."""
    connections: int = 0
    """How many SSH connections are older than two minutes. In a question, those that the newest report shows."""
    new_connections: int = 0
    """In a question: how many others the newest report shows. Scanners of the internet are among them."""
    why: Missed | None = None
    """For unknown: why the last visits had no usable reading. None if there was no visit, or if their readings do
    not suffice yet."""
    worked: bool = False
    """Whether a GPU was seen to work since ready."""
    spell: Instant | None = None
    """When the spell without work began that this verdict belongs to. Earlier than `since` if it was interrupted
    for less than ten minutes. In use and unknown have it while they may be such an interruption. This moment
    names a spell: each is asked about once."""

    @property
    def undecided(self) -> bool:
        """Whether it only says that the readings do not suffice for a verdict yet."""
        return self.verdict is Verdict.UNKNOWN and self.why is None

    @property
    def bare(self) -> Use:
        """Return the verdict, since when, and the spell, by which questions know it. It has no evidence."""
        return Use(verdict=self.verdict, since=self.since, spell=self.spell)


class RecentUse(Frozen):
    """How a machine was used lately, for those who may know. It is a record of somebody's work."""

    gpus: tuple[GpuUse, ...] = ()
    """Each GPU with its highest reading in the last `idle.after`."""
    connections: int = 0
    """How many connections the newest report shows that are older than two minutes."""
    new_connections: int = 0
    """How many others it shows."""
    hours: tuple[int | None, ...] = ()
    """For each of the last 24 hours, oldest first: how busy it was, in percent. None if nothing was seen."""
