"""An attempt: one procure call of one offer for a rental. With it, the resources that it made and their cost."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Self

from pydantic import model_validator

from bot.model.base import Frozen, Instant
from bot.model.money import Micros
from bot.model.offer import Offer


class AttemptState(StrEnum):
    """What is known about an attempt."""

    INTENDED = "intended"
    """Committed. Its one procure call may be running, or the process died: the store can't tell which."""
    UNKNOWN = "unknown"
    """The call had no clear answer, so it may have bought. Only a lookup decides."""
    BOUGHT = "bought"
    FAILED = "failed"
    """Proven to have bought nothing."""
    TERMINATED = "gone"
    """All its resources are gone, or it was accepted and no resource of it was ever found."""


class Why(StrEnum):
    """Why an attempt or a rental did not go on. The words for people are in handlers/phrases/format.py."""

    SOLD_OUT = "sold_out"
    """The purchase was answered with `failed`, and the answer gives no other reason."""
    ANSWERED_FAILED = "answered_failed"
    """The purchase was answered with `failed`, for a reason of its own such as a quota: `Attempt.detail`."""
    EXPIRED = "expired"
    REFUSED = "refused"
    SCRIPT_REFUSED = "script_refused"
    """The vendor refused the purchase because of its boot script. The next attempt there goes without it."""
    BOUGHT_BEFORE = "bought_before"
    """The market answered that the offer was bought before."""
    NO_ANSWER = "no_answer"
    RATE_LIMITED = "rate_limited"
    VENDOR_FAILED = "vendor_failed"
    TOO_SLOW = "too_slow"
    NOTHING_LEFT = "nothing_left"
    TOO_LITTLE_TIME = "too_little_time"
    """Too little time is left until the end that the person named."""
    NO_KEY = "no_key"
    """Its owner has no SSH key any more."""
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    DEARER = "dearer"
    OTHER_GPU = "other_gpu"
    """Only GPUs are left that don't fit the clicked one."""
    OVER_BUDGET = "over_budget"
    """A budget was lowered after a rental that waits had reserved its share."""
    BUYING_BLOCKED = "buying_blocked"
    OUTAGE = "outage"
    PAUSED = "paused"
    UNAUTHORIZED = "unauthorized"
    ASKED = "asked"
    LEASE_ENDED = "lease_ended"
    VENDOR_TOOK_IT = "vendor_took_it"
    SHOWN_LATER = "put_back"
    """The database was restored, and Slack shows a later state of the request."""
    ENDED_WHILE_AWAY = "ended_while_away"
    """The machine was gone at the first look since the start. The vendor took it, or somebody destroyed it: by
    hand while the bot was away, or after the backup from which the database was restored."""
    ENDED_SINCE_BACKUP = "ended_since_copy"
    """As ENDED_WHILE_AWAY, and Slack shows a later state of the machine than the restored database. So somebody
    probably destroyed it on purpose."""
    SSH_UNREACHABLE = "ssh_silent"
    """It became ready although nothing answered on its SSH port."""
    REPLACED = "replaced"
    BOUGHT_AFTER_BACKUP = "bought_later"
    """Its machine was found on the account: it was bought after the backup."""
    NOTHING_FITTED = "nothing_fitted"
    """No offer fitted before the wish ended."""
    UNRESOLVED = "unproven"
    """Purchases that were answered with `failed` are looked up before the next one."""


class Marker(StrEnum):
    """Who marked an attempt for deletion."""

    STEP = "step"
    """The rental's step: it gave the attempt up, or deletes what a failed purchase made."""
    OVERDUE = "overdue"
    """The overdue deletion, because no step ended it in time."""
    SWEEP = "sweep"
    """The comparison with the account: a resource of the attempt appeared after it was settled."""


REPORTED_FAILED = frozenset({Why.SOLD_OUT, Why.ANSWERED_FAILED})
"""Reasons for which the market answered that the purchase failed. It may still have made a resource."""


ENDED_BY_VENDOR = REPORTED_FAILED | {Why.REFUSED, Why.VENDOR_FAILED, Why.TOO_SLOW}
"""The reasons for which a vendor ended a purchase before its machine was ready."""


USUAL_CHANCE = Fraction(8, 10)
"""The chance to get ready that a purchase has if too little is known of its vendor and GPU."""


class SuccessRate(Frozen):
    """How many of the last ten purchases of one GPU from one vendor got ready. Those that a person or the market
    ended don't count.
    """

    ready: int
    of: int

    @property
    def chance(self) -> Fraction:
        """Return the part of them that got ready. Return USUAL_CHANCE for fewer than five."""
        return Fraction(self.ready, self.of) if self.of >= 5 else USUAL_CHANCE

    @property
    def poor(self) -> bool:
        """Whether they are known to get ready less often than usual."""
        return self.chance < USUAL_CHANCE


class OwnedKey(Frozen):
    """A public key that belongs on a machine besides the first one, with its owner."""

    person: str
    """Slack id of its owner."""
    line: str
    """`<type> <base64>`."""
    comment: str
    """By which people recognize the key. It is never sent. Data, never markup."""
    fingerprint: str


