"""The machines of the account. A machine's state is derived from the times at which it changes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import NAMESPACE_OID, uuid5

import asyncssh

from sandbox.compute.catalog import Variant
from sandbox.compute.startup_script import (
    forced_command,
    has_ending,
    has_health,
    has_jobs,
    has_set_up,
    key_lines,
    probe_lines,
    read_public_key,
)
from sandbox.gpu_health import HealthPart
from sandbox.host_info import HostInfo
from sandbox.jobs import JobsPart
from sandbox.nvidia_smi import Gpu
from sandbox.on_ending import EndingPart
from sandbox.ssh import SshHost, new_host_key
from sandbox.use import Fault, Phase, SetUp, Use

PROBE_AFTER, SET_UP_TAKES = timedelta(seconds=30), timedelta(seconds=60)
LONGEST_TYPED = 10_000
"""The maximum number of typed characters that are kept."""
NEVER_USED = Use((Phase(),), datetime(2000, 1, 1, tzinfo=UTC))


@dataclass
class Machine:
    """A resource of the account. All times are sandbox time; None means never.

    A machine exists and is billed from `appears_at`, is running from `runs_at`, is being deleted from
    `delete_accepted_at`, and is terminated and no longer billed from `terminated_at`. If `missing` is set, the API
    responds as if a terminated machine had never existed.
    """

    resource_id: str
    name: str
    vendor: str
    region: str
    variant: Variant
    gpus: int
    rate: Decimal
    appears_at: datetime
    runs_at: datetime | None
    ssh_public_key: str | None = None
    cloud_init: str | None = None
    """The startup script, exactly as the procure call sent it."""
    runs_cloud_init: bool = True
    offer_id: str | None = None
    resource_type: str = "vm"
    silent: bool = False
    terminated_at: datetime | None = None
    delete_accepted_at: datetime | None = None
    delete_refused_until: datetime | None = None
    delete_refused: bool = False
    missing: bool = False
    message: str | None = None
    siblings: list[str] = field(default_factory=list)
    host: SshHost | None = None
    host_keys: list[asyncssh.SSHKey] = field(default_factory=lambda: [new_host_key()])
    probe_after: timedelta = PROBE_AFTER
    """The time that the startup script takes to install the probe, counted from `runs_at`."""
    use: Use = NEVER_USED
    typed: str = ""
    """The last lines that people typed into its shell."""
    other_set_up: SetUp | None = None
    ending_part: EndingPart = field(default_factory=EndingPart)
    health_part: HealthPart = field(default_factory=HealthPart)
    jobs_part: JobsPart = field(default_factory=JobsPart)
    jobs_started: int = 0
    """The number of jobs that were ever started."""
    booted_at: datetime | None = None
    """The time of the last restart. None if it never was restarted."""
    other_hardware: tuple[tuple[str, int], ...] = ()
    """The name and MiB of each GPU, if they differ from the GPUs that were sold."""

    def exists(self, now: datetime) -> bool:
        """Return whether the API shows the machine."""
        return self.appears_at <= now and not (self.missing and self.is_terminated(now))

    def is_terminated(self, now: datetime) -> bool:
        """Return whether the machine is terminated and therefore no longer billed."""
        return self.terminated_at is not None and self.terminated_at <= now

    def has_run(self, now: datetime) -> bool:
        """Return whether the machine is running, or has been running at some time before."""
        return self.runs_at is not None and self.runs_at <= now

    def listens(self, now: datetime) -> bool:
        """Return whether the machine's SSH host is up, which is from `runs_at` until it is terminated."""
        return self.appears_at <= now and self.has_run(now) and not self.is_terminated(now)

    def status(self, now: datetime) -> str:
        """Return the status that the API shows: provisioning, running, deleting or deleted."""
        if self.is_terminated(now):
            return "deleted"
        if self.delete_accepted_at is not None and self.delete_accepted_at <= now:
            return "deleting"
        return "running" if self.has_run(now) else "provisioning"

    def authorized_keys(self, now: datetime) -> list[str]:
        """Return the lines of the machine's authorized_keys file.

        These are the key of the procure call, the keys in the startup script if the machine runs it, and the key
        of an installed probe. With the fault `refused`, the probe's key is missing.
        """
        procured = [] if self.ssh_public_key is None else [self.ssh_public_key]
        lines = [line for line in procured if read_public_key(line)]
        lines += [line for line in key_lines(self._script()) if forced_command(line) is None]
        return lines if self.use.at(now).fault is Fault.REFUSED else lines + self._probe_lines(now)

    def probe(self, now: datetime) -> str | None:
        """Return the path of the probe's script, or None if no probe is installed (yet)."""
        return next((forced_command(line) for line in self._probe_lines(now)), None)

    def _probe_lines(self, now: datetime) -> list[str]:
        """Return the authorized_keys lines for the probe, from the startup script or typed into the shell.

        The startup script's lines are in effect only after `probe_after`.
        """
        script = self._script() if self._has_been_up(self.probe_after, now) else ""
        return [*probe_lines(script), *probe_lines(self.typed)]

    def note_typed(self, line: str) -> None:
        """Store a line that a person typed into the shell, since people can install the probe by hand."""
        self.typed = f"{self.typed}{line}\n"[-LONGEST_TYPED:]

    def set_up(self, now: datetime) -> SetUp | None:
        """Return the state of the setup script, or None if there is none (yet).

        Unless the control API has set a state, the script runs for `SET_UP_TAKES` after the probe is installed.
        """
        if self.other_set_up is not None or not self._has_been_up(self.probe_after, now):
            return self.other_set_up
        if not has_set_up(self._script()):
            return None
        return SetUp("done" if self._has_been_up(self.probe_after + SET_UP_TAKES, now) else "running")

    def ending(self, now: datetime) -> EndingPart | None:
        """Return the program that starts on-ending.sh, or None if the startup script hasn't installed it (yet)."""
        installed = self._has_been_up(self.probe_after, now) and has_ending(self._script())
        return self.ending_part if installed else None

    def health(self, now: datetime) -> HealthPart | None:
        """Return the program that checks the GPUs, or None if the startup script hasn't installed it (yet)."""
        installed = self._has_been_up(self.probe_after, now) and has_health(self._script())
        return self.health_part if installed else None

    def jobs(self, now: datetime) -> JobsPart | None:
        """Return the program `gpubot-run`, or None if the startup script hasn't installed it (yet)."""
        installed = self._has_been_up(self.probe_after, now) and has_jobs(self._script())
        return self.jobs_part if installed else None

    def reboot(self, now: datetime) -> None:
        """Restart the machine, which takes no time. Jobs, and everything else in /run, are gone."""
        self.booted_at = now
        self.jobs_part = JobsPart()
        self.health_part = self.health_part.rebooted()
        self.ending_part = EndingPart(self.ending_part.script)
        if self.host is not None:
            self.host.disconnect()

    def _has_been_up(self, span: timedelta, now: datetime) -> bool:
        return self.runs_at is not None and now >= self.runs_at + span

    def _script(self) -> str:
        """Return the startup script that the machine runs; empty if it runs none."""
        return self.cloud_init or "" if self.runs_cloud_init else ""

    def info(self, now: datetime) -> HostInfo:
        """Return the machine's current state, as its shell and its probe show it."""
        return HostInfo(
            f"{self.vendor}-{self.resource_id[:8]}",
            self.hardware(),
            self.booted_at or self.runs_at or now,
            self.use,
            self.probe(now),
            self.set_up(now),
            self.ending(now),
            self.health(now),
            self.jobs(now),
            frozenset(gpu for gpu in self.health_part.troubles if self.health_part.is_lost(gpu)),
        )

    def hardware(self) -> list[Gpu]:
        """Return the machine's GPUs: the ones that were sold, unless the control API has set others."""
        sold = ((self.variant.smi_name, self.variant.memory_mib),) * self.gpus
        return [
            Gpu(name, memory_mib, str(uuid5(NAMESPACE_OID, f"{self.resource_id}/{n}")), n)
            for n, (name, memory_mib) in enumerate(self.other_hardware or sold)
        ]

    def change_host_keys(self, host_keys: list[asyncssh.SSHKey]) -> None:
        """Replace the host keys, as if the operating system had been reinstalled."""
        self.host_keys = host_keys
        if self.host is not None:
            self.host.change_host_keys(host_keys)

    def end(self, at: datetime, now: datetime) -> None:
        """Terminate the machine at `at`, or sooner if that was planned before.

        If the machine hasn't started to run by `now`, it never runs.
        """
        if self.terminated_at is None or at < self.terminated_at:
            self.terminated_at = at
        if not self.has_run(now):
            self.runs_at = None

    def accept_delete(self, takes: timedelta | None, now: datetime) -> None:
        """Start the deletion, which takes the given time.

        If `takes` is None, the deletion isn't finished until the vendor's behaviour is set again.
        """
        self.delete_accepted_at = now
        if not self.has_run(now):
            self.runs_at = None
        if takes is not None:
            self.end(now + takes, now)
