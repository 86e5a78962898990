"""The response of `/machines`: the machines that the bot watches, for the watchdog (docs/watchdog.md)."""

from __future__ import annotations

from decimal import Decimal

from pydantic import ConfigDict

from bot.model.base import Frozen, Instant


class WatchedMachine(Frozen):
    """A resource that belongs to a rental and that costs money or may cost money."""

    # Ignore unknown fields. The bot sends this model to the watchdog, a process on another machine that may run an
    # older version. A newer bot may send fields that this version doesn't know.
    model_config = ConfigDict(extra="ignore")

    resource_id: str
    name: str | None
    """The machine's name at the marketplace. None if the machine wasn't rented through the bot."""
    rental_id: str
    owner: str
    """Slack ID of the rental's owner."""
    owner_name: str | None
    """The owner's last known display name. Untrusted text: escape it for display."""
    rate: Decimal
    """USD per hour."""
    ends_at: Instant | None
    """The latest time at which the lease may end, plus the grace period. None if it isn't known."""


class MachinesAnswer(Frozen):
    """The whole response of `/machines`."""

    model_config = ConfigDict(extra="ignore")

    well: bool
    """True if the bot is well, as in `/health`."""
    wrong: tuple[str, ...]
    """The problems, as text. There may be problems with Slack although the bot is well."""
    machines: tuple[WatchedMachine, ...] | None
    """The machines that the bot watches. None if the database can't be read."""
