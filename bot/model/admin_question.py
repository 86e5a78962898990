"""Questions to the admins: about machines that no attempt has, and about rentals whose owner left."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from bot.model.base import Frozen, Instant


class UnmanagedMachine(Frozen):
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
    """From when on the machine bills: `valid_from`, else when it was created, else when we first saw it."""
    valid_from: Instant | None = None
    """As the API stated it. None if it didn't; the cost is then estimated."""
    host: str | None = None
    port: int | None = None
    offer_ids: tuple[str, ...] = ()
    """The offers that it was made from. Machines of one purchase have an offer in common."""
    missing_since: Instant | None = None
    """Since when the vendor does not find the machine. None if it does."""
    terminated_at: Instant | None = Field(default=None, alias="gone_at")


# --- what a question is about


class Purchase(Frozen):
    """The unknown machines of one purchase, about which the admins decide together."""

    kind: Literal["purchase"] = "purchase"
    machines: tuple[UnmanagedMachine, ...]
    """At least one."""
    guess: str | None = None
    """Slack id of the person whom the machines' names suggest. It is preselected, and pings nobody."""
    same_as: str | None = None
    """Id of the question that stays, if this one asked about the same machines a second time, as earlier versions
    could. None if this is the only question about its machines."""

    @property
    def alive(self) -> tuple[UnmanagedMachine, ...]:
        """Return the machines that are not gone, or all if all are."""
        return tuple(machine for machine in self.machines if machine.terminated_at is None) or self.machines

    @property
    def runs(self) -> bool:
        """Whether one of its machines runs, so that the purchase can get an owner. The other machines are watched
        and deleted with it: one that failed must not leave a used machine without an owner.
        """
        return any(machine.runs for machine in self.alive)


class Purchases(Frozen):
    """Several purchases in one message. Each is a separate question that is a part of this one."""

    kind: Literal["purchases"] = "purchases"
    count: int
    """How many machines the purchases had when they were found."""
    bought_after_backup: bool = Field(alias="bought_later")
    """Whether the database was restored, and they were bought after the backup. Otherwise one sweep found many."""
    empty: bool = False
    """Whether the database had no rental."""


class OwnerLeft(Frozen):
    """The owner of a rental left the workspace."""

    kind: Literal["owner_left"] = "owner_left"
    owner: str
    """Slack id."""


Subject: TypeAlias = Annotated[Purchase | Purchases | OwnerLeft, Field(discriminator="kind")]


# --- the question


class AdminDecision(StrEnum):
    """What an admin decided."""

    GAVE_OWNER = "gave_owner"
    DESTROYED = "destroyed"
    """The machines belong to the admin who decided, and are destroyed."""
    NOT_OURS = "not_ours"
    """The machines are not ours to manage, so nobody is asked about them again."""


class Decided(Frozen):
    """The decision of an admin."""

    decision: AdminDecision = Field(alias="verdict")
    by: str
    """Slack id of the admin."""
    at: Instant
    reason: str = ""
    """The admin's words. Data, never markup."""


class AdminQuestion(Frozen):
    """A question to each admin, which one of them decides for all. The store changes it only by compare-and-set on
    `version`, and shows each change in its messages.
    """

    id: str
    version: int = 1
    about: Subject
    rental_id: str | None = None
    """The rental that the question is about, or to which its machines belong by now."""
    part_of: str | None = None
    """Id of the question in whose messages this one is asked. None if it has its own messages."""
    event_id: int | None = None
    """The event of the question's newest messages. None if it has no messages of its own."""
    asked: tuple[str, ...] = ()
    """Slack ids of the admins who got these messages."""
    found_at: Instant
    asked_at: Instant
    ask_again_at: Instant | None = None
    """When the admins are asked again. None if nobody put the question off."""
    put_off_by: str | None = None
    decided: Decided | None = None
    over_at: Instant | None = None
    """When nothing was left to decide or to watch: the machines belong to a rental or are gone, the parts are
    decided, or the rental got another owner. If that rental ends first, this is not set."""
    pauses_buying: bool = False
    """Whether the question pauses buying, until an admin resumes it."""

    @property
    def open(self) -> bool:
        """Whether the admins can still decide the question."""
        return self.decided is None and self.over_at is None

    @property
    def purchase(self) -> Purchase:
        """Return the unknown machines that it is about. Raise TypeError if it is about something else."""
        if not isinstance(self.about, Purchase):
            raise TypeError(f"question {self.id} is about no purchase")
        return self.about

    def is_due(self, now: datetime) -> bool:
        """Return whether the admins are to be asked again, because one of them put the question off until now."""
        return self.open and self.ask_again_at is not None and self.ask_again_at <= now

    def not_asked(self, admins: Collection[str]) -> list[str]:
        """Return those who became admins since the others were asked, and have no message of this question."""
        return [admin for admin in admins if admin not in self.asked] if self.open and not self.part_of else []
