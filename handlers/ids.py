"""The IDs of all actions, blocks and modals, and the type of the value that each button and modal carries.

A value identifies things, such as a rental, but never contains their state. So a click on an old message acts on
the current state.

Slack allows 255 characters for an ID and 2,000 for a value, and an `action_id` must be unique within its block
(docs.slack.dev/reference/block-kit/block-elements/button-element). If a block has several buttons for the same
action, all but the first get a number: `keep`, `keep.2`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Generic, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from bot.errors import Mistake
from bot.model.base import Frozen, Instant
from bot.model.budget import Month, Scope, ScopeKind
from bot.model.spend import RowsOf

_DIGEST = r"[A-Za-z0-9+/]{43}"
"""A SHA-256 digest in Base64 without padding, as in an SSH key's fingerprint."""
_PERSON = "[UW][A-Z0-9]{1,20}"
_HOURS = "[1-9][0-9]{0,3}"
_SECONDS = "[1-9][0-9]{0,8}s"
_TIME = "[1-9][0-9]{0,10}"
_SHAPES: Mapping[str, str] = MappingProxyType(
    {
        "rental_id": "[a-z0-9]{2,16}",
        "quote_id": "[A-Za-z0-9_-]{1,64}",
        "question_id": "[a-z0-9]{2,16}",
        "token_id": "[a-z0-9]{2,16}",
        "login_id": "[A-Za-z0-9_-]{22,64}",
        "code": "[A-Z0-9]{8}",
        "offer_id": r"[\x21-\x7e]{1,255}",
        "version": "[1-9][0-9]{0,8}",
        "lease": _HOURS,
        "span": _HOURS,
        "first": _TIME,
        "shown_end": _TIME,
        "gpu_rate": r"[0-9]{1,4}(?:\.[0-9]{1,4})?",
        "index": "[0-9]{1,2}",
        "page": "0|[1-9][0-9]{0,3}",
        "name": "[A-Za-z0-9-]{1,39}",
        "people": f"(?:{_PERSON}(?:,{_PERSON}){{0,79}})?",
        "fingerprint": f"SHA256:{_DIGEST}",
        "fingerprints": f"{_DIGEST}(?:,{_DIGEST}){{0,19}}",
        "text": r"[^\x00-\x1f\x7f]{1,1900}",
        "month": "[0-9]{4}-(?:0[1-9]|1[0-2])",
        "period": "today|week|20[0-9]{2}-(?:0[1-9]|1[0-2])",
        "scope": "(?:person|project|team):[A-Za-z0-9_-]{0,30}",
        "rows": "people|projects|rentals",
        "script": "probe|ending|run|jobs|health",
    }
)
"""The pattern that each field of a value must match, by the name of the field."""
UNREADABLE = "I can't read that button. Nothing was changed."


def _group(field: str, shape: str | None = None) -> str:
    return f"(?P<{field}>{shape or _SHAPES[field]})"


# --- types of fields that aren't written as `str` would write them


def _read(parse: Callable[[str], object]) -> BeforeValidator:
    return BeforeValidator(lambda found: parse(found) if isinstance(found, str) else found)


def _parse_span(text: str) -> timedelta:
    return timedelta(seconds=int(text[:-1])) if text.endswith("s") else timedelta(hours=int(text))


