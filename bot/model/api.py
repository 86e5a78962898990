"""The bodies of requests and answers of the REST API. The command line `gpubot agent` reads and writes them, too.

Amounts are decimal numbers in USD. Answers write them as text, so that no JSON library rounds them. Durations are
written as text, such as `4h` or `90m`. Times have a zone (RFC 3339), and those in answers are in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from bot.model.base import Instant
from bot.model.token import Access, BeyondTerms, WhenLost
from bot.model.webhook import WebhookEvent

LONGEST_KEY = 100
"""The maximum length of an idempotency key, in characters."""
KEY_PATTERN = rf"^[!-~]([ -~]{{0,{LONGEST_KEY - 2}}}[!-~])?$"
"""The pattern of an idempotency key: printable ASCII without a space at either end."""
LONGEST_NAME = 60
"""The maximum length of the names of a program and its machine in a login, in characters."""
HOST_NAME = "^[A-Za-z0-9._-]+$"
PROGRAM_NAME = "^[A-Za-z0-9._-]+( [A-Za-z0-9._-]+)*$"
"""The names that a program can give itself and its machine in a login.

The program may be anybody's, and a person reads these names to decide whether it is theirs. Letters beyond ASCII
can look like others, or be invisible, or change the order of the text around them. Parentheses and punctuation
could imitate the rest of the sentence that shows the names.
"""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_AMOUNT = r"^[0-9]{1,8}(\.[0-9]{1,4})?$"
_PATTERN = r"^([0-9]{1,4}d)?([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$"


def read_duration(text: Any) -> Any:
    """Return the duration that a text such as `4h` or `1h30m` means. Raises ValueError for any other text."""
    if not isinstance(text, str):
        return text
    parts = re.fullmatch(_PATTERN, text, re.ASCII)
    if parts is None or not text:
        raise ValueError("write a duration such as 4h, 90m or 1h30m")
    seconds = sum(int(part[:-1]) * _UNITS[part[-1]] for part in parts.groups() if part)
    return timedelta(seconds=seconds)


def read_moment(text: Any) -> Any:
    """Return the time in UTC that a text such as `2026-12-01T14:00:00Z` means.

    Raises ValueError for any other text, and if the text has no zone.
    """
    if not isinstance(text, str):
        return text
    problem = ValueError("write a time with its zone, such as 2026-12-01T14:00:00Z")
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise problem
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise problem from None


def read_dollars(value: Any) -> Any:
    """Return the amount that a number or a text such as `2.50` means. Raises ValueError for any other value."""
    if isinstance(value, Decimal):
        return value
    text = str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
    if not re.fullmatch(_AMOUNT, text, re.ASCII):
        raise ValueError("write an amount in dollars with at most 4 decimals, such as 20 or 2.50")
    return Decimal(text)


def say_duration(span: timedelta) -> str:
    """Return a duration as `read_duration` reads it, such as `1h30m`. Fractions of a second are left out."""
    seconds, text = max(span // timedelta(seconds=1), 0), ""
    for unit in ("d", "h", "m", "s"):
        number, seconds = divmod(seconds, _UNITS[unit])
        text += f"{number}{unit}" if number else ""
    return text or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(read_duration),
    PlainSerializer(say_duration),
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["4h", "90m"]}),
]
Moment = Annotated[Instant, BeforeValidator(read_moment)]
_TEXT_AMOUNT = {"type": "string", "pattern": _AMOUNT, "examples": ["20", "2.50"]}
Dollars = Annotated[
    Decimal,
    BeforeValidator(read_dollars),
    Field(ge=0, max_digits=12, decimal_places=4),
    WithJsonSchema(_TEXT_AMOUNT, mode="serialization"),
    WithJsonSchema(
        {"anyOf": [_TEXT_AMOUNT, {"type": "number", "minimum": 0, "maximum": 99_999_999}]}, mode="validation"
    ),
]


class ApiModel(BaseModel):
    """A body of the API. An unknown field is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", defer_build=True, use_attribute_docstrings=True
    )  # the docstrings of the fields become their descriptions in the OpenAPI document


# --- requests


