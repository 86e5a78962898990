"""One request on its way to use and destruction."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from bot.model.attempt import Why
from bot.model.base import Frozen, Instant, changed
from bot.model.request import Envelope, Request
from bot.model.state import State


class Decider(StrEnum):
    """Who decides a request that waits."""

    OWNER = "owner"
    APPROVER = "approver"


class Extension(Frozen):
    """A longer lease that waits for an approver, as an envelope of its own. It lapses at the old end."""

    envelope: Envelope
    ends_at: Instant
    """The end that it would give."""
    asked_by: str
    asked_at: Instant


class Rental(Frozen):
    """A rental. The store changes one only by compare-and-set on `version` and `state`."""

    id: str
    version: int = 1
    state: State
    quote_id: str
    owner: str
    """Slack user id."""
    card_channel: str
    request: Request
    clicked_offer: str
    """The offer that was chosen; it is tried first."""
    envelope: Envelope
    """In force, or asked for while it waits."""
    decider: Decider | None = None
    asked_why: Why | None = None
    """Why it waits for a decision a second time; None for the first."""
    approved_by: str | None = None
    created_at: Instant
    lapses_at: Instant | None = None
    procuring_since: Instant | None = None
    kept_since: Instant | None = None
    """Since when something keeps us from buying."""
    kept_why: Why | None = None
    attempts: int = 0
    """How many attempts were intended."""
    rate: Decimal | None = None
    """USD per hour of the attempt that is live or was last."""
    vendor: str | None = None
    vendor_region: str | None = None
    accepted_at: Instant | None = None
    """When the market accepted the live attempt."""
    progress: str = ""
    quiet_since_real: Instant | None = None
    """Real time since when its SSH port is looked for."""
    host: str | None = None
    port: int | None = None
    ready_at: Instant | None = None
    ends_at: Instant | None = None
    notices_given: int = 0
    """How many of the policy's notices for this end were given."""
    extension: Extension | None = None
    ask_at: Instant | None = None
    """When to ask "Still needed?"."""
    asked_times: int = 0
    """How often in a row that was asked; -1 after "Keep", which names the moment of the next question."""
    seen_at: Instant | None = None
    """The last sign of life of its owner."""
    end: State | None = None
    """While destroying: how it will have ended."""
    end_why: Why | None = None
    end_by: str | None = None
    destroying_since: Instant | None = None
    alarm_at: Instant | None = None
    """When to say (again) that it is not confirmed gone."""
    alarms: int = 0
    """How often that was said since deletion began."""
    taken_on_by: str | None = None
    over_at: Instant | None = None
    due_at: Instant | None = None
    """When it is next due for a step; None when done."""

    @property
    def unextended(self) -> Envelope:
        """The envelope once a wish for more time came to nothing. The wish's version stays used, so that its old
        button can be told from the next wish's."""
        if self.extension is None:
            return self.envelope
        return changed(self.envelope, version=self.extension.envelope.version)
