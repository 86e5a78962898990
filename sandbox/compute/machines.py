"""A machine of the account. Its state at any time follows from the times at which it changes."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import asyncssh

from sandbox.compute.boot_script import public_keys, read_public_key
from sandbox.compute.catalog import Variant
from sandbox.ssh import SshHost, new_host_key


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

    def authorized_keys(self) -> list[asyncssh.SSHKey]:
        """Return the keys that its SSH host lets in: the procured one, and those of a boot script that it runs."""
        procured = None if self.ssh_public_key is None else read_public_key(self.ssh_public_key)
        script = self.cloud_init if self.runs_cloud_init else None
        return [*([procured] if procured else []), *(public_keys(script) if script else [])]

    def change_host_keys(self, host_keys: list[asyncssh.SSHKey]) -> None:
        """Give it other host keys, as if its operating system were installed again."""
        self.host_keys = host_keys
        if self.host is not None:
            self.host.change_host_keys(host_keys)

    def end(self, at: datetime, now: datetime) -> None:
        """Let it be gone at `at`, unless it goes sooner. If it does not run by `now`, it never will."""
        if self.gone_at is None or at < self.gone_at:
            self.gone_at = at
        if not self.has_run(now):
            self.runs_at = None

    def accept_delete(self, takes: timedelta | None, now: datetime) -> None:
        """Begin its deletion, which takes this long (None: until the vendor's behaviour is set again)."""
        self.delete_accepted_at = now
        if not self.has_run(now):
            self.runs_at = None
        if takes is not None:
            self.end(now + takes, now)
