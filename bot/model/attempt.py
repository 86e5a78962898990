"""Attempts. An attempt is one call that tries to buy an offer, together with the machines that it bought."""

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
    """The outcome of a purchase, as far as the bot knows it."""

    INTENDED = "intended"
    """The purchase is stored, and its procure call may be running now.

    If the process dies during the call, the state stays INTENDED, because nobody knows whether the call is still
    running.
    """
    UNKNOWN = "unknown"
    """The result of the call isn't known, so the call may have bought a machine. Only a lookup can tell."""
    BOUGHT = "bought"
    FAILED = "failed"
    """It is certain that nothing was bought."""
    TERMINATED = "gone"
    """All resources that were bought are terminated.

    The state is also TERMINATED if the market accepted the purchase but no resource was ever found.
    """


class Why(StrEnum):
    """The reason why a purchase or a rental didn't continue.

    The text that people read is in `handlers/phrases/format.py`.
    """

    SOLD_OUT = "sold_out"
    """The market answered `failed` and gave no other reason."""
    ANSWERED_FAILED = "answered_failed"
    """The market answered `failed` for another reason, such as a quota. The reason is in `Attempt.detail`."""
    EXPIRED = "expired"
    REFUSED = "refused"
    SCRIPT_REFUSED = "script_refused"
    """The vendor refused the purchase because of its startup script.

    The next purchase with this vendor, region and GPU sends no script.
    """
    BOUGHT_BEFORE = "bought_before"
    """The market answered that the offer has been bought before."""
    NO_ANSWER = "no_answer"
    RATE_LIMITED = "rate_limited"
    VENDOR_FAILED = "vendor_failed"
    TOO_SLOW = "too_slow"
    NOTHING_LEFT = "nothing_left"
    TOO_LITTLE_TIME = "too_little_time"
    """Too little time is left before the time at which the person wanted the lease to end."""
    NO_KEY = "no_key"
    """The owner has no SSH key any more."""
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    DEARER = "dearer"
    OTHER_GPU = "other_gpu"
    """All remaining offers have other GPUs.

    A person must agree before one of these GPUs is bought in place of the clicked GPU.
    """
    OVER_BUDGET = "over_budget"
    """A budget was lowered after a queued rental had reserved money from it."""
    BUYING_BLOCKED = "buying_blocked"
    OUTAGE = "outage"
    PAUSED = "paused"
    UNAUTHORIZED = "unauthorized"
    ASKED = "asked"
    LEASE_ENDED = "lease_ended"
    VENDOR_TOOK_IT = "vendor_took_it"
    SHOWN_LATER = "put_back"
    """The database was restored from a backup, and Slack shows a newer state of the request than the database."""
    ENDED_WHILE_AWAY = "ended_while_away"
    """The machine was already terminated when the bot first checked it after a start.

    There are three possible causes. The vendor took the machine away. Somebody destroyed it by hand while the bot
    was down. Or the database was restored, and the machine was destroyed after the backup.
    """
    ENDED_SINCE_BACKUP = "ended_since_copy"
    """Like ENDED_WHILE_AWAY, but Slack also shows a newer state of the machine than the restored database.

    Somebody therefore probably destroyed the machine on purpose.
    """
    SSH_UNREACHABLE = "ssh_silent"
    """The machine became ready although nothing answered on its SSH port."""
    REPLACED = "replaced"
    BOUGHT_AFTER_BACKUP = "bought_later"
    """The database was restored, and the rental's machine was bought after the backup."""
    NOTHING_FITTED = "nothing_fitted"
    """There was no suitable offer before the waitlist entry expired."""
    BEYOND_TERMS = "beyond_terms"
    """The request of a program exceeds the terms of its token, so an approver has to decide about it."""
    NOT_ALLOWED = "not_allowed"
    """When an offer was found for a program, the rules no longer allowed it. The end's event has the reason."""
    UNRESOLVED = "unproven"
    """The market answered earlier purchases with `failed`. They must be looked up before the next purchase."""


class Marker(StrEnum):
    """The part of the bot that marked a purchase for deletion."""

    STEP = "step"
    """The code that advances the rental.

    It gave up on the purchase, or found resources of a failed purchase.
    """
    OVERDUE = "overdue"
    """The loop that deletes overdue machines, which weren't deleted when their lease ended."""
    SWEEP = "sweep"
    """The regular comparison of the database with the account. It found a resource of a closed purchase."""


