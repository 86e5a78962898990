"""API tokens: with a token, a program rents machines for its owner, within terms that were approved in advance."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from bot.model.base import Frozen, Instant
from bot.model.budget import UNASSIGNED
from bot.model.money import Micros


class Access(StrEnum):
    """The things that a program is allowed to do with a token."""

    LOOK = "look"
    """See offers, and the owner's machines without their addresses."""
    RENT = "rent"
    """Also rent machines, and see the addresses of the machines that were rented with the token."""


class BeyondTerms(StrEnum):
    """The consequence if a request exceeds the terms of a token."""

    REFUSE = "refuse"
    ASK = "ask"
    """An approver has to approve the request."""


class WhenLost(StrEnum):
    """The consequence if the heartbeat of a program is lost."""

    TELL = "tell"
    """Only the owner is notified."""
    END = "end"
    """The machine ends, unless its GPUs are working."""
    END_IF_BUSY = "end_if_busy"
    """The machine ends, even if its GPUs are working."""


class TokenTerms(Frozen):
    """The limits within which a token can be used without asking anyone."""

    access: Access
    project: str = UNASSIGNED
    """The project that is charged."""
    models: tuple[str, ...] = ()
    """The GPUs that can be rented: families (`H100`) or canonical names. Empty only if `access` is LOOK."""
    per_hour: Decimal = Decimal(0)
    """The highest price of all machines of the token together, in USD per hour."""
    total: Micros = 0
    """The most that all rentals of the token can cost, over all months."""
    at_once: int = Field(default=1, ge=1)
    """The highest number of rentals that the token can have at the same time."""
    per_day: int = Field(default=1, ge=1)
    """The highest number of rentals that the token can start within 24 hours."""
    longest: timedelta = timedelta(0)
    """The longest lease of a rental, including extensions."""
    until: Instant
    """The end of the token's last day. Leases end by then."""
    beyond: BeyondTerms = BeyondTerms.REFUSE
    lost: WhenLost | None = None
    """The consequence if a heartbeat is lost. None if the terms ask for no heartbeats."""


class TokenState(StrEnum):
    """The state of a token."""

    ASKED = "asked"
    """The first terms wait for an approver. The secret doesn't work yet."""
    LIVE = "live"
    DENIED = "denied"
    EXPIRED = "expired"
    """The last day is over, the token wasn't used for a while, or nobody approved its first terms in time."""
    STOPPED = "stopped"

    @property
    def over(self) -> bool:
        """True if the state is final. The token never works again."""
        return self not in {TokenState.ASKED, TokenState.LIVE}


class TokenEnd(StrEnum):
    """The reason why a token, or a request for its terms, ended although nobody decided so."""

    LAST_DAY = "last_day"
    """The last day of the token is over."""
    UNUSED = "unused"
    """No program used the token for a while."""
    UNDECIDED = "undecided"
    """Nobody approved the requested terms in time."""
    OWNER_LEFT = "owner_left"
    """The owner left the workspace."""


class RequestedTerms(Frozen):
    """Terms that wait for an approver."""

    terms: TokenTerms
    version: int = Field(ge=1)
    """The number of the request, counted from 1. A click on a button of an earlier request is recognized by it."""
    asked_at: Instant
    expires_at: Instant
    reminded: tuple[str, ...] = ()
    """Slack IDs of the approvers who have been reminded of the request."""
    others_asked: bool = False
    """True if the people of the policy key `approval.then` have been asked."""


class DecidedTerms(Frozen):
    """The outcome of the newest request for terms that is no longer pending."""

    version: int
    approved: bool
    by: str | None
    """The Slack ID of the person who decided. None if the request expired, or if its owner withdrew it."""
    at: Instant
    reason: str = ""
    """The reason that the person gave for a denial. Untrusted text: escape it for display."""


class Crowd(Frozen):
    """The requests within a minute that were refused because the token had as many machines as its terms allow."""

    since: Instant
    """The time of the first of these requests."""
    count: int


