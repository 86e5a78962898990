"""What `/machines` answers: the machines that the bot watches, for the watchdog (docs/watchdog.md)."""

from __future__ import annotations

from decimal import Decimal

from pydantic import ConfigDict

from bot.model.base import Frozen, Instant


class WatchedMachine(Frozen):
    """A resource that bills or may bill, and that belongs to a rental."""

    # A newer bot may say more.
    model_config = ConfigDict(extra="ignore")

    resource_id: str
    name: str | None
    """As the market shows it. None for an adopted machine."""
    rental_id: str
    owner: str
    """Slack id."""
    owner_name: str | None
    """The owner's last known display name. Data, never markup."""
    rate: Decimal
    """USD per hour."""
    ends_at: Instant | None
    """The latest end that its lease allows, with the grace after it. None if that is not known."""


class MachinesAnswer(Frozen):
    """The whole answer."""

    model_config = ConfigDict(extra="ignore")

    well: bool
    """As in /health."""
    wrong: tuple[str, ...]
    """What is wrong, in words. Something may be wrong with Slack while the bot is well."""
    machines: tuple[WatchedMachine, ...] | None
    """None if the store can't be read."""
