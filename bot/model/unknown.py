"""Machines on the account that no attempt has."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

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
    offer_ids: tuple[str, ...] = ()
    """The offers that it was made from. Machines of one purchase have an offer in common."""
    missing_since: Instant | None = None
    """Since when the vendor does not find it. None if it does."""
    gone_at: Instant | None = None
    """When the account no longer had it."""


class AccountVerdict(StrEnum):
    """What an admin decided about unknown machines."""

    ADOPTED = "adopted"
    """They have an owner."""
    DESTROYED = "destroyed"
    """They belong to the admin who decided, and are destroyed."""
    NOT_OURS = "not_ours"
    """They are not ours to manage, so nobody is asked about them again."""


class Decided(Frozen):
    """The decision of an admin about unknown machines."""

    verdict: AccountVerdict
    by: str
    """Slack id of the admin."""
    at: Instant
    reason: str = ""
    """The admin's words. Data, never markup."""


class UnknownPurchase(Frozen):
    """The unknown machines of one purchase, on which the admins decide together. The store changes it only by
    compare-and-set on `version`."""

    id: str
    version: int = 1
    """Counts up with every change that people read."""
    machines: tuple[UnknownMachine, ...]
    """At least one."""
    found_at: Instant
    guess: str | None = None
    """Slack id of the person who may own them, from their name. It preselects and pings nobody."""
    asked_at: Instant
    """When the admins were last asked."""
    ask_again_at: Instant | None = None
    """When they are asked again. None if nobody said so."""
    put_off_by: str | None = None
    """Slack id of the admin who said when to ask again."""
    decided: Decided | None = None
    rental_id: str | None = None
    """The rental to which the machines belong by now."""
    over_at: Instant | None = None
    """When nothing was left to decide or to watch here: they belong to a rental, or all of them are gone."""
    asked_with: str | None = None
    """Id of the first of the purchases about which the admins are asked in one message: they show that the
    database is older than the account, or one sweep found many. None if they are asked about this one alone."""

    @property
    def alive(self) -> tuple[UnknownMachine, ...]:
        """Return the machines that are not gone, or all if all are."""
        return tuple(machine for machine in self.machines if machine.gone_at is None) or self.machines

    @property
    def open(self) -> bool:
        """Whether the admins can still decide about it."""
        return self.decided is None and self.over_at is None

    @property
    def runs(self) -> bool:
        """Whether one of its machines runs, so that it can get an owner. The others are watched and deleted
        with it: one that failed must not keep the machine that is used without an owner."""
        return any(machine.runs for machine in self.alive)