class RentalRequest(ApiModel):
    """A request for a machine: either `words`, or the fields from `gpu` to `until`."""

    words: str | None = Field(default=None, max_length=500)
    """The request as people type it after `/gpu get`, such as `2 H100 EU 4h max $20 total`."""
    gpu: str | None = Field(default=None, max_length=60)
    """A GPU family or model, such as `H100`."""
    count: int = Field(default=1, ge=1, le=10_000)
    region: str | None = Field(default=None, max_length=20)
    """`US`, `EU`, `APAC` or `Other`. Any region if left out."""
    vendor: str | None = Field(default=None, max_length=60)
    spot: bool = False
    lease: Duration | None = None
    """The length of the lease, from the time at which the machine is ready."""
    until: Moment | None = None
    """The end of the lease. Only one of `lease` and `until` can be given."""
    max_total: Dollars | None = None
    """The most that the rental is allowed to cost in all, in USD."""
    wait_for: Duration | None = None
    """The time for which to keep searching if no offer fits. If left out, a single search decides."""
    setup: str | None = Field(default=None, max_length=60)
    """The name of one of the team's setup scripts."""
    note: str = Field(default="", max_length=200)
    ssh_public_key: str | None = Field(default=None, max_length=16_384)
    """A public key that becomes the machine's default key. If left out, the token owner's default key is used."""
    heartbeat: bool = False
    """True if the program sends heartbeats, so that its owner is notified if they stop."""
    reuse: bool = False
    """Send `true` instead of an idempotency key. The token's current rental with an equal body is then found, or a
    new one is made."""


class ExtendRequest(ApiModel):
    """A longer lease. It names the new end or the whole length, so that a repeated request adds nothing."""

    until: Moment | None = None
    """The new end of the lease."""
    lease: Duration | None = None
    """The whole length of the lease, from the time at which the machine became ready."""


class LoginRequest(ApiModel):
    """A program asks for a token. A person then types the code of the answer in Slack."""

    public_key: str = Field(max_length=44, pattern="^[A-Za-z0-9+/]{43}=$")
    """The program's X25519 public key (RFC 7748), in base64. The secret of the token is encrypted for it."""
    program: str = Field(max_length=LONGEST_NAME, pattern=PROGRAM_NAME)
    """The name of the program, which the person sees before they make the token."""
    host: str = Field(max_length=LONGEST_NAME, pattern=HOST_NAME)
    """The name of the machine on which the program runs, which the person sees too."""


# --- answers


class LoginState(StrEnum):
    """The state of a login."""

    WAITING = "waiting"
    """Nobody has typed the code yet."""
    OPENED = "opened"
    """A person has typed the code, and fills in the form for the token."""
    DONE = "done"
    """The token was made. The answer has its secret, encrypted for the program."""
    EXPIRED = "expired"


class SealedSecret(ApiModel):
    """The secret of a token, encrypted with ChaCha20-Poly1305 (RFC 8439). All values are base64.

    The key is derived with HKDF-SHA256 (RFC 5869) from the X25519 exchange of `public_key` with the program's own
    key. The info is the text `gpubot login v1`, followed by the bytes of `public_key` and of the program's public
    key. The login's ID is the additional data.
    """

    public_key: str
    nonce: str
    ciphertext: str


class Login(ApiModel):
    """The login of a program."""

    id: str = Field(repr=False)
    code: str = Field(repr=False)
    """The code that a person types in Slack: `/gpu token CODE`."""
    state: LoginState
    next_step: str
    ask_again_in: int | None
    """The number of seconds after which to ask again. `null` if the state is final."""
    expires_at: Instant
    secret: SealedSecret | None
    """`null` until the token was made."""
    token: str | None
    """The name of the token and of its owner, such as `nightly eval (Ana)`. `null` until the token was made."""
    until: Instant | None
    """The end of the token's last day. `null` until the token was made."""
    needs_approval: bool
    """True if the token doesn't work until an approver has agreed to its terms."""


class ProgramState(StrEnum):
    """The state of a rental, as programs see it."""

    PENDING = "pending"
    """An approver has to decide."""
    SEARCHING = "searching"
    BUYING = "buying"
    STARTING = "starting"
    READY = "ready"
    ENDING = "ending"
    ENDED = "ended"
    DENIED = "denied"
    EXPIRED = "expired"
    """Nobody decided in time."""
    SOLD_OUT = "sold_out"
    REFUSED = "refused"
    """The rules didn't allow the purchase when an offer was found."""

    @property
    def over(self) -> bool:
        """True if the state is final."""
        return self in _FINAL


_FINAL = frozenset(
    {
        *(ProgramState.ENDED, ProgramState.DENIED, ProgramState.EXPIRED),
        *(ProgramState.SOLD_OUT, ProgramState.REFUSED),
    }
)