REPORTED_FAILED = frozenset({Why.SOLD_OUT, Why.ANSWERED_FAILED})
"""The reasons for a failure that the market itself reports. The purchase may still have created a resource."""


ENDED_BY_VENDOR = REPORTED_FAILED | {Why.REFUSED, Why.VENDOR_FAILED, Why.TOO_SLOW}
"""The reasons why a vendor ended a purchase before its machine was ready."""


USUAL_CHANCE = Fraction(8, 10)
"""The assumed chance that a purchased machine becomes ready, if too little is known about its vendor and GPU."""


class SuccessRate(Frozen):
    """The number of successful purchases, out of the bot's last ten purchases of a GPU from one vendor.

    A purchase succeeded if its machine became ready, and none of the machine's GPUs was found to be faulty later.

    A purchase isn't counted if a person or the market ended it before the machine was ready.
    """

    ready: int
    of: int
    faulty: int = 0
    """The number of machines that became ready, but then had a GPU fault. `ready` doesn't include them."""

    @property
    def chance(self) -> Fraction:
        """The share of successful purchases. USUAL_CHANCE if there were fewer than five purchases."""
        return Fraction(self.ready, self.of) if self.of >= 5 else USUAL_CHANCE

    @property
    def poor(self) -> bool:
        """True if these purchases succeeded less often than usual."""
        return self.chance < USUAL_CHANCE


class OwnedKey(Frozen):
    """A public key that is installed on a machine in addition to the default key, with its owner."""

    person: str
    """Slack ID of the key's owner."""
    line: str
    """`<type> <base64>`."""
    comment: str
    """The comment by which people recognize the key. It is never sent to a machine.

    Untrusted text: escape it for display.
    """
    fingerprint: str


class ScriptPart(StrEnum):
    """A part of the startup script that is left out if the script would be too large."""

    HEALTH = "health"
    """The script that reads the health of the GPUs."""
    RUN = "run"
    """`gpubot-run`, and the script that reads the files of its jobs."""
    ON_ENDING = "on_ending"
    """The script that starts `/root/on-ending.sh`."""


class SentScript(Frozen):
    """The contents of the startup script that was sent with a purchase."""

    version: int
    """The version of the script's text: `bot.policy.access.startup_script.SCRIPT_VERSION`."""
    keys: tuple[OwnedKey, ...] = ()
    """The keys that the script installs in addition to `Attempt.public_key`."""
    setup: str | None = None
    """The name of the setup script that the startup script runs. None if it runs none."""
    probe: bool = False
    """True if the script installs the probe."""
    parts: tuple[ScriptPart, ...] = ()
    """The parts that the script installs besides the probe. Versions up to 3 of the script recorded none."""
    refused: bool = False
    """True if no script was sent, because the vendor doesn't accept startup scripts in this region."""


class AdoptedMachine(Frozen):
    """A machine that wasn't rented through the bot, but to which an admin later gave an owner."""

    vendor: str
    """The vendor's name. Empty if the API didn't report it."""
    gpu: str
    rate: Decimal
    """USD per hour, as the API reported it when the machine got its owner.

    Zero if the API left out the price of one of the machine's resources. Until the API reports that price, the bot
    treats the machine as free.
    """


