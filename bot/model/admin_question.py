"""Questions to the admins: about unmanaged machines, and about rentals whose owner left."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from bot.model.base import Frozen, Instant


class UnmanagedMachine(Frozen):
    """A machine on the marketplace account that the bot doesn't know as one of its purchases.

    The fields show the machine as it was last seen on the account.
    """

    resource_id: str
    status: str
    """The status exactly as the API reports it."""
    runs: bool
    """True if the vendor says that the machine is running."""
    name: str | None = None
    """The machine's name at the marketplace. Untrusted text: escape it for display."""
    gpu: str | None = None
    """The GPU as the API names it. Untrusted text: escape it for display."""
    count: int = 1
    """The number of GPUs. 1 if the API didn't report it."""
    vendor: str | None = None
    rate: Decimal | None = None
    """USD per hour. None if the API didn't report it."""
    since: Instant
    """The time at which billing started.

    This is `valid_from` if the API reported it. If it didn't, this is the creation time of the machine. If that
    isn't known, this is the time at which the bot first saw the machine.
    """
    valid_from: Instant | None = None
    """The start of billing, as reported by the API.

    None if the API didn't report it. The cost is then an estimate.
    """
    host: str | None = None
    port: int | None = None
    offer_ids: tuple[str, ...] = ()
    """The IDs of the offers under which the machine was bought.

    Machines of one purchase have an offer in common.
    """
    missing_since: Instant | None = None
    """The time since which the vendor reports that the machine is missing. None if it isn't missing."""
    terminated_at: Instant | None = Field(default=None, alias="gone_at")


# --- what a question is about


class Purchase(Frozen):
    """The machines of one purchase that belong to no rental. The admins make one decision for all of them."""

    kind: Literal["purchase"] = "purchase"
    machines: tuple[UnmanagedMachine, ...]
    """The machines. There is at least one."""
    guess: str | None = None
    """Slack ID of the person whom the machines' names suggest as the owner. None if the names suggest nobody.

    The person is preselected in the admins' dialog, but isn't pinged.
    """
    same_as: str | None = None
    """If this question is a duplicate: the ID of the original question about the same machines.

    None otherwise. Earlier versions could create such duplicates.
    """

    @property
    def alive(self) -> tuple[UnmanagedMachine, ...]:
        """The machines that haven't been terminated. If there are none, all machines of the purchase."""
        return tuple(machine for machine in self.machines if machine.terminated_at is None) or self.machines

    @property
    def runs(self) -> bool:
        """True if at least one of the machines is running. An admin can then give the whole purchase an owner.

        The machines that aren't running get the owner as well. Otherwise, a single failed machine would prevent
        the machines that people use from getting an owner.
        """
        return any(machine.runs for machine in self.alive)


class Purchases(Frozen):
    """The topic of a question that announces several purchases in one message.

    Each purchase also has a question of its own, whose `part_of` is the ID of this question.
    """

    kind: Literal["purchases"] = "purchases"
    count: int
    """The number of machines that the purchases had when they were found."""
    bought_after_backup: bool = Field(alias="bought_later")
    """True if the database was restored and these purchases were made after the backup.

    If False, a single check of the account found so many purchases that they are announced together.
    """
    empty: bool = False
    """True if the database contained no rental at all."""


class OwnerLeft(Frozen):
    """The reason for a question to the admins: the owner of a rental left the workspace."""

    kind: Literal["owner_left"] = "owner_left"
    owner: str
    """Slack ID of the owner who left."""


Subject: TypeAlias = Annotated[Purchase | Purchases | OwnerLeft, Field(discriminator="kind")]


# --- the question


class AdminDecision(StrEnum):
    """An admin's answer to a question."""

    GAVE_OWNER = "gave_owner"
    DESTROYED = "destroyed"
    """The admin who answered becomes the owner of the machines, and the machines are destroyed."""
    NOT_OURS = "not_ours"
    """The bot must leave the machines alone. Nobody is asked about them again."""


class Decided(Frozen):
    """An admin's answer to a question, with the admin, the time and the reason."""

    decision: AdminDecision = Field(alias="verdict")
    by: str
    """Slack ID of the admin who answered."""
    at: Instant
    reason: str = ""
    """The reason that the admin typed. Untrusted text: escape it for display."""


class AdminQuestion(Frozen):
    """A question that is sent to every admin. The first admin who answers decides for all.

    The store changes a question only by compare-and-set on `version`. After each change, the store schedules an
    edit of the messages that ask the question.
    """

    id: str
    version: int = 1
    about: Subject
    rental_id: str | None = None
    """The rental that the question is about, or the rental to which its machines now belong."""
    part_of: str | None = None
    """ID of the question whose messages also contain this question. None if this question has its own messages."""
    event_id: int | None = None
    """The event that caused the question's newest messages. None if the messages of another question show it."""
    asked: tuple[str, ...] = ()
    """Slack IDs of the admins who received the question's newest messages."""
    found_at: Instant
    asked_at: Instant
    ask_again_at: Instant | None = None
    """The time at which the admins are asked again. None if nobody postponed the question."""
    put_off_by: str | None = None
    decided: Decided | None = None
    over_at: Instant | None = None
    """The time at which the question was over, because nothing was left to decide or to watch. None before that.

    A question about machines is over once the machines belong to a rental or are terminated, or if the question is
    a duplicate. A question that announces several purchases is over once each purchase has been decided. A
    question about a rental whose owner left is over once the rental has another owner. If that rental ends first,
    `over_at` stays None.
    """
    pauses_buying: bool = False
    """True if this question keeps buying paused until an admin resumes it."""

    @property
    def open(self) -> bool:
        """True if the admins can still answer the question."""
        return self.decided is None and self.over_at is None

    @property
    def purchase(self) -> Purchase:
        """The unmanaged machines that the question is about.

        Raises TypeError if the question is about something else.
        """
        if not isinstance(self.about, Purchase):
            raise TypeError(f"question {self.id} is about no purchase")
        return self.about

    def is_due(self, now: datetime) -> bool:
        """Return whether an admin postponed the question and it is now time to ask the question again."""
        return self.open and self.ask_again_at is not None and self.ask_again_at <= now

    def not_asked(self, admins: Collection[str]) -> list[str]:
        """Return the admins who haven't received this question, because they became admins later.

        Empty if the question has been answered or is over. Also empty if the messages of another question contain
        it.
        """
        return [admin for admin in admins if admin not in self.asked] if self.open and not self.part_of else []