def _write_span(span: timedelta) -> str:
    return _write_seconds(span) if span % timedelta(hours=1) else str(span // timedelta(hours=1))


def _write_seconds(span: timedelta) -> str:
    return f"{span // timedelta(seconds=1)}s"


def _parse_scope(text: str) -> Scope:
    kind, name = text.split(":")
    return Scope(kind=ScopeKind(kind), name=name)


Span = Annotated[timedelta, _read(_parse_span), PlainSerializer(_write_span)]
"""A duration: `4` for whole hours, otherwise `5400s`.

`HoursValue` and `QuoteHoursValue` accept whole hours only.
"""
Seconds = Annotated[timedelta, _read(_parse_span), PlainSerializer(_write_seconds)]
"""A duration in seconds: `5400s`."""
Moment = Annotated[
    Instant,
    _read(lambda text: datetime.fromtimestamp(int(text), UTC)),
    AfterValidator(lambda at: at.replace(microsecond=0)),
    PlainSerializer(lambda at: int(at.timestamp())),
]
"""A Unix time in whole seconds: `1763982000`."""
People = Annotated[
    tuple[str, ...], _read(lambda text: tuple(filter(None, text.split(",")))), PlainSerializer(",".join)
]
"""Slack user IDs, separated by commas: `U0BEN,U0CLEO`. Can be empty."""
Fingerprints = Annotated[
    tuple[str, ...],
    _read(lambda text: tuple(f"SHA256:{digest}" for digest in text.split(","))),
    PlainSerializer(lambda found: ",".join(one.removeprefix("SHA256:") for one in found)),
]
"""The digests of up to 20 SSH keys, separated by commas: `OOKX...,47DE...`."""
WhoseMoney = Annotated[Scope, _read(_parse_scope), PlainSerializer(lambda scope: f"{scope.kind}:{scope.name}")]
"""A person, a project or the team, as kind and name: `person:U0ANA`, `project:vision` or `team:`."""


# --- the values of the buttons that are about keys, pages of a list, and questions


class Value(Frozen):
    """The value of a button or modal, which Slack stores as a text.

    `encode` writes this text, and `decode` parses it. `decode` rejects any other text.
    """

    TYPE_NAME: ClassVar[str] = ""
    """The name of this type of value in a modal's metadata: `another_offer` for `AnotherOfferValue`."""
    SHAPE: ClassVar[str]
    """The pattern of the encoded text, with a named group for each field.

    By default, it consists of the patterns of the fields, separated by colons.
    """

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Derive the type's name and pattern. A name or pattern that the class defines itself is kept."""
        if "TYPE_NAME" not in vars(cls):
            cls.TYPE_NAME = re.sub("(?<!^)(?=[A-Z])", "_", cls.__name__.removesuffix("Value")).lower()
        if "SHAPE" not in vars(cls):
            cls.SHAPE = ":".join(map(_group, cls.model_fields))

    def encode(self) -> str:
        """Return the value as text.

        Raises Mistake if a field contains characters that its pattern doesn't allow.
        """
        text = ":".join(str(part) for part in self.model_dump().values())
        if not re.fullmatch(self.SHAPE, text):
            raise Mistake(UNREADABLE)
        return text

    @classmethod
    def decode(cls, text: str) -> Self:
        """Parse a text that `encode` returned.

        Raises Mistake for any other text.
        """
        found = re.fullmatch(cls.SHAPE, text, flags=re.ASCII)
        if found is None:
            raise Mistake(UNREADABLE)
        return cls.model_validate(found.groupdict())


class PageValue(Value):
    """The number of a page of the Home tab. The first page is `0`, and the second page is `1`."""

    page: int


class KeyValue(Value):
    """The fingerprint of an SSH key: `SHA256:OOKX...`."""

    fingerprint: str


class GithubNameValue(Value):
    """A GitHub user name: `ana-dev`."""

    name: str


class GithubKeysValue(Value):
    """A GitHub user name, and the digests of this user's SSH keys: `ana-dev:OOKX...,47DE...`."""

    name: str
    fingerprints: Fingerprints


class LineValue(Value):
    """The text of a request, as typed after `/gpu get`: `H100 EU under $2.50/GPU/h`.

    If the request was typed after `/gpu wait` instead, the text begins with `wait`. Special characters are
    escaped, as in the text that Slack sends. When a person clicks the button, the text is parsed with the time
    zone of this person.
    """

    text: str


class QuestionValue(Value):
    """A question to the admins, and the version of the question that its message shows: `u7mq2:3`."""

    question_id: str
    version: int


class TokenValue(Value):
    """The ID of an API token: `n8f3mz2kq7wx`. It isn't the token's secret."""

    token_id: str


class CodeValue(Value):
    """The code of a program's login: `KTRWXQMB`."""

    code: str


class LoginValue(Value):
    """The ID of a new API token, and the ID of the program's login: `n8f3mz2kq7wx:Jx0...`.

    Only the form for this token carries it, in metadata that nobody sees.
    """

    token_id: str
    login_id: str


class TokenVersionValue(Value):
    """An API token, and the number of the request for its terms that the message shows: `n8f3mz2kq7wx:2`."""

    token_id: str
    version: int


class ScriptName(StrEnum):
    """The scripts that the bot installs on machines, such as `gpubot-health`."""

    PROBE = "probe"
    ENDING = "ending"
    RUN = "run"
    JOBS = "jobs"
    HEALTH = "health"


class ScriptValue(Value):
    """A script that the bot installs on machines: `health`."""

    script: ScriptName


# --- the values of the buttons that are about rentals, quotes and offers


class Field(StrEnum):
    """The inputs of modals. An input's block and the element in that block have the same ID."""

    KEY_LINE = "key_line"
    GITHUB_NAME = "github_name"
    KEYS = "keys"
    MORE_KEYS = "more_keys"
    GPU = "gpu"
    COUNT = "count"
    REGION = "region"
    CONTRACT = "contract"
    VENDOR = "vendor"
    CAP = "cap"
    START = "start"
    LEASE = "lease"
    UP_TO = "up_to"
    TEAMMATES = "teammates"
    SETUP = "setup"
    PROJECT = "project"
    PROBE = "probe"
    UNTIL_DONE = "until_done"
    IF_FAILED = "if_failed"
    NOTE = "note"
    HOURS = "hours"
    LENGTH = "length"
    OWNER = "owner"
    REASON = "reason"
    MACHINE_NAME = "machine_name"
    GRACEFUL_DESTROY = "script_first"
    MORE = "more"
    WAITS = "waits"
    TOKEN_NAME = "token_name"  # noqa: S105 - an input's ID, not a secret
    ACCESS = "access"
    MODELS = "models"
    PER_HOUR = "per_hour"
    TOTAL = "total"
    AT_ONCE = "at_once"
    PER_DAY = "per_day"
    LONGEST = "longest"
    LAST_DAY = "last_day"
    BEYOND = "beyond"
    LOST = "lost"


PRICE = "price"
"""The first block of the request form, which shows the price of the current choices."""
PRICE_AGAIN = "price_again"
"""A copy of the price block below the inputs that determine the price.

The form is long enough to scroll, so the first block may be out of sight.
"""


class NoValue(Value):
    """The value of a button or modal that doesn't need one: an empty text."""

    TYPE_NAME: ClassVar[str] = "none"
    SHAPE: ClassVar[str] = ""


NO_VALUE = NoValue()


class RentalValue(Value):
    """A rental's ID: `k7mq2`."""

    rental_id: str


class VersionValue(Value):
    """A rental, and the version of its approved terms that the message shows: `k7mq2:2`."""

    rental_id: str
    version: int


class HoursValue(Value):
    """A rental and a duration in whole hours: `k7mq2:4`."""

    rental_id: str
    span: Span


class SpanValue(Value):
    """A rental and a duration in seconds: `k7mq2:5400s`."""

    SHAPE: ClassVar[str] = f"{_group('rental_id')}:{_group('span', _SECONDS)}"

    rental_id: str
    span: Seconds


class EndValue(Value):
    """A rental, and the time at which its lease ends according to a message or dialog: `k7mq2:1763982000`.

    The bot refuses the action if the lease now ends at another time. So submitting an extension twice extends the
    lease only once.
    """

    rental_id: str
    shown_end: Moment


class ExtendValue(Value):
    """An extension of a lease: `k7mq2:2:1763982000` by 2 hours, or `k7mq2:5400s:1763982000` by 5400 seconds.

    The last part is the time at which the lease ended before the extension. The bot refuses the extension if the
    lease now ends at another time. So clicking a button twice extends the lease only once.
    """

    SHAPE: ClassVar[str] = f"{_group('rental_id')}:{_group('by', f'{_HOURS}|{_SECONDS}')}:{_group('shown_end')}"

    rental_id: str
    by: Span
    shown_end: Moment | None
    """The time at which the lease ended before the extension. None for a typed command."""


class UntilValue(Value):
    """A rental, and the time until which its lease is extended: `k7mq2:1763982000`."""

    SHAPE: ClassVar[str] = f"{_group('rental_id')}:{_group('by', _TIME)}"

    rental_id: str
    by: Moment


class UntilDoneValue(Value):
    """A rental, and the time at which it ends at the latest: `k7mq2:1763982000`.

    The rental ends earlier if all jobs on its machine are done.
    """

    SHAPE: ClassVar[str] = f"{_group('rental_id')}:{_group('by', _TIME)}"

    rental_id: str
    by: Moment


class ShareValue(Value):
    """A rental, and the people with whom its machine is shared: `k7mq2:U0BEN,U0CLEO`.

    If a machine is offered to a person, the value contains the rental and only this person.
    """

    rental_id: str
    people: People


class QuoteValue(Value):
    """The ID of a stored search with its offers (a quote): `q8f3...`."""

    quote_id: str


class QuoteUntilValue(Value):
    """A stored search, and the time until which the person needs the machine: `q8f3...:1763982000`.

    The bot searches again for a lease that doesn't end before this time.
    """

    quote_id: str
    first: Moment


class QuoteHoursValue(Value):
    """A stored search, and a length of the lease in whole hours: `q8f3...:4`.

    The bot searches again for a lease of this length.
    """

    quote_id: str
    lease: Span


class QuotePriceValue(Value):
    """A stored search, and the highest price that the person pays, in USD per GPU-hour: `q8f3...:3.00`."""

    quote_id: str
    gpu_rate: Decimal


class OfferValue(Value):
    """A stored search and one of its offers: `q8f3...:offer`.

    The offer's ID comes from the marketplace and has up to 255 visible characters.
    """

    another: ClassVar[bool] = False
    """True if the person wants to rent the offer even though they already have a similar rental."""

    quote_id: str
    offer_id: str


class RentalOfferValue(Value):
    """A rental that waits for a cheaper offer, and an offer that is too expensive for it: `k7mq2:offer`.

    The owner named a highest price in the request. The offer costs more.
    """

    rental_id: str
    offer_id: str


class AnotherOfferValue(OfferValue):
    """The value of the button that rents an offer even though the person already has a similar rental."""

    another: ClassVar[bool] = True


def offer_value(quote_id: str, offer_id: str, *, another: bool) -> OfferValue:
    return (AnotherOfferValue if another else OfferValue)(quote_id=quote_id, offer_id=offer_id)


class NearbyValue(Value):
    """A stored search, and the index of a similar request that the bot suggested: `q8f3...:0`.

    The first suggestion has the index 0.
    """

    quote_id: str
    index: int


# --- the values of spend


class SpendValue(Value):
    """A month, and the person, project or team whose spending is requested: `2026-11:project:vision`."""

    month: Month
    scope: WhoseMoney


class SpendRowsValue(Value):
    """A report of spending: `2026-10:project:vision:people`.

    This example is the spending of the project `vision` in October 2026, with one row for each person.
    """

    period: str
    scope: WhoseMoney
    rows: RowsOf


V = TypeVar("V", bound=Value)
NewTokenValue: TypeAlias = TokenValue | LoginValue
"""The value of the form for a new token. It is a LoginValue if the secret is for the program of a login."""
FormValue: TypeAlias = QuoteValue | VersionValue | NoValue
"""The value of the request form. It identifies the search or request that the form was opened to change.

For a search, the value is a QuoteValue. For a request that waits for approval, it is a VersionValue. If the form
was opened for a new search, it is a NoValue.
"""


@dataclass(frozen=True)
class ActionId(Generic[V]):
    """A button's action: its `action_id`, and the type of its value."""

    id: str
    value_type: type[V]
    answers: bool = False
    """True if clicking the button answers a question that the bot asked.

    Every message with an unanswered question has at least one such button.
    """


class Action:
    """The actions of all buttons.

    CHANGE changes a search. CHANGE_RENTAL changes a request that waits for approval. With ACCEPT, an owner agrees
    to a price that exceeds the approved price. With ACKNOWLEDGED, somebody takes responsibility for a machine that
    the vendor fails to delete.

    Tests check that each action has a handler, and a button in some message or modal.
    """

    RENT = ActionId("rent", OfferValue)
    RENT_ANOTHER: ActionId[OfferValue] = ActionId("rent_another", AnotherOfferValue)
    ALL_OFFERS = ActionId("all_offers", QuoteValue)
    REFRESH = ActionId("refresh", QuoteValue)
    CHANGE = ActionId("change", QuoteValue)
    SHOW_NEARBY = ActionId("show_nearby", NearbyValue)
    KEEP_UNTIL = ActionId("keep_until", QuoteUntilValue)
    FOR_HOURS = ActionId("for_hours", QuoteHoursValue)
    PRICE_FOR_ALL = ActionId("price_for_all", QuoteValue)
    TELL_ME = ActionId("tell_me", QuoteValue)
    RENT_FOR_ME = ActionId("rent_for_me", QuoteValue)
    RENT_THEN = ActionId("rent_then", QuoteValue)
    STOP_WAITING = ActionId("stop_waiting", QuoteValue)
    WAIT_AGAIN = ActionId("wait_again", QuoteValue)
    ANY_TIME = ActionId("any_time", QuoteValue)
    RENT_DEARER = ActionId("rent_dearer", RentalOfferValue)
    TRY_AGAIN = ActionId("try_again", QuoteValue)
    SHOW_LINE = ActionId("show_line", LineValue)
    CHOOSE_FROM_LIST = ActionId("choose_from_list", NoValue)
    ADD_KEY = ActionId("add_key", NoValue)
    REMOVE_KEY = ActionId("remove_key", KeyValue)
    MAKE_KEY_FIRST = ActionId("make_key_first", KeyValue)
    FROM_GITHUB = ActionId("from_github", NoValue)
    USE_GITHUB_KEYS = ActionId("use_github_keys", GithubKeysValue)
    CHOOSE_GITHUB_KEYS = ActionId("choose_github_keys", GithubNameValue)
    CANCEL_KEYS = ActionId("cancel_keys", NoValue)
    RELOAD_POLICY = ActionId("reload_policy", NoValue)
    SHOW_RENTAL = ActionId("show_rental", RentalValue)
    DETAILS = ActionId("details", RentalValue)
    SSH = ActionId("ssh", RentalValue)
    CHANGE_RENTAL = ActionId("change_rental", VersionValue, answers=True)
    WITHDRAW = ActionId("withdraw", VersionValue)
    ADD_TEAMMATE = ActionId("add_teammate", VersionValue)
    SHARE = ActionId("share", ShareValue)
    ASK_FOR = ActionId("ask_for", RentalValue)
    GIVE = ActionId("give", ShareValue)
    TAKE = ActionId("take", EndValue, answers=True)
    CANCEL = ActionId("cancel", RentalValue)
    APPROVE = ActionId("approve", VersionValue, answers=True)
    OPEN_REQUEST = ActionId("open_request", RentalValue)
    FEWER_HOURS = ActionId("fewer_hours", VersionValue)
    DENY = ActionId("deny", VersionValue)
    ACCEPT = ActionId("accept", VersionValue, answers=True)
    EXTEND_FORM = ActionId("extend_form", RentalValue)
    EXTEND = ActionId("extend", ExtendValue)
    EXTEND_UNTIL = ActionId("extend_until", UntilValue)
    END_WHEN_DONE = ActionId("end_when_done", UntilDoneValue)
    KEEP = ActionId("keep", HoursValue, answers=True)
    KEEP_FOR = ActionId("keep_for", SpanValue, answers=True)
    KEEP_WHEN_DONE = ActionId("keep_when_done", RentalValue, answers=True)
    KEEP_WITHOUT_HEARTBEAT = ActionId("keep_without_heartbeat", RentalValue, answers=True)
    ASK_OWNER_AGAIN = ActionId("ask_owner_again", RentalValue)
    LEAVE_ALONE = ActionId("leave_alone", RentalValue, answers=True)
    PROBE_INSTALLED = ActionId("probe_installed", RentalValue)
    KEEP_AS_IT_IS = ActionId("keep_as_it_is", RentalValue, answers=True)
    DESTROY = ActionId("destroy", RentalValue)
    REPLACE = ActionId("replace", RentalValue)
    NOT_WORKING = ActionId("not_working", RentalValue)
    ACKNOWLEDGED = ActionId("taken_on", RentalValue, answers=True)
    GIVE_OWNER = ActionId("give_owner", QuestionValue, answers=True)
    NOT_OURS = ActionId("not_ours", QuestionValue, answers=True)
    ASK_ABOUT_AGAIN = ActionId("ask_about_again", QuestionValue)
    DESTROY_UNMANAGED = ActionId("destroy_unknown", QuestionValue)
    PUT_ALL_BACK = ActionId("put_all_back", QuestionValue, answers=True)
    ONE_BY_ONE = ActionId("one_by_one", QuestionValue, answers=True)
    SHOW_SPEND = ActionId("show_spend", SpendRowsValue)
    SPEND_CSV = ActionId("spend_csv", SpendValue)
    OWNER_SPEND = ActionId("owner_spend", RentalValue)
    HOME_PAGE = ActionId("home_page", PageValue)
    SHOW_TEAM = ActionId("show_team", NoValue)
    SHOW_SCRIPT = ActionId("show_script", ScriptValue)
    NEW_TOKEN = ActionId("new_token", NoValue)
    TOKEN_FOR_CODE = ActionId("token_for_code", CodeValue)
    CHANGE_TOKEN = ActionId("change_token", TokenValue)
    STOP_TOKEN = ActionId("stop_token", TokenValue)
    APPROVE_TOKEN = ActionId("approve_token", TokenVersionValue, answers=True)
    DENY_TOKEN = ActionId("deny_token", TokenVersionValue)


class CallbackId(Generic[V]):
    """A modal's `callback_id`, and the types that the modal's value may have."""

    def __init__(self, callback_id: str, *value_types: type[V], confirms: bool = False) -> None:
        self.id = callback_id
        self.value_types = value_types
        self.confirms = confirms
        """True if the modal shows what an action would do, and submitting it carries out the action."""

    def decode(self, text: str, type_name: str) -> V:
        """Parse the value of a submitted modal. `type_name` is the TYPE_NAME of the value.

        Raises Mistake if `type_name` isn't a type that this modal can contain.
        """
        for value_type in self.value_types:
            if type_name == value_type.TYPE_NAME:
                return value_type.decode(text)
        raise Mistake(UNREADABLE)


class Callback:
    """The `callback_id` of each modal. Tests check that each modal has a handler, and is opened somewhere."""

    KEY = CallbackId("key", NoValue)
    GITHUB_NAME = CallbackId("github_name", NoValue)
    CHOOSE_KEYS = CallbackId("choose_keys", GithubKeysValue)
    FORM: CallbackId[FormValue] = CallbackId("form", QuoteValue, VersionValue, NoValue)
    RENT_CONFIRM: CallbackId[OfferValue] = CallbackId("rent_confirm", OfferValue, AnotherOfferValue, confirms=True)
    HIGHEST_PRICE = CallbackId("highest_price", QuoteValue)
    RENT_FOR_ME: CallbackId[QuoteValue | QuotePriceValue] = CallbackId(
        "rent_for_me_confirm", QuoteValue, QuotePriceValue, confirms=True
    )
    RENT_DEARER = CallbackId("rent_dearer_confirm", RentalOfferValue, confirms=True)
    APPROVE_CONFIRM = CallbackId("approve_confirm", VersionValue, confirms=True)
    FEWER_HOURS = CallbackId("fewer_hours_form", VersionValue, confirms=True)
    DENY = CallbackId("deny_form", VersionValue, confirms=True)
    EXTEND = CallbackId("extend_lease", EndValue)
    EXTEND_CONFIRM: CallbackId[ExtendValue | UntilValue | UntilDoneValue] = CallbackId(
        "extend_confirm", ExtendValue, UntilValue, UntilDoneValue, confirms=True
    )
    ADD_TEAMMATE = CallbackId("add_teammates", VersionValue)
    TAKE_CONFIRM = CallbackId("take_confirm", EndValue, confirms=True)
    DESTROY_CONFIRM = CallbackId("destroy_confirm", RentalValue, confirms=True)
    REPLACE = CallbackId("replace_rental", RentalValue, confirms=True)
    GIVE_OWNER = CallbackId("give_owner_form", QuestionValue)
    NOT_OURS = CallbackId("not_ours_form", QuestionValue)
    DESTROY_UNMANAGED = CallbackId("destroy_unknown_confirm", QuestionValue)
    NEW_TOKEN: CallbackId[NewTokenValue] = CallbackId("new_token_form", TokenValue, LoginValue)
    CHANGE_TOKEN = CallbackId("change_token_form", TokenValue)
    STOP_TOKEN = CallbackId("stop_token_confirm", TokenValue, confirms=True)
    APPROVE_TOKEN = CallbackId("approve_token_confirm", TokenVersionValue, confirms=True)
    DENY_TOKEN = CallbackId("deny_token_form", TokenVersionValue, confirms=True)
    NOTICE = CallbackId("notice", NoValue)


ACTION_VALUES: Mapping[str, type[Value]] = MappingProxyType(
    {action.id: action.value_type for action in vars(Action).values() if isinstance(action, ActionId)}
)
"""The type of each button's value, by `action_id`."""
ANSWERS = frozenset(
    action.id for action in vars(Action).values() if isinstance(action, ActionId) and action.answers
)
"""The `action_id`s of the buttons that answer a question."""
_CALLBACKS = {modal.id: modal for modal in vars(Callback).values() if isinstance(modal, CallbackId)}
CONFIRMATIONS = frozenset(modal.id for modal in _CALLBACKS.values() if modal.confirms)
"""The `callback_id`s of the modals that confirm an action."""
MODAL_VALUES: Mapping[str, tuple[type[Value], ...]] = MappingProxyType(
    {callback_id: modal.value_types for callback_id, modal in _CALLBACKS.items()}
)
"""The types that each modal's value may have, by `callback_id`."""


def numbered(action_id: str, n: int) -> str:
    """Return the `action_id` of the n-th button for an action in a block: `keep.2` for the second button."""
    return action_id if n == 1 else f"{action_id}.{n}"


def action_of(action_id: str) -> str:
    """Return an `action_id` without its number.

    Raises Mistake if there is no such action. This happens if an older version of the bot posted the button.
    """
    found = re.fullmatch(r"([a-z_]+)(?:\.[0-9]{1,2})?", action_id, flags=re.ASCII)
    if found is None or found[1] not in ACTION_VALUES:
        raise Mistake("That button is from an older version. Nothing was changed. /gpu list shows your machines.")
    return found[1]


def callback_of(callback_id: str) -> CallbackId[Any]:
    """Return the modal with this `callback_id`.

    Raises Mistake if there is no such modal. This happens if an older version of the bot opened it.
    """
    if callback_id not in _CALLBACKS:
        raise Mistake("This dialog is from an older version. Nothing was changed. To start again, type /gpu")
    return _CALLBACKS[callback_id]