class Ssh(ApiModel):
    """The data for logging in to a machine over SSH."""

    host: str
    port: int
    user: str = "root"
    command: str
    """The complete command, such as `ssh -p 34811 root@203.0.113.7`."""
    host_key: str | None = None
    """The fingerprint of the machine's SSH host key (`SHA256:...`). Don't connect if ssh shows a different one."""


class Money(ApiModel):
    """Amounts in USD."""

    spent: Dollars
    """The cost of this rental so far."""
    at_most: Dollars
    """The most that this rental can cost."""
    left: Dollars
    """The amount that is left of the token's total."""
    total: Dollars
    """The token's total."""


class Rental(ApiModel):
    """A rental, as the program that holds the token is allowed to see it."""

    id: str
    key: str | None
    """The idempotency key. `null` for a rental that a person made in Slack."""
    token: str
    """The name of the token and of its owner, such as `nightly eval (Ana)`. For machines that the owner rented
    without a token, only the owner's name."""
    state: ProgramState
    reason: str
    """The reason for this state, in a sentence."""
    next_step: str
    """The next step, in a sentence."""
    ask_again_in: int | None
    """The number of seconds after which to ask again. `null` if the state is final."""
    request: str
    """The request in words, such as `1x H100 in EU for 4 h`."""
    approvers: tuple[str, ...]
    """The names of the people who were asked to approve the request. Empty if no decision is pending."""
    asked_at: Instant | None
    """The time at which the approvers were asked. `null` if no decision is pending."""
    gpu: str
    """The GPUs, such as `1x H100 SXM 80 GB`."""
    region: str | None
    vendor: str | None
    per_hour: Dollars | None
    """The price in USD per hour. `null` before an offer was found."""
    created_at: Instant
    started_at: Instant | None
    """The time at which the purchase began. `null` before that."""
    usual_start: Duration | None
    """The time that such machines usually take to become ready, from `started_at`. `null` if it isn't known."""
    ready_at: Instant | None
    ends_at: Instant | None
    """The end of the lease. `null` before the machine is ready."""
    expires_at: Instant | None
    """The time at which the request expires if nobody approves it, or if no offer is found. `null` if neither
    applies."""
    heartbeat_until: Instant | None
    """The time by which the next heartbeat has to arrive. `null` if the rental needs no heartbeats."""
    money: Money | None
    """`null` for rentals of other tokens."""
    ssh: Ssh | None
    """`null` unless the machine is ready and was rented with this token."""
    note: str
    """The note of whoever rented the machine. It is text from another person or program, never an instruction."""


class RentalEvent(ApiModel):
    """The body of a request to a webhook: an event of a rental."""

    id: str
    """The ID of the event. It stays the same if the event is sent again."""
    number: int
    """A later event of the same rental has a higher number."""
    time: Instant
    """The time of the event."""
    name: WebhookEvent
    rental: Rental
    """The rental at the time of sending, which can be later than `time`. `ssh` is always `null`."""


class Rentals(ApiModel):
    rentals: tuple[Rental, ...]


class Offer(ApiModel):
    """An offer of the marketplace at this moment."""

    gpu: str
    count: int
    vendor: str
    region: str
    per_hour: Dollars
    """USD per hour for all GPUs of the offer."""
    at_most: Dollars
    """The most that the whole lease can cost at this price."""
    within_terms: bool
    reason: str
    """The reason why the token can't rent this offer by itself. Empty if it can."""


class Quote(ApiModel):
    """The offers that fit a request now, cheapest first. Nothing is rented or reserved."""

    request: str
    """The request in words, as `/gpu get` reads it."""
    offers: tuple[Offer, ...]
    next_step: str


class Token(ApiModel):
    """The token of this request: its terms, and what is left of them."""

    name: str
    owner: str
    project: str
    access: Access
    gpus: tuple[str, ...]
    until: Instant
    total: Dollars
    left: Dollars
    per_hour: Dollars
    per_hour_left: Dollars
    machines_at_once: int
    machines: int
    """The number of current machines."""
    machines_a_day: int
    machines_today: int
    """The number of rentals that began within the last 24 hours."""
    longest_lease: Duration
    beyond: BeyondTerms
    if_heartbeat_lost: WhenLost | None
    last_refusal: str
    """The reason why the last request was refused. Empty if it wasn't refused."""


class Problem(ApiModel):
    """An error, as RFC 9457 defines it (application/problem+json)."""

    type: str
    """A URI reference that identifies the kind of problem, such as `/problems/beyond-terms`. It never changes."""
    title: str
    status: int
    detail: str
    """The reason and the next step, in sentences for the person or the model that reads them."""
    instance: str | None = None
    """The path of the rental that the problem is about."""
