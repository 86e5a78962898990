"""One procure of one offer for a rental, and the resources it made."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from bot.model.base import Frozen, Instant
from bot.model.money import Micros
from bot.model.offer import Offer


class AttemptState(StrEnum):
    """What is known of an attempt."""

    INTENDED = "intended"
    """Committed; its one call may be under way, or the process died: nobody can tell the two apart."""
    UNKNOWN = "unknown"
    """Called without a clear answer: perhaps bought. Only lookups decide."""
    BOUGHT = "bought"
    FAILED = "failed"
    """Proven to have bought nothing."""
    GONE = "gone"
    """It had resources and all of them are gone, or it was accepted and nothing of it was ever found."""


class Why(StrEnum):
    """Why an attempt or a rental did not go on. Mapped to words once, in handlers/views/format.py."""

    SOLD_OUT = "sold_out"
    EXPIRED = "expired"
    REFUSED = "refused"
    BOUGHT_BEFORE = "bought_before"
    """The market said that the offer was bought already."""
    NO_ANSWER = "no_answer"
    RATE_LIMITED = "rate_limited"
    """The market asked us to slow down."""
    VENDOR_FAILED = "vendor_failed"
    TOO_SLOW = "too_slow"
    NOTHING_LEFT = "nothing_left"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    DEARER = "dearer"
    BUYING_BLOCKED = "kept_from_buying"
    OUTAGE = "outage"
    PAUSED = "paused"
    UNAUTHORIZED = "unauthorized"
    ASKED = "asked"
    LEASE_ENDED = "lease_ended"
    VENDOR_TOOK_IT = "vendor_took_it"


class Attempt(Frozen):
    """One procure of one offer. An `offer_id` gets at most one attempt ever."""

    rental_id: str
    n: int
    """1 for a rental's first attempt."""
    state: AttemptState
    offer: Offer
    resource_name: str
    """`gpubot-<rental>-<n>`."""
    public_key: str
    """The key that was sent, as one line."""
    key_comment: str
    intended_at: Instant
    answered_at: Instant | None = None
    why: Why | None = None
    detail: str = ""
    """The market's own words. Data, never markup."""
    accepted: bool = False
    """The procure call itself was answered with acceptance."""
    marked_for_deletion: bool = False
    """Any resource that appears for it is deleted too."""
    delete_accepted_at: Instant | None = None
    """When the deletion of all its resources was first accepted; from then on it is no longer live."""
    reopened: bool = False
    """A resource appeared after the attempt was settled. It is deleted in addition to the rental's
    live attempt."""
    empty_since: Instant | None = None
    """When a lookup first found nothing for it; a second look decides."""

    @property
    def live(self) -> bool:
        """Bought or perhaps bought, and not yet accepted for deletion. A rental has at most one such attempt."""
        return self.delete_accepted_at is None and not self.reopened and not self.settled

    @property
    def settled(self) -> bool:
        """Nothing of it can bill any more."""
        return self.state in {AttemptState.FAILED, AttemptState.GONE}


NAMED = "named"
"""`status` of a resource that was named in answer to a purchase and not seen yet. No word of the API's."""
UNSEEN = "unseen"
"""`status` of what stands in for the resource of a purchase that was accepted and never showed one. No word of the
API's. Its id is the offer's, and it is gone from the start: it carries the ledger row of what may have billed."""


class Resource(Frozen):
    """What the API bills for. It belongs to one attempt."""

    resource_id: str
    rental_id: str
    attempt: int
    status: str
    first_seen: Instant
    read_at: Instant
    rate: Decimal | None = None
    """`pricing_total_hourly`, USD per hour; None where the API didn't say."""
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    host: str | None = None
    port: int | None = None
    delete_accepted_at: Instant | None = None
    missing_since: Instant | None = None
    """When it was first answered as not found; a second look decides."""
    gone_at: Instant | None = None
    last_answer: str = ""
    """What the last delete was answered with, where it was not accepted. Data, never markup."""


class LedgerRow(Frozen):
    """What one resource cost, written once, when it is gone."""

    resource_id: str
    n: int = 1
    """1 for a resource's first row; another one follows where it came back and went again."""
    rental_id: str
    owner: str
    started_at: Instant
    ended_at: Instant
    rate: Decimal
    amount: Micros
    estimated: bool
    """The API gave less than start, end and price; what was missing is ours."""