class Token(Frozen):
    """A token. The store changes a token only by compare-and-set on `version`."""

    id: str
    version: int = 1
    owner: str
    """Slack user ID. The token's rentals belong to this person, and count against their limits and budgets."""
    name: str
    """The name that the owner chose, unique among the live tokens of a person. Escape it for display."""
    state: TokenState
    terms: TokenTerms | None = None
    """The approved terms. None until the first terms are approved."""
    requested: RequestedTerms | None = None
    """The terms that wait for an approver. Until they are approved, the approved terms stay in force."""
    decided: DecidedTerms | None = None
    approved_by: str | None = None
    """The Slack ID of the approver of the present terms. None if they needed no approval."""
    secret_hash: str
    """The SHA-256 of the secret, in hexadecimal. The secret itself is never stored."""
    created_at: Instant
    last_used_at: Instant | None = None
    """The time of the newest request with the secret, to the minute. None before the first one."""
    refusal: str = ""
    """The reason why the last request with the secret was refused. Empty if it wasn't refused."""
    crowd: Crowd | None = None
    """The last minute in which the token asked for more machines than its terms allow. None if it never did."""
    crowded_at: Instant | None = None
    """The last time at which the owner was notified that the token asks for more machines than its terms allow."""
    over_at: Instant | None = None
    over_by: str | None = None
    """The Slack ID of the person who stopped the token. None if nobody did."""
    due_at: Instant | None = None
    """The time at which the token or a request for its terms expires. None if the token is over."""

    @property
    def next_version(self) -> int:
        """The number of the next request for terms."""
        decided = self.decided.version if self.decided is not None else 0
        return max(decided, self.requested.version if self.requested is not None else 0) + 1

    @property
    def newest_terms(self) -> TokenTerms:
        """The terms that wait for an approver. If none wait, the approved terms.

        Raises ValueError if the token never had approved terms, and none are requested any more.
        """
        terms = self.requested.terms if self.requested is not None else self.terms
        if terms is None:
            raise ValueError(f"{self.id} has no terms")
        return terms


class SlackThread(Frozen):
    """A thread in a channel of Slack."""

    channel: str
    ts: str
    """Slack's ID of the thread's first message within its channel."""


class Program(Frozen):
    """The part of a rental that a program provided when it rented the machine with a token."""

    token_name: str
    """The name of the token when the machine was rented. Untrusted text: escape it for display."""
    fingerprint: str
    """A hash of the request. A second request with the same key must have the same hash."""
    reuse_fingerprint: str = ""
    """A hash of the part of the request that must be equal to reuse this rental for a request without a key.

    Empty for rentals that were made before this field existed. `fingerprint` counts for them.
    """
    ssh_public_key: str | None = None
    """The public key that becomes the machine's default key. None for the owner's own key."""
    lost: WhenLost | None = None
    """The consequence if a heartbeat is lost. None if the rental needs no heartbeats."""
    ends_by: Instant | None = None
    """The end of the token's last day, when an offer was found. The lease ends by then. None before that."""
    beyond_terms: bool = False
    """True if an approver has allowed this rental to exceed the terms of the token."""
    thread: SlackThread | None = None
    """The thread in which a Slack app asked for the rental. None if the request came through the REST API."""


class LostHeartbeat(Frozen):
    """A heartbeat that didn't arrive in time."""

    since: Instant
    """The time of the last heartbeat. If there was none, the time from which heartbeats were expected."""
    told_at: Instant
    """The time at which the owner was last notified."""
    back_by: Instant | None = None
    """The time by which the heartbeat has to be back. After that, the end of the lease moves nearer.

    None if the end doesn't move: because of the terms, because the GPUs are working, or because the lease ends
    soon anyway.
    """
    kept_until: Instant | None = None
    """The time until which a person decided to keep the machine. None if nobody did."""


class HeartbeatEnd(Frozen):
    """The end of a lease before it moved nearer because of a lost heartbeat.

    If the heartbeat comes back, or if somebody keeps the machine, the lease gets this end back.
    """

    at: Instant
    """The time at which the end moved."""
    ends_at: Instant
    """`Lease.ends_at` before that."""
    latest_end: Instant | None = None
    """`Lease.latest_end` before that. None for a fixed end."""


class TokenUse(Frozen):
    """The parts of a token's terms that its rentals use up."""

    spent: Micros = 0
    """The charges of its past rentals, plus the most that its current rentals can cost, over all months."""
    per_hour: Decimal = Decimal(0)
    """USD per hour that its current rentals use up: the sum of the highest rates that their terms allow."""
    live: tuple[str, ...] = ()
    """The IDs of its current rentals, oldest first."""
    begun: tuple[Instant, ...] = ()
    """The times at which its rentals of the last 24 hours began, oldest first."""


class TokenSummary(Frozen):
    """A token at one moment, for a list."""

    token: Token
    use: TokenUse
    owner_name: str
