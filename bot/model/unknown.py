"""Machines on the account that no attempt has."""

from __future__ import annotations

from decimal import Decimal

from bot.model.base import Frozen, Instant


class UnknownMachine(Frozen):
    """A machine that no attempt has, as the account showed it last."""

    resource_id: str
    status: str
    """The API's word."""
    runs: bool
    """Whether the vendor says that it runs."""
    name: str | None = None
    """Data, never markup."""
    gpu: str | None = None
    """Data, never markup."""
    count: int = 1
    """How many GPUs it has. 1 if the API didn't state it."""
    vendor: str | None = None
    rate: Decimal | None = None
    """USD per hour. None if the API didn't state it."""
    since: Instant
    """From when on it bills: `valid_from`, else when it was created, else when we saw it first."""
    valid_from: Instant | None = None
    """As the API stated it. Without it, the cost is estimated."""
    host: str | None = None
    port: int | None = None
    gone_at: Instant | None = None
    """When the account no longer had it."""
