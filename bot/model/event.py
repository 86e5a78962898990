"""Facts in a rental's history."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import model_validator

from bot.model.attempt import Why
from bot.model.base import Frozen, Instant
from bot.model.money import Micros
from bot.model.state import State


class EventKind(StrEnum):
    """What happened. Each makes one reply in the thread, except those in `notifications.QUIET`."""

    ASKED = "asked"
    """Approval is needed; facts.envelope says of which version."""
    ASKED_AGAIN = "asked_again"
    """Outside the envelope, too late, or kept from buying: someone decides again."""
    CHANGED = "changed"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "lapsed"
    WITHDRAWN = "withdrawn"
    STARTED = "started"
    """Rented within limits: no approval was needed."""
    RENTING = "renting"
    """An attempt is intended; facts.before is the rate of the attempt before, if any."""
    NO_ANSWER = "no_answer"
    GIVEN_UP = "given_up"
    """An attempt was accepted but did not get ready; it is being destroyed and the next one follows."""
    ACCEPTED = "accepted"
    WAITING = "waiting"
    """Buying is held up: outage, pause, a refused token."""
    SILENT = "silent"
    """It runs, but nothing answered on its SSH port."""
    READY = "ready"
    KEPT = "kept"
    STILL_NEEDED = "still_needed"
    ENDING = "ending"
    EXTENDED = "extended"
    EXTENSION_ASKED = "extension_asked"
    EXTENSION_APPROVED = "extension_approved"
    EXTENSION_DENIED = "extension_denied"
    EXTENSION_WITHDRAWN = "extension_withdrawn"
    EXTENSION_EXPIRED = "extension_lapsed"
    LOST = "lost"
    DESTROYING = "destroying"
    NOT_CONFIRMED = "not_confirmed"
    TAKEN_ON = "taken_on"
    """Someone said "I'm on it"."""
    EXTRA_RESOURCE = "extra_resource"
    """A resource turned up for an attempt that was over; it is being deleted."""
    EXTRA_GONE = "extra_gone"
    ENDED = "ended"
    # Of a rental, and told as a notice, which needs nothing but the event:
    STEP_FAILED = "step_failed"
    """Its step failed several times in a row; facts.number is in the log, facts.until is when its machine is
    deleted even so, if that is known."""
    STEP_WORKS = "step_works"
    """The step works again after STEP_FAILED."""
    DELETED_OVERDUE = "deleted_overdue"
    """Its machine was still there long after its end, so it was deleted without the rental's own step."""
    # Of the account rather than of a rental:
    UNKNOWN_MACHINE = "unknown_machine"
    EMPTY_STORE = "empty_store"
    LOCKED_OUT = "locked_out"
    """The marketplace refuses our token."""
    LET_IN = "let_in"
    PAUSED = "paused"
    RESUMED = "resumed"
    # Of the account, and posted without the outbox:
    NO_READS = "no_reads"
    """The store can't be read, so nothing is deleted."""
    NO_WRITES = "no_writes"
    """The store takes no writes. With facts.name: to the owner of that rental, which ends soon."""
    STORE_BACK = "store_back"
    """The store works again; said to everyone who was told that it didn't."""


class Facts(Frozen):
    """What a reply says, frozen when it happened. Each kind uses some of these."""

    vendor: str | None = None
    vendor_region: str | None = None
    rate: Decimal | None = None
    before: Decimal | None = None
    """The rate of what came before."""
    before_vendor: str | None = None
    """Whose attempt failed before this one."""
    max_rate: Decimal | None = None
    total: Micros | None = None
    envelope: int | None = None
    why: Why | None = None
    detail: str | None = None
    span: timedelta | None = None
    hours: timedelta | None = None
    until: Instant | None = None
    since: Instant | None = None
    amount: Micros | None = None
    estimate: Micros | None = None
    estimated: bool | None = None
    resource_id: str | None = None
    name: str | None = None
    gpu: str | None = None
    count: int | None = None
    end: State | None = None
    paid: bool | None = None
    """Whether an attempt cost anything; None where the store doesn't know."""
    self_approved: bool | None = None
    number: str | None = None
    """Of a failure, as it stands in the log."""

    @model_validator(mode="before")
    @classmethod
    def _drop_removed_field(cls, stored: Any) -> Any:
        """Accept facts that were stored while there was a field `progress`. It was always null."""
        return (
            {name: stored[name] for name in stored if name != "progress"} if isinstance(stored, dict) else stored
        )


class Event(Frozen):
    """Who, what, when, why; written in the transaction that makes the change it tells."""

    id: int = 0
    """Given by the store; 0 until then."""
    rental_id: str | None
    kind: EventKind
    at: Instant
    actor: str | None = None
    """Slack user id; None is the bot itself."""
    facts: Facts = Facts()