class SentScript(Frozen):
    """What the boot script of a purchase held."""

    version: int
    """The version of the script's text, `bot.policy.access.boot.SCRIPT_VERSION`."""
    keys: tuple[OwnedKey, ...] = ()
    """The keys in addition to `Attempt.public_key`."""
    setup: str | None = None
    """The name of the setup script that it runs."""
    probe: bool = False
    """Whether it installs the probe."""
    refused: bool = False
    """Whether the place takes no boot script, so that nothing of it was sent."""


class AdoptedMachine(Frozen):
    """A machine without an offer: it ran on the account unknown to this store until an admin gave it an owner."""

    vendor: str
    """Empty if the API didn't state it."""
    gpu: str
    rate: Decimal
    """USD per hour, as the API stated it when the machine was adopted. Zero if the API left out the price of one
    of its resources, because that resource counts as free until the API states a price."""


class Attempt(Frozen):
    """One procure call of one offer, or an adopted machine. An offer has at most one attempt ever."""

    rental_id: str
    n: int
    """1 for a rental's first attempt."""
    state: AttemptState
    offer: Offer | None = None
    adopted: AdoptedMachine | None = None
    """Set if there was no procure call: the attempt has the adopted resources, and never more. Exactly one of
    `offer` and `adopted` is set."""
    resource_name: str | None = None
    """As `bot.policy.buying.resource_names` makes it. None for an adopted machine."""
    public_key: str = ""
    """The key that was sent, as one line. Empty for an adopted machine: nobody knows whose keys are on it."""
    key_comment: str = ""
    script: SentScript | None = None
    """The boot script of the purchase. None if nothing was to be sent."""
    intended_at: Instant
    answered_at: Instant | None = None
    why: Why | None = None
    detail: str = ""
    """The market's own words. Data, never markup."""
    accepted: bool = False
    """Whether the answer to the procure call accepted the purchase."""
    marked_by: Marker | None = None
    """Who marked it for deletion last. None if it is not marked."""
    delete_accepted_at: Instant | None = None
    """When the deletion of all its resources was first accepted. From then on the attempt is not live."""
    orphaned: bool = False
    """Whether its purchase was answered with `failed`, or a resource of it appeared after it was settled. Its
    machines are never the rental's: they are deleted, in addition to the rental's live attempt."""
    empty_since: Instant | None = None
    """When a lookup first found nothing for it. A second lookup decides."""

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        if (self.offer is None) == (self.adopted is None):
            raise ValueError("an attempt has an offer, or an adopted machine")
        return self

    @property
    def _machine(self) -> Offer | AdoptedMachine:
        machine = self.offer or self.adopted
        if machine is None:
            raise ValueError("an attempt has an offer, or an adopted machine")
        return machine

    @property
    def vendor(self) -> str:
        """The vendor of its machine. Empty if that is not known."""
        return self._machine.vendor

    @property
    def gpu(self) -> str:
        return self._machine.gpu

    @property
    def rate(self) -> Decimal:
        """USD per hour that its machine was sold for, or adopted at."""
        return self._machine.rate

    @property
    def called_offer(self) -> Offer:
        """Return the offer of its procure call. Raise ValueError for an adopted machine, since that is a bug."""
        if self.offer is None:
            raise ValueError(f"attempt {self.n} of {self.rental_id} was never called")
        return self.offer

    @property
    def live(self) -> bool:
        """Whether it may have bought, is not extra, and its deletion is not accepted. A rental has one at most."""
        return self.delete_accepted_at is None and not self.orphaned and not self.closed

    @property
    def marked_for_deletion(self) -> bool:
        """Whether any resource that appears for it is deleted too."""
        return self.marked_by is not None

    @property
    def unresolved(self) -> bool:
        """Whether it is extra, and not yet proven to have made nothing that bills."""
        return self.orphaned and not self.closed

    @property
    def script_keys(self) -> tuple[OwnedKey, ...]:
        return self.script.keys if self.script is not None else ()

    @property
    def closed(self) -> bool:
        """Whether nothing of it can bill any more."""
        return self.state in {AttemptState.FAILED, AttemptState.TERMINATED}


NAMED = "named"
"""Our status of a resource that the answer to a purchase named and that no read has shown yet."""
UNSEEN = "unseen"
"""Our status of a placeholder: no lookup ever found the resource of an accepted purchase. Its id is the offer's.
It counts as gone, so it gets a ledger row: an estimate of what the purchase billed."""


class Resource(Frozen):
    """A thing that the API bills for, usually one machine. It belongs to one attempt."""

    resource_id: str
    rental_id: str
    attempt: int
    status: str
    first_seen: Instant
    read_at: Instant
    rate: Decimal | None = None
    """`pricing_total_hourly`, USD per hour. None if the API didn't state it."""
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    host: str | None = None
    port: int | None = None
    delete_accepted_at: Instant | None = None
    missing_since: Instant | None = None
    """When the market first answered that the resource doesn't exist. A second lookup decides."""
    terminated_at: Instant | None = None
    last_answer: str = ""
    """The answer to the last delete, if it was not accepted. Data, never markup."""


class LedgerRow(Frozen):
    """The cost of one resource. The row is written once, when the resource is gone."""

    resource_id: str
    n: int = 1
    """1 for a resource's first row. If the resource comes back and goes again, it gets another row."""
    rental_id: str
    owner: str
    started_at: Instant
    ended_at: Instant
    rate: Decimal
    amount: Micros
    estimated: bool
    """Whether the amount is our estimate, because the API left out the start, the end or the price."""
