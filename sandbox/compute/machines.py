"""A machine of the account. Its state at any time follows from the times at which it changes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import NAMESPACE_OID, uuid5

import asyncssh

from sandbox.compute.catalog import Variant
from sandbox.compute.startup_script import (
    forced_command,
    has_ending,
    has_set_up,
    key_lines,
    probe_lines,
    read_public_key,
)
from sandbox.host_info import HostInfo
from sandbox.nvidia_smi import Gpu
from sandbox.on_ending import EndingPart
from sandbox.ssh import SshHost, new_host_key
from sandbox.use import Fault, Phase, SetUp, Use

PROBE_AFTER, SET_UP_TAKES = timedelta(seconds=30), timedelta(seconds=60)
LONGEST_TYPED = 10_000
"""The most characters that are kept."""
NEVER_USED = Use((Phase(),), datetime(2000, 1, 1, tzinfo=UTC))


@dataclass
class Machine:
    """One resource of the account. Times are sandbox time; None means never.

    It exists and bills from `appears_at`, runs from `runs_at`, is being deleted from `delete_accepted_at`, and is
    gone and no longer billed from `gone_at`. With `missing` the API answers as if it had never existed.
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
    """The boot script of its procurement, as it was sent."""
    runs_cloud_init: bool = True
    offer_id: str | None = None
    resource_type: str = "vm"
    silent: bool = False
    gone_at: datetime | None = None
    delete_accepted_at: datetime | None = None
    delete_refused_until: datetime | None = None
    delete_refused: bool = False
    missing: bool = False
    message: str | None = None
    siblings: list[str] = field(default_factory=list)
    host: SshHost | None = None
    host_keys: list[asyncssh.SSHKey] = field(default_factory=lambda: [new_host_key()])
    probe_after: timedelta = PROBE_AFTER
    """How long after the machine runs its boot script has installed the probe."""
    use: Use = NEVER_USED
    typed: str = ""
    """The last lines that people typed into its shell."""
    other_set_up: SetUp | None = None
    ending_part: EndingPart = field(default_factory=EndingPart)
    other_hardware: tuple[tuple[str, int], ...] = ()
    """The name and MiB of each GPU, if these are not the GPUs that were sold."""

    def exists(self, now: datetime) -> bool:
        """Return whether the API shows it."""
        return self.appears_at <= now and not (self.missing and self.is_gone(now))

    def is_gone(self, now: datetime) -> bool:
        """Return whether it has ended, and its billing with it."""
        return self.gone_at is not None and self.gone_at <= now

    def has_run(self, now: datetime) -> bool:
        """Return whether it has ever been running."""
        return self.runs_at is not None and self.runs_at <= now

    def listens(self, now: datetime) -> bool:
        """Return whether its SSH host is up: from when it runs until it is gone."""
        return self.appears_at <= now and self.has_run(now) and not self.is_gone(now)

    def status(self, now: datetime) -> str:
        """Return the API's status: provisioning, running, deleting or deleted."""
        if self.is_gone(now):
            return "deleted"
        if self.delete_accepted_at is not None and self.delete_accepted_at <= now:
            return "deleting"
        return "running" if self.has_run(now) else "provisioning"

    def authorized_keys(self, now: datetime) -> list[str]:
        """Return the lines of its authorized_keys: the procured key, and the keys of a boot script that it
        runs.
        """
        procured = [] if self.ssh_public_key is None else [self.ssh_public_key]
        lines = [line for line in procured if read_public_key(line)]
        lines += [line for line in key_lines(self._script()) if forced_command(line) is None]
        return lines if self.use.at(now).fault is Fault.REFUSED else lines + self._probe_lines(now)

    def probe(self, now: datetime) -> str | None:
        """Return the path of its probe's script. Return None if it has no probe, or not yet."""
        return next((forced_command(line) for line in self._probe_lines(now)), None)

    def _probe_lines(self, now: datetime) -> list[str]:
        """Return the lines for the probe: the boot script's, which comes late, and those that were typed."""
        script = self._script() if self._has_been_up(self.probe_after, now) else ""
        return [*probe_lines(script), *probe_lines(self.typed)]

    def note_typed(self, line: str) -> None:
        """Take note of what a person typed into its shell: it may install the probe by hand."""
        self.typed = f"{self.typed}{line}\n"[-LONGEST_TYPED:]

    def set_up(self, now: datetime) -> SetUp | None:
        """Return how far its setup is: as it was set, or running for `SET_UP_TAKES` after the probe is
        installed.
        """
        if self.other_set_up is not None or not self._has_been_up(self.probe_after, now):
            return self.other_set_up
        if not has_set_up(self._script()):
            return None
        return SetUp("done" if self._has_been_up(self.probe_after + SET_UP_TAKES, now) else "running")

    def ending(self, now: datetime) -> EndingPart | None:
        """Return what starts an on-ending.sh there. Return None if its boot script didn't install it, or not
        yet.
        """
        installed = self._has_been_up(self.probe_after, now) and has_ending(self._script())
        return self.ending_part if installed else None

    def _has_been_up(self, span: timedelta, now: datetime) -> bool:
        return self.runs_at is not None and now >= self.runs_at + span

    def _script(self) -> str:
        """Return the boot script that it runs. Return an empty text if it runs none."""
        return self.cloud_init or "" if self.runs_cloud_init else ""

    def info(self, now: datetime) -> HostInfo:
        """Return how it is now, as its shell and its probe show it."""
        return HostInfo(
            f"{self.vendor}-{self.resource_id[:8]}",
            self.hardware(),
            self.runs_at or now,
            self.use,
            self.probe(now),
            self.set_up(now),
            self.ending(now),
        )

    def hardware(self) -> list[Gpu]:
        """Return its GPUs: those that were sold, unless others were set."""
        sold = ((self.variant.smi_name, self.variant.memory_mib),) * self.gpus
        return [
            Gpu(name, memory_mib, str(uuid5(NAMESPACE_OID, f"{self.resource_id}/{n}")))
            for n, (name, memory_mib) in enumerate(self.other_hardware or sold)
        ]

    def change_host_keys(self, host_keys: list[asyncssh.SSHKey]) -> None:
        """Give it other host keys, as if its operating system were installed again."""
        self.host_keys = host_keys
        if self.host is not None:
            self.host.change_host_keys(host_keys)

    def end(self, at: datetime, now: datetime) -> None:
        """Let the machine be gone at `at`, unless it goes sooner. If it does not run by `now`, it never will."""
        if self.gone_at is None or at < self.gone_at:
            self.gone_at = at
        if not self.has_run(now):
            self.runs_at = None

    def accept_delete(self, takes: timedelta | None, now: datetime) -> None:
        """Begin the deletion, which takes this long. None: until the vendor's behaviour is set again."""
        self.delete_accepted_at = now
        if not self.has_run(now):
            self.runs_at = None
        if takes is not None:
            self.end(now + takes, now)