class Attempt(Frozen):
    """One purchase: an attempt to buy an offer with one procure call.

    There is never more than one attempt for an offer. An attempt can also stand for a machine that wasn't rented
    through the bot (`adopted`).
    """

    rental_id: str
    n: int
    """The purchase's number within its rental, starting at 1."""
    state: AttemptState
    offer: Offer | None = None
    adopted: AdoptedMachine | None = None
    """Set if the machine was adopted: an admin gave it an owner, and there was no procure call.

    The attempt then consists of the adopted resources, and no resource is added later. Exactly one of `offer` and
    `adopted` is set.
    """
    resource_name: str | None = None
    """The name that the bot gave the resource (`bot.policy.buying.resource_names`).

    None if the machine wasn't rented through the bot.
    """
    public_key: str = ""
    """The default SSH key, as one line of text. It is sent with the purchase.

    Empty if the machine wasn't rented through the bot, because nobody knows whose keys are on it.
    """
    key_comment: str = ""
    script: SentScript | None = None
    """The startup script of the purchase. None if there was nothing to send."""
    intended_at: Instant
    answered_at: Instant | None = None
    why: Why | None = None
    detail: str = ""
    """The market's own message. Untrusted text: escape it for display."""
    accepted: bool = False
    """True if the market accepted the purchase in its answer to the procure call."""
    marked_by: Marker | None = None
    """The part of the bot that last marked the purchase for deletion. None if it isn't marked."""
    delete_accepted_at: Instant | None = None
    """The time at which the market first accepted the deletion of everything that was bought.

    From then on, `live` is False.
    """
    orphaned: bool = False
    """True if the rental never uses what this purchase bought. The bot deletes it.

    A purchase is orphaned if the market answered `failed`, or if one of its machines appeared after the purchase
    was closed. Other purchases of the rental aren't affected.
    """
    empty_since: Instant | None = None
    """The time at which a lookup first found no resource of this purchase. A second lookup must confirm it."""

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
        """The vendor of the machine. Empty if it isn't known."""
        return self._machine.vendor

    @property
    def gpu(self) -> str:
        return self._machine.gpu

    @property
    def rate(self) -> Decimal:
        """The price in USD per hour.

        Usually, this is the price of the offer. If the machine wasn't rented through the bot, this is the price
        that the API reported for the machine.
        """
        return self._machine.rate

    @property
    def called_offer(self) -> Offer:
        """The offer that the bot passed to the market's procure call.

        Raises ValueError if the machine wasn't rented through the bot, because there was no call then.
        """
        if self.offer is None:
            raise ValueError(f"attempt {self.n} of {self.rental_id} was never called")
        return self.offer

    @property
    def live(self) -> bool:
        """True if this purchase has produced the rental's machine, or can still produce it.

        False once the vendor has accepted the deletion of the machine. Always False if `orphaned` is set, because
        the bot deletes the machines of an orphaned purchase.

        A rental has at most one purchase for which this is True.
        """
        return self.delete_accepted_at is None and not self.orphaned and not self.closed

    @property
    def marked_for_deletion(self) -> bool:
        """True if every resource of this purchase is to be deleted, including resources that appear later."""
        return self.marked_by is not None

    @property
    def unresolved(self) -> bool:
        """True if this purchase was given up, and a machine that it bought can still cost money.

        The rental never uses that machine, and the bot deletes it.
        """
        return self.orphaned and not self.closed

    @property
    def script_keys(self) -> tuple[OwnedKey, ...]:
        return self.script.keys if self.script is not None else ()

    @property
    def closed(self) -> bool:
        """True if nothing that was bought can cost money any more."""
        return self.state in {AttemptState.FAILED, AttemptState.TERMINATED}


NAMED = "named"
"""The status of a resource that the bot knows only from the answer to the purchase.

The bot sets this status itself. It isn't a status of the API.
"""
UNSEEN = "unseen"
"""The status of a placeholder for a resource that was purchased but never found.

The bot sets this status itself. It isn't a status of the API.

If the market accepts a purchase but no lookup ever finds its resource, a placeholder with the ID of the offer is
stored. The placeholder is treated as terminated, so it gets a ledger row with an estimate of what the purchase
billed.
"""


class Resource(Frozen):
    """A billable item of the API, usually one machine. It belongs to one purchase."""

    resource_id: str
    rental_id: str
    attempt: int
    status: str
    first_seen: Instant
    read_at: Instant
    rate: Decimal | None = None
    """USD per hour, from the API's `pricing_total_hourly`. None if the API didn't report it."""
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    host: str | None = None
    port: int | None = None
    delete_accepted_at: Instant | None = None
    missing_since: Instant | None = None
    """The time at which the market first reported that the resource is missing. A second lookup must confirm it.
    """
    terminated_at: Instant | None = None
    last_answer: str = ""
    """The answer to the last delete call. Empty if the call was accepted. Untrusted text: escape it for display.
    """


class LedgerRow(Frozen):
    """The cost of one resource, written once, when the resource is terminated."""

    resource_id: str
    n: int = 1
    """The number of the row among the rows of its resource, starting at 1.

    If the resource reappears and is terminated again, the resource gets another row.
    """
    rental_id: str
    owner: str
    started_at: Instant
    ended_at: Instant
    rate: Decimal
    amount: Micros
    estimated: bool
    """True if the amount is the bot's estimate, because the API left out a time or the price."""
